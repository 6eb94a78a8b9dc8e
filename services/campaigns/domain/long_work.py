"""Work too long for one request: who asked for it, how far it is, how it ended."""

from datetime import datetime
from typing import Any, Literal
from uuid import UUID

from sqlalchemy.orm import Mapped, mapped_column

from services.campaigns.domain.mapping import Record
from shared.contracts.events import ActorReference

WorkKind = Literal["distribution", "opportunity_batch"]


class LongWork(Record):
    """A distribution of many opportunities, or the adding of a selection's customers.

    It goes on in batches from its own row (`next_chunk`, or the last opportunity looked at), so that
    no crash repeats or loses any.
    """

    __tablename__ = "long_work"

    id: Mapped[UUID] = mapped_column(primary_key=True)
    kind: Mapped[WorkKind]
    campaign_id: Mapped[UUID]
    selection_id: Mapped[UUID | None]
    actor: Mapped[dict[str, Any]]
    state: Mapped[Literal["running", "finished", "failed"]]
    error: Mapped[str | None]
    total: Mapped[int]
    done: Mapped[int]
    failed: Mapped[int]
    next_chunk: Mapped[int]
    last_created_at: Mapped[datetime | None]
    last_id: Mapped[UUID | None]
    created_at: Mapped[datetime]
    finished_at: Mapped[datetime | None]

    @property
    def asked_by(self) -> ActorReference:
        """Who asked, with their permissions at that time (R2)."""
        return ActorReference.model_validate(self.actor)

    def end(self, at: datetime, error: str | None = None) -> None:
        """It is over; with the code of what stopped it if something did."""
        self.state, self.error, self.finished_at = "failed" if error else "finished", error, at
