"""What a deployment can set for interactions beside what every service has."""

from typing import Annotated

from pydantic import field_validator
from pydantic_settings import NoDecode

from services.interactions.domain.facts import OWN_SYSTEM
from shared.settings import Settings


class InteractionsSettings(Settings):
    """Settings of interactions.

    `ingest_sources` names the connectors (`ce_source`, separated by commas) that may write facts to
    `crm.interactions.ingest`; what others write there becomes a dead letter (I13).
    """

    ingest_sources: Annotated[frozenset[str], NoDecode] = frozenset()

    @field_validator("ingest_sources", mode="before")
    @classmethod
    def _separated_by_commas(cls, value: object) -> object:
        if not isinstance(value, str):
            return value
        return frozenset(name.strip() for name in value.split(",") if name.strip())

    @field_validator("ingest_sources")
    @classmethod
    def _not_ourselves(cls, value: frozenset[str]) -> frozenset[str]:
        for name in value:
            if name.partition("/")[0] == OWN_SYSTEM:
                raise ValueError(f"{name!r} would write rows in our own name")
        return value
