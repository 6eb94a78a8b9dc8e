"""Rows of the ledger in full: what a new ruleset would change, and putting it in force."""

import time

from tests.performance.commands import command
from tests.performance.multiplied import multiply
from tests.performance.report import Bar, Figure
from tests.performance.stage import Stage

RULESET = 2

JUDGED = Bar("at most", 60, None, "s for 1,000,000 rows")
PUT_IN_FORCE = Bar("at most", 300, None, "s for 1,000,000 rows")
"""Nobody promised a time for this one: it is told so that it is seen to write what changed only."""

# A release would bring these with a revision: an answered call counts, whoever called.
_RULESET = f"""
CREATE FUNCTION contribution_{RULESET}(entry ledger) RETURNS int LANGUAGE sql IMMUTABLE PARALLEL SAFE
RETURN CASE WHEN entry.kind = 'call' THEN CASE WHEN (entry.outcome).fact = 'answered' THEN 1 ELSE 0 END
            ELSE contribution_1(entry) END;
CREATE OR REPLACE FUNCTION contribution(ruleset int, entry ledger) RETURNS int LANGUAGE sql IMMUTABLE PARALLEL SAFE
RETURN CASE ruleset WHEN 1 THEN contribution_1(entry) WHEN {RULESET} THEN contribution_{RULESET}(entry) END;
CREATE OR REPLACE FUNCTION link_contribution(ruleset int, entry ledger) RETURNS int LANGUAGE sql IMMUTABLE
    PARALLEL SAFE
RETURN CASE ruleset WHEN 1 THEN link_contribution_1(entry) WHEN {RULESET} THEN link_contribution_1(entry) END;
CREATE OR REPLACE FUNCTION contact_at(ruleset int, entry ledger) RETURNS timestamptz LANGUAGE sql IMMUTABLE
    PARALLEL SAFE
RETURN CASE ruleset WHEN 1 THEN contact_at_1(entry) WHEN {RULESET} THEN contact_at_1(entry) END;
CREATE OR REPLACE FUNCTION two_way_at(ruleset int, entry ledger) RETURNS timestamptz LANGUAGE sql IMMUTABLE
    PARALLEL SAFE
RETURN CASE ruleset WHEN 1 THEN two_way_at_1(entry) WHEN {RULESET} THEN two_way_at_1(entry) END;
CREATE OR REPLACE FUNCTION rule(ruleset int, entry ledger) RETURNS text LANGUAGE sql IMMUTABLE PARALLEL SAFE
RETURN CASE ruleset WHEN 1 THEN rule_1(entry) WHEN {RULESET} THEN rule_1(entry) END;
INSERT INTO ruleset (number, in_force) VALUES ({RULESET}, false) ON CONFLICT DO NOTHING;
"""
_BARE_GROUPING = """
SELECT count(*), sum(calls) FROM (
    SELECT customer_id, count(*) FILTER (WHERE kind = 'call') AS calls, max(occurred_at)
    FROM ledger GROUP BY customer_id
) AS grouped
"""


async def new_ruleset(stage: Stage, total: int) -> list[Figure]:
    """The command's dry run, then the run, beside one plain grouping of the ledger by customer."""
    await multiply(stage, total)
    connection = stage.connections["interactions"]
    await connection.execute(_RULESET)
    started = time.perf_counter()
    await connection.fetchrow(_BARE_GROUPING)
    yardstick = f"bare grouping {time.perf_counter() - started:.1f} s"
    before = stage.usage()
    dry = await command(stage, "interactions", "recompute", "--ruleset", str(RULESET), "--dry-run")
    dry_cost = dry.cost(stage.usage().since(before))
    verdict = dry.said[-1]["would_change"]
    before = stage.usage()
    real = await command(stage, "interactions", "recompute", "--ruleset", str(RULESET))
    real_cost = real.cost(stage.usage().since(before))
    told = real.said[-1]["summaries_told"]
    assert told == verdict["customers_changed"], (told, verdict)
    await stage.settle()
    rows = verdict["rows"]
    seen = f"{verdict['customers_changed']:,} of {verdict['customers']:,} customers would change, {rows:,} rows"
    judged, put = (seconds * min(1, 1_000_000 / rows) for seconds in (dry.seconds, real.seconds))
    return [
        Figure("23 dry run of a ruleset", f"{dry.seconds:.1f} s", judged, JUDGED, yardstick, dry_cost, [seen]),
        Figure(
            "23 ruleset put in force",
            f"{real.seconds:.1f} s",
            put,
            PUT_IN_FORCE,
            yardstick,
            real_cost,
            [f"the dry run before it included; {told:,} summaries told"],
        ),
    ]
