"""Facts reported over HTTP: who may report what about whom (I13), and what became of each.

One bad fact never spoils others: each is recorded or refused by itself, all in one transaction.
"""

from collections.abc import Sequence
from datetime import UTC, datetime
from typing import NamedTuple
from uuid import UUID

from services.interactions.commands.recording import FIRST_PARAMETER, About, record_facts
from services.interactions.domain.facts import OWN_SYSTEM, LedgerFact, Reported, ledger_fact, require_legal
from shared import outbox
from shared.access import visible_sql
from shared.database import Session
from shared.errors import Forbidden, NotFound, RapportError
from shared.identity import INGEST_INTERACTIONS, Actor

EMPLOYEE_FACTS = frozenset({"answered", "unanswered"})


class FactOutcome(NamedTuple):
    """What became of one reported fact: the row it belongs to, or the code of the refusal."""

    status: str
    row_id: UUID | None = None
    error: str | None = None


async def report_facts(
    session: Session, actor: Actor, reported: Sequence[Reported | RapportError]
) -> list[FactOutcome]:
    """Record facts on the actor's behalf; an outcome for each, in order. What is refused already is passed on.

    Raises Forbidden for a service that may not report anything (I13).
    """
    system, now = source_system(actor), datetime.now(UTC)
    facts = [_checked(actor, system, item, now) for item in reported]
    accepted = [fact for fact in facts if isinstance(fact, LedgerFact)]
    recorded = await record_facts(session, accepted, [outbox.origin(session)] * len(accepted), _about(actor))
    fresh, new_rows = set(recorded.facts), set(recorded.rows)
    outcomes: list[FactOutcome] = []
    for fact in facts:
        if isinstance(fact, RapportError):
            outcomes.append(FactOutcome("failed", error=fact.code))
        elif fact.customer_id not in recorded.customers:
            outcomes.append(FactOutcome("failed", error=NotFound.code))
        else:
            outcomes.append(FactOutcome(_status(fact, fresh, new_rows), fact.row_id))
    return outcomes


def source_system(actor: Actor) -> str:
    """In whose name an actor's facts stand (I13). Raises Forbidden for a service that may report none."""
    if actor.employee_id is not None:
        return f"{OWN_SYSTEM}/{actor.employee_id}"
    actor.require(INGEST_INTERACTIONS)
    if actor.id.partition("/")[0] == OWN_SYSTEM:
        raise Forbidden  # it would write rows in our own name
    return actor.id


def _checked(actor: Actor, system: str, reported: Reported | RapportError, now: datetime) -> LedgerFact | RapportError:
    if isinstance(reported, RapportError):
        return reported
    try:
        require_legal(reported, now)
    except RapportError as error:
        return error
    if actor.employee_id is not None and not (reported.kind == "call" and reported.fact in EMPLOYEE_FACTS):
        return Forbidden()
    return ledger_fact(reported, system, actor.employee_id)


def _about(actor: Actor) -> About:
    """A service reports about any customer there is, deleted ones too (I12); employees about those they see."""
    condition, parameters = "customer.state <> 'erased'", []
    if actor.employee_id is not None:
        visible, parameters = visible_sql(actor, "customer", FIRST_PARAMETER)
        condition = f"customer.state = 'active' AND {visible}"
    return About(
        f"EXISTS (SELECT FROM customer WHERE customer.id = given.customer_id AND {condition})", tuple(parameters)
    )


def _status(fact: LedgerFact, fresh: set[UUID], new_rows: set[UUID]) -> str:
    """The first new fact of a new row created it, others update it; what was known is unchanged."""
    if fact.fact_id not in fresh:
        return "unchanged"
    fresh.discard(fact.fact_id)
    if fact.row_id in new_rows:
        new_rows.discard(fact.row_id)
        return "created"
    return "updated"
