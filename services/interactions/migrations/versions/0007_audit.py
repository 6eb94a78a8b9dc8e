"""The audit trail: who changed what people write about a customer, and what it was before (L3, A5)."""

from shared.migrations import script

revision = "0007"
down_revision = "0006"
branch_labels = None
depends_on = None

# An entry is one customer's: a change of a task about three customers has three. The key is the order in which
# a trail is read. What an erasure must find beside a customer's own trail are the entries of shared tasks.
_STATEMENTS = """
CREATE TABLE audit (
    customer_id uuid NOT NULL,
    at timestamptz NOT NULL DEFAULT clock_timestamp(),
    id uuid NOT NULL DEFAULT uuidv7(),
    item_kind text NOT NULL,
    item_id uuid NOT NULL,
    actor_kind text NOT NULL,
    actor_id text NOT NULL,
    cause_kind text NOT NULL,
    cause_id text,
    event_id uuid,
    changes jsonb NOT NULL,
    PRIMARY KEY (customer_id, at, id)
);
CREATE INDEX audit_task ON audit (item_id) WHERE item_kind = 'task';
"""


def upgrade() -> None:
    """Begin to keep it."""
    script(_STATEMENTS)


def downgrade() -> None:
    """Nothing was released before."""
    raise RuntimeError("a trail is not taken back")
