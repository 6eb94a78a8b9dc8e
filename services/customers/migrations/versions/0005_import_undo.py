"""What became of taking a row of an import back."""

from shared.migrations import script

revision = "0005"
down_revision = "0004"
branch_labels = None
depends_on = None

_UNDO = """
ALTER TABLE import_row ADD COLUMN undone jsonb;
ALTER TABLE import_row ADD COLUMN written_at timestamptz NOT NULL DEFAULT clock_timestamp();
CREATE INDEX import_row_written ON import_row (written_at);
"""


def upgrade() -> None:
    """Rows remember their undo, and when they were written."""
    script(_UNDO)


def downgrade() -> None:
    """Not needed before the first release."""
    raise RuntimeError("this revision cannot be taken back")
