"""Fills in `envoy.yaml` from the environment: addresses of the services, token keys, limits.

Stands on the standard library alone, since `make up` waits for it. What it prints is checked by Envoy.
"""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from string import Template
from typing import Any
from urllib.parse import unquote, urlsplit

from deploy.gateway.refusals import mappers
from deploy.gateway.routes import RESOURCES, routes

TEMPLATE = Path(__file__).with_name("envoy.yaml")
SERVICE_PORTS = {"customers": 8101, "interactions": 8102, "imports": 8103, "campaigns": 8104}
MEBIBYTE = 1024 * 1024
CERTIFICATE_AUTHORITIES = "/etc/ssl/certs/ca-certificates.crt"
JWKS_CACHE_SECONDS = 300
JWKS_TIMEOUT_SECONDS = 5

# uvicorn closes a connection after five idle seconds. Ours go first, so that no request meets a closing one.
UPSTREAM_IDLE_SECONDS = 4
CONNECT_TIMEOUT_SECONDS = 2

IDENTITY_HEADERS = ("remote-user", "x-actor", "x-role", "x-roles", "x-permissions", "x-tenant")
IDENTITY_PREFIXES = (
    "x-auth",
    "x-client-cert",
    "x-employee",
    "x-forwarded-client-cert",
    "x-forwarded-access-token",
    "x-forwarded-email",
    "x-forwarded-groups",
    "x-forwarded-preferred-username",
    "x-forwarded-user",
    "x-jwt",
    "x-rapport",
    "x-remote-",
    "x-user",
)


@dataclass(frozen=True)
class GatewaySettings:
    """What can be set about the gateway. Variables are these names in capitals after `RAPPORT_GATEWAY_`."""

    host: str = "127.0.0.1"
    port: int = 8080
    admin_port: int = 0
    """Envoy's own metrics and state, on 127.0.0.1 unless `admin_host`; 0 for none."""
    admin_host: str = "127.0.0.1"
    requests_per_second: int = 1_000
    """Of one subject, employee or service; also what it may send at once."""
    max_body_bytes: int = 6 * MEBIBYTE
    max_connections: int = 10_000
    max_heap_bytes: int = 512 * MEBIBYTE
    timeout_seconds: float = 30.0
    """From the end of a request to the end of its answer; streams and files only know the next."""
    stream_idle_seconds: float = 300.0
    upload_timeout_seconds: float = 60.0
    trusted_proxies: int = 0
    cors_origins: tuple[str, ...] = ()
    """Origins of front ends elsewhere (`https://crm.example.com`), separated by commas; `*` for all."""
    jwks_ca: str = CERTIFICATE_AUTHORITIES
    jwks_url: str = ""
    token_issuer: str = ""
    token_audience: str = "rapport"
    upstreams: tuple[tuple[str, str, int], ...] = tuple(
        (name, "127.0.0.1", port) for name, port in SERVICE_PORTS.items()
    )
    """(service, host, port) of the four services."""

    @classmethod
    def load(cls, environment: Mapping[str, str]) -> "GatewaySettings":
        """Read the environment. `RAPPORT_GATEWAY_UPSTREAM_CUSTOMERS=host:port` moves a service.

        Raises ValueError, naming the variable, for a value that cannot be read or keys that are missing.
        """
        given: dict[str, Any] = {
            name: _read(f"RAPPORT_GATEWAY_{name.upper()}", environment, type(getattr(cls, name)))
            for name in cls.__dataclass_fields__
            if f"RAPPORT_GATEWAY_{name.upper()}" in environment
        }
        for name in ("jwks_url", "token_issuer", "token_audience"):
            if value := environment.get(f"RAPPORT_{name.upper()}"):
                given[name] = value
        given["upstreams"] = tuple(_upstream(name, environment) for name in RESOURCES)
        settings = cls(**given)
        for name in ("jwks_url", "token_issuer"):
            if not getattr(settings, name):
                raise ValueError(f"RAPPORT_{name.upper()} is not set")
        return settings


def render(settings: GatewaySettings) -> str:
    """The complete configuration, as Envoy reads it."""
    values: dict[str, Any] = {
        "admin": _admin(settings),
        "host": settings.host,
        "port": settings.port,
        "max_connections": settings.max_connections,
        "max_heap_bytes": settings.max_heap_bytes,
        "trusted_proxies": settings.trusted_proxies,
        "upload_timeout": f"{settings.upload_timeout_seconds:g}s",
        "refusals": mappers(),
        "token_issuer": settings.token_issuer,
        "token_audience": settings.token_audience,
        "requests_per_second": settings.requests_per_second,
        "max_body_bytes": settings.max_body_bytes,
        "stripped_headers": _stripped_headers(),
        "cors_origins": [_origin(origin) for origin in settings.cors_origins],
        "routes": routes(settings.timeout_seconds, settings.stream_idle_seconds),
        "clusters": _clusters(settings),
    }
    filled = {name: json.dumps(value, ensure_ascii=False) for name, value in values.items()}
    # The one placeholder that stands for a field and its value: keys lie in a file or behind an address.
    filled["jwks"] = json.dumps(_jwks(settings))[1:-1]
    return Template(TEMPLATE.read_text()).substitute(filled)


def _jwks(settings: GatewaySettings) -> dict[str, Any]:
    address = urlsplit(settings.jwks_url)
    if address.scheme == "file":
        return {"local_jwks": {"filename": unquote(address.path)}}
    return {
        "remote_jwks": {
            "http_uri": {
                "uri": settings.jwks_url,
                "cluster": "jwks",
                "timeout": f"{JWKS_TIMEOUT_SECONDS}s",
            },
            "cache_duration": f"{JWKS_CACHE_SECONDS}s",
            "async_fetch": {"fast_listener": False},
        }
    }


def _clusters(settings: GatewaySettings) -> list[dict[str, Any]]:
    clusters = [_cluster(name, host, port) for name, host, port in settings.upstreams]
    address = urlsplit(settings.jwks_url)
    if address.scheme == "file":
        return clusters
    secure = address.scheme == "https"
    host = address.hostname or ""
    keys = _cluster("jwks", host, address.port or (443 if secure else 80))
    if secure:
        keys["transport_socket"] = {
            "name": "envoy.transport_sockets.tls",
            "typed_config": {
                "@type": "type.googleapis.com/envoy.extensions.transport_sockets.tls.v3.UpstreamTlsContext",
                "sni": host,
                "common_tls_context": {
                    "validation_context": {
                        "trusted_ca": {"filename": settings.jwks_ca},
                        "match_typed_subject_alt_names": [{"san_type": "DNS", "matcher": {"exact": host}}],
                    }
                },
            },
        }
    return [*clusters, keys]


def _cluster(name: str, host: str, port: int) -> dict[str, Any]:
    options = "envoy.extensions.upstreams.http.v3.HttpProtocolOptions"
    endpoint = {"address": {"socket_address": {"address": host, "port_value": port}}}
    return {
        "name": name,
        "type": "STRICT_DNS",
        "connect_timeout": f"{CONNECT_TIMEOUT_SECONDS}s",
        "load_assignment": {
            "cluster_name": name,
            "endpoints": [{"lb_endpoints": [{"endpoint": endpoint}]}],
        },
        "typed_extension_protocol_options": {
            options: {
                "@type": f"type.googleapis.com/{options}",
                "common_http_protocol_options": {"idle_timeout": f"{UPSTREAM_IDLE_SECONDS}s"},
                "explicit_http_config": {"http_protocol_options": {}},
            }
        },
    }


def _admin(settings: GatewaySettings) -> dict[str, Any]:
    if not settings.admin_port:
        return {}
    address = {"address": settings.admin_host, "port_value": settings.admin_port}
    return {"address": {"socket_address": address}}


def _stripped_headers() -> list[dict[str, Any]]:
    return [
        *({"remove": name} for name in IDENTITY_HEADERS),
        *({"remove_on_match": {"key_matcher": {"prefix": prefix}}} for prefix in IDENTITY_PREFIXES),
    ]


def _origin(origin: str) -> dict[str, Any]:
    return {"safe_regex": {"regex": ".*"}} if origin == "*" else {"exact": origin}


def _upstream(service: str, environment: Mapping[str, str]) -> tuple[str, str, int]:
    variable = f"RAPPORT_GATEWAY_UPSTREAM_{service.upper()}"
    port = environment.get(f"RAPPORT_{service.upper()}_PORT", str(SERVICE_PORTS[service]))
    host, _, port = environment.get(variable, f"127.0.0.1:{port}").rpartition(":")
    if not host or not port.isdecimal():
        raise ValueError(f"{variable} is not host:port")
    return service, host, int(port)


def _read(variable: str, environment: Mapping[str, str], kind: type) -> Any:
    value = environment[variable].strip()
    if kind is tuple:
        return tuple(part.strip() for part in value.split(",") if part.strip())
    try:
        return kind(value)
    except ValueError:
        raise ValueError(f"{variable} is not a number: {value!r}") from None
