"""The one way a file can be refused as a whole: `UnreadableFile` with a stable code.

Imports nothing: the child process that reads files loads it, and its start-up is part of every import.
"""

UNSUPPORTED_FILE = "unsupported_file"
ENCRYPTED_FILE = "encrypted_file"
HOSTILE_FILE = "hostile_file"
TOO_MANY_ROWS = "too_many_rows"

CODES = frozenset({UNSUPPORTED_FILE, ENCRYPTED_FILE, HOSTILE_FILE, TOO_MANY_ROWS})


class UnreadableFile(Exception):
    """No table can be had from this file.

    `code` is one of CODES: `unsupported_file` (another kind of file), `encrypted_file` (password),
    `too_many_rows`, `hostile_file` (damaged, or beyond a limit). `detail` names the reason in English
    for logs and developers; it never quotes the file's content, which may be personal data.
    """

    def __init__(self, code: str, detail: str) -> None:
        super().__init__(code, detail)
        self.code = code
        self.detail = detail

    def __str__(self) -> str:
        return f"{self.code}: {self.detail}"


def hostile(detail: str) -> UnreadableFile:
    """Damaged or beyond a limit; the two are not told apart, since attackers make them look alike."""
    return UnreadableFile(HOSTILE_FILE, detail)


def unsupported(detail: str) -> UnreadableFile:
    """Honest, but not a file of a kind we read."""
    return UnreadableFile(UNSUPPORTED_FILE, detail)
