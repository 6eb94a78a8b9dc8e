"""The rules of the ledger in plain Python: what a row counts, and which contact it is.

Rows merge facts so that neither order nor repetition matters. The database does the same with functions
of ledger rows; `tests/service/interactions/test_ledger_equals_its_rules.py` compares.
"""

from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import datetime
from typing import NamedTuple
from uuid import UUID

from services.interactions.domain.facts import CARE, COMMENT, CREATED, DOCUMENTS, TASK, LedgerFact

RULESET = 1
"""Version of these rules, kept with every summary; a new one comes into force by `recompute`."""

OUTCOMES = ("sent", "failed", "answered", "unanswered", "completed", "reopened")
CANCELLATIONS = ("cancelled", "uncancelled")
DELETIONS = ("deleted", "restored")
"""Facts that take each other back: of each of the three groups the latest holds."""

MESSAGES = frozenset({"sms", "zns", "chat"})
RULES = {
    CREATED: "I1",
    "email": "I2",
    "email_click": "I3",
    TASK: "I4",
    "sms": "I5",
    "zns": "I6",
    "call": "I7",
    COMMENT: "I8",
}
"""The rule that decides what a kind contributes; others contribute nothing (I14)."""


class Outcome(NamedTuple):
    """The latest of opposing facts: by time, then by the larger fact id."""

    at: datetime
    fact_id: UUID
    fact: str
    direction: str | None


class RowContact(NamedTuple):
    """A contact with the customer; compared from the left, so that ties fall alike in every order."""

    at: datetime
    kind: str
    source_system: str
    source_id: str


@dataclass
class LedgerRow:
    """One source object: one e-mail to one recipient, one link clicked in it, one message, one call.

    `latest` has the latest time of each fact, an e-mail's row also that of its clicks; `mail` is the
    row of a click's e-mail. Our own tasks, documents, care activities and comments are source objects too.
    """

    kind: str
    source_system: str
    source_id: str
    mail: "LedgerRow | None" = None
    outcome: Outcome | None = None
    cancellation: Outcome | None = None
    deletion: Outcome | None = None
    first_at: datetime | None = None
    latest: dict[str, datetime] = field(default_factory=dict)

    def merge(self, fact: LedgerFact) -> None:
        """Take a fact in: opposing facts resolve to the latest, others keep the latest of their own."""
        outcome = Outcome(fact.occurred_at, fact.fact_id, fact.fact, fact.direction)
        if fact.fact in OUTCOMES:
            self.outcome = max(self.outcome or outcome, outcome)
        if fact.fact in CANCELLATIONS:
            self.cancellation = max(self.cancellation or outcome, outcome)
        if fact.fact in DELETIONS:
            self.deletion = max(self.deletion or outcome, outcome)
        self.first_at = min(self.first_at or fact.occurred_at, fact.occurred_at)
        for row in (self, self.mail):
            if row is not None:
                row.latest[fact.fact] = max(row.latest.get(fact.fact, fact.occurred_at), fact.occurred_at)

    @property
    def contribution(self) -> int:
        """What the row adds to the customer's count; 0 for all that no rule names (I9, I14)."""
        match self.kind:
            case "created":  # I1
                counts = True
            case "email":  # I2; a click proves the read (I3)
                counts = self._sent and not self.latest.keys().isdisjoint({"read", "clicked"})
            case "email_click":  # I3
                counts = self.mail is not None and self.mail._sent
            case "sms":  # I5
                counts = self._sent
            case "zns":  # I6
                counts = self._sent and not self._deleted
            case "call":  # I7
                counts = self._answered and self._outbound
            case "task":  # I4
                counts = not self._cancelled and not self._deleted
            case "comment":  # I8
                counts = True
            case _:
                counts = False
        return int(counts)

    @property
    def rule(self) -> str:
        """Key of the rule that decides the contribution."""
        if "received" in self.latest and "sent" not in self.latest:
            return "I14"
        return RULES.get(self.kind, "I14")

    @property
    def contact(self) -> RowContact | None:
        """The latest contact this row tells of (L1)."""
        if self.kind in MESSAGES and self._sent:
            return self._contact("sent", "received")
        if self.kind == "call" and (self._answered or self._outbound):
            return self._contact("answered", "unanswered")
        if self.kind in DOCUMENTS or (self.kind == CARE and not self._deleted):
            return self._contact_at(self.first_at)
        return self.two_way

    @property
    def two_way(self) -> RowContact | None:
        """The latest contact in which the customer took part (L6). Reads and clicks wait until it was sent."""
        if self.kind == "email" and "sent" in self.latest:
            return self._contact("read", "received")
        if self.kind == "email_click" and self.mail is not None and "sent" in self.mail.latest:
            return self._contact("clicked")
        if self.kind == "call" and self._answered:
            return self._contact("answered")
        if self.kind == TASK:
            return self._contact_at(self._met_at)
        return self._contact("received")

    @property
    def _sent(self) -> bool:
        return self.outcome is not None and self.outcome.fact == "sent"

    @property
    def _answered(self) -> bool:
        return self.outcome is not None and self.outcome.fact == "answered"

    @property
    def _outbound(self) -> bool:
        return self.outcome is not None and self.outcome.direction == "outbound"

    @property
    def _cancelled(self) -> bool:
        return self.cancellation is not None and self.cancellation.fact == "cancelled"

    @property
    def _deleted(self) -> bool:
        return self.deletion is not None and self.deletion.fact == "deleted"

    @property
    def _met_at(self) -> datetime | None:
        """When the meeting was held; of other tasks it is never told that they were completed (L1, L4)."""
        held = self.outcome is not None and self.outcome.fact == "completed"
        return self.outcome.at if held and self.outcome and not (self._cancelled or self._deleted) else None

    def _contact(self, *facts: str) -> RowContact | None:
        return self._contact_at(max((self.latest[fact] for fact in facts if fact in self.latest), default=None))

    def _contact_at(self, at: datetime | None) -> RowContact | None:
        kind = "meeting" if self.kind == TASK else self.kind
        return None if at is None else RowContact(at, kind, self.source_system, self.source_id)


@dataclass
class Ledger:
    """One customer's rows, from facts in any order."""

    rows: dict[UUID, LedgerRow] = field(default_factory=dict)

    @classmethod
    def of(cls, facts: Iterable[LedgerFact]) -> "Ledger":
        """The ledger after these facts."""
        ledger = cls()
        for fact in facts:
            ledger.take(fact)
        return ledger

    def take(self, fact: LedgerFact) -> None:
        """Merge a fact into its row; a click's e-mail has a row from then on, known or not."""
        mail = None
        if fact.mail_id is not None:
            mail = self.rows.setdefault(fact.mail_id, LedgerRow("email", fact.source_system, fact.source_id))
        row = LedgerRow(fact.kind, fact.source_system, fact.source_id, mail)
        self.rows.setdefault(fact.row_id, row).merge(fact)

    @property
    def count(self) -> int:
        """The customer's interactions: the sum of what its rows contribute (I11)."""
        return sum(row.contribution for row in self.rows.values())

    @property
    def contact(self) -> RowContact | None:
        """The latest contact, whatever came last (L2)."""
        return max((row.contact for row in self.rows.values() if row.contact), default=None)

    @property
    def two_way(self) -> RowContact | None:
        """The latest contact in which the customer took part; never later than `contact` (L6)."""
        return max((row.two_way for row in self.rows.values() if row.two_way), default=None)


@dataclass(frozen=True)
class ManualContact:
    """Somebody said at `recorded_at` that the last contact was at `at` (L3)."""

    at: datetime
    recorded_at: datetime


def last_contact_at(contact: RowContact | None, manual: ManualContact | None) -> datetime | None:
    """What is shown: the manual word, until a contact occurs after it was said (L3)."""
    if manual is None or (contact is not None and contact.at > manual.recorded_at):
        return contact.at if contact else None
    return manual.at
