"""What counts as an interaction, by kind of source object."""

from tests.service.interactions.world import World


async def test_a_created_customer_counts_one(world: World):
    """I1: creation counts once, at first sight of the customer."""
    assert await world.count() == 1
