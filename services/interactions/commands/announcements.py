"""How statements that change summaries tell it: outbox rows written by SQL, in the statement of the change.

A change of a thousand summaries is one statement; building each event in Python would cost more than
the change itself. Each statement names its changed summaries `changed` (with `CHANGED` as what it
returns) and what they come from `origins`, and ends with `OUTBOX`. Rows enter the outbox behind the
lock of their summary, so that the order of ids is the order of versions.
"""

import msgspec

from shared.contracts.interactions import SUMMARIES, InteractionSummaryChanged
from shared.envelope import CONTENT_TYPE, Origin, origin_headers

SOURCE = "/rapport/interactions"

CHANGED = """
    new.customer_id, new.erased, new.version, coalesce(old.version, 0) AS version_before, new.as_of, new.ruleset,
    new.interaction_count, contact_json(new.last_contact) AS last_contact, contact_json(new.two_way) AS two_way,
    old.interaction_count AS count_before,
    contact_json(old.last_contact) AS last_contact_before, contact_json(old.two_way) AS two_way_before
"""
"""What an INSERT or UPDATE of `summary` returns to be told."""

_EQUAL = """array_remove(ARRAY[
    CASE WHEN interaction_count = count_before THEN 'interaction_count' END,
    CASE WHEN last_contact IS NOT DISTINCT FROM last_contact_before THEN 'last_contact' END,
    CASE WHEN two_way IS NOT DISTINCT FROM two_way_before THEN 'last_two_way_contact' END
], NULL)"""

_BEFORE = f"""CASE WHEN version_before = 0 THEN '{{}}' ELSE jsonb_build_object(
    'interaction_count', count_before,
    'last_contact', last_contact_before,
    'last_two_way_contact', two_way_before
) - {_EQUAL} END"""

SUMMARY_EVENTS = f"""
    SELECT customer_id, '{SUMMARIES.name}' AS topic, '{InteractionSummaryChanged.ce_type}' AS type, origin,
        json_build_object(
            'version', version,
            'state', json_build_object(
                'customer_id', customer_id, 'interaction_count', interaction_count, 'last_contact', last_contact,
                'last_two_way_contact', two_way, 'as_of', instant(as_of), 'ruleset', ruleset),
            'changed', to_json(ARRAY(SELECT jsonb_object_keys(before))),
            'before', before,
            'cause', json_build_object(
                'kind', CASE origin->>'ce_actorkind' WHEN 'user' THEN 'user' ELSE 'system' END,
                'id', origin->>'ce_actorid')
        ) AS body
    FROM (SELECT *, {_BEFORE} AS before FROM changed JOIN origins USING (customer_id)) AS told
    WHERE version > version_before
"""
"""An event for every changed summary whose version was raised."""

OUTBOX = f"""
    INSERT INTO outbox (event_id, topic, aggregatetype, aggregateid, type, payload, headers)
    SELECT event_id, topic, substr(topic, 5), customer_id::text, type, convert_to(body::text, 'UTF8'),
        jsonb_build_object(
            'content-type', '{CONTENT_TYPE}', 'ce_specversion', '1.0', 'ce_id', event_id, 'ce_source', '{SOURCE}',
            'ce_type', type, 'ce_time', instant(clock_timestamp()), 'ce_subject', customer_id) || origin
    FROM (SELECT uuidv7() AS event_id, * FROM events) AS numbered
"""
"""Put `events` (customer_id, topic, type, origin, body) into the outbox."""


def origin_json(origin: Origin) -> str:
    """What an event comes from, as the statements take it: the headers that say so."""
    return msgspec.json.encode(origin_headers(origin)).decode()
