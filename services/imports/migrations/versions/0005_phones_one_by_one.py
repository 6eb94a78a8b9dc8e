"""Phones of the copies are looked up one by one: none may lie in a list that every single look-up reads through."""

from shared.migrations import script

revision = "0005"
down_revision = "0004"
branch_labels = None
depends_on = None

_ENTERED_AT_ONCE = """
ALTER INDEX customer_phones SET (fastupdate = off);
SELECT gin_clean_pending_list('customer_phones');
"""


def upgrade() -> None:
    """Enter phones into the index at once."""
    script(_ENTERED_AT_ONCE)


def downgrade() -> None:
    """Not needed before the first release."""
    raise RuntimeError("this revision cannot be taken back")
