"""Every rule that this release claims is proven somewhere: its key stands in the docstring of a test."""

import ast
import re
from functools import cache

import pytest

from tests.architecture.source import sources

CLAIMED = {"C": 8, "G": 6, "I": 14, "L": 7, "U": 4, "P": 5, "A": 7, "R": 3, "M": 14, "K": 7}
"""Customers, classification, the ledger, last contact, discussion, purchases, access, rights, imports, campaigns."""
RULES = [f"{letter}{number}" for letter, last in CLAIMED.items() for number in range(1, last + 1)]

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
