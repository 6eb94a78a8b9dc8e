"""What the gateway refuses by itself looks like a service's refusal: problem details with a code."""

import base64
import json
import time
from collections.abc import Iterator
from typing import Any

import httpx
import pytest
from joserfc import jwt
from joserfc.jwk import ECKey

from deploy.local.keys import AUDIENCE, ISSUER
from shared.wording import message
from tests.service.deploy.conftest import MAX_BODY_BYTES, REQUESTS_PER_SECOND, TIMEOUT_SECONDS, Gateway

TRACE_ID = "0af7651916cd43dd8448eb211c80319c"


def assert_problem(answer: httpx.Response, status: int, code: str) -> None:
    """All members that the services' problem details have."""
    assert answer.status_code == status
    assert answer.headers["content-type"] == "application/problem+json"
    problem = answer.json()
    assert problem.keys() == {"type", "title", "status", "code", "detail", "errors", "trace_id"}
    assert (problem["status"], problem["code"], problem["errors"]) == (status, code, [])


def claims(**changed: object) -> dict[str, object]:
    """Good claims, with changes; None leaves one out."""
    good = {"iss": ISSUER, "aud": AUDIENCE, "sub": "somebody", "exp": int(time.time()) + 600}
    return {name: value for name, value in {**good, **changed}.items() if value is not None}


def unsigned(content: dict[str, object]) -> str:
    """A token that claims to need no signature."""
    parts = ({"alg": "none", "typ": "JWT"}, content)
    return ".".join(base64.urlsafe_b64encode(json.dumps(part).encode()).decode().rstrip("=") for part in parts) + "."


def header_of(token: str) -> dict[str, Any]:
    """The header names the algorithm and the key."""
    return json.loads(base64.urlsafe_b64decode(token.split(".")[0] + "=="))


def bad_tokens(gateway: Gateway) -> Iterator[str]:
    """Every way in which a token can be no good."""
    sign = gateway.keys.sign
    yield "nonsense"
    yield unsigned(claims())
    yield sign(claims(exp=int(time.time()) - 60))
    yield sign(claims(exp=None))
    yield sign(claims(aud="another"))
    yield sign(claims(aud=None))
    yield sign(claims(iss="https://another.test/"))
    good = gateway.token()
    yield jwt.encode(header_of(good), claims(), ECKey.generate_key("P-256"))
    yield good[:-8] + ("AAAAAAAA" if good[-8:] != "AAAAAAAA" else "BBBBBBBB")


def test_every_bad_token_is_unauthenticated(gateway: Gateway) -> None:
    """R2: missing, unsigned, expired, for others, by others, altered: 401, and never why."""
    answers = [httpx.get(f"{gateway.url}/api/v1/me")]
    for token in bad_tokens(gateway):
        answers.append(httpx.get(f"{gateway.url}/api/v1/me", headers={"Authorization": f"Bearer {token}"}))
    for answer in answers:
        assert_problem(answer, 401, "unauthenticated")
        assert answer.headers["www-authenticate"] == "Bearer"
    assert len({answer.text for answer in answers}) == 1


def test_a_token_in_the_address_is_no_token(gateway: Gateway) -> None:
    """Addresses end up in logs and histories."""
    answer = httpx.get(f"{gateway.url}/api/v1/me", params={"access_token": gateway.token()})
    assert_problem(answer, 401, "unauthenticated")


def test_the_scheme_may_be_written_in_small_letters(gateway: Gateway) -> None:
    """As everywhere in HTTP."""
    answer = httpx.get(f"{gateway.url}/api/v1/me", headers={"Authorization": f"bearer {gateway.token()}"})
    assert answer.status_code == 200


def test_the_largest_body_passes_and_one_byte_more_does_not(client: httpx.Client) -> None:
    """Refused by its announced length."""
    passed = client.post("/api/v1/imports", content=b"x" * MAX_BODY_BYTES)
    assert passed.json()["received"] == MAX_BODY_BYTES
    assert_problem(client.post("/api/v1/imports", content=b"x" * (MAX_BODY_BYTES + 1)), 413, "payload_too_large")


def test_a_body_of_unknown_length_is_cut_at_the_limit(client: httpx.Client) -> None:
    """Chunks are counted as they pass; nothing has to be held back for it."""

    def chunks(count: int) -> Iterator[bytes]:
        for _ in range(count):
            yield b"y" * 10_000

    assert client.post("/api/v1/imports", content=chunks(9)).json()["received"] == 90_000
    assert_problem(client.post("/api/v1/imports", content=chunks(20)), 413, "payload_too_large")


def test_no_token_comes_before_too_large(gateway: Gateway) -> None:
    """A stranger learns nothing of limits, and no byte of theirs is passed on."""
    answer = httpx.post(f"{gateway.url}/api/v1/imports", content=b"x" * (MAX_BODY_BYTES + 1))
    assert_problem(answer, 401, "unauthenticated")


def test_each_employee_has_a_rate_of_their_own(gateway: Gateway) -> None:
    """Whoever asks too often is told to wait; a second token is no second rate, and a colleague is not held up."""
    with httpx.Client(base_url=gateway.url) as client:

        def ask(token: str) -> httpx.Response:
            return client.get("/api/v1/me", headers={"Authorization": f"Bearer {token}"})

        one, another = gateway.keys.token("busy"), gateway.keys.token("busy", ["crm:settings"])
        answers = [(ask(one), ask(another)) for _ in range(REQUESTS_PER_SECOND * 2)]
        for refused in (
            [answer for answer in side if answer.status_code != 200] for side in zip(*answers, strict=True)
        ):
            assert refused
            for answer in refused:
                assert_problem(answer, 429, "rate_limited")
                assert answer.headers["retry-after"] == "1"
        assert ask(gateway.keys.token("colleague")).status_code == 200


def test_a_service_that_is_away_is_unavailable_for_a_moment(client: httpx.Client) -> None:
    """With the hint when to try again."""
    answer = client.post("/api/v1/campaigns", json={})
    assert_problem(answer, 503, "unavailable")
    assert answer.headers["retry-after"] == "1"


def test_a_service_that_does_not_answer_in_time_is_unavailable(client: httpx.Client) -> None:
    """For a client it is the same as one that is away."""
    answer = client.get(f"/api/v1/customers?sleep={TIMEOUT_SECONDS * 2}")
    assert_problem(answer, 503, "unavailable")


@pytest.mark.parametrize(
    ("asked", "language"),
    [
        (None, "vi"),
        ("vi-VN,vi;q=0.9,en;q=0.8", "vi"),
        ("en-US,en;q=0.9", "en"),
        ("en-US,en;q=0.9,vi;q=0.5", "en"),
        ("fr,en;q=0.5", "en"),
        ("ja", "vi"),
    ],
)
def test_refusals_speak_the_clients_language(gateway: Gateway, asked: str | None, language: str) -> None:
    """In the services' own words; Vietnamese for those who ask for neither."""
    answer = httpx.get(f"{gateway.url}/nothing", headers={"Accept-Language": asked} if asked else {})
    assert answer.json()["detail"] == message("not_found", language)


@pytest.mark.parametrize(
    ("traceparent", "trace_id"),
    [
        (f"00-{TRACE_ID}-b7ad6b7169203331-01", TRACE_ID),
        (f"00-{TRACE_ID.upper()}-b7ad6b7169203331-01", "0" * 32),
        ("rubbish", "0" * 32),
        (None, "0" * 32),
    ],
)
def test_a_refusal_names_the_trace_it_belongs_to(gateway: Gateway, traceparent: str | None, trace_id: str) -> None:
    """So that a client's report leads to the logs; what is no trace is not repeated."""
    headers = {"traceparent": traceparent} if traceparent else {}
    assert httpx.get(f"{gateway.url}/nothing", headers=headers).json()["trace_id"] == trace_id
