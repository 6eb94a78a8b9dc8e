"""Uploads, their rows and chunks, saved mappings; copies of customers, employees and classification."""

from shared.migrations import COPIES_1, MECHANISMS_1, script

revision = "0001"
down_revision = None
branch_labels = None
depends_on = None

_COPIES = """
CREATE INDEX customer_code ON customer (code);
CREATE INDEX customer_phones ON customer USING gin (phones) WHERE state = 'active';

-- The whole public state, kept apart from the columns that every service has: those are read for
-- access alone, and this is written once per event instead of twice.
CREATE TABLE customer_record (
    id uuid PRIMARY KEY,
    record jsonb NOT NULL,
    version bigint NOT NULL
);

ALTER TABLE employee ADD COLUMN name_folded text NOT NULL DEFAULT '';
CREATE INDEX employee_name_folded ON employee (name_folded);

CREATE TABLE classification (
    id uuid PRIMARY KEY,
    kind text NOT NULL CHECK (kind IN ('group', 'source', 'sector', 'relationship')),
    code text,
    name text NOT NULL,
    name_en text,
    names_folded text[] NOT NULL,
    state text NOT NULL,
    version bigint NOT NULL
);
CREATE INDEX classification_kind ON classification (kind);
"""

_IMPORTS = """
CREATE TABLE import (
    id uuid PRIMARY KEY,
    kind text NOT NULL,
    state text NOT NULL CHECK (state IN ('parsing', 'awaiting_mapping', 'validating', 'ready', 'applying',
                                         'finished', 'failed', 'cancelled')),
    version bigint NOT NULL,
    uploader text NOT NULL,
    actor jsonb NOT NULL,
    file_name text NOT NULL,
    file_format text NOT NULL,
    file_bytes int NOT NULL,
    sha256 bytea NOT NULL,
    repeat boolean NOT NULL,
    options jsonb NOT NULL,
    header jsonb,
    mapping jsonb,
    warnings jsonb NOT NULL DEFAULT '[]',
    error_code text,
    error_detail text,
    total int NOT NULL DEFAULT 0,
    counts jsonb NOT NULL DEFAULT '{}',
    changed_columns jsonb NOT NULL DEFAULT '{}',
    chunks int NOT NULL DEFAULT 0,
    attempts int NOT NULL DEFAULT 0,
    leased_until timestamptz,
    created_at timestamptz NOT NULL,
    validated_at timestamptz,
    confirmed_at timestamptz,
    finished_at timestamptz,
    emptied_at timestamptz
) WITH (fillfactor = 80);
CREATE INDEX import_uploader ON import (uploader, id);
CREATE INDEX import_work ON import (id) WHERE state IN ('parsing', 'validating');
CREATE INDEX import_applying ON import (id) WHERE state = 'applying';
CREATE INDEX import_content ON import (id) WHERE emptied_at IS NULL;
CREATE INDEX import_confirmed ON import (uploader, sha256) WHERE confirmed_at IS NOT NULL;

CREATE TABLE import_file (
    import_id uuid PRIMARY KEY REFERENCES import (id) ON DELETE CASCADE,
    content bytea NOT NULL
);
-- A workbook is compressed already; trying again would cost more than the upload.
ALTER TABLE import_file ALTER content SET STORAGE EXTERNAL;

-- Every filled row of the sheet, also those above the data: another header row may be chosen.
CREATE TABLE import_row (
    import_id uuid NOT NULL REFERENCES import (id) ON DELETE CASCADE,
    row int NOT NULL,
    cells jsonb NOT NULL,
    outcome text,
    customer_id uuid,
    code text,
    "values" jsonb NOT NULL DEFAULT '{}',
    old jsonb NOT NULL DEFAULT '{}',
    current jsonb NOT NULL DEFAULT '{}',
    errors jsonb NOT NULL DEFAULT '[]',
    PRIMARY KEY (import_id, row)
) WITH (fillfactor = 60);
CREATE INDEX import_row_customer ON import_row (customer_id) WHERE customer_id IS NOT NULL;

CREATE TABLE import_chunk (
    import_id uuid NOT NULL REFERENCES import (id) ON DELETE CASCADE,
    chunk int NOT NULL,
    first_row int NOT NULL,
    last_row int NOT NULL,
    sent_at timestamptz NOT NULL,
    sends int NOT NULL DEFAULT 1,
    applied_at timestamptz,
    PRIMARY KEY (import_id, chunk)
);

CREATE TABLE import_mapping (
    id uuid PRIMARY KEY,
    owner text NOT NULL,
    name text NOT NULL,
    name_folded text NOT NULL,
    kind text NOT NULL,
    columns jsonb NOT NULL,
    created_at timestamptz NOT NULL,
    UNIQUE (owner, kind, name_folded)
);
"""


def upgrade() -> None:
    """Create everything of the first release."""
    script(MECHANISMS_1 + COPIES_1 + _COPIES + _IMPORTS)
