"""Campaigns with people, statuses and opportunities; the turns of distribution; copies of others' state."""

from shared.migrations import COPIES_1, MECHANISMS_1, script

revision = "0001"
down_revision = None
branch_labels = None
depends_on = None

_CAMPAIGNS = """
CREATE FUNCTION instant(at timestamptz) RETURNS text LANGUAGE sql IMMUTABLE PARALLEL SAFE
RETURN to_char(at AT TIME ZONE 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.US"Z"');

CREATE SEQUENCE campaign_code;
CREATE TABLE campaign (
    id uuid PRIMARY KEY,
    code text NOT NULL CONSTRAINT campaign_code_taken UNIQUE,
    name text NOT NULL,
    state text NOT NULL CHECK (state IN ('active', 'deleted')),
    starts_on date,
    ends_on date,
    manager_ids uuid[] NOT NULL,
    relevant_ids uuid[] NOT NULL,
    allow_repeat boolean NOT NULL,
    waiting_days int NOT NULL CHECK (waiting_days >= 0),
    manager_policy text NOT NULL CHECK (manager_policy IN ('replace', 'only_if_unassigned')),
    keep_previous_as_viewer boolean NOT NULL,
    method text NOT NULL CHECK (method IN ('round_robin', 'weighted')),
    automatic boolean NOT NULL,
    created_at timestamptz NOT NULL,
    version bigint NOT NULL
);
CREATE INDEX campaign_people ON campaign USING gin (manager_ids, relevant_ids);
CREATE INDEX campaign_newest ON campaign (created_at, id) WHERE state = 'active';
CREATE TABLE campaign_status (
    id uuid PRIMARY KEY,
    campaign_id uuid NOT NULL REFERENCES campaign,
    name text NOT NULL,
    kind text NOT NULL CHECK (kind IN ('open', 'won', 'lost')),
    position int NOT NULL,
    start boolean NOT NULL
);
CREATE INDEX campaign_status_campaign ON campaign_status (campaign_id);
CREATE TABLE campaign_staff (
    campaign_id uuid NOT NULL REFERENCES campaign,
    employee_id uuid NOT NULL,
    position int NOT NULL,
    weight int NOT NULL CHECK (weight > 0),
    daily_capacity int CHECK (daily_capacity >= 0),
    working_hours jsonb,
    days_off date[] NOT NULL,
    PRIMARY KEY (campaign_id, employee_id)
);
CREATE INDEX campaign_staff_employee ON campaign_staff (employee_id);
"""

_OPPORTUNITIES = """
CREATE TABLE opportunity (
    id uuid PRIMARY KEY,
    campaign_id uuid NOT NULL REFERENCES campaign,
    customer_id uuid NOT NULL,
    status_id uuid NOT NULL,
    owner_id uuid,
    owner_assigned_at timestamptz,
    manager_policy text NOT NULL,
    keep_previous_as_viewer boolean NOT NULL,
    value_amount bigint,
    value_currency text,
    probability smallint CHECK (probability BETWEEN 0 AND 100),
    reason jsonb,
    queued_at timestamptz,
    state text NOT NULL CHECK (state IN ('open', 'suspended', 'removed')),
    created_at timestamptz NOT NULL,
    version bigint NOT NULL,
    CHECK (owner_id IS NULL OR owner_assigned_at IS NOT NULL),
    CHECK ((value_amount IS NULL) = (value_currency IS NULL))
) WITH (fillfactor = 80);
CREATE INDEX opportunity_campaign ON opportunity (campaign_id, created_at, id);
CREATE INDEX opportunity_owner ON opportunity (owner_id, created_at, id) WHERE owner_id IS NOT NULL;
CREATE INDEX opportunity_customer ON opportunity (customer_id, campaign_id);
CREATE INDEX opportunity_unowned ON opportunity (campaign_id, created_at, id)
    WHERE owner_id IS NULL AND state = 'open';
CREATE TABLE distribution_turn (
    campaign_id uuid NOT NULL REFERENCES campaign,
    employee_id uuid NOT NULL,
    weight int,
    turns bigint NOT NULL,
    carried double precision NOT NULL,
    given_on date,
    given int NOT NULL,
    PRIMARY KEY (campaign_id, employee_id)
);
CREATE TABLE long_work (
    id uuid PRIMARY KEY,
    kind text NOT NULL CHECK (kind IN ('distribution', 'opportunity_batch')),
    campaign_id uuid NOT NULL REFERENCES campaign,
    selection_id uuid,
    actor jsonb NOT NULL,
    state text NOT NULL CHECK (state IN ('running', 'finished', 'failed')),
    error text,
    total int NOT NULL,
    done int NOT NULL,
    failed int NOT NULL,
    next_chunk int NOT NULL,
    last_created_at timestamptz,
    last_id uuid,
    created_at timestamptz NOT NULL,
    finished_at timestamptz
);
CREATE INDEX long_work_running ON long_work (created_at) WHERE state = 'running';
CREATE INDEX long_work_finished_at ON long_work (finished_at);
CREATE TABLE long_work_item (
    work_id uuid NOT NULL REFERENCES long_work ON DELETE CASCADE,
    position int NOT NULL,
    item json NOT NULL,
    PRIMARY KEY (work_id, position)
);
"""

_FROM_OTHERS = """
CREATE TABLE classification (
    id uuid PRIMARY KEY,
    kind text NOT NULL CHECK (kind IN ('group', 'sector', 'source', 'relationship')),
    code text,
    name text NOT NULL,
    parent_id uuid,
    state text NOT NULL,
    version bigint NOT NULL
);
CREATE INDEX classification_parent ON classification (parent_id);
CREATE TABLE selection (
    id uuid PRIMARY KEY,
    chunks int NOT NULL,
    total int NOT NULL,
    left_out int NOT NULL,
    actor jsonb NOT NULL,
    resolved_at timestamptz NOT NULL,
    expires_at timestamptz NOT NULL
);
CREATE TABLE selection_chunk (
    selection_id uuid NOT NULL,
    chunk int NOT NULL,
    customer_ids uuid[] NOT NULL,
    received_at timestamptz NOT NULL DEFAULT clock_timestamp(),
    PRIMARY KEY (selection_id, chunk)
);
CREATE INDEX selection_chunk_received_at ON selection_chunk (received_at);
"""


def upgrade() -> None:
    """Make everything."""
    for statements in (MECHANISMS_1, COPIES_1, _CAMPAIGNS, _OPPORTUNITIES, _FROM_OTHERS):
        script(statements)
