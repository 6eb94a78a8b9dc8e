"""Owners of opportunities who simply become managers: any number in one statement that also tells it (K3, A5).

It does to a customer whom nobody looks at what `Responsibility.follow_opportunity_owner` does, and leaves every
other case to that: viewers, ties, assignments that decide nothing. Objects, events and audit entries for ten
thousand customers cost four times as much.
"""

from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any

import msgspec

from shared import outbox
from shared.contracts.campaigns import OpportunityState
from shared.contracts.customers import CUSTOMERS, CustomerManagerChanged
from shared.database import Session, run
from shared.envelope import Envelope, type_headers
from shared.identity import SYSTEM

_HOLD = """
SELECT count(*) FROM (SELECT FROM customer WHERE id = ANY($1::uuid[]) ORDER BY id FOR UPDATE) AS held
"""

# `record` is the row as JSON, without its last brace and with the version last: cut off, it is the public state.
_TAKE_OVER = f"""
WITH given AS (
    SELECT * FROM unnest($1::uuid[], $2::uuid[], $3::uuid[], $4::timestamptz[], $5::boolean[], $6::text[], $7::text[])
         WITH ORDINALITY
         AS given(opportunity_id, customer_id, owner_id, assigned_at, replaces, cause_id, headers, place)
), taken AS (
    UPDATE customer AS stored SET
        manager_id = given.owner_id, manager_set_at = given.assigned_at,
        manager_cause_kind = 'campaign', manager_cause_id = given.opportunity_id::text,
        search_text = regexp_replace(stored.search_text, ' m:[0-9a-f]{{32}}$', '')
            || ' m:' || replace(given.owner_id::text, '-', ''),
        updated_at = (SELECT clock_timestamp()), version = stored.version + 1
    FROM given JOIN employee ON employee.id = given.owner_id AND employee.active
    WHERE stored.id = given.customer_id AND stored.viewer_ids = '{{}}'
      AND stored.manager_id IS DISTINCT FROM given.owner_id AND (given.replaces OR stored.manager_id IS NULL)
      AND (stored.manager_set_at IS NULL OR stored.manager_set_at < given.assigned_at)
    RETURNING new.id, new.version, new.record, new.manager_id, new.manager_set_at, old.manager_id AS manager_before,
              old.manager_set_at AS set_before, uuidv7() AS event_id, given.cause_id, given.headers, given.place
), told AS (
    INSERT INTO outbox (event_id, topic, aggregatetype, aggregateid, type, payload, headers)
    SELECT event_id, '{CUSTOMERS.name}', substr('{CUSTOMERS.name}', 5), id::text, '{CustomerManagerChanged.ce_type}',
        convert_to(
            '{{"version":' || version
            || ',"state":' || left(record, -length(',"version":' || version)) || '}},'
            || '"changed":["manager_id","manager_set_at"],"before":'
            || json_build_object('manager_id', manager_before, 'manager_set_at', instant(set_before))
            || ',"cause":' || json_build_object('kind', 'campaign', 'id', cause_id) || '}}', 'UTF8'),
        jsonb_build_object('ce_id', event_id, 'ce_subject', id) || headers::jsonb
    FROM taken ORDER BY place
), noted AS (
    INSERT INTO audit (customer_id, actor_kind, actor_id, cause_kind, cause_id, event_id, changes)
    SELECT id, '{SYSTEM.kind}', '{SYSTEM.id}', 'campaign', cause_id, event_id, jsonb_build_object(
        'manager_id', jsonb_build_object('old', manager_before, 'new', manager_id),
        'manager_set_at', jsonb_build_object('old', instant(set_before), 'new', instant(manager_set_at)))
    FROM taken ORDER BY place
)
SELECT place FROM taken
"""

Assignment = tuple[Envelope[Any], OpportunityState]
"""An opportunity with an owner, and the event that tells of it."""


async def take_over(session: Session, assignments: Sequence[Assignment]) -> list[Assignment]:
    """Make owners managers of customers who are named once each; answers the assignments that were left, in order.

    The customers are held, in the order of ids, until the transaction ends.
    """
    if not assignments:
        return []
    now = datetime.now(UTC)
    rows = [
        (
            state.id,
            state.customer_id,
            state.owner_id,
            state.owner_assigned_at,
            state.manager_policy == "replace" and not state.keep_previous_as_viewer,
            envelope.id,
            _headers(envelope, now),
        )
        for envelope, state in assignments
    ]
    columns = [list(column) for column in zip(*rows, strict=True)]
    await run(session, _HOLD, columns[1])
    taken = set((await run(session, _TAKE_OVER, *columns)).scalars())
    if taken:
        outbox.written_by_statement(session)
    return [assignment for place, assignment in enumerate(assignments, start=1) if place not in taken]


def _headers(envelope: Envelope[Any], at: datetime) -> str:
    """What the event that follows from another says beside its own ids."""
    headers = type_headers(CustomerManagerChanged.ce_type, "customers", at, envelope.origin())
    return msgspec.json.encode(headers).decode()
