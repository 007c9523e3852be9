"""State from the journal: what was live when the last row became durable."""

from __future__ import annotations

from ordergate.core.account import Group
from ordergate.core.fold import evolve
from ordergate.journal.codec import decode
from ordergate.journal.port import Journal


async def recover(journal: Journal) -> tuple[Group, dict[str, int]]:
    """The folded state, and the last seq of every book. Raises ``JournalDamaged``."""
    group = Group()
    seqs: dict[str, int] = {}
    async for row in journal.read():
        group = evolve(group, decode(row.kind, row.version, row.body))
        seqs[row.book] = row.seq
    return group, seqs
