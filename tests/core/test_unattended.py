"""If this machine dies now: what rests at the broker is all that is left."""

from __future__ import annotations

from decimal import Decimal

from ordergate.core.commands import Leg
from ordergate.core.order import Exit, Side
from ordergate.core.unattended import Unattended, unattended
from tests.core.desk import ASK, BID, MES, Desk

C = MES.contract_id
ONE_TICK, FEE = Decimal("1.25"), Decimal("0.36")


def found(desk: Desk) -> tuple[Unattended, ...]:
    return unattended(desk.group, desk.account, desk.market)


def test_a_position_loses_what_its_resting_stop_lets_it() -> None:
    desk = Desk()
    desk.hold("a", quantity=2, stop=Exit(40))
    # 40 ticks on two contracts of MES, and the fees of closing them.
    assert found(desk) == (Unattended(C, 2, 0, 0, -40 * 2 * ONE_TICK - 2 * FEE),)
    assert found(desk)[0].bounded


def test_a_stop_that_is_not_there_yet_protects_nothing() -> None:
    desk = Desk()
    desk.enter("a", quantity=2, stop=Exit(40))
    desk.accept(desk.stop("a").order_id)
    stressed = -(ASK - BID + MES.stress_ticks) * 2 * ONE_TICK - 2 * FEE
    assert found(desk) == (Unattended(C, 2, 2, 0, stressed),)
    assert not found(desk)[0].bounded


def test_an_order_that_works_would_fill_without_protection() -> None:
    desk = Desk()
    desk.submit("a", limit=BID - 10, quantity=3)
    desk.accept("a")
    assert found(desk) == (Unattended(C, 0, 0, 3, -MES.stress_ticks * 3 * ONE_TICK - 6 * FEE),)


def test_an_order_that_only_closes_opens_nothing() -> None:
    desk = Desk()
    desk.hold("a", quantity=2, stop=Exit(40), target=Leg.OFF)
    desk.submit("out", Side.SELL, 2, limit=ASK + 20, stop=Leg.OFF, target=Leg.OFF)
    assert found(desk)[0].opening == 0


def test_a_short_loses_upwards() -> None:
    desk = Desk()
    desk.hold("a", Side.SELL, 1, price=BID, stop=Exit(12))
    assert found(desk)[0].worst_usd == -12 * ONE_TICK - FEE


def test_without_a_price_what_no_stop_covers_is_not_known() -> None:
    desk = Desk()
    desk.enter("a", stop=Leg.OFF, target=Leg.OFF)
    desk.quotes.clear()
    assert found(desk) == (Unattended(C, 1, 1, 0, None),)


def test_nothing_held_and_nothing_working_is_nothing() -> None:
    desk = Desk()
    desk.hold("a", quantity=1)
    desk.fill(desk.stop("a").order_id, 1, BID - 40)
    desk.cancelled(desk.target("a").order_id)
    assert found(desk) == ()
