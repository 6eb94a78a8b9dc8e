"""Another ruleset: what it would change is said before it is put in force, then every customer counts by it.

The facts stay untouched: a ruleset judges the merged rows of the ledger, batch by batch of customers.
Each summary says by which ruleset it was counted, so a run that was killed goes on where it ended.
"""

from collections.abc import Callable
from dataclasses import asdict, dataclass, field, fields
from typing import Any
from uuid import UUID

from services.interactions.commands.summaries import counted, recount
from shared import outbox
from shared.database import Database, run

JUDGED_TOGETHER = 5_000
COUNTED_TOGETHER = 1_000
"""Customers whose summaries one transaction holds: facts about them wait meanwhile."""

MAX_EXAMPLES = 10

Progress = Callable[[int], None]
"""Hears how many customers are done."""

_FIRST = UUID(int=0)

_KNOWN = "SELECT number FROM ruleset ORDER BY number"

# $1 the ruleset, $2 the customer behind whom the batch begins, $3 how many.
_JUDGE = f"""
WITH batch AS MATERIALIZED (
    SELECT customer_id, interaction_count, last_contact, two_way, manual, manual_recorded_at FROM summary
    WHERE NOT erased AND customer_id > $2 ORDER BY customer_id LIMIT $3
),
last AS (SELECT customer_id FROM batch ORDER BY customer_id DESC LIMIT 1),
counted AS ({counted("$1", "customer_id > $2 AND customer_id <= (SELECT customer_id FROM last)")}),
judged AS (
    SELECT batch.customer_id, rows, batch.interaction_count AS old_count, last_contact AS old_last_contact,
        batch.two_way AS old_two_way, coalesce(counted.interaction_count, 0) AS new_count,
        CASE WHEN manual_recorded_at IS NULL OR (counted.contact).at > manual_recorded_at
             THEN counted.contact ELSE manual END AS new_last_contact,
        counted.two_way AS new_two_way
    FROM batch LEFT JOIN counted USING (customer_id)
),
changed AS (
    SELECT * FROM judged
    WHERE new_count <> old_count OR new_last_contact IS DISTINCT FROM old_last_contact
        OR new_two_way IS DISTINCT FROM old_two_way
)
SELECT
    (SELECT customer_id FROM last) AS last_id,
    (SELECT count(*) FROM judged) AS customers,
    (SELECT coalesce(sum(rows), 0)::bigint FROM judged) AS rows,
    count(*) AS customers_changed,
    count(*) FILTER (WHERE new_count <> old_count) AS counts_changed,
    coalesce(sum(new_count - old_count) FILTER (WHERE new_count > old_count), 0)::bigint AS gained,
    coalesce(sum(old_count - new_count) FILTER (WHERE new_count < old_count), 0)::bigint AS lost,
    count(*) FILTER (WHERE new_last_contact IS DISTINCT FROM old_last_contact) AS last_contacts_changed,
    count(*) FILTER (WHERE new_two_way IS DISTINCT FROM old_two_way) AS two_way_contacts_changed,
    ARRAY(
        SELECT json_build_object(
            'customer_id', customer_id,
            'interaction_count', json_build_object('old', old_count, 'new', new_count),
            'last_contact', json_build_object(
                'old', instant((old_last_contact).at), 'new', instant((new_last_contact).at)),
            'last_two_way_contact', json_build_object(
                'old', instant((old_two_way).at), 'new', instant((new_two_way).at))
        )
        FROM changed ORDER BY customer_id LIMIT {MAX_EXAMPLES}
    ) AS examples
FROM changed
"""

_BEHIND = """
SELECT customer_id FROM summary
WHERE NOT erased AND customer_id > $2 AND ruleset <> (SELECT number FROM ruleset WHERE in_force)
ORDER BY customer_id LIMIT $1
"""


class UnknownRuleset(LookupError):
    """The database has no rules of this number; the text says which it has."""


@dataclass
class Verdict:
    """What a ruleset makes of the ledger: customers and rows looked at, and what would be otherwise.

    `gained` and `lost` are interactions; `examples` are the first customers that would change.
    """

    customers: int = 0
    rows: int = 0
    customers_changed: int = 0
    counts_changed: int = 0
    gained: int = 0
    lost: int = 0
    last_contacts_changed: int = 0
    two_way_contacts_changed: int = 0
    examples: list[Any] = field(default_factory=list)

    def add(self, batch: Any) -> None:
        """Add a batch's row."""
        for name in (one.name for one in fields(self) if one.name != "examples"):
            setattr(self, name, getattr(self, name) + getattr(batch, name))
        self.examples += batch.examples[: MAX_EXAMPLES - len(self.examples)]

    def as_dict(self) -> dict[str, Any]:
        """The verdict as it is printed."""
        return asdict(self)


async def judge(database: Database, number: int, progress: Progress = lambda customers: None) -> Verdict:
    """What a ruleset would change in every customer's summary; writes nothing. Raises UnknownRuleset."""
    await _require_known(database, number)
    verdict, last = Verdict(), _FIRST
    while last is not None:
        async with database.reading() as session:
            batch = (await run(session, _JUDGE, number, last, JUDGED_TOGETHER)).one()
        verdict.add(batch)
        last = batch.last_id
        progress(verdict.customers)
    return verdict


async def put_in_force(database: Database, number: int, progress: Progress = lambda customers: None) -> int:
    """Count by a ruleset from now on, new facts first, then every customer; answers how many summaries it told.

    Numbers that stay are neither written nor told. Raises UnknownRuleset.
    """
    await _require_known(database, number)
    async with database.transaction() as session:
        await run(session, "UPDATE ruleset SET in_force = false WHERE in_force AND number <> $1", number)
        await run(session, "UPDATE ruleset SET in_force = true WHERE NOT in_force AND number = $1", number)
    done = told = 0
    last = _FIRST
    while True:
        async with database.transaction() as session:
            customer_ids = list((await run(session, _BEHIND, COUNTED_TOGETHER, last)).scalars())
            if not customer_ids:
                return told
            told += (await recount(session, customer_ids, outbox.origin(session))).told
        done, last = done + len(customer_ids), customer_ids[-1]
        progress(done)


async def _require_known(database: Database, number: int) -> None:
    async with database.reading() as session:
        known = list((await run(session, _KNOWN)).scalars())
    if number not in known:
        raise UnknownRuleset(f"there is no ruleset {number}; there are: {', '.join(map(str, known))}")
