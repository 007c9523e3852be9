"""The chain of hashes over the rows of one book, and the check of a writer's expectation. Pure; used by every adapter.

Invariants:
1. A row's hash covers its book, seq, instant, kind, version and body, and the hash of the book's row before it.
2. No two different rows are hashed over the same bytes.
3. A row is linked only to the head that its writer expected.

``position`` is not covered: a store hands it out while it inserts, and PostgreSQL leaves gaps when it rolls back. Nor
does any chain show that its end was cut off; what the broker says is held against that.
"""

from __future__ import annotations

import hashlib
import struct
from collections.abc import Mapping, Sequence

import msgspec

from ordergate.errors import JournalDamaged, SequenceConflict
from ordergate.journal.port import Entry, Journal, Row


class Head(msgspec.Struct, frozen=True):
    """The seq and hash of a book's last row."""

    seq: int
    row_hash: bytes


EMPTY = Head(0, bytes(32))


class Link(msgspec.Struct, frozen=True):
    """One entry with its place in its book."""

    entry: Entry
    head: Head


def linked(entries: Sequence[Entry], expected: Mapping[str, int], heads: Mapping[str, Head]) -> list[Link]:
    """``entries`` as the next rows of their books. ``heads`` holds the true head of every book that has rows.

    Raises ``SequenceConflict`` if a book's last seq is not the expected one.
    """
    for book, seq in expected.items():
        found = heads.get(book, EMPTY).seq
        if found != seq:
            raise SequenceConflict(f"book {book} is at seq {found}, not {seq}: another writer has written it")
    ends = {book: heads.get(book, EMPTY) for book in expected}
    links = []
    for entry in entries:
        before = ends[entry.book]
        head = ends[entry.book] = Head(before.seq + 1, _row_hash(before.row_hash, before.seq + 1, entry))
        links.append(Link(entry, head))
    return links


def verified(row: Row, before: Head) -> Head:
    """The head of the row's book with this row. Raises ``JournalDamaged`` naming the row."""
    if row.seq != before.seq + 1:
        raise JournalDamaged(f"{_name(row)} stands where seq {before.seq + 1} belongs: a row is missing or was changed")
    if row.row_hash != _row_hash(before.row_hash, row.seq, row):
        raise JournalDamaged(f"{_name(row)} does not match its hash: it or the row before it was changed")
    return Head(row.seq, row.row_hash)


async def digest(journal: Journal) -> str:
    """Hex SHA-256 over the hashes of all rows in order: equal for two journals exactly when their histories are."""
    total = hashlib.sha256()
    async for row in journal.read():
        total.update(row.row_hash)
    return total.hexdigest()


def _row_hash(previous: bytes, seq: int, content: Entry | Row) -> bytes:
    book, kind = content.book.encode(), content.kind.encode()
    # The two lengths make the boundaries certain (invariant 2); the body is what is left.
    numbers = struct.pack(">5q", seq, content.recorded_ns, content.version, len(book), len(kind))
    return hashlib.sha256(previous + numbers + book + kind + content.body).digest()


def _name(row: Row) -> str:
    return f"row {row.position} (book {row.book}, seq {row.seq})"
