"""What a batch costs the relay does not grow with what waits behind it."""

import asyncpg

from shared import relay
from tests.service.shared.probe.process import Probe


async def test_a_backlog_is_read_by_its_key_though_statistics_say_there_is_none(probe: Probe) -> None:
    """An outbox analysed while empty would be read and sorted as a whole for every batch."""
    owner = await asyncpg.connect(probe.settings.owner_url)
    await owner.execute("VACUUM ANALYZE outbox")
    await owner.close()
    connection = await relay.connect(probe.settings)
    try:
        plan = "\n".join(row[0] for row in await connection.fetch(f"EXPLAIN {relay.NEXT.replace('$1', '1000')}"))
    finally:
        await connection.close()
    assert "Index Scan using outbox_pkey" in plan
    assert "Sort" not in plan
