"""What no client should send: a refusal with a code, never a 500, and the database as it was."""

import json
from typing import Any
from urllib.parse import quote
from uuid import uuid4

import httpx
import pytest

from shared.access import load_actor
from shared.cursors import Cursors
from shared.identity import Identity
from tests.service.shared.office import CUSTOMERS, Office, without_trace

TEXT_FIELDS = ("name", "code", "description", "occupation", "tax_code", "website")
TEXT_LISTS = ("phones", "emails")
ID_FIELDS = ("manager_id", "relationship_id", "primary_source_id", "referrer_customer_id")
ID_LISTS = ("group_ids", "source_ids", "sector_ids", "viewer_ids")
UNSTORABLE = (r'"\u0000"', r'"a\u0000b"', r'"\ud800"', r'"x\udfff"', r'"\udc00\ud800"', '"raw \x00 nul"')
NUMBERS = ("1e999", "-1e999", "NaN", "Infinity", "-Infinity", "1" * 30, "-" + "9" * 30, str(2**63), "1.5", "-0")
MISSHAPEN = ("null", "[]", "{}", "true", '""')
BROKEN = (
    b"",
    b"{",
    b'{"name": "x"',
    b'{"name": "x"} trailing',
    b"nul",
    b"\xff\xfe{}",
    b'{"name": "\xff"}',
    b'{"name": "\xed\xa0\x80"}',
    b"\xef\xbb\xbf" + b'{"name": "BOM"}',
    b"[" * 100_000,
    b'{"name": ' + b"[" * 500 + b"]" * 500 + b"}",
    b'{"name": ' + b'{"a":' * 70 + b"1" + b"}" * 70 + b"}",
    b'["name"]',
    b'"name"',
    b"12",
    b"null",
    b"name=x",
)
LIST_QUERIES = (
    *(f"limit={limit}" for limit in ("-1", "0", "201", "1" * 30, "1e3", "NaN", "", "ten", "1.5", "٣٣٣", "%00")),
    *(f"cursor={cursor}" for cursor in ("x", "%00", "a" * 5_000, "null", "%F0%9F%98%80", "eyJhIjoxfQ", "../..")),
    *(f"manager={value}" for value in ("x", "%00", "1" * 40, "-1")),
    *(
        f"created_from={day}"
        for day in ("x", "0000-00-00", "2026-02-30", "-1", "0", "86400", "10000-01-01", "1e999", "%00")
    ),
    *(f"sort={sort}" for sort in ("x", "-", "name;drop", "%00", "name,code,created_at", "--name")),
    "q=%00",
    "q=" + "a" * 501,
    "state=erased",
    "total=maybe",
    "unassigned=%00",
    "unknown=1",
    "limit=1&limit=2&colour=red",
    *(f"ids={uuid4()}&" * 201 for _ in range(1)),
)
HARMLESS_QUERIES = (
    "q=%FF%FE",
    "q=%ED%A0%80",
    "q=" + quote("'; DROP TABLE customer; --"),
    "q=%25%27%22%5C",
    "q=" + quote(":* & | ! <-> ((("),
    "created_from=0001-01-01",
    "created_to=9999-12-31",
    "created_from=9999-12-31&created_to=0001-01-01",
    "last_contact_to=9999-12-31",
)
MALFORMED_IDS = ("x", "0", "-1", "%00", "..%2f..", "%FF", "null", "1" * 400, f"{uuid4()}x", f"{uuid4()}%00", "٣")


async def test_texts_that_cannot_be_stored_and_numbers_beyond_measure_are_refused_everywhere(office: Office) -> None:
    """NUL, halves of surrogate pairs, 1e999, NaN, integers of 30 digits: in every field, new or changed."""
    path = f"{CUSTOMERS}/{(await office.create()).json()['id']}"
    before = await office.harness.fingerprint()
    values = (*UNSTORABLE, *NUMBERS)
    for value in values:
        bodies = [f'{{"name": "x", "{field}": {value}}}' for field in (*TEXT_FIELDS, *ID_FIELDS, "birth_date", "type")]
        bodies += [f'{{"name": "x", "{field}": [{value}]}}' for field in (*TEXT_LISTS, *ID_LISTS)]
        bodies += [f'{{"name": "x", "address": {{"line": {value}}}}}', f'{{"name": "x", "a{value[1:-1]}": 1}}']
        for body in bodies:
            await refused(office, "POST", CUSTOMERS, body.encode())
            await refused(office, "PATCH", path, body.encode())
    assert await office.harness.fingerprint() == before


async def test_values_of_the_wrong_shape_are_refused_with_a_pointer(office: Office) -> None:
    """Each answer says which field it does not like."""
    before = await office.harness.fingerprint()
    for field in ("name", *TEXT_LISTS, *ID_LISTS):
        for value in MISSHAPEN:
            if (field, value) in {(f, "[]") for f in (*TEXT_LISTS, *ID_LISTS)}:
                continue
            answer = await refused(office, "POST", CUSTOMERS, f'{{"name": "x", "{field}": {value}}}'.encode())
            assert answer.json()["errors"][0]["pointer"].startswith(f"/{field}"), (field, value)
    assert await office.harness.fingerprint() == before


async def test_bodies_that_are_no_json_object_are_refused(office: Office) -> None:
    """Cut off, not UTF-8, nested a hundred thousand deep, or something else altogether."""
    path = f"{CUSTOMERS}/{(await office.create()).json()['id']}"
    before = await office.harness.fingerprint()
    for body in BROKEN:
        for method, target in (("POST", CUSTOMERS), ("PATCH", path), ("PUT", f"{path}/manager")):
            await refused(office, method, target, body)
    assert await office.harness.fingerprint() == before


@pytest.mark.parametrize(
    "content_type",
    ["text/plain", "application/xml", "multipart/form-data", "application/x-www-form-urlencoded", "", "/"],
)
async def test_a_body_that_does_not_say_it_is_json_is_refused(office: Office, content_type: str) -> None:
    """A form or an XML document is not read as something it is not."""
    before = await office.harness.fingerprint()
    await refused(office, "POST", CUSTOMERS, b'{"name": "x"}', **{"Content-Type": content_type})
    assert await office.harness.fingerprint() == before


async def test_fields_nobody_knows_and_fields_nobody_may_write_are_refused(office: Office) -> None:
    """C6: system fields are named as such, unknown ones too; nothing of the request is done."""
    path = f"{CUSTOMERS}/{(await office.create()).json()['id']}"
    before = await office.harness.fingerprint()
    unknown = await refused(office, "POST", CUSTOMERS, b'{"name": "x", "colour": "red"}')
    assert unknown.json()["errors"] == [
        {"pointer": "/colour", "code": "unknown_field", "detail": unknown.json()["errors"][0]["detail"]}
    ]
    for field in ("interaction_count", "total_revenue", "created_at", "version", "state", "id", "last_contact"):
        for method, target in (("POST", CUSTOMERS), ("PATCH", path)):
            answer = await refused(office, method, target, json.dumps({"name": "x", field: 1}).encode())
            assert answer.json()["code"] == "system_field", field
    assert (await refused(office, "PATCH", path, b'{"code": "KH1"}')).json()["code"] == "system_field"
    nested = await refused(office, "POST", CUSTOMERS, b'{"name": "x", "address": {"planet": "Mars"}}')
    assert nested.json()["errors"][0]["pointer"] == "/address/planet"
    assert await office.harness.fingerprint() == before


async def test_list_parameters_out_of_all_bounds_are_refused(office: Office) -> None:
    """Negative and huge limits, forged cursors, days that are none, sorts and names nobody knows."""
    for query in LIST_QUERIES:
        answer = await office.admin.get(f"{CUSTOMERS}?{query}")
        assert (answer.status_code, query[:60]) == (422, query[:60]), answer.text
        assert answer.json()["code"] in ("validation_failed", "bad_cursor", "too_many_items"), query[:60]


async def test_odd_searches_find_what_they_say_and_break_nothing(office: Office) -> None:
    """Words are never part of a statement; days at the edge of the calendar are days."""
    await office.create()
    for query in HARMLESS_QUERIES:
        answer = await office.admin.get(f"{CUSTOMERS}?{query}")
        assert answer.status_code in (200, 422), (query, answer.text)
    assert await office.count() == 1


async def test_a_cursor_of_another_list_or_another_key_is_refused(office: Office) -> None:
    """P5: bound to filter and sort, carrying nothing readable, not to be made by anybody else."""
    for number in range(3):
        await office.create(name=f"Khách {number}")
    page = (await office.admin.get(f"{CUSTOMERS}?limit=1&sort=name")).json()
    cursor = page["next_cursor"]
    assert (await office.admin.get(f"{CUSTOMERS}?limit=2&sort=name&cursor={cursor}")).status_code == 200
    changed = cursor[:9] + ("A" if cursor[9] != "A" else "B") + cursor[10:]
    forged = Cursors("A" * 43).make({"anything": 1}, ["z"])
    targets = [
        f"{CUSTOMERS}?sort=-name&cursor={cursor}",
        f"{CUSTOMERS}?sort=name&q=an&cursor={cursor}",
        f"/api/v1/employees?cursor={cursor}",
        f"{CUSTOMERS}?sort=name&cursor={changed}",
        f"{CUSTOMERS}?sort=name&cursor={cursor[:-4]}",
        f"{CUSTOMERS}?sort=name&cursor={cursor}AAAA",
        f"{CUSTOMERS}?sort=name&cursor={forged}",
    ]
    for target in targets:
        answer = await office.admin.get(target)
        assert (answer.status_code, answer.json()["code"]) == (422, "bad_cursor"), target


async def test_a_malformed_id_is_an_unknown_id(office: Office) -> None:
    """The same 404, whatever stands there, by every method."""
    unknown = await office.admin.get(f"{CUSTOMERS}/{uuid4()}")
    assert unknown.status_code == 404
    for bad in MALFORMED_IDS:
        for method, suffix in (("GET", ""), ("PATCH", ""), ("DELETE", ""), ("GET", "/audit"), ("PUT", "/manager")):
            body = b'{"employee_id": null}' if suffix else b"{}"
            answer = await send(office.admin, method, f"{CUSTOMERS}/{bad}{suffix}", body)
            assert answer.status_code == 404, (bad, method, answer.text)
            assert answer.json()["code"] == "not_found"
    assert without_trace(await office.admin.get(f"{CUSTOMERS}/x")) == without_trace(unknown)


async def test_an_invisible_customer_looks_like_an_unknown_one_to_every_method(office: Office) -> None:
    """A2: the same status and the same body, so that nothing tells of another's customer."""
    hidden = (await office.create()).json()["id"]
    before = await office.harness.fingerprint()
    for method, suffix, body in (
        ("GET", "", b""),
        ("PATCH", "", b'{"name": "x"}'),
        ("DELETE", "", b""),
        ("GET", "/audit", b""),
        ("GET", f"/access?employee_id={office.seller_id}", b""),
        ("PUT", "/manager", b'{"employee_id": null}'),
        ("PUT", "/viewers", b'{"employee_ids": []}'),
        ("POST", "/restore", b"{}"),
    ):
        seen, unknown = [
            await send(office.seller, method, f"{CUSTOMERS}/{i}{suffix}", body, **{"If-Match": '"999"'})
            for i in (hidden, uuid4())
        ]
        assert (seen.status_code, unknown.status_code) == (404, 404), (method, suffix, seen.text)
        assert without_trace(seen) == without_trace(unknown)
    assert await office.harness.fingerprint() == before


@pytest.mark.parametrize("if_match", ['"999"', "7", '"x"', "W/", '"1", "2"', '""', "é", '"' + "1" * 30 + '"'])
async def test_a_version_that_is_not_the_stored_one_changes_nothing(office: Office, if_match: str) -> None:
    """`If-Match` wrong or unreadable: 412, for every change of the record."""
    path = f"{CUSTOMERS}/{(await office.create()).json()['id']}"
    before = await office.harness.fingerprint()
    for method, suffix, body in (
        ("PATCH", "", b'{"name": "x"}'),
        ("DELETE", "", b""),
        ("PUT", "/manager", b'{"employee_id": null}'),
        ("PUT", "/viewers", b'{"employee_ids": []}'),
    ):
        answer = await send(office.admin, method, path + suffix, body, **{"If-Match": if_match})
        assert (answer.status_code, answer.json()["code"]) == (412, "version_conflict"), (method, suffix)
    assert await office.harness.fingerprint() == before


async def test_the_right_version_changes_the_record_and_its_etag(office: Office) -> None:
    """ETag of a read is what `If-Match` wants; weak ones and `*` are taken; equal values keep it."""
    created = await office.create()
    path = f"{CUSTOMERS}/{created.json()['id']}"
    etag = (await office.admin.get(path)).headers["etag"]
    assert etag == created.headers["etag"]
    changed = await office.admin.patch(path, json={"name": "Mới"}, headers={"If-Match": etag})
    assert changed.status_code == 200
    assert changed.headers["etag"] not in (etag, "")
    same = await office.admin.patch(path, json={"name": "Mới"}, headers={"If-Match": f"W/{changed.headers['etag']}"})
    assert (same.status_code, same.headers["etag"]) == (200, changed.headers["etag"])
    assert (await office.admin.patch(path, json={"name": "Nữa"}, headers={"If-Match": "*"})).status_code == 200


async def test_headers_full_of_nonsense_do_no_harm(office: Office) -> None:
    """Language, trace, identity and forwarding headers may hold anything; identity comes from the token alone."""
    nonsense = {
        "Accept-Language": "\xff;q=x,,;;" * 50,
        "Traceparent": "00-zz-zz-zz",
        "X-Employee-Id": str(uuid4()),
        "X-Forwarded-For": "; DROP TABLE",
        "Accept": "image/png",
        "Range": "bytes=-1",
    }
    raw = [(name.encode(), value.encode("latin-1")) for name, value in nonsense.items()]
    answer = await office.seller.get("/api/v1/me", headers=raw)
    assert answer.status_code == 200
    assert answer.json()["employee"]["id"] == str(office.seller_id)


async def test_paths_and_methods_that_do_not_exist_are_problems_too(office: Office) -> None:
    """404 and 405 carry a code like everything else."""
    for method, path, status, code in (
        ("GET", "/api/v1/nothing", 404, "not_found"),
        ("GET", "/", 404, "not_found"),
        ("GET", "/api/v1/customers/", 404, "not_found"),
        ("DELETE", CUSTOMERS, 405, "method_not_allowed"),
        ("TRACE", CUSTOMERS, 405, "method_not_allowed"),
    ):
        answer = await office.admin.request(method, path)
        assert (answer.status_code, answer.headers["content-type"]) == (status, "application/problem+json"), path
        assert answer.json()["code"] == code


async def test_refusals_speak_vietnamese_and_english_with_the_same_code_and_the_callers_trace(office: Office) -> None:
    """`detail` follows `Accept-Language`; `trace_id` is the one of the traceparent that was sent."""
    trace = "0af7651916cd43dd8448eb211c80319c"
    found: dict[str, dict[str, Any]] = {}
    for language in ("vi", "en"):
        headers = {"Accept-Language": language, "Traceparent": f"00-{trace}-b7ad6b7169203331-01"}
        answer = await office.admin.get(f"{CUSTOMERS}/{uuid4()}", headers=headers)
        assert answer.headers["traceparent"].split("-")[1] == trace
        found[language] = answer.json()
    assert (found["vi"]["detail"], found["en"]["detail"]) == ("Không tìm thấy.", "Not found.")
    assert {body["code"] for body in found.values()} == {"not_found"}
    assert {body["trace_id"] for body in found.values()} == {trace}
    assert set(found["vi"]) == {"type", "title", "status", "code", "detail", "errors", "trace_id"}


async def test_a_fault_of_ours_is_a_500_that_tells_nothing_and_changes_nothing(
    office: Office, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whatever went wrong inside: a code, a trace, no words of the exception."""
    before = await office.harness.fingerprint()

    async def broken(session: Any, identity: Identity) -> Any:
        await load_actor(session, identity)
        raise RuntimeError("secret of the house")

    monkeypatch.setattr("shared.http.load_actor", broken)
    answer = await office.admin.post(CUSTOMERS, json={"name": "x"})
    assert (answer.status_code, answer.json()["code"]) == (500, "internal_error")
    assert "secret" not in answer.text
    assert await office.harness.fingerprint() == before


async def refused(office: Office, method: str, path: str, body: bytes, **headers: str) -> httpx.Response:
    """Send a body as JSON and see it refused as invalid."""
    answer = await send(office.admin, method, path, body, **headers)
    assert answer.status_code in (422, 413), (method, path, body[:200], answer.status_code, answer.text[:300])
    assert answer.headers["content-type"] == "application/problem+json"
    assert answer.json()["code"]
    return answer


async def send(client: httpx.AsyncClient, method: str, path: str, body: bytes, **headers: str) -> httpx.Response:
    """Send bytes as they are."""
    given = {"Content-Type": "application/json"} | headers
    raw = [(name.encode(), value.encode()) for name, value in given.items()]
    return await client.request(method, path, content=body or None, headers=raw)
