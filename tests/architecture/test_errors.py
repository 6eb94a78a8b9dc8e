"""Every code that a caller may get has a status and words in both languages."""

import ast
import pkgutil
from collections.abc import Iterator
from importlib import import_module

import services
import shared
from shared.errors import Conflict, RapportError
from shared.problems import codes_by_status, status_of
from shared.wording import message
from tests.architecture.source import Source, product_sources

KNOWN_CODES = {code for codes in codes_by_status().values() for code in codes}
SPOKEN_BY_FILES_ONLY = {"encrypted_file", "hostile_file"}
ABSTRACT = (Conflict,)


def test_every_refusal_has_a_status_and_words() -> None:
    """No code reaches a caller as an accidental 422 or as itself."""
    for code in KNOWN_CODES:
        vietnamese, english = message(code, "vi"), message(code, "en")
        assert code not in (vietnamese, english), f"{code} has no words"
        assert vietnamese != english


def test_every_code_that_is_raised_is_known() -> None:
    """What the code raises by name stands among the codes that documents list."""
    for source in product_sources():
        for node, code in _raised(source):
            assert code in KNOWN_CODES, f"{source.at(node)}: {code} has no status"


def test_every_class_of_errors_has_a_known_code() -> None:
    """A refusal that was declared and never given a status is found here, not by a caller."""
    _import_everything()
    for cls in _subclasses(RapportError):
        if cls not in ABSTRACT:
            assert cls.code in KNOWN_CODES or issubclass(cls, ABSTRACT), cls


def test_a_conflict_is_409_and_a_refused_value_422() -> None:
    """The class says what kind of refusal it is, and the status agrees."""
    for source in product_sources():
        for node, code in _raised(source):
            expected = {"Conflict": (409,), "Invalid": (422,)}.get(_kind(source, node))
            if expected is not None:
                assert status_of(code) in expected, f"{source.at(node)}: {code}"


def _raised(source: Source) -> Iterator[tuple[ast.Call, str]]:
    """Calls that make a refusal by its code: `Conflict("x")`, `Invalid("x")`, `Invalid.at(_, "x")`, `super()`."""
    for name in ("Conflict", "Invalid"):
        for call in source.calls(name):
            yield from _code_at(call, 0)
    for call in source.calls("at"):
        if isinstance(call.func, ast.Attribute) and isinstance(call.func.value, ast.Name):
            yield from _code_at(call, 1) if call.func.value.id == "Invalid" else ()
    for node in source.nodes:
        if isinstance(node, ast.ClassDef) and {_base(base) for base in node.bases} & {"Conflict", "Invalid"}:
            for inner in ast.walk(node):
                if isinstance(inner, ast.Call) and isinstance(inner.func, ast.Attribute):
                    yield from _code_at(inner, 0) if inner.func.attr == "__init__" else ()


def _code_at(call: ast.Call, position: int) -> Iterator[tuple[ast.Call, str]]:
    if len(call.args) > position:
        given = call.args[position]
        if isinstance(given, ast.Constant) and isinstance(given.value, str):
            yield call, given.value


def _kind(source: Source, call: ast.Call) -> str:
    if isinstance(call.func, ast.Name):
        return call.func.id
    for node in source.nodes:
        if isinstance(node, ast.ClassDef) and call in ast.walk(node):
            return next(name for base in node.bases if (name := _base(base)))
    return ""


def _base(base: ast.expr) -> str:
    return base.id if isinstance(base, ast.Name) else ""


def _subclasses(cls: type[RapportError]) -> Iterator[type[RapportError]]:
    for sub in cls.__subclasses__():
        yield sub
        yield from _subclasses(sub)


def _import_everything() -> None:
    for package in (shared, services):
        for module in pkgutil.walk_packages(package.__path__, f"{package.__name__}."):
            if not module.name.endswith("__main__") and ".migrations" not in module.name:
                import_module(module.name)
