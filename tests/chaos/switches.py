"""Safeguards, each switched off by a patch: what the tests are worth is seen when they fail without it."""

import contextlib
from collections.abc import Sequence
from functools import wraps
from typing import Any
from uuid import uuid4

import msgspec
from aiokafka import AIOKafkaConsumer, AIOKafkaProducer
from aiokafka.errors import KafkaError


def inbox_off(_: int) -> None:
    """Every event of a topic of facts is new."""
    from shared import inbox

    async def unseen(session: Any, consumer: str, envelopes: Sequence[Any]) -> list[Any]:
        return list(envelopes)

    inbox.unseen = unseen


def version_guard_off(_: int) -> None:
    """A copy takes whatever comes."""
    from shared import copies

    for name in ("_CUSTOMERS", "_EMPLOYEES"):
        sql = getattr(copies, name)
        guarded = sql.replace("stored.version <= excluded.version", "true")
        assert guarded != sql, f"{name} has no guard to switch off"
        setattr(copies, name, guarded)


def offsets_before_effects(_: int) -> None:
    """A batch's offsets are committed before its handler runs."""
    from shared.messaging import Consumers

    on_batch = Consumers._on_batch

    @wraps(on_batch)
    async def committing(self: Any, subscription: Any, watched: Any, records: Any) -> None:
        await watched.consumer().commit()
        await on_batch(self, subscription, watched, records)

    Consumers._on_batch = committing


def offsets_by_the_clock(_: int) -> None:
    """The client commits what it has handed out, every few milliseconds."""
    begin = AIOKafkaConsumer.__init__

    @wraps(begin)
    def auto_committing(self: Any, *topics: Any, **options: Any) -> None:
        begin(self, *topics, **options | {"enable_auto_commit": True, "auto_commit_interval_ms": 20})

    AIOKafkaConsumer.__init__ = auto_committing


def start_at_the_latest(_: int) -> None:
    """A new group begins with what comes after it."""
    from faststream.kafka import KafkaBroker

    subscriber = KafkaBroker.subscriber
    latest: dict[str, Any] = {"auto_offset_reset": "latest"}

    @wraps(subscriber)
    def careless(self: Any, *topics: Any, **options: Any) -> Any:
        return subscriber(self, *topics, **(options | latest))

    KafkaBroker.subscriber = careless


def dead_letters_off(_: int) -> None:
    """What cannot be processed is passed over in silence."""
    from shared.dead_letters import DeadLetters

    async def put(self: Any, topic: Any, record: Any, error: str) -> None:
        return

    DeadLetters.put = put


def every_fault_is_final(_: int) -> None:
    """A database that is away for a moment is treated like a record that is wrong."""
    from shared import messaging

    messaging.is_transient = lambda error: False


def consumers_unwatched(_: int) -> None:
    """A consumer that hangs stays as it is."""
    from shared import consumer_watch

    consumer_watch._end = lambda why, topic, **more: None


def relay_without_leader(_: int) -> None:
    """Every relay sends."""
    from shared import relay

    relay._LOCK = relay._UNLOCK = "SELECT true"


def relay_without_takeover_wait(_: int) -> None:
    """A successor sends at once, whatever its predecessor has on its way."""
    from shared.relay import Relay

    begin = Relay.__init__

    @wraps(begin)
    def hasty(self: Any, settings: Any) -> None:
        begin(self, settings.model_copy(update={"relay_takeover_seconds": 0.001}))

    Relay.__init__ = hasty


def relay_deletes_before_it_sends(_: int) -> None:
    """An event leaves the outbox before the broker has it."""
    from shared.relay import Relay

    send_batch = Relay.send_batch

    @wraps(send_batch)
    async def deleting(self: Any, connection: Any, producer: Any) -> int:
        first: Any = _DeletesFirst(connection)
        return await send_batch(self, first, producer)

    Relay.send_batch = deleting


def relay_gives_up(_: int) -> None:
    """An event that the broker does not take within a second counts as sent."""
    from shared import kafka, relay

    send = relay._send

    def impatient(settings: Any) -> AIOKafkaProducer:
        return AIOKafkaProducer(**kafka.connection(settings), acks="all", request_timeout_ms=1000)

    @wraps(send)
    async def careless(producer: Any, rows: Sequence[Any]) -> list[Any]:
        with contextlib.suppress(KafkaError):
            await send(producer, rows)
        return [None] * len(rows)

    kafka.producer = impatient
    relay._send = careless


def relay_passes_over_what_was_refused(_: int) -> None:
    """What follows a refused event of the same key is done with."""
    from shared import relay

    relay._done_with = lambda rows, results: [
        row["id"] for row, result in zip(rows, results, strict=True) if not isinstance(result, BaseException)
    ]


def relay_gives_new_ids(_: int) -> None:
    """An event has its id from its sending, and another one when it is sent again."""
    from shared import relay

    send = relay._send

    @wraps(send)
    async def renaming(producer: Any, rows: Sequence[Any]) -> list[Any]:
        return await send(producer, [_renamed(row) for row in rows])

    relay._send = renaming


def facts_are_always_new(_: int) -> None:
    """What is reported a second time is recorded a second time."""
    from services.interactions.domain import facts

    facts._row_id = lambda *source_object: uuid4()


def idempotency_off(_: int) -> None:
    """Every request is the first of its key."""
    from shared import idempotency

    async def begin(session: Any, attempt: Any) -> None:
        return None

    async def finish(session: Any, attempt: Any, answer: Any) -> None:
        return

    idempotency.begin, idempotency.finish = begin, finish


def turns_are_forgotten(_: int) -> None:
    """Every distribution is a campaign's first."""
    from services.campaigns.commands import distribution

    async def forget(*_: Any) -> None:
        return

    distribution.remember_turns = forget


def capacity_is_for_each_call(_: int) -> None:
    """What somebody was given today does not count."""
    from services.campaigns.domain.staff import StaffMember

    StaffMember.room = lambda self, given_today: self.daily_capacity


def campaigns_take_anybody_twice(_: int) -> None:
    """What a customer has in a campaign already does not count."""
    from services.campaigns.commands import additions

    require = additions._require_may_add
    additions._require_may_add = lambda actor, campaign, customer, earlier, today: require(
        actor, campaign, customer, None, today
    )


def chains_of_rules_go_on(_: int) -> None:
    """However far from whoever began, a rule takes the customer."""
    from services.campaigns.domain import automation

    automation.MAX_DEPTH = 1_000_000


def confirmed_rows_are_always_new(_: int) -> None:
    """A chunk of an import that comes again is written again."""
    from services.customers.commands import imports

    async def nothing(*_: Any) -> dict[int, Any]:
        return {}

    imports._known = nothing


def stale_previews_are_written(_: int) -> None:
    """What somebody changed between preview and confirm is written over."""
    from services.customers.commands import import_writes

    import_writes._stale = lambda customer, row: {}


def undo_writes_over_later_changes(_: int) -> None:
    """A cell gets its old value back whoever changed it since."""
    from services.customers.commands import import_undo

    old_values = import_undo._old_values

    def careless(row: Any, customer: Any) -> dict[str, Any]:
        row.new.update({name: import_undo.as_stored(getattr(customer, name)) for name in row.new})
        return old_values(row, customer)

    import_undo._old_values = careless


def refused_rows_take_nothing_back(_: int) -> None:
    """All or nothing is forgotten as soon as it is confirmed."""
    from services.imports.domain.job import Import

    Import.spoil = lambda job, counts: False  # pyright: ignore[reportAttributeAccessIssue]  # a patch


def chunks_do_not_wait_for_their_like(_: int) -> None:
    """A chunk that was sent twice is written by whoever is first, and stumbled over by the other."""
    from services.customers.commands import imports

    async def hold_nothing(*_: Any) -> None:
        return

    imports.advisory_lock = hold_nothing


def rows_on_their_way_are_not_marked(_: int) -> None:
    """An erasure passes over what `customers` has not answered yet."""
    from services.imports.commands import erasures

    async def pass_over(*_: Any) -> None:
        return

    erasures.mark_waiting_rows = pass_over


def removals_are_begun_again_always(_: int) -> None:
    """What removes a campaign already does not count."""
    from services.campaigns.commands import removals

    async def nobody_at_it(*_: Any) -> None:
        return

    removals._running = nobody_at_it


class _DeletesFirst:
    """A connection on which the rows to be sent are gone as soon as they are read."""

    def __init__(self, connection: Any) -> None:
        self._connection = connection

    async def fetch(self, statement: str, *parameters: Any) -> Any:
        rows = await self._connection.fetch(statement, *parameters)
        await self._connection.execute("DELETE FROM outbox WHERE id = ANY($1::bigint[])", [row["id"] for row in rows])
        return rows

    async def execute(self, *_: Any) -> None:
        return


def _renamed(row: Any) -> dict[str, Any]:
    """A row of the outbox under another event's id."""
    headers = {**msgspec.json.decode(row["headers"]), "ce_id": str(uuid4())}
    return {**row, "headers": msgspec.json.encode(headers)}
