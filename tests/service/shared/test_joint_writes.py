"""Writes of several requests in one transaction, and what happens when it cannot be had."""

import asyncio
from collections.abc import Sequence

import pytest

from shared import joint_writes
from shared.database import Session, run
from shared.joint_writes import JointWrites
from tests.service.shared.probe.process import Probe


async def _note(session: Session, texts: Sequence[str]) -> list[int]:
    """Write texts down; each is answered with its transaction."""
    await run(session, "INSERT INTO effect (key, text) SELECT uuidv7(), * FROM unnest($1::text[])", texts)
    if "bad" in texts:
        raise ValueError("bad")
    transaction = (await run(session, "SELECT txid_current()")).scalar_one()
    return [transaction] * len(texts)


async def _noted(probe: Probe) -> list[str]:
    async with probe.database.reading() as session:
        return list((await run(session, "SELECT text FROM effect ORDER BY text")).scalars())


async def test_those_who_come_while_one_is_written_are_written_together(probe: Probe) -> None:
    """The first begins at once; all who came meanwhile share the next transaction."""
    joint = JointWrites(probe.database)
    first, *others = await asyncio.gather(*(joint.do(_note, str(number)) for number in range(8)))
    assert len(await _noted(probe)) == 8
    assert len({first, *others}) <= 2, "everybody had a transaction of their own"


async def test_what_cannot_be_written_spoils_nothing_for_others(probe: Probe) -> None:
    """Each of a failed transaction is tried by itself, once; only who is at fault is refused."""
    joint = JointWrites(probe.database)
    works = [joint.do(_note, text) for text in ("a", "b", "bad", "c")]
    answers = await asyncio.gather(*works, return_exceptions=True)
    assert [isinstance(answer, ValueError) for answer in answers] == [False, False, True, False]
    assert await _noted(probe) == ["a", "b", "c"]


async def test_who_waits_for_a_lock_holds_up_nobody_who_comes_later(probe: Probe) -> None:
    """A joint transaction that does not end is not waited for longer than others' patience."""
    joint, begun, held = JointWrites(probe.database), asyncio.Event(), asyncio.Event()

    async def write(session: Session, texts: Sequence[str]) -> list[int]:
        if "held" in texts:
            begun.set()
            await held.wait()
        return await _note(session, texts)

    waiting = asyncio.create_task(joint.do(write, "held"))
    await begun.wait()
    async with asyncio.timeout(joint_writes.PATIENCE_SECONDS * 20):
        await joint.do(write, "later")
    assert not waiting.done()
    held.set()
    await waiting
    assert await _noted(probe) == ["held", "later"]


async def test_who_gives_up_before_it_began_takes_it_back(probe: Probe) -> None:
    """Work whose request has ended is not begun any more; the others' is."""
    joint = JointWrites(probe.database)
    stays, gone = (asyncio.create_task(joint.do(_note, text)) for text in ("stays", "gone"))
    await asyncio.sleep(0)
    gone.cancel()
    await stays
    with pytest.raises(asyncio.CancelledError):
        await gone
    assert await _noted(probe) == ["stays"]
