"""Whatever a file does, it does to a child process; the caller gets a table or a reason."""

import asyncio
import json
import os
import subprocess
import sys
from dataclasses import asdict, replace
from pathlib import Path

import pytest

from services.imports.spreadsheets import reader
from services.imports.spreadsheets.errors import UnreadableFile
from services.imports.spreadsheets.limits import MIB, Limits
from services.imports.spreadsheets.reader import looks_supported, read_table
from services.imports.spreadsheets.table import Row
from tests.unit.imports.spreadsheets.workbook_builder import MAIN, build, row, sheet

LIMITS = Limits()


def many_texts(references: int, characters: int = 32_767) -> bytes:
    """A small file whose cells all show one long text: gigabytes once every cell has its copy."""
    cells = ("<row>" + '<c t="s"><v>0</v></c>' * 200 + "</row>") * (references // 200)
    strings = f'<sst xmlns="{MAIN}"><si><t>{"x" * characters}</t></si></sst>'
    return build(strings=strings, sheet=sheet(cells))


def cell_at_the_corner() -> bytes:
    """Less than two kilobytes that make an unguarded reader ask for a grid of half a terabyte."""
    return build(sheet=sheet(row(1, "x") + '<row r="1048576"><c r="XFD1048576"><v>1</v></c></row>'))


async def refusal(content: bytes, file_name: str = "a.xlsx", limits: Limits = LIMITS) -> UnreadableFile:
    """Why a file is refused; any other kind of error fails the test."""
    with pytest.raises(UnreadableFile) as caught:
        await read_table(content, file_name, limits)
    return caught.value


def children() -> set[str]:
    """The processes that this one has started and not seen the end of."""
    tasks = Path("/proc/self/task").iterdir()
    return {child for task in tasks for child in (task / "children").read_text().split()}


async def test_a_workbook_and_a_text_of_the_same_rows_are_the_same_table():
    """M1: the kind of file makes no difference to what follows."""
    from_workbook = await read_table(build(), "Khách hàng.XLSX")
    from_text = await read_table("Name;Phone\r\nLan;0901234567\r\n".encode("utf-16"), "b.csv")
    assert from_workbook == from_text
    assert from_text.rows[1] == Row(2, ["Lan", "0901234567"])


async def test_a_cell_at_the_corner_of_the_sheet_is_hostile():
    """A file of a few hundred bytes would abort the process that reads it."""
    content = cell_at_the_corner()
    assert len(content) < 2_000
    assert (await refusal(content)).code == "hostile_file"


async def test_a_reader_out_of_memory_is_a_hostile_file_and_nothing_more():
    """The child's limit ends it; its caller lives and reads the next file."""
    error = await refusal(many_texts(200_000))
    assert error.code == "hostile_file"
    assert len((await read_table(build(), "a.xlsx")).rows) == 2


async def test_a_long_answer_is_refused():
    """Texts that fit into the child's memory may still be too many for the caller's."""
    assert (await refusal(many_texts(4_000))).code == "hostile_file"


async def test_a_slow_file_ends_by_its_processor_time():
    """The kernel ends a child that computes too long, even where nobody waits for it."""
    content = build(sheet=sheet("<row/>" * 8_000_000))
    limits = replace(LIMITS, child_cpu_seconds=1, expansion_ratio=10_000)
    error = await refusal(content, limits=limits)
    assert error.code == "hostile_file"
    assert "status" in error.detail


async def test_a_read_that_takes_too_long_is_killed():
    """The wall clock bounds a wait; the child is gone when the caller has its answer."""
    before = children()
    assert (await refusal(build(), limits=replace(LIMITS, child_wall_seconds=0.001))).code == "hostile_file"
    assert children() <= before


async def test_a_cancelled_read_leaves_no_process_behind():
    """A service that shuts down does not wait for a file."""
    before = children()
    task = asyncio.create_task(read_table(many_texts(200_000), "a.xlsx", LIMITS))
    for _ in range(1_000):
        if children() - before:
            break
        await asyncio.sleep(0.005)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert children() <= before


async def test_the_event_loop_goes_on_while_a_file_is_read():
    """Other requests are answered meanwhile."""
    ticks = 0
    read = asyncio.create_task(read_table(many_texts(200_000), "a.xlsx", LIMITS))
    while not read.done():
        await asyncio.sleep(0.005)
        ticks += 1
    assert isinstance(read.exception(), UnreadableFile)
    assert ticks > 5


@pytest.mark.parametrize(
    "program",
    ["print('nonsense')", "import os; os.abort()", "raise SystemExit(3)", "", """print('{"code": "forbidden"}')"""],
)
async def test_a_child_that_fails_or_talks_nonsense_is_a_hostile_file(program: str, monkeypatch: pytest.MonkeyPatch):
    """No fault of the reading side reaches the caller as an error of another kind."""
    monkeypatch.setattr(reader, "_CHILD", ("-c", program))
    assert (await refusal(build() + bytes(4 * MIB))).code == "hostile_file"


def peak_bytes_of_child(content: bytes, kind: str) -> int:
    """Run the child by itself and measure the most memory it held."""
    request = json.dumps({"kind": kind, "limits": asdict(LIMITS)})
    command = [sys.executable, "-E", "-s", "-m", "services.imports.spreadsheets.child", request]
    child = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL)
    assert child.stdin is not None
    assert child.stdout is not None
    child.stdin.write(content)
    child.stdin.close()
    child.stdout.read()
    child.stdout.close()
    _, status, usage = os.wait4(child.pid, 0)
    child.returncode = status  # already waited for; Popen would wait again
    return usage.ru_maxrss * 1024


@pytest.mark.parametrize(
    ("content", "kind"),
    [
        (many_texts(200_000), "xlsx"),
        (cell_at_the_corner(), "xlsx"),
        (build(sheet=sheet("<row/>" * 1_000_000)), "xlsx"),
        (build(sheet=sheet(row(1, "x") + '<row r="9999"><c r="IV9999"><v>1</v></c></row>')), "xlsx"),
        ((b"x," * 200 + b"\n") * 13_000, "csv"),
        (("é" * 30_000 + "\n").encode("cp1252") * 174, "csv"),
    ],
    ids=["texts without end", "a far corner", "a million rows", "a wide grid", "a wide text", "a long text"],
)  # fmt: skip
def test_memory_stays_below_the_limit(content: bytes, kind: str):
    """The child's peak is measured, not believed."""
    assert len(content) <= LIMITS.file_bytes
    assert peak_bytes_of_child(content, kind) < LIMITS.child_memory_bytes


def test_the_child_loads_no_framework_and_no_database():
    """Its start is part of every import, and less code is less to break."""
    program = (
        "import sys, services.imports.spreadsheets.child, services.imports.spreadsheets.workbook, "
        "services.imports.spreadsheets.delimited; print(*sys.modules)"
    )
    loaded = set(
        subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True).stdout.split()
    )
    heavy = {"fastapi", "faststream", "aiokafka", "sqlalchemy", "pydantic", "msgspec", "asyncio", "charset_normalizer"}
    assert not loaded & heavy


@pytest.mark.parametrize(
    ("first_bytes", "file_name", "supported"),
    [
        (b"PK\x03\x04\x14\x00\x06\x00", "a.xlsx", True),
        (b"PK\x03\x04\x14\x00\x06\x00", "A.XLSX", True),
        (b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1", "a.xlsx", True),
        (b"Name,Pho", "a.csv", True),
        (b"\xff\xfeN\x00a\x00m\x00", "a.csv", True),
        (b"\xef\xbb\xbfT\xc3\xaan", "a.csv", True),
        (b"", "a.csv", True),
        (b"Name,Pho", "a.xlsx", False),
        (b"PK\x03\x04\x14\x00\x06\x00", "a.csv", False),
        (b"PK\x03\x04\x14\x00\x06\x00", "a.xlsm", False),
        (b"%PDF-1.7", "a.csv", False),
        (b"N\x00a\x00m\x00e\x00", "a.csv", False),
        (b"Name,Pho", "a.txt", False),
        (b"Name,Pho", "csv", False),
    ],
)
def test_name_and_first_bytes_must_agree(first_bytes: bytes, file_name: str, supported: bool):
    """M1: another kind of file is refused at once, before it is stored."""
    assert looks_supported(first_bytes, file_name) is supported


async def test_another_kind_of_file_is_never_given_to_the_child():
    """The check at once is made again where the file is read."""
    assert (await refusal(b"%PDF-1.7", "a.xlsx")).code == "unsupported_file"
    assert (await refusal(b"x\n" * (3 * MIB), "a.csv")).code == "hostile_file"


async def test_a_larger_number_of_rows_is_a_setting():
    """M1: limits that grow with rows follow it; one row more than allowed is still too many."""
    limits = Limits.of(8 * MIB, 12_000)
    text = "Tên,SĐT\n" + "".join(f"Khách {number},0901{number:06}\n" for number in range(12_000))
    table = await read_table(text.encode(), "lon.csv", limits)
    assert (len(table.rows), table.rows[-1].number) == (12_001, 12_001)
    with pytest.raises(UnreadableFile) as refused:
        await read_table((text + "Thừa,1\n").encode(), "lon.csv", limits)
    assert refused.value.code == "too_many_rows"
