"""The preview in dollars, and its rooms against the rules' own figures."""

from __future__ import annotations

import re
from decimal import Decimal
from typing import Any

import pytest
from msgspec.structs import replace

from ordergate.core import selftest
from ordergate.core.commands import Leg, Nearest, SubmitOrder
from ordergate.core.events import ApprovalKind
from ordergate.core.inputs import Stamped
from ordergate.core.judgement import judge
from ordergate.core.limits import Limits
from ordergate.core.order import Exit, OrderType, Side
from ordergate.core.preview import MEASURES, Preview, preview
from tests.core.desk import ACCOUNT, ASK, BID, MES, MNQ, Desk, position
from tests.core.test_selftest import ALL_ON

# What more risk never reaches: a smallest order and a nearest stop leave no room to use up.
NO_ROOM = {
    "MIN_ORDER_SIZE", "STOP_TOO_CLOSE", "TARGET_TOO_CLOSE", "DAILY_PROFIT_LIMIT", "PRICE_COLLAR", "ORDER_RATE",
    "REPEATED_ACTION", "TOO_OLD", "CLOCK_SKEW",
}  # fmt: skip
# In force for every case of the self-test.


def seen(desk: Desk, side: Side = Side.BUY, quantity: int = 1, **terms: Any) -> Preview:
    command = SubmitOrder("r", ACCOUNT, "p", MES.contract_id, side, quantity, OrderType.MARKET, **terms)
    return preview(desk.group, desk.account, command, Stamped(command, desk.market, desk.now_ns))


def test_a_preview_in_dollars() -> None:
    # 2 MES, stop 40 ticks of 1.25 away: 100.00, and 2 x 2 x 0.36 of fees.
    found = seen(Desk(), quantity=2)
    assert found == Preview(
        breaches=(),
        overridden=(),
        ground=ApprovalKind.APPROVED,
        worst_position=2,
        loss_at_stop_usd=Decimal("101.44"),
        room={
            "MAX_ORDER_SIZE": Decimal(8),
            "MAX_POSITION_SIZE": Decimal(8),
            "MAX_OPEN_ORDERS": Decimal(4),
            "EXCESSIVE_RISK": Decimal("900.00"),  # of 2 % of 50,000
            "DAILY_LOSS_LIMIT": Decimal("898.56"),
        },
        binds_next="MAX_ORDER_SIZE",  # 80 % are left of it and of the position, 80 % of the orders: the first is named
        nearest=None,
    )


def test_what_is_held_and_what_works_is_counted() -> None:
    desk = Desk()
    desk.hold("a", quantity=3)
    desk.submit("b", quantity=4, limit=BID - 8)
    found = seen(desk, quantity=2)
    assert found.worst_position == 9
    assert found.room["MAX_POSITION_SIZE"] == 1
    assert found.room["MAX_OPEN_ORDERS"] == 3
    assert found.binds_next == "MAX_POSITION_SIZE"
    assert seen(desk, Side.SELL, 2).worst_position == 1


def test_a_denied_order_says_how_far_it_is_beyond_and_what_would_pass() -> None:
    found = seen(Desk(), quantity=12)
    assert [breach.code for breach in found.breaches] == ["MAX_ORDER_SIZE", "MAX_POSITION_SIZE"]
    assert found.room["MAX_ORDER_SIZE"] == -2
    assert (found.binds_next, found.nearest) == ("MAX_ORDER_SIZE", Nearest(10))


def test_an_order_that_only_closes_loses_nothing_at_a_stop_and_takes_no_room() -> None:
    desk = Desk()
    desk.hold("a", quantity=3)
    found = seen(desk, Side.SELL, 2)
    assert (found.breaches, found.worst_position, found.loss_at_stop_usd) == ((), 1, Decimal(0))
    assert found.room["MAX_ORDER_SIZE"] == 10
    assert found.room["EXCESSIVE_RISK"] == 1_000


def test_an_order_without_a_stop_loses_a_stress_move() -> None:
    assert seen(Desk(), stop=Leg.OFF).loss_at_stop_usd == Decimal("200.72")


def test_what_cannot_be_told_is_not_made_up() -> None:
    desk = Desk()
    desk.quotes.clear()
    found = seen(desk, stop=Exit(8, BID - 8))
    assert found.breaches[0].code == "NO_REFERENCE_PRICE"
    assert found.loss_at_stop_usd is None
    assert (found.room["EXCESSIVE_RISK"], found.room["DAILY_LOSS_LIMIT"]) == (None, None)
    assert found.room["MAX_ORDER_SIZE"] == 9


def test_a_limit_of_nothing_binds_first() -> None:
    desk = Desk(Limits(position_quantity_max=0))
    assert seen(desk).binds_next == "MAX_POSITION_SIZE"


@pytest.mark.parametrize("code", selftest.CASES)
def test_every_limit_with_a_number_has_its_room_by_the_figures_of_its_rule(code: str) -> None:
    scene = selftest.CASES[code](selftest.scene(ALL_ON, "MES"))
    assert scene is not None
    group, stamp = selftest.stage(scene)
    judged = judge(group, scene.account, scene.order, stamp)
    (breach,) = [breach for breach in judged.breaches if breach.code == code]
    if code in MEASURES:
        assert judged.proposal is not None
        measure = MEASURES[code](judged.proposal)
        assert measure is not None
        if code == "MAXIMUM_LOSS_LIMIT":  # a floor: what is left stands above it
            assert Decimal(breach.actual) - Decimal(breach.limit) == measure.limit - measure.actual
            return
        assert Decimal(breach.limit) == measure.limit
        assert Decimal(breach.actual) == measure.actual
    else:
        is_number = re.fullmatch(r"-?[0-9.]+", breach.limit) is not None
        assert code in NO_ROOM or not is_number, f"add a measure for {code} to preview.MEASURES"


def test_of_limits_that_are_broken_or_nothing_the_broken_one_binds_first() -> None:
    desk = Desk(Limits(position_quantity_max=2, order_value_usd_max=Decimal(0)))
    assert seen(desk, quantity=3).binds_next == "MAX_POSITION_SIZE"


def test_of_a_limit_of_one_that_nothing_uses_all_is_left() -> None:
    desk = Desk(Limits(order_quantity_max=1, position_quantity_max=100, open_orders_max=100))
    desk.hold("a")
    assert seen(desk, Side.SELL).binds_next != "MAX_ORDER_SIZE"


@pytest.mark.parametrize(("balance", "room"), [("0", None), ("0.50", Decimal("-4.99")), ("1", Decimal("-4.98"))])
def test_the_room_of_a_trade_is_told_while_there_is_any_balance(balance: str, room: Decimal | None) -> None:
    assert seen(Desk(balance=balance)).room["EXCESSIVE_RISK"] == room


def test_without_a_price_neither_value_nor_room_to_the_floor_is_made_up() -> None:
    limits = Limits(order_value_usd_max=Decimal(10**9), maximum_loss_usd=Decimal(2_000))
    desk = Desk(limits, positions=[position(1, ASK, MNQ)])
    assert seen(desk).room["MAXIMUM_LOSS_LIMIT"] is not None
    desk.quote(MNQ, None, None)
    assert seen(desk).room["MAXIMUM_LOSS_LIMIT"] is None, "what is held has no price"
    desk.quotes.clear()
    found = seen(desk, stop=Exit(8, BID - 8))
    assert (found.room["MAX_ORDER_VALUE"], found.room["MAXIMUM_LOSS_LIMIT"]) == (None, None)
    desk = Desk(limits)
    desk.quotes.clear()
    assert seen(desk, stop=Exit(8, BID - 8)).room["MAXIMUM_LOSS_LIMIT"] is None, "the risk of the order is missing"


def test_a_floor_that_only_the_firm_knows_leaves_a_room_that_is_not_known() -> None:
    desk = Desk(Limits(maximum_loss_usd=Decimal(2_000)))
    desk.group = replace(desk.group, venue="topstepx")
    assert seen(desk).room["MAXIMUM_LOSS_LIMIT"] is None
