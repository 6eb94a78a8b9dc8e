"""Imports as their uploader may read them; to everybody else they do not exist (R1)."""

from collections.abc import Sequence
from dataclasses import dataclass
from uuid import UUID

import msgspec
from sqlalchemy import func, select

from services.imports.domain.job import CONTACTS, Import, progress, uploader_of
from services.imports.domain.saved_mapping import SavedMapping
from shared.database import Session, run
from shared.errors import NotFound
from shared.identity import Actor


async def get_import(session: Session, actor: Actor, import_id: UUID) -> Import:
    """One import. Raises NotFound, also for somebody else's."""
    found = await session.get(Import, import_id)
    if found is None or found.uploader != uploader_of(actor) or found.kind == CONTACTS:
        raise NotFound
    return found


async def list_imports(
    session: Session, actor: Actor, limit: int, after: UUID | None, oldest_first: bool
) -> Sequence[Import]:
    """The actor's imports by creation (ids sort by time), behind the one given."""
    statement = select(Import).where(Import.uploader == uploader_of(actor), Import.kind != CONTACTS).limit(limit)
    if oldest_first:
        statement = statement.order_by(Import.id)
        statement = statement.where(Import.id > after) if after else statement
    else:
        statement = statement.order_by(Import.id.desc())
        statement = statement.where(Import.id < after) if after else statement
    return (await session.scalars(statement)).all()


async def count_imports(session: Session, actor: Actor) -> int:
    """How many imports the actor has made."""
    mine = (Import.uploader == uploader_of(actor), Import.kind != CONTACTS)
    statement = select(func.count()).select_from(Import).where(*mine)
    return (await session.scalars(statement)).one()


async def list_mappings(session: Session, actor: Actor) -> Sequence[SavedMapping]:
    """The mappings the actor has saved, by name."""
    statement = select(SavedMapping).where(SavedMapping.owner == uploader_of(actor))
    return (await session.scalars(statement.order_by(SavedMapping.name_folded, SavedMapping.id))).all()


async def confirmed_twin(
    session: Session, uploader: str, sha256: bytes, kind: str, days: int, not_this: UUID | None = None
) -> UUID | None:
    """The import of the same bytes that this uploader confirmed within `days` (M9)."""
    found = await run(
        session,
        "SELECT id FROM import WHERE uploader = $1 AND sha256 = $2 AND kind = $3"
        " AND state <> 'undone' AND confirmed_at > clock_timestamp() - make_interval(days => $4)"
        " AND id IS DISTINCT FROM $5"
        " ORDER BY confirmed_at DESC LIMIT 1",
        uploader,
        sha256,
        kind,
        days,
        not_this,
    )
    return found.scalar_one_or_none()


@dataclass(frozen=True)
class ImportProgress:
    """How far an import is: what its stream of events says. `error_code` is the code of its `error`."""

    id: UUID
    state: str
    version: int
    total: int
    done: int
    failed: int
    counts: dict[str, int]
    error_code: str | None


async def get_progress(session: Session, import_id: UUID) -> ImportProgress | None:
    """The progress of an import whose reader is known; None when it is gone."""
    found = await run(
        session,
        "SELECT id, state, version, total, counts::text AS counts, error_code FROM import WHERE id = $1",
        import_id,
    )
    row = found.one_or_none()
    if row is None:
        return None
    counts = msgspec.json.decode(row.counts, type=dict[str, int])
    so_far = progress(row.state, row.total, counts)
    return ImportProgress(
        row.id, row.state, row.version, so_far.total, so_far.done, so_far.failed, counts, row.error_code
    )
