"""Automation rules: what triggers them, whom they take or leave and why, what goes out, how loops end (K5)."""

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID

import asyncpg
import pytest

from services.campaigns.jobs import purge_of_campaigns
from services.campaigns.worker import automate_next
from shared.contracts.campaigns import OpportunityCreated, OpportunityOwnerAssigned
from shared.contracts.classification import (
    ClassificationItemState,
    GroupChanged,
    RelationshipChanged,
    RelationshipNames,
    RelationshipState,
    relationship_id,
)
from shared.contracts.customers import CustomerErased, CustomerUpdated, ErasedState, Origin
from shared.contracts.events import Cause, Event
from shared.contracts.work import AutomationActionDecided
from shared.envelope import Origin as EventOrigin
from shared.envelope import new_id
from shared.identity import MANAGE_CAMPAIGNS, SETTINGS, SYSTEM
from tests.conftest import MakeHarness
from tests.service.campaigns.conftest import API, Office
from tests.support.records import customer, customer_state

CAUSE = Cause(kind="user", id="x")
HOT = relationship_id("hot")
RULES = f"{API}/automations"
LONG_SECONDS = 10
LOOKING = """
SELECT FROM pg_stat_activity WHERE datname = current_database() AND state = 'idle in transaction'
AND query LIKE '%FROM classification WHERE id%'
"""


@dataclass
class Desk:
    """An office with a group VIP, Gold below it, and the relationship Hot; its manager writes rules."""

    office: Office
    vip: UUID = field(default_factory=new_id)
    gold: UUID = field(default_factory=new_id)

    async def open(self) -> None:
        """Tell the service of the groups and of the relationship."""
        await self.office.harness.deliver(_group(self.vip, None), _group(self.gold, self.vip), _relationship("hot"))

    @property
    def writer(self) -> Any:
        """Who may write rules."""
        return self.office.harness.client(self.office.manager_id, [MANAGE_CAMPAIGNS, SETTINGS])

    def body(self, trigger: dict[str, Any], *actions: dict[str, Any], **values: Any) -> dict[str, Any]:
        """A rule; without an action it sets the relationship Hot."""
        done = list(actions) or [{"kind": "set_relationship", "relationship_id": str(HOT)}]
        return {"name": "Chăm sóc", "trigger": trigger, "actions": done, **values}

    async def rule(self, trigger: dict[str, Any], *actions: dict[str, Any], **values: Any) -> str:
        """Begin a rule; its id."""
        answer = await self.writer.post(RULES, json=self.body(trigger, *actions, **values))
        assert answer.status_code == 201, answer.text
        return answer.json()["id"]

    async def born(self, count: int = 1, **state: Any) -> list[UUID]:
        """Customers who are created now."""
        ids = [new_id() for _ in range(count)]
        await self.office.harness.deliver(*(customer(one, created_at=datetime.now(UTC), **state) for one in ids))
        return ids

    async def changed(self, customer_id: UUID, version: int, origin: EventOrigin | None = None, **state: Any) -> None:
        """A customer becomes another."""
        event = CustomerUpdated(version=version, state=customer_state(customer_id, **state), cause=CAUSE)
        await self.office.harness.deliver(event, origin=origin)

    async def runs(self, rule_id: str, **query: Any) -> list[dict[str, Any]]:
        """What a rule did, oldest first."""
        answer = await self.office.manager.get(f"{RULES}/{rule_id}/runs", params={"sort": "created_at", **query})
        assert answer.status_code == 200, answer.text
        return answer.json()["items"]

    async def answers(self, rule_id: str) -> list[tuple[str, str]]:
        """Outcome and reason of each run, oldest first."""
        return [(run["outcome"], run["reason"]["code"]) for run in await self.runs(rule_id)]

    async def decided(self) -> Sequence[AutomationActionDecided]:
        """What went out."""
        return await self.office.told(AutomationActionDecided)

    async def work(self) -> None:
        """Do what rules left to the worker."""
        while await automate_next(self.office.harness.database):
            pass


def _group(group_id: UUID, parent_id: UUID | None, version: int = 1, **values: Any) -> Event:
    given: dict[str, Any] = {"code": f"G{group_id}", "name": "Nhóm", "state": "active", **values}
    state = ClassificationItemState(id=group_id, kind="group", parent_id=parent_id, **given)
    return GroupChanged(version=version, state=state, cause=CAUSE)


def _relationship(key: str) -> Event:
    state = RelationshipState(
        id=relationship_id(key),
        key=key,
        names=RelationshipNames(vi=key, en=key),
        color="#ef4444",
        position=3,
        forget_after_days=30,
        state="active",
    )
    return RelationshipChanged(version=1, state=state, cause=CAUSE)


@pytest.fixture
async def desk(make_harness: MakeHarness) -> Desk:
    """A service with people and a classification; what a rule names is not waited for long."""
    office = Office(await make_harness("campaigns", wait_for_seconds=0.1))
    await office.open()
    desk = Desk(office)
    await desk.open()
    return desk


async def test_a_new_customer_pulls_the_trigger_and_the_action_goes_out_once(desk: Desk) -> None:
    """K5: created by import, from now on; the decision has an id of its own; a repeated event decides nothing."""
    rule_id = await desk.rule({"kind": "created", "origin": "import"})
    [by_hand] = await desk.born()
    event = customer(created_at=datetime.now(UTC), origin=Origin(kind="import", id="7"))
    for _ in range(2):
        await desk.office.harness.deliver(event)

    [decided] = await desk.decided()
    assert (decided.customer_id, decided.kind, decided.relationship_id) == (event.state.id, "set_relationship", HOT)
    assert str(decided.automation_id) == rule_id
    [run] = await desk.runs(rule_id)
    assert run["actions"] == [
        {
            "kind": "set_relationship",
            "relationship_id": str(HOT),
            "state": "decided",
            "action_id": str(decided.action_id),
        }
    ]
    assert (run["outcome"], run["reason"]) == ("taken", {"code": "created", "origin": "import"})
    assert await desk.runs(rule_id, customer_id=str(by_hand)) == []


async def test_a_group_counts_with_its_subtree_and_only_when_it_is_new(desk: Desk) -> None:
    """K5: triggers compare the copy with the new state: a group that was there, or went, is none that was added."""
    rule_id = await desk.rule({"kind": "group_added", "item_id": str(desk.vip)})
    [one] = await desk.born()
    await desk.changed(one, 2, group_ids=(desk.gold,))
    await desk.changed(one, 3, group_ids=(desk.gold,), name="Trần Minh")
    await desk.changed(one, 4, group_ids=())
    assert await desk.answers(rule_id) == [("taken", "group_added")]
    [born_with_it] = await desk.born(group_ids=(desk.vip,))
    assert [run["customer_id"] for run in await desk.runs(rule_id)] == [str(one), str(born_with_it)]


async def test_every_step_of_a_batch_is_seen(desk: Desk) -> None:
    """K5: a relationship that came and went within one batch triggered what waited for it, in order."""
    rule_id = await desk.rule({"kind": "relationship_set", "item_id": str(HOT)}, desk_task())
    [one] = await desk.born()
    states = [customer_state(one, relationship_id=HOT), customer_state(one)]
    events = [CustomerUpdated(version=n + 2, state=state, cause=CAUSE) for n, state in enumerate(states)]
    await desk.office.harness.deliver(*events)
    assert await desk.answers(rule_id) == [("taken", "relationship_set")]
    [task] = await desk.decided()
    assert (task.kind, task.title, task.type) == ("create_task", "Gọi lại", "CALL")


def desk_task() -> dict[str, Any]:
    """The action of making a task."""
    return {"kind": "create_task", "title": "Gọi lại", "type": "CALL"}


async def test_who_does_not_meet_the_condition_is_left_with_the_reason(desk: Desk) -> None:
    """K5: the log names everybody who pulled the trigger, taken or left; names show to who sees the customer."""
    condition = {"and": [{"field": "has_manager", "op": "eq", "value": True}, {"field": "type", "value": "person"}]}
    rule_id = await desk.rule({"kind": "created"}, condition=condition)
    await desk.born()
    await desk.born(manager_id=desk.office.hoa)
    left, taken = await desk.runs(rule_id)
    assert (left["outcome"], left["reason"], left["customer"]) == ("left", {"code": "condition"}, None)
    assert (taken["outcome"], taken["customer"]["name"]) == ("taken", "Trần Văn Minh")
    assert [run["id"] for run in await desk.runs(rule_id, outcome="left")] == [left["id"]]


async def test_replayed_events_and_what_is_older_than_the_rule_trigger_nothing(desk: Desk) -> None:
    """K5: a repaired copy, a customer from before the rule, and an event told before it leave no run."""
    [known] = await desk.born()
    rule_id = await desk.rule({"kind": "group_added"})
    replayed = EventOrigin(replayed=True)
    await desk.changed(known, 2, group_ids=(desk.vip,), origin=replayed)
    await desk.office.harness.deliver(customer(group_ids=(desk.gold,)))  # from before, first seen now
    late = desk.office.harness.envelope(
        CustomerUpdated(version=3, state=customer_state(known, group_ids=(desk.vip, desk.gold)), cause=CAUSE)
    )
    long_ago = datetime.now(UTC) - timedelta(hours=1)
    await desk.office.harness.deliver_envelopes([_at(late, long_ago)])
    assert await desk.runs(rule_id) == []

    await desk.writer.patch(f"{RULES}/{rule_id}", json={"active": False})
    await desk.changed(known, 4, group_ids=())
    await desk.changed(known, 5, group_ids=(desk.vip,))
    await desk.writer.patch(f"{RULES}/{rule_id}", json={"active": True})
    await desk.changed(known, 6, group_ids=(desk.vip, desk.gold))
    assert len(await desk.runs(rule_id)) == 1


def _at(envelope: Any, at: datetime) -> Any:
    return type(envelope)(
        **{name: getattr(envelope, name) for name in type(envelope).__slots__ if name != "time"}, time=at
    )


async def test_a_rule_takes_a_customer_once_for_one_beginning(desk: Desk) -> None:
    """K5: loops are cut: what follows from one beginning, known by its correlation id, is taken once."""
    rule_id = await desk.rule({"kind": "relationship_set"}, desk_task())
    [one] = await desk.born()
    beginning = EventOrigin(correlation_id="one-beginning")
    await desk.changed(one, 2, relationship_id=HOT, origin=beginning)
    await desk.changed(one, 3, origin=beginning)
    await desk.changed(one, 4, relationship_id=HOT, origin=EventOrigin(correlation_id="another"))
    assert await desk.answers(rule_id) == [
        ("taken", "relationship_set"),
        ("taken", "relationship_set"),
        ("left", "already_taken"),
        ("taken", "relationship_set"),
    ]


async def test_a_chain_of_rules_ends_at_the_third(desk: Desk) -> None:
    """K5: each decision says how far it lies from whoever began; what lies three away triggers, and is left."""
    rule_id = await desk.rule({"kind": "group_added"}, desk_task())
    [one] = await desk.born()
    groups: list[UUID] = []
    for depth in range(4):
        groups.append(new_id())
        origin = EventOrigin(SYSTEM, correlation_id=f"chain-{depth}", automation_depth=depth)
        await desk.changed(one, depth + 2, group_ids=tuple(groups), origin=origin)
    assert [answer for answer, _ in await desk.answers(rule_id)] == ["taken", "taken", "taken", "left"]
    assert (await desk.runs(rule_id))[-1]["reason"] == {"code": "too_deep"}
    told = await desk.office.harness.told_with_headers(AutomationActionDecided)
    assert [headers["ce_automationdepth"] for headers, _ in told] == ["1", "2", "3"]
    assert [headers["ce_correlationid"] for headers, _ in told] == ["chain-0", "chain-1", "chain-2"]


async def test_a_rule_takes_no_more_than_its_limit_within_an_hour(desk: Desk) -> None:
    """K5: those beyond are left and say so; an hour later there is room again."""
    rule_id = await desk.rule({"kind": "created"}, max_per_hour=3)
    await desk.born(2)
    await desk.born(2)
    reasons = [reason for _, reason in await desk.answers(rule_id)]
    assert sorted(reasons) == ["created", "created", "created", "limit_per_hour"]
    await desk.office.harness.sql("UPDATE automation_minute SET minute = minute - interval '61 minutes'")
    await desk.born()
    assert (await desk.answers(rule_id))[-1] == ("taken", "created")


async def test_customers_are_added_to_a_campaign_and_handed_out_by_turns(desk: Desk) -> None:
    """K2, K4, K5: whoever may or may not change them by hand; the opportunity's reason names the rule."""
    campaign = await desk.office.campaign()
    await desk.office.staff(campaign["id"], desk.office.lan, desk.office.minh)
    action = {"kind": "add_to_campaign", "campaign_id": campaign["id"], "distribute": True}
    rule_id = await desk.rule({"kind": "created"}, action)
    ids = await desk.born(4)
    assert [run["actions"][0]["state"] for run in await desk.runs(rule_id)] == ["pending"] * 4
    await desk.work()

    runs = await desk.runs(rule_id)
    assert [run["customer_id"] for run in runs] == [str(one) for one in ids]
    opportunities = [await desk.office.opportunity(run["actions"][0]["opportunity_id"]) for run in runs]
    assert {one["owner_id"] for one in opportunities} == {str(desk.office.lan), str(desk.office.minh)}
    assert (opportunities[0]["reason"]["code"], opportunities[0]["reason"]["automation_id"]) == ("automation", rule_id)
    for kind in (OpportunityCreated, OpportunityOwnerAssigned):
        told = await desk.office.harness.told_with_headers(kind)
        assert {headers["ce_automationdepth"] for headers, _ in told} == {"1"}
        assert len(told) == 4


async def test_a_customer_who_may_not_be_added_leaves_the_code_in_the_log(desk: Desk) -> None:
    """K1, K5: two rules and one campaign: the second finds the customer there; a deleted campaign finds nobody."""
    campaign = await desk.office.campaign()
    action = {"kind": "add_to_campaign", "campaign_id": campaign["id"], "distribute": False}
    first, second = [await desk.rule({"kind": "created"}, action) for _ in range(2)]
    await desk.born()
    await desk.work()
    [done], [refused] = await desk.runs(first), await desk.runs(second)
    assert done["actions"][0]["state"] == "done"
    assert (refused["actions"][0]["state"], refused["actions"][0]["error"]) == (
        "failed",
        {"code": "already_in_campaign"},
    )
    await desk.born()
    await desk.office.manager.delete(f"{API}/campaigns/{campaign['id']}")
    await desk.work()
    assert (await desk.runs(first))[-1]["actions"][0]["error"] == {"code": "not_found"}


async def test_the_queue_comes_before_what_rules_add(desk: Desk) -> None:
    """K4, K5: with nobody free the new one waits behind; when somebody is free the oldest goes first."""
    campaign = await desk.office.campaign()
    [waiting] = await desk.office.add(campaign["id"], await desk.office.customers(1))
    await desk.office.distribute(campaign["id"])
    action = {"kind": "add_to_campaign", "campaign_id": campaign["id"], "distribute": True}
    await desk.rule({"kind": "created"}, action)
    await desk.born()
    await desk.work()
    queue = (await desk.office.manager.get(f"{API}/campaigns/{campaign['id']}/queue")).json()["items"]
    assert queue[0]["id"] == waiting
    assert {item["reason"]["code"] for item in queue} == {"queued_no_staff"}

    await desk.office.staff(campaign["id"], {"employee_id": str(desk.office.lan), "daily_capacity": 1})
    await desk.born()
    await desk.work()
    assert (await desk.office.opportunity(waiting))["owner_id"] == str(desk.office.lan)


async def test_a_simulation_says_what_the_last_days_would_have_brought_and_writes_nothing(desk: Desk) -> None:
    """K5: the same answers as a rule that had been there gives, its limit and condition included."""
    body = desk.body({"kind": "created"}, max_per_hour=2, condition={"field": "has_manager", "op": "eq", "value": True})
    rule_id = await desk.rule(trigger=body["trigger"], max_per_hour=2, condition=body["condition"])
    await desk.born(1)
    await desk.born(3, manager_id=desk.office.hoa)
    before = await desk.decided()
    answer = await desk.writer.post(f"{RULES}/simulation", json=body)
    assert answer.status_code == 200, answer.text
    rehearsed = answer.json()
    assert (rehearsed["taken"], rehearsed["left"], rehearsed["complete"]) == (2, 2, True)
    runs = await desk.runs(rule_id)
    said = {(item["customer_id"], item["outcome"], item["reason"]["code"]) for item in rehearsed["items"]}
    assert said == {(run["customer_id"], run["outcome"], run["reason"]["code"]) for run in runs}
    assert [item["customer"] is None for item in rehearsed["items"]] == [False, False, False, True]
    assert await desk.decided() == before
    assert len((await desk.office.manager.get(RULES)).json()["items"]) == 1


async def test_reading_and_writing_rules_needs_its_permissions(desk: Desk) -> None:
    """R1: `campaigns:manage` reads, together with `crm:settings` it writes; to others rules do not exist."""
    body, rule_id = desk.body({"kind": "created"}), await desk.rule({"kind": "created"})
    path, lan = f"{RULES}/{rule_id}", desk.office.client(desk.office.lan, SETTINGS)
    for client in (lan, desk.office.manager):
        assert (await client.post(RULES, json=body)).status_code == 403
        assert (await client.post(f"{RULES}/simulation", json=body)).status_code == 403
    assert (await lan.get(RULES)).status_code == 403
    assert [(await lan.get(path)).status_code, (await lan.patch(path, json={})).status_code] == [404, 404]
    assert (await lan.get(f"{path}/runs")).status_code == 404
    seen = (await desk.office.manager.get(path)).json()
    assert (seen["allowed"], (await desk.writer.get(path)).json()["allowed"]) == ([], ["change", "delete"])
    assert [(await desk.office.manager.delete(path)).status_code, (await desk.writer.delete(path)).status_code] == [
        403,
        204,
    ]
    assert (await desk.writer.get(path)).status_code == 404


async def test_a_rule_is_changed_under_its_version(desk: Desk) -> None:
    """K5: equal values change nothing; a stale version is refused; another condition holds from now on."""
    rule_id = await desk.rule({"kind": "created"})
    path = f"{RULES}/{rule_id}"
    read = await desk.writer.get(path)
    same = await desk.writer.patch(path, json={"name": "Chăm sóc", "condition": None})
    assert (same.headers["etag"], same.json()["since"]) == ('"1"', read.json()["since"])
    renamed = await desk.writer.patch(path, json={"name": "Mới"}, headers={"If-Match": '"1"'})
    assert (renamed.headers["etag"], renamed.json()["since"]) == ('"2"', read.json()["since"])
    assert (await desk.writer.patch(path, json={"name": "Cũ"}, headers={"If-Match": '"1"'})).status_code == 412
    condition = {"field": "type", "op": "eq", "value": "company"}
    assert (await desk.writer.patch(path, json={"condition": condition})).json()["since"] > read.json()["since"]


async def test_what_a_rule_names_must_exist_and_may_be_chosen(desk: Desk) -> None:
    """K5, G2, G4: unknown items and campaigns, disabled groups, Don't Forget, and conditions on counts are refused."""
    disabled, created = new_id(), {"kind": "created"}
    await desk.office.harness.deliver(_group(disabled, None, state="disabled"), _relationship("dont_forget"))
    dont_forget = {"kind": "set_relationship", "relationship_id": str(relationship_id("dont_forget"))}
    for body, code, pointer in (
        (desk.body({"kind": "group_added", "item_id": str(new_id())}), "validation_failed", "/trigger/item_id"),
        (desk.body({"kind": "source_added", "item_id": str(desk.vip)}), "validation_failed", "/trigger/item_id"),
        (desk.body({"kind": "created", "item_id": str(desk.vip)}), "validation_failed", "/trigger"),
        (desk.body(created, {"kind": "add_to_group", "group_id": str(new_id())}), "validation_failed",
         "/actions/0/group_id"),
        (desk.body(created, {"kind": "add_to_group", "group_id": str(disabled)}), "disabled_choice",
         "/actions/0/group_id"),
        (desk.body(created, dont_forget), "automatic_relationship", "/actions/0/relationship_id"),
        (desk.body(created, {"kind": "add_to_campaign", "campaign_id": str(new_id())}), "validation_failed",
         "/actions/0/campaign_id"),
        (desk.body(created, condition={"field": "interaction_count", "op": "gte", "value": 3}),
         "unsupported_condition", "/condition/field"),
    ):  # fmt: skip
        answer = await desk.writer.post(RULES, json=body)
        assert (answer.status_code, answer.json()["code"]) == (422, code), answer.text
        assert answer.json()["errors"][0]["pointer"] == pointer
    assert (await desk.office.manager.get(RULES)).json()["items"] == []


async def test_an_erased_customer_leaves_no_trace_of_what_rules_did(desk: Desk) -> None:
    """C8, K5: runs, changes, what the triggers compare, and what waits for the worker go with the customer."""
    campaign = await desk.office.campaign()
    action = {"kind": "add_to_campaign", "campaign_id": campaign["id"], "distribute": True}
    rule_id = await desk.rule({"kind": "created"}, action)
    gone, stays = await desk.born(2)
    await desk.office.harness.deliver(CustomerErased(version=5, state=ErasedState(id=gone), cause=CAUSE))
    await desk.work()
    for table in ("automation_run", "customer_change", "customer_profile", "opportunity"):
        rows = await desk.office.harness.sql(f"SELECT customer_id FROM {table}")
        assert [row[0] for row in rows] == [stays], table
    assert [run["customer_id"] for run in await desk.runs(rule_id)] == [str(stays)]


async def test_changes_and_runs_are_forgotten_in_time(desk: Desk) -> None:
    """K5: changes live seven days, runs thirty, a deleted rule as long as its runs."""
    rule_id = await desk.rule({"kind": "created"})
    await desk.born()
    await desk.office.harness.sql("UPDATE customer_change SET happened_at = happened_at - interval '8 days'")
    await desk.office.harness.sql("UPDATE automation_run SET created_at = created_at - interval '31 days'")
    await desk.born()
    await desk.writer.delete(f"{RULES}/{rule_id}")
    for forgotten, left in ((1, 1), (0, 1)):
        outcome = await purge_of_campaigns(
            desk.office.harness.database, desk.office.harness.settings, datetime.now(UTC).date()
        )
        assert (outcome["customer_changes"], outcome["automation_runs"]) == (forgotten, forgotten)
        assert await desk.office.harness.sql("SELECT count(*) FROM automation_run") == [(left,)]
    await desk.office.harness.sql("DELETE FROM automation_run")
    await purge_of_campaigns(desk.office.harness.database, desk.office.harness.settings, datetime.now(UTC).date())
    assert await desk.office.harness.sql("SELECT count(*) FROM automation") == [(0,)]


async def test_what_fails_by_our_own_fault_is_given_up_alone(desk: Desk) -> None:
    """K5: a customer who cannot be added by a fault of ours holds up nobody behind."""
    campaign = await desk.office.campaign()
    action = {"kind": "add_to_campaign", "campaign_id": campaign["id"], "distribute": False}
    rule_id = await desk.rule({"kind": "created"}, action)
    broken, _ = await desk.born(2)
    owner = await asyncpg.connect(desk.office.harness.settings.owner_url)
    await owner.execute(
        "CREATE FUNCTION refuse() RETURNS trigger LANGUAGE plpgsql AS"
        f" $$ BEGIN IF new.customer_id = '{broken}' THEN RAISE 'broken'; END IF; RETURN new; END $$;"
        "CREATE TRIGGER refuse BEFORE INSERT ON opportunity FOR EACH ROW EXECUTE FUNCTION refuse()"
    )
    await owner.close()
    await desk.work()
    actions = {run["customer_id"]: run["actions"][0] for run in await desk.runs(rule_id)}
    assert actions.pop(str(broken))["error"] == {"code": "internal_error"}
    assert [action["state"] for action in actions.values()] == ["done"]


async def test_a_rule_goes_on_while_a_change_of_it_waits_for_what_it_names(make_harness: MakeHarness) -> None:
    """K5: events of customers are not held up by a request; who changed the rule meanwhile is not overwritten."""
    desk = Desk(Office(await make_harness("campaigns", wait_for_seconds=LONG_SECONDS)))
    await desk.office.open()
    await desk.open()
    rule_id, coming = await desk.rule({"kind": "created"}), new_id()
    body = {"actions": [{"kind": "add_to_group", "group_id": str(coming)}]}
    asked = [
        asyncio.create_task(desk.writer.patch(f"{RULES}/{rule_id}", json=body, headers=headers))
        for headers in ({}, {"If-Match": '"1"'})
    ]
    while len(await desk.office.harness.sql(LOOKING)) < len(asked):
        assert not any(one.done() for one in asked)
    async with asyncio.timeout(LONG_SECONDS / 2):
        await desk.born()
        renamed = await desk.writer.patch(f"{RULES}/{rule_id}", json={"name": "Hai"})
    assert (renamed.status_code, await desk.answers(rule_id)) == (200, [("taken", "created")])
    await desk.office.harness.deliver(_group(coming, None))
    assert sorted([(await one).status_code for one in asked]) == [200, 412]
    assert (await desk.writer.get(f"{RULES}/{rule_id}")).json()["name"] == "Hai"
