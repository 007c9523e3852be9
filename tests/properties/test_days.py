"""The day's counters under a clock that jumps and a process that starts anew: never reset early, nor twice, nor never.

A clock that has been ahead stays believed: what it opened is not opened again when it is put right.
"""

from __future__ import annotations

from decimal import Decimal
from typing import Any

from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace

from ordergate.core import events as e
from ordergate.core.account import Group
from ordergate.core.commands import Leg
from ordergate.core.fold import evolve
from ordergate.core.inputs import Mark, Started, Wake
from ordergate.core.limits import Limits, OnDailyLoss
from ordergate.core.order import Exit
from ordergate.core.sessions import day_open_ns, trading_day
from ordergate.journal.codec import decode, encode
from tests.core.desk import ACCOUNT, ASK, BID, MES, SECOND_NS, Desk, instant

LIMITS = Limits(
    daily_loss_usd_max=Decimal(500), risk_percent_max=Decimal(100), on_daily_loss=OnDailyLoss.KEEP, open_orders_max=50
)
# Around a holiday, a weekend and both changes of the clocks.
STARTS = ["2026-11-25 12:00", "2026-12-31 12:00", "2026-03-06 12:00", "2026-10-30 12:00", "2026-11-23 16:59:59"]
HOUR_S = 3_600
steps = st.lists(
    st.one_of(
        st.tuples(st.just("jump"), st.integers(-3 * 24 * HOUR_S, 3 * 24 * HOUR_S)),
        st.tuples(st.just("pass"), st.integers(0, 30 * HOUR_S)),
        st.tuples(st.just("to the open"), st.sampled_from([-1, 0, 1])),
        st.tuples(st.sampled_from(["restart", "lose", "recover", "blind"]), st.just(0)),
    ),
    max_size=25,
)


class Days:
    """A desk that holds 4 MES, and what a slow reader of its history says of its days."""

    def __init__(self, start: str) -> None:
        self.desk = Desk(LIMITS, at_ns=instant(start))
        self.desk.hold("a", quantity=4, stop=Exit(79), target=Leg.OFF)
        self.blind = False
        self.bid = BID
        self.latest_ns = self.desk.now_ns

    def take(self, what: str, amount: int) -> None:
        desk = self.desk
        match what:
            case "jump" | "pass":
                desk.now_ns += amount * SECOND_NS
            case "to the open":
                desk.now_ns = day_open_ns(desk.now_ns + 24 * HOUR_S * SECOND_NS) + amount * SECOND_NS
            case "lose":
                self.bid = ASK - 120
            case "recover":
                self.bid = BID
            case "blind":
                self.blind = not self.blind
            case "restart":
                self.restart()
        self.latest_ns = max(self.latest_ns, desk.now_ns)
        if self.blind:
            desk.quotes.clear()
        else:
            desk.quote(MES, self.bid, self.bid + 1)
        desk.feed(Mark() if what in ("lose", "recover") else Wake())

    def restart(self) -> None:
        """A new process over the same journal: its rows, folded."""
        group = Group()
        for event in self.desk.events:
            group = evolve(group, decode(*encode(event)))
        assert group == self.desk.group
        self.desk.feed(Started("desk", "sim", "practice", LIMITS))


@given(st.sampled_from(STARTS), steps)
def test_a_day_opens_once_at_its_time_and_in_order_whatever_the_clock_does(start: str, taken: list[Any]) -> None:
    days = Days(start)
    desk = days.desk
    first = desk.account.day.name
    for what, amount in taken:
        before, told = desk.account, len(desk.events)
        days.take(what, amount)
        opened = [event for event in desk.events[told:] if isinstance(event, e.TradingDayOpened)]
        assert len(opened) <= 1
        for event in opened:
            assert event.day > before.day.name, "never twice, and never back"
            assert event.at_ns >= day_open_ns(desk.now_ns), "never before its time has come"
            assert event.day == trading_day(desk.now_ns)
        if not opened:
            kept = replace(desk.account.day, realized_usd=before.day.realized_usd, early_usd=before.day.early_usd)
            assert kept == before.day, "nothing else begins a day's counters anew"
        if not days.blind:
            # Never left out: with prices, the day is the latest that the clock has ever shown while it could be told.
            assert desk.account.day.name >= trading_day(desk.now_ns)
        assert first <= desk.account.day.name <= trading_day(days.latest_ns)
    names = [event.day for event in desk.told(e.TradingDayOpened)]
    assert names == sorted(set(names))


@given(st.sampled_from(STARTS), steps)
def test_a_lockout_ends_only_with_a_day_that_opens(start: str, taken: list[Any]) -> None:
    days = Days(start)
    desk = days.desk
    locked_on = ""
    for what, amount in [("lose", 0), *taken]:
        told = len(desk.events)
        days.take(what, amount)
        for event in desk.events[told:]:
            if isinstance(event, e.TradingStateChanged) and event.state is e.TradingState.REDUCING:
                assert not locked_on
                locked_on = desk.account.day.name
            elif isinstance(event, e.TradingStateChanged):
                assert desk.account.day.name > locked_on, "lifted by the clock or a restart, and not by a new day"
                locked_on = ""
        assert (desk.account.trading_state is e.TradingState.REDUCING) is bool(locked_on)
    assert desk.group.accounts[ACCOUNT].day.name >= locked_on
