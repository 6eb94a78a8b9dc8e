"""Streams one XML part of a workbook past the limits, in bounded memory.

Refuses document types (so no entities), encodings other than UTF-8, deep nesting, crowds of
attributes and endless tags. What the elements mean is left to the caller's handlers. Expat checks
that the markup is well formed, which the fast reader behind the guard does not.
"""

from collections.abc import Callable, Iterable, Mapping
from xml.parsers import expat

from services.imports.spreadsheets.errors import hostile
from services.imports.spreadsheets.limits import Limits

Attributes = dict[str, str]
StartHandler = Callable[[Attributes], None]
TextHandler = Callable[[str], None]

_UTF_16_MARKS = (b"\xff\xfe", b"\xfe\xff")
_UTF_8 = {"utf-8", "utf8"}


def scan(
    chunks: Iterable[bytes],
    limits: Limits,
    on_start: Mapping[str, StartHandler],
    on_text: TextHandler | None = None,
) -> bytes:
    """Read a part to its end and give its bytes back, as they were checked.

    `on_start` maps an element's name without prefix to what is called with its attributes; `on_text`
    gets all text. Raises UnreadableFile (`hostile_file`) for malformed markup or a limit.
    """
    parser = expat.ParserCreate("utf-8")
    _refuse_declarations(parser)
    forget_closed = _watch_elements(parser, limits, on_start)
    parser.CharacterDataHandler = on_text
    checked = []
    fed_bytes = 0
    try:
        for chunk in chunks:
            if not checked and chunk.startswith(_UTF_16_MARKS):  # the mark outweighs what expat is told
                raise hostile("markup that is not UTF-8")
            parser.Parse(chunk, False)
            forget_closed()
            checked.append(chunk)
            fed_bytes += len(chunk)
            # Expat keeps an unfinished tag in memory, and so does every reader after it.
            if fed_bytes - parser.CurrentByteIndex > limits.token_bytes:
                raise hostile(f"a tag is longer than {limits.token_bytes} bytes")
        parser.Parse(b"", True)
    except expat.ExpatError as error:
        raise hostile(f"malformed markup: {expat.ErrorString(error.code)}") from error
    return b"".join(checked)


def local_attribute(attributes: Attributes, name: str) -> str | None:
    """The value of an attribute written with or without a namespace prefix (`r:id`, `id`)."""
    for key, value in attributes.items():
        if key == name or key.endswith(f":{name}"):
            return value
    return None


def _refuse_declarations(parser: expat.XMLParserType) -> None:
    def on_doctype(*_: object) -> None:
        raise hostile("a document type declaration")

    def on_declaration(version: str, encoding: str | None, standalone: int) -> None:
        if encoding is not None and encoding.lower() not in _UTF_8:
            raise hostile("markup that is not UTF-8")

    parser.StartDoctypeDeclHandler = on_doctype
    parser.XmlDeclHandler = on_declaration


def _watch_elements(
    parser: expat.XMLParserType, limits: Limits, handlers: Mapping[str, StartHandler]
) -> Callable[[], None]:
    """Follow depth and attributes. Call the answer after each chunk, to let go of what was closed.

    A sheet has more than 100,000 tags, so the start handler is kept short, and closing tags are
    counted by the list's own `append`: a Python function there would cost a fifth of the whole check.
    """
    most_depth, most_attributes = limits.depth, limits.attributes
    opened = 0
    closed: list[str] = []

    def on_start(name: str, attributes: Attributes) -> None:
        nonlocal opened
        opened += 1
        if opened - len(closed) > most_depth or len(attributes) > most_attributes:
            raise hostile("markup nested too deep, or with too many attributes")
        handler = handlers.get(name)
        if handler is None and ":" in name:
            handler = handlers.get(name.rpartition(":")[2])
        if handler is not None:
            handler(attributes)

    def forget_closed() -> None:
        nonlocal opened
        opened -= len(closed)
        closed.clear()

    parser.StartElementHandler = on_start
    parser.EndElementHandler = closed.append
    return forget_closed
