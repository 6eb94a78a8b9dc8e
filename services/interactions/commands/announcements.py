"""How statements that change summaries tell it: outbox rows written by SQL, in the statement of the change.

A change of a thousand summaries is one statement; building each event in Python would cost more than
the change itself. Each statement names its changed summaries `changed` (with `CHANGED` as what it
returns), what they come from `causes`, and ends with `OUTBOX`. Rows enter the outbox behind the lock
of their summary, so that the order of ids is the order of versions.
"""

from collections.abc import Iterable
from dataclasses import replace
from datetime import UTC, datetime

import msgspec

from services.interactions.domain.facts import LedgerFact
from shared.contracts.interactions import SUMMARIES, InteractionRecorded, InteractionSummaryChanged
from shared.envelope import CONTENT_TYPE, Origin, new_id, origin_headers

SOURCE = "/rapport/interactions"

CHANGED = """
    new.customer_id, new.erased, new.version, coalesce(old.version, 0) AS version_before, new.as_of, new.ruleset,
    new.interaction_count, new.last_contact, new.two_way, old.interaction_count AS count_before,
    old.last_contact AS last_contact_before, old.two_way AS two_way_before, old.ruleset AS ruleset_before
"""
"""What an INSERT or UPDATE of `summary` returns to be told."""


_DIFFERING = {
    "interaction_count": ("interaction_count <> count_before", "count_before"),
    "last_contact": (
        "last_contact IS DISTINCT FROM last_contact_before",
        "coalesce(contact_json(last_contact_before)::text, 'null')",
    ),
    "last_two_way_contact": (
        "two_way IS DISTINCT FROM two_way_before",
        "coalesce(contact_json(two_way_before)::text, 'null')",
    ),
    "ruleset": ("ruleset <> ruleset_before", "ruleset_before"),
}
"""What a summary tells: when it differs from before, and its old value as JSON."""


def _joined(parts: Iterable[tuple[str, str]]) -> str:
    """JSON texts joined by commas, each where its condition holds; of a first event nothing differs."""
    cases = (f"CASE WHEN version_before > 0 AND {differs} THEN {text} END" for differs, text in parts)
    return f"concat_ws(',', {', '.join(cases)})"


_CHANGED_NAMES = _joined((differs, f"'\"{name}\"'") for name, (differs, _) in _DIFFERING.items())
_OLD_VALUES = _joined((differs, f"'\"{name}\":' || {old}") for name, (differs, old) in _DIFFERING.items())

SUMMARY_EVENTS = f"""
    SELECT event_id, customer_id, '{SUMMARIES.name}' AS topic, '{InteractionSummaryChanged.ce_type}' AS type,
        format(
            '{{"version":%s,"state":{{"customer_id":"%s","interaction_count":%s,"last_contact":%s,'
            '"last_two_way_contact":%s,"as_of":"%s","ruleset":%s}},"changed":[%s],"before":{{%s}},'
            '"cause":{{"kind":"%s","id":%s}}}}',
            version, customer_id, interaction_count,
            coalesce(contact_json(last_contact)::text, 'null'), coalesce(contact_json(two_way)::text, 'null'),
            instant(as_of), ruleset, {_CHANGED_NAMES}, {_OLD_VALUES},
            CASE headers->>'ce_actorkind' WHEN 'user' THEN 'user' ELSE 'system' END,
            to_json(headers->>'ce_actorid')
        ) AS body,
        headers || jsonb_build_object(
            'ce_id', event_id, 'ce_type', '{InteractionSummaryChanged.ce_type}', 'ce_subject', customer_id) AS headers
    FROM changed JOIN causes USING (customer_id)
    WHERE version > version_before
"""
"""An event for every changed summary whose version was raised; `causes` has its id and headers."""

OUTBOX = """
    INSERT INTO outbox (event_id, topic, aggregatetype, aggregateid, type, payload, headers)
    SELECT event_id, topic, substr(topic, 5), customer_id::text, type, convert_to(body, 'UTF8'), headers
    FROM events
"""
"""Put `events` (event_id, customer_id, topic, type, body, headers) into the outbox."""


RECORDED_END = """
    ',"recorded_at":"' || instant(recorded_at) || '","contribution":' || contribution || ',"rule":"' || rule || '"}'
"""
"""What the statement adds to the beginning of a recorded fact's event."""


def headers_json(origin: Origin) -> str:
    """The headers that all events of one origin share, as the statements take them."""
    return msgspec.json.encode(_headers(origin)).decode()


def recorded_parts(fact: LedgerFact, origin: Origin) -> tuple[object, str, str]:
    """Id, headers and beginning of the event that tells a fact; the statement adds what only it knows."""
    event_id = new_id()
    headers = {
        **_headers(origin),
        "ce_id": event_id,
        "ce_type": InteractionRecorded.ce_type,
        "ce_subject": fact.customer_id,
    }
    body = {
        "row_id": fact.row_id,
        "customer_id": fact.customer_id,
        "kind": fact.kind,
        "source_system": fact.source_system,
        "source_id": fact.source_id,
        "fact": fact.fact,
        "direction": fact.direction,
        "occurred_at": fact.occurred_at,
        "actor": {"kind": origin.actor.kind, "id": origin.actor.id, "permissions": ()},
    }
    beginning = msgspec.json.encode(body).removesuffix(b"}").decode()
    return event_id, msgspec.json.encode(headers).decode(), beginning


def _headers(origin: Origin) -> dict[str, object]:
    return {
        "content-type": CONTENT_TYPE,
        "ce_specversion": "1.0",
        "ce_source": SOURCE,
        "ce_time": datetime.now(UTC),
        **origin_headers(origin if origin.correlation_id else replace(origin, correlation_id=str(new_id()))),
    }
