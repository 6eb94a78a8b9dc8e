"""Every resource reaches its service, nothing else is reached, and what passes is unchanged."""

import threading

import httpx
import pytest

from deploy.gateway.rendering import GatewaySettings
from tests.service.deploy.conftest import FRONT_END, TIMEOUT_SECONDS, Gateway

TRACEPARENT = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"

OWNERS = {
    "customers": (
        "/me /settings /customers /customers/search /customers/1/manager /customers/1/audit /customers/assign"
        " /assignments/1 /selections /groups /sources/effectiveness /relationships /sectors /employees/1/deactivate"
        " /views /exports/1/file /exports/1 /erasures/1"
    ),
    "interactions": (
        "/interactions /interactions/facts /interaction-summaries/1/explanation /comments/read /unread-comments"
        " /tasks/1/complete /documents /care-schedules/1/activities/2 /customers/1/interactions/audit"
    ),
    "imports": "/imports /imports/template /imports/1/rows /imports/1/result-file /import-mappings /contact-syncs/1",
}


@pytest.mark.parametrize("service", OWNERS)
def test_each_resource_reaches_its_owner(client: httpx.Client, service: str) -> None:
    """A front end sees one API; the gateway knows who serves what."""
    for path in OWNERS[service].split():
        answer = client.get(f"/api/v1{path}?limit=1")
        assert answer.status_code == 200, path
        assert answer.json()["service"] == service, path
        assert answer.json()["path"] == f"/api/v1{path}?limit=1"


def test_campaigns_resources_belong_to_the_service_that_is_away(client: httpx.Client) -> None:
    """503 and not 404: the route is there, its service is not."""
    resources = "campaigns campaign-removals/1 opportunities/1/owner opportunity-batches/1 distributions/1 automations"
    for path in resources.split():
        assert client.get(f"/api/v1/{path}").status_code == 503, path


@pytest.mark.parametrize(
    "path",
    [
        "/metrics",
        "/health/ready",
        "/health/live",
        "/openapi.json",
        "/",
        "/api/v1",
        "/api/v1/nothing",
        "/api/v1/customersx",
        "/api/v1/metrics",
        "/api/v2/customers",
        "/api/v1/customers/../../../metrics",
        "/api/v1/customers/%2e%2e/%2e%2e/%2e%2e/health/ready",
    ],
)
def test_what_is_no_resource_is_not_found(client: httpx.Client, path: str) -> None:
    """Operators' paths are not routed from outside, whatever way leads to them."""
    assert client.build_request("GET", path).url.raw_path.decode().startswith("/")
    answer = client.get(path)
    assert answer.status_code == 404
    assert answer.json()["code"] == "not_found"


def test_operators_paths_are_not_found_without_a_token_either(gateway: Gateway) -> None:
    """Nobody learns from a 401 that there is something behind them."""
    assert httpx.get(f"{gateway.url}/metrics").status_code == 404


def test_a_path_that_hides_a_slash_is_refused(client: httpx.Client) -> None:
    """A service might read it as another path than the gateway did."""
    answer = client.get("/api/v1/customers%2f..%2f..%2fmetrics")
    assert (answer.status_code, answer.json()["code"]) == (400, "validation_failed")


def test_who_somebody_is_says_the_token_alone(client: httpx.Client) -> None:
    """R2: headers that claim an identity never reach a service; the token and the trace do."""
    claims = {
        "X-User-Id": "admin",
        "X_User_Id": "admin",
        "X-Employee-Id": "1",
        "X-Forwarded-User": "admin",
        "X-Forwarded-Email": "a@b.test",
        "X-Auth-Request-User": "admin",
        "X-JWT-Payload": "e30",
        "X-Permissions": "crm:settings",
        "X-Rapport-Actor": "admin",
        "Remote-User": "admin",
    }
    headers = client.get("/api/v1/me", headers={**claims, "traceparent": TRACEPARENT}).json()["headers"]
    assert not set(headers) & {name.lower() for name in claims}
    assert "admin" not in headers.values()
    assert headers["authorization"] == client.headers["authorization"]
    assert headers["traceparent"] == TRACEPARENT


def test_the_services_own_headers_pass(client: httpx.Client) -> None:
    """What clients say to the services by header arrives."""
    sent = {
        "idempotency-key": "k1",
        "if-match": '"3"',
        "wait-for": "0192:7",
        "accept-language": "vi",
        "last-event-id": "9",
    }
    assert sent.items() <= client.get("/api/v1/customers", headers=sent).json()["headers"].items()


def test_progress_is_streamed_event_by_event_and_not_cut(gateway: Gateway, client: httpx.Client) -> None:
    """The first event arrives before the second exists, and a stream outlives the limit of plain answers."""
    service = gateway.services["imports"]
    with client.stream("GET", "/api/v1/imports/1/events") as answer:
        chunks = answer.iter_bytes()
        assert next(chunks) == b"data: first\n\n"
        threading.Timer(TIMEOUT_SECONDS * 2, service.released.set).start()
        assert next(chunks) == b"data: second\n\n"


def test_a_front_end_that_was_named_may_ask_and_read(gateway: Gateway, client: httpx.Client) -> None:
    """Preflights need no token; answers and refusals alike can be read by the front end."""
    asked = {"Origin": FRONT_END, "Access-Control-Request-Method": "PATCH"}
    preflight = httpx.options(f"{gateway.url}/api/v1/customers/1", headers=asked)
    assert preflight.status_code == 200
    assert preflight.headers["access-control-allow-origin"] == FRONT_END
    assert "PATCH" in preflight.headers["access-control-allow-methods"]
    assert {"authorization", "if-match", "idempotency-key", "wait-for"} <= set(
        preflight.headers["access-control-allow-headers"].split(", ")
    )
    answer = client.get("/api/v1/customers", headers={"Origin": FRONT_END})
    assert answer.headers["access-control-allow-origin"] == FRONT_END
    assert "etag" in answer.headers["access-control-expose-headers"].split(", ")
    refusal = httpx.get(f"{gateway.url}/api/v1/customers", headers={"Origin": FRONT_END})
    assert (refusal.status_code, refusal.headers["access-control-allow-origin"]) == (401, FRONT_END)


def test_a_front_end_from_elsewhere_is_not_let_in(gateway: Gateway) -> None:
    """Without the header the browser keeps the answer from it."""
    asked = {"Origin": "https://evil.test", "Access-Control-Request-Method": "GET"}
    assert "access-control-allow-origin" not in httpx.options(f"{gateway.url}/api/v1/me", headers=asked).headers


def test_the_timeout_of_plain_answers_is_that_of_the_services() -> None:
    """The gateway must not give up before a service does, which by default is after 30 seconds."""
    assert GatewaySettings().timeout_seconds >= 30
