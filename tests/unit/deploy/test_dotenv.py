"""`.env` is read as people write it, and a line that says nothing is refused."""

from pathlib import Path

import pytest

from deploy.local.dotenv import read_dotenv
from deploy.local.errors import LaunchError


def test_values_comments_and_quotes_are_understood(tmp_path: Path) -> None:
    """The forms that other readers of `.env` know mean the same here."""
    file = tmp_path / ".env"
    file.write_text(
        "# a comment\n\nA=1\n  B = two words  # why\nexport C='a # b'\nD=\"x=y\"\nE=\nF=postgresql://a:b#c@d/e\n"
    )
    assert read_dotenv(file) == {
        "A": "1",
        "B": "two words",
        "C": "a # b",
        "D": "x=y",
        "E": "",
        "F": "postgresql://a:b#c@d/e",
    }


def test_no_file_means_no_variables(tmp_path: Path) -> None:
    """`.env` is optional."""
    assert read_dotenv(tmp_path / ".env") == {}


def test_a_line_without_a_value_is_named(tmp_path: Path) -> None:
    """A slip of the pen is found by its line number, not by a system that behaves oddly."""
    file = tmp_path / ".env"
    file.write_text("A=1\nRAPPORT_KAFKA_PORT 9092\n")
    with pytest.raises(LaunchError, match=r"\.env, line 2, is not NAME=value"):
        read_dotenv(file)
