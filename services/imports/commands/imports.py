"""Uploads, cancels and confirms imports; says to the worker that there is something to do.

An import is locked before it changes, so that two requests, or a request and the worker, take turns.
"""

import hashlib
from dataclasses import dataclass
from pathlib import PurePath
from uuid import UUID

from sqlalchemy import select

from services.imports.commands.chunks import send_rows
from services.imports.domain.errors import AlreadyImported
from services.imports.domain.job import CONTACTS, SECTORS, Import, uploader_of
from services.imports.domain.limits import ImportLimits
from services.imports.domain.options import ImportOptions
from services.imports.queries.imports import confirmed_twin
from shared.database import Session, advisory_lock, clock, run
from shared.envelope import new_id
from shared.errors import NotFound
from shared.identity import IMPORT, SETTINGS, Actor

WORK_CHANNEL = "imports_work"
"""NOTIFY channel that wakes the workers; uploads are rare enough for a notify each."""


@dataclass(frozen=True)
class Upload:
    """A file as it came, its name without any folder."""

    name: str
    content: bytes

    @property
    def format(self) -> str:
        """`xlsx` or `csv`, by the name's ending."""
        return PurePath(self.name).suffix.lower().removeprefix(".")


async def create_import(
    session: Session, actor: Actor, kind: str, upload: Upload, repeat: bool, limits: ImportLimits
) -> Import:
    """Take a file in; it is read after the answer. Raises Forbidden, AlreadyImported (M9)."""
    require_right(actor, kind)
    sha256 = hashlib.sha256(upload.content).digest()
    if not repeat:
        await _require_news(session, uploader_of(actor), sha256, kind, limits.import_repeat_days)
    job = Import(
        id=new_id(),
        kind=kind,
        state="parsing",
        version=1,
        uploader=uploader_of(actor),
        actor=actor.reference().model_dump(mode="json"),
        file_name=upload.name,
        file_format=upload.format,
        file_bytes=len(upload.content),
        sha256=sha256,
        repeat=repeat,
        options=ImportOptions().model_dump(mode="json"),
        warnings=[],
        counts={},
        changed_columns={},
        total=0,
        all_or_nothing=False,
        chunks=0,
        attempts=0,
        created_at=await clock(session),
    )
    session.add(job)
    await session.flush()
    await run(session, "INSERT INTO import_file (import_id, content) VALUES ($1, $2)", job.id, upload.content)
    await tell_worker(session)
    return job


async def cancel_import(session: Session, actor: Actor, import_id: UUID, expected_version: int | None) -> None:
    """Give up before confirm, and forget the file at once; cancelled already is fine. Raises WrongState."""
    job = await lock_import(session, actor, import_id, expected_version)
    if job.state != "cancelled":
        job.cancel(await clock(session))
        await forget_content(session, [job.id])


async def confirm_import(
    session: Session,
    actor: Actor,
    import_id: UUID,
    skip_errors: bool,
    all_or_nothing: bool,
    expected_version: int | None,
    limits: ImportLimits,
) -> Import:
    """Send the rows of a preview to `customers` (M2, M9); all or nothing of them where that is asked for (M10).

    Raises NotFound, Forbidden, VersionConflict, WrongState, NotRestorable, PreviewExpired, HasErrors, AlreadyImported.
    """
    job = await lock_import(session, actor, import_id, expected_version)
    require_right(actor, job.kind)
    if job.chosen.create_missing_options:
        actor.require(SETTINGS)
    job.require_state("ready")
    if not job.repeat:
        # two uploads of one file, both previewed: the second confirm waits for the first and is refused
        await advisory_lock(session, f"confirm|{job.uploader}|{job.sha256.hex()}")
        await _require_news(session, job.uploader, job.sha256, job.kind, limits.import_repeat_days, job.id)
    job.confirm(skip_errors, all_or_nothing, await clock(session), limits.import_preview_hours, actor)
    await send_rows(session, job)
    return job


def require_right(actor: Actor, kind: str) -> None:
    """Raises Forbidden for who may not import such things: customers, or sectors (R1)."""
    actor.require(SETTINGS if kind == SECTORS else IMPORT)


async def lock_import(session: Session, actor: Actor, import_id: UUID, expected_version: int | None = None) -> Import:
    """The actor's import, locked. Raises NotFound, VersionConflict."""
    job = (await session.scalars(select(Import).where(Import.id == import_id).with_for_update())).one_or_none()
    if job is None or job.uploader != uploader_of(actor) or job.kind == CONTACTS:
        raise NotFound
    job.require_version(expected_version)
    return job


async def forget_content(session: Session, import_ids: list[UUID]) -> None:
    """Remove the files and rows of imports; what stays says that they were, and how they ended."""
    for table in ("import_file", "import_row", "import_chunk"):
        await run(session, f"DELETE FROM {table} WHERE import_id = ANY($1::uuid[])", import_ids)


async def tell_worker(session: Session) -> None:
    """Wake the workers of all processes when this transaction commits."""
    await run(session, "SELECT pg_notify($1, '')", WORK_CHANNEL)


async def _require_news(
    session: Session, uploader: str, sha256: bytes, kind: str, days: int, not_this: UUID | None = None
) -> None:
    twin = await confirmed_twin(session, uploader, sha256, kind, days, not_this)
    if twin is not None:
        raise AlreadyImported(twin)
