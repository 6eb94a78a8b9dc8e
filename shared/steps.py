"""What a worker beside the consumers does all day: steps while there are any, a rest when there are none."""

import asyncio
import contextlib
from collections.abc import Awaitable, Callable

from shared import telemetry
from shared.database import is_transient

log = telemetry.logger("steps")


async def do_steps(
    step: Callable[[], Awaitable[bool]], poll_seconds: float, pause_seconds: float, ended: asyncio.Event
) -> None:
    """Do steps until `ended`; one answers False when there is nothing to do, and is asked again after `poll_seconds`.

    A fault that passes makes it rest for `pause_seconds`; others end the process.
    """
    while not ended.is_set():
        rest_seconds = poll_seconds
        try:
            if await step():
                continue
        except Exception as error:
            if not is_transient(error):
                raise
            log.warning("work interrupted", error=repr(error))
            rest_seconds = pause_seconds
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(rest_seconds):
                await ended.wait()
