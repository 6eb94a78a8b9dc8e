"""Tasks, documents and care schedules.

Of a task `customer_ids` are those it is about now, `related_ids` all it ever was about: the ledger keeps a
row for each of them. `awaits_manager`: an automation made it for a customer this service had not heard of
yet; the responsible person becomes its assignee when the customer is heard of (K5).
"""

from shared.migrations import script

revision = "0004"
down_revision = "0003"
branch_labels = None
depends_on = None

_TASK = """
CREATE TABLE task (
    id uuid PRIMARY KEY,
    title text NOT NULL,
    type text NOT NULL,
    customer_ids uuid[] NOT NULL,
    related_ids uuid[] NOT NULL,
    assignee_id uuid,
    awaits_manager boolean NOT NULL DEFAULT false,
    due_at timestamptz,
    creator_id uuid,
    created_by text NOT NULL,
    created_at timestamptz NOT NULL,
    changed_at timestamptz NOT NULL,
    completed_at timestamptz,
    completed_by uuid,
    cancelled_at timestamptz,
    action_id uuid UNIQUE,
    version bigint NOT NULL,
    state text NOT NULL GENERATED ALWAYS AS (
        CASE WHEN cancelled_at IS NOT NULL THEN 'cancelled'
             WHEN completed_at IS NOT NULL THEN 'completed' ELSE 'open' END
    ) STORED
);
CREATE INDEX task_newest ON task (created_at DESC, id DESC);
CREATE INDEX task_assignee ON task (assignee_id, created_at DESC, id DESC) WHERE assignee_id IS NOT NULL;
CREATE INDEX task_related ON task USING gin (related_ids);
CREATE INDEX task_awaiting ON task USING gin (related_ids) WHERE awaits_manager;
"""

_DOCUMENT = """
CREATE TABLE document (
    id uuid PRIMARY KEY,
    customer_id uuid NOT NULL,
    kind text NOT NULL CHECK (kind IN ('order', 'quotation', 'contract', 'receipt')),
    number text,
    status text NOT NULL CHECK (status IN ('draft', 'confirmed', 'completed', 'cancelled')),
    order_type text CHECK (order_type IN ('sales', 'purchase')),
    ordered_at timestamptz,
    lines jsonb NOT NULL,
    total_amount bigint NOT NULL,
    total_currency text NOT NULL,
    return_of uuid,
    source_system text NOT NULL,
    external_id text,
    external_version bigint,
    state text NOT NULL CHECK (state IN ('active', 'deleted')),
    created_by text NOT NULL,
    created_at timestamptz NOT NULL,
    updated_at timestamptz NOT NULL,
    version bigint NOT NULL
);
CREATE UNIQUE INDEX document_external ON document (source_system, external_id) WHERE external_id IS NOT NULL;
CREATE INDEX document_customer ON document (customer_id, created_at DESC, id DESC);
"""

_CARE = """
CREATE TABLE care_schedule (
    id uuid PRIMARY KEY,
    customer_id uuid NOT NULL,
    title text NOT NULL,
    starts_on date,
    creator_id uuid NOT NULL,
    created_at timestamptz NOT NULL,
    version bigint NOT NULL
);
CREATE INDEX care_schedule_customer ON care_schedule (customer_id, created_at DESC, id DESC);
CREATE TABLE care_activity (
    id uuid PRIMARY KEY,
    schedule_id uuid NOT NULL REFERENCES care_schedule (id) ON DELETE CASCADE,
    text text NOT NULL,
    occurred_at timestamptz NOT NULL,
    employee_id uuid NOT NULL,
    created_at timestamptz NOT NULL
);
CREATE INDEX care_activity_schedule ON care_activity (schedule_id, occurred_at DESC, id DESC);
"""


def upgrade() -> None:
    """Make room for work."""
    for statements in (_TASK, _DOCUMENT, _CARE):
        script(statements)


def downgrade() -> None:
    """Nothing was released before."""
    raise RuntimeError("tasks, documents and care cannot be taken back")
