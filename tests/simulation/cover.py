"""What covers each position, by the exchange's own books at each of their changes: nothing of the gate is asked."""

from __future__ import annotations

import asyncio

import msgspec

from ordergate.exchange.enums import OrderSide, OrderType
from ordergate.exchange.orders import Order
from ordergate.exchange.store import Changes, MemoryStore

Key = tuple[int, str]


class Gap(msgspec.Struct):
    """A position has been without a stop for ``uncovered`` contracts since ``began_s``. ``filled``: since a fill."""

    began_s: float
    uncovered: int
    filled: bool


class WatchedStore(MemoryStore):
    """The exchange's file, and the gaps in it. Keys are accounts and contracts; lengths are of those that are over."""

    def __init__(self, bars_kept_min: int) -> None:
        super().__init__(bars_kept_min)
        self.gaps: dict[Key, Gap] = {}
        self.fill_lengths_s: list[float] = []
        self.other_lengths_s: list[float] = []
        self.net: dict[Key, int] = {}
        self.working: dict[Key, dict[int, Order]] = {}

    def save(self, changes: Changes) -> None:
        super().save(changes)
        keys: dict[Key, None] = {}
        for order in changes.orders:
            key = order.account_id, order.contract_id
            working = self.working.setdefault(key, {})
            if order.is_open:
                working[order.order_id] = order
            else:
                working.pop(order.order_id, None)
            keys[key] = None
        before = dict(self.net)
        for held in changes.positions:
            key = held.account_id, held.contract_id
            self.net[key] = held.net_quantity
            keys[key] = None
        for key in keys:
            self._look(key, before.get(key, 0), self.net.get(key, 0))

    def closing(self, key: Key, kind: OrderType) -> int:
        """Contracts (>= 0) of open orders of that kind which would close the position, or open one where it is flat."""
        net = self.net.get(key, 0)
        side = OrderSide.ASK if net > 0 else OrderSide.BID
        found = self.working.get(key, {}).values()
        return sum(order.leaves for order in found if order.type is kind and (order.side is side or not net))

    def stops(self, key: Key) -> list[Order]:
        """The stops that rest."""
        found = self.working.get(key, {}).values()
        return [order for order in found if order.type is OrderType.STOP and not order.triggered]

    def _look(self, key: Key, before: int, net: int) -> None:
        now_s = asyncio.get_running_loop().time()
        side = OrderSide.ASK if net > 0 else OrderSide.BID
        uncovered = abs(net) - sum(stop.leaves for stop in self.stops(key) if stop.side is side)
        gap = self.gaps.get(key)
        if gap is not None and before * net <= 0:  # closed, or another position
            del self.gaps[key]
            gap = None
        if uncovered <= 0:
            if gap is not None:
                del self.gaps[key]
                (self.fill_lengths_s if gap.filled else self.other_lengths_s).append(now_s - gap.began_s)
        elif gap is None:
            self.gaps[key] = Gap(now_s, uncovered, filled=abs(net) > abs(before) or before * net < 0)
        else:
            gap.uncovered = uncovered
