"""Which of some ids are of a kind: filters ask before they look into what several kinds share."""

from shared.migrations import script

revision = "0010"
down_revision = "0009"
branch_labels = None
depends_on = None

_OF_KIND = """
CREATE FUNCTION of_kind(ids uuid[], wanted text) RETURNS uuid[] LANGUAGE sql STABLE PARALLEL SAFE
BEGIN ATOMIC
    SELECT coalesce(array_agg(id), '{}') FROM (
        SELECT id FROM classification_item WHERE id = ANY (ids) AND kind = wanted
        UNION ALL
        SELECT id FROM employee WHERE id = ANY (ids) AND wanted = 'employee'
    ) known;
END;
COMMENT ON FUNCTION of_kind IS 'those of some ids that are groups, sectors, sources or employees';
"""


def upgrade() -> None:
    """Add it."""
    script(_OF_KIND)


def downgrade() -> None:
    """Take it away."""
    script("DROP FUNCTION of_kind;")
