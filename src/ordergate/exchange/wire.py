"""Our orders, fills, positions and quotes as the API's messages, and its instants as ours. PURE.

REST instants have up to 6 fractional digits, hub instants up to 7, trailing zeros trimmed (section 5).
"""

from __future__ import annotations

import datetime
from collections.abc import Collection
from decimal import ROUND_HALF_EVEN, Decimal

import msgspec

from ordergate.exchange.accounts import Account, Fill, Position
from ordergate.exchange.enums import DomType, OrderSide, PositionType
from ordergate.exchange.listing import Contract
from ordergate.exchange.market import Bar, Market
from ordergate.exchange.models import (
    AccountModel,
    BarModel,
    ContractModel,
    DepthModel,
    OrderModel,
    PositionModel,
    PrintModel,
    QuoteModel,
    TradeModel,
)
from ordergate.exchange.orders import Order
from ordergate.exchange.turn import Tick
from ordergate.exchange.variants import Variant

REST_DIGITS = 6
HUB_DIGITS = 7

_AVERAGE_PLACES = Decimal("1e-9")  # docs print up to 9 fractional digits (section 5)
_PERCENT_PLACES = Decimal("0.01")
_INSTANT_NS_MAX = 2**63 - 1  # year 2262: nothing is later


def number(value: Decimal) -> Decimal:
    """The same value without trailing zeros or exponent, as ``29423`` (section 5)."""
    plain = (value + 0).normalize()
    return plain.quantize(Decimal(1)) if plain == plain.to_integral_value() else plain


def instant(at_ns: int, digits: int) -> str:
    """An instant in ISO 8601 with ``+00:00``."""
    seconds, rest_ns = divmod(at_ns, 1_000_000_000)
    whole = datetime.datetime.fromtimestamp(seconds, datetime.UTC).strftime("%Y-%m-%dT%H:%M:%S")
    fraction = f"{rest_ns:09d}"[:digits].rstrip("0")
    return f"{whole}.{fraction}+00:00" if fraction else f"{whole}+00:00"


def instant_ns(text: str) -> int:
    """Nanoseconds UTC of an ISO 8601 instant; without an offset it is UTC. Raises ``ValueError``."""
    read = datetime.datetime.fromisoformat(text)
    utc = read if read.tzinfo is not None else read.replace(tzinfo=datetime.UTC)
    since = utc - datetime.datetime(1970, 1, 1, tzinfo=datetime.UTC)
    at_ns = (since.days * 86_400 + since.seconds) * 1_000_000_000 + since.microseconds * 1_000
    return max(-_INSTANT_NS_MAX, min(at_ns, _INSTANT_NS_MAX))


def without_nulls(model: msgspec.Struct) -> dict[str, object]:
    """A message's members by their names on the wire, less those that are null: as hubs send them (section 8.4)."""
    members: dict[str, object] = msgspec.to_builtins(model, builtin_types=(Decimal,))
    return {name: value for name, value in members.items() if value is not None}


def account_model(account: Account, variants: Collection[Variant]) -> AccountModel:
    """Every account of this exchange is visible, and simulated unless they are said to be live."""
    return AccountModel(
        id=account.account_id,
        name=account.name,
        balance=number(account.balance_usd),
        can_trade=account.can_trade,
        is_visible=True,
        simulated=Variant.LIVE_FUNDED not in variants,
    )


def contract_model(contract: Contract, *, is_active: bool) -> ContractModel:
    product = contract.product
    return ContractModel(
        id=contract.contract_id,
        name=contract.name,
        description=product.description,
        tick_size=number(product.tick_size),
        tick_value=number(product.tick_value_usd),
        active_contract=is_active,
        symbol_id=product.symbol_id,
    )


def order_model(order: Order, contract: Contract, digits: int) -> OrderModel:
    """``linkedOrderId`` stands on a target only, and names its stop (section 6).

    A trailing stop's ``trailPrice`` is its distance in price, ``trailDistance`` in ticks, and ``stopPrice`` where it is
    now. UNVERIFIED: the last two.
    """
    average = order.average_ticks
    is_target = order.parent_id is not None and order.sibling_id is not None and order.sibling_id < order.order_id
    return OrderModel(
        id=order.order_id,
        account_id=order.account_id,
        contract_id=order.contract_id,
        symbol_id=contract.product.symbol_id,
        creation_timestamp=instant(order.created_ns, digits),
        update_timestamp=instant(order.updated_ns, digits),
        status=order.status,
        type=order.type,
        side=order.side,
        size=order.quantity,
        limit_price=None if order.limit_ticks is None else number(contract.price(order.limit_ticks)),
        stop_price=None if order.stop_ticks is None else number(contract.price(order.stop_ticks)),
        fill_volume=order.filled_quantity,
        filled_price=None if average is None else _average(average, contract),
        custom_tag=order.tag,
        trail_distance=order.trail_ticks,
        trail_price=None if order.trail_ticks is None else number(contract.price(order.trail_ticks)),
        parent_order_id=order.parent_id,
        linked_order_id=order.sibling_id if is_target else None,
    )


def with_trail(model: OrderModel, ticks: int, contract: Contract) -> OrderModel:
    """A bracket's leg with its distance, signed, as one report has it (section 6)."""
    return msgspec.structs.replace(model, trail_distance=ticks, trail_price=number(contract.price(ticks)))


def position_model(position: Position, contract: Contract, digits: int) -> PositionModel:
    """A flat position has type 0 and size 0, and keeps its average price (section 8.4)."""
    net = position.net_quantity
    return PositionModel(
        id=position.position_id,
        account_id=position.account_id,
        contract_id=position.contract_id,
        contract_display_name=contract.display_name,
        creation_timestamp=instant(position.opened_ns, digits),
        type=PositionType.LONG if net > 0 else PositionType.SHORT if net else PositionType.UNDEFINED,
        size=abs(net),
        average_price=_average(position.average_ticks, contract),
    )


def trade_model(fill: Fill, contract: Contract, digits: int, commission_usd: Decimal) -> TradeModel:
    """``commission_usd`` is for each contract, out of its fee: how the service splits them is not known (13, 16)."""
    commissions = commission_usd * fill.quantity
    return TradeModel(
        id=fill.fill_id,
        account_id=fill.account_id,
        contract_id=fill.contract_id,
        creation_timestamp=instant(fill.at_ns, digits),
        price=number(contract.price(fill.price_ticks)),
        profit_and_loss=None if fill.pnl_usd is None else number(fill.pnl_usd),
        fees=number(fill.fee_usd - commissions),
        commissions=number(commissions),
        side=fill.side,
        size=fill.quantity,
        voided=fill.voided,
        order_id=fill.order_id,
    )


def bar_model(bar: Bar, contract: Contract) -> BarModel:
    return BarModel(
        t=instant(bar.start_ns, REST_DIGITS),
        o=number(contract.price(bar.open)),
        h=number(contract.price(bar.high)),
        l=number(contract.price(bar.low)),
        c=number(contract.price(bar.close)),
        v=bar.volume,
    )


def quote(market: Market, contract: Contract) -> dict[str, object]:
    """A full GatewayQuote. ``change`` is against the last price of the trading day before. UNVERIFIED: symbolName."""
    change = market.last - market.settlement
    percent = Decimal(100 * change) / market.settlement if market.settlement else Decimal(0)
    moved = instant(market.moved_ns, HUB_DIGITS)
    return without_nulls(
        QuoteModel(
            symbol=contract.product.symbol_id,
            symbol_name=f"/{contract.product.symbol}",
            last_price=number(contract.price(market.last)),
            best_bid=number(contract.price(market.bid)),
            best_ask=number(contract.price(market.ask)),
            change=number(contract.price(change)),
            change_percent=number(percent.quantize(_PERCENT_PLACES, ROUND_HALF_EVEN)),
            open=number(contract.price(market.open)),
            high=number(contract.price(market.high)),
            low=number(contract.price(market.low)),
            volume=market.volume,
            last_updated=moved,
            timestamp=moved,
            contract=contract.contract_id,
        )
    )


def quote_changes(tick: Tick, contract: Contract) -> dict[str, object] | None:
    """The GatewayQuote of one step: what changed, and what is always there (section 8.5); None if nothing changed.

    New sizes at old prices are told by the prices: the market was quoted, so it is not old. UNVERIFIED: compare how
    often a quiet contract is quoted live.
    """
    before, after = quote(tick.before, contract), quote(tick.after, contract)
    constant = ["symbol", "lastUpdated", "timestamp", "contract"]
    always = [*constant, "bestBid", "bestAsk"] if tick.before.quote != tick.after.quote else constant
    changed = {name: value for name, value in after.items() if name in always or before[name] != value}
    return changed if len(changed) > len(constant) else None


def prints(tick: Tick, contract: Contract) -> list[PrintModel]:
    """The GatewayTrade array of one step; empty if nothing traded."""
    return [
        PrintModel(
            symbol_id=contract.product.symbol_id,
            price=number(contract.price(trade.price)),
            timestamp=instant(trade.at_ns, HUB_DIGITS),
            type=trade.side,
            volume=trade.quantity,
            contract_id=contract.contract_id,
        )
        for trade in tick.prints
    ]


def depth(tick: Tick, contract: Contract, *, by_change: bool) -> list[DepthModel]:
    """The GatewayDepth array of one step: the levels that changed, a size of 0 for one that is gone; then the best.

    ``by_change``: ``volume`` is by how much a level changed. UNVERIFIED, as how many levels there are, and that the
    best are told beside the levels.
    """
    changed = []
    for side in OrderSide:
        before, after = (_book(market, side) for market in (tick.before, tick.after))
        for price in sorted({*before, *after}):
            size, was = after.get(price, 0), before.get(price, 0)
            if size != was:
                model = _level(tick.after, contract, _LEVELS[side], price, size)
                changed.append(msgspec.structs.replace(model, volume=size - was) if by_change else model)
    return changed + _best(tick.before, tick.after, contract)


def whole_depth(market: Market, contract: Contract) -> list[DepthModel]:
    """The GatewayDepth array that builds a book from nothing: a reset, then every level."""
    levels = [
        _level(market, contract, _LEVELS[side], price, size)
        for side in OrderSide
        for price, size in _book(market, side).items()
    ]
    return [_level(market, contract, DomType.RESET, 0, 0), *levels, *_best(None, market, contract)]


_DEPTH_LEVELS = 10
_LEVELS = {OrderSide.BID: DomType.BID, OrderSide.ASK: DomType.ASK}
_BESTS = {
    OrderSide.BID: (DomType.BEST_BID, DomType.NEW_BEST_BID),
    OrderSide.ASK: (DomType.BEST_ASK, DomType.NEW_BEST_ASK),
}


def _book(market: Market, side: OrderSide) -> dict[int, int]:
    """The size of each level on ``side`` by its price in ticks."""
    return dict(market.quote.levels(side, _DEPTH_LEVELS))


def _best(before: Market | None, after: Market, contract: Contract) -> list[DepthModel]:
    """The best of each side that has changed."""
    told = []
    for side, (same_price, new_price) in _BESTS.items():
        price, size = after.quote.touch(side)
        was = None if before is None else before.quote.touch(side)
        if was != (price, size):
            kind = new_price if was is not None and was[0] != price else same_price
            told.append(_level(after, contract, kind, price, size))
    return told


def _level(market: Market, contract: Contract, kind: DomType, price: int, size: int) -> DepthModel:
    return DepthModel(
        contract_id=contract.contract_id,
        timestamp=instant(market.moved_ns, HUB_DIGITS),
        type=kind,
        price=number(contract.price(price)),
        volume=size,
        current_volume=size,
    )


def _average(ticks: Decimal, contract: Contract) -> Decimal:
    return number((ticks * contract.product.tick_size).quantize(_AVERAGE_PLACES, ROUND_HALF_EVEN))
