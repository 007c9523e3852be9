"""``ordergate flatten --direct``: everything cancelled and closed at the broker itself, by a person's explicit act.

It needs the broker's login and nothing else of a desk: no gate, no Redis, no journal, no state directory. It is the one
way past the connection manager's approvals, and can only take risk away: it cancels, and it closes what is held.

In which order, for each account, in rounds until the broker shows it flat:

1. Every order that could open or add is cancelled: entries, targets, and stops beyond the position.
2. Every position is closed while the stops that cover it still rest. Cancelled before, they would leave a naked
   position if the line broke in between, or the market were closed; and a gate that lives would place them again.
3. Those stops are cancelled once the broker shows the position gone, for they would open another: a close leaves them
   working (ProjectX API notes, section 6, 2026-11-22). A stop that fills beside the close has turned the position
   around by one size; the next round reads that and closes it, with no stop left to do it again.

Invariants:
1. Nothing is closed twice on one reading: after each close, whatever was answered, the position is read again first.
2. Flat is said only when two readings in a row, a second apart, show no position and no order that could still fill.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterable

import msgspec

from ordergate.broker.projectx.budget import BAR_LIMITS, RequestBudget, RequestLimits
from ordergate.broker.projectx.client import Client
from ordergate.broker.projectx.messages import (
    Account,
    Contract,
    Order,
    OrderSide,
    OrderStatus,
    OrderType,
    Position,
    PositionType,
)
from ordergate.broker.projectx.rest import Passage, Rest
from ordergate.broker.projectx.session import Credentials, Session
from ordergate.broker.projectx.translate import instant
from ordergate.clock import Clock
from ordergate.core.contracts import contract_month
from ordergate.core.reports import Outcome
from ordergate.errors import BrokerRefused, TransportError
from ordergate.net.port import Network

WITHIN_S = 60.0
# How long a line may fail before anything has been asked for.
REACH_S = 10.0
# A market order at an open market is filled by then; what is not is closed anew in the next round.
SETTLE_S = 3.0
LOOK_S = 0.3
AGAIN_S = 1.0
READINGS = 2
# Orders that the list of open ones leaves out, pending and suspended, are looked for among those of the last day.
_BACK_NS = 86_400_000_000_000
_EXIT = Passage(exits=True, wait_s=10.0)
_LIVE = (OrderStatus.OPEN, OrderStatus.PENDING, OrderStatus.PENDING_CANCELLATION, OrderStatus.SUSPENDED)
_STOPS = (OrderType.STOP, OrderType.TRAILING_STOP)


class Login(msgspec.Struct, frozen=True):
    """``gateway_url`` is the origin of the broker's REST API."""

    gateway_url: str
    credentials: Credentials


class Book(msgspec.Struct, frozen=True):
    """What the broker shows of one account: its positions, and its orders that can still fill."""

    positions: tuple[Position, ...]
    orders: tuple[Order, ...]

    @property
    def is_empty(self) -> bool:
        return not (self.positions or self.orders)

    @property
    def text(self) -> str:
        held = [
            f"{'LONG' if net_of(row) > 0 else 'SHORT'} {row.size} {name(row.contract_id)}" for row in self.positions
        ]
        return ", ".join([*held, *map(order_text, self.orders)]) or "flat, no order works"


def guards(book: Book) -> tuple[Order, ...]:
    """The stops that can do nothing but close what is held: on its closing side, together no larger than it."""
    found: list[Order] = []
    for position in book.positions:
        net, room = net_of(position), position.size
        closing = OrderSide.ASK if net > 0 else OrderSide.BID
        for order in book.orders:
            size = order.size - order.fill_volume
            fits = order.contract_id == position.contract_id and order.side == closing and size <= room
            if fits and order.type in _STOPS and order.status == OrderStatus.OPEN:
                found.append(order)
                room -= size
    return tuple(found)


def net_of(position: Position) -> int:
    """Signed, long positive; what is neither long nor short is held all the same, and taken as long."""
    return -position.size if position.type == PositionType.SHORT else position.size


def name(contract_id: str) -> str:
    """A contract as a trader calls it; its id where it is of no product that we know."""
    found = contract_month(contract_id)
    return contract_id if found is None else found[0].symbol


def order_text(order: Order) -> str:
    side = "BUY" if order.side == OrderSide.BID else "SELL"
    kind = OrderType(order.type).name if order.type in list(OrderType) else f"type {order.type}"
    price = order.limit_price if order.limit_price is not None else order.stop_price
    at = "" if price is None else f" at {price.normalize():f}"
    return f"{side} {order.size - order.fill_volume} {name(order.contract_id)} {kind}{at} (#{order.id})"


class Direct:
    """One login. ``say`` is told each step and what became of it."""

    def __init__(
        self, network: Network, clock: Clock, login: Login, timeout_s: float, say: Callable[[str], None]
    ) -> None:
        rest = Rest(network, login.gateway_url, RequestBudget(RequestLimits()), timeout_s)
        bars = Rest(network, login.gateway_url, RequestBudget(BAR_LIMITS), timeout_s)
        self._session = Session(rest, clock, login.credentials, again_s_max=0)
        self._client = Client(rest, bars, self._session)
        self._clock = clock
        self._say = say
        # Not among the open ones, and not known to the broker when they were to be cancelled: they cannot fill.
        self._gone: set[int] = set()

    async def log_in(self) -> None:
        """Raises ``TransportError``, or ``BrokerRefused`` where the login is refused."""
        await self._session.token()

    async def books(self, account_id: int | None, within_s: float = REACH_S) -> dict[int, Book]:
        """What the account holds, None = each of the login; asked again while the line fails. Raises as ``log_in``."""
        loop = asyncio.get_running_loop()
        end_s = loop.time() + within_s
        while True:
            try:
                await self.log_in()
                accounts = await self.accounts() if account_id is None else (account_id,)
                return {account: await self.book(account) for account in accounts}
            except TransportError as error:
                if loop.time() >= end_s:
                    raise
                self._say(f"asking again: {error}")
            await asyncio.sleep(AGAIN_S)

    async def accounts(self) -> tuple[int, ...]:
        """Every account of the login, those too that may not trade: they may hold something. Raises as ``log_in``."""
        return tuple(row.id for row in await self._client.accounts(_EXIT, only_active=False))

    async def active_accounts(self) -> tuple[Account, ...]:
        """Those that the broker calls active. Raises as ``log_in``."""
        return await self._client.accounts(_EXIT, only_active=True)

    async def contracts(self) -> tuple[Contract, ...]:
        """One active contract of each product. Raises as ``log_in``."""
        return await self._client.contracts(_EXIT)

    async def book(self, account_id: int) -> Book:
        """What the broker shows now. Raises ``TransportError`` or ``BrokerRefused``."""
        positions = await self._client.positions(account_id, _EXIT)
        open_orders = {row.id: row for row in await self._client.open_orders(account_id, _EXIT)}
        since = instant(self._clock.now_ns() - _BACK_NS)
        recent = {row.id: row for row in await self._client.orders(account_id, since, _EXIT)}
        unlisted = {
            key: row
            for key, row in recent.items()
            if key not in open_orders and row.status in _LIVE and key not in self._gone
        }
        # The list of the day is the later word on an order of both.
        working = [recent.get(key, row) for key, row in open_orders.items()]
        orders = [row for row in (*working, *unlisted.values()) if row.status in _LIVE]
        return Book(tuple(row for row in positions if row.size), tuple(sorted(orders, key=lambda row: row.id)))

    async def flatten(self, account_id: int, within_s: float = WITHIN_S) -> bool:
        """Whether the broker itself shows the account flat, with no order that can fill."""
        loop = asyncio.get_running_loop()
        end_s, empty, left = loop.time() + within_s, 0, "it could not be read"
        while True:
            try:
                book = await self.book(account_id)
                left = book.text
                empty = empty + 1 if book.is_empty else 0
                if empty == READINGS:
                    self._say(f"account {account_id}: flat, no order works, as the broker shows twice")
                    return True
                if not book.is_empty:
                    await self._round(account_id, book)
            except (TransportError, BrokerRefused) as error:
                empty = 0
                self._say(f"account {account_id}: cannot be read: {error}")
            if loop.time() >= end_s:
                self._say(f"account {account_id}: NOT FLAT after {within_s:.0f} s: {left}; look at the broker's page")
                return False
            await asyncio.sleep(AGAIN_S)

    async def _round(self, account_id: int, book: Book) -> None:
        """Once through the three steps. Raises as ``book``."""
        keeping = guards(book)
        await self._cancel(account_id, [order for order in book.orders if order not in keeping])
        if book.positions:
            await asyncio.gather(*(self.close(account_id, position) for position in book.positions))
            held = await self._settled(account_id)
            keeping = tuple(order for order in keeping if order.contract_id not in held)
        await self._cancel(account_id, keeping)

    async def close(self, account_id: int, position: Position) -> tuple[Outcome, str]:
        """Ask once that it be closed: how that ended, which is no sign of the position."""
        what = f"account {account_id}: closing {position.size} {name(position.contract_id)}"
        outcome, text = await self._client.close_contract(account_id, position.contract_id, _EXIT)
        self._say(f"{what}: {_told(outcome, text)}")
        return outcome, text

    async def _settled(self, account_id: int) -> set[str]:
        """The contracts that are held still, when none is or the fills have had their time. Raises as ``book``."""
        loop = asyncio.get_running_loop()
        end_s = loop.time() + SETTLE_S
        while True:
            held = {row.contract_id for row in await self._client.positions(account_id, _EXIT) if row.size}
            if not held or loop.time() >= end_s:
                return held
            await asyncio.sleep(LOOK_S)

    async def _cancel(self, account_id: int, orders: Iterable[Order]) -> None:
        await asyncio.gather(*(self._cancel_one(account_id, order) for order in orders))

    async def _cancel_one(self, account_id: int, order: Order) -> None:
        outcome = await self._client.cancel(account_id, order.id, _EXIT)
        self._say(f"account {account_id}: cancelling {order_text(order)}: {_told(outcome.outcome, outcome.text)}")
        if outcome.outcome is Outcome.REFUSED and order.status != OrderStatus.OPEN:
            self._gone.add(order.id)


def _told(outcome: Outcome, text: str) -> str:
    return "done" if outcome is Outcome.DONE else f"{outcome.value}{f' ({text})' if text else ''}, and read again"
