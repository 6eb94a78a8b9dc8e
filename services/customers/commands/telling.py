"""Telling changes of many customers within the statement that made them (A5).

For what changes thousands alike: a whole state made, written as JSON and sent back by this process was a third of
what a change cost. The database holds each customer's state as text already; events and audit entries are those
that `publishing` writes.
"""

from collections.abc import Mapping
from datetime import UTC, datetime

import msgspec

from shared.contracts.customers import CUSTOMERS, CustomerEvent
from shared.envelope import Origin, type_headers

MANAGER_TOLD = {
    "manager_id": ("old_manager_id", "manager_id"),
    "manager_set_at": ("instant(old_manager_set_at)", "instant(manager_set_at)"),
}
"""What a `CustomerManagerChanged` tells, for `telling`, of rows that return MANAGER_CHANGED."""

MANAGER_CHANGED = """new.id, new.version, new.record, new.manager_id, new.manager_set_at,
        old.manager_id AS old_manager_id, old.manager_set_at AS old_manager_set_at"""


def with_manager(search_text: str, employee_id: str) -> str:
    """The search text of a customer without viewers under another manager, whose lexeme is its last; in SQL."""
    return f"regexp_replace({search_text}, ' m:[0-9a-f]{{32}}$', '') || ' m:' || replace({employee_id}::text, '-', '')"


def telling(event: type[CustomerEvent], values: Mapping[str, tuple[str, str]]) -> str:
    """Parts of a statement, behind `changed AS (…)`, that tell its rows: `told` has their `id` and `version`.

    `values` gives for each public name that changed its old and new value in SQL. A row has beside them id, version,
    record, cause_kind, cause_id and headers; rows are told in the order in which `changed` has them. Whoever runs the
    statement calls `outbox.written_by_statement`.
    """
    names = ",".join(f'"{name}"' for name in values)
    before = ", ".join(f"'{name}', {old}" for name, (old, _) in values.items())
    changes = ", ".join(
        f"'{name}', json_build_object('old', {old}, 'new', {new})" for name, (old, new) in values.items()
    )
    # A customer's record ends with its version, which an event has beside the state.
    return f"""
    told AS MATERIALIZED (SELECT *, uuidv7() AS event_id FROM changed),
    audited AS (
        INSERT INTO audit (customer_id, actor_kind, actor_id, cause_kind, cause_id, event_id, changes)
        SELECT id, headers->>'ce_actorkind', headers->>'ce_actorid', cause_kind, cause_id, event_id,
            json_build_object({changes})
        FROM told
    ),
    sent AS (
        INSERT INTO outbox (event_id, topic, aggregatetype, aggregateid, type, payload, headers)
        SELECT event_id, '{CUSTOMERS.name}', '{CUSTOMERS.name.removeprefix("crm.")}', id::text, '{event.ce_type}',
            convert_to(
                '{{"version":' || version || ',"state":' || left(record, -length(',"version":' || version))
                || '}},"changed":[{names}],"before":' || json_build_object({before})
                || ',"cause":' || json_build_object('kind', cause_kind, 'id', cause_id) || '}}', 'UTF8'),
            jsonb_build_object('ce_id', event_id, 'ce_correlationid', event_id, 'ce_subject', id) || headers
        FROM told
    )"""


def headers_json(event: type[CustomerEvent], origin: Origin, at: datetime | None = None) -> str:
    """The headers that events of one origin share; of those that nobody asked for each is its own correlation."""
    headers = type_headers(event.ce_type, "customers", at or datetime.now(UTC), origin)
    return msgspec.json.encode(headers).decode()
