"""Customers, employees, relationships, audit trail, and the copies of campaigns and opportunities."""

from alembic import op
from sqlalchemy import text

from services.customers.domain.relationships import FIRST_RELATIONSHIPS
from shared.migrations import MECHANISMS_1, script, tell

revision = "0001"
down_revision = None
branch_labels = None
depends_on = None

_TABLES = """
CREATE FUNCTION instant(at timestamptz) RETURNS text LANGUAGE sql IMMUTABLE PARALLEL SAFE
RETURN to_char(at AT TIME ZONE 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.US"Z"');

CREATE FUNCTION day_of(at timestamptz) RETURNS date LANGUAGE sql STABLE PARALLEL SAFE
RETURN (at AT TIME ZONE current_setting('rapport.zone'))::date;

CREATE FUNCTION start_of(day date) RETURNS timestamptz LANGUAGE sql STABLE PARALLEL SAFE
RETURN day::timestamp AT TIME ZONE current_setting('rapport.zone');

CREATE TABLE employee (
    id uuid PRIMARY KEY,
    code text NOT NULL UNIQUE,
    name text NOT NULL,
    name_folded text NOT NULL,
    department text,
    email text,
    phone text,
    superior_id uuid REFERENCES employee (id),
    active boolean NOT NULL,
    successor_id uuid REFERENCES employee (id),
    created_at timestamptz NOT NULL,
    updated_at timestamptz NOT NULL,
    version bigint NOT NULL
);
CREATE INDEX employee_superior ON employee (superior_id);
CREATE SEQUENCE employee_number;

CREATE TABLE relationship (
    id uuid PRIMARY KEY,
    key text UNIQUE,
    name_vi text NOT NULL,
    name_en text NOT NULL,
    color text NOT NULL,
    position int NOT NULL,
    forget_after_days int CHECK (forget_after_days BETWEEN 1 AND 3650),
    state text NOT NULL CHECK (state IN ('active', 'disabled')),
    version bigint NOT NULL
);

CREATE TABLE classification_item (
    id uuid PRIMARY KEY,
    kind text NOT NULL CHECK (kind IN ('group', 'sector', 'source')),
    code text NOT NULL,
    name text NOT NULL,
    name_folded text NOT NULL,
    parent_id uuid REFERENCES classification_item (id),
    state text NOT NULL CHECK (state IN ('active', 'disabled')),
    version bigint NOT NULL,
    UNIQUE (kind, code)
);

CREATE SEQUENCE customer_number;
CREATE TABLE customer_code (code text PRIMARY KEY, customer_id uuid NOT NULL);

CREATE TABLE customer (
    id uuid PRIMARY KEY,
    code text NOT NULL UNIQUE,
    type text NOT NULL,
    name text NOT NULL,
    phones text[] NOT NULL,
    emails text[] NOT NULL,
    gender text,
    birth_date date,
    occupation text,
    income_band text,
    company_name text,
    tax_code text,
    website text,
    address jsonb,
    description text,
    group_ids uuid[] NOT NULL,
    source_ids uuid[] NOT NULL,
    primary_source_id uuid,
    sector_ids uuid[] NOT NULL,
    relationship_id uuid NOT NULL REFERENCES relationship (id),
    remembered_relationship_id uuid,
    referrer_customer_id uuid,
    manager_id uuid REFERENCES employee (id),
    manager_set_at timestamptz,
    manager_cause_kind text,
    manager_cause_id text,
    viewer_ids uuid[] NOT NULL,
    origin_kind text NOT NULL,
    origin_id text,
    state text NOT NULL CHECK (state IN ('active', 'deleted')),
    created_at timestamptz NOT NULL,
    created_by text NOT NULL,
    updated_at timestamptz NOT NULL,
    deleted_at timestamptz,
    first_closed_at timestamptz,
    clock_started_at timestamptz NOT NULL,
    search_text text NOT NULL,
    version bigint NOT NULL
) WITH (fillfactor = 85);
CREATE INDEX customer_referrer ON customer (referrer_customer_id) WHERE referrer_customer_id IS NOT NULL;
CREATE INDEX customer_deleted ON customer (deleted_at) WHERE state = 'deleted';

CREATE TABLE customer_phone (phone text PRIMARY KEY, customer_id uuid NOT NULL);
CREATE INDEX customer_phone_customer ON customer_phone (customer_id);

CREATE TABLE customer_viewer (
    customer_id uuid NOT NULL REFERENCES customer (id) ON DELETE CASCADE,
    employee_id uuid NOT NULL,
    cause_kind text NOT NULL,
    cause_id text NOT NULL DEFAULT '',
    PRIMARY KEY (customer_id, employee_id, cause_kind, cause_id)
);

CREATE TABLE customer_contact (
    customer_id uuid PRIMARY KEY,
    interaction_count int NOT NULL DEFAULT 1,
    last_contact_at timestamptz,
    last_contact jsonb,
    last_two_way_contact jsonb,
    as_of timestamptz NOT NULL,
    version bigint NOT NULL DEFAULT 0
) WITH (fillfactor = 60);

CREATE TABLE customer_search (
    customer_id uuid PRIMARY KEY,
    created_at timestamptz NOT NULL,
    manager_id uuid,
    words tsvector NOT NULL
) WITH (fillfactor = 85);
ALTER TABLE customer_search ALTER COLUMN words SET STATISTICS 500;
CREATE INDEX customer_search_created ON customer_search (created_at DESC, customer_id DESC);
CREATE INDEX customer_search_manager ON customer_search (manager_id, created_at DESC, customer_id DESC);
CREATE INDEX customer_search_words ON customer_search USING gin (words) WITH (fastupdate = off);

CREATE FUNCTION follow_customer() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF TG_OP = 'INSERT' THEN
        INSERT INTO customer_contact (customer_id, as_of) VALUES (NEW.id, NEW.created_at);
    END IF;
    IF NEW.state = 'deleted' THEN
        DELETE FROM customer_search WHERE customer_id = NEW.id;
        RETURN NULL;
    END IF;
    INSERT INTO customer_search AS stored (customer_id, created_at, manager_id, words)
    VALUES (NEW.id, NEW.created_at, NEW.manager_id, array_to_tsvector(string_to_array(NEW.search_text, ' ')))
    ON CONFLICT (customer_id) DO UPDATE SET manager_id = excluded.manager_id, words = excluded.words;
    RETURN NULL;
END $$;
CREATE TRIGGER follow_customer_insert AFTER INSERT ON customer FOR EACH ROW EXECUTE FUNCTION follow_customer();
CREATE TRIGGER follow_customer_update AFTER UPDATE ON customer FOR EACH ROW
    WHEN (OLD.search_text <> NEW.search_text OR OLD.state <> NEW.state)
    EXECUTE FUNCTION follow_customer();

CREATE TABLE audit (
    id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    customer_id uuid,
    employee_id uuid,
    at timestamptz NOT NULL DEFAULT clock_timestamp(),
    actor_kind text NOT NULL,
    actor_id text NOT NULL,
    cause_kind text NOT NULL,
    cause_id text,
    event_id uuid,
    changes jsonb NOT NULL,
    outcome text NOT NULL DEFAULT 'applied',
    decision text UNIQUE
);
CREATE INDEX audit_customer ON audit (customer_id, id DESC) WHERE customer_id IS NOT NULL;
CREATE INDEX audit_employee ON audit (employee_id, id DESC) WHERE employee_id IS NOT NULL;

CREATE TABLE campaign (id uuid PRIMARY KEY, state jsonb NOT NULL, version bigint NOT NULL);
CREATE TABLE opportunity (
    id uuid PRIMARY KEY,
    campaign_id uuid NOT NULL,
    customer_id uuid NOT NULL,
    status_id uuid NOT NULL,
    owner_id uuid,
    owner_assigned_at timestamptz,
    state text NOT NULL,
    version bigint NOT NULL
);
CREATE INDEX opportunity_customer ON opportunity (customer_id);
CREATE INDEX opportunity_campaign ON opportunity (campaign_id, status_id);
CREATE TABLE document (
    id uuid PRIMARY KEY,
    customer_id uuid NOT NULL,
    state jsonb NOT NULL,
    version bigint NOT NULL
);
CREATE INDEX document_customer ON document (customer_id);

CREATE TABLE import_row (
    import_id uuid NOT NULL,
    row int NOT NULL,
    chunk int NOT NULL,
    customer_id uuid,
    action text NOT NULL,
    old jsonb NOT NULL,
    new jsonb NOT NULL,
    version_after bigint,
    result jsonb NOT NULL,
    PRIMARY KEY (import_id, row)
);
CREATE INDEX import_row_customer ON import_row (customer_id);
CREATE TABLE erasure_confirmation (
    customer_id uuid NOT NULL,
    service text NOT NULL,
    completed_at timestamptz NOT NULL,
    PRIMARY KEY (customer_id, service)
);
"""


def upgrade() -> None:
    """Create everything; the seven fixed relationships reach the topic through the outbox (G4)."""
    script(MECHANISMS_1)
    script(_TABLES)
    for item in FIRST_RELATIONSHIPS:
        op.get_bind().execute(
            text(
                "INSERT INTO relationship"
                " (id, key, name_vi, name_en, color, position, forget_after_days, state, version) VALUES"
                " (:id, :key, :name_vi, :name_en, :color, :position, :forget_after_days, 'active', 1)"
            ),
            item.row(),
        )
    tell("customers", [item.event() for item in FIRST_RELATIONSHIPS])


def downgrade() -> None:
    """There is nothing before the first revision."""
    raise RuntimeError("the first revision cannot be taken back")
