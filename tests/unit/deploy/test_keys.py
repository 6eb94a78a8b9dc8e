"""Tokens of this machine's key: what they say, and that they stay good."""

import json
import urllib.request
from pathlib import Path
from uuid import UUID

import pytest

from deploy.local import __main__ as command_line
from deploy.local.keys import ADMINISTRATOR_ID, AUDIENCE, ISSUER, DevelopmentKeys
from services.customers.domain.employee import FIRST_EMPLOYEE_ID
from shared.errors import Unauthenticated
from shared.identity import TokenVerifier, keys_at


def verifier(keys: DevelopmentKeys) -> TokenVerifier:
    """What a service makes of the same settings."""
    return TokenVerifier(keys_at(keys.jwks_url), ISSUER, AUDIENCE, max_life_seconds=43_200)


def test_services_accept_the_administrators_token_with_every_permission(tmp_path: Path) -> None:
    """R2: the services' own check accepts what `make up` prints."""
    keys = DevelopmentKeys(tmp_path)
    identity = verifier(keys).verify(keys.administrator_token())
    assert identity.subject == ADMINISTRATOR_ID
    assert identity.kind == "employee"
    assert len(identity.permissions) == 9


def test_the_administrator_is_the_first_employee_of_a_fresh_system() -> None:
    """Whoever makes the first employee without naming an id makes the one whom `make token` speaks for."""
    assert UUID(ADMINISTRATOR_ID) == FIRST_EMPLOYEE_ID


def test_a_token_stays_good_for_whoever_loads_the_keys_later(tmp_path: Path) -> None:
    """A restart makes no new key."""
    token = DevelopmentKeys(tmp_path).token("somebody", ["a", "b"], "service")
    identity = verifier(DevelopmentKeys(tmp_path)).verify(token)
    assert (identity.subject, identity.kind, identity.permissions) == ("somebody", "service", {"a", "b"})


def test_a_key_of_another_machine_is_refused(tmp_path: Path) -> None:
    """R2: everybody signs with a key of their own."""
    with pytest.raises(Unauthenticated):
        verifier(DevelopmentKeys(tmp_path / "ours")).verify(DevelopmentKeys(tmp_path / "theirs").token())


def test_only_the_public_half_is_published_and_secrets_are_the_owners(tmp_path: Path) -> None:
    """Neither the key set nor another user of the machine learns the signing key."""
    keys = DevelopmentKeys(tmp_path)
    with urllib.request.urlopen(keys.jwks_url) as answer:
        (published,) = json.load(answer)["keys"]
    assert "d" not in published
    assert len(keys.cursor_key) == 44
    for secret in ("signing.json", "cursor.key"):
        assert (tmp_path / secret).stat().st_mode & 0o077 == 0


@pytest.mark.parametrize(
    ("arguments", "subject", "kind", "permissions"),
    [
        (["sub=0192"], "0192", "employee", set()),
        (
            ["sub=0192", "permissions=crm:settings directory:manage"],
            "0192",
            "employee",
            {"crm:settings", "directory:manage"},
        ),
        (["sub=erp", "kind=service", "permissions=documents:write"], "erp", "service", {"documents:write"}),
        (["permissions="], ADMINISTRATOR_ID, "employee", set()),
    ],
)
def test_the_command_makes_the_token_that_was_asked_for(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    arguments: list[str],
    subject: str,
    kind: str,
    permissions: set[str],
) -> None:
    """`sub` without `permissions` has none; the token is all that is printed."""
    monkeypatch.setattr(command_line.LocalSettings, "load", lambda: local_settings(tmp_path, {}))
    command_line.main(["token", *arguments])
    identity = verifier(DevelopmentKeys(tmp_path / ".local" / "keys")).verify(capsys.readouterr().out.rstrip("\n"))
    assert (identity.subject, identity.kind, identity.permissions) == (subject, kind, permissions)


@pytest.mark.parametrize(
    ("arguments", "given", "line"),
    [
        (["kind=service"], {}, "A service's token needs its name. Give sub=<name>."),
        (["kind=robot"], {}, "'robot' is not a kind of token. Give kind=employee or kind=service."),
        (["someone"], {}, "'someone' is not understood. Give sub=…, permissions=\"a b\", kind=…"),
        (
            [],
            {"RAPPORT_JWKS_URL": "https://login.test/keys"},
            "Tokens come from the identity provider at https://login.test/keys."
            " Ask it for one, or unset RAPPORT_JWKS_URL.",
        ),
    ],
)
def test_a_token_that_cannot_be_made_is_refused_in_one_line(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, arguments: list[str], given: dict[str, str], line: str
) -> None:
    """No trace of calls reaches the terminal."""
    monkeypatch.setattr(command_line.LocalSettings, "load", lambda: local_settings(tmp_path, given))
    with pytest.raises(SystemExit) as ended:
        command_line.main(["token", *arguments])
    assert ended.value.code == line


_load = command_line.LocalSettings.load


def local_settings(project: Path, environment: dict[str, str]) -> command_line.LocalSettings:
    """Settings that see neither this process's environment nor its checkout."""
    return _load(project, environment)
