"""Which topics concern imports: copies to preview against, and the answers to confirmed rows."""

from collections.abc import Sequence
from typing import Any

from services.imports.commands.blanking import keep_erasures_off
from services.imports.commands.copies import copy_classification, copy_customers, copy_employees
from services.imports.commands.erasures import find_keys, forget_customers
from services.imports.commands.results import apply_results, apply_undo_results
from services.imports.commands.revealing import keep_reveals_of_rows
from shared.contracts.classification import CLASSIFICATION
from shared.contracts.customers import CUSTOMERS, CustomerErased
from shared.contracts.directory import DIRECTORY
from shared.contracts.imports import IMPORT_RESULTS, ImportRowsApplied, ImportUndoApplied, RowPhonesRevealed
from shared.copies import KEPT_WHEN_ERASED
from shared.database import Session
from shared.envelope import Envelope
from shared.messaging import consumes
from shared.rebuilding import CopiedTable, Copy

COPY_OF_CUSTOMERS = Copy(
    (CopiedTable("customer", kept=KEPT_WHEN_ERASED), CopiedTable("customer_record")),
    copy_customers,
    settle=("DELETE FROM customer_record USING customer WHERE customer.id = customer_record.id AND state = 'erased'",),
)


@consumes(CUSTOMERS, copy=COPY_OF_CUSTOMERS)
async def on_customers(session: Session, envelopes: Sequence[Envelope[Any]]) -> None:
    events = [envelope.event for envelope in envelopes]
    erased = [event for event in events if isinstance(event, CustomerErased)]
    keys = await find_keys(session, erased, events) if erased else ()
    await copy_customers(session, envelopes)
    if erased:
        await forget_customers(session, erased, keys)


@consumes(DIRECTORY, copy=Copy((CopiedTable("employee"),), copy_employees))
async def on_directory(session: Session, envelopes: Sequence[Envelope[Any]]) -> None:
    await copy_employees(session, envelopes)


@consumes(CLASSIFICATION, copy=Copy((CopiedTable("classification"),), copy_classification))
async def on_classification(session: Session, envelopes: Sequence[Envelope[Any]]) -> None:
    await copy_classification(session, envelopes)


@consumes(IMPORT_RESULTS)
async def on_import_results(session: Session, envelopes: Sequence[Envelope[Any]]) -> None:
    await keep_erasures_off(session)
    revealed = [envelope.event for envelope in envelopes if isinstance(envelope.event, RowPhonesRevealed)]
    if revealed:
        await keep_reveals_of_rows(session, revealed)
    answers = [envelope.event for envelope in envelopes if isinstance(envelope.event, ImportRowsApplied)]
    if answers:
        await apply_results(session, answers)
    taken_back = [envelope.event for envelope in envelopes if isinstance(envelope.event, ImportUndoApplied)]
    if taken_back:
        await apply_undo_results(session, taken_back)
