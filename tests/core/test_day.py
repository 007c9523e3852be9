"""The trading day rolls once, at the right instant; its loss limit trips on prices and keeps its word."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import pytest
from msgspec.structs import replace

from ordergate.core import events as e
from ordergate.core.closing import closes
from ordergate.core.commands import ChangeLimits, Leg, LockOut
from ordergate.core.inputs import Mark, Started, Wake
from ordergate.core.limits import Limits, OnDailyLoss, OnMustBeFlat, Trailing
from ordergate.core.market import Market
from ordergate.core.order import Exit, OrderType, Side
from ordergate.core.reports import AccountReport
from tests.core.desk import ACCOUNT, ASK, BID, MES, MNQ, MS_NS, SECOND_NS, Desk, fill_row, instant, order_row, position

KEEP = Limits(
    daily_loss_usd_max=Decimal(500), risk_percent_max=Decimal(100), on_daily_loss=OnDailyLoss.KEEP, open_orders_max=50
)
FLATTEN = replace(KEEP, on_daily_loss=OnDailyLoss.FLATTEN)
NOON = instant("2026-11-23 12:00")
OPEN = instant("2026-11-23 17:00")


def holding(limits: Limits, quantity: int = 4, **more: Any) -> Desk:
    """A desk that is long ``quantity`` MES from 20,000, without target."""
    desk = Desk(limits, **more)
    desk.hold("a", quantity=quantity, stop=Exit(79), target=Leg.OFF)
    return desk


def tripped(desk: Desk) -> bool:
    return desk.account.trading_state is e.TradingState.REDUCING


@pytest.mark.parametrize(("bid", "trips"), [(ASK - 99, False), (ASK - 100, True)])
def test_the_limit_trips_at_the_limit_with_the_fees_of_getting_out(bid: int, trips: bool) -> None:  # noqa: FBT001
    # 4 contracts: 5 USD a tick and 1.44 to get out; 495 + 1.44 is below 500, 500 + 1.44 is not.
    desk = holding(KEEP)
    desk.mark(bid)
    assert tripped(desk) is trips


@pytest.mark.parametrize(("ask", "trips"), [(BID + 99, False), (BID + 100, True)])
def test_a_short_is_marked_at_the_ask(ask: int, trips: bool) -> None:  # noqa: FBT001
    desk = Desk(KEEP)
    desk.hold("a", Side.SELL, 4, price=BID, stop=Exit(79), target=Leg.OFF)
    desk.mark(ask - 1, ask)
    assert tripped(desk) is trips


def test_exactly_at_the_limit_trips() -> None:
    desk = holding(replace(KEEP, daily_loss_usd_max=Decimal("501.44")))
    desk.mark(ASK - 100)
    assert tripped(desk)
    assert desk.told(e.TradingStateChanged)[-1].code == "DAILY_LOSS_LIMIT"
    assert desk.told(e.TradingStateChanged)[-1].quotes[0].bid_ticks == ASK - 100


@pytest.mark.parametrize("kind", ["stale", "crossed", "one-sided", "none"])
def test_a_bad_price_trips_nothing(kind: str) -> None:
    desk = holding(KEEP)
    if kind == "stale":
        desk.quote(MES, 10, 11, age_ms=60_000)
    elif kind == "crossed":
        desk.quote(MES, 10, 9)
    elif kind == "one-sided":
        desk.quote(MES, 10, None)
    else:
        desk.quotes.clear()
    desk.feed(Mark())
    assert not tripped(desk)


def test_realised_loss_by_the_worse_of_both_figures_trips() -> None:
    desk = Desk(KEEP)
    desk.feed(AccountReport(ACCOUNT, "PRACTICE-1", Decimal("49500.01"), can_trade=True))
    assert not tripped(desk)
    desk.feed(AccountReport(ACCOUNT, "PRACTICE-1", Decimal("49500.00"), can_trade=True))
    assert tripped(desk)


def test_a_trip_cancels_entries_and_lets_only_reducing_orders_in() -> None:
    desk = holding(KEEP)
    desk.submit("b", limit=BID - 200, stop=Exit(4))
    desk.accept("b")
    desk.mark(ASK - 100)
    assert desk.order("b").cancel_wanted
    assert not desk.stop("a").cancel_wanted
    assert desk.codes("c")[0] == "REDUCE_ONLY"
    assert desk.submit("d", Side.SELL, 4).ok
    assert "REDUCE_ONLY" in desk.codes("e", Side.SELL, 5)


def test_a_trip_leaves_orders_alone_that_only_close() -> None:
    desk = holding(KEEP)
    desk.submit("out", Side.SELL, 2, limit=ASK + 20)
    desk.accept("out")
    desk.feed(order_row(77, Side.SELL, 2, order_type=OrderType.STOP, limit_ticks=None, stop_ticks=BID - 20))
    assert desk.submit("more", Side.SELL, 3, limit=ASK + 30, stop=Exit(4)).ok
    desk.accept("more")
    desk.feed(order_row(78, Side.BUY, 1, limit_ticks=BID - 300))
    desk.mark(ASK - 100)
    wanted = {order.order_id for order in desk.account.live_orders() if order.cancel_wanted}
    assert wanted == {"external/78", "more"}, "2 and 2 close the 4 that are held; 3 more would go through flat"


def test_in_a_lockout_an_order_that_would_open_is_cancelled_whenever_it_turns_up() -> None:
    desk = holding(KEEP)
    desk.submit("out", Side.SELL, 4, limit=ASK + 20)
    desk.accept("out")
    desk.mark(ASK - 100)
    assert not desk.order("out").cancel_wanted
    desk.fill(desk.stop("a").order_id, price=ASK - 100)
    assert desk.order("out").cancel_wanted, "the position it would have closed is gone"
    desk.feed(order_row(90, Side.BUY, 1))
    assert desk.order("external/90").cancel_wanted


def test_a_trip_flattens_where_that_is_asked_for() -> None:
    desk = holding(FLATTEN)
    desk.mark(ASK - 100)
    assert tripped(desk)
    desk.cancelled(desk.stop("a").order_id)
    (close,) = desk.closes()
    assert close.terms.quantity == 4


def test_a_trip_happens_once() -> None:
    desk = holding(FLATTEN)
    for bid in (ASK - 100, ASK - 120, ASK - 20, ASK - 150):
        desk.mark(bid)
    assert len(desk.told(e.TradingStateChanged)) == 1
    assert len(desk.told(e.ExitStarted)) == 1


def test_a_lockout_ends_with_the_next_trading_day_and_not_with_the_price() -> None:
    desk = holding(FLATTEN, at_ns=NOON)
    desk.mark(ASK - 100)
    desk.cancelled(desk.stop("a").order_id)
    desk.accept(desk.closes()[0].order_id)
    desk.fill(desk.closes()[0].order_id, price=ASK - 100)
    desk.read_back()
    desk.mark(ASK + 500)
    desk.wait((OPEN - desk.now_ns) // MS_NS - 1)
    assert tripped(desk)
    desk.wait(1)
    assert not tripped(desk)
    assert (desk.account.state_code, desk.account.state_message) == ("", "a new trading day")
    assert desk.account.day.name == "2026-11-24"
    assert desk.codes("b") == []


def test_a_lockout_survives_a_restart() -> None:
    desk = holding(KEEP)
    desk.mark(ASK - 100)
    desk.feed(Started("desk", "sim", "practice", replace(KEEP, daily_loss_usd_max=Decimal(5_000))))
    assert tripped(desk)


def test_a_halt_is_not_lifted_by_a_new_day() -> None:
    desk = Desk(KEEP, at_ns=NOON)
    account = replace(desk.account, trading_state=e.TradingState.HALTED, state_code="HALT")
    desk.group = replace(desk.group, accounts={ACCOUNT: account})
    desk.wait(6 * 3_600_000)
    assert desk.account.trading_state is e.TradingState.HALTED


def test_the_day_opens_once_at_five_in_chicago() -> None:
    desk = Desk(KEEP, at_ns=NOON)
    desk.wait((OPEN - desk.now_ns) // MS_NS - 1)
    assert desk.told(e.TradingDayOpened) == []
    desk.wait(1)
    desk.wait(60_000)
    (opened,) = desk.told(e.TradingDayOpened)
    assert (opened.day, opened.balance_usd, opened.carried_usd) == ("2026-11-24", Decimal(50_000), Decimal(0))


def test_a_clock_that_goes_back_never_opens_a_day_twice() -> None:
    desk = Desk(KEEP, at_ns=NOON)
    desk.wait((OPEN - desk.now_ns) // MS_NS)
    for back_s in (1, 3_600, 86_400):
        desk.now_ns = OPEN - back_s * SECOND_NS
        desk.feed(Wake())
    desk.now_ns = OPEN + SECOND_NS
    desk.feed(Wake())
    assert len(desk.told(e.TradingDayOpened)) == 1


def test_the_new_day_starts_from_the_balance_and_what_is_carried() -> None:
    desk = holding(KEEP, at_ns=NOON)
    desk.mark(ASK - 40)
    desk.wait((OPEN - desk.now_ns) // MS_NS)
    day = desk.account.day
    assert (day.balance_usd, day.carried_usd, day.realized_usd) == (Decimal(50_000), Decimal(-200), Decimal(0))
    desk.mark(ASK - 139)  # 495 more and 1.44 to get out
    assert not tripped(desk)
    desk.mark(ASK - 140)
    assert tripped(desk)


def test_a_day_waits_for_the_price_of_what_is_carried_and_loses_no_fill_meanwhile() -> None:
    desk = holding(KEEP, at_ns=NOON, balance="50000")
    quotes, desk.quotes = desk.quotes, {}
    desk.wait((OPEN - desk.now_ns) // MS_NS, quiet=True)
    assert desk.account.day.name == "2026-11-23", "what is carried cannot be told"
    desk.fill(desk.stop("a").order_id, 3, ASK - 80, at_ns=OPEN + SECOND_NS)  # 300 USD lost in the new day
    desk.feed(AccountReport(ACCOUNT, "PRACTICE-1", Decimal(49_700), can_trade=True))
    desk.quotes = quotes
    desk.mark(ASK)
    day = desk.account.day
    assert (day.name, day.balance_usd, day.realized_usd) == ("2026-11-24", Decimal(50_000), Decimal(-300))


def test_a_day_opened_late_counts_the_fills_since_its_real_open() -> None:
    desk = holding(KEEP, at_ns=NOON)
    stop = desk.stop("a").order_id
    desk.now_ns = OPEN + 3_600 * SECOND_NS  # asleep over the roll
    desk.quote(MES, ASK, ASK + 1)
    desk.feed(Wake())
    assert desk.account.day.name == "2026-11-24"
    desk.fill(stop, 4, ASK - 80, at_ns=OPEN + 60 * SECOND_NS)
    assert desk.account.day.realized_usd == Decimal(-400)
    assert desk.account.day.balance_usd == Decimal(50_000)


def test_a_late_fill_of_yesterday_moves_the_opening_balance() -> None:
    desk = holding(KEEP, at_ns=NOON)
    stop = desk.stop("a").order_id
    desk.wait((OPEN - desk.now_ns) // MS_NS)
    desk.fill(stop, 4, ASK - 80, at_ns=OPEN - SECOND_NS)
    assert desk.account.day.realized_usd == 0
    assert desk.account.day.balance_usd == Decimal(49_600)


def test_what_is_listed_outlives_the_day_and_what_is_done_is_bounded() -> None:
    desk = Desk(KEEP, at_ns=NOON)
    for number in range(510):
        desk.submit(f"o{number}", limit=BID - 200, stop=Exit(4))
        desk.accept(f"o{number}")
        desk.cancelled(f"o{number}")
        desk.wait(1)
    desk.submit("live", limit=BID - 200, stop=Exit(4))
    desk.accept("live")
    assert len(desk.account.done) == 510, "the day's orders are all there"
    desk.wait((OPEN - desk.now_ns) // MS_NS)
    assert len(desk.account.done) == 500
    assert desk.account.order("o9") is None
    assert desk.account.order("o10") is not None
    assert desk.account.order("live") is not None
    assert len(desk.account.tags) == len(desk.account.broker_ids) == 501


def test_a_cancel_remembered_is_forgotten_with_the_day() -> None:
    desk = Desk(KEEP, at_ns=NOON)
    desk.cancel("later", queued_account=ACCOUNT)
    desk.wait((OPEN - desk.now_ns) // MS_NS)
    assert desk.submit("later").ok


def test_a_position_adopted_without_price_does_not_stop_the_desk() -> None:
    desk = Desk(KEEP, positions=[position(1, ASK)])
    desk.quotes.clear()
    desk.feed(Mark())
    desk.feed(fill_row(1, 77, Side.BUY, 1, ASK))
    assert not tripped(desk)


def test_what_a_trip_did_says_why_in_words() -> None:
    desk = holding(replace(FLATTEN, daily_loss_usd_max=Decimal("501.44")))
    desk.submit("b", limit=BID - 200, stop=Exit(4))
    desk.accept("b")
    desk.mark(ASK - 100)
    assert desk.account.state_message == (
        "501.44 USD lost today, limit 501.44 USD; reduce-only until the next trading day"
    )
    assert desk.told(e.PositionsSpared) == []
    assert desk.order("b").reason == "daily loss limit"
    running = desk.account.exits[MES.contract_id]
    assert (running.exit_id, running.cause) == ("2026-11-23/daily-loss", "daily loss limit")


def test_an_order_that_turns_up_after_a_trip_is_cancelled_for_the_same_reason() -> None:
    desk = holding(KEEP)
    desk.mark(ASK - 100)
    desk.feed(order_row(90, Side.BUY, 1))
    assert desk.order("external/90").reason == "daily loss limit"


def test_in_a_lockout_orders_are_cancelled_for_it() -> None:
    desk = holding(KEEP)
    desk.submit("b", limit=BID - 200, stop=Exit(4))
    desk.accept("b")
    desk.ask(LockOut(desk.request_id(), ACCOUNT))
    assert desk.order("b").reason == "locked out"


def test_a_stop_that_closes_is_kept_before_a_limit_that_closes() -> None:
    desk = Desk(KEEP, positions=[position(4, ASK)])
    desk.feed(order_row(76, Side.SELL, 4, limit_ticks=ASK + 20))
    desk.feed(order_row(77, Side.SELL, 4, order_type=OrderType.STOP, limit_ticks=None, stop_ticks=BID - 300))
    desk.mark(ASK - 100)
    assert tripped(desk)
    assert {order.order_id for order in desk.account.live_orders() if order.cancel_wanted} == {"external/76"}


def test_a_loss_of_less_than_a_dollar_flattens_where_the_limit_is_as_small() -> None:
    desk = Desk(FLATTEN, positions=[position(1, ASK)])
    desk.group = replace(desk.group, limits=replace(FLATTEN, daily_loss_usd_max=Decimal("0.50")))
    desk.mark(ASK)  # only the fee of getting out is lost
    assert not tripped(desk)
    desk.feed(AccountReport(ACCOUNT, "PRACTICE-1", desk.balance - Decimal("0.20"), can_trade=True))
    assert tripped(desk)
    assert list(desk.account.exits) == [MES.contract_id]


def test_what_every_position_carries_into_the_day_is_added_up() -> None:
    desk = holding(KEEP, at_ns=NOON)
    desk.hold("b", quantity=2, stop=Exit(79), target=Leg.OFF, instrument=MNQ)
    desk.quote(MNQ, ASK - 10, ASK - 9)
    desk.mark(ASK - 40)
    desk.wait((OPEN - desk.now_ns) // MS_NS)
    assert desk.account.day.carried_usd == Decimal(-200) + Decimal(-10)


def test_an_order_that_would_close_more_than_is_held_is_cancelled_by_a_trip() -> None:
    desk = Desk(KEEP, positions=[position(4, ASK)])
    desk.feed(order_row(76, Side.SELL, 5, limit_ticks=ASK + 20))
    desk.mark(ASK - 100)
    assert desk.order("external/76").cancel_wanted


def test_no_peak_is_written_down_while_there_is_no_floor() -> None:
    desk = holding(replace(KEEP, maximum_loss_trailing=Trailing.INTRADAY))
    desk.mark(ASK + 50)
    assert desk.told(e.EquityPeaked) == []


def test_what_was_spared_by_the_daily_limit_is_closed_at_the_maximum_loss() -> None:
    room = {"daily_loss_usd_max": Decimal(1_000), "maximum_loss_usd": Decimal(2_000)}
    desk = holding(replace(FLATTEN, maximum_loss_floor_usd=Decimal(49_600), **room))
    desk.mark(ASK - 20)
    lower = replace(desk.group.limits, daily_loss_usd_max=Decimal(100))
    desk.ask(ChangeLimits(desk.request_id(), lower, ("daily_loss_usd_max",)))
    assert tripped(desk)
    assert not desk.account.exits
    desk.mark(ASK - 80)  # 401.44 USD
    assert [event.cause for event in desk.told(e.ExitStarted)] == ["maximum loss limit"]


def test_a_day_does_not_open_while_a_contract_that_is_held_has_no_quote_at_all() -> None:
    desk = Desk(at_ns=instant("2026-11-23 16:59:58"), positions=[position(1, ASK)])
    quote = desk.quotes.pop(MES.contract_id)
    desk.wait(3_000)
    assert desk.account.day.name == "2026-11-23"
    desk.quotes[MES.contract_id] = quote
    desk.wait(1_000)
    assert desk.account.day.name == "2026-11-24"


@pytest.mark.parametrize("way", OnMustBeFlat)
def test_past_the_time_to_be_flat_something_is_closed_only_where_that_is_asked_for(way: OnMustBeFlat) -> None:
    limits = Limits(session_only=True, on_must_be_flat=way)
    desk = Desk(limits, at_ns=instant("2026-11-23 15:07:59"), positions=[position(1, ASK)])
    assert not closes(desk.group, desk.account, desk.market, unknown=False)
    late = Market(desk.quotes, instant("2026-11-23 15:08"))
    assert closes(desk.group, desk.account, late, unknown=False) is (way is OnMustBeFlat.FLATTEN)
