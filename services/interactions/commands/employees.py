"""Following `crm.directory`: the copy, and since when somebody has been in it (A2, U2)."""

from collections.abc import Sequence

from shared.contracts.directory import EmployeeChanged
from shared.contracts.events import Event
from shared.copies import apply_employees
from shared.database import Session, run
from shared.envelope import Envelope

_ENTERED = """
UPDATE employee SET created_at = entered.at
FROM (SELECT id, min(at) AS at FROM unnest($1::uuid[], $2::timestamptz[]) AS given(id, at) GROUP BY id) AS entered
WHERE employee.id = entered.id AND employee.created_at IS DISTINCT FROM entered.at
"""


async def follow_employees(session: Session, envelopes: Sequence[Envelope[Event]]) -> None:
    """Write employees into the copy; when they came into the directory never changes."""
    await apply_employees(session, envelopes)
    states = [e.event.state for e in envelopes if isinstance(e.event, EmployeeChanged)]
    await run(session, _ENTERED, [state.id for state in states], [state.created_at for state in states])
