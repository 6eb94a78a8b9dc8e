"""A comment in the discussion about a customer: who may edit and delete it, and how long (U1).

That the actor sees the customer is asked before.
"""

from collections.abc import Sequence
from datetime import datetime, timedelta
from uuid import UUID

from sqlalchemy.orm import Mapped, mapped_column

from services.interactions.domain.facts import COMMENT, LedgerFact, own_fact
from services.interactions.domain.mapping import Record
from shared.contracts.interactions import CommentPosted
from shared.errors import Forbidden
from shared.identity import Actor
from shared.versioned import Versioned

EDIT_WINDOW = timedelta(hours=2)
"""For so long an author may edit what they wrote."""


class Comment(Versioned, Record):
    """Plain text by an employee. A deleted one stays in the table and is shown to nobody."""

    __tablename__ = "comment"

    customer_id: Mapped[UUID] = mapped_column(primary_key=True)
    id: Mapped[UUID] = mapped_column(primary_key=True)
    author_id: Mapped[UUID]
    text: Mapped[str]
    mention_ids: Mapped[list[UUID]]
    created_at: Mapped[datetime]
    edited_at: Mapped[datetime | None]
    deleted_at: Mapped[datetime | None]
    deleted_by: Mapped[str | None]

    def posted(self) -> CommentPosted:
        """The event of its posting; the text stays here (C8)."""
        return CommentPosted(
            comment_id=self.id,
            customer_id=self.customer_id,
            author_id=self.author_id,
            mention_ids=tuple(self.mention_ids),
            created_at=self.created_at,
        )

    def fact(self) -> LedgerFact:
        """What the ledger counts: posting it, whatever becomes of it later (I8)."""
        return own_fact(self.customer_id, COMMENT, str(self.id), "posted", self.created_at, self.author_id)

    def require_can_edit(self, actor: Actor, now: datetime) -> None:
        """Raises Forbidden for all but the author, and for them when the window has closed."""
        if actor.employee_id != self.author_id or now >= self.created_at + EDIT_WINDOW:
            raise Forbidden

    def require_can_delete(self, actor: Actor, changes_customer: bool) -> None:
        """Raises Forbidden for all but the author and those who may change the customer (A3)."""
        if actor.employee_id != self.author_id and not changes_customer:
            raise Forbidden

    def edit(self, text: str, mention_ids: Sequence[UUID], now: datetime) -> None:
        """Say it differently; the same words change nothing."""
        if (text, list(mention_ids)) == (self.text, self.mention_ids):
            return
        self.text, self.mention_ids, self.edited_at = text, list(mention_ids), now
        self.version += 1

    def delete(self, actor: Actor, now: datetime) -> None:
        """Take it out of the discussion; the count keeps it (I8)."""
        self.deleted_at, self.deleted_by = now, f"{actor.kind}/{actor.id}"
        self.version += 1
