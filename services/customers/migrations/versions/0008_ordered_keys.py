"""Indexes in the order of lists: by relationship, group, source, sector, viewer and nobody in charge (P4, P5).

`customer_key` has a row for every value that many customers share and one customer has many of (`key`:
the id of a group, source, sector or viewer; the zero id when nobody is responsible), newest last: a page of
any of them is the end of one stretch. `customer_search` carries what such lists are narrowed by, so that
walking them does not touch the wide row. Both hold live customers only and follow `customer` in sets:
a trigger for each row was most of what an insert of thousands cost.
"""

from shared.migrations import script

revision = "0008"
down_revision = "0007"
branch_labels = None
depends_on = None

_KEYS = """
CREATE FUNCTION customer_keys(
    state text, manager_id uuid, viewer_ids uuid[], group_ids uuid[], source_ids uuid[], sector_ids uuid[]
) RETURNS uuid[] LANGUAGE sql IMMUTABLE PARALLEL SAFE
RETURN CASE WHEN state = 'active' THEN
    viewer_ids || group_ids || source_ids || sector_ids
    || CASE WHEN manager_id IS NULL THEN '{00000000-0000-0000-0000-000000000000}'::uuid[] ELSE '{}'::uuid[] END
ELSE '{}'::uuid[] END;

CREATE TABLE customer_key (
    key uuid NOT NULL,
    created_at timestamptz NOT NULL,
    customer_id uuid NOT NULL,
    PRIMARY KEY (key, created_at, customer_id)
);
ALTER TABLE customer_key ALTER COLUMN key SET STATISTICS 1000;
INSERT INTO customer_key
SELECT DISTINCT key, created_at, id FROM customer
CROSS JOIN unnest(customer_keys(state, manager_id, viewer_ids, group_ids, source_ids, sector_ids)) key;

ALTER TABLE customer_search ADD relationship_id uuid, ADD class_ids uuid[];
UPDATE customer_search s
SET relationship_id = c.relationship_id, class_ids = c.group_ids || c.source_ids || c.sector_ids
FROM customer c WHERE c.id = s.customer_id;
ALTER TABLE customer_search
    ALTER COLUMN relationship_id SET NOT NULL,
    ALTER COLUMN class_ids SET NOT NULL,
    ALTER COLUMN manager_id SET STATISTICS 1000;
CREATE INDEX customer_search_relationship ON customer_search (relationship_id, created_at DESC, customer_id DESC);
CREATE INDEX customer_name ON customer (folded(name), id);
CREATE INDEX customer_origin ON customer (origin_id);
"""

_FOLLOWING = """
DROP TRIGGER follow_customer_insert ON customer;
DROP TRIGGER follow_customer_update ON customer;
DROP FUNCTION follow_customer;

CREATE FUNCTION follow_new_customers() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    INSERT INTO customer_contact (customer_id, as_of) SELECT id, created_at FROM fresh ORDER BY id
    ON CONFLICT (customer_id) DO UPDATE SET as_of = excluded.as_of;
    INSERT INTO customer_search (customer_id, created_at, manager_id, relationship_id, class_ids, words)
    SELECT id, created_at, manager_id, relationship_id, group_ids || source_ids || sector_ids,
           array_to_tsvector(string_to_array(search_text, ' '))
    FROM fresh WHERE state = 'active' ORDER BY id;
    INSERT INTO customer_key (key, created_at, customer_id)
    SELECT DISTINCT key, created_at, id FROM fresh
    CROSS JOIN unnest(customer_keys(state, manager_id, viewer_ids, group_ids, source_ids, sector_ids)) key;
    RETURN NULL;
END $$;

CREATE FUNCTION follow_changed_customers() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    -- Most updates touch nothing that is searched by.
    IF NOT EXISTS (
        SELECT FROM fresh JOIN stale ON stale.id = fresh.id
        WHERE (fresh.search_text, fresh.state, fresh.relationship_id, fresh.group_ids, fresh.source_ids,
               fresh.sector_ids)
           IS DISTINCT FROM (stale.search_text, stale.state, stale.relationship_id, stale.group_ids, stale.source_ids,
                             stale.sector_ids)
    ) THEN
        RETURN NULL;
    END IF;
    DELETE FROM customer_search USING fresh
    WHERE customer_search.customer_id = fresh.id AND fresh.state = 'deleted';
    INSERT INTO customer_search (customer_id, created_at, manager_id, relationship_id, class_ids, words)
    SELECT fresh.id, fresh.created_at, fresh.manager_id, fresh.relationship_id,
           fresh.group_ids || fresh.source_ids || fresh.sector_ids,
           array_to_tsvector(string_to_array(fresh.search_text, ' '))
    FROM fresh JOIN stale ON stale.id = fresh.id
    WHERE fresh.state = 'active'
      AND (fresh.search_text, fresh.state, fresh.relationship_id, fresh.group_ids, fresh.source_ids, fresh.sector_ids)
          IS DISTINCT FROM (stale.search_text, stale.state, stale.relationship_id, stale.group_ids, stale.source_ids,
                            stale.sector_ids)
    ORDER BY fresh.id
    ON CONFLICT (customer_id) DO UPDATE SET
        manager_id = excluded.manager_id, relationship_id = excluded.relationship_id,
        class_ids = excluded.class_ids, words = excluded.words;
    WITH keyed AS MATERIALIZED (
        SELECT fresh.id, fresh.created_at,
               customer_keys(fresh.state, fresh.manager_id, fresh.viewer_ids, fresh.group_ids, fresh.source_ids,
                             fresh.sector_ids) AS now,
               customer_keys(stale.state, stale.manager_id, stale.viewer_ids, stale.group_ids, stale.source_ids,
                             stale.sector_ids) AS before
        FROM fresh JOIN stale ON stale.id = fresh.id
    ), gone AS (
        DELETE FROM customer_key USING keyed CROSS JOIN unnest(keyed.before) past_key
        WHERE keyed.now <> keyed.before AND past_key <> ALL (keyed.now)
          AND customer_key.key = past_key AND customer_key.created_at = keyed.created_at
          AND customer_key.customer_id = keyed.id
    )
    INSERT INTO customer_key (key, created_at, customer_id)
    SELECT DISTINCT fresh_key, keyed.created_at, keyed.id FROM keyed CROSS JOIN unnest(keyed.now) fresh_key
    WHERE keyed.now <> keyed.before AND fresh_key <> ALL (keyed.before);
    RETURN NULL;
END $$;

CREATE FUNCTION follow_removed_customers() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    DELETE FROM customer_search USING stale WHERE customer_search.customer_id = stale.id;
    DELETE FROM customer_key USING stale
    CROSS JOIN unnest(customer_keys(stale.state, stale.manager_id, stale.viewer_ids, stale.group_ids,
                                    stale.source_ids, stale.sector_ids)) past_key
    WHERE customer_key.key = past_key AND customer_key.created_at = stale.created_at
      AND customer_key.customer_id = stale.id;
    RETURN NULL;
END $$;

CREATE TRIGGER follow_new_customers AFTER INSERT ON customer
    REFERENCING NEW TABLE AS fresh FOR EACH STATEMENT EXECUTE FUNCTION follow_new_customers();
CREATE TRIGGER follow_changed_customers AFTER UPDATE ON customer
    REFERENCING OLD TABLE AS stale NEW TABLE AS fresh FOR EACH STATEMENT EXECUTE FUNCTION follow_changed_customers();
CREATE TRIGGER follow_removed_customers AFTER DELETE ON customer
    REFERENCING OLD TABLE AS stale FOR EACH STATEMENT EXECUTE FUNCTION follow_removed_customers();
"""


def upgrade() -> None:
    """Fill them from the customers there are; from then on they follow."""
    script(_KEYS)
    script(_FOLLOWING)


def downgrade() -> None:
    """Lists read nothing else any more."""
    raise RuntimeError("the keys of customers cannot be taken back")
