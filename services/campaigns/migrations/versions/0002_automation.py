"""Automation rules, what they compare, what changed of late, what they did; reasons by customer for erasures."""

from shared.migrations import script

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None

_AUTOMATION = """
CREATE TABLE automation (
    id uuid PRIMARY KEY,
    name text NOT NULL,
    active boolean NOT NULL,
    max_per_hour int NOT NULL CHECK (max_per_hour > 0),
    trigger jsonb NOT NULL,
    condition jsonb,
    actions jsonb NOT NULL,
    since timestamptz NOT NULL,
    deleted_at timestamptz,
    created_at timestamptz NOT NULL,
    version bigint NOT NULL,
    CHECK (deleted_at IS NULL OR NOT active)
);
CREATE INDEX automation_newest ON automation (created_at, id) WHERE deleted_at IS NULL;
CREATE TABLE automation_minute (
    automation_id uuid NOT NULL REFERENCES automation ON DELETE CASCADE,
    minute timestamptz NOT NULL,
    taken int NOT NULL,
    PRIMARY KEY (automation_id, minute)
);
CREATE TABLE automation_run (
    id uuid PRIMARY KEY,
    automation_id uuid NOT NULL REFERENCES automation ON DELETE CASCADE,
    customer_id uuid NOT NULL,
    outcome text NOT NULL CHECK (outcome IN ('taken', 'left')),
    reason jsonb NOT NULL,
    actions jsonb NOT NULL,
    event_id text NOT NULL,
    correlation_id text NOT NULL,
    depth int NOT NULL,
    created_at timestamptz NOT NULL DEFAULT clock_timestamp()
);
CREATE INDEX automation_run_newest ON automation_run (automation_id, created_at, id);
CREATE INDEX automation_run_customer ON automation_run (customer_id);
CREATE INDEX automation_run_created_at ON automation_run USING brin (created_at);
CREATE UNIQUE INDEX automation_run_once ON automation_run (automation_id, customer_id, correlation_id)
    WHERE outcome = 'taken';
CREATE TABLE automation_task (
    id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    run_id uuid NOT NULL,
    place int NOT NULL,
    automation_id uuid NOT NULL,
    campaign_id uuid NOT NULL,
    distribute boolean NOT NULL,
    customer_id uuid NOT NULL,
    event_id text NOT NULL,
    correlation_id text NOT NULL,
    depth int NOT NULL,
    traceparent text
);
CREATE INDEX automation_task_campaign ON automation_task (campaign_id, id);
CREATE INDEX automation_task_customer ON automation_task (customer_id);
"""

_CUSTOMERS = """
CREATE TABLE customer_profile (
    customer_id uuid PRIMARY KEY,
    group_ids uuid[] NOT NULL,
    source_ids uuid[] NOT NULL,
    relationship_id uuid NOT NULL,
    version bigint NOT NULL
) WITH (fillfactor = 80);
CREATE TABLE customer_change (
    id uuid PRIMARY KEY,
    customer_id uuid NOT NULL,
    happened_at timestamptz NOT NULL,
    created boolean NOT NULL,
    customer_created_at timestamptz NOT NULL,
    group_ids uuid[] NOT NULL,
    source_ids uuid[] NOT NULL,
    relationship_id uuid,
    facts jsonb NOT NULL,
    event_id text NOT NULL,
    correlation_id text NOT NULL,
    depth int NOT NULL
);
CREATE INDEX customer_change_customer ON customer_change (customer_id);
CREATE INDEX customer_change_newest ON customer_change (happened_at, id);
"""

_REASONS = """
CREATE INDEX long_work_item_customer ON long_work_item ((item ->> 'customer_id'));
"""


def upgrade() -> None:
    """Make everything."""
    for statements in (_AUTOMATION, _CUSTOMERS, _REASONS):
        script(statements)
