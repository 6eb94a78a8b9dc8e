"""Search rows and keys follow changed customers in sets, and words wait for others before they enter their index.

PostgreSQL keeps the plan of a trigger's statement, and a session's first change is mostly of one customer: a
join of the old with the new rows then went through all pairs ever after, a million for a thousand customers, and
was half of what handing them over cost. What differs between both is hashed or sorted, however many there are.

Thirty words of each customer entered the index one by one, which was most of the rest. Now they wait in its list and
enter many at once. The list is short: a search reads through it, a tenth of a millisecond at most.
"""

from shared.migrations import script

revision = "0013"
down_revision = "0012"
branch_labels = None
depends_on = None

_SEARCHED = (
    "id, search_text, state, relationship_id, group_ids, source_ids, sector_ids, manager_id, created_at, province_key"
)
_KEYED = (
    "id, created_at, state, manager_id IS NULL AS nobody, viewer_ids, group_ids, source_ids, sector_ids, province_key"
)
_KEYS = "customer_keys(state, manager_id, viewer_ids, group_ids, source_ids, sector_ids, province_key)"

_FOLLOWING = f"""
CREATE OR REPLACE FUNCTION follow_changed_customers() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    -- Most updates touch nothing that is searched by.
    IF NOT EXISTS (SELECT {_SEARCHED} FROM fresh EXCEPT SELECT {_SEARCHED} FROM stale) THEN
        RETURN NULL;
    END IF;
    DELETE FROM customer_search USING fresh
    WHERE customer_search.customer_id = fresh.id AND fresh.state = 'deleted';
    INSERT INTO customer_search (customer_id, created_at, manager_id, relationship_id, class_ids, words)
    SELECT id, created_at, manager_id, relationship_id, group_ids || source_ids || sector_ids,
           array_to_tsvector(string_to_array(search_text, ' '))
    FROM (SELECT {_SEARCHED} FROM fresh EXCEPT SELECT {_SEARCHED} FROM stale) AS changed
    WHERE state = 'active' ORDER BY id
    ON CONFLICT (customer_id) DO UPDATE SET
        manager_id = excluded.manager_id, relationship_id = excluded.relationship_id,
        class_ids = excluded.class_ids, words = excluded.words;
    IF NOT EXISTS (SELECT {_KEYED} FROM fresh EXCEPT SELECT {_KEYED} FROM stale) THEN
        RETURN NULL;
    END IF;
    WITH now AS (
        SELECT key, created_at, id FROM fresh CROSS JOIN unnest({_KEYS}) AS key
    ), before AS (
        SELECT key, created_at, id FROM stale CROSS JOIN unnest({_KEYS}) AS key
    ), gone AS (
        DELETE FROM customer_key USING (SELECT * FROM before EXCEPT SELECT * FROM now) AS past
        WHERE customer_key.key = past.key AND customer_key.created_at = past.created_at
          AND customer_key.customer_id = past.id
    )
    INSERT INTO customer_key (key, created_at, customer_id) SELECT * FROM now EXCEPT SELECT * FROM before;
    RETURN NULL;
END $$;
ALTER INDEX customer_search_words SET (fastupdate = on, gin_pending_list_limit = 256);
"""


def upgrade() -> None:
    """Replace the function; what it does is the same."""
    script(_FOLLOWING)


def downgrade() -> None:
    """The function before did the same and stays replaced."""
    script("ALTER INDEX customer_search_words SET (fastupdate = off);")
