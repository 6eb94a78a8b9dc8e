"""What may be done in one place only, and what a service may say to others: over the syntax trees."""

import ast
import re
import sys
from collections.abc import Iterator
from importlib import import_module

from shared.contracts.events import Event
from tests.architecture.source import Source, product_sources, sources

COMMITS = {
    "shared/dead_letters.py": "the offsets of replayed dead letters",
}
DRIVERS = {
    "shared/database.py": "the transaction of a request, a batch or a job, and hand-written SQL in it",
    "shared/outbox.py": "the events of that transaction",
}
TESTS_OF_TYPE = ("isinstance", "issubclass")


def _places(name: str) -> dict[str, list[str]]:
    """Where a method of this name is called, by file."""
    found: dict[str, list[str]] = {}
    for source in product_sources():
        for call in source.calls(name):
            found.setdefault(source.path, []).append(source.at(call))
    return found


def test_transactions_are_committed_in_one_place() -> None:
    """A commit elsewhere would part a change from its outbox rows, or answer before it is kept."""
    assert set(_places("commit")) == set(COMMITS)
    near_the_driver = {
        source.path
        for source in product_sources()
        for node in source.nodes
        if "shared.connections" in _modules_of(node)
    }
    assert near_the_driver <= set(DRIVERS)
    said = re.compile(r"^\s*(COMMIT|BEGIN|ROLLBACK)\b")
    for source in product_sources():
        for node in source.nodes:
            if isinstance(node, ast.Constant) and isinstance(node.value, str) and source.path not in COMMITS:
                assert not said.match(node.value), source.at(node)


def test_topics_are_subscribed_in_one_place() -> None:
    """FastStream's defaults lose records: they are overruled in one place, so nobody else may subscribe."""
    assert set(_places("subscriber")) == {"shared/messaging.py"}
    assert set(_places("publisher")) == set()


def test_dependencies_are_injected_in_routes_only() -> None:
    """Everything below a route takes plain arguments: it can be called from a consumer, a job or a test."""
    allowed = re.compile(r"shared/http\.py|services/\w+/api/")
    assert [place for path, places in _places("Depends").items() if not allowed.match(path) for place in places] == []


def test_a_service_says_its_own_events_only() -> None:
    """Who writes a topic is agreed; an event of another service is read, compared and typed, never made."""
    said: list[str] = []
    for source in product_sources():
        if source.service:
            imported = dict(_imported_events(source))
            foreign = {name for name, cls in imported.items() if source.service not in cls.topic.producers}
            said += [f"{source.at(node)}: {node.id}" for node in _values_named(source, foreign)]
    assert said == []


def test_the_published_language_imports_nothing_but_pydantic() -> None:
    """Contracts can be taken into another project as they are."""
    allowed = {*sys.stdlib_module_names, "pydantic"}
    for source in product_sources():
        if source.path.startswith("shared/contracts/"):
            for node in source.nodes:
                for module in _modules_of(node):
                    known = module.split(".")[0] in allowed or module.startswith("shared.contracts")
                    assert known, f"{source.at(node)} imports {module}"


def test_nothing_stands_in_for_the_database() -> None:
    """Only clock and broker are replaced in tests, by small classes of their own: PostgreSQL is always real."""
    for source in sources():
        for node in source.nodes:
            assert not {"unittest.mock", "mock"} & set(_modules_of(node)), source.at(node)


def _imported_events(source: Source) -> Iterator[tuple[str, type[Event]]]:
    """The published types that a file imports, by the name it gives them."""
    for node in source.nodes:
        if isinstance(node, ast.ImportFrom) and node.module and node.module.startswith("shared.contracts."):
            module = import_module(node.module)
            for alias in node.names:
                value = getattr(module, alias.name, None)
                if isinstance(value, type) and issubclass(value, Event) and hasattr(value, "ce_type"):
                    yield alias.asname or alias.name, value


def _values_named(source: Source, names: set[str]) -> Iterator[ast.Name]:
    """Where a class is called, or handed over as a value that somebody may call."""
    if not names:
        return
    for node in source.nodes:
        if not isinstance(node, ast.Call):
            continue
        if isinstance(node.func, ast.Name) and node.func.id in TESTS_OF_TYPE:
            continue
        handed = [node.func, *node.args, *(keyword.value for keyword in node.keywords)]
        for part in handed:
            inner = part.elts if isinstance(part, ast.Tuple | ast.List) else [part]
            for one in inner:
                if isinstance(one, ast.Name) and one.id in names:
                    yield one


def _modules_of(node: ast.AST) -> list[str]:
    if isinstance(node, ast.Import):
        return [alias.name for alias in node.names]
    return [node.module or ""] if isinstance(node, ast.ImportFrom) else []
