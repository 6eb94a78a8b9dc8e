"""The words a customer is found by, as lexemes: one column serves text, phone fragments and sight.

A phone gives every tail of at least 4 digits (`#4901234567`, `#901234567`, …), so that a fragment is a
prefix of one of them. A word with tone marks is there twice, without and with them (`=hòa`): the exact
ones rank first. Who may see the customer is a word, too (`m:<manager>`, `v:<viewer>`): a rare
word within somebody's reach is then one index scan.
"""

import re
import unicodedata
from typing import TYPE_CHECKING, Any
from uuid import UUID

from shared.folding import words

if TYPE_CHECKING:
    from services.customers.domain.creation import Creation

MAX_WORD_LENGTH = 64
MAX_WORDS = 300
MIN_FRAGMENT = 4

_WORD = re.compile(r"[^\W_]+")


def search_text(customer: "Creation") -> str:
    """All lexemes of a customer, separated by spaces."""
    address: dict[str, Any] = customer.address or {}
    texts = (customer.name, customer.code, customer.company_name, *customer.emails, *address.values())
    lexemes = {word[:MAX_WORD_LENGTH]: None for text in texts if text for word in words(text)}
    bounded = list(lexemes)[:MAX_WORDS]
    for text in (customer.name, customer.company_name, *address.values()):
        bounded += [f"={word[:MAX_WORD_LENGTH]}" for word in toned_words(text or "")[:MAX_WORDS]]
    for phone in customer.phones:
        digits = phone.removeprefix("+")
        bounded += [f"#{digits[start:]}" for start in range(len(digits) - MIN_FRAGMENT + 1)]
    if customer.manager_id is not None:
        bounded.append(manager_lexeme(customer.manager_id))
    bounded += [viewer_lexeme(employee_id) for employee_id in customer.viewer_ids]
    return " ".join(dict.fromkeys(bounded))


def toned_words(text: str) -> list[str]:
    """The words of a text that carry tone marks or other signs, in lower case with them."""
    if text.isascii():
        return []
    lowered = unicodedata.normalize("NFC", text.lower())
    return [word for word in _WORD.findall(lowered) if not word.isascii()]


def manager_lexeme(employee_id: UUID) -> str:
    """The lexeme of a responsible person."""
    return f"m:{employee_id.hex}"


def viewer_lexeme(employee_id: UUID) -> str:
    """The lexeme of a viewer."""
    return f"v:{employee_id.hex}"
