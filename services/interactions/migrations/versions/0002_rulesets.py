"""Rules by version: what a ledger row counts and dates is a function of its merged facts and a ruleset.

Rows keep facts only, so that another ruleset judges the same ledger without touching it. A new one is
a revision that adds its five functions and a branch to each function that chooses; it comes into
force by the command `recompute`, when every process knows it.
"""

from shared.migrations import script

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None

_RULESET_1 = """
-- Ruleset 1, as services/interactions/domain/ledger.py has it in words and Python.
-- `contribution`: what the row adds to the count; an e-mail's row adds `link_contribution` for each of
-- its `links` besides. `contact_at`, `two_way_at`: the latest contact the row tells of. `rule`: the key
-- of the rule that decides.
CREATE FUNCTION contribution_1(entry ledger) RETURNS int LANGUAGE sql IMMUTABLE PARALLEL SAFE
RETURN CASE entry.kind
    WHEN 'created' THEN 1
    WHEN 'email' THEN
        CASE WHEN (entry.outcome).fact = 'sent' AND coalesce(entry.read_at, entry.clicked_at) IS NOT NULL
             THEN 1 ELSE 0 END
    WHEN 'sms' THEN CASE WHEN (entry.outcome).fact = 'sent' THEN 1 ELSE 0 END
    WHEN 'zns' THEN CASE WHEN (entry.outcome).fact = 'sent' AND entry.deleted_at IS NULL THEN 1 ELSE 0 END
    WHEN 'call' THEN
        CASE WHEN (entry.outcome).fact = 'answered' AND (entry.outcome).direction = 'outbound' THEN 1 ELSE 0 END
    WHEN 'comment' THEN 1
    ELSE 0
END;

CREATE FUNCTION link_contribution_1(entry ledger) RETURNS int LANGUAGE sql IMMUTABLE PARALLEL SAFE
RETURN CASE WHEN entry.kind = 'email' AND (entry.outcome).fact = 'sent' THEN 1 ELSE 0 END;

CREATE FUNCTION contact_at_1(entry ledger) RETURNS timestamptz LANGUAGE sql IMMUTABLE PARALLEL SAFE
RETURN greatest(entry.received_at, CASE
    WHEN entry.kind = 'email' THEN
        CASE WHEN entry.sent_at IS NOT NULL THEN greatest(entry.read_at, entry.clicked_at) END
    WHEN entry.kind IN ('sms', 'zns', 'chat') THEN
        CASE WHEN (entry.outcome).fact = 'sent' THEN (entry.outcome).at END
    WHEN entry.kind = 'call' THEN
        CASE WHEN (entry.outcome).fact = 'answered' OR (entry.outcome).direction = 'outbound'
             THEN (entry.outcome).at END
END);

CREATE FUNCTION two_way_at_1(entry ledger) RETURNS timestamptz LANGUAGE sql IMMUTABLE PARALLEL SAFE
RETURN greatest(entry.received_at, CASE
    WHEN entry.kind = 'email' THEN
        CASE WHEN entry.sent_at IS NOT NULL THEN greatest(entry.read_at, entry.clicked_at) END
    WHEN entry.kind = 'call' THEN CASE WHEN (entry.outcome).fact = 'answered' THEN (entry.outcome).at END
END);

CREATE FUNCTION rule_1(entry ledger) RETURNS text LANGUAGE sql IMMUTABLE PARALLEL SAFE
RETURN CASE
    WHEN entry.received_at IS NOT NULL AND entry.sent_at IS NULL THEN 'I14'
    WHEN entry.kind = 'created' THEN 'I1'
    WHEN entry.kind = 'email' THEN 'I2'
    WHEN entry.kind = 'email_click' THEN 'I3'
    WHEN entry.kind = 'sms' THEN 'I5'
    WHEN entry.kind = 'zns' THEN 'I6'
    WHEN entry.kind = 'call' THEN 'I7'
    WHEN entry.kind = 'comment' THEN 'I8'
    ELSE 'I14'
END;
"""

# An unknown ruleset gives NULL, which no summary takes: better a fault than a count by no rule.
_CHOICE = """
CREATE FUNCTION contribution(ruleset int, entry ledger) RETURNS int LANGUAGE sql IMMUTABLE PARALLEL SAFE
RETURN CASE ruleset WHEN 1 THEN contribution_1(entry) END;
CREATE FUNCTION link_contribution(ruleset int, entry ledger) RETURNS int LANGUAGE sql IMMUTABLE PARALLEL SAFE
RETURN CASE ruleset WHEN 1 THEN link_contribution_1(entry) END;
CREATE FUNCTION contact_at(ruleset int, entry ledger) RETURNS timestamptz LANGUAGE sql IMMUTABLE PARALLEL SAFE
RETURN CASE ruleset WHEN 1 THEN contact_at_1(entry) END;
CREATE FUNCTION two_way_at(ruleset int, entry ledger) RETURNS timestamptz LANGUAGE sql IMMUTABLE PARALLEL SAFE
RETURN CASE ruleset WHEN 1 THEN two_way_at_1(entry) END;
CREATE FUNCTION rule(ruleset int, entry ledger) RETURNS text LANGUAGE sql IMMUTABLE PARALLEL SAFE
RETURN CASE ruleset WHEN 1 THEN rule_1(entry) END;
"""

# `ruleset`: those that can be asked for, and the one in force. New facts count by it; a summary that
# was counted by another is counted again when the next fact or the command reaches it.
_TABLES = """
ALTER TABLE ledger
    DROP COLUMN contribution, DROP COLUMN link_contribution, DROP COLUMN contact_at, DROP COLUMN two_way_at,
    DROP COLUMN rule;
CREATE TABLE ruleset (
    number int PRIMARY KEY,
    in_force boolean NOT NULL
);
CREATE UNIQUE INDEX ruleset_in_force ON ruleset (in_force) WHERE in_force;
INSERT INTO ruleset (number, in_force) VALUES (1, true);
"""


def upgrade() -> None:
    """Move the rules from generated columns into functions of a ruleset."""
    for statements in (_TABLES, _RULESET_1, _CHOICE):
        script(statements)


def downgrade() -> None:
    """Nothing was released before."""
    raise RuntimeError("rulesets cannot be taken back")
