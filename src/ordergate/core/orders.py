"""``Orders``: the orders of an account that can still act, and what the rules and reactions ask of them at every turn.

They are kept by contract too, each contract in a ``Book``: a decision looks at the books that it touches, not at all.

Invariants:
1. Immutable: changing one gives a new one. Iteration is oldest first, as in a dict.
2. Everything beside the orders themselves follows from them alone: ``Orders(dict(orders.items()))`` knows the same.
3. Asking and changing cost about the same however many orders there are: one copy of a dict is the most that grows.
4. A book that nothing changed stays the same object, so what was worked out from it still holds.
"""

from __future__ import annotations

from collections.abc import ItemsView, Iterator, Mapping, ValuesView
from collections.abc import Set as AbstractSet
from types import MappingProxyType
from typing import TYPE_CHECKING, TypeVar

import msgspec

from ordergate.core.order import Order, Role, Side, Status

if TYPE_CHECKING:
    from ordergate.core.figures import Sums, Valued
    from ordergate.core.pnl import Position
    from ordergate.core.reports import Quote
    from ordergate.core.worst import Stopped, Worst

K = TypeVar("K")
V = TypeVar("V")


class Leaves(msgspec.Struct, frozen=True, gc=False):
    """Contracts on one side of one contract that may still fill (>= 0).

    ``plain``: all orders but legs, ``live`` of which may fill; ``risky`` contracts of them are new risk when they fill,
    and their distances to the stop add up to ``risk_ticks``. ``legs``: one-cancels-other counted once, and what has
    filled unseen; ``doubtful``: the part of them that may have filled already.
    """

    plain: int = 0
    live: int = 0
    risky: int = 0
    risk_ticks: int = 0
    legs: int = 0
    doubtful: int = 0

    def changed(self, before: Leaves, after: Leaves) -> Leaves:
        """With a part of what was counted counted anew."""
        return Leaves(
            self.plain - before.plain + after.plain,
            self.live - before.live + after.live,
            self.risky - before.risky + after.risky,
            self.risk_ticks - before.risk_ticks + after.risk_ticks,
            self.legs - before.legs + after.legs,
            self.doubtful - before.doubtful + after.doubtful,
        )


_NONE = Leaves()
_NOBODY: frozenset[str] = frozenset()


class Book:
    """The orders in one contract, oldest first, and what follows from them.

    ``legs`` are the names of the stops and targets of each entry, oldest first, ``stops`` those of live orders with a
    stop price, ``holding`` those of entries whose contracts are still held. ``brackets_rest`` is set by whoever has
    found that the brackets here need nothing, whatever the time and the price; ``worst`` and, from the stops alone,
    ``stopped`` are what ``worst`` has worked out from this book, ``valued`` is what ``figures`` has,
    ``cover_told`` the position and quote whose cover by these orders ``coverage`` has told.
    """

    __slots__ = (
        "brackets_rest",
        "buys",
        "cover_told",
        "holding",
        "legs",
        "orders",
        "sells",
        "stopped",
        "stops",
        "valued",
        "worst",
    )

    def __init__(
        self,
        orders: Mapping[str, Order] = MappingProxyType({}),
        legs: Mapping[str, tuple[str, ...]] = MappingProxyType({}),
        stops: frozenset[str] = _NOBODY,
        holding: frozenset[str] = _NOBODY,
        buys: Leaves = _NONE,
        sells: Leaves = _NONE,
    ) -> None:
        self.orders = orders
        self.legs = legs
        self.stops = stops
        self.holding = holding
        self.buys = buys
        self.sells = sells
        self.brackets_rest = False
        self.cover_told: tuple[Position, Quote | None] | None = None
        self.stopped: Stopped | None = None
        self.valued: Valued | None = None
        self.worst: Worst | None = None

    def leaves(self, side: Side) -> Leaves:
        return self.buys if side is Side.BUY else self.sells

    def entries(self) -> list[Order]:
        """Those whose contracts are still held, oldest first; at the end, what an exit has opened."""
        return sorted(_picked(self.orders, self.holding), key=_is_exit)

    def legs_of(self, entry_id: str) -> list[Order]:
        """The stops and targets of an entry, oldest first; those too that are no longer live, but filled unseen."""
        return [self.orders[name] for name in self.legs.get(entry_id, ())]

    def stop_orders(self) -> list[Order]:
        """The live orders with a stop price, legs or not, oldest first."""
        return _picked(self.orders, self.stops)

    def changed(self, name: str, before: Order | None, after: Order | None) -> Book:
        """With the order of that name as it is ``after``: new, changed or gone (None)."""
        legs, buys, sells = self.legs, self.buys, self.sells
        if after is None:
            orders = {each: order for each, order in self.orders.items() if each != name}
        else:
            orders = {**self.orders, name: after}
        order = after or before
        assert order is not None, "an order comes, changes or goes"
        if order.is_leg:
            entry_id = _entry_id(order)
            own = tuple(each for each in legs.get(entry_id, ()) if each != name or after is not None)
            legs = _with(legs, entry_id, own if after is None or name in own else (*own, name), ())
            was, now = _bracket_leaves(self.orders, self.legs, order), _bracket_leaves(orders, legs, order)
        else:
            was, now = _plain_leaves(before), _plain_leaves(after)
        if was != now:
            if order.terms.side is Side.BUY:
                buys = buys.changed(was, now)
            else:
                sells = sells.changed(was, now)
        holding = _kept(self.holding, name, belongs=after is not None and _is_holding(after))
        stops = _kept(self.stops, name, belongs=after is not None and _is_stop(after))
        book = Book(orders, legs, stops, holding, buys, sells)
        in_bracket = order.is_leg or order.foreign or name in legs or name in holding or name in self.holding
        book.brackets_rest = self.brackets_rest and not in_bracket
        if name not in stops and name not in self.stops:
            book.stopped = self.stopped
        return book


class Orders:
    """See the module.

    ``contents`` are by order id, ``books`` by contract; ``cancelling`` names the working orders whose
    cancel has yet to be sent.

    ``sums`` is what ``figures`` has worked out from these orders; while it has not, ``sums_before`` has what it worked
    out from earlier ones, and the books that have changed since, as they were then.
    """

    __slots__ = ("books", "cancelling", "contents", "sums", "sums_before")

    def __init__(self, contents: Mapping[str, Order] | None = None) -> None:
        self.contents: dict[str, Order] = dict(contents or {})
        by_contract: dict[str, dict[str, Order]] = {}
        for name, order in self.contents.items():
            by_contract.setdefault(order.terms.contract_id, {})[name] = order
        self.books = {contract_id: _indexed(orders) for contract_id, orders in by_contract.items()}
        self.cancelling = frozenset(name for name, order in self.contents.items() if _is_cancelling(order))
        self.sums: Sums | None = None
        self.sums_before: tuple[Sums | None, dict[str, Book]] = (None, {})

    def put(self, order: Order) -> Orders:
        """With ``order``, new or changed; its contract, side, role and entry never change."""
        name = order.order_id
        before = self.contents.get(name)
        book = self.book(order.terms.contract_id).changed(name, before, order)
        cancelling = _kept(self.cancelling, name, belongs=_is_cancelling(order))
        books = {**self.books, order.terms.contract_id: book}
        return self._next({**self.contents, name: order}, books, cancelling, order.terms.contract_id)

    def delete(self, order_id: str) -> Orders:
        """Without the order, which may be absent."""
        order = self.contents.get(order_id)
        if order is None:
            return self
        rest, books, contract_id = {**self.contents}, {**self.books}, order.terms.contract_id
        del rest[order_id]
        book = books.pop(contract_id).changed(order_id, order, None)
        if book.orders:
            books[contract_id] = book
        return self._next(rest, books, _kept(self.cancelling, order_id, belongs=False), contract_id)

    def _next(
        self, contents: dict[str, Order], books: dict[str, Book], cancelling: frozenset[str], contract_id: str
    ) -> Orders:
        orders = Orders.__new__(Orders)
        orders.contents, orders.books, orders.cancelling, orders.sums = contents, books, cancelling, None
        sums, changed = self.sums_before if self.sums is None else (self.sums, {})
        if sums is not None and contract_id not in changed:
            changed = {**changed, contract_id: self.book(contract_id)}
        orders.sums_before = (sums, changed)
        return orders

    def book(self, contract_id: str) -> Book:
        """The orders in that contract; there may be none."""
        return self.books.get(contract_id) or Book()

    def pick(self, names: AbstractSet[str]) -> list[Order]:
        """Those of ``names`` that are here, oldest first."""
        return _picked(self.contents, names)

    def get(self, order_id: str | None) -> Order | None:
        return self.contents.get(order_id) if order_id is not None else None

    def items(self) -> ItemsView[str, Order]:
        return self.contents.items()

    def values(self) -> ValuesView[Order]:
        return self.contents.values()

    def __getitem__(self, order_id: str) -> Order:
        return self.contents[order_id]

    def __contains__(self, order_id: object) -> bool:
        return order_id in self.contents

    def __iter__(self) -> Iterator[str]:
        return iter(self.contents)

    def __len__(self) -> int:
        return len(self.contents)

    def __eq__(self, other: object) -> bool:
        """Equal to any mapping with the same contents."""
        return self.contents == (other.contents if isinstance(other, Orders) else other)

    __hash__ = None  # type: ignore[assignment]

    def __repr__(self) -> str:
        return f"Orders({self.contents!r})"


def _indexed(orders: dict[str, Order]) -> Book:
    legs: dict[str, tuple[str, ...]] = {}
    for name, order in orders.items():
        if order.is_leg:
            legs[_entry_id(order)] = (*legs.get(_entry_id(order), ()), name)
    sides = {Side.BUY: _NONE, Side.SELL: _NONE}
    # Of each bracket one leg, since its figure is that of all of them on its side.
    counted = {(o.terms.side, o.is_leg, _entry_id(o) if o.is_leg else name): o for name, o in orders.items()}
    for order in counted.values():
        found = _bracket_leaves(orders, legs, order) if order.is_leg else _plain_leaves(order)
        sides[order.terms.side] = sides[order.terms.side].changed(_NONE, found)
    stops = frozenset(name for name, order in orders.items() if _is_stop(order))
    holding = frozenset(name for name, order in orders.items() if _is_holding(order))
    return Book(orders, legs, stops, holding, sides[Side.BUY], sides[Side.SELL])


def _picked(orders: Mapping[str, Order], names: AbstractSet[str]) -> list[Order]:
    if not names:
        return []
    if len(names) > 1:
        return [order for name, order in orders.items() if name in names]
    return [orders[name] for name in names if name in orders]


def _plain_leaves(order: Order | None) -> Leaves:
    if order is None:
        return _NONE
    leaves, distance = order.leaves, order.risk_ticks
    return Leaves(leaves, int(order.live), leaves if distance else 0, leaves * distance)


def _bracket_leaves(orders: Mapping[str, Order], legs: Mapping[str, tuple[str, ...]], leg: Order) -> Leaves:
    """What the bracket of ``leg`` counts on its side: what has filled unseen, and the larger of stops and targets."""
    unseen, may_fill, may_have = 0, {Role.STOP: 0, Role.TARGET: 0}, {Role.STOP: 0, Role.TARGET: 0}
    for name in legs.get(_entry_id(leg), ()):
        each = orders[name]
        if each.terms.side is leg.terms.side:
            unseen += each.unseen
            left = max(0, each.leaves - each.unseen)
            may_fill[each.role] += left
            may_have[each.role] += left if each.status is Status.IN_DOUBT else 0
    return Leaves(legs=unseen + max(may_fill.values()), doubtful=unseen + max(may_have.values()))


def _is_exit(order: Order) -> bool:
    return order.is_exit


def _is_holding(order: Order) -> bool:
    return order.open_quantity > 0


def _is_cancelling(order: Order) -> bool:
    return order.cancel_wanted and order.cancel_sent == 0 and order.status is Status.WORKING


def _is_stop(order: Order) -> bool:
    return order.terms.stop_ticks is not None and order.live


def _entry_id(leg: Order) -> str:
    return leg.parent_id or ""


def _kept(names: frozenset[str], name: str, *, belongs: bool) -> frozenset[str]:
    if belongs == (name in names):
        return names
    return names | {name} if belongs else names - {name}


def _with(mapping: Mapping[K, V], key: K, value: V, nothing: V) -> dict[K, V]:
    """A copy with ``value`` under ``key``, or without the key where it is ``nothing``."""
    if value != nothing:
        return {**mapping, key: value}
    return {k: v for k, v in mapping.items() if k != key}
