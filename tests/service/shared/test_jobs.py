"""Jobs for a timer: once for a slot, whoever asks first, and again when the run failed."""

import asyncio
from collections.abc import Mapping
from datetime import date
from typing import Any

import pytest

from shared.database import Database, run
from shared.service import Service, run_job
from shared.settings import Settings
from tests.service.shared.conftest import PACKAGE
from tests.service.shared.probe.process import Probe

TODAY = date(2026, 11, 1)
RUNNERS = 4
SLOTS = 5


def service_with(job: Any) -> Service:
    """The probe with one job."""
    return Service("probe", "Probe", "A service with a job.", PACKAGE, (), (), jobs={"count": job})


async def count_run(database: Database, _: Settings, today: date) -> Mapping[str, Any]:
    """Leave a mark for every run."""
    async with database.transaction() as session:
        await run(session, "INSERT INTO effect (key, text) VALUES (gen_random_uuid(), $1)", str(today))
    await asyncio.sleep(0.05)
    return {"counted": 1}


async def test_four_runners_run_every_slot_once(probe: Probe) -> None:
    """Replicas of a CronJob: each slot has one run, and every runner learns whether it was theirs."""
    service = service_with(count_run)
    outcomes = await asyncio.gather(
        *(
            run_job(service, probe.settings, "count", f"slot {slot}", TODAY)
            for slot in range(SLOTS)
            for _ in range(RUNNERS)
        )
    )
    assert len(await probe.effects()) == SLOTS
    assert [outcome for outcome in outcomes if outcome is not None] == [{"counted": 1}] * SLOTS
    rows = await probe.sql("SELECT count(*) FROM job_run WHERE finished_at > started_at")
    assert rows[0][0] == SLOTS


async def test_a_run_that_failed_leaves_its_slot_to_the_next(probe: Probe) -> None:
    """Its fault is told; nothing says that the slot was done."""

    async def fail(*_: Any) -> Mapping[str, Any]:
        raise RuntimeError("not today")

    with pytest.raises(RuntimeError):
        await run_job(service_with(fail), probe.settings, "count", "slot", TODAY)
    assert await run_job(service_with(count_run), probe.settings, "count", "slot", TODAY) == {"counted": 1}
    assert await run_job(service_with(count_run), probe.settings, "count", "slot", TODAY) is None


async def test_purge_forgets_what_has_served_its_time_and_nothing_younger(probe: Probe) -> None:
    """Inbox entries after 45 days, sent events after one; runs of jobs after 90."""
    await probe.sql(
        "INSERT INTO inbox (consumer, source, event_id, received_at) VALUES"
        " ('c', 's', 'old', now() - interval '45 days 1 minute'), ('c', 's', 'young', now() - interval '44 days')"
    )
    await probe.sql(
        "INSERT INTO outbox_sent (id, event_id, topic, aggregatetype, aggregateid, type, headers, created_at, sent_at)"
        " SELECT n, gen_random_uuid(), 't', 'a', 'k', 'x', '{}', now(), now() - n * interval '20 hours'"
        " FROM generate_series(1, 2) AS n"
    )
    outcome = await run_job(service_with(count_run), probe.settings, "purge", "slot", TODAY)
    assert outcome == {"idempotent_answers": 0, "inbox_entries": 1, "sent_events": 1}
    assert [row.event_id for row in await probe.sql("SELECT event_id FROM inbox")] == ["young"]
    assert [row.id for row in await probe.sql("SELECT id FROM outbox_sent")] == [1]
