"""Bodies over real sockets: refused before they are read, or read before a connection is taken."""

import asyncio
import json
import os
import subprocess
import sys
import time
from asyncio.subprocess import Process
from collections.abc import AsyncIterator
from dataclasses import dataclass
from pathlib import Path
from uuid import UUID

import httpx
import pytest

from deploy.local.ports import LOOPBACK, free_port
from services.customers.domain.employee import FIRST_EMPLOYEE_ID
from shared.database import Database
from shared.migrations import upgrade
from shared.settings import Settings
from tests.service.shared.office import CUSTOMERS
from tests.support import tokens
from tests.support.servers import TestServers
from tests.support.system import eventually

PROJECT = Path(__file__).resolve().parents[3]
HUGE_BYTES = 50_000_000
CHUNK_BYTES = 64_000
GROWTH_BYTES = 12_000_000
HELD_BYTES = 24_000_000
"""Less than half of what is pushed; a body up to the limit (5 MiB) may be held, once as it came and once whole."""
PATIENCE_SECONDS = 20


@dataclass(frozen=True)
class Api:
    """A customers api process of its own, with one database connection to lend."""

    port: int
    process: Process

    @property
    def url(self) -> str:
        """Its address."""
        return f"http://{LOOPBACK}:{self.port}"

    def memory_bytes(self) -> int:
        """How much memory it has taken so far at most; where the system does not say, how much it has now."""
        status = Path(f"/proc/{self.process.pid}/status")
        if status.exists():
            [line] = [line for line in status.read_text().splitlines() if line.startswith("VmHWM")]
            return int(line.split()[1]) * 1024
        answer = subprocess.run(["ps", "-o", "rss=", "-p", str(self.process.pid)], capture_output=True, check=True)
        return int(answer.stdout) * 1024

    def headers(self, **more: str) -> dict[str, str]:
        """Headers of the administrator."""
        return {"Authorization": f"Bearer {tokens.token(FIRST_EMPLOYEE_ID)}", **more}

    async def open(self, length: int | None, **headers: str) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
        """Begin a POST by hand: the head is sent, the body is not."""
        reader, writer = await asyncio.open_connection(LOOPBACK, self.port)
        framing = {"Transfer-Encoding": "chunked"} if length is None else {"Content-Length": str(length)}
        head = {"Host": "rapport.test", "Content-Type": "application/json", **framing, **headers}
        lines = [f"POST {CUSTOMERS} HTTP/1.1", *(f"{name}: {value}" for name, value in head.items()), "", ""]
        writer.write("\r\n".join(lines).encode())
        await writer.drain()
        return reader, writer


@pytest.fixture(scope="module")
async def api(servers: TestServers, jwks_url: str) -> AsyncIterator[Api]:
    """The process, migrated and with its administrator."""
    urls = await servers.create_database("customers", f"bodies_{os.getpid()}")
    values = {
        "RAPPORT_JWKS_URL": jwks_url,
        "RAPPORT_TOKEN_ISSUER": tokens.ISSUER,
        "KAFKA_BOOTSTRAP_SERVERS": "127.0.0.1:1",
        "RAPPORT_DATABASE_POOL_SIZE": "1",
        "DATABASE_URL_CUSTOMERS": urls.app_url,
        "RAPPORT_CUSTOMERS_PORT": str(free_port()),
    }
    settings = Settings(
        service="customers",
        database_url=urls.app_url,  # pyright: ignore[reportArgumentType]  # pydantic makes a secret of it
        database_owner_url=urls.owner_url,  # pyright: ignore[reportArgumentType]  # pydantic makes a secret of it
        kafka_bootstrap_servers="127.0.0.1:1",
        jwks_url=jwks_url,
        token_issuer=tokens.ISSUER,
    )
    await upgrade(settings, "services.customers")
    await _hire(settings, FIRST_EMPLOYEE_ID)
    command = (sys.executable, "-m", "services.customers", "api")
    process = await asyncio.create_subprocess_exec(*command, cwd=PROJECT, env={"PATH": os.environ["PATH"], **values})
    running = Api(int(values["RAPPORT_CUSTOMERS_PORT"]), process)
    try:
        async with httpx.AsyncClient(base_url=running.url) as client:
            await eventually(lambda: _alive(client), seconds=PATIENCE_SECONDS)
            assert (await client.post(CUSTOMERS, json={"name": "Ấm"}, headers=running.headers())).status_code == 201
        yield running
    finally:
        process.terminate()
        await asyncio.wait_for(process.wait(), PATIENCE_SECONDS)
        await servers.drop_database(f"customers_bodies_{os.getpid()}")


async def test_fifty_megabytes_are_refused_before_they_are_read(api: Api) -> None:
    """413 at the sight of the length, with nothing of the body sent."""
    before = api.memory_bytes()
    for _ in range(5):
        reader, writer = await api.open(HUGE_BYTES, **api.headers())
        assert await _code(reader) == (413, "payload_too_large")
        writer.close()
    assert api.memory_bytes() - before < GROWTH_BYTES


async def test_fifty_megabytes_without_a_length_are_refused_while_they_come(api: Api) -> None:
    """Chunked: read up to the limit and no further, however much is pushed; memory does not grow with it."""
    before = api.memory_bytes()
    for _ in range(3):
        reader, writer = await api.open(None, **api.headers())
        pushing = asyncio.create_task(_push(writer))
        assert await _code(reader) == (413, "payload_too_large")
        pushing.cancel()
        writer.close()
    assert api.memory_bytes() - before < HELD_BYTES


async def test_a_body_without_a_token_is_not_read_at_all(api: Api) -> None:
    """401 comes before the body, also before it is found too large or malformed."""
    for length in (None, 100, HUGE_BYTES):
        reader, writer = await api.open(length)
        assert await _code(reader) == (401, "unauthenticated")
        writer.close()


@pytest.mark.parametrize("length", ["-1", "1e3", "0x10", "9" * 30])
async def test_a_length_that_is_none_is_refused(api: Api, length: str) -> None:
    """By us or by the server below us, never with a 500."""
    reader, writer = await asyncio.open_connection(LOOPBACK, api.port)
    head = f"POST {CUSTOMERS} HTTP/1.1\r\nHost: x\r\nContent-Length: {length}\r\n"
    writer.write((head + f"Authorization: {api.headers()['Authorization']}\r\n\r\n").encode())
    status = int((await asyncio.wait_for(reader.readline(), PATIENCE_SECONDS)).split()[1])
    assert status in (400, 413)
    writer.close()


async def test_a_body_that_comes_slowly_holds_no_database_connection(api: Api) -> None:
    """With one connection in the pool, others are served while slow bodies are on their way."""
    body = json.dumps({"name": "Chậm"}).encode()
    slow = [await api.open(len(body), **api.headers()) for _ in range(5)]
    for _, writer in slow:
        writer.write(body[:5])
        await writer.drain()
    async with httpx.AsyncClient(base_url=api.url, headers=api.headers()) as client:
        started = time.monotonic()
        for number in range(5):
            answer = await client.post(CUSTOMERS, json={"name": f"Nhanh {number}"})
            assert answer.status_code == 201, answer.text
        assert time.monotonic() - started < PATIENCE_SECONDS / 4
    for reader, writer in slow:
        writer.write(body[5:])
        await writer.drain()
        assert int((await asyncio.wait_for(reader.readline(), PATIENCE_SECONDS)).split()[1]) == 201
        writer.close()


async def _push(writer: asyncio.StreamWriter) -> None:
    chunk = b"%x\r\n%b\r\n" % (CHUNK_BYTES, b" " * CHUNK_BYTES)
    for _ in range(HUGE_BYTES // CHUNK_BYTES):
        writer.write(chunk)
        await writer.drain()


async def _code(reader: asyncio.StreamReader) -> tuple[int, str]:
    """Status and code of an answer, however long its connection stays."""
    head = await asyncio.wait_for(reader.readuntil(b"\r\n\r\n"), PATIENCE_SECONDS)
    lines = head.decode().lower().splitlines()
    [length] = [int(line.split(":")[1]) for line in lines if line.startswith("content-length")]
    body = await asyncio.wait_for(reader.readexactly(length), PATIENCE_SECONDS)
    return int(lines[0].split()[1]), json.loads(body)["code"]


async def _alive(client: httpx.AsyncClient) -> bool:
    try:
        return (await client.get("/health/live")).status_code == 200
    except httpx.TransportError:
        return False


async def _hire(settings: Settings, employee_id: UUID) -> None:
    from services.customers.commands.employees import bootstrap_administrator

    database = Database(settings)
    async with database.transaction() as session:
        await bootstrap_administrator(session, employee_id, "Quản trị viên", "ADMIN")
    await database.close()
