"""Facts, counts and last contact as people and connectors meet them over HTTP."""

import asyncio
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import uuid4

import pytest

from shared.contracts.customers import CustomerDeleted, CustomerErased, ErasedState
from shared.contracts.events import Cause
from shared.contracts.interactions import InteractionRecorded, InteractionSummaryChanged
from shared.contracts.work import ErasureCompleted
from shared.envelope import new_id
from tests.service.interactions.world import World, at
from tests.support.records import customer

SUMMARY = "/api/v1/interaction-summaries"


async def test_every_contribution_is_explained_with_its_rule_and_facts(world: World) -> None:
    """I11: rows with their facts, rules and ruleset; rows of 0 too; they sum to the count."""
    await world.report(
        world.fact("email", "sent", 1, "m1"),
        world.fact("email", "read", 2, "m1"),
        world.fact("email", "sent", 3, "m2"),
        world.fact("call", "answered", 4, "c1", direction="inbound"),
    )
    items = (await world.seller.get(f"{SUMMARY}/{world.customer_id}/explanation")).json()["items"]
    by_source = {item["source_id"]: item for item in items if item["kind"] != "created"}
    assert sum(item["contribution"] for item in items) == await world.count() == 2
    assert (by_source["m1"]["rule"], by_source["m1"]["contribution"]) == ("I2", 1)
    assert [one["fact"] for one in by_source["m1"]["facts"]] == ["sent", "read"]
    assert (by_source["m2"]["contribution"], by_source["c1"]["contribution"]) == (0, 0)
    assert {item["ruleset"] for item in items} == {1}


async def test_pages_of_an_explanation_follow_each_other(world: World) -> None:
    """I11, P5: page by page every row once."""
    await world.report(*(world.fact("sms", "sent", n, f"s{n}") for n in range(7)))
    seen: list[str] = []
    cursor: str | None = None
    while True:
        parameters: dict[str, Any] = {"limit": 3} | ({"cursor": cursor} if cursor else {})
        page = (await world.seller.get(f"{SUMMARY}/{world.customer_id}/explanation", params=parameters)).json()
        seen += [item["id"] for item in page["items"]]
        cursor = page["next_cursor"]
        if cursor is None:
            break
    assert (len(seen), len(set(seen))) == (8, 8)


async def test_a_date_by_hand_holds_until_a_contact_after_it_was_said(world: World) -> None:
    """L3: last contact = max(M, contacts after R), also earlier than known ones; the two-way clock stays."""
    await world.report(world.fact("call", "answered", 0, "c1"))
    by_hand = at(-24 * 60)
    answer = await world.seller.put(f"{SUMMARY}/{world.customer_id}/last-contact", json={"at": by_hand.isoformat()})
    assert answer.status_code == 200, answer.text
    shown = answer.json()
    assert shown["last_contact"]["kind"] == "manual"
    assert datetime.fromisoformat(shown["last_contact"]["at"]) == by_hand
    assert datetime.fromisoformat(shown["last_two_way_contact"]["at"]) == at(0)
    await world.report(world.fact("call", "answered", 5, "late"))
    assert (await world.summary())["last_contact"]["kind"] == "manual"
    now = datetime.now(UTC).replace(microsecond=0) + timedelta(seconds=2)
    await world.report({**world.fact("call", "answered", 0, "new"), "occurred_at": now.isoformat()})
    assert datetime.fromisoformat((await world.summary())["last_contact"]["at"]) == now


async def test_a_date_by_hand_is_never_in_the_future_nor_set_by_lookers(world: World) -> None:
    """L3, A3: a future date is refused; a stranger gets the 404 of an unknown customer."""
    path = f"{SUMMARY}/{world.customer_id}/last-contact"
    tomorrow = (datetime.now(UTC) + timedelta(days=1)).isoformat()
    assert (await world.seller.put(path, json={"at": tomorrow})).status_code == 422
    assert (await world.stranger.put(path, json={"at": at(0).isoformat()})).status_code == 404


async def test_count_and_last_contact_are_independent(world: World) -> None:
    """L7, I14, L1: an unanswered outbound call dates without counting, a deleted ZNS dates without counting."""
    await world.report(world.fact("call", "unanswered", 9, "c1"))
    shown = await world.summary()
    assert (shown["interaction_count"], datetime.fromisoformat(shown["last_contact"]["at"])) == (1, at(9))
    await world.report(world.fact("zns", "sent", 12, "z1"), world.fact("zns", "deleted", 15, "z1"))
    shown = await world.summary()
    assert (shown["interaction_count"], datetime.fromisoformat(shown["last_contact"]["at"])) == (1, at(12))
    assert shown["last_two_way_contact"] is None


@pytest.mark.parametrize(("kind", "fact"), [("sms", "sent"), ("email", "sent"), ("call", "answered")])
async def test_deleting_a_message_or_call_takes_nothing_back(world: World, kind: str, fact: str) -> None:
    """I9: deleting an SMS, an e-mail or a call changes nothing."""
    more = [world.fact("email", "read", 2)] if kind == "email" else []
    await world.report(world.fact(kind, fact, 1), *more)
    before = await world.count()
    await world.report(world.fact(kind, "deleted", 3))
    assert await world.count() == before == 2


async def test_connectors_report_anything_employees_their_own_calls_only(world: World) -> None:
    """I13: who may report what, for whom, and under which source system."""
    [call] = await world.report(world.fact("call", "answered", 1), by=world.seller)
    assert call["status"] == "created"
    rows = (await world.seller.get("/api/v1/interactions", params={"customer_id": str(world.customer_id)})).json()
    assert {row["source_system"] for row in rows["items"]} >= {f"rapport/{world.seller_id}"}
    [refused] = await world.report(world.fact("sms", "sent", 1), by=world.seller)
    assert (refused["status"], refused["error"]["code"]) == ("failed", "forbidden")
    [unseen] = await world.report(world.fact("call", "answered", 1), by=world.stranger)
    assert unseen["error"]["code"] == "not_found"
    powerless = world.harness.client("other-service", [], "service")
    answer = await powerless.post("/api/v1/interactions/facts", json={"items": [world.fact("sms", "sent", 1)]})
    outcome = answer.json()["code"] if answer.status_code == 403 else answer.json()["items"][0]["error"]["code"]
    assert outcome == "forbidden"


@pytest.mark.parametrize(
    "change",
    [
        {"kind": "pigeon"},
        {"kind": "sms", "fact": "clicked"},
        {"fact": "answered"},
        {"source_id": ""},
        {"source_id": "x" * 201},
        {"occurred_at": "yesterday"},
        {"occurred_at": "2999-01-01T00:00:00Z"},
        {"unknown": 1},
        {"data": {"x": "y" * 5_000}},
        {"link": "a" * 2_001},
        {"customer_id": "7"},
    ],
)
async def test_a_bad_item_fails_alone(world: World, change: dict[str, Any]) -> None:
    """I13: legal pairs, limits and times; a bad item spoils no neighbour and changes nothing."""
    bad, good = await world.report(world.fact("sms", "sent", 1) | change, world.fact("sms", "sent", 1, "good"))
    assert (bad["status"], bad["error"]["code"]) == ("failed", "validation_failed")
    assert good["status"] == "created"
    assert await world.count() == 2


async def test_facts_reported_at_the_same_moment_are_each_answered_for_themselves(world: World) -> None:
    """I10, I12, I13: small reports may be written together; each has its own outcomes, and one event per fact."""
    await world.report(world.fact("sms", "sent", 1, "known"))
    unknown = world.fact("sms", "sent", 1, "m") | {"customer_id": str(uuid4())}
    reports = [
        [world.fact("sms", "sent", 1, "twice")],
        [world.fact("sms", "sent", 1, "twice")],
        [world.fact("sms", "sent", 1, "known"), {"kind": "pigeon"}],
        [unknown, world.fact("sms", "sent", 1, "mine")],
    ]
    told = len(await world.harness.told(InteractionRecorded))
    outcomes = await asyncio.gather(*(world.report(*facts) for facts in reports))
    seen = [[item["error"]["code"] if item["error"] else item["status"] for item in items] for items in outcomes]
    assert sorted(item for items in seen[:2] for item in items) == ["created", "unchanged"]
    assert seen[2:] == [["unchanged", "validation_failed"], ["not_found", "created"]]
    assert await world.count() == 4
    assert len(await world.harness.told(InteractionRecorded)) == told + 2


async def test_unknown_and_deleted_customers_have_defined_answers(world: World) -> None:
    """I12: over HTTP an unknown customer is not_found; a deleted one is still counted by connectors' facts."""
    [unknown] = await world.report(world.fact("sms", "sent", 1) | {"customer_id": str(uuid4())})
    assert (unknown["status"], unknown["error"]["code"]) == ("failed", "not_found")
    gone = customer(world.customer_id, manager_id=world.seller_id, version=2, state="deleted")
    await world.harness.deliver(CustomerDeleted(version=2, state=gone.state, cause=Cause(kind="user")))
    assert (await world.seller.get(f"{SUMMARY}/{world.customer_id}")).status_code == 404


async def test_an_erased_customer_is_emptied_confirmed_and_stays_away(world: World) -> None:
    """C8, I12: facts and rows go, the service confirms, later facts are dropped."""
    await world.report(world.fact("sms", "sent", 1))
    erased = CustomerErased(version=3, state=ErasedState(id=world.customer_id), cause=Cause(kind="user"))
    await world.harness.deliver(erased)
    [confirmed] = await world.harness.told(ErasureCompleted)
    assert (confirmed.customer_id, confirmed.service, confirmed.erased_version) == (
        world.customer_id,
        "interactions",
        3,
    )
    [left] = await world.harness.sql("SELECT count(*) FROM fact WHERE customer_id = $1", world.customer_id)
    assert left[0] == 0
    assert (await world.seller.get(f"{SUMMARY}/{world.customer_id}")).status_code == 404


async def test_summaries_are_told_absolutely_with_versions_without_gaps(world: World) -> None:
    """I10: each change is one summary event with the whole truth; a repetition tells nothing."""
    await world.report(world.fact("sms", "sent", 1, "a"))
    await world.report(world.fact("sms", "sent", 2, "b"))
    await world.report(world.fact("sms", "sent", 2, "b"))
    told = await world.harness.told(InteractionSummaryChanged)
    assert [event.state.interaction_count for event in told] == [1, 2, 3]
    assert [event.version for event in told] == [1, 2, 3]
    assert len(await world.harness.told(InteractionRecorded)) >= 2


async def test_strangers_see_no_ledger_no_summary_no_explanation(world: World) -> None:
    """A2, R1: what hangs on an invisible customer is the same 404 as an unknown one."""
    for path in (
        f"{SUMMARY}/{world.customer_id}",
        f"{SUMMARY}/{world.customer_id}/explanation",
        f"/api/v1/interactions?customer_id={world.customer_id}",
    ):
        hidden = await world.stranger.get(path)
        unknown = await world.stranger.get(path.replace(str(world.customer_id), str(new_id())))
        assert (hidden.status_code, unknown.status_code) == (404, 404)
        assert {**hidden.json(), "trace_id": ""} == {**unknown.json(), "trace_id": ""}
