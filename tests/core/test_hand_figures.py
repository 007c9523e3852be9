"""The trades of docs/worked-examples.md: what was worked out by hand is what the core works out, to the cent."""

from __future__ import annotations

import datetime
from collections.abc import Sequence
from decimal import Decimal
from fractions import Fraction
from pathlib import Path

import pytest

from ordergate.core.commands import Leg
from ordergate.core.contracts import PRODUCT_BY_SYMBOL, active_month, contract_id, contract_name
from ordergate.core.instrument import Instrument
from ordergate.core.limits import Limits
from ordergate.core.order import Order, Role, Side
from ordergate.core.preview import MEASURES
from ordergate.core.reports import AccountReport, InstrumentsReport
from ordergate.core.worst import order_risk_usd
from tests.core.desk import ACCOUNT, Desk
from tests.core.examples import Wanted, proposed_at
from tests.core.hand_figures import (
    ACCOUNT_USD,
    AVERAGE,
    DAY_USD,
    QUANTITY,
    STOP_TICKS,
    STRESS_TICKS,
    TARGET_TICKS,
    TRADES,
    Trade,
)
from tests.core.hand_sums import sums

PAGES = Path(__file__).resolve().parents[2] / "docs"
EACH = pytest.mark.parametrize("trade", TRADES, ids=lambda trade: trade.symbol)
WAYS = pytest.mark.parametrize("side", Side)


def contract(symbol: str) -> Instrument:
    """The month of a product that is traded on the desk's day, by the code's own table."""
    product = PRODUCT_BY_SYMBOL[symbol]
    month = active_month(product, datetime.date(2026, 11, 23))
    size, value, fee = product.tick_size, product.tick_value_usd, product.fee_usd
    return Instrument(contract_id(product, *month), symbol, contract_name(product, *month), size, value, fee)


def ticks(price: Decimal, instrument: Instrument) -> int:
    return instrument.ticks(price, "price")


def desk_of(trade: Trade) -> tuple[Desk, Instrument]:
    """The account of the page, and the contract with its market one tick wide around the entry."""
    symbols = tuple(each.symbol for each in TRADES)
    desk = Desk(Limits(allowed_symbols=symbols, daily_loss_usd_max=DAY_USD), balance=str(ACCOUNT_USD))
    instrument = contract(trade.symbol)
    desk.feed(InstrumentsReport((instrument,)))
    return desk, instrument


def test_there_are_the_six_micros_and_their_parents() -> None:
    assert [trade.symbol for trade in TRADES] == (
        ["MES", "ES", "MNQ", "NQ", "M2K", "RTY", "MYM", "YM", "MGC", "GC", "MCL", "CL"]
    )


@EACH
def test_a_contract_is_worth_what_the_broker_lists(trade: Trade) -> None:
    instrument = contract(trade.symbol)
    assert (instrument.tick_size, instrument.tick_value_usd) == (trade.tick_size, trade.tick_usd)
    assert instrument.tick_value_usd / instrument.tick_size == trade.point_usd
    assert instrument.fee_usd == trade.fee_usd


@EACH
def test_money_of_a_move_is_as_worked_out(trade: Trade) -> None:
    instrument = contract(trade.symbol)
    assert instrument.money(STOP_TICKS, QUANTITY) == trade.lost
    assert instrument.money(TARGET_TICKS, QUANTITY) == trade.made
    assert instrument.money(STRESS_TICKS, QUANTITY) == trade.stress
    assert instrument.money(ticks(trade.entry, instrument), QUANTITY) == trade.value
    assert order_risk_usd(instrument, STOP_TICKS, QUANTITY) == trade.lost + trade.fees == -trade.net_loss


@EACH
def test_the_rules_measure_the_order_as_worked_out(trade: Trade) -> None:
    desk, instrument = desk_of(trade)
    entry = ticks(trade.entry, instrument)
    desk.quote(instrument, entry - 1, entry)
    plain = proposed_at(desk, Wanted(Side.BUY, QUANTITY, instrument))
    bare = proposed_at(desk, Wanted(Side.BUY, QUANTITY, instrument, stop=Leg.OFF))
    assert plain.risk_usd == trade.lost + trade.fees
    assert bare.risk_usd == trade.stress + trade.fees
    measured = MEASURES["DAILY_LOSS_LIMIT"](plain)
    assert measured is not None
    assert measured.actual == -trade.net_loss


@EACH
@WAYS
def test_the_day_of_a_losing_trade_is_as_worked_out(trade: Trade, side: Side) -> None:
    desk, instrument = desk_of(trade)
    stop, _ = entered(desk, instrument, side, [trade.entry, trade.entry], trade.fee_usd)
    assert stop.terms.stop_ticks == ticks(mirrored(trade.entry, trade.stop, side), instrument)
    assert closed(desk, instrument, stop, trade) == (trade.net_loss, trade.net_loss)


@EACH
@WAYS
def test_the_day_of_a_winning_trade_is_as_worked_out(trade: Trade, side: Side) -> None:
    desk, instrument = desk_of(trade)
    _, target = entered(desk, instrument, side, [trade.entry, trade.entry], trade.fee_usd)
    assert target.terms.limit_ticks == ticks(mirrored(trade.entry, trade.target, side), instrument)
    assert closed(desk, instrument, target, trade) == (trade.net_gain, trade.net_gain)


@WAYS
def test_an_average_between_two_ticks_is_as_worked_out(side: Side) -> None:
    trade = TRADES[0]
    first, second = AVERAGE.fills
    fills = [first, second] if side is Side.BUY else [mirrored(first, first, side), mirrored(first, second, side)]
    for role, level, net in ((0, AVERAGE.stop, AVERAGE.net_loss), (1, AVERAGE.target, AVERAGE.net_gain)):
        desk, instrument = desk_of(trade)
        leg = entered(desk, instrument, side, fills, trade.fee_usd)[role]
        price = leg.terms.limit_ticks if leg.terms.stop_ticks is None else leg.terms.stop_ticks
        assert price == ticks(mirrored(first, level, side), instrument)
        if side is Side.BUY:
            average = desk.account.position(instrument.contract_id).average
            assert average * Fraction(trade.tick_size) == Fraction(AVERAGE.average)
        assert closed(desk, instrument, leg, trade) == (net, net)


@pytest.mark.parametrize("name", ["rules.md", "worked-examples.md"])
def test_every_sum_of_the_pages_is_right(name: str) -> None:
    found = sums((PAGES / name).read_text(encoding="utf-8"))
    assert [by_hand for by_hand, _ in found] == [figure for _, figure in found]
    assert len(found) > 30


def test_a_wrong_sum_is_seen() -> None:
    assert sums("label   2 x 40 x 1.25 = 100.00") == [(Decimal(100), Decimal("100.00"))]
    assert sums("`-1,000.00 - 5.60 = -1,005.60`, at the limit") == [(Decimal("-1005.6"), Decimal("-1005.60"))]
    assert sums("`(1 + 3) / 2 = 3`") == [(Decimal(2), Decimal(3))]
    assert sums("`max_risk = 100`") == []


def mirrored(entry: Decimal, level: Decimal, side: Side) -> Decimal:
    """Where a level of a long stands for a short from the same entry."""
    return level if side is Side.BUY else 2 * entry - level


def entered(
    desk: Desk, instrument: Instrument, side: Side, prices: Sequence[Decimal], fee_usd: Decimal
) -> tuple[Order, Order]:
    """An order at the market with the default bracket, filled contract by contract: its stop and its target at rest."""
    first = ticks(prices[0], instrument)
    desk.quote(instrument, *((first - 1, first) if side is Side.BUY else (first, first + 1)))
    assert desk.submit("trade", side, QUANTITY, instrument=instrument).ok
    desk.accept("trade")
    for price in prices:
        desk.fill("trade", 1, ticks(price, instrument), fee_usd=fee_usd)
    for role in (Role.STOP, Role.TARGET):
        desk.accept(*(leg.order_id for leg in desk.legs("trade", role)))
        desk.wait(300)
        for leg in desk.legs("trade", role):
            if leg.change is not None:
                desk.modified(leg.order_id)
    return desk.stop("trade"), desk.target("trade")


def closed(desk: Desk, instrument: Instrument, leg: Order, trade: Trade) -> tuple[Decimal | None, Decimal | None]:
    """The day's P&L once ``leg`` has filled at its own price: ours, and with the balance that the broker tells."""
    price = leg.terms.limit_ticks if leg.terms.stop_ticks is None else leg.terms.stop_ticks
    assert price is not None
    assert leg.terms.quantity == QUANTITY
    desk.fill(leg.order_id, price=price, fee_usd=trade.fee_usd * QUANTITY)
    assert desk.net(instrument) == 0
    ours = desk.account.day.realized_usd
    desk.feed(AccountReport(ACCOUNT, "PRACTICE-1", ACCOUNT_USD + ours, can_trade=True))
    return ours, desk.figures().day_pnl
