"""Facts reported over HTTP: who may report what about whom (I13), and what became of each.

One bad fact never spoils others: each is recorded or refused by itself, all in one transaction. Small reports
of services join what others report at the same moment: most connectors tell one fact at a time.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import NamedTuple
from uuid import UUID

from services.interactions.commands.recording import FIRST_PARAMETER, About, record_facts
from services.interactions.domain.facts import OWN_SYSTEM, LedgerFact, Reported, ledger_fact, require_legal
from shared.access import visible_sql
from shared.database import Session
from shared.envelope import Origin
from shared.errors import Forbidden, NotFound, RapportError
from shared.identity import INGEST_INTERACTIONS, Actor

EMPLOYEE_FACTS = frozenset({"answered", "unanswered"})

MOST_JOINING = 20
"""A report of more facts fills a statement by itself."""


def _among(condition: str) -> str:
    return f"EXISTS (SELECT FROM customer WHERE customer.id = given.customer_id AND {condition})"


ANYBODY = About(_among("customer.state <> 'erased'"))


class FactOutcome(NamedTuple):
    """What became of one reported fact: the row it belongs to, or the code of the refusal."""

    status: str
    row_id: UUID | None = None
    error: str | None = None


@dataclass(frozen=True)
class Report:
    """What one caller reports: checked facts and what is refused already, in order."""

    facts: Sequence[LedgerFact | RapportError]
    origin: Origin
    about: About

    @property
    def may_join(self) -> bool:
        """Whether it is taken in one statement with others': by services only, who all report about the same people."""
        return self.about is ANYBODY and len(self.facts) <= MOST_JOINING


def checked_report(actor: Actor, origin: Origin, reported: Sequence[Reported | RapportError]) -> Report:
    """Look at facts by themselves. What is refused already is passed on.

    Raises Forbidden for a service that may not report anything (I13).
    """
    system, now = source_system(actor), datetime.now(UTC)
    return Report([_checked(actor, system, item, now) for item in reported], origin, _about(actor))


async def record_report(session: Session, report: Report) -> list[FactOutcome]:
    """Record one caller's facts; an outcome for each, in order."""
    [outcomes] = await record_reports(session, [report])
    return outcomes


async def record_reports(session: Session, reports: Sequence[Report]) -> list[list[FactOutcome]]:
    """Record facts of one report, or of several that may join; an outcome for each fact, by report and in order."""
    accepted = [(fact, one.origin) for one in reports for fact in one.facts if isinstance(fact, LedgerFact)]
    facts, origins = [fact for fact, _ in accepted], [origin for _, origin in accepted]
    recorded = await record_facts(session, facts, origins, reports[0].about)
    fresh, new_rows = set(recorded.facts), set(recorded.rows)
    return [[_outcome(fact, recorded.customers, fresh, new_rows) for fact in one.facts] for one in reports]


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
    if actor.employee_id is None:
        return ANYBODY
    visible, parameters = visible_sql(actor, "customer", FIRST_PARAMETER)
    return About(_among(f"customer.state = 'active' AND {visible}"), tuple(parameters))


def _outcome(
    fact: LedgerFact | RapportError, customers: frozenset[UUID], fresh: set[UUID], new_rows: set[UUID]
) -> FactOutcome:
    if isinstance(fact, RapportError):
        return FactOutcome("failed", error=fact.code)
    if fact.customer_id not in customers:
        return FactOutcome("failed", error=NotFound.code)
    return FactOutcome(_status(fact, fresh, new_rows), fact.row_id)


def _status(fact: LedgerFact, fresh: set[UUID], new_rows: set[UUID]) -> str:
    """The first new fact of a new row created it, others update it; what was known is unchanged."""
    if fact.fact_id not in fresh:
        return "unchanged"
    fresh.discard(fact.fact_id)
    if fact.row_id in new_rows:
        new_rows.discard(fact.row_id)
        return "created"
    return "updated"
