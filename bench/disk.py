"""The raw limit of durability here, and the journal's append beside it."""

from __future__ import annotations

import itertools
import os
from pathlib import Path

from bench.figures import NS_PER_MS, Told, percentiles, tell, timed, timed_await
from ordergate.journal.port import Entry
from ordergate.journal.sqlite import SqliteJournal

_BOOK = "bench"
_ENTRY_BYTES = 600  # about an order-approved row
_COUNT = 1_000


def sync(folder: Path, count: int = _COUNT) -> Told:
    """A write and a bare fsync, in ms."""
    file = os.open(folder / "raw", os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
    row = bytes(_ENTRY_BYTES)

    def write() -> None:
        os.write(file, row)
        os.fsync(file)

    taken = timed(write, count)
    os.close(file)
    return {"what": "write and bare fsync"} | percentiles(taken, NS_PER_MS)


async def measure(folder: Path) -> None:
    """One durable append of one event, from the loop's side, one at a time."""
    journal = await SqliteJournal.open(folder / "append.db")
    seqs = itertools.count()

    async def append() -> None:
        entry = Entry(_BOOK, 0, "order-approved", 1, b'{"x":"' + b"x" * _ENTRY_BYTES + b'"}')
        await journal.append([entry], {_BOOK: next(seqs)})

    taken = await timed_await(append, _COUNT)
    await journal.close()
    tell("durable append", "ms", percentiles(taken, NS_PER_MS), raw=sync(folder))
