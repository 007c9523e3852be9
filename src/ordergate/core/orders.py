"""``Orders``: the orders of an account that can still act, and what the rules and reactions ask of them at every turn.

Invariants:
1. Immutable: changing one gives a new one. Iteration is oldest first, as in a dict.
2. Everything beside the orders themselves follows from them alone: ``Orders(dict(orders.items()))`` knows the same.
3. Asking and changing cost about the same however many orders there are: one pass over a dict is the most that grows.
"""

from __future__ import annotations

from collections.abc import ItemsView, Iterator, KeysView, Mapping, ValuesView
from collections.abc import Set as AbstractSet
from typing import TypeVar

import msgspec

from ordergate.core.order import Order, Role, Side, Status

K = TypeVar("K")
V = TypeVar("V")


class Leaves(msgspec.Struct, frozen=True, gc=False):
    """Contracts on one side of one contract that may still fill (>= 0).

    ``plain``: all orders but legs, ``live`` of which may fill; ``risky`` contracts of them are new risk when they fill,
    and their distances to the stop add up to ``risk_ticks``. ``legs``: one-cancels-other counted once; ``doubtful``:
    the part of the legs that may have filled already.
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


class _Index(msgspec.Struct, frozen=True):
    """What is known of some orders beside themselves: names by what they have to do, leaves by contract and sign."""

    holding: frozenset[str]
    cancelling: frozenset[str]
    stops: frozenset[str]
    legs: dict[str, frozenset[str]]
    sides: dict[tuple[str, int], Leaves]


class Orders:
    """See the module."""

    __slots__ = ("_all", "_index")

    def __init__(self, contents: Mapping[str, Order] | None = None, index: _Index | None = None) -> None:
        self._all = contents or {}
        self._index = index or _indexed(self._all)

    def put(self, order: Order) -> Orders:
        """With ``order``, new or changed; its contract, side, role and entry never change."""
        return self._changed({**self._all, order.order_id: order}, order)

    def delete(self, order_id: str) -> Orders:
        """Without the order, which may be absent."""
        order = self._all.get(order_id)
        if order is None:
            return self
        rest = dict(self._all)
        del rest[order_id]
        return self._changed(rest, order)

    def _changed(self, contents: dict[str, Order], order: Order) -> Orders:
        index, name = self._index, order.order_id
        here = name in contents
        legs = index.legs
        if order.is_leg:
            entry_id = _entry_id(order)
            legs = _with(legs, entry_id, _kept(legs.get(entry_id, _NOBODY), name, belongs=here), _NOBODY)
        sides = index.sides
        before, after = _leaves(self._all, index.legs, order), _leaves(contents, legs, order)
        if before != after:
            side = _side(order)
            sides = _with(sides, side, sides.get(side, _NONE).changed(before, after), _NONE)
        return Orders(
            contents,
            _Index(
                _kept(index.holding, name, belongs=here and _is_holding(order)),
                _kept(index.cancelling, name, belongs=here and _is_cancelling(order)),
                _kept(index.stops, name, belongs=here and _is_stop(order)),
                legs,
                sides,
            ),
        )

    @property
    def holding(self) -> frozenset[str]:
        """The entries whose contracts are still held."""
        return self._index.holding

    @property
    def cancelling(self) -> frozenset[str]:
        """The working orders that are to be cancelled."""
        return self._index.cancelling

    def stops(self) -> list[Order]:
        """The live orders with a stop price, legs or not, oldest first."""
        return self.pick(self._index.stops)

    def legs(self, entry_id: str | None = None) -> list[Order]:
        """The stops and targets of an entry, or all of them; those too that are no longer live, but filled unseen."""
        if entry_id is not None:
            return self.pick(self._index.legs.get(entry_id, _NOBODY))
        if not self._index.legs:
            return []
        return self.pick({name for names in self._index.legs.values() for name in names})

    def leaves(self, contract_id: str, side: Side) -> Leaves:
        return self._index.sides.get((contract_id, side.sign), _NONE)

    def contracts(self) -> list[str]:
        """The contracts in which anything may fill; one stands twice if it may on both sides."""
        return [contract_id for contract_id, _ in self._index.sides]

    def all_leaves(self) -> Iterator[tuple[str, Side, Leaves]]:
        """Every side of a contract on which anything may fill, in no order that may matter."""
        for (contract_id, sign), leaves in self._index.sides.items():
            yield contract_id, Side.BUY if sign > 0 else Side.SELL, leaves

    def pick(self, names: AbstractSet[str]) -> list[Order]:
        """Those of ``names`` that are here, oldest first."""
        if not names:
            return []
        if len(names) > 1:
            return [order for name, order in self._all.items() if name in names]
        return [self._all[name] for name in names if name in self._all]

    def get(self, order_id: str | None) -> Order | None:
        return self._all.get(order_id) if order_id is not None else None

    def items(self) -> ItemsView[str, Order]:
        return self._all.items()

    def keys(self) -> KeysView[str]:
        return self._all.keys()

    def values(self) -> ValuesView[Order]:
        return self._all.values()

    def __getitem__(self, order_id: str) -> Order:
        return self._all[order_id]

    def __contains__(self, order_id: object) -> bool:
        return order_id in self._all

    def __iter__(self) -> Iterator[str]:
        return iter(self._all)

    def __len__(self) -> int:
        return len(self._all)

    def __eq__(self, other: object) -> bool:
        """Equal to any mapping with the same contents."""
        return self._all == (other._all if isinstance(other, Orders) else other)

    __hash__ = None  # type: ignore[assignment]

    def __repr__(self) -> str:
        return f"Orders({self._all!r})"


def _indexed(orders: Mapping[str, Order]) -> _Index:
    legs: dict[str, frozenset[str]] = {}
    for name, order in orders.items():
        if order.is_leg:
            legs[_entry_id(order)] = legs.get(_entry_id(order), _NOBODY) | {name}
    sides: dict[tuple[str, int], Leaves] = {}
    counted = {(_side(o), o.is_leg, _entry_id(o) if o.is_leg else name): o for name, o in orders.items()}
    for order in counted.values():
        sides[_side(order)] = sides.get(_side(order), _NONE).changed(_NONE, _leaves(orders, legs, order))
    return _Index(
        frozenset(name for name, order in orders.items() if _is_holding(order)),
        frozenset(name for name, order in orders.items() if _is_cancelling(order)),
        frozenset(name for name, order in orders.items() if _is_stop(order)),
        legs,
        {side: leaves for side, leaves in sides.items() if leaves != _NONE},
    )


def _leaves(orders: Mapping[str, Order], legs: Mapping[str, frozenset[str]], order: Order) -> Leaves:
    """What counts together with ``order``: of a leg its whole bracket, of any other only itself, if it is there."""
    if order.is_leg:
        bracket = [orders[name] for name in legs.get(_entry_id(order), _NOBODY)]
        return _bracket_leaves([leg for leg in bracket if _side(leg) == _side(order)])
    found = orders.get(order.order_id)
    if found is None:
        return _NONE
    leaves, distance = found.leaves, found.risk_ticks
    return Leaves(leaves, int(found.live), leaves if distance else 0, leaves * distance)


def _bracket_leaves(legs: list[Order]) -> Leaves:
    """The larger of the stops and the targets counts."""
    may_fill = {Role.STOP: 0, Role.TARGET: 0}
    may_have = {Role.STOP: 0, Role.TARGET: 0}
    for leg in legs:
        may_fill[leg.role] += leg.leaves
        may_have[leg.role] += leg.leaves if leg.status is Status.IN_DOUBT else leg.unseen
    return Leaves(legs=max(may_fill.values()), doubtful=max(may_have.values()))


def _is_holding(order: Order) -> bool:
    return order.open_quantity > 0


def _is_cancelling(order: Order) -> bool:
    return order.cancel_wanted and order.status is Status.WORKING


def _is_stop(order: Order) -> bool:
    return order.terms.stop_ticks is not None and order.live


def _side(order: Order) -> tuple[str, int]:
    return order.terms.contract_id, order.terms.side.sign


def _entry_id(leg: Order) -> str:
    return leg.parent_id or ""


def _kept(names: frozenset[str], name: str, *, belongs: bool) -> frozenset[str]:
    if belongs == (name in names):
        return names
    return names | {name} if belongs else names - {name}


def _with(mapping: dict[K, V], key: K, value: V, nothing: V) -> dict[K, V]:
    """A copy with ``value`` under ``key``, or without the key where it is ``nothing``."""
    if value != nothing:
        return {**mapping, key: value}
    return {k: v for k, v in mapping.items() if k != key}
