"""Does long work beside the consumers: step by step, each step one transaction, from where it stands; has files made.

Several processes may do so at once; each takes work that no other is at.
"""

import asyncio
from functools import partial

from services.customers.commands.exports import (
    Claim,
    LeaseLost,
    claim_export,
    fail_export,
    finish_export,
    hold,
    store_part,
)
from services.customers.commands.long_work import chunk_of
from services.customers.commands.working import STEPS, do_next
from services.customers.domain.long_work import LongWork
from services.customers.queries.exports import SHEETS, export_fields, export_rows
from services.customers.settings import CustomersSettings
from services.customers.spreadsheets.writing import Writing, WritingFailed
from shared import telemetry, working
from shared.access import actor_of
from shared.database import Database
from shared.errors import RapportError
from shared.identity import DOWNLOAD
from shared.settings import Settings
from shared.steps import do_steps

log = telemetry.logger("customers-worker")


async def work(database: Database, settings: Settings, ended: asyncio.Event) -> None:
    """Do what is there to do step by step, until `ended`."""
    assert isinstance(settings, CustomersSettings)
    step = partial(work_next, database)
    await do_steps(step, settings.long_work_poll_seconds, settings.long_work_pause_seconds, ended)


async def export(database: Database, settings: Settings, ended: asyncio.Event) -> None:
    """Have files made, one at a time, until `ended`."""
    assert isinstance(settings, CustomersSettings)
    step = partial(export_next, database, settings)
    await do_steps(step, settings.long_work_poll_seconds, settings.long_work_pause_seconds, ended)


async def work_next(database: Database) -> bool:
    """Do one step of the oldest work; False when there is nothing to do. Raises what passes by itself."""
    return await working.work_next(database, LongWork, do_next, STEPS)


async def export_next(database: Database, settings: CustomersSettings) -> bool:
    """Make the file of the oldest export that nobody is at; False when there is none. Raises what passes by itself.

    A process that dies leaves its lease to end: another one begins the file anew.
    """
    async with database.transaction() as session:
        claim = await claim_export(session, settings.export_lease_seconds)
    if claim is None:
        return False
    if claim.attempt > settings.export_attempts:
        code = "internal_error"
    else:
        try:
            async with asyncio.timeout(settings.export_seconds):
                await make_file(database, claim, settings.export_lease_seconds)
            return True
        except LeaseLost:
            return True
        except RapportError as refusal:
            code = refusal.code
        except (WritingFailed, TimeoutError) as error:
            log.error("export given up", export_id=str(claim.export_id), error=repr(error))
            code = "internal_error"
    async with database.transaction() as session:
        await fail_export(session, claim, code)
    return True


async def make_file(database: Database, claim: Claim, lease_seconds: float) -> None:
    """Pass rows to a process that writes the file, chunk by chunk, with what the maker may see by then (R2).

    Raises LeaseLost, InactiveEmployee, Forbidden, WritingFailed.
    """
    async with database.reading() as session:
        work = await session.get_one(LongWork, claim.export_id)
    columns, language = work.request["columns"], work.request["language"]
    header = [field.label(language) for field in export_fields(columns)]
    writing = await Writing.start(work.request["format"], header, SHEETS[language])
    storing = asyncio.create_task(_store(database, claim, writing, lease_seconds))
    try:
        rows = 0
        while not storing.done():
            async with database.transaction() as session:
                await hold(session, claim, lease_seconds, rows)
                actor = await actor_of(session, work.asked_by)
                actor.require(DOWNLOAD)
                customer_ids = await chunk_of(session, work)
                lines, count = await export_rows(session, actor, customer_ids or (), columns, language)
            if customer_ids is None:
                break
            if count:
                await writing.write(lines)
            rows, work.next_chunk = rows + count, work.next_chunk + 1
        writing.end()
        await storing
        async with database.transaction() as session:
            await finish_export(session, claim, rows)
    finally:
        storing.cancel()
        await writing.stop()


async def _store(database: Database, claim: Claim, writing: Writing, lease_seconds: float) -> None:
    part = 0
    async for content in writing.parts():
        async with database.transaction() as session:
            await store_part(session, claim, part, content, lease_seconds)
        part += 1
