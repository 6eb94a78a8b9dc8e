"""The one compiler of filters: a tree becomes an SQL condition over `customer_search s` with its parameters.

Lists, totals, exports, selections and assignment all ask through here, so that a filter means the same
everywhere and sight (A2) is never left out: `matching` puts both together.
"""

import re
from dataclasses import dataclass
from datetime import date, datetime
from typing import Any
from uuid import UUID

from services.customers.domain.filter_values import Value
from services.customers.domain.filters import All, Node, Not, OpportunityTest, Some, Test
from services.customers.domain.purchase_filter import Purchases
from services.customers.domain.search_text import viewer_lexeme
from services.customers.queries.filter_columns import (
    COLUMNS,
    KINDS,
    LISTS,
    NEVER_NULL,
    Column,
    joins,
    of_kind,
    province_key,
)
from services.customers.queries.parameters import Parameters
from services.customers.queries.purchases import Way, purchased
from services.customers.queries.text import WORDS, lexemes_of
from shared.database import Session, run
from shared.folding import fold
from shared.identity import MANAGE_CAMPAIGNS, Actor
from shared.phones import fragment


@dataclass(frozen=True)
class Condition:
    """A condition on `customer_search s` (and what `joins` adds), with its parameters."""

    sql: str
    parameters: tuple[Any, ...]

    @property
    def joins(self) -> str:
        """What the condition needs beside `customer_search s`."""
        return joins(self.sql)


@dataclass(frozen=True)
class Asker:
    """Who asks, in which statement, and where purchases are looked for in it.

    `one_by_one`: customers are looked at one after the other, in a list's order. Deleted customers (`deleted`)
    are in no index of the live ones.
    """

    actor: Actor
    parameters: Parameters
    purchases: Way = "any"
    deleted: bool = False
    one_by_one: bool = False


def compile_filter(actor: Actor, node: Node, first: int = 1) -> Condition:
    """What must hold of a customer, as SQL; parameters are numbered from `$first`.

    The actor decides which campaigns an `opportunity` node may look into (R3). Their sight is not in
    it: see `visible` and `matching`.
    """
    parameters = Parameters(first)
    return Condition(condition(Asker(actor, parameters), node), tuple(parameters))


def matching(actor: Actor, node: Node, first: int = 1) -> Condition:
    """A statement for the ids of the live customers that the actor sees and the filter finds (A2).

    Its one column is `customer_id`, in no order: to be wrapped, ordered, counted or inserted from.
    """
    parameters = Parameters(first)
    asker = Asker(actor, parameters)
    where = f"{visible(asker)} AND {condition(asker, node)}"
    return Condition(f"SELECT s.customer_id FROM customer_search s {joins(where)} WHERE {where}", tuple(parameters))


async def matching_ids(session: Session, actor: Actor, node: Node, limit: int, after: UUID | None = None) -> list[UUID]:
    """At most `limit` ids of customers that the actor sees and the filter finds, ordered, behind `after` (A2)."""
    found = matching(actor, node, first=3)
    rows = await run(
        session,
        f"SELECT customer_id FROM ({found.sql}) found WHERE $1::uuid IS NULL OR customer_id > $1"
        " ORDER BY customer_id LIMIT $2",
        after,
        limit,
        *found.parameters,
    )
    return list(rows.scalars())


def visible(asker: Asker) -> str:
    """What the actor sees (A2): responsible, superior of the responsible, viewer, or everything."""
    actor = asker.actor
    if actor.sees_everything:
        return "true"
    if actor.employee_id is None:
        return "false"
    reach = asker.parameters.add(list(actor.reach), "uuid[]")
    looks = has_words(asker.parameters, f"'{viewer_lexeme(actor.employee_id)}'", asker.one_by_one)
    return f"(s.manager_id = ANY({reach}) OR {looks})"


def has_words(parameters: Parameters, lexemes: str, one_by_one: bool = False) -> str:
    """That a customer has these words: an index answers the operator, for all customers at once.

    Row by row the operator's own function is asked. PostgreSQL guesses how often the operator holds from
    the words, so that a plan for unknown words never looks as good as one made anew for each statement;
    making it takes longer than running it. Of a function it guesses the same whatever the words.
    """
    query = parameters.add(lexemes, "tsquery")
    return f"ts_match_vq(s.words, {query})" if one_by_one else f"s.words @@ {query}"


def condition(asker: Asker, node: Node, negated: bool = False) -> str:
    """A node as SQL. Below a `not` every comparison is made two-valued: what is unknown does not hold."""
    if isinstance(node, All | Some):
        parts = [condition(asker, part, negated) for part in node.parts]
        if not parts:
            return "true" if isinstance(node, All) else "false"
        return f"({(' AND ' if isinstance(node, All) else ' OR ').join(parts)})"
    if isinstance(node, Not):
        return f"NOT {condition(asker, node.part, True)}"
    if isinstance(node, OpportunityTest):
        return _opportunity(asker.actor, node, asker.parameters)
    if isinstance(node, Purchases):
        return purchased(node, asker.parameters, asker.purchases)
    sql = _province(node, asker) if _is_province(node) and not asker.deleted else _test(node, asker)
    return f"({sql}) IS TRUE" if negated and node.field.name not in NEVER_NULL else f"({sql})"


def readable_campaigns(actor: Actor, alias: str, parameters: Parameters) -> str:
    """Which rows of `campaign` the actor may read: managers, relevant persons, staff, `campaigns:manage` (R1)."""
    if actor.may(MANAGE_CAMPAIGNS) or actor.kind == "system":
        return f"{alias}.state->>'state' = 'active'"
    if actor.employee_id is None:
        return "false"
    own = parameters.add(str(actor.employee_id), "text")
    lists = (f"{alias}.state->'{name}' ? {own}" for name in ("manager_ids", "relevant_ids", "staff_ids"))
    return f"({alias}.state->>'state' = 'active' AND ({' OR '.join(lists)}))"


def _opportunity(actor: Actor, node: OpportunityTest, parameters: Parameters) -> str:
    """A campaign that the asker may not read matches nothing (R3); staff look at their own opportunities only."""
    conditions = ["o.state <> 'removed'", readable_campaigns(actor, "k", parameters)]
    if not actor.may(MANAGE_CAMPAIGNS) and actor.employee_id is not None:
        own = parameters.add(actor.employee_id, "uuid")
        conditions.append(
            f"(o.owner_id = {own} OR k.state->'manager_ids' ? {own}::text OR k.state->'relevant_ids' ? {own}::text)"
        )
    if node.campaign_id is not None:
        conditions.append(f"o.campaign_id = {parameters.add(node.campaign_id, 'uuid')}")
    if node.status_ids:
        conditions.append(f"o.status_id = ANY({parameters.add(list(node.status_ids), 'uuid[]')})")
    if node.owner_id is not None:
        conditions.append(f"o.owner_id = {parameters.add(node.owner_id, 'uuid')}")
    return (
        "s.customer_id IN (SELECT o.customer_id FROM opportunity o JOIN campaign k ON k.id = o.campaign_id"
        f" WHERE {' AND '.join(conditions)})"
    )


def _test(test: Test, asker: Asker) -> str:
    name, kind, parameters = test.field.name, test.field.kind, asker.parameters
    if test.comparison in WORDS:
        lexemes = lexemes_of(test)
        return "true" if lexemes is None else has_words(parameters, lexemes, asker.one_by_one) if lexemes else "false"
    if name == "unassigned":
        return "s.manager_id IS NULL" if test.values[0] else "s.manager_id IS NOT NULL"
    if name == "manager_inactive":
        inactive = "coalesce(s.manager_id = ANY(ARRAY(SELECT id FROM employee WHERE NOT active)), false)"
        return inactive if test.values[0] else f"NOT {inactive}"
    column = COLUMNS[name]
    if test.comparison == "empty":
        if test.field.many:
            return f"cardinality({LISTS.get(name, column.sql)}) = 0"
        return f"coalesce({column.sql}, '') = ''" if kind == "text" else f"{column.sql} IS NULL"
    if test.comparison == "within":
        return _within(column, test.values, parameters)
    if test.comparison == "one_of":
        return _one_of(test, column, parameters)
    return _piece(test, column, parameters)


def _is_province(test: Test) -> bool:
    return test.field.name == "address.province" and test.comparison == "one_of"


def _province(test: Test, asker: Asker) -> str:
    """Customers of provinces by their keys: to fold the names of a million takes ten seconds."""
    keys = asker.parameters.add([province_key(str(value)) for value in test.values], "uuid[]")
    return (
        f"EXISTS (SELECT FROM customer_key p WHERE p.key = ANY({keys})"
        " AND p.created_at = s.created_at AND p.customer_id = s.customer_id)"
    )


def _one_of(test: Test, column: Column, parameters: Parameters) -> str:
    values: list[Any] = list(test.values)
    if test.field.name == "code":
        values = [str(value).upper() for value in values]
    elif test.field.kind == "text" and not column.exact:
        return f"folded({column.sql}) = ANY({parameters.add([fold(str(value)) for value in values], 'text[]')})"
    listed = parameters.add(values, f"{column.type}[]")
    if test.field.name in KINDS:  # asked once for a statement, not once for a row
        listed = of_kind(KINDS[test.field.name], listed)
    if test.field.kind == "tree":
        return f"{column.sql} && (SELECT subtree({listed}))"
    return f"{column.sql} && {listed}" if test.field.many else f"{column.sql} = ANY({listed})"


def _within(column: Column, values: tuple[Value, ...], parameters: Parameters) -> str:
    """From the lowest to the highest, days to their last moment in the tenant's zone."""
    lowest, highest = values
    bounds: list[str] = []
    if lowest is not None:
        bounds.append(f"{column.sql} >= {_bound(column, lowest, parameters)}")
    if highest is not None:
        whole_day = column.type == "timestamptz" and not isinstance(highest, datetime)
        bound = _bound(column, highest, parameters, 1 if whole_day else 0)
        bounds.append(f"{column.sql} {'<' if whole_day else '<='} {bound}")
    return " AND ".join(bounds)


def _bound(column: Column, value: Value, parameters: Parameters, later_days: int = 0) -> str:
    if column.type == "timestamptz" and isinstance(value, date) and not isinstance(value, datetime):
        return f"start_of({parameters.add(value, 'date')} + {later_days})"
    return parameters.add(value, column.type)


def _piece(test: Test, column: Column, parameters: Parameters) -> str:
    """A text that contains or starts with a piece; a list when one of its members does."""
    piece = str(test.values[0])
    matches = "strpos({text}, {piece}) > 0" if test.comparison == "contains" else "starts_with({text}, {piece})"
    if test.field.kind == "phone":
        digits = _digits(piece)
        if not digits:
            return "false"
        matches = matches.format(text="ltrim(one, '+')", piece=parameters.add(digits, "text"))
        return f"EXISTS (SELECT FROM unnest({column.sql}) one WHERE {matches})"
    if test.field.kind == "email":
        matches = matches.format(text="one", piece=parameters.add(piece.lower(), "text"))
        return f"EXISTS (SELECT FROM unnest({column.sql}) one WHERE {matches})"
    return matches.format(text=f"folded({column.sql})", piece=parameters.add(fold(piece), "text"))


def _digits(piece: str) -> str:
    """A piece of a phone as it stands in stored numbers; a leading 0 is the national form."""
    bare = re.sub(r"[\s.+()-]", "", piece)
    if not bare.isascii() or not bare.isdecimal():
        return ""
    return fragment(piece) or bare
