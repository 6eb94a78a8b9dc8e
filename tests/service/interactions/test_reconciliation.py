"""The hourly check against raw facts, and telling summaries again."""

import asyncio
import re
from datetime import date
from typing import Any

from services.interactions.commands.reconciliation import reconcile
from shared.contracts.documents import DOCUMENTS
from shared.contracts.interactions import SUMMARIES, InteractionSummaryChanged
from shared.republishing import RAISE
from tests.service.interactions.world import World

TODAY = date(2026, 11, 24)


async def fill(world: World) -> None:
    """A ledger with a bit of everything."""
    await world.report(
        world.fact("email", "sent"),
        world.fact("email", "read", 1),
        world.fact("email_click", "clicked", 2, link="a"),
        world.fact("email_click", "clicked", 3, link="b"),
        world.fact("email_click", "clicked", 4, "2", link="b"),
        world.fact("sms", "sent", 5),
        world.fact("sms", "failed", 6),
        world.fact("zns", "sent", 7),
        world.fact("chat", "received", 8),
        world.fact("call", "unanswered", 9),
    )


async def check(world: World) -> dict[str, Any]:
    """What the job answers."""
    return dict(await reconcile(world.harness.database, world.harness.settings, TODAY))


async def test_a_ledger_without_drift_is_left_alone(world: World):
    """I10: 0 repairs is the promise, and nothing is told."""
    await fill(world)
    await world.harness.forget_told()
    assert await check(world) == {"checked": 1, "repaired_rows": 0, "repaired_summaries": 0, "set_aside": 0}
    assert await world.harness.told() == []


async def test_rows_and_summaries_that_drifted_are_put_right_and_told(world: World):
    """I10: whatever a fault or a hand in the database has changed comes back from the facts."""
    await fill(world)
    right = await world.summary()
    explained = await world.explanation()
    await world.harness.sql(
        "UPDATE ledger SET links = 7, read_at = NULL, outcome = NULL, occurred_at = NULL WHERE kind = 'email'"
    )
    await world.harness.sql(
        "UPDATE ledger SET outcome = NULL, received_at = NULL,"
        " deletion = (now(), gen_random_uuid(), 'deleted', NULL)::outcome"
    )
    await world.harness.sql("UPDATE summary SET interaction_count = 99, contact = NULL, two_way = manual")
    outcome = await check(world)
    assert (outcome["repaired_rows"] > 5, outcome["repaired_summaries"]) == (True, 1)
    repaired = await world.summary()
    changing = {"as_of", "version"}
    assert {k: v for k, v in repaired.items() if k not in changing} == {
        k: v for k, v in right.items() if k not in changing
    }
    assert await world.explanation() == explained
    [*_, told] = await world.harness.told(InteractionSummaryChanged)
    assert (told.version, told.state.interaction_count) == (right["version"] + 1, right["interaction_count"])
    assert (await check(world))["repaired_summaries"] == 0


async def drift(world: World) -> dict[str, float]:
    """What the metrics say."""
    metrics = (await world.seller.get("/metrics")).text
    found = re.findall(r'^rapport_ledger_drift\{what="(\w+)"\} (.+)$', metrics, re.MULTILINE)
    return {what: float(value) for what, value in found}


async def test_drift_is_a_metric_of_every_api(world: World):
    """I10: what the job repaired, all runs together; 0 until then, and shown though the database be away."""
    await fill(world)
    await check(world)
    assert await drift(world) == {"rows": 0, "summaries": 0}
    for number in (1, 2):
        await world.harness.sql("UPDATE ledger SET received_at = NULL WHERE kind = 'chat'")
        await world.harness.sql("UPDATE summary SET interaction_count = 99")
        await check(world)
        assert await drift(world) == {"rows": number, "summaries": number}
    await world.harness.database.close()
    assert await drift(world) == {"rows": 2, "summaries": 2}


async def test_only_what_changed_since_the_last_finished_run_is_checked(world: World):
    """I10: an hour's work is an hour's changes; a run that failed is made up for."""
    await fill(world)
    await world.harness.sql("UPDATE summary SET as_of = now() - interval '2 hours'")
    started = (
        "INSERT INTO job_run (job, slot, started_at, finished_at) VALUES ('reconcile', $1, now(), $2::timestamptz)"
    )
    await world.harness.sql(started, "failed", None)
    assert (await check(world))["checked"] == 1
    await world.harness.sql(started.replace("$2::timestamptz", "now()"), "finished")
    assert (await check(world))["checked"] == 0


async def test_checking_does_not_disturb_facts_that_arrive_meanwhile(world: World):
    """I10: the check holds each summary while it counts; what comes then waits and counts once."""
    await fill(world)
    before = await world.count()
    arriving = [world.report(world.fact("sms", "sent", n, f"n{n}")) for n in range(20)]
    checking = asyncio.create_task(check(world))
    await asyncio.gather(*arriving)
    outcome = await checking
    assert (outcome["repaired_rows"], outcome["repaired_summaries"]) == (0, 0)
    assert await world.count() == before + 20
    assert (await check(world))["repaired_summaries"] == 0


async def test_a_republished_summary_keeps_its_version(world: World):
    """Copies that lost something are repaired by what is told again, under the same version."""
    await fill(world)
    version = (await world.summary())["version"]
    await world.harness.forget_told()
    for raised in (False, True):
        assert await world.harness.republish(SUMMARIES, raised) == 1
        assert await world.harness.republish(DOCUMENTS, raised) == 0
    told = await world.harness.told_with_headers(InteractionSummaryChanged)
    assert [(event.version, event.changed, headers["ce_replayed"]) for headers, event in told] == [
        (version, (), "true"),
        (version + RAISE, (), "true"),
    ]
