"""The journal in one SQLite file: durable, and in need of no server.

One thread owns the connection and does everything with it, in turn. Appends that arrive while a commit is under way
share the next one (group commit): a disk that syncs 200 times a second still takes thousands of appends.

Invariants, beyond the port's:
1. A row is acknowledged only after the commit that holds it has been synced to the disk.
2. Appends that share a commit stand or fall alone on their sequence, and together on the disk.
3. After a failed commit nothing more is appended and no sync is tried again: what a failed fsync has dropped cannot
   be known, and a second one may report success all the same. A new ``open`` shows what is really there, which may
   be the failed commit.
4. UNIQUE(book, seq) fences two processes on one file; heads are read inside the transaction, never remembered.

An append whose caller is cancelled may still become durable.
"""

from __future__ import annotations

import asyncio
import contextlib
import functools
from collections.abc import AsyncIterator, Iterator, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path

import apsw
import msgspec

from ordergate.errors import JournalDamaged, JournalUnavailable, SequenceConflict, StartRefused
from ordergate.journal.chain import EMPTY, Head, linked, verified
from ordergate.journal.port import Entry, Row

# Written into the file's header, so that no other SQLite file is taken for a journal: "ordg" in ASCII.
APPLICATION_ID = 0x6F726467
TABLE_VERSION = 1
# Another process holds the write lock for one commit only, which takes a slow disk 50 ms.
LOCK_WAIT_MS = 1_000
# About 5 ms of the thread's time, which is how long a commit may have to wait for a reader.
ROWS_PER_READ = 1_000

_TABLE = """CREATE TABLE journal (
    position INTEGER PRIMARY KEY,
    book TEXT,
    seq INTEGER,
    recorded_at INTEGER,
    type TEXT,
    version INTEGER,
    body BLOB,
    hash BLOB,
    UNIQUE (book, seq)
)"""
_INSERT = "INSERT INTO journal (book, seq, recorded_at, type, version, body, hash) VALUES "
_VALUES = "(?, ?, ?, ?, ?, ?, ?)"
# The rows of one statement. Each gives up the interpreter's lock, and in a busy process waits to have it back.
_TOGETHER = (64, 8, 1)
_HEAD = "SELECT seq, hash FROM journal WHERE book = ? AND position <= ? ORDER BY seq DESC LIMIT 1"
_READ = """
SELECT position, book, seq, recorded_at, type, version, body, hash
FROM journal WHERE position > ? ORDER BY position LIMIT ?
"""
_POSITION_MAX = 2**63 - 1


class _Append(msgspec.Struct):
    """One caller's append, waiting for its commit."""

    entries: tuple[Entry, ...]
    expected: Mapping[str, int]
    done: asyncio.Future[None]


class SqliteJournal:
    """See the port. Made by ``open``."""

    def __init__(self, path: Path, connection: apsw.Connection, thread: ThreadPoolExecutor) -> None:
        self._path = path
        self._connection = connection
        self._thread = thread
        self._waiting: list[_Append] = []
        self._commit: Future[list[SequenceConflict | None]] | None = None
        # Why no append is taken any more; None while they are.
        self._refusal: str | None = None
        self._closed = False

    @classmethod
    async def open(cls, path: Path) -> SqliteJournal:
        """The journal at ``path``, made if there is none.

        Raises ``StartRefused`` if it is locked, damaged, of a newer ordergate, or no journal at all.
        """
        thread = ThreadPoolExecutor(max_workers=1, thread_name_prefix="journal")
        try:
            connection = await asyncio.get_running_loop().run_in_executor(thread, _connected, path)
        except StartRefused:
            thread.shutdown()
            raise
        return cls(path, connection, thread)

    @classmethod
    async def open_to_read(cls, path: Path) -> SqliteJournal:
        """The journal at ``path`` as it stands, beside whoever writes it; an append to this one fails.

        Raises ``StartRefused`` as ``open``, and if there is none.
        """
        thread = ThreadPoolExecutor(max_workers=1, thread_name_prefix="journal reader")
        try:
            connection = await asyncio.get_running_loop().run_in_executor(thread, _reader, path)
        except StartRefused:
            thread.shutdown()
            raise
        return cls(path, connection, thread)

    async def append(self, entries: Sequence[Entry], expected: Mapping[str, int]) -> None:
        if self._refusal is not None:
            raise JournalUnavailable(self._refusal)
        append = _Append(tuple(entries), dict(expected), asyncio.get_running_loop().create_future())
        self._waiting.append(append)
        if self._commit is None:
            self._start_commit()
        await append.done

    async def read(self, after_position: int = 0) -> AsyncIterator[Row]:
        heads: dict[str, Head] = {}
        loop = asyncio.get_running_loop()
        while True:
            rows = await loop.run_in_executor(self._thread, _rows, self._connection, after_position, heads)
            for row in rows:
                yield row
            if len(rows) < ROWS_PER_READ:
                return
            after_position = rows[-1].position

    async def close(self) -> None:
        if self._closed:
            return
        self._closed = True
        self._refusal = self._refusal or f"the journal {self._path} is closed"
        while self._commit is not None:
            await asyncio.wait({asyncio.wrap_future(self._commit)})
        await asyncio.get_running_loop().run_in_executor(self._thread, self._connection.close)
        self._thread.shutdown()

    def _start_commit(self) -> None:
        batch, self._waiting = self._waiting, []
        loop = asyncio.get_running_loop()
        # Not run_in_executor: its second future costs as much again, on the way of every order.
        self._commit = self._thread.submit(_committed, self._connection, batch)
        self._commit.add_done_callback(lambda commit: loop.call_soon_threadsafe(self._answer, batch, commit))

    def _answer(self, batch: list[_Append], commit: Future[list[SequenceConflict | None]]) -> None:
        """Tell every caller of ``batch`` what became of its append, and commit what has come in since."""
        failure = commit.exception()
        outcomes: Sequence[BaseException | None]
        if failure is None:
            outcomes = commit.result()
        else:
            self._refusal = f"the journal {self._path} takes no more until it is opened anew: {failure}"
            batch, self._waiting = batch + self._waiting, []
            outcomes = [failure] * len(batch)
        for append, outcome in zip(batch, outcomes, strict=True):
            if append.done.cancelled():
                continue
            if outcome is None:
                append.done.set_result(None)
            else:
                append.done.set_exception(outcome)
        self._commit = None
        if self._waiting:
            self._start_commit()


# What follows runs in the journal's thread.


def _connected(path: Path) -> apsw.Connection:
    """A connection to the journal at ``path``. Raises ``StartRefused``."""
    with _opening(path), contextlib.ExitStack() as undo:
        connection = apsw.Connection(str(path))
        undo.callback(connection.close)
        connection.set_busy_timeout(LOCK_WAIT_MS)
        # FULL: a commit returns after the disk has synced. fullfsync: on macOS a plain fsync leaves the data in the
        # drive's cache; elsewhere it changes nothing (sqlite.org/c3ref/c_sync_dataonly.html, read 2026-11-22).
        connection.execute("PRAGMA synchronous = FULL; PRAGMA fullfsync = ON")
        _claim(connection, path)
        _check(connection, path)
        undo.pop_all()
        return connection


def _reader(path: Path) -> apsw.Connection:
    """A connection that can change nothing. Raises ``StartRefused``."""
    with _opening(path), contextlib.ExitStack() as undo:
        connection = apsw.Connection(str(path), flags=apsw.SQLITE_OPEN_READONLY)
        undo.callback(connection.close)
        connection.set_busy_timeout(LOCK_WAIT_MS)
        _check_identity(connection, path)
        _check_structure(connection, path)
        undo.pop_all()
        return connection


@contextlib.contextmanager
def _opening(path: Path) -> Iterator[None]:
    """The translator of SQLite's errors at the start."""
    try:
        yield
    except apsw.NotADBError as error:
        raise StartRefused(f"{path} is not an ordergate journal") from error
    except (apsw.BusyError, apsw.LockedError) as error:
        raise StartRefused(f"{path} is locked by another program") from error
    except apsw.Error as error:
        raise StartRefused(f"{path} cannot be opened as a journal: {error}") from error


def _claim(connection: apsw.Connection, path: Path) -> None:
    """Make the table in an empty file; change nothing in a file that is not ours, and raise ``StartRefused``."""
    connection.execute("BEGIN IMMEDIATE")
    is_empty = connection.execute("SELECT count(*) FROM sqlite_schema").get == 0
    if is_empty and connection.pragma("application_id") == 0:
        connection.execute(_TABLE)
        connection.pragma("application_id", APPLICATION_ID)
        connection.pragma("user_version", TABLE_VERSION)
    else:
        _check_identity(connection, path)
    connection.execute("COMMIT")


def _check_identity(connection: apsw.Connection, path: Path) -> None:
    """Raises ``StartRefused`` for what is no journal, or one of another version."""
    if connection.pragma("application_id") != APPLICATION_ID:
        raise StartRefused(f"{path} is not an ordergate journal")
    version = connection.pragma("user_version")
    if version != TABLE_VERSION:
        raise StartRefused(f"{path} has table version {version}, this ordergate reads {TABLE_VERSION}")


def _check(connection: apsw.Connection, path: Path) -> None:
    """Raises ``StartRefused`` if the file cannot hold a write-ahead log or its structure is damaged."""
    if connection.pragma("journal_mode", "wal") != "wal":
        raise StartRefused(f"{path} is on a file system where SQLite cannot keep a write-ahead log")
    _check_structure(connection, path)


def _check_structure(connection: apsw.Connection, path: Path) -> None:
    """Raises ``StartRefused`` if it is damaged."""
    # A flipped bit in the table's own description can make all rows disappear.
    if connection.execute("SELECT CAST(sql AS BLOB) FROM sqlite_schema WHERE name = 'journal'").get != _TABLE.encode():
        raise StartRefused(f"{path} is damaged: its table is not as it was made")
    # Structure only, 0.4 us a row: above all a lost end, which no chain shows. Contents are verified by ``read``.
    found = connection.execute("PRAGMA quick_check(1)").get
    if found != "ok":
        raise StartRefused(f"{path} is damaged: {found}")


def _committed(connection: apsw.Connection, batch: Sequence[_Append]) -> list[SequenceConflict | None]:
    """One durable transaction; for each append None or its conflict. Raises ``JournalUnavailable``."""
    try:
        connection.execute("BEGIN IMMEDIATE")
        try:
            conflicts = [_inserted(connection, append) for append in batch]
            connection.execute("COMMIT")
        finally:
            if connection.in_transaction:
                connection.execute("ROLLBACK")
    except (apsw.Error, msgspec.ValidationError) as error:
        # Closing would move the log into the file, with syncs on the disk that has just failed.
        connection.config(apsw.SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, 1)
        raise JournalUnavailable(f"not durable: {error}") from error
    return conflicts


def _inserted(connection: apsw.Connection, append: _Append) -> SequenceConflict | None:
    heads = {book: _head(connection, book, _POSITION_MAX) for book in append.expected}
    try:
        links = linked(append.entries, append.expected, heads)
    except SequenceConflict as conflict:
        return conflict
    rows = [
        (entry.book, head.seq, entry.recorded_ns, entry.kind, entry.version, entry.body, head.row_hash)
        for entry, head in ((link.entry, link.head) for link in links)
    ]
    for first, size in _portions(len(rows)):
        values = [value for row in rows[first : first + size] for value in row]
        connection.execute(_insert(size), values)
    return None


def _portions(count: int) -> Iterator[tuple[int, int]]:
    """``count`` rows as few statements, which have few sizes: where each begins, and its size."""
    first = 0
    for size in _TOGETHER:
        while count - first >= size:
            yield first, size
            first += size


@functools.cache
def _insert(size: int) -> str:
    return _INSERT + ", ".join([_VALUES] * size)


def _head(connection: apsw.Connection, book: str, position_max: int) -> Head:
    """The head of ``book`` among the rows up to ``position_max``."""
    found = connection.execute(_HEAD, (book, position_max)).fetchone()
    return EMPTY if found is None else Head(*msgspec.convert(found, tuple[int, bytes]))


def _rows(connection: apsw.Connection, after_position: int, heads: dict[str, Head]) -> list[Row]:
    """The next rows after ``after_position``, verified against ``heads``, which are moved on.

    Raises ``JournalDamaged``.
    """
    rows: list[Row] = []
    try:
        for stored in connection.execute(_READ, (after_position, ROWS_PER_READ)):
            # A damaged file may hold a value of any type in any column.
            row = Row(*msgspec.convert(stored, tuple[int, str, int, int, str, int, bytes, bytes]))
            before = heads[row.book] if row.book in heads else _head(connection, row.book, after_position)
            heads[row.book] = verified(row, before)
            rows.append(row)
    except (apsw.Error, UnicodeDecodeError, msgspec.ValidationError) as error:
        last = rows[-1].position if rows else after_position
        raise JournalDamaged(f"the row after position {last} cannot be read: {error}") from error
    return rows
