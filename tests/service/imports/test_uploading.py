"""What an upload may be, who may see it, and what becomes of files that cannot be read."""

import io
import zipfile

import pytest

from services.imports.settings import MIB
from tests.conftest import MakeHarness
from tests.service.imports.desk import Desk, csv_file
from tests.support.harness import Harness

SHEET = csv_file(("Tên khách hàng",), ("Lan",))


async def test_uploading_needs_the_permission(imports: Harness) -> None:
    """R: `customers:import`; refused before the file is looked at."""
    stranger = await Desk(imports, permissions=()).open()
    answer = await stranger.upload(b"%PDF-1.7", "bang.pdf")
    assert (answer.status_code, answer.json()["code"]) == (403, "forbidden")


async def test_an_upload_is_a_new_record_that_is_read_afterwards(desk: Desk) -> None:
    """M2: 201 with its place; nothing is known of the file yet."""
    answer = await desk.upload(SHEET, "thư mục/khách hàng.csv")
    job = answer.json()
    assert answer.status_code == 201
    assert answer.headers["location"] == f"/api/v1/imports/{job['id']}"
    assert answer.headers["etag"] == '"1"'
    assert (job["state"], job["file_name"], job["mapping"]) == ("parsing", "khách hàng.csv", None)


@pytest.mark.parametrize(
    ("content", "name", "status", "code"),
    [
        (b"%PDF-1.7 ...", "khach.pdf", 415, "unsupported_file"),
        (b"%PDF-1.7 ...", "khach.xlsx", 415, "unsupported_file"),
        (b"x" * (5 * MIB + 1), "khach.csv", 413, "payload_too_large"),
        (b"x" * (6 * MIB), "khach.csv", 413, "payload_too_large"),
    ],
)
async def test_wrong_kinds_and_sizes_are_refused_at_once(
    desk: Desk, content: bytes, name: str, status: int, code: str
) -> None:
    """M1: .xlsx and .csv up to 5 MiB."""
    answer = await desk.upload(content, name)
    assert (answer.status_code, answer.json()["code"]) == (status, code)


async def test_a_larger_limit_of_a_file_takes_larger_uploads(make_harness: MakeHarness) -> None:
    """M1: the limit is one setting; what a body may take follows it unless it is set, too."""
    large = SHEET + b"x" * (6 * MIB)
    for settings, status in (
        ({"import_max_file_bytes": 7 * MIB}, 201),
        ({"import_max_file_bytes": 7 * MIB, "max_body_bytes": 5 * MIB}, 413),
        ({}, 413),
    ):
        desk = await Desk(await make_harness("imports", **settings)).open()
        assert (await desk.upload(large)).status_code == status, settings


@pytest.mark.parametrize("form", [{"kind": "dragons"}, {"colour": "red"}, {"repeat": "perhaps"}])
async def test_unknown_parts_are_refused(desk: Desk, form: dict[str, str]) -> None:
    """Unknown fields and values are 422, and nothing is stored."""
    assert (await desk.upload(SHEET, **form)).status_code == 422
    assert (await desk.http.get("/api/v1/imports")).json()["items"] == []


async def test_a_body_without_a_file_is_refused(desk: Desk) -> None:
    """A missing part is told by its place."""
    answer = await desk.http.post("/api/v1/imports", data={"kind": "customers"})
    assert answer.status_code == 422
    assert answer.json()["errors"][0]["code"] == "required"


def _bomb() -> bytes:
    target = io.BytesIO()
    with zipfile.ZipFile(target, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("[Content_Types].xml", b" " * (100 * MIB))
    return target.getvalue()


@pytest.mark.parametrize(
    ("content", "name", "code"),
    [
        (csv_file(("Tên khách hàng",), *((f"Khách {i}",) for i in range(2_001))), "nhieu.csv", "too_many_rows"),
        (b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1" + "EncryptedPackage".encode("utf-16-le"), "kin.xlsx", "encrypted_file"),
        (_bomb(), "bom.xlsx", "hostile_file"),
        (b"PK\x03\x04" + b"\x00" * 100, "hong.xlsx", "hostile_file"),
        (b"   ", "rong.csv", "unsupported_file"),
    ],
)
async def test_a_file_that_cannot_be_read_ends_failed_and_the_service_goes_on(
    desk: Desk, content: bytes, name: str, code: str
) -> None:
    """M1: a stable code and words in the reader's language; the file is forgotten."""
    job = (await desk.upload(content, name)).json()
    await desk.work()
    job = await desk.read(job["id"])
    assert (job["state"], job["error"]["code"]) == ("failed", code)
    assert job["error"]["detail"] not in ("", code)
    assert await desk.harness.sql("SELECT 1 FROM import_file") == []
    assert (await desk.upload_sheet(("Tên khách hàng",), ("Lan",)))["state"] == "awaiting_mapping"


async def test_only_the_uploader_sees_an_import(desk: Desk) -> None:
    """R1: somebody else's import is the same 404 as an unknown one."""
    job = await desk.upload_sheet(("Tên khách hàng",), ("Lan",))
    other = await Desk(desk.harness, permissions=(*desk.permissions, "customers:view_all")).open()
    path = f"/api/v1/imports/{job['id']}"
    answers = [
        await other.http.get(path),
        await other.http.delete(path),
        *[await other.http.get(f"{path}/{part}") for part in ("rows", "events", "result-file", "mapping")],
        await other.http.put(f"{path}/mapping", json={"columns": []}),
        await other.http.put(f"{path}/options", json={}),
        await other.http.post(f"{path}/confirm", json={}),
        await other.http.get(f"/api/v1/imports/{other.employee_id}"),
        await other.http.get("/api/v1/imports/not-an-id"),
    ]
    assert {(answer.status_code, answer.json()["code"]) for answer in answers} == {(404, "not_found")}
    assert (await other.http.get("/api/v1/imports")).json()["items"] == []


async def test_imports_are_listed_in_pages(desk: Desk) -> None:
    """Newest first or oldest first; a cursor of one order is refused by the other."""
    ids = [(await desk.upload(csv_file((f"Tên {i}",)), "a.csv")).json()["id"] for i in range(3)]
    first = (await desk.http.get("/api/v1/imports", params={"limit": 2, "total": True})).json()
    assert [job["id"] for job in first["items"]] == ids[:0:-1]
    assert first["total"] == 3
    second = (await desk.http.get("/api/v1/imports", params={"limit": 2, "cursor": first["next_cursor"]})).json()
    assert ([job["id"] for job in second["items"]], second["next_cursor"]) == (ids[:1], None)
    oldest = (await desk.http.get("/api/v1/imports", params={"sort": "created_at"})).json()
    assert [job["id"] for job in oldest["items"]] == ids
    wrong = {"sort": "created_at", "cursor": first["next_cursor"]}
    assert (await desk.http.get("/api/v1/imports", params=wrong)).json()["code"] == "bad_cursor"


async def test_an_upload_repeated_with_its_key_is_one_import(desk: Desk) -> None:
    """Idempotency-Key: the first answer, bound to the file's content."""
    client = desk.harness.client(desk.employee_id, desk.permissions, **{"Idempotency-Key": "tap-1"})
    first = await client.post("/api/v1/imports", files={"file": ("a.csv", SHEET)})
    again = await client.post("/api/v1/imports", files={"file": ("a.csv", SHEET)})
    other = await client.post("/api/v1/imports", files={"file": ("a.csv", SHEET + b"\nMinh")})
    assert again.json() == first.json()
    assert again.headers["idempotency-replayed"] == "true"
    assert (other.status_code, other.json()["code"]) == (422, "idempotency_key_reused")


async def test_an_import_can_be_cancelled_before_confirm(desk: Desk) -> None:
    """M2: nothing reaches customers, and the file is forgotten; twice is fine."""
    job = await desk.preview(("Tên khách hàng",), ("Lan",))
    path = f"/api/v1/imports/{job['id']}"
    assert (await desk.http.delete(path, headers={"If-Match": '"1"'})).status_code == 412
    assert (await desk.http.delete(path)).status_code == 204
    assert (await desk.http.delete(path)).status_code == 204
    assert (await desk.read(job["id"]))["state"] == "cancelled"
    for table in ("import_file", "import_row"):
        assert await desk.harness.sql(f"SELECT 1 FROM {table}") == []
    assert (await desk.confirm(job["id"])).json()["code"] == "wrong_state"
