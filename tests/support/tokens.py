"""Tokens for tests: a key of their own, the claims as an identity provider would sign them."""

import json
import time
from collections.abc import Sequence
from functools import cache
from pathlib import Path
from typing import Any
from uuid import UUID

from joserfc import jwt
from joserfc.jwk import ECKey, KeySet

from shared.identity import TokenVerifier

ISSUER = "https://identity.test"
AUDIENCE = "rapport"
LIFE_SECONDS = 600


@cache
def signing_key() -> ECKey:
    """The test run's signing key."""
    return ECKey.generate_key("P-256", {"kid": "test", "use": "sig", "alg": "ES256"})


def jwks() -> dict[str, Any]:
    """The public half, as a provider publishes it."""
    return dict(KeySet([signing_key()]).as_dict(private=False))


def write_jwks(path: Path) -> str:
    """Publish the keys in a file; answers its address."""
    path.write_text(json.dumps(jwks()))
    return path.as_uri()


def verifier(max_life_seconds: int = 900) -> TokenVerifier:
    """A verifier that trusts the test key."""
    return TokenVerifier(lambda: KeySet.import_key_set(jwks()), ISSUER, AUDIENCE, max_life_seconds)  # pyright: ignore[reportArgumentType]  # joserfc's own type is narrower than what it takes


def token(subject: UUID | str, permissions: Sequence[str] = (), kind: str = "employee", **claims: Any) -> str:
    """A signed token; `claims` replace or add."""
    now = int(time.time())
    content = {
        "iss": ISSUER,
        "aud": AUDIENCE,
        "sub": str(subject),
        "kind": kind,
        "permissions": list(permissions),
        "iat": now,
        "exp": now + LIFE_SECONDS,
        **claims,
    }
    return jwt.encode({"alg": "ES256", "kid": "test"}, content, signing_key())
