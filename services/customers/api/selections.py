"""`/selections`: a filter's customers, frozen, for services that have no filters of their own."""

from datetime import datetime
from uuid import UUID

from fastapi import Response

from services.customers.api.choosing import ChoosingRequest
from services.customers.commands.long_work import MAX_LISTED
from services.customers.commands.selections import select_customers
from services.customers.queries.long_work import get_long_work
from shared.http import ActorDep, SessionDep, accepted, router
from shared.long_work import LongWorkRecord

selections = router("selections")


class SelectionRecord(LongWorkRecord):
    """A frozen list; `left_out` are ids that name no customer its maker sees."""

    left_out: int
    expires_at: datetime | None


@selections.post("/selections", status_code=202)
async def post_selection(
    request: ChoosingRequest, session: SessionDep, actor: ActorDep, response: Response
) -> SelectionRecord:
    """Freeze what you choose, at most 100,000 customers you see, for 7 days; other services learn of it by events."""
    work = await select_customers(session, actor, request.chosen(MAX_LISTED, "selection_too_large"))
    accepted(response, f"/selections/{work.id}")
    return SelectionRecord.of(work)


@selections.get("/selections/{selection_id}")
async def get_selection(selection_id: UUID, session: SessionDep, actor: ActorDep) -> SelectionRecord:
    """A selection of yours: `finished` once all of it is published."""
    return SelectionRecord.of(await get_long_work(session, actor, "selection", selection_id))
