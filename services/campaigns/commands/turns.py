"""What distribution remembers per campaign and person, read and written under the campaign's lock (K4)."""

from collections.abc import Mapping, Sequence
from datetime import date
from uuid import UUID

from services.campaigns.domain.turns import Share, Turn
from shared.database import Session, run

_STORE = """
INSERT INTO distribution_turn AS stored (campaign_id, employee_id, weight, turns, carried, given_on, given)
SELECT $1, employee_id, weight, turns, carried, $6, given
FROM unnest($2::uuid[], $3::int[], $4::bigint[], $5::float8[], $7::int[])
     AS new(employee_id, weight, turns, carried, given)
ON CONFLICT (campaign_id, employee_id) DO UPDATE SET
    weight = excluded.weight, turns = excluded.turns, carried = excluded.carried, given_on = excluded.given_on,
    given = excluded.given + CASE WHEN stored.given_on = excluded.given_on THEN stored.given ELSE 0 END
"""


class Remembered:
    """A campaign's turns so far: the shares of the last set of people, and who was given how many today."""

    def __init__(self, shares: dict[UUID, Share], given_today: dict[UUID, int]) -> None:
        self.shares, self.given_today = shares, given_today


async def remembered_turns(session: Session, campaign_id: UUID, today: date) -> Remembered:
    """What is remembered of a campaign."""
    rows = await run(
        session,
        "SELECT employee_id, weight, turns, carried, CASE WHEN given_on = $2 THEN given ELSE 0 END"
        " FROM distribution_turn WHERE campaign_id = $1",
        campaign_id,
        today,
    )
    shares: dict[UUID, Share] = {}
    given: dict[UUID, int] = {}
    for employee_id, weight, turns, carried, given_today in rows:
        given[employee_id] = given_today
        if weight is not None:  # without one they were not among the last set of people
            shares[employee_id] = Share(weight, turns, carried)
    return Remembered(shares, given)


async def remember_turns(
    session: Session, campaign_id: UUID, today: date, shares: Mapping[UUID, Share], turns: Sequence[Turn]
) -> None:
    """Store the shares after some turns; people who are in the set no more keep what they were given today."""
    given = dict.fromkeys(shares, 0)
    for turn in turns:
        given[turn.employee_id] = given.get(turn.employee_id, 0) + 1
    out = Share(0)
    people = sorted(given)
    await run(
        session,
        "UPDATE distribution_turn SET weight = NULL"
        " WHERE campaign_id = $1 AND weight IS NOT NULL AND employee_id <> ALL($2::uuid[])",
        campaign_id,
        list(shares),
    )
    await run(
        session,
        _STORE,
        campaign_id,
        people,
        [shares[person].weight if person in shares else None for person in people],
        [shares.get(person, out).turns for person in people],
        [shares.get(person, out).carried for person in people],
        today,
        [given[person] for person in people],
    )
