"""Provinces among the keys of customers, and orders of whole lists that had no index (P4, P5).

A filter by a province is the end of a stretch, as a group's is. Names are compared folded, and folding a million
of them takes ten seconds: each customer's is folded once, when it is written, and stands in `customer_key` as an
id made of it. The new indexes are on columns whose changes move an index already: a contact, which comes ten
thousand times a second, moves none, and lists by contacts are sorted when they are asked for.
"""

from shared.migrations import script

revision = "0011"
down_revision = "0010"
branch_labels = None
depends_on = None

_KEYS = """
CREATE FUNCTION province_key(address jsonb) RETURNS uuid LANGUAGE sql IMMUTABLE PARALLEL SAFE
RETURN md5('province:' || folded(address ->> 'province'))::uuid;
COMMENT ON FUNCTION province_key IS 'the key of the customers of one province, however its name is written';

ALTER TABLE customer ADD province_key uuid GENERATED ALWAYS AS (province_key(address)) STORED;

DROP FUNCTION customer_keys(text, uuid, uuid[], uuid[], uuid[], uuid[]);
CREATE FUNCTION customer_keys(
    state text, manager_id uuid, viewer_ids uuid[], group_ids uuid[], source_ids uuid[], sector_ids uuid[],
    province_key uuid
) RETURNS uuid[] LANGUAGE sql IMMUTABLE PARALLEL SAFE
RETURN CASE WHEN state = 'active' THEN
    viewer_ids || group_ids || source_ids || sector_ids
    || CASE WHEN manager_id IS NULL THEN '{00000000-0000-0000-0000-000000000000}'::uuid[] ELSE '{}'::uuid[] END
    || CASE WHEN province_key IS NULL THEN '{}'::uuid[] ELSE ARRAY[province_key] END
ELSE '{}'::uuid[] END;

INSERT INTO customer_key SELECT province_key, created_at, id FROM customer
WHERE province_key IS NOT NULL AND state = 'active';
"""

_FOLLOWING = """
CREATE OR REPLACE FUNCTION follow_new_customers() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    INSERT INTO customer_contact (customer_id, as_of) SELECT id, created_at FROM fresh ORDER BY id
    ON CONFLICT (customer_id) DO UPDATE SET as_of = excluded.as_of;
    INSERT INTO customer_search (customer_id, created_at, manager_id, relationship_id, class_ids, words)
    SELECT id, created_at, manager_id, relationship_id, group_ids || source_ids || sector_ids,
           array_to_tsvector(string_to_array(search_text, ' '))
    FROM fresh WHERE state = 'active' ORDER BY id;
    INSERT INTO customer_key (key, created_at, customer_id)
    SELECT DISTINCT key, created_at, id FROM fresh
    CROSS JOIN unnest(customer_keys(state, manager_id, viewer_ids, group_ids, source_ids, sector_ids,
                                    province_key)) key;
    RETURN NULL;
END $$;

CREATE OR REPLACE FUNCTION follow_changed_customers() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    -- Most updates touch nothing that is searched by.
    IF NOT EXISTS (
        SELECT FROM fresh JOIN stale ON stale.id = fresh.id
        WHERE (fresh.search_text, fresh.state, fresh.relationship_id, fresh.group_ids, fresh.source_ids,
               fresh.sector_ids, fresh.province_key)
           IS DISTINCT FROM (stale.search_text, stale.state, stale.relationship_id, stale.group_ids, stale.source_ids,
                             stale.sector_ids, stale.province_key)
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
                             fresh.sector_ids, fresh.province_key) AS now,
               customer_keys(stale.state, stale.manager_id, stale.viewer_ids, stale.group_ids, stale.source_ids,
                             stale.sector_ids, stale.province_key) AS before
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

CREATE OR REPLACE FUNCTION follow_removed_customers() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    DELETE FROM customer_search USING stale WHERE customer_search.customer_id = stale.id;
    DELETE FROM customer_key USING stale
    CROSS JOIN unnest(customer_keys(stale.state, stale.manager_id, stale.viewer_ids, stale.group_ids,
                                    stale.source_ids, stale.sector_ids, stale.province_key)) past_key
    WHERE customer_key.key = past_key AND customer_key.created_at = stale.created_at
      AND customer_key.customer_id = stale.id;
    RETURN NULL;
END $$;
"""

_ORDERS = """
CREATE INDEX customer_updated ON customer (updated_at, id);
CREATE INDEX customer_contact_revenue ON customer_contact (total_revenue, customer_id);
CREATE INDEX customer_contact_orders ON customer_contact (order_count, customer_id);
"""


def upgrade() -> None:
    """Fold every province once; keys follow their customers from then on."""
    script(_KEYS)
    script(_FOLLOWING)
    script(_ORDERS)


def downgrade() -> None:
    """Filters look for provinces there."""
    raise RuntimeError("the keys of provinces cannot be taken back")
