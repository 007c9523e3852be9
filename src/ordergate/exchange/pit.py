"""Where orders meet the market: its steps, its pauses, and what both do to orders.

Synchronous. Every method that changes something is given the turn to write to, or stores the change, makes it true and
tells it before it returns (``StoreUnavailable``: it has not happened).

Invariants:
1. The market moves only in ``step``: while the process is down it stands still.
2. Resting orders meet every quote and trade of a step in their order, not only the last.
3. While a market pauses nothing is matched in it; a market order that a pause finds is cancelled.
"""

from __future__ import annotations

import datetime
from collections.abc import Callable, Mapping, Sequence

import msgspec

from ordergate.clock import Clock
from ordergate.exchange import fills, hours, listing, matching
from ordergate.exchange.enums import OrderStatus, OrderType
from ordergate.exchange.faults import Faults, Kind
from ordergate.exchange.listing import Contract
from ordergate.exchange.market import Bar, Feed, Market, rolled
from ordergate.exchange.matching import Match, Quote
from ordergate.exchange.orders import Order, trailed
from ordergate.exchange.settings import ExchangeSettings, Hours
from ordergate.exchange.store import Store
from ordergate.exchange.turn import Book, Event, Turn
from ordergate.exchange.variants import Variant

_SECOND_NS = 1_000_000_000
_PART, _OVERFILL, _REJECT_LEG = frozenset({Kind.PART}), frozenset({Kind.OVERFILL}), frozenset({Kind.REJECT_LEG})


class Pit:
    """See the module. ``book`` is for reading."""

    def __init__(
        self,
        settings: ExchangeSettings,
        store: Store,
        clock: Clock,
        feed: Feed,
        faults: Faults,
        publish: Callable[[Sequence[Event]], None],
    ) -> None:
        self.book = Book(store.load(settings.seed))
        self._settings = settings
        self._store = store
        self._clock = clock
        self._feed = feed
        self._faults = faults
        self._publish = publish

    def commit(self, turn: Turn) -> None:
        """Store what a turn has changed, make it true, tell it."""
        turn.commit(self._store)
        self._publish(turn.events)

    def is_open(self, contract: Contract, at_ns: int) -> bool:
        """Whether a contract trades at an instant: in its hours, and not in a pause."""
        market = self.book.markets.get(contract.contract_id)
        if market is not None and at_ns < market.resumes_ns:
            return False
        return self._settings.hours is Hours.ALWAYS or hours.is_open(contract.product, at_ns)

    def history(self, contract_id: str) -> Sequence[Bar]:
        """The minutes that a market has had before it began, oldest first."""
        market = self.book.markets.get(contract_id)
        if market is None:
            return []
        contract = listing.known_contract(contract_id)
        past = self._feed.history(market, contract)
        return [
            bar for bar in past if self._settings.hours is Hours.ALWAYS or hours.is_open(contract.product, bar.start_ns)
        ]

    def step(self) -> None:
        """One step of every market that moves now, and what it does to the orders."""
        now_ns = self._clock.now_ns()
        day = hours.trading_day(now_ns)
        markets = self.book.markets
        turn = Turn(self.book)
        trades = any(self.is_open(listing.known_contract(name), now_ns) for name in markets)
        if trades and any(state.day != day.isoformat() for state in markets.values()):
            markets = self.markets_of(day)
            turn.put_markets(markets)
        paths: dict[str, Sequence[Quote]] = {}
        for before in markets.values():
            contract = listing.known_contract(before.contract_id)
            moves = self.is_open(contract, now_ns)
            moved = self._feed.move(before, contract, now_ns, day.isoformat(), is_open=moves)
            if moved.market is not before:
                turn.move_market(before, moved)
                paths[before.contract_id] = moved.path
        if paths:
            self._meet(turn, paths)
            for before in markets.values():
                if before.contract_id in paths and turn.market(before.contract_id).resumes_ns > now_ns:
                    self._cancel_market_orders(turn, before.contract_id)
            self.commit(turn)

    def halt(self, contract_id: str, seconds: float) -> bool:
        """Let a market pause from now on; whether there is one. Raises ``StoreUnavailable``."""
        market = self.book.markets.get(contract_id)
        if market is None:
            return False
        turn = Turn(self.book)
        resumes_ns = self._clock.now_ns() + round(seconds * _SECOND_NS)
        turn.put_markets(self.book.markets | {contract_id: msgspec.structs.replace(market, resumes_ns=resumes_ns)})
        self._cancel_market_orders(turn, contract_id)
        self.commit(turn)
        return True

    def markets_of(self, day: datetime.date) -> dict[str, Market]:
        """The markets to run on a trading date: active contracts, and those that an order or a position is still in."""
        now_ns = self._clock.now_ns()
        active = listing.listed(self._settings.symbols, day)
        held = {order.contract_id for order in self.book.orders.values()}
        held |= {contract_id for _, contract_id in self.book.positions}
        before = self.book.markets
        markets = {name: state for name, state in before.items() if name in active or name in held}
        for name, contract in active.items():
            if name in markets:
                continue
            earlier = [before[known] for known in before if listing.known_contract(known).product == contract.product]
            if earlier:
                markets[name] = rolled(earlier[-1], name, now_ns, day.isoformat())
            else:
                markets[name] = self._feed.opening(contract, now_ns, day.isoformat())
        return markets

    def open(self, turn: Turn, order: Order, legs: list[Order]) -> None:
        """Open an accepted order. Its stop is told first, then itself, then its target (section 6)."""
        turn.order_ids(len(legs))
        targets = [leg for leg in legs if leg.is_limit]
        for told in [*(leg for leg in legs if leg not in targets), order, *targets]:
            turn.put_order(told)
        order = msgspec.structs.replace(order, status=OrderStatus.OPEN)
        if order.type is OrderType.MARKET:
            turn.put_quietly(order)  # seen to go from pending to filled at once
        else:
            turn.put_order(order)
        self.enter(turn, order)
        if turn.order(order.order_id) is order and order.type is OrderType.MARKET:
            turn.put_order(order)  # nothing was left to take: it waits for the next quote

    def enter(self, turn: Turn, order: Order) -> None:
        """Let an open order that is new, or has a new price or size, take what it can, and else wait at its price."""
        self._match(turn, [order], turn.quote(order.contract_id), incoming=True)
        left = turn.order(order.order_id)
        if left is not None and left.is_open and left.is_limit and left.limit_ticks is not None:
            ahead = turn.quote(left.contract_id).size_at(left.side, left.limit_ticks)
            if ahead != left.ahead:
                turn.put_quietly(msgspec.structs.replace(left, ahead=ahead))

    def cancel_legs(self, turn: Turn, account_id: int, contract_id: str) -> None:
        """Cancel all bracket legs that an account has in a contract."""
        for order_id in list(self.book.orders):
            leg = turn.order(order_id)
            if leg is None or leg.is_final or leg.parent_id is None:
                continue
            if (leg.account_id, leg.contract_id) == (account_id, contract_id):
                fills.cancel(turn, leg, self._clock.now_ns())

    def _meet(self, turn: Turn, paths: Mapping[str, Sequence[Quote]]) -> None:
        """Let resting orders meet the quotes of their contract, one after the other."""
        waiting: dict[str, list[int]] = {}
        for order in self.book.orders.values():
            waiting.setdefault(order.contract_id, []).append(order.order_id)
        for contract_id, order_ids in waiting.items():
            for quote in paths.get(contract_id, ()):
                turn.put_quote(contract_id, msgspec.structs.replace(quote, traded=()))
                orders = [found for name in order_ids if (found := turn.order(name)) is not None and found.is_open]
                if orders:
                    self._match(turn, orders, quote, incoming=False)
                    _trail(turn, orders, quote)

    def _match(self, turn: Turn, orders: list[Order], quote: Quote, *, incoming: bool) -> None:
        """Match open orders of one contract, and settle what they fill."""
        swept = matching.sweep(orders, quote, partial_fills=self._settings.partial_fills, incoming=incoming)
        turn.put_quote(orders[0].contract_id, swept.quote)
        for order_id in swept.triggered:
            turn.put_quietly(msgspec.structs.replace(_going_on(turn, order_id), triggered=True))
        for order_id, ahead in swept.ahead:
            turn.put_quietly(msgspec.structs.replace(_going_on(turn, order_id), ahead=ahead))
        parted: set[int] = set()
        for match in swept.matches:
            order = _going_on(turn, match.order_id)
            # An earlier match of this sweep may have ended it: a leg that fills ends the rest of its entry.
            if order.is_open and match.order_id not in parted:
                left = match.quantity
                if left > 1 and self._strikes(_PART, order):
                    left //= 2
                    parted.add(match.order_id)
                self._settle(turn, order, msgspec.structs.replace(match, quantity=left))

    def _settle(self, turn: Turn, order: Order, match: Match) -> None:
        contract, now_ns = listing.known_contract(order.contract_id), self._clock.now_ns()
        sleeping = [leg for leg in fills.children(turn, order) if leg.status is OrderStatus.SUSPENDED]
        fills.settle(turn, match, contract, now_ns)
        if _going_on(turn, order.order_id).is_final and self._strikes(_OVERFILL, order):
            fills.overfill(turn, msgspec.structs.replace(match, quantity=1), contract, now_ns)
        for leg in sleeping:
            if self._strikes(_REJECT_LEG, leg):
                turn.put_order(msgspec.structs.replace(_going_on(turn, leg.order_id), status=OrderStatus.REJECTED))
        held = turn.position(order.account_id, order.contract_id)
        if Variant.EXIT_TAKES_LEGS in self._settings.variants and held is not None and not held.net_quantity:
            self.cancel_legs(turn, order.account_id, order.contract_id)

    def _strikes(self, kinds: frozenset[Kind], order: Order) -> bool:
        """Whether a fault strikes an order, by its tag."""
        return bool(self._faults.standing) and self._faults.strike(kinds, order.tag or "") is not None

    def _cancel_market_orders(self, turn: Turn, contract_id: str) -> None:
        """What a pause does to orders that want to trade at once (section 12.6, OBS); stops wait."""
        for order_id, known in list(self.book.orders.items()):
            order = turn.order(order_id)
            is_there = order is not None and known.contract_id == contract_id and order.is_open
            if order is not None and is_there and order.type is OrderType.MARKET:
                fills.cancel(turn, order, self._clock.now_ns())


def _going_on(turn: Turn, order_id: int) -> Order:
    """An order of this turn that was not final when it began."""
    order = turn.order(order_id)
    assert order is not None, "only orders that were not final are matched"
    return order


def _trail(turn: Turn, orders: Sequence[Order], quote: Quote) -> None:
    """Take trailing stops along with the trades of a quote, after what the quote did to them.

    Which of its trades came first is not known. UNVERIFIED: nobody is told of a move; who asks for the order sees it.
    """
    if not quote.traded:
        return
    prices = [price for price, _ in quote.traded]
    for before in orders:
        order = turn.order(before.order_id)
        if order is not None and order.is_open and order.is_stop and order.trail_ticks is not None:
            after = trailed(order, min(prices), max(prices))
            if after is not order:
                turn.put_quietly(after)
