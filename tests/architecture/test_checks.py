"""The checks of this folder see what they look for: each fails on a planted violation."""

from collections.abc import Callable

import pytest

from tests.architecture import test_boundaries, test_errors, test_form
from tests.architecture.source import Source, product_sources, sources

OPENING = '"""A module."""\n'

PLANTED: dict[str, tuple[Callable[[], None], str, str]] = {
    "a commit of its own": (
        test_boundaries.test_transactions_are_committed_in_one_place,
        "services/imports/commands/rows.py",
        "async def write(session):\n    await session.commit()\n",
    ),
    "a transaction at the driver": (
        test_boundaries.test_transactions_are_committed_in_one_place,
        "services/imports/commands/rows.py",
        "from shared.connections import driver\n",
    ),
    "a commit in SQL": (
        test_boundaries.test_transactions_are_committed_in_one_place,
        "services/imports/commands/rows.py",
        "SQL = 'COMMIT'\n",
    ),
    "a subscription of its own": (
        test_boundaries.test_topics_are_subscribed_in_one_place,
        "services/imports/consumers.py",
        "subscriber = broker.subscriber('crm.customers')\n",
    ),
    "an injected dependency below the routes": (
        test_boundaries.test_dependencies_are_injected_in_routes_only,
        "services/imports/commands/rows.py",
        "def write(session=Depends(make_session)): ...\n",
    ),
    "an event of another service": (
        test_boundaries.test_a_service_says_its_own_events_only,
        "services/campaigns/domain/opportunity.py",
        "from shared.contracts.customers import CustomerUpdated\n\ndef f(o):\n    o.tell(CustomerUpdated, None)\n",
    ),
    "another service's event in a list": (
        test_boundaries.test_a_service_says_its_own_events_only,
        "services/campaigns/domain/opportunity.py",
        "from shared.contracts.directory import EmployeeChanged as Told\n\ndef f(o):\n    o.tell([Told], None)\n",
    ),
    "a mechanism in the contracts": (
        test_boundaries.test_the_published_language_imports_nothing_but_pydantic,
        "shared/contracts/notes.py",
        "from shared.fields import Text\n",
    ),
    "a stand-in": (
        test_boundaries.test_nothing_stands_in_for_the_database,
        "tests/unit/test_rows.py",
        "from unittest.mock import AsyncMock\n",
    ),
    "a code without a status": (
        test_errors.test_every_code_that_is_raised_is_known,
        "services/imports/domain/errors.py",
        "class Odd(Conflict):\n    def __init__(self):\n        super().__init__('odd')\n",
    ),
    "a field's code without a status": (
        test_errors.test_every_code_that_is_raised_is_known,
        "services/imports/domain/errors.py",
        "def f():\n    raise Invalid.at('/name', 'odd')\n",
    ),
    "a conflict that is none": (
        test_errors.test_a_conflict_is_409_and_a_refused_value_422,
        "services/imports/domain/errors.py",
        "def f():\n    raise Conflict('bad_cursor')\n",
    ),
    "a long file": (
        test_form.test_files_and_functions_can_be_read_in_one_sitting,
        "shared/long.py",
        "A = 1\n" * 500,
    ),
    "a long function": (
        test_form.test_files_and_functions_can_be_read_in_one_sitting,
        "shared/long.py",
        "def f():\n" + "    a = 1\n" * 70,
    ),
    "a name that says nothing": (test_form.test_files_are_named_for_what_they_hold, "shared/row_helpers.py", ""),
    "silence without a reason": (
        test_form.test_an_exception_to_a_rule_has_its_reason_beside_it,
        "shared/rows.py",
        "a = 1  # noqa: B023\n",
    ),
    "silence of everything": (
        test_form.test_an_exception_to_a_rule_has_its_reason_beside_it,
        "shared/rows.py",
        "a = 1  # type: ignore  # because it is so\n",
    ),
    "unfinished work": (
        test_form.test_an_exception_to_a_rule_has_its_reason_beside_it,
        "shared/rows.py",
        "a = 1  # TODO later\n",
    ),
    "a test that is passed over": (
        test_form.test_no_test_is_passed_over,
        "tests/unit/test_rows.py",
        "@pytest.mark.skipif(True, reason='slow')\ndef test_it():\n    '''It.'''\n",
    ),
    "a test that says nothing": (
        test_form.test_every_test_says_what_it_proves,
        "tests/unit/test_rows.py",
        "def test_it(): ...\n",
    ),
}


@pytest.mark.parametrize("name", PLANTED)
def test_a_planted_violation_is_found(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """A check that cannot fail guards nothing."""
    check, path, code = PLANTED[name]
    planted = Source(path, OPENING + code)
    _show(monkeypatch, check, [*sources(), planted], [*product_sources(), planted])
    with pytest.raises(AssertionError):
        check()


@pytest.mark.parametrize("name", PLANTED)
def test_the_same_check_passes_without_it(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """It is the planted line that the check finds: the same file with nothing but its opening passes."""
    check, path, _ = PLANTED[name]
    harmless = Source(path if "helpers" not in path else "shared/rows.py", OPENING)
    needed = [source for source in sources() if source.path in {*test_boundaries.COMMITS, "shared/messaging.py"}]
    _show(monkeypatch, check, [*needed, harmless], [*needed, harmless])
    check()


def _show(
    monkeypatch: pytest.MonkeyPatch, check: Callable[[], None], all_of_it: list[Source], product: list[Source]
) -> None:
    module = check.__module__
    for name, shown in (("sources", all_of_it), ("product_sources", product)):
        monkeypatch.setattr(f"{module}.{name}", lambda shown=shown: shown, raising=False)
