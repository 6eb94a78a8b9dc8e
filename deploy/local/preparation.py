"""Makes databases and topics ready for the services: migrations, topics, the first employee.

Begins to load as soon as it is made, while the servers still start; see `warm`.
"""

import json
import subprocess
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path

from deploy.local.errors import LaunchError
from deploy.local.keys import ADMINISTRATOR_CODE, ADMINISTRATOR_ID, ADMINISTRATOR_NAME
from deploy.local.processes import last_line
from deploy.local.settings import PROJECT, SERVICES

STOP_TIMEOUT_SECONDS = 10


class Preparation:
    """An interpreter that runs commands of the services, several at once."""

    def __init__(self, environment: Mapping[str, str], log: Path) -> None:
        self._log = log
        log.parent.mkdir(parents=True, exist_ok=True)
        with log.open("wb") as output:
            self._process = subprocess.Popen(
                [sys.executable, "-m", "deploy.local.warm"],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=output,
                text=True,
                env=dict(environment),
                cwd=PROJECT,
            )

    def migrate(self) -> None:
        """Bring every database's schema up to date."""
        self._run([[f"services.{name}", "migrate"] for name in SERVICES])

    def complete(self) -> None:
        """Create the topics that do not exist yet, and the administrator of a fresh system."""
        topics = [[f"services.{name}", "topics"] for name in SERVICES]
        administrator = ["--id", ADMINISTRATOR_ID, "--name", ADMINISTRATOR_NAME, "--code", ADMINISTRATOR_CODE]
        self._run([*topics, ["services.customers", "bootstrap-admin", *administrator]])

    def close(self) -> None:
        """End the interpreter."""
        self._process.kill()
        self._process.communicate(timeout=STOP_TIMEOUT_SECONDS)

    def _run(self, commands: Sequence[Sequence[str]]) -> None:
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        try:
            self._process.stdin.write(json.dumps(commands) + "\n")
            self._process.stdin.flush()
            answer = self._process.stdout.readline()
        except BrokenPipeError:
            answer = ""
        statuses = json.loads(answer) if answer else [1] * len(commands)
        failed = [" ".join(command) for command, status in zip(commands, statuses, strict=True) if status != 0]
        if failed:
            raise LaunchError(f"`python -m {failed[0]}` failed: {last_line(self._log)}.", f"Its log is {self._log}.")
