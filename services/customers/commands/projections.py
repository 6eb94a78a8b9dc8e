"""What `customers` keeps of other services' topics: numbers, campaigns, erasure confirmations."""

from collections.abc import Sequence
from typing import Any
from uuid import UUID

import msgspec

from services.customers.commands.forgetting import return_contacted
from shared.contracts.campaigns import CampaignChanged
from shared.contracts.interactions import Contact, InteractionSummaryChanged
from shared.contracts.work import ErasureCompleted
from shared.copies import newest_per_key
from shared.database import Session, run
from shared.envelope import Envelope

_SUMMARIES = """
UPDATE customer_contact AS stored SET
    interaction_count = news.interaction_count, last_contact_at = news.last_contact_at,
    last_contact = news.last_contact::jsonb, last_two_way_contact = news.last_two_way_contact::jsonb,
    as_of = news.as_of, version = news.version
FROM unnest($1::uuid[], $2::int[], $3::timestamptz[], $4::text[], $5::text[], $6::timestamptz[], $7::bigint[])
     AS news(customer_id, interaction_count, last_contact_at, last_contact, last_two_way_contact, as_of, version)
WHERE stored.customer_id = news.customer_id AND stored.version <= news.version
RETURNING CASE WHEN old.last_contact_at IS DISTINCT FROM new.last_contact_at THEN new.customer_id END
"""
_STATES = """
INSERT INTO {table} AS stored SELECT * FROM jsonb_populate_recordset(NULL::{table}, $1::jsonb)
ON CONFLICT (id) DO UPDATE SET state = excluded.state, version = excluded.version
WHERE stored.version <= excluded.version
"""


async def apply_summaries(session: Session, envelopes: Sequence[Envelope[Any]]) -> None:
    """Take over interaction counts and contact clocks: absolute values, so nothing is counted twice (I10).

    Who was forgotten and is contacted returns to the relationship they had (G5).
    """
    contacted = await keep_summaries(session, envelopes)
    if contacted:
        told = {UUID(envelope.key): envelope for envelope in envelopes}
        await return_contacted(session, {customer_id: told[customer_id] for customer_id in contacted})


async def keep_summaries(session: Session, envelopes: Sequence[Envelope[Any]]) -> set[UUID]:
    """Write the numbers; answers the customers whose last contact they move."""
    rows = [
        (s.customer_id, s.interaction_count, s.last_contact.at if s.last_contact else None, _json(s.last_contact),
         _json(s.last_two_way_contact), s.as_of, envelope.event.version)
        for envelope in newest_per_key(envelopes)
        if isinstance(envelope.event, InteractionSummaryChanged)
        for s in (envelope.event.state,)
    ]  # fmt: skip
    if not rows:
        return set()
    rows.sort(key=lambda row: row[0])
    return set((await run(session, _SUMMARIES, *map(list, zip(*rows, strict=True)))).scalars()) - {None}


async def keep_campaigns(session: Session, envelopes: Sequence[Envelope[Any]]) -> None:
    """Keep campaigns, for filters and for the right to download (K6)."""
    rows = [
        {"id": e.key, "state": e.event.state.model_dump(mode="json"), "version": e.event.version}
        for e in newest_per_key(envelopes)
        if isinstance(e.event, CampaignChanged)
    ]
    await _keep(session, "campaign", rows)


async def confirm_erasures(session: Session, envelopes: Sequence[Envelope[Any]]) -> None:
    """Keep which service has forgotten which erased customer (C8)."""
    for envelope in envelopes:
        if isinstance(envelope.event, ErasureCompleted):
            await run(
                session,
                "INSERT INTO erasure_confirmation (customer_id, service, completed_at) VALUES ($1, $2, $3)"
                " ON CONFLICT DO NOTHING",
                envelope.event.customer_id,
                envelope.event.service,
                envelope.event.completed_at,
            )


async def _keep(session: Session, table: str, rows: list[dict[str, Any]]) -> None:
    if rows:
        rows.sort(key=lambda row: row["id"])
        await run(session, _STATES.format(table=table), msgspec.json.encode(rows).decode())


def _json(contact: Contact | None) -> str | None:
    return contact.model_dump_json() if contact is not None else None
