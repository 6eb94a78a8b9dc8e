"""Writes the rows of one chunk: customers are created or overwritten, each row checked again (M2–M8).

Everything that many rows share (codes, phones, choices, locks) is asked for once; a row that is
refused spoils no neighbour.
"""

from collections.abc import Sequence
from typing import Any
from uuid import UUID

import msgspec

from services.customers.commands.choices import Choices, find_choices
from services.customers.commands.hand_overs import lock_held
from services.customers.commands.import_chunk import Chunk, Refused, checked_values
from services.customers.commands.registers import (
    claim_codes,
    claim_phones,
    new_codes,
    release_all_phones,
)
from services.customers.commands.revealing import seen_owners
from services.customers.commands.storing import insert_customers, update_customers
from services.customers.domain.creation import Draft
from services.customers.domain.record import Held
from services.customers.domain.values import CustomerChange, CustomerValues, NewCustomer
from shared.access import may_change, may_see
from shared.contracts.customers import CustomerEvent, Origin
from shared.contracts.imports import ConfirmedRow
from shared.database import Session
from shared.envelope import new_id
from shared.errors import RapportError

Checked = list[tuple[ConfirmedRow, dict[str, Any]]]


async def create_rows(session: Session, chunk: Chunk, rows: Sequence[ConfirmedRow]) -> list[CustomerEvent]:
    """Create a customer for each row; answers what is to be told."""
    checked = _check(chunk, rows, NewCustomer)
    choices = await find_choices(session, chunk.actor, (values for _, values in checked))
    ready: list[tuple[ConfirmedRow, Draft]] = []
    for row, values in checked:
        try:
            choices.require(values)
            ready.append((row, _draft(chunk, row, values)))
        except RapportError as error:
            chunk.refuse(row, Refused.by(error))
    ready = await _claim(session, chunk, ready)
    events: list[CustomerEvent] = []
    for row, customer in ready:
        creator = chunk.actor.employee_id if row.employee_id is None else None
        customer.hand_over_at_creation(row.employee_id, creator, (), chunk.at, chunk.cause)
        events.append(customer.tell_created(chunk.cause))
        chunk.succeed(row, "created", customer)
    if ready:
        await insert_customers(session, [customer for _, customer in ready])
    return events


async def update_rows(session: Session, chunk: Chunk, rows: Sequence[ConfirmedRow]) -> list[CustomerEvent]:
    """Overwrite the customers that rows mean; answers what is to be told."""
    customers = await lock_held(session, {row.customer_id for row in rows if row.customer_id is not None})
    checked = _check(chunk, rows, CustomerChange)
    choices = await find_choices(session, chunk.actor, (values for _, values in checked))
    ready: list[tuple[ConfirmedRow, Held, dict[str, Any]]] = []
    for row, values in checked:
        try:
            customer = _changeable(chunk, customers.get(row.customer_id) if row.customer_id else None)
            stale = _stale(customer, row)
            if stale:
                chunk.conflict(row, customer, stale)
                continue
            _require_allowed(row, customer, values, choices)
        except Refused as refusal:
            chunk.refuse(row, refusal)
        else:
            ready.append((row, customer, values))
    told: list[CustomerEvent] = []
    for row, customer, values in await _claim_changed(session, chunk, ready):
        events = customer.update(values, chunk.at, chunk.cause)
        if row.employee_id is not None or "manager_id" in row.values:  # a cleared cell leaves nobody (M5)
            events += customer.set_manager(row.employee_id, False, chunk.at, chunk.cause)
        told += events
        chunk.overwrote(row, customer, events)
        chunk.succeed(row, "updated" if events else "unchanged", customer)
    await release_all_phones(session, {c.id: c.phones for _, c, values in ready if "phones" in values})
    await update_customers(session, customers.values())
    return told


def _check(chunk: Chunk, rows: Sequence[ConfirmedRow], model: type[CustomerValues]) -> Checked:
    """The rows whose values can be such at all."""
    checked: Checked = []
    for row in rows:
        try:
            chunk.require_active(row)
            given = {name: value for name, value in row.values.items() if name != "manager_id"}
            values = checked_values(model, given)
            chunk.choose_new_options(row, values)
            checked.append((row, values))
        except Refused as refusal:
            chunk.refuse(row, refusal)
    return checked


def _draft(chunk: Chunk, row: ConfirmedRow, values: dict[str, Any]) -> Draft:
    kind = "contact_sync" if chunk.event.kind == "contacts" else "import"
    actor = chunk.actor
    created_by = f"employee/{actor.employee_id}" if actor.employee_id else f"service/{actor.id}"
    origin = Origin(kind=kind, id=str(chunk.event.import_id))
    return Draft.create(new_id(), row.code or "", values, origin, created_by, chunk.at)


async def _claim(
    session: Session, chunk: Chunk, ready: Sequence[tuple[ConfirmedRow, Draft]]
) -> list[tuple[ConfirmedRow, Draft]]:
    """Codes and phones of all new customers at once; who does not get theirs is a row error (M3)."""
    owners: dict[str, UUID] = {}
    for _, customer in ready:
        for phone in customer.phones:
            owners.setdefault(phone, customer.id)
    taken = await claim_phones(session, owners)
    seen = await seen_owners(session, chunk.reveals, taken.values())
    named = await claim_codes(session, {c.code: c.id for _, c in ready if c.code})
    granted: list[tuple[ConfirmedRow, Draft]] = []
    refused: dict[UUID, Sequence[str]] = {}
    for row, customer in ready:
        twice = any(owners[phone] != customer.id for phone in customer.phones)
        lost = "phone_taken" if twice else chunk.reveals.refusal(customer.phones, taken, seen)
        if lost is not None or (customer.code and customer.code not in named):
            chunk.refuse(row, Refused(lost, "phones") if lost else Refused("code_taken", "code"))
            refused[customer.id] = ()
        else:
            granted.append((row, customer))
    await release_all_phones(session, refused)
    unnamed = [customer for _, customer in granted if not customer.code]
    for customer, code in zip(unnamed, await new_codes(session, [c.id for c in unnamed]), strict=True):
        customer.code = code
    return granted


async def _claim_changed(
    session: Session, chunk: Chunk, ready: Sequence[tuple[ConfirmedRow, Held, dict[str, Any]]]
) -> list[tuple[ConfirmedRow, Held, dict[str, Any]]]:
    """The rows that get the phones they name; the others change nothing, not even these (M3)."""
    owners: dict[str, UUID] = {}
    for _, customer, values in ready:
        for phone in values.get("phones", ()):
            owners.setdefault(phone, customer.id)
    taken = await claim_phones(session, owners)
    seen = await seen_owners(session, chunk.reveals, taken.values())
    granted: list[tuple[ConfirmedRow, Held, dict[str, Any]]] = []
    for row, customer, values in ready:
        phones = values.get("phones", ())
        new = [phone for phone in phones if phone not in customer.phones]
        twice = any(owners[phone] != customer.id for phone in phones)
        lost = "phone_taken" if twice else chunk.reveals.refusal(new, taken, seen)
        if lost is not None:
            chunk.refuse(row, Refused(lost, "phones"))
        else:
            granted.append((row, customer, values))
    return granted


def _changeable(chunk: Chunk, customer: Held | None) -> Held:
    if (
        customer is None
        or customer.state != "active"
        or not may_see(chunk.actor, customer.manager_id, customer.viewer_ids)
    ):
        raise Refused("not_found")
    if not may_change(chunk.actor, customer.manager_id, customer.viewer_ids):
        raise Refused("forbidden")
    return customer


def _stale(customer: Held, row: ConfirmedRow) -> dict[str, Any]:
    """Current values of fields that differ from what the preview showed and are not the new ones yet (M2)."""
    current: dict[str, Any] = {}
    for name, shown in row.old.items():
        now = msgspec.to_builtins(getattr(customer, name, None))
        wanted = str(row.employee_id) if name == "manager_id" and row.employee_id else row.values.get(name)
        if now not in (shown, wanted):
            current[name] = now
    return current


def _require_allowed(row: ConfirmedRow, customer: Held, values: dict[str, Any], choices: Choices) -> None:
    """Raises Refused before anything changes hands: a refused row changes nothing (C5, G2)."""
    for name in row.append:
        values[name] = list(dict.fromkeys([*getattr(customer, name), *values.get(name, ())]))
    try:
        choices.require(values, customer)
        customer.require_updatable(values)
    except RapportError as error:
        raise Refused.by(error) from None
