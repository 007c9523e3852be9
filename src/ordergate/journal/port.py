"""The journal: the durable record. What is appended is never changed.

A row's key is (book, seq); ``position`` is its place in the whole file, the order in which a group replays.

Invariants:
1. ``append`` is atomic: all entries or none, and it returns only when they are durable.
2. Within a book ``seq`` counts 1, 2, 3... without a gap; a second writer meets ``SequenceConflict``.
3. ``row_hash`` chains over the book's previous row, so a changed or missing row in the middle is found by ``read``.
4. After ``JournalUnavailable`` nothing of the batch is in the journal, or the journal refuses every further append.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping, Sequence
from typing import Protocol

import msgspec


class Entry(msgspec.Struct, frozen=True):
    """One event to be written. ``kind`` is the event's tag, ``version`` that of its shape, ``body`` its JSON."""

    book: str
    recorded_ns: int
    kind: str
    version: int
    body: bytes


class Row(msgspec.Struct, frozen=True):
    """One event as recorded."""

    position: int
    book: str
    seq: int
    recorded_ns: int
    kind: str
    version: int
    body: bytes
    row_hash: bytes


class Journal(Protocol):
    """See the module."""

    async def append(self, entries: Sequence[Entry], expected: Mapping[str, int]) -> None:
        """Write ``entries``; ``expected`` is the last seq of each book among them (0 = empty), as the caller knows it.

        Raises ``JournalUnavailable`` or ``SequenceConflict``.
        """
        ...

    def read(self, after_position: int = 0) -> AsyncIterator[Row]:
        """All rows in order of position, verified. Raises ``JournalDamaged`` naming the first bad row."""
        ...

    async def close(self) -> None:
        """Finish what is under way and release the file."""
        ...
