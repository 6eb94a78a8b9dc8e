"""Free text as a query over the lexemes of `customer_search` (P4): folded prefixes, pieces of phones."""

from functools import lru_cache

from services.customers.domain.filters import Test
from services.customers.domain.search_text import MIN_FRAGMENT, toned_words
from shared.folding import words
from shared.phones import fragment

MAX_QUERY_WORDS = 10
MAX_REMEMBERED = 1_000
"""Texts whose query is kept: one list asks for it several times, and people page."""


WORDS = ("words", "exact_words")
"""Comparisons that ask for words."""


def lexemes_of(test: Test) -> str | None:
    """What a text search looks for in the index; None without a text, empty when nothing can match."""
    text = str(test.values[0])
    return exact_query(text) if test.comparison == "exact_words" else text_query(text)


@lru_cache(MAX_REMEMBERED)
def text_query(text: str | None) -> str | None:
    """A text as a query over lexemes: every word a prefix, digits also as a piece of a phone.

    None without a text; empty when nothing can match it.
    """
    if text is None or not text.strip():
        return None
    digits = fragment(text)
    if digits is not None and " " in text.strip():
        return f"'#{digits}':*"
    parts: list[str] = []
    for word in words(text)[:MAX_QUERY_WORDS]:
        piece = fragment(word) if word.isdecimal() and len(word) >= MIN_FRAGMENT else None
        parts.append(f"('{word}':* | '#{piece}':*)" if piece is not None else f"'{word}':*")
    return " & ".join(parts)


@lru_cache(MAX_REMEMBERED)
def exact_query(text: str) -> str | None:
    """As `text_query`, words with tone marks with exactly these."""
    loosely = text_query(text)
    exactly = [f"'={word}':*" for word in toned_words(text)[:MAX_QUERY_WORDS]]
    return " & ".join([loosely, *exactly]) if loosely else loosely
