"""What fills do to orders, positions, entries and the day's money."""

from __future__ import annotations

from decimal import Decimal

import pytest

from ordergate.core.commands import Leg
from ordergate.core.order import Side, Status
from ordergate.core.reports import PositionReport
from tests.core.desk import ACCOUNT, ASK, BID, MES, WIDE, Desk, fill_row, order_row


def opened(desk: Desk) -> list[int]:
    """Contracts that each entry still holds, oldest first."""
    return [order.open_quantity for order in desk.account.orders.values() if order.open_quantity]


def bare(desk: Desk, order_id: str, side: Side = Side.BUY, quantity: int = 1, price: int = ASK) -> None:
    desk.enter(order_id, side, quantity, price, stop=Leg.OFF, target=Leg.OFF)


def test_the_average_fill_is_an_exact_sum() -> None:
    desk = Desk(WIDE)
    desk.submit("a", quantity=3)
    desk.accept("a")
    for price in (100, 101, 101):
        desk.fill("a", 1, price)
    assert (desk.order("a").fill_ticks, desk.order("a").filled_quantity) == (302, 3)
    assert (desk.order("a").opened_ticks, desk.order("a").opened_quantity) == (302, 3)


def test_only_what_opens_is_held_by_an_entry() -> None:
    desk = Desk(WIDE)
    bare(desk, "a", quantity=2)
    bare(desk, "b", Side.SELL, 5, BID)
    assert (desk.order("b").opened_quantity, desk.order("b").opened_ticks) == (3, 3 * BID)
    assert opened(desk) == [3]


@pytest.mark.parametrize(("closing", "left"), [(1, [1, 2, 2]), (2, [2, 2]), (3, [1, 2]), (4, [2]), (6, [])])
def test_what_closes_without_a_leg_shrinks_the_oldest_entry_first(closing: int, left: list[int]) -> None:
    desk = Desk(WIDE)
    for name in "abc":
        bare(desk, name, quantity=2)
    bare(desk, "out", Side.SELL, closing)
    assert opened(desk) == left
    assert desk.net() == sum(left)


def test_a_leg_shrinks_its_own_entry() -> None:
    desk = Desk(WIDE)
    desk.hold("a", quantity=2)
    desk.hold("b", quantity=2)
    desk.fill(desk.stop("b").order_id, 1, ASK - 40)
    assert [desk.order(name).open_quantity for name in "ab"] == [2, 1]


def test_entries_never_hold_more_than_the_position_nor_stand_on_its_other_side() -> None:
    desk = Desk(WIDE)
    desk.hold("a", quantity=2)
    desk.feed(order_row(77, Side.SELL, 5))
    desk.feed(fill_row(1, 77, Side.SELL, 5, BID))
    assert (desk.net(), opened(desk)) == (-3, [])
    bare(desk, "b", Side.BUY, 4)
    assert (desk.net(), opened(desk)) == (1, [1])


def test_realised_money_is_net_of_fees() -> None:
    desk = Desk(WIDE)
    desk.submit("a", quantity=2, stop=Leg.OFF, target=Leg.OFF)
    desk.accept("a")
    desk.fill("a", price=ASK, fee_usd=Decimal("0.72"))
    assert desk.account.day.realized_usd == Decimal("-0.72")
    desk.submit("out", Side.SELL, 2)
    desk.accept("out")
    desk.fill("out", price=ASK + 4, fee_usd=Decimal("0.72"))
    assert desk.account.day.realized_usd == Decimal("8.56")


@pytest.mark.parametrize("order", [("first", "second"), ("second", "first")])
def test_busts_in_any_order_leave_money_and_position_as_if_nothing_had_been(order: tuple[str, str]) -> None:
    desk = Desk(WIDE)
    bare(desk, "a", quantity=3, price=ASK)
    bare(desk, "out", Side.SELL, 2, ASK + 7)
    by_name = {"first": (501, "a", Side.BUY, 3, ASK), "second": (502, "out", Side.SELL, 2, ASK + 7)}
    for name in order:
        fill_id, order_id, side, quantity, price = by_name[name]
        broker_id = desk.order(order_id).broker_order_id or 0
        desk.feed(fill_row(fill_id, broker_id, side, quantity, price, voided=True, at_ns=desk.now_ns))
    assert desk.net() == 0
    assert desk.account.day.realized_usd == 0
    assert opened(desk) == []
    assert desk.order("a").status is Status.FILLED, "the lifecycle keeps what was told"


def test_a_busted_close_gives_its_contracts_back_to_the_newest_entry() -> None:
    desk = Desk(WIDE)
    bare(desk, "a", quantity=2)
    bare(desk, "b", quantity=2)
    bare(desk, "out", Side.SELL, 3)
    assert [desk.order(name).open_quantity for name in "ab"] == [0, 1]
    broker_id = desk.order("out").broker_order_id or 0
    desk.feed(fill_row(503, broker_id, Side.SELL, 3, ASK, voided=True, at_ns=desk.now_ns))
    assert desk.net() == 4
    assert [desk.order(name).open_quantity for name in "ab"] == [2, 2]


def test_a_correction_by_the_broker_takes_its_average_too() -> None:
    desk = Desk(WIDE)
    report = PositionReport(ACCOUNT, MES.contract_id, 3, 302)
    desk.snapshot([report])
    desk.snapshot([report])
    assert desk.account.positions[MES.contract_id].average * 3 == 302
