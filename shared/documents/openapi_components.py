"""What is the same in every service's OpenAPI document: refusals, headers, parameters, the token."""

from typing import Any

from shared.problems import codes_by_status
from shared.wording import message

SECURITY = {
    "token": {
        "type": "http",
        "scheme": "bearer",
        "bearerFormat": "JWT",
        "description": "RS256 or ES256; `sub` is the employee's id, `permissions` a list, `kind` employee or service",
    }
}

SCHEMAS: dict[str, Any] = {
    "Problem": {
        "type": "object",
        "title": "Problem",
        "description": "RFC 9457 problem details",
        "required": ["type", "title", "status", "code", "detail", "errors", "trace_id"],
        "properties": {
            "type": {"type": "string", "description": "`urn:rapport:problem:<code>`"},
            "title": {"type": "string", "description": "The code in English"},
            "status": {"type": "integer"},
            "code": {"type": "string", "description": "Stable and never translated: programs decide by it"},
            "detail": {"type": "string", "description": "For people, in Vietnamese or English by `Accept-Language`"},
            "errors": {
                "type": "array",
                "description": "What is wrong where; empty when it is not about single fields",
                "items": {"$ref": "#/components/schemas/ProblemError"},
            },
            "trace_id": {"type": "string", "description": "Finds the request in logs and traces"},
        },
    },
    "ProblemError": {
        "type": "object",
        "title": "ProblemError",
        "required": ["pointer", "code", "detail"],
        "properties": {
            "pointer": {
                "type": "string",
                "description": "JSON pointer into the body, `?name` of a query parameter, `header:name` of a header",
            },
            "code": {"type": "string"},
            "detail": {"type": "string", "description": "For developers, in English"},
        },
    },
}

HEADERS: dict[str, Any] = {
    "Location": {"description": "Path of what was made", "required": True, "schema": {"type": "string"}},
    "ETag": {
        "description": "The record's version in quotes; give it back in `If-Match` with a change",
        "schema": {"type": "string", "examples": ['"7"']},
    },
    "Customer-Version": {
        "description": "`<customer id>:<version>` that this write made; give it to another service as `Wait-For`",
        "schema": {"type": "string"},
    },
    "Idempotency-Replayed": {
        "description": "This is the first answer to the same `Idempotency-Key`, given again",
        "schema": {"type": "string", "const": "true"},
    },
    "Retry-After": {"description": "Seconds to wait", "required": True, "schema": {"type": "integer"}},
    "WWW-Authenticate": {"description": "How to authenticate", "schema": {"type": "string", "const": "Bearer"}},
}

PARAMETERS: dict[str, Any] = {
    "WaitFor": {
        "name": "Wait-For",
        "in": "header",
        "description": "`<customer id>:<version>`, up to 50 separated by commas: answer when this service has seen "
        "them and you see the customers, at most 2 s later; else 404",
        "schema": {"type": "string"},
    },
    "IdempotencyKey": {
        "name": "Idempotency-Key",
        "in": "header",
        "description": "A repeated request with the same key gets the first answer, for 24 hours",
        "schema": {"type": "string", "minLength": 1, "maxLength": 128},
    },
    "AcceptLanguage": {
        "name": "Accept-Language",
        "in": "header",
        "description": "Language of texts for people: `vi` (default) or `en`",
        "schema": {"type": "string"},
    },
}

_MEANINGS = {
    401: "No valid token",
    403: "Not allowed, or the employee is not active",
    404: "Unknown, or invisible to you: the same answer for both",
    409: "The stored state does not allow it",
    412: "The record has changed since it was read",
    413: "The body is too large",
    415: "This kind of file is not taken",
    422: "The request is not valid",
    429: "Too many requests",
    503: "Away for a moment",
}
_HEADERS_OF = {401: ("WWW-Authenticate",), 429: ("Retry-After",), 503: ("Retry-After",)}


def problem_responses() -> dict[str, Any]:
    """The refusals, by status, each with the codes it may carry."""
    codes = codes_by_status()
    return {str(status): _problem_response(status, meaning, codes[status]) for status, meaning in _MEANINGS.items()}


def _problem_response(status: int, meaning: str, codes: list[str]) -> dict[str, Any]:
    listed = "\n".join(f"- `{code}`: {message(code, 'en')}" for code in codes)
    response: dict[str, Any] = {
        "description": f"{meaning}. Codes:\n{listed}",
        "content": {"application/problem+json": {"schema": {"$ref": "#/components/schemas/Problem"}}},
    }
    if status in _HEADERS_OF:
        response["headers"] = {name: {"$ref": f"#/components/headers/{name}"} for name in _HEADERS_OF[status]}
    return response
