"""Now, by the database's clock: what orders writes between processes, and what day it is for the tenant."""

from dataclasses import dataclass
from datetime import date, datetime

from shared.database import Session, run


@dataclass(frozen=True)
class Moment:
    """One moment: `at` in UTC, `local` as a clock on the tenant's wall shows it (without a zone)."""

    at: datetime
    local: datetime

    @property
    def today(self) -> date:
        """The tenant's calendar day."""
        return self.local.date()


async def now(session: Session) -> Moment:
    """The moment it is; ask after the row is locked."""
    found = await run(
        session, "SELECT at, at AT TIME ZONE current_setting('rapport.zone') FROM clock_timestamp() AS at"
    )
    return Moment(*found.one())
