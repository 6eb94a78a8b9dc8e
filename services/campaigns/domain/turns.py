"""Whose turn it is: fair over time, whatever the weights (K4).

Tijdeman's chairman assignment as earliest deadline first: with shares w/W and k people, a person's
j-th turn may come from place ceil(W(m(j-1)+1) / mw) on and must have come by place
floor(W(mj-1) / mw) + 1, where m = 2k-2. While the set of people is unchanged, everybody's number of
turns stays within one of their ideal share after every single turn. Whole numbers only.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from heapq import heapify, heappop, heappush
from uuid import UUID


@dataclass(frozen=True, slots=True)
class Candidate:
    """Somebody who may be given something now: their weight, and how many more today (None: any number)."""

    employee_id: UUID
    weight: int = 1
    room: int | None = None


@dataclass(frozen=True, slots=True)
class Share:
    """What is remembered of one person between two distributions.

    `turns` were had since the set of people last changed. `carried` is how far they were behind their
    ideal share (ahead: negative) when it did; it decides who comes first where all else is equal, so
    that a set that changes often favours nobody.
    """

    weight: int
    turns: int = 0
    carried: float = 0.0


@dataclass(frozen=True, slots=True)
class Turn:
    """One person's turn: the `number`-th of this set of people, `people` of them."""

    employee_id: UUID
    number: int
    people: int


@dataclass(frozen=True)
class Plan:
    """Who gets what, in order, and what to remember. Fewer turns than asked for: nobody had room."""

    turns: list[Turn]
    shares: dict[UUID, Share]


def plan(count: int, candidates: Sequence[Candidate], shares: Mapping[UUID, Share]) -> Plan:
    """Plan `count` turns for the candidates, continuing from `shares`. A person whose room is used up leaves the set.

    `shares` are those of the last set of people; an unchanged set continues, a changed one starts again.
    """
    remembered, turns = dict(shares), []
    room = {c.employee_id: c.room for c in candidates if c.room is None or c.room > 0}
    weights = {c.employee_id: c.weight for c in candidates if c.employee_id in room}
    while weights and len(turns) < count:
        remembered = _continued(weights, remembered)
        round_ = _Round(remembered)
        while len(turns) < count:
            turn = round_.next()
            turns.append(turn)
            left = room[turn.employee_id]
            if left is not None:
                room[turn.employee_id] = left - 1
                if left == 1:
                    del weights[turn.employee_id]
                    break
        remembered = round_.shares()
    return Plan(turns, remembered)


def _continued(weights: Mapping[UUID, int], shares: Mapping[UUID, Share]) -> dict[UUID, Share]:
    """The shares to go on from: the same ones, or a new start at the mean when the set has changed."""
    if {person: share.weight for person, share in shares.items()} == weights:
        return dict(shares)
    total_turns = sum(share.turns for share in shares.values())
    total_weight = sum(share.weight for share in shares.values())
    behind = {
        person: share.carried + share.weight * total_turns / total_weight - share.turns
        for person, share in shares.items()
        if person in weights
    }
    mean = sum(behind.values()) / len(behind) if behind else 0.0
    return {person: Share(weight, 0, behind.get(person, mean) - mean) for person, weight in weights.items()}


class _Round:
    """Turns of an unchanged set of people: those whose turn may come wait in order of their deadlines."""

    def __init__(self, shares: Mapping[UUID, Share]) -> None:
        self._shares = shares
        self._order = sorted(shares, key=lambda person: (-shares[person].carried, person))
        self._weights = [shares[person].weight for person in self._order]
        self._turns = [shares[person].turns for person in self._order]
        self._total = sum(self._weights)
        self._m = 2 * max(len(self._order), 2) - 2
        self._number = sum(self._turns)
        self._early = [(self._release(place), place) for place in range(len(self._order))]
        self._ready: list[tuple[int, int]] = []
        heapify(self._early)

    def next(self) -> Turn:
        """The next turn."""
        self._number += 1
        while self._early and self._early[0][0] <= self._number:
            _, place = heappop(self._early)
            heappush(self._ready, (self._deadline(place), place))
        _, place = heappop(self._ready)  # never empty: the shares due add up to one, so somebody's is due
        self._turns[place] += 1
        heappush(self._early, (self._release(place), place))
        return Turn(self._order[place], self._number, len(self._order))

    def shares(self) -> dict[UUID, Share]:
        """What to remember."""
        return {
            person: replace(self._shares[person], turns=turns)
            for person, turns in zip(self._order, self._turns, strict=True)
        }

    def _release(self, place: int) -> int:
        return -(-self._total * (self._m * self._turns[place] + 1) // (self._m * self._weights[place]))

    def _deadline(self, place: int) -> int:
        return self._total * (self._m * (self._turns[place] + 1) - 1) // (self._m * self._weights[place]) + 1
