"""Who is asking: verified tokens, permissions, and on whose behalf work is done. No framework.

A token is verified once and its claims are kept by its hash until it expires, since a signature
costs about 0.14 ms. Whether the employee is active and whom they see is the directory's to say
(`directory.py`); this module trusts nothing but the signature, issuer, audience and times (R2).
"""

import hashlib
import json
import time
import urllib.request
from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Literal, Protocol, TypeGuard
from uuid import UUID

from joserfc import jwt
from joserfc.errors import JoseError
from joserfc.jwk import KeySet

from shared.contracts.events import ActorKind, ActorReference
from shared.errors import Forbidden, Unauthenticated

ALGORITHMS = ["RS256", "ES256"]
CLOCK_SKEW_SECONDS = 5
MAX_CACHED_TOKENS = 10_000
MAX_TOKEN_BYTES = 8_192
JWKS_REFRESH_SECONDS = 300
JWKS_TIMEOUT_SECONDS = 5

VIEW_ALL = "customers:view_all"
EDIT_ALL = "customers:edit_all"
DELETE = "customers:delete"
DOWNLOAD = "customers:download"
IMPORT = "customers:import"
ERASE = "customers:erase"
SETTINGS = "crm:settings"
MANAGE_DIRECTORY = "directory:manage"
MANAGE_CAMPAIGNS = "campaigns:manage"
INGEST_INTERACTIONS = "interactions:ingest"
WRITE_DOCUMENTS = "documents:write"


@dataclass(frozen=True)
class Identity:
    """What a valid token says: the subject, its kind and its permissions."""

    subject: str
    kind: Literal["employee", "service"]
    permissions: frozenset[str]


@dataclass(frozen=True)
class Actor:
    """On whose behalf something is done, and whose customers they see beside their own (A2).

    `employee_id` is None for services and the system. `reach` are the employees whose customers the
    actor may see and change as their superior: themselves and everybody below them.
    """

    kind: ActorKind
    id: str
    permissions: frozenset[str] = frozenset()
    employee_id: UUID | None = None
    reach: tuple[UUID, ...] = ()

    def may(self, permission: str) -> bool:
        """Whether the actor holds a permission."""
        return permission in self.permissions

    def require(self, permission: str) -> None:
        """Raises Forbidden without the permission."""
        if permission not in self.permissions:
            raise Forbidden({"permission": permission})

    @property
    def sees_everything(self) -> bool:
        """Whether no customer is hidden from the actor."""
        return self.kind == "system" or VIEW_ALL in self.permissions

    def reference(self) -> ActorReference:
        """The actor as work carries them, with a snapshot of their permissions (R2)."""
        return ActorReference(kind=self.kind, id=self.id, permissions=tuple(sorted(self.permissions)))


SYSTEM = Actor(kind="system", id="system")
"""Acts where nobody asked: consumers and jobs."""


class KeySource(Protocol):
    """Where the identity provider's public keys come from."""

    def __call__(self) -> KeySet: ...


def keys_at(url: str) -> KeySource:
    """Public keys at a JWKS address (`https://…` or `file://…`), read again when a key is unknown."""

    def load() -> KeySet:
        with urllib.request.urlopen(url, timeout=JWKS_TIMEOUT_SECONDS) as answer:
            return KeySet.import_key_set(json.loads(answer.read(1_000_000)))

    return load


class TokenVerifier:
    """Checks tokens: RS256 or ES256, issuer, audience, times, and a bounded life (R2).

    `max_life_seconds` refuses tokens that live longer than the deployment allows (15 minutes).
    """

    def __init__(
        self,
        keys: KeySource,
        issuer: str,
        audience: str,
        max_life_seconds: int,
        now: Callable[[], float] = time.time,
    ) -> None:
        self._load, self._issuer, self._audience = keys, issuer, audience
        self._max_life_seconds, self._now = max_life_seconds, now
        self._keys: KeySet | None = None
        self._loaded_at = 0.0
        self._seen: OrderedDict[bytes, tuple[float, Identity]] = OrderedDict()

    def verify(self, token: str) -> Identity:
        """The identity of a token. Raises Unauthenticated, which never says why."""
        digest = hashlib.sha256(token.encode("utf-8", "replace")).digest()
        known = self._seen.get(digest)
        if known is not None and known[0] > self._now():
            return known[1]
        if len(token) > MAX_TOKEN_BYTES:
            raise Unauthenticated
        claims = self._claims(token)
        identity = self._identity(claims)
        self._seen[digest] = (claims["exp"] + CLOCK_SKEW_SECONDS, identity)
        if len(self._seen) > MAX_CACHED_TOKENS:
            self._seen.popitem(last=False)
        return identity

    def _claims(self, token: str) -> dict[str, Any]:
        try:
            return self._decode(token)
        except (JoseError, ValueError, TypeError, KeyError):
            if self._now() - self._loaded_at < JWKS_REFRESH_SECONDS:
                raise Unauthenticated from None
        self._keys = None  # the provider may have rotated its keys since
        try:
            return self._decode(token)
        except (JoseError, ValueError, TypeError, KeyError):
            raise Unauthenticated from None

    def _decode(self, token: str) -> dict[str, Any]:
        if self._keys is None:
            self._keys, self._loaded_at = self._load(), self._now()
        return dict(jwt.decode(token, self._keys, algorithms=ALGORITHMS).claims)

    def _identity(self, claims: dict[str, Any]) -> Identity:
        now = self._now()
        expires, issued = claims.get("exp"), claims.get("iat")
        audience = claims.get("aud")
        audiences = audience if isinstance(audience, list) else [audience]
        kind = claims.get("kind", "employee")
        subject, permissions = claims.get("sub"), claims.get("permissions", [])
        valid = (
            claims.get("iss") == self._issuer
            and self._audience in audiences
            and _is_time(expires)
            and expires > now - CLOCK_SKEW_SECONDS
            and (issued is None or (_is_time(issued) and issued <= now + CLOCK_SKEW_SECONDS))
            and expires - max(issued or now, now - self._max_life_seconds)
            <= self._max_life_seconds + CLOCK_SKEW_SECONDS
            and (claims.get("nbf") is None or (_is_time(claims["nbf"]) and claims["nbf"] <= now + CLOCK_SKEW_SECONDS))
            and isinstance(subject, str)
            and 0 < len(subject) <= 200
            and subject.isprintable()
            and kind in ("employee", "service")
            and isinstance(permissions, list)
            and all(isinstance(permission, str) for permission in permissions)
        )
        if not valid:
            raise Unauthenticated
        return Identity(str(subject), kind, frozenset(permissions))


def _is_time(value: Any) -> TypeGuard[float]:
    return isinstance(value, int | float) and not isinstance(value, bool) and abs(value) < 1e11
