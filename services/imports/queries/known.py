"""Looks up everything that the rows of a file may mean, in four statements whatever the file's size.

What the uploader may see and change is decided here once per customer, from this service's copies
(A2, A3): the rules then need no database.
"""

from collections.abc import Iterable, Sequence
from typing import Any
from uuid import UUID

import msgspec

from services.imports.domain.cells import ReadRow
from services.imports.domain.fields import CHOICES
from services.imports.domain.known import Candidate, Known, KnownCustomer, Named
from services.imports.domain.sectors import KnownSector
from shared.access import may_change, may_see
from shared.database import Session, run
from shared.folding import fold
from shared.identity import Actor

# Phones are looked up one by one: an array that overlaps one of thousands is estimated to be found everywhere, and
# then every customer is compared with every phone, which takes seconds.
_CUSTOMERS = """
WITH meant AS (
    SELECT id FROM customer WHERE id = ANY($1::uuid[])
    UNION SELECT id FROM customer WHERE code = ANY($2::text[]) AND state <> 'erased'
    UNION SELECT owner.id FROM unnest($3::text[]) AS given(phone) CROSS JOIN LATERAL (
        SELECT id FROM customer WHERE phones @> ARRAY[given.phone] AND state = 'active' OFFSET 0) AS owner
)
SELECT customer.id, customer.code, customer.manager_id, customer.viewer_ids, customer.phones, customer.state,
       customer_record.record::text
FROM meant JOIN customer USING (id) LEFT JOIN customer_record USING (id)
"""

_EMPLOYEES = """
SELECT id, code, email, name_folded, active FROM employee
WHERE name_folded = ANY($1::text[]) OR lower(code) = ANY($2::text[]) OR lower(email) = ANY($2::text[])
"""

_OPTIONS = "SELECT id, kind, code, names_folded, state FROM classification WHERE kind = ANY($1::text[])"


async def find_known(session: Session, actor: Actor, rows: Sequence[ReadRow]) -> Known:
    """What our copies know of the ids, codes, phones and names in these rows."""
    known = Known()
    await _find_customers(session, actor, rows, known)
    await _find_employees(session, rows, known)
    kinds = {kind for field, kind in CHOICES.items() if _any_given(rows, field)}
    if _any_given(rows, "relationship"):
        kinds.add("relationship")
    await _find_options(session, kinds, known)
    return known


async def find_sectors(session: Session) -> list[KnownSector]:
    """Every sector, disabled ones too."""
    found = await run(
        session,
        "SELECT sector.code, sector.name, parent.code, sector.state = 'active' FROM classification AS sector"
        " LEFT JOIN classification AS parent ON parent.id = sector.parent_id"
        " WHERE sector.kind = 'sector' AND sector.code IS NOT NULL",
    )
    return [KnownSector(*row) for row in found]


async def active_employee(session: Session, employee_id: UUID) -> bool:
    """Whether somebody of this id can become responsible for customers (A6)."""
    found = await run(session, "SELECT 1 FROM employee WHERE id = $1 AND active", employee_id)
    return found.first() is not None


async def _find_customers(session: Session, actor: Actor, rows: Sequence[ReadRow], known: Known) -> None:
    referrers = list(_texts(rows, "referrer"))
    ids = [*_values(rows, "customer_id", UUID), *(found for text in referrers if (found := _id(text)))]
    codes = [*_values(rows, "code", str), *(text.upper() for text in referrers)]
    phones = [phone for row in rows if isinstance(given := row.given.get("phones"), list) for phone in given]
    if not (ids or codes or phones):
        return
    found = await run(session, _CUSTOMERS, ids, codes, phones)
    for customer_id, code, manager_id, viewer_ids, customer_phones, state, record in found:
        known.add_customer(
            KnownCustomer(
                id=customer_id,
                code=code,
                live=state == "active",
                visible=may_see(actor, manager_id, viewer_ids),
                changeable=may_change(actor, manager_id, viewer_ids),
                phones=tuple(customer_phones),
                record=msgspec.json.decode(record) if record else {},
            )
        )


async def _find_employees(session: Session, rows: Sequence[ReadRow], known: Known) -> None:
    texts = set(_texts(rows, "manager"))
    if not texts:
        return
    found = await run(session, _EMPLOYEES, [fold(text) for text in texts], [text.lower() for text in texts])
    for employee_id, code, email, name_folded, active in found:
        known.employees.add(Candidate(str(employee_id), active), (code, email), (name_folded,))


async def _find_options(session: Session, kinds: Iterable[str], known: Known) -> None:
    wanted = list(kinds)
    known.options = {kind: Named() for kind in wanted}
    if not wanted:
        return
    for option_id, kind, code, names_folded, state in await run(session, _OPTIONS, wanted):
        known.options[kind].add(Candidate(str(option_id), state == "active"), (code,), names_folded)


def _any_given(rows: Sequence[ReadRow], field: str) -> bool:
    return any(field in row.given for row in rows)


def _texts(rows: Sequence[ReadRow], field: str) -> Iterable[str]:
    return _values(rows, field, str)


def _values(rows: Sequence[ReadRow], field: str, kind: type[Any]) -> Iterable[Any]:
    return (given for row in rows if isinstance(given := row.given.get(field), kind))


def _id(text: str) -> UUID | None:
    try:
        return UUID(text)
    except ValueError:
        return None
