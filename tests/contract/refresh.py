"""Writes everything that is made from the contracts and checked in: `python -m tests.contract.refresh`.

Additions are written; a change that would break somebody is refused, and nothing is written then.
"""

import json
import sys
from collections.abc import Iterator
from importlib import import_module
from pathlib import Path
from typing import Any

from shared.contracts.catalogue import SERVICES, TOPICS
from shared.contracts.events import Event, types_on
from shared.documents import asyncapi_document, openapi_document
from shared.documents.schemas import EXAMPLES, event_schema, example, written_elsewhere
from tests.contract.compatibility import breaking_changes

ROOT = Path(__file__).parents[2]
SCHEMAS = EXAMPLES.parent / "schemas"
COMMAND = "python -m tests.contract.refresh"


def published_types() -> list[type[Event]]:
    """Every event type of every topic."""
    return [cls for topic in TOPICS for cls in types_on(topic)]


def golden_schema(cls: type[Event]) -> dict[str, Any] | None:
    """The checked-in schema of an event, if there is one yet."""
    path = SCHEMAS / f"{cls.ce_type}.json"
    return json.loads(path.read_text()) if path.exists() else None


def complaint(cls: type[Event]) -> str | None:
    """What a changed class would break, and what to do instead; None when it breaks nothing."""
    golden = golden_schema(cls)
    breaks = breaking_changes(golden, event_schema(cls), written_elsewhere=written_elsewhere(cls)) if golden else []
    if not breaks:
        return None
    name, _, version = cls.ce_type.rpartition(".v")
    return "\n".join(
        [
            f"{cls.ce_type} ({cls.__name__}) would break who reads or wrote it:",
            *(f"  - {one}" for one in breaks),
            f'Contracts only grow. Leave it as it is and declare a class with type="{name}.v{int(version) + 1}"',
            "beside it, emitted together with the old one until nobody reads that. A new field needs a default.",
        ]
    )


def documents() -> Iterator[tuple[Path, str]]:
    """Every checked-in document with what should stand in it."""
    for cls in published_types():
        yield SCHEMAS / f"{cls.ce_type}.json", as_json(event_schema(cls))
        yield EXAMPLES / f"{cls.ce_type}.json", as_json(_completed(cls))
    for name in SERVICES:
        service = import_module(f"services.{name}.app").SERVICE
        folder = ROOT / "services" / name
        yield folder / "openapi.yaml", openapi_document(service)
        yield folder / "asyncapi.yaml", asyncapi_document(service.name, service.title, service.description)


def as_json(content: Any) -> str:
    """How schemas and examples are written down."""
    return json.dumps(content, ensure_ascii=False, indent=2) + "\n"


def _completed(cls: type[Event]) -> dict[str, Any]:
    """The example of a class with the defaults of fields that have come since."""
    shown = example(cls)
    body = cls.model_validate(shown["body"])
    return {**shown, "body": json.loads(body.model_dump_json())}


def main() -> None:
    """Write what has changed; refuse all of it when a contract would break."""
    complaints = [text for cls in published_types() if (text := complaint(cls))]
    if complaints:
        sys.exit("\n\n".join(complaints))
    # one after another: a service's document shows examples that may just have been completed
    changed = [path for path, content in documents() if _write(path, content)]
    for path in changed:
        sys.stdout.write(f"{path.relative_to(ROOT)}\n")


def _write(path: Path, content: str) -> bool:
    if path.exists() and path.read_text() == content:
        return False
    path.parent.mkdir(exist_ok=True)
    path.write_text(content)
    return True


if __name__ == "__main__":
    main()
