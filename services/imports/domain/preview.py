"""What a row would do: create, update, nothing, or an error with its reasons (M2–M5, M8).

Pure rules over rows that were read and customers that were looked up; nothing here writes. The order
of rows matters: whoever names an id, code or phone first in a file keeps it.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, Literal
from uuid import UUID

from services.imports.domain.cells import CLEAR, BadCell, Problem, ReadRow
from services.imports.domain.fields import (
    ADDRESS_PARTS,
    CHOICES,
    KEYS,
    MANY_VALUED,
    NOT_CLEARABLE,
    record_name,
)
from services.imports.domain.known import Known, KnownCustomer
from services.imports.domain.options import ImportOptions
from shared.contracts.classification import relationship_id
from shared.fields import MAX_TEXT
from shared.reveals import Reveals, no_limit
from shared.spreadsheets import clean_text

Outcome = Literal["create", "update", "unchanged", "error"]

NEW = str(relationship_id("new"))
DONT_FORGET = str(relationship_id("dont_forget"))

_NOBODY: Mapping[str, Any] = {}

_WHOEVER = frozenset({"not_found", "code_taken", "phone_taken", "rate_limited"})
"""Problems of a match that must not say whom the row has met."""


@dataclass(frozen=True, slots=True)
class Judgement:
    """What a row would do. `values` are what is written, `old` what the customer has there now."""

    row: int
    outcome: Outcome
    customer_id: UUID | None = None
    code: str | None = None
    values: dict[str, Any] = field(default_factory=dict)
    old: dict[str, Any] = field(default_factory=dict)
    problems: Sequence[Problem] = ()
    keys: Sequence[str] = ()
    """What the row claims for itself: its id, code, phones and the customer it means (M3)."""
    new_options: Sequence[tuple[str, str]] = ()
    """Names of options to create, each with the record's name of its field (M6)."""


class Preview:
    """Judges rows of one file, in the file's order.

    `earlier` says which row was the first to claim a key, for rows that are judged without those
    before them. `reveals` counts what rows tell of customers whom the uploader does not see (R3).
    """

    def __init__(
        self, known: Known, options: ImportOptions, earlier: Mapping[str, int] = _NOBODY, reveals: Reveals | None = None
    ) -> None:
        self._known, self._options = known, options
        self._reveals = reveals or no_limit()
        self._default_manager = str(options.employee_id) if options.employee_id else None
        self._first: dict[str, int] = dict(earlier)

    def judge(self, row: ReadRow) -> Judgement:
        """Find out whom a row means (M3) and what it changes; all its problems, not the first alone."""
        problems = list(row.problems)
        keys = file_keys(row)
        problems += self._repeated(row, keys)
        judgement = self._judge(row, problems, keys)
        return replace(judgement, keys=[key for named in keys.values() for key in named])

    def _judge(self, row: ReadRow, problems: list[Problem], keys: dict[str, list[str]]) -> Judgement:
        if any(_about(row.problems, key) for key in KEYS):
            return _failed(row, None, problems)  # whom the row means cannot be known
        customer, problem = self._match(row)
        if problem is None and customer is not None:
            problem = self._refused(customer, row, keys)
        if problem is not None:
            problems.append(problem)
            customer = None if problem.code in _WHOEVER else customer
            return _failed(row, customer, problems)
        problems += self._taken_phones(row, customer)
        found = _Found(customer.record if customer is not None else _NOBODY)
        self._values(row, found, problems)
        if row.returned and found.values and not self._options.overwrite:
            problems.append(Problem("customer_id", "already_exists"))
        if customer is None and "name" not in found.values and not _about(problems, "name"):
            problems.append(Problem("name", "required"))
        if problems:
            return _failed(row, customer, problems)
        if customer is None:
            code = row.given.get("code")
            return Judgement(row.number, "create", None, code, found.values, new_options=found.new_options)
        old = {name: customer.record.get(name) for name in found.values}
        outcome: Outcome = "update" if found.values else "unchanged"
        return Judgement(
            row.number, outcome, customer.id, customer.code, found.values, old, new_options=found.new_options
        )

    def _repeated(self, row: ReadRow, keys: dict[str, list[str]]) -> Iterator[Problem]:
        """`duplicate_in_file`: the same id, code or phone in an earlier row (M3)."""
        for name, named in keys.items():
            if any(self._first.setdefault(key, row.number) < row.number for key in named):
                yield Problem(name, "duplicate_in_file")

    def _match(self, row: ReadRow) -> tuple[KnownCustomer | None, Problem | None]:
        """The customer a row means; a problem where it means one that cannot be had."""
        customer_id, code = row.given.get("customer_id"), row.given.get("code")
        if customer_id is not None:
            customer = self._known.by_id.get(customer_id)
            if customer is None or not customer.live or not customer.visible:
                return None, Problem("customer_id", "not_found")
            if code is not None and code != customer.code:
                return customer, Problem("code", "id_code_mismatch")
            return customer, None
        if code is not None:
            customer = self._known.by_code.get(code)
            if customer is not None and not (customer.live and customer.visible):
                return None, Problem("code", "code_taken")
            return customer, None
        return self._match_phone(row)

    def _match_phone(self, row: ReadRow) -> tuple[KnownCustomer | None, Problem | None]:
        phones = row.given.get("phones")
        found = {c.id: c for p in phones if (c := self._known.by_phone.get(p))} if isinstance(phones, list) else {}
        if not found:
            return None, None
        customer = next(iter(found.values()))
        if not self._options.match_by_phone or len(found) > 1 or not customer.changeable:
            return None, next(self._taken_phones(row, None), None)
        return customer, None

    def _refused(self, customer: KnownCustomer, row: ReadRow, keys: dict[str, list[str]]) -> Problem | None:
        """Why a match may not be updated, or not by this row."""
        field = next((name for name in ("customer_id", "code") if name in row.given), "phones")
        if not customer.changeable:
            return Problem(field, "forbidden")
        if not self._options.overwrite and not row.returned:
            return Problem(field, "already_exists")
        key = customer_key(customer.id)
        keys["customer"] = [key]
        if self._first.setdefault(key, row.number) < row.number:
            return Problem(field, "duplicate_in_file")
        return None

    def _taken_phones(self, row: ReadRow, customer: KnownCustomer | None) -> Iterator[Problem]:
        """`phone_taken`, or `rate_limited` where no more may be told this hour (M3, R3)."""
        phones = row.given.get("phones")
        if isinstance(phones, list):
            own = customer.phones if customer is not None else ()
            found = {phone: owner for phone in phones if (owner := self._known.by_phone.get(phone))}
            owners = {phone: owner.id for phone, owner in found.items() if phone not in own}
            seen = {owner.id for owner in found.values() if owner.visible}
            code = self._reveals.refusal([phone for phone in phones if phone not in own], owners, seen)
            if code is not None:
                yield Problem("phones", code)

    def _values(self, row: ReadRow, found: "_Found", problems: list[Problem]) -> None:
        """What differs from the customer's record, by the record's names (M5)."""
        record = found.record
        address = dict(record.get("address") or {})
        for name, given in row.given.items():
            try:
                if name in ADDRESS_PARTS:
                    address[ADDRESS_PARTS[name]] = None if given is CLEAR else given
                elif name not in KEYS and not (name == "manager" and row.manager_id is not None):
                    self._take(found, name, given)
            except BadCell as error:
                problems.append(Problem(name, error.code))
        filled = {part: _as_read(text) for part, text in address.items() if text}
        if filled != {part: _as_read(text) for part, text in (record.get("address") or {}).items() if text}:
            found.values["address"] = address if filled else None
        manager_id = row.manager_id or (self._default_manager if "manager" not in row.given else None)
        if manager_id is not None and record.get("manager_id") != manager_id:
            found.values["manager_id"] = manager_id

    def _take(self, found: "_Found", field: str, given: Any) -> None:
        """Add one column's value where it differs. Raises BadCell."""
        name = record_name(field)
        old = found.record.get(name)
        if given is CLEAR:
            if field in NOT_CLEARABLE:
                raise BadCell("required")
            new: Any = [] if name in MANY_VALUED else None
        elif field in CHOICES:
            new = self._options_named(found, name, CHOICES[field], given, old or ())
        else:
            new = self._resolve(field, given, old, found.record)
        if name not in MANY_VALUED:
            if new != _as_read(old):
                found.values[name] = new
        elif field in CHOICES and self._options.append_multi_select and given is not CLEAR:
            if (added := [item for item in new if item not in (old or ())]) or found.creates(name):
                found.values[name] = added
        elif set(new) != set(old or ()) or found.creates(name):
            found.values[name] = new

    def _options_named(
        self, found: "_Found", name: str, kind: str, texts: Sequence[str], present: Sequence[str]
    ) -> list[str]:
        """The options that texts mean; unknown ones are to be created where that was chosen (M6)."""
        ids: dict[str, None] = {}
        for text in texts:
            try:
                ids[self._known.options[kind].resolve(text, present, "unknown_option", "disabled_choice")] = None
            except BadCell as error:
                if error.code != "unknown_option" or not self._options.create_missing_options:
                    raise
                if len(text) > MAX_TEXT:
                    raise BadCell from None
                found.new_options.append((name, text))
        return list(ids)

    def _resolve(self, field: str, given: Any, old: Any, record: Mapping[str, Any]) -> Any:
        if field == "relationship":
            return self._relationship(given, old)
        if field == "manager":
            present = (old,) if old else ()
            return self._known.employees.resolve(given, present, "inactive_employee", "inactive_employee")
        if field == "referrer":
            return self._referrer(given, old, record)
        return given

    def _relationship(self, text: str, old: str | None) -> str:
        present = (old,) if old else ()
        found = self._known.options["relationship"].resolve(text, present, "unknown_option", "disabled_choice")
        if found == DONT_FORGET and found != old:
            raise BadCell("automatic_relationship")  # only time sets it (G4)
        return found

    def _referrer(self, text: str, old: str | None, record: Mapping[str, Any]) -> str:
        found = self._known.customer_called(text)
        if found is None or not (found.visible or str(found.id) == old):
            raise BadCell("not_found")
        referrer_id = str(found.id)
        if referrer_id == record.get("id"):
            raise BadCell  # a customer cannot refer itself (C5)
        if record and referrer_id != old and not _referral_open(record):
            raise BadCell("referral_locked")
        return referrer_id


@dataclass
class _Found:
    """What a row was found to write over a record."""

    record: Mapping[str, Any]
    values: dict[str, Any] = field(default_factory=dict)
    new_options: list[tuple[str, str]] = field(default_factory=list)

    def creates(self, name: str) -> bool:
        """Whether an option of this field is to be created."""
        return any(field == name for field, _ in self.new_options)


def file_keys(row: ReadRow) -> dict[str, list[str]]:
    """What a row says of whom it means, by column: nobody else in the file may say the same (M3)."""
    keys: dict[str, list[str]] = {}
    for name in ("customer_id", "code", "phones"):
        given = row.given.get(name)
        if given is not None and given is not CLEAR:
            keys[name] = claims(name, given if name == "phones" else (given,))
    return keys


def keys_of(customer_id: UUID, code: str, phones: Iterable[str]) -> list[str]:
    """What a row claims that means, or met, a customer: by any of its names."""
    return [*claims("customer_id", (customer_id,)), *claims("code", (code,) if code else ()), *claims("phones", phones)]


def claims(column: str, values: Iterable[object]) -> list[str]:
    """The keys of what a row says in a column of whom it means."""
    return [f"{column}:{value}" for value in values]


def customer_key(customer_id: UUID) -> str:
    """The key of a customer that a row overwrites, however the row names it."""
    return f"customer:{customer_id}"


def _referral_open(record: Mapping[str, Any]) -> bool:
    """C5: while the relationship is New, or Don't Forget remembering New, or nobody is responsible."""
    relationship = record.get("relationship_id")
    is_new = relationship == NEW or (relationship == DONT_FORGET and record.get("remembered_relationship_id") == NEW)
    return is_new or record.get("manager_id") is None


def _failed(row: ReadRow, customer: KnownCustomer | None, problems: Sequence[Problem]) -> Judgement:
    """An error row shows a customer only where the uploader sees it."""
    if customer is None or not customer.visible:
        return Judgement(row.number, "error", None, row.given.get("code"), problems=problems)
    return Judgement(row.number, "error", customer.id, customer.code, problems=problems)


def _as_read(value: Any) -> Any:
    """A stored value as a file gives it back: line breaks and control characters do not survive one (M14)."""
    return clean_text(value).strip() if isinstance(value, str) else value


def _about(problems: Sequence[Problem], field: str) -> bool:
    return any(problem.field == field for problem in problems)
