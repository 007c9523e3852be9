"""The firm behind the exchange: the numbers are the invariants of ``exchange.topstep``. The market is 1,000 at 1,001.

One tick of MES is 1.25 US dollars, a fill of one contract costs 0.36.
"""

from __future__ import annotations

import datetime
from decimal import Decimal
from typing import Any
from zoneinfo import ZoneInfo

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from ordergate.errors import StartRefused
from ordergate.exchange import topstep
from ordergate.exchange.accounts import Account
from ordergate.exchange.enums import OrderSide, OrderStatus, OrderType, PlaceCode
from ordergate.exchange.firm import Firm
from ordergate.exchange.models import ModifyRequest, PlaceRequest
from ordergate.exchange.settings import ExchangeSettings
from ordergate.exchange.topstep import FOR_EVER, PLANS, Breach
from ordergate.exchange.variants import Variant
from tests.exchange.support import ACCOUNT, MES, OTHER_ACCOUNT, Desk

BUY, SELL = OrderSide.BID, OrderSide.ASK
START = Decimal(50_000)
PLAN = PLANS[START]
MARKET = PlaceRequest(ACCOUNT, MES, OrderType.MARKET, BUY, 1)
cents = st.integers(40_000_00, 70_000_00).map(lambda value: Decimal(value) / 100)


def watched(**settings: Any) -> tuple[Desk, Firm]:
    desk = Desk(topstep=True, **settings)
    firm = Firm(desk.settings, desk.venue, desk.clock)
    firm.step()
    return desk, firm


def moved(desk: Desk, firm: Firm, bid: int) -> None:
    desk.market(bid, bid + 1, [bid])
    firm.step()


def account(desk: Desk, account_id: int = ACCOUNT) -> Account:
    return desk.venue.book.accounts[account_id]


def at_chicago(desk: Desk, day: int, hour: int, minute: int) -> None:
    wall = datetime.datetime(2026, 11, day, hour, minute, tzinfo=ZoneInfo("America/Chicago"))
    desk.clock.at_ns = int(wall.timestamp()) * 1_000_000_000


@given(days=st.lists(cents, min_size=1, max_size=20))
def test_the_floor_rises_with_the_ends_of_days_never_falls_and_stops_at_the_start(days: list[Decimal]) -> None:
    known, floors = Account(ACCOUNT, "a", START), list[Decimal]()
    for number, balance in enumerate(days):
        known = topstep.at_start_of(f"2026-01-{number + 1:02d}", msgspec.structs.replace(known, balance_usd=balance))
        floors.append(topstep.floor_usd(PLAN, START, known.high_usd))
    assert floors == sorted(floors)
    assert floors == [min(START, max(START, *days[: number + 1]) - PLAN.max_loss_usd) for number in range(len(days))]


@pytest.mark.parametrize(
    ("equity", "found"),
    [("49000.01", None), ("49000", Breach.DAILY_LOSS), ("48000.01", Breach.DAILY_LOSS), ("48000", Breach.MAX_LOSS)],
)
def test_a_limit_is_broken_where_it_is_touched(equity: str, found: Breach | None) -> None:
    known = topstep.at_start_of("2026-11-23", Account(ACCOUNT, "a", START))
    assert topstep.breach(known, PLAN, START, Decimal(equity) - START) is found


def test_the_daily_loss_counts_what_is_open_closes_everything_and_locks_until_the_next_day() -> None:
    desk, firm = watched()
    desk.place(BUY, 10, loss=-900, profit=900)
    waiting = desk.place(BUY, 1, limit=900)
    moved(desk, firm, 1_001 - 79)  # 10 x 79 ticks and the fees: 991.10 down
    assert (desk.net(), account(desk).can_trade) == (10, True)
    moved(desk, firm, 1_001 - 80)
    assert (desk.net(), account(desk).can_trade, account(desk, OTHER_ACCOUNT).can_trade) == (0, False, True)
    assert desk.order(waiting).status is OrderStatus.CANCELLED
    assert desk.venue.book.orders == {}
    answer = desk.venue.place(MARKET)
    assert (answer.code, answer.order_id) == (PlaceCode.ACCOUNT_VIOLATION, None)
    at_chicago(desk, 23, 16, 59)
    moved(desk, firm, 921)
    assert not account(desk).can_trade
    at_chicago(desk, 23, 17, 0)
    moved(desk, firm, 921)
    assert account(desk).can_trade
    assert desk.venue.place(MARKET).code == 0


def test_an_account_that_has_touched_its_floor_never_trades_again() -> None:
    desk, firm = watched()
    desk.place(BUY, 10)
    moved(desk, firm, 1_001 - 160)
    assert account(desk).locked == FOR_EVER
    desk.venue.put_account(msgspec.structs.replace(account(desk), balance_usd=Decimal(60_000)))
    for day in (24, 25):
        at_chicago(desk, day, 9, 0)
        moved(desk, firm, 841)
        assert not account(desk).can_trade


def test_an_account_that_is_locked_is_not_locked_again() -> None:
    desk, firm = watched()
    desk.place(BUY, 10)
    moved(desk, firm, 100)
    desk.published.clear()
    moved(desk, firm, 90)
    assert [event for event in desk.published if isinstance(event, Account)] == []


def test_an_account_answers_for_its_own_positions_only() -> None:
    desk, firm = watched()
    desk.venue.place(msgspec.structs.replace(MARKET, account_id=OTHER_ACCOUNT, size=10))
    moved(desk, firm, 100)
    assert (account(desk).can_trade, account(desk, OTHER_ACCOUNT).can_trade) == (True, False)


@pytest.mark.parametrize(("variants", "code"), [((), 4), ((Variant.LOCKED_IS_REJECTED,), 10)])
def test_which_code_a_locked_account_is_answered_with_can_be_chosen(variants: tuple[Variant, ...], code: int) -> None:
    desk, firm = watched(variants=variants)
    desk.place(BUY, 10)
    moved(desk, firm, 100)
    assert desk.venue.place(MARKET).code == code


def test_no_more_is_opened_than_the_largest_position_micros_counting_ten_to_one() -> None:
    desk, _ = watched()
    desk.place(BUY, 40, loss=-100, profit=100)
    desk.place(BUY, 10, limit=900)
    too_large = desk.venue.place(MARKET)
    assert (too_large.code, too_large.text) == (2, "Order rejected: maximum position size exceeded.")
    assert desk.venue.place(msgspec.structs.replace(MARKET, side=SELL, size=90)).code == 0
    assert desk.net() == -50


def test_no_working_order_is_made_larger_than_the_largest_position() -> None:
    desk, _ = watched()
    desk.place(BUY, 40)
    waiting = desk.place(BUY, 5, limit=900)
    too_large = desk.venue.modify(ModifyRequest(ACCOUNT, waiting, size=11))
    assert (too_large.code, too_large.text) == (3, "Order rejected: maximum position size exceeded.")
    assert desk.order(waiting).quantity == 5
    assert desk.venue.modify(ModifyRequest(ACCOUNT, waiting, size=10)).code == 0


def test_the_legs_of_a_bracket_are_moved_whatever_is_held() -> None:
    desk, _ = watched()
    entry = desk.place(BUY, 50, loss=-100, profit=100)
    assert desk.venue.modify(ModifyRequest(ACCOUNT, entry + 1, stop_price=desk.price(950))).code == 0


def test_from_ten_past_three_nothing_is_held_and_nothing_opened_until_five() -> None:
    desk, firm = watched()
    at_chicago(desk, 23, 15, 9)
    desk.place(BUY, 2)
    waiting = desk.place(BUY, 1, limit=900)
    moved(desk, firm, 1_000)
    assert desk.net() == 2
    at_chicago(desk, 23, 15, 10)
    moved(desk, firm, 1_000)
    assert (desk.net(), desk.order(waiting).status) == (0, OrderStatus.CANCELLED)
    late = desk.venue.place(MARKET)
    assert (late.code, late.text) == (2, "Order rejected: outside of trading hours")
    at_chicago(desk, 23, 17, 0)
    assert desk.venue.place(MARKET).code == 0


def test_without_the_firm_nothing_is_watched() -> None:
    desk = Desk()
    firm = Firm(desk.settings, desk.venue, desk.clock)
    desk.place(BUY, 100)
    moved(desk, firm, 100)
    assert (desk.net(), account(desk).can_trade) == (100, True)


def test_a_size_of_account_that_topstep_does_not_sell_is_refused() -> None:
    with pytest.raises(StartRefused, match="starting_balance_usd 51000 is no size of a Topstep account"):
        ExchangeSettings(topstep=True, starting_balance_usd=Decimal(51_000)).checked()
