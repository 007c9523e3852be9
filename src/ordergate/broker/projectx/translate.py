"""Pure conversion: the broker's rows to core reports, core terms to the broker's bodies.

Must never guess: an unknown enum value, an off-grid price, a number that is not finite raises ``InputRefused``, and
the caller reports it as ``Unreadable``.

Invariants:
1. A price enters as an exact number of ticks and leaves as an exact JSON number.
2. A fact keeps the broker's words: nothing is defaulted, rounded (but see ``position_report``) or left out.
"""

from __future__ import annotations

import enum
import re
from datetime import UTC, datetime, timedelta
from decimal import ROUND_HALF_EVEN, Decimal
from typing import TypeVar

from ordergate.broker.projectx import messages
from ordergate.core.contracts import PRODUCT_BY_ROOT, PRODUCTS
from ordergate.core.instrument import Instrument
from ordergate.core.order import OrderType, Side, Terms
from ordergate.core.reports import AccountReport, FillReport, OrderReport, OrderState, PositionReport, Quote
from ordergate.errors import InputRefused

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_INSTANT = re.compile(r"(\d{4}-\d{2}-\d{2}T\d{2}:\d{2}:\d{2})(?:\.(\d{1,9}))?(Z|[+-]\d{2}:\d{2})")

_STATES = {
    messages.OrderStatus.OPEN: OrderState.OPEN,
    messages.OrderStatus.PENDING: OrderState.OPEN,
    messages.OrderStatus.PENDING_CANCELLATION: OrderState.OPEN,
    messages.OrderStatus.SUSPENDED: OrderState.SUSPENDED,
    messages.OrderStatus.FILLED: OrderState.FILLED,
    messages.OrderStatus.CANCELLED: OrderState.CANCELLED,
    messages.OrderStatus.EXPIRED: OrderState.EXPIRED,
    messages.OrderStatus.REJECTED: OrderState.REJECTED,
}

# We place the first three. The others are a trader's own, from the broker's page, and must still be counted: each is
# read as the plain type it can end as. A stop-limit may stay unfilled: as a limit it counts, but covers nothing.
_TYPES = {
    messages.OrderType.LIMIT: OrderType.LIMIT,
    messages.OrderType.MARKET: OrderType.MARKET,
    messages.OrderType.STOP: OrderType.STOP,
    messages.OrderType.TRAILING_STOP: OrderType.STOP,
    messages.OrderType.STOP_LIMIT: OrderType.LIMIT,
    messages.OrderType.JOIN_BID: OrderType.LIMIT,
    messages.OrderType.JOIN_ASK: OrderType.LIMIT,
}

_WIRE_TYPES = {
    OrderType.LIMIT: messages.OrderType.LIMIT,
    OrderType.MARKET: messages.OrderType.MARKET,
    OrderType.STOP: messages.OrderType.STOP,
}

_SIDES = {messages.OrderSide.BID: Side.BUY, messages.OrderSide.ASK: Side.SELL}
_WIRE_SIDES = {side: wire for wire, side in _SIDES.items()}

# Of a product that is not in our table: fees are overrated rather than left out.
_FEE_USD_UNKNOWN = max(product.fee_usd for product in PRODUCTS)

_Enum = TypeVar("_Enum", bound=enum.IntEnum)


def instrument(row: messages.Contract) -> Instrument:
    """The broker's own record, with the product's symbol and fee from our table. Raises ``InputRefused``."""
    for value, field in ((row.tick_size, "tickSize"), (row.tick_value, "tickValue")):
        if _money(value, field) <= 0:
            raise InputRefused("NOT_POSITIVE", f"{field} {value} of {row.id[:64]} must be above 0", field)
    root = row.symbol_id.rpartition(".")[2]
    product = PRODUCT_BY_ROOT.get(root)
    return Instrument(
        contract_id=row.id,
        symbol=root if product is None else product.symbol,
        name=row.name,
        tick_size=row.tick_size,
        tick_value_usd=row.tick_value,
        fee_usd=_FEE_USD_UNKNOWN if product is None else product.fee_usd,
        active=row.active_contract,
    )


def contradiction(row: messages.Contract) -> str:
    """In what the broker's record of a contract differs from our table, if it does: one of the two misprices risk."""
    product = PRODUCT_BY_ROOT.get(row.symbol_id.rpartition(".")[2])
    if product is None or (product.tick_size, product.tick_value_usd) == (row.tick_size, row.tick_value):
        return ""
    return (
        f"{row.id[:64]}: the broker's tick is {row.tick_size} = ${row.tick_value}, ours {product.tick_size} = "
        f"${product.tick_value_usd}: nothing is opened in it until a newer ordergate knows which is right"
    )


def account_report(row: messages.Account) -> AccountReport:
    """Raises ``InputRefused``."""
    return AccountReport(row.id, row.name, _money(row.balance, "balance"), row.can_trade, no_cancel(row))


def no_cancel(row: messages.Account) -> str:
    """Why the account may cancel no order; empty where nothing says so.

    "Only simulated accounts that are not following another account can cancel" (ProjectX API notes, section 5.4,
    2026-11-22); it does not show who follows. Samples of before there was the member leave it out, and say nothing.
    """
    return "it is not a simulated account" if row.simulated is False else ""


def order_report(row: messages.Order, instrument: Instrument) -> OrderReport:
    """Prices are None where the broker gives none, as on a suspended bracket leg. Raises ``InputRefused``."""
    state = _STATES[_known(messages.OrderStatus, row.status, "status")]

    def ticks(price: Decimal | None, field: str) -> int | None:
        try:
            return None if price is None else instrument.ticks(price, field)
        except InputRefused:
            # A price off the grid is a reason for rejection, and the rejected order stays in every list of the day
            # (ProjectX API notes, section 4.1): its price means nothing, and must not hide the other rows.
            if state is OrderState.REJECTED:
                return None
            raise

    return OrderReport(
        account_id=row.account_id,
        broker_order_id=row.id,
        order_tag=row.custom_tag or None,
        contract_id=row.contract_id,
        side=_SIDES[_known(messages.OrderSide, row.side, "side")],
        order_type=_TYPES[_known(messages.OrderType, row.type, "type")],
        quantity=_quantity(row.size, "size"),
        limit_ticks=ticks(row.limit_price, "limitPrice"),
        stop_ticks=ticks(row.stop_price, "stopPrice"),
        state=state,
        filled_quantity=_quantity(row.fill_volume, "fillVolume"),
        created_ns=instant_ns(row.creation_timestamp),
        parent_id=row.parent_order_id,
    )


def fill_report(row: messages.Trade, instrument: Instrument) -> FillReport:
    """``fee_usd`` is fees plus commissions. Raises ``InputRefused``.

    UNVERIFIED: that the two are separate charges. The hub shows both on one fill (ProjectX API notes, section 5.6) and
    their sum agrees with the published round turn; compare a day's balance with its fills on a practice account.
    """
    fees = _money(row.fees, "fees") + _money(row.commissions or Decimal(0), "commissions")
    if fees < 0:
        raise InputRefused("NEGATIVE_FEE", f"fees {fees} are below 0", "fees")
    return FillReport(
        account_id=row.account_id,
        fill_id=row.id,
        broker_order_id=row.order_id,
        contract_id=row.contract_id,
        side=_SIDES[_known(messages.OrderSide, row.side, "side")],
        quantity=_quantity(row.size, "size"),
        price_ticks=instrument.ticks(row.price, "price"),
        fee_usd=fees,
        pnl_usd=None if row.profit_and_loss is None else _money(row.profit_and_loss, "profitAndLoss"),
        voided=row.voided,
        at_ns=instant_ns(row.creation_timestamp),
    )


def position_report(row: messages.Position, instrument: Instrument) -> PositionReport:
    """The cost is rounded to the nearest tick: the broker prints an average, cut after nine digits.

    Raises ``InputRefused``.
    """
    net = net_quantity(row)
    if net == 0:
        return PositionReport(row.account_id, row.contract_id, 0, 0)
    if row.average_price is None:
        raise InputRefused("NO_PRICE", f"a position of {row.size} contracts has no averagePrice", "averagePrice")
    cost = _money(row.average_price, "averagePrice") * net / instrument.tick_size
    return PositionReport(row.account_id, row.contract_id, net, int(cost.to_integral_value(ROUND_HALF_EVEN)))


def net_quantity(row: messages.Position) -> int:
    """The contracts of a position, signed, long positive. Raises ``InputRefused``."""
    kind = _known(messages.PositionType, row.type, "type")
    size = _quantity(row.size, "size")
    if size and kind is messages.PositionType.UNDEFINED:
        raise InputRefused("NO_DIRECTION", f"a position of {size} contracts is neither long nor short", "type")
    return -size if kind is messages.PositionType.SHORT else size


def merged_quote(known: Quote | None, row: messages.Quote, instrument: Instrument, at_ns: int) -> Quote:
    """``known`` with what ``row`` says; what it leaves out stays as it was. Raises ``InputRefused``."""

    def ticks(price: Decimal | None, before: int | None, field: str) -> int | None:
        return before if price is None else instrument.ticks(price, field)

    known = known or Quote(instrument.contract_id, None, None, None, at_ns)
    return Quote(
        contract_id=instrument.contract_id,
        bid_ticks=ticks(row.best_bid, known.bid_ticks, "bestBid"),
        ask_ticks=ticks(row.best_ask, known.ask_ticks, "bestAsk"),
        last_ticks=ticks(row.last_price, known.last_ticks, "lastPrice"),
        at_ns=at_ns,
        venue_ns=max(known.venue_ns, said_ns(row.timestamp)),
    )


def said_ns(text: str | None) -> int:
    """The time on a quote or an order's row; 0 where it has none that can be read: it proves nothing then."""
    try:
        return 0 if text is None else instant_ns(text)
    except InputRefused:
        return 0


def place_body(terms: Terms, order_tag: str, instrument: Instrument) -> messages.PlaceBody:
    """The whole order; what it has no price for is left out."""
    return messages.PlaceBody(
        account_id=terms.account_id,
        contract_id=terms.contract_id,
        type=_WIRE_TYPES[terms.order_type],
        side=_WIRE_SIDES[terms.side],
        size=terms.quantity,
        custom_tag=order_tag,
        limit_price=None if terms.limit_ticks is None else instrument.price(terms.limit_ticks),
        stop_price=None if terms.stop_ticks is None else instrument.price(terms.stop_ticks),
        stop_loss_bracket=_bracket(terms.stop_offset_ticks, messages.OrderType.STOP),
        take_profit_bracket=_bracket(terms.target_offset_ticks, messages.OrderType.LIMIT),
    )


def _bracket(ticks: int | None, kind: messages.OrderType) -> messages.BracketBody | None:
    return None if ticks is None else messages.BracketBody(ticks, kind)


def modify_body(terms: Terms, broker_order_id: int, instrument: Instrument) -> messages.ModifyBody:
    """The order's whole new look."""
    return messages.ModifyBody(
        account_id=terms.account_id,
        order_id=broker_order_id,
        size=terms.quantity,
        limit_price=None if terms.limit_ticks is None else instrument.price(terms.limit_ticks),
        stop_price=None if terms.stop_ticks is None else instrument.price(terms.stop_ticks),
    )


def instant_ns(text: str) -> int:
    """An instant of the broker's (up to 9 fractional digits) in nanoseconds UTC. Raises ``InputRefused``."""
    match = _INSTANT.fullmatch(text)
    if match is None:
        raise InputRefused("BAD_INSTANT", f"{text[:40]!r} is not an instant with a zone", "creationTimestamp")
    seconds, fraction, zone = match.groups()
    try:
        whole = datetime.fromisoformat(seconds + ("+00:00" if zone == "Z" else zone))
    except ValueError as error:
        raise InputRefused("BAD_INSTANT", f"{text[:40]!r}: {error}", "creationTimestamp") from error
    return (whole - _EPOCH) // timedelta(seconds=1) * 1_000_000_000 + int((fraction or "0").ljust(9, "0"))


def instant(at_ns: int) -> str:
    """Nanoseconds UTC as the broker writes an instant; digits below a microsecond are cut, so never later."""
    return (_EPOCH + timedelta(microseconds=at_ns // 1000)).isoformat(timespec="microseconds")


def _known(kind: type[_Enum], value: int, field: str) -> _Enum:
    try:
        return kind(value)
    except ValueError as error:
        raise InputRefused("UNKNOWN_VALUE", f"{field} {value} is no known {kind.__name__}", field) from error


def _quantity(value: int, field: str) -> int:
    if value < 0:
        raise InputRefused("NEGATIVE_QUANTITY", f"{field} {value} is below 0", field)
    return value


def _money(value: Decimal, field: str) -> Decimal:
    """A finite amount; ``"NaN"`` passes msgspec as a Decimal and ends here."""
    if not value.is_finite():
        raise InputRefused("NOT_FINITE", f"{field} must be a finite number", field)
    return value
