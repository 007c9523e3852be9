"""The desk of the simulated exchange: takes requests, one turn each. What they become in the market is ``pit``'s.

Synchronous: nothing can happen between two lines of a request. Every method that changes something stores the change,
makes it true, tells subscribers, and only then returns; if it cannot be stored it has not happened
(``StoreUnavailable``).

Invariants:
1. What ``publish`` was told, or a caller was answered, survives a kill of the process.
2. Order ids count up without a gap, rejected orders included; a bracket's children follow their entry.
3. Same seed, same calls at the same instants: same answers, fills and prices.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

import msgspec

from ordergate.clock import Clock
from ordergate.errors import StartRefused
from ordergate.exchange import fills, hours, listing, placing, topstep
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
from ordergate.exchange.faults import Faults, Kind
from ordergate.exchange.listing import Contract
from ordergate.exchange.market import Feed
from ordergate.exchange.models import CloseRequest, ModifyRequest, OrderRequest, PartialCloseRequest, PlaceRequest
from ordergate.exchange.orders import Order
from ordergate.exchange.pit import Pit
from ordergate.exchange.settings import ExchangeSettings
from ordergate.exchange.store import Store
from ordergate.exchange.turn import Event, Turn
from ordergate.exchange.variants import Variant

FIRST_ACCOUNT_ID, ACCOUNT_IDS_A_USER = 1001, 1000


# What keeps an account from cancelling (section 4.1).
_NOT_SIMULATED = {
    Variant.FOLLOWER: "Follower accounts cannot cancel orders",
    Variant.LIVE_FUNDED: "Live accounts not supported",
}


_REJECT = frozenset({Kind.REJECT})


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
        faults: Faults,
        publish: Callable[[Sequence[Event]], None],
    ) -> None:
        """Go on from what ``store`` holds. Raises ``StartRefused`` for a file of another seed."""
        self._settings = settings
        self._store = store
        self._clock = clock
        self._faults = faults
        self._pit = Pit(settings, store, clock, feed, faults, publish)
        self.book = self._pit.book
        self.step, self.halt, self.history = self._pit.step, self._pit.halt, self._pit.history
        if self.book.seed not in (None, settings.seed):
            raise StartRefused(
                f"the exchange's file was made with seed {self.book.seed}: start with that seed, or with another file"
            )
        turn = Turn(self.book)
        for user_number, user_name in enumerate(settings.user_names):
            for number in range(settings.account_count):
                account_id = FIRST_ACCOUNT_ID + user_number * ACCOUNT_IDS_A_USER + number
                if account_id not in self.book.accounts:
                    name = f"PRACTICE-{(settings.starting_balance_usd / 1000).normalize():f}K-{number + 1}"
                    turn.put_account(Account(account_id, name, settings.starting_balance_usd, user_name=user_name))
        turn.put_markets(self._pit.markets_of(hours.trading_day(clock.now_ns())))
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
        if request.contract_id not in self.book.markets or self._only_closes(request):
            return Answer(PlaceCode.CONTRACT_NOT_ACTIVE)
        if not self.book.accounts[request.account_id].can_trade:
            is_rejected = Variant.LOCKED_IS_REJECTED in self._settings.variants
            return Answer(PlaceCode.ACCOUNT_REJECTED if is_rejected else PlaceCode.ACCOUNT_VIOLATION)
        if Variant.LIVE_NO_ORDERS in self._settings.variants:
            return Answer(PlaceCode.ACCOUNT_REJECTED)
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
            tag=request.custom_tag or None,  # UNVERIFIED: that an empty tag is none, and so never used up
        )
        legs = children(order, request)
        priced = placing.priced(order, request, contract, turn.quote(order.contract_id))
        refusal = self._refusal(turn, priced, [order, *legs], request)
        order = order if isinstance(priced, str) else priced
        if refusal is None:
            self._pit.open(turn, order, legs)
            self._pit.commit(turn)
            return Answer(order_id=order.order_id)
        # One tag names one order: the second to use it is recorded without. UNVERIFIED.
        tag = None if refusal in (placing.TAG_USED, placing.TAG_TOO_LONG) else order.tag
        turn.put_order(msgspec.structs.replace(order, status=OrderStatus.REJECTED, tag=tag))
        self._pit.commit(turn)
        return Answer(PlaceCode.ORDER_REJECTED, refusal, order.order_id)

    def _only_closes(self, request: PlaceRequest) -> bool:
        """Whether it is for a month that has rolled, and does not take away from what the account holds in it.

        UNVERIFIED. Such a market runs on for as long as somebody holds it: it does not expire.
        """
        if request.contract_id in self.listed:
            return False
        held = self.book.positions.get((request.account_id, request.contract_id))
        closing = None if held is None else OrderSide.ASK if held.net_quantity > 0 else OrderSide.BID
        return closing is None or request.side != closing or request.size > abs(held.net_quantity if held else 0)

    def modify(self, request: ModifyRequest) -> Answer:
        """Order/modify. A bracket child that has not woken has no price yet and is refused (UNVERIFIED)."""
        if request.account_id not in self.book.accounts:
            return Answer(ModifyCode.ACCOUNT_NOT_FOUND)
        if Variant.LIVE_NO_ORDERS in self._settings.variants:
            return Answer(ModifyCode.ACCOUNT_REJECTED)
        before = self.book.orders.get(request.order_id)
        if before is None or before.account_id != request.account_id:
            return Answer(ModifyCode.ORDER_NOT_FOUND)
        sleeps = before.status is OrderStatus.SUSPENDED and Variant.SUSPENDED_MODIFY in self._settings.variants
        if not (before.is_open or sleeps) or (before.triggered and not before.is_limit):
            return Answer(ModifyCode.REJECTED)
        resized = request.size not in (None, before.quantity)
        if resized and before.parent_id is not None and Variant.LEG_SIZE_FIXED in self._settings.variants:
            return Answer(ModifyCode.REJECTED)
        quantity = before.quantity if request.size is None else request.size
        if quantity <= before.filled_quantity:
            return Answer(ModifyCode.REJECTED, placing.INVALID_SIZE)
        contract = listing.known_contract(before.contract_id)
        turn = Turn(self.book)
        order = placing.priced(before, request, contract, turn.quote(before.contract_id))
        if isinstance(order, str):
            return Answer(ModifyCode.REJECTED, order)
        refusal = placing.price_refusal(order, turn.quote(order.contract_id), self._settings)
        order = msgspec.structs.replace(order, quantity=quantity, updated_ns=self._clock.now_ns())
        if refusal is None and self._settings.topstep and order.parent_id is None:
            refusal = self._firm_refusal(order, order.updated_ns)
        if refusal is not None:
            return Answer(ModifyCode.REJECTED, refusal)
        turn.put_order(order)
        # Only a smaller one keeps its place in the queue.
        is_new = order.limit_ticks != before.limit_ticks or order.quantity > before.quantity or not order.is_limit
        if is_new and order.is_open and self._pit.is_open(contract, order.updated_ns):
            self._pit.enter(turn, order)
        self._pit.commit(turn)
        return Answer()

    def cancel(self, request: OrderRequest) -> Answer:
        """Order/cancel. An order that has ended already is "not found" (section 5.4: codes 2 and 5 are reported)."""
        variants = self._settings.variants
        if request.account_id not in self.book.accounts:
            return Answer(CancelCode.ACCOUNT_NOT_FOUND)
        for variant, text in _NOT_SIMULATED.items():
            if variant in variants:
                return Answer(CancelCode.ACCOUNT_REJECTED, text)
        order = self.book.orders.get(request.order_id)
        if order is None or order.account_id != request.account_id:
            ended = self._store.order(request.order_id)
            is_ours = ended is not None and ended.account_id == request.account_id
            if is_ours and Variant.GONE_IS_UNKNOWN_ERROR in variants:
                return Answer(CancelCode.UNKNOWN_ERROR)
            return Answer(CancelCode.ORDER_NOT_FOUND)
        turn = Turn(self.book)
        fills.cancel(turn, order, self._clock.now_ns())
        sibling = None if order.sibling_id is None else turn.order(order.sibling_id)
        if Variant.LEG_CANCEL_TAKES_BOTH in variants and sibling is not None and not sibling.is_final:
            fills.cancel(turn, sibling, self._clock.now_ns())
        self._pit.commit(turn)
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
        if not self._pit.is_open(contract, self._clock.now_ns()):
            return Answer(CloseCode.ORDER_REJECTED)
        return self._close(held, abs(held.net_quantity))

    def close_part(self, request: PartialCloseRequest) -> Answer:
        """Position/partialCloseContract: a market order for a part of the position, or all of it."""
        if request.account_id not in self.book.accounts:
            return Answer(PartialCloseCode.ACCOUNT_NOT_FOUND)
        if any(variant in self._settings.variants for variant in _NOT_SIMULATED):
            return Answer(PartialCloseCode.ACCOUNT_REJECTED)
        contract = listing.contract_of(request.contract_id)
        if contract is None:
            return Answer(PartialCloseCode.CONTRACT_NOT_FOUND)
        held = self.book.positions.get((request.account_id, request.contract_id))
        if held is None:
            return Answer(PartialCloseCode.POSITION_NOT_FOUND)
        if not 0 < request.size <= abs(held.net_quantity):
            return Answer(PartialCloseCode.INVALID_CLOSE_SIZE)
        if not self._pit.is_open(contract, self._clock.now_ns()):
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
            self._pit.commit(turn)
        for held in [held for held in self.book.positions.values() if held.account_id == account_id]:
            if self._pit.is_open(listing.known_contract(held.contract_id), self._clock.now_ns()):
                self._close(held, abs(held.net_quantity))

    def put_account(self, account: Account) -> None:
        """Change an account but for its balance. Raises ``StoreUnavailable``."""
        turn = Turn(self.book)
        turn.put_account(account)
        self._pit.commit(turn)

    def bust(self, fill_id: int) -> bool:
        """Take a fill back; whether there is such a one, that counts and has a market. Raises ``StoreUnavailable``."""
        fill = self._store.fill(fill_id)
        if fill is None or fill.voided or fill.contract_id not in self.book.markets:
            return False
        turn = Turn(self.book)
        fills.bust(turn, fill, listing.known_contract(fill.contract_id), self._clock.now_ns())
        self._pit.commit(turn)
        return True

    def _refusal(self, turn: Turn, priced: Order | str, placed: list[Order], request: PlaceRequest) -> str | None:
        """Why an order is rejected, or None. ``priced`` is the order or what is wrong with its price."""
        side, account_id = placed[0].side, placed[0].account_id
        struck = self._faults.strike(_REJECT, placed[0].tag or "")
        if struck is not None:
            return struck.text
        is_open = self._pit.is_open(listing.known_contract(placed[0].contract_id), placed[0].created_ns)
        refusal = placing.place_refusal(request, side, self._settings, is_open=is_open)
        if refusal is not None:
            return refusal
        if self._settings.topstep:
            refusal = self._firm_refusal(placed[0], placed[0].created_ns)
            if refusal is not None:
                return refusal
        if any(self._store.is_tag_used(account_id, order.tag) for order in placed if order.tag is not None):
            return placing.TAG_USED
        return (
            priced
            if isinstance(priced, str)
            else placing.price_refusal(priced, turn.quote(priced.contract_id), self._settings)
        )

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

    def _close(self, held: Position, quantity: int) -> Answer:
        """Close a part of a position at market."""
        now_ns = self._clock.now_ns()
        turn = Turn(self.book)
        if Variant.CLOSE_TAKES_LEGS in self._settings.variants:
            self._pit.cancel_legs(turn, held.account_id, held.contract_id)
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
        self._pit.open(turn, order, [])
        self._pit.commit(turn)
        return Answer()
