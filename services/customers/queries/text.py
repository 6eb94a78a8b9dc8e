"""Free text as a query over the lexemes of `customer_search` (P4): folded prefixes, pieces of phones."""

from services.customers.domain.search_text import MIN_FRAGMENT
from shared.folding import words
from shared.phones import fragment

MAX_QUERY_WORDS = 10


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
