"""The launcher's settings: defaults, what wins over what, and refusals in one line."""

from pathlib import Path

import pytest

from deploy.local.environment import system_environment
from deploy.local.errors import LaunchError
from deploy.local.kafka import KafkaServer
from deploy.local.keys import DevelopmentKeys
from deploy.local.postgres import PostgresServer
from deploy.local.settings import LocalSettings


def environment_of(settings: LocalSettings) -> dict[str, str]:
    """What the services would be told."""
    return system_environment(
        settings,
        DevelopmentKeys(settings.state / "keys"),
        PostgresServer(settings.state / "postgres", settings.ports["postgres"]),
        KafkaServer(settings.state / "kafka", settings.ports["kafka"]),
    )


def test_without_settings_the_documented_ports_hold(tmp_path: Path) -> None:
    """A fresh checkout needs no file and no variable."""
    assert LocalSettings.load(tmp_path, {}).ports == {
        "gateway": 8080,
        "customers": 8101,
        "interactions": 8102,
        "imports": 8103,
        "campaigns": 8104,
        "kafka": 9092,
        "postgres": 5432,
    }


def test_the_environment_wins_over_the_file(tmp_path: Path) -> None:
    """One command can differ from what `.env` says for all."""
    (tmp_path / ".env").write_text("RAPPORT_KAFKA_PORT=1111\nRAPPORT_GATEWAY_PORT=2222\n")
    ports = LocalSettings.load(tmp_path, {"RAPPORT_KAFKA_PORT": "3333"}).ports
    assert (ports["kafka"], ports["gateway"]) == (3333, 2222)


@pytest.mark.parametrize("port", ["x", "0", "65536", "-1", "80 80"])
def test_what_is_no_port_is_refused_by_name(tmp_path: Path, port: str) -> None:
    """The line names the variable and the value."""
    with pytest.raises(LaunchError, match=r"RAPPORT_KAFKA_PORT is not a port: .*\. Set it between 1 and 65535\."):
        LocalSettings.load(tmp_path, {"RAPPORT_KAFKA_PORT": port})


def test_two_parts_cannot_share_a_port(tmp_path: Path) -> None:
    """Said before anything starts, since the later part would fail with somebody else's message."""
    with pytest.raises(LaunchError, match=r"imports and customers would share port 8101\. Set RAPPORT_IMPORTS_PORT\."):
        LocalSettings.load(tmp_path, {"RAPPORT_IMPORTS_PORT": "8101"})


def test_given_servers_are_used_and_not_replaced(tmp_path: Path) -> None:
    """A broker and databases of one's own reach the services as they were given."""
    given = {"KAFKA_BOOTSTRAP_SERVERS": "broker:9", "DATABASE_URL_IMPORTS": "postgresql://a:b@c/d"}
    settings = LocalSettings.load(tmp_path, given)
    environment = environment_of(settings)
    assert settings.kafka_is_given
    assert settings.services_without_database == ("customers", "interactions", "campaigns")
    assert environment["KAFKA_BOOTSTRAP_SERVERS"] == "broker:9"
    assert environment["DATABASE_URL_IMPORTS"] == "postgresql://a:b@c/d"
    assert "DATABASE_OWNER_URL_IMPORTS" not in environment


def test_an_empty_value_is_no_value(tmp_path: Path) -> None:
    """`KAFKA_BOOTSTRAP_SERVERS=` in a file means: not given."""
    assert not LocalSettings.load(tmp_path, {"KAFKA_BOOTSTRAP_SERVERS": " "}).kafka_is_given


def test_services_are_told_all_they_need(tmp_path: Path) -> None:
    """Databases under two roles each, the broker, keys and ports; tokens of this machine live 12 hours."""
    environment = environment_of(LocalSettings.load(tmp_path, {}))
    for name in ("CUSTOMERS", "INTERACTIONS", "IMPORTS", "CAMPAIGNS"):
        assert f"{name.lower()}_app:" in environment[f"DATABASE_URL_{name}"]
        assert f"{name.lower()}_owner:" in environment[f"DATABASE_OWNER_URL_{name}"]
        assert environment[f"RAPPORT_{name}_PORT"].isdecimal()
    assert environment["KAFKA_BOOTSTRAP_SERVERS"] == "127.0.0.1:9092"
    assert environment["RAPPORT_JWKS_URL"].startswith("file:///")
    assert environment["RAPPORT_TOKEN_AUDIENCE"] == "rapport"
    assert environment["RAPPORT_TOKEN_MAX_LIFE_SECONDS"] == "43200"
    assert environment["RAPPORT_INGEST_SOURCES"] == "dev-connector,demo"


def test_an_identity_provider_of_ones_own_replaces_the_development_key(tmp_path: Path) -> None:
    """Its address and issuer stay as given."""
    given = {"RAPPORT_JWKS_URL": "https://login.test/keys", "RAPPORT_TOKEN_ISSUER": "https://login.test/"}
    environment = environment_of(LocalSettings.load(tmp_path, given))
    assert environment["RAPPORT_JWKS_URL"] == "https://login.test/keys"
    assert environment["RAPPORT_TOKEN_ISSUER"] == "https://login.test/"
