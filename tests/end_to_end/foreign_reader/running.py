"""Runs the reader in Java as a stranger would: its one source file, and the jars of a Kafka client."""

import asyncio
import json
from pathlib import Path
from typing import Any

from deploy.local.java import find_java, kafka_classpath

SOURCE = Path(__file__).with_name("Reader.java")
RUN_SECONDS = 90


async def read_customers(bootstrap_servers: str, topic: str = "crm.customers") -> dict[str, dict[str, Any]]:
    """The live customers as the reader has them, by id: `version` and `state` of each.

    Raises AssertionError with the reader's complaint; it needs a Java that compiles (a JDK).
    """
    process = await asyncio.create_subprocess_exec(
        *(find_java(), "-XX:TieredStopAtLevel=1", "-cp", kafka_classpath(), SOURCE, bootstrap_servers, topic),
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
    )
    try:
        out, complaint = await asyncio.wait_for(process.communicate(), RUN_SECONDS)
    except TimeoutError:
        process.kill()
        await process.wait()
        raise
    assert process.returncode == 0, complaint.decode(errors="replace")
    lines = [json.loads(line) for line in out.decode().splitlines()]
    return {line["state"]["id"]: line for line in lines}
