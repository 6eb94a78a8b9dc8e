"""The ledger: raw facts, one row per source object that merges them, one summary per customer.

The rules of `services/interactions/domain/ledger.py` stand here a second time, as generated columns, so
that a batch of facts is merged and counted by one statement; a property test holds both together.
Every key begins with the customer, so that the tables can be partitioned by it.
"""

from shared.migrations import COPIES_1, MECHANISMS_1, script

revision = "0001"
down_revision = None
branch_labels = None
depends_on = None

_TYPES = """
-- A moment as RFC 3339 in UTC, whatever the session's zone. (to_char takes three times as long.)
CREATE FUNCTION instant(at timestamptz) RETURNS text LANGUAGE sql STABLE PARALLEL SAFE
RETURN (to_json(at AT TIME ZONE 'UTC') #>> '{}') || 'Z';

-- The latest of opposing facts, compared by time, then by fact id: greatest() merges two of them.
CREATE TYPE outcome AS (at timestamptz, fact_id uuid, fact text COLLATE "C", direction text COLLATE "C");

-- One contact with a customer, compared from the left, so that ties fall alike whatever came first.
CREATE TYPE contact AS (
    at timestamptz,
    kind text COLLATE "C",
    source_system text COLLATE "C",
    source_id text COLLATE "C",
    employee_id uuid
);
CREATE FUNCTION later(one outcome, other outcome) RETURNS outcome LANGUAGE sql IMMUTABLE PARALLEL SAFE
RETURN greatest(one, other);
CREATE AGGREGATE latest(outcome) (sfunc = later, stype = outcome, combinefunc = later, parallel = safe);
CREATE FUNCTION later(one contact, other contact) RETURNS contact LANGUAGE sql IMMUTABLE PARALLEL SAFE
RETURN greatest(one, other);
CREATE AGGREGATE latest(contact) (sfunc = later, stype = contact, combinefunc = later, parallel = safe);

CREATE FUNCTION contact_json(contact contact) RETURNS json LANGUAGE sql STABLE PARALLEL SAFE
RETURN CASE WHEN (contact).at IS NOT NULL THEN json_build_object(
    'at', instant((contact).at), 'kind', (contact).kind, 'employee_id', (contact).employee_id,
    'source_system', (contact).source_system, 'source_id', (contact).source_id
) END;
"""

_FACT = """
CREATE TABLE fact (
    customer_id uuid NOT NULL,
    row_id uuid NOT NULL,
    id uuid NOT NULL,
    fact text NOT NULL,
    link text,
    direction text CHECK (direction IN ('inbound', 'outbound')),
    occurred_at timestamptz NOT NULL,
    recorded_at timestamptz NOT NULL DEFAULT clock_timestamp(),
    data jsonb,
    PRIMARY KEY (customer_id, row_id, id)
);
"""

# A click's row has its e-mail's id in `mail_id`; the e-mail's row knows its `links` and their latest
# click, so that it alone decides what e-mail and clicks count (I2, I3). An e-mail known by its clicks
# only has no `occurred_at`: it counts nothing and is not listed.
_LEDGER = """
CREATE TABLE ledger (
    customer_id uuid NOT NULL,
    id uuid NOT NULL,
    mail_id uuid,
    kind text NOT NULL,
    source_system text NOT NULL,
    source_id text NOT NULL,
    link text,
    employee_id uuid,
    occurred_at timestamptz,
    last_fact_at timestamptz,
    outcome outcome,
    sent_at timestamptz,
    read_at timestamptz,
    clicked_at timestamptz,
    received_at timestamptz,
    deleted_at timestamptz,
    links int NOT NULL DEFAULT 0,

    contribution int NOT NULL GENERATED ALWAYS AS (
        CASE kind
            WHEN 'created' THEN 1
            WHEN 'email' THEN
                CASE WHEN (outcome).fact = 'sent' AND coalesce(read_at, clicked_at) IS NOT NULL THEN 1 ELSE 0 END
            WHEN 'sms' THEN CASE WHEN (outcome).fact = 'sent' THEN 1 ELSE 0 END
            WHEN 'zns' THEN CASE WHEN (outcome).fact = 'sent' AND deleted_at IS NULL THEN 1 ELSE 0 END
            WHEN 'call' THEN
                CASE WHEN (outcome).fact = 'answered' AND (outcome).direction = 'outbound' THEN 1 ELSE 0 END
            ELSE 0
        END
    ) STORED,
    link_contribution int NOT NULL GENERATED ALWAYS AS (
        CASE WHEN kind = 'email' AND (outcome).fact = 'sent' THEN 1 ELSE 0 END
    ) STORED,
    contact_at timestamptz GENERATED ALWAYS AS (
        greatest(received_at, CASE
            WHEN kind = 'email' THEN CASE WHEN sent_at IS NOT NULL THEN greatest(read_at, clicked_at) END
            WHEN kind IN ('sms', 'zns', 'chat') THEN CASE WHEN (outcome).fact = 'sent' THEN (outcome).at END
            WHEN kind = 'call' THEN
                CASE WHEN (outcome).fact = 'answered' OR (outcome).direction = 'outbound' THEN (outcome).at END
        END)
    ) STORED,
    two_way_at timestamptz GENERATED ALWAYS AS (
        greatest(received_at, CASE
            WHEN kind = 'email' THEN CASE WHEN sent_at IS NOT NULL THEN greatest(read_at, clicked_at) END
            WHEN kind = 'call' THEN CASE WHEN (outcome).fact = 'answered' THEN (outcome).at END
        END)
    ) STORED,
    rule text GENERATED ALWAYS AS (
        CASE
            WHEN received_at IS NOT NULL AND sent_at IS NULL THEN 'I14'
            WHEN kind = 'created' THEN 'I1'
            WHEN kind = 'email' THEN 'I2'
            WHEN kind = 'email_click' THEN 'I3'
            WHEN kind = 'sms' THEN 'I5'
            WHEN kind = 'zns' THEN 'I6'
            WHEN kind = 'call' THEN 'I7'
            ELSE 'I14'
        END
    ) VIRTUAL,
    PRIMARY KEY (customer_id, id)
) WITH (fillfactor = 85);
CREATE INDEX ledger_newest ON ledger (customer_id, occurred_at DESC, id DESC) WHERE occurred_at IS NOT NULL;
"""

# `known`: `crm.customers` has shown the customer, so that its summary is published (I12).
# `manual`: what somebody said by hand at `manual_recorded_at`; contacts that occurred later beat it (L3).
# `version` counts published events. `erased` stays for ever: a late fact finds it and is dropped (C8).
_SUMMARY = """
CREATE TABLE summary (
    customer_id uuid PRIMARY KEY,
    known boolean NOT NULL DEFAULT false,
    erased boolean NOT NULL DEFAULT false,
    interaction_count int NOT NULL DEFAULT 0,
    contact contact,
    two_way contact,
    manual contact,
    manual_recorded_at timestamptz,
    last_contact contact GENERATED ALWAYS AS (
        CASE WHEN manual_recorded_at IS NULL OR (contact).at > manual_recorded_at THEN contact ELSE manual END
    ) STORED,
    as_of timestamptz NOT NULL DEFAULT clock_timestamp(),
    ruleset int NOT NULL DEFAULT 1,
    version bigint NOT NULL DEFAULT 0
) WITH (fillfactor = 70);

CREATE TABLE manual_contact (
    id uuid PRIMARY KEY DEFAULT uuidv7(),
    customer_id uuid NOT NULL,
    at timestamptz NOT NULL,
    recorded_at timestamptz NOT NULL,
    actor_kind text NOT NULL,
    actor_id text NOT NULL
);
CREATE INDEX manual_contact_customer ON manual_contact (customer_id, recorded_at DESC);
"""


def upgrade() -> None:
    """Create everything."""
    for statements in (MECHANISMS_1, COPIES_1, _TYPES, _FACT, _LEDGER, _SUMMARY):
        script(statements)


def downgrade() -> None:
    """There is nothing before the first revision."""
    raise RuntimeError("the first revision cannot be taken back")
