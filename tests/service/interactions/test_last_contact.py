"""The two clocks: last contact and last two-way contact."""

import asyncio
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from services.interactions.commands.customers import follow_customers
from services.interactions.commands.last_contact import set_last_contact
from shared.access import load_actor
from shared.contracts.customers import CustomerErased, ErasedState
from shared.contracts.events import Cause
from shared.contracts.interactions import InteractionSummaryChanged
from shared.errors import NotFound
from shared.identity import Identity
from tests.service.interactions.world import World, at
from tests.support.system import eventually


def minutes(contact: dict[str, Any] | None) -> float | None:
    """When a contact was, in minutes after noon."""
    return None if contact is None else (datetime.fromisoformat(contact["at"]) - at(0)).total_seconds() / 60


async def clocks(world: World) -> tuple[float | None, float | None]:
    """Last contact and last two-way contact, in minutes after noon."""
    shown = await world.summary()
    return minutes(shown["last_contact"]), minutes(shown["last_two_way_contact"])


async def test_a_click_is_a_two_way_contact_through_its_email(world: World):
    """L1, L6: the item is the click; it waits until its e-mail was sent."""
    await world.report(world.fact("email_click", "clicked", 5, link="a"))
    assert await clocks(world) == (None, None)
    await world.report(world.fact("email", "sent"), world.fact("email", "read", 3))
    contact = (await world.summary())["last_contact"]
    assert (contact["kind"], contact["source_id"], minutes(contact)) == ("email_click", "1", 5)


async def test_the_latest_contact_is_shown_not_the_last_to_arrive(world: World):
    """L2: a call of ten minutes ago that is heard of now does not hide the one of a minute ago."""
    await world.report(world.fact("call", "answered", 10, "late"))
    await world.report(world.fact("call", "answered", 2, "early"))
    assert await clocks(world) == (10, 10)
    assert (await world.summary())["last_contact"]["source_id"] == "late"


async def test_a_contact_that_was_none_gives_way_to_the_one_before(world: World):
    """L2: a send that turns out failed sets nothing; the ledger knows which contact was the latest then."""
    await world.report(world.fact("sms", "sent", 1, "older"), world.fact("sms", "sent", 5, "newer"))
    await world.report(world.fact("sms", "failed", 6, "newer"))
    assert await clocks(world) == (1, None)
    assert await world.count() == 2
    await world.report(world.fact("sms", "sent", 7, "newer"))
    assert await clocks(world) == (7, None)
    told = [e.state.interaction_count for e in await world.harness.told(InteractionSummaryChanged)]
    assert told == [1, 3, 2, 3]


async def test_a_contact_says_by_whom_and_through_what(world: World):
    """L6: the caller, the kind and the item; a connector's contact is nobody's."""
    await world.report(world.fact("call", "answered", 1, "c7"), by=world.seller)
    assert (await world.summary())["last_contact"] == {
        "at": at(1).isoformat().replace("+00:00", "Z"),
        "kind": "call",
        "employee_id": str(world.seller_id),
        "source_system": f"rapport/{world.seller_id}",
        "source_id": "c7",
    }
    await world.report(world.fact("sms", "sent", 2))
    assert (await world.summary())["last_contact"]["employee_id"] is None


async def test_the_latest_word_by_hand_holds_and_equal_ones_tell_nothing(world: World):
    """L3: of several the one said last; the same word again is the same version."""
    path = f"/api/v1/interaction-summaries/{world.customer_id}/last-contact"
    for minute in (30, 20):
        answer = await world.seller.put(path, json={"at": at(minute).isoformat()})
    assert minutes(answer.json()["last_contact"]) == 20
    again = await world.seller.put(path, json={"at": at(20).isoformat()}, headers={"If-Match": answer.headers["ETag"]})
    assert again.headers["ETag"] == answer.headers["ETag"] == '"3"'
    kept = await world.harness.sql("SELECT count(*) FROM manual_contact WHERE actor_id = $1", str(world.seller_id))
    assert kept[0][0] == 3


async def test_a_word_by_hand_minds_the_version_and_the_right_to_change(world: World):
    """L3, A3: a stale version is 412, a viewer may look only."""
    path = f"/api/v1/interaction-summaries/{world.customer_id}/last-contact"
    stale = await world.seller.put(path, json={"at": at(0).isoformat()}, headers={"If-Match": '"7"'})
    assert (stale.status_code, stale.json()["code"]) == (412, "version_conflict")
    viewer = world.harness.client(world.stranger_id, ["customers:view_all"])
    refused = await viewer.put(path, json={"at": at(0).isoformat()})
    assert (refused.status_code, refused.json()["code"]) == (403, "forbidden")
    assert (await viewer.get(path.removesuffix("/last-contact"))).json()["allowed"] == []


async def test_a_word_by_hand_is_a_time_that_can_be(world: World):
    """L3: neither before there was anybody, nor without a zone, nor a number."""
    path = f"/api/v1/interaction-summaries/{world.customer_id}/last-contact"
    for when in ("0001-01-01T00:00:00+07:00", "2026-11-02T05:00:00", 7, "x"):
        assert (await world.seller.put(path, json={"at": when})).status_code == 422, when


async def explained(world: World) -> dict[str, Any]:
    """The explanation, each row by its kind."""
    answer = await world.seller.get(f"/api/v1/interaction-summaries/{world.customer_id}/explanation")
    assert answer.status_code == 200, answer.text
    body = answer.json()
    return {**body, "rows": {row["kind"]: row for row in body["items"]}}


async def test_the_row_that_tells_of_the_last_contact_is_named(world: World):
    """L6, I11: every row says which contact it tells of, and the latest of them is the last contact."""
    await world.report(
        world.fact("sms", "sent", 8),
        world.fact("call", "answered", 5),
        world.fact("email", "sent", 1),
        world.fact("email_click", "clicked", 3, link="a"),
    )
    body = await explained(world)
    rows = body["rows"]
    assert body["last_contact"] == {"contact": (await world.summary())["last_contact"], "row_id": rows["sms"]["id"]}
    assert body["last_two_way_contact"]["row_id"] == rows["call"]["id"]
    told = {kind: (row["contact_at"], row["two_way_contact_at"]) for kind, row in rows.items()}
    assert told == {
        "created": (None, None),
        "sms": (moment(8), None),
        "call": (moment(5), moment(5)),
        "email": (moment(3), moment(3)),
        "email_click": (None, None),
    }
    assert body["said_by_hand"] == []


async def test_a_click_that_is_the_last_contact_is_its_emails_row(world: World):
    """L6, I11: the e-mail's row knows the clicks in it."""
    await world.report(world.fact("email", "sent", 1), world.fact("email_click", "clicked", 3, link="a"))
    body = await explained(world)
    assert body["last_contact"]["contact"]["kind"] == "email_click"
    assert body["last_contact"]["row_id"] == body["rows"]["email"]["id"]


async def test_what_was_said_by_hand_is_explained_with_who_said_it_and_when(world: World):
    """L3, I11: the latest word first, whether it holds, and nobody's row behind it."""
    await world.report(world.fact("call", "answered", 5))
    path = f"/api/v1/interaction-summaries/{world.customer_id}/last-contact"
    for minute in (30, 20):
        await world.seller.put(path, json={"at": at(minute).isoformat()})
    body = await explained(world)
    assert (body["last_contact"]["row_id"], body["last_contact"]["contact"]["at"]) == (None, moment(20))
    assert body["last_two_way_contact"]["row_id"] == body["rows"]["call"]["id"]
    assert [(word["at"], word["holds"]) for word in body["said_by_hand"]] == [(moment(20), True), (moment(30), False)]
    assert {tuple(word["actor"].values()) for word in body["said_by_hand"]} == {("user", str(world.seller_id))}
    later = datetime.now(UTC) + timedelta(seconds=2)
    await world.report({**world.fact("call", "answered", source_id="new"), "occurred_at": later.isoformat()})
    body = await explained(world)
    assert [word["holds"] for word in body["said_by_hand"]] == [False, False]
    assert body["last_contact"]["contact"]["source_id"] == "new"


async def test_a_contact_after_the_word_that_is_taken_back_lets_the_word_hold_again(world: World):
    """L3, L4: max(M, contacts that occurred after R), of what is known now."""
    path = f"/api/v1/interaction-summaries/{world.customer_id}/last-contact"
    await world.seller.put(path, json={"at": at(20).isoformat()})
    later = datetime.now(UTC) + timedelta(seconds=2)
    sent = {**world.fact("sms", "sent"), "occurred_at": later.isoformat()}
    await world.report(sent)
    assert (await world.summary())["last_contact"]["kind"] == "sms"
    await world.report({**sent, "fact": "failed", "occurred_at": (later + timedelta(seconds=1)).isoformat()})
    assert await clocks(world) == (20, None)


async def say(world: World) -> None:
    """The seller's word by hand, as the command takes it."""
    async with world.harness.database.transaction() as session:
        seller = await load_actor(session, Identity(str(world.seller_id), "employee", frozenset()))
        await set_last_contact(session, seller, world.customer_id, at(0))


async def test_a_word_by_hand_that_meets_an_erasure_does_not_outlive_it(world: World):
    """C8, L3: said while the customer is being erased, it waits, finds nobody, tells nothing after the tombstone."""
    erased = CustomerErased(version=9, state=ErasedState(id=world.customer_id), cause=Cause(kind="user"))
    async with world.harness.database.transaction() as session:
        await follow_customers(session, [world.harness.envelope(erased)])
        saying = asyncio.create_task(say(world))
        waiting = "SELECT FROM pg_stat_activity WHERE wait_event_type = 'Lock' AND datname = current_database()"
        await eventually(lambda: world.harness.sql(waiting))
    with pytest.raises(NotFound):
        await saying
    assert await world.harness.sql("SELECT FROM manual_contact") == []
    told = await world.harness.sql(
        "SELECT payload FROM outbox WHERE topic = 'crm.interaction-summaries' AND aggregateid = $1 ORDER BY id",
        str(world.customer_id),
    )
    assert [row.payload for row in told] == [None]


def moment(minutes: float) -> str:
    """A moment as JSON has it."""
    return at(minutes).isoformat().replace("+00:00", "Z")
