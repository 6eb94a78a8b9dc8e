"""How a stranger reads our topics, in words: what no schema says. The headers are here as schemas too."""

from typing import Any

from shared.contracts.customers import CUSTOMERS
from shared.contracts.events import MAX_RECORD_BYTES, Topic
from shared.envelope import COMPACTION_TICK, CONTENT_TYPE, MAX_ID_LENGTH

GENERAL = f"""\
Records are CloudEvents 1.0 in Kafka's binary mode: the attributes are headers with the prefix `ce_`, the
body is a JSON object in UTF-8, the key is a text in UTF-8. Delivery is at least once: a record may come
again, known by `ce_source` and `ce_id` together.

**Growing.** Bodies only grow within a version of a type: ignore fields you do not know. Ignore records of
a `ce_type` you do not know. Enumerations may get further values. What would break a reader comes as a new
version of the type (`….v2`).

**Topics that are compacted hold state.** Every record carries the whole state of its key after a change, so
a copy is built by reading the topic from its first offset, and kept by reading on:

1. Read every partition from the start. The records of one key are in one partition, in order. Compaction
   may have removed earlier records of a key, so gaps in `version` are normal, and the first record you see
   of a key may have any type: look at `state`, not at the type.
2. Skip records with the key `{COMPACTION_TICK}`: they only make the broker clean up.
3. A record without a body is a tombstone: forget the key. Forget nothing and raise no error when you do not
   hold it. A tombstone may come again.
4. Otherwise take `state` as the new value of the key when `version` is equal to or higher than the version
   you hold, or when you hold none; skip the record when it is lower. Equal is no mistake: state is sometimes
   said again (header `ce_replayed: true`, a new `ce_id`, the version unchanged) to repair copies, and may
   then differ from what you hold.
5. Trigger nothing by a record with `ce_replayed: true`, nor by one you read while catching up, unless it is
   meant: both tell what is so, not what has just happened. `changed` names the fields that differ from the
   version before, `before` holds their old values, `cause` says why.

You are at the end when your position in every partition has reached the end offset that you asked for at
the beginning. Topics are not ordered among themselves: a customer may name an employee that you will hear
of a moment later.

**Topics that are deleted by age are history**: each record is one fact or one piece of work, and carries
what its type says.
"""

_CUSTOMERS = """

To hold the same customers as Rapport's API: apply the rules for topics that hold state (see the document's
description), and

- a customer with `state.state: deleted` is out of sight and may be restored: the API answers 404 for it,
  except to those who may delete. A copy that shows customers shows those with `active`;
- `crm.customer.erased.v1` has a `state` with `id` and `state: erased` only: delete everything you hold of the
  customer. A tombstone of the same key follows; if compaction was faster, the tombstone comes alone. An id that
  was erased is never used again;
- `phones` are E.164 (`+84901234567`), times UTC, ids UUIDs. `relationship_id`, `group_ids`, `source_ids` and
  `sector_ids` are items of `crm.classification`; `manager_id` and `viewer_ids` are employees of `crm.directory`;
- how often and when somebody was in contact is not here: see `crm.interaction-summaries`."""

TOMBSTONE = (
    "A record without a body (null, not an empty object) and without `content-type`. Forget the key and all you "
    "hold of it; do nothing when you hold nothing. The key "
    f"`{COMPACTION_TICK}` is reserved: a tombstone that has it concerns nobody."
)

_CE_HEADERS: dict[str, Any] = {
    "content-type": {"type": "string", "const": CONTENT_TYPE, "description": "None on a tombstone"},
    "ce_specversion": {"type": "string", "const": "1.0"},
    "ce_id": {
        "type": "string",
        "minLength": 1,
        "maxLength": MAX_ID_LENGTH,
        "description": "Unique within its `ce_source`",
    },
    "ce_source": {"type": "string", "minLength": 1, "maxLength": MAX_ID_LENGTH},
    "ce_type": {"type": "string", "description": "The message's name"},
    "ce_time": {"type": "string", "format": "date-time", "description": "When it was said"},
}
_TRACE = {"type": "string", "description": "W3C trace context: continues the trace of the request"}

OUR_HEADERS: dict[str, Any] = {
    "type": "object",
    "required": ["content-type", "ce_specversion", "ce_id", "ce_source", "ce_type", "ce_time", "ce_subject"],
    "properties": {
        **_CE_HEADERS,
        "ce_source": {"type": "string", "description": "`/rapport/<service>`", "pattern": "^/rapport/[a-z]+$"},
        "ce_subject": {"type": "string", "description": "The record's key"},
        "ce_correlationid": {"type": "string", "description": "The same for all that follows from one request"},
        "ce_causationid": {"type": "string", "description": "`ce_id` of the event that caused this one"},
        "ce_actorkind": {"type": "string", "enum": ["user", "service", "system"]},
        "ce_actorid": {"type": "string", "description": "On whose behalf: an employee's id, or a service's name"},
        "ce_automationdepth": {
            "type": "string",
            "pattern": "^[0-9]{1,3}$",
            "description": "How many automations led here; none is 0",
        },
        "ce_replayed": {"type": "string", "const": "true", "description": "The state was said before: trigger nothing"},
        "traceparent": _TRACE,
    },
}

REPORT_HEADERS: dict[str, Any] = {
    "type": "object",
    "required": ["ce_specversion", "ce_id", "ce_source", "ce_type"],
    "properties": {
        **_CE_HEADERS,
        "ce_source": {
            **_CE_HEADERS["ce_source"],
            "description": "Your connector's name, as the operator has allowed it; it becomes the source system",
        },
        "traceparent": _TRACE,
    },
}


def of_topic(topic: Topic) -> str:
    """What a topic holds, who writes and reads it, and how to read it."""
    readers = f" Rapport's own readers: {', '.join(topic.consumers)}." if topic.consumers else ""
    text = (
        f"{topic.description}\n\nKey: {topic.key}. {_kept(topic)} A record is at most "
        f"{MAX_RECORD_BYTES:,} bytes. Written by: {', '.join(topic.producers)}.{readers}"
    )
    return text + _CUSTOMERS if topic is CUSTOMERS else text


def key_schema(topic: Topic) -> dict[str, str]:
    """What the key of a topic's records is: always the id of what orders them."""
    return {"type": "string", "format": "uuid", "description": topic.key[0].upper() + topic.key[1:]}


def _kept(topic: Topic) -> str:
    if topic.holds_state:
        return "Compacted: the last record of every key stays for ever, and every record carries the whole state."
    return f"Records are deleted after {topic.retention_days} days."
