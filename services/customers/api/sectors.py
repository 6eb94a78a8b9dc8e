"""`/sectors`: a tree of business sectors, also filled from files.

Reading is for every active employee, writing for `crm:settings`.
"""

from typing import Annotated
from uuid import UUID

from fastapi import Query, Response

from services.customers.api.classification import (
    ItemQuery,
    ItemRestore,
    TreeItemChange,
    TreeItemCreate,
    TreeItemList,
    TreeItemRecord,
    list_answer,
    record_answer,
)
from services.customers.commands.classification import create_item, disable_item, restore_item, update_item
from services.customers.queries.classification import list_items, read_item
from shared.http import ActorDep, IfMatch, SessionDep, WiringDep, created, router

sectors = router("sectors")


@sectors.post("/sectors", status_code=201, response_model=TreeItemRecord)
async def post_sector(request: TreeItemCreate, session: SessionDep, actor: ActorDep, response: Response) -> Response:
    """Add a sector, at the top or under a parent (G1)."""
    item = await create_item(session, actor, "sector", request.name, request.code, request.parent_id)
    created(response, f"/sectors/{item.id}")
    return record_answer(await read_item(session, actor, "sector", item.id), response)


@sectors.get("/sectors", response_model=TreeItemList)
async def get_sectors(
    query: Annotated[ItemQuery, Query()], session: SessionDep, actor: ActorDep, wiring: WiringDep
) -> Response:
    """A page of sectors by name, with the customers you see in each and below it."""
    asked = {"list": "sectors", "state": query.state, "q": query.q}
    after = wiring.cursors.read(asked, query.cursor)
    page = await list_items(session, actor, "sector", query.state, query.q, query.limit, after, query.total)
    return list_answer(wiring, asked, page)


@sectors.get("/sectors/{sector_id}", response_model=TreeItemRecord)
async def get_sector(sector_id: UUID, session: SessionDep, actor: ActorDep, response: Response) -> Response:
    """One sector, with what you may do to it."""
    return record_answer(await read_item(session, actor, "sector", sector_id), response)


@sectors.patch("/sectors/{sector_id}", response_model=TreeItemRecord)
async def patch_sector(
    sector_id: UUID,
    request: TreeItemChange,
    session: SessionDep,
    actor: ActorDep,
    expected_version: IfMatch,
    response: Response,
) -> Response:
    """Rename or move a sector with all below it (JSON Merge Patch)."""
    await update_item(session, actor, "sector", sector_id, request.given(), expected_version)
    return record_answer(await read_item(session, actor, "sector", sector_id), response)


@sectors.delete("/sectors/{sector_id}", status_code=204)
async def delete_sector(
    sector_id: UUID, session: SessionDep, actor: ActorDep, expected_version: IfMatch, cascade: bool = False
) -> None:
    """Disable a sector, with `cascade` all below it; customers keep it, nobody can newly choose it (G2)."""
    await disable_item(session, actor, "sector", sector_id, cascade, expected_version)


@sectors.post("/sectors/{sector_id}/restore", response_model=TreeItemRecord)
async def post_sector_restore(
    sector_id: UUID,
    session: SessionDep,
    actor: ActorDep,
    expected_version: IfMatch,
    response: Response,
    request: ItemRestore | None = None,
) -> Response:
    """Enable a sector again, not what stands below it (G2)."""
    with_parents = request.with_parents if request is not None else False
    await restore_item(session, actor, "sector", sector_id, with_parents, expected_version)
    return record_answer(await read_item(session, actor, "sector", sector_id), response)
