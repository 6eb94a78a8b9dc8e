"""Every rule that this release claims is proven somewhere: its key stands in the docstring of a test."""

import ast
import re
from functools import cache

import pytest

from tests.architecture.source import sources

CLAIMED = {
    "customers": ["C1", "C2", "C3", "C4", "C5", "C6", "C8", "P5"],
    "access": ["A1", "A2", "A3", "A4", "A5", "A6", "A7", "R1", "R2", "R3"],
    "interactions": ["I1", "I2", "I3", "I5", "I6", "I7", "I9", "I10", "I11", "I12", "I13", "I14"],
    "last contact": ["L1", "L2", "L3", "L6", "L7"],
    "imports": ["M1", "M2", "M3", "M4", "M5", "M7", "M8", "M9", "M14"],
    "campaigns": ["K1", "K2", "K3", "K4", "K5", "K6", "K7"],
}
RULES = [rule for rules in CLAIMED.values() for rule in rules]

_KEY = re.compile(r"\b([A-Z])(\d{1,2})(?:\s*[–-]\s*(?:\1)?(\d{1,2}))?\b")


@cache
def _proven() -> dict[str, list[str]]:
    """Where each rule's key stands in a test's docstring; `I1-I3` means all three."""
    found: dict[str, list[str]] = {}
    for source in sources():
        if not source.path.startswith("tests/"):
            continue
        for function in source.functions():
            if function.name.startswith("test_"):
                for letter, first, last in _KEY.findall(ast.get_docstring(function) or ""):
                    for number in range(int(first), int(last or first) + 1):
                        found.setdefault(f"{letter}{number}", []).append(source.at(function))
    return found


@pytest.mark.parametrize("rule", RULES)
def test_a_claimed_rule_is_proven(rule: str) -> None:
    """A rule without a test is a wish."""
    assert _proven().get(rule), f"no test's docstring carries {rule}"
