"""Numbers that previews told to be hidden customers', for an hour."""

from shared.migrations import script

revision = "0003"
down_revision = "0002"
branch_labels = None
depends_on = None

_REVEALED = """
CREATE TABLE revealed_phone (
    actor text NOT NULL,
    way text NOT NULL CHECK (way IN ('single', 'batch')),
    phone text NOT NULL,
    revealed_at timestamptz NOT NULL DEFAULT clock_timestamp(),
    PRIMARY KEY (actor, way, phone)
);
CREATE INDEX revealed_phone_revealed_at ON revealed_phone (revealed_at);
"""


def upgrade() -> None:
    """Expands only."""
    script(_REVEALED)


def downgrade() -> None:
    """Not needed before the first release."""
    raise RuntimeError("this revision cannot be taken back")
