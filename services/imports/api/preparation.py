"""`/imports/{id}/mapping` and `/options`: what the columns are, how matches are treated."""

from uuid import UUID

from fastapi import Response

from services.imports.api.access import ImporterDep, LanguageDep, LimitsDep
from services.imports.api.schemas import ImportResponse, MappingRequest, MappingResponse, mapping_of
from services.imports.commands.preparation import ChosenMapping, set_mapping, set_options
from services.imports.domain.errors import WrongState
from services.imports.domain.options import ImportOptions
from services.imports.queries.imports import get_import
from shared.http import ActorDep, IfMatch, SessionDep, etag, router

routes = router("imports")


@routes.get("/imports/{import_id}/mapping")
async def get_mapping(import_id: UUID, response: Response, session: SessionDep, actor: ActorDep) -> MappingResponse:
    """The proposed or chosen mapping; before the file has been read 409 `wrong_state`."""
    job = await get_import(session, actor, import_id)
    mapping = mapping_of(job)
    if mapping is None:
        raise WrongState
    etag(response, job.version)
    return mapping


@routes.put("/imports/{import_id}/mapping")
async def put_mapping(
    import_id: UUID,
    request: MappingRequest,
    response: Response,
    session: SessionDep,
    actor: ImporterDep,
    limits: LimitsDep,
    language: LanguageDep,
    expected_version: IfMatch,
) -> ImportResponse:
    """Say what the columns are; every row is then judged (`validating`, then `ready`)."""
    chosen = ChosenMapping(request.chosen(), request.header_row, request.save_as)
    job = await set_mapping(session, actor, import_id, chosen, expected_version, limits)
    etag(response, job.version)
    return ImportResponse.of(job, language)


@routes.put("/imports/{import_id}/options")
async def put_options(
    import_id: UUID,
    request: ImportOptions,
    response: Response,
    session: SessionDep,
    actor: ImporterDep,
    language: LanguageDep,
    expected_version: IfMatch,
) -> ImportResponse:
    """Choose how matches are treated; a preview that exists is made anew."""
    job = await set_options(session, actor, import_id, request, expected_version)
    etag(response, job.version)
    return ImportResponse.of(job, language)
