"""Ids: UUIDv7 for what is new, UUIDv5 for what is known again by what it says.

They are made by the thousand for every batch, therefore without the standard library's constructor, which
checks what is right already and takes longer than the making.
"""

from uuid import UUID, SafeUUID

import uuid_utils

_EMPTY, _SET, _SAFETY_UNKNOWN = object.__new__, object.__setattr__, SafeUUID.unknown


def new_id() -> UUID:
    """A UUIDv7: ids that sort by the time they were made."""
    return _uuid(uuid_utils.uuid7().int)


class Named:
    """A UUID under which others are derived from names."""

    __slots__ = ("_space",)

    def __init__(self, space: UUID) -> None:
        self._space = uuid_utils.UUID(int=space.int)

    def id(self, name: str) -> UUID:
        """The UUIDv5 of a name: always the same, and no other name's."""
        return _uuid(uuid_utils.uuid5(self._space, name).int)


def _uuid(number: int) -> UUID:
    made = _EMPTY(UUID)
    _SET(made, "int", number)
    _SET(made, "is_safe", _SAFETY_UNKNOWN)
    return made
