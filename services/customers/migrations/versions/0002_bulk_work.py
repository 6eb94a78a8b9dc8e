"""Long work on many customers (assignments, selections, exports), revealed phones, erasures."""

from shared.migrations import script

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None

_TABLES = """
CREATE TABLE long_work (
    id uuid PRIMARY KEY,
    kind text NOT NULL CHECK (kind IN ('assignment', 'selection', 'export')),
    actor jsonb NOT NULL,
    correlation_id text,
    request jsonb NOT NULL,
    state text NOT NULL CHECK (state IN ('running', 'finished', 'failed')),
    error text,
    total int NOT NULL,
    left_out int NOT NULL,
    done int NOT NULL,
    failed int NOT NULL,
    next_chunk int NOT NULL,
    attempts int NOT NULL,
    leased_until timestamptz,
    created_at timestamptz NOT NULL,
    finished_at timestamptz,
    expires_at timestamptz
);
CREATE INDEX long_work_running ON long_work (created_at) WHERE state = 'running';
CREATE INDEX long_work_asked ON long_work (kind, (actor ->> 'id'), id DESC);
CREATE TABLE long_work_chunk (
    work_id uuid NOT NULL REFERENCES long_work ON DELETE CASCADE,
    chunk int NOT NULL,
    customer_ids uuid[] NOT NULL,
    PRIMARY KEY (work_id, chunk)
);
CREATE TABLE long_work_item (
    work_id uuid NOT NULL REFERENCES long_work ON DELETE CASCADE,
    position int NOT NULL,
    item json NOT NULL,
    PRIMARY KEY (work_id, position)
);
CREATE TABLE export_part (
    export_id uuid NOT NULL REFERENCES long_work ON DELETE CASCADE,
    part int NOT NULL,
    content bytea NOT NULL,
    PRIMARY KEY (export_id, part)
);
ALTER TABLE export_part ALTER COLUMN content SET STORAGE EXTERNAL;

CREATE TABLE revealed_phone (
    actor text NOT NULL,
    way text NOT NULL CHECK (way IN ('single', 'batch')),
    phone text NOT NULL,
    revealed_at timestamptz NOT NULL DEFAULT clock_timestamp(),
    PRIMARY KEY (actor, way, phone)
);
CREATE INDEX revealed_phone_revealed_at ON revealed_phone (revealed_at);

CREATE TABLE erasure (
    customer_id uuid PRIMARY KEY,
    erased_version bigint NOT NULL,
    erased_at timestamptz NOT NULL
);
"""


def upgrade() -> None:
    """Make the tables."""
    script(_TABLES)


def downgrade() -> None:
    """Forget unfinished work; what it has changed stays."""
    script("DROP TABLE erasure, revealed_phone, export_part, long_work_item, long_work_chunk, long_work")
