"""The two clocks: last contact and last two-way contact."""

from datetime import datetime
from typing import Any

from shared.contracts.interactions import InteractionSummaryChanged
from tests.service.interactions.world import World, at


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
