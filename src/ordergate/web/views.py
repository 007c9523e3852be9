"""The read models: how the rows that the HTTP API shows follow from the state.

Pure functions of (state, quotes, now); nothing here is kept.

Invariant: a figure that needs a price uses a fresh two-sided quote (``rules.fresh``) or is null.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from decimal import Decimal
from fractions import Fraction

from msgspec.structs import replace

from ordergate.bus.prices import average_price
from ordergate.core.account import Account, AppliedFill, Group
from ordergate.core.events import Cover
from ordergate.core.exposure import worst_position
from ordergate.core.figures import figures, governing_realized
from ordergate.core.instrument import Instrument
from ordergate.core.limits import Breach
from ordergate.core.market import Market
from ordergate.core.order import Order, Role, Side
from ordergate.core.pnl import mark_ticks, open_usd
from ordergate.core.reports import Quote
from ordergate.core.rules.state import standing
from ordergate.core.sessions import utc_text
from ordergate.core.unattended import unattended
from ordergate.web.alarm_rows import alarm_rows
from ordergate.web.desk_row import desk_row
from ordergate.web.legs import leg_number, leg_rows, legs_of, nearest_first, order_status, shown_leg, stop_moves
from ordergate.web.rows import (
    AccountRow,
    BreachRow,
    CoverRow,
    ExposureRow,
    FillRow,
    IfWeDieRow,
    InstrumentRow,
    OrderRow,
    PositionRow,
    PriceRow,
    Rows,
    Timestamps,
    TradingStatus,
    UnattendedRow,
)

EXTERNAL = "EXTERNAL"
LOCKED = "locked"
_NUMBER = re.compile(r"-?\d+(\.\d+)?")
_MS_NS = 1_000_000


def rows(group: Group, quotes: dict[str, Quote], now_ns: int, trouble: str = "") -> Rows:
    """Everything there is to show; ``trouble`` is what is wrong with the gate itself."""
    market = Market(quotes, now_ns)
    adopted = [account for account in group.accounts.values() if account.adopted]
    listed = [
        order for account in adopted for order in (*account.orders.values(), *account.done.values()) if is_listed(order)
    ]
    legs = legs_of(group)
    fills = [
        (account, fill)
        for account in adopted
        for fill in sorted(account.fills.values(), key=lambda fill: (fill.at_ns, fill.fill_id))
        if is_of_today(account, fill)
    ]
    return Rows(
        desk=desk_row(group, trouble),
        accounts={account.account_id: account_row(group, account, market) for account in adopted},
        positions={
            (account.account_id, contract_id): position_row(group, account, contract_id, market)
            for account in adopted
            for contract_id in account.positions
        },
        orders={
            (order.terms.account_id, order.order_id): order_row(
                group, order, legs.get((order.terms.account_id, order.order_id), ())
            )
            for order in sorted(listed, key=lambda order: (order.decided_ns, order.order_id))
        },
        fills={(account.account_id, fill.fill_id): fill_row(group, account, fill) for account, fill in fills},
        instruments={row.symbol: row for row in instrument_rows(group)},
        prices=price_rows(group, quotes),
        alarms=alarm_rows(group),
    )


def active(group: Group) -> dict[str, Instrument]:
    """The active contract of every symbol."""
    found: dict[str, Instrument] = {}
    for instrument in group.instruments.values():
        if instrument.active:
            found.setdefault(instrument.symbol, instrument)
    return found


def is_listed(order: Order) -> bool:
    """Whether an order has a row of its own: legs are told with their entry, closing orders with their position."""
    return order.role in (Role.ENTRY, Role.EXTERNAL)


def order_row(group: Group, order: Order, legs: Iterable[Order]) -> OrderRow:
    """``legs`` are all stops and targets that ``order`` ever had, in any order."""
    instrument, terms = group.instruments[order.terms.contract_id], order.terms
    legs = sorted(legs, key=leg_number)
    targets = [leg for leg in legs if leg.role is Role.TARGET]
    working = nearest_first((leg for leg in targets if leg.live), terms.side)
    return OrderRow(
        order_id=order.order_id,
        account_id=terms.account_id,
        instrument=instrument.symbol,
        contract_id=terms.contract_id,
        side=terms.side.value,
        quantity=terms.quantity,
        filled_quantity=order.filled_quantity,
        order_type=terms.order_type.value,
        limit_price=_price(instrument, terms.limit_ticks),
        stop_price=_price(instrument, terms.stop_ticks),
        status=order_status(order),
        average_fill_price=_average_fill(instrument, order),
        stop_loss=shown_leg(instrument, [leg for leg in legs if leg.role is Role.STOP]),
        take_profit=shown_leg(instrument, [*working, *targets]),
        targets=leg_rows(instrument, working),
        broker_order_id=order.broker_order_id,
        breaches=tuple(breach_row(breach) for breach in order.breaches),
        source=EXTERNAL if order.role is Role.EXTERNAL else order.instance_id,
        timestamps=Timestamps(_instant(order.received_ns), _instant(order.decided_ns), _instant(order.updated_ns)),
        reason=order.reason,
        passed=order.passed,
    )


def position_row(group: Group, account: Account, contract_id: str, market: Market) -> PositionRow:
    """A flat position has a row too: the last one told of it."""
    instrument, position = group.instruments[contract_id], account.position(contract_id)
    quote = market.fresh(contract_id, group.limits.quote_age_ms_max)
    mark = mark_ticks(quote, position.net) if quote is not None and position.net else None
    closing = Side.SELL if position.net > 0 else Side.BUY
    orders = [order for order in account.live_orders(contract_id) if position.net and order.terms.side is closing]
    stops = sorted(
        (order for order in orders if order.terms.stop_ticks is not None),
        key=lambda order: (order.terms.stop_ticks or 0) * -closing.opposite.sign,
    )
    targets = nearest_first((order for order in orders if order.role is Role.TARGET), closing.opposite)
    cover = account.covers.get(contract_id) if position.net else None
    average = average_price(instrument, position.average) if position.net else None
    unrealized = None if mark is None else open_usd(instrument, position, mark)
    return PositionRow(
        position_id=f"{account.account_id}:{contract_id}",
        account_id=account.account_id,
        instrument=instrument.symbol,
        symbol=instrument.symbol,
        contract_id=contract_id,
        side="LONG" if position.net > 0 else "SHORT" if position.net < 0 else "FLAT",
        quantity=abs(position.net),
        net_position=position.net,
        average_price=average,
        avg_price=average,
        current_price=_price(instrument, mark),
        unrealized_pnl=unrealized,
        net_pnl=None if unrealized is None else unrealized - 2 * instrument.fee_usd * abs(position.net),
        stop_loss=shown_leg(instrument, stops),
        take_profit=shown_leg(instrument, targets),
        stops=leg_rows(instrument, stops),
        targets=leg_rows(instrument, targets),
        protected=cover is not None and cover.state is Cover.PROTECTED,
        protection=None
        if cover is None
        else CoverRow(cover.state.value, cover.uncovered, utc_text(cover.since_ns), cover.cause),
        stop_moves=tuple(word for entry in account.orders.book(contract_id).entries() for word in stop_moves(entry)),
    )


def account_row(group: Group, account: Account, market: Market) -> AccountRow:
    found = figures(group, account, market)
    pnl = found.day_pnl
    open_pnl = None if pnl is None else pnl - governing_realized(account) + account.day.carried_usd
    locked = account.locked_until_ns > 0
    alone = if_we_die_row(group, account, market)
    return AccountRow(
        id=account.account_id,
        account_id=account.account_id,
        name=account.name,
        balance=account.balance_usd,
        can_trade=account.can_trade,
        can_cancel=not account.no_cancel,
        bracket_mode=(account.bracket_mode or group.bracket_mode).value,
        equity=None if open_pnl is None else account.balance_usd + open_pnl,
        day_pnl=pnl,
        day_pnl_at_stops=found.day_pnl_at_stops,
        if_we_die=alone.worst,
        if_we_die_bounded=alone.bounded,
        daily_loss_limit=group.limits.daily_loss_usd_max,
        open_orders=found.open_orders,
        passed_orders=account.day.passed,
        exposures=exposure_rows(group, account),
        trading_state=LOCKED if locked else account.trading_state.value,
        reason=_reason(group, account),
        locked_until=_instant(account.locked_until_ns),
        trading_day=account.day.name,
        link_up=group.link_up,
    )


def _reason(group: Group, account: Account) -> str:
    """What keeps new risk out."""
    found = standing(group, account)
    return account.unexplained if found is None else found.message


def exposure_rows(group: Group, account: Account) -> tuple[ExposureRow, ...]:
    contracts = dict.fromkeys((*account.positions, *(order.terms.contract_id for order in account.live_orders())))
    return tuple(
        ExposureRow(
            instrument=group.instruments[contract_id].symbol,
            contract_id=contract_id,
            worst_long=worst_position(account, contract_id, Side.BUY, 0),
            worst_short=worst_position(account, contract_id, Side.SELL, 0),
        )
        for contract_id in contracts
    )


def is_of_today(account: Account, fill: AppliedFill) -> bool:
    """Whether it is listed: a fill belongs to the trading day of its exchange time."""
    return fill.at_ns >= account.day.opened_ns and fill.quantity > 0


def fill_row(group: Group, account: Account, fill: AppliedFill) -> FillRow:
    """A fill that is counted, or was until it was busted."""
    instrument, order = group.instruments[fill.contract_id], account.order(fill.order_id)
    return FillRow(
        fill_id=fill.fill_id,
        account_id=account.account_id,
        order_id=fill.order_id,
        instrument=instrument.symbol,
        contract_id=fill.contract_id,
        side=fill.side.value,
        quantity=fill.quantity,
        price=instrument.price(fill.price_ticks),
        fee=fill.fee_usd,
        realized_pnl=fill.realized_usd,
        purpose=(order.role if order is not None else Role.EXTERNAL).value,
        at=utc_text(fill.at_ns),
        busted=fill.busted,
    )


def price_rows(group: Group, quotes: dict[str, Quote]) -> dict[str, PriceRow]:
    """By symbol, of age 0."""
    return {
        symbol: price_row(instrument, quotes[instrument.contract_id])
        for symbol, instrument in active(group).items()
        if instrument.contract_id in quotes
    }


def price_row(instrument: Instrument, quote: Quote) -> PriceRow:
    """The price as it was told, of age 0; see ``aged``."""
    return PriceRow(
        symbol=instrument.symbol,
        contract_id=instrument.contract_id,
        bid=_price(instrument, quote.bid_ticks),
        ask=_price(instrument, quote.ask_ticks),
        last=_price(instrument, quote.last_ticks),
        timestamp=quote.at_ns // _MS_NS,
        age_ms=0,
    )


def aged(row: PriceRow, now_ns: int) -> PriceRow:
    """``row`` with its age at ``now_ns``."""
    return replace(row, age_ms=max(0, now_ns // _MS_NS - row.timestamp))


def instrument_rows(group: Group) -> list[InstrumentRow]:
    """The contracts that can be traded now, by symbol."""
    return [
        InstrumentRow(
            symbol=symbol,
            contract_id=instrument.contract_id,
            name=instrument.name,
            tick_size=instrument.tick_size,
            tick_value=instrument.tick_value_usd,
            point_value=instrument.tick_value_usd / instrument.tick_size,
            default_stop_points=instrument.tick_size * instrument.stop_ticks_default,
            fee=instrument.fee_usd,
            is_active=True,
            allowed=symbol in group.limits.allowed_symbols,
        )
        for symbol, instrument in sorted(active(group).items())
    ]


def trading_status(group: Group) -> TradingStatus:
    accounts = [account for account in group.accounts.values() if account.adopted]
    exits = [running for account in accounts for running in account.exits.values()]
    return TradingStatus(
        locked=bool(exits),
        current_operation=exits[0].cause if exits else None,
        can_trade=group.link_up and any(not _reason(group, account) for account in accounts),
    )


def if_we_die_rows(group: Group, quotes: dict[str, Quote], now_ns: int) -> list[IfWeDieRow]:
    """Each account, left alone from now on."""
    market = Market(quotes, now_ns)
    adopted = sorted((a for a in group.accounts.values() if a.adopted), key=lambda account: account.account_id)
    return [if_we_die_row(group, account, market) for account in adopted]


def if_we_die_row(group: Group, account: Account, market: Market) -> IfWeDieRow:
    """One account, left alone from now on."""
    rows = tuple(
        UnattendedRow(
            group.instruments[one.contract_id].symbol,
            one.contract_id,
            one.net,
            one.uncovered,
            one.opening,
            one.worst_usd,
            one.bounded,
        )
        for one in unattended(group, account, market)
    )
    known = [row.worst for row in rows if row.worst is not None]
    worst = sum(known, Decimal(0)) if len(known) == len(rows) else None
    return IfWeDieRow(account.account_id, worst, all(row.bounded for row in rows), rows)


def breach_row(breach: Breach) -> BreachRow:
    return BreachRow(breach.code, _figure(breach.limit), _figure(breach.actual), breach.message)


def _average_fill(instrument: Instrument, order: Order) -> Decimal | None:
    if not order.filled_quantity or not order.fill_ticks:
        return None  # without ticks: filled before we knew the order, at prices nobody told us
    return average_price(instrument, Fraction(order.fill_ticks, order.filled_quantity))


def _price(instrument: Instrument, ticks: int | None) -> Decimal | None:
    return None if ticks is None else instrument.price(ticks)


def _instant(at_ns: int) -> str | None:
    return utc_text(at_ns) if at_ns else None


def _figure(text: str) -> Decimal | str:
    return Decimal(text) if _NUMBER.fullmatch(text) else text
