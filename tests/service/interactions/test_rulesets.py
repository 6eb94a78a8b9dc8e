"""Rules by version: another ruleset judges the same ledger, and every summary says by which it was counted."""

import asyncio
import json
import os
import sys
from datetime import date
from typing import Any
from uuid import UUID

import pytest

from services.interactions.commands.reconciliation import reconcile
from services.interactions.commands.rulesets import UnknownRuleset, judge, put_in_force
from shared.contracts.customers import CustomerErased, ErasedState
from shared.contracts.events import Cause
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


async def everything(world: World) -> list[Any]:
    """All that a dry run must leave alone."""
    return [
        await world.harness.sql(f"SELECT xmin::text, * FROM {table} ORDER BY 2, 3")
        for table in ("summary", "ledger", "fact", "outbox", "ruleset")
    ]


async def test_a_dry_run_says_what_would_change_and_changes_nothing(two: World):
    """I: counts up and down, contacts that move, an example of each customer; not a row is written."""
    await fill(two)
    other = World(two.harness)
    await other.begin()
    before = await everything(two)
    verdict = (await judge(two.harness.database, 2)).as_dict()
    assert await everything(two) == before
    [example] = verdict.pop("examples")
    assert example == {
        "customer_id": str(two.customer_id),
        "interaction_count": {"old": FILLED, "new": 6},
        "last_contact": {"old": moment(9), "new": moment(4)},
        "last_two_way_contact": {"old": moment(3), "new": moment(3)},
    }
    assert verdict == {
        "customers": 2,
        "rows": 7,
        "customers_changed": 1,
        "counts_changed": 1,
        "gained": 1,
        "lost": 0,
        "last_contacts_changed": 1,
        "two_way_contacts_changed": 0,
    }
    assert (await judge(two.harness.database, 1)).customers_changed == 0


async def test_what_was_foretold_is_what_happens_and_nothing_else_is_written(two: World):
    """I: changed numbers are told with their ruleset; of the others no number, version or moment moves."""
    await fill(two)
    other = World(two.harness)
    await other.begin()
    unchanged = await other.summary()
    stored = "SELECT as_of, version, interaction_count FROM summary WHERE customer_id = $1"
    before = await two.harness.sql(stored, other.customer_id)
    await two.harness.forget_told()
    foretold = await judge(two.harness.database, 2)
    assert await put_in_force(two.harness.database, 2) == foretold.customers_changed == 1
    assert shown(await two.summary()) == (6, 2, "chat")
    [told] = await two.harness.told()
    assert (told.state.customer_id, told.state.ruleset, told.state.interaction_count) == (two.customer_id, 2, 6)
    assert set(told.changed) == {"interaction_count", "last_contact", "ruleset"}
    kept = await other.summary()
    assert kept["ruleset"] == 2
    assert all(kept[name] == unchanged[name] for name in kept if name not in ("ruleset", "as_of"))
    assert await two.harness.sql(stored, other.customer_id) == before
    assert (await judge(two.harness.database, 2)).customers_changed == 0
    assert await put_in_force(two.harness.database, 2) == 0


async def test_a_ruleset_can_be_taken_back(two: World):
    """I: the facts were not touched, so the older rules say what they said."""
    await fill(two)
    before = await two.summary()
    await put_in_force(two.harness.database, 2)
    assert await put_in_force(two.harness.database, 1) == 1
    after = await two.summary()
    assert {k: v for k, v in after.items() if k not in ("as_of", "version")} == {
        k: v for k, v in before.items() if k not in ("as_of", "version")
    }


async def test_a_run_that_was_killed_goes_on_where_it_ended(two: World, monkeypatch: pytest.MonkeyPatch):
    """I: batches are committed one by one, and each summary says whether it has been counted."""
    monkeypatch.setattr("services.interactions.commands.rulesets.COUNTED_TOGETHER", 1)
    worlds = [two, World(two.harness), World(two.harness)]
    for world in worlds[1:]:
        await world.begin()
    for world in worlds:
        await fill(world)

    class Killed(Exception):
        pass

    def kill(customers: int) -> None:
        raise Killed

    with pytest.raises(Killed):
        await put_in_force(two.harness.database, 2, kill)
    assert sorted([(await world.summary())["ruleset"] for world in worlds]) == [1, 1, 2]
    done: list[int] = []
    assert await put_in_force(two.harness.database, 2, done.append) == 2
    assert done == [1, 2]
    assert {shown(await world.summary()) for world in worlds} == {(6, 2, "chat")}


async def test_facts_that_arrive_meanwhile_are_counted_once_by_the_new_rules(two: World):
    """I: whichever comes first to a summary, the command or the fact, finds it or leaves it right."""
    worlds = [two, *(World(two.harness) for _ in range(5))]
    for world in worlds[1:]:
        await world.begin()
    for world in worlds:
        await fill(world)
    arriving = [world.report(world.fact("chat", "sent", n, f"n{n}")) for n in range(6, 9) for world in worlds]
    enforcing = asyncio.create_task(put_in_force(two.harness.database, 2))
    await asyncio.gather(*arriving)
    await enforcing
    assert {shown(await world.summary()) for world in worlds} == {(9, 2, "chat")}
    assert (await judge(two.harness.database, 2)).customers_changed == 0


async def test_a_word_by_hand_and_an_erasure_are_minded(two: World):
    """I, L3, C8: what was said by hand stays what is shown; the erased are passed by."""
    await fill(two)
    path = f"/api/v1/interaction-summaries/{two.customer_id}/last-contact"
    await two.seller.put(path, json={"at": at(-60).isoformat()})
    gone = World(two.harness)
    await gone.begin()
    await gone.harness.deliver(erased(gone.customer_id))
    verdict = await judge(two.harness.database, 2)
    assert (verdict.customers, verdict.customers_changed, verdict.last_contacts_changed) == (1, 1, 0)
    assert await put_in_force(two.harness.database, 2) == 1
    assert shown(await two.summary()) == (6, 2, "manual")


async def test_reconciling_counts_by_the_ruleset_in_force_and_calls_it_no_drift(two: World):
    """I10: a summary that the command has not reached yet is not wrong."""
    await fill(two)
    await ruleset_2.put_in_force(two.harness, 2)
    outcome = await reconcile(two.harness.database, two.harness.settings, date(2026, 11, 24))
    assert (outcome["repaired_rows"], outcome["repaired_summaries"]) == (0, 0)
    assert shown(await two.summary()) == (6, 2, "chat")


async def test_a_ruleset_that_is_not_there_is_refused(two: World):
    """I: before anything is read or written, with the numbers there are."""
    for asking in (judge, put_in_force):
        with pytest.raises(UnknownRuleset, match="there is no ruleset 3; there are: 1, 2"):
            await asking(two.harness.database, 3)
    assert (await two.summary())["ruleset"] == 1


@pytest.mark.parametrize("dry_run", [True, False])
async def test_the_command_says_what_would_change_before_it_changes_it(two: World, dry_run: bool):
    """I: `recompute --ruleset 2`: first the verdict, then the deed; with `--dry-run` the verdict alone."""
    await fill(two)
    arguments = ["recompute", "--ruleset", "2", *(["--dry-run"] if dry_run else [])]
    process = await asyncio.create_subprocess_exec(
        sys.executable,
        "-m",
        "services.interactions",
        *arguments,
        env=environment(two),
        stdout=asyncio.subprocess.PIPE,
    )
    output, _ = await process.communicate()
    lines = [json.loads(line) for line in output.splitlines()]
    assert process.returncode == 0
    assert lines[0]["would_change"]["counts_changed"] == 1
    assert lines[1:] == ([] if dry_run else [{"ruleset": 2, "in_force": True, "summaries_told": 1}])
    assert (await two.summary())["ruleset"] == (1 if dry_run else 2)


def moment(minutes: float) -> str:
    """A moment as JSON has it."""
    return at(minutes).isoformat().replace("+00:00", "Z")


def erased(customer_id: UUID) -> CustomerErased:
    """That a customer was erased."""
    return CustomerErased(version=9, state=ErasedState(id=customer_id), cause=Cause(kind="user"))


def environment(world: World) -> dict[str, str]:
    """The variables that a process of the service needs to reach the test's database."""
    settings = world.harness.settings
    return {
        **os.environ,
        "DATABASE_URL_INTERACTIONS": settings.database_url.get_secret_value(),
        "KAFKA_BOOTSTRAP_SERVERS": settings.kafka_bootstrap_servers,
        "RAPPORT_JWKS_URL": settings.jwks_url,
        "RAPPORT_TOKEN_ISSUER": settings.token_issuer,
    }
