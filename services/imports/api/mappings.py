"""`/imports/fields` and `/import-mappings`: what columns may be called, and mappings that were kept."""

from typing import Annotated
from uuid import UUID

from fastapi import Query

from services.imports.api.schemas import (
    FieldResponse,
    FieldsResponse,
    Kind,
    SavedMappingResponse,
    SavedMappingsResponse,
)
from services.imports.commands.preparation import delete_mapping
from services.imports.domain.fields import catalogue_of
from services.imports.queries.imports import list_mappings
from shared.http import ActorDep, SessionDep, router

routes = router("imports")


@routes.get("/imports/fields")
async def get_fields(actor: ActorDep, kind: Annotated[Kind, Query()] = "customers") -> FieldsResponse:
    """Every column that a file may have, with the headings it is recognised by."""
    return FieldsResponse(
        items=[
            FieldResponse(
                field=field.field,
                label_vi=field.label_vi,
                label_en=field.label_en,
                type=field.type,
                required=field.required,
                multiple=field.multiple,
                system=field.system,
                headers=list(field.all_headers),
            )
            for field in catalogue_of(kind)
        ]
    )


@routes.get("/import-mappings")
async def get_import_mappings(session: SessionDep, actor: ActorDep) -> SavedMappingsResponse:
    """One's own saved mappings; a file with the same headings is mapped by them."""
    saved = await list_mappings(session, actor)
    return SavedMappingsResponse(items=[SavedMappingResponse.of(mapping) for mapping in saved])


@routes.delete("/import-mappings/{mapping_id}", status_code=204)
async def delete_import_mapping(mapping_id: UUID, session: SessionDep, actor: ActorDep) -> None:
    """Forget a saved mapping."""
    await delete_mapping(session, actor, mapping_id)
