"""What a service tells its operators: JSON logs with trace ids, Prometheus metrics, OpenTelemetry traces.

Traces cross HTTP, the outbox and Kafka by `traceparent`; spans are exported only where an OTLP
address is set, ids exist always (they stand in every error answer and log line).
"""

import logging
import os
import re
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from typing import Any

import structlog
from prometheus_client import REGISTRY, Counter, Gauge, Histogram, generate_latest

from shared.settings import Settings

_TRACEPARENT = re.compile(r"00-([0-9a-f]{32})-([0-9a-f]{16})-([0-9a-f]{2})")
_current: ContextVar[str | None] = ContextVar("traceparent", default=None)

REPEATED_LOG_SECONDS = 10
MAX_REMEMBERED_LOGS = 1_000

_SECONDS = (0.002, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10)

HTTP_REQUESTS = Histogram(
    "rapport_http_request_seconds",
    "Time to answer a request",
    ["service", "method", "route", "status"],
    buckets=_SECONDS,
)
OUTBOX_SENT = Counter("rapport_outbox_sent", "Events acknowledged by the broker", ["service"])
OUTBOX_BACKLOG = Gauge("rapport_outbox_backlog", "Events waiting for the relay", ["service"])
CONSUMED = Counter("rapport_consumed", "Records consumed", ["service", "topic", "outcome"])
BATCH_SECONDS = Histogram("rapport_batch_seconds", "Time to apply a batch", ["service", "topic"], buckets=_SECONDS)
LAG = Gauge("rapport_consumer_lag", "Records not yet consumed", ["service", "topic"])
COPY_AGE_SECONDS = Gauge(
    "rapport_copy_age_seconds", "Age of a consumer's last word from the broker", ["service", "topic"]
)
FACTS_DROPPED = Counter("rapport_facts_dropped", "Facts for erased customers", ["service"])
LEDGER_DRIFT = Gauge("rapport_ledger_drift", "What reconciling ever had to repair: 0 is the promise", ["what"])


def logger(name: str) -> Any:
    """A structured logger."""
    return structlog.get_logger(name)


def configure(settings: Settings) -> None:
    """Set up logs for this process and, where an OTLP address is given, the export of traces."""
    level = logging.getLevelName(settings.log_level.upper())
    shared: list[Any] = [
        structlog.contextvars.merge_contextvars,
        structlog.processors.add_log_level,
        structlog.processors.TimeStamper(fmt="iso", utc=True),
        _add_trace,
        _add_service(settings.service),
    ]
    structlog.configure(
        processors=[
            *shared,
            structlog.processors.format_exc_info,
            structlog.processors.JSONRenderer(ensure_ascii=False),
        ],
        wrapper_class=structlog.make_filtering_bound_logger(level),
        logger_factory=structlog.PrintLoggerFactory(sys.stderr),
        cache_logger_on_first_use=True,
    )
    formatter = structlog.stdlib.ProcessorFormatter(
        processors=[
            structlog.stdlib.ProcessorFormatter.remove_processors_meta,
            structlog.processors.format_exc_info,
            structlog.processors.JSONRenderer(ensure_ascii=False),
        ],
        foreign_pre_chain=[*shared, structlog.stdlib.add_logger_name],
    )
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(formatter)
    handler.addFilter(Seldom())
    logging.basicConfig(handlers=[handler], level=max(level, logging.WARNING), force=True)
    if settings.otlp_endpoint:
        _export_traces(settings)


class Seldom(logging.Filter):
    """Lets a library say a thing once in a while: aiokafka says it 300 times a second while the broker is away."""

    def __init__(self) -> None:
        super().__init__()
        self._said: dict[tuple[str, str], tuple[float, int]] = {}

    def filter(self, record: logging.LogRecord) -> bool:
        """Whether to let it through; what was held back is counted in the next one."""
        what, now = (record.name, str(record.msg)), time.monotonic()
        if len(self._said) > MAX_REMEMBERED_LOGS:
            self._said.clear()
        said_at, held_back = self._said.get(what, (0.0, 0))
        if said_at and now - said_at < REPEATED_LOG_SECONDS:
            self._said[what] = (said_at, held_back + 1)
            return False
        self._said[what] = (now, 0)
        if held_back:
            record.msg = f"{record.msg} [{held_back} more like it]"
        return True


def metrics() -> bytes:
    """All metrics in Prometheus' text format."""
    return generate_latest(REGISTRY)


def new_traceparent(incoming: str | None = None) -> str:
    """Continue an incoming trace with a span of our own, or start one."""
    match = _TRACEPARENT.fullmatch(incoming or "")
    trace_id = match.group(1) if match else os.urandom(16).hex()
    flags = match.group(3) if match else "01"
    return f"00-{trace_id}-{os.urandom(8).hex()}-{flags}"


def traceparent() -> str | None:
    """The current trace, as it travels in headers."""
    return _current.get()


def trace_id() -> str:
    """The current trace's id; zeros outside of any."""
    current = _current.get()
    return current[3:35] if current else "0" * 32


@contextmanager
def tracing(incoming: str | None, name: str | None = None, **attributes: Any) -> Iterator[str]:
    """Work inside a trace; with export on, also a span of this name."""
    current = new_traceparent(incoming)
    token = _current.set(current)
    try:
        if name is not None and _tracer is not None:
            with _span(name, incoming, attributes) as exported:
                _current.set(exported)
                yield exported
        else:
            yield current
    finally:
        _current.reset(token)


_tracer: Any = None


def _export_traces(settings: Settings) -> None:
    global _tracer
    from opentelemetry import trace  # loaded only where traces are exported: 12 MB per process
    from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
    from opentelemetry.instrumentation.asyncpg import AsyncPGInstrumentor
    from opentelemetry.sdk.resources import Resource
    from opentelemetry.sdk.trace import TracerProvider
    from opentelemetry.sdk.trace.export import BatchSpanProcessor
    from opentelemetry.sdk.trace.sampling import ParentBased, TraceIdRatioBased

    provider = TracerProvider(
        resource=Resource.create({"service.name": f"rapport-{settings.service}"}),
        sampler=ParentBased(TraceIdRatioBased(settings.trace_sample_ratio)),
    )
    provider.add_span_processor(BatchSpanProcessor(OTLPSpanExporter(endpoint=f"{settings.otlp_endpoint}/v1/traces")))
    trace.set_tracer_provider(provider)
    AsyncPGInstrumentor().instrument()
    _tracer = trace.get_tracer("rapport")


@contextmanager
def _span(name: str, incoming: str | None, attributes: dict[str, Any]) -> Iterator[str]:
    from opentelemetry.trace.propagation.tracecontext import TraceContextTextMapPropagator

    propagator = TraceContextTextMapPropagator()
    context = propagator.extract({"traceparent": incoming} if incoming else {})
    with _tracer.start_as_current_span(name, context=context, attributes=attributes):
        carrier: dict[str, str] = {}
        propagator.inject(carrier)
        yield carrier.get("traceparent") or new_traceparent(incoming)


def _add_trace(_: Any, __: str, event: dict[str, Any]) -> dict[str, Any]:
    if current := _current.get():
        event["trace_id"] = current[3:35]
    return event


def _add_service(service: str) -> Any:
    def add(_: Any, __: str, event: dict[str, Any]) -> dict[str, Any]:
        event["service"] = service
        return event

    return add
