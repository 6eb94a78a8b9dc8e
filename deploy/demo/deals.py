"""A campaign: its distribution is simulated, run and explained, and the owners become the customers' managers."""

import time
from collections import Counter
from typing import Any

from deploy.demo.api import until
from deploy.demo.cast import Cast, called, title

DEALT = 1_000


def campaign_deals(cast: Cast, customers: list[dict[str, Any]]) -> None:
    """Everybody gets their share, each assignment with its reason."""
    title(f"A campaign deals {len(customers):,} opportunities out, and the owners become the customers' managers")
    campaign = cast.admin.post("/campaigns", {"name": "Tri ân khách hàng 2026"})
    path = f"/campaigns/{campaign['id']}"
    cast.admin.put(f"{path}/staff", {"items": [{"employee_id": person} for person in cast.team]})
    waiting = [customer["id"] for customer in customers]
    while waiting:  # the campaigns service hears of new customers through Kafka, a moment later
        answer = cast.admin.post(f"{path}/opportunities", {"customer_ids": waiting[:DEALT]})
        codes = {waiting[item["index"]]: item.get("error") for item in answer["items"]}
        waiting = [one for one in waiting if codes[one] and codes[one]["code"] == "not_found"]
    planned = _owners(cast.admin.post(f"{path}/distribute/simulation", {}))
    print(f"  Simulated, nothing written: {_shares(cast, planned)}.")
    started = time.monotonic()
    dealt = _owners(cast.admin.post(f"{path}/distribute", {}))
    answered = time.monotonic() - started
    until(lambda: all(_managed(cast, person) >= len(customers) // len(cast.team) for person in cast.team))
    print(f"  Run: answered in {answered:.2f} s; every manager set {time.monotonic() - started:.2f} s after the call.")
    print(f"  {'Exactly' if dealt == planned else 'Not'} as simulated: {_shares(cast, dealt)}.")
    [one] = cast.admin.get("/opportunities", customer_id=customers[0]["id"], campaign_id=campaign["id"])["items"]
    reason = one["reason"]
    print(
        f"  Why {called(customers[0])} went to {cast.names[one['owner_id']]}: {reason['code']},"
        f" turn {reason['turn']} among {reason['people']} people."
    )


def one_owner_by_hand(cast: Cast, customer: dict[str, Any]) -> None:
    """The later assignment names the manager; the previous one loses sight, the superior keeps it."""
    title("One opportunity changes hands")
    customer_id = customer["id"]
    before = cast.admin.get(f"/customers/{customer_id}")["manager_id"]
    after = next(person for person in cast.team if person != before)
    [opportunity] = cast.admin.get("/opportunities", customer_id=customer_id, limit=1)["items"]
    cast.admin.put(f"/opportunities/{opportunity['id']}/owner", {"employee_id": after})
    until(lambda: cast.admin.get(f"/customers/{customer_id}")["manager_id"] == after)
    print(f"  {called(customer)}: {cast.names[before]} → {cast.names[after]}.")
    sight = [f"{cast.names[one]} {_sight(cast, one, customer_id)}" for one in (before, after, cast.head)]
    print(f"  {'; '.join(sight)}.")
    entry = cast.admin.get(f"/customers/{customer_id}/audit", limit=1)["items"][0]
    print(f"  Audit: {entry['outcome']}, because of {entry['cause']['kind']} event {entry['cause']['id']}.")


def _owners(answer: dict[str, Any]) -> dict[str, str]:
    return {item["opportunity_id"]: item["employee_id"] for item in answer["items"]}


def _shares(cast: Cast, owners: dict[str, str]) -> str:
    return ", ".join(f"{cast.names[person]} {count}" for person, count in sorted(Counter(owners.values()).items()))


def _managed(cast: Cast, employee_id: str) -> int:
    return cast.admin.get("/customers", manager=employee_id, limit=1, total="true")["total"]


def _sight(cast: Cast, employee_id: str, customer_id: str) -> str:
    seen = cast.as_(employee_id).status(f"/customers/{customer_id}") == 200
    return "sees it" if seen else "no longer sees it"
