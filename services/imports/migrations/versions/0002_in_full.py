"""Cells fixed in place, undo, contact syncs, sectors: what an import needs beyond upload and result."""

from shared.migrations import script

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None

_ROWS = """
-- `stale`: to be judged (again). `action`: what customers was asked to do, whatever became of it.
-- `keys`: what the row claims for itself within the file. `changed`: the columns it changes.
ALTER TABLE import_row
    ADD COLUMN stale boolean NOT NULL DEFAULT true,
    ADD COLUMN action text,
    ADD COLUMN keys text[] NOT NULL DEFAULT '{}',
    ADD COLUMN changed text[] NOT NULL DEFAULT '{}',
    ADD COLUMN warnings jsonb NOT NULL DEFAULT '[]',
    ADD COLUMN new_options jsonb NOT NULL DEFAULT '[]',
    ADD COLUMN employee_id uuid,
    ADD COLUMN reason text,
    ADD COLUMN kept_fields text[] NOT NULL DEFAULT '{}';
CREATE INDEX import_row_stale ON import_row (import_id, row) WHERE stale;
"""

_CHUNKS = """
-- The rows of a chunk by number: those of sectors go parents first, an undo takes those that were written.
DROP TABLE import_chunk;
CREATE TABLE import_chunk (
    import_id uuid NOT NULL REFERENCES import (id) ON DELETE CASCADE,
    work text NOT NULL CHECK (work IN ('apply', 'undo')),
    chunk int NOT NULL,
    rows int[] NOT NULL,
    sent_at timestamptz NOT NULL,
    sends int NOT NULL DEFAULT 1,
    applied_at timestamptz,
    PRIMARY KEY (import_id, work, chunk)
);
CREATE INDEX import_chunk_waiting ON import_chunk (sent_at) WHERE applied_at IS NULL;
"""

_REST = """
ALTER TABLE import DROP CONSTRAINT import_state_check;
ALTER TABLE import ADD CONSTRAINT import_state_check CHECK
    (state IN ('parsing', 'awaiting_mapping', 'validating', 'ready', 'applying', 'finished', 'failed', 'cancelled',
               'undoing', 'undone'));
ALTER TABLE import ADD COLUMN undone_at timestamptz;
CREATE INDEX import_uploader_kind ON import (uploader, kind, id DESC);

ALTER TABLE classification ADD COLUMN parent_id uuid;

-- Contacts of somebody's telephone that have become customers, for ever: (actor, contact) is synced once.
CREATE TABLE synced_contact (
    uploader text NOT NULL,
    device_contact_id text NOT NULL,
    import_id uuid NOT NULL,
    row int NOT NULL,
    customer_id uuid,
    PRIMARY KEY (uploader, device_contact_id)
);
CREATE INDEX synced_contact_waiting ON synced_contact (import_id) WHERE customer_id IS NULL;
"""


def upgrade() -> None:
    """Widen rows and states; chunks hold row numbers instead of ranges."""
    script(_ROWS + _CHUNKS + _REST)


def downgrade() -> None:
    """Not needed before the first release."""
    raise RuntimeError("this revision cannot be taken back")
