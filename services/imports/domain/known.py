"""What is known of the customers, employees and options that a file may mean, found beforehand in bulk.

Pure data with the ways to look things up; `queries/known.py` fills it with a handful of statements.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any
from uuid import UUID

from services.imports.domain.cells import BadCell
from shared.folding import fold


@dataclass(frozen=True, slots=True)
class KnownCustomer:
    """A customer in our copy, with whether the uploader sees and may change it (A2, A3)."""

    id: UUID
    code: str
    live: bool
    visible: bool
    changeable: bool
    phones: tuple[str, ...]
    record: Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Candidate:
    """An option or employee that a text may mean."""

    id: str
    active: bool


@dataclass
class Named:
    """Options of one kind, or employees, by what people may call them."""

    by_code: dict[str, list[Candidate]] = field(default_factory=dict)
    by_name: dict[str, list[Candidate]] = field(default_factory=dict)
    _found: dict[str, Sequence[Candidate]] = field(default_factory=dict)

    def add(self, candidate: Candidate, codes: Iterable[str | None], folded_names: Iterable[str]) -> None:
        """Let a candidate be found by these."""
        for code in codes:
            if code:
                self.by_code.setdefault(code.casefold(), []).append(candidate)
        for name in set(folded_names):
            self.by_name.setdefault(name, []).append(candidate)

    def resolve(self, text: str, present: Iterable[str], unknown: str, inactive: str) -> str:
        """The id that a text means (M6, M8). What the customer has already is preferred and may be
        inactive, so that an export comes back unchanged. Raises BadCell with `unknown`, `inactive` or
        `ambiguous_option`.
        """
        candidates = self._candidates(text)
        had = [candidate for candidate in candidates if candidate.id in present]
        usable = had or [candidate for candidate in candidates if candidate.active]
        if len(usable) == 1:
            return usable[0].id
        if usable:
            raise BadCell("ambiguous_option")
        raise BadCell(inactive if candidates else unknown)

    def _candidates(self, text: str) -> Sequence[Candidate]:
        if text not in self._found:
            self._found[text] = self.by_code.get(text.casefold()) or self.by_name.get(fold(text), ())
        return self._found[text]


@dataclass
class Known:
    """Everything a preview looks things up in."""

    by_id: dict[UUID, KnownCustomer] = field(default_factory=dict)
    by_code: dict[str, KnownCustomer] = field(default_factory=dict)
    by_phone: dict[str, KnownCustomer] = field(default_factory=dict)
    options: dict[str, Named] = field(default_factory=dict)
    employees: Named = field(default_factory=Named)

    def add_customer(self, customer: KnownCustomer) -> None:
        """Let a customer be found by its id and code, and by its phones while it is live."""
        self.by_id[customer.id] = customer
        if customer.code:
            self.by_code[customer.code] = customer
        if customer.live:
            for phone in customer.phones:
                self.by_phone[phone] = customer

    def customer_called(self, text: str) -> KnownCustomer | None:
        """The live customer with this id or code, whether visible or not."""
        try:
            found = self.by_id.get(UUID(text))
        except ValueError:
            found = self.by_code.get(text.upper())
        return found if found is not None and found.live else None
