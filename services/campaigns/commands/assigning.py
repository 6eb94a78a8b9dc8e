"""Many opportunities given to people, or made to wait, in one statement that also tells it (K3, K4).

The statement does what `Opportunity.assign_owner` and `wait` do to one: the campaign's policy is settled with the
assignment, whose time is later than the one before. Building a thousand objects and events would cost ten times as
much. Whose turn it is, and why, is decided before, for rows that `lock_unsettled` holds.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Literal
from uuid import UUID

import msgspec
from sqlalchemy import ColumnElement, select

from services.campaigns.commands.batches import BATCH
from services.campaigns.domain.campaign import Campaign, Status
from services.campaigns.domain.opportunity import Opportunity
from services.campaigns.domain.reason import Reason
from shared import outbox
from shared.contracts.campaigns import OPPORTUNITIES, OpportunityOwnerAssigned
from shared.contracts.events import Cause
from shared.database import Session, run
from shared.envelope import Origin, new_id, type_headers

SERVICE = "campaigns"

_ASSIGN = f"""
WITH given AS (
    SELECT * FROM unnest($1::uuid[], $2::uuid[], $3::uuid[], $4::text[], $5::text[]) WITH ORDINALITY
         AS given(event_id, id, owner_id, reason, headers, place)
), changed AS (
    UPDATE opportunity AS stored SET
        owner_id = given.owner_id,
        owner_assigned_at = CASE WHEN stored.owner_id IS DISTINCT FROM given.owner_id
            THEN greatest($6::timestamptz, stored.owner_assigned_at + interval '1 microsecond')
            ELSE stored.owner_assigned_at END,
        manager_policy = CASE WHEN given.owner_id IS NULL THEN stored.manager_policy ELSE $7 END,
        keep_previous_as_viewer = CASE WHEN given.owner_id IS NULL THEN stored.keep_previous_as_viewer ELSE $8 END,
        reason = given.reason::jsonb,
        queued_at = CASE WHEN given.owner_id IS NULL THEN coalesce(stored.queued_at, $6) END,
        version = stored.version + (stored.owner_id IS DISTINCT FROM given.owner_id)::int
    FROM given WHERE stored.id = given.id
    RETURNING new.*, old.owner_id AS owner_before, old.owner_assigned_at AS assigned_before, given.event_id,
              given.headers, given.place
)
INSERT INTO outbox (event_id, topic, aggregatetype, aggregateid, type, payload, headers)
SELECT event_id, '{OPPORTUNITIES.name}', substr('{OPPORTUNITIES.name}', 5), id::text,
    '{OpportunityOwnerAssigned.ce_type}',
    convert_to(json_build_object(
        'version', version,
        'state', json_build_object(
            'id', id, 'campaign_id', campaign_id, 'customer_id', customer_id, 'status_id', status_id,
            'owner_id', owner_id, 'owner_assigned_at', instant(owner_assigned_at), 'manager_policy', manager_policy,
            'keep_previous_as_viewer', keep_previous_as_viewer,
            'value', CASE WHEN value_amount IS NOT NULL THEN
                json_build_object('amount', value_amount, 'currency', value_currency) END,
            'probability', probability, 'state', state, 'created_at', instant(created_at)),
        'changed', ARRAY['owner_id', 'owner_assigned_at'],
        'before', json_build_object('owner_id', owner_before, 'owner_assigned_at', instant(assigned_before)),
        'cause', json_build_object('kind', $9::text, 'id', $10::text))::text, 'UTF8'),
    jsonb_build_object('ce_id', event_id, 'ce_subject', id, 'ce_correlationid', event_id) || headers::jsonb
FROM changed WHERE owner_id IS DISTINCT FROM owner_before
ORDER BY place
"""


@dataclass(frozen=True, slots=True)
class Unsettled:
    """A locked opportunity, not closed, about whose owner is to be decided."""

    id: UUID
    customer_id: UUID
    owner_id: UUID | None
    queued_at: datetime | None
    reason: Reason | None
    created_at: datetime

    def waits_for(self, reason: Reason) -> bool:
        """Whether it is in the queue for this very reason, so that waiting on changes nothing."""
        return self.owner_id is None and self.queued_at is not None and self.reason == reason


@dataclass(frozen=True, slots=True)
class Decision:
    """Who owns an opportunity from now on (nobody: it loses its owner and waits), why, what the event comes from."""

    opportunity_id: UUID
    owner_id: UUID | None
    reason: Reason
    origin: Origin | None = None


async def lock_unsettled(
    session: Session,
    campaign: Campaign,
    *conditions: ColumnElement[Any],
    limit: int = BATCH,
    state: Literal["open", "suspended"] = "open",
) -> list[Unsettled]:
    """The oldest opportunities of a locked campaign that are not closed and meet the conditions, held until the
    transaction ends.
    """
    statement = (
        select(
            Opportunity.id,
            Opportunity.customer_id,
            Opportunity.owner_id,
            Opportunity.queued_at,
            Opportunity.reason,
            Opportunity.created_at,
        )
        .where(*_unclosed(campaign, state), *conditions)
        .order_by(Opportunity.created_at, Opportunity.id)
        .limit(limit)
        .with_for_update()
    )
    return [Unsettled(*row) for row in await session.execute(statement)]


async def assign(
    session: Session, campaign: Campaign, decisions: Sequence[Decision], at: datetime, cause: Cause
) -> None:
    """Write decisions about locked opportunities, and tell those that change an owner, in their order."""
    if not decisions:
        return
    headers: dict[Origin, str] = {}
    for origin in {decision.origin or outbox.origin(session) for decision in decisions}:
        headers[origin] = _headers(origin)
    reasons = [msgspec.json.encode(decision.reason).decode() for decision in decisions]
    await run(
        session,
        _ASSIGN,
        [new_id() for _ in decisions],
        [decision.opportunity_id for decision in decisions],
        [decision.owner_id for decision in decisions],
        reasons,
        [headers[decision.origin or outbox.origin(session)] for decision in decisions],
        at,
        campaign.manager_policy,
        campaign.keep_previous_as_viewer,
        cause.kind,
        cause.id,
    )
    outbox.written_by_statement(session)


def is_open(campaign: Campaign) -> tuple[ColumnElement[bool], ...]:
    """Opportunities of a campaign that go on: neither closed nor suspended nor removed."""
    return _unclosed(campaign, "open")


def in_open_status() -> ColumnElement[bool]:
    """Opportunities of any campaign that are neither won nor lost."""
    return Opportunity.status_id.in_(
        select(Status.id).where(Status.campaign_id == Opportunity.campaign_id, Status.kind == "open")
    )


def unowned(campaign: Campaign) -> tuple[ColumnElement[bool], ...]:
    """Open opportunities of a campaign that nobody owns."""
    return *is_open(campaign), Opportunity.owner_id.is_(None)


def _unclosed(campaign: Campaign, state: str) -> tuple[ColumnElement[bool], ...]:
    open_ids = [status.id for status in campaign.statuses if not status.closes]
    return Opportunity.campaign_id == campaign.id, Opportunity.state == state, Opportunity.status_id.in_(open_ids)


def _headers(origin: Origin) -> str:
    """What the events of one origin share; the statement adds the rest."""
    shared = type_headers(OpportunityOwnerAssigned.ce_type, SERVICE, datetime.now(UTC), origin)
    return msgspec.json.encode(shared).decode()
