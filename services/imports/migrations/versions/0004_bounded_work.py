"""Chunks wait for their turn: an import of any size passes in bounded memory."""

from shared.migrations import script

revision = "0004"
down_revision = "0003"
branch_labels = None
depends_on = None

_CHUNKS = """
-- Null: not sent yet. A few chunks of an import are on their way at a time.
ALTER TABLE import_chunk ALTER sent_at DROP NOT NULL, ALTER sends SET DEFAULT 0;
CREATE INDEX import_chunk_unsent ON import_chunk (import_id, work, chunk) WHERE sent_at IS NULL;
"""


def upgrade() -> None:
    """Let chunks be unsent."""
    script(_CHUNKS)


def downgrade() -> None:
    """Not needed before the first release."""
    raise RuntimeError("this revision cannot be taken back")
