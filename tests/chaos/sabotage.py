"""Faults on purpose: processes that die at a named place, safeguards that are switched off.

`python -m tests.chaos.sabotage services.customers all` runs a service with the faults that the variable
`RAPPORT_SABOTAGE` names, as `name` or `name:number`, separated by commas; `pytest -p tests.chaos.sabotage`
runs tests with them. Production code knows nothing of this: every fault is a patch from outside.
"""

import os
import runpy
import sys
from collections.abc import Callable

from tests.chaos import deaths, switches

VARIABLE = "RAPPORT_SABOTAGE"

FAULTS: dict[str, Callable[[int], None]] = {
    fault.__name__: fault
    for fault in (
        deaths.consumer_dies_before_commit,
        deaths.consumer_dies_after_commit,
        deaths.consumer_lingers_before_offsets,
        deaths.relay_dies_before_send,
        deaths.relay_dies_before_delete,
        deaths.api_dies_before_commit,
        deaths.api_dies_before_answer,
        deaths.import_worker_dies_reading,
        deaths.import_worker_dies_judging,
        switches.inbox_off,
        switches.version_guard_off,
        switches.offsets_before_effects,
        switches.offsets_by_the_clock,
        switches.start_at_the_latest,
        switches.dead_letters_off,
        switches.every_fault_is_final,
        switches.consumers_unwatched,
        switches.relay_without_leader,
        switches.relay_without_takeover_wait,
        switches.relay_deletes_before_it_sends,
        switches.relay_gives_up,
        switches.relay_passes_over_what_was_refused,
        switches.relay_gives_new_ids,
        switches.facts_are_always_new,
        switches.idempotency_off,
        switches.turns_are_forgotten,
        switches.capacity_is_for_each_call,
        switches.campaigns_take_anybody_twice,
        switches.chains_of_rules_go_on,
        switches.confirmed_rows_are_always_new,
        switches.stale_previews_are_written,
        switches.undo_writes_over_later_changes,
        switches.refused_rows_take_nothing_back,
        switches.chunks_do_not_wait_for_their_like,
        switches.rows_on_their_way_are_not_marked,
        switches.removals_are_begun_again_always,
    )
}


def commit(named: str) -> None:
    """Bring the named faults about in this process. Raises KeyError for one that does not exist."""
    for part in filter(None, named.split(",")):
        name, _, number = part.partition(":")
        FAULTS[name](int(number or 1))


def pytest_configure() -> None:
    """As a plugin of pytest: the whole run with the faults that the environment names."""
    commit(os.environ.get(VARIABLE, ""))


if __name__ == "__main__":
    commit(os.environ.get(VARIABLE, ""))
    package = sys.argv.pop(1)
    runpy.run_module(package, run_name="__main__", alter_sys=True)
