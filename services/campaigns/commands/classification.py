"""The copy of groups, sources, sectors and relationships, fed by `crm.classification`."""

from collections.abc import Sequence

from shared.contracts.classification import RelationshipState
from shared.contracts.events import Event, StateEvent
from shared.copies import newest_per_key
from shared.database import Session, run
from shared.envelope import Envelope

_STORE = """
INSERT INTO classification AS stored (id, kind, code, name, parent_id, state, version)
SELECT * FROM unnest($1::uuid[], $2::text[], $3::text[], $4::text[], $5::uuid[], $6::text[], $7::bigint[])
     AS news(id, kind, code, name, parent_id, state, version)
ORDER BY id
ON CONFLICT (id) DO UPDATE SET
    kind = excluded.kind, code = excluded.code, name = excluded.name, parent_id = excluded.parent_id,
    state = excluded.state, version = excluded.version
WHERE stored.version <= excluded.version
"""


async def apply_items(session: Session, envelopes: Sequence[Envelope[Event]]) -> None:
    """Write a batch into the copy. A relationship's fixed key stands where others have their code."""
    rows: list[tuple[object, ...]] = []
    for envelope in newest_per_key(envelopes):
        if not isinstance(envelope.event, StateEvent):
            continue
        state, version = envelope.event.state, envelope.event.version
        if isinstance(state, RelationshipState):
            rows.append((state.id, state.kind, state.key, state.names.vi, None, state.state, version))
        else:
            rows.append((state.id, state.kind, state.code, state.name, state.parent_id, state.state, version))
    if rows:
        await run(session, _STORE, *map(list, zip(*rows, strict=True)))
