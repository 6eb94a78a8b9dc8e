"""A file made to hurt costs one import: it fails with its code, nothing is kept of it, the service goes on."""

from services.imports.spreadsheets.reader import looks_supported
from tests.service.imports.desk import Desk
from tests.unit.imports.spreadsheets.hostile_files import ATTEMPTS

READ = [
    "bomb by ratio", "one shared string in every cell", "entities of entities", "a cell at XFD1048576",
    "macros under a plain content type", "a container under a password", "a quoted cell without end",
]  # fmt: skip
AT_ONCE = [name for name, attempt in ATTEMPTS.items() if not looks_supported(attempt.make()[:8], attempt.name)]


async def test_hostile_files_fail_one_by_one_and_the_service_goes_on(desk: Desk) -> None:
    """M1: each with its code, in words too; no row, no file and no event of them stays."""
    ids = {}
    for name in READ:
        answer = await desk.upload(ATTEMPTS[name].make(), ATTEMPTS[name].name)
        assert answer.status_code == 201, (name, answer.text)
        ids[name] = answer.json()["id"]
    await desk.work()
    jobs = {name: await desk.read(import_id) for name, import_id in ids.items()}
    found = {name: (job["state"], job["error"]["code"]) for name, job in jobs.items()}
    assert found == {name: ("failed", ATTEMPTS[name].code) for name in READ}
    assert all(job["error"]["detail"] not in ("", job["error"]["code"]) for job in jobs.values())
    for table in ("import_file", "import_row", "import_chunk", "outbox"):
        assert await desk.harness.sql(f"SELECT 1 FROM {table}") == [], table
    assert (await desk.upload_sheet(("Tên khách hàng",), ("Lan",)))["state"] == "awaiting_mapping"


async def test_what_is_no_file_of_ours_is_refused_before_it_is_stored(desk: Desk) -> None:
    """M1: 415 by name and first bytes; no import is made."""
    for name in AT_ONCE:
        answer = await desk.upload(ATTEMPTS[name].make(), ATTEMPTS[name].name)
        assert (answer.status_code, answer.json()["code"]) == (415, "unsupported_file"), name
    assert await desk.harness.sql("SELECT 1 FROM import") == []
