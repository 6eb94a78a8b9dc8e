"""Which topics concern interactions, and which command each means."""

from collections.abc import Sequence
from datetime import UTC, datetime
from functools import lru_cache
from typing import Protocol

from services.interactions.commands.automation import create_decided_tasks
from services.interactions.commands.customers import follow_customers, follow_rebuilt_customers
from services.interactions.commands.documents import Reported, require_sourced, take_documents
from services.interactions.commands.employees import follow_employees
from services.interactions.commands.recording import record_facts
from services.interactions.domain.document import require_legal_document
from services.interactions.domain.facts import LedgerFact, ledger_fact, require_legal
from shared.contracts.customers import CUSTOMERS
from shared.contracts.directory import DIRECTORY
from shared.contracts.documents import DocumentReported
from shared.contracts.events import Event
from shared.contracts.interactions import INGEST, InteractionFactReported
from shared.contracts.work import AUTOMATION_ACTIONS, AutomationActionDecided
from shared.copies import KEPT_WHEN_ERASED, apply_customers
from shared.database import Session
from shared.envelope import Envelope, Origin, Undecodable
from shared.errors import Invalid
from shared.identity import Actor
from shared.messaging import consumes
from shared.rebuilding import CopiedTable, Copy

CONNECTORS_REMEMBERED = 100
INGEST_MEMBERS = 2
"""One decodes facts while the other's are with PostgreSQL."""


class IngestSettings(Protocol):
    """What consuming needs to be told."""

    ingest_sources: frozenset[str]


def require_reportable(envelope: Envelope[Event], settings: IngestSettings) -> None:
    """Raises Undecodable for what strangers may not report: unknown sources, facts that cannot be (I13)."""
    if envelope.source not in settings.ingest_sources:
        raise Undecodable(f"source {envelope.source} may not report interactions")
    try:
        if isinstance(envelope.event, InteractionFactReported):
            require_legal(envelope.event, datetime.now(UTC))
        elif isinstance(envelope.event, DocumentReported):
            require_sourced(envelope.event)
            require_legal_document(envelope.event)
    except Invalid as error:
        raise Undecodable("; ".join(f"{part.pointer}: {part.detail}" for part in error.errors)) from None


COPY_OF_CUSTOMERS = Copy(
    (CopiedTable("customer", kept=KEPT_WHEN_ERASED),), apply_customers, afterwards=follow_rebuilt_customers
)


@consumes(CUSTOMERS, copy=COPY_OF_CUSTOMERS)
async def on_customers(session: Session, envelopes: Sequence[Envelope[Event]]) -> None:
    """Keep the copy; count a customer's creation at first sight (I1); forget the erased (C8)."""
    await follow_customers(session, envelopes)


@consumes(DIRECTORY, copy=Copy((CopiedTable("employee"),), follow_employees))
async def on_directory(session: Session, envelopes: Sequence[Envelope[Event]]) -> None:
    """Keep the copy of employees: who may see what (A2), and since when (U2)."""
    await follow_employees(session, envelopes)


@consumes(INGEST, check=require_reportable, once=False, members=INGEST_MEMBERS)
async def on_ingest(
    session: Session, envelopes: Sequence[Envelope[InteractionFactReported | DocumentReported]]
) -> None:
    """Take connectors' facts and documents, for any customer; both are known by what they say (I12, I13, P1)."""
    facts, documents, origins = list[LedgerFact](), list[Reported](), list[Origin]()
    for envelope in envelopes:
        origin = envelope.origin(_connector(envelope.source))
        if isinstance(envelope.event, InteractionFactReported):
            facts.append(ledger_fact(envelope.event, envelope.source))
            origins.append(origin)
        elif isinstance(envelope.event, DocumentReported):
            documents.append(Reported(envelope.event, envelope.source, origin))
    if documents:
        await take_documents(session, documents)
    if facts:
        await record_facts(session, facts, origins)


@lru_cache(maxsize=CONNECTORS_REMEMBERED)
def _connector(source: str) -> Actor:
    return Actor("service", source)


@consumes(AUTOMATION_ACTIONS)
async def on_automation_actions(session: Session, envelopes: Sequence[Envelope[AutomationActionDecided]]) -> None:
    """Create tasks (K5); groups and relationships are `customers`' to set."""
    await create_decided_tasks(session, envelopes)
