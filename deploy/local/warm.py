"""Runs commands of the services in forks of one interpreter that has loaded what they have in common.

A service's command takes about a second of CPU before it begins, nearly all of it imports. Eight of
them (four migrations, four sets of topics) share that second here. Reads batches from standard input,
one JSON list of command lines a line; runs each batch at once and answers with the exit statuses.
"""

import contextlib
import importlib
import json
import os
import runpy
import sys
import traceback
from collections.abc import Sequence

SHARED_MODULES = ("shared.cli", "shared.migrations", "shared.kafka", "alembic.command", "alembic.runtime.environment")


def main() -> None:
    """Load, then serve batches until the input ends. Commands write to standard error, a log file."""
    for module in SHARED_MODULES:
        # A module that moved costs a moment in each fork, nothing more.
        with contextlib.suppress(ImportError):
            importlib.import_module(module)
    for line in sys.stdin:
        children = [_fork(command) for command in json.loads(line)]
        statuses = [os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) for child in children]
        sys.stdout.write(json.dumps(statuses) + "\n")
        sys.stdout.flush()


def _fork(command: Sequence[str]) -> int:
    child = os.fork()
    if child:
        return child
    os.dup2(2, 1)  # Standard output is the answer channel: what a command prints belongs in the log.
    os._exit(_run(command))


def _run(command: Sequence[str]) -> int:
    module, *arguments = command
    sys.argv = [module, *arguments]
    try:
        runpy.run_module(module, run_name="__main__", alter_sys=True)
    except SystemExit as ended:
        if isinstance(ended.code, str):
            sys.stderr.write(f"{ended.code}\n")
        return ended.code if isinstance(ended.code, int) else int(ended.code is not None)
    except BaseException:
        traceback.print_exc()
        return 1
    finally:
        sys.stdout.flush()
        sys.stderr.flush()
    return 0


if __name__ == "__main__":
    main()
