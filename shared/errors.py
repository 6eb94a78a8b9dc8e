"""What can go wrong for a caller, as small classes with a stable code.

An error knows ids and its code, never a transport: `http.py` alone chooses HTTP statuses, and
`messaging.py` alone chooses between retry and dead letter. Messages for people are in `wording.py`.
"""

from dataclasses import dataclass, field
from uuid import UUID


@dataclass(frozen=True)
class FieldError:
    """One thing wrong with a request: where (JSON pointer), which code, and words for a developer."""

    pointer: str
    code: str
    detail: str = ""


@dataclass
class RapportError(Exception):
    """Refusal of a request; nothing was changed. `parameters` fill the message's gaps."""

    parameters: dict[str, str] = field(default_factory=dict)
    errors: tuple[FieldError, ...] = ()

    code = "validation_failed"

    def __str__(self) -> str:
        return f"{self.code} {self.parameters or ''}".strip()

    __hash__ = Exception.__hash__


class Unauthenticated(RapportError):
    """No valid token."""

    code = "unauthenticated"


class Forbidden(RapportError):
    """The actor sees the record but may not do this to it (R1)."""

    code = "forbidden"


class InactiveEmployee(RapportError):
    """The token's or the named employee is unknown or no longer active (A6)."""

    code = "inactive_employee"

    def __init__(self, employee_id: UUID | str | None = None) -> None:
        super().__init__({"employee_id": str(employee_id)} if employee_id else {})


class NotFound(RapportError):
    """Unknown, deleted or invisible to the actor: the same answer for all three (A2)."""

    code = "not_found"


class VersionConflict(RapportError):
    """`If-Match` names another version than the stored one."""

    code = "version_conflict"


class Conflict(RapportError):
    """The stored state does not allow this; `code` says which rule."""

    code = "conflict"

    def __init__(self, code: str, parameters: dict[str, str] | None = None) -> None:
        super().__init__(parameters or {})
        self.code = code


class Invalid(RapportError):
    """The request's content is wrong; `errors` say where."""

    code = "validation_failed"

    def __init__(self, code: str = "validation_failed", errors: tuple[FieldError, ...] = (), **parameters: str) -> None:
        super().__init__(parameters, errors)
        self.code = code

    @classmethod
    def at(cls, pointer: str, code: str = "validation_failed", detail: str = "") -> "Invalid":
        """One field is wrong."""
        return cls(code, (FieldError(pointer, code, detail),))


class TooLarge(RapportError):
    """The body is larger than the service takes."""

    code = "payload_too_large"


class UnsupportedFile(RapportError):
    """The upload is not a file of a supported kind."""

    code = "unsupported_file"


class RateLimited(RapportError):
    """Too many requests of one kind in the time allowed."""

    code = "rate_limited"


class Unavailable(RapportError):
    """A part the service needs (database, broker) is away for now; trying again may help."""

    code = "unavailable"


class SchemaTooOld(Exception):
    """The database's schema is older than the code: run `migrate` first."""
