"""Values of a statement in the making: numbered once, named with their type wherever they are used."""

from typing import Any


class Parameters(list[Any]):
    """Values of a statement, numbered from `first`.

    `hidden`: PostgreSQL plans without looking at them. Where the way is laid down by the statement, values change
    nothing but guesses, which made a plan for all values look worse than one for these: each page was planned anew,
    and that took longer than finding it.
    """

    def __init__(self, first: int = 1, hidden: bool = False) -> None:
        super().__init__()
        self._first, self._hidden = first, hidden

    def add(self, value: Any, kind: str) -> str:
        """One more value; answers how the statement calls it."""
        self.append(value)
        name = f"${self._first + len(self) - 1}::{kind}"
        return f"(SELECT {name})::{kind}" if self._hidden else name
