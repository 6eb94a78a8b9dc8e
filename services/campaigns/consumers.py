"""Which topics concern campaigns, and which command each means."""

from collections.abc import Sequence

from services.campaigns.commands.classification import apply_items
from services.campaigns.commands.customer_changes import keep_changes, keep_profiles
from services.campaigns.commands.customers import follow_customers, forget_erased
from services.campaigns.commands.decisions import decide
from services.campaigns.commands.inactivity import hand_on_of_inactive
from services.campaigns.commands.selections import keep_selections
from shared.contracts.classification import CLASSIFICATION
from shared.contracts.customers import CUSTOMERS
from shared.contracts.directory import DIRECTORY
from shared.contracts.events import Event
from shared.contracts.work import SELECTIONS
from shared.copies import KEPT_WHEN_ERASED, apply_customers, apply_employees
from shared.database import Session
from shared.envelope import Envelope
from shared.messaging import consumes
from shared.rebuilding import CopiedTable, Copy


async def _copy_customers(session: Session, envelopes: Sequence[Envelope[Event]]) -> None:
    await keep_profiles(session, envelopes, await apply_customers(session, envelopes))


COPY_OF_CUSTOMERS = Copy(
    (CopiedTable("customer", kept=KEPT_WHEN_ERASED), CopiedTable("customer_profile", key="customer_id")),
    _copy_customers,
    settle=("DELETE FROM customer_profile USING customer WHERE customer.id = customer_id AND state = 'erased'",),
)


@consumes(CUSTOMERS, copy=COPY_OF_CUSTOMERS)
async def on_customers(session: Session, envelopes: Sequence[Envelope[Event]]) -> None:
    """Keep the copy; opportunities rest, come back and end with their customer (K7, C8); rules are asked (K5)."""
    seen = await apply_customers(session, envelopes)
    await follow_customers(session, seen)
    await decide(session, await keep_changes(session, envelopes, seen))
    await forget_erased(session, envelopes)


@consumes(DIRECTORY, copy=Copy((CopiedTable("employee"),), apply_employees))
async def on_directory(session: Session, envelopes: Sequence[Envelope[Event]]) -> None:
    """Keep the copy; opportunities of who is no longer active are handed on (K4, A6)."""
    seen = await apply_employees(session, envelopes)
    await hand_on_of_inactive(session, [employee.id for employee in seen if not employee.active])


@consumes(CLASSIFICATION, copy=Copy((CopiedTable("classification"),), apply_items))
async def on_classification(session: Session, envelopes: Sequence[Envelope[Event]]) -> None:
    """Keep the copy."""
    await apply_items(session, envelopes)


@consumes(SELECTIONS)
async def on_selections(session: Session, envelopes: Sequence[Envelope[Event]]) -> None:
    """Keep the lists until they expire."""
    await keep_selections(session, envelopes)
