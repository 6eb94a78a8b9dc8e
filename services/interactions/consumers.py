"""Which topics concern interactions, and which command each means."""

from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Protocol

from services.interactions.commands.customers import follow_customers
from services.interactions.commands.employees import follow_employees
from services.interactions.commands.recording import record_facts
from services.interactions.domain.facts import ledger_fact, require_legal
from shared.contracts.customers import CUSTOMERS
from shared.contracts.directory import DIRECTORY
from shared.contracts.events import Event
from shared.contracts.interactions import INGEST, InteractionFactReported
from shared.contracts.work import AUTOMATION_ACTIONS, AutomationActionDecided
from shared.database import Session
from shared.envelope import Envelope, Undecodable
from shared.errors import Invalid
from shared.identity import Actor
from shared.messaging import consumes


class IngestSettings(Protocol):
    """What consuming needs to be told."""

    ingest_sources: frozenset[str]


def require_reportable(envelope: Envelope[Event], settings: IngestSettings) -> None:
    """Raises Undecodable for what strangers may not report: unknown sources, facts that cannot be (I13)."""
    if envelope.source not in settings.ingest_sources:
        raise Undecodable(f"source {envelope.source} may not report interactions")
    if isinstance(envelope.event, InteractionFactReported):
        try:
            require_legal(envelope.event, datetime.now(UTC))
        except Invalid as error:
            raise Undecodable("; ".join(f"{part.pointer}: {part.detail}" for part in error.errors)) from None
    else:
        raise Undecodable("documents are not taken yet: replay this record once they are")


def require_known_action(envelope: Envelope[Event], settings: object) -> None:
    """Raises Undecodable for a task: there are none yet. Other actions are other services' work (K5)."""
    if isinstance(envelope.event, AutomationActionDecided) and envelope.event.kind == "create_task":
        raise Undecodable("tasks are not created yet: replay this record once they are")


@consumes(CUSTOMERS)
async def on_customers(session: Session, envelopes: Sequence[Envelope[Event]]) -> None:
    """Keep the copy; count a customer's creation at first sight (I1); forget the erased (C8)."""
    await follow_customers(session, envelopes)


@consumes(DIRECTORY)
async def on_directory(session: Session, envelopes: Sequence[Envelope[Event]]) -> None:
    """Keep the copy of employees: who may see what (A2), and since when (U2)."""
    await follow_employees(session, envelopes)


@consumes(INGEST, check=require_reportable, once=False)
async def on_ingest(session: Session, envelopes: Sequence[Envelope[InteractionFactReported]]) -> None:
    """Take connectors' facts into the ledger, for any customer; it knows a fact by what it says (I12, I13)."""
    reported = [(e.event, e.source, e.origin(Actor("service", e.source))) for e in envelopes if e.event is not None]
    facts = [ledger_fact(event, source) for event, source, _ in reported]
    await record_facts(session, facts, [origin for _, _, origin in reported])


@consumes(AUTOMATION_ACTIONS, check=require_known_action)
async def on_automation_actions(session: Session, envelopes: Sequence[Envelope[AutomationActionDecided]]) -> None:
    """Groups and relationships are `customers`' to set."""
