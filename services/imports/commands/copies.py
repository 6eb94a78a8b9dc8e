"""Keeps this service's copies: customers with their whole public state, employees, classification.

Beside the tables that every service has (`shared/copies.py`), previews need old values, folded names
and options. A record older than the stored one changes nothing.
"""

from collections.abc import Sequence
from typing import Any

from shared.contracts.classification import ClassificationItemState, RelationshipState
from shared.contracts.customers import CustomerEvent
from shared.contracts.directory import EmployeeChanged
from shared.contracts.events import Event
from shared.copies import apply_customers, apply_employees, array_text, newest_per_key
from shared.database import Session, run
from shared.envelope import Envelope
from shared.folding import fold

_RECORDS = """
INSERT INTO customer_record AS stored (id, record, version)
SELECT news.id, news.record::jsonb, news.version
FROM unnest($1::uuid[], $2::text[], $3::bigint[]) AS news(id, record, version)
     JOIN customer ON customer.id = news.id AND customer.state <> 'erased'
ORDER BY news.id
ON CONFLICT (id) DO UPDATE SET record = excluded.record, version = excluded.version
WHERE stored.version <= excluded.version
"""

_OPTIONS = """
INSERT INTO classification AS stored (id, kind, code, name, name_en, names_folded, parent_id, state, version)
SELECT id, kind, code, name, name_en, names_folded::text[], parent_id, state, version
FROM unnest($1::uuid[], $2::text[], $3::text[], $4::text[], $5::text[], $6::text[], $7::uuid[], $8::text[],
            $9::bigint[])
     AS news(id, kind, code, name, name_en, names_folded, parent_id, state, version)
ORDER BY id
ON CONFLICT (id) DO UPDATE SET
    kind = excluded.kind, code = excluded.code, name = excluded.name, name_en = excluded.name_en,
    names_folded = excluded.names_folded, parent_id = excluded.parent_id, state = excluded.state,
    version = excluded.version
WHERE stored.version <= excluded.version
"""


async def copy_customers(session: Session, envelopes: Sequence[Envelope[Event]]) -> None:
    """Write a batch of `crm.customers`: what access needs, and the record that previews compare with."""
    await apply_customers(session, envelopes)
    events = [e.event for e in newest_per_key([e for e in envelopes if e.event is not None])]
    states = [event for event in events if isinstance(event, CustomerEvent)]
    if states:
        await run(
            session,
            _RECORDS,
            [event.state.id for event in states],
            [event.state.model_dump_json() for event in states],
            [event.version for event in states],
        )


async def copy_employees(session: Session, envelopes: Sequence[Envelope[Event]]) -> None:
    """Write a batch of `crm.directory`, with names as they are compared (M8)."""
    written = {seen.id for seen in await apply_employees(session, envelopes)}
    events = [e.event for e in newest_per_key(envelopes) if isinstance(e.event, EmployeeChanged)]
    states = [event.state for event in events if event.state.id in written]
    if states:
        await run(
            session,
            "UPDATE employee SET name_folded = news.name_folded"
            " FROM unnest($1::uuid[], $2::text[]) AS news(id, name_folded) WHERE employee.id = news.id",
            [state.id for state in states],
            [fold(state.name) for state in states],
        )


async def copy_classification(session: Session, envelopes: Sequence[Envelope[Any]]) -> None:
    """Write a batch of `crm.classification`: what cells may name (M6)."""
    events = [envelope.event for envelope in newest_per_key(envelopes) if envelope.event is not None]
    rows = [(*_option(event.state), event.version) for event in events]
    if rows:
        await run(session, _OPTIONS, *map(list, zip(*rows, strict=True)))


def _option(state: ClassificationItemState | RelationshipState) -> tuple[object, ...]:
    if isinstance(state, RelationshipState):
        folded = array_text([fold(state.names.vi), fold(state.names.en)])
        return state.id, state.kind, state.key, state.names.vi, state.names.en, folded, None, state.state
    return (
        state.id,
        state.kind,
        state.code,
        state.name,
        None,
        array_text([fold(state.name)]),
        state.parent_id,
        state.state,
    )
