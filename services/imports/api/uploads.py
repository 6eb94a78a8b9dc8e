"""The multipart body of an upload: refused here when it is too large, no file of ours, or malformed."""

from typing import Annotated

from fastapi import Depends, File, Request, UploadFile

from services.imports.api.access import ImporterDep, LimitsDep
from services.imports.commands.imports import Upload
from services.imports.spreadsheets.reader import looks_supported
from shared.errors import FieldError, Invalid, TooLarge, UnsupportedFile
from shared.strict_json import text_is_storable

MAX_NAME_LENGTH = 255
_PARTS = frozenset({"file", "kind", "repeat"})
_FIRST_BYTES = 8


async def _upload(
    request: Request,
    _: ImporterDep,
    limits: LimitsDep,
    file: Annotated[UploadFile, File(description="An .xlsx or .csv of up to 5 MiB and 2,000 rows by default")],
) -> Upload:
    if (file.size or 0) > limits.import_max_file_bytes:
        raise TooLarge
    name = (file.filename or "").replace("\\", "/").rsplit("/", 1)[-1]
    content = await file.read()
    if not looks_supported(content[:_FIRST_BYTES], name):
        raise UnsupportedFile
    if len(name) > MAX_NAME_LENGTH or not text_is_storable(name):
        raise Invalid.at("/file", detail=f"a file name of at most {MAX_NAME_LENGTH} characters")
    parts = [part for part, _ in (await request.form()).multi_items()]
    unknown = tuple(FieldError(f"/{part[:100]}", "unknown_field") for part in parts if part not in _PARTS)
    if unknown or len(parts) != len(set(parts)):
        raise Invalid(errors=unknown or (FieldError("", "validation_failed", "a part given twice"),))
    return Upload(name, content)


UploadDep = Annotated[Upload, Depends(_upload)]
