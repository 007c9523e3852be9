"""All rows of a search that may answer with some of them only. PURE, but for the asking.

Whether ``Order/search`` and ``Trade/search`` have a limit, and which rows they leave out, is not known (ProjectX API
notes, section 13, 2026-11-22). So an answer that could be cut is asked for what is before and after it: one with as
many rows as people make limits of. To ask so of every long answer would treble the requests of a busy day.

Invariant: what is returned is complete, or it raises.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Protocol, TypeVar

from ordergate.broker.projectx.translate import instant_ns
from ordergate.errors import OutcomeUnknown

# A limit is a multiple of it, or a power of two. UNVERIFIED.
ROUND = 50


class Row(Protocol):
    @property
    def id(self) -> int: ...

    @property
    def creation_timestamp(self) -> str: ...


_Row = TypeVar("_Row", bound=Row)
Page = Callable[[str, str | None], Awaitable[tuple[_Row, ...]]]


async def everything(page: Page[_Row], since: str) -> tuple[_Row, ...]:
    """The rows since then; ``page`` gives those of a span, both ends in it, the second open where it is None.

    Raises as ``page``, ``InputRefused`` for a row without a time, and ``OutcomeUnknown``.
    """
    rows = await page(since, None)
    found = {row.id: row for row in rows}
    cut = may_be_cut(len(rows))
    while cut:
        cut = _more(found, await page(since, _ends(found)[0]))
    cut = may_be_cut(len(rows))
    while cut:
        cut = _more(found, await page(_ends(found)[1], None))
    return tuple(found.values())


def may_be_cut(count: int) -> bool:
    """Whether so many rows may be a limit."""
    return count >= ROUND and (count % ROUND == 0 or count.bit_count() == 1)


def _more(found: dict[int, _Row], rows: tuple[_Row, ...]) -> bool:
    """Take new rows; whether there may be more of them."""
    is_cut, known = may_be_cut(len(rows)), len(found)
    found.update({row.id: row for row in rows})
    if is_cut and len(found) == known:
        raise OutcomeUnknown(f"a search answers with the same {len(rows)} rows: those beside them cannot be read")
    return is_cut


def _ends(found: dict[int, _Row]) -> tuple[str, str]:
    """The times of the oldest and of the newest row."""
    rows = sorted(found.values(), key=lambda row: instant_ns(row.creation_timestamp))
    return rows[0].creation_timestamp, rows[-1].creation_timestamp
