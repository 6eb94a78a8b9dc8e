"""Rows of an import are taken back (M10): created customers deleted, cells given their old values.

Only what nobody touched since: somebody's later work is worth more than the undo. Each row is taken
back once; a request that comes again is answered the same.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any
from uuid import UUID

import msgspec

from services.customers.commands.employees import active_employees
from services.customers.commands.hand_overs import lock_held
from services.customers.commands.publishing import tell, write_entries
from services.customers.commands.registers import claim_phones, release_all_phones
from services.customers.commands.revealing import keep_reveals_of_rows, seen_owners
from services.customers.commands.storing import update_customers
from services.customers.domain.record import Held
from services.customers.domain.relationships import DONT_FORGET, NEW
from services.customers.domain.values import CustomerChange
from shared import outbox
from shared.access import actor_of, may_change, may_see
from shared.contracts.events import Cause
from shared.contracts.imports import ImportUndoApplied, ImportUndoRequested, UndoneRow
from shared.database import Session, clock, run, settings_of
from shared.envelope import Envelope, Origin
from shared.errors import RapportError
from shared.identity import IMPORT, Actor
from shared.revealing import look_at_reveals
from shared.reveals import Reveals

_ROWS = """
SELECT row, customer_id, action, old::text, new::text, version_after, result->>'outcome' AS outcome, undone::text
FROM import_row WHERE import_id = $1 AND row = ANY($2::int[]) ORDER BY row FOR UPDATE
"""
_KEEP = """
UPDATE import_row SET undone = news.undone::jsonb
FROM unnest($2::int[], $3::text[]) AS news(row, undone)
WHERE import_row.import_id = $1 AND import_row.row = news.row
"""
_USED = """
SELECT created.id,
       CASE WHEN EXISTS (SELECT 1 FROM customer_contact AS c WHERE c.customer_id = created.id AND interaction_count > 1)
            THEN 'has_interactions'
            WHEN EXISTS (SELECT 1 FROM document WHERE document.customer_id = created.id) THEN 'has_documents'
            WHEN EXISTS (SELECT 1 FROM opportunity WHERE opportunity.customer_id = created.id)
            THEN 'has_opportunities' END AS reason
FROM unnest($1::uuid[]) AS created(id)
"""

_FIELDS = frozenset(CustomerChange.model_fields)
"""What a file can write of a customer, beside the responsible person."""

_BESIDE = frozenset({"primary_source_id", "first_closed_at", "remembered_relationship_id", "manager_set_at"})
"""What a change of another field moves along: it comes back with that field and is no cell of its own."""


@dataclass
class _Row:
    """One written row with its customer, if that is still there."""

    number: int
    customer: Held | None
    created: bool
    old: Mapping[str, Any]
    new: Mapping[str, Any]
    version_after: int | None
    kept: dict[str, str] = field(default_factory=dict)

    @property
    def untouched(self) -> bool:
        """Whether nothing has happened to the customer since the row was written."""
        return self.customer is not None and self.customer.version == self.version_after

    def failed(self, reason: str) -> UndoneRow:
        return UndoneRow(row=self.number, outcome="undo_failed", reason=reason)


async def undo_import_rows(session: Session, envelope: Envelope[ImportUndoRequested]) -> None:
    """Take back one chunk of rows and answer with their outcomes; a chunk seen before is answered again."""
    event = envelope.event
    assert event is not None
    stored = (await run(session, _ROWS, event.import_id, list(event.rows))).all()
    done = {row.row: UndoneRow.parse(row.undone.encode()) for row in stored if row.undone is not None}
    told: list[Any] = []
    waiting = [row for row in stored if row.undone is None and row.outcome in ("created", "updated")]
    if waiting:
        news = await _undo(session, event, envelope.origin(), waiting, told)
        await run(session, _KEEP, event.import_id, [one.row for one in news], [one.model_dump_json() for one in news])
        done |= {one.row: one for one in news}
    rows = tuple(
        done.get(number) or UndoneRow(row=number, outcome="undo_failed", reason="not_found") for number in event.rows
    )
    answer = ImportUndoApplied(import_id=event.import_id, chunk=event.chunk, rows=rows)
    outbox.add(session, answer, envelope.origin())  # before the customers themselves: somebody watches these rows
    actor = Actor(event.actor.kind, event.actor.id)
    await write_entries(session, tell(session, told, after=envelope, actor=actor))


async def _undo(
    session: Session, event: ImportUndoRequested, origin: Origin, stored: Sequence[Any], told: list[Any]
) -> list[UndoneRow]:
    try:
        actor = await actor_of(session, event.actor)
        actor.require(IMPORT)
    except RapportError as refusal:
        return [UndoneRow(row=row.row, outcome="undo_failed", reason=refusal.code) for row in stored]
    reveals = await look_at_reveals(session, actor, "batch", settings_of(session).reveal_batch_per_hour)
    customers = await lock_held(session, {row.customer_id for row in stored if row.customer_id is not None})
    decode = msgspec.json.decode
    rows = [
        _Row(
            row.row,
            customers.get(row.customer_id),
            row.outcome == "created",
            decode(row.old),
            decode(row.new),
            row.version_after,
        )
        for row in stored
    ]
    at, cause = await clock(session), Cause(kind="import", id=str(event.import_id))
    created, updated = [row for row in rows if row.created], [row for row in rows if not row.created]
    outcomes = await _delete_created(session, created, at, cause, told)
    outcomes += await _restore_updated(session, updated, reveals, at, cause, told)
    await update_customers(session, customers.values())
    await keep_reveals_of_rows(session, reveals, cause, event.import_id, origin)
    return outcomes


async def _delete_created(
    session: Session, rows: Sequence[_Row], at: datetime, cause: Cause, told: list[Any]
) -> list[UndoneRow]:
    """What the import itself created and nobody used since needs no right of deletion to be taken back."""
    used = {one.id: one.reason for one in await run(session, _USED, [row.customer.id for row in rows if row.customer])}
    outcomes: list[UndoneRow] = []
    gone: list[Held] = []
    for row in rows:
        customer = row.customer
        if customer is None:
            outcomes.append(row.failed("not_found"))
            continue
        reason = "deleted" if customer.state != "active" else used[customer.id]
        reason = reason or (None if row.untouched else "changed_since")
        if reason is not None:
            outcomes.append(UndoneRow(row=row.number, outcome="kept", reason=reason))
            continue
        told += customer.delete(at, cause)
        gone.append(customer)
        outcomes.append(UndoneRow(row=row.number, outcome="undone", reason=None))
    await release_all_phones(session, {customer.id: () for customer in gone})
    return outcomes


async def _restore_updated(
    session: Session, rows: Sequence[_Row], reveals: Reveals, at: datetime, cause: Cause, told: list[Any]
) -> list[UndoneRow]:
    outcomes: list[UndoneRow] = []
    restored: list[tuple[_Row, Held, dict[str, Any]]] = []
    for row in rows:
        reason = _refusal(row, reveals.actor)
        if reason is not None:
            outcome = "kept" if reason == "deleted" else "undo_failed"
            outcomes.append(UndoneRow(row=row.number, outcome=outcome, reason=reason))
        elif row.customer is not None:
            restored.append((row, row.customer, _old_values(row, row.customer)))
    await _keep_lost_phones(session, reveals, restored)
    active = await active_employees(session, _old_managers(restored))
    for row, customer, old in restored:
        transfer = "manager_id" in old
        manager_id = old.pop("manager_id", None)
        if transfer and manager_id is not None and manager_id not in active:
            transfer = False
            row.kept["manager_id"] = "inactive_employee"
        told += customer.take_back(old, at, cause)
        if transfer:
            told += customer.set_manager(manager_id, False, at, cause)
        reason = next(iter(row.kept.values()), None)
        outcomes.append(
            UndoneRow(
                row=row.number, outcome="kept" if reason else "undone", reason=reason, kept_fields=tuple(row.kept)
            )
        )
    await release_all_phones(
        session, {customer.id: customer.phones for _, customer, old in restored if "phones" in old}
    )
    return outcomes


def as_stored(value: Any) -> Any:
    """A value of a customer as JSON has it: the form in which an import keeps what it wrote over."""
    return msgspec.to_builtins(value)


def _refusal(row: _Row, actor: Actor) -> str | None:
    """Why nothing of a row can be taken back (A2, A3). Who lost sight by their own import may still undo it."""
    customer = row.customer
    if customer is None:
        return "not_found"
    manager_id = customer.manager_id
    if row.untouched and "manager_id" in row.new:
        manager_id = _id(row.old.get("manager_id"))
    if not may_see(actor, manager_id, customer.viewer_ids):
        return "not_found"
    if customer.state != "active":
        return "deleted"
    return None if may_change(actor, manager_id, customer.viewer_ids) else "forbidden"


def _old_values(row: _Row, customer: Held) -> dict[str, Any]:
    """The old values of those cells that nobody has changed since; the others are kept and say so."""
    back: dict[str, Any] = {}
    for name, written in row.new.items():
        now = as_stored(getattr(customer, name))
        if name in _BESIDE or _same(now, row.old.get(name)):
            continue
        if _same(now, written):
            back[name] = row.old.get(name)
        else:
            row.kept[name] = "changed_since"
    values = CustomerChange.model_validate({name: value for name, value in back.items() if name in _FIELDS}).given()
    if "relationship_id" in values:
        if values["relationship_id"] == DONT_FORGET:  # time set it and will again: what it remembered comes back
            values["relationship_id"] = _id(row.old.get("remembered_relationship_id")) or NEW
        if as_stored(customer.first_closed_at) == row.new.get("first_closed_at"):
            values["first_closed_at"] = _instant(row.old.get("first_closed_at"))
    if "source_ids" in values and row.old.get("primary_source_id"):
        values["primary_source_id"] = UUID(row.old["primary_source_id"])
    if "manager_id" in back:
        values["manager_id"] = _id(back["manager_id"])
    return values


async def _keep_lost_phones(
    session: Session, reveals: Reveals, restored: Sequence[tuple[_Row, Held, dict[str, Any]]]
) -> None:
    """Old phones are claimed again; a customer who lost one to another keeps the phones of now.

    That another has it counts as told where nobody said so before (R3).
    """
    owners: dict[str, UUID] = {}
    for _, customer, old in restored:
        for phone in old.get("phones", ()):
            owners.setdefault(phone, customer.id)
    taken = await claim_phones(session, owners)
    seen = await seen_owners(session, reveals, taken.values())
    lost: dict[UUID, Sequence[str]] = {}
    for row, customer, old in restored:
        phones = old.get("phones", ())
        twice = any(owners[phone] != customer.id for phone in phones)
        back = [phone for phone in phones if phone not in customer.phones]
        reason = "phone_taken" if twice else reveals.refusal(back, taken, seen)
        if reason is not None:
            del old["phones"]
            row.kept["phones"] = reason
            lost[customer.id] = customer.phones
    await release_all_phones(session, lost)


def _old_managers(restored: Sequence[tuple[_Row, Held, dict[str, Any]]]) -> set[UUID]:
    return {old["manager_id"] for _, _, old in restored if old.get("manager_id")}


def _same(one: Any, other: Any) -> bool:
    if isinstance(one, list) and isinstance(other, list):
        return sorted(one) == sorted(other)
    return one == other


def _id(text: str | None) -> UUID | None:
    return UUID(text) if text else None


def _instant(text: str | None) -> datetime | None:
    return datetime.fromisoformat(text) if text else None
