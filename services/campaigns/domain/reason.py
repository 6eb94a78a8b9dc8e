"""Why an opportunity has its owner, or none: kept with every assignment (K4)."""

from typing import Any, Literal
from uuid import UUID

from shared.contracts.events import Cause
from shared.identity import Actor

Reason = dict[str, Any]
"""A code and what it needs: `{"code": "round_robin", "turn": 7, "people": 3}`."""

Method = Literal["round_robin", "weighted"]
WhyQueued = Literal["no_staff", "outside_hours", "capacity", "customer_away"]


def by_hand(actor: Actor) -> Reason:
    """Somebody chose the owner."""
    return {"code": "by_hand", "employee_id": actor.id}


def by_turn(method: Method, turn: int, people: int) -> Reason:
    """It was this person's turn: the `turn`-th since the set of people last changed."""
    return {"code": method, "turn": turn, "people": people}


def by_rule(automation_id: UUID, method: Method, turn: int, people: int) -> Reason:
    """An automation rule added the customer and had the opportunity handed out; it was this person's turn (K5)."""
    return {"code": "automation", "automation_id": str(automation_id), "method": method, "turn": turn, "people": people}


def redistributed(previous_owner_id: UUID, method: Method, turn: int, people: int) -> Reason:
    """The previous owner left the staff or the company; it was the new one's turn."""
    return {"code": "redistributed", "from": str(previous_owner_id), "method": method, "turn": turn, "people": people}


def succeeded(previous_owner_id: UUID) -> Reason:
    """The previous owner left and named who takes over (A6)."""
    return {"code": "successor", "from": str(previous_owner_id)}


def queued(why: WhyQueued, previous_owner_id: UUID | None) -> Reason:
    """Nobody was free: no active staff, none at work now, or all have had enough for today; or the owner left while
    the customer was away.
    """
    reason: Reason = {"code": f"queued_{why}"}
    return reason if previous_owner_id is None else reason | {"from": str(previous_owner_id)}


def caused_by(actor: Actor) -> Cause:
    """The cause that events name when somebody asked for the change."""
    return Cause(kind="user" if actor.kind == "user" else "system", id=actor.id)


def caused_by_campaign(campaign_id: UUID) -> Cause:
    """The cause that events name when a campaign hands opportunities out by turns."""
    return Cause(kind="campaign", id=str(campaign_id))


def caused_by_rule(automation_id: UUID) -> Cause:
    """The cause that events name when an automation rule added a customer."""
    return Cause(kind="automation", id=str(automation_id))
