"""What filters need: folded comparison in SQL, subtrees; and the views that keep filters."""

from shared.migrations import script

revision = "0004"
down_revision = "0003"
branch_labels = None
depends_on = None

_FILTERS = r"""
CREATE FUNCTION folded(given text) RETURNS text LANGUAGE sql IMMUTABLE STRICT PARALLEL SAFE
RETURN btrim(regexp_replace(
    replace(replace(replace(
        translate(
            regexp_replace(normalize(lower(given COLLATE pg_c_utf8), NFKD), '[\u0300-\u036f]', '', 'g'),
            'đðøł', 'ddol'),
        'ß', 'ss'), 'æ', 'ae'), 'œ', 'oe'),
    '\s+', ' ', 'g'));
COMMENT ON FUNCTION folded IS 'a text as names are compared: equal to what services fold themselves';

CREATE FUNCTION subtree(ids uuid[]) RETURNS uuid[] LANGUAGE sql STABLE PARALLEL SAFE
BEGIN ATOMIC
    WITH RECURSIVE below(id) AS (
        SELECT unnest(ids)
        UNION
        SELECT item.id FROM classification_item item JOIN below ON item.parent_id = below.id
    )
    SELECT coalesce(array_agg(id), '{}') FROM below;
END;
COMMENT ON FUNCTION subtree IS 'groups or sectors with all below them, as the trees are now';
"""


def upgrade() -> None:
    """Add them."""
    script(_FILTERS)


def downgrade() -> None:
    """Take them away."""
    script("DROP FUNCTION folded; DROP FUNCTION subtree;")
