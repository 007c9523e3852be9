"""The broker's books against ours: at first sight, after a gap, and when they differ."""

from __future__ import annotations

from decimal import Decimal

import pytest
from msgspec.structs import replace

from ordergate.core import events as e
from ordergate.core.commands import Leg
from ordergate.core.effects import ReadSnapshot
from ordergate.core.fold import evolve
from ordergate.core.limits import Limits
from ordergate.core.order import Role, Side, Status
from ordergate.core.reports import AccountReport, LinkReport, OrderState, Outcome, PositionReport, Unreadable
from tests.core.desk import ACCOUNT, ASK, BID, MES, MNQ, MS_NS, Desk, fill_row, instant, order_row, position

UNKNOWN = "CON.F.US.XYZ.Z26"


def test_the_first_sight_of_an_account_reads_it_whole_twice() -> None:
    desk = Desk(adopted=False)
    desk.feed(AccountReport(ACCOUNT, "PRACTICE-1", Decimal(50_000), can_trade=True))
    assert len(desk.asked(ReadSnapshot)) == 1
    desk.snapshot([position(2, ASK)], [order_row(77)])
    assert len(desk.asked(ReadSnapshot)) == 2
    desk.snapshot([position(2, ASK)], [order_row(77)])
    assert len(desk.asked(ReadSnapshot)) == 2
    assert (desk.net(), desk.order("external/77").role) == (2, Role.EXTERNAL)
    assert desk.account.day.name == "2026-11-23"


def test_a_first_snapshot_that_does_not_come_is_asked_for_again() -> None:
    desk = Desk(adopted=False)
    desk.feed(AccountReport(ACCOUNT, "PRACTICE-1", Decimal(50_000), can_trade=True))
    desk.wait(14_999)
    assert len(desk.asked(ReadSnapshot)) == 1
    desk.wait(1)
    assert len(desk.asked(ReadSnapshot)) == 2


def test_adoption_in_mid_day_counts_todays_money_and_not_yesterdays() -> None:
    fills = [
        fill_row(1, 7, Side.BUY, 1, ASK, fee_usd=Decimal("0.36"), at_ns=instant("2026-11-20 10:00")),
        fill_row(2, 8, Side.BUY, 1, ASK, fee_usd=Decimal("0.36")),
        fill_row(3, 9, Side.SELL, 1, ASK + 8, fee_usd=Decimal("0.36"), pnl_usd=Decimal("10.00")),
        fill_row(4, 9, Side.SELL, 1, ASK + 8, pnl_usd=Decimal("99.00"), voided=True),
    ]
    desk = Desk(balance="50009.28", fills=fills)
    assert desk.account.day.realized_usd == Decimal("9.28")
    assert desk.account.day.balance_usd == Decimal("50000.00")


def test_a_fill_of_before_the_adoption_is_not_applied_to_the_adopted_position() -> None:
    fills = [fill_row(1, 7, Side.BUY, 2, ASK)]
    row = order_row(7, Side.BUY, 2, OrderState.FILLED, filled_quantity=2)
    desk = Desk(positions=[position(2, ASK)], orders=[row], fills=fills)
    assert desk.net() == 2
    assert not desk.account.timers.keys() - {"day", "review"}


def test_orders_of_before_the_adoption_that_are_done_do_not_count_as_working() -> None:
    rows = [
        order_row(7, Side.BUY, 5, OrderState.FILLED, filled_quantity=5),
        order_row(8, Side.SELL, 5, OrderState.CANCELLED, filled_quantity=3),
        order_row(9, Side.SELL, 2, OrderState.CANCELLED),
    ]
    fills = [fill_row(1, 7, Side.BUY, 5, ASK), fill_row(2, 8, Side.SELL, 3, ASK)]
    desk = Desk(Limits(open_orders_max=1), positions=[position(2, ASK)], orders=rows, fills=fills)
    assert list(desk.account.live_orders()) == []
    assert not desk.account.timers.keys() - {"day", "review"}
    assert (desk.order("external/7").status, desk.order("external/8").status) == (Status.FILLED, Status.CANCELLED)
    assert desk.order("external/7").fill_ticks == 5 * ASK
    assert desk.codes("a", stop=Leg.OFF) == []


def test_an_open_order_of_before_the_adoption_counts_with_what_is_left_of_it() -> None:
    row = order_row(7, Side.BUY, 5, filled_quantity=2)
    desk = Desk(positions=[position(2, ASK)], orders=[row], fills=[fill_row(1, 7, Side.BUY, 2, BID)])
    assert desk.order("external/7").leaves == 3
    desk.fill("external/7", 3, BID)
    assert (desk.net(), desk.order("external/7").status) == (5, Status.FILLED)


def test_a_fill_between_the_reading_of_the_orders_and_of_the_fills_is_known_to_its_order() -> None:
    row = order_row(7, Side.BUY, 5, filled_quantity=2)  # read before the second fill
    fills = [fill_row(1, 7, Side.BUY, 2, BID), fill_row(2, 7, Side.BUY, 3, BID)]
    desk = Desk(adopted=False)
    desk.feed(AccountReport(ACCOUNT, "PRACTICE-1", Decimal(50_000), can_trade=True))
    desk.snapshot([position(2, BID)], [row], fills)
    later = [order_row(7, Side.BUY, 5, OrderState.FILLED, filled_quantity=5)]
    desk.snapshot([position(5, BID)], later, fills)
    desk.snapshot([position(5, BID)], later, fills)
    assert desk.net() == 5
    assert list(desk.account.live_orders()) == []
    assert not desk.account.timers.keys() - {"day", "review"}


def test_a_fill_from_around_the_adoption_counts_in_its_day() -> None:
    desk = Desk()
    desk.feed(order_row(7, Side.BUY, 1))
    desk.feed(fill_row(1, 7, Side.BUY, 1, ASK, fee_usd=Decimal("0.36"), at_ns=desk.now_ns - 5 * MS_NS))
    assert desk.account.day.realized_usd == Decimal("-0.36")
    assert desk.account.day.balance_usd == Decimal(50_000)


def test_a_position_on_an_unknown_contract_blocks_new_risk_and_no_more() -> None:
    desk = Desk(adopted=False)
    desk.feed(AccountReport(ACCOUNT, "PRACTICE-1", Decimal(50_000), can_trade=True))
    desk.feed(LinkReport(up=True))
    desk.snapshot([PositionReport(ACCOUNT, UNKNOWN, 1, 100), position(2, ASK)])
    assert desk.net() == 2
    assert desk.codes("a") == ["UNEXPLAINED"]
    assert desk.close().ok


def test_the_same_snapshot_twice_changes_nothing() -> None:
    desk = Desk()
    desk.hold("a", quantity=2)
    desk.feed(order_row(77, Side.BUY, 1))
    first = desk.read_back()
    once = desk.account
    for _ in range(3):
        desk.feed(first)
    assert desk.account == once


def test_a_snapshot_brings_what_the_stream_has_dropped() -> None:
    desk = Desk()
    desk.submit("a", quantity=2)
    desk.accept("a")
    rows = [desk.row("a", OrderState.FILLED, filled_quantity=2), order_row(77, Side.SELL, 1)]
    desk.snapshot([position(2, ASK)], rows, [fill_row(1, 9_001, Side.BUY, 2, ASK)])
    assert (desk.net(), desk.order("a").status) == (2, Status.FILLED)
    assert desk.stop("a").leaves == 2
    assert desk.order("external/77").live


def test_one_differing_reading_is_doubted_and_the_second_equal_one_decides() -> None:
    desk = Desk()
    desk.snapshot([position(3, ASK)])
    assert desk.net() == 0
    assert desk.codes("a") == ["UNEXPLAINED"]
    desk.snapshot([position(3, ASK)])
    assert desk.net() == 3
    assert len(desk.told(e.PositionCorrected)) == 1
    assert desk.codes("b", stop=Leg.OFF) == []


def test_a_doubt_asks_for_the_second_reading_at_once() -> None:
    desk = Desk()
    desk.forget()
    desk.snapshot([position(3, ASK)])
    assert len(desk.asked(ReadSnapshot)) == 1


def test_two_different_differences_decide_nothing() -> None:
    desk = Desk()
    for net in (3, 4, 3, 4):
        desk.snapshot([position(net, ASK)])
    assert desk.net() == 0
    assert desk.codes("a") == ["UNEXPLAINED"]


def test_a_difference_that_was_gone_in_between_must_be_seen_twice_anew() -> None:
    desk = Desk()
    desk.snapshot([position(3, ASK)])
    desk.snapshot([], [])
    desk.snapshot([position(3, ASK)])
    assert desk.net() == 0
    other = PositionReport(ACCOUNT, "CON.F.US.MNQ.Z26", 1, 5)
    desk = Desk()
    desk.snapshot([position(3, ASK)])
    desk.snapshot([other])
    desk.snapshot([position(3, ASK), other])
    assert desk.net() == 0, "seen once, gone while something else differed, seen once more"


def test_a_difference_between_whose_readings_something_filled_must_be_seen_again() -> None:
    desk = Desk()
    desk.submit("a", quantity=2, limit=BID, stop=Leg.OFF, target=Leg.OFF)
    desk.accept("a")
    desk.snapshot([position(1, BID)], [desk.row("a")])  # a fill is on its way
    desk.fill("a", 2, BID)
    desk.snapshot([position(1, BID)], [desk.row("a", OrderState.FILLED)])  # so is another, closing one
    assert desk.net() == 2
    desk.snapshot([position(1, BID)])
    assert desk.net() == 1


def test_a_reading_begun_before_the_doubt_is_no_second_look() -> None:
    desk = Desk()
    began = desk.now_ns
    desk.wait(10)
    desk.snapshot([position(3, ASK)], started_ns=began)
    desk.wait(10)
    desk.snapshot([position(3, ASK)], started_ns=began + 5 * MS_NS)
    assert desk.net() == 0, "both may have been overtaken by the same fill"
    desk.wait(10)
    desk.snapshot([position(3, ASK)])
    assert desk.net() == 3


def test_a_reading_begun_before_the_link_came_back_does_not_agree() -> None:
    desk = Desk()
    began = desk.now_ns
    desk.wait(10)
    desk.feed(LinkReport(up=False, reason="lost"))
    desk.feed(LinkReport(up=True))
    desk.snapshot(started_ns=began)
    assert desk.codes("a") == ["UNEXPLAINED"]
    desk.snapshot()
    assert desk.codes("b") == []


def test_a_fill_that_explains_a_difference_leaves_nothing_to_correct() -> None:
    desk = Desk()
    desk.submit("a", quantity=2)
    desk.accept("a")
    desk.snapshot([position(2, ASK)], [desk.row("a")])
    desk.fill("a", 2)
    desk.snapshot([position(2, ASK)], [desk.row("a", OrderState.FILLED)])
    assert (desk.net(), desk.account.unexplained) == (2, "")
    assert desk.told(e.PositionCorrected) == []


def test_a_correction_shrinks_the_brackets_of_what_is_gone() -> None:
    desk = Desk()
    desk.hold("a", quantity=3)
    rows = [desk.row(leg.order_id) for leg in desk.account.legs("a")]
    desk.snapshot([position(1, ASK)], rows)
    desk.snapshot([position(1, ASK)], rows)
    assert (desk.net(), desk.order("a").open_quantity) == (1, 1)
    desk.wait(300)
    change = desk.stop("a").change
    assert change is not None
    assert change.quantity == 1


def test_a_working_order_that_the_broker_does_not_show_blocks_new_risk_and_is_asked_about_again() -> None:
    desk = Desk()
    desk.submit("a", limit=BID, stop=Leg.OFF, target=Leg.OFF)
    desk.accept("a")
    desk.wait(1)
    desk.forget()
    desk.snapshot()
    assert desk.codes("b") == ["UNEXPLAINED"]
    desk.wait(15_000)
    assert len(desk.asked(ReadSnapshot)) >= 2, "one at once, and another when that one is overdue"
    desk.snapshot([], [desk.row("a", OrderState.CANCELLED)])
    assert desk.codes("c") == []


def test_an_order_accepted_after_the_reading_began_need_not_be_shown() -> None:
    desk = Desk()
    began = desk.now_ns
    desk.wait(5)
    desk.submit("a", limit=BID)
    desk.accept("a")
    desk.snapshot(started_ns=began)
    assert desk.account.unexplained == ""


def test_an_order_that_ended_here_and_is_open_there_blocks_new_risk() -> None:
    desk = Desk()
    desk.submit("a", limit=BID, stop=Leg.OFF, target=Leg.OFF)
    desk.accept("a")
    desk.cancelled("a")
    desk.snapshot([], [desk.row("a")])
    assert desk.account.unexplained == "", "the reading may have begun before the end"
    desk.wait(1)
    desk.snapshot([], [desk.row("a")])
    assert desk.codes("b") == ["UNEXPLAINED"]


def test_terms_read_before_our_own_change_do_not_take_it_back() -> None:
    desk = Desk(Limits(daily_loss_usd_max=Decimal(10_000)))
    desk.submit("a", quantity=2, limit=BID, stop=Leg.OFF, target=Leg.OFF)
    desk.accept("a")
    old = desk.row("a")
    began = desk.now_ns
    desk.wait(5)
    desk.modify("a", quantity=5)
    desk.modified("a")
    desk.snapshot([], [old], started_ns=began)
    assert desk.order("a").leaves == 5
    desk.wait(1)
    desk.snapshot([], [old])
    assert desk.order("a").leaves == 2, "read afterwards, it is the broker's word"


def test_an_unexpected_fact_in_a_reading_blocks_until_the_next_reading_agrees() -> None:
    desk = Desk()
    desk.hold("a", quantity=2, target=Leg.OFF)
    stop = desk.stop("a").order_id
    desk.fill(stop, 2, ASK - 40)
    odd = desk.row(stop, OrderState.REJECTED)
    desk.snapshot([], [odd])
    assert desk.codes("b") == ["UNEXPLAINED"]
    desk.forget()
    desk.wait(15_000)
    assert len(desk.asked(ReadSnapshot)) == 1
    desk.snapshot([], [odd])
    assert desk.codes("c") == []


def test_a_link_that_comes_back_is_read_anew_and_new_risk_waits_for_it() -> None:
    desk = Desk()
    desk.feed(LinkReport(up=False, reason="hub lost"))
    desk.forget()
    desk.feed(LinkReport(up=True))
    assert len(desk.asked(ReadSnapshot)) == 1
    assert desk.codes("a") == ["UNEXPLAINED"]
    assert desk.flatten().ok
    desk.read_back()
    assert desk.codes("b") == []


def test_a_reading_under_way_when_the_link_was_lost_is_not_waited_for() -> None:
    desk = Desk()
    desk.feed(order_row(77, contract_id=UNKNOWN))  # asks for a reading
    desk.forget()
    desk.feed(LinkReport(up=False, reason="hub lost"))
    desk.feed(LinkReport(up=True))
    assert len(desk.asked(ReadSnapshot)) == 1


def test_a_link_that_is_up_already_asks_for_nothing() -> None:
    desk = Desk()
    before = desk.group
    desk.feed(LinkReport(up=True))
    assert desk.group == before


def test_a_reading_reaches_back_to_the_oldest_order_that_may_still_change() -> None:
    desk = Desk(at_ns=instant("2026-11-23 16:59"))
    sent_ns = desk.now_ns
    desk.submit("a", limit=BID, stop=Leg.OFF, target=Leg.OFF)
    desk.accept("a")
    desk.wait(120_000)
    desk.feed(LinkReport(up=False, reason="x"))
    desk.feed(LinkReport(up=True))
    assert desk.asked(ReadSnapshot)[-1].since_ns <= sent_ns


@pytest.mark.parametrize("net", [0, 5])
def test_positions_of_nothing_and_of_no_contracts_are_the_same(net: int) -> None:
    desk = Desk(Limits(daily_loss_usd_max=Decimal(10_000)))
    if net:
        desk.hold("a", quantity=net, stop=Leg.OFF, target=Leg.OFF)
    rows = [PositionReport(ACCOUNT, MES.contract_id, net, net * ASK)]
    desk.snapshot(rows)
    assert (desk.net(), desk.account.unexplained) == (net, "")


def test_a_known_position_at_first_sight_is_nothing_unexpected() -> None:
    desk = Desk(adopted=False)
    desk.feed(AccountReport(ACCOUNT, "PRACTICE-1", Decimal(50_000), can_trade=True))
    desk.snapshot([position(2, ASK)])
    assert desk.told(e.UnexpectedBrokerFact) == []
    assert desk.told(e.Reconciled) == [e.Reconciled(ACCOUNT, desk.now_ns, agreed=True, at_ns=desk.now_ns)]
    (adopted,) = desk.told(e.AccountAdopted)
    assert isinstance(adopted.realized_usd, Decimal)


def test_an_order_on_an_unknown_contract_at_first_sight_is_left_alone() -> None:
    desk = Desk(orders=[order_row(77, contract_id=UNKNOWN)])
    assert desk.account.order("external/77") is None


def test_a_fill_at_the_instant_of_the_open_is_todays_at_first_sight_too() -> None:
    opened = Desk().account.day.opened_ns
    for at_ns, realized in ((opened, Decimal(5)), (opened - 1, Decimal(0))):
        fill = fill_row(1, 70, Side.BUY, 1, ASK, pnl_usd=Decimal(5), at_ns=at_ns)
        assert Desk(fills=[fill]).account.day.realized_usd == realized


def test_an_order_adopted_with_fills_of_which_some_were_not_read_has_no_average() -> None:
    fills = [fill_row(1, 77, Side.BUY, 1, 100), fill_row(2, 77, Side.BUY, 1, 104)]
    row = order_row(77, Side.BUY, 5, filled_quantity=2)
    whole = Desk(positions=[position(2, 102)], orders=[row], fills=fills).order("external/77")
    assert (whole.filled_quantity, whole.fill_ticks) == (2, 204)
    part = Desk(positions=[position(2, 102)], orders=[row], fills=fills[:1]).order("external/77")
    assert (part.filled_quantity, part.fill_ticks) == (2, 0)


def test_a_position_that_the_broker_does_not_show_is_doubted_as_none() -> None:
    desk = Desk(positions=[position(1, ASK)])
    desk.forget()
    desk.wait(1)
    desk.snapshot()
    assert desk.told(e.PositionDoubted) == [e.PositionDoubted(ACCOUNT, MES.contract_id, 0, 0, desk.now_ns)]


def test_every_position_is_compared_after_one_that_agrees() -> None:
    desk = Desk(positions=[position(1, ASK), position(2, ASK, MNQ)])
    desk.forget()
    desk.snapshot([position(1, ASK), position(3, ASK, MNQ)])
    assert [event.contract_id for event in desk.told(e.PositionDoubted)] == [MNQ.contract_id]


def test_two_positions_are_corrected_in_one_reading() -> None:
    desk = Desk(positions=[position(1, ASK), position(2, ASK, MNQ)])
    shown = [position(2, ASK), position(3, ASK, MNQ)]
    for _ in range(2):
        desk.snapshot(shown)
    assert [event.contract_id for event in desk.told(e.PositionCorrected)] == [MES.contract_id, MNQ.contract_id]


def agreed(desk: Desk) -> bool:
    return desk.told(e.Reconciled)[-1].agreed


def test_what_blocked_new_risk_blocks_it_as_long_as_the_readings_show_it() -> None:
    missing = Desk()
    missing.submit("a", limit=BID)
    missing.accept("a")
    unknown = Desk()
    for _ in range(3):
        for desk in (missing, unknown):
            desk.wait(20_000)
        missing.snapshot()
        unknown.snapshot([PositionReport(ACCOUNT, UNKNOWN, 1, 100)])
        assert agreed(missing) is agreed(unknown) is False
        assert missing.account.unexplained == "a is not among the broker's orders"
        assert unknown.account.unexplained == f"a position is on unknown {UNKNOWN}"


def test_an_order_that_ends_here_and_is_open_there_again_and_again_blocks_new_risk_each_time() -> None:
    desk = Desk()
    desk.submit("a", limit=BID)
    desk.accept("a")
    row = desk.row("a")
    for _ in range(4):
        desk.feed(replace(row, state=OrderState.CANCELLED))
        desk.wait(1)
        desk.snapshot(orders=[row])
        assert not agreed(desk)


def test_an_order_that_we_heard_of_as_the_reading_began_need_not_be_shown() -> None:
    desk = Desk()
    desk.wait(1)
    desk.submit("a", limit=BID)
    desk.accept("a")
    desk.snapshot()
    assert agreed(desk)
    desk.wait(1)
    desk.snapshot()
    assert not agreed(desk)


def test_every_row_is_looked_at_after_one_that_is_in_order() -> None:
    desk = Desk()
    for name in "ab":
        desk.submit(name, limit=BID)
        desk.accept(name)
    rows = [desk.row(name) for name in "ab"]
    desk.cancelled("b")
    desk.wait(1)
    desk.snapshot(orders=rows)
    assert not agreed(desk)
    assert desk.account.unexplained == "b is cancelled, and open at the broker"


def test_a_doubt_that_is_seen_again_too_early_keeps_its_beginning() -> None:
    desk = Desk(positions=[position(1, ASK)])
    shown = [position(2, ASK)]
    desk.snapshot(shown)
    since_ns = desk.now_ns
    desk.wait(1_000)
    desk.snapshot(shown, started_ns=since_ns - 1)
    assert desk.net() == 1
    assert desk.account.doubted[MES.contract_id].since_ns == since_ns
    desk.snapshot(shown, started_ns=since_ns + 1)
    assert desk.net() == 2


def test_a_reading_begun_before_a_doubt_or_a_strange_fact_explains_neither() -> None:
    desk = Desk()
    desk.wait(1_000)
    desk.feed(Unreadable(ACCOUNT, "what"))
    desk.snapshot(started_ns=desk.now_ns - 1)
    assert desk.account.unexplained == "what"
    desk.snapshot(started_ns=desk.now_ns)
    assert (desk.account.unexplained, desk.account.unexplained_ns) == ("", 0)
    desk.snapshot([position(2, ASK)])
    assert desk.account.unexplained_ns == desk.now_ns


def test_terms_read_at_the_instant_of_our_own_change_do_not_take_it_back() -> None:
    desk = Desk()
    desk.submit("a", quantity=2, limit=BID)
    desk.accept("a")
    row = desk.row("a")
    desk.modify("a", quantity=3)
    desk.wait(5)
    desk.modified("a")
    desk.snapshot(orders=[row])
    assert desk.order("a").terms.quantity == 3


def test_a_reading_brings_the_balance_too() -> None:
    desk = Desk()
    desk.snapshot(balance="50010")
    assert desk.account.balance_usd == Decimal(50_010)


def test_an_order_in_doubt_need_not_be_shown() -> None:
    desk = Desk()
    desk.submit("a", limit=BID)
    desk.placed("a", Outcome.UNKNOWN)
    desk.wait(1)
    desk.snapshot()
    assert agreed(desk)


def test_an_order_that_is_open_at_the_broker_after_all_counts_again() -> None:
    desk = Desk()
    desk.submit("a", limit=BID)
    desk.accept("a")
    row = desk.row("a")
    desk.cancelled("a")
    desk.wait(1)
    desk.snapshot(orders=[row])
    assert [order.role for order in desk.account.live_orders()] == [Role.EXTERNAL]


def test_a_link_that_comes_up_leaves_what_is_explained_explained() -> None:
    desk = Desk()
    group = evolve(desk.group, e.LinkChanged(0, up=True, reason="again", at_ns=desk.now_ns))
    assert group.accounts[ACCOUNT].unexplained == ""


def test_a_row_from_before_the_last_fill_does_not_open_a_filled_order_again() -> None:
    desk = Desk()
    desk.submit("a", limit=BID, stop=Leg.OFF, target=Leg.OFF)
    desk.accept("a")
    row = desk.row("a")
    desk.fill("a", price=BID)
    desk.wait(1)
    desk.snapshot([position(1, BID)], [row])
    assert agreed(desk)
    assert desk.order("a").status is Status.FILLED


def test_a_leg_that_we_took_for_ended_and_that_is_shown_open_goes_once_what_was_promised_rests() -> None:
    desk = Desk()
    desk.hold("a", quantity=2, target=Leg.OFF)
    old = desk.row(desk.stop("a").order_id)
    desk.cancelled(desk.stop("a").order_id)
    new = desk.stop("a").order_id
    desk.wait(1)
    desk.snapshot([position(2, ASK)], [old])
    surplus = desk.order(f"external/{old.broker_order_id}")
    assert (surplus.cancel_wanted, desk.stop("a").leaves) == (False, 2), "the new one has not been seen yet"
    desk.accept(new)
    desk.show(new)
    assert desk.order(surplus.order_id).cancel_wanted
    assert not desk.stop("a").cancel_wanted


def test_an_account_that_holds_something_is_read_from_time_to_time_whatever_is_told() -> None:
    desk = Desk()
    desk.hold("a")
    desk.read_back()
    desk.forget()
    desk.wait(119_000)
    assert desk.asked(ReadSnapshot) == []
    desk.wait(1_000)
    assert len(desk.asked(ReadSnapshot)) == 1
    desk.read_back()
    desk.wait(120_000)
    assert len(desk.asked(ReadSnapshot)) == 2


def test_so_is_one_with_an_order_that_works_from_its_acceptance_on() -> None:
    desk = Desk()
    desk.submit("a", limit=BID - 4)
    desk.accept("a")
    desk.show("a")
    desk.forget()
    desk.wait(120_000)
    assert len(desk.asked(ReadSnapshot)) == 1


def test_an_account_without_anything_is_not() -> None:
    desk = Desk()
    desk.submit("a", limit=BID - 4)
    desk.accept("a")
    desk.cancel("a")
    desk.cancelled("a")
    desk.read_back()
    desk.forget()
    desk.wait(600_000)
    assert desk.asked(ReadSnapshot) == []
