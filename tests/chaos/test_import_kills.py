"""kill -9 at every step of an import: it resumes by itself, no row twice, none lost (M9, M10)."""

import asyncio
from pathlib import Path

import pytest

from tests.chaos.files import File
from tests.chaos.victims import victim
from tests.support.system import Rapport

STEPS = {
    "upload": ("imports", "api_dies_before_commit:1"),
    "reading": ("imports", "import_worker_dies_reading:1"),
    "preview": ("imports", "import_worker_dies_judging:1"),
    "confirm": ("imports", "api_dies_before_answer:2"),
    "sending": ("imports", "relay_dies_before_delete:1"),
    "applied half": ("customers", "consumer_dies_before_commit:2"),
    "results half": ("imports", "consumer_dies_after_commit:2"),
    "undo half": ("customers", "consumer_dies_before_commit:8"),
}


@pytest.mark.parametrize(("service", "fault"), STEPS.values(), ids=STEPS)
async def test_an_import_survives_the_death_of_a_process(
    rapport: Rapport, tmp_path: Path, service: str, fault: str
) -> None:
    """M9, M10: whoever dies, and wherever; then every row is written once, and taken back once."""
    file = File(rapport)
    async with victim(rapport, service, fault, tmp_path) as dying:
        going = asyncio.create_task(file.goes_there_and_back())
        await dying.has_died(going)
    await going
    await file.was_written_once()
