"""`/groups`: a tree of customer groups, filled by hand, file or automation.

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

groups = router("groups")


@groups.post("/groups", status_code=201, response_model=TreeItemRecord)
async def post_group(request: TreeItemCreate, session: SessionDep, actor: ActorDep, response: Response) -> Response:
    """Add a group, at the top or under a parent (G1)."""
    item = await create_item(session, actor, "group", request.name, request.code, request.parent_id)
    created(response, f"/groups/{item.id}")
    return record_answer(await read_item(session, actor, "group", item.id), response)


@groups.get("/groups", response_model=TreeItemList)
async def get_groups(
    query: Annotated[ItemQuery, Query()], session: SessionDep, actor: ActorDep, wiring: WiringDep
) -> Response:
    """A page of groups by name, with the customers you see in each and below it."""
    asked = {"list": "groups", "state": query.state, "q": query.q}
    after = wiring.cursors.read(asked, query.cursor)
    page = await list_items(session, actor, "group", query.state, query.q, query.limit, after, query.total)
    return list_answer(wiring, asked, page)


@groups.get("/groups/{group_id}", response_model=TreeItemRecord)
async def get_group(group_id: UUID, session: SessionDep, actor: ActorDep, response: Response) -> Response:
    """One group, with what you may do to it."""
    return record_answer(await read_item(session, actor, "group", group_id), response)


@groups.patch("/groups/{group_id}", response_model=TreeItemRecord)
async def patch_group(
    group_id: UUID,
    request: TreeItemChange,
    session: SessionDep,
    actor: ActorDep,
    expected_version: IfMatch,
    response: Response,
) -> Response:
    """Rename or move a group with all below it (JSON Merge Patch)."""
    await update_item(session, actor, "group", group_id, request.given(), expected_version)
    return record_answer(await read_item(session, actor, "group", group_id), response)


@groups.delete("/groups/{group_id}", status_code=204)
async def delete_group(
    group_id: UUID, session: SessionDep, actor: ActorDep, expected_version: IfMatch, cascade: bool = False
) -> None:
    """Disable a group, with `cascade` all below it; customers keep it, nobody can newly choose it (G2)."""
    await disable_item(session, actor, "group", group_id, cascade, expected_version)


@groups.post("/groups/{group_id}/restore", response_model=TreeItemRecord)
async def post_group_restore(
    group_id: UUID,
    session: SessionDep,
    actor: ActorDep,
    expected_version: IfMatch,
    response: Response,
    request: ItemRestore | None = None,
) -> Response:
    """Enable a group again, not what stands below it (G2)."""
    with_parents = request.with_parents if request is not None else False
    await restore_item(session, actor, "group", group_id, with_parents, expected_version)
    return record_answer(await read_item(session, actor, "group", group_id), response)
