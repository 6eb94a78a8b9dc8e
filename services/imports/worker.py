"""Reads and validates uploads beside requests, resumes by itself after a crash, asks again for answers.

A request wakes it by NOTIFY when it commits; without a word it looks once in a while, so that nothing
depends on the word. The work itself is in `commands/`; here is only who does it when.
"""

import asyncio
import contextlib
from contextlib import aclosing

import asyncpg

from services.imports.commands.blanking import keep_erasures_off
from services.imports.commands.chunks import resend_silent_chunks
from services.imports.commands.imports import WORK_CHANNEL
from services.imports.commands.reading import (
    Claim,
    begin_rows,
    claim_work,
    complete_rows,
    extend_lease,
    give_back,
    load_file,
    lock_claimed,
    store_failure,
    store_rows,
)
from services.imports.commands.validation import count_preview, judge_portion, store_portion
from services.imports.domain.job import Import
from services.imports.settings import ImportsSettings
from services.imports.spreadsheets.errors import UnreadableFile
from services.imports.spreadsheets.limits import Limits
from services.imports.spreadsheets.reader import read_rows
from shared import telemetry
from shared.access import actor_of
from shared.database import Database, clock, connect_arguments, driver_url, is_transient
from shared.errors import InactiveEmployee
from shared.settings import Settings

log = telemetry.logger("imports-worker")

LISTEN_PAUSE_SECONDS = 5.0
FAULT_PAUSE_SECONDS = 1.0
LEASE_MARGIN_SECONDS = 10.0
"""How much longer than the reading of a file a lease is at least: its rows are to be stored, too."""


async def work(database: Database, settings: Settings, ended: asyncio.Event) -> None:
    """Work off uploads, a few at a time, until `ended`; what is in hand is finished first."""
    assert isinstance(settings, ImportsSettings)
    woken = asyncio.Event()
    listening = asyncio.create_task(_listen(settings, woken))
    try:
        async with asyncio.TaskGroup() as group:
            for _ in range(settings.import_work_at_once):
                group.create_task(_work_off(database, settings, woken, ended))
            group.create_task(_ask_again(database, settings, ended))
    finally:
        listening.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await listening


async def work_next(database: Database, settings: ImportsSettings) -> bool:
    """Take the next import that waits and do what it waits for; False when there is none."""
    limits = Limits.of(settings.import_max_file_bytes, settings.import_max_rows)
    lease_seconds = max(settings.import_lease_seconds, limits.child_wall_seconds + LEASE_MARGIN_SECONDS)
    async with database.transaction() as session:
        claim = await claim_work(session, lease_seconds)
    if claim is None:
        return False
    if claim.attempts > settings.import_work_attempts:
        await _fail(database, claim, "internal_error", f"gave up after {settings.import_work_attempts} attempts")
        return True
    try:
        await _do(database, settings, claim)
    except Exception as error:
        log.warning("import interrupted", import_id=str(claim.import_id), state=claim.state, exc_info=error)
        async with database.transaction() as session:
            await give_back(session, claim, settings.import_work_pause_seconds)
    return True


async def _do(database: Database, settings: ImportsSettings, claim: Claim) -> None:
    if claim.state == "validating":
        try:
            while await _validate(database, settings, claim):
                pass
        except InactiveEmployee as error:
            await _fail(database, claim, error.code, "the uploader is no longer active")
        return
    async with database.reading() as session:
        file = await load_file(session, claim.import_id)
    if file is None:
        return
    limits = Limits.of(settings.import_max_file_bytes, settings.import_max_rows)
    async with database.transaction() as session:
        await begin_rows(session, claim)
    lease_seconds = max(settings.import_lease_seconds, limits.child_wall_seconds + LEASE_MARGIN_SECONDS)
    try:
        async with aclosing(read_rows(file.content, file.name, limits)) as portions:
            async for rows in portions:
                async with database.transaction() as session:
                    if not await store_rows(session, claim, rows, lease_seconds):
                        return
    except UnreadableFile as error:
        await _fail(database, claim, error.code, error.detail)
        return
    async with database.transaction() as session:
        await complete_rows(session, claim)


async def _validate(database: Database, settings: ImportsSettings, claim: Claim) -> bool:
    """Judge one portion of rows, or complete the preview; False when there is no more to do."""
    async with database.transaction() as session:
        await keep_erasures_off(session)
        job = await session.get(Import, claim.import_id)
        if job is None or job.mapping is None:
            return False
        portion = await judge_portion(session, job, await actor_of(session, job.on_behalf_of))
        session.expire(job)
        job = await lock_claimed(session, claim)
        if job is None:
            return False
        if portion is None:
            counts = await count_preview(session, job)
            job.validated(counts.outcomes, counts.changed_columns, await clock(session))
            return False
        await store_portion(session, job.id, portion)
        await extend_lease(session, claim, settings.import_lease_seconds)
        return True


async def _fail(database: Database, claim: Claim, code: str, detail: str) -> None:
    async with database.transaction() as session:
        await store_failure(session, claim, code, detail)


async def _work_off(database: Database, settings: ImportsSettings, woken: asyncio.Event, ended: asyncio.Event) -> None:
    while not ended.is_set():
        woken.clear()
        try:
            worked = await work_next(database, settings)
        except Exception as error:
            if not is_transient(error):
                raise
            log.warning("work interrupted", error=repr(error))
            worked = False
        if not worked:
            await _first_of(woken, ended, settings.import_work_poll_seconds)


async def _ask_again(database: Database, settings: ImportsSettings, ended: asyncio.Event) -> None:
    """Send chunks again that `customers` never answered: their topic may have lost them (M9)."""
    while not ended.is_set():
        try:
            async with database.transaction() as session:
                resent = await resend_silent_chunks(session, settings.import_silence_seconds)
            if resent:
                log.warning("no answer, chunks sent again", chunks=resent)
        except Exception as error:
            if not is_transient(error):
                raise
            log.warning("asking again interrupted", error=repr(error))
        await _first_of(ended, ended, settings.import_silence_poll_seconds)


async def _listen(settings: Settings, woken: asyncio.Event) -> None:
    """Set `woken` at every notify. Without a connection the polls carry on alone."""
    url = driver_url(settings.database_url.get_secret_value())
    while True:
        with contextlib.suppress(OSError, asyncpg.PostgresError, asyncpg.InterfaceError, TimeoutError):
            connection = await asyncpg.connect(url, **connect_arguments(settings))
            lost = asyncio.Event()
            connection.add_termination_listener(lambda _: lost.set())  # noqa: B023  # set by this connection only
            try:
                await connection.add_listener(WORK_CHANNEL, lambda *_: woken.set())
                woken.set()
                await lost.wait()
            finally:
                await connection.close(timeout=FAULT_PAUSE_SECONDS)
        await asyncio.sleep(LISTEN_PAUSE_SECONDS)


async def _first_of(one: asyncio.Event, other: asyncio.Event, seconds: float) -> None:
    waits = {asyncio.create_task(event.wait()) for event in (one, other)}
    try:
        await asyncio.wait(waits, timeout=seconds, return_when=asyncio.FIRST_COMPLETED)
    finally:
        for wait in waits:
            wait.cancel()
