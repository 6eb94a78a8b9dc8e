"""Connections are lent one by one; what is lost or unfinished is never lent again."""

import asyncio
from collections.abc import AsyncIterator

import pytest

from shared.connections import Connections, Lent
from shared.database import connect_arguments
from tests.conftest import MakeHarness

WAIT_SECONDS = 0.2


@pytest.fixture
async def connections(make_harness: MakeHarness) -> AsyncIterator[Connections]:
    """One connection to a real database."""
    settings = (await make_harness("campaigns")).settings
    url = settings.database_url.get_secret_value()
    lending = Connections(url, connect_arguments(settings), 1, WAIT_SECONDS)
    yield lending
    await lending.close()


async def backend(lent: Lent) -> int:
    """The server's process behind a connection."""
    return int(await lent.driver.fetchval("SELECT pg_backend_pid()") or 0)


async def test_a_connection_is_lent_again_with_an_empty_session(connections: Connections) -> None:
    """What one request left in the session is not there for the next."""
    async with connections.borrowed() as lent:
        first = await backend(lent)
        lent.session.info["left"] = "behind"
    async with connections.borrowed() as lent:
        assert await backend(lent) == first
        assert "left" not in lent.session.info


async def test_who_waits_too_long_is_told(connections: Connections) -> None:
    """The wait has a limit, and does not use up a place."""
    async with connections.borrowed():
        with pytest.raises(TimeoutError):
            async with connections.borrowed():
                pass
    async with connections.borrowed() as lent:
        assert await backend(lent)


async def test_an_unfinished_transaction_is_never_lent_again(connections: Connections) -> None:
    """Else the next request would work in somebody else's transaction."""
    async with connections.borrowed() as lent:
        first = await backend(lent)
        await lent.driver.execute("BEGIN")
    async with connections.borrowed() as lent:
        assert await backend(lent) != first
        assert not lent.driver.is_in_transaction()


async def test_a_lost_connection_is_replaced(connections: Connections) -> None:
    """Also one that was lost while nobody used it."""
    async with connections.borrowed() as lent:
        first = await backend(lent)
    connections._idle[-1].driver.terminate()
    async with connections.borrowed() as lent:
        assert await backend(lent) != first


async def test_a_cancelled_request_gives_its_place_back(connections: Connections) -> None:
    """Cancelled in the middle of a statement, again and again: the one connection is still there to be had."""

    async def slow() -> None:
        async with connections.borrowed() as lent, lent.driver.transaction():
            await lent.driver.execute("SELECT pg_sleep(5)")

    for _ in range(3):
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(0.05):
                await slow()
    async with connections.borrowed() as lent:
        assert await lent.driver.fetchval("SELECT 1") == 1
