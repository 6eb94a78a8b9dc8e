"""The relay between a real database and a real broker: everything arrives, in the order of each key."""

import asyncio
import time
from collections import defaultdict
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID, uuid4

import asyncpg
import pytest
from aiokafka.errors import KafkaError, RequestTimedOutError

from shared import outbox
from shared.relay import KEPT_TOPICS, Relay
from shared.republishing import resend_since
from tests.service.shared.conftest import MakeProbe
from tests.service.shared.probe.contracts import Notes, fact_notes, state_notes
from tests.service.shared.probe.process import Probe
from tests.support.system import eventually

EVENTS = 10_000
KEYS = 40
WRITERS = 8
VERSIONS = EVENTS // KEYS
VERSIONS_A_COMMIT = 10
TAKEOVER_SECONDS = 1.5
AT_ONCE_SECONDS = 1.3
"""One look at the lock a second, and the time it takes to reach the broker."""


@asynccontextmanager
async def relaying(probe: Probe) -> AsyncIterator[Relay]:
    """A relay of the probe, stopped cleanly at the end."""
    relay = Relay(probe.settings)
    task = asyncio.create_task(relay.run())
    try:
        yield relay
    finally:
        relay.stop()
        await task


async def test_ten_thousand_events_of_many_writers_arrive_in_the_order_of_each_key(probe: Probe) -> None:
    """While eight writers commit and two relays run: per key every version once, in order, nothing is left."""
    notes = state_notes(partitions=4)
    await probe.make_topics(notes)

    async def write(keys: list[UUID]) -> None:
        for first in range(1, VERSIONS + 1, VERSIONS_A_COMMIT):
            versions = range(first, first + VERSIONS_A_COMMIT)
            await probe.tell(*(notes.changed(key, version) for version in versions for key in keys))

    keys = [uuid4() for _ in range(KEYS)]
    async with relaying(probe), relaying(probe):
        await asyncio.gather(*(write(keys[number::WRITERS]) for number in range(WRITERS)))
        await eventually(lambda: _all_sent(probe))
    versions = await _versions(probe, notes)
    assert versions == {key: list(range(1, VERSIONS + 1)) for key in keys}
    assert await probe.sql("SELECT 1 FROM outbox_sent") == [], "a topic of states needs no second copy"


async def test_events_soon_after_a_batch_come_together_those_after_a_pause_go_at_once(
    make_probe: MakeProbe, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A batch costs every reader the same for one event as for twenty; the first after a pause waits for none."""
    probe = await make_probe(relay_gather_seconds=1)
    notes = state_notes()
    await probe.make_topics(notes)
    async with relaying(probe) as relay:
        await probe.tell(notes.changed(uuid4(), 1))
        await eventually(lambda: _all_sent(probe))
        sizes, send = list[int](), relay.send_batch

        async def counted(*with_what: Any) -> int:
            sizes.append(await send(*with_what))
            return sizes[-1]

        monkeypatch.setattr(relay, "send_batch", counted)
        for _ in range(5):
            await probe.tell(notes.changed(uuid4(), 1))
            relay.wake()
        await eventually(lambda: _all_sent(probe))
        assert [size for size in sizes if size] == [5]
        await asyncio.sleep(1)
        started = time.monotonic()
        await probe.tell(notes.changed(uuid4(), 1))
        relay.wake()
        await eventually(lambda: _all_sent(probe))
        assert time.monotonic() - started < 1


async def test_an_event_with_a_smaller_id_that_commits_later_is_not_passed_over(probe: Probe) -> None:
    """Ids are given when a row is written, not when it is committed: a relay that remembers the last id loses it."""
    notes = state_notes()
    await probe.make_topics(notes)
    slow, quick = notes.changed(uuid4(), 1), notes.changed(uuid4(), 1)
    async with relaying(probe):
        async with probe.database.transaction() as session:
            outbox.add(session, slow)
            await outbox.write(session)
            await probe.tell(quick)
            await eventually(lambda: _told(probe, notes, 1))
        await eventually(lambda: _told(probe, notes, 2))
    assert [(record.key or b"").decode() for record in await probe.broker.read(notes.topic.name)] == [
        quick.key,
        slow.key,
    ]


async def test_of_two_relays_one_leads_and_the_other_takes_over_at_once_when_it_says_goodbye(
    make_probe: MakeProbe,
) -> None:
    """A clean hand-over needs no wait: nothing of the predecessor is on its way."""
    probe = await make_probe(relay_takeover_seconds=30)
    notes = state_notes()
    await probe.make_topics(notes)
    async with relaying(probe) as second_later:
        await eventually(lambda: _leads(second_later))
        async with relaying(probe) as second:
            await asyncio.sleep(0.3)
            assert (second_later.leads, second.leads) == (True, False)
            second_later.stop()
            await eventually(lambda: _leads(second), seconds=AT_ONCE_SECONDS)
            await probe.tell(notes.changed(uuid4(), 1))
            await eventually(lambda: _told(probe, notes, 1))


async def test_beside_a_leader_nobody_sends_however_long_they_wait(make_probe: MakeProbe) -> None:
    """Two at once would send a key's versions in any order: a relay that is not the leader does not become one."""
    probe = await make_probe(relay_takeover_seconds=0.1)
    async with relaying(probe) as leader:
        await eventually(lambda: _leads(leader))
        async with relaying(probe) as other:
            await asyncio.sleep(AT_ONCE_SECONDS)
            assert (leader.leads, other.leads) == (True, False), "two relays lead at once"


async def test_after_a_relay_that_was_killed_the_next_one_waits(make_probe: MakeProbe) -> None:
    """A batch that the dead one had on its way could arrive behind the successor's: the wait outlives it."""
    probe = await make_probe(relay_takeover_seconds=TAKEOVER_SECONDS)
    notes = state_notes()
    await probe.make_topics(notes)
    killed = Relay(probe.settings)
    task = asyncio.create_task(killed.run())
    await eventually(lambda: _leads(killed))
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)
    started = time.monotonic()
    await probe.tell(notes.changed(uuid4(), 1))
    async with relaying(probe) as successor:
        await asyncio.sleep(TAKEOVER_SECONDS / 2)
        assert not successor.leads, "the successor sends while its predecessor's batch may be on its way"
        await eventually(lambda: _told(probe, notes, 1))
    assert time.monotonic() - started >= TAKEOVER_SECONDS


async def test_a_leader_whose_database_session_was_ended_leads_again_after_the_wait(make_probe: MakeProbe) -> None:
    """With the session went the lock: the relay may no longer send, and starts over as if it had been killed."""
    probe = await make_probe(relay_takeover_seconds=0.5)
    notes = state_notes()
    await probe.make_topics(notes)
    async with relaying(probe) as relay:
        await eventually(lambda: _leads(relay))
        await probe.sql(
            "SELECT pg_terminate_backend(pid) FROM pg_locks WHERE locktype = 'advisory' AND"
            " database = (SELECT oid FROM pg_database WHERE datname = current_database())"
        )
        await probe.tell(notes.changed(uuid4(), 1))
        await eventually(lambda: _told(probe, notes, 1))
        assert relay.leads


async def test_while_a_topic_is_missing_its_events_wait_and_then_go(make_probe: MakeProbe) -> None:
    """What the broker does not take stays in the outbox; nothing is skipped, nothing gives up."""
    probe = await make_probe(relay_request_timeout_seconds=0.3, relay_takeover_seconds=0.4)
    notes = state_notes()
    await probe.tell(notes.changed(uuid4(), 1))
    async with relaying(probe):
        await asyncio.sleep(1)
        assert await probe.outbox_count() == 1, "the event left the outbox, and no broker has it"
        await probe.make_topics(notes)
        await eventually(lambda: _told(probe, notes, 1))
        await eventually(lambda: _all_sent(probe))


async def test_what_was_refused_stays_and_what_follows_it_on_the_same_key_stays_with_it(probe: Probe) -> None:
    """Compaction keeps what comes last: version 1, sent after version 2, would be the record for ever."""
    notes = state_notes()
    halted, fine = uuid4(), uuid4()
    await probe.tell(notes.changed(fine, 1), notes.changed(halted, 1), notes.changed(halted, 2), notes.changed(fine, 2))
    connection = await asyncpg.connect(probe.settings.database_url.get_secret_value())
    try:
        producer: Any = _RefusesOnce(halted)
        with pytest.raises(KafkaError):
            await Relay(probe.settings).send_batch(connection, producer)
    finally:
        await connection.close()
    left = await probe.sql("SELECT aggregateid FROM outbox ORDER BY id")
    assert [row.aggregateid for row in left] == [str(halted)] * 2, "a version went without the one before it"


async def test_sent_facts_rest_for_a_day_and_can_be_sent_again_with_the_same_id(
    probe: Probe, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Readers of facts can be given what they lost; states are told again by republish and need no second copy."""
    facts, states = fact_notes(), state_notes()
    await probe.make_topics(facts, states)
    monkeypatch.setattr("shared.relay.KEPT_TOPICS", [facts.topic.name])
    await probe.tell(states.changed(uuid4(), 1))
    told = await probe.tell(facts.taken("one"), facts.taken("two"))
    async with relaying(probe):
        await eventually(lambda: _all_sent(probe))
        assert await resend_since(probe.settings, datetime.now(UTC) + timedelta(minutes=1)) == 0
        assert await resend_since(probe.settings, datetime.now(UTC) - timedelta(minutes=1)) == 2
        await eventually(lambda: _told(probe, facts, 4))
        await eventually(lambda: _resting(probe, 2))
    ids = [dict(record.headers)["ce_id"].decode() for record in await probe.broker.read(facts.topic.name)]
    assert ids == told * 2
    assert await _told(probe, states, 1)


def test_the_topics_whose_events_rest_are_those_of_facts_without_personal_data() -> None:
    """C8: imports carry whole customers and resume from their own rows; states are told again."""
    assert set(KEPT_TOPICS) == {
        "crm.interactions",
        "crm.interactions.ingest",
        "crm.automation-actions",
        "crm.erasures",
        "crm.selections",
    }


async def test_a_tombstone_goes_out_behind_the_event_before_it(probe: Probe) -> None:
    """C8: erased, then nothing: the topic forgets the key."""
    notes = state_notes()
    await probe.make_topics(notes)
    key = uuid4()
    async with probe.database.transaction() as session:
        outbox.add(session, notes.changed(key, 1))
        outbox.add_tombstone(session, notes.topic, str(key))
    async with relaying(probe):
        await eventually(lambda: _told(probe, notes, 2))
    assert [record.value is None for record in await probe.broker.read(notes.topic.name)] == [False, True]


class _RefusesOnce:
    """A broker that takes one record a batch, refuses the first of one key and takes everything else."""

    def __init__(self, key: UUID) -> None:
        self._refused: bytes | None = str(key).encode()

    async def partitions_for(self, topic: str) -> set[int]:
        return {0}

    def create_batch(self) -> "_OneRecord":
        return _OneRecord()

    async def send_batch(self, batch: "_OneRecord", topic: str, partition: int) -> "asyncio.Future[None]":
        answer: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        if batch.key == self._refused:
            self._refused = None
            answer.set_exception(RequestTimedOutError())
        else:
            answer.set_result(None)
        return answer


class _OneRecord:
    key: bytes | None = None

    def append(self, key: bytes, **_: Any) -> object | None:
        if self.key is not None:
            return None
        self.key = key
        return self


async def _versions(probe: Probe, notes: Notes) -> dict[UUID, list[int]]:
    found: defaultdict[UUID, list[int]] = defaultdict(list)
    for record in await probe.broker.read(notes.topic.name):
        event = notes.event.parse(record.value or b"")
        found[event.state.id].append(event.version)
    return dict(found)


async def _told(probe: Probe, notes: Notes, count: int) -> bool:
    return len(await probe.broker.read(notes.topic.name)) == count


async def _all_sent(probe: Probe) -> bool:
    return await probe.outbox_count() == 0


async def _resting(probe: Probe, count: int) -> bool:
    return len(await probe.sql("SELECT 1 FROM outbox_sent")) == count


async def _leads(relay: Relay) -> bool:
    return relay.leads
