"""What an automation rule decided for a customer is done once, by its action id (K5)."""

from typing import Any

from services.customers.commands.choices import require_choices
from services.customers.commands.customers import lock_customers
from services.customers.commands.publishing import tell, write_entries
from shared.contracts.events import Cause
from shared.contracts.work import AutomationActionDecided
from shared.database import Session, clock
from shared.envelope import Envelope
from shared.identity import SYSTEM


async def apply_automation_action(session: Session, envelope: Envelope[AutomationActionDecided]) -> None:
    """Add a group or set a relationship; tasks are another service's. Equal values change nothing.

    Raises Invalid for a choice that may not be made; deleted and unknown customers are left alone.
    """
    action = envelope.event
    assert action is not None
    customer = (await lock_customers(session, [action.customer_id])).get(action.customer_id)
    if customer is None or customer.state != "active" or action.kind == "create_task":
        return
    values: dict[str, Any] = {}
    if action.kind == "add_to_group" and action.group_id is not None:
        values["group_ids"] = list(dict.fromkeys([*customer.group_ids, action.group_id]))
    if action.kind == "set_relationship" and action.relationship_id is not None:
        values["relationship_id"] = action.relationship_id
    await require_choices(session, SYSTEM, values, customer)
    cause = Cause(kind="automation", id=str(action.automation_id))
    events = customer.update(values, await clock(session), cause)
    await session.flush()
    await write_entries(session, tell(session, events, after=envelope))
