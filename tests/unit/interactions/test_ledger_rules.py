"""The rules in plain Python, case by case; the database is held to them by a test of its own."""

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from itertools import permutations
from typing import Any
from uuid import UUID

import pytest

from services.interactions.domain.facts import LedgerFact, created_fact, ledger_fact, own_fact
from services.interactions.domain.ledger import Ledger, ManualContact, RowContact, last_contact_at

CUSTOMER = UUID("01900000-0000-7000-8000-000000000001")
NOON = datetime(2026, 11, 2, 5, tzinfo=UTC)


def at(minutes: float) -> datetime:
    """A moment, in minutes after noon."""
    return NOON + timedelta(minutes=minutes)


@dataclass(frozen=True)
class Told:
    """A fact as somebody reports it."""

    kind: str
    fact: str
    occurred_at: datetime
    direction: str = "outbound"
    link: str | None = None
    source_id: str = "1"
    customer_id: UUID = CUSTOMER
    data: dict[str, Any] | None = None


def told(kind: str, *facts: str, direction: str = "outbound") -> list[LedgerFact]:
    """Facts of one source object, a minute apart."""
    return [ledger_fact(Told(kind, fact, at(minute), direction), "mailer") for minute, fact in enumerate(facts)]


def own(kind: str, *facts: str) -> list[LedgerFact]:
    """Facts of one thing of our own, a minute apart."""
    return [own_fact(CUSTOMER, kind, "1", fact, at(minute)) for minute, fact in enumerate(facts)]


def clicked(link: str, minute: float) -> LedgerFact:
    """A click in the e-mail."""
    return ledger_fact(Told("email_click", "clicked", at(minute), link=link), "mailer")


def minutes(contact: RowContact | None) -> float | None:
    """When a contact was, in minutes after noon."""
    return None if contact is None else (contact.at - NOON).total_seconds() / 60


def test_a_creation_counts_one():
    """I1: from the moment the customer was created, without being a contact."""
    ledger = Ledger.of([created_fact(CUSTOMER, at(0)), created_fact(CUSTOMER, at(0))])
    assert (ledger.count, ledger.contact, [row.rule for row in ledger.rows.values()]) == (1, None, ["I1"])


@pytest.mark.parametrize(
    ("kind", "facts", "contribution", "rule"),
    [
        ("email", ["sent"], 0, "I2"),
        ("email", ["sent", "read"], 1, "I2"),
        ("email", ["read"], 0, "I2"),
        ("email", ["read", "sent"], 1, "I2"),
        ("email", ["sent", "read", "read"], 1, "I2"),
        ("email", ["sent", "read", "failed"], 0, "I2"),
        ("email", ["failed", "sent", "read"], 1, "I2"),
        ("email", ["sent", "read", "deleted"], 1, "I2"),
        ("email", ["received"], 0, "I14"),
        ("sms", ["sent"], 1, "I5"),
        ("sms", ["failed"], 0, "I5"),
        ("sms", ["sent", "failed"], 0, "I5"),
        ("sms", ["sent", "sent"], 1, "I5"),
        ("sms", ["sent", "deleted"], 1, "I5"),
        ("sms", ["received"], 0, "I14"),
        ("zns", ["sent"], 1, "I6"),
        ("zns", ["sent", "deleted"], 0, "I6"),
        ("zns", ["deleted"], 0, "I6"),
        ("zns", ["deleted", "sent"], 0, "I6"),
        ("chat", ["sent", "read"], 0, "I14"),
        ("call", ["answered"], 1, "I7"),
        ("call", ["unanswered"], 0, "I7"),
        ("call", ["unanswered", "answered"], 1, "I7"),
        ("call", ["answered", "deleted"], 1, "I7"),
    ],
)
def test_a_row_counts_by_its_kind(kind: str, facts: list[str], contribution: int, rule: str):
    """I2, I5, I6, I7, I9, I14: what counts, what is taken back (never below 0) and what changes nothing."""
    for order in permutations(told(kind, *facts)):
        [row] = Ledger.of(order).rows.values()
        assert (row.contribution, row.rule) == (contribution, rule)


@pytest.mark.parametrize(
    ("facts", "contribution", "met"),
    [
        (["created"], 1, None),
        (["created", "cancelled"], 0, None),
        (["created", "cancelled", "uncancelled"], 1, None),
        (["created", "cancelled", "uncancelled", "cancelled"], 0, None),
        (["created", "deleted"], 0, None),
        (["created", "deleted", "restored"], 1, None),
        (["created", "deleted", "restored", "cancelled"], 0, None),
        (["created", "completed"], 1, 1),
        (["created", "completed", "reopened"], 1, None),
        (["created", "completed", "reopened", "completed"], 1, 3),
        (["created", "completed", "cancelled"], 0, None),
        (["created", "completed", "cancelled", "uncancelled"], 1, 1),
        (["created", "completed", "deleted"], 0, None),
    ],
)
def test_a_task_counts_unless_it_was_called_off_and_a_meeting_is_a_contact(
    facts: list[str], contribution: int, met: float | None
):
    """I4, L1, L4, L6, L7: in every order the latest of each pair holds; a meeting is two-way, when it was held."""
    for order in permutations(own("task", *facts)):
        ledger = Ledger.of(order)
        assert (ledger.count, minutes(ledger.contact), minutes(ledger.two_way)) == (contribution, met, met)
        assert [(row.rule, row.contact and row.contact.kind) for row in ledger.rows.values()] == [
            ("I4", None if met is None else "meeting")
        ]


@pytest.mark.parametrize(
    ("kind", "facts", "contact"),
    [
        ("order", ["created"], 0),
        ("quotation", ["created"], 0),
        ("contract", ["created"], 0),
        ("receipt", ["created"], 0),
        ("purchase_order", ["created"], None),
        ("care", ["created"], 0),
        ("care", ["created", "deleted"], None),
    ],
)
def test_documents_and_care_are_contacts_that_count_nothing(kind: str, facts: list[str], contact: float | None):
    """I14, L1, L4, L6, L7: of one side only; a purchase order is none, a deleted activity no longer one."""
    for order in permutations(own(kind, *facts)):
        ledger = Ledger.of(order)
        assert (ledger.count, minutes(ledger.contact), ledger.two_way) == (0, contact, None)
        assert [row.rule for row in ledger.rows.values()] == ["I14"]


def test_an_inbound_call_counts_nothing():
    """I7: answered or not, the customer called."""
    assert Ledger.of(told("call", "answered", direction="inbound")).count == 0


@pytest.mark.parametrize(
    ("facts", "count"), [([], 0), (["sent"], 3), (["sent", "read"], 3), (["sent", "failed"], 0), (["failed"], 0)]
)
def test_clicks_count_per_link_and_prove_the_read(facts: list[str], count: int):
    """I3: two links of a successful e-mail and the e-mail itself; without a successful send nothing."""
    ledger = Ledger.of([clicked("a", 3), clicked("b", 4), clicked("a", 5), *told("email", *facts)])
    assert ledger.count == count


@pytest.mark.parametrize(
    ("kind", "facts", "direction", "expected"),
    [
        ("email", ["sent"], "outbound", (None, None)),
        ("email", ["sent", "read"], "outbound", (1, 1)),
        ("email", ["sent", "read", "read"], "outbound", (2, 2)),
        ("email", ["read"], "outbound", (None, None)),
        ("email", ["received"], "inbound", (0, 0)),
        ("sms", ["sent"], "outbound", (0, None)),
        ("sms", ["sent", "sent", "read"], "outbound", (1, None)),
        ("sms", ["sent", "failed"], "outbound", (None, None)),
        ("zns", ["sent", "deleted"], "outbound", (0, None)),
        ("chat", ["sent"], "outbound", (0, None)),
        ("chat", ["sent", "received"], "outbound", (1, 1)),
        ("call", ["answered"], "outbound", (0, 0)),
        ("call", ["answered"], "inbound", (0, 0)),
        ("call", ["unanswered"], "outbound", (0, None)),
        ("call", ["unanswered"], "inbound", (None, None)),
    ],
)
def test_contacts_are_what_reached_the_customer_or_came_from_them(
    kind: str, facts: list[str], direction: str, expected: tuple[float | None, float | None]
):
    """L1, L6: each kind's facts, and which of them the customer took part in."""
    ledger = Ledger.of(told(kind, *facts, direction=direction))
    assert (minutes(ledger.contact), minutes(ledger.two_way)) == expected


def test_a_click_is_a_two_way_contact_once_its_email_was_sent():
    """L1, L6: it waits for the send as a read does."""
    waiting = [clicked("a", 5)]
    assert Ledger.of(waiting).contact is None
    contact = Ledger.of([*waiting, *told("email", "sent")]).two_way
    assert (contact and contact.kind, minutes(contact)) == ("email_click", 5)


def test_the_latest_contact_is_the_one_that_occurred_last():
    """L2: not the one that arrived last."""
    ledger = Ledger.of([*told("sms", "failed", "sent"), *told("call", "answered")])
    assert (minutes(ledger.contact), minutes(ledger.two_way)) == (1, 0)


@pytest.mark.parametrize(
    ("contact", "said_of", "said_at", "shown"),
    [(None, None, None, None), (5, None, None, 5), (5, 2, 9, 2), (None, 2, 9, 2), (10, 2, 9, 10), (9, 2, 9, 2)],
)
def test_a_word_by_hand_holds_until_a_contact_occurs_after_it(
    contact: float | None, said_of: float | None, said_at: float | None, shown: float | None
):
    """L3: the latest of the word and the contacts after it was said."""
    known = None if contact is None else RowContact(at(contact), "call", "exchange", "1")
    manual = None if said_of is None or said_at is None else ManualContact(at(said_of), at(said_at))
    assert last_contact_at(known, manual) == (None if shown is None else at(shown))
