"""Result files as a whole, for tests that look into them."""

from collections.abc import Iterable, Sequence

from services.imports.spreadsheets.annotations import Annotation
from services.imports.spreadsheets.writer import FileFormat, ResultFile


def write_result(
    header: Sequence[str],
    rows: Iterable[tuple[Sequence[str], Annotation]],
    language: str,
    file_format: FileFormat,
) -> bytes:
    """The rows with what became of them, written in two portions as a service would."""
    file, listed = ResultFile(header, language, file_format), list(rows)
    sent = file.add(listed[:1]) + file.add(listed[1:]) + b"".join(file.finish())
    file.close()
    return sent
