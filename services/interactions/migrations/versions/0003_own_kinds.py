"""Tasks, documents and care in the ledger: pairs of facts that take each other back, and ruleset 1 for them.

A task is deleted and restored, cancelled and uncancelled, a meeting also completed and reopened: of each
pair the latest fact holds, as of `sent` and `failed`. Therefore `deletion` takes the place of `deleted_at`.
"""

from shared.migrations import script

revision = "0003"
down_revision = "0002"
branch_labels = None
depends_on = None

_LEDGER = """
ALTER TABLE ledger ADD COLUMN cancellation outcome, ADD COLUMN deletion outcome;
UPDATE ledger SET deletion = ROW(deleted_at, '00000000-0000-0000-0000-000000000000', 'deleted', NULL)::outcome
WHERE deleted_at IS NOT NULL;
"""

_RULESET_1 = """
CREATE OR REPLACE FUNCTION contribution_1(entry ledger) RETURNS int LANGUAGE sql IMMUTABLE PARALLEL SAFE
RETURN CASE entry.kind
    WHEN 'created' THEN 1
    WHEN 'email' THEN
        CASE WHEN (entry.outcome).fact = 'sent' AND coalesce(entry.read_at, entry.clicked_at) IS NOT NULL
             THEN 1 ELSE 0 END
    WHEN 'sms' THEN CASE WHEN (entry.outcome).fact = 'sent' THEN 1 ELSE 0 END
    WHEN 'zns' THEN CASE WHEN (entry.outcome).fact = 'sent' AND entry.deletion IS NULL THEN 1 ELSE 0 END
    WHEN 'call' THEN
        CASE WHEN (entry.outcome).fact = 'answered' AND (entry.outcome).direction = 'outbound' THEN 1 ELSE 0 END
    WHEN 'task' THEN
        CASE WHEN (entry.cancellation).fact = 'cancelled' OR (entry.deletion).fact = 'deleted' THEN 0 ELSE 1 END
    WHEN 'comment' THEN 1
    ELSE 0
END;

-- Only of a meeting it is told that it was completed: no other task is a contact.
CREATE FUNCTION met_at_1(entry ledger) RETURNS timestamptz LANGUAGE sql IMMUTABLE PARALLEL SAFE
RETURN CASE
    WHEN (entry.cancellation).fact = 'cancelled' OR (entry.deletion).fact = 'deleted' THEN NULL
    WHEN (entry.outcome).fact = 'completed' THEN (entry.outcome).at
END;

CREATE OR REPLACE FUNCTION contact_at_1(entry ledger) RETURNS timestamptz LANGUAGE sql IMMUTABLE PARALLEL SAFE
RETURN greatest(entry.received_at, CASE
    WHEN entry.kind = 'email' THEN
        CASE WHEN entry.sent_at IS NOT NULL THEN greatest(entry.read_at, entry.clicked_at) END
    WHEN entry.kind IN ('sms', 'zns', 'chat') THEN
        CASE WHEN (entry.outcome).fact = 'sent' THEN (entry.outcome).at END
    WHEN entry.kind = 'call' THEN
        CASE WHEN (entry.outcome).fact = 'answered' OR (entry.outcome).direction = 'outbound'
             THEN (entry.outcome).at END
    WHEN entry.kind = 'task' THEN met_at_1(entry)
    WHEN entry.kind = 'care' THEN CASE WHEN entry.deletion IS NULL THEN entry.occurred_at END
    WHEN entry.kind IN ('order', 'quotation', 'contract', 'receipt') THEN entry.occurred_at
END);

CREATE OR REPLACE FUNCTION two_way_at_1(entry ledger) RETURNS timestamptz LANGUAGE sql IMMUTABLE PARALLEL SAFE
RETURN greatest(entry.received_at, CASE
    WHEN entry.kind = 'email' THEN
        CASE WHEN entry.sent_at IS NOT NULL THEN greatest(entry.read_at, entry.clicked_at) END
    WHEN entry.kind = 'call' THEN CASE WHEN (entry.outcome).fact = 'answered' THEN (entry.outcome).at END
    WHEN entry.kind = 'task' THEN met_at_1(entry)
END);

CREATE OR REPLACE FUNCTION rule_1(entry ledger) RETURNS text LANGUAGE sql IMMUTABLE PARALLEL SAFE
RETURN CASE
    WHEN entry.received_at IS NOT NULL AND entry.sent_at IS NULL THEN 'I14'
    WHEN entry.kind = 'created' THEN 'I1'
    WHEN entry.kind = 'email' THEN 'I2'
    WHEN entry.kind = 'email_click' THEN 'I3'
    WHEN entry.kind = 'task' THEN 'I4'
    WHEN entry.kind = 'sms' THEN 'I5'
    WHEN entry.kind = 'zns' THEN 'I6'
    WHEN entry.kind = 'call' THEN 'I7'
    WHEN entry.kind = 'comment' THEN 'I8'
    ELSE 'I14'
END;

ALTER TABLE ledger DROP COLUMN deleted_at;
"""


def upgrade() -> None:
    """Let the ledger know what Rapport itself keeps."""
    for statements in (_LEDGER, _RULESET_1):
        script(statements)


def downgrade() -> None:
    """Nothing was released before."""
    raise RuntimeError("the ledger cannot forget kinds that it has counted")
