"""Writing automation rules: `crm:settings` and `campaigns:manage` together (R1, K5)."""

import asyncio
import time
from collections.abc import Sequence
from typing import Any
from uuid import UUID

from sqlalchemy import select

from services.campaigns.domain.automation import Automation
from services.campaigns.domain.campaign import Campaign
from services.campaigns.domain.condition import require_supported
from services.campaigns.queries.automations import get_automation
from shared.contracts.classification import relationship_id
from shared.database import Session, clock, run
from shared.envelope import new_id
from shared.errors import Invalid, NotFound
from shared.identity import MANAGE_CAMPAIGNS, SETTINGS, Actor

POLL_SECONDS = 0.05
DONT_FORGET = relationship_id("dont_forget")

Named = Sequence[tuple[str, str, UUID]]
"""What a rule names: its pointer, the kind of item it must be, its id."""

_ITEMS = "SELECT id, kind, state FROM classification WHERE id = ANY($1::uuid[])"


async def create_automation(session: Session, actor: Actor, values: dict[str, Any], wait_seconds: float) -> Automation:
    """Begin a rule; it holds for what happens from now on.

    Raises Forbidden, Invalid for what it names, `unsupported_condition`, `disabled_choice`, `automatic_relationship`.
    """
    await require_rule(session, actor, values, wait_seconds)
    at = await clock(session)
    automation = Automation(**values, id=new_id(), since=at, created_at=at, version=1)
    session.add(automation)
    return automation


async def change_automation(
    session: Session,
    actor: Actor,
    automation_id: UUID,
    values: dict[str, Any],
    expected_version: int | None,
    wait_seconds: float,
) -> Automation:
    """Change a rule. Raises NotFound, Forbidden, VersionConflict, and what `create_automation` refuses."""
    await get_automation(session, actor, automation_id)  # not locked: whoever decides by it shall not wait too
    await require_rule(session, actor, values, wait_seconds)
    automation = await _lock(session, actor, automation_id)
    automation.require_version(expected_version)
    automation.revise(values, await clock(session))
    return automation


async def delete_automation(
    session: Session, actor: Actor, automation_id: UUID, expected_version: int | None = None
) -> None:
    """End a rule. Raises NotFound, Forbidden, VersionConflict."""
    automation = await _lock(session, actor, automation_id)
    automation.require_version(expected_version)
    automation.delete(await clock(session))


async def require_rule(session: Session, actor: Actor, values: dict[str, Any], wait_seconds: float) -> None:
    """Whether the actor may write this rule, and whether it can ever be done. Raises Forbidden, Invalid.

    What it names may still be on its way here: it is waited for.
    """
    actor.require(MANAGE_CAMPAIGNS)
    actor.require(SETTINGS)
    require_supported(values.get("condition"))
    await _require_campaigns(session, values.get("actions", ()))
    await _require_items(session, _named(values), wait_seconds)


def _named(values: dict[str, Any]) -> list[tuple[str, str, UUID]]:
    named: list[tuple[str, str, UUID]] = []
    trigger = values.get("trigger") or {}
    if trigger.get("item_id"):
        kind = {"group_added": "group", "source_added": "source"}.get(trigger["kind"], "relationship")
        named.append(("/trigger/item_id", kind, UUID(trigger["item_id"])))
    for place, action in enumerate(values.get("actions", ())):
        for field, kind in (("group_id", "group"), ("relationship_id", "relationship")):
            if field in action:
                named.append((f"/actions/{place}/{field}", kind, UUID(action[field])))
    return named


async def _require_items(session: Session, named: Named, wait_seconds: float) -> None:
    deadline, wanted = time.monotonic() + wait_seconds, [item_id for *_, item_id in named]
    while True:
        found = {row.id: row for row in await run(session, _ITEMS, wanted)} if wanted else {}
        if found.keys() >= set(wanted) or time.monotonic() >= deadline:
            break
        await asyncio.sleep(POLL_SECONDS)
    for pointer, kind, item_id in named:
        item = found.get(item_id)
        if item is None or item.kind != kind:
            raise Invalid.at(pointer, detail=f"unknown {kind}")
        if pointer.startswith("/actions") and item_id == DONT_FORGET:
            raise Invalid.at(pointer, "automatic_relationship", "set by the system only")
        if pointer.startswith("/actions") and item.state != "active":
            raise Invalid.at(pointer, "disabled_choice", "disabled")


async def _require_campaigns(session: Session, actions: Sequence[dict[str, Any]]) -> None:
    for place, action in enumerate(actions):
        if action["kind"] != "add_to_campaign":
            continue
        campaign = await session.get(Campaign, UUID(action["campaign_id"]))
        if campaign is None or campaign.state != "active":
            raise Invalid.at(f"/actions/{place}/campaign_id", detail="unknown campaign")


async def _lock(session: Session, actor: Actor, automation_id: UUID) -> Automation:
    if not actor.may(MANAGE_CAMPAIGNS):
        raise NotFound
    statement = select(Automation).where(Automation.id == automation_id, Automation.deleted_at.is_(None))
    held = statement.with_for_update(key_share=True).execution_options(populate_existing=True)
    automation = await session.scalar(held)
    if automation is None:
        raise NotFound
    actor.require(SETTINGS)
    return automation
