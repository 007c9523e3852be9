"""What the page at ``/sim/`` shows: books, accounts, orders, fills, clients and faults, as they stand. PURE.

Prices are text as traders read them, instants ISO 8601 in UTC.
"""

from __future__ import annotations

from collections.abc import Sequence
from decimal import Decimal

import msgspec

from ordergate.exchange import listing, wire
from ordergate.exchange.accounts import Account, Fill
from ordergate.exchange.enums import OrderSide
from ordergate.exchange.faults import Standing
from ordergate.exchange.listing import Contract
from ordergate.exchange.market import Market
from ordergate.exchange.orders import Order
from ordergate.exchange.turn import Book

# A page of more is not read.
_LEVELS, ORDERS_MAX = 5, 200


class Row(msgspec.Struct, frozen=True, rename="camel"):
    """The base of what is shown."""


class MarketRow(Row, frozen=True, rename="camel"):
    """``bids`` and ``asks`` are price and size, the best first. ``resumes_at`` is told while it pauses."""

    contract_id: str
    name: str
    last: str
    change: str
    volume: int
    bids: list[tuple[str, int]]
    asks: list[tuple[str, int]]
    resumes_at: str | None


class PositionRow(Row, frozen=True, rename="camel"):
    """``net`` is positive when long; ``open_usd`` what it would earn at the last trade, before fees."""

    contract: str
    net: int
    average: str
    open_usd: str


class AccountRow(Row, frozen=True, rename="camel"):
    account_id: int
    name: str
    user_name: str
    balance_usd: str
    can_trade: bool
    positions: list[PositionRow]


class OrderRow(Row, frozen=True, rename="camel"):
    """``ahead`` is how many contracts wait before it at its price."""

    order_id: int
    account_id: int
    contract: str
    what: str
    size: int
    filled: int
    price: str
    status: str
    tag: str | None
    ahead: int


class FillRow(Row, frozen=True, rename="camel"):
    fill_id: int
    account_id: int
    contract: str
    side: str
    size: int
    price: str
    at: str
    voided: bool


class ClientRow(Row, frozen=True, rename="camel"):
    """``waiting`` is how many messages have not been written to it yet."""

    hub: str
    user_name: str
    subscriptions: list[str]
    waiting: int


class Panel(Row, frozen=True, rename="camel"):
    """All of it. ``behind_ms`` is how late the last step of the market was."""

    now: str
    seed: int
    variants: list[str]
    behind_ms: int
    markets: list[MarketRow]
    accounts: list[AccountRow]
    orders: list[OrderRow]
    fills: list[FillRow]
    clients: list[ClientRow]
    faults: list[Standing]


def markets(book: Book, now_ns: int) -> list[MarketRow]:
    """Every market."""
    return [_market(market, now_ns) for market in book.markets.values()]


def accounts(book: Book) -> list[AccountRow]:
    """Every account with what it holds."""
    return [_account(account, book) for account in book.accounts.values()]


def orders(book: Book) -> list[OrderRow]:
    """The orders that are not final, the newest first."""
    return [_order(order) for order in list(book.orders.values())[: -ORDERS_MAX - 1 : -1]]


def fills(newest_last: Sequence[Fill]) -> list[FillRow]:
    """Fills, the newest first; one that was taken back stands once."""
    known = {fill.fill_id: fill for fill in newest_last}
    return [_fill(fill) for fill in sorted(known.values(), key=lambda fill: -fill.fill_id)]


def _market(market: Market, now_ns: int) -> MarketRow:
    contract = listing.known_contract(market.contract_id)
    bids, asks = (
        [(_price(contract, price), size) for price, size in market.quote.levels(side, _LEVELS)] for side in OrderSide
    )
    change = market.last - market.settlement
    return MarketRow(
        contract_id=market.contract_id,
        name=contract.name,
        last=_price(contract, market.last),
        change=f"{'+' if change > 0 else ''}{_price(contract, change)}",
        volume=market.volume,
        bids=bids,
        asks=asks,
        resumes_at=wire.instant(market.resumes_ns, 0) if market.resumes_ns > now_ns else None,
    )


def _account(account: Account, book: Book) -> AccountRow:
    held = []
    for position in book.positions.values():
        if position.account_id == account.account_id:
            contract = listing.known_contract(position.contract_id)
            last = book.markets[position.contract_id].last
            open_usd = contract.product.tick_value_usd * last * position.net_quantity - position.cost_usd
            average = position.average_ticks * contract.product.tick_size
            row = PositionRow(contract.name, position.net_quantity, f"{average:.4f}", f"{open_usd:.2f}")
            held.append(row)
    balance = account.balance_usd.quantize(Decimal("0.01"))
    return AccountRow(account.account_id, account.name, account.user_name, f"{balance}", account.can_trade, held)


def _order(order: Order) -> OrderRow:
    contract = listing.known_contract(order.contract_id)
    levels = [ticks for ticks in (order.stop_ticks, order.limit_ticks) if ticks is not None]
    side = "buy" if order.side is OrderSide.BID else "sell"
    return OrderRow(
        order_id=order.order_id,
        account_id=order.account_id,
        contract=contract.name,
        what=f"{side} {order.type.name.lower().replace('_', ' ')}",
        size=order.quantity,
        filled=order.filled_quantity,
        price=" / ".join(_price(contract, ticks) for ticks in levels),
        status=order.status.name.lower(),
        tag=order.tag,
        ahead=order.ahead,
    )


def _fill(fill: Fill) -> FillRow:
    contract = listing.known_contract(fill.contract_id)
    return FillRow(
        fill_id=fill.fill_id,
        account_id=fill.account_id,
        contract=contract.name,
        side="buy" if fill.side is OrderSide.BID else "sell",
        size=fill.quantity,
        price=_price(contract, fill.price_ticks),
        at=wire.instant(fill.at_ns, 3),
        voided=fill.voided,
    )


def _price(contract: Contract, ticks: int) -> str:
    return f"{contract.price(ticks):f}"
