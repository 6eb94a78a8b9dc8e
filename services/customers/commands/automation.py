"""What automation rules decided for customers is done once, by its action id, many at a time (K5).

A choice that may not be made (any more) changes nothing and is audited with its code, so that one disabled group does
not fill the dead letters with every customer of a rule. Deleted and unknown customers are left alone.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any
from uuid import UUID

from services.customers.commands.customers import lock_customers
from services.customers.commands.publishing import AuditRow, refusal_entry, tell, write_entries
from services.customers.domain.customer import Customer
from services.customers.domain.relationships import DONT_FORGET
from shared import inbox
from shared.contracts.events import Cause
from shared.contracts.work import AutomationActionDecided
from shared.database import Session, clock, run
from shared.envelope import Envelope

ONCE = "customers.automation-action"

_CHOICES = """
SELECT id, kind, state FROM classification_item WHERE id = ANY($1::uuid[])
UNION ALL
SELECT id, 'relationship', state FROM relationship WHERE id = ANY($1::uuid[])
"""


@dataclass(frozen=True)
class _Choice:
    """What an action chooses for its customer."""

    envelope: Envelope[AutomationActionDecided]
    action: AutomationActionDecided
    field: str
    kind: str
    value: UUID


async def apply_automation_actions(session: Session, envelopes: Sequence[Envelope[AutomationActionDecided]]) -> None:
    """Add groups and set relationships, in order; tasks are another service's. Equal values change nothing."""
    choices = [choice for envelope in envelopes if (choice := _choice(envelope)) is not None]
    choices = await _not_done_before(session, choices)
    if not choices:
        return
    customers = await lock_customers(session, {choice.action.customer_id for choice in choices})
    states = {row[0]: (row[1], row[2]) for row in await run(session, _CHOICES, [choice.value for choice in choices])}
    at, entries = await clock(session), list[AuditRow]()
    for choice in choices:
        customer = customers.get(choice.action.customer_id)
        if customer is None or customer.state != "active" or _has(customer, choice):
            continue
        refused = _refusal(choice, states.get(choice.value))
        cause = Cause(kind="automation", id=str(choice.action.automation_id))
        if refused is not None:
            changes = {choice.field: {"new": str(choice.value)}}
            entries.append(refusal_entry(customer.id, cause, changes, refused, f"automation/{choice.action.action_id}"))
            continue
        events = customer.update(_values(customer, choice), at, cause)
        entries += tell(session, events, after=choice.envelope)
    await session.flush()
    await write_entries(session, entries)


def _choice(envelope: Envelope[AutomationActionDecided]) -> _Choice | None:
    action = envelope.event
    assert action is not None, "a topic of decisions has no tombstones"
    if action.kind == "add_to_group" and action.group_id is not None:
        return _Choice(envelope, action, "group_ids", "group", action.group_id)
    if action.kind == "set_relationship" and action.relationship_id is not None:
        return _Choice(envelope, action, "relationship_id", "relationship", action.relationship_id)
    return None


async def _not_done_before(session: Session, choices: Sequence[_Choice]) -> list[_Choice]:
    """An action stays the same however often, and with whatever event id, it is told."""
    named = [replace(choice.envelope, id=str(choice.action.action_id), source="automation") for choice in choices]
    fresh = {envelope.id for envelope in await inbox.unseen(session, ONCE, named)}
    return [choice for choice in choices if str(choice.action.action_id) in fresh]


def _has(customer: Customer, choice: _Choice) -> bool:
    """A value that is there already may stay, also when it was disabled since."""
    return choice.value in customer.group_ids or choice.value == customer.relationship_id


def _refusal(choice: _Choice, found: tuple[str, str] | None) -> str | None:
    """The code of why a value may not be chosen: unknown, the system's only (G4), or disabled (G2)."""
    if found is None or found[0] != choice.kind:
        return "validation_failed"
    if choice.value == DONT_FORGET:
        return "automatic_relationship"
    return None if found[1] == "active" else "disabled_choice"


def _values(customer: Customer, choice: _Choice) -> dict[str, Any]:
    if choice.kind == "group":
        return {"group_ids": [*customer.group_ids, choice.value]}
    return {"relationship_id": choice.value}
