"""Long work of campaigns in a process to be killed: `python -m tests.service.campaigns.distributing URL`."""

import asyncio
import sys

from services.campaigns.settings import CampaignsSettings
from services.campaigns.worker import work
from shared.database import Database


async def main(database_url: str) -> None:
    """Work for ever."""
    given = {"service": "campaigns", "database_url": database_url, "kafka_bootstrap_servers": "127.0.0.1:1"}
    settings = CampaignsSettings.model_validate({**given, "jwks_url": "file:///nowhere", "token_issuer": "test"})
    await work(Database(settings), settings, asyncio.Event())


if __name__ == "__main__":
    asyncio.run(main(sys.argv[1]))
