"""Trees of groups and sectors, costs of sources, names of relationships, what the Don't Forget sweep looks up."""

from alembic import op
from sqlalchemy import text

from services.customers.domain.relationships import DONT_FORGET, FIRST_RELATIONSHIPS
from shared.folding import fold
from shared.migrations import script

revision = "0007"
down_revision = "0006"
branch_labels = None
depends_on = None

_TABLES = f"""
CREATE UNIQUE INDEX classification_item_sibling ON classification_item (kind, parent_id, name_folded)
    NULLS NOT DISTINCT WHERE state = 'active';
CREATE INDEX classification_item_parent ON classification_item (parent_id) WHERE parent_id IS NOT NULL;
CREATE INDEX classification_item_listed ON classification_item (kind, state, name_folded, id);

ALTER TABLE relationship ADD COLUMN name_vi_folded text NOT NULL DEFAULT '';
ALTER TABLE relationship ADD COLUMN name_en_folded text NOT NULL DEFAULT '';
ALTER TABLE relationship ALTER COLUMN name_vi_folded DROP DEFAULT;
ALTER TABLE relationship ALTER COLUMN name_en_folded DROP DEFAULT;

CREATE TABLE source_cost (
    id uuid PRIMARY KEY,
    source_id uuid NOT NULL REFERENCES classification_item (id),
    kind text NOT NULL CHECK (kind IN ('planned', 'spent')),
    amount bigint NOT NULL CHECK (amount >= 0),
    currency text NOT NULL,
    first_day date NOT NULL,
    last_day date NOT NULL CHECK (last_day >= first_day),
    note text,
    created_at timestamptz NOT NULL,
    version bigint NOT NULL
);
CREATE INDEX source_cost_source ON source_cost (source_id, first_day, id);
CREATE INDEX source_cost_period ON source_cost (first_day);

-- The sweep starts at the customers whose clock has run longest, and stops where it cannot have run long enough.
CREATE INDEX customer_clock ON customer (relationship_id, clock_started_at, id) WHERE state = 'active';
CREATE INDEX customer_forgotten ON customer (id) WHERE relationship_id = '{DONT_FORGET}' AND state = 'active';

ALTER TABLE audit ADD COLUMN item_id uuid;
CREATE INDEX audit_item ON audit (item_id, id DESC) WHERE item_id IS NOT NULL;
"""


def upgrade() -> None:
    """Expand only: the code before this revision goes on, but for new relationships, which it never made."""
    script(_TABLES)
    for first in FIRST_RELATIONSHIPS:
        op.get_bind().execute(
            text("UPDATE relationship SET name_vi_folded = :vi, name_en_folded = :en WHERE key = :key"),
            {"vi": fold(first.name_vi), "en": fold(first.name_en), "key": first.key},
        )
    script(
        "CREATE UNIQUE INDEX relationship_name_vi ON relationship (name_vi_folded) WHERE state = 'active';"
        "CREATE UNIQUE INDEX relationship_name_en ON relationship (name_en_folded) WHERE state = 'active';"
    )


def downgrade() -> None:
    """Leave what was added where it is: older code does not look at it."""
    raise RuntimeError("this revision is not taken back")
