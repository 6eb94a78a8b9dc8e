"""RFC 9457 problem details: how every refusal looks to a client, and which status each code has.

Codes are stable and never translated; `detail` follows `Accept-Language`. Two answers with the same
code differ in `trace_id` only, so that an invisible record looks like an unknown one.
"""

import asyncio
from typing import Any

import msgspec
from fastapi import FastAPI, Request, Response
from fastapi.exceptions import RequestValidationError
from starlette.exceptions import HTTPException

from shared import telemetry
from shared.database import is_transient
from shared.errors import FieldError, Invalid, NotFound, RapportError, Unavailable
from shared.wording import language_of, message

log = telemetry.logger("http")

RETRY_AFTER_SECONDS = 1
MAX_ERRORS = 100

_STATUS = {
    "unauthenticated": 401,
    "forbidden": 403,
    "inactive_employee": 403,
    "not_found": 404,
    "method_not_allowed": 405,
    "phone_taken": 409,
    "code_taken": 409,
    "name_taken": 409,
    "in_use": 409,
    "cycle": 409,
    "referral_locked": 409,
    "parent_disabled": 409,
    "not_restorable": 409,
    "wrong_state": 409,
    "has_errors": 409,
    "already_imported": 409,
    "preview_expired": 409,
    "request_in_progress": 409,
    "already_in_campaign": 409,
    "waiting_time": 409,
    "opportunity_closed": 409,
    "version_conflict": 412,
    "payload_too_large": 413,
    "unsupported_file": 415,
    "rate_limited": 429,
    "internal_error": 500,
    "unavailable": 503,
}
_REFUSED_VALUES = frozenset(
    {
        "validation_failed",
        "system_field",
        "automatic_relationship",
        "disabled_choice",
        "too_many_rows",
        "too_many_items",
        "bad_cursor",
        "idempotency_key_reused",
        "filter_too_large",
        "unsupported_condition",
        "selection_unknown",
        "selection_too_large",
    }
)
_PYDANTIC_CODES = {"missing": "required", "extra_forbidden": "unknown_field"}


def status_of(code: str) -> int:
    """The HTTP status of a code; every refused value is 422."""
    return _STATUS.get(code, 422)


def codes_by_status() -> dict[int, list[str]]:
    """Every code a problem may carry, by its status: for documents, and for the test that knows them all."""
    found = {status: [code for code, its in _STATUS.items() if its == status] for status in sorted({*_STATUS.values()})}
    return found | {422: sorted(_REFUSED_VALUES)}


def problem(
    accept_language: str | None,
    code: str,
    errors: tuple[FieldError, ...] = (),
    parameters: dict[str, str] | None = None,
) -> Response:
    """The answer to a refused request."""
    status = status_of(code)
    body: dict[str, Any] = {
        "type": f"urn:rapport:problem:{code}",
        "title": message(code, "en"),
        "status": status,
        "code": code,
        "detail": message(code, language_of(accept_language)),
        "errors": [{"pointer": e.pointer, "code": e.code, "detail": e.detail} for e in errors[:MAX_ERRORS]],
        "trace_id": telemetry.trace_id(),
        **{name: value for name, value in (parameters or {}).items() if name.endswith("_id")},
    }
    headers = {"Retry-After": str(RETRY_AFTER_SECONDS)} if status in (429, 503) else {}
    if status == 401:
        headers["WWW-Authenticate"] = "Bearer"
    return Response(msgspec.json.encode(body), status, headers, "application/problem+json")


def problem_of(request: Request, error: Exception) -> Response:
    """The answer to an exception of any kind; what is not ours is logged and becomes a 500."""
    known = as_rapport_error(error)
    if known is None:
        log.error("unhandled", exc_info=error, method=request.method, path=request.url.path)
        return problem(request.headers.get("accept-language"), "internal_error")
    return problem(request.headers.get("accept-language"), known.code, known.errors, known.parameters)


def as_rapport_error(error: BaseException) -> RapportError | None:
    """An exception as a refusal with a code, if it is one."""
    if isinstance(error, RapportError):
        return error
    if isinstance(error, RequestValidationError):
        return _of_validation(error)
    if isinstance(error, HTTPException):
        codes = {401: "unauthenticated", 404: "not_found", 405: "method_not_allowed", 413: "payload_too_large"}
        return Invalid(codes.get(error.status_code, "validation_failed"))
    if is_transient(error) or isinstance(error, asyncio.TimeoutError):
        log.warning("unavailable", error=repr(error))
        return Unavailable()
    return None


def install(app: FastAPI) -> None:
    """Answer every exception of the application with problem details."""
    for kind in (RapportError, RequestValidationError, HTTPException, Exception):
        app.add_exception_handler(kind, _handle)


async def _handle(request: Request, error: Exception) -> Response:
    return problem_of(request, error)


def _of_validation(error: RequestValidationError) -> RapportError:
    found = error.errors()
    if any(part["loc"][0] == "path" for part in found):
        return NotFound()  # a malformed id is an unknown id
    errors = tuple(
        FieldError(
            _pointer(part["loc"]), _PYDANTIC_CODES.get(part["type"], _code(part["type"])), str(part["msg"])[:300]
        )
        for part in found
    )
    special = [e.code for e in errors if e.code in _REFUSED_VALUES and e.code != "validation_failed"]
    return Invalid(special[0] if special else "validation_failed", errors)


def _code(pydantic_type: str) -> str:
    return pydantic_type if pydantic_type in _REFUSED_VALUES else "validation_failed"


def _pointer(location: tuple[Any, ...]) -> str:
    """JSON pointer into the body, or `?name` for a query parameter, `header:name` for a header."""
    kind, *rest = location
    if kind == "body":
        return "".join(f"/{str(part).replace('~', '~0').replace('/', '~1')}" for part in rest)
    return f"?{'/'.join(map(str, rest))}" if kind == "query" else f"{kind}:{'/'.join(map(str, rest))}"
