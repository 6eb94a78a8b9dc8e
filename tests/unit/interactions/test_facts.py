"""Facts: which can be, and by what they are known again."""

from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta, timezone
from typing import Any
from uuid import UUID

import pytest
from pydantic import ValidationError

from services.interactions.domain.facts import ledger_fact, require_legal
from services.interactions.settings import InteractionsSettings
from shared.contracts.interactions import LEGAL_FACTS
from shared.errors import Invalid

CUSTOMER = UUID("01900000-0000-7000-8000-000000000001")
NOW = datetime(2026, 11, 2, 5, tzinfo=UTC)


@dataclass(frozen=True)
class Told:
    """A fact as somebody reports it."""

    kind: str = "sms"
    fact: str = "sent"
    occurred_at: datetime = NOW
    direction: str = "outbound"
    link: str | None = None
    source_id: str = "1"
    customer_id: UUID = CUSTOMER
    data: dict[str, Any] | None = None


@pytest.mark.parametrize("kind", sorted(LEGAL_FACTS))
def test_a_kind_knows_its_own_facts_only(kind: str):
    """I13: legal pairs, and no others."""
    every = frozenset().union(*LEGAL_FACTS.values())
    for fact in every:
        told = Told(kind, fact, link="a" if kind == "email_click" else None)
        if fact in LEGAL_FACTS[kind]:
            require_legal(told, NOW)
        else:
            with pytest.raises(Invalid):
                require_legal(told, NOW)


@pytest.mark.parametrize(
    "told",
    [
        Told("email_click", "clicked"),
        Told("email_click", "clicked", link=""),
        Told(direction="inbound"),
        Told(occurred_at=NOW.replace(tzinfo=None)),
        Told(occurred_at=NOW + timedelta(minutes=5, seconds=1)),
        Told(occurred_at=datetime(1, 1, 1, tzinfo=timezone(timedelta(hours=7)))),
        Told(data={"text": "x" * 4_090}),
        Told(data={"number": 10**29}),
        Told(data={"number": float("inf")}),
        Told(data={"text": "\x00"}),
        Told(data={"text": "\ud800"}),
    ],
)
def test_what_cannot_be_or_be_kept_is_refused(told: Told):
    """I13: a click without its link, a message sent by the customer, times and data beyond their limits."""
    with pytest.raises(Invalid):
        require_legal(told, NOW)


@pytest.mark.parametrize(
    "told",
    [Told(occurred_at=NOW + timedelta(minutes=5)), Told(data={"text": "Đã gửi", "deep": [[1, None]]})],
)
def test_what_lies_at_the_limits_is_taken(told: Told):
    """I13: a clock may be five minutes ahead; data is opaque."""
    require_legal(told, NOW)


def test_a_repetition_has_the_same_id():
    """I12: by whatever way it comes, in whatever zone its time is written, whatever data it carries."""
    fact = ledger_fact(Told(data={"a": 1}), "mailer")
    elsewhere = NOW.astimezone(timezone(timedelta(hours=7)))
    again = ledger_fact(Told(occurred_at=elsewhere, data={"a": 2}), "mailer")
    assert (again.row_id, again.fact_id) == (fact.row_id, fact.fact_id)


def test_other_objects_have_other_rows_and_other_facts_other_ids():
    """I2, I3: customer, kind, system and source id make the row, of clicks the link too."""
    told = Told(link="a")
    others = [
        ledger_fact(replace(told, customer_id=UUID(int=1)), "mailer"),
        ledger_fact(replace(told, kind="zns"), "mailer"),
        ledger_fact(replace(told, source_id="2"), "mailer"),
        ledger_fact(told, "other"),
        ledger_fact(Told("email_click", "clicked", link="a"), "mailer"),
        ledger_fact(Told("email_click", "clicked", link="b"), "mailer"),
    ]
    same_row = [
        ledger_fact(replace(told, fact="failed"), "mailer"),
        ledger_fact(replace(told, occurred_at=NOW + timedelta(microseconds=1)), "mailer"),
        ledger_fact(replace(told, link="b"), "mailer"),
    ]
    own = ledger_fact(told, "mailer")
    assert len({fact.row_id for fact in (own, *others)}) == 7
    assert {fact.row_id for fact in same_row} == {own.row_id}
    assert len({fact.fact_id for fact in (own, *others, *same_row)}) == 10


def test_what_is_received_is_inbound():
    """I13: a connector need not say so."""
    assert ledger_fact(Told(fact="received"), "mailer").direction == "inbound"


def settings(sources: str) -> InteractionsSettings:
    """Settings with these connectors."""
    return InteractionsSettings(
        service="interactions",
        database_url="postgresql://x",  # pyright: ignore[reportArgumentType]  # pydantic makes it a secret
        kafka_bootstrap_servers="x:1",
        jwks_url="file:///x",
        token_issuer="x",
        ingest_sources=sources,  # pyright: ignore[reportArgumentType]  # as the environment gives it
    )


def test_connectors_are_named_with_commas():
    """I13: one variable names them all; nobody is named by default."""
    assert settings("dev-connector, demo,").ingest_sources == {"dev-connector", "demo"}
    assert settings("").ingest_sources == frozenset()


@pytest.mark.parametrize("name", ["rapport", "rapport/01900000-0000-7000-8000-000000000001"])
def test_no_connector_speaks_in_our_own_name(name: str):
    """I13: `rapport` and its employees' rows are ours."""
    with pytest.raises(ValidationError):
        settings(f"dev-connector,{name}")
