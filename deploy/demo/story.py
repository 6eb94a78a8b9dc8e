"""`make demo`: the three flows on real input, told as they happen.

Starts the system if it is down, and leaves it running; with `RAPPORT_DEMO_GATEWAY` it tells the story
to the system at that address. Everything goes through the gateway and the topics, as another company's
front end and connectors would do it.
"""

import asyncio
import json
import os
import sys
import time
from collections import Counter
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import uuid4

from aiokafka import AIOKafkaProducer

from deploy.demo.api import Person, Place, Refused, until
from deploy.demo.generate import DATA_FOLDER, EXPECTED_CREATED, EXPECTED_ERRORS, ROWS
from deploy.local.errors import LaunchError
from deploy.local.keys import ADMINISTRATOR_ID, ADMINISTRATOR_PERMISSIONS, DevelopmentKeys
from deploy.local.settings import PROJECT, LocalSettings
from deploy.local.system import System

TEAM = ("Trần Thu Hà", "Lê Quốc Minh", "Phạm Ngọc Lan", "Đặng Văn Tú")
DEALT = 1_000
INGEST_TOPIC = "crm.interactions.ingest"


class Story:
    """One telling. Names are looked up once, so that lines read like sentences."""

    def __init__(self, place: Place) -> None:
        self.place = place
        self.admin = Person(place, ADMINISTRATOR_ID, ADMINISTRATOR_PERMISSIONS)
        self.mailer = Person(place, "demo-mailer", ("interactions:ingest",), "service")
        self.names: dict[str | None, str] = {None: "nobody", ADMINISTRATOR_ID: "the administrator"}

    def tell(self) -> None:
        """The whole story."""
        head = self._team()
        import_id = self._file_becomes_customers()
        customers = [item for item in self.admin.pages("/customers") if item["origin"]["kind"] == "import"][:DEALT]
        self._campaign_deals(customers)
        self._one_owner_by_hand(customers[0], head)
        self._interactions(customers[0])
        print(f"\nThe import's annotated result: {self.place.gateway}/api/v1/imports/{import_id}/result-file")

    def _team(self) -> str:
        title("A sales team")
        head = self._employee("Nguyễn Hải Yến (trưởng nhóm)", None)
        people = [self._employee(name, head) for name in TEAM]
        for person in people:
            until(lambda person=person: self._known(person))
        self.team = people
        print(f"  {self.names[head]} leads {', '.join(self.names[person] for person in people)}.")
        return head

    def _employee(self, name: str, superior_id: str | None) -> str:
        made = self.admin.post("/employees", {"name": name, "superior_id": superior_id})
        self.names[made["id"]] = name
        return made["id"]

    def _known(self, employee_id: str) -> bool:
        person = Person(self.place, employee_id)
        return all(person.status(path) != 403 for path in ("/opportunities", "/interaction-summaries/0"))

    def _file_becomes_customers(self) -> str:
        title(f"A file of {ROWS:,} rows becomes customers")
        content = (DATA_FOLDER / "customers.xlsx").read_bytes()
        made = self.admin.upload("/imports", "khách hàng.xlsx", content, kind="customers", repeat="true")
        path = f"/imports/{made['id']}"
        proposal = self._when(path, "awaiting_mapping")["mapping"]
        columns = [{"index": c["index"], "field": c["field"]} for c in proposal["columns"]]
        header = self.admin.get(path)["header"]
        found = [f"{header[c['index']]} → {c['field'] or '(left out)'}" for c in proposal["columns"]]
        print(f"  Header in row {proposal['header_row']}: {'; '.join(found[:5])}; …")
        self.admin.put(f"{path}/mapping", {"header_row": proposal["header_row"], "columns": columns})
        ready = self._when(path, "ready")
        print(f"  Preview: {counts(ready['counts'])}. In the file: {sum(EXPECTED_ERRORS.values())} faulty rows.")
        for row in self.admin.get(f"{path}/rows", outcome="error", limit=3)["items"]:
            print(f"    row {row['row']}: {', '.join(error['code'] for error in row['errors'])}")
        started = time.monotonic()
        self.admin.post(f"{path}/confirm", {"skip_errors": True})
        for event in self.admin.events(f"{path}/events"):
            if event["state"] in ("finished", "failed"):
                break
        done = self.admin.get(path)
        print(f"  Confirmed → every outcome: {counts(done['counts'])} in {time.monotonic() - started:.2f} s.")
        if done["counts"].get("created") not in (None, EXPECTED_CREATED):
            print("  (This file was imported before: phones that are taken are errors of their rows.)")
        return made["id"]

    def _when(self, path: str, state: str) -> Any:
        def look() -> Any:
            record = self.admin.get(path)
            if record["state"] == "failed":
                raise RuntimeError(f"the import failed: {record}")
            return record if record["state"] == state else None

        return until(look)

    def _campaign_deals(self, customers: list[dict[str, Any]]) -> None:
        title(f"A campaign deals {len(customers):,} opportunities out, and the owners become the customers' managers")
        campaign = self.admin.post("/campaigns", {"name": "Tri ân khách hàng 2026"})
        self.campaign = f"/campaigns/{campaign['id']}"
        self.admin.put(f"{self.campaign}/staff", {"items": [{"employee_id": person} for person in self.team]})
        waiting = [customer["id"] for customer in customers]
        while waiting:  # the campaigns service hears of new customers through Kafka, a moment later
            answer = self.admin.post(f"{self.campaign}/opportunities", {"customer_ids": waiting[:DEALT]})
            codes = {waiting[item["index"]]: item.get("error") for item in answer["items"]}
            waiting = [one for one in waiting if codes[one] and codes[one]["code"] == "not_found"]
        started = time.monotonic()
        dealt = self.admin.post(f"{self.campaign}/distribute", {})
        answered = time.monotonic() - started
        until(lambda: all(self._managed(person) >= len(customers) // len(self.team) for person in self.team))
        print(f"  Answered in {answered:.2f} s; every manager set {time.monotonic() - started:.2f} s after the call.")
        for person, owned in sorted(Counter(item["employee_id"] for item in dealt["items"]).items()):
            print(f"    {self.names[person]}: {owned} opportunities, {self._managed(person)} customers")

    def _managed(self, employee_id: str) -> int:
        return self.admin.get("/customers", manager=employee_id, limit=1, total="true")["total"]

    def _one_owner_by_hand(self, customer: dict[str, Any], head: str) -> None:
        title("One opportunity changes hands")
        customer_id = customer["id"]
        before = self.admin.get(f"/customers/{customer_id}")["manager_id"]
        after = next(person for person in self.team if person != before)
        [opportunity] = self.admin.get("/opportunities", customer_id=customer_id, limit=1)["items"]
        self.admin.put(f"/opportunities/{opportunity['id']}/owner", {"employee_id": after})
        until(lambda: self.admin.get(f"/customers/{customer_id}")["manager_id"] == after)
        print(f"  {customer['name'].strip()} ({customer['code']}): {self.names[before]} → {self.names[after]}.")
        sight = [f"{self.names[one]} {self._sight(one, customer_id)}" for one in (before, after, head)]
        print(f"  {'; '.join(sight)}.")
        entry = self.admin.get(f"/customers/{customer_id}/audit", limit=1)["items"][0]
        print(f"  Audit: {entry['outcome']}, because of {entry['cause']['kind']} event {entry['cause']['id']}.")

    def _sight(self, employee_id: str, customer_id: str) -> str:
        seen = Person(self.place, employee_id).status(f"/customers/{customer_id}") == 200
        return "sees it" if seen else "no longer sees it"

    def _interactions(self, customer: dict[str, Any]) -> None:
        title("E-mails are read, calls are made: count and last contact follow")
        noon = datetime.now(UTC).replace(microsecond=0) - timedelta(hours=3)
        email = f"thu-{uuid4().hex[:8]}/khach@example.com"
        over_http = [
            fact(customer, "email", email, "read", noon + timedelta(minutes=9)),
            fact(customer, "email", email, "sent", noon),
            fact(
                customer, "email_click", email, "clicked", noon + timedelta(minutes=10), link="https://example.com/sale"
            ),
            fact(customer, "zns", f"zns-{uuid4().hex[:8]}", "sent", noon + timedelta(minutes=20)),
        ]
        before = self.admin.get(f"/customers/{customer['id']}")["interaction_count"]
        self.mailer.post("/interactions/facts", {"items": over_http})
        self.mailer.post("/interactions/facts", {"items": over_http})
        call = fact(customer, "call", f"call-{uuid4().hex[:8]}", "answered", noon + timedelta(minutes=42))
        asyncio.run(report(self.place.bootstrap_servers, customer["id"], call))
        until(lambda: self.admin.get(f"/customers/{customer['id']}")["interaction_count"] >= before + 4)
        shown = self.admin.get(f"/customers/{customer['id']}")
        print("  Posted over HTTP, twice and out of order: an e-mail read, its link clicked, a ZNS sent.")
        print(f"  Written to {INGEST_TOPIC} by a stranger, twice: an answered call.")
        name, count = customer["name"].strip(), shown["interaction_count"]
        print(f"  {name}: {before} → {count} interactions, as of {shown['as_of']};")
        last = shown["last_contact"]
        print(f"  last contact {last['at']} by {last['kind']} ({last['source_system']}).")
        print("  Why:")
        for item in self.admin.get(f"/interaction-summaries/{customer['id']}/explanation")["items"]:
            facts = ", ".join(one["fact"] for one in item["facts"])
            print(f"    {item['contribution']:+d}  {item['rule']:<4} {item['kind']:<12} {facts}")


def fact(customer: dict[str, Any], kind: str, source_id: str, what: str, at: datetime, **more: Any) -> dict[str, Any]:
    """One fact about one source object."""
    moment = at.isoformat().replace("+00:00", "Z")
    named = {"customer_id": customer["id"], "kind": kind, "source_id": source_id, "fact": what}
    return named | {"occurred_at": moment} | more


async def report(bootstrap_servers: str, key: str, body: dict[str, Any]) -> None:
    """Write one fact to the ingest topic twice, as a connector that tries again does."""
    producer = AIOKafkaProducer(bootstrap_servers=bootstrap_servers)
    await producer.start()
    try:
        for _ in range(2):
            headers = {
                "ce_specversion": "1.0",
                "ce_id": str(uuid4()),
                "ce_source": "demo",
                "ce_type": "crm.interaction_fact.reported.v1",
            }
            pairs = [(name, value.encode()) for name, value in headers.items()]
            await producer.send_and_wait(INGEST_TOPIC, json.dumps(body).encode(), key=key.encode(), headers=pairs)
    finally:
        await producer.stop()


def title(text: str) -> None:
    """A chapter."""
    print(f"\n{text}\n{'─' * len(text)}")


def counts(outcomes: dict[str, int]) -> str:
    """Outcomes as words."""
    return ", ".join(f"{number:,} {outcome}" for outcome, number in sorted(outcomes.items()))


def main() -> None:
    """Start what is down, then tell."""
    try:
        given = os.environ.get("RAPPORT_DEMO_GATEWAY")
        if given:
            keys = DevelopmentKeys(PROJECT / ".local" / "keys")
            return Story(Place(given, os.environ["KAFKA_BOOTSTRAP_SERVERS"], keys)).tell()
        system = System(LocalSettings.load())
        started = time.monotonic()
        system.up()
        print(f"Rapport is up ({time.monotonic() - started:.1f} s) at {system.gateway.url}/api/v1.")
        Story(Place(system.gateway.url, system.environment["KAFKA_BOOTSTRAP_SERVERS"], system.keys)).tell()
        print("Look around with a token from `make -s token`; `make down` stops the system.")
    except (LaunchError, Refused, TimeoutError) as error:
        sys.exit(" ".join(str(error).split()))
    return None


if __name__ == "__main__":
    main()
