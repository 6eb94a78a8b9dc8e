"""The environment the services run in on this machine: what is given, and the rest made up from our servers."""

from collections.abc import Mapping

from deploy.local.kafka import KafkaServer
from deploy.local.keys import AUDIENCE, ISSUER, TOKEN_LIFE_SECONDS, DevelopmentKeys
from deploy.local.ports import LOOPBACK
from deploy.local.postgres import PostgresServer
from deploy.local.settings import LocalSettings, variable_of_port

INGEST_SOURCES = "dev-connector,demo"


def system_environment(
    settings: LocalSettings, keys: DevelopmentKeys, postgres: PostgresServer, kafka: KafkaServer
) -> dict[str, str]:
    """Every variable a service, a migration, a job or the gateway reads. What is given wins."""
    made = {
        "KAFKA_BOOTSTRAP_SERVERS": kafka.bootstrap_servers,
        "RAPPORT_HOST": LOOPBACK,
        "RAPPORT_INGEST_SOURCES": INGEST_SOURCES,
        "RAPPORT_TOKEN_MAX_LIFE_SECONDS": str(TOKEN_LIFE_SECONDS),
        "RAPPORT_TOKEN_ISSUER": ISSUER,
        "RAPPORT_TOKEN_AUDIENCE": AUDIENCE,
        "RAPPORT_CURSOR_KEY": keys.cursor_key,
        "PYTHONUNBUFFERED": "1",
        **{variable_of_port(part): str(port) for part, port in settings.ports.items()},
        **_databases(settings, postgres),
    }
    if not settings.identity_is_given:
        made["RAPPORT_JWKS_URL"] = keys.jwks_url
    return {**made, **settings.environment}


def _databases(settings: LocalSettings, postgres: PostgresServer) -> Mapping[str, str]:
    ours: dict[str, str] = {}
    for name in settings.services_without_database:
        ours[f"DATABASE_URL_{name.upper()}"] = postgres.url(name, f"{name}_app")
        ours[f"DATABASE_OWNER_URL_{name.upper()}"] = postgres.url(name, f"{name}_owner")
    return ours
