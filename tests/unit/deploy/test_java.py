"""Java and Maven: found, or missing with a remedy in one line."""

from pathlib import Path

import pytest

from deploy.local import java
from deploy.local.errors import LaunchError


def make_program(file: Path, script: str) -> Path:
    """A program that does what a line of shell says."""
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text(f"#!/bin/sh\n{script}\n")
    file.chmod(0o755)
    return file


@pytest.fixture
def no_java_home(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Path:
    """A folder that is the whole PATH, and no JAVA_HOME."""
    monkeypatch.delenv("JAVA_HOME", raising=False)
    monkeypatch.setenv("PATH", str(tmp_path / "bin"))
    return tmp_path


@pytest.mark.parametrize(
    ("says", "version"),
    [
        ('openjdk version "17.0.15" 2025-04-15', 17),
        ('java version "1.8.0_442"', 8),
        ('openjdk version "25" 2025-09-16', 25),
        ("something else", 0),
    ],
)
def test_the_version_is_read_from_what_java_says(tmp_path: Path, says: str, version: int) -> None:
    """Old and new ways of numbering."""
    assert java.java_version(make_program(tmp_path / "bin" / "java", f"echo '{says}' >&2")) == version


def test_the_installations_own_note_is_enough(tmp_path: Path) -> None:
    """Java is not started to ask for its version where a file says it."""
    program = make_program(tmp_path / "bin" / "java", "exit 1")
    (tmp_path / "release").write_text('JAVA_VERSION="21.0.4"\n')
    assert java.java_version(program) == 21


def test_no_java_is_said_with_its_remedy(no_java_home: Path) -> None:
    """One line: what is missing, who needs it, how to get it."""
    with pytest.raises(LaunchError) as raised:
        java.find_java()
    assert str(raised.value) == (
        "There is no Java; Kafka needs it."
        " Install Java 17 or later (`apt install default-jre-headless`) or set JAVA_HOME."
    )


def test_a_java_home_that_is_wrong_is_named(no_java_home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """JAVA_HOME is believed: another Java on PATH would surprise whoever set it."""
    make_program(no_java_home / "bin" / "java", "exit 0")
    monkeypatch.setenv("JAVA_HOME", str(no_java_home / "nowhere"))
    with pytest.raises(LaunchError, match=r"no Java in JAVA_HOME \(.*nowhere\)"):
        java.find_java()


def test_an_old_java_is_refused_with_its_version(no_java_home: Path) -> None:
    """Kafka would fail later with a message about class files."""
    make_program(no_java_home / "bin" / "java", "echo 'openjdk version \"11.0.2\"' >&2")
    with pytest.raises(LaunchError, match=r"is Java 11; Kafka needs 17 or later\. Install"):
        java.find_java()


def test_no_maven_is_said_with_its_remedy(no_java_home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Only a machine that has not fetched the jars yet needs it."""
    monkeypatch.setattr(java, "CACHE", no_java_home / "cache")
    with pytest.raises(LaunchError, match=r"no Maven, which fetches Kafka's jars\. Install it \(`apt install maven`\)"):
        java.kafka_classpath()


def test_a_failed_download_says_why_and_leaves_nothing_half(
    no_java_home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The next attempt starts afresh and is not taken in by half a folder."""
    monkeypatch.setattr(java, "CACHE", no_java_home / "cache")
    make_program(no_java_home / "bin" / "mvn", "echo '[ERROR] no route to host'; exit 1")
    with pytest.raises(
        LaunchError, match=r"could not fetch Kafka's jars: \[ERROR\] no route to host Check the network"
    ):
        java.kafka_classpath()
    assert not list((no_java_home / "cache").glob("kafka-*"))
