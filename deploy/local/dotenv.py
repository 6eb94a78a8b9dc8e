"""Reads `.env`: a line is `NAME=value`, a comment, or empty. What the environment sets itself wins over it."""

import re
from pathlib import Path

from deploy.local.errors import LaunchError

ASSIGNMENT = re.compile(r"(?:export\s+)?([A-Za-z_][A-Za-z0-9_]*)\s*=\s*(.*)")


def read_dotenv(file: Path) -> dict[str, str]:
    """The variables of the file; none when there is no file. Raises LaunchError for a line that is neither."""
    if not file.exists():
        return {}
    variables: dict[str, str] = {}
    for number, line in enumerate(file.read_text(encoding="utf-8").splitlines(), start=1):
        text = line.strip()
        if not text or text.startswith("#"):
            continue
        match = ASSIGNMENT.fullmatch(text)
        if match is None:
            raise LaunchError(f"{file.name}, line {number}, is not NAME=value: {text!r}.", "Correct it.")
        variables[match[1]] = _value(match[2])
    return variables


def _value(text: str) -> str:
    """Quotes hold a value together; without them a ` #` begins a comment."""
    if text[:1] in ("'", '"') and (end := text.find(text[0], 1)) > 0:
        return text[1:end]
    return re.split(r"\s+#", text, maxsplit=1)[0].strip()
