"""Classification: trees and relationships, what a source brought, and Don't Forget as it comes and goes."""

import json
import subprocess
import sys
from datetime import UTC, date, datetime, timedelta
from typing import Any
from uuid import uuid4
from zoneinfo import ZoneInfo

from deploy.demo.api import until
from deploy.demo.cast import Cast, called, money, title
from deploy.demo.contacts import fact
from deploy.local.settings import PROJECT

COHORT = 4
PERIOD_DAYS = 30
AWAITING = {"vi": "Chờ phản hồi", "en": "Awaiting Reply"}
JOB_SECONDS = 60


def classification(cast: Cast, customers: list[dict[str, Any]]) -> None:
    """A tree of groups, a group with its subtree in a filter, the relationships that exist from the start."""
    title("Customers are classified")
    business = cast.value("groups", "Khách doanh nghiệp")
    builders = cast.value("groups", "Nhà thầu", parent_id=business["id"])
    for customer in customers[:COHORT]:
        cast.admin.patch(f"/customers/{customer['id']}", {"group_ids": [builders["id"]]})
    found = cast.admin.get("/customers", group=business["id"], limit=1, total="true")["total"]
    print(f"  {COHORT} customers in {business['name']} › {builders['name']} ({builders['code']});")
    print(f"  a filter by {business['name']} finds {found}: groups filter with all below them.")
    days = [f"{one['name']} {one['forget_after_days'] or '–'}" for one in cast.admin.get("/relationships")["items"]]
    print(f"  Relationships, with the days until Don't Forget: {', '.join(days)}.")


def source_brings(cast: Cast, customers: list[dict[str, Any]]) -> None:
    """Money booked for a source beside what its customers bought."""
    title("What did the trade fair bring?")
    today = _today(cast)
    period = {"from": str(today - timedelta(days=PERIOD_DAYS)), "to": str(today)}
    fair = cast.value("sources", "Hội chợ VietBuild")
    if not cast.admin.get(f"/sources/{fair['id']}/costs")["items"]:
        for kind, amount in (("planned", 20_000_000), ("spent", 12_000_000)):
            cost = {"kind": kind, "amount": {"amount": amount}, "from": str(today)}
            cast.admin.post(f"/sources/{fair['id']}/costs", cost)
    for customer in customers[:COHORT]:
        cast.admin.patch(f"/customers/{customer['id']}", {"source_ids": [fair["id"]]})
    closed = _relationship(cast, "Closed")
    cast.admin.patch(f"/customers/{customers[0]['id']}", {"relationship_id": closed["id"]})
    before = cast.admin.get(f"/customers/{customers[0]['id']}")["order_count"]
    order = {"customer_id": customers[0]["id"], "kind": "order", "order_type": "sales", "status": "confirmed"}
    cast.admin.post("/documents", order | {"total": {"amount": 48_000_000, "currency": "VND"}, "lines": []})
    until(lambda: cast.admin.get(f"/customers/{customers[0]['id']}")["order_count"] > before)
    figures = cast.admin.get("/sources/effectiveness", **period)["items"]
    [one] = [item for item in figures if item["source_id"] == fair["id"]]
    print(f"  {one['name']}: {one['customers']} customers, {one['closed']} of them Closed ({one['conversion']:.0%});")
    print(f"  planned {money(one['planned'])}, spent {money(one['spent'])}, revenue {money(one['revenue'])}:")
    print(f"  {money(one['cost_per_customer'])} a customer, {one['return_on_cost']:.1f} back for each dong spent.")


def dont_forget(cast: Cast, customers: list[dict[str, Any]]) -> None:
    """Three are left alone for a day too long; a contact, a choice by hand and the calendar bring them back."""
    title("Don't Forget: who was left alone too long, and comes back")
    awaiting = _relationship(cast, AWAITING["en"]) or cast.admin.post(
        "/relationships", {"names": AWAITING, "forget_after_days": 1}
    )
    three = customers[:3]
    for customer in three:
        cast.admin.patch(f"/customers/{customer['id']}", {"relationship_id": awaiting["id"]})
    waiting = {"field": "relationship_id", "op": "eq", "value": awaiting["id"]}
    those = {"field": "id", "op": "in", "value": [customer["id"] for customer in three]}
    query = {"filter": {"and": [waiting, those]}, "sort": ["days_left"]}
    for item in cast.admin.post("/customers/search", query)["items"]:
        print(f"  {called(item)}: {awaiting['name']}, {item['days_left']} day left.")
    tomorrow = _today(cast) + timedelta(days=1)
    if not _sweep(cast, tomorrow):
        print("  (The sweep is an hourly job; this telling has no access to run one for tomorrow.)")
        return
    contacted, chosen, left = three
    _tell(cast, f"  The sweep, as of tomorrow ({tomorrow})", left)
    cast.mailer.post("/interactions/facts", {"items": [fact(contacted["id"], "call", "answered", datetime.now(UTC))]})
    until(lambda: _standing(cast, contacted)["relationship_id"] == awaiting["id"])
    _tell(cast, "  A call is answered", contacted)
    cast.admin.patch(f"/customers/{chosen['id']}", {"relationship_id": _relationship(cast, "Hot")["id"]})
    _tell(cast, "  Another relationship is chosen by hand", chosen)
    _sweep(cast, _today(cast))
    _tell(cast, "  The sweep, as of today: the day is not over", left)


def _sweep(cast: Cast, today: date) -> bool:
    """Run the job `forget` for a day; False where the customers' database cannot be reached from here."""
    environment = cast.place.environment
    if "DATABASE_URL_CUSTOMERS" not in environment:
        return False
    command = [sys.executable, "-m", "services.customers", "job", "forget", "--today", str(today)]
    slot = ["--slot", f"demo {uuid4()}"]
    done = subprocess.run(
        [*command, *slot],
        env=dict(environment),
        capture_output=True,
        text=True,
        timeout=JOB_SECONDS,
        check=True,
        cwd=PROJECT,
    )
    return json.loads(done.stdout.splitlines()[-1])["outcome"] != "ran before"


def _tell(cast: Cast, what: str, customer: dict[str, Any]) -> None:
    record = _standing(cast, customer)
    names = {one["id"]: one["name"] for one in cast.admin.get("/relationships")["items"]}
    remembered = record["remembered_relationship_id"]
    aside = f", remembering {names[remembered]}" if remembered else ""
    print(f"{what}: {called(record)} is {names[record['relationship_id']]}{aside}.")


def _standing(cast: Cast, customer: dict[str, Any]) -> dict[str, Any]:
    return cast.admin.get(f"/customers/{customer['id']}")


def _relationship(cast: Cast, english: str) -> dict[str, Any]:
    found = [one for one in cast.admin.get("/relationships")["items"] if one["names"]["en"] == english]
    return found[0] if found else {}


def _today(cast: Cast) -> date:
    return datetime.now(ZoneInfo(cast.admin.get("/settings")["time_zone"])).date()
