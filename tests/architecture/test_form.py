"""The form of the code: sizes, names, opening words, and a reason beside every exception to a rule."""

import ast
import re

from tests.architecture.source import sources

LONGEST_FILE_LINES = 500
LONGEST_FUNCTION_LINES = 70
NAMES_THAT_SAY_NOTHING = ("utils", "util", "helpers", "helper", "common", "base", "manager", "misc", "core")

_SILENCED = re.compile(r"#\s*(type:\s*ignore|pyright:\s*ignore|noqa)\b")
_SILENCED_WITH_REASON = re.compile(
    r"#\s*(?:(?:type|pyright):\s*ignore\[[\w-]+(?:,\s*[\w-]+)*\]|noqa:\s*[A-Z]+\d+(?:,\s*[A-Z]+\d+)*)\s+#\s*\w.{5,}"
)
_UNFINISHED = re.compile(r"\b(TODO|FIXME|XXX|HACK)\b")
_WORTH_A_LOOK = re.compile(r"ignore|noqa|TODO|FIXME|XXX|HACK")
_PASSED_OVER = re.compile(r"skip|skipif|xfail|importorskip")


def test_files_and_functions_can_be_read_in_one_sitting() -> None:
    """They end before the reader forgets their beginning."""
    long: list[str] = []
    for source in sources():
        lines = len(source.text.splitlines())
        if lines > LONGEST_FILE_LINES:
            long.append(f"{source.path} has {lines} lines")
        for function in source.functions():
            length = (function.end_lineno or 0) - function.lineno + 1
            if length > LONGEST_FUNCTION_LINES:
                long.append(f"{source.at(function)}: {function.name} has {length} lines")
    assert long == []


def test_every_module_says_what_it_is() -> None:
    """Every file that holds something opens with what it guarantees."""
    assert [source.path for source in sources() if not ast.get_docstring(source.tree)] == []


def test_files_are_named_for_what_they_hold() -> None:
    """A name that fits everything gathers everything."""
    for source in sources():
        for name in source.path.removesuffix(".py").split("/"):
            last_word = name if name.startswith("test_") else name.rpartition("_")[2]
            assert last_word not in NAMES_THAT_SAY_NOTHING, source.path


def test_an_exception_to_a_rule_has_its_reason_beside_it() -> None:
    """Who silences a check names which, and why it is right here; nothing is left unfinished."""
    bare: list[str] = []
    for source in sources():
        if not _WORTH_A_LOOK.search(source.text):
            continue
        for number, comment in source.comments():
            without_reason = _SILENCED.search(comment) and not _SILENCED_WITH_REASON.search(comment)
            if without_reason or _UNFINISHED.search(comment):
                bare.append(f"{source.path}:{number}: {comment}")
    assert bare == []


def test_no_test_is_passed_over() -> None:
    """A test that is skipped or expected to fail proves nothing and looks as if it did."""
    passed_over: list[str] = []
    for source in sources():
        if source.path.startswith("tests/") and _PASSED_OVER.search(source.text):
            passed_over += [
                source.at(node)
                for node in source.nodes
                if isinstance(node, ast.Attribute) and _PASSED_OVER.fullmatch(node.attr)
            ]
    assert passed_over == []


def test_every_test_says_what_it_proves() -> None:
    """Every test is named by its outcome and has a docstring."""
    silent = [
        source.at(function)
        for source in sources()
        if source.path.startswith("tests/") and source.stem.startswith("test_")
        for function in source.functions()
        if function.name.startswith("test_") and not ast.get_docstring(function)
    ]
    assert silent == []
