"""`/sources`: where customers come from, what each source costs and what it brings (G3).

Reading names and counts is for every active employee, money for `crm:settings` and `customers:view_all`,
writing for `crm:settings`.
"""

from typing import Annotated
from uuid import UUID

from fastapi import Query, Response

from services.customers.api.classification import (
    CostChange,
    CostCreate,
    CostList,
    CostRecord,
    Effectiveness,
    EffectivenessQuery,
    ItemQuery,
    SourceChange,
    SourceCreate,
    SourceFigures,
    SourceList,
    SourceRecord,
    record_answer,
)
from services.customers.api.pages import list_answer
from services.customers.commands.classification import create_item, disable_item, restore_item, update_item
from services.customers.commands.costs import add_cost, remove_cost, update_cost
from services.customers.domain.costs import SourceCost
from services.customers.queries.classification import list_items, read_item
from services.customers.queries.sources import effectiveness, list_costs, read_cost
from shared.database import Session
from shared.errors import Invalid
from shared.fields import PageQuery
from shared.http import ActorDep, IfMatch, SessionDep, WiringDep, created, etag, json_text, router

sources = router("sources")


@sources.post("/sources", status_code=201, response_model=SourceRecord)
async def post_source(request: SourceCreate, session: SessionDep, actor: ActorDep, response: Response) -> Response:
    """Add a source."""
    item = await create_item(session, actor, "source", request.name, request.code)
    created(response, f"/sources/{item.id}")
    return record_answer(await read_item(session, actor, "source", item.id), response)


@sources.get("/sources", response_model=SourceList)
async def get_sources(
    query: Annotated[ItemQuery, Query()], session: SessionDep, actor: ActorDep, wiring: WiringDep
) -> Response:
    """A page of sources by name, with the customers you see of each (G3)."""
    asked = {"list": "sources", "state": query.state, "q": query.q}
    after = wiring.cursors.read(asked, query.cursor)
    page = await list_items(session, actor, "source", query.state, query.q, query.limit, after, query.total)
    return list_answer(wiring, asked, page)


@sources.get("/sources/effectiveness")
async def get_source_effectiveness(
    query: Annotated[EffectivenessQuery, Query()], session: SessionDep, actor: ActorDep
) -> Effectiveness:
    """What every source cost and brought in a period (G3).

    Counted are customers created in it with that primary source, however they did since.
    """
    if query.last_day < query.first_day:
        raise Invalid.at("?to", detail="before `from`")
    found = await effectiveness(session, actor, query.first_day, query.last_day, query.currency)
    return Effectiveness(items=[SourceFigures(**one) for one in found])


@sources.get("/sources/{source_id}", response_model=SourceRecord)
async def get_source(source_id: UUID, session: SessionDep, actor: ActorDep, response: Response) -> Response:
    """One source, with what you may do to it."""
    return record_answer(await read_item(session, actor, "source", source_id), response)


@sources.patch("/sources/{source_id}", response_model=SourceRecord)
async def patch_source(
    source_id: UUID,
    request: SourceChange,
    session: SessionDep,
    actor: ActorDep,
    expected_version: IfMatch,
    response: Response,
) -> Response:
    """Rename a source (JSON Merge Patch)."""
    await update_item(session, actor, "source", source_id, request.given(), expected_version)
    return record_answer(await read_item(session, actor, "source", source_id), response)


@sources.delete("/sources/{source_id}", status_code=204)
async def delete_source(
    source_id: UUID, session: SessionDep, actor: ActorDep, expected_version: IfMatch, cascade: bool = False
) -> None:
    """Disable a source; customers keep it, nobody can newly choose it (G2)."""
    await disable_item(session, actor, "source", source_id, cascade, expected_version)


@sources.post("/sources/{source_id}/restore", response_model=SourceRecord)
async def post_source_restore(
    source_id: UUID, session: SessionDep, actor: ActorDep, expected_version: IfMatch, response: Response
) -> Response:
    """Enable a source again (G2)."""
    await restore_item(session, actor, "source", source_id, expected_version=expected_version)
    return record_answer(await read_item(session, actor, "source", source_id), response)


@sources.post("/sources/{source_id}/costs", status_code=201, response_model=CostRecord)
async def post_source_cost(
    source_id: UUID, request: CostCreate, session: SessionDep, actor: ActorDep, response: Response
) -> Response:
    """Plan or book money for a source (G3)."""
    cost = await add_cost(session, actor, source_id, request.values())
    created(response, f"/sources/{source_id}/costs/{cost.id}")
    return await _cost(session, cost, response)


@sources.get("/sources/{source_id}/costs", response_model=CostList)
async def get_source_costs(
    source_id: UUID,
    query: Annotated[PageQuery, Query()],
    session: SessionDep,
    actor: ActorDep,
    wiring: WiringDep,
) -> Response:
    """A page of what a source costs, the latest period first."""
    asked = {"costs": str(source_id)}
    after = wiring.cursors.read(asked, query.cursor)
    return list_answer(wiring, asked, await list_costs(session, actor, source_id, query.limit, after, query.total))


@sources.patch("/sources/{source_id}/costs/{cost_id}", response_model=CostRecord)
async def patch_source_cost(
    source_id: UUID,
    cost_id: UUID,
    request: CostChange,
    session: SessionDep,
    actor: ActorDep,
    expected_version: IfMatch,
    response: Response,
) -> Response:
    """Correct an entry (JSON Merge Patch)."""
    cost = await update_cost(session, actor, source_id, cost_id, request.values(), expected_version)
    return await _cost(session, cost, response)


@sources.delete("/sources/{source_id}/costs/{cost_id}", status_code=204)
async def delete_source_cost(
    source_id: UUID, cost_id: UUID, session: SessionDep, actor: ActorDep, expected_version: IfMatch
) -> None:
    """Take an entry back."""
    await remove_cost(session, actor, source_id, cost_id, expected_version)


async def _cost(session: Session, cost: SourceCost, response: Response) -> Response:
    etag(response, cost.version)
    answer = json_text(await read_cost(session, cost.id), response)
    answer.status_code = response.status_code or 200
    return answer
