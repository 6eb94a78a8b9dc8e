"""Every test of interactions begins with a small world of its own."""

import pytest

from tests.conftest import MakeHarness
from tests.service.interactions.discussion import Discussion
from tests.service.interactions.world import CONNECTOR, World


@pytest.fixture
async def world(make_harness: MakeHarness) -> World:
    """A fresh world for a test."""
    world = World(await make_harness("interactions", ingest_sources=CONNECTOR))
    await world.begin()
    return world


@pytest.fixture
async def discussion(world: World) -> Discussion:
    """A customer about whom people talk."""
    discussion = Discussion(world)
    await discussion.begin()
    return discussion
