"""`/groups` and `/sectors`: two trees of the same shape, filled by hand, file or automation (G1, G2, G6).

Reading is for every active employee, writing for `crm:settings`.
"""

from collections.abc import Callable
from typing import Annotated, Any, TypeVar
from uuid import UUID

from fastapi import APIRouter, Path, Query, Response

from services.customers.api.classification import (
    ItemQuery,
    ItemRestore,
    TreeItemChange,
    TreeItemCreate,
    TreeItemList,
    TreeItemRecord,
    record_answer,
)
from services.customers.api.pages import list_answer
from services.customers.commands.classification import create_item, disable_item, restore_item, update_item
from services.customers.domain.classification import TreeKind
from services.customers.queries.classification import list_items, read_item
from shared.http import ActorDep, IfMatch, SessionDep, WiringDep, created, router

F = TypeVar("F", bound=Callable[..., Any])


def _named(name: str, says: str) -> Callable[[F], F]:
    """What a function is called in the document, and what is said there of it."""

    def give(endpoint: F) -> F:
        endpoint.__name__, endpoint.__doc__ = name, says
        return endpoint

    return give


def _tree(kind: TreeKind) -> APIRouter:
    """The routes of one tree."""
    routes = router(f"{kind}s")
    one, in_path = f"/{kind}s/{{{kind}_id}}", Path(alias=f"{kind}_id")
    _add_collection(routes, kind)
    _add_item(routes, kind, one, in_path)
    _add_disabling(routes, kind, one, in_path)
    return routes


def _add_collection(routes: APIRouter, kind: TreeKind) -> None:
    """Adding one, and pages of all."""
    plural, items = f"{kind}s", f"/{kind}s/"

    @routes.post(f"/{plural}", status_code=201, response_model=TreeItemRecord)
    @_named(f"post_{kind}", f"Add a {kind}, at the top or under a parent (G1).")
    async def post_item(request: TreeItemCreate, session: SessionDep, actor: ActorDep, response: Response) -> Response:
        item = await create_item(session, actor, kind, request.name, request.code, request.parent_id)
        created(response, f"{items}{item.id}")
        return record_answer(await read_item(session, actor, kind, item.id), response)

    @routes.get(f"/{plural}", response_model=TreeItemList)
    @_named(f"get_{plural}", f"A page of {plural} by name, with the customers you see in each and below it.")
    async def get_items(
        query: Annotated[ItemQuery, Query()], session: SessionDep, actor: ActorDep, wiring: WiringDep
    ) -> Response:
        asked = {"list": plural, "state": query.state, "q": query.q}
        after = wiring.cursors.read(asked, query.cursor)
        page = await list_items(session, actor, kind, query.state, query.q, query.limit, after, query.total)
        return list_answer(wiring, asked, page)


def _add_item(routes: APIRouter, kind: TreeKind, one: str, in_path: Any) -> None:
    """Reading and changing one."""

    @routes.get(one, response_model=TreeItemRecord)
    @_named(f"get_{kind}", f"One {kind}, with what you may do to it.")
    async def get_item(session: SessionDep, actor: ActorDep, response: Response, item_id: UUID = in_path) -> Response:
        return record_answer(await read_item(session, actor, kind, item_id), response)

    @routes.patch(one, response_model=TreeItemRecord)
    @_named(f"patch_{kind}", f"Rename or move a {kind} with all below it (JSON Merge Patch).")
    async def patch_item(
        request: TreeItemChange,
        session: SessionDep,
        actor: ActorDep,
        expected_version: IfMatch,
        response: Response,
        item_id: UUID = in_path,
    ) -> Response:
        await update_item(session, actor, kind, item_id, request.given(), expected_version)
        return record_answer(await read_item(session, actor, kind, item_id), response)


def _add_disabling(routes: APIRouter, kind: TreeKind, one: str, in_path: Any) -> None:
    """Disabling one, and enabling it again."""

    @routes.delete(one, status_code=204)
    @_named(
        f"delete_{kind}",
        f"Disable a {kind}, with `cascade` all below it; customers keep it, nobody can newly choose it (G2).",
    )
    async def delete_item(
        session: SessionDep,
        actor: ActorDep,
        expected_version: IfMatch,
        item_id: UUID = in_path,
        cascade: bool = False,
    ) -> None:
        await disable_item(session, actor, kind, item_id, cascade, expected_version)

    @routes.post(f"{one}/restore", response_model=TreeItemRecord)
    @_named(f"post_{kind}_restore", f"Enable a {kind} again, not what stands below it (G2).")
    async def post_item_restore(
        session: SessionDep,
        actor: ActorDep,
        expected_version: IfMatch,
        response: Response,
        item_id: UUID = in_path,
        request: ItemRestore | None = None,
    ) -> Response:
        with_parents = request.with_parents if request is not None else False
        await restore_item(session, actor, kind, item_id, with_parents, expected_version)
        return record_answer(await read_item(session, actor, kind, item_id), response)


groups, sectors = _tree("group"), _tree("sector")
