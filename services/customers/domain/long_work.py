"""Work on many customers that outlives its request: who asked, for which frozen list, how far it is.

The list is frozen in chunks when the work is asked for, so that what a filter finds later changes
nothing; what the asker may do is checked again, chunk by chunk, when it is done (R2).
"""

from datetime import datetime
from typing import Any, Literal
from uuid import UUID

from sqlalchemy import DateTime
from sqlalchemy.dialects.postgresql import JSONB
from sqlalchemy.orm import Mapped as Column
from sqlalchemy.orm import mapped_column

from services.customers.domain.mapping import Mapped
from shared.contracts.events import ActorReference

WorkKind = Literal["assignment", "selection", "export"]
WorkState = Literal["running", "finished", "failed"]

_instant = DateTime(timezone=True)


class LongWork(Mapped):
    """An assignment, a selection or an export; it goes on from `next_chunk`, so no crash repeats or loses any."""

    __tablename__ = "long_work"

    id: Column[UUID] = mapped_column(primary_key=True)
    kind: Column[WorkKind]
    actor: Column[dict[str, Any]] = mapped_column(JSONB)
    correlation_id: Column[str | None]
    request: Column[dict[str, Any]] = mapped_column(JSONB)
    state: Column[WorkState]
    error: Column[str | None]
    total: Column[int]
    left_out: Column[int]
    done: Column[int]
    failed: Column[int]
    next_chunk: Column[int]
    attempts: Column[int]
    leased_until: Column[datetime | None] = mapped_column(_instant)
    created_at: Column[datetime] = mapped_column(_instant)
    finished_at: Column[datetime | None] = mapped_column(_instant)
    expires_at: Column[datetime | None] = mapped_column(_instant)

    @property
    def asked_by(self) -> ActorReference:
        """Who asked, with their permissions at that time (R2)."""
        return ActorReference.model_validate(self.actor)

    def end(self, at: datetime, error: str | None = None) -> None:
        """It is over; with the code of what stopped it if something did."""
        self.state, self.error, self.finished_at = "failed" if error else "finished", error, at
