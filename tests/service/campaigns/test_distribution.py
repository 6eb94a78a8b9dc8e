"""Opportunities are handed out fairly, by turns, and wait when nobody is free (K4)."""

import asyncio
from collections import Counter
from datetime import date
from uuid import UUID

from sqlalchemy import select

from services.campaigns.domain.campaign import Campaign
from services.campaigns.domain.opportunity import Opportunity
from services.campaigns.jobs import distribute_waiting
from shared.contracts.campaigns import OpportunityCreated, OpportunityEvent, OpportunityOwnerAssigned
from shared.contracts.customers import CustomerDeleted, CustomerRestored
from shared.contracts.directory import DIRECTORY
from shared.contracts.events import Cause
from shared.envelope import new_id
from tests.service.campaigns.conftest import API, Office
from tests.support.records import customer_state, employee

TODAY = date(2026, 11, 24)


async def test_a_thousand_opportunities_are_shared_out_evenly_in_one_call(office: Office) -> None:
    """K4: three people get a third each of 1,000 opportunities, each told with one event and one version."""
    campaign = await office.campaign()
    await office.staff(campaign["id"], office.lan, office.minh, office.hoa)
    ids = await office.add(campaign["id"], await office.customers(1_000))

    done = await office.distribute(campaign["id"])

    assert (done["assigned"], done["queued"]) == (1_000, 0)
    assert sorted(Counter(item["employee_id"] for item in done["items"]).values()) == [333, 333, 334]
    assert [item["opportunity_id"] for item in done["items"]] == ids
    events = await office.told(OpportunityOwnerAssigned)
    assert [event.version for event in events] == [2] * 1_000
    assert {(str(event.state.id), str(event.state.owner_id)) for event in events} == {
        (item["opportunity_id"], item["employee_id"]) for item in done["items"]
    }
    assert all(event.changed == ("owner_id", "owner_assigned_at") for event in events)
    assert await office.distribute(campaign["id"]) == {"items": [], "assigned": 0, "queued": 0}


async def test_what_a_distribution_tells_is_the_record(office: Office) -> None:
    """K3, K4: written by one statement, the event is what one opportunity by itself would tell, old values included."""
    campaign = await office.campaign(manager_policy="only_if_unassigned", keep_previous_as_viewer=True)
    await office.staff(campaign["id"], office.lan)
    ids = await office.add(campaign["id"], await office.customers(3))
    value = {"value": {"amount": 5_000_000, "currency": "VND"}, "probability": 40}
    await office.manager.patch(f"{API}/opportunities/{ids[0]}", json=value)
    await office.distribute(campaign["id"])
    told = await office.harness.told_with_headers(OpportunityOwnerAssigned)
    assert [str(event.state.id) for _, event in told] == ids
    async with office.harness.database.transaction() as session:
        (await session.scalars(select(Campaign))).all()
        rows = await session.scalars(select(Opportunity).order_by(Opportunity.created_at, Opportunity.id))
        for (headers, event), row in zip(told, rows, strict=True):
            again = row.told_again()
            assert event.model_dump(exclude={"cause", "changed", "before"}) == again.model_dump(
                exclude={"cause", "changed", "before"}
            )
            assert (event.cause.kind, event.changed) == ("campaign", ("owner_id", "owner_assigned_at"))
            assert event.before == {"owner_id": None, "owner_assigned_at": None}
            assert (headers["ce_subject"], headers["ce_actorid"]) == (str(row.id), str(office.manager_id))
            assert headers.keys() >= {"ce_id", "ce_source", "ce_time", "ce_correlationid", "content-type"}


async def test_two_distributions_at_once_together_are_as_fair_as_one(office: Office) -> None:
    """K4: bulks that run at the same time, and additions between them, leave nobody a whole turn away."""
    campaign = await office.campaign()
    await office.staff(campaign["id"], office.lan, office.minh, office.hoa)
    batches = [await office.customers(50) for _ in range(4)]

    async def add_and_distribute(customers: list[UUID]) -> None:
        await office.add(campaign["id"], customers)
        await office.distribute(campaign["id"])

    await asyncio.gather(*(add_and_distribute(customers) for customers in batches))

    events = await office.told(OpportunityOwnerAssigned)
    assert len({event.state.id for event in events}) == len(events) == 200
    counts = Counter(event.state.owner_id for event in events)
    assert sorted(counts.values()) == [66, 67, 67]


async def test_weights_are_honoured_over_many_calls(office: Office) -> None:
    """K4: weights 3 and 1 hold over single handouts as over a bulk; the reason says whose turn it was."""
    campaign = await office.campaign()
    await office.staff(campaign["id"], {"employee_id": str(office.lan), "weight": 3}, office.minh)
    path = f"{API}/campaigns/{campaign['id']}/distribution"
    assert (await office.manager.put(path, json={"method": "weighted", "automatic": False})).status_code == 200

    owners: list[str] = []
    for size in (1, 1, 1, 1, 2, 10):
        await office.add(campaign["id"], await office.customers(size))
        done = await office.distribute(campaign["id"])
        owners += [item["employee_id"] for item in done["items"]]
        assert {item["reason"]["code"] for item in done["items"]} == {"weighted"}

    for turn in range(1, len(owners) + 1):
        assert abs(owners[:turn].count(str(office.lan)) - turn * 3 / 4) < 1


async def test_round_robin_takes_no_notice_of_weights(office: Office) -> None:
    """K4: even round robin by default."""
    campaign = await office.campaign()
    await office.staff(campaign["id"], {"employee_id": str(office.lan), "weight": 9}, office.minh)
    await office.add(campaign["id"], await office.customers(10))
    done = await office.distribute(campaign["id"])
    assert set(Counter(item["employee_id"] for item in done["items"]).values()) == {5}


async def test_a_simulation_says_what_would_happen_and_writes_nothing(office: Office) -> None:
    """K4: the simulation has the result of the distribution that follows, and leaves no trace."""
    campaign = await office.campaign()
    await office.staff(campaign["id"], office.lan, {"employee_id": str(office.minh), "daily_capacity": 1})
    await office.add(campaign["id"], await office.customers(5))
    before = await office.told(OpportunityEvent)

    simulated = await office.manager.post(f"{API}/campaigns/{campaign['id']}/distribute/simulation", json={})

    assert simulated.status_code == 200, simulated.text
    assert await office.told(OpportunityEvent) == before
    assert await office.harness.sql("SELECT FROM distribution_turn") == []
    assert await office.distribute(campaign["id"]) == simulated.json()


async def test_nobody_free_makes_a_visible_queue_that_is_drained_later(office: Office) -> None:
    """K4: without staff opportunities wait, oldest first and with the reason; the job gives them to who comes."""
    campaign = await office.campaign()
    ids = await office.add(campaign["id"], await office.customers(3))
    done = await office.distribute(campaign["id"])
    assert (done["assigned"], done["queued"]) == (0, 3)
    assert {item["reason"]["code"] for item in done["items"]} == {"queued_no_staff"}

    queue = (await office.manager.get(f"{API}/campaigns/{campaign['id']}/queue?total=true")).json()
    assert ([item["id"] for item in queue["items"]], queue["total"]) == (ids, 3)
    assert all(item["queued_at"] for item in queue["items"])
    idle = await distribute_waiting(office.harness.database, office.harness.settings, TODAY)
    assert idle["assigned"] == 0

    await office.staff(campaign["id"], office.lan)
    outcome = await distribute_waiting(office.harness.database, office.harness.settings, TODAY)
    assert outcome == {"campaigns": 1, "assigned": 3, "inactive_owners": 0}
    assert (await office.manager.get(f"{API}/campaigns/{campaign['id']}/queue")).json()["items"] == []
    assert (await office.opportunity(ids[0]))["owner_id"] == str(office.lan)


async def test_what_nobody_asked_to_hand_out_is_not_in_the_queue(office: Office) -> None:
    """K4: without automatic distribution an unowned opportunity waits for a manager, not for the job."""
    campaign = await office.campaign()
    await office.staff(campaign["id"], office.lan)
    await office.add(campaign["id"], await office.customers(1))
    assert (await office.manager.get(f"{API}/campaigns/{campaign['id']}/queue")).json()["items"] == []
    outcome = await distribute_waiting(office.harness.database, office.harness.settings, TODAY)
    assert outcome["assigned"] == 0


async def test_an_automatic_campaign_hands_out_what_is_added(office: Office) -> None:
    """K4: each new opportunity is told twice, created and assigned, with a version each."""
    campaign = await office.campaign()
    await office.staff(campaign["id"], office.lan, office.minh)
    path = f"{API}/campaigns/{campaign['id']}/distribution"
    put = await office.manager.put(path, json={"method": "round_robin", "automatic": True})
    assert (put.status_code, put.headers["etag"]) == (200, '"3"')
    assert (await office.manager.get(path)).json() == {"method": "round_robin", "automatic": True}

    ids = await office.add(campaign["id"], await office.customers(4))

    assert [event.version for event in await office.told(OpportunityCreated)] == [1] * 4
    assigned = await office.told(OpportunityOwnerAssigned)
    assert [(str(event.state.id), event.version) for event in assigned] == [(one, 2) for one in ids]
    assert set(Counter(event.state.owner_id for event in assigned).values()) == {2}


async def test_a_daily_capacity_is_for_the_day_over_all_calls(office: Office) -> None:
    """K4: who has had enough today gets no more in the next call; a new day starts anew."""
    campaign = await office.campaign()
    await office.staff(
        campaign["id"],
        {"employee_id": str(office.lan), "daily_capacity": 2},
        {"employee_id": str(office.minh), "daily_capacity": 3},
    )
    await office.add(campaign["id"], await office.customers(4))
    await office.distribute(campaign["id"])
    await office.add(campaign["id"], await office.customers(4))
    done = await office.distribute(campaign["id"])
    assert (done["assigned"], done["queued"]) == (1, 3)
    assert {item["reason"]["code"] for item in done["items"] if not item["employee_id"]} == {"queued_capacity"}

    await office.harness.sql("UPDATE distribution_turn SET given_on = given_on - 1")
    assert (await office.distribute(campaign["id"]))["assigned"] == 3


async def test_nobody_is_given_anything_outside_their_hours(office: Office) -> None:
    """K4: working hours without a span for any day, and a day off today, mean nobody is free."""
    campaign = await office.campaign()
    [[today]] = await office.harness.sql("SELECT (now() AT TIME ZONE current_setting('rapport.zone'))::date")
    days = [str(date.fromordinal(today.toordinal() + ahead)) for ahead in (0, 1)]  # also when midnight passes
    members = [
        {"employee_id": str(office.lan), "working_hours": {}},
        {"employee_id": str(office.minh), "days_off": days},
    ]
    await office.staff(campaign["id"], *members)
    await office.add(campaign["id"], await office.customers(1))
    done = await office.distribute(campaign["id"])
    assert [item["reason"]["code"] for item in done["items"]] == ["queued_outside_hours"]


async def test_staff_that_was_read_can_be_sent_back(office: Office) -> None:
    """K1: equal staff keeps the version; a changed weight raises it though others learn nothing new."""
    campaign = await office.campaign()
    hours = {"mon": [["08:00", "12:00"], ["13:00", "17:30"]]}
    answer = await office.staff(campaign["id"], {"employee_id": str(office.lan), "working_hours": hours}, office.minh)
    assert answer.headers["etag"] == '"2"'
    path = f"{API}/campaigns/{campaign['id']}/staff"
    read = await office.manager.get(path)
    assert read.json()["items"][0] == {
        "employee_id": str(office.lan),
        "weight": 1,
        "daily_capacity": None,
        "working_hours": hours,
        "days_off": [],
    }
    assert (await office.manager.put(path, json=read.json())).headers["etag"] == '"2"'
    heavier = [read.json()["items"][0] | {"weight": 2}, read.json()["items"][1]]
    changed = await office.manager.put(path, json={"items": heavier}, headers={"If-Match": '"2"'})
    assert changed.headers["etag"] == '"3"'
    stale = await office.manager.put(path, json={"items": heavier}, headers={"If-Match": '"2"'})
    assert stale.status_code == 412


async def test_staff_that_makes_no_sense_is_refused(office: Office) -> None:
    """K4, A6: unknown people, somebody twice, a span that ends before it starts or is none, a day that is none."""
    campaign = await office.campaign()
    lan = {"employee_id": str(office.lan)}
    for items in (
        [{"employee_id": str(new_id())}],
        [lan, lan],
        [lan | {"working_hours": {"mon": [["17:00", "08:00"]]}}],
        [lan | {"working_hours": {"mon": [["8:00", "09:00"]]}}],
        [lan | {"working_hours": {"mon": [["08:00"]]}}],
        [lan | {"working_hours": {"mon": [[]]}}],
        [lan | {"working_hours": {"monday": []}}],
        [lan | {"weight": 0}],
    ):
        answer = await office.manager.put(f"{API}/campaigns/{campaign['id']}/staff", json={"items": items})
        assert (answer.status_code, answer.json()["code"]) == (422, "validation_failed")


async def test_who_leaves_the_staff_hands_their_open_opportunities_on(office: Office) -> None:
    """K4: status kept, closed ones stay with who won them, the reason names from whom it came."""
    campaign = await office.campaign(statuses=None)
    await office.staff(campaign["id"], office.lan, office.minh)
    ids = await office.add(campaign["id"], await office.customers(4))
    for one in ids:
        await office.give(one, office.lan)
    won = campaign["statuses"][1]["id"]
    await office.manager.patch(f"{API}/opportunities/{ids[0]}", json={"status_id": won})

    await office.staff(campaign["id"], office.minh, office.hoa)

    owners = [(await office.opportunity(one))["owner_id"] for one in ids]
    assert owners[0] == str(office.lan)
    assert Counter(owners[1:]).keys() == {str(office.minh), str(office.hoa)}
    moved = await office.opportunity(ids[1])
    assert (moved["reason"]["code"], moved["reason"]["from"]) == ("redistributed", str(office.lan))
    assert moved["status_id"] == campaign["statuses"][0]["id"]


async def test_when_the_last_one_leaves_opportunities_wait_without_an_owner(office: Office) -> None:
    """K4: nobody is left, so they lose their owner, which is told, and join the queue."""
    campaign = await office.campaign()
    await office.staff(campaign["id"], office.lan)
    [one] = await office.add(campaign["id"], await office.customers(1))
    await office.distribute(campaign["id"])
    await office.staff(campaign["id"])
    opportunity = await office.opportunity(one)
    assert (opportunity["owner_id"], opportunity["reason"]["code"]) == (None, "queued_no_staff")
    assert opportunity["queued_at"] is not None
    first, second = await office.told(OpportunityOwnerAssigned)
    assert (second.state.owner_id, second.version) == (None, first.version + 1)
    assert second.state.owner_assigned_at > first.state.owner_assigned_at


async def test_what_rests_with_its_customer_does_not_come_back_to_who_left_the_staff(office: Office) -> None:
    """K4, K7: it waits without an owner while the customer is away, and is handed out when the customer is back."""
    campaign = await office.campaign()
    await office.staff(campaign["id"], office.lan, office.minh)
    [one] = await office.customers(1)
    [opportunity] = await office.add(campaign["id"], [one])
    await office.give(opportunity, office.lan)
    gone, back = customer_state(one, state="deleted"), customer_state(one, manager_id=office.lan)
    await office.harness.deliver(CustomerDeleted(version=2, state=gone, cause=Cause(kind="system")))

    await office.staff(campaign["id"], office.minh)
    resting = await office.opportunity(opportunity)
    assert (resting["state"], resting["owner_id"]) == ("suspended", None)
    assert resting["reason"] == {"code": "queued_customer_away", "from": str(office.lan)}
    assert (await office.manager.get(f"{API}/campaigns/{campaign['id']}/queue")).json()["items"] == []
    await distribute_waiting(office.harness.database, office.harness.settings, TODAY)
    assert (await office.opportunity(opportunity))["owner_id"] is None

    await office.harness.deliver(CustomerRestored(version=3, state=back, cause=Cause(kind="system")))
    await distribute_waiting(office.harness.database, office.harness.settings, TODAY)
    assert (await office.opportunity(opportunity))["owner_id"] == str(office.minh)


async def test_a_deactivated_persons_opportunities_go_to_the_successor_or_by_turns(office: Office) -> None:
    """K4, A6: with a successor named all go there, also one who is not on the staff; else by turns."""
    campaign = await office.campaign()
    await office.staff(campaign["id"], office.lan, office.minh)
    ids = await office.add(campaign["id"], await office.customers(4))
    await office.distribute(campaign["id"])

    await office.harness.deliver(employee(office.lan, version=2, active=False, successor_id=office.hoa))
    owners = [(await office.opportunity(one))["owner_id"] for one in ids]
    assert Counter(owners) == {str(office.hoa): 2, str(office.minh): 2}
    passed_on = next(o for o in [await office.opportunity(one) for one in ids] if o["owner_id"] == str(office.hoa))
    assert passed_on["reason"] == {"code": "successor", "from": str(office.lan)}

    await office.harness.deliver(employee(office.hoa, version=2, active=False))
    assert {(await office.opportunity(one))["owner_id"] for one in ids} == {str(office.minh)}


async def test_inactive_people_are_passed_over(office: Office) -> None:
    """A6: staff who became inactive receive nothing."""
    campaign = await office.campaign()
    await office.staff(campaign["id"], office.lan, office.minh)
    await office.harness.deliver(employee(office.lan, version=2, active=False))
    await office.add(campaign["id"], await office.customers(3))
    done = await office.distribute(campaign["id"])
    assert {item["employee_id"] for item in done["items"]} == {str(office.minh)}


async def test_an_assignment_that_crossed_a_deactivation_is_mended_by_the_job(office: Office) -> None:
    """A6: an opportunity given at the very moment somebody became inactive does not stay with them."""
    campaign = await office.campaign()
    await office.staff(campaign["id"], office.lan, office.minh)
    [one] = await office.add(campaign["id"], await office.customers(1))
    await office.give(one, office.lan)
    await office.harness.sql("UPDATE employee SET active = false WHERE id = $1", office.lan)
    outcome = await distribute_waiting(office.harness.database, office.harness.settings, TODAY)
    assert outcome["inactive_owners"] == 1
    assert (await office.opportunity(one))["owner_id"] == str(office.minh)


async def test_what_a_former_employee_has_closed_stays_and_the_job_finds_nothing_to_do(office: Office) -> None:
    """A6, K4: nor does it look, every minute for ever, into a campaign where what nobody owns is lost."""
    campaign = await office.campaign()
    await office.staff(campaign["id"], office.lan, office.minh)
    path = f"{API}/campaigns/{campaign['id']}/distribution"
    [won, lost] = await office.add(campaign["id"], await office.customers(2))
    await office.give(won, office.lan)
    for one, status in ((won, campaign["statuses"][1]), (lost, campaign["statuses"][2])):
        await office.manager.patch(f"{API}/opportunities/{one}", json={"status_id": status["id"]})
    await office.manager.put(path, json={"method": "round_robin", "automatic": True})
    await office.harness.deliver(employee(office.lan, version=2, active=False))
    outcome = await distribute_waiting(office.harness.database, office.harness.settings, TODAY)
    assert outcome == {"campaigns": 0, "assigned": 0, "inactive_owners": 0}
    assert (await office.opportunity(won))["owner_id"] == str(office.lan)


async def test_a_repeated_directory_event_hands_nothing_on_twice(office: Office) -> None:
    """K4: the same event again finds nothing to do."""
    campaign = await office.campaign()
    await office.staff(campaign["id"], office.lan, office.minh)
    await office.add(campaign["id"], await office.customers(2))
    await office.distribute(campaign["id"])
    gone = employee(office.lan, version=2, active=False)
    assert gone.topic == DIRECTORY
    await office.harness.deliver(gone)
    count = len(await office.told(OpportunityEvent))
    await office.harness.deliver(gone)
    assert len(await office.told(OpportunityEvent)) == count
