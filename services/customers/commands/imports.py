"""Confirmed rows of an import become customers: each row once, whatever comes twice (M2, M9).

A chunk is one transaction. What the uploader may do is checked again here, with their permissions as
of the confirmation and their sight as of now; a row whose customer has changed since the preview is a
conflict and nothing of it is written.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any
from uuid import UUID

import msgspec
from pydantic import ValidationError

from services.customers.commands.choices import require_choices
from services.customers.commands.customers import lock_customers
from services.customers.commands.employees import active_employees
from services.customers.commands.publishing import AuditRow, tell, write_entries
from services.customers.commands.registers import claim_codes, claim_phones, new_codes, release_phones
from services.customers.commands.storing import insert_customers
from services.customers.domain.creation import Draft
from services.customers.domain.customer import Customer
from services.customers.domain.values import CustomerChange, NewCustomer
from shared import outbox
from shared.access import actor_of, may_change, may_see
from shared.contracts.customers import Origin
from shared.contracts.events import Cause
from shared.contracts.imports import AppliedRow, ConfirmedRow, ImportRowsApplied, ImportRowsConfirmed, RowError
from shared.database import Session, clock, run
from shared.envelope import Envelope, new_id
from shared.errors import InactiveEmployee, RapportError
from shared.identity import IMPORT, Actor

_KEEP = """
INSERT INTO import_row (import_id, row, chunk, customer_id, action, old, new, version_after, result)
SELECT $1, row, $2, customer_id, action, old::jsonb, new::jsonb, version_after, result::jsonb
FROM unnest($3::int[], $4::uuid[], $5::text[], $6::text[], $7::text[], $8::bigint[], $9::text[])
     AS news(row, customer_id, action, old, new, version_after, result)
"""


class _Refused(Exception):
    """A row that is not written, and why."""

    def __init__(self, code: str, field: str | None = None) -> None:
        super().__init__(code)
        self.code, self.field = code, field


@dataclass
class _Chunk:
    """One chunk on its way: who, when, the rows' outcomes and what there is to tell."""

    event: ImportRowsConfirmed
    actor: Actor
    at: datetime
    cause: Cause
    outcomes: dict[int, AppliedRow] = field(default_factory=dict)
    told: list[Any] = field(default_factory=list)

    def refuse(self, row: ConfirmedRow, code: str, at_field: str | None = None) -> None:
        self.outcomes[row.row] = AppliedRow(
            row=row.row,
            outcome="error",
            customer_id=row.customer_id,
            code=row.code,
            version=None,
            errors=(RowError(field=at_field, code=code),),
        )

    def succeed(self, row: ConfirmedRow, outcome: str, customer: Customer | Draft) -> None:
        self.outcomes[row.row] = AppliedRow(
            row=row.row,
            outcome=outcome,  # pyright: ignore[reportArgumentType]  # pydantic checks the words
            customer_id=customer.id,
            code=customer.code,
            version=customer.version,
        )


async def apply_import_rows(session: Session, envelope: Envelope[ImportRowsConfirmed]) -> None:
    """Write one confirmed chunk and answer with its outcomes; a chunk seen before is answered again (M9)."""
    event = envelope.event
    assert event is not None
    known = await _known(session, event)
    rows = [row for row in event.rows if row.row not in known]
    if rows:
        chunk = await _apply(session, event, rows, envelope)
        await _keep(session, event, rows, chunk.outcomes)
        known |= chunk.outcomes
    applied = tuple(known[row.row] for row in event.rows)
    answer = ImportRowsApplied(import_id=event.import_id, chunk=event.chunk, rows=applied)
    outbox.add(session, answer, envelope.origin())


async def _apply(
    session: Session, event: ImportRowsConfirmed, rows: Sequence[ConfirmedRow], envelope: Envelope[Any]
) -> _Chunk:
    at = await clock(session)
    cause = Cause(kind="contact_sync" if event.kind == "contacts" else "import", id=str(event.import_id))
    try:
        actor = await actor_of(session, event.actor)
        if event.kind == "customers":
            actor.require(IMPORT)
    except RapportError as refusal:
        chunk = _Chunk(event, Actor(event.actor.kind, event.actor.id), at, cause)
        for row in rows:
            chunk.refuse(row, refusal.code)
        return chunk
    chunk = _Chunk(event, actor, at, cause)
    active = await active_employees(session, {row.employee_id for row in rows if row.employee_id is not None})
    entries = await _create(session, chunk, [row for row in rows if row.action == "create"], active, envelope)
    entries += await _update(session, chunk, [row for row in rows if row.action == "update"], active, envelope)
    await session.flush()
    await write_entries(session, entries)
    return chunk


async def _create(
    session: Session, chunk: _Chunk, rows: Sequence[ConfirmedRow], active: set[UUID], envelope: Envelope[Any]
) -> list[AuditRow]:
    ready: list[tuple[ConfirmedRow, Draft]] = []
    checked = _Checked()
    for row in rows:
        try:
            if row.employee_id is not None and row.employee_id not in active:
                raise _Refused("inactive_employee", "manager")
            ready.append((row, await _new_customer(session, chunk, row, checked)))
        except _Refused as refusal:
            chunk.refuse(row, refusal.code, refusal.field)
    ready = await _claim(session, chunk, ready)
    events = []
    for row, customer in ready:
        creator = chunk.actor.employee_id if row.employee_id is None else None
        customer.hand_over_at_creation(row.employee_id, creator, (), chunk.at, chunk.cause)
        events.append(customer.tell_created(chunk.cause))
        chunk.succeed(row, "created", customer)
    if ready:
        await insert_customers(session, [customer for _, customer in ready])
    return tell(session, events, after=envelope, actor=chunk.actor)


@dataclass
class _Checked:
    """Choices that were found good already in this chunk: most rows share a few."""

    good: set[tuple[Any, ...]] = field(default_factory=set)


async def _new_customer(session: Session, chunk: _Chunk, row: ConfirmedRow, checked: _Checked) -> Draft:
    values = _values(NewCustomer, row.values)
    await _check_choices(session, chunk, values, None, checked)
    origin = Origin(kind="contact_sync" if chunk.event.kind == "contacts" else "import", id=str(chunk.event.import_id))
    created_by = f"employee/{chunk.actor.employee_id}" if chunk.actor.employee_id else f"service/{chunk.actor.id}"
    return Draft.create(new_id(), row.code or "", values, origin, created_by, chunk.at)


async def _claim(
    session: Session, chunk: _Chunk, ready: Sequence[tuple[ConfirmedRow, Draft]]
) -> list[tuple[ConfirmedRow, Draft]]:
    """Codes and phones of all new customers at once; who does not get theirs is a row error (M3)."""
    owners: dict[str, UUID] = {}
    for _, customer in ready:
        for phone in customer.phones:
            owners.setdefault(phone, customer.id)
    taken = await claim_phones(session, owners)
    named = await claim_codes(session, {c.code: c.id for _, c in ready if c.code})
    granted: list[tuple[ConfirmedRow, Draft]] = []
    for row, customer in ready:
        lost = any(phone in taken or owners[phone] != customer.id for phone in customer.phones)
        if lost or (customer.code and customer.code not in named):
            chunk.refuse(row, "phone_taken" if lost else "code_taken", "phones" if lost else "code")
            await release_phones(session, customer.id, keep=())
        else:
            granted.append((row, customer))
    unnamed = [customer for _, customer in granted if not customer.code]
    for customer, code in zip(unnamed, await new_codes(session, [c.id for c in unnamed]), strict=True):
        customer.code = code
    return granted


async def _update(
    session: Session, chunk: _Chunk, rows: Sequence[ConfirmedRow], active: set[UUID], envelope: Envelope[Any]
) -> list[AuditRow]:
    customers = await lock_customers(session, {row.customer_id for row in rows if row.customer_id is not None})
    entries: list[AuditRow] = []
    checked = _Checked()
    for row in rows:
        customer = customers.get(row.customer_id) if row.customer_id is not None else None
        try:
            events = await _change(session, chunk, row, customer, active, checked)
        except _Refused as refusal:
            chunk.refuse(row, refusal.code, refusal.field)
            continue
        if customer is not None and row.row not in chunk.outcomes:
            entries += tell(session, events, after=envelope, actor=chunk.actor)
            chunk.succeed(row, "updated" if events else "unchanged", customer)
    return entries


async def _change(
    session: Session,
    chunk: _Chunk,
    row: ConfirmedRow,
    customer: Customer | None,
    active: set[UUID],
    checked: _Checked,
) -> list[Any]:
    if (
        customer is None
        or customer.state != "active"
        or not may_see(chunk.actor, customer.manager_id, customer.viewer_ids)
    ):
        raise _Refused("not_found")
    if not may_change(chunk.actor, customer.manager_id, customer.viewer_ids):
        raise _Refused("forbidden")
    values = _values(CustomerChange, {name: value for name, value in row.values.items() if name != "manager_id"})
    conflicting = _stale(customer, row, values)
    if conflicting:
        chunk.outcomes[row.row] = AppliedRow(
            row=row.row,
            outcome="conflict",
            customer_id=customer.id,
            code=customer.code,
            version=customer.version,
            current=conflicting,
        )
        return []
    for name in row.append:
        values[name] = list(dict.fromkeys([*getattr(customer, name), *values.get(name, ())]))
    await _check_choices(session, chunk, values, customer, checked)
    if row.employee_id is not None and row.employee_id not in active:
        raise _Refused("inactive_employee", "manager")
    try:
        customer.require_updatable(values)  # before phones change hands: a refused row changes nothing
    except RapportError as error:
        raise _Refused(error.code) from None
    if "phones" in values:
        if await claim_phones(session, dict.fromkeys(values["phones"], customer.id)):
            raise _Refused("phone_taken", "phones")
        await release_phones(session, customer.id, keep=values["phones"])
    events = customer.update(values, chunk.at, chunk.cause)
    if row.employee_id is not None or "manager_id" in row.values:  # a cleared cell leaves nobody responsible (M5)
        events += customer.set_manager(row.employee_id, False, chunk.at, chunk.cause)
    return events


def _stale(customer: Customer, row: ConfirmedRow, values: dict[str, Any]) -> dict[str, Any]:
    """Current values of fields that differ from what the preview showed and are not the new ones yet (M2)."""
    state = customer.public_state().model_dump(mode="json")
    current: dict[str, Any] = {}
    for name, shown in row.old.items():
        now = state.get(name)
        wanted = str(row.employee_id) if name == "manager_id" and row.employee_id else row.values.get(name)
        if now != shown and now != wanted:
            current[name] = now
    return current


def _values(model: type[Any], given: dict[str, Any]) -> dict[str, Any]:
    try:
        return model.model_validate(given).given()
    except ValidationError as error:
        first = error.errors()[0]
        raise _Refused("validation_failed", str(first["loc"][0]) if first["loc"] else None) from None
    except InactiveEmployee as error:
        raise _Refused(error.code) from None
    except RapportError as error:
        raise _Refused(error.code, error.errors[0].pointer.lstrip("/") if error.errors else None) from None


async def _check_choices(
    session: Session, chunk: _Chunk, values: dict[str, Any], customer: Customer | None, checked: _Checked
) -> None:
    names = ("group_ids", "source_ids", "sector_ids", "relationship_id", "referrer_customer_id")
    key = (customer.id if customer else None, *(str(values.get(name)) for name in names))
    if key in checked.good:
        return
    try:
        await require_choices(session, chunk.actor, values, customer)
    except RapportError as error:
        raise _Refused(error.code, error.errors[0].pointer.lstrip("/") if error.errors else None) from None
    if customer is None:
        checked.good.add(key)


async def _known(session: Session, event: ImportRowsConfirmed) -> dict[int, AppliedRow]:
    found = await run(
        session,
        "SELECT row, result::text FROM import_row WHERE import_id = $1 AND row = ANY($2::int[])",
        event.import_id,
        [row.row for row in event.rows],
    )
    return {row: AppliedRow.parse(result.encode()) for row, result in found}


async def _keep(
    session: Session, event: ImportRowsConfirmed, rows: Sequence[ConfirmedRow], outcomes: dict[int, AppliedRow]
) -> None:
    records = [
        (
            row.row,
            outcomes[row.row].customer_id if outcomes[row.row].outcome != "error" else None,
            row.action,
            msgspec.json.encode(row.old).decode(),
            msgspec.json.encode(row.values).decode(),
            outcomes[row.row].version,
            outcomes[row.row].model_dump_json(),
        )
        for row in rows
    ]
    await run(session, _KEEP, event.import_id, event.chunk, *map(list, zip(*records, strict=True)))
