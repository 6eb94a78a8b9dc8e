"""Documents: told by their sources over HTTP or the ingest topic, written and corrected by people (P1).

What a source tells is known again by its own id and taken when its version is higher, whatever way and in
whatever order it comes. Customers are held first, then the sources' ids, then documents.
"""

from collections.abc import Sequence
from typing import Any, NamedTuple
from uuid import UUID

from sqlalchemy import select, tuple_

from services.interactions.commands.recording import record_facts
from services.interactions.commands.trail import Entry, write_entries
from services.interactions.domain.audit import changes_told
from services.interactions.domain.document import Document, require_legal_document
from services.interactions.domain.facts import OWN_SYSTEM
from services.interactions.queries.customers import hold_customer
from shared import outbox, telemetry
from shared.contracts.documents import DocumentBody, DocumentChanged
from shared.contracts.events import Cause
from shared.database import Session, clock, run
from shared.envelope import Origin
from shared.errors import FieldError, Forbidden, Invalid, NotFound
from shared.identity import WRITE_DOCUMENTS, Actor

_HOLD_CUSTOMERS = "SELECT id, state FROM customer WHERE id = ANY($1::uuid[]) ORDER BY id FOR SHARE"

# Two tellings of a document that is not there yet must not both begin it.
_HOLD_IDS = """
SELECT pg_advisory_xact_lock(hashtextextended(name, 0)) FROM (SELECT unnest($1::text[]) AS name ORDER BY name) AS names
"""

_RETURNED = "SELECT FROM document WHERE id = $1 AND customer_id = $2 AND kind = 'order' AND state = 'active'"


class Reported(NamedTuple):
    """A document as a source tells it, and what that comes from."""

    body: DocumentBody
    source_system: str
    origin: Origin

    @property
    def name(self) -> tuple[str, str]:
        """By which its source knows it."""
        return self.source_system, self.body.external_id or ""


class Written(NamedTuple):
    """A document, and whether this write has made it."""

    document: Document
    created: bool


def require_sourced(body: DocumentBody) -> None:
    """Raises Invalid for what a service tells without an id and a version of its own."""
    missing = [name for name in ("external_id", "external_version") if getattr(body, name) in (None, "")]
    if missing:
        raise Invalid(errors=tuple(FieldError(f"/{name}", "required", "a service gives it") for name in missing))


async def post_document(session: Session, actor: Actor, body: DocumentBody) -> Written:
    """Write a document, or take what its source says of one it has told before.

    Raises Forbidden, NotFound, Invalid.
    """
    source_system = _source_system(actor, body)
    require_legal_document(body)
    await _hold_writable(session, actor, body.customer_id)
    if body.return_of is not None and not (await run(session, _RETURNED, body.return_of, body.customer_id)).all():
        raise Invalid.at("/return_of", detail="no order of this customer")
    reported = Reported(body, source_system, outbox.origin(session))
    if body.external_id is not None:
        return (await take_documents(session, [reported]))[reported.name]
    [written] = await _begin_all(session, [reported])
    return written


async def take_documents(session: Session, reported: Sequence[Reported]) -> dict[tuple[str, str], Written]:
    """Take what sources say of their documents, each by the highest version; those of erased customers are dropped.

    Raises Invalid for a known document that now has another customer, kind or order type.
    """
    newest: dict[tuple[str, str], Reported] = {}
    for one in reported:
        known = newest.get(one.name)
        if known is None or (known.body.external_version or 0) < (one.body.external_version or 0):
            newest[one.name] = one
    held = await run(session, _HOLD_CUSTOMERS, [one.body.customer_id for one in newest.values()])
    erased = {row.id for row in held if row.state == "erased"}
    wanted = {name: one for name, one in newest.items() if one.body.customer_id not in erased}
    if len(wanted) < len(newest):
        telemetry.FACTS_DROPPED.labels("interactions").inc(len(newest) - len(wanted))
    if not wanted:
        return {}
    await run(session, _HOLD_IDS, [f"document {source} {external_id}" for source, external_id in wanted])
    statement = (
        select(Document)
        .where(tuple_(Document.source_system, Document.external_id).in_(list(wanted)))
        .order_by(Document.id)
        .with_for_update()
        .execution_options(populate_existing=True)
    )
    known_ones = {(one.source_system, one.external_id or ""): one for one in await session.scalars(statement)}
    now, taken, entries = await clock(session), dict[tuple[str, str], Written](), list[Entry]()
    for name, document in known_ones.items():
        one = wanted.pop(name)
        entries += _tell(session, document.take(one.body, _cause(one.origin.actor), now), one.origin)
        taken[name] = Written(document, created=False)
    await write_entries(session, entries)
    for written in await _begin_all(session, list(wanted.values())):
        taken[written.document.source_system, written.document.external_id or ""] = written
    return taken


async def revise_document(
    session: Session, actor: Actor, document_id: UUID, values: dict[str, Any], expected_version: int | None = None
) -> Document:
    """Correct a document by hand. Raises NotFound, Forbidden, Invalid, VersionConflict, Conflict `wrong_state`."""
    document = await _hold_document(session, actor, document_id)
    stated = {name: getattr(document, name) for name in DocumentBody.model_fields} | values
    require_legal_document(DocumentBody(**stated))
    document.require_version(expected_version)
    events = document.revise(values, _cause(actor), await clock(session))
    await write_entries(session, _tell(session, events, outbox.origin(session)))
    return document


async def delete_document(
    session: Session, actor: Actor, document_id: UUID, expected_version: int | None = None
) -> None:
    """Take a document away; that it was a contact stays (L5). Raises NotFound, Forbidden, VersionConflict."""
    document = await _hold_document(session, actor, document_id)
    document.require_version(expected_version)
    events = document.delete(_cause(actor), await clock(session))
    await write_entries(session, _tell(session, events, outbox.origin(session)))


def _source_system(actor: Actor, body: DocumentBody) -> str:
    """In whose name a document stands (I13). Raises Forbidden, Invalid for a service that gives no id and version."""
    if actor.employee_id is not None:
        return OWN_SYSTEM if body.external_id is None else f"{OWN_SYSTEM}/{actor.employee_id}"
    actor.require(WRITE_DOCUMENTS)
    if actor.id.partition("/")[0] == OWN_SYSTEM:
        raise Forbidden  # it would write documents in our own name
    require_sourced(body)
    return actor.id


async def _hold_writable(session: Session, actor: Actor, customer_id: UUID) -> None:
    """Hold a customer whose documents the actor may write: A3, or any there is for a service that may (R1)."""
    if actor.employee_id is None:
        held = (await run(session, _HOLD_CUSTOMERS, [customer_id])).one_or_none()
        if held is None or held.state == "erased":
            raise NotFound
        return
    if not (await hold_customer(session, actor, customer_id)).changeable:
        raise Forbidden


async def _hold_document(session: Session, actor: Actor, document_id: UUID) -> Document:
    if actor.employee_id is None:
        actor.require(WRITE_DOCUMENTS)
    customer_id = await session.scalar(select(Document.customer_id).where(Document.id == document_id))
    if customer_id is None:
        raise NotFound
    await _hold_writable(session, actor, customer_id)
    document = await session.get(Document, document_id, with_for_update=True, populate_existing=True)
    if document is None or document.state == "deleted":
        raise NotFound
    return document


async def _begin_all(session: Session, reported: Sequence[Reported]) -> list[Written]:
    """New documents, told to others and to the ledger."""
    if not reported:
        return []
    now, written, entries = await clock(session), list[Written](), list[Entry]()
    for one in reported:
        document = Document.begin(one.body, one.source_system, one.origin.actor, now)
        entries += _tell(session, [document.told(_cause(one.origin.actor))], one.origin)
        written.append(Written(document, created=True))
    session.add_all([document for document, _ in written])
    await write_entries(session, entries)
    facts = [new.document.fact(one.origin.actor.employee_id) for one, new in zip(reported, written, strict=True)]
    await record_facts(session, facts, [one.origin for one in reported])
    return written


def _tell(session: Session, events: Sequence[DocumentChanged], origin: Origin) -> list[Entry]:
    """Put a document's events into the outbox; answers their entries in the audit trail."""
    ids = outbox.add(session, events, origin)
    return [
        Entry(
            event.state.customer_id,
            "document",
            event.state.id,
            changes_told(event),
            origin,
            event.cause,
            UUID(event_id),
        )
        for event, event_id in zip(events, ids, strict=True)
    ]


def _cause(actor: Actor) -> Cause:
    return Cause(kind="user" if actor.employee_id is not None else "system", id=actor.id)
