"""Lists of customers: only what the actor may see (A2), keyset pages, the plan chosen by the words (P4, P5).

No one plan serves text search: what many customers match is found by walking the newest and stopping
early, what few match by the inverted index. Where the statistics promise a page, a short walk comes
first; what it leaves open the index answers.
"""

from dataclasses import dataclass, field
from datetime import date, datetime
from typing import Any
from uuid import UUID

from services.customers.domain.search_text import MIN_FRAGMENT, manager_lexeme, viewer_lexeme
from services.customers.queries.records import records
from services.customers.queries.words import estimated_customers, estimated_share
from shared.database import Session, run
from shared.errors import Invalid
from shared.folding import words
from shared.identity import DELETE, Actor
from shared.phones import fragment

MAX_QUERY_WORDS = 10
WALK_ROWS = 2_000
NARROW_SHARE = 0.1
WALKED = "created_at"
"""The sort whose order an index has."""

SORTS = {
    "created_at": ("s.created_at", "timestamptz"),
    "updated_at": ("c.updated_at", "timestamptz"),
    "name": ("c.name", "text"),
    "code": ("c.code", "text"),
    "last_contact_at": ("n.last_contact_at", "timestamptz"),
    "interaction_count": ("n.interaction_count", "int"),
}


_DELETED = """(SELECT id AS customer_id, created_at, manager_id,
               array_to_tsvector(string_to_array(search_text, ' ')) AS words
        FROM customer WHERE state = 'deleted')"""
"""Deleted customers in the shape of `customer_search`, which holds live ones only."""


@dataclass(frozen=True)
class CustomerFilter:
    """Which customers: every part given must hold. Days are inclusive, in the tenant's zone."""

    text: str | None = None
    ids: tuple[UUID, ...] | None = None
    manager_ids: tuple[UUID, ...] | None = None
    unassigned: bool | None = None
    created_from: date | None = None
    created_to: date | None = None
    last_contact_from: date | None = None
    last_contact_to: date | None = None
    deleted: bool = False


@dataclass(frozen=True)
class Sort:
    """One column and a direction; nulls last, the id breaks ties (P5)."""

    column: str = "created_at"
    descending: bool = True

    @classmethod
    def parse(cls, text: str | None) -> "Sort":
        """`-created_at` and the like. Raises Invalid."""
        name = (text or "-created_at").removeprefix("-")
        if name not in SORTS:
            raise Invalid.at("?sort", detail=f"one of {', '.join(sorted(SORTS))}")
        return cls(name, (text or "-").startswith("-"))


@dataclass
class _Query:
    """A statement in the making: conditions and the parameters they refer to."""

    source: str
    conditions: list[str] = field(default_factory=list)
    walked: list[str] = field(default_factory=list)
    parameters: list[Any] = field(default_factory=list)

    def where(self, condition: str, *values: Any, ordered: bool = False) -> None:
        """One more condition; `ordered` ones the index of the list's order answers, so a walk starts from them."""
        numbers = {f"p{i}": f"${len(self.parameters) + i + 1}" for i in range(len(values))}
        self.conditions.append(condition.format(**numbers))
        if ordered:
            self.walked.append(self.conditions[-1])
        self.parameters += values

    @property
    def sql(self) -> str:
        """All conditions."""
        return " AND ".join(self.conditions) or "true"

    @property
    def walked_sql(self) -> str:
        """The conditions that bound a walk."""
        return " AND ".join(self.walked) or "true"


@dataclass(frozen=True)
class CustomerPage:
    """One page as JSON text, and the sort values of its last row where another page may follow."""

    items: str
    last: list[Any] | None
    total: int | None = None


async def list_customers(
    session: Session, actor: Actor, wanted: CustomerFilter, sort: Sort, limit: int, after: list[Any] | None, total: bool
) -> CustomerPage:
    """A page of the customers the actor sees. Raises Forbidden for deleted ones without the right."""
    if wanted.deleted:
        actor.require(DELETE)
    lexemes = _text_query(wanted.text)
    if lexemes == "":
        return CustomerPage("[]", None, 0 if total else None)
    count = await _count(session, actor, wanted, lexemes) if total else None
    if wanted.deleted and lexemes is not None:
        query = _conditions(actor, wanted)
        query.where("s.words @@ {p0}::tsquery", lexemes)
        return await _fetch(session, query, sort, limit, after, count)
    if lexemes is None:
        return await _fetch(session, _conditions(actor, wanted), sort, limit, after, count)
    if sort.column == WALKED and await _promises_a_page(session, actor, wanted, lexemes, limit):
        query = _conditions(actor, wanted)
        query.where("s.words @@ {p0}::tsquery", lexemes)
        page = await _fetch(session, query, sort, limit, after, count, walk=True)
        if page.last is not None:
            return page
    search = await _search(session, actor, wanted, lexemes)
    return await _fetch(session, search, sort, limit, after, count, by_index=True)


async def count_customers(session: Session, actor: Actor, wanted: CustomerFilter) -> int:
    """How many customers of a filter the actor sees."""
    lexemes = _text_query(wanted.text)
    return 0 if lexemes == "" else await _count(session, actor, wanted, lexemes)


async def _promises_a_page(session: Session, actor: Actor, wanted: CustomerFilter, lexemes: str, limit: int) -> bool:
    """Whether the newest customers (of one manager, if one is asked for) should hold a page of matches."""
    manager = _only_manager(wanted)
    if manager is None:
        return await estimated_share(session, _within_sight(actor, lexemes)) * WALK_ROWS > 2 * limit
    theirs = await estimated_share(session, manager) * await estimated_customers(session)
    return await estimated_share(session, lexemes) * min(theirs, WALK_ROWS) > 2 * limit


async def _search(session: Session, actor: Actor, wanted: CustomerFilter, lexemes: str) -> _Query:
    """Conditions for the inverted index. A small reach is a word of the query; a large one is checked row by row."""
    manager = _only_manager(wanted)
    if manager is not None:
        query = _conditions(actor, wanted)
        query.where("s.words @@ {p0}::tsquery", f"{lexemes} & {manager}")
        return query
    narrow = await estimated_share(session, _within_sight(actor, "")) < NARROW_SHARE
    query = _conditions(actor, wanted, by_index=narrow)
    query.where("s.words @@ {p0}::tsquery", _within_sight(actor, lexemes) if narrow else lexemes)
    return query


def _only_manager(wanted: CustomerFilter) -> str | None:
    """The one manager that is asked for, as a word of the index."""
    if wanted.manager_ids is None or len(wanted.manager_ids) != 1:
        return None
    return f"'{manager_lexeme(wanted.manager_ids[0])}'"


async def _fetch(
    session: Session,
    query: _Query,
    sort: Sort,
    limit: int,
    after: list[Any] | None,
    total: int | None,
    walk: bool = False,
    by_index: bool = False,
) -> CustomerPage:
    """Run one plan: find a page of ids in order, then their records."""
    column, kind = SORTS[sort.column]
    if after is not None:
        _continue(query, sort, column, kind, after)
    order = _order(sort, column, "s")
    joins = " ".join(
        join
        for alias, join in (
            ("c.", "JOIN customer c ON c.id = s.customer_id"),
            ("n.", "JOIN customer_contact n ON n.customer_id = s.customer_id"),
        )
        if alias in f"{query.sql} {column}"
    )
    found = f"SELECT s.customer_id, {column} AS key FROM {query.source} s {joins} WHERE {query.sql}"
    if walk:
        newest = f"SELECT * FROM {query.source} s WHERE {query.walked_sql} ORDER BY {order} LIMIT {WALK_ROWS}"
        page = (
            f"SELECT s.customer_id, s.created_at::text AS key FROM ({newest}) s {joins}"
            f" WHERE {query.sql} ORDER BY {order} LIMIT {limit + 1}"
        )
    elif by_index:
        page = (
            f"SELECT customer_id, key::text AS key FROM (WITH hits AS MATERIALIZED ({found}) SELECT * FROM hits) s"
            f" ORDER BY {_order(sort, 's.key', 's')} LIMIT {limit + 1}"
        )
    else:
        page = f"SELECT customer_id, key::text FROM ({found} ORDER BY {order} LIMIT {limit + 1}) page"
    rows = (await run(session, page, *query.parameters)).all()
    shown = [row[0] for row in rows[:limit]]
    last = [rows[limit - 1].key, str(shown[-1])] if len(rows) > limit else None
    return CustomerPage(await records(session, shown), last, total)


def _conditions(actor: Actor, wanted: CustomerFilter, by_index: bool = False) -> _Query:
    """What must hold of a row of `customer_search`; sight by the index's own words where it is used."""
    query = _Query(_DELETED if wanted.deleted else "customer_search")
    if not actor.sees_everything and not by_index:
        if actor.employee_id is None:
            query.where("false")
        else:
            query.where(
                "(s.manager_id = ANY({p0}::uuid[]) OR s.words @@ {p1}::tsquery)",
                list(actor.reach),
                f"'{viewer_lexeme(actor.employee_id)}'",
            )
    _add_filter(query, wanted)
    return query


def _add_filter(query: _Query, wanted: CustomerFilter) -> None:
    if wanted.ids is not None:
        query.where("s.customer_id = ANY({p0}::uuid[])", list(wanted.ids))
    if wanted.manager_ids is not None and len(wanted.manager_ids) == 1:
        query.where("s.manager_id = {p0}", wanted.manager_ids[0], ordered=True)
    elif wanted.manager_ids is not None:
        query.where("s.manager_id = ANY({p0}::uuid[])", list(wanted.manager_ids))
    if wanted.unassigned is not None:
        query.where("s.manager_id IS NULL" if wanted.unassigned else "s.manager_id IS NOT NULL")
    for column, first, last in (
        ("s.created_at", wanted.created_from, wanted.created_to),
        ("n.last_contact_at", wanted.last_contact_from, wanted.last_contact_to),
    ):
        if first is not None:
            query.where(f"{column} >= start_of({{p0}}::date)", first)
        if last is not None:
            query.where(f"{column} < start_of({{p0}}::date + 1)", last)


async def _count(session: Session, actor: Actor, wanted: CustomerFilter, lexemes: str | None) -> int:
    query = _conditions(actor, wanted) if lexemes is None else await _search(session, actor, wanted, lexemes)
    join = "JOIN customer_contact n ON n.customer_id = s.customer_id" if "n." in query.sql else ""
    found = await run(session, f"SELECT count(*) FROM {query.source} s {join} WHERE {query.sql}", *query.parameters)
    return found.scalar_one()


def _continue(query: _Query, sort: Sort, column: str, kind: str, after: list[Any]) -> None:
    """Only rows behind the last one of the page before; nulls come last in either direction."""
    key, last_id = after
    sign = "<" if sort.descending else ">"
    if key is None:
        query.where(f"{column} IS NULL AND s.customer_id {sign} {{p0}}", UUID(last_id))
        return
    value = datetime.fromisoformat(key) if kind == "timestamptz" else int(key) if kind == "int" else key
    behind = f"({column}, s.customer_id) {sign} ({{p0}}::{kind}, {{p1}}::uuid)"
    nullable = column.startswith("n.last")
    query.where(f"({behind} OR {column} IS NULL)" if nullable else behind, value, UUID(last_id), ordered=True)


def _order(sort: Sort, column: str, alias: str) -> str:
    direction = "DESC" if sort.descending else "ASC"
    nulls = " NULLS LAST" if sort.column == "last_contact_at" else ""
    return f"{column} {direction}{nulls}, {alias}.customer_id {direction}"


def _text_query(text: str | None) -> str | None:
    """A text as a query over lexemes: every word a prefix, digits also as a piece of a phone (P4).

    None without a text; empty when nothing can match it.
    """
    if text is None or not text.strip():
        return None
    digits = fragment(text)
    if digits is not None and " " in text.strip():
        return f"'#{digits}':*"
    parts: list[str] = []
    for word in words(text)[:MAX_QUERY_WORDS]:
        piece = fragment(word) if word.isdecimal() and len(word) >= MIN_FRAGMENT else None
        parts.append(f"('{word}':* | '#{piece}':*)" if piece is not None else f"'{word}':*")
    return " & ".join(parts)


def _within_sight(actor: Actor, lexemes: str) -> str:
    """The query, bound to what the actor sees: one scan of the index answers both (A2)."""
    if actor.sees_everything:
        return lexemes
    if actor.employee_id is None:
        return " & ".join(filter(None, (lexemes, "'nobody:'")))
    sight = [f"'{manager_lexeme(employee_id)}'" for employee_id in actor.reach]
    sight.append(f"'{viewer_lexeme(actor.employee_id)}'")
    return " & ".join(filter(None, (lexemes, f"({' | '.join(sight)})")))
