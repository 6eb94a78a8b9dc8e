"""Large campaigns end, too: what they leave is removed step by step."""

from shared.migrations import script

revision = "0003"
down_revision = "0002"
branch_labels = None
depends_on = None

_KINDS = """
ALTER TABLE long_work DROP CONSTRAINT long_work_kind_check,
    ADD CONSTRAINT long_work_kind_check CHECK (kind IN ('distribution', 'opportunity_batch', 'removal'));
"""


def upgrade() -> None:
    """Allow for one more kind of long work."""
    script(_KINDS)
