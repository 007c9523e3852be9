"""Order rows, fills and balances: applied once, in any order; what fits nothing is said and blocks new risk."""

from __future__ import annotations

from collections.abc import Callable
from decimal import Decimal
from itertools import permutations
from typing import Any

import pytest

from ordergate.core import events as e
from ordergate.core.commands import Leg
from ordergate.core.effects import LookUp, ReadSnapshot
from ordergate.core.limits import Limits
from ordergate.core.order import Exit, Order, OrderType, Role, Side, Status, Terms
from ordergate.core.reports import AccountReport, BrokerSnapshot, OrderState, Outcome, PositionReport, Unreadable
from ordergate.core.sessions import day_open_ns
from tests.core.desk import ACCOUNT, ASK, BID, MES, MNQ, Desk, fill_row, order_row, position

FIVE = Limits(position_quantity_max=5, daily_loss_usd_max=Decimal(10_000))


def unbracketed(desk: Desk, order_id: str, quantity: int = 1, **more: Any) -> None:
    assert desk.submit(order_id, quantity=quantity, stop=Leg.OFF, target=Leg.OFF, **more).ok


def test_a_fill_is_counted_once() -> None:
    desk = Desk()
    unbracketed(desk, "a", 2)
    desk.accept("a")
    fill = desk.fill("a", 1)
    for _ in range(3):
        desk.feed(fill)
    desk.snapshot([position(1, ASK)], [desk.row("a")], [fill])
    assert (desk.net(), desk.order("a").filled_quantity) == (1, 1)


@pytest.mark.parametrize("order", list(permutations(range(3))))
def test_an_order_is_the_same_whichever_of_answer_row_and_fill_comes_first(order: tuple[int, ...]) -> None:
    desk = Desk()
    unbracketed(desk, "a", 2)
    row = desk.row("a", OrderState.FILLED, broker_order_id=9_001, filled_quantity=2)
    fill = fill_row(1, 9_001, Side.BUY, 2, ASK)
    reports: list[Callable[[], object]] = [
        lambda: desk.placed("a", Outcome.DONE, 9_001),
        lambda: desk.feed(row),
        lambda: desk.feed(fill),
    ]
    for index in order:
        reports[index]()
    assert (desk.order("a").status, desk.net()) == (Status.FILLED, 2)
    assert desk.account.positions[MES.contract_id].average == ASK
    assert not desk.account.held
    assert set(desk.account.timers) == {"day", "review"}


def test_a_fill_before_the_acknowledgement_is_protected_as_soon_as_its_order_is_named() -> None:
    desk = Desk()
    desk.submit("a", quantity=2)
    desk.feed(fill_row(1, 9_001, Side.BUY, 2, ASK))
    assert desk.net() == 0
    desk.show("a", broker_order_id=9_001)
    assert (desk.net(), desk.stop("a").leaves) == (2, 2)


def test_a_fill_of_an_unknown_order_is_asked_about_after_a_second() -> None:
    desk = Desk()
    desk.forget()
    desk.feed(fill_row(1, 77, Side.BUY, 2, ASK))
    desk.wait(999)
    assert desk.asked(ReadSnapshot) == []
    desk.wait(1)
    assert len(desk.asked(ReadSnapshot)) == 1
    desk.snapshot([position(2, ASK)], [order_row(77, quantity=2, state=OrderState.FILLED, filled_quantity=2)])
    assert (desk.net(), desk.order("external/77").status) == (2, Status.FILLED)


def test_a_fill_of_an_unknown_order_counts_from_the_start() -> None:
    desk = Desk(FIVE)
    desk.feed(fill_row(1, 77, Side.BUY, 4, ASK))
    assert desk.codes("a", quantity=2) == ["MAX_POSITION_SIZE"]
    assert desk.codes("b", quantity=1) == []


def test_a_fill_that_can_be_of_our_own_unnamed_order_is_not_counted_beside_it() -> None:
    desk = Desk(FIVE)
    unbracketed(desk, "a", 4)
    desk.feed(fill_row(1, 9_001, Side.BUY, 4, ASK))
    assert desk.codes("b") == []


def test_fills_shown_by_the_row_and_not_seen_yet_count_though_the_order_has_ended() -> None:
    desk = Desk(FIVE)
    unbracketed(desk, "a", 4, limit=BID)
    desk.accept("a")
    desk.show("a", OrderState.CANCELLED, filled_quantity=3)
    assert desk.order("a").status is Status.CANCELLED
    assert desk.codes("b", quantity=3) == ["MAX_POSITION_SIZE"]
    desk.fill("a", 3, BID)
    assert desk.codes("c", quantity=3) == ["MAX_POSITION_SIZE"]
    assert desk.codes("d", quantity=2) == []


def test_fills_that_do_not_come_are_asked_for() -> None:
    desk = Desk()
    unbracketed(desk, "a", 2)
    desk.accept("a")
    desk.show("a", filled_quantity=1)
    desk.forget()
    desk.wait(1_000)
    assert len(desk.asked(ReadSnapshot)) == 1
    desk.snapshot([position(1, ASK)], [desk.row("a", filled_quantity=1)], [fill_row(1, 9_001, Side.BUY, 1, ASK)])
    desk.forget()
    desk.wait(60_000)
    assert desk.asked(ReadSnapshot) == []


@pytest.mark.parametrize("quantities", list(permutations([1, 2, 3])))
def test_partial_fills_in_any_order_add_up(quantities: tuple[int, ...]) -> None:
    desk = Desk()
    desk.submit("a", quantity=6)
    desk.accept("a")
    grown = []
    for quantity in quantities:
        desk.fill("a", quantity, ASK + quantity)
        grown.append(desk.order("a").filled_quantity)
    assert grown == sorted(grown)
    assert desk.order("a").status is Status.FILLED
    assert desk.account.positions[MES.contract_id].average * 6 == 6 * ASK + 14


def test_a_late_fill_after_the_cancel_is_held_and_protected() -> None:
    desk = Desk()
    desk.submit("a", quantity=3, limit=BID)
    desk.accept("a")
    desk.cancelled("a")
    desk.fill("a", 2, BID)
    assert (desk.order("a").status, desk.net()) == (Status.CANCELLED, 2)
    assert desk.stop("a").leaves == 2


def test_an_overfill_counts_is_protected_and_blocks_new_risk() -> None:
    desk = Desk()
    desk.submit("a", quantity=2)
    desk.accept("a")
    desk.fill("a", 3)
    assert (desk.net(), desk.stop("a").leaves) == (3, 3)
    assert desk.codes("b") == ["UNEXPLAINED"]
    desk.read_back()
    assert desk.codes("c") == []


def test_a_reject_after_the_acknowledgement_releases_its_exposure_once() -> None:
    desk = Desk(FIVE)
    unbracketed(desk, "a", 5)
    desk.accept("a")
    assert desk.codes("b") == ["MAX_POSITION_SIZE"]
    desk.show("a", OrderState.REJECTED)
    desk.show("a", OrderState.REJECTED)
    desk.placed("a", Outcome.REFUSED, text="late")
    assert desk.codes("c", quantity=6) == ["MAX_POSITION_SIZE"]
    assert desk.codes("d", quantity=5) == [], "released, and only once"


@pytest.mark.parametrize("hub_first", [True, False])
def test_the_reason_of_a_rejection_is_kept_whichever_of_hub_and_answer_comes_first(hub_first: bool) -> None:  # noqa: FBT001
    desk = Desk()
    unbracketed(desk, "a")
    told: list[Callable[[], object]] = [
        lambda: desk.show("a", OrderState.REJECTED, broker_order_id=9_001),
        lambda: desk.placed("a", Outcome.REFUSED, 9_001, "Outside trading hours"),
    ]
    for tell in told if hub_first else reversed(told):
        tell()
    assert (desk.order("a").status, desk.order("a").reason) == (Status.REJECTED, "Outside trading hours")


def test_a_row_that_shows_new_terms_is_believed() -> None:
    desk = Desk(FIVE)
    unbracketed(desk, "a", 2, limit=BID)
    desk.accept("a")
    desk.show("a", quantity=4, limit_ticks=BID - 3)
    assert (desk.order("a").terms.quantity, desk.order("a").terms.limit_ticks) == (4, BID - 3)
    assert desk.codes("b", quantity=2) == ["MAX_POSITION_SIZE"]


def test_an_order_made_smaller_than_what_filled_is_filled() -> None:
    desk = Desk()
    unbracketed(desk, "a", 3, limit=BID)
    desk.accept("a")
    assert desk.modify("a", quantity=2).ok
    desk.fill("a", 2, BID)
    assert desk.order("a").leaves == 1, "the change is not proven"
    desk.modified("a")
    assert (desk.order("a").status, desk.order("a").leaves) == (Status.FILLED, 0)
    assert list(desk.account.live_orders()) == []


def test_an_order_that_fills_while_it_is_made_larger_still_counts_with_the_larger_size() -> None:
    desk = Desk(FIVE)
    unbracketed(desk, "a", 1, limit=BID)
    desk.accept("a")
    assert desk.modify("a", quantity=4).ok
    desk.fill("a", 1, BID)
    assert desk.order("a").leaves == 3
    assert desk.codes("b", quantity=2) == ["MAX_POSITION_SIZE"]
    desk.modified("a")
    assert (desk.order("a").status, desk.order("a").leaves) == (Status.WORKING, 3)
    desk.fill("a", 3, BID)
    assert (desk.order("a").status, desk.account.unexplained) == (Status.FILLED, "")


def test_an_order_that_filled_before_it_could_be_made_larger_is_filled() -> None:
    refused = Desk()
    unbracketed(refused, "a", 1, limit=BID)
    refused.accept("a")
    refused.modify("a", quantity=4)
    refused.fill("a", 1, BID)
    refused.modified("a", Outcome.REFUSED, "order is filled")
    assert (refused.order("a").status, refused.order("a").leaves) == (Status.FILLED, 0)
    shown = Desk()
    unbracketed(shown, "a", 1, limit=BID)
    shown.accept("a")
    shown.modify("a", quantity=4)
    shown.fill("a", 1, BID)
    shown.show("a", OrderState.FILLED)
    assert (shown.order("a").status, shown.order("a").leaves) == (Status.FILLED, 0)


def test_fills_beyond_the_old_size_prove_that_an_order_was_made_larger() -> None:
    desk = Desk()
    unbracketed(desk, "a", 1, limit=BID)
    desk.accept("a")
    desk.modify("a", quantity=4)
    desk.fill("a", 4, BID)
    order = desk.order("a")
    assert (order.status, order.terms.quantity, desk.account.unexplained) == (Status.FILLED, 4, "")


def test_an_order_without_our_tag_is_external_and_counts() -> None:
    desk = Desk()
    desk.feed(order_row(77, Side.SELL, 3))
    order = desk.order("external/77")
    assert (order.role, order.status, order.leaves) == (Role.EXTERNAL, Status.WORKING, 3)
    desk.feed(fill_row(1, 77, Side.SELL, 2, BID))
    assert (desk.net(), desk.order("external/77").leaves) == (-2, 1)
    assert list(desk.account.legs("external/77")) == [], "unprotected by its owner's choice"


def test_a_strange_order_that_ended_without_a_fill_is_not_recorded() -> None:
    desk = Desk()
    before = desk.group
    for state in (OrderState.CANCELLED, OrderState.REJECTED, OrderState.EXPIRED):
        desk.feed(order_row(77, state=state))
    assert desk.group == before


@pytest.mark.parametrize(
    "changed",
    [
        {"contract_id": MNQ.contract_id},
        {"side": Side.SELL},
        {"quantity": 3},
        {"created_ns": 0},
    ],
    ids=["contract", "side", "size", "made long before"],
)
def test_an_order_that_carries_our_tag_but_is_another_one_is_not_ours_and_counts(changed: dict[str, Any]) -> None:
    desk = Desk(FIVE)
    unbracketed(desk, "a", 2)
    desk.show("a", broker_order_id=9_001, **changed)
    assert (desk.order("a").status, desk.order("a").broker_order_id) == (Status.APPROVED, None)
    assert desk.order("external/9001").live
    assert "UNEXPLAINED" in desk.codes("b")
    desk.placed("a", Outcome.DONE, 9_002)
    assert desk.order("a").status is Status.WORKING


@pytest.mark.parametrize("state", [OrderState.OPEN, OrderState.FILLED])
def test_an_order_made_smaller_at_the_broker_before_its_answer_came_is_still_ours(state: OrderState) -> None:
    desk = Desk(FIVE)
    unbracketed(desk, "a", 3, limit=BID)
    filled = 1 if state is OrderState.FILLED else 0
    row = desk.row("a", state, broker_order_id=9_001, quantity=1, filled_quantity=filled)
    desk.snapshot(orders=[row])
    desk.placed("a", Outcome.DONE, 9_001)
    assert (desk.order("a").broker_order_id, desk.order("a").leaves) == (9_001, 1)
    desk.fill("a", 1, BID)
    assert desk.order("a").status is Status.FILLED


def test_a_second_order_with_a_tag_that_is_taken_is_somebody_elses() -> None:
    desk = Desk()
    unbracketed(desk, "a", 2, limit=BID)
    desk.accept("a")
    first = desk.order("a").broker_order_id
    desk.show("a", broker_order_id=9_999)
    assert desk.order("a").broker_order_id == first
    assert desk.order("external/9999").live
    desk.feed(fill_row(1, 9_999, Side.BUY, 2, BID))
    assert (desk.order("a").filled_quantity, desk.order("external/9999").filled_quantity) == (0, 2)


def test_a_rejected_repetition_of_our_tag_is_of_no_consequence() -> None:
    desk = Desk()
    unbracketed(desk, "a", 2, limit=BID)
    desk.accept("a")
    before = desk.group
    desk.show("a", OrderState.REJECTED, broker_order_id=9_999)
    assert desk.group == before


def test_what_is_on_an_unknown_contract_blocks_new_risk() -> None:
    desk = Desk()
    desk.feed(order_row(77, contract_id="CON.F.US.XYZ.Z26"))
    assert desk.codes("a") == ["UNEXPLAINED"]
    desk = Desk()
    desk.feed(fill_row(1, 77, Side.BUY, 1, ASK, contract_id="CON.F.US.XYZ.Z26"))
    assert desk.codes("a") == ["UNEXPLAINED"]


def test_what_cannot_be_read_blocks_new_risk_and_reconciles() -> None:
    desk = Desk()
    desk.forget()
    desk.feed(Unreadable(ACCOUNT, "status 99"))
    assert desk.told(e.UnexpectedBrokerFact)[0].what == "status 99"
    assert len(desk.asked(ReadSnapshot)) == 1


def test_a_balance_is_told_once() -> None:
    desk = Desk()
    for _ in range(3):
        desk.feed(AccountReport(ACCOUNT, "PRACTICE-1", Decimal(49_000), can_trade=True))
    assert desk.account.balance_usd == Decimal(49_000)
    assert len(desk.told(e.AccountUpdated)) == 1


def test_before_its_adoption_an_account_takes_nothing_but_its_snapshot() -> None:
    desk = Desk(adopted=False)
    for report in (
        order_row(77),
        fill_row(1, 77, Side.BUY, 1, ASK),
        Unreadable(ACCOUNT, "what"),
        PositionReport(ACCOUNT, MES.contract_id, 3, 3),
    ):
        assert desk.feed(report).events == ()
    assert desk.submit("a").code == "UNKNOWN_ACCOUNT"
    assert desk.flatten().code == "UNKNOWN_ACCOUNT"


def test_a_busted_entry_is_as_if_it_had_never_been() -> None:
    desk = Desk()
    desk.enter("a", quantity=2)
    fill = desk.told(e.FillApplied)[0]
    desk.feed(fill_row(fill.fill_id, 9_001, Side.BUY, 2, ASK, voided=True))
    assert (desk.net(), desk.order("a").open_quantity, desk.order("a").filled_quantity) == (0, 0, 0)
    assert desk.account.day.realized_usd == 0
    assert all(leg.cancel_wanted for leg in desk.account.legs("a"))
    desk.feed(fill_row(fill.fill_id, 9_001, Side.BUY, 2, ASK, voided=True))
    assert len(desk.told(e.FillBusted)) == 1


@pytest.mark.parametrize("by", ["stop", "close"])
def test_a_busted_exit_holds_the_position_again_and_protects_it(by: str) -> None:
    desk = Desk()
    desk.hold("a", quantity=2, target=Leg.OFF)
    if by == "stop":
        order_id = desk.stop("a").order_id
    else:
        stop = desk.stop("a").order_id
        desk.close()
        desk.cancelled(stop)
        order_id = desk.closes()[0].order_id
        desk.accept(order_id)
    fill = desk.fill(order_id, price=ASK - 40)
    desk.read_back()
    assert desk.net() == 0
    assert desk.account.day.realized_usd == Decimal(-100)
    desk.feed(fill_row(fill.fill_id, fill.broker_order_id, Side.SELL, 2, ASK - 40, voided=True, at_ns=desk.now_ns))
    assert (desk.net(), desk.order("a").open_quantity) == (2, 2)
    assert desk.stop("a").leaves == 2
    mark = desk.account.positions[MES.contract_id].average
    assert desk.account.day.realized_usd + Decimal(int(mark - ASK) * 2) * Decimal("-1.25") == 0


def test_a_bust_of_a_fill_that_was_never_counted_is_nothing() -> None:
    desk = Desk()
    before = desk.group
    desk.feed(fill_row(7, 77, Side.BUY, 1, ASK, voided=True))
    assert desk.group == before


def test_a_busted_fill_is_compared_with_the_broker() -> None:
    desk = Desk()
    desk.enter("a")
    fill = desk.told(e.FillApplied)[0]
    desk.forget()
    desk.feed(fill_row(fill.fill_id, 9_001, Side.BUY, 1, ASK, voided=True))
    assert len(desk.asked(ReadSnapshot)) == 1


def test_reports_of_an_unknown_account_do_no_harm() -> None:
    desk = Desk()
    before = desk.group
    desk.feed(order_row(77, account_id=999))
    desk.feed(fill_row(1, 77, Side.BUY, 1, ASK, account_id=999))
    assert desk.group == before
    snapshot = BrokerSnapshot(AccountReport(999, "OTHER", Decimal(1), can_trade=True), 0, 0, (), (), ())
    desk.feed(snapshot)
    assert desk.group.accounts[999].adopted


def test_a_row_that_shows_what_we_know_records_nothing() -> None:
    desk = Desk()
    unbracketed(desk, "a", 2, limit=BID)
    desk.accept("a")
    desk.wait(1)
    desk.forget()
    desk.show("a")
    desk.feed(desk.row("a", order_type=OrderType.STOP, limit_ticks=None, stop_ticks=ASK))
    assert desk.events == [], "another type is no change of terms"


def test_a_strange_order_that_ended_is_recorded_where_a_fill_of_it_is_held() -> None:
    desk = Desk()
    desk.feed(fill_row(1, 88, Side.BUY, 1, BID))
    desk.feed(order_row(77, state=OrderState.CANCELLED))
    assert desk.account.order("external/77") is None
    desk.feed(order_row(88, state=OrderState.CANCELLED))
    assert desk.account.order("external/88") is not None
    assert desk.net() == 1


@pytest.mark.parametrize(("before_ns", "ours"), [(60_000_000_000, True), (60_000_000_001, False)])
def test_the_brokers_clock_may_be_a_minute_behind_ours(before_ns: int, *, ours: bool) -> None:
    desk = Desk()
    unbracketed(desk, "a", limit=BID)
    desk.show("a", broker_order_id=77, created_ns=desk.now_ns - before_ns)
    assert (desk.order("a").broker_order_id == 77) is ours


def test_an_external_order_is_kept_as_the_broker_shows_it() -> None:
    desk = Desk()
    desk.wait(5)
    desk.feed(order_row(77, Side.SELL, 3, order_tag="theirs", limit_ticks=ASK + 9, created_ns=desk.now_ns - 3))
    terms = Terms(ACCOUNT, MES.contract_id, Side.SELL, 3, OrderType.LIMIT, ASK + 9, None)
    assert desk.order("external/77") == Order(
        order_id="external/77",
        terms=terms,
        role=Role.EXTERNAL,
        status=Status.WORKING,
        tag="theirs",
        broker_order_id=77,
        rests=True,
        risk_ticks=MES.stress_ticks,
        received_ns=desk.now_ns - 3,
        decided_ns=desk.now_ns,
        updated_ns=desk.now_ns,
    )
    assert desk.told(e.OrderModified) == []
    desk.feed(order_row(78))
    assert desk.order("external/78").tag == ""


def test_a_change_that_the_fill_overtook_is_recorded_as_refused() -> None:
    desk = Desk()
    unbracketed(desk, "a", 2, limit=BID)
    desk.accept("a")
    assert desk.modify("a", quantity=3).ok
    change = desk.order("a").change
    assert change is not None
    desk.show("a", OrderState.FILLED, filled_quantity=2)
    assert desk.told(e.ModifyRefused) == [
        e.ModifyRefused(ACCOUNT, "a", change.number, "the order filled first", desk.now_ns)
    ]


def test_terms_on_the_hub_that_may_be_old_are_looked_up_once_at_a_time() -> None:
    desk = Desk()
    unbracketed(desk, "a", 2, limit=BID)
    desk.accept("a")
    desk.modify("a", quantity=3)
    desk.modified("a")
    for _ in range(3):
        desk.show("a", quantity=2)
    assert [ask.order_tag for ask in desk.asked(LookUp)] == [desk.order("a").tag]
    desk.wait(5_000)
    desk.show("a", quantity=2)
    assert len(desk.asked(LookUp)) == 2


def test_terms_on_the_hub_are_not_looked_up_while_another_change_is_under_way() -> None:
    desk = Desk()
    unbracketed(desk, "a", 2, limit=BID)
    desk.accept("a")
    desk.modify("a", quantity=3)
    desk.modified("a")
    desk.modify("a", quantity=4)
    desk.show("a", quantity=2)
    assert desk.asked(LookUp) == []


def test_a_rejection_that_only_the_hub_tells_has_no_code() -> None:
    desk = Desk()
    unbracketed(desk, "a", limit=BID)
    desk.accept("a")
    desk.show("a", OrderState.REJECTED)
    assert [(event.code, event.text) for event in desk.told(e.OrderRejected)] == [(0, "rejected at the broker")]


def test_a_rejection_that_is_told_again_is_recorded_once() -> None:
    desk = Desk()
    desk.enter("a", target=Leg.OFF)
    stop = desk.stop("a").order_id
    desk.placed(stop, Outcome.REFUSED, text="price band")
    desk.placed(stop, Outcome.REFUSED, text="price band")
    assert [event.text for event in desk.told(e.OrderRejected)] == ["price band"]
    assert [event.attempt for event in desk.told(e.ProtectionFailed)] == [1]


def test_a_stop_that_the_hub_rejects_first_has_failed_once() -> None:
    desk = Desk()
    desk.enter("a", target=Leg.OFF)
    stop = desk.stop("a").order_id
    desk.show(stop, OrderState.REJECTED, broker_order_id=77)
    desk.show(stop, OrderState.REJECTED, broker_order_id=77)
    desk.placed(stop, Outcome.REFUSED, text="price band")
    assert [event.text for event in desk.told(e.OrderRejected)] == ["rejected at the broker", "price band"]
    assert [event.attempt for event in desk.told(e.ProtectionFailed)] == [1]


def test_a_stop_that_has_filled_is_not_lost_when_its_placing_is_called_rejected() -> None:
    desk = Desk()
    desk.hold("a", quantity=2, target=Leg.OFF)
    stop = desk.stop("a").order_id
    desk.fill(stop, 2, ASK - 40)
    desk.placed(stop, Outcome.REFUSED, text="what")
    assert desk.told(e.ProtectionFailed) == []
    assert desk.told(e.OrderRejected) == []


def test_a_target_that_fills_leaves_the_rest_of_its_entry_working() -> None:
    desk = Desk()
    desk.submit("a", quantity=3, limit=BID)
    desk.accept("a")
    desk.fill("a", 1, BID)
    desk.accept(desk.stop("a").order_id)
    desk.accept(desk.target("a").order_id)
    desk.fill(desk.target("a").order_id, 1, BID + 80)
    assert not desk.order("a").cancel_wanted


def test_the_rest_of_an_entry_whose_stop_was_hit_is_cancelled_for_it() -> None:
    desk = Desk()
    desk.submit("a", quantity=3, limit=BID, target=Leg.OFF)
    desk.accept("a")
    desk.fill("a", 1, BID)
    desk.accept(desk.stop("a").order_id)
    desk.fill(desk.stop("a").order_id, 1, BID - 40)
    assert (desk.order("a").cancel_wanted, desk.order("a").reason) == (True, "its stop was hit")


def test_exits_that_go_through_flat_begin_an_exit_named_for_the_leg() -> None:
    desk = Desk()
    desk.hold("a", quantity=2)
    stop, target = desk.stop("a").order_id, desk.target("a").order_id
    desk.fill(stop, 2, ASK - 40)
    desk.fill(target, 2, ASK + 80)
    (started,) = desk.told(e.ExitStarted)
    assert (started.exit_id, started.quantity, started.cause) == (f"{target}/over", 2, "exits went through flat")
    assert started.entry_id == target


def turned() -> tuple[Desk, str]:
    """Long 2 became short 3, with a stop of 3; and the old target, which has yet to go."""
    desk = Desk()
    desk.hold("a", quantity=2)
    target = desk.target("a").order_id
    desk.hold("b", side=Side.SELL, quantity=5, price=BID)
    return desk, target


def test_what_a_target_opens_after_the_position_has_turned_is_closed_and_the_new_entry_keeps_its_stop() -> None:
    desk, target = turned()
    desk.fill(target, 2, ASK + 80)
    assert (desk.net(), desk.order("b").open_quantity) == (-5, 3)
    (started,) = desk.told(e.ExitStarted)
    assert (started.entry_id, started.quantity) == (target, 2)
    (cover,) = desk.account.covers.values()
    assert (cover.state, cover.uncovered) == (e.Cover.UNPROTECTED, 2)
    (close,) = desk.closes()
    assert (close.terms.side, close.terms.quantity) == (Side.BUY, 2)
    desk.accept(close.order_id)
    desk.fill(close.order_id, 2, ASK)
    assert (desk.net(), desk.order("b").open_quantity, desk.stop("b").leaves) == (-3, 3, 3)
    assert desk.stop("b").cancel_wanted is False


def test_what_an_exit_opens_during_another_exit_is_closed_after_it() -> None:
    desk, target = turned()
    desk.close(1)
    desk.wait(250)
    for leg in (desk.stop("b"), desk.target("b")):
        desk.modified(leg.order_id)
    (close,) = desk.closes()
    desk.accept(close.order_id)
    desk.fill(target, 2, ASK + 80)
    (cover,) = desk.account.covers.values()
    assert (cover.state, desk.told(e.ExitStarted)[-1].entry_id) == (e.Cover.UNPROTECTED, None)
    desk.fill(close.order_id, 1, ASK)
    desk.read_back()
    over = desk.told(e.ExitStarted)[-1]
    assert (over.entry_id, over.quantity, desk.order("b").open_quantity) == (target, 2, 2)


def test_the_stop_of_a_position_is_moved_though_an_exit_has_opened_more() -> None:
    desk, target = turned()
    desk.fill(target, 2, ASK + 80)
    desk.protect(stop=ASK + 20)
    assert desk.order("b").protection.stop == Exit(ASK + 20 - BID, ASK + 20)
    assert desk.order(target).protection.stop is None


def test_a_stop_that_was_cancelled_at_the_broker_is_not_lost_again_by_a_late_rejection() -> None:
    desk = Desk()
    desk.hold("a", target=Leg.OFF)
    stop = desk.stop("a").order_id
    desk.cancelled(stop)
    desk.placed(stop, Outcome.REFUSED, text="late")
    assert desk.told(e.ProtectionFailed) == []
    assert desk.account.unexplained == f"{stop} is cancelled and the broker says rejected"


def test_balances_before_the_first_reading_are_not_recorded_and_ask_for_it_once() -> None:
    desk = Desk(adopted=False)
    for balance in (50_000, 50_001, 50_002):
        desk.feed(AccountReport(ACCOUNT, "PRACTICE-1", Decimal(balance), can_trade=True))
    assert desk.told(e.AccountUpdated) == []
    (reading,) = desk.asked(ReadSnapshot)
    assert reading.since_ns == day_open_ns(desk.now_ns)


def test_a_row_of_our_order_on_the_other_side_is_unexpected_and_no_other_order() -> None:
    desk = Desk()
    unbracketed(desk, "a", limit=BID)
    desk.accept("a")
    desk.show("a", side=Side.SELL)
    assert desk.account.unexplained == f"order {desk.order('a').broker_order_id} is not a as we sent it"
    assert [order.order_id for order in desk.account.live_orders()] == ["a"]


def test_a_row_of_another_type_with_our_tag_is_not_our_order() -> None:
    desk = Desk()
    unbracketed(desk, "a", limit=BID)
    desk.show("a", broker_order_id=77, order_type=OrderType.STOP)
    assert desk.order("a").broker_order_id is None


def test_an_order_that_the_hub_rejects_was_never_accepted() -> None:
    desk = Desk()
    unbracketed(desk, "a", limit=BID)
    desk.show("a", OrderState.REJECTED, broker_order_id=77)
    assert desk.told(e.OrderAccepted) == []
    assert desk.order("a").status is Status.REJECTED


def test_the_same_row_is_recorded_once() -> None:
    desk = Desk()
    unbracketed(desk, "a", 3, limit=BID)
    desk.accept("a")
    for _ in range(2):
        desk.show("a", filled_quantity=1)
    assert len(desk.told(e.FillsMissing)) == 1
    for _ in range(2):
        desk.cancelled("a")
    assert len(desk.told(e.OrderCancelled)) == 1


def test_a_late_row_of_an_order_that_is_filled_changes_nothing() -> None:
    desk = Desk()
    unbracketed(desk, "a", 2, limit=BID)
    desk.accept("a")
    desk.fill("a", 2, BID)
    desk.forget()
    desk.show("a", limit_ticks=BID - 3)
    assert desk.events == []


def test_what_was_over_before_the_first_reading_is_not_recorded() -> None:
    desk = Desk(orders=[order_row(77, state=OrderState.CANCELLED)], fills=[fill_row(7, 70, Side.BUY, 1, ASK)])
    assert desk.account.order("external/77") is None
    desk.forget()
    desk.feed(fill_row(7, 70, Side.BUY, 1, ASK, voided=True))
    assert desk.events == []


def test_a_fill_that_is_held_is_held_once() -> None:
    desk = Desk()
    for _ in range(2):
        desk.feed(fill_row(1, 88, Side.BUY, 1, BID))
    assert len(desk.told(e.FillHeld)) == 1


def test_a_stop_of_an_entry_that_holds_nothing_any_more_is_not_lost() -> None:
    desk = Desk()
    desk.enter("a", target=Leg.OFF)
    stop = desk.stop("a").order_id
    desk.submit("out", Side.SELL, stop=Leg.OFF, target=Leg.OFF)
    desk.accept("out")
    desk.fill("out")
    desk.placed(stop, Outcome.REFUSED, text="no position")
    assert desk.told(e.ProtectionFailed) == []


def test_a_change_that_the_row_of_a_filled_order_shows_as_made_is_not_recorded_as_refused() -> None:
    desk = Desk()
    unbracketed(desk, "a", 2, limit=BID)
    desk.accept("a")
    assert desk.modify("a", quantity=3).ok
    desk.show("a", OrderState.FILLED, quantity=3, filled_quantity=3)
    assert [event.quantity for event in desk.told(e.OrderModified)] == [3]
    assert desk.told(e.ModifyRefused) == []
