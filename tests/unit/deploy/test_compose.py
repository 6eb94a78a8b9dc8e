"""The compose file and the image's recipe, read as texts: no Docker is needed."""

import re
from typing import Any

import pytest
import yaml

from deploy.compose.jobs import environment_of
from deploy.compose.preparation import prepare
from deploy.gateway.rendering import GatewaySettings
from deploy.local.settings import DEFAULT_PORTS, PROJECT, SERVICES, variable_of_port

TEXT = (PROJECT / "docker-compose.yml").read_text()
PARTS: dict[str, Any] = yaml.safe_load(TEXT)["services"]
STANDING = ("postgres", "kafka", "gateway", "jobs", *SERVICES)


@pytest.mark.parametrize("name", STANDING)
def test_what_stays_up_is_watched_and_bounded(name: str) -> None:
    """A part that hangs is seen, one that ends comes back, and none takes the machine's memory."""
    part = PARTS[name]
    assert part["healthcheck"]["test"]
    assert part["restart"] == "unless-stopped"
    assert part["mem_limit"]
    assert part["init"] is True


@pytest.mark.parametrize("name", PARTS)
def test_no_part_keeps_rights_it_does_not_need(name: str) -> None:
    """Capabilities are dropped everywhere, and only Kafka writes outside its volumes."""
    part = PARTS[name]
    assert part["cap_drop"] == ["ALL"]
    assert part["security_opt"] == ["no-new-privileges:true"]
    assert part["read_only"] is (name != "kafka")


def test_the_signal_to_stop_reaches_the_database() -> None:
    """Its first process stays root and the server does not: without KILL the server is cut off at every stop."""
    assert {"SETUID", "KILL"} <= set(PARTS["postgres"]["cap_add"])


@pytest.mark.parametrize("name", SERVICES)
def test_a_service_gets_its_own_database_only(name: str) -> None:
    """No service holds another's address, nor an owner's."""
    addresses = {variable for variable in PARTS[name]["environment"] if variable.startswith("DATABASE_")}
    assert addresses == {f"DATABASE_URL_{name.upper()}"}


def test_only_migrations_hold_the_owners_addresses() -> None:
    """The right to change a schema stays with the job that changes it."""
    holders = {name for name, part in PARTS.items() if "DATABASE_OWNER_URL" in str(part.get("environment"))}
    assert holders == {"migrations"}


def test_a_job_sees_its_own_services_database_only() -> None:
    """The timer knows four databases, each of its jobs one."""
    all_of_them = {f"DATABASE_URL_{name.upper()}": name for name in SERVICES}
    assert environment_of("imports", all_of_them | {"A": "b"}) == {"DATABASE_URL_IMPORTS": "imports", "A": "b"}


@pytest.mark.parametrize(("part", "port"), DEFAULT_PORTS.items())
def test_ports_are_published_on_loopback_as_everywhere_else(part: str, port: int) -> None:
    """The same variable moves a port here and with `make up`."""
    (published,) = PARTS[part]["ports"]
    assert published.startswith(f"127.0.0.1:${{{variable_of_port(part)}:-{port}}}:")


def test_defaults_are_those_of_the_example() -> None:
    """What `.env.example` says of a variable is true of containers, too."""
    shown = dict(re.findall(r"^#([A-Z_]+)=(.*)$", (PROJECT / ".env.example").read_text(), re.MULTILINE))
    own_examples = ("DATABASE_", "KAFKA_BOOTSTRAP", "RAPPORT_JWKS", "RAPPORT_TOKEN_ISSUER", "RAPPORT_GATEWAY_CORS")
    for variable, default in re.findall(r"\$\{([A-Z_]+):-([^${}]*)\}", TEXT):
        if variable in shown and not variable.startswith(own_examples):
            assert default == shown[variable], variable
    assert all(f"${{{variable}:-" in TEXT for variable in shown)


def test_databases_are_made_for_every_service() -> None:
    """A service without a database would never start."""
    script = (PROJECT / "deploy/compose/databases.sh").read_text()
    assert f"for service in {' '.join(SERVICES)}; do" in script


def test_the_image_is_what_was_locked_and_runs_as_nobody_special() -> None:
    """Packages are those whose hashes are known; the processes are not root's."""
    recipe = (PROJECT / "deploy/Dockerfile").read_text()
    assert "--require-hashes" in recipe
    assert "USER 10001:10001" in recipe
    assert "HEALTHCHECK" in recipe


def test_preparation_keeps_the_private_key_to_itself(tmp_path: Any) -> None:
    """The volume that every part reads holds no private key, and a second run changes nothing."""
    private, public = tmp_path / "private", tmp_path / "public"
    public.mkdir()
    gateway = GatewaySettings(jwks_url="file:///var/lib/rapport/jwks.json", token_issuer="https://example.test")
    prepare(private, public, gateway)
    first = {file.name: file.read_text() for file in public.rglob("*") if file.is_file()}
    prepare(private, public, gateway)
    assert {file.name: file.read_text() for file in public.rglob("*") if file.is_file()} == first
    assert set(first) == {"jwks.json", "envoy.yaml", "RAPPORT_CURSOR_KEY"}
    assert '"d"' not in first["jwks.json"]
    assert (public / "secrets" / "RAPPORT_CURSOR_KEY").stat().st_mode & 0o077 == 0
