"""Which topics concern customers, and which command each means."""

from collections.abc import Sequence
from typing import Any

from services.customers.commands.assignment import follow_opportunity_owners, project_opportunities
from services.customers.commands.automation import apply_automation_actions
from services.customers.commands.import_undo import undo_import_rows
from services.customers.commands.imports import apply_import_rows
from services.customers.commands.projections import (
    apply_summaries,
    confirm_erasures,
    keep_campaigns,
    keep_summaries,
)
from services.customers.commands.purchase_check import recount_purchases
from services.customers.commands.purchases import keep_documents
from services.customers.commands.revealing import keep_reveals_of_import
from shared.contracts.campaigns import CAMPAIGNS, OPPORTUNITIES, CampaignChanged, OpportunityEvent
from shared.contracts.documents import DOCUMENTS, DocumentChanged
from shared.contracts.imports import IMPORTS, ImportPhonesRevealed, ImportUndoRequested
from shared.contracts.interactions import SUMMARIES, InteractionSummaryChanged
from shared.contracts.work import AUTOMATION_ACTIONS, ERASURES, AutomationActionDecided, ErasureCompleted
from shared.database import Session
from shared.envelope import Envelope
from shared.messaging import consumes
from shared.rebuilding import CopiedTable, Copy

CHUNKS_AT_ONCE = 2
"""One chunk's rows are looked at while the other's are with PostgreSQL, whosever they are."""

COPY_OF_OPPORTUNITIES = Copy((CopiedTable("opportunity"),), project_opportunities)
COPY_OF_CAMPAIGNS = Copy((CopiedTable("campaign"),), keep_campaigns)
COPY_OF_SUMMARIES = Copy(
    (
        CopiedTable(
            "customer_contact",
            key="customer_id",
            columns=(
                "interaction_count",
                "last_contact_at",
                "last_contact",
                "last_two_way_contact",
                "as_of",
                "version",
            ),
        ),
    ),
    keep_summaries,
    begin=("INSERT INTO customer_contact (customer_id, as_of) SELECT id, created_at FROM public.customer",),
)
COPY_OF_DOCUMENTS = Copy(
    (
        CopiedTable("document"),
        CopiedTable("document_line", key="document_id"),
        CopiedTable(
            "product",
            key=None,
            kept="EXISTS (SELECT FROM public.document_line WHERE product_code = stored.code)",
        ),
        CopiedTable(
            "product_group",
            key=None,
            kept="EXISTS (SELECT FROM public.document_line WHERE product_group_code = stored.code)",
        ),
    ),
    keep_documents,
    scratch=("customer_contact",),  # lifetime values are counted from the documents afterwards
    afterwards=recount_purchases,
)


@consumes(OPPORTUNITIES, copy=COPY_OF_OPPORTUNITIES)
async def on_opportunities(session: Session, events: Sequence[Envelope[OpportunityEvent]]) -> None:
    """Owners become managers (K3); filters know the opportunities."""
    await follow_opportunity_owners(session, events)
    await project_opportunities(session, events)


@consumes(CAMPAIGNS, copy=COPY_OF_CAMPAIGNS)
async def on_campaigns(session: Session, events: Sequence[Envelope[CampaignChanged]]) -> None:
    """Keep campaigns for filters and downloads."""
    await keep_campaigns(session, events)


@consumes(SUMMARIES, copy=COPY_OF_SUMMARIES)
async def on_interaction_summaries(session: Session, events: Sequence[Envelope[InteractionSummaryChanged]]) -> None:
    """Show counts and contact clocks (I10)."""
    await apply_summaries(session, events)


@consumes(DOCUMENTS, copy=COPY_OF_DOCUMENTS)
async def on_documents(session: Session, events: Sequence[Envelope[DocumentChanged]]) -> None:
    """Keep orders, their lines and what they add up to, for filters and lifetime values (P1, P3)."""
    await keep_documents(session, events)


@consumes(IMPORTS, at_once=CHUNKS_AT_ONCE)
async def on_imports(session: Session, events: Sequence[Envelope[Any]]) -> None:
    """Write confirmed rows (M9), take them back (M10), keep what previews told of hidden customers (R3).

    A chunk is a transaction, so that each is answered at once.
    """
    for event in events:
        if isinstance(event.event, ImportUndoRequested):
            await undo_import_rows(session, event)
        elif isinstance(event.event, ImportPhonesRevealed):
            await keep_reveals_of_import(session, event.event)
        else:
            await apply_import_rows(session, event)


@consumes(AUTOMATION_ACTIONS)
async def on_automation_actions(session: Session, events: Sequence[Envelope[AutomationActionDecided]]) -> None:
    """Do what automation decided (K5)."""
    await apply_automation_actions(session, events)


@consumes(ERASURES)
async def on_erasures(session: Session, events: Sequence[Envelope[ErasureCompleted]]) -> None:
    """Keep which service has forgotten whom (C8)."""
    await confirm_erasures(session, events)
