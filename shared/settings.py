"""What a deployment can set, from the environment or from files of secrets. Every limit has a name.

`RAPPORT_SECRETS_DIRECTORY` names a folder of files called as the variables are; a variable wins.
TLS and SASL are settings of the first hour: plaintext is for 127.0.0.1 only.
"""

import base64
import os
import secrets
from pathlib import Path
from typing import Annotated, Literal
from zoneinfo import ZoneInfo

from pydantic import Field, SecretStr, field_validator
from pydantic_settings import BaseSettings, SettingsConfigDict

Positive = Annotated[int, Field(gt=0)]
Seconds = Annotated[float, Field(gt=0)]


class Settings(BaseSettings):
    """Settings of one service. A service adds its own in `services/<name>/settings.py`."""

    model_config = SettingsConfigDict(env_prefix="RAPPORT_", extra="ignore", hide_input_in_errors=True)

    service: str
    host: str = "127.0.0.1"
    port: Positive = 8000
    log_level: Literal["debug", "info", "warning", "error"] = "info"
    time_zone: str = "Asia/Ho_Chi_Minh"

    database_url: SecretStr
    database_owner_url: SecretStr | None = None
    database_tls: Literal["off", "require", "verify"] = "off"
    database_tls_ca: Path | None = None
    database_pool_size: Positive = 10
    database_pool_wait_seconds: Seconds = 5
    database_command_timeout_seconds: Seconds = 15
    database_idle_transaction_seconds: Seconds = 30

    kafka_bootstrap_servers: str
    kafka_security: Literal["plaintext", "ssl", "sasl_plaintext", "sasl_ssl"] = "plaintext"
    kafka_sasl_mechanism: Literal["SCRAM-SHA-256", "SCRAM-SHA-512", "PLAIN"] = "SCRAM-SHA-512"
    kafka_username: str | None = None
    kafka_password: SecretStr | None = None
    kafka_tls_ca: Path | None = None
    kafka_replication_factor: Positive = 1
    kafka_min_insync_replicas: Positive = 1

    jwks_url: str
    token_issuer: str
    token_audience: str = "rapport"
    token_max_life_seconds: Positive = 900
    cursor_key: SecretStr = Field(default_factory=lambda: SecretStr(_random_key()))

    max_body_bytes: Positive = 1_048_576
    max_bulk_items: Positive = 1_000
    max_page: Positive = 200
    request_timeout_seconds: Seconds = 30
    wait_for_seconds: Seconds = 2
    wait_for_max_waiting: Positive = 20
    shutdown_seconds: Seconds = 20

    outbox_poll_seconds: Seconds = 0.05
    outbox_batch: Positive = 1_000
    outbox_backlog_alarm: Positive = 50_000
    outbox_sent_days: Positive = 1
    relay_gather_seconds: Seconds = 0.02
    relay_request_timeout_seconds: Seconds = 5
    relay_takeover_seconds: Seconds = 6

    consumer_batch: Positive = 1_000
    consumer_poll_seconds: Seconds = 0.5
    consumer_attempts: Positive = 5
    consumer_retry_first_seconds: Seconds = 0.2
    consumer_retry_max_seconds: Seconds = 5
    consumer_progress_seconds: Seconds = 2
    consumer_stuck_seconds: Seconds = 60
    lag_alarm_seconds: Seconds = 30
    inbox_days: Positive = 45
    idempotency_hours: Positive = 24

    otlp_endpoint: str | None = None
    trace_sample_ratio: Annotated[float, Field(ge=0, le=1)] = 1.0

    @field_validator("time_zone")
    @classmethod
    def _known_zone(cls, value: str) -> str:
        ZoneInfo(value)
        return value

    @property
    def zone(self) -> ZoneInfo:
        """The tenant's zone: what a calendar day means."""
        return ZoneInfo(self.time_zone)

    @property
    def owner_url(self) -> str:
        """The database address for migrations; by default the one the processes use."""
        return (self.database_owner_url or self.database_url).get_secret_value()

    @classmethod
    def load(cls, service: str, **overrides: object) -> "Settings":
        """Read the settings of a service: `RAPPORT_X`, and by service `RAPPORT_CUSTOMERS_PORT`,
        `DATABASE_URL_CUSTOMERS`, `DATABASE_OWNER_URL_CUSTOMERS`. Raises pydantic's ValidationError.
        """
        suffix = service.upper()
        secrets_directory = os.environ.get("RAPPORT_SECRETS_DIRECTORY")
        given: dict[str, object] = {"service": service}
        for name in cls.model_fields:
            if (value := _lookup(f"RAPPORT_{suffix}_{name.upper()}", secrets_directory)) is not None:
                given[name] = value
        for name, variable in (
            ("database_url", f"DATABASE_URL_{suffix}"),
            ("database_owner_url", f"DATABASE_OWNER_URL_{suffix}"),
            ("kafka_bootstrap_servers", "KAFKA_BOOTSTRAP_SERVERS"),
        ):
            if (value := _lookup(variable, secrets_directory)) is not None:
                given[name] = value
        return cls(_secrets_dir=secrets_directory, **{**given, **overrides})  # pyright: ignore[reportCallIssue, reportArgumentType]  # pydantic checks the values


def _lookup(variable: str, secrets_directory: str | None) -> str | None:
    if (value := os.environ.get(variable)) is not None:
        return value
    if secrets_directory and (path := Path(secrets_directory) / variable).is_file():
        return path.read_text().strip()
    return None


def _random_key() -> str:
    return base64.urlsafe_b64encode(secrets.token_bytes(32)).decode()
