"""Rules by version: another ruleset judges the same ledger, and every summary says by which it was counted."""

from typing import Any

import pytest

from shared.contracts.interactions import InteractionRecorded, InteractionSummaryChanged
from tests.service.interactions import ruleset_2
from tests.service.interactions.world import World, at

FILLED = 5
"""What `fill` counts by the first ruleset: creation, e-mail, its link, SMS, call."""


@pytest.fixture
async def two(world: World) -> World:
    """A world that knows two rulesets, the first in force."""
    await ruleset_2.install(world.harness)
    return world


async def fill(world: World) -> None:
    """Something of which the rulesets think differently."""
    await world.report(
        world.fact("email", "sent", 1),
        world.fact("email_click", "clicked", 2, link="a"),
        world.fact("call", "answered", 3),
        world.fact("chat", "sent", 4),
        world.fact("sms", "sent", 9),
    )


async def rules(world: World) -> dict[str, tuple[int, str, int]]:
    """What each row contributes, by which rule of which ruleset."""
    answer = await world.seller.get(f"/api/v1/interaction-summaries/{world.customer_id}/explanation")
    return {i["kind"]: (i["contribution"], i["rule"], i["ruleset"]) for i in answer.json()["items"]}


def shown(summary: dict[str, Any]) -> tuple[int, int, str]:
    """Count, ruleset, and the item of the last contact."""
    return summary["interaction_count"], summary["ruleset"], summary["last_contact"]["kind"]


async def test_the_first_ruleset_is_in_force_from_the_start(two: World):
    """I: to know another ruleset changes nothing."""
    await fill(two)
    assert shown(await two.summary()) == (FILLED, 1, "sms")


async def test_a_fact_counts_its_customer_by_the_ruleset_in_force(two: World):
    """I: what was counted by an older ruleset is counted again with the next fact, and explained so."""
    await fill(two)
    await two.harness.forget_told()
    await ruleset_2.put_in_force(two.harness, 2)
    assert shown(await two.summary()) == (FILLED, 1, "sms")
    await two.report(two.fact("chat", "sent", 5, "2"))
    assert shown(await two.summary()) == (7, 2, "chat")
    assert await rules(two) == {
        "created": (1, "I1", 2),
        "email": (1, "I2", 2),
        "email_click": (2, "I3", 2),
        "call": (1, "I7", 2),
        "chat": (1, "I15", 2),
        "sms": (0, "I14", 2),
    }
    [told] = await two.harness.told(InteractionSummaryChanged)
    assert (told.state.ruleset, told.before["ruleset"], told.before["interaction_count"]) == (2, 1, FILLED)
    [recorded] = await two.harness.told(InteractionRecorded)
    assert (recorded.contribution, recorded.rule) == (1, "I15")


async def test_a_customer_first_seen_is_counted_by_the_ruleset_in_force(two: World):
    """I1: the ruleset is stored with the summary from its first day."""
    await ruleset_2.put_in_force(two.harness, 2)
    other = World(two.harness)
    await other.begin()
    await other.report(other.fact("sms", "sent", 1), other.fact("chat", "sent", 2))
    assert shown(await other.summary()) == (2, 2, "chat")
    assert (await other.summary())["last_contact"]["at"] == at(2).isoformat().replace("+00:00", "Z")
