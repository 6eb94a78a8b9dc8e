"""Turns are fair after every single one, whatever the weights and however they are asked for (K4)."""

from collections import Counter
from fractions import Fraction
from uuid import UUID

from hypothesis import given
from hypothesis import strategies as st

from services.campaigns.domain.turns import Candidate, Share, plan


def person(number: int) -> UUID:
    """A person whose place in order of ids is known."""
    return UUID(int=number)


def people(*weights: int) -> list[Candidate]:
    """People with these weights and room for any number."""
    return [Candidate(person(number), weight) for number, weight in enumerate(weights)]


@given(st.lists(st.integers(1, 50), min_size=1, max_size=8), st.lists(st.integers(0, 60), min_size=1, max_size=6))
def test_every_share_stays_within_one_of_its_ideal_after_every_turn(weights: list[int], bulks: list[int]) -> None:
    """K4: over several bulks nobody is ever one whole turn or more away from their ideal share."""
    shares: dict[UUID, Share] = {}
    counts, total = Counter[UUID](), 0
    for size in bulks:
        planned = plan(size, people(*weights), shares)
        shares = planned.shares
        assert len(planned.turns) == size
        for turn in planned.turns:
            counts[turn.employee_id] += 1
            total += 1
            for number, weight in enumerate(weights):
                ideal = Fraction(weight * total, sum(weights))
                assert abs(ideal - counts[person(number)]) < 1


@given(st.integers(1, 9), st.integers(0, 50), st.integers(0, 50))
def test_equal_weights_are_plain_round_robin(count: int, first: int, second: int) -> None:
    """K4: with weights of 1 everybody comes in the same order, also across two bulks."""
    candidates = people(*[1] * count)
    before = plan(first, candidates, {})
    after = plan(second, candidates, before.shares)
    order = [turn.employee_id for turn in (*before.turns, *after.turns)]
    assert order == [person(place % count) for place in range(first + second)]


@given(
    st.lists(st.tuples(st.integers(1, 5), st.none() | st.integers(0, 5)), min_size=1, max_size=6), st.integers(0, 40)
)
def test_nobody_gets_more_than_their_room_and_nothing_waits_while_somebody_has_room(
    wanted: list[tuple[int, int | None]], size: int
) -> None:
    """K4: a daily capacity is never exceeded, and turns run out only when everybody's room is used up."""
    candidates = [Candidate(person(number), weight, room) for number, (weight, room) in enumerate(wanted)]
    turns = plan(size, candidates, {}).turns
    counts = Counter(turn.employee_id for turn in turns)
    assert all(room is None or counts[person(number)] <= room for number, (_, room) in enumerate(wanted))
    rooms = [room for _, room in wanted]
    everything = size if None in rooms else min(size, sum(room for room in rooms if room is not None))
    assert len(turns) == everything


def test_a_newcomer_starts_at_the_mean_and_is_not_given_everything() -> None:
    """K4: after a hundred turns of two, a third person gets a third of the next, not all that they missed."""
    shares = plan(100, people(1, 1), {}).shares
    counts = Counter(turn.employee_id for turn in plan(30, people(1, 1, 1), shares).turns)
    assert set(counts.values()) == {10}


def test_a_set_that_changes_with_every_turn_favours_nobody() -> None:
    """K4: single turns while a third person comes and goes still end even among those always there."""
    shares: dict[UUID, Share] = {}
    counts = Counter[UUID]()
    for step in range(60):
        planned = plan(1, people(1, 1, 1) if step % 2 else people(1, 1), shares)
        shares = planned.shares
        counts[planned.turns[0].employee_id] += 1
    assert abs(counts[person(0)] - counts[person(1)]) <= 1


def test_without_anybody_there_are_no_turns_and_nothing_is_forgotten() -> None:
    """K4: a bulk that finds nobody leaves the shares as they were."""
    shares = plan(7, people(1, 2), {}).shares
    planned = plan(5, [], shares)
    assert planned.turns == []
    assert planned.shares == shares


def test_a_thousand_turns_among_two_hundred_people_take_no_time() -> None:
    """K4: planning a bulk is a matter of milliseconds, so that the campaign's lock is held briefly."""
    turns = plan(1_000, people(*range(1, 201)), {}).turns
    assert len(turns) == 1_000
