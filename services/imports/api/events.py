"""`/imports/{id}/events`: state and counts as they change, as server-sent events.

The stream ends with the import, when the process stops, or after a while: a client that still cares
asks again. It holds no connection to the database between two looks.
"""

import asyncio
from collections.abc import AsyncIterator
from uuid import UUID

import msgspec
from fastapi.responses import StreamingResponse

from services.imports.api.access import LimitsDep
from services.imports.domain.job import CLOSED
from services.imports.domain.limits import ImportLimits
from services.imports.queries.imports import ImportProgress, get_import, get_progress
from shared.http import ActorDep, SessionDep, Wiring, WiringDep, router

HEARTBEAT_SECONDS = 15.0

routes = router("imports")


@routes.get(
    "/imports/{import_id}/events",
    response_class=StreamingResponse,
    responses={200: {"content": {"text/event-stream": {"schema": {"type": "string"}}}}},
)
async def get_events(
    import_id: UUID, session: SessionDep, actor: ActorDep, wiring: WiringDep, limits: LimitsDep
) -> StreamingResponse:
    """One event `progress` at once and at every change: state, version, total, done, failed, counts, error_code."""
    job = await get_import(session, actor, import_id)
    return StreamingResponse(
        _stream(wiring, limits, job.id),
        media_type="text/event-stream",
        headers={"Cache-Control": "no-store", "X-Accel-Buffering": "no"},
    )


async def _stream(wiring: Wiring, limits: ImportLimits, import_id: UUID) -> AsyncIterator[bytes]:
    now = asyncio.get_running_loop().time
    ends, heard, told = now() + limits.import_stream_seconds, now(), -1
    while now() < ends:
        async with wiring.database.reading() as session:
            progress = await get_progress(session, import_id)
        if progress is None:
            return
        if progress.version != told:
            told, heard = progress.version, now()
            yield _event(progress)
            if progress.state in CLOSED:
                return
        elif now() - heard > HEARTBEAT_SECONDS:
            heard = now()
            yield b": still here\n\n"  # proxies end a stream that says nothing
        waits_for_people = progress.state in ("awaiting_mapping", "ready")
        pause = limits.import_stream_idle_poll_seconds if waits_for_people else limits.import_stream_poll_seconds
        if await _stops_within(wiring.stopping, pause):
            return


def _event(progress: ImportProgress) -> bytes:
    return b"event: progress\nid: %d\ndata: %s\n\n" % (progress.version, msgspec.json.encode(progress))


async def _stops_within(stopping: asyncio.Event, seconds: float) -> bool:
    try:
        await asyncio.wait_for(stopping.wait(), seconds)
    except TimeoutError:
        return False
    return True
