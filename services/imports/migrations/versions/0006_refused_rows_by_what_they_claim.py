"""Rows that were refused are found by what they claimed, so that an erasure finds those that met a customer."""

from shared.migrations import script

revision = "0006"
down_revision = "0005"
branch_labels = None
depends_on = None

_REFUSED = """
CREATE INDEX import_row_refused ON import_row USING gin (keys)
    WHERE customer_id IS NULL AND outcome NOT IN ('create', 'update');
"""


def upgrade() -> None:
    """Expands only."""
    script(_REFUSED)


def downgrade() -> None:
    """Not needed before the first release."""
    raise RuntimeError("this revision cannot be taken back")
