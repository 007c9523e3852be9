"""What could come to be held and lost; the properties compare it with brute force."""

from __future__ import annotations

from decimal import Decimal

import pytest
from msgspec.structs import replace

from ordergate.core.account import Account
from ordergate.core.commands import Leg
from ordergate.core.exposure import closable, leaves, opposed, worst_position
from ordergate.core.figures import figures
from ordergate.core.market import Market
from ordergate.core.order import Exit, Order, OrderType, Role, Side, Status, Terms
from ordergate.core.orders import Orders
from ordergate.core.pnl import Position
from ordergate.core.reports import AccountReport, OrderState, Outcome
from ordergate.core.worst import order_risk_usd
from tests.core.desk import ACCOUNT, ASK, BID, ES, MES, MNQ, WIDE, Desk, fill_row, order_row, position


def plain(desk: Desk, order_id: str, side: Side, quantity: int) -> None:
    price = BID - 100 if side is Side.BUY else ASK + 100
    assert desk.submit(order_id, side, quantity, limit=price, stop=Leg.OFF, target=Leg.OFF).ok


def worst(desk: Desk, side: Side, quantity: int = 0) -> int:
    return worst_position(desk.account, MES.contract_id, side, quantity)


def can_close(desk: Desk, side: Side) -> int:
    return closable(desk.account, MES.contract_id, side)


def test_both_sides_count_what_could_fill_on_them() -> None:
    desk = Desk(WIDE, positions=[position(2, ASK)])
    plain(desk, "b1", Side.BUY, 3)
    plain(desk, "b2", Side.BUY, 1)
    plain(desk, "s1", Side.SELL, 7)
    assert (worst(desk, Side.BUY), worst(desk, Side.SELL)) == (6, -5)
    assert (worst(desk, Side.BUY, 2), worst(desk, Side.SELL, 2)) == (8, -7)
    assert (can_close(desk, Side.BUY), can_close(desk, Side.SELL)) == (0, 0)


def test_buys_that_wait_take_from_what_closes_a_short() -> None:
    desk = Desk(WIDE, positions=[position(-5, BID)])
    plain(desk, "b", Side.BUY, 2)
    assert (can_close(desk, Side.BUY), can_close(desk, Side.SELL)) == (3, 0)


def test_fills_that_no_order_explains_count_on_their_side() -> None:
    desk = Desk(WIDE, positions=[position(5, ASK)])
    held = {1: fill_row(1, 77, Side.SELL, 2, ASK), 2: fill_row(2, 78, Side.BUY, 4, ASK)}
    account = replace(desk.account, held=held)
    assert [leaves(account, MES.contract_id, side).plain for side in Side] == [4, 2]
    assert [leaves(account, MNQ.contract_id, side).plain for side in Side] == [0, 0]
    assert closable(account, MES.contract_id, Side.SELL) == 3


@pytest.mark.parametrize(("net", "may_be"), [(0, -2), (1, 0), (2, 2), (3, 3), (-1, -3)])
def test_legs_count_as_far_as_they_reach_beyond_the_position(net: int, may_be: int) -> None:
    terms = Terms(ACCOUNT, MES.contract_id, Side.SELL, 2, OrderType.STOP, stop_ticks=BID - 40)
    leg = Order("e/stop", terms, Role.STOP, Status.WORKING, parent_id="e")
    held = {MES.contract_id: Position(MES.contract_id, net, ASK)} if net else {}
    account = Account(ACCOUNT, orders=Orders().put(leg), positions=held)
    assert worst_position(account, MES.contract_id, Side.SELL, 0) == may_be


def test_only_an_unnamed_order_of_the_contract_and_the_side_explains_a_fill() -> None:
    desk = Desk(WIDE)
    plain(desk, "a", Side.SELL, 5)
    desk.submit("b", Side.BUY, 5, limit=BID - 100, stop=Leg.OFF, target=Leg.OFF, instrument=MNQ)
    plain(desk, "c", Side.BUY, 3)
    desk.accept("c")
    account = replace(desk.account, held={1: fill_row(1, 77, Side.BUY, 4, ASK)})
    assert leaves(account, MES.contract_id, Side.BUY).plain == 3 + 4
    plain(desk, "d", Side.BUY, 1)
    account = replace(desk.account, held=account.held)
    assert leaves(account, MES.contract_id, Side.BUY).plain == 3 + 1 + 3, "one of the four can be of the unnamed one"
    plain(desk, "e", Side.BUY, 9)
    account = replace(desk.account, held=account.held)
    assert leaves(account, MES.contract_id, Side.BUY).plain == 3 + 1 + 9, "all four can be of unnamed ones"


def test_an_account_is_never_against_itself_whatever_was_taken_out_of_it() -> None:
    desk = Desk(WIDE, positions=[position(-1, BID)])
    assert opposed(desk.group, replace(desk.account, positions={}), "MES", Side.BUY) is None


def test_another_account_is_found_by_any_of_its_contracts() -> None:
    desk = Desk(WIDE)
    short = {each.contract_id: Position(each.contract_id, -1, BID) for each in (MNQ, ES)}
    other = Account(ACCOUNT + 1, positions=short)
    group = replace(desk.group, accounts={**desk.group.accounts, other.account_id: other})
    assert opposed(group, desk.account, "MES", Side.BUY) is other
    assert opposed(group, desk.account, "MES", Side.SELL) is None
    assert opposed(group, desk.account, "GC", Side.BUY) is None


def test_other_contracts_do_not_count() -> None:
    desk = Desk(WIDE, positions=[position(5, ASK, MNQ)])
    assert (worst(desk, Side.BUY), worst(desk, Side.SELL), can_close(desk, Side.SELL)) == (0, 0, 0)


@pytest.mark.parametrize("outcome", [None, Outcome.DONE, Outcome.UNKNOWN])
def test_an_order_counts_whether_sent_working_or_in_doubt(outcome: Outcome | None) -> None:
    desk = Desk(WIDE)
    plain(desk, "a", Side.BUY, 3)
    if outcome is not None:
        desk.placed("a", outcome, 9_001)
    assert worst(desk, Side.BUY) == 3


def test_a_wanted_cancel_counts_until_it_is_acknowledged() -> None:
    desk = Desk(WIDE)
    plain(desk, "a", Side.BUY, 3)
    desk.accept("a")
    desk.cancel("a")
    assert worst(desk, Side.BUY) == 3
    desk.cancelled("a")
    assert worst(desk, Side.BUY) == 0


@pytest.mark.parametrize(("quantity", "counted"), [(5, 5), (2, 3)])
def test_an_unproven_modify_counts_with_the_larger_size(quantity: int, counted: int) -> None:
    desk = Desk(WIDE)
    plain(desk, "a", Side.BUY, 3)
    desk.accept("a")
    desk.modify("a", quantity=quantity)
    assert worst(desk, Side.BUY) == counted
    desk.modified("a")
    assert worst(desk, Side.BUY) == quantity


def test_legs_count_nothing_up_to_what_they_close_and_once_beyond_it() -> None:
    desk = Desk(WIDE)
    desk.hold("a", quantity=4)
    may_fill = leaves(desk.account, MES.contract_id, Side.SELL)
    assert (may_fill.plain, may_fill.legs, may_fill.doubtful) == (0, 4, 0)
    assert worst(desk, Side.SELL) == 4
    assert can_close(desk, Side.SELL) == 4, "legs make way for whoever closes"
    plain(desk, "out", Side.SELL, 3)
    desk.accept("out")
    desk.fill("out", 3)
    assert (desk.net(), worst(desk, Side.SELL)) == (1, 1 - 3), (
        "3 of the legs stand beyond the position until they shrink"
    )


def test_a_leg_in_doubt_may_have_closed_already() -> None:
    desk = Desk(WIDE)
    desk.enter("a", quantity=4, target=Leg.OFF)
    assert can_close(desk, Side.SELL) == 4
    desk.placed(desk.stop("a").order_id, Outcome.UNKNOWN)
    assert can_close(desk, Side.SELL) == 0


def test_a_leg_that_the_broker_shows_as_filled_has_closed_already() -> None:
    desk = Desk(WIDE)
    desk.hold("a", quantity=4, target=Leg.OFF)
    desk.show(desk.stop("a").order_id, filled_quantity=3)
    assert can_close(desk, Side.SELL) == 1


def test_open_orders_are_those_that_are_no_legs() -> None:
    desk = Desk(WIDE)
    desk.hold("a")
    plain(desk, "b", Side.BUY, 1)
    desk.feed(order_row(77))
    assert desk.figures().open_orders == 2


def test_the_money_of_the_day_is_net_of_fees_and_of_what_was_carried() -> None:
    desk = Desk(WIDE)
    desk.hold("a", quantity=2, stop=Exit(40), target=Leg.OFF)
    desk.feed(order_row(77, Side.SELL, 1, OrderState.FILLED, filled_quantity=1))
    desk.feed(fill_row(9, 77, Side.SELL, 1, ASK + 8, fee_usd=Decimal("0.36")))
    desk.feed(AccountReport(ACCOUNT, "PRACTICE-1", Decimal("50009.64"), can_trade=True))
    found = desk.figures()
    # 10.00 - 0.36 realised; one left at a bid one tick below its price, 0.36 to get out.
    assert found.day_pnl == Decimal("9.64") - Decimal("1.25") - Decimal("0.36")
    assert found.day_pnl_at_stops == Decimal("9.64") - Decimal("50.00") - Decimal("0.36")


def test_without_its_quote_a_position_has_no_money_but_a_stop_tells_the_worst() -> None:
    desk = Desk(WIDE)
    desk.hold("a", stop=Exit(40), target=Leg.OFF)
    found = figures(desk.group, desk.account, Market({}, desk.now_ns))
    assert found.day_pnl is None
    assert found.day_pnl_at_stops == Decimal("-50.36")
    assert (
        figures(desk.group, Desk(WIDE, positions=[position(1, ASK)]).account, Market({}, desk.now_ns)).day_pnl_at_stops
        is None
    )


def test_a_stop_under_change_counts_with_the_worse_level_and_the_smaller_size() -> None:
    desk = Desk(WIDE)
    desk.hold("a", quantity=2, stop=Exit(40), target=Leg.OFF)
    desk.protect(stop=ASK - 60)
    assert desk.figures().day_pnl_at_stops == Decimal("-150.72")
    desk.modified(desk.stop("a").order_id)
    desk.mark(ASK - 5)
    desk.protect(stop=ASK - 20)
    assert desk.figures().day_pnl_at_stops == Decimal("-150.72")
    desk.modified(desk.stop("a").order_id)
    assert desk.figures().day_pnl_at_stops == Decimal("-50.72")


def test_a_contract_that_its_stop_does_not_cover_yet_is_stressed() -> None:
    desk = Desk(WIDE)
    desk.submit("a", quantity=2, stop=Exit(40), target=Leg.OFF)
    desk.accept("a")
    desk.fill("a", 1)
    desk.accept(desk.stop("a").order_id)
    desk.fill("a", 1)
    desk.wait(300)
    assert desk.stop("a").change is not None
    # 40 ticks for the one, 1 + 160 for the other: 201 x 1.25, and 0.72 to get out
    assert desk.figures().day_pnl_at_stops == Decimal("-251.97")
    desk.modified(desk.stop("a").order_id)
    assert desk.figures().day_pnl_at_stops == Decimal("-100.72")


def test_a_stop_that_is_being_cancelled_covers_nothing() -> None:
    desk = Desk(WIDE)
    desk.feed(order_row(77, Side.BUY, 1))
    desk.feed(fill_row(1, 77, Side.BUY, 1, ASK))
    stop = order_row(78, Side.SELL, 1, order_type=OrderType.STOP, limit_ticks=None, stop_ticks=ASK - 10)
    desk.feed(stop)
    covered = desk.figures().day_pnl_at_stops
    desk.cancel("external/78")
    assert covered == Decimal("-12.86")
    assert desk.figures().day_pnl_at_stops == Decimal("-201.61")


def test_orders_lose_only_with_the_part_that_closes_nothing() -> None:
    desk = Desk(WIDE, positions=[position(3, ASK)])
    before = desk.figures().day_pnl_at_stops
    assert before is not None
    plain(desk, "out", Side.SELL, 2)  # closes
    assert desk.figures().day_pnl_at_stops == before
    plain(desk, "flip", Side.SELL, 3)  # closes one, opens two: 160 ticks without a stop
    lost = order_risk_usd(MES, 160, 2)
    assert desk.figures().day_pnl_at_stops == before - lost


def test_the_worse_of_both_realised_figures_governs() -> None:
    desk = Desk(WIDE)
    desk.feed(AccountReport(ACCOUNT, "PRACTICE-1", Decimal(49_900), can_trade=True))
    assert desk.figures().day_pnl == Decimal(-100)
    desk.feed(AccountReport(ACCOUNT, "PRACTICE-1", Decimal(50_100), can_trade=True))
    assert desk.figures().day_pnl == Decimal(0)


def test_the_risk_of_an_order_has_the_fees_of_both_sides() -> None:
    assert order_risk_usd(MES, 40, 3) == Decimal("152.16")
