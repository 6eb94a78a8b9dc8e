"""One trace from the request through the outbox and the broker to what the consumer tells in turn."""

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from uuid import UUID, uuid4

import pytest
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter

from services.customers.commands.employees import bootstrap_administrator
from services.customers.domain.employee import FIRST_EMPLOYEE_ID
from shared import telemetry
from shared.contracts.campaigns import OpportunityOwnerAssigned, OpportunityState
from shared.contracts.customers import CustomerCreated, CustomerUpdated
from shared.contracts.events import Cause
from shared.envelope import Origin
from tests.conftest import MakeHarness

TRACE = "4bf92f3577b34da6a3ce929d0e0e4736"
INCOMING = f"00-{TRACE}-00f067aa0ba902b7-01"


@pytest.fixture
def exported(monkeypatch: pytest.MonkeyPatch) -> Iterator[InMemorySpanExporter]:
    """Spans as an OTLP address would get them."""
    exporter = InMemorySpanExporter()
    provider = TracerProvider()
    provider.add_span_processor(SimpleSpanProcessor(exporter))
    monkeypatch.setattr(telemetry, "_tracer", provider.get_tracer("test"))
    yield exporter
    provider.shutdown()


async def test_a_trace_crosses_http_outbox_and_consumer(
    make_harness: MakeHarness, exported: InMemorySpanExporter
) -> None:
    """The trace id of a request stands in its events, in what a consumer tells after them, and in spans."""
    harness = await make_harness("customers")
    async with harness.database.transaction() as session:
        await bootstrap_administrator(session, FIRST_EMPLOYEE_ID, "Quản trị", "ADMIN")
    client = harness.client(FIRST_EMPLOYEE_ID, traceparent=INCOMING)
    answer = await client.post("/api/v1/customers", json={"name": "Vết"})
    assert answer.headers["traceparent"][3:35] == TRACE
    [(headers, created)] = await harness.told_with_headers(CustomerCreated)
    assert headers["traceparent"][3:35] == TRACE
    owned = OpportunityState(
        id=uuid4(),
        campaign_id=uuid4(),
        customer_id=created.state.id,
        status_id=uuid4(),
        owner_id=UUID(str(FIRST_EMPLOYEE_ID)),
        owner_assigned_at=datetime.now(UTC) + timedelta(minutes=1),
        manager_policy="replace",
        keep_previous_as_viewer=False,
        value=None,
        probability=None,
        state="open",
        created_at=datetime.now(UTC),
    )
    event = OpportunityOwnerAssigned(version=1, state=owned, cause=Cause(kind="user"))
    await harness.deliver(event, origin=Origin(traceparent=headers["traceparent"]))
    [(after, _)] = await harness.told_with_headers(CustomerUpdated)
    assert after["traceparent"][3:35] == TRACE
    spans = exported.get_finished_spans()
    assert [span.name for span in spans] == ["POST /api/v1/customers"]
    assert {span.context.trace_id for span in spans if span.context} == {int(TRACE, 16)}


async def test_refusals_and_logs_carry_the_trace(make_harness: MakeHarness) -> None:
    """A problem's trace_id is the request's, so that a user's report finds the log line."""
    harness = await make_harness("customers")
    answer = await harness.client(uuid4(), traceparent=INCOMING).get("/api/v1/customers")
    assert (answer.status_code, answer.json()["trace_id"]) == (403, TRACE)
