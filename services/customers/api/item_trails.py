"""`/audit` of groups, sectors, sources and relationships: what was done to them, for who may change them (A5, R1)."""

from typing import Annotated, Literal
from uuid import UUID

from fastapi import Query, Response

from services.customers.api.pages import list_answer
from services.customers.api.schemas import AuditList
from services.customers.domain.classification import ItemKind
from services.customers.queries.trail import read_item_audit
from shared.database import Session
from shared.fields import PageQuery
from shared.http import ActorDep, SessionDep, Wiring, WiringDep, router
from shared.identity import Actor

item_trails = router("classification")


@item_trails.get("/groups/{group_id}/audit", response_model=AuditList)
async def get_group_audit(
    group_id: UUID, query: Annotated[PageQuery, Query()], session: SessionDep, actor: ActorDep, wiring: WiringDep
) -> Response:
    """What was done to a group, newest first."""
    return await _trail(session, actor, wiring, "group", group_id, query)


@item_trails.get("/sectors/{sector_id}/audit", response_model=AuditList)
async def get_sector_audit(
    sector_id: UUID, query: Annotated[PageQuery, Query()], session: SessionDep, actor: ActorDep, wiring: WiringDep
) -> Response:
    """What was done to a sector, by hand or by a file, newest first."""
    return await _trail(session, actor, wiring, "sector", sector_id, query)


@item_trails.get("/sources/{source_id}/audit", response_model=AuditList)
async def get_source_audit(
    source_id: UUID, query: Annotated[PageQuery, Query()], session: SessionDep, actor: ActorDep, wiring: WiringDep
) -> Response:
    """What was done to a source and its costs, newest first."""
    return await _trail(session, actor, wiring, "source", source_id, query)


@item_trails.get("/relationships/{relationship_id}/audit", response_model=AuditList)
async def get_relationship_audit(
    relationship_id: UUID,
    query: Annotated[PageQuery, Query()],
    session: SessionDep,
    actor: ActorDep,
    wiring: WiringDep,
) -> Response:
    """What was done to a relationship, newest first."""
    return await _trail(session, actor, wiring, "relationship", relationship_id, query)


async def _trail(
    session: Session,
    actor: Actor,
    wiring: Wiring,
    kind: ItemKind | Literal["relationship"],
    item_id: UUID,
    query: PageQuery,
) -> Response:
    asked = {"audit": str(item_id)}
    after = wiring.cursors.read(asked, query.cursor)
    page = await read_item_audit(session, actor, kind, item_id, query.limit, after, query.total)
    return list_answer(wiring, asked, page)
