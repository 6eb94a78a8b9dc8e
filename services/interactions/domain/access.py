"""Who may write what hangs on a customer, beside what the customer itself allows (R1)."""

from uuid import UUID

from shared.errors import Forbidden
from shared.identity import Actor


def require_employee(actor: Actor) -> UUID:
    """The employee who acts. Raises Forbidden for a service: no permission names what only people do (R2)."""
    if actor.employee_id is None:
        raise Forbidden
    return actor.employee_id
