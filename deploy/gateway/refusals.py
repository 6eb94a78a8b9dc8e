"""The gateway's own refusals, in the shape the services use: RFC 9457 problem details with a `code`.

Applies to what Envoy answers by itself only; an answer of a service passes unchanged.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from shared.wording import message

RETRY_AFTER_SECONDS = 1
ANY_CLIENT_ERROR = range(400, 500)
ANY_SERVER_ERROR = range(500, 600)


@dataclass(frozen=True)
class Refusal:
    """Envoy's statuses and what becomes of them; `status` None keeps Envoy's."""

    statuses: range
    code: str
    status: int | None = None


# Of several that fit, the first applies.
REFUSALS = (
    # Envoy answers 403 to a token for another audience; to the services it is no token at all.
    Refusal(range(401, 402), "unauthenticated", 401),
    Refusal(range(403, 404), "unauthenticated", 401),
    Refusal(range(404, 405), "not_found", 404),
    Refusal(range(413, 414), "payload_too_large", 413),
    Refusal(range(431, 432), "payload_too_large", 431),
    Refusal(range(429, 430), "rate_limited", 429),
    Refusal(ANY_CLIENT_ERROR, "validation_failed"),
    # A service that is away, too slow or speaks nonsense: for the client it is all the same.
    Refusal(ANY_SERVER_ERROR, "unavailable", 503),
)

# In English where the header asks for English and not for Vietnamese, or for English first: Envoy cannot
# weigh qualities. Vietnamese otherwise, as the services do.
ENGLISH = r"(?i)^\s*en\b.*|^([^v]|v[^i])*\ben\b([^v]|v[^i])*$"

# The second field of the W3C header, or zeros when the client sent none.
TRACE_ID = (
    "%CEL(has(request.headers.traceparent) && request.headers.traceparent.matches('^00-[0-9a-f]{32}-')"
    " ? request.headers.traceparent.split('-')[1] : '" + "0" * 32 + "')%"
)


def mappers() -> list[dict[str, Any]]:
    """Envoy's `local_reply_config.mappers` for every refusal in both languages."""
    return [mapper for refusal in REFUSALS for mapper in _in_both_languages(refusal)]


def _in_both_languages(refusal: Refusal) -> Iterator[dict[str, Any]]:
    applies = _has_status(refusal.statuses)
    wants_english = {
        "header_filter": {"header": {"name": "accept-language", "string_match": {"safe_regex": {"regex": ENGLISH}}}}
    }
    yield _mapper(refusal, {"and_filter": {"filters": [applies, wants_english]}}, "en")
    yield _mapper(refusal, applies, "vi")


def _mapper(refusal: Refusal, applies: dict[str, Any], language: str) -> dict[str, Any]:
    mapper: dict[str, Any] = {
        "filter": applies,
        "body_format_override": {
            "content_type": "application/problem+json",
            "formatters": [
                {
                    "name": "envoy.formatter.cel",
                    "typed_config": {
                        "@type": "type.googleapis.com/envoy.extensions.formatter.cel.v3.Cel",
                        "cel_config": {"enable_string_functions": True},
                    },
                }
            ],
            "json_format": {
                "type": f"urn:rapport:problem:{refusal.code}",
                "title": message(refusal.code, "en"),
                "status": refusal.status or "%RESPONSE_CODE%",
                "code": refusal.code,
                "detail": message(refusal.code, language),
                "errors": [],
                "trace_id": TRACE_ID,
            },
        },
    }
    if refusal.status:
        mapper["status_code"] = refusal.status
    if refusal.status == 401:
        mapper["headers_to_add"] = [_header("www-authenticate", "Bearer")]
    if refusal.status in (429, 503):
        mapper["headers_to_add"] = [_header("retry-after", str(RETRY_AFTER_SECONDS))]
    return mapper


def _has_status(statuses: range) -> dict[str, Any]:
    bounds = [("GE", statuses.start), ("LE", statuses.stop - 1)]
    return {
        "and_filter": {
            "filters": [
                {
                    "status_code_filter": {
                        "comparison": {
                            "op": operator,
                            # Envoy wants a name under which an operator could override the number.
                            "value": {"default_value": value, "runtime_key": f"refusals.{operator}.{value}"},
                        }
                    }
                }
                for operator, value in bounds
            ]
        }
    }


def _header(name: str, value: str) -> dict[str, Any]:
    return {"header": {"key": name, "value": value}, "append_action": "OVERWRITE_IF_EXISTS_OR_ADD"}
