"""The columns we add to a person's own file to say what became of each row.

Known by their headings: a result file that is corrected and uploaded again maps none of them, and
its next result replaces them instead of adding more. The customer's id is read again, so that no row
becomes a customer a second time.
"""

from collections.abc import Sequence
from dataclasses import dataclass

from shared.folding import words


@dataclass(frozen=True)
class Annotation:
    """What became of one row, in words of the reader's language; ids and codes as they are."""

    outcome: str
    reason: str = ""
    customer_id: str = ""
    code: str = ""

    @property
    def cells(self) -> list[str]:
        """The cells beside the row, in the order of `annotation_headers`."""
        return [self.outcome, self.reason, self.customer_id, self.code]


# Marked with a word that no column of a person's own has: "Customer ID" alone would be mapped, and
# every row already created would meet itself.
_HEADERS = {
    "vi": ("[Kết quả] Trạng thái", "[Kết quả] Lý do", "[Kết quả] ID khách hàng", "[Kết quả] Mã khách hàng"),
    "en": ("[Result] Outcome", "[Result] Reason", "[Result] Customer ID", "[Result] Customer Code"),
}
_CUSTOMER_ID = 2
"""The place of the customer's id among them."""
_FOLDED = {tuple(words(header)) for headers in _HEADERS.values() for header in headers}


def annotation_headers(language: str) -> tuple[str, ...]:
    """The four headings in a language (`vi` or `en`; Vietnamese for any other)."""
    return _HEADERS.get(language, _HEADERS["vi"])


def told_customers(header: Sequence[str]) -> int | None:
    """The place of the column in which an earlier result says whom each row means; None where there is none."""
    named = {tuple(words(headers[_CUSTOMER_ID])) for headers in _HEADERS.values()}
    return next((index for index, heading in enumerate(header) if tuple(words(heading)) in named), None)


def is_annotation(header: str) -> bool:
    """Whether a column of an uploaded file is one we added to an earlier result."""
    return tuple(words(header)) in _FOLDED
