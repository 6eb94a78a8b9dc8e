"""Whether an import is taken back by itself as soon as one of its rows is refused."""

from shared.migrations import script

revision = "0007"
down_revision = "0006"
branch_labels = None
depends_on = None

_CHOICE = """
ALTER TABLE import ADD COLUMN all_or_nothing boolean NOT NULL DEFAULT false;
"""


def upgrade() -> None:
    """Expands only."""
    script(_CHOICE)


def downgrade() -> None:
    """Not needed before the first release."""
    raise RuntimeError("this revision cannot be taken back")
