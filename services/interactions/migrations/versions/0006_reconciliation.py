"""What reconciling has found so far, and the customers nobody knows yet.

The job is a process of its own that ends: what it found is kept, so that every api's metrics can say it.
"""

from shared.migrations import script

revision = "0006"
down_revision = "0005"
branch_labels = None
depends_on = None

_STATEMENTS = """
CREATE TABLE reconciliation (
    only_row boolean PRIMARY KEY DEFAULT true CHECK (only_row),
    repaired_rows bigint NOT NULL DEFAULT 0,
    repaired_summaries bigint NOT NULL DEFAULT 0
);
INSERT INTO reconciliation DEFAULT VALUES;
CREATE INDEX summary_unknown ON summary (customer_id) WHERE NOT known AND NOT erased;
"""


def upgrade() -> None:
    """Make room for it."""
    script(_STATEMENTS)


def downgrade() -> None:
    """Nothing was released before."""
    raise RuntimeError("what was found is not forgotten")
