"""`make up` and `make down` as people use them, with real servers and stand-ins for the four services."""

import os
import shutil
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest

from deploy.local.keys import ADMINISTRATOR_ID
from deploy.local.ports import free_port, wait_until
from deploy.local.settings import DEFAULT_PORTS, SERVICES, LocalSettings, variable_of_port
from deploy.local.system import System

PROJECT = Path(__file__).parents[3]
COMMAND_TIMEOUT_SECONDS = 120
RESTART_TIMEOUT_SECONDS = 15

STAND_IN = """
import json, os, sys
from http.server import BaseHTTPRequestHandler, HTTPServer

NAME, COMMAND = __spec__.name.split(".")[1], sys.argv[1]
# One write a line: five of these share a log, and unbuffered words of theirs would mix.
os.write(1, (" ".join((NAME, *sys.argv[1:])) + os.linesep).encode())


class Handler(BaseHTTPRequestHandler):
    def do_GET(self):
        databases = sorted(name for name in os.environ if name.startswith("DATABASE"))
        body = json.dumps({"service": NAME, "databases": databases, "pid": os.getpid()}).encode()
        self.send_response(200)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)


if COMMAND == "all":
    HTTPServer(("127.0.0.1", int(os.environ[f"RAPPORT_{NAME.upper()}_PORT"])), Handler).serve_forever()
"""


@pytest.fixture(scope="module")
def project(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """A checkout whose services are stand-ins, on ports of its own; down when the tests are through."""
    project = tmp_path_factory.mktemp("project")
    for folder in ("deploy", "shared"):
        shutil.copytree(PROJECT / folder, project / folder, ignore=shutil.ignore_patterns("__pycache__", "demo"))
    for name in SERVICES:
        (project / "services" / name).mkdir(parents=True)
        (project / "services" / name / "__main__.py").write_text(STAND_IN)
    (project / ".local").mkdir()
    (PROJECT / ".local" / "cache").mkdir(parents=True, exist_ok=True)
    (project / ".local" / "cache").symlink_to(PROJECT / ".local" / "cache")
    lines = [f"{variable_of_port(part)}={free_port()}\n" for part in DEFAULT_PORTS]
    (project / ".env").write_text("".join(lines))
    yield project
    launch(project, "reset")


def launch(project: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    """`python -m deploy.local …` in the project, in an environment that gives it no servers."""
    given = ("RAPPORT_", "DATABASE_", "KAFKA_")
    return subprocess.run(
        [sys.executable, "-m", "deploy.local", *arguments],
        cwd=project,
        env={name: value for name, value in os.environ.items() if not name.startswith(given)},
        capture_output=True,
        text=True,
        timeout=COMMAND_TIMEOUT_SECONDS,
    )


@pytest.fixture
def system(project: Path) -> System:
    """The project's system, up."""
    answer = launch(project, "up")
    assert answer.returncode == 0, answer.stderr
    return System(LocalSettings.load(project, {}))


def ask(system: System, path: str) -> httpx.Response:
    """A request of the administrator, through the gateway."""
    token = system.keys.administrator_token()
    return httpx.get(f"{system.gateway.url}/api/v1{path}", headers={"Authorization": f"Bearer {token}"})


def test_a_taken_port_is_one_line_with_its_remedy(project: Path) -> None:
    """Said before anything starts."""
    port = LocalSettings.load(project, {}).ports["gateway"]
    with socket.create_server(("127.0.0.1", port)):
        answer = launch(project, "up")
    assert answer.returncode == 1
    assert answer.stderr == (
        f"Port {port}, for gateway, is taken by another program. Free it, or set RAPPORT_GATEWAY_PORT in .env.\n"
    )
    assert launch(project, "status").stdout.count("stopped") == len(DEFAULT_PORTS)


def test_up_brings_everything_up_and_says_where_it_is(project: Path, system: System) -> None:
    """Addresses and a token that works are printed; each service knows its own database only."""
    said = launch(project, "up").stdout
    for part in DEFAULT_PORTS:
        assert f":{system.settings.ports[part]}" in said
    token = said.splitlines()[-1]
    for path, service in (
        ("/me", "customers"),
        ("/tasks", "interactions"),
        ("/imports", "imports"),
        ("/campaigns", "campaigns"),
    ):
        answer = httpx.get(f"{system.gateway.url}/api/v1{path}", headers={"Authorization": f"Bearer {token}"})
        assert answer.json()["service"] == service
        assert answer.json()["databases"] == [f"DATABASE_URL_{service.upper()}"]
    assert launch(project, "status").returncode == 0


def test_databases_and_topics_are_prepared_before_the_services_start(project: Path, system: System) -> None:
    """Migrations, the first employee, topics: each in its service's own command."""
    ran = (project / ".local" / "services" / "preparation.log").read_text()
    for name in SERVICES:
        assert ran.index(f"{name} migrate") < ran.index(f"{name} topics")
    assert f"customers bootstrap-admin --id {ADMINISTRATOR_ID}" in ran


def test_up_again_leaves_alone_what_runs(project: Path, system: System) -> None:
    """No process is exchanged."""
    before = [ask(system, path).json()["pid"] for path in ("/me", "/imports")]
    assert launch(project, "up").returncode == 0
    assert [ask(system, path).json()["pid"] for path in ("/me", "/imports")] == before


def test_up_after_a_change_of_code_runs_the_new_code(project: Path, system: System) -> None:
    """Nobody wonders why an edit has no effect."""
    before = ask(system, "/me").json()["pid"]
    os.utime(project / "services" / "customers" / "__main__.py")
    assert launch(project, "up").returncode == 0
    assert ask(system, "/me").json()["pid"] != before


def test_a_service_that_died_is_started_again(system: System) -> None:
    """As a platform would: a service may end itself when it is stuck."""
    before = ask(system, "/me").json()["pid"]
    os.kill(before, signal.SIGKILL)

    def is_back() -> bool:
        answer = ask(system, "/me")
        return answer.status_code == 200 and answer.json()["pid"] != before

    assert wait_until(is_back, RESTART_TIMEOUT_SECONDS)


def test_down_stops_every_process_and_keeps_the_data(project: Path, system: System) -> None:
    """Nothing of the system runs afterwards, and the next `up` finds what was written."""
    system.postgres.execute("CREATE TABLE kept (number int); INSERT INTO kept VALUES (7)", "customers")
    assert launch(project, "down").returncode == 0
    assert all(not part.running for part in system.status())
    assert not system.keeper.running
    assert launch(project, "status").returncode == 1
    launch(project, "up")
    assert system.postgres.execute("SELECT number FROM kept", "customers") == "7"


def test_reset_deletes_the_data_and_keeps_the_keys(project: Path, system: System) -> None:
    """The next system is a fresh one that yesterday's tokens are still good for."""
    token = launch(project, "token").stdout.strip()
    assert launch(project, "reset").returncode == 0
    assert all(not part.running for part in system.status())
    left = {file.name for file in (project / ".local").rglob("*") if file.is_file()}
    assert not left & {"PG_VERSION", "meta.properties", "envoy.yaml", "customers.log"}
    assert "signing.json" in left
    assert token.split(".")[0] == launch(project, "token").stdout.split(".")[0]
