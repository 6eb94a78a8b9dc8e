"""`/interactions/facts`: connectors and employees report what happened, up to 1,000 facts at once."""

from typing import Annotated, Any
from uuid import UUID

import msgspec
from fastapi import Response
from pydantic import Field, ValidationError, WithJsonSchema

from services.interactions.commands.reports import (
    FactOutcome,
    Report,
    checked_report,
    record_report,
    record_reports,
)
from shared.contracts.interactions import Direction, Fact, FactKind
from shared.database import Session
from shared.errors import Invalid
from shared.fields import BulkResult, ItemResult, Items, Moment, RequestModel
from shared.http import ActorDep, OriginDep, OwnSessionDep, Wiring, WiringDep, joins, router

MAX_SOURCE_ID = 200
MAX_LINK = 2_000

routes = router("interactions")


class FactItem(RequestModel):
    """One fact about one source object: an e-mail to one recipient, a message, a call."""

    customer_id: UUID
    kind: FactKind
    source_id: Annotated[str, Field(min_length=1, max_length=MAX_SOURCE_ID)]
    fact: Fact
    direction: Direction = "outbound"
    link: Annotated[str, Field(max_length=MAX_LINK)] | None = None
    occurred_at: Moment
    data: dict[str, Any] | None = None


class FactsRequest(RequestModel):
    """Facts in any order; a bad one is refused by itself."""

    items: Items[Annotated[Any, WithJsonSchema(FactItem.model_json_schema())]]


@routes.post("/interactions/facts", response_model=BulkResult[ItemResult])
@joins
async def post_facts(
    request: FactsRequest, session: OwnSessionDep, actor: ActorDep, origin: OriginDep, wiring: WiringDep
) -> Response:
    """Report facts. `created` began a ledger row, `updated` added to it, `unchanged` was known already."""
    report = checked_report(actor, origin, [_item(item) for item in request.items])
    outcomes = await _recorded(report, session, wiring)
    items = [
        {
            "index": index,
            "status": outcome.status,
            "id": outcome.row_id,
            "error": {"code": outcome.error} if outcome.error else None,
        }
        for index, outcome in enumerate(outcomes)
    ]
    failed = sum(1 for outcome in outcomes if outcome.error)
    body = {"items": items, "succeeded": len(items) - failed, "failed": failed}
    return Response(msgspec.json.encode(body), media_type="application/json")


async def _recorded(report: Report, session: Session | None, wiring: Wiring) -> list[FactOutcome]:
    if session is not None:
        return await record_report(session, report)
    if report.may_join:
        return await wiring.joint_writes.do(record_reports, report)
    async with wiring.database.transaction(report.origin) as own:
        return await record_report(own, report)


def _item(value: Any) -> FactItem | Invalid:
    try:
        return FactItem.model_validate(value)
    except ValidationError:
        return Invalid()
