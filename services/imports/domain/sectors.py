"""What rows of a sectors file would do to the tree of sectors (G6): create, update, nothing, or an error.

All rows are judged together: a parent may stand in a later row, a name may become free by another row.
`customers` checks everything again when the rows are written.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

from services.imports.domain.cells import CLEAR, Problem, ReadRow
from services.imports.domain.preview import Judgement
from shared.folding import fold

MAX_DEPTH = 10


@dataclass(frozen=True, slots=True)
class KnownSector:
    """A sector in our copy."""

    code: str
    name: str
    parent_code: str | None
    live: bool


def levels_of(parents: Sequence[tuple[str | None, str | None]]) -> list[int]:
    """How many sectors of the same file stand above each sector of it; they are given by code and parent's code."""
    above_of = {code: parent for code, parent in parents if code is not None}
    found: list[int] = []
    for _, parent in parents:
        level, above = 0, parent
        while above in above_of and level < MAX_DEPTH:
            level, above = level + 1, above_of[above]
        found.append(level)
    return found


@dataclass
class _Planned:
    """A row with the sector it means and what that would be afterwards."""

    row: ReadRow
    known: KnownSector | None
    code: str | None
    name: str
    parent_code: str | None
    problems: list[Problem] = field(default_factory=list)

    @cached_property
    def folded(self) -> str:
        """The name as siblings are compared."""
        return fold(self.name)


class SectorPreview:
    """Judges the rows of one file."""

    def __init__(self, sectors: Sequence[KnownSector], overwrite: bool) -> None:
        self._known = {sector.code: sector for sector in sectors}
        self._places = {sector.code: (sector.parent_code, fold(sector.name)) for sector in sectors}
        self._overwrite = overwrite

    def judge(self, rows: Sequence[ReadRow]) -> list[Judgement]:
        """What each row would do; all its problems, not the first alone."""
        planned: list[_Planned] = []
        first: dict[str, _Planned] = {}
        for row in rows:
            plan = self._plan(row)
            if plan.code is not None and first.setdefault(plan.code, plan) is not plan:
                plan.problems.append(Problem("code", "duplicate_in_file"))
            planned.append(plan)
        unchecked: Sequence[_Planned] = planned
        # Whose parent is not written after all is not either, nor gives its name to others. Parents end at that depth;
        # a longer chain of names given on fails where the file is applied.
        for _ in range(MAX_DEPTH):
            written = {code: plan for code, plan in first.items() if not plan.problems}
            for plan in unchecked:
                self._check_parent(plan, written)
            self._check_names(planned, first)
            unchecked = [plan for plan in planned if not plan.problems]
            if not any(plan.problems for plan in written.values()):
                break
        return [self._judged(plan) for plan in planned]

    def _plan(self, row: ReadRow) -> _Planned:
        code, name = row.given.get("code"), row.given.get("name")
        known = self._known.get(code) if code is not None else None
        problems = list(row.problems)
        if known is not None and not self._overwrite:
            problems.append(Problem("code", "already_exists"))
        if name is CLEAR or (name is None and known is None and not any(p.field == "name" for p in problems)):
            problems.append(Problem("name", "required"))
        parent = row.given.get("parent_code")
        before = known.parent_code if known is not None else None
        return _Planned(
            row,
            known,
            code,
            name if isinstance(name, str) else (known.name if known is not None else ""),
            None if parent is CLEAR else (parent or before),
            problems,
        )

    def _check_parent(self, plan: _Planned, written: dict[str, _Planned]) -> None:
        """The parent is there or `written`, enabled, not below the sector itself, and not too deep."""
        parent = plan.parent_code
        if parent is None:
            return
        known = self._known.get(parent)
        if parent not in written and known is None:
            plan.problems.append(Problem("parent_code", "unknown_option"))
        elif parent not in written and known is not None and not known.live:
            plan.problems.append(Problem("parent_code", "parent_disabled"))
        else:
            above, levels = parent, 1
            while above is not None and above != plan.code and levels <= MAX_DEPTH:
                above, levels = self._parent_of(above, written), levels + 1
            if above is not None:
                code = "cycle" if above == plan.code else "validation_failed"
                plan.problems.append(Problem("parent_code", code))

    def _parent_of(self, code: str, written: dict[str, _Planned]) -> str | None:
        if code in written:
            return written[code].parent_code
        known = self._known.get(code)
        return known.parent_code if known is not None else None

    def _check_names(self, planned: Sequence[_Planned], first: dict[str, _Planned]) -> None:
        """Names are unique among live siblings, as they will be afterwards (G1)."""
        taken = {
            self._places[sector.code]
            for sector in self._known.values()
            if sector.live and (sector.code not in first or first[sector.code].problems)
        }
        written: set[tuple[str | None, str]] = set()
        for plan in planned:
            if plan.problems:
                continue
            place = (plan.parent_code, plan.folded)
            if place in taken:
                plan.problems.append(Problem("name", "name_taken"))
            elif place in written:
                plan.problems.append(Problem("name", "duplicate_in_file"))
            written.add(place)

    def _judged(self, plan: _Planned) -> Judgement:
        number, known = plan.row.number, plan.known
        if plan.problems:
            return Judgement(number, "error", None, plan.code, problems=plan.problems)
        after: dict[str, Any] = {"name": plan.name, "parent_code": plan.parent_code, "state": "active"}
        if known is None:
            del after["state"]
            values = {name: value for name, value in after.items() if value is not None}
            return Judgement(number, "create", None, plan.code, values)
        state = "active" if known.live else "disabled"
        before: dict[str, Any] = {"name": known.name, "parent_code": known.parent_code, "state": state}
        values = {name: value for name, value in after.items() if value != before[name]}
        old = {name: before[name] for name in values}
        return Judgement(number, "update" if values else "unchanged", None, plan.code, values, old)
