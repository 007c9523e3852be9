"""The state directory: who we are, on disk. One process for each role, one venue and login for ever.

Holds a lock for each role, ``venue``, ``install-id``, ``approval.key`` and the places of the databases. The roles of a
desk that is several processes share it, and so the key. It never shows a key.

Invariants:
1. A role belongs to one process: its lock is the operating system's and ends with the process, however it ends.
2. ``venue``, ``install-id`` and ``approval.key`` are written once, whole and durable, and never changed by us.
3. Everything that is wrong with it is a ``StartRefused`` that names the path.
"""

from __future__ import annotations

import base64
import contextlib
import enum
import os
import re
import sys
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import TextIO

import platformdirs

from ordergate.errors import StartRefused

RandomBytes = Callable[[int], bytes]

# As long as SHA-256's result; a longer key adds no strength (FIPS 198, section 3, read 2026-11-22).
_KEY_BYTES = 32
# For a key that a person chose: 32 characters of hexadecimal are 128 bits.
_KEY_CHARACTERS_MIN = 32
_INSTALL_ID = re.compile(r"[a-z2-7]{8}")


class Holder(enum.Enum):
    """What a process can hold a state directory as; whatever is one process holds it as all that it is."""

    AGGREGATOR = "aggregator"
    CONNECTION_MANAGER = "connection-manager"
    EXCHANGE = "exchange"


class StateDir:
    """A state directory that this process holds. Made by ``open``."""

    def __init__(self, path: Path, locks: contextlib.ExitStack, random_bytes: RandomBytes) -> None:
        self.path = path
        self.journal = path / "journal.db"
        self.used_approvals = path / "connection-manager.db"
        self.exchange = path / "exchange.db"
        self._locks = locks
        self._random_bytes = random_bytes

    @classmethod
    def open(
        cls, random_bytes: RandomBytes, path: Path | None = None, holders: Iterable[Holder] = tuple(Holder)
    ) -> StateDir:
        """Take the directory as ``holders``, making it if there is none; ``path`` None = the platform's for state.

        Raises ``StartRefused`` if another process holds it as one of these, or if it cannot be written.
        """
        path = path or platformdirs.user_state_path("ordergate", appauthor=False)
        with _refused(path), contextlib.ExitStack() as locks:
            path.mkdir(mode=0o700, parents=True, exist_ok=True)
            for holder in holders:
                name = path / f"lock.{holder.value}"
                _take(locks.enter_context(name.open("a+", encoding="ascii", errors="replace")), path, holder)
            return cls(path, locks.pop_all(), random_bytes)

    def serve(self, venue: str) -> None:
        """``venue`` is one line that names the venue and login. Raises ``StartRefused`` if it was made for another."""
        with _refused(self.path):
            made_for = _written_once(self.path / "venue", lambda: venue)
        if made_for != venue:
            raise StartRefused(
                f"the state directory {self.path} was made for {made_for!r} and cannot serve {venue!r}: "
                "name another with --state-dir"
            )

    def install_id(self) -> str:
        """Eight characters of ``a-z2-7`` that tell this installation's orders from any other's."""
        path = self.path / "install-id"
        with _refused(self.path):
            install_id = _written_once(path, lambda: base64.b32encode(self._random_bytes(5)).decode().lower())
        if _INSTALL_ID.fullmatch(install_id) is None:
            raise StartRefused(f"{path} does not hold an install id: restore it from a backup")
        return install_id

    def approval_key(self, from_environment: str | None) -> bytes:
        """The secret that signs approvals: ORDERGATE_APPROVAL_KEY where given, else the file, made when missing.

        Raises ``StartRefused`` for a key that is too short or that other users can read.
        """
        path = self.path / "approval.key"
        if from_environment is not None:
            return _key(from_environment, "ORDERGATE_APPROVAL_KEY")
        with _refused(self.path):
            text = _written_once(path, lambda: self._random_bytes(_KEY_BYTES).hex())
            mode = path.stat().st_mode & 0o777
        # Windows keeps no such bits; there the user's profile folder guards the file.
        if sys.platform != "win32" and mode & 0o077:
            raise StartRefused(f"{path} can be read by other users (mode {mode:o}): run chmod 600 on it")
        return _key(text, str(path))

    def release(self) -> None:
        """Let another process take the directory. Call it once, last of all."""
        self._locks.close()


def held(path: Path) -> dict[Holder, str]:
    """The ids of the processes that hold the directory at ``path``, by what they hold it as. Nothing is made there.

    To see that a lock is free it is taken, shared, for the time of a system call; a role that starts in it is refused.
    """
    found: dict[Holder, str] = {}
    for holder in Holder:
        with (
            contextlib.suppress(OSError),
            (path / f"lock.{holder.value}").open(encoding="ascii", errors="replace") as lock,
        ):
            if not _try_lock(lock.fileno(), shared=True):
                found[holder] = lock.read(20).strip()
    return found


def _key(text: str, source: str) -> bytes:
    # The text itself is the key, so that a file's content serves as the environment's value too.
    text = text.strip()
    if len(text) < _KEY_CHARACTERS_MIN:
        raise StartRefused(f"{source} has {len(text)} characters: a key has at least {_KEY_CHARACTERS_MIN}")
    return text.encode()


def _take(lock: TextIO, path: Path, holder: Holder) -> None:
    """Lock the file and leave our process id in it. Raises ``StartRefused`` if another process holds it."""
    if not _try_lock(lock.fileno()):
        lock.seek(0)
        process = lock.read(20).strip()
        named = f" (process {process})" if process.isdecimal() else ""
        raise StartRefused(
            f"another ordergate{named} uses the state directory {path} as {holder.value}: "
            "stop it, or name another with --state-dir"
        )
    lock.truncate(0)
    lock.write(f"{os.getpid()}\n")
    lock.flush()


if sys.platform == "win32":
    import msvcrt

    def _try_lock(file: int, *, shared: bool = False) -> bool:  # noqa: ARG001 - every lock is exclusive there
        # Windows refuses reads of what is locked, and others must be able to read the process id: lock far behind it.
        # UNVERIFIED on Windows: try a second start there.
        os.lseek(file, 1 << 30, os.SEEK_SET)
        try:
            msvcrt.locking(file, msvcrt.LK_NBLCK, 1)
        except PermissionError:
            return False
        return True
else:
    import fcntl

    def _try_lock(file: int, *, shared: bool = False) -> bool:
        try:
            fcntl.flock(file, (fcntl.LOCK_SH if shared else fcntl.LOCK_EX) | fcntl.LOCK_NB)
        except BlockingIOError:
            return False
        return True


def _written_once(path: Path, make: Callable[[], str]) -> str:
    """The text of the file, which is made when it is missing: whole, durable, and for this user only.

    Of two processes that make it at once the first wins, and both have its text.
    """
    if not path.exists():
        unfinished = path.with_name(f"{path.name}.{os.getpid()}")
        unfinished.unlink(missing_ok=True)  # of a process that died here and had our number
        with os.fdopen(os.open(unfinished, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w", encoding="utf-8") as file:
            file.write(make() + "\n")
            file.flush()
            os.fsync(file.fileno())
        with contextlib.suppress(FileExistsError):
            os.link(unfinished, path)
        unfinished.unlink()
        _sync_folder(path.parent)
    return path.read_text(encoding="utf-8", errors="replace").removesuffix("\n")


def _sync_folder(path: Path) -> None:
    """Make a rename in the folder durable. Windows cannot open a folder, and needs no such step."""
    if sys.platform != "win32":
        folder = os.open(path, os.O_RDONLY)
        try:
            os.fsync(folder)
        finally:
            os.close(folder)


@contextlib.contextmanager
def _refused(path: Path) -> Iterator[None]:
    """What the operating system says against the directory, as a refusal to start."""
    try:
        yield
    except OSError as error:
        raise StartRefused(f"the state directory {path} cannot be used: {error.strerror or error}") from error
