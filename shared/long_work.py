"""Work that outlives its request: the row that says who asked and how far it is, and how it is shown.

A service's own class says what else its work needs; `working.py` does it.
"""

from datetime import datetime
from typing import Any, Literal, Self
from uuid import UUID

from pydantic import BaseModel
from sqlalchemy import DateTime
from sqlalchemy.dialects.postgresql import JSONB
from sqlalchemy.orm import Mapped, mapped_column

from shared.contracts.events import ActorReference
from shared.envelope import Origin
from shared.fields import ItemError
from shared.identity import Actor

State = Literal["running", "finished", "failed"]


class LongWorkRow:
    """The columns that all long work has, for a class mapped to a service's table `long_work`."""

    id: Mapped[UUID] = mapped_column(primary_key=True)
    actor: Mapped[dict[str, Any]] = mapped_column(JSONB)
    state: Mapped[State]
    error: Mapped[str | None]
    total: Mapped[int]
    done: Mapped[int]
    failed: Mapped[int]
    next_chunk: Mapped[int]
    created_at: Mapped[datetime] = mapped_column(DateTime(timezone=True))
    finished_at: Mapped[datetime | None] = mapped_column(DateTime(timezone=True))

    @property
    def asked_by(self) -> ActorReference:
        """Who asked, with their permissions at that time (R2)."""
        return ActorReference.model_validate(self.actor)

    def was_asked_by(self, actor: Actor) -> bool:
        """Whether it is the actor's own."""
        return (self.asked_by.kind, self.asked_by.id) == (actor.kind, actor.id)

    def origin(self, actor: Actor) -> Origin:
        """What the events of its steps come from."""
        return Origin(actor)

    def end(self, at: datetime, error: str | None = None) -> None:
        """It is over; with the code of what stopped it if something did."""
        self.state, self.error, self.finished_at = "failed" if error else "finished", error, at


class LongWorkRecord(BaseModel):
    """How far work is: `done` and `failed` of `total` items; `error` says what ended it early."""

    id: UUID
    state: State
    total: int
    done: int
    failed: int
    error: ItemError | None
    created_at: datetime
    finished_at: datetime | None

    @classmethod
    def of(cls, work: LongWorkRow, **more: Any) -> Self:
        """Long work as an answer; what its row does not have under the answer's name is given."""
        own = {name: getattr(work, name) for name in cls.model_fields if name != "error" and name not in more}
        return cls(**own, **more, error=ItemError(code=work.error) if work.error else None)
