"""What people ask for: submit, cancel, close, cancel all, flatten."""

from __future__ import annotations

from decimal import Decimal

import pytest
from msgspec.structs import replace

from ordergate.core import events as e
from ordergate.core.commands import CancelAll, CancelOrder, Flatten, Leg, SubmitOrder
from ordergate.core.effects import Place, RaiseEpoch
from ordergate.core.limits import Limits, OnDailyLoss
from ordergate.core.order import Exit, OrderType, Side, Status
from ordergate.core.reports import AccountReport, BrokerSnapshot, LinkReport, Outcome
from tests.core.desk import ACCOUNT, ASK, BID, MES, MNQ, WIDE, Desk, order_row, position


def test_an_order_that_breaks_nothing_is_approved_and_placed_as_it_was_asked() -> None:
    desk = Desk()
    answer = desk.submit("a", Side.SELL, 2, limit=ASK + 8)
    assert (answer.ok, answer.order_id, answer.contract_id) == (True, "a", MES.contract_id)
    (place,) = desk.asked(Place)
    terms = place.terms
    assert (terms.side, terms.quantity, terms.order_type, terms.limit_ticks) == (
        Side.SELL,
        2,
        OrderType.LIMIT,
        ASK + 8,
    )
    assert place.grant.kind is e.ApprovalKind.APPROVED
    assert place.order_tag == desk.order("a").tag == "og-desk-101-1"


def test_a_denied_order_is_kept_with_its_evidence_and_nothing_is_sent() -> None:
    desk = Desk()
    answer = desk.submit("a", quantity=11)
    assert not answer.ok
    assert answer.code == "MAX_ORDER_SIZE"
    assert desk.asked(Place) == []
    (denied,) = desk.told(e.OrderDenied)
    assert denied.order.breaches == answer.breaches
    assert denied.quote == desk.quotes[MES.contract_id], "the quote the decision used"
    assert desk.order("a").status is Status.DENIED


def test_the_same_request_again_gets_the_same_answer_and_happens_once() -> None:
    desk = Desk()
    first = [desk.submit("a"), desk.submit("b", quantity=11)]
    again = [desk.submit("a"), desk.submit("b", quantity=11)]
    assert [replace(x, request_id="") for x in first] == [replace(x, request_id="") for x in again]
    assert len(desk.asked(Place)) == 1
    assert len(desk.told(e.OrderDenied)) == 1


def test_the_same_request_gets_the_same_answer_after_the_order_is_done() -> None:
    desk = Desk()
    desk.submit("a", limit=BID)
    desk.accept("a")
    desk.cancelled("a")
    assert desk.submit("a", limit=BID).ok


def test_another_request_with_a_used_id_is_refused() -> None:
    desk = Desk()
    desk.submit("a")
    answer = desk.submit("a", quantity=2)
    assert (answer.code, answer.field) == ("ORDER_ID_REUSED", "orderId")
    assert len(desk.asked(Place)) == 1


@pytest.mark.parametrize("side", Side)
def test_an_order_that_only_closes_is_asked_about_no_limit(side: Side) -> None:
    limits = Limits(
        allowed_symbols=(),
        order_quantity_max=0,
        position_quantity_max=0,
        open_orders_max=0,
        daily_loss_usd_max=Decimal(1),
        risk_percent_max=Decimal(0),
        on_daily_loss=OnDailyLoss.KEEP,
    )
    desk = Desk(limits, balance="0", positions=[position(-2 * side.sign, ASK)])
    desk.quotes.clear()
    desk.feed(LinkReport(up=False, reason="x"))
    assert desk.submit("a", side, 2, superseded=True).ok
    (place,) = desk.asked(Place)
    assert place.grant.kind is e.ApprovalKind.REDUCING


def test_an_order_through_flat_is_denied_whole_and_names_what_would_close() -> None:
    desk = Desk(Limits(position_quantity_max=3), positions=[position(3, ASK)])
    answer = desk.submit("a", Side.SELL, 7)
    assert answer.code == "MAX_POSITION_SIZE"
    assert "an order of 3 would only close" in answer.message
    assert desk.submit("a", Side.SELL, 7).message == answer.message
    assert desk.submit("b", Side.SELL, 3).ok


def test_two_closing_orders_cannot_both_be_sure_to_close() -> None:
    desk = Desk(Limits(position_quantity_max=3, order_quantity_max=1), positions=[position(3, ASK)])
    assert desk.submit("a", Side.SELL, 3, limit=ASK + 40).ok
    assert desk.submit("b", Side.SELL, 2, limit=ASK + 40).code == "MAX_ORDER_SIZE"


def test_an_unknown_account_is_an_error_of_input() -> None:
    desk = Desk()
    before = desk.group
    order = SubmitOrder("r", 999, "a", MES.contract_id, Side.BUY, 1, OrderType.MARKET)
    answer = desk.ask(order)
    assert (answer.code, answer.field) == ("UNKNOWN_ACCOUNT", "accountId")
    assert desk.group == before


# Cancel.
def test_cancelling_nothing_is_an_unknown_order() -> None:
    assert Desk().cancel("a").code == "UNKNOWN_ORDER"


def test_cancelling_twice_is_well() -> None:
    desk = Desk()
    desk.submit("a", limit=BID)
    desk.accept("a")
    assert desk.cancel("a").ok
    assert desk.cancel("a").ok
    assert len(desk.told(e.CancelWanted)) == 1


def test_a_cancel_that_overtook_its_order_decides_it_as_cancelled() -> None:
    desk = Desk()
    assert desk.cancel("a", queued_account=ACCOUNT).ok
    answers = [desk.submit("a"), desk.submit("a")]
    assert [answer.code for answer in answers] == ["CANCELLED", "CANCELLED"], "asked again, it answers the same"
    assert desk.asked(Place) == []
    assert desk.order("a").status is Status.CANCELLED
    assert desk.account.cancels_remembered == ()


def test_a_cancel_of_an_order_for_an_account_that_is_not_there_makes_none() -> None:
    desk = Desk()
    assert desk.cancel("a", queued_account=4_711).code == "UNKNOWN_ORDER"
    assert 4_711 not in desk.group.accounts


def test_the_only_stop_of_a_position_is_not_cancelled() -> None:
    desk = Desk()
    desk.hold("a")
    stop = desk.stop("a").order_id
    assert desk.cancel(stop).code == "PROTECTIVE_STOP"
    assert not desk.order(stop).cancel_wanted


def test_an_order_made_elsewhere_can_be_cancelled() -> None:
    desk = Desk()
    desk.feed(order_row(77))
    assert desk.cancel("external/77").ok
    assert desk.order("external/77").cancel_wanted


def test_cancelling_is_blocked_by_nothing() -> None:
    desk = Desk()
    desk.submit("a", limit=BID)
    desk.accept("a")
    desk.feed(LinkReport(up=False, reason="x"))
    desk.feed(AccountReport(ACCOUNT, "PRACTICE-1", Decimal(1), can_trade=False))
    assert desk.cancel("a").ok


# Cancel all, flatten.
def test_cancel_all_leaves_the_legs_alone_and_raises_the_epoch() -> None:
    desk = Desk()
    desk.hold("a")
    desk.submit("b", limit=BID)
    desk.accept("b")
    desk.feed(order_row(77))
    assert desk.cancel_all().ok
    wanted = {order.order_id for order in desk.account.live_orders() if order.cancel_wanted}
    assert wanted == {"b", "external/77"}
    assert desk.asked(RaiseEpoch) == [RaiseEpoch(ACCOUNT, 1)]


def test_cancel_all_leaves_somebody_elses_stop_that_protects_a_position() -> None:
    desk = Desk()
    desk.enter("a", quantity=2, stop=Leg.OFF)
    desk.feed(order_row(77, Side.SELL, 2, order_type=OrderType.STOP, limit_ticks=None, stop_ticks=BID - 40))
    desk.feed(order_row(78, Side.BUY, 2, order_type=OrderType.STOP, limit_ticks=None, stop_ticks=ASK + 40))
    assert desk.cancel_all().ok
    assert [order.order_id for order in desk.account.live_orders() if order.cancel_wanted] == ["external/78"]


def test_all_accounts_are_meant_where_none_is_named() -> None:
    desk = Desk()
    other = AccountReport(202, "PRACTICE-2", Decimal(50_000), can_trade=True)
    desk.feed(other)
    desk.feed(BrokerSnapshot(other, 0, desk.now_ns, (), (), ()))
    for command in (CancelAll("r1"), Flatten("r2")):
        desk.forget()
        assert desk.ask(command).ok
        assert [effect.account_id for effect in desk.asked(RaiseEpoch)] == [ACCOUNT, 202]
    assert desk.ask(Flatten("r3", 202)).ok
    assert (desk.account.epoch, desk.group.accounts[202].epoch) == (2, 3)


def test_an_order_is_found_in_whichever_account_has_it_unless_one_is_named() -> None:
    desk = Desk()
    desk.submit("a", limit=BID)
    assert desk.ask(CancelOrder("r1", "a", 202)).code == "UNKNOWN_ORDER"
    assert desk.ask(CancelOrder("r2", "a", ACCOUNT)).ok


def test_flattening_an_unknown_account_says_so() -> None:
    assert Desk().ask(Flatten("r", 999)).code == "UNKNOWN_ACCOUNT"
    assert Desk().ask(CancelAll("r", 999)).code == "UNKNOWN_ACCOUNT"


def test_flattening_nothing_is_well() -> None:
    desk = Desk()
    assert desk.flatten().ok
    assert not desk.account.exits


def test_flatten_and_close_are_blocked_by_nothing() -> None:
    desk = Desk(positions=[position(2, ASK)])
    desk.quotes.clear()
    desk.feed(LinkReport(up=False, reason="x"))
    desk.feed(AccountReport(ACCOUNT, "PRACTICE-1", Decimal(1), can_trade=False))
    assert desk.close().ok
    assert len(desk.closes()) == 1
    assert desk.flatten().ok


def test_a_reducing_order_still_carries_its_promise_should_it_open_after_all() -> None:
    desk = Desk()
    desk.hold("a", quantity=2)
    assert desk.submit("out", Side.SELL, 2, limit=ASK + 40).ok
    desk.accept("out")
    desk.fill(desk.stop("a").order_id, price=ASK - 40)
    desk.fill("out", price=ASK + 40)
    assert desk.net() == -2
    assert desk.stop("out").terms.side is Side.BUY


def test_an_order_in_doubt_keeps_its_id() -> None:
    desk = Desk()
    desk.submit("a")
    desk.placed("a", Outcome.UNKNOWN)
    assert desk.submit("a").ok
    assert len(desk.asked(Place)) == 1


def test_what_an_order_risks_is_counted_from_its_price_or_the_market_to_its_stop() -> None:
    desk = Desk(WIDE, positions=[position(-1, ASK, MNQ)])
    desk.submit("market", stop=Exit(40, ASK - 30))
    desk.submit("limit", limit=BID - 10, stop=Exit(40, BID - 22))
    desk.submit("distance", stop=Exit(33))
    desk.submit("none", stop=Leg.OFF)
    desk.submit("closing", instrument=MNQ, stop=Exit(40, ASK - 17))
    assert [desk.order(name).risk_ticks for name in ("market", "limit", "distance", "none", "closing")] == [
        30,
        12,
        33,
        160,
        17,
    ]


def test_an_order_that_a_cancel_overtook_is_kept_with_that_reason() -> None:
    desk = Desk()
    desk.cancel("a", queued_account=ACCOUNT)
    desk.submit("a")
    assert (desk.order("a").status, desk.order("a").reason) == (Status.CANCELLED, "cancelled before it was decided")


def test_cancelling_a_stop_that_protects_nothing_any_more_leaves_the_promise_alone() -> None:
    desk = Desk(WIDE)
    desk.hold("a")
    stop = desk.stop("a").order_id
    desk.submit("out", Side.SELL, stop=Leg.OFF, target=Leg.OFF)
    desk.accept("out")
    desk.fill("out")
    desk.forget()
    assert desk.cancel(stop).ok
    assert desk.told(e.ProtectionChanged) == []


def test_cancel_all_and_flatten_say_so_in_what_they_record() -> None:
    desk = Desk()
    desk.submit("a", limit=BID - 8)
    desk.accept("a")
    desk.cancel_all()
    desk.flatten()
    assert [(event.epoch, event.cause) for event in desk.told(e.EpochRaised)] == [(1, "cancel all"), (2, "flatten")]
    assert desk.order("a").reason == "cancel all"


def test_an_account_that_was_never_read_takes_no_command() -> None:
    desk = Desk(adopted=False)
    desk.feed(AccountReport(ACCOUNT, "PRACTICE-1", desk.balance, can_trade=True))
    assert desk.submit("a").code == "UNKNOWN_ACCOUNT"
    assert desk.cancel_all().code == "UNKNOWN_ACCOUNT"
    assert desk.flatten().code == "UNKNOWN_ACCOUNT"


def test_a_part_of_what_is_being_closed_whole_is_done() -> None:
    desk = Desk()
    desk.hold("a", quantity=3)
    assert desk.close().ok
    assert desk.close(1).ok
    assert len(desk.told(e.ExitStarted)) == 1


def test_cancel_all_leaves_what_closes_a_position_alone() -> None:
    desk = Desk()
    desk.hold("a", stop=Leg.OFF, target=Leg.OFF)
    desk.close()
    (close,) = desk.closes()
    desk.cancel_all()
    assert not desk.order(close.order_id).cancel_wanted


def test_a_flatten_ends_no_repetition_where_nothing_was_repeated() -> None:
    desk = Desk()
    desk.flatten()
    assert desk.told(e.RepetitionEnded) == []
