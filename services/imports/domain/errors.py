"""Refusals that only imports know."""

from uuid import UUID

from shared.errors import Conflict


class WrongState(Conflict):
    """The import is not at the step that this request belongs to."""

    def __init__(self) -> None:
        super().__init__("wrong_state")


class AlreadyImported(Conflict):
    """The same file was confirmed by the same uploader lately (M9)."""

    def __init__(self, import_id: UUID) -> None:
        super().__init__("already_imported", {"import_id": str(import_id)})


class PreviewExpired(Conflict):
    """The preview is too old to be confirmed (M2)."""

    def __init__(self) -> None:
        super().__init__("preview_expired")


class HasErrors(Conflict):
    """Rows are in error, and the request does not say to skip them."""

    def __init__(self) -> None:
        super().__init__("has_errors")


class NotRestorable(Conflict):
    """There is nothing to take back any more, or it is too late (M10)."""

    def __init__(self) -> None:
        super().__init__("not_restorable")
