"""Fills as others tell them: a reason to look at the broker, and nothing else.

The documents want fills accepted in three spellings, idempotently and cumulatively (wire notes, section 8). Ours come
from the broker itself, through our own connection manager, and are counted by the broker's id of each: that is both.
What stands on ``market:data``, ``user:data`` or ``connection-manager:fills`` was written by whoever reaches the bus,
has no such id, and comes two or three times for one fill (section 2.4). Were it counted, anybody could make a
position, take a stop away from one, or give a loss back. So each spelling is understood and matched to an order of
ours; a fill that our books still do not have after ``GRACE_S`` makes us read that account at the broker, where the
fill is found if there was one. Told once or a hundred times, it comes to the same.

Invariants:
1. What is said here changes no position, no order and no limit, and halts nothing.
2. One account is read at most once in ``APART_S`` for it, so that nobody can use up the broker's request limit.
3. At most ``HINTS_MAX`` hints wait; more are dropped.
"""

from __future__ import annotations

import asyncio
from collections import OrderedDict
from collections.abc import Callable

import msgspec

from ordergate.bus import messages
from ordergate.bus.foreign_fills import ForeignFill, foreign_fill
from ordergate.bus.port import Bus, Channel, Subscription, Topic
from ordergate.clock import Clock
from ordergate.core.account import Account, Group
from ordergate.core.effects import ReadSnapshot
from ordergate.core.order import Order
from ordergate.core.sessions import day_open_ns
from ordergate.telemetry import logger

# Our own hub brings a fill within a second, however slow the line.
GRACE_S = 2.0
APART_S = 30.0
HINTS_MAX = 100

_log = logger("hints")


class Hints:
    """``group`` is the followed state."""

    def __init__(self, bus: Bus, clock: Clock, group: Callable[[], Group | None]) -> None:
        self._bus = bus
        self._clock = clock
        self._group = group
        self._heard = {
            channel: bus.subscribe(channel)
            for channel in (Channel.BROKER_MARKET_DATA, Channel.BROKER_USER_DATA, Channel.BROKER_FILLS)
        }
        self._waiting: OrderedDict[tuple[str | int, int, str], tuple[ForeignFill, float]] = OrderedDict()
        self._read_s: dict[int, float] = {}

    async def run(self) -> None:
        """Listen until cancelled."""
        async with asyncio.TaskGroup() as tasks:
            for channel, heard in self._heard.items():
                tasks.create_task(self._listen(heard), name=f"dialect: {channel.value}")
            tasks.create_task(self._check(), name="dialect: hints")

    async def _listen(self, heard: Subscription) -> None:
        async for message in heard:
            if len(message) > messages.BYTES_MAX:
                continue
            try:
                fill = foreign_fill(message)
            except messages.UNREADABLE as error:
                _log.debug("not a fill", error=str(error))
                continue
            if fill is not None and len(self._waiting) < HINTS_MAX and self._unknown(fill) is not None:
                due_s = asyncio.get_running_loop().time() + GRACE_S
                self._waiting.setdefault((fill.order_id, fill.quantity, str(fill.price)), (fill, due_s))

    async def _check(self) -> None:
        loop = asyncio.get_running_loop()
        while True:
            await asyncio.sleep(GRACE_S / 2)
            due = [key for key, (_, due_s) in self._waiting.items() if due_s <= loop.time()]
            for key in due:
                fill, _ = self._waiting.pop(key)
                account = self._unknown(fill)
                if account is not None:
                    await self._look(account, loop.time())

    async def _look(self, account: Account, now_s: float) -> None:
        if now_s - self._read_s.get(account.account_id, -APART_S) < APART_S:
            return
        self._read_s[account.account_id] = now_s
        _log.warning("somebody tells a fill that we do not have; reading the broker", account=account.account_id)
        unsettled = [order.received_ns for order in account.orders.values()]
        since_ns = min(day_open_ns(self._clock.now_ns()), *unsettled, account.day.opened_ns or self._clock.now_ns())
        # Reading adds no risk and needs no permission; the gate compares what comes back as it does at every reading.
        await self._bus.send(Topic.EXITS, msgspec.json.encode(ReadSnapshot(account.account_id, since_ns)))

    def _unknown(self, fill: ForeignFill) -> Account | None:
        """The account whose order ``fill`` names, when the books have no such fill of that order."""
        group = self._group()
        found = None if group is None else _named(group, fill.order_id)
        if group is None or found is None:
            return None
        account, order = found
        instrument = group.instruments[order.terms.contract_id]
        known = any(
            had.order_id == order.order_id
            and had.quantity == fill.quantity
            and instrument.price(had.price_ticks) == fill.price
            for had in account.fills.values()
        )
        return None if known else account


def _named(group: Group, name: str | int) -> tuple[Account, Order] | None:
    """The order of that id, the caller's or the broker's."""
    found = group.find_order(str(name), None) if isinstance(name, str) else None
    if found is not None:
        return found
    if isinstance(name, str) and not (name.isascii() and name.isdigit() and len(name) <= len(str(2**63))):
        return None
    for account in group.accounts.values():
        order = account.order(account.broker_ids.get(int(name)))
        if order is not None:
            return account, order
    return None
