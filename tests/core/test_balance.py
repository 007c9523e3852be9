"""A balance that moves without a trade is no P&L of the day."""

from __future__ import annotations

from decimal import Decimal

import pytest

from ordergate.core import events as e
from ordergate.core.account import Account, AppliedFill, Day
from ordergate.core.balance import is_movement
from ordergate.core.commands import Leg
from ordergate.core.order import Exit
from ordergate.core.persistent import Map
from ordergate.core.reports import AccountReport
from tests.core.desk import ACCOUNT, ASK, Desk, instant, position

MISSED = "the balance and the trades do not agree"


def paid(desk: Desk, amount_usd: int) -> None:
    """The broker moves the balance, and tells it."""
    desk.balance += amount_usd
    desk.feed(AccountReport(ACCOUNT, "PRACTICE-1", desk.balance, can_trade=True))


def moved(desk: Desk) -> list[Decimal]:
    return [event.amount_usd for event in desk.told(e.BalanceMoved)]


@pytest.mark.parametrize("amount_usd", [-900, 900])
def test_a_movement_that_two_comparisons_show_moves_the_opening_balance(amount_usd: int) -> None:
    desk = Desk()
    paid(desk, amount_usd)
    assert desk.figures().day_pnl == min(amount_usd, 0), "until then the worse figure governs"
    desk.wait(5_000)
    desk.snapshot()
    assert moved(desk) == []
    desk.snapshot()
    assert moved(desk) == [amount_usd]
    assert desk.figures().day_pnl == 0
    assert desk.account.day.balance_usd == 50_000 + amount_usd
    desk.snapshot()
    assert moved(desk) == [amount_usd], "once"


def test_it_is_asked_for_soon_and_again_at_once() -> None:
    desk = Desk()
    paid(desk, -900)
    assert reads(desk) == []
    desk.wait(5_000)
    assert reads(desk) == [MISSED]
    desk.snapshot()
    assert reads(desk)[1:] == ["the balance has moved without a trade"]


@pytest.mark.parametrize(("told", "reading"), [("before", []), ("after", []), ("never", [MISSED])])
def test_a_balance_that_is_not_told_with_its_fill_is_read(told: str, reading: list[str]) -> None:
    desk = Desk()
    desk.hold("a", quantity=1, stop=Exit(40), target=Leg.OFF)
    stop = desk.stop("a")
    if told == "before":
        paid(desk, -50)
    desk.fill(stop.order_id, price=ASK - 40)
    if told == "after":
        paid(desk, -50)
    desk.wait(4_000)
    assert reads(desk) == []
    desk.wait(2_000)
    assert reads(desk) == reading


def reads(desk: Desk) -> list[str]:
    return [event.reason for event in desk.told(e.SnapshotRequested) if "balance" in event.reason]


def test_a_balance_that_is_told_before_its_trade_is_no_movement() -> None:
    desk = Desk()
    desk.hold("a", quantity=1, stop=Exit(40), target=Leg.OFF)
    stop = desk.stop("a")
    paid(desk, -50)
    desk.wait(4_000)
    desk.fill(stop.order_id, price=ASK - 40)
    desk.wait(60_000)
    assert reads(desk) == []
    desk.snapshot()
    desk.snapshot()
    assert moved(desk) == []
    assert desk.figures().day_pnl == -50


def test_what_the_fees_of_the_day_may_explain_stays_a_loss() -> None:
    desk = Desk()
    desk.submit("a", quantity=2, stop=Exit(40), target=Leg.OFF)
    desk.accept("a")
    desk.fill("a", fee_usd=Decimal(2))
    desk.accept(desk.stop("a").order_id)
    fill = desk.fill(desk.stop("a").order_id, price=ASK, fee_usd=Decimal(2))
    assert fill.quantity == 2
    paid(desk, -4)
    desk.snapshot()
    paid(desk, -4)
    for _ in range(3):
        desk.wait(6_000)
        desk.snapshot()
    assert moved(desk) == []
    paid(desk, -5)
    for _ in range(3):
        desk.wait(6_000)
        desk.snapshot()
    assert moved(desk) == [-5]


def test_a_movement_with_a_fill_between_its_comparisons_is_looked_at_anew() -> None:
    desk = Desk()
    paid(desk, -900)
    desk.snapshot()
    desk.hold("a", quantity=1)
    desk.read_back()
    assert moved(desk) == []


def test_a_balance_that_follows_its_trade_asks_for_nothing() -> None:
    desk = Desk()
    desk.hold("a", quantity=1, stop=Exit(40), target=Leg.OFF)
    desk.fill(desk.stop("a").order_id, price=ASK - 40)
    paid(desk, -50)
    desk.wait(60_000)
    assert reads(desk) == []


def test_while_a_fill_is_on_its_way_nothing_is_compared() -> None:
    desk = Desk()
    desk.hold("a", quantity=1, stop=Exit(40), target=Leg.OFF)
    desk.read_back()
    stop = desk.stop("a").order_id
    desk.show(stop, filled_quantity=1)
    paid(desk, -50)
    for _ in range(3):
        desk.snapshot([position(1, ASK)], [desk.row(stop, filled_quantity=1)])
    assert moved(desk) == []


def test_a_gap_of_yesterday_is_no_movement_of_today() -> None:
    desk = Desk(at_ns=instant("2026-11-23 16:59"))
    desk.submit("a", quantity=1, stop=Exit(40), target=Leg.OFF)
    desk.accept("a")
    desk.fill("a", fee_usd=Decimal(2))
    desk.accept(desk.stop("a").order_id)
    desk.fill(desk.stop("a").order_id, price=ASK, fee_usd=Decimal(2))
    paid(desk, -8)  # with as much again in fees that come late
    desk.snapshot()
    desk.wait(120_000)
    for _ in range(3):
        desk.snapshot()
    assert desk.account.day.name == "2026-11-24"
    assert moved(desk) == []


def test_a_movement_while_something_filled_stays_a_loss_and_a_later_one_is_told_from_it() -> None:
    desk = Desk()
    desk.hold("a", quantity=1)
    paid(desk, -900)
    for _ in range(3):
        desk.read_back()
    assert moved(desk) == []
    assert desk.account.day.balance_usd == 50_000
    paid(desk, -100)
    for _ in range(3):
        desk.read_back()
    assert moved(desk) == [-100]


def test_a_gap_that_is_known_is_not_asked_about_again() -> None:
    desk = Desk()
    desk.hold("a", quantity=1)
    paid(desk, -900)
    desk.read_back()
    desk.forget()
    desk.feed(AccountReport(ACCOUNT, "PRACTICE-1", desk.balance, can_trade=False))
    desk.wait(60_000)
    assert reads(desk) == []


def test_a_comparison_is_the_answer_to_what_was_to_be_asked_of_the_balance() -> None:
    desk = Desk()
    paid(desk, -900)
    assert "balance" in desk.account.timers
    desk.snapshot()
    assert "balance" not in desk.account.timers


@pytest.mark.parametrize(("at_ns", "moves"), [(9, True), (10, False), (11, False)])
def test_only_fees_since_the_day_was_opened_explain_anything(at_ns: int, *, moves: bool) -> None:
    fill = AppliedFill(1, at_ns=at_ns, fee_usd=Decimal(2))
    account = Account(ACCOUNT, day=Day(opened_ns=10), fills=Map({1: fill}))
    assert is_movement(account, Decimal(-2)) is moves
    assert is_movement(account, Decimal("-2.01"))
