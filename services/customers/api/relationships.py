"""`/relationships`: how far customers are, in an order. Writing is for `crm:settings`."""

from typing import Annotated
from uuid import UUID

from fastapi import Header, Query, Response

from services.customers.api.classification import (
    RelationshipChange,
    RelationshipCreate,
    RelationshipList,
    RelationshipOrder,
    RelationshipRecord,
    StateQuery,
    record_answer,
)
from services.customers.api.pages import list_answer
from services.customers.commands.relationships import (
    create_relationship,
    disable_relationship,
    order_relationships,
    restore_relationship,
    update_relationship,
)
from services.customers.queries.classification import list_relationships, read_relationship
from shared.fields import MAX_PAGE
from shared.http import ActorDep, IfMatch, SessionDep, WiringDep, created, router
from shared.wording import language_of

relationships = router("relationships")

AcceptLanguage = Annotated[str | None, Header()]


@relationships.post("/relationships", status_code=201, response_model=RelationshipRecord)
async def post_relationship(
    request: RelationshipCreate,
    session: SessionDep,
    actor: ActorDep,
    response: Response,
    accept_language: AcceptLanguage = None,
) -> Response:
    """Add a relationship (G4)."""
    added = await create_relationship(
        session, actor, request.both_names(), request.color, request.forget_after_days, request.position
    )
    created(response, f"/relationships/{added.id}")
    return record_answer(await read_relationship(session, actor, added.id, language_of(accept_language)), response)


@relationships.get("/relationships", response_model=RelationshipList)
async def get_relationships(
    query: Annotated[StateQuery, Query()],
    session: SessionDep,
    actor: ActorDep,
    wiring: WiringDep,
    accept_language: AcceptLanguage = None,
) -> Response:
    """A page of relationships in their order, with the customers you see in each (G4)."""
    asked = {"list": "relationships", "state": query.state}
    after = wiring.cursors.read(asked, query.cursor)
    language = language_of(accept_language)
    page = await list_relationships(session, actor, query.state, language, query.limit, after, query.total)
    return list_answer(wiring, asked, page)


@relationships.put("/relationships/order", response_model=RelationshipList)
async def put_relationship_order(
    request: RelationshipOrder,
    session: SessionDep,
    actor: ActorDep,
    wiring: WiringDep,
    accept_language: AcceptLanguage = None,
) -> Response:
    """Put all enabled relationships into an order (G4)."""
    await order_relationships(session, actor, request.relationship_ids)
    page = await list_relationships(session, actor, "active", language_of(accept_language), MAX_PAGE)
    return list_answer(wiring, {"list": "relationships", "state": "active"}, page)


@relationships.get("/relationships/{relationship_id}", response_model=RelationshipRecord)
async def get_relationship(
    relationship_id: UUID,
    session: SessionDep,
    actor: ActorDep,
    response: Response,
    accept_language: AcceptLanguage = None,
) -> Response:
    """One relationship, with what you may do to it."""
    record = await read_relationship(session, actor, relationship_id, language_of(accept_language))
    return record_answer(record, response)


@relationships.patch("/relationships/{relationship_id}", response_model=RelationshipRecord)
async def patch_relationship(
    relationship_id: UUID,
    request: RelationshipChange,
    session: SessionDep,
    actor: ActorDep,
    expected_version: IfMatch,
    response: Response,
    accept_language: AcceptLanguage = None,
) -> Response:
    """Edit names, colour, place or the days until customers are forgotten (G4, G5)."""
    await update_relationship(session, actor, relationship_id, request.given(), expected_version)
    record = await read_relationship(session, actor, relationship_id, language_of(accept_language))
    return record_answer(record, response)


@relationships.delete("/relationships/{relationship_id}", status_code=204)
async def delete_relationship(
    relationship_id: UUID, session: SessionDep, actor: ActorDep, expected_version: IfMatch
) -> None:
    """Disable a relationship; customers keep it. Those that rules need cannot be disabled (G2, G4)."""
    await disable_relationship(session, actor, relationship_id, expected_version)


@relationships.post("/relationships/{relationship_id}/restore", response_model=RelationshipRecord)
async def post_relationship_restore(
    relationship_id: UUID,
    session: SessionDep,
    actor: ActorDep,
    expected_version: IfMatch,
    response: Response,
    accept_language: AcceptLanguage = None,
) -> Response:
    """Enable a relationship again, behind the others (G2)."""
    await restore_relationship(session, actor, relationship_id, expected_version)
    record = await read_relationship(session, actor, relationship_id, language_of(accept_language))
    return record_answer(record, response)
