"""What happened with one customer: why the count is 37, two clocks of contact, and what the head has not read."""

import asyncio
import json
from collections import Counter
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import uuid4

from aiokafka import AIOKafkaProducer

from deploy.demo.api import until
from deploy.demo.cast import Cast, called, title

INGEST_TOPIC = "crm.interactions.ingest"
WHAT_COUNTS = {
    "I1": "was created", "I2": "e-mails read", "I3": "links in e-mails clicked", "I4": "tasks", "I5": "SMS sent",
    "I6": "ZNS sent", "I7": "outbound calls answered", "I8": "comments",
}  # fmt: skip


def why_37(cast: Cast) -> dict[str, Any]:
    """Facts by two ways, twice and out of order, tasks, comments: a count with its reasons; answers the customer."""
    title("Why is the count 37, and when was the last contact?")
    manager = cast.team[0]
    asked = {"name": "Nguyễn Thị Hoa", "manager_id": manager}
    customer = cast.admin.post("/customers", asked)
    customer_id = customer["id"]
    until(lambda: cast.admin.status(f"/interaction-summaries/{customer_id}") == 200)
    facts = _facts(customer_id)
    for batch in (facts[::-1], facts):
        cast.mailer.post("/interactions/facts", {"items": batch})
    call = fact(customer_id, "call", "answered", _ago(hours=2), direction="inbound")
    asyncio.run(report(cast.place.bootstrap_servers, customer_id, call))
    seller = cast.as_(manager)
    for task in ("Gửi báo giá", "Hẹn khảo sát"):
        seller.post("/tasks", {"title": task, "type": "TODO", "customer_ids": [customer_id]})
    for text in ("Khách hỏi giá xi măng.", "Hẹn gọi lại thứ Hai."):
        seller.post("/comments", {"customer_id": customer_id, "text": text})
    until(lambda: cast.admin.get(f"/customers/{customer_id}")["interaction_count"] >= 37)
    until(lambda: (cast.admin.get(f"/customers/{customer_id}")["last_two_way_contact"] or {}).get("kind") == "call")
    print(
        f"  {len(facts)} facts over HTTP, backwards and then once more; a call by a stranger's {INGEST_TOPIC}, twice."
    )
    _explain(cast, customer_id)
    shown = cast.admin.get(f"/customers/{customer_id}")
    last, both = shown["last_contact"], shown["last_two_way_contact"]
    print(f"  Last contact {last['at']}: {last['kind']}, which says something to the customer;")
    print(f"  last two-way contact {both['at']}: {both['kind']}, in which the customer took part.")
    return shown


def head_reads_what_is_new(cast: Cast, customer: dict[str, Any]) -> None:
    """New Updated: what others said about customers one sees, until one has read it."""
    title("New Updated: what the head has not read")
    head = cast.as_(cast.head)
    unread = head.get("/unread-comments")
    for item in unread["items"]:
        print(f"  {called(item['customer'])}: {item['unread']} unread; badge {unread['badge']}.")
    [newest] = head.get("/comments", customer_id=customer["id"], limit=1)["items"]
    head.post("/comments/read", {"customer_id": customer["id"], "up_to": newest["id"]})
    print(f"  She reads up to “{newest['text']}”: badge {head.get('/unread-comments', limit=0)['badge']}.")


def _facts(customer_id: str) -> list[dict[str, Any]]:
    """What counts 33 with the creation, and what does not count; a repetition changes neither."""
    found: list[dict[str, Any]] = []
    for number in range(14):
        email = f"thu-{uuid4().hex[:8]}/hoa@example.com"
        found.append(fact(customer_id, "email", "sent", _ago(days=14 - number, hours=5), email))
        if number < 10:
            found.append(fact(customer_id, "email", "read", _ago(days=14 - number, hours=4), email))
        if number < 6:
            link = "https://example.com/sale"
            found.append(fact(customer_id, "email_click", "clicked", _ago(days=14 - number), email, link=link))
    found += [fact(customer_id, "sms", "sent", _ago(days=1, hours=number)) for number in range(8)]
    found += [fact(customer_id, "sms", "failed", _ago(days=1))]
    found += [fact(customer_id, "zns", "sent", _ago(hours=number)) for number in range(1, 5)]
    found += [fact(customer_id, "call", "answered", _ago(days=number)) for number in range(2, 6)]
    found += [fact(customer_id, "call", "unanswered", _ago(days=1))]
    return found


def _explain(cast: Cast, customer_id: str) -> None:
    items = list(cast.admin.pages(f"/interaction-summaries/{customer_id}/explanation"))
    print(f"  The count is {sum(item['contribution'] for item in items)}:")
    for rule, count in sorted(Counter(item["rule"] for item in items if item["contribution"]).items()):
        print(f"    {count:>2}  {rule}  {WHAT_COUNTS.get(rule, '')}")
    nothing = Counter((item["kind"], item["facts"][-1]["fact"]) for item in items if not item["contribution"])
    told = (f"{count} {kind} ({what})" for (kind, what), count in sorted(nothing.items()))
    print(f"     0  {', '.join(told)}")


def _ago(days: int = 0, hours: int = 0) -> datetime:
    return datetime.now(UTC).replace(microsecond=0) - timedelta(days=days, hours=hours)


def fact(
    customer_id: str, kind: str, what: str, at: datetime, source_id: str | None = None, **more: Any
) -> dict[str, Any]:
    """One fact about one source object, a new one unless it is named."""
    moment = at.isoformat().replace("+00:00", "Z")
    source_id = source_id or f"{kind}-{uuid4().hex[:8]}"
    named = {"customer_id": customer_id, "kind": kind, "source_id": source_id, "fact": what}
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
