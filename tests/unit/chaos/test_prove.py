"""What counts as a proof: a test that passes with its safeguard and fails for want of it, and nothing else."""

from collections.abc import Sequence
from pathlib import Path

import pytest

from tests.chaos.prove import Outcome, Runs, _outcomes, prove
from tests.chaos.safeguards import Proof, Safeguard

TEST = "tests/service/shared/test_notes.py::test_nothing_is_lost"
GUARD = Safeguard("order", "notes stay in order", "order_off", (Proof(TEST, r"\d+ notes of 10"),))
PASSED = Outcome()
LOST = Outcome(failure="AssertionError: 7 notes of 10\nassert 7 == 10")

REPORT = """<testsuites><testsuite>
<testcase classname="tests.test_a" name="test_passes[x:2]"/>
<testcase classname="tests.test_a" name="test_fails"><failure message="AssertionError: lost">...</failure></testcase>
<testcase classname="tests.test_a" name="test_fails"><error message="failed on teardown">...</error></testcase>
<testcase classname="tests.test_a" name="test_has_no_ground"><error message="failed on setup">...</error></testcase>
<testcase classname="tests.test_a" name="test_is_skipped"><skipped message="not here">...</skipped></testcase>
</testsuite></testsuites>"""


class Played(Runs):
    """Runs whose outcomes are known; one that never came to an end has none."""

    def __init__(self, with_it: Outcome | None, without: Outcome | None) -> None:
        self._outcomes = {"": with_it, GUARD.switch: without}

    def run(self, name: str, tests: Sequence[str], switch: str = "") -> dict[str, Outcome]:
        """The outcome with or without the switch."""
        outcome = self._outcomes[switch]
        return {} if outcome is None else {TEST: outcome}


def test_a_test_that_fails_for_want_of_its_safeguard_proves_it(capsys: pytest.CaptureFixture[str]) -> None:
    """One line says safeguard, test and what it found lost."""
    assert prove(Played(PASSED, LOST), [GUARD], everything=False)
    assert f"{'order':<35} test_nothing_is_lost  fails without it: 7 notes of 10\n" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("with_it", "without", "objection"),
    [
        (PASSED, PASSED, "passes without it, too"),
        (PASSED, Outcome(broken="failed on setup"), "failed on setup"),
        (PASSED, Outcome(failure="ImportError: no notes"), "fails for another reason: ImportError: no notes"),
        (PASSED, None, "did not run to its end without it"),
        (LOST, LOST, "does not pass with it"),
        (Outcome(broken="failed on setup"), LOST, "does not pass with it"),
        (None, LOST, "does not pass with it"),
    ],
)
def test_anything_else_proves_nothing(
    capsys: pytest.CaptureFixture[str], with_it: Outcome | None, without: Outcome | None, objection: str
) -> None:
    """Nor does a test that is broken with everything on: it would fail without any safeguard."""
    assert not prove(Played(with_it, without), [GUARD], everything=False)
    assert f"PROVES NOTHING: {objection}\n" in capsys.readouterr().out


def test_what_a_fixture_says_is_not_what_the_test_says(tmp_path: Path) -> None:
    """A failure counts, also when the servers it broke then complain; an error of the set-up is none."""
    report = tmp_path / "report.xml"
    report.write_text(REPORT)
    outcomes = {test.partition("::")[2]: outcome for test, outcome in _outcomes(report).items()}
    assert outcomes == {
        "test_passes[x:2]": PASSED,
        "test_fails": Outcome("AssertionError: lost", "failed on teardown"),
        "test_has_no_ground": Outcome(broken="failed on setup"),
        "test_is_skipped": Outcome(broken="not here"),
    }
