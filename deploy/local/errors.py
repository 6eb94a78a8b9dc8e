"""The one way in which the launcher fails: a line that names what is missing and its remedy."""


class LaunchError(Exception):
    """Something the system needs is not there. The message is one line and ends with what to do about it."""

    def __init__(self, what: str, remedy: str) -> None:
        super().__init__(f"{what} {remedy}")
        self.what = what
        self.remedy = remedy


class ServerDied(LaunchError):
    """A server ended, or did not become ready in time. Names its log file."""
