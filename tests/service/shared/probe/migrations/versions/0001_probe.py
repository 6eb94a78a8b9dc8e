"""The mechanisms' tables, and what the probe writes down: every effect once more, so that a repetition shows."""

from shared.migrations import MECHANISMS_1, script

revision = "0001"
down_revision = None
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Create everything."""
    script(MECHANISMS_1)
    script("""
        CREATE TABLE effect (
            id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
            key uuid NOT NULL,
            text text NOT NULL CONSTRAINT never_poison CHECK (text <> 'poison')
        );
        CREATE TABLE copy (id uuid PRIMARY KEY, text text NOT NULL, version bigint NOT NULL);
    """)


def downgrade() -> None:
    """There is nothing before the first revision."""
    raise RuntimeError("the first revision cannot be taken back")
