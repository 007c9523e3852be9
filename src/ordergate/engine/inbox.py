"""The inbox of one risk group: bounded, ordered by priority, first in first out inside a class.

The order in which inputs are taken is the order of history.

Invariants:
1. A broker fact is never dropped: its reader waits while the inbox is full.
2. Orders that may add risk fill only their share; beyond it they are refused at once (``put_command`` is False). Manual
   ones have a share of their own, and go first: no other instance can keep a person out.
3. What cancels, closes or flattens has a reserve of its own, so a burst of orders cannot keep it out. An order that
   only closes falls back on it, and keeps its place among the orders.
4. An order that a flatten or cancel-all of its account overtook is stamped as superseded.
5. An order is known here from when it is queued until the batch that it was taken with has been decided: a cancel that
   goes before it in that batch finds it.
"""

from __future__ import annotations

import asyncio
import enum
import heapq
from collections.abc import Iterator

import msgspec

from ordergate.core.commands import CancelAll, Command, Flatten, ModifyOrder, SubmitOrder
from ordergate.core.inputs import Input

# Closing commands waiting at once: more than a person, or a page that repeats itself, can produce between two batches.
CLOSING_MAX = 1_000
# Facts waiting at once before their reader waits: a busy minute of the published live load.
FACTS_MAX = 10_000


class Class(enum.IntEnum):
    """Who goes first; and of whose share what waits takes a place."""

    FACT = 0
    CLOSING = 1
    MANUAL = 2
    OTHER = 3
    MARK = 4


class Pending(msgspec.Struct, frozen=True):
    """An input that waits; ``arrival`` counts up, ``delayed_ns`` is as in ``Stamped``.

    ``share`` is whose place it takes, where that is not its own class's.
    """

    priority: Class
    arrival: int
    input: Input
    received_ns: int
    delayed_ns: int = 0
    share: Class | None = None


class Inbox:
    """``orders_max``: how many manual orders may wait, and as many others (the documented MAX_QUEUE_SIZE)."""

    def __init__(self, orders_max: int) -> None:
        self._orders_max = orders_max
        self._heap: list[tuple[int, int, Pending]] = []
        self._arrivals = 0
        self.waiting = dict.fromkeys(Class, 0)
        self._orders: dict[str, Pending] = {}  # the newest of each id that is not decided yet
        self._taken_orders: list[Pending] = []
        self._voided: dict[int | None, int] = {}
        self._filled = asyncio.Event()
        self._taken = asyncio.Event()

    async def put_fact(self, fact: Input, at_ns: int) -> None:
        """Queue a report of the broker; waits while too many wait already."""
        while self.waiting[Class.FACT] >= FACTS_MAX:
            self._taken.clear()
            await self._taken.wait()
        self._put(Class.FACT, fact, at_ns)

    def put_command(
        self, command: Command, at_ns: int, delayed_ns: int = 0, wait_s: float = 0, *, closes: bool = False
    ) -> bool:
        """Queue a command; False when its share is full. What has to wait has its place among them from now on.

        ``closes``: an order that is sure only to close.
        """
        if isinstance(command, SubmitOrder | ModifyOrder):
            return self._put_order(command, at_ns, delayed_ns, wait_s, closes=closes)
        if self.waiting[Class.CLOSING] >= CLOSING_MAX:
            return False
        if isinstance(command, Flatten | CancelAll):
            self._voided[command.account_id] = self._arrivals
        self._put(Class.CLOSING, command, at_ns)
        return True

    def _put_order(
        self, command: SubmitOrder | ModifyOrder, at_ns: int, delayed_ns: int, wait_s: float, *, closes: bool
    ) -> bool:
        ours = Class.OTHER if isinstance(command, SubmitOrder) and command.passed else Class.MANUAL
        share = ours
        if self.waiting[ours] >= self._orders_max:
            if not closes or self.waiting[Class.CLOSING] >= CLOSING_MAX:
                return False
            share = Class.CLOSING
        pending = self._put(ours, command, at_ns, delayed_ns, wait_s, share)
        if isinstance(command, SubmitOrder):
            self._orders[command.order_id] = pending
        return True

    def put_mark(self, mark: Input, at_ns: int) -> None:
        """Queue a price move below everything else; one waiting mark stands for all."""
        if self.waiting[Class.MARK] == 0:
            self._put(Class.MARK, mark, at_ns)

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

        Of what cancels, closes or flattens nothing less urgent is taken along: it would only hold that up.

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
        last = Class.FACT
        for _ in range(min(most, len(self._heap))):
            if last is Class.CLOSING and self._heap[0][0] > Class.CLOSING:
                break
            pending = heapq.heappop(self._heap)[2]
            last = pending.priority
            self.waiting[pending.priority if pending.share is None else pending.share] -= 1
            if isinstance(pending.input, SubmitOrder):
                self._taken_orders.append(pending)
            yield pending
        self._taken.set()

    def _forget_taken(self) -> None:
        for pending in self._taken_orders:
            if isinstance(pending.input, SubmitOrder) and self._orders.get(pending.input.order_id) is pending:
                del self._orders[pending.input.order_id]
        self._taken_orders.clear()

    def _put(
        self,
        priority: Class,
        item: Input,
        at_ns: int,
        delayed_ns: int = 0,
        wait_s: float = 0,
        share: Class | None = None,
    ) -> Pending:
        pending = Pending(priority, self._arrivals, item, at_ns, delayed_ns, share)
        self._arrivals += 1
        self.waiting[priority if share is None else share] += 1
        if wait_s:
            asyncio.get_running_loop().call_later(wait_s, self._push, pending)
        else:
            self._push(pending)
        return pending

    def _push(self, pending: Pending) -> None:
        heapq.heappush(self._heap, (pending.priority, pending.arrival, pending))
        self._filled.set()
