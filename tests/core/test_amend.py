"""What people ask to change: orders, legs, the stop and target of a position."""

from __future__ import annotations

from decimal import Decimal

import pytest

from ordergate.core import events as e
from ordergate.core.commands import Leg, ModifyOrder, Nearest
from ordergate.core.effects import Modify
from ordergate.core.limits import Limits
from ordergate.core.order import Exit, Role, Side, Target
from ordergate.core.reports import AccountReport, LinkReport
from tests.core.desk import ACCOUNT, ASK, BID, MES, MNQ, Desk, position


def working(desk: Desk, quantity: int = 2, side: Side = Side.BUY) -> None:
    assert desk.submit("a", side, quantity, limit=BID - 8 if side is Side.BUY else ASK + 8, stop=Exit(40)).ok
    desk.accept("a")


def test_price_and_size_can_be_changed_together() -> None:
    desk = Desk()
    working(desk)
    assert desk.modify("a", quantity=3, limit_ticks=BID - 4).ok
    (change,) = desk.asked(Modify)
    assert (change.terms.quantity, change.terms.limit_ticks, change.grant.kind) == (
        3,
        BID - 4,
        e.ApprovalKind.APPROVED,
    )
    desk.modified("a")
    assert (desk.order("a").terms.quantity, desk.order("a").terms.limit_ticks) == (3, BID - 4)


def test_changing_nothing_sends_nothing() -> None:
    desk = Desk()
    working(desk)
    assert desk.modify("a", quantity=2, limit_ticks=BID - 8).ok
    assert desk.asked(Modify) == []


@pytest.mark.parametrize(
    ("quantity", "codes"), [(5, []), (6, ["MAX_POSITION_SIZE"]), (11, ["MAX_ORDER_SIZE", "MAX_POSITION_SIZE"])]
)
def test_a_larger_size_is_judged_like_a_new_order_that_replaces_the_old_one(quantity: int, codes: list[str]) -> None:
    desk = Desk(Limits(position_quantity_max=5))
    working(desk)
    answer = desk.modify("a", quantity=quantity)
    assert [breach.code for breach in answer.breaches] == codes
    assert bool(desk.told(e.ModifyDenied)) is bool(codes)
    assert desk.order("a").terms.quantity == 2


def test_a_larger_size_is_judged_together_with_the_others() -> None:
    desk = Desk(Limits(position_quantity_max=5))
    working(desk)
    desk.submit("b", quantity=2, limit=BID - 8)
    assert desk.modify("a", quantity=4).code == "MAX_POSITION_SIZE"
    assert desk.modify("a", quantity=3).ok


def test_making_an_order_smaller_is_never_denied() -> None:
    desk = Desk()
    working(desk, 4)
    desk.feed(LinkReport(up=False, reason="x"))
    desk.feed(AccountReport(ACCOUNT, "PRACTICE-1", desk.balance, can_trade=False))
    assert desk.modify("a", quantity=5).code != ""
    assert desk.modify("a", quantity=1).ok
    (change,) = desk.asked(Modify)
    assert change.grant.kind is e.ApprovalKind.REDUCING


def test_an_order_made_smaller_keeps_its_risk() -> None:
    desk = Desk(Limits(daily_loss_usd_max=Decimal(300)))
    working(desk, 4)
    desk.modify("a", quantity=3)
    desk.modified("a")
    assert desk.order("a").risk_ticks == 40
    assert desk.codes("b", quantity=3, stop=Exit(40)) == ["DAILY_LOSS_LIMIT"], "152.16 twice"


def test_an_order_that_only_closes_may_be_changed_within_what_it_closes() -> None:
    desk = Desk(Limits(order_quantity_max=0), positions=[position(5, ASK)])
    working(desk, 2, Side.SELL)
    assert desk.modify("a", quantity=5, limit_ticks=ASK + 4).ok
    desk.modified("a")
    assert desk.modify("a", quantity=6).code == "MAX_ORDER_SIZE"


@pytest.mark.parametrize(
    ("highest", "filled", "asked", "offered"),
    [
        (5, 0, 11, 5),
        (5, 1, 20, 5),  # of the whole order, as a change names it
        (2, 0, 3, None),  # what stands is no change
        (3, 1, 20, 3),
    ],
)
def test_a_denied_change_names_the_largest_quantity_that_passes(
    highest: int, filled: int, asked: int, offered: int | None
) -> None:
    desk = Desk(Limits(position_quantity_max=highest))
    working(desk)
    if filled:
        desk.fill("a", filled, BID - 8)
    answer = desk.modify("a", quantity=asked)
    assert answer.nearest == (None if offered is None else Nearest(offered, limit_ticks=BID - 8))
    if offered is not None:
        assert not desk.modify("a", quantity=offered + 1).ok
        assert desk.modify("a", quantity=offered, limit_ticks=BID - 8).ok
        assert len(desk.asked(Modify)) == 1


def test_a_denied_change_of_price_names_the_nearest_price_that_passes() -> None:
    desk = Desk()
    working(desk)
    answer = desk.modify("a", limit_ticks=BID - 5_000)
    assert [breach.code for breach in answer.breaches] == ["PRICE_COLLAR"]
    assert answer.nearest == Nearest(2, limit_ticks=BID - 599)  # 3 % of it
    assert not desk.modify("a", limit_ticks=BID - 600).ok
    assert desk.modify("a", quantity=2, limit_ticks=BID - 599).ok


def test_at_a_new_price_a_smaller_quantity_is_named_before_another_price() -> None:
    desk = Desk(Limits(risk_usd_max=Decimal(100)))
    desk.submit("a", quantity=2, limit=BID - 8, stop=Exit(40, BID - 48))
    desk.accept("a")
    answer = desk.modify("a", limit_ticks=BID)
    assert [breach.code for breach in answer.breaches] == ["EXCESSIVE_RISK"]
    assert answer.nearest == Nearest(1, limit_ticks=BID)
    assert desk.modify("a", quantity=1, limit_ticks=BID).ok


@pytest.mark.parametrize(
    ("held", "side", "stop", "wanted", "offered"),
    [
        (0, Side.BUY, ASK - 10, 3, ASK + 16),  # each loses 50 USD where it stands, and 32.50 there
        (2, Side.SELL, BID + 10, 5, BID - 16),  # 2 of them only close
    ],
)
def test_a_larger_size_that_does_not_pass_at_the_orders_price_is_named_with_a_nearer_one(
    held: int, side: Side, stop: int, wanted: int, offered: int
) -> None:
    desk = Desk(Limits(risk_usd_max=Decimal(100)), positions=[position(held, ASK)] if held else [])
    assert desk.submit("a", side, wanted - 1, trigger=stop + 40 * side.sign, stop=Exit(40, stop)).ok
    desk.accept("a")
    answer = desk.modify("a", quantity=wanted)
    assert [breach.code for breach in answer.breaches] == ["EXCESSIVE_RISK"]
    assert answer.nearest == Nearest(wanted, stop_ticks=offered)
    assert desk.modify("a", quantity=wanted, stop_ticks=offered).ok


def test_a_change_that_would_leave_the_price_and_make_the_order_no_larger_is_never_offered() -> None:
    desk = Desk(Limits(price_distance_ticks_max=8))
    working(desk, 4)
    answer = desk.modify("a", limit_ticks=BID - 9)
    assert [breach.code for breach in answer.breaches] == ["PRICE_COLLAR"]
    assert answer.nearest is None, "the nearest price that passes is its own"


def test_a_change_that_nothing_can_mend_names_only_what_closes() -> None:
    desk = Desk(positions=[position(2, ASK)])
    working(desk, 1, Side.SELL)
    desk.submit("b", limit=BID - 8)
    desk.accept("b")
    desk.feed(LinkReport(up=False, reason="x"))
    assert desk.modify("a", quantity=9).nearest == Nearest(2, limit_ticks=ASK + 8)
    assert desk.modify("a", quantity=2).ok
    assert (desk.modify("b", quantity=2).code, desk.modify("b", quantity=2).nearest) == ("BROKER_LINK_DOWN", None)


@pytest.mark.parametrize(
    ("changes", "code", "field"),
    [
        ({"stop_ticks": 5}, "NO_STOP_PRICE", "stopPrice"),
        ({"quantity": 1}, "QUANTITY_FILLED", "quantity"),
    ],
)
def test_what_a_limit_order_does_not_have_cannot_be_changed(changes: dict[str, int], code: str, field: str) -> None:
    desk = Desk()
    working(desk)
    desk.fill("a", 1, BID - 8)
    answer = desk.modify("a", **changes)
    assert (answer.code, answer.field) == (code, field)


def test_a_stop_order_has_no_limit_price() -> None:
    desk = Desk()
    desk.submit("a", trigger=ASK + 40)
    desk.accept("a")
    assert desk.modify("a", limit_ticks=5).code == "NO_LIMIT_PRICE"
    assert desk.modify("a", stop_ticks=ASK + 50).ok


def test_an_order_with_a_request_under_way_is_busy() -> None:
    desk = Desk()
    assert desk.submit("a", limit=BID).ok
    assert desk.modify("a", quantity=2).code == "BUSY", "not accepted yet"
    desk.accept("a")
    desk.modify("a", quantity=2)
    assert desk.modify("a", quantity=3).code == "BUSY"
    desk.modified("a")
    desk.cancel("a")
    assert desk.modify("a", quantity=3).code == "BUSY"


def test_unknown_and_final_orders_cannot_be_changed() -> None:
    desk = Desk()
    assert desk.modify("a", quantity=2).code == "UNKNOWN_ORDER"
    desk.submit("a", limit=BID)
    desk.accept("a")
    desk.cancelled("a")
    assert desk.modify("a", quantity=2).code == "ALREADY_FINAL"


def test_moving_a_leg_moves_the_promise() -> None:
    desk = Desk()
    desk.hold("a")
    stop, target = desk.stop("a").order_id, desk.target("a").order_id
    assert desk.modify(stop, stop_ticks=ASK - 20).ok
    assert desk.modify(target, limit_ticks=ASK + 30).ok
    assert desk.order("a").protection.stop == Exit(20, ASK - 20)
    assert desk.order("a").protection.targets == (Target(Exit(30, ASK + 30)),)
    assert {change.terms.stop_ticks or change.terms.limit_ticks for change in desk.asked(Modify)} == {
        ASK - 20,
        ASK + 30,
    }
    assert {change.grant.kind for change in desk.asked(Modify)} == {e.ApprovalKind.LEG}


@pytest.mark.parametrize("changes", [{"quantity": 1}, {"limit_ticks": 5}, {"quantity": 1, "stop_ticks": ASK - 20}])
def test_a_legs_size_follows_its_entry(changes: dict[str, int]) -> None:
    desk = Desk()
    desk.hold("a", quantity=2)
    assert desk.modify(desk.stop("a").order_id, **changes).code == "NOTHING_TO_CHANGE"


def test_a_leg_whose_position_is_gone_cannot_be_moved() -> None:
    desk = Desk()
    desk.hold("a")
    stop = desk.stop("a").order_id
    desk.fill(desk.target("a").order_id, price=ASK + 80)
    assert desk.modify(stop, stop_ticks=ASK - 20).code == "NOTHING_TO_CHANGE"


def test_a_stop_price_never_moves_by_itself() -> None:
    desk = Desk()
    desk.submit("a", quantity=2, limit=ASK)
    desk.accept("a")
    desk.fill("a", 1, ASK)
    desk.accept(desk.stop("a").order_id)
    desk.protect(stop=ASK - 20)
    desk.wait(300)
    desk.modified(desk.stop("a").order_id)
    desk.fill("a", 1, ASK - 8)
    desk.wait(300)
    desk.modified(desk.stop("a").order_id)
    assert (desk.stop("a").terms.stop_ticks, desk.stop("a").leaves) == (ASK - 20, 2)


def test_protection_moves_every_entry_of_the_position_and_leaves_null_as_it_is() -> None:
    desk = Desk()
    desk.hold("a")
    desk.hold("b", price=ASK + 4)
    assert desk.protect(target=ASK + 30).ok
    assert [desk.order(name).protection.targets for name in "ab"] == [
        (Target(Exit(30, ASK + 30)),),
        (Target(Exit(26, ASK + 30)),),
    ]
    assert [desk.order(name).protection.stop for name in "ab"] == [Exit(40), Exit(40)]


def test_a_target_can_be_given_to_a_position_without_one() -> None:
    desk = Desk()
    desk.hold("a", target=Leg.OFF)
    desk.protect(target=ASK + 30)
    assert desk.legs("a", Role.TARGET)[0].terms.limit_ticks == ASK + 30


@pytest.mark.parametrize("level", [BID, BID + 1, ASK + 40])
def test_a_stop_that_would_trigger_at_once_is_refused(level: int) -> None:
    desk = Desk()
    desk.hold("a")
    assert desk.protect(stop=level).code == "STOP_THROUGH_MARKET"
    assert desk.protect(stop=BID - 1).ok


def test_what_was_not_opened_here_has_no_bracket_to_move() -> None:
    assert Desk(positions=[position(1, ASK)]).protect(stop=5).code == "NOT_OURS"
    assert Desk().protect(stop=5).code == "UNKNOWN_POSITION"
    assert Desk(positions=[position(1, ASK)]).protect(stop=5, instrument=MNQ).code == "UNKNOWN_POSITION"


def test_a_change_of_size_keeps_the_price_of_a_stop_order() -> None:
    desk = Desk()
    desk.submit("a", trigger=ASK + 8)
    desk.accept("a")
    assert desk.modify("a", quantity=2).ok
    change = desk.order("a").change
    assert change is not None
    assert (change.quantity, change.limit_ticks, change.stop_ticks) == (2, None, ASK + 8)


def test_only_what_is_left_of_an_order_is_judged_when_it_is_changed() -> None:
    desk = Desk(Limits(order_quantity_max=5, position_quantity_max=100))
    desk.submit("a", quantity=5, limit=BID - 8, stop=Exit(4))
    desk.accept("a")
    desk.fill("a", 3, BID - 8)
    (breach,) = desk.modify("a", quantity=9).breaches
    assert (breach.code, breach.actual) == ("MAX_ORDER_SIZE", "6")
    assert desk.modify("a", quantity=8).ok


def test_a_changed_price_changes_what_the_order_risks() -> None:
    desk = Desk()
    desk.submit("a", limit=BID - 8, stop=Exit(40, BID - 40))
    desk.accept("a")
    assert desk.order("a").risk_ticks == 32
    assert desk.modify("a", limit_ticks=BID - 20).ok
    assert desk.order("a").risk_ticks == 20


def test_the_order_of_one_account_is_not_changed_in_the_name_of_another() -> None:
    desk = Desk()
    working(desk)
    answer = desk.ask(ModifyOrder("r", "a", ACCOUNT + 1, quantity=1))
    assert answer.code == "UNKNOWN_ORDER"
    assert desk.order("a").change is None


def test_a_denied_move_of_a_stop_is_recorded_with_its_breaches() -> None:
    desk = Desk()
    desk.hold("a", stop=Exit(40), target=Leg.OFF)
    desk.feed(LinkReport(up=False, reason="x"))
    answer = desk.modify(desk.stop("a").order_id, stop_ticks=ASK - 41)
    assert (answer.code, answer.order_id, answer.contract_id) == ("BROKER_LINK_DOWN", "a", MES.contract_id)
    assert desk.told(e.ModifyDenied) == [e.ModifyDenied(ACCOUNT, "a", answer.breaches)]


def test_a_moved_promise_is_measured_from_the_average_of_all_fills() -> None:
    desk = Desk()
    desk.submit("a", quantity=3, stop=Exit(40), target=Exit(80))
    desk.accept("a")
    for price in (ASK, ASK + 1, ASK + 1):
        desk.fill("a", 1, price)
    assert desk.protect(stop=ASK - 30, target=ASK + 60).ok
    protection = desk.order("a").protection
    assert (protection.stop, protection.targets) == (Exit(31, ASK - 30), (Target(Exit(59, ASK + 60)),))


def test_a_change_of_an_order_that_only_closes_is_judged_by_no_rule() -> None:
    desk = Desk(positions=[position(5, ASK)])
    working(desk, 2, Side.SELL)
    desk.feed(LinkReport(up=False, reason="x"))
    assert desk.modify("a", limit_ticks=ASK + 9).ok
    (change,) = desk.asked(Modify)
    assert change.grant.kind is e.ApprovalKind.REDUCING


def test_an_order_made_smaller_at_another_price_is_judged_at_that_price() -> None:
    desk = Desk()
    working(desk, 3)
    assert desk.modify("a", quantity=1, limit_ticks=BID - 5_000).code == "PRICE_COLLAR"
