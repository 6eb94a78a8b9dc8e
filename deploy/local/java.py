"""Java and Kafka's jars: finds a Java that is new enough, has Maven fetch the jars, and keeps both fast.

The jars are those of `pom.xml`. They are kept under a name made from that file, so a changed version is
fetched anew and an unchanged one never asks Maven again.
"""

import fcntl
import hashlib
import os
import re
import shutil
import subprocess
from pathlib import Path

from deploy.local.errors import LaunchError

OLDEST_JAVA = 17
POM = Path(__file__).with_name("pom.xml")
CACHE = Path(__file__).parents[2] / ".local" / "cache"
VERSION_TIMEOUT_SECONDS = 30
DOWNLOAD_TIMEOUT_SECONDS = 900


def find_java() -> Path:
    """The `java` program of JAVA_HOME, else of PATH. Raises LaunchError when it is missing or too old."""
    remedy = f"Install Java {OLDEST_JAVA} or later (`apt install default-jre-headless`) or set JAVA_HOME."
    home = os.environ.get("JAVA_HOME")
    found = Path(home, "bin", "java") if home else shutil.which("java")
    if found is None or not Path(found).exists():
        where = f" in JAVA_HOME ({home})" if home else ""
        raise LaunchError(f"There is no Java{where}; Kafka needs it.", remedy)
    java = Path(found).resolve()
    version = java_version(java)
    if version < OLDEST_JAVA:
        raise LaunchError(f"{java} is Java {version}; Kafka needs {OLDEST_JAVA} or later.", remedy)
    return java


def java_version(java: Path) -> int:
    """The major version: 17, or 8 for what calls itself 1.8. 0 when it does not say."""
    # The installation's own note costs nothing; starting Java to ask costs a fifth of a second.
    match = re.search(r'(?:JAVA_VERSION=|version )"(?:1\.)?(\d+)', _release(java) or _ask(java))
    return int(match[1]) if match else 0


def kafka_classpath() -> str:
    """The class path that holds Kafka's jars, fetched by Maven if this is the first time."""
    version = hashlib.sha256(POM.read_bytes()).hexdigest()[:12]
    jars = CACHE / f"kafka-{version}"
    if not jars.exists():
        CACHE.mkdir(parents=True, exist_ok=True)
        with (CACHE / "kafka.lock").open("w") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)  # Of several test runs at once, one fetches.
            if not jars.exists():
                _fetch(jars)
    return f"{jars}/*"


class ClassArchive:
    """Kafka's classes as this Java loaded them once: halves the time and the CPU of every later start.

    The first broker of a machine leaves the archive when it stops in good order (two more seconds).
    Java itself checks that an archive fits its version and the jars, and goes without where it does not.
    """

    def __init__(self, java: Path, unfinished: Path) -> None:
        key = f"{java}{_release(java)}{kafka_classpath()}"
        self._kept = CACHE / f"kafka-{hashlib.sha256(key.encode()).hexdigest()[:12]}.jsa"
        self._unfinished = unfinished

    def options(self) -> list[str]:
        """What tells Java to use the archive; nothing while there is none."""
        return [f"-XX:SharedArchiveFile={self._kept}"] if self._kept.exists() else []

    def options_of_broker(self) -> list[str]:
        """The same, or what makes a broker leave the archive."""
        return self.options() or [f"-XX:ArchiveClassesAtExit={self._unfinished}"]

    def keep(self) -> None:
        """Take over what a broker left that ended in good order."""
        if self._unfinished.exists() and not self._kept.exists():
            shutil.move(self._unfinished, self._kept)


def _fetch(jars: Path) -> None:
    maven = shutil.which("mvn")
    if maven is None:
        raise LaunchError("There is no Maven, which fetches Kafka's jars.", "Install it (`apt install maven`).")
    unfinished = jars.with_suffix(".unfinished")
    shutil.rmtree(unfinished, ignore_errors=True)
    answer = subprocess.run(
        [
            *(maven, "--batch-mode", "--no-transfer-progress", "--file", str(POM)),
            *("dependency:copy-dependencies", "-DincludeScope=runtime", f"-DoutputDirectory={unfinished}"),
        ],
        capture_output=True,
        text=True,
        timeout=DOWNLOAD_TIMEOUT_SECONDS,
        stdin=subprocess.DEVNULL,
    )
    if answer.returncode != 0:
        errors = [line for line in answer.stdout.splitlines() if line.startswith("[ERROR]")]
        raise LaunchError(
            f"Maven could not fetch Kafka's jars: {' '.join(errors[:1])}",
            f"Check the network and Maven's settings, then try `mvn -f {POM} dependency:resolve`.",
        )
    unfinished.rename(jars)


def _release(java: Path) -> str:
    release = java.parents[1] / "release"
    return release.read_text() if release.exists() else ""


def _ask(java: Path) -> str:
    command = [java, "-version"]
    return subprocess.run(command, capture_output=True, text=True, timeout=VERSION_TIMEOUT_SECONDS).stderr
