"""A signing key of this machine, and tokens signed with it: the identity provider of `make up` and the tests.

In deployments the company's identity provider signs, and nothing here is used.
"""

import base64
import json
import os
import secrets
import time
from collections.abc import Mapping, Sequence
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

if TYPE_CHECKING:
    from joserfc.jwk import ECKey

ISSUER = "https://rapport.localhost/development"
AUDIENCE = "rapport"
TOKEN_LIFE_SECONDS = 12 * 3600

ADMINISTRATOR_ID = "01900000-0000-7000-8000-000000000001"
ADMINISTRATOR_NAME = "Quản trị viên"
ADMINISTRATOR_CODE = "ADMIN"
ADMINISTRATOR_PERMISSIONS = (
    "customers:view_all",
    "customers:edit_all",
    "customers:delete",
    "customers:download",
    "customers:import",
    "customers:erase",
    "crm:settings",
    "directory:manage",
    "campaigns:manage",
)


class DevelopmentKeys:
    """The keys that lie in `directory`, made when first needed. Tokens stay good as long as they are kept."""

    def __init__(self, directory: Path) -> None:
        self._directory = directory

    @cached_property
    def jwks_url(self) -> str:
        """Where services and gateway find the public key: a `file://` address."""
        file = self._directory / "jwks.json"
        public = json.dumps({"keys": [self._key.as_dict(private=False)]})
        if not file.exists() or file.read_text() != public:
            file.write_text(public)
        return file.resolve().as_uri()

    @cached_property
    def cursor_key(self) -> str:
        """The key that signs page cursors: 32 bytes in base64url."""
        file = self._directory / "cursor.key"
        if not file.exists():
            _write_secret(file, base64.urlsafe_b64encode(secrets.token_bytes(32)))
        return file.read_text()

    def token(
        self,
        subject: str = ADMINISTRATOR_ID,
        permissions: Sequence[str] = (),
        kind: Literal["employee", "service"] = "employee",
        life_seconds: int = TOKEN_LIFE_SECONDS,
    ) -> str:
        """A signed token. `subject` is an employee's id, or any name of a service."""
        now = int(time.time())
        return self.sign(
            {
                "iss": ISSUER,
                "aud": AUDIENCE,
                "sub": subject,
                "kind": kind,
                "permissions": list(permissions),
                "iat": now,
                "exp": now + life_seconds,
            }
        )

    def sign(self, claims: Mapping[str, Any]) -> str:
        """Any claims at all, signed: also those that no verifier may accept."""
        # Loaded here: the commands that sign nothing start a quarter of a second sooner.
        from joserfc import jwt

        return jwt.encode({"alg": "ES256", "kid": self._key.kid}, dict(claims), self._key)

    def administrator_token(self) -> str:
        """A token of the one employee of a fresh system, with every permission an employee can have."""
        return self.token(ADMINISTRATOR_ID, ADMINISTRATOR_PERMISSIONS)

    @cached_property
    def _key(self) -> "ECKey":
        from joserfc.jwk import ECKey

        file = self._directory / "signing.json"
        if not file.exists():
            made = ECKey.generate_key("P-256", {"use": "sig", "alg": "ES256"}, auto_kid=True)
            _write_secret(file, json.dumps(made.as_dict(private=True)).encode())
        return ECKey.import_key(json.loads(file.read_text()))


def _write_secret(file: Path, content: bytes) -> None:
    """Write a file that only its owner may read, complete or not at all."""
    file.parent.mkdir(parents=True, exist_ok=True)
    unfinished = file.with_suffix(f".{os.getpid()}")
    unfinished.touch(mode=0o600)
    unfinished.write_bytes(content)
    unfinished.rename(file)
