"""The registry of this service's mapped classes."""

from sqlalchemy.orm import DeclarativeBase


class Mapped(DeclarativeBase):
    """Every table that is read and changed as objects."""
