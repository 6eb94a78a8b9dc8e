"""Work on many customers that outlives its request: who asked, for which frozen list, how far it is.

The list is frozen in chunks when the work is asked for, so that what a filter finds later changes
nothing; what the asker may do is checked again, chunk by chunk, when it is done (R2).
"""

from datetime import datetime
from typing import Any, Literal

from sqlalchemy import DateTime
from sqlalchemy.dialects.postgresql import JSONB
from sqlalchemy.orm import Mapped as Column
from sqlalchemy.orm import mapped_column

from services.customers.domain.mapping import Mapped
from shared.envelope import Origin
from shared.identity import Actor
from shared.long_work import LongWorkRow

WorkKind = Literal["assignment", "selection", "export", "return"]

_instant = DateTime(timezone=True)


class LongWork(LongWorkRow, Mapped):
    """An assignment, a selection or an export, which go on from `next_chunk`; or a return from Don't Forget."""

    __tablename__ = "long_work"

    kind: Column[WorkKind]
    correlation_id: Column[str | None]
    request: Column[dict[str, Any]] = mapped_column(JSONB)
    left_out: Column[int]
    attempts: Column[int]
    leased_until: Column[datetime | None] = mapped_column(_instant)
    expires_at: Column[datetime | None] = mapped_column(_instant)

    def origin(self, actor: Actor) -> Origin:
        """What its steps come from: the same correlation as the request that asked for it."""
        return Origin(actor, self.correlation_id)
