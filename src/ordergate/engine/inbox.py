"""The inbox of one risk group: bounded, ordered by priority, first in first out inside a class.

The order in which inputs are taken is the order of history.

Invariants:
1. A broker fact is never dropped: its reader waits while the inbox is full.
2. Orders that may add risk fill only their share; beyond it they are refused at once (``put_order`` is False).
3. Commands that cancel, close or flatten have a reserve of their own, so a burst of orders cannot keep them out.
4. An order that a flatten or cancel-all of its account overtook is stamped as superseded.
5. An order is known here from when it is queued until the batch that it was taken with has been decided: a cancel that
   goes before it in that batch finds it.
"""

from __future__ import annotations

import asyncio
import heapq
from collections.abc import Iterator

import msgspec

from ordergate.core.commands import CancelAll, Command, Flatten, ModifyOrder, SubmitOrder
from ordergate.core.inputs import Input

# Closing commands waiting at once: more than a person, or a page that repeats itself, can produce between two batches.
CLOSING_MAX = 1_000
# Facts waiting at once before their reader waits: a busy minute of the published live load.
FACTS_MAX = 10_000

_FACT, _CLOSING, _MANUAL, _MARK = range(4)


class Pending(msgspec.Struct, frozen=True):
    """An input that waits; ``arrival`` counts up, ``delayed_ns`` is as in ``Stamped``."""

    priority: int
    arrival: int
    input: Input
    received_ns: int
    delayed_ns: int = 0


class Inbox:
    """``orders_max``: how many orders may wait (the documented MAX_QUEUE_SIZE)."""

    def __init__(self, orders_max: int) -> None:
        self._orders_max = orders_max
        self._heap: list[tuple[int, int, Pending]] = []
        self._arrivals = 0
        self._counts = [0, 0, 0, 0]
        self._orders: dict[str, Pending] = {}  # the newest of each id that is not decided yet
        self._taken_orders: list[Pending] = []
        self._voided: dict[int | None, int] = {}
        self._filled = asyncio.Event()
        self._taken = asyncio.Event()

    async def put_fact(self, fact: Input, at_ns: int) -> None:
        """Queue a report of the broker; waits while too many wait already."""
        while self._counts[_FACT] >= FACTS_MAX:
            self._taken.clear()
            await self._taken.wait()
        self._put(_FACT, fact, at_ns)

    def put_command(self, command: Command, at_ns: int, delayed_ns: int = 0, wait_s: float = 0) -> bool:
        """Queue a command; False when its share is full. What has to wait has its place among them from now on."""
        if isinstance(command, SubmitOrder | ModifyOrder):
            if self._counts[_MANUAL] >= self._orders_max:
                return False
            pending = self._put(_MANUAL, command, at_ns, delayed_ns, wait_s)
            if isinstance(command, SubmitOrder):
                self._orders[command.order_id] = pending
            return True
        if self._counts[_CLOSING] >= CLOSING_MAX:
            return False
        if isinstance(command, Flatten | CancelAll):
            self._voided[command.account_id] = self._arrivals
        self._put(_CLOSING, command, at_ns)
        return True

    def put_mark(self, mark: Input, at_ns: int) -> None:
        """Queue a price move below everything else; one waiting mark stands for all."""
        if self._counts[_MARK] == 0:
            self._put(_MARK, mark, at_ns)

    def order_account(self, order_id: str, account_id: int | None = None) -> int | None:
        """The account of an order that is not decided yet; ``account_id`` None = whichever it is."""
        pending = self._orders.get(order_id)
        if pending is None or not isinstance(pending.input, SubmitOrder):
            return None
        return pending.input.account_id if account_id in (None, pending.input.account_id) else None

    def superseded(self, pending: Pending) -> bool:
        """Whether a flatten or cancel-all of the order's account arrived after it."""
        order = pending.input
        if not isinstance(order, SubmitOrder):
            return False
        return any(self._voided.get(scope, -1) >= pending.arrival for scope in (None, order.account_id))

    async def take(self, most: int, timeout_s: float | None) -> list[Pending]:
        """Up to ``most`` waiting inputs, the most urgent first; empty when ``timeout_s`` passed without any.

        Asking for more says that the last ones have been decided.
        """
        self._forget_taken()
        if not self._heap:
            self._filled.clear()
            try:
                async with asyncio.timeout(timeout_s):
                    await self._filled.wait()
            except TimeoutError:
                return []
        return list(self._pop(most))

    def _pop(self, most: int) -> Iterator[Pending]:
        for _ in range(min(most, len(self._heap))):
            pending = heapq.heappop(self._heap)[2]
            self._counts[pending.priority] -= 1
            if isinstance(pending.input, SubmitOrder):
                self._taken_orders.append(pending)
            yield pending
        self._taken.set()

    def _forget_taken(self) -> None:
        for pending in self._taken_orders:
            if isinstance(pending.input, SubmitOrder) and self._orders.get(pending.input.order_id) is pending:
                del self._orders[pending.input.order_id]
        self._taken_orders.clear()

    def _put(self, priority: int, item: Input, at_ns: int, delayed_ns: int = 0, wait_s: float = 0) -> Pending:
        pending = Pending(priority, self._arrivals, item, at_ns, delayed_ns)
        self._arrivals += 1
        self._counts[priority] += 1
        if wait_s:
            asyncio.get_running_loop().call_later(wait_s, self._push, pending)
        else:
            self._push(pending)
        return pending

    def _push(self, pending: Pending) -> None:
        heapq.heappush(self._heap, (pending.priority, pending.arrival, pending))
        self._filled.set()
