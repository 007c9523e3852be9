"""What the connection manager answers over HTTP, as existing clients read it (wire notes, section 3, 2026-11-22). PURE.

Must never invent: what the broker does not say is null. ``shadow`` stands, true, where an answer is of the paper book.
"""

from __future__ import annotations

from collections.abc import Mapping
from decimal import Decimal

import msgspec
from msgspec import UNSET, UnsetType

from ordergate.broker.projectx.translate import instant
from ordergate.broker.view import Held, SeenAccount
from ordergate.bus.prices import average_price, position_id, price
from ordergate.core.instrument import Instrument
from ordergate.core.market import fresh
from ordergate.core.order import OrderType, Side
from ordergate.core.pnl import Position, mark_ticks, open_usd
from ordergate.core.reports import OrderReport, PositionReport, Quote

# An older quote prices nothing: the gate's own default (settings, ``limits.quote_age_ms``).
QUOTE_AGE_MS_MAX = 5_000
_MS_NS = 1_000_000


class Balance(msgspec.Struct, frozen=True, rename="camel"):
    """``available_balance`` is null: the broker states no margin. ``last_updated``: when the broker said it."""

    total_balance: Decimal
    available_balance: Decimal | None
    currency: str
    last_updated: str
    age_ms: int
    account_number: str
    account_id: int
    account_name: str
    shadow: bool | UnsetType = UNSET


class PositionRow(msgspec.Struct, frozen=True, rename="camel"):
    """A position as the broker shows it, with its own working orders beside it.

    ``id`` is what ``/api/position/update-sltp`` takes. ``current_price`` is where it could be closed, the bid of a long
    and the ask of a short, and ``unrealized_pnl`` is gross at that price; both are null while no fresh quote is here.
    ``stop_loss`` and ``take_profit`` are those of its closing orders that would fill first. The broker says nothing of
    the rest: an account's realised P&L is not one position's, a position is not one order's.
    """

    id: str
    account_id: int
    instrument: str
    symbol: str
    contract_id: str
    side: str
    quantity: int
    avg_price: Decimal | None
    current_price: Decimal | None
    unrealized_pnl: Decimal | None = msgspec.field(name="unrealizedPnL")
    realized_pnl: None = msgspec.field(name="realizedPnL", default=None)
    stop_loss: Decimal | None = None
    take_profit: Decimal | None = None
    stop_loss_order_id: int | None = None
    take_profit_order_id: int | None = None
    to_make: None = None
    risk: None = None
    order_id: None = None
    open_time: None = None
    raw: None = msgspec.field(name="_raw", default=None)


class Positions(msgspec.Struct, frozen=True, rename="camel"):
    """``age_ms``: how long ago the broker last said something of them. The user hub tells every change since."""

    success: bool
    positions: tuple[PositionRow, ...]
    account_id: int
    last_updated: str
    age_ms: int
    shadow: bool | UnsetType = UNSET


class Failure(msgspec.Struct, frozen=True, rename="camel", omit_defaults=True):
    """Every failure. ``code`` is stable, ``error`` is for people, ``field`` stands where there is one to name."""

    success: bool
    error: str
    code: str
    field: str | None = None


class Away(msgspec.Struct, frozen=True, rename="camel"):
    """The broker is not seen, so nothing can be said of now: what was last known, and how long ago the broker said it.

    Both are null where it was never read.
    """

    success: bool
    error: str
    code: str
    age_ms: int | None
    last_known: Balance | Positions | None


def balance(seen: SeenAccount, now_ns: int, *, shadow: bool) -> Balance:
    report = seen.report
    return Balance(
        total_balance=report.balance_usd,
        available_balance=None,
        currency="USD",
        last_updated=instant(seen.heard_ns),
        age_ms=(now_ns - seen.heard_ns) // _MS_NS,
        account_number=str(report.account_id),
        account_id=report.account_id,
        account_name=report.name,
        shadow=shadow or UNSET,
    )


def positions(
    account_id: int,
    held: Held,
    instruments: Mapping[str, Instrument],
    quotes: Mapping[str, Quote],
    now_ns: int,
    *,
    shadow: bool,
) -> Positions:
    rows = [
        _row(
            report,
            instruments.get(report.contract_id),
            fresh(quotes.get(report.contract_id), QUOTE_AGE_MS_MAX, now_ns),
            [order for order in held.orders if order.contract_id == report.contract_id],
        )
        for report in held.positions
    ]
    age_ms = (now_ns - held.heard_ns) // _MS_NS
    return Positions(True, tuple(rows), account_id, instant(held.heard_ns), age_ms, shadow or UNSET)  # noqa: FBT003 - a row


def _row(
    report: PositionReport, instrument: Instrument | None, quote: Quote | None, orders: list[OrderReport]
) -> PositionRow:
    """Without its ``instrument``, which the broker has not described, no price of it can be said."""
    net, cost = report.net_quantity, report.cost_ticks
    position = Position(report.contract_id, net, cost if net > 0 else -cost, abs(net))
    mark = None if quote is None or instrument is None else mark_ticks(quote, net)
    closing = Side.SELL if net > 0 else Side.BUY
    stop = _first(orders, closing, OrderType.STOP)
    target = _first(orders, closing, OrderType.LIMIT)
    symbol = report.contract_id if instrument is None else instrument.symbol

    def price_of(ticks: int | None) -> Decimal | None:
        return None if instrument is None else price(instrument, ticks)

    return PositionRow(
        id=position_id(report.account_id, report.contract_id),
        account_id=report.account_id,
        instrument=symbol,
        symbol=symbol,
        contract_id=report.contract_id,
        side="LONG" if net > 0 else "SHORT",
        quantity=abs(net),
        avg_price=None if instrument is None else average_price(instrument, position.average),
        current_price=price_of(mark),
        unrealized_pnl=None if mark is None or instrument is None else open_usd(instrument, position, mark),
        stop_loss=None if stop is None else price_of(stop.stop_ticks),
        take_profit=None if target is None else price_of(target.limit_ticks),
        stop_loss_order_id=None if stop is None else stop.broker_order_id,
        take_profit_order_id=None if target is None else target.broker_order_id,
    )


def _first(orders: list[OrderReport], closing: Side, order_type: OrderType) -> OrderReport | None:
    """The working order of that type on the closing side that the market reaches first.

    Of a long the highest stop and the lowest limit; of a short the other way round.
    """
    levels = {}
    for order in orders:
        level = order.stop_ticks if order_type is OrderType.STOP else order.limit_ticks
        if order.side is closing and order.order_type is order_type and level is not None:
            levels[level] = order
    # A sell stop and a buy limit wait below the market: the highest is first.
    is_below = (closing is Side.SELL) is (order_type is OrderType.STOP)
    return levels[(max if is_below else min)(levels)] if levels else None
