"""Takes back what an import wrote: asks `customers` row by row, within some days (M10)."""

from uuid import UUID

from services.imports.commands.chunks import send_undo
from services.imports.commands.imports import lock_import, require_right
from services.imports.domain.job import Import
from services.imports.domain.limits import ImportLimits
from shared.database import Session, clock
from shared.identity import Actor


async def undo_import(
    session: Session, actor: Actor, import_id: UUID, expected_version: int | None, limits: ImportLimits
) -> Import:
    """Ask for every written row to be taken back. Nothing is undone twice.

    Raises NotFound, Forbidden, VersionConflict, WrongState, NotRestorable (too late, or sectors).
    """
    job = await lock_import(session, actor, import_id, expected_version)
    require_right(actor, job.kind)
    job.undo(await clock(session), limits.import_undo_days, actor)
    await send_undo(session, job)
    return job
