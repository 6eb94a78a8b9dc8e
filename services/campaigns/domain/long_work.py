"""Work too long for one request: a distribution of many opportunities, the adding of a selection's customers, the
removal of what an ended campaign leaves.
"""

from datetime import datetime
from typing import Literal
from uuid import UUID

from sqlalchemy.orm import Mapped

from services.campaigns.domain.mapping import Record
from shared.long_work import LongWorkRow

WorkKind = Literal["distribution", "opportunity_batch", "removal"]


class LongWork(LongWorkRow, Record):
    """It goes on in batches: from `next_chunk` of the selection, or from the last opportunity looked at."""

    __tablename__ = "long_work"

    kind: Mapped[WorkKind]
    campaign_id: Mapped[UUID]
    selection_id: Mapped[UUID | None]
    last_created_at: Mapped[datetime | None]
    last_id: Mapped[UUID | None]
