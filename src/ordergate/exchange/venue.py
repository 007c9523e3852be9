"""The desk of the simulated exchange: takes requests and market steps, one turn each.

Synchronous: nothing can happen between two lines of a request. Every method that changes something stores the change,
makes it true, tells subscribers, and only then returns; if it cannot be stored it has not happened
(``StoreUnavailable``).

Invariants:
1. What ``publish`` was told, or a caller was answered, survives a kill of the process.
2. Order ids count up without a gap, rejected orders included; a bracket's children follow their entry.
3. Same seed, same calls at the same instants: same answers, fills and prices.
4. The market moves only in ``step``: while the process is down it stands still.
5. Resting orders meet every quote and trade of a step in their order, not only the last.
"""

from __future__ import annotations

import datetime
from collections.abc import Callable, Mapping, Sequence

import msgspec

from ordergate.clock import Clock
from ordergate.errors import StartRefused
from ordergate.exchange import fills, hours, listing, matching, placing, topstep
from ordergate.exchange.accounts import Account, Position
from ordergate.exchange.brackets import children
from ordergate.exchange.enums import (
    CancelCode,
    CloseCode,
    ModifyCode,
    OrderSide,
    OrderStatus,
    OrderType,
    PartialCloseCode,
    PlaceCode,
)
from ordergate.exchange.listing import Contract
from ordergate.exchange.market import Bar, Feed, Market, rolled
from ordergate.exchange.matching import Quote
from ordergate.exchange.models import CloseRequest, ModifyRequest, OrderRequest, PartialCloseRequest, PlaceRequest
from ordergate.exchange.orders import Order, trailed
from ordergate.exchange.settings import ExchangeSettings, Hours
from ordergate.exchange.store import Store
from ordergate.exchange.turn import Book, Event, Turn

FIRST_ACCOUNT_ID = 1001


class Answer(msgspec.Struct, frozen=True):
    """How a request ended: the endpoint's own code (0 = success) and text; ``order_id`` if an order was made."""

    code: int = 0
    text: str | None = None
    order_id: int | None = None


class Venue:
    """See the module. ``book`` is for reading."""

    def __init__(
        self,
        settings: ExchangeSettings,
        store: Store,
        clock: Clock,
        feed: Feed,
        publish: Callable[[Sequence[Event]], None],
    ) -> None:
        """Go on from what ``store`` holds. Raises ``StartRefused`` for a file of another seed."""
        stored = store.load(settings.seed)
        if stored.seed not in (None, settings.seed):
            raise StartRefused(
                f"the exchange's file was made with seed {stored.seed}: start with that seed, or with another file"
            )
        self.book = Book(stored)
        self._settings = settings
        self._store = store
        self._clock = clock
        self._feed = feed
        self._publish = publish
        turn = Turn(self.book)
        for number in range(1, settings.account_count + 1):
            account_id = FIRST_ACCOUNT_ID + number - 1
            if account_id not in self.book.accounts:
                name = f"PRACTICE-{(settings.starting_balance_usd / 1000).normalize():f}K-{number}"
                turn.put_account(Account(account_id, name, settings.starting_balance_usd))
        turn.put_markets(self._markets_of(hours.trading_day(clock.now_ns())))
        turn.commit(store)

    @property
    def listed(self) -> Mapping[str, Contract]:
        """The active contracts by id."""
        return listing.listed(self._settings.symbols, hours.trading_day(self._clock.now_ns()))

    def place(self, request: PlaceRequest) -> Answer:
        """Order/place. A rejected order is stored too, and its id is in the answer (section 4.1)."""
        if request.account_id not in self.book.accounts:
            return Answer(PlaceCode.ACCOUNT_NOT_FOUND)
        contract = listing.contract_of(request.contract_id)
        if contract is None:
            return Answer(PlaceCode.CONTRACT_NOT_FOUND)
        if request.contract_id not in self.book.markets:
            return Answer(PlaceCode.CONTRACT_NOT_ACTIVE)
        if not self.book.accounts[request.account_id].can_trade:
            return Answer(PlaceCode[self._settings.locked_code.name])
        if request.side not in tuple(OrderSide):
            return Answer(PlaceCode.ORDER_REJECTED, "Order rejected: invalid order side.")  # UNVERIFIED
        turn = Turn(self.book)
        now_ns = self._clock.now_ns()
        order = Order(
            order_id=turn.order_ids(1),
            account_id=request.account_id,
            contract_id=request.contract_id,
            status=OrderStatus.PENDING,
            type=OrderType(request.type) if request.type in tuple(OrderType) else OrderType.UNKNOWN,
            side=OrderSide(request.side),
            quantity=request.size,
            created_ns=now_ns,
            updated_ns=now_ns,
            tag=request.custom_tag,
        )
        legs = children(order, request)
        priced = placing.priced(order, request, contract, turn.quote(order.contract_id))
        refusal = self._refusal(turn, priced, [order, *legs], request)
        order = order if isinstance(priced, str) else priced
        if refusal is None:
            self._open(turn, order, legs, contract)
            self._commit(turn)
            return Answer(order_id=order.order_id)
        # One tag names one order: the second to use it is recorded without. UNVERIFIED.
        tag = None if refusal == placing.TAG_USED else order.tag
        turn.put_order(msgspec.structs.replace(order, status=OrderStatus.REJECTED, tag=tag))
        self._commit(turn)
        return Answer(PlaceCode.ORDER_REJECTED, refusal, order.order_id)

    def modify(self, request: ModifyRequest) -> Answer:
        """Order/modify. A bracket child that has not woken has no price yet and is refused (UNVERIFIED)."""
        if request.account_id not in self.book.accounts:
            return Answer(ModifyCode.ACCOUNT_NOT_FOUND)
        before = self.book.orders.get(request.order_id)
        if before is None or before.account_id != request.account_id:
            return Answer(ModifyCode.ORDER_NOT_FOUND)
        if not before.is_open or before.triggered:
            return Answer(ModifyCode.REJECTED)
        quantity = before.quantity if request.size is None else request.size
        if quantity <= before.filled_quantity:
            return Answer(ModifyCode.REJECTED, placing.INVALID_SIZE)
        contract = listing.known_contract(before.contract_id)
        turn = Turn(self.book)
        order = placing.priced(before, request, contract, turn.quote(before.contract_id))
        if isinstance(order, str):
            return Answer(ModifyCode.REJECTED, order)
        refusal = placing.stop_refusal(order, turn.quote(order.contract_id))
        order = msgspec.structs.replace(order, quantity=quantity, updated_ns=self._clock.now_ns())
        if refusal is None and self._settings.topstep and order.parent_id is None:
            refusal = self._firm_refusal(order, order.updated_ns)
        if refusal is not None:
            return Answer(ModifyCode.REJECTED, refusal)
        turn.put_order(order)
        if self._is_open(contract, order.updated_ns):
            self._match(turn, [order], contract, turn.quote(order.contract_id), incoming=True)
        self._commit(turn)
        return Answer()

    def cancel(self, request: OrderRequest) -> Answer:
        """Order/cancel. An order that has ended already is "not found" (section 5.4: codes 2 and 5 are reported)."""
        if request.account_id not in self.book.accounts:
            return Answer(CancelCode.ACCOUNT_NOT_FOUND)
        order = self.book.orders.get(request.order_id)
        if order is None or order.account_id != request.account_id:
            return Answer(CancelCode.ORDER_NOT_FOUND)
        turn = Turn(self.book)
        fills.cancel(turn, order, self._clock.now_ns())
        self._commit(turn)
        return Answer()

    def close(self, request: CloseRequest) -> Answer:
        """Position/closeContract: a market order for the whole position."""
        if request.account_id not in self.book.accounts:
            return Answer(CloseCode.ACCOUNT_NOT_FOUND)
        contract = listing.contract_of(request.contract_id)
        if contract is None:
            return Answer(CloseCode.CONTRACT_NOT_FOUND)
        held = self.book.positions.get((request.account_id, request.contract_id))
        if held is None:
            return Answer(CloseCode.POSITION_NOT_FOUND)
        if not self._is_open(contract, self._clock.now_ns()):
            return Answer(CloseCode.ORDER_REJECTED)
        return self._close(held, abs(held.net_quantity))

    def close_part(self, request: PartialCloseRequest) -> Answer:
        """Position/partialCloseContract: a market order for a part of the position, or all of it."""
        if request.account_id not in self.book.accounts:
            return Answer(PartialCloseCode.ACCOUNT_NOT_FOUND)
        contract = listing.contract_of(request.contract_id)
        if contract is None:
            return Answer(PartialCloseCode.CONTRACT_NOT_FOUND)
        held = self.book.positions.get((request.account_id, request.contract_id))
        if held is None:
            return Answer(PartialCloseCode.POSITION_NOT_FOUND)
        if not 0 < request.size <= abs(held.net_quantity):
            return Answer(PartialCloseCode.INVALID_CLOSE_SIZE)
        if not self._is_open(contract, self._clock.now_ns()):
            return Answer(PartialCloseCode.ORDER_REJECTED)
        return self._close(held, request.size)

    def liquidate(self, account_id: int) -> None:
        """Cancel all that works in an account, and close all that it holds at market. Raises ``StoreUnavailable``."""
        turn = Turn(self.book)
        for order in self.book.orders.values():
            left = turn.order(order.order_id)
            if order.account_id == account_id and left is not None and not left.is_final:
                fills.cancel(turn, left, self._clock.now_ns())
        if turn.events:
            self._commit(turn)
        for held in [held for held in self.book.positions.values() if held.account_id == account_id]:
            if self._is_open(listing.known_contract(held.contract_id), self._clock.now_ns()):
                self._close(held, abs(held.net_quantity))

    def put_account(self, account: Account) -> None:
        """Change an account but for its balance. Raises ``StoreUnavailable``."""
        turn = Turn(self.book)
        turn.put_account(account)
        self._commit(turn)

    def history(self, contract_id: str) -> Sequence[Bar]:
        """The minutes that a market has had before it began, oldest first."""
        market = self.book.markets.get(contract_id)
        if market is None:
            return []
        contract = listing.known_contract(contract_id)
        return [bar for bar in self._feed.history(market, contract) if self._is_open(contract, bar.start_ns)]

    def step(self) -> None:
        """One step of every market that moves now, and what it does to the orders."""
        now_ns = self._clock.now_ns()
        day = hours.trading_day(now_ns)
        markets = self.book.markets
        turn = Turn(self.book)
        trades = any(self._is_open(listing.known_contract(name), now_ns) for name in markets)
        if trades and any(state.day != day.isoformat() for state in markets.values()):
            markets = self._markets_of(day)
            turn.put_markets(markets)
        paths: dict[str, Sequence[Quote]] = {}
        for before in markets.values():
            contract = listing.known_contract(before.contract_id)
            moves = self._is_open(contract, now_ns)
            moved = self._feed.move(before, contract, now_ns, day.isoformat(), is_open=moves)
            if moved.market is not before:
                turn.move_market(before, moved)
                paths[before.contract_id] = moved.path
        if paths:
            self._meet(turn, paths)
            self._commit(turn)

    def _is_open(self, contract: Contract, at_ns: int) -> bool:
        """Whether a contract trades at an instant."""
        return self._settings.hours is Hours.ALWAYS or hours.is_open(contract.product, at_ns)

    def _meet(self, turn: Turn, paths: Mapping[str, Sequence[Quote]]) -> None:
        """Let resting orders meet the quotes of their contract, one after the other."""
        waiting: dict[str, list[int]] = {}
        for order in self.book.orders.values():
            waiting.setdefault(order.contract_id, []).append(order.order_id)
        for contract_id, order_ids in waiting.items():
            contract = listing.known_contract(contract_id)
            for quote in paths.get(contract_id, ()):
                turn.put_quote(contract_id, msgspec.structs.replace(quote, low=None, high=None))
                orders = [found for name in order_ids if (found := turn.order(name)) is not None and found.is_open]
                if orders:
                    self._match(turn, orders, contract, quote, incoming=False)
                    _trail(turn, orders, quote)

    def _refusal(self, turn: Turn, priced: Order | str, placed: list[Order], request: PlaceRequest) -> str | None:
        """Why an order is rejected, or None. ``priced`` is the order or what is wrong with its price."""
        side, account_id = placed[0].side, placed[0].account_id
        is_open = self._is_open(listing.known_contract(placed[0].contract_id), placed[0].created_ns)
        refusal = placing.place_refusal(request, side, self._settings.bracket_mode, is_open=is_open)
        if refusal is not None:
            return refusal
        if self._settings.topstep:
            refusal = self._firm_refusal(placed[0], placed[0].created_ns)
            if refusal is not None:
                return refusal
        if any(self._store.is_tag_used(account_id, order.tag) for order in placed if order.tag is not None):
            return placing.TAG_USED
        return priced if isinstance(priced, str) else placing.stop_refusal(priced, turn.quote(priced.contract_id))

    def _firm_refusal(self, order: Order, now_ns: int) -> str | None:
        """Why the firm rejects an order as it would be, or None. What works on its side counts with what is held."""
        if topstep.is_flat_time(now_ns):
            return placing.OUTSIDE_HOURS
        held = {key[1]: item.net_quantity for key, item in self.book.positions.items() if key[0] == order.account_id}
        for other in (self.book.orders | {order.order_id: order}).values():
            # A bracket's legs only take away (section 12.6).
            if (other.account_id, other.side, other.parent_id) == (order.account_id, order.side, None):
                held[other.contract_id] = held.get(other.contract_id, 0) + other.side.sign * other.leaves
        worst = [(listing.known_contract(name).product.symbol, quantity) for name, quantity in held.items()]
        plan = topstep.PLANS[self._settings.starting_balance_usd]
        return placing.POSITION_TOO_LARGE if topstep.is_too_large(plan, worst) else None

    def _open(self, turn: Turn, order: Order, legs: list[Order], contract: Contract) -> None:
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
        self._match(turn, [order], contract, turn.quote(order.contract_id), incoming=True)
        matched = turn.order(order.order_id)
        if matched is order and order.type is OrderType.MARKET:
            turn.put_order(order)  # nothing was left to take: it waits for the next quote

    def _close(self, held: Position, quantity: int) -> Answer:
        """Close a part of a position at market."""
        now_ns = self._clock.now_ns()
        contract = listing.known_contract(held.contract_id)
        turn = Turn(self.book)
        if self._settings.close_cancels_legs:
            for leg in list(self.book.orders.values()):
                if leg.parent_id is not None and (leg.account_id, leg.contract_id) == (
                    held.account_id,
                    held.contract_id,
                ):
                    fills.cancel(turn, leg, now_ns)
        order = Order(
            order_id=turn.order_ids(1),
            account_id=held.account_id,
            contract_id=held.contract_id,
            status=OrderStatus.PENDING,
            type=OrderType.MARKET,
            side=OrderSide.ASK if held.net_quantity > 0 else OrderSide.BID,
            quantity=quantity,
            created_ns=now_ns,
            updated_ns=now_ns,
        )
        self._open(turn, order, [], contract)
        self._commit(turn)
        return Answer()

    def _match(self, turn: Turn, orders: list[Order], contract: Contract, quote: Quote, *, incoming: bool) -> None:
        """Match open orders of one contract, and settle what they fill."""
        now_ns = self._clock.now_ns()
        swept = matching.sweep(orders, quote, partial_fills=self._settings.partial_fills, incoming=incoming)
        turn.put_quote(contract.contract_id, swept.quote)
        for order_id in swept.triggered:
            order = turn.order(order_id)
            assert order is not None, "only orders that are not final are matched"
            turn.put_quietly(msgspec.structs.replace(order, triggered=True))
        for match in swept.matches:
            order = turn.order(match.order_id)
            # An earlier match of this sweep may have ended it: a leg that fills ends the rest of its entry.
            if order is not None and order.is_open:
                fills.settle(turn, match, contract, now_ns)

    def _markets_of(self, day: datetime.date) -> dict[str, Market]:
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

    def _commit(self, turn: Turn) -> None:
        turn.commit(self._store)
        self._publish(turn.events)


def _trail(turn: Turn, orders: Sequence[Order], quote: Quote) -> None:
    """Take trailing stops along with the trades of a quote, after what the quote did to them.

    Which of its trades came first is not known. UNVERIFIED: nobody is told of a move; who asks for the order sees it.
    """
    if quote.low is None or quote.high is None:
        return
    for before in orders:
        order = turn.order(before.order_id)
        if order is not None and order.is_open and order.trail_ticks is not None:
            after = trailed(order, quote.low, quote.high)
            if after is not order:
                turn.put_quietly(after)
