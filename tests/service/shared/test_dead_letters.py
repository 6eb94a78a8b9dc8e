"""Records that nobody should have written: each is set aside with its error, its neighbours pass."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any
from uuid import uuid4

import pytest
from aiokafka import AIOKafkaProducer

from tests.service.shared.broker import cloud_event, pairs
from tests.service.shared.probe.contracts import FACT_TYPE, STATE_TYPE, Notes, fact_notes, group_of, state_notes
from tests.service.shared.probe.process import Probe, error_of
from tests.support.system import eventually

KEY = uuid4()
GOOD = f'{{"id": "{KEY}", "text": "good"}}'.encode()
FULL_HEADERS = cloud_event(FACT_TYPE)


@dataclass(frozen=True)
class Poison:
    """One bad record: what differs from a good one, and a word of the error."""

    name: str
    error: str
    value: bytes | None = GOOD
    key: bytes | None = str(KEY).encode()
    headers: Sequence[tuple[str, bytes]] | None = None
    without: str = ""
    more: tuple[tuple[str, bytes], ...] = ()

    def written_headers(self) -> list[tuple[str, bytes]]:
        """The headers as they are written."""
        replaced = {name for name, _ in self.more} | {self.without}
        return [pair for pair in pairs(FULL_HEADERS) if pair[0] not in replaced] + list(self.more)


POISONS = [
    Poison("not JSON", "JSON", value=b"{not json"),
    Poison("not UTF-8", "JSON", value=b'{"id": "\xff\xfe"}'),
    Poison("wrong schema", "text", value=f'{{"id": "{KEY}"}}'.encode()),
    Poison("a list", "object", value=b"[]"),
    Poison("a lone surrogate", "JSON", value=f'{{"id": "{KEY}", "text": "\\ud800"}}'.encode()),
    Poison("NUL in a text", "NUL", value=f'{{"id": "{KEY}", "text": "a\\u0000b"}}'.encode()),
    Poison("nested too deep", "recursion", value=b'{"text":' + b"[" * 5_000 + b"]" * 5_000 + b"}"),
    Poison("an empty body", "JSON", value=b""),
    Poison("no body on a topic of facts", "without a body", value=None),
    Poison("key that is not the body's id", "key", key=str(uuid4()).encode()),
    Poison("no key", "key", key=None),
    Poison("key not UTF-8", "UTF-8", key=b"\xff"),
    Poison("no type", "ce_type", without="ce_type"),
    Poison("no id", "ce_id", without="ce_id"),
    Poison("no source", "ce_source", without="ce_source"),
    Poison("no specversion", "ce_specversion", without="ce_specversion"),
    Poison("an unknown type", "unknown type", more=(("ce_type", b"crm.note.eaten.v1"),)),
    Poison("a header not UTF-8", "UTF-8", more=(("ce_source", b"\xff\xfe"),)),
    Poison("an unread header not UTF-8", "UTF-8", more=(("x-note", b"\xff"),)),
    Poison("NUL in a header", "NUL", more=(("ce_source", b"a\x00b"),)),
    Poison("a time that is none", "ce_time", more=(("ce_time", b"yesterday"),)),
    Poison("an id longer than the inbox takes", "too long", more=(("ce_id", b"a" * 300),)),
]


async def test_every_kind_of_poison_is_set_aside_with_its_error_and_its_neighbours_pass(probe: Probe) -> None:
    """Bad records between good ones: as many letters as poisons, in order, bytes and headers as they came."""
    notes = fact_notes()
    await probe.make_topics(notes)
    await probe.broker.tell(notes.taken("first"))
    for poison in POISONS:
        await probe.broker.send(notes.topic, poison.key, poison.value, poison.written_headers())
        await probe.broker.tell(notes.taken(f"after {poison.name}"))
    async with probe.consuming(probe.writes_down(notes)):
        await eventually(lambda: _committed(probe, notes, 2 * len(POISONS) + 1))
    assert await probe.effects() == ["first", *(f"after {poison.name}" for poison in POISONS)]
    letters = await probe.letters(notes)
    assert len(letters) == len(POISONS), f"{len(letters)} letters of {len(POISONS)} poisoned records"
    for poison, letter in zip(POISONS, letters, strict=True):
        assert poison.error in error_of(letter), poison.name
        assert (letter.key, letter.value) == (poison.key, poison.value), poison.name
        assert [pair for pair in letter.headers if not pair[0].startswith("dlq_")] == poison.written_headers()
        where = {name: value.decode() for name, value in letter.headers if name.startswith("dlq_")}
        assert (where["dlq_topic"], where["dlq_partition"]) == (notes.topic.name, "0")


async def test_poison_larger_than_any_record_of_ours_is_set_aside_cut_and_blocks_nothing(probe: Probe) -> None:
    """A broker takes 1 MiB, compressed 1 MiB may be much more; a letter that did not fit would come for ever."""
    notes = fact_notes()
    await probe.make_topics(notes)
    producer = AIOKafkaProducer(
        bootstrap_servers=probe.broker.bootstrap_servers, compression_type="gzip", max_request_size=10_000_000
    )
    await producer.start()
    try:
        for size in (999_000, 1_040_000, 5_000_000):
            headers = [*pairs(FULL_HEADERS), ("x-note", b"x")]
            await producer.send_and_wait(notes.topic.name, b"x" * size, str(KEY).encode(), headers=headers)
        large = [*pairs(FULL_HEADERS), ("x-note", b"x" * 3_000_000)]
        await producer.send_and_wait(notes.topic.name, b"x", b"k" * 2_000_000, headers=large)
    finally:
        await producer.stop()
    await probe.broker.tell(notes.taken("after"))
    async with probe.consuming(probe.writes_down(notes)):
        await eventually(lambda: _committed(probe, notes, 5))
    assert await probe.effects() == ["after"]
    letters = await probe.letters(notes)
    assert [len(letter.value) for letter in letters if letter.value] == [999_000, 1_000_000, 1_000_000, 1]
    cut = [dict(letter.headers).get("dlq_cut") is not None for letter in letters]
    assert cut == [False, True, True, True]
    assert all("x-note" in dict(letter.headers) for letter in letters[:1])


async def test_a_header_without_a_value_does_no_harm(probe: Probe) -> None:
    """Kafka allows null as a header's value."""
    notes = fact_notes()
    await probe.make_topics(notes)
    headers: Any = [*pairs(FULL_HEADERS), ("x-nothing", None)]
    await probe.broker.send(notes.topic, str(KEY).encode(), GOOD, headers)
    async with probe.consuming(probe.writes_down(notes)):
        await eventually(lambda: _committed(probe, notes, 1))
    assert await probe.effects() == ["good"]


async def test_poison_on_a_topic_of_states_leaves_the_copy_alone(probe: Probe) -> None:
    """A version below 1 or beyond 64 bits is set aside; the right one beside it is kept."""
    notes = state_notes()
    await probe.make_topics(notes)
    note_id = uuid4()
    for version in (0, -1, 10**30, 2):
        body = f'{{"version": {version}, "state": {{"id": "{note_id}", "text": "x"}}, "cause": {{"kind": "system"}}}}'
        await probe.broker.send(notes.topic, str(note_id).encode(), body.encode(), pairs(cloud_event(STATE_TYPE)))
    async with probe.consuming(probe.keeps_newest(notes)):
        await eventually(lambda: _committed(probe, notes, 4))
    assert await probe.copies() == {note_id: 2}
    assert len(await probe.letters(notes)) == 3


@pytest.mark.parametrize("codec", ["gzip", "snappy", "lz4", "zstd"])
async def test_a_stranger_may_compress_as_kafka_allows(probe: Probe, codec: Any) -> None:
    """A consumer without the codec would stand still for ever before the first such record."""
    notes = fact_notes()
    await probe.make_topics(notes)
    producer = AIOKafkaProducer(bootstrap_servers=probe.broker.bootstrap_servers, compression_type=codec)
    await producer.start()
    try:
        await producer.send_and_wait(notes.topic.name, GOOD, str(KEY).encode(), headers=pairs(cloud_event(FACT_TYPE)))
    finally:
        await producer.stop()
    async with probe.consuming(probe.writes_down(notes)):
        await eventually(lambda: _committed(probe, notes, 1))
    assert await probe.effects() == ["good"]


@pytest.mark.parametrize("codec", ["none", "zstd"])
async def test_a_header_whose_name_is_not_utf_8_stops_nothing(probe: Probe, codec: str) -> None:
    """Other clients write what bytes they like as a header's name: nobody reads it, so the record counts."""
    notes = fact_notes(partitions=2)
    await probe.make_topics(notes)
    for partition in range(2):
        await probe.broker.tell(*(notes.taken(f"{partition}{n}") for n in range(5)), partition=partition)
    headers: Any = [*pairs(FULL_HEADERS), (_Latin("x-ä"), b"")]
    await probe.broker.send_by_hand(notes.topic, str(KEY).encode(), GOOD, headers, codec)
    await probe.broker.tell(notes.taken("after"), partition=0)
    async with probe.consuming(probe.writes_down(notes)):
        await eventually(lambda: _committed(probe, notes, 12))
    assert sorted(await probe.effects()) == sorted([f"{p}{n}" for p in range(2) for n in range(5)] + ["after", "good"])


async def test_what_a_strangers_transaction_took_back_never_happened(probe: Probe) -> None:
    """Records of an aborted transaction lie on the topic for ever and are not applied."""
    notes = fact_notes()
    await probe.make_topics(notes)
    producer = AIOKafkaProducer(bootstrap_servers=probe.broker.bootstrap_servers, transactional_id=notes.topic.name)
    await producer.start()
    try:
        for text, commits in (("kept", True), ("taken back", False), ("kept too", True)):
            await producer.begin_transaction()
            body = notes.taken(text, KEY).model_dump_json().encode()
            headers = pairs(cloud_event(FACT_TYPE))
            await producer.send_and_wait(notes.topic.name, body, str(KEY).encode(), headers=headers)
            await (producer.commit_transaction() if commits else producer.abort_transaction())
    finally:
        await producer.stop()
    async with probe.consuming(probe.writes_down(notes)):
        await eventually(lambda: _effects(probe, 2))
        await probe.broker.tell(notes.taken("last"))
        await eventually(lambda: _effects(probe, 3))
    assert await probe.effects() == ["kept", "kept too", "last"]


class _Latin(str):
    """A header's name as a careless client encodes it."""

    def encode(self, encoding: str = "utf-8", errors: str = "strict") -> bytes:
        return super().encode("latin-1", errors)


async def _committed(probe: Probe, notes: Notes, count: int) -> bool:
    found = await probe.broker.committed(notes.topic, group_of(notes))
    assert found == count, f"{found} committed"
    return True


async def _effects(probe: Probe, count: int) -> bool:
    found = await probe.effects()
    assert len(found) == count, f"{len(found)} effects"
    return True
