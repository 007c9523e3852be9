"""The rows that requests are answered with. Pure functions of the copied state and the prices.

Invariant: what is not known is null, never a number that stands for it.
"""

from __future__ import annotations

from collections.abc import Iterable
from decimal import Decimal

from ordergate.bus import requests as r
from ordergate.bus.messages import MANUAL_INSTANCES
from ordergate.bus.prices import average_price, position_id, price
from ordergate.core.account import Account, Group
from ordergate.core.instrument import Instrument
from ordergate.core.market import Market
from ordergate.core.order import Order, OrderType, Role, Side
from ordergate.core.pnl import mark_ticks, open_usd
from ordergate.core.sessions import utc_text
from ordergate.dialect.telling import status_word

_SIMULATED_VENUE = "sim"
_MS_NS = 1_000_000
_CENT = Decimal("0.01")


def accounts(group: Group) -> list[r.AccountTold]:
    simulated = group.venue == _SIMULATED_VENUE
    return [
        r.AccountTold(account.account_id, account.name, account.balance_usd, account.can_trade, True, simulated)  # noqa: FBT003 - a row
        for account in _adopted(group)
    ]


def contracts(group: Group, *, active_only: bool) -> list[r.ContractTold]:
    """Contracts in the order in which the broker listed them."""
    return [_contract(one) for one in group.instruments.values() if one.active or not active_only]


def positions(group: Group, market: Market, account_id: int | None) -> list[r.PositionTold]:
    """What is held, in one account or (None) in all."""
    return [
        _position(group, account, contract_id, market)
        for account in _adopted(group)
        if account_id in (None, account.account_id)
        for contract_id in account.positions
    ]


def working_orders(group: Group, instance_id: str | None) -> list[r.WorkingOrder]:
    """Orders that may still fill, the oldest first. ``instance_id`` None = of whoever.

    A leg is its entry's, and the manual pages of both generations are one desk.
    """
    asked = MANUAL_INSTANCES if instance_id in MANUAL_INSTANCES else (instance_id,)
    return [
        _working(group.instruments[order.terms.contract_id], order)
        for account in _adopted(group)
        for order in account.live_orders()
        if instance_id is None or _sender(account, order) in asked
    ]


def statistics(account: Account) -> r.Statistics:
    """The trading day of an account; see ``requests.Statistics``."""
    closed = [
        fill.realized_usd
        for fill in account.fills.values()
        if fill.realized_usd is not None and not fill.busted and fill.at_ns >= account.day.opened_ns
    ]
    wins, losses = [usd for usd in closed if usd > 0], [-usd for usd in closed if usd < 0]
    won, lost = sum(wins, Decimal(0)), sum(losses, Decimal(0))
    return r.Statistics(
        total_trades=len(closed),
        win_rate=_ratio(Decimal(100 * len(wins)), len(closed)),
        total_pnl=account.day.realized_usd,
        profit_factor=_ratio(won, lost),
        average_win=_ratio(won, len(wins)),
        average_loss=_ratio(lost, len(losses)),
        gross_profit=won,
        gross_loss=lost,
        winning_trades=len(wins),
        losing_trades=len(losses),
        largest_win=max(wins, default=Decimal(0)),
        largest_loss=max(losses, default=Decimal(0)),
    )


def _adopted(group: Group) -> Iterable[Account]:
    return (account for account in group.accounts.values() if account.adopted)


def _contract(instrument: Instrument) -> r.ContractTold:
    # CON.F.US.MES.Z26 is the December 2026 contract of F.US.MES (ProjectX API notes).
    symbol = instrument.contract_id.removeprefix("CON.").rpartition(".")[0]
    return r.ContractTold(
        contract_id=instrument.contract_id,
        symbol=symbol,
        name=instrument.symbol,
        exchange=None,
        tick_size=instrument.tick_size,
        point_value=instrument.tick_value_usd / instrument.tick_size,
        currency="USD",
        expiration_date=None,
        is_active=instrument.active,
        contract_type="FUTURE",
        description=instrument.name,
    )


def _position(group: Group, account: Account, contract_id: str, market: Market) -> r.PositionTold:
    instrument, position = group.instruments[contract_id], account.position(contract_id)
    quote = market.fresh(contract_id, group.limits.quote_age_ms_max)
    mark = None if quote is None else mark_ticks(quote, position.net)
    closing = Side.SELL if position.net > 0 else Side.BUY
    closers = [order for order in account.live_orders(contract_id) if order.terms.side is closing]
    stops = [order.terms.stop_ticks for order in closers if order.terms.stop_ticks is not None]
    targets = [
        order.terms.limit_ticks
        for order in closers
        if order.role is Role.TARGET and order.terms.limit_ticks is not None
    ]
    # The first to fill: of a long the highest stop and the lowest target.
    first_stop, first_target = (max, min) if position.net > 0 else (min, max)
    return r.PositionTold(
        id=position_id(account.account_id, contract_id),
        account_id=account.account_id,
        contract_id=contract_id,
        position_size=position.net,
        size=abs(position.net),
        side=0 if position.net > 0 else 1,
        average_price=average_price(instrument, position.average),
        profit_and_loss=None if mark is None else open_usd(instrument, position, mark),
        stop_loss=price(instrument, first_stop(stops, default=None)),
        take_profit=price(instrument, first_target(targets, default=None)),
        entry_time=utc_text(position.opened_ns) if position.opened_ns else None,
    )


def _working(instrument: Instrument, order: Order) -> r.WorkingOrder:
    terms = order.terms
    return r.WorkingOrder(
        order_id=order.order_id,
        account_id=terms.account_id,
        contract_id=terms.contract_id,
        side=terms.side.value,
        quantity=terms.quantity,
        order_type=terms.order_type.value,
        price=price(instrument, terms.limit_ticks if terms.order_type is OrderType.LIMIT else terms.stop_ticks),
        status=status_word(order),
        timestamp=order.decided_ns // _MS_NS,
    )


def _sender(account: Account, order: Order) -> str:
    entry = account.order(order.parent_id)
    return order.instance_id if entry is None else entry.instance_id


def _ratio(above: Decimal, below: Decimal | int) -> Decimal:
    return (above / below).quantize(_CENT) if below else Decimal(0)
