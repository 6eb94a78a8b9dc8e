"""The project's Python sources as syntax trees, each read once."""

import ast
import io
import tokenize
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache, cached_property
from pathlib import Path

ROOT = Path(__file__).parents[2]
FOLDERS = ("shared", "services", "deploy", "tests")


@dataclass(frozen=True)
class Source:
    """One file; `path` is from the project's root, with slashes."""

    path: str
    text: str

    @cached_property
    def tree(self) -> ast.Module:
        """The file's syntax tree."""
        return ast.parse(self.text, self.path)

    @cached_property
    def nodes(self) -> tuple[ast.AST, ...]:
        """Every node of the tree."""
        return tuple(ast.walk(self.tree))

    @property
    def stem(self) -> str:
        """The file's name without `.py`."""
        return self.path.rpartition("/")[2].removesuffix(".py")

    @property
    def service(self) -> str | None:
        """The service this file belongs to, if any."""
        parts = self.path.split("/")
        return parts[1] if parts[0] == "services" and len(parts) > 2 else None

    def at(self, node: ast.AST) -> str:
        """Where a node stands, as an editor opens it."""
        return f"{self.path}:{getattr(node, 'lineno', 1)}"

    def calls(self, name: str) -> Iterator[ast.Call]:
        """Calls of a function or method of this name."""
        for node in self.nodes:
            if isinstance(node, ast.Call) and _name(node.func) == name:
                yield node

    def functions(self) -> Iterator[ast.FunctionDef | ast.AsyncFunctionDef]:
        """Every function and method."""
        return (node for node in self.nodes if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef))

    def comments(self) -> Iterator[tuple[int, str]]:
        """Line number and text of every comment."""
        for token in tokenize.generate_tokens(io.StringIO(self.text).readline):
            if token.type == tokenize.COMMENT:
                yield token.start[0], token.string


@cache
def sources() -> tuple[Source, ...]:
    """Every Python file of the project that is not empty."""
    found = [path for folder in FOLDERS for path in sorted((ROOT / folder).rglob("*.py"))]
    read = (Source(path.relative_to(ROOT).as_posix(), path.read_text()) for path in found)
    return tuple(source for source in read if source.text.strip())


def product_sources() -> list[Source]:
    """What runs in a deployment: mechanisms and services."""
    return [source for source in sources() if source.path.startswith(("shared/", "services/"))]


def _name(function: ast.expr) -> str | None:
    if isinstance(function, ast.Attribute):
        return function.attr
    return function.id if isinstance(function, ast.Name) else None
