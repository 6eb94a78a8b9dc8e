"""A task about one customer or several: its states, who may change it, and what of it the ledger is told.

The ledger keeps a row for each customer it is or was about (I4). Only of a meeting it is told that it was
completed, for no other task is a contact (L1). That the actor sees a customer of it is asked before.
"""

from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

from sqlalchemy.orm import Mapped, mapped_column

from services.interactions.domain.facts import TASK, LedgerFact, own_fact
from services.interactions.domain.mapping import Record
from shared.envelope import new_id
from shared.errors import Conflict, Forbidden
from shared.identity import Actor
from shared.versioned import Versioned

MEETING = "MEETING"
"""The type whose completion is a contact (L1)."""

CLOCK_STEP = timedelta(microseconds=1)


class Task(Versioned, Record):
    """One task. Times are the database's, each later than the one before: of opposing facts the latest holds."""

    __tablename__ = "task"

    id: Mapped[UUID] = mapped_column(primary_key=True)
    title: Mapped[str]
    type: Mapped[str]
    customer_ids: Mapped[list[UUID]]
    related_ids: Mapped[list[UUID]]
    assignee_id: Mapped[UUID | None]
    awaits_manager: Mapped[bool]
    due_at: Mapped[datetime | None]
    creator_id: Mapped[UUID | None]
    created_by: Mapped[str]
    created_at: Mapped[datetime]
    changed_at: Mapped[datetime]
    completed_at: Mapped[datetime | None]
    completed_by: Mapped[UUID | None]
    cancelled_at: Mapped[datetime | None]
    action_id: Mapped[UUID | None]

    @classmethod
    def begin(
        cls,
        actor: Actor,
        customer_ids: Sequence[UUID],
        title: str,
        type: str,
        at: datetime,
        assignee_id: UUID | None = None,
        due_at: datetime | None = None,
        action_id: UUID | None = None,
    ) -> "Task":
        """An open task; `begun` tells the ledger."""
        return cls(
            id=new_id(),
            title=title,
            type=type,
            customer_ids=list(customer_ids),
            related_ids=list(customer_ids),
            assignee_id=assignee_id,
            awaits_manager=False,
            due_at=due_at,
            creator_id=actor.employee_id,
            created_by=f"{actor.kind}/{actor.id}",
            created_at=at,
            changed_at=at,
            completed_at=None,
            completed_by=None,
            cancelled_at=None,
            action_id=action_id,
            version=1,
        )

    @property
    def is_meeting(self) -> bool:
        """Whether its completion is a contact."""
        return self.type == MEETING

    @property
    def state(self) -> str:
        """open, completed or cancelled; a task that was completed before it was cancelled comes back completed."""
        if self.cancelled_at is not None:
            return "cancelled"
        return "completed" if self.completed_at is not None else "open"

    def begun(self) -> list[LedgerFact]:
        """The first facts about it, one for each customer."""
        return [self._fact(customer_id, "created", self.created_at) for customer_id in self.customer_ids]

    def require_can_change(self, actor: Actor, changes_customer: bool) -> None:
        """Raises Forbidden for all but its creator, its assignee, and who may change a customer of it (R1)."""
        if not changes_customer and (
            actor.employee_id is None or actor.employee_id not in (self.creator_id, self.assignee_id)
        ):
            raise Forbidden

    def revise(self, values: dict[str, Any], at: datetime) -> list[LedgerFact]:
        """Change title, type, customers, assignee or due time; equal values change nothing.

        Raises Conflict `wrong_state` for another type of a completed task: what was held stays what it was.
        """
        changed = {name: value for name, value in values.items() if getattr(self, name) != value}
        if "type" in changed and self.completed_at is not None and MEETING in (self.type, changed["type"]):
            raise Conflict("wrong_state")
        if not changed:
            return []
        moment = self._move(at)
        customer_ids: list[UUID] = changed.pop("customer_ids", self.customer_ids)
        for name, value in changed.items():
            setattr(self, name, value)
        if "assignee_id" in changed:
            self.awaits_manager = False
        return self._relate(customer_ids, moment)

    def complete(self, actor: Actor, at: datetime) -> list[LedgerFact]:
        """Done, now. Raises Conflict `wrong_state` for a cancelled one; completed before, nothing happens."""
        self._require_not_cancelled()
        if self.completed_at is not None:
            return []
        moment = self._move(at)
        self.completed_at, self.completed_by = moment, actor.employee_id
        return self._tell("completed", moment, actor.employee_id) if self.is_meeting else []

    def reopen(self, at: datetime) -> list[LedgerFact]:
        """Not done after all (L4). Raises Conflict `wrong_state` for a cancelled one; open already, nothing happens."""
        self._require_not_cancelled()
        if self.completed_at is None:
            return []
        self.completed_at = self.completed_by = None
        moment = self._move(at)
        return self._tell("reopened", moment) if self.is_meeting else []

    def cancel(self, at: datetime) -> list[LedgerFact]:
        """Call it off, completed or not (I4, L4); cancelled already, nothing happens."""
        if self.cancelled_at is not None:
            return []
        self.cancelled_at = moment = self._move(at)
        return self._tell("cancelled", moment)

    def uncancel(self, at: datetime) -> list[LedgerFact]:
        """Take the cancelling back: it is open or completed as before; not cancelled, nothing happens."""
        if self.cancelled_at is None:
            return []
        self.cancelled_at = None
        return self._tell("uncancelled", self._move(at))

    def deleted(self, at: datetime) -> list[LedgerFact]:
        """What the ledger is told when the task goes (I4, L4)."""
        moment = self._move(at)
        return [self._fact(customer_id, "deleted", moment) for customer_id in self.customer_ids]

    def _relate(self, customer_ids: list[UUID], moment: datetime) -> list[LedgerFact]:
        """Be about these customers. A new one's row hears what the others' rows have heard."""
        facts = [self._fact(gone, "deleted", moment) for gone in self.customer_ids if gone not in customer_ids]
        for come in customer_ids:
            if come in self.customer_ids:
                continue
            if come in self.related_ids:
                facts.append(self._fact(come, "restored", moment))
                continue
            facts.append(self._fact(come, "created", self.created_at))
            if self.completed_at is not None and self.is_meeting:
                facts.append(self._fact(come, "completed", self.completed_at, self.completed_by))
            if self.cancelled_at is not None:
                facts.append(self._fact(come, "cancelled", self.cancelled_at))
        self.related_ids = list(dict.fromkeys([*self.related_ids, *customer_ids]))
        self.customer_ids = customer_ids
        return facts

    def _tell(self, fact: str, at: datetime, employee_id: UUID | None = None) -> list[LedgerFact]:
        """A fact for every customer it ever was about: one that comes back finds its row up to date."""
        return [self._fact(customer_id, fact, at, employee_id) for customer_id in self.related_ids]

    def _fact(self, customer_id: UUID, fact: str, at: datetime, employee_id: UUID | None = None) -> LedgerFact:
        return own_fact(customer_id, TASK, str(self.id), fact, at, employee_id or self.creator_id)

    def _move(self, at: datetime) -> datetime:
        """The moment of a change: the database's now, but later than the change before."""
        self.changed_at = max(at, self.changed_at + CLOCK_STEP)
        self.version += 1
        return self.changed_at

    def _require_not_cancelled(self) -> None:
        if self.cancelled_at is not None:
            raise Conflict("wrong_state")
