"""A subscription refuses by itself what it can never apply, before any transaction."""

from collections.abc import Sequence
from types import SimpleNamespace
from typing import Any

import pytest

from shared.contracts.interactions import INGEST
from shared.envelope import Envelope, Undecodable
from shared.messaging import consumes
from shared.settings import Settings

CUSTOMER = "01900000-0000-7000-8000-000000000001"
BODY = (
    f'{{"customer_id": "{CUSTOMER}", "kind": "sms", "source_id": "1", "fact": "sent",'
    ' "occurred_at": "2026-11-01T08:00:00Z"}'
).encode()


FRIENDLY = Settings.model_construct(service="friend")


def require_friend(envelope: Envelope[Any], settings: Settings) -> None:
    """Only one source is known here."""
    if envelope.source != settings.service:
        raise Undecodable(f"{envelope.source} is no friend")


@consumes(INGEST, check=require_friend)
async def on_ingest(session: Any, envelopes: Sequence[Envelope[Any]]) -> None:
    """Nothing to do."""


def record(source: str, **more: str) -> Any:
    """A record as a stranger writes it."""
    headers = {
        "ce_specversion": "1.0",
        "ce_id": "1",
        "ce_source": source,
        "ce_type": "crm.interaction_fact.reported.v1",
        **more,
    }
    return SimpleNamespace(
        key=CUSTOMER.encode(), value=BODY, headers=[(name, value.encode()) for name, value in headers.items()]
    )


def test_a_record_that_can_never_be_applied_is_refused_with_words():
    """The words are what stands in the dead letter."""
    with pytest.raises(Undecodable, match="foe is no friend"):
        on_ingest.open(record("foe"), FRIENDLY)


def test_an_accepted_record_comes_back_from_the_dead_letters_as_it_was():
    """Headers that the dead letter added are not the sender's."""
    letter = record("friend", dlq_error="\x00was broken")
    assert on_ingest.open(letter, FRIENDLY).key == CUSTOMER
