"""Values of a statement in the making: numbered once, named with their type wherever they are used."""

from typing import Any


class Parameters(list[Any]):
    """Values of a statement, numbered from `first`."""

    def __init__(self, first: int = 1) -> None:
        super().__init__()
        self._first = first

    def add(self, value: Any, kind: str) -> str:
        """One more value; answers how the statement calls it."""
        self.append(value)
        return f"${self._first + len(self) - 1}::{kind}"
