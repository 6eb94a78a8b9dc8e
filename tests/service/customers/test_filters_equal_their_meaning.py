"""Every filter finds exactly what plain Python says it means, within the asker's sight."""

from dataclasses import dataclass
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from services.customers.domain.filters import parse_filter
from services.customers.queries.filters import matching_ids
from shared.access import load_actor
from shared.identity import MANAGE_CAMPAIGNS, VIEW_ALL, Actor, Identity
from tests.service.customers.conftest import Team
from tests.service.customers.filter_reference import holds, sees
from tests.service.customers.filter_shapes import meant, shape
from tests.service.customers.filter_world import Known, build


@dataclass(repr=False)
class World:
    """The service, what it holds, and who asks."""

    team: Team
    known: Known
    actors: list[Actor]


@pytest.fixture
async def world(team: Team) -> World:
    """A few hundred customers, and askers of every reach."""
    known = await build(team)
    asking = [("an", ()), ("binh", ()), ("dung", ()), ("binh", (VIEW_ALL, MANAGE_CAMPAIGNS))]
    actors: list[Actor] = []
    async with team.harness.database.reading() as session:
        for name, permissions in asking:
            actors.append(await load_actor(session, Identity(str(team.ids[name]), "employee", frozenset(permissions))))
    return World(team, known, actors)


@settings(max_examples=300, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(drawn=shape(), who=st.integers(0, 3))
async def test_a_filter_finds_what_it_means_within_sight(world: World, drawn: dict[str, Any], who: int) -> None:
    """A2, P4, R3: any filter, any asker: exactly the visible customers for whom it holds, in id order."""
    actor, node = world.actors[who], meant(world.known, drawn)
    expected = sorted(c.id for c in world.known.customers if sees(actor, c) and holds(world.known, actor, node, c))
    async with world.team.harness.database.reading() as session:
        assert await matching_ids(session, actor, parse_filter(node), limit=1_000) == expected, node
