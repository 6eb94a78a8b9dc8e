"""`make prove`: what the tests of faults are worth. Each safeguard's test passes, and fails when it is switched off.

`python -m tests.chaos.prove [--list] [NAME ...]`; without names all safeguards, and all tests of faults with
everything on. Ends with status 1 when a test fails that should pass, or does not fail for want of its safeguard.
What it starts ends with it.
"""

import argparse
import os
import re
import signal
import sys
import tempfile
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from xml.etree import ElementTree

from deploy.local.processes import Command, ServerProcess, last_line
from deploy.local.settings import PROJECT
from tests.chaos.sabotage import VARIABLE
from tests.chaos.safeguards import KILLS, SAFEGUARDS, Proof, Safeguard
from tests.support.servers import test_servers

LOGS = PROJECT / ".local" / "prove"
CHAOS = "tests/chaos"
RUN_LIMIT_SECONDS = 900
POLL_SECONDS = 0.1
STOP_SECONDS = 40
"""The time a run of tests has to stop its servers."""
MAX_REASON_LENGTH = 110


@dataclass(frozen=True)
class Outcome:
    """How one test ended; `failure` is what its assertion said, `broken` what kept it from asserting anything."""

    failure: str | None = None
    broken: str | None = None

    @property
    def passed(self) -> bool:
        """Whether it did what it should."""
        return self.failure is None and self.broken is None


class Runs:
    """Runs of pytest, one after the other, on given servers; each leaves a log."""

    def __init__(self, directory: Path, servers: Mapping[str, str]) -> None:
        self._directory, self._servers = directory, servers

    def run(self, name: str, tests: Sequence[str], switch: str = "") -> dict[str, Outcome]:
        """Run tests, with a safeguard switched off if one is named; answers the outcomes by test.

        A test that did not come to an end is missing.
        """
        report, log = self._directory / f"{name}.xml", LOGS / f"{name}.log"
        log.unlink(missing_ok=True)
        process = ServerProcess(
            self._directory / f"{name}.process",
            outlives_caller=False,
            stop_signal=signal.SIGINT,  # pytest then stops what its fixtures started
            guard_signal=signal.SIGINT,
            stop_timeout_seconds=STOP_SECONDS,
        )
        arguments = [sys.executable, "-m", "pytest", "-p", "tests.chaos.sabotage", f"--junit-xml={report}", *tests]
        environment = {**os.environ, **self._servers, VARIABLE: switch}
        try:
            process.start(Command(arguments, log=log, environment=environment, directory=PROJECT))
            deadline = time.monotonic() + RUN_LIMIT_SECONDS
            while process.running and time.monotonic() < deadline:
                time.sleep(POLL_SECONDS)
        finally:
            process.stop()
        return _outcomes(report) if report.exists() else {}


def main(arguments: Sequence[str] | None = None) -> int:
    """Prove the named safeguards. Answers the status to end with."""
    for number in (signal.SIGTERM, signal.SIGINT):  # so that what runs is stopped in good order, also in the background
        signal.signal(number, lambda number, _: sys.exit(128 + number))
    wanted = _parser().parse_args(arguments)
    unknown = set(wanted.names) - {safeguard.name for safeguard in SAFEGUARDS}
    if unknown:
        print(f"No such safeguard: {', '.join(sorted(unknown))}. --list names them.", file=sys.stderr)
        return 2
    chosen = [one for one in SAFEGUARDS if not wanted.names or one.name in wanted.names]
    if wanted.list:
        for safeguard in chosen:
            tests = "\n".join(f"    {proof.test}" for proof in safeguard.proofs)
            print(f"{safeguard.name}: {safeguard.keeps}\n{tests}")
        return 0
    LOGS.mkdir(parents=True, exist_ok=True)
    started = time.monotonic()
    with tempfile.TemporaryDirectory(prefix="rapport-prove-") as directory, test_servers() as servers:
        given = {
            "RAPPORT_TEST_POSTGRES_ADMIN_URL": servers.admin_url,
            "KAFKA_BOOTSTRAP_SERVERS": servers.bootstrap_servers,
        }
        proven = prove(Runs(Path(directory), given), chosen, everything=not wanted.names)
    print(f"{_time_since(started)} in all; logs in {LOGS.relative_to(PROJECT)}/")
    return 0 if proven else 1


def prove(runs: Runs, safeguards: Sequence[Safeguard], everything: bool) -> bool:
    """Run all tests with everything on, then each with its safeguard off; answers whether all is as it should be."""
    sound, proven = _with_all_on(runs, safeguards, everything), 0
    for safeguard in safeguards:
        good = True
        without = runs.run(safeguard.name, [proof.test for proof in safeguard.proofs], safeguard.switch)
        for proof in safeguard.proofs:
            objection = _objection(proof, sound.get(proof.test), without.get(proof.test))
            said = objection or f"fails without it: {_short(without[proof.test].failure or '')}"
            print(f"{safeguard.name:<35} {proof.test.rpartition('::')[2]}  {said}", flush=True)
            good = good and objection is None
        proven += good
    passing = sum(outcome.passed for outcome in sound.values())
    print(
        f"\n{passing} of {len(sound)} tests pass with every safeguard on; "
        f"{proven} of {len(safeguards)} safeguards are proven: their tests fail without them."
    )
    return proven == len(safeguards) and passing == len(sound)


def _with_all_on(runs: Runs, safeguards: Sequence[Safeguard], everything: bool) -> dict[str, Outcome]:
    """The outcomes of the tests, and of all that kill servers and processes, on a sound system."""
    started, found = time.monotonic(), dict[str, Outcome]()
    proofs = [proof for safeguard in safeguards for proof in safeguard.proofs]
    quick = [proof.test for proof in proofs if not proof.needs_a_system]
    slow = [CHAOS, KILLS.rstrip(":")] if everything else [proof.test for proof in proofs if proof.needs_a_system]
    for name, tests in (("all-on-services", quick), ("all-on-system", slow)):
        if tests:
            found |= runs.run(name, tests) or {name: Outcome(broken=_last_words(name))}
    bad = {test: outcome for test, outcome in found.items() if not outcome.passed}
    print(f"With every safeguard on {len(found) - len(bad)} of {len(found)} tests pass ({_time_since(started)}).")
    for test, outcome in bad.items():
        print(f"  {test}: {_short(outcome.failure or outcome.broken or '')}")
    print(flush=True)
    return found


def _objection(proof: Proof, with_it: Outcome | None, without: Outcome | None) -> str | None:
    """Why the two outcomes of a test do not prove its safeguard; None when they do."""
    if with_it is None or not with_it.passed:
        return "PROVES NOTHING: does not pass with it"
    if without is None:
        return "PROVES NOTHING: did not run to its end without it"
    if without.failure is None:
        return f"PROVES NOTHING: {without.broken or 'passes without it, too'}"
    if not re.search(proof.failure, without.failure):
        return f"PROVES NOTHING: fails for another reason: {_short(without.failure)}"
    return None


def _outcomes(report: Path) -> dict[str, Outcome]:
    """By test, from pytest's report. A failure is the test's own; an error is a fixture's or of the collection."""
    found: dict[str, Outcome] = {}
    for case in ElementTree.parse(report).iter("testcase"):
        test = f"{case.get('classname', '').replace('.', '/')}.py::{case.get('name')}"
        failure, error, skipped = case.find("failure"), case.find("error"), case.find("skipped")
        broken = error if error is not None else skipped
        words = None if failure is None else failure.get("message", "")
        # a call that failed and a teardown that did, too, come as two cases of one name
        known = found.get(test, Outcome())
        found[test] = Outcome(
            words or known.failure, known.broken if broken is None else _short(broken.get("message", ""))
        )
    return found


def _short(message: str) -> str:
    line = re.sub(r"^(AssertionError|Failed): *", "", message.strip().partition("\n")[0])
    return line if len(line) <= MAX_REASON_LENGTH else f"{line[: MAX_REASON_LENGTH - 1]}…"


def _last_words(name: str) -> str:
    log = LOGS / f"{name}.log"
    return last_line(log) if log.exists() else "it never began"


def _time_since(started: float) -> str:
    seconds = round(time.monotonic() - started)
    return f"{seconds // 60}:{seconds % 60:02}"


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m tests.chaos.prove", description=(__doc__ or "").splitlines()[0])
    parser.add_argument("names", nargs="*", metavar="NAME", help="only these safeguards")
    parser.add_argument("--list", action="store_true", help="say which safeguards there are, and what proves them")
    return parser


if __name__ == "__main__":
    sys.exit(main())
