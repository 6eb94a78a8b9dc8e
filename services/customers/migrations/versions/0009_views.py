"""Saved views: a filter with its order and columns, private or shared (P4)."""

from shared.migrations import script

revision = "0009"
down_revision = "0008"
branch_labels = None
depends_on = None

_VIEWS = """
CREATE TABLE saved_view (
    id uuid PRIMARY KEY,
    owner_id uuid NOT NULL REFERENCES employee (id),
    name text NOT NULL,
    name_folded text NOT NULL,
    shared boolean NOT NULL,
    filter jsonb,
    sort text[] NOT NULL,
    columns text[] NOT NULL,
    created_at timestamptz NOT NULL DEFAULT clock_timestamp(),
    updated_at timestamptz NOT NULL DEFAULT clock_timestamp(),
    version bigint NOT NULL DEFAULT 1
);
CREATE INDEX saved_view_owner ON saved_view (owner_id, name_folded, id);
CREATE INDEX saved_view_shared ON saved_view (name_folded, id) WHERE shared;
"""


def upgrade() -> None:
    """Add them."""
    script(_VIEWS)


def downgrade() -> None:
    """Take them away."""
    script("DROP TABLE saved_view;")
