"""What SQLite's file, its disk and its processes may do to a journal, and what they may not.

What every journal promises is in ``tests/contract/test_journal.py``.
"""

from __future__ import annotations

import asyncio
import os
import random
import signal
import sys
import threading
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator, Mapping, Sequence
from pathlib import Path

import apsw
import pytest

from ordergate.errors import JournalDamaged, JournalUnavailable, SequenceConflict, StartRefused
from ordergate.journal.port import Entry, Row
from ordergate.journal.sqlite import APPLICATION_ID, TABLE_VERSION, SqliteJournal

Damage = Callable[[str], Awaitable[SqliteJournal]]


def entry(book: str, text: str = "x") -> Entry:
    return Entry(book=book, recorded_ns=1_800_000_000_000_000_000, kind="sample", version=1, body=text.encode())


async def rows_of(journal: SqliteJournal, after_position: int = 0) -> list[Row]:
    return [row async for row in journal.read(after_position)]


# The file.


@pytest.fixture
async def damaged(tmp_path: Path) -> AsyncIterator[Damage]:
    """Opens a journal of six rows in which some SQL was run behind our back."""
    path = tmp_path / "journal.db"
    opened: list[SqliteJournal] = []

    async def damage(sql: str) -> SqliteJournal:
        journal = await SqliteJournal.open(path)
        await journal.append([entry(book, f"{{{book}}}") for book in "ababab"], {"a": 0, "b": 0})
        await journal.close()
        connection = apsw.Connection(str(path))
        connection.execute(sql)
        connection.close()
        opened.append(await SqliteJournal.open(path))
        return opened[0]

    yield damage
    for journal in opened:
        await journal.close()


@pytest.mark.parametrize(
    ("sql", "named"),
    [
        ("UPDATE journal SET body = CAST('{c}' AS BLOB) WHERE position = 3", r"row 3 \(book a, seq 2\)"),
        ("UPDATE journal SET recorded_at = recorded_at + 1 WHERE position = 3", r"row 3 \(book a, seq 2\)"),
        ("UPDATE journal SET type = 'other' WHERE position = 3", r"row 3 \(book a, seq 2\)"),
        ("UPDATE journal SET version = 2 WHERE position = 3", r"row 3 \(book a, seq 2\)"),
        ("UPDATE journal SET hash = zeroblob(32) WHERE position = 3", r"row 3 \(book a, seq 2\)"),
        ("UPDATE journal SET seq = 9 WHERE position = 3", r"row 3 \(book a, seq 9\) stands where seq 2 belongs"),
        ("UPDATE journal SET book = 'c' WHERE position = 3", r"row 3 \(book c, seq 2\) stands where seq 1 belongs"),
        ("UPDATE journal SET position = 7 WHERE position = 3", r"row 5 \(book a, seq 3\) stands where seq 2 belongs"),
        ("DELETE FROM journal WHERE position = 4", r"row 6 \(book b, seq 3\) stands where seq 2 belongs"),
        ("UPDATE journal SET body = NULL WHERE position = 3", "the row after position 2"),
        ("UPDATE journal SET seq = 'x' WHERE position = 3", "the row after position 2"),
        ("UPDATE journal SET type = CAST(x'FF' AS TEXT) WHERE position = 3", "the row after position 2"),
    ],
)
async def test_a_changed_or_missing_row_is_found_and_named(damaged: Damage, sql: str, named: str) -> None:
    journal = await damaged(sql)
    with pytest.raises(JournalDamaged, match=named):
        await rows_of(journal)


async def test_reading_from_the_middle_is_held_against_the_row_before(
    damaged: Damage,
) -> None:
    journal = await damaged("UPDATE journal SET hash = zeroblob(32) WHERE position = 3")
    assert [row.position for row in await rows_of(journal, 5)] == [6]
    with pytest.raises(JournalDamaged, match=r"row 5 \(book a, seq 3\)"):
        await rows_of(journal, 3)


async def test_an_append_onto_a_damaged_row_is_refused_and_lets_the_file_go(damaged: Damage, tmp_path: Path) -> None:
    journal = await damaged("UPDATE journal SET hash = NULL WHERE position = 6")
    with pytest.raises(JournalUnavailable):
        await journal.append([entry("b")], {"b": 3})
    await (await SqliteJournal.open(tmp_path / "journal.db")).close()


async def test_a_flipped_bit_is_found_or_harmless(tmp_path: Path) -> None:
    """Bits all over the file, and each byte of the table's description, whose damage can hide all rows.

    The journal is refused, or is found damaged, or still says what was written.
    """
    sound, path = tmp_path / "sound.db", tmp_path / "journal.db"
    journal = await SqliteJournal.open(sound)
    await journal.append([entry("abc"[number % 3], f"{number:0100}") for number in range(60)], dict.fromkeys("abc", 0))
    written = await rows_of(journal)
    await journal.close()
    description = sound.read_bytes().index(b"CREATE TABLE journal")
    chance = random.Random(1)
    bits = chance.sample(range(sound.stat().st_size * 8), 150)
    bits += [byte * 8 + chance.randrange(8) for byte in range(description, description + 200)]
    found = {"refused": 0, "damaged": 0, "harmless": 0}
    for bit in bits:
        content = bytearray(sound.read_bytes())
        content[bit // 8] ^= 1 << bit % 8
        path.write_bytes(content)
        found[await verdict(path, written)] += 1
        for leftover in tmp_path.glob("journal.db*"):
            leftover.unlink()
    assert found["damaged"] > 50


async def verdict(path: Path, written: list[Row]) -> str:
    try:
        journal = await SqliteJournal.open(path)
    except StartRefused:
        return "refused"
    try:
        assert await rows_of(journal) == written
    except JournalDamaged:
        return "damaged"
    finally:
        await journal.close()
    return "harmless"


async def test_the_file_itself_refuses_a_second_row_with_the_same_seq(tmp_path: Path) -> None:
    journal = await SqliteJournal.open(tmp_path / "journal.db")
    await journal.append([entry("a")], {"a": 0})
    connection = apsw.Connection(str(tmp_path / "journal.db"))
    with pytest.raises(apsw.ConstraintError):
        connection.execute("INSERT INTO journal (book, seq) VALUES ('a', 1)")
    connection.close()
    await journal.close()


async def test_the_file_is_synced_at_every_commit(tmp_path: Path) -> None:
    """Reads the settings where SQLite keeps them: in the connection."""
    journal = await SqliteJournal.open(tmp_path / "journal.db")
    connection = journal._connection  # noqa: SLF001, no other connection can tell
    assert connection.pragma("journal_mode") == "wal"
    assert connection.pragma("synchronous") == 2, "FULL"
    assert connection.pragma("fullfsync") == 1
    await journal.close()


async def test_a_file_that_is_no_journal_is_refused_and_left_alone(tmp_path: Path) -> None:
    text, other = tmp_path / "letter.txt", tmp_path / "other.db"
    text.write_text("Dear broker, " * 1_000)
    connection = apsw.Connection(str(other))
    connection.execute("CREATE TABLE t (x)")
    connection.close()
    for path in (text, other):
        content = path.read_bytes()
        with pytest.raises(StartRefused, match=rf"{path.name} is not an ordergate journal"):
            await SqliteJournal.open(path)
        assert path.read_bytes() == content


async def test_a_journal_of_a_newer_version_is_refused(tmp_path: Path) -> None:
    connection = apsw.Connection(str(tmp_path / "journal.db"))
    connection.execute(f"PRAGMA application_id = {APPLICATION_ID}; PRAGMA user_version = {TABLE_VERSION + 1}")
    connection.close()
    with pytest.raises(StartRefused, match="has table version 2, this ordergate reads 1"):
        await SqliteJournal.open(tmp_path / "journal.db")


async def test_a_path_that_cannot_be_a_file_is_refused(tmp_path: Path) -> None:
    for path in (tmp_path, tmp_path / "missing" / "journal.db"):
        with pytest.raises(StartRefused, match=f"{path} cannot be opened as a journal"):
            await SqliteJournal.open(path)


async def test_a_locked_file_is_refused(tmp_path: Path) -> None:
    await (await SqliteJournal.open(tmp_path / "journal.db")).close()
    connection = apsw.Connection(str(tmp_path / "journal.db"))
    connection.execute("BEGIN IMMEDIATE")
    with pytest.raises(StartRefused, match="is locked by another program"):
        await SqliteJournal.open(tmp_path / "journal.db")
    connection.close()


# The disk. The faults are those of a disk of our own, a VFS in SQLite's words.


class Disk(apsw.VFS):
    """The machine's disk, until told otherwise. Every file opened while it exists is on it."""

    def __init__(self) -> None:
        self.below = apsw.vfs_names()[0]
        super().__init__("disk", self.below, makedefault=True)
        self.sync_fault: apsw.Error | None = None
        self.write_fault: apsw.Error | None = None
        self.syncs = 0
        self.spinning = threading.Event()
        self.spinning.set()

    def xOpen(self, name: apsw.URIFilename | str | None, flags: list[int]) -> DiskFile:  # noqa: N802, SQLite's name
        return DiskFile(self, name, flags)


class DiskFile(apsw.VFSFile):
    def __init__(self, disk: Disk, name: apsw.URIFilename | str | None, flags: list[int]) -> None:
        super().__init__(disk.below, name, flags)
        self.disk = disk

    def xSync(self, flags: int) -> None:  # noqa: N802
        self.disk.syncs += 1
        assert self.disk.spinning.wait(timeout=10)
        if self.disk.sync_fault:
            raise self.disk.sync_fault
        super().xSync(flags)

    def xWrite(self, data: bytes, offset: int) -> None:  # noqa: N802
        if self.disk.write_fault:
            raise self.disk.write_fault
        super().xWrite(data, offset)


@pytest.fixture
def disk() -> Iterator[Disk]:
    disk = Disk()
    yield disk
    disk.unregister()


async def test_appends_that_wait_for_a_commit_share_the_next_one(tmp_path: Path, disk: Disk) -> None:
    journal = await SqliteJournal.open(tmp_path / "journal.db")
    await journal.append([entry("a")], {"a": 0})
    disk.syncs = 0
    disk.spinning.clear()
    first = asyncio.create_task(journal.append([entry("a")], {"a": 1}))
    while disk.syncs == 0:
        await asyncio.sleep(0.001)  # the loop goes on while the disk does not
    others = [asyncio.create_task(journal.append([entry("a")], {"a": seq})) for seq in range(2, 50)]
    rival = asyncio.create_task(journal.append([entry("a")], {"a": 7}))
    given_up = asyncio.create_task(journal.append([entry("b")], {"b": 0}))
    await asyncio.sleep(0)
    given_up.cancel()
    await asyncio.sleep(0)
    assert not any(append.done() for append in (first, *others, rival))
    disk.spinning.set()
    await asyncio.gather(first, *others)
    with pytest.raises(SequenceConflict):
        await rival
    assert disk.syncs == 2
    await journal.close()


@pytest.mark.parametrize(
    "fault",
    [{"sync_fault": apsw.IOError("fsync failed")}, {"write_fault": apsw.FullError("disk is full")}],
    ids=["fsync error", "disk full"],
)
async def test_after_a_failed_commit_the_journal_refuses_and_syncs_no_more(
    tmp_path: Path, disk: Disk, fault: Mapping[str, apsw.Error]
) -> None:
    journal = await SqliteJournal.open(tmp_path / "journal.db")
    await journal.append([entry("a", "durable")], {"a": 0})
    for name, error in fault.items():
        setattr(disk, name, error)
    disk.spinning.clear()
    disk.syncs = 0
    failing = [asyncio.create_task(journal.append([entry(book)], {book: 0})) for book in "bcd"]
    await asyncio.sleep(0)
    disk.spinning.set()
    results = await asyncio.gather(*failing, return_exceptions=True)
    assert [type(result) for result in results] == [JournalUnavailable] * 3
    with pytest.raises(JournalUnavailable, match="takes no more until it is opened anew: not durable"):
        await journal.append([entry("a", "late")], {"a": 1})
    assert [row.body for row in await rows_of(journal)] == [b"durable"]
    await journal.close()
    assert disk.syncs == (1 if "sync_fault" in fault else 0)
    disk.sync_fault = disk.write_fault = None
    journal = await SqliteJournal.open(tmp_path / "journal.db")
    await journal.append([entry("a", "anew")], {"a": 1})
    assert [row.body for row in await rows_of(journal) if row.book == "a"] == [b"durable", b"anew"]
    await journal.close()


# Other processes.

CHILD = """
import asyncio, itertools, resource, sys
from pathlib import Path
from ordergate.errors import JournalUnavailable
from ordergate.journal.port import Entry
from ordergate.journal.sqlite import SqliteJournal

async def write(journal, book):
    for seq in itertools.count():
        body = b"%d" % seq * 100
        await journal.append([Entry(book=book, recorded_ns=seq, kind="k", version=1, body=body)], {book: seq})
        print(book, seq + 1, flush=True)

async def main():
    journal = await SqliteJournal.open(Path(sys.argv[1]))
    if len(sys.argv) > 2:
        resource.setrlimit(resource.RLIMIT_FSIZE, (int(sys.argv[2]),) * 2)
    results = await asyncio.gather(*(write(journal, book) for book in "abc"), return_exceptions=True)
    assert [type(result) for result in results] == [JournalUnavailable] * 3, results
    print("refused", flush=True)

asyncio.run(main())
"""


async def start_child(*arguments: str) -> asyncio.subprocess.Process:
    return await asyncio.create_subprocess_exec(
        sys.executable,
        "-c",
        CHILD,
        *arguments,
        stdout=asyncio.subprocess.PIPE,
        env={**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)},
    )


async def lines_of(child: asyncio.subprocess.Process, count: int) -> list[str]:
    """At most ``count`` lines, fewer when the child ends before."""
    assert child.stdout
    lines: list[str] = []
    while len(lines) < count and (line := await child.stdout.readline()).endswith(b"\n"):
        lines.append(line.decode().strip())
    return lines


def acknowledged(lines: Sequence[str]) -> dict[str, int]:
    """The last seq of each book that the child was told is durable."""
    return {book: int(seq) for book, seq in (line.split() for line in lines)}


async def test_what_was_acknowledged_outlives_kill_9(tmp_path: Path) -> None:
    path = tmp_path / "journal.db"
    child = await start_child(str(path))
    lines = await lines_of(child, 300)
    child.send_signal(signal.SIGKILL)
    lines += await lines_of(child, sys.maxsize)
    assert await child.wait() == -signal.SIGKILL
    journal = await SqliteJournal.open(path)
    last = {row.book: row.seq for row in await rows_of(journal)}
    for book, seq in acknowledged(lines).items():
        assert seq <= last[book] <= seq + 1
    await journal.append([entry("a")], {"a": last["a"]})
    await journal.close()


async def test_a_full_disk_refuses_appends_and_loses_none(tmp_path: Path) -> None:
    """The disk is full at 256 KiB a file, for the child; the parent then finds room again."""
    path = tmp_path / "journal.db"
    child = await start_child(str(path), str(256 * 1024))
    *lines, end = await lines_of(child, sys.maxsize)
    assert await child.wait() == 0
    assert end == "refused"
    journal = await SqliteJournal.open(path)
    last = {row.book: row.seq for row in await rows_of(journal)}
    assert last == acknowledged(lines)
    await journal.append([entry("a")], {"a": last["a"]})
    await journal.close()


async def test_a_second_process_on_the_file_fences_the_first(tmp_path: Path) -> None:
    path = tmp_path / "journal.db"
    journal = await SqliteJournal.open(path)
    child = await start_child(str(path))
    await lines_of(child, 3)
    child.kill()
    await child.wait()
    with pytest.raises(SequenceConflict):
        await journal.append([entry("a")], {"a": 0})
    await journal.close()
