"""The order of lists (P5): at most two fields, nulls last, the id breaks ties, pages continue behind a row's values."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime
from typing import Any
from uuid import UUID

from services.customers.domain.filter_fields import FIELD_BY_NAME, FIELDS
from services.customers.domain.filter_values import wrong
from services.customers.queries.filter_columns import COLUMNS, NEVER_NULL, Column
from services.customers.queries.parameters import Parameters
from shared.errors import Invalid

MAX_SORT_FIELDS = 2
NEWEST = "created_at"
"""The order that indexes have."""

_BY_OTHERS = {
    "relationship_id": Column("r.position", "int"),
    "remembered_relationship_id": Column(
        "(SELECT m.position FROM relationship m WHERE m.id = c.remembered_relationship_id)", "int"
    ),
    "manager_id": Column("(SELECT e.name_folded FROM employee e WHERE e.id = s.manager_id)"),
    "primary_source_id": Column("(SELECT i.name_folded FROM classification_item i WHERE i.id = c.primary_source_id)"),
    "phones": Column("c.phones[1]"),
    "emails": Column("c.emails[1]"),
}
"""What is compared in place of the value: relationships have an order of their own, people and sources a name."""

_MAY_HAVE_NONE = ("phones", "emails")
"""Sorted by the first one, which not everybody has."""

_READ = {
    "timestamptz": datetime.fromisoformat,
    "date": date.fromisoformat,
    "bigint": int,
    "int": int,
    "text": str,
    "uuid": UUID,
}


@dataclass(frozen=True)
class SortKey:
    """One field and its direction."""

    name: str = NEWEST
    descending: bool = True

    @property
    def column(self) -> Column:
        """What is compared, texts folded."""
        if self.name in _BY_OTHERS:
            return _BY_OTHERS[self.name]
        column = COLUMNS[self.name]
        folds = FIELD_BY_NAME[self.name].kind == "text" and not column.exact
        return Column(f"folded({column.sql})") if folds else column

    @property
    def nullable(self) -> bool:
        """Whether some customers have nothing there."""
        return self.name not in NEVER_NULL or self.name in _MAY_HAVE_NONE

    def order(self, sql: str) -> str:
        """The key in an ORDER BY; nulls last in either direction."""
        return f"{sql} {'DESC' if self.descending else 'ASC'}{' NULLS LAST' if self.nullable else ''}"


@dataclass(frozen=True)
class Sort:
    """The order of one list; the id follows the direction of the first key."""

    keys: tuple[SortKey, ...] = (SortKey(),)

    @classmethod
    def parse(cls, raw: str | Sequence[str] | None, pointer: str) -> "Sort":
        """`-created_at`, `name,-created_at`, or a list of such. Raises Invalid."""
        if not raw:
            return cls()
        listed = raw.split(",") if isinstance(raw, str) else list(raw)
        if len(listed) > MAX_SORT_FIELDS:
            raise wrong(pointer, "too_many_items", f"at most {MAX_SORT_FIELDS} fields")
        keys = tuple(SortKey(one.strip().removeprefix("-"), one.strip().startswith("-")) for one in listed)
        for key in keys:
            known = FIELD_BY_NAME.get(key.name)
            if known is None or not known.sortable:
                sortable = ", ".join(field.name for field in FIELDS if field.sortable)
                raise wrong(pointer, "unknown_field", f"one of {sortable}")
        if len({key.name for key in keys}) < len(keys):
            raise wrong(pointer, "validation_failed", "the same field twice")
        return cls(keys)

    @property
    def newest(self) -> bool:
        """Whether indexes have this order, in either direction."""
        return len(self.keys) == 1 and self.keys[0].name == NEWEST

    def columns(self) -> list[str]:
        """What is selected beside the id."""
        return [f"{key.column.sql} AS key{place}" for place, key in enumerate(self.keys)]

    def order(self, alias: str, names: Sequence[str] | None = None) -> str:
        """ORDER BY over the selected columns of `alias`, or over other `names` for them."""
        columns = names or [f"{alias}.key{place}" for place in range(len(self.keys))]
        ordered = [key.order(column) for key, column in zip(self.keys, columns, strict=True)]
        return ", ".join([*ordered, f"{alias}.customer_id {'DESC' if self.keys[0].descending else 'ASC'}"])

    def behind(self, after: Sequence[Any], parameters: Parameters, columns: Sequence[str], identifier: str) -> str:
        """The condition of being behind the row with these values. Raises Invalid `bad_cursor`."""
        try:
            values = [None if text is None else _READ[key.column.type](text) for key, text in self._paired(after)]
            last_id = UUID(after[-1])
        except (ValueError, TypeError, IndexError):
            raise Invalid("bad_cursor") from None
        sign = "<" if self.keys[0].descending else ">"
        if len(self.keys) == 1 and not self.keys[0].nullable:
            value = parameters.add(values[0], self.keys[0].column.type)
            return f"({columns[0]}, {identifier}) {sign} ({value}, {parameters.add(last_id, 'uuid')})"
        condition = f"{identifier} {sign} {parameters.add(last_id, 'uuid')}"
        for key, column, value in reversed(list(zip(self.keys, columns, values, strict=True))):
            if value is None:
                condition = f"({column} IS NULL AND {condition})"
                continue
            there = parameters.add(value, key.column.type)
            further = f"{column} {'<' if key.descending else '>'} {there}"
            nulls = f" OR {column} IS NULL" if key.nullable else ""
            condition = f"({further}{nulls} OR ({column} = {there} AND {condition}))"
        return condition

    def _paired(self, after: Sequence[Any]) -> list[tuple[SortKey, Any]]:
        return list(zip(self.keys, after[:-1], strict=True))


NEWEST_FIRST = Sort()
