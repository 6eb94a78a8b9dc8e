"""The gateway's configuration holds what was set, and nothing is left open in it."""

from typing import Any

import pytest
import yaml

from deploy.gateway.rendering import GatewaySettings, render
from deploy.gateway.routes import RESOURCES

REQUIRED = {"RAPPORT_JWKS_URL": "file:///keys/jwks.json", "RAPPORT_TOKEN_ISSUER": "https://login.test/"}


def configuration(**given: str) -> dict[str, Any]:
    """The rendered configuration, parsed."""
    return yaml.safe_load(render(GatewaySettings.load(REQUIRED | given)))


def connections(rendered: dict[str, Any]) -> dict[str, Any]:
    """The part that receives requests."""
    (listener,) = rendered["static_resources"]["listeners"]
    return listener["filter_chains"][0]["filters"][0]["typed_config"]


def filter_named(rendered: dict[str, Any], name: str) -> dict[str, Any]:
    """The settings of one filter."""
    return next(
        each["typed_config"]
        for each in connections(rendered)["http_filters"]
        if each["name"] == f"envoy.filters.http.{name}"
    )


def addresses(rendered: dict[str, Any]) -> dict[str, str]:
    """Where each cluster lies, as host:port."""
    found: dict[str, str] = {}
    for cluster in rendered["static_resources"]["clusters"]:
        endpoint = cluster["load_assignment"]["endpoints"][0]["lb_endpoints"][0]["endpoint"]
        place = endpoint["address"]["socket_address"]
        found[cluster["name"]] = f"{place['address']}:{place['port_value']}"
    return found


def test_services_are_on_this_machine_unless_moved() -> None:
    """A port moves with the service's own variable, a host with the gateway's."""
    found = addresses(
        configuration(RAPPORT_IMPORTS_PORT="9103", RAPPORT_GATEWAY_UPSTREAM_CUSTOMERS="customers.internal:80")
    )
    assert found == {
        "customers": "customers.internal:80",
        "interactions": "127.0.0.1:8102",
        "imports": "127.0.0.1:9103",
        "campaigns": "127.0.0.1:8104",
    }


def test_limits_are_settings() -> None:
    """Rate, size, connections and time, each where Envoy looks for it."""
    rendered = configuration(
        RAPPORT_GATEWAY_REQUESTS_PER_SECOND="7",
        RAPPORT_GATEWAY_MAX_BODY_BYTES="1000",
        RAPPORT_GATEWAY_MAX_CONNECTIONS="11",
        RAPPORT_GATEWAY_TIMEOUT_SECONDS="2.5",
    )
    (bucket,) = filter_named(rendered, "local_ratelimit")["descriptors"]
    assert bucket["token_bucket"] == {"max_tokens": 7, "tokens_per_fill": 7, "fill_interval": "1s"}
    assert filter_named(rendered, "body_size_limit")["max_request_bytes"] == 1000
    monitor = rendered["overload_manager"]["resource_monitors"][0]["typed_config"]
    assert monitor["max_active_downstream_connections"] == 11
    plain = connections(rendered)["route_config"]["virtual_hosts"][0]["routes"][-1]
    assert plain["route"]["timeout"] == "2.5s"


def test_keys_come_from_a_file_or_an_address() -> None:
    """A remote key set gets a verified connection of its own."""
    local = filter_named(configuration(), "jwt_authn")["providers"]["identity"]
    assert local["local_jwks"] == {"filename": "/keys/jwks.json"}
    rendered = configuration(RAPPORT_JWKS_URL="https://login.test/keys")
    assert filter_named(rendered, "jwt_authn")["providers"]["identity"]["remote_jwks"]["http_uri"]["cluster"] == "jwks"
    assert addresses(rendered)["jwks"] == "login.test:443"
    assert rendered["static_resources"]["clusters"][-1]["transport_socket"]["name"] == "envoy.transport_sockets.tls"


def test_no_front_end_from_elsewhere_unless_named() -> None:
    """Without the setting no origin is allowed."""

    def origins(**given: str) -> list[Any]:
        host = connections(configuration(**given))["route_config"]["virtual_hosts"][0]
        return host["typed_per_filter_config"]["envoy.filters.http.cors"]["allow_origin_string_match"]

    assert origins() == []
    assert origins(RAPPORT_GATEWAY_CORS_ORIGINS="http://a.test, http://b.test") == [
        {"exact": "http://a.test"},
        {"exact": "http://b.test"},
    ]


def test_each_resource_has_one_owner() -> None:
    """A resource named twice would silently go to the first."""
    names = [name for resources in RESOURCES.values() for name in resources]
    assert len(names) == len(set(names))


@pytest.mark.parametrize(
    ("given", "complaint"),
    [
        ({"RAPPORT_TOKEN_ISSUER": ""}, "RAPPORT_TOKEN_ISSUER is not set"),
        ({"RAPPORT_GATEWAY_PORT": "http"}, "RAPPORT_GATEWAY_PORT is not a number: 'http'"),
        ({"RAPPORT_GATEWAY_UPSTREAM_IMPORTS": "imports"}, "RAPPORT_GATEWAY_UPSTREAM_IMPORTS is not host:port"),
    ],
)
def test_a_setting_that_cannot_be_read_is_named(given: dict[str, str], complaint: str) -> None:
    """Instead of Envoy's refusal of a whole file."""
    with pytest.raises(ValueError, match=complaint):
        configuration(**given)
