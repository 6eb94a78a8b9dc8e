"""Which service serves which resource of `/api/v1`. What is not named here cannot be reached from outside.

The gateway knows resources, never methods or single paths, except where an answer may take long or another
service serves it.
"""

from typing import Any

PREFIX = "/api/v1"

RESOURCES: dict[str, tuple[str, ...]] = {
    "customers": (
        "me",
        "settings",
        "customers",
        "assignments",
        "selections",
        "groups",
        "sources",
        "relationships",
        "sectors",
        "employees",
        "views",
        "exports",
        "erasures",
    ),
    "interactions": (
        "interactions",
        "interaction-summaries",
        "comments",
        "unread-comments",
        "tasks",
        "documents",
        "care-schedules",
    ),
    "imports": ("imports", "import-mappings", "contact-syncs"),
    "campaigns": (
        "campaigns",
        "campaign-removals",
        "opportunities",
        "opportunity-batches",
        "distributions",
        "automations",
    ),
}

# What one service serves below a resource of another.
PARTS: dict[str, tuple[str, ...]] = {"interactions": ("customers/[^/]+/interactions/audit",)}

# Answers that go on for as long as somebody reads: progress as server-sent events, and files.
STREAMS: dict[str, tuple[str, ...]] = {
    "customers": ("exports/[^/]+/file",),
    "imports": ("imports/[^/]+/events", "imports/[^/]+/result-file", "imports/[^/]+/before-file"),
}


def routes(timeout_seconds: float, stream_idle_seconds: float) -> list[dict[str, Any]]:
    """Envoy's routes, single paths first: of the routes that match, Envoy takes the first."""
    streams = [
        {
            "match": {"safe_regex": {"regex": f"{PREFIX}/{path}"}},
            # No limit on the whole answer, only on the silence within it.
            "route": {"cluster": service, "timeout": "0s", "idle_timeout": _duration(stream_idle_seconds)},
        }
        for service, paths in STREAMS.items()
        for path in paths
    ]
    parts = [
        {
            "match": {"safe_regex": {"regex": f"{PREFIX}/{path}"}},
            "route": {"cluster": service, "timeout": _duration(timeout_seconds)},
        }
        for service, paths in PARTS.items()
        for path in paths
    ]
    resources = [
        {
            "match": {"path_separated_prefix": f"{PREFIX}/{resource}"},
            "route": {"cluster": service, "timeout": _duration(timeout_seconds)},
        }
        for service, names in RESOURCES.items()
        for resource in names
    ]
    return streams + parts + resources


def _duration(seconds: float) -> str:
    return f"{seconds:g}s"
