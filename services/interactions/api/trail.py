"""`/customers/{id}/interactions/audit`: who changed comments, tasks, documents, care, and the word by hand (A5, L3)."""

from datetime import datetime
from typing import Annotated, Any, Literal
from uuid import UUID

from fastapi import Query, Response
from pydantic import BaseModel

from services.interactions.api.pages import page_json, read_position
from services.interactions.domain.audit import ItemKind
from services.interactions.queries.customers import require_audited
from services.interactions.queries.trail import count_entries, trail_page
from shared.fields import Page, PageQuery
from shared.http import ActorDep, SessionDep, WiringDep, json_text, router

routes = router("audit")


class AuditedItem(BaseModel):
    """What was changed. Of a last contact by hand the id is the customer's."""

    kind: ItemKind
    id: UUID


class AuditEntry(BaseModel):
    """One change: old and new value of each field; of what was made or deleted all that was filled."""

    at: datetime
    actor: dict[str, str]
    cause: dict[str, str | None]
    event_id: UUID | None
    item: AuditedItem
    changes: dict[str, Any]
    outcome: Literal["applied"]


@routes.get("/customers/{customer_id}/interactions/audit", response_model=Page[AuditEntry])
async def list_audit(
    customer_id: UUID, query: Annotated[PageQuery, Query()], session: SessionDep, actor: ActorDep, wiring: WiringDep
) -> Response:
    """What was done to what people write about this customer, newest first; for those who may change it."""
    await require_audited(session, actor, customer_id)
    asked = ["interactions-audit", str(customer_id)]
    after = read_position(wiring.cursors, asked, query.cursor)
    page = await trail_page(session, customer_id, query.limit, after)
    total = await count_entries(session, customer_id) if query.total else None
    return json_text(page_json(wiring.cursors, asked, page, {"total": total}))
