"""The record of used approvals: what shares a write, and what each caller is told of it."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence

from ordergate.broker.approvals import Approval
from ordergate.broker.used_approvals import UsedApprovals
from ordergate.core.events import ApprovalKind
from ordergate.journal.memory import MemoryJournal
from ordergate.journal.port import Entry


class StandingClock:
    def now_ns(self) -> int:
        return 1


class SlowJournal(MemoryJournal):
    """Each append takes a turn of the loop; ``sizes`` is how many entries each had."""

    def __init__(self) -> None:
        super().__init__()
        self.sizes: list[int] = []

    async def append(self, entries: Sequence[Entry], expected: Mapping[str, int]) -> None:
        self.sizes.append(len(entries))
        await asyncio.sleep(0)
        await super().append(entries, expected)


def approval(number: int) -> Approval:
    return Approval(
        1, f"sim:1:live/{number}", ApprovalKind.APPROVED, "place", "sim:1:live", "", f"og-{number}", 1, 0, 0, 1
    )


async def test_approvals_that_come_during_a_write_share_the_next_one() -> None:
    journal = SlowJournal()
    used = UsedApprovals(journal, StandingClock())
    told = await asyncio.gather(*(used.record(approval(number)) for number in range(9)))
    assert told == [True] * 9
    assert journal.sizes == [1, 8]
    assert await UsedApprovals(journal.reopened(), StandingClock()).load() == [f"sim:1:live/{n}" for n in range(9)]


async def test_the_next_write_goes_on_where_a_shared_one_ended() -> None:
    journal = SlowJournal()
    used = UsedApprovals(journal, StandingClock())
    await asyncio.gather(*(used.record(approval(number)) for number in range(3)))
    assert await used.record(approval(3))
    assert journal.sizes == [1, 2, 1]


async def test_when_a_shared_write_fails_every_one_of_its_approvals_is_told_so() -> None:
    journal = SlowJournal()
    used = UsedApprovals(journal, StandingClock())
    waiting = [asyncio.create_task(used.record(approval(number))) for number in range(4)]
    await asyncio.sleep(0)
    await journal.close()
    assert await asyncio.gather(*waiting) == [False] * 4
