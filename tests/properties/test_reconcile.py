"""Reports that are shuffled, repeated and dropped reach the same books, once the broker has been read."""

from __future__ import annotations

from decimal import Decimal
from fractions import Fraction

from hypothesis import given
from hypothesis import strategies as st

from ordergate.core.commands import Leg
from ordergate.core.order import OrderType, Side, Terms
from ordergate.core.reports import BrokerSnapshot, FillReport, OrderReport, OrderState, Report
from tests.core.desk import ACCOUNT, ASK, BID, MES, WIDE, Desk
from tests.properties.broker import Broker
from tests.properties.world import Choices, often, runs

ORDERS = 4


def story(choices: Choices) -> tuple[Broker, list[Report]]:
    """A broker at which some orders, ours and a stranger's, were filled and cancelled; and all that it said of it."""
    broker = Broker()
    desk = traders()
    broker.now_ns = desk.now_ns
    said: list[Report] = []
    for number in range(ORDERS):
        broker.make(desk.order(f"o{number}").terms, desk.order(f"o{number}").tag)
    broker.make(Terms(ACCOUNT, MES.contract_id, Side.BUY, 3, OrderType.LIMIT, ASK), None)
    for _ in range(12):
        rows = broker.open_orders
        if rows:
            row = rows[choices.below(len(rows))]
            if choices.chance(5):
                broker.change(row, state=OrderState.CANCELLED)
            else:
                broker.fill(row, 1 + choices.below(row.quantity - row.filled_quantity))
    said += [*broker.rows, *broker.fills]
    return broker, said


def traders() -> Desk:
    """A desk that has sent its orders and heard nothing yet."""
    desk = Desk(WIDE)
    for number in range(ORDERS):
        side, quantity = (Side.BUY, Side.SELL)[number % 2], number + 2
        limit = BID - number if side is Side.BUY else ASK + number
        assert desk.submit(f"o{number}", side, quantity, limit=limit, stop=Leg.OFF, target=Leg.OFF).ok
    return desk


def mangled(choices: Choices, said: list[Report]) -> list[Report]:
    """Some dropped, some repeated, in another order; the rows of one order stay in theirs."""
    kept = [report for report in said for _ in range((1, 1, 1, 0, 2)[choices.below(5)])]
    keys = {id(report): choices.below(256) for report in kept}
    shuffled = sorted(kept, key=lambda report: keys[id(report)])
    rows = iter([report for report in kept if isinstance(report, OrderReport)])
    return [next(rows) if isinstance(report, OrderReport) else report for report in shuffled]


def read(desk: Desk, broker: Broker, times: int) -> None:
    for _ in range(times):
        desk.now_ns += 1
        orders, fills = tuple(broker.orders.values()), tuple(broker.executions)
        desk.feed(BrokerSnapshot(broker.account, 0, desk.now_ns, broker.position, orders, fills))


def equity(desk: Desk) -> Fraction:
    """Realised and open P&L together, in dollars, at one price: it cannot depend on the order of the fills."""
    position = desk.account.position(MES.contract_id)
    return Fraction(desk.account.day.realized_usd) + (ASK - position.average) * position.net * Fraction("1.25")


def cash(broker: Broker) -> Fraction:
    """The same from nothing but the fills."""
    return sum(
        ((ASK - fill.price_ticks) * fill.quantity * fill.side.sign * Fraction("1.25") for fill in broker.executions),
        Fraction(0),
    )


@often
@given(runs(120))
def test_shuffled_repeated_and_dropped_reports_reach_the_brokers_books(choices: Choices) -> None:
    broker, said = story(choices)
    desk = traders()
    for report in mangled(choices, said):
        desk.now_ns += 1
        desk.feed(report)
    read(desk, broker, 1)
    assert desk.net() == broker.net
    assert abs(equity(desk) - cash(broker)) < Fraction("0.01")
    live = {order.broker_order_id: order.leaves for order in desk.account.live_orders()}
    assert live == {row.broker_order_id: row.quantity - row.filled_quantity for row in broker.open_orders}
    assert not desk.account.held
    assert desk.account.unexplained == ""


@often
@given(runs(120))
def test_every_report_in_order_needs_no_reading(choices: Choices) -> None:
    broker, said = story(choices)
    desk = traders()
    for report in said:
        desk.feed(report)
    assert desk.net() == broker.net
    assert abs(equity(desk) - cash(broker)) < Fraction("0.01")


@often
@given(runs(120))
def test_reading_again_changes_nothing(choices: Choices) -> None:
    broker, said = story(choices)
    desk = traders()
    for report in mangled(choices, said):
        desk.feed(report)
    read(desk, broker, 2)
    before = desk.account
    desk.feed(broker_again(desk, broker))
    assert desk.account == before


def broker_again(desk: Desk, broker: Broker) -> BrokerSnapshot:
    started_ns = desk.account.reconciled_ns
    orders, fills = tuple(broker.orders.values()), tuple(broker.executions)
    return BrokerSnapshot(broker.account, 0, started_ns, broker.position, orders, fills)


@often
@given(runs(120), st.integers(0, 60))
def test_a_position_that_nothing_explains_is_the_brokers_after_two_readings(choices: Choices, hidden: int) -> None:
    broker, said = story(choices)
    lost = broker.executions[hidden % len(broker.executions)].fill_id if broker.executions else 0
    desk = traders()
    for report in said:
        if not (isinstance(report, FillReport) and report.fill_id == lost):
            desk.feed(report)
    broker.executions = [fill for fill in broker.executions if fill.fill_id != lost]
    read(desk, broker, 1)
    assert (desk.net() == broker.net) is (lost == 0)
    read(desk, broker, 1)
    assert desk.net() == broker.net


def test_money_has_no_rounding_to_hide_behind() -> None:
    assert MES.tick_value_usd == Decimal("1.25")
