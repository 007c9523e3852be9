"""More orders than can be decided: each is answered, nothing piles up, and who wants to get out goes first."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Mapping, Sequence

from msgspec.structs import replace

from ordergate.bus.port import Topic
from ordergate.bus.topics import encode
from ordergate.core.commands import Flatten, SubmitOrder
from ordergate.core.order import OrderType, Side
from ordergate.engine.inbox import Class
from ordergate.engine.writer import BATCH_MAX
from ordergate.journal.memory import MemoryJournal
from ordergate.journal.port import Entry
from tests.engine.gate_on_memory import ACCOUNT, MES, Bench, bench

BURST = 10_000


def order(name: str, quantity: int = 1, side: Side = Side.BUY) -> SubmitOrder:
    return SubmitOrder(name, ACCOUNT, name, MES.contract_id, side, quantity, OrderType.MARKET)


class Disk(MemoryJournal):
    """A journal that is waited for, as a real one is."""

    async def append(self, entries: Sequence[Entry], expected: Mapping[str, int]) -> None:
        await asyncio.sleep(0.001)
        await super().append(entries, expected)


async def all_answered(desk: Bench, count: int) -> None:
    async with asyncio.timeout(60):
        while len(desk.answers) < count:
            await asyncio.sleep(0.01)


async def test_of_ten_thousand_orders_each_is_answered_and_a_flatten_among_them_waits_for_one_batch_at_most() -> None:
    journal = Disk()
    async with bench(journal, orders_max=500) as desk:
        await desk.adopt()
        most_waiting = 0
        before = 0
        for number in range(BURST):
            await desk.gate.take(order(f"o{number}", quantity=11))  # denied: above the largest order
            waiting = desk.gate.waiting
            most_waiting = max(most_waiting, waiting[Class.MANUAL] + waiting[Class.CLOSING])
            if number == BURST // 2:
                before = desk.gate.group.version
                await desk.gate.take(Flatten("out"))
            if number % 1_000 == 0:
                await asyncio.sleep(0)
        await all_answered(desk, BURST + 1)
        codes = Counter(answer.code for name, answer in desk.answers.items() if name != "out")
        assert desk.answers["out"].ok
        raised = [row.position async for row in journal.read() if row.kind == "epoch-raised"]
        # Those that were being decided when it came, an event each.
        assert raised[-1] - before <= BATCH_MAX + 1
        assert most_waiting <= 501
        assert sum(codes.values()) == BURST
        assert set(codes) == {"MAX_ORDER_SIZE", "SUPERSEDED", "QUEUE_FULL"}
        assert desk.gate.waiting[Class.MANUAL] == 0


async def test_a_burst_over_the_bus_is_answered_to_the_last_order() -> None:
    async with bench(MemoryJournal(), orders_max=100) as desk:
        await desk.adopt()
        for number in range(1_000):
            await desk.bus.send(Topic.ORDERS, encode(order(f"o{number}", quantity=11)))
        await all_answered(desk, 1_000)


async def test_what_only_closes_gets_in_where_the_queue_is_full_of_orders() -> None:
    async with bench(MemoryJournal(), orders_max=1) as desk:
        await desk.adopt()
        await desk.filled(2, "held")
        for number in range(5):
            await desk.gate.take(order(f"o{number}"))
        await desk.gate.take(order("out", 2, Side.SELL))
        await all_answered(desk, 7)
        assert desk.answers["out"].ok
        assert desk.answers["o4"].code == "QUEUE_FULL"


class SlowDisk(MemoryJournal):
    """A journal whose disk stands still until it is let go."""

    def __init__(self) -> None:
        super().__init__()
        self.go = asyncio.Event()
        self.go.set()

    async def append(self, entries: Sequence[Entry], expected: Mapping[str, int]) -> None:
        await self.go.wait()
        await super().append(entries, expected)


async def test_a_risk_group_whose_disk_stands_still_holds_up_no_other() -> None:
    slow = SlowDisk()
    async with bench(slow) as stuck, bench(MemoryJournal()) as free:
        await stuck.adopt()
        await free.adopt()
        slow.go.clear()
        await stuck.gate.take(order("stuck", 11))
        for number in range(20):
            await free.gate.take(order(f"o{number}", 11))
        await all_answered(free, 20)
        assert stuck.answers == {}
        slow.go.set()
        await all_answered(stuck, 1)


async def test_orders_of_one_group_are_decided_in_the_order_in_which_they_came() -> None:
    async with bench(MemoryJournal(), orders_max=1_000) as desk:
        await desk.adopt()
        for number in range(300):
            command = order(f"o{number:03}", 11)
            await desk.gate.take(replace(command, passed=number % 3 == 0))
        await all_answered(desk, 300)
        answered = list(desk.answers)
        for passed in (True, False):
            mine = [name for name in answered if (int(name[1:]) % 3 == 0) is passed]
            assert mine == sorted(mine)
