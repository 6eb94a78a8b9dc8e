"""`Idempotency-Key`: a repeated POST gets the first answer, whatever happened in between."""

import asyncio
from datetime import date

import pytest

from shared.database import advisory_lock
from shared.identity import IMPORT
from shared.service import purge
from tests.conftest import MakeHarness
from tests.service.shared.office import CUSTOMERS, Office
from tests.support.records import employee

KEY = {"Idempotency-Key": "one-and-the-same"}
BODY = {"name": "Lê Thị Hoa"}


async def test_a_repeated_request_gets_the_first_answer_and_does_nothing(office: Office) -> None:
    """Status, body, Location, ETag and Customer-Version are the first ones; the repetition says that it is one."""
    first = await office.admin.post(CUSTOMERS, json=BODY, headers=KEY)
    again = await office.admin.post(CUSTOMERS, json=BODY, headers=KEY)
    assert (first.status_code, again.status_code) == (201, 201)
    assert again.content == first.content
    for name in ("location", "etag", "customer-version", "content-type"):
        assert again.headers[name] == first.headers[name]
    assert ("idempotency-replayed" in first.headers, again.headers["idempotency-replayed"]) == (False, "true")
    assert await office.count() == 1


async def test_of_many_at_once_one_does_it_and_the_others_wait_or_repeat(office: Office) -> None:
    """In parallel: the first answer again, or 409 request_in_progress; never a second customer."""
    answers = await asyncio.gather(*(office.admin.post(CUSTOMERS, json=BODY, headers=KEY) for _ in range(12)))
    made = {answer.json()["id"] for answer in answers if answer.status_code == 201}
    refused = {answer.json()["code"] for answer in answers if answer.status_code != 201}
    assert (len(made), await office.count()) == (1, 1), "more than one customer was made"
    assert refused <= {"request_in_progress"}


async def test_while_the_first_request_runs_the_second_is_told_so(office: Office) -> None:
    """The lock of actor, path and key is held until the commit."""
    actor = (await office.admin.get("/api/v1/me")).json()["employee"]["id"]
    async with office.harness.database.transaction() as session:
        await advisory_lock(session, f"user/{actor}|{CUSTOMERS}|{KEY['Idempotency-Key']}")
        answer = await office.admin.post(CUSTOMERS, json=BODY, headers=KEY)
    assert (answer.status_code, answer.json()["code"]) == (409, "request_in_progress")
    assert (await office.admin.post(CUSTOMERS, json=BODY, headers=KEY)).status_code == 201


async def test_a_key_belongs_to_its_actor_path_and_body(office: Office) -> None:
    """Another body is refused; another actor or another path is another request."""
    await office.admin.post(CUSTOMERS, json=BODY, headers=KEY)
    other = await office.admin.post(CUSTOMERS, json={"name": "Khác"}, headers=KEY)
    assert (other.status_code, other.json()["code"]) == (422, "idempotency_key_reused")
    assert (await office.seller.post(CUSTOMERS, json={"name": "Khác"}, headers=KEY)).status_code == 201
    assert (await office.admin.post("/api/v1/employees", json={"name": "Khác"}, headers=KEY)).status_code == 201
    assert await office.count() == 2


async def test_a_refusal_is_not_kept(office: Office) -> None:
    """After a 409 or 422 the same key may try again, and its success is kept."""
    taken = (await office.create(phones=["0901234567"])).json()
    body = {**BODY, "phones": ["0901234567"]}
    refused = await office.admin.post(CUSTOMERS, json=body, headers=KEY)
    assert (refused.status_code, refused.json()["code"]) == (409, "phone_taken")
    assert (await office.admin.post(CUSTOMERS, json={"name": ""}, headers=KEY)).status_code == 422
    await office.admin.delete(f"{CUSTOMERS}/{taken['id']}")
    assert (await office.admin.post(CUSTOMERS, json=body, headers=KEY)).status_code == 201
    again = await office.admin.post(CUSTOMERS, json=body, headers=KEY)
    assert (again.status_code, again.headers["idempotency-replayed"]) == (201, "true")


async def test_an_answer_is_forgotten_after_a_day(office: Office) -> None:
    """`purge` removes what is older than 24 hours and nothing younger."""
    for key in ("old", "young"):
        await office.admin.post(CUSTOMERS, json=BODY, headers={"Idempotency-Key": key})
    await office.harness.sql("UPDATE idempotency SET created_at = created_at - interval '24 hours' WHERE key = 'old'")
    outcome = await purge(office.harness.database, office.harness.settings, date.today())
    assert outcome["idempotent_answers"] == 1
    for key in ("old", "young"):
        await office.admin.post(CUSTOMERS, json=BODY, headers={"Idempotency-Key": key})
    assert await office.count() == 3


@pytest.mark.parametrize("key", ["", "a" * 129, "with space", "thẻ", "a\tb"])
async def test_a_key_that_is_none_is_refused_before_anything_is_done(office: Office, key: str) -> None:
    """1 to 128 visible characters."""
    answer = await office.admin.post(CUSTOMERS, json=BODY, headers=[(b"Idempotency-Key", key.encode())])
    assert (answer.status_code, answer.json()["code"]) == (422, "validation_failed")
    assert answer.json()["errors"][0]["pointer"] == "header:Idempotency-Key"
    assert await office.count() == 0


async def test_other_methods_take_no_notice_of_a_key(office: Office) -> None:
    """PUT, PATCH and GET repeat themselves harmlessly."""
    path = f"{CUSTOMERS}/{(await office.create()).json()['id']}"
    for name in ("một", "hai"):
        answer = await office.admin.patch(path, json={"name": name}, headers=KEY)
        assert answer.json()["name"] == name
    assert (await office.admin.get(path, headers=KEY)).json()["name"] == "hai"
    assert await office.harness.sql("SELECT 1 FROM idempotency") == []


async def test_an_upload_is_known_by_its_parts_not_by_its_boundary(make_harness: MakeHarness) -> None:
    """Multipart: a repeated upload is the first answer, also with a new boundary; another file is refused."""
    imports = await make_harness("imports")
    uploader = employee()
    await imports.deliver(uploader)
    client = imports.client(uploader.state.id, [IMPORT], **KEY)

    async def upload(content: bytes, boundary: str) -> tuple[int, str, bool]:
        answer = await client.post(
            "/api/v1/imports",
            files={"file": ("a.csv", content, "text/csv")},
            data={"kind": "customers"},
            headers={"Content-Type": f"multipart/form-data; boundary={boundary}"},
        )
        body = answer.json()
        return answer.status_code, body.get("id") or body["code"], "idempotency-replayed" in answer.headers

    status, import_id, replayed = await upload(b"Name\nLan\n", "first")
    assert (status, replayed) == (201, False)
    assert await upload(b"Name\nLan\n", "second") == (201, import_id, True)
    assert await upload(b"Name\nMinh\n", "first") == (422, "idempotency_key_reused", False)
    assert (await imports.sql("SELECT count(*) FROM import"))[0][0] == 1
