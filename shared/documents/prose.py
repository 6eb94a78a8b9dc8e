"""Docstrings as prose for strangers: without the keys of rules, cut into a summary and the rest.

A rule's key means something to who works on Rapport, and nothing to who calls it.
"""

import inspect
import re
from typing import Any

_KEY = r"[ACGIKLMPRU]\d{1,2}"
_KEYS = re.compile(rf"\s*\({_KEY}(?:\s*[,–-]\s*{_KEY})*\)")


def for_strangers(part: Any) -> Any:
    """A document, or a part of one, whose texts name no rules; what is shown as an example stays as it is."""
    if isinstance(part, list):
        return [for_strangers(each) for each in part]
    if not isinstance(part, dict):
        return part
    return {name: each if name == "examples" else _for_strangers(name, each) for name, each in part.items()}


def summary_and_rest(documented: object) -> tuple[str, str]:
    """The first sentence of a docstring without its full stop, and what follows."""
    text = _KEYS.sub("", inspect.getdoc(documented) or "")
    first, _, rest = text.partition("\n\n")
    summary, stop, more = " ".join(first.split()).partition(". ")
    return summary.removesuffix("."), "\n\n".join(part for part in (more if stop else "", rest) if part)


def _for_strangers(name: str, part: Any) -> Any:
    is_text = name in ("description", "summary") and isinstance(part, str)
    return _KEYS.sub("", part) if is_text else for_strangers(part)
