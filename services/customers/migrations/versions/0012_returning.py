"""Long work that brings customers back from Don't Forget after a relationship allows more days."""

from shared.migrations import script

revision = "0012"
down_revision = "0011"
branch_labels = None
depends_on = None

_KINDS = """
ALTER TABLE long_work DROP CONSTRAINT long_work_kind_check,
    ADD CONSTRAINT long_work_kind_check CHECK (kind IN ({}));
"""


def upgrade() -> None:
    """Allow it."""
    script(_KINDS.format("'assignment', 'selection', 'export', 'return'"))


def downgrade() -> None:
    """Forget what there is of it."""
    script("DELETE FROM long_work WHERE kind = 'return';" + _KINDS.format("'assignment', 'selection', 'export'"))
