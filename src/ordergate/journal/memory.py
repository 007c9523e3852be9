"""The journal in memory: for simulations and tests. Nothing survives the process.

Its rows cannot be changed from outside, so ``read`` has nothing to verify; they carry the same hashes as on disk.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping, Sequence

from ordergate.errors import JournalUnavailable
from ordergate.journal.chain import Head, linked
from ordergate.journal.port import Entry, Row


class MemoryJournal:
    """See the port."""

    def __init__(self) -> None:
        self._rows: list[Row] = []
        self._heads: dict[str, Head] = {}
        self._closed = False

    def reopened(self) -> MemoryJournal:
        """A second journal on the same rows, as a second ``open`` of one file: for restarts and rival writers."""
        other = MemoryJournal()
        other._rows, other._heads = self._rows, self._heads
        return other

    async def append(self, entries: Sequence[Entry], expected: Mapping[str, int]) -> None:
        if self._closed:
            raise JournalUnavailable("the journal is closed")
        for link in linked(entries, expected, self._heads):
            entry, head = link.entry, link.head
            self._heads[entry.book] = head
            self._rows.append(
                Row(
                    position=len(self._rows) + 1,
                    book=entry.book,
                    seq=head.seq,
                    recorded_ns=entry.recorded_ns,
                    kind=entry.kind,
                    version=entry.version,
                    body=entry.body,
                    row_hash=head.row_hash,
                )
            )

    async def read(self, after_position: int = 0) -> AsyncIterator[Row]:
        position = after_position
        while position < len(self._rows):
            yield self._rows[position]
            position += 1

    async def close(self) -> None:
        self._closed = True
