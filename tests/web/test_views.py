"""The read models, from states made by the real ``decide``."""

from __future__ import annotations

from decimal import Decimal
from fractions import Fraction
from typing import Any

import pytest
from msgspec.structs import replace

from ordergate import __version__
from ordergate.bus.prices import average_price
from ordergate.core import events as e
from ordergate.core import reports as r
from ordergate.core.commands import CancelOrder, Leg, LockOut, SetPaused
from ordergate.core.events import InstrumentsLoaded
from ordergate.core.fold import evolve
from ordergate.core.limits import Breach, Limits
from ordergate.core.modes import Modes
from ordergate.core.order import Breakeven, Exit, Order, OrderType, Role, Side, Status, Target, Terms, Trail
from ordergate.web import legs, views
from ordergate.web.desk_row import desk_row
from ordergate.web.replies import encode
from ordergate.web.rows import ExposureRow, Mode, OrderRow, Rows, TradingStatus
from tests.web.history import MES, MES_TICKS, MNQ, OLD, SECOND_NS, A, B, History, instrument
from tests.web.page import exact

ORDER_FIELDS = {
    "orderId", "accountId", "instrument", "contractId", "side", "quantity", "filledQuantity", "orderType", "limitPrice",
    "stopPrice", "status", "averageFillPrice", "stopLoss", "takeProfit", "targets", "brokerOrderId", "breaches",
    "source", "timestamps", "reason", "passed",
}  # fmt: skip


def rows(history: History) -> Rows:
    return views.rows(history.group, history.quotes, history.at_ns)


def order(history: History, order_id: str, account_id: int = A) -> OrderRow:
    return rows(history).orders[account_id, order_id]


def test_an_order_has_exactly_the_fields_of_the_contract() -> None:
    history = History().open()
    history.submit("o1", Side.BUY, 2)
    row = exact(encode(order(history, "o1")))
    assert set(row) == ORDER_FIELDS
    assert row["timestamps"] == dict.fromkeys(("received", "decided", "updated"), "2026-11-23T15:00:00.000Z")
    assert (row["instrument"], row["contractId"], row["source"]) == ("MES", MES, "MANUAL_TRADING_V2")
    assert row["averageFillPrice"] == Decimal("5000.25")
    assert row["stopLoss"] == {"orderId": "o1/stop/2", "price": Decimal("4990.25"), "quantity": 2, "status": "WORKING"}
    assert row["takeProfit"] == {
        "orderId": "o1/target/3",
        "price": Decimal("5020.25"),
        "quantity": 2,
        "status": "WORKING",
    }


def test_every_status_of_the_core_has_its_word() -> None:
    assert set(legs.STATUS) == set(Status)


def test_an_order_is_pending_until_the_broker_has_answered_and_partially_filled_when_it_is() -> None:
    history = History().open()
    history.hold = True
    history.submit("o1", Side.BUY, 3, order_type=OrderType.LIMIT, limit_ticks=MES_TICKS - 10)
    assert order(history, "o1").status == "PENDING"
    history.put(r.PlaceOutcome(A, history.account().orders["o1"].tag, r.Outcome.UNKNOWN))
    assert (order(history, "o1").status, order(history, "o1").reason) == ("IN_DOUBT", "no answer from the broker")

    history = History().open()
    history.submit("o1", Side.BUY, 3, order_type=OrderType.LIMIT, limit_ticks=MES_TICKS - 10)
    assert order(history, "o1").status == "WORKING"
    assert order(history, "o1").limit_price == Decimal("4997.50")
    history.fill("o1", 1, MES_TICKS - 10)
    assert (order(history, "o1").status, order(history, "o1").filled_quantity) == ("PARTIALLY_FILLED", 1)
    history.put(CancelOrder("c", "o1"))
    assert (order(history, "o1").status, order(history, "o1").filled_quantity) == ("CANCELLED", 1)


def test_an_order_that_was_never_sent_has_expired_and_one_the_broker_refused_says_why() -> None:
    history = History().open()
    history.hold = True
    for name, outcome in (("o1", r.Outcome.NOT_SENT), ("o2", r.Outcome.REFUSED)):
        history.submit(name)
        history.put(r.PlaceOutcome(A, history.account().orders[name].tag, outcome, code=2, text=f"because of {name}"))
    assert (order(history, "o1").status, order(history, "o1").reason) == ("EXPIRED", "because of o1")
    assert (order(history, "o2").status, order(history, "o2").reason) == ("REJECTED", "because of o2")


def test_a_denied_order_shows_limit_and_actual_as_numbers_where_they_are() -> None:
    history = History().open()
    history.put(r.LinkReport(up=False, reason="gone"))
    history.submit("o1", Side.BUY, 11)
    row = exact(encode(order(history, "o1")))
    assert row["status"] == "DENIED"
    found = {breach["code"]: (breach["limit"], breach["actual"]) for breach in row["breaches"]}
    assert found["MAX_ORDER_SIZE"] == (10, 11)
    assert found["BROKER_LINK_DOWN"] == ("connected", "down")


@pytest.mark.parametrize(
    ("text", "shown"),
    [("10", b"10"), ("-12.50", b"-12.50"), ("5 s", b'"5 s"'), ("", b'""'), ("1e5", b'"1e5"'), ("NaN", b'"NaN"')],
)
def test_a_figure_is_a_number_only_if_it_reads_as_one(text: str, shown: bytes) -> None:
    assert encode(views.breach_row(Breach("A", text, text, "")).limit) == shown


def test_a_leg_that_works_is_shown_and_else_the_last_that_did() -> None:
    history = History().open()
    history.submit("o1", Side.BUY, 2)
    history.fill("o1/target/3", 2, MES_TICKS + 81)
    row = order(history, "o1")
    assert row.stop_loss is not None
    assert row.take_profit is not None
    assert (row.stop_loss.status, row.take_profit.status) == ("CANCELLED", "FILLED")


SCALED = (Target(Exit(80), 2), Target(Exit(40), 1))


def test_all_targets_that_work_are_shown_the_nearest_to_the_market_first() -> None:
    for side, sign in ((Side.BUY, 1), (Side.SELL, -1)):
        history = History().open()
        history.submit("o1", side, 3, targets=SCALED)
        row, position = order(history, "o1"), rows(history).positions[A, MES]
        first, second = row.targets
        assert ((second.price - first.price) * sign, first.quantity, second.quantity) == (Decimal(10), 1, 2)
        assert row.targets == position.targets
        assert (row.take_profit, position.take_profit) == (first, first)

        history.fill(first.order_id, 1, MES_TICKS + 40 * sign)
        assert [leg.order_id for leg in order(history, "o1").targets] == [second.order_id]
        assert order(history, "o1").take_profit == order(history, "o1").targets[0]
        history.fill(second.order_id, 2, MES_TICKS + 80 * sign)
        done = order(history, "o1")
        assert done.targets == ()
        assert done.take_profit is not None
        assert done.take_profit.status == "FILLED"


def test_a_leg_that_was_refused_does_not_hide_the_one_that_works() -> None:
    history = History().open()
    history.submit("o1", Side.BUY, 2)
    entry, stop = history.account().orders["o1"], history.account().orders["o1/stop/2"]
    refused = replace(stop, order_id="o1/stop/10", status=Status.REJECTED)
    row = views.order_row(history.group, entry, (refused, stop))
    assert row.stop_loss is not None
    assert row.stop_loss.order_id == "o1/stop/2"
    gone = replace(stop, status=Status.CANCELLED)
    row = views.order_row(history.group, entry, (refused, gone))
    assert row.stop_loss is not None
    assert row.stop_loss.order_id == "o1/stop/10"


def test_legs_that_are_switched_off_are_null() -> None:
    history = History().open()
    history.submit("o1", stop=Leg.OFF, targets=Leg.OFF)
    assert (order(history, "o1").stop_loss, order(history, "o1").take_profit) == (None, None)
    position = rows(history).positions[A, MES]
    assert (position.stop_loss, position.take_profit, position.protected) == (None, None, False)


def test_an_order_of_another_client_is_external_and_legs_and_closing_orders_have_no_row() -> None:
    history = History().open()
    history.submit("o1", Side.BUY, 2)
    history.put(history.broker.external(Side.BUY, 1, MES_TICKS - 40, history.at_ns))
    found = rows(history).orders
    assert {name: row.source for (_, name), row in found.items()} == {
        "o1": "MANUAL_TRADING_V2",
        "external/4": "EXTERNAL",
    }
    assert found[A, "external/4"].broker_order_id == 4


def test_a_position_shows_where_it_could_be_closed_and_its_gross_open_profit() -> None:
    history = History().open()
    history.submit("o1", Side.BUY, 2)
    history.quote(MES, MES_TICKS + 9)
    row = exact(encode(rows(history).positions[A, MES]))
    assert (row["positionId"], row["side"], row["quantity"], row["netPosition"]) == (f"{A}:{MES}", "LONG", 2, 2)
    assert (row["averagePrice"], row["avgPrice"]) == (Decimal("5000.25"), Decimal("5000.25"))
    assert row["currentPrice"] == Decimal("5002.25")
    assert row["unrealizedPnL"] == Decimal(20)
    assert row["protected"] is True


def test_a_short_is_closed_at_the_ask() -> None:
    history = History().open()
    history.submit("o1", Side.SELL, 1)
    row = rows(history).positions[A, MES]
    assert (row.side, row.quantity, row.net_position) == ("SHORT", 1, -1)
    assert row.current_price == Decimal("5000.25")


def test_a_position_shows_the_stop_and_target_that_would_fill_first() -> None:
    history = History().open()
    for name, ticks in (("o1", 60), ("o2", 20), ("o3", 80)):
        history.submit(name, Side.BUY, 1, stop=Exit(ticks), targets=(Target(Exit(ticks)),))
    row = rows(history).positions[A, MES]
    assert row.stop_loss is not None
    assert row.take_profit is not None
    assert row.stop_loss.price == row.take_profit.price - 10
    assert row.stop_loss.order_id.startswith("o2/stop")
    assert row.take_profit.order_id.startswith("o2/target")
    assert [leg.order_id[:2] for leg in row.stops] == ["o2", "o1", "o3"]
    assert [leg.order_id[:2] for leg in row.targets] == ["o2", "o1", "o3"]


def test_a_position_says_how_its_stops_move_by_themselves() -> None:
    history = History().open()
    history.submit("o1", Side.BUY, 1)
    assert rows(history).positions[A, MES].stop_moves == ()
    history.submit("o2", Side.BUY, 1, breakeven=Breakeven(8, 1), trail=Trail(12))
    words = ("to breakeven +1 at 8 ticks of profit", "trails 12 ticks behind")
    assert rows(history).positions[A, MES].stop_moves == words


def test_an_account_says_what_is_left_if_the_machine_dies() -> None:
    history = History().open()
    history.submit("o1", Side.BUY, 2, stop=Exit(40), targets=Leg.OFF)
    row = rows(history).accounts[A]
    assert (row.if_we_die, row.if_we_die_bounded) == (Decimal(-100) - Decimal("0.72"), True)
    history.submit("o2", Side.BUY, 1, stop=Leg.OFF, targets=Leg.OFF)
    assert not rows(history).accounts[A].if_we_die_bounded
    (told,) = [
        each for each in views.if_we_die_rows(history.group, history.quotes, history.at_ns) if each.account_id == A
    ]
    assert told.worst == rows(history).accounts[A].if_we_die
    assert [(one.instrument, one.net_position, one.uncovered) for one in told.contracts] == [("MES", 3, 1)]


def test_stops_that_cover_a_part_or_do_not_rest_yet_do_not_protect() -> None:
    history = History().open()
    history.submit("o1", Side.BUY, 2, targets=Leg.OFF)
    history.submit("o2", Side.BUY, 1, stop=Leg.OFF, targets=Leg.OFF)
    assert not rows(history).positions[A, MES].protected

    history = History().open()
    history.submit("o1", Side.BUY, 2, order_type=OrderType.LIMIT, limit_ticks=MES_TICKS - 10)
    history.hold = True
    history.fill("o1", 2, MES_TICKS - 10)
    row = rows(history).positions[A, MES]
    assert row.stop_loss is not None
    assert (row.stop_loss.status, row.protected) == ("PENDING", False)


def test_an_external_stop_counts_as_coverage() -> None:
    history = History().open()
    history.submit("o1", Side.BUY, 1, stop=Leg.OFF, targets=Leg.OFF)
    placed = history.broker.external(Side.SELL, 1, MES_TICKS, history.at_ns)
    fields: dict[str, Any] = {name: getattr(placed, name) for name in placed.__struct_fields__}
    history.put(
        r.OrderReport(**fields | {"order_type": OrderType.STOP, "limit_ticks": None, "stop_ticks": MES_TICKS - 20})
    )
    assert rows(history).positions[A, MES].protected


def test_an_average_between_ticks_is_rounded_once_and_one_on_a_tick_is_exact() -> None:
    mes = instrument(MES, "MES")
    assert average_price(mes, Fraction(20_000)) == Decimal("5000.00")
    assert average_price(mes, Fraction(60_001, 3)) == Decimal("5000.0833333333")
    assert encode(average_price(mes, Fraction(-1, 3))) == b"-0.0833333333"


def test_a_price_that_is_too_old_makes_no_figure() -> None:
    history = History().open()
    history.submit("o1")
    history.at_ns += 6 * SECOND_NS
    position, account = rows(history).positions[A, MES], rows(history).accounts[A]
    assert (position.current_price, position.unrealized_pnl) == (None, None)
    assert (account.equity, account.day_pnl) == (None, None)
    assert views.aged(rows(history).prices["MES"], history.at_ns).age_ms == 6_000


def test_an_account_shows_its_money_and_what_keeps_new_risk_out() -> None:
    history = History(Limits(daily_loss_usd_max=Decimal(200))).open(A, B)
    row = exact(encode(rows(history).accounts[A]))
    assert row == {
        "id": A, "accountId": A, "name": f"PRACTICE-{A}", "balance": 50_000, "canTrade": True, "canCancel": True,
        "bracketMode": "unknown", "equity": 50_000, "dayPnl": 0, "dayPnlAtStops": 0, "ifWeDie": 0,
        "ifWeDieBounded": True, "dailyLossLimit": 200, "openOrders": 0,
        "passedOrders": 0, "exposures": [], "tradingState": "active", "reason": "", "lockedUntil": None,
        "tradingDay": "2026-11-23", "linkUp": True,
    }  # fmt: skip
    history.submit("o1", Side.BUY, 2)
    money = rows(history).accounts[A]
    # Two contracts a tick down, and 0.36 a contract and side in fees.
    assert money.equity == Decimal(50_000) - Decimal("2.50") - Decimal("0.72")
    assert money.day_pnl == Decimal("-2.50") - Decimal("0.72") - Decimal("0.72")
    # Stopped 40 ticks below 5,000.25, and the same fees.
    assert money.day_pnl_at_stops == Decimal(-100) - Decimal("1.44")
    history.hold = True
    history.put(r.Unreadable(A, "an odd row"))
    assert rows(history).accounts[A].reason == "an odd row"
    history.quote(MES, MES_TICKS - 100)
    history.wait(0)
    assert rows(history).accounts[A].trading_state == "reducing"
    assert "lost today" in rows(history).accounts[A].reason
    assert rows(history).accounts[B].trading_state == "active"


def test_an_account_shows_what_each_contract_could_come_to() -> None:
    history = History().open()
    history.submit("o1", Side.BUY, 2)
    history.submit("o2", Side.BUY, 3, order_type=OrderType.LIMIT, limit_ticks=MES_TICKS - 10)
    history.submit("o3", Side.SELL, 1, contract_id=MNQ, order_type=OrderType.LIMIT, limit_ticks=80_100)
    account = rows(history).accounts[A]
    # The stop and the target of two contracts close what is held, and count nothing beyond it.
    assert account.exposures == (
        ExposureRow("MES", MES, worst_long=5, worst_short=2),
        ExposureRow("MNQ", MNQ, worst_long=0, worst_short=-1),
    )
    assert account.open_orders == 2


def test_a_fill_tells_what_its_order_was_for_and_what_it_earned() -> None:
    history = History().open()
    history.submit("o1", Side.BUY, 2)
    history.fill("o1/target/3", 2, MES_TICKS + 81)
    entry, target = (exact(encode(row)) for row in rows(history).fills.values())
    assert entry == {
        "fillId": 1, "accountId": A, "orderId": "o1", "instrument": "MES", "contractId": MES, "side": "BUY",
        "quantity": 2, "price": Decimal("5000.25"), "fee": Decimal("0.72"), "realizedPnL": None, "purpose": "entry",
        "at": rows(history).orders[A, "o1"].timestamps.updated, "busted": False,
    }  # fmt: skip
    # Eighty ticks on two contracts, gross.
    assert (target["purpose"], target["side"], target["realizedPnL"]) == ("target", "SELL", 200)
    bust = history.broker.fills[-1]
    history.put(r.FillReport(**{name: getattr(bust, name) for name in bust.__struct_fields__} | {"voided": True}))
    assert [row.busted for row in rows(history).fills.values()] == [False, True]


def test_fills_are_those_of_the_trading_day() -> None:
    history = History().open()
    history.submit("o1")
    assert len(rows(history).fills) == 1
    history.wait(86_400)
    assert rows(history).fills == {}


def test_a_position_net_of_fees_has_paid_for_entry_and_exit() -> None:
    history = History().open()
    history.submit("o1", Side.BUY, 2)
    history.quote(MES, MES_TICKS + 9)
    row = rows(history).positions[A, MES]
    assert (row.unrealized_pnl, row.net_pnl) == (Decimal(20), Decimal(20) - 4 * Decimal("0.36"))


def test_the_desk_says_where_orders_go_and_why_the_broker_is_not_seen() -> None:
    history = History().open()
    assert exact(encode(rows(history).desk)) == {
        "mode": "SIM", "venue": "sim", "login": "practice", "version": __version__, "linkUp": True, "linkReason": "",
        "limits": {
            "maxOrderSize": 10, "maxPositionSize": 10, "maxOpenOrders": 50, "maxDailyLoss": 1_000, "maxRiskPercent": 2,
            "defaultRiskReward": 2,
        },
        "modes": {
            "shadow": False, "interceptOrders": True, "preserveOriginalWorkflow": False, "enableRiskValidation": True,
            "enableSLTPCalculation": True, "enforcing": True, "unasked": "",
        },
        "paused": None,
        "trouble": "",
        "checks": [],
    }  # fmt: skip
    history.put(r.CheckReport("prices", "quotes come of MES", well=True))
    history.put(r.CheckReport("clock", "an hour behind", well=False))
    told = [(check.name, check.text, check.well) for check in rows(history).desk.checks]
    assert told == [("clock", "an hour behind", False), ("prices", "quotes come of MES", True)]
    history.put(r.LinkReport(up=False, reason="gone"))
    assert (rows(history).desk.link_up, rows(history).desk.link_reason) == (False, "gone")
    assert desk_row(replace(history.group, venue="topstepx")).mode is Mode.LIVE


@pytest.mark.parametrize(
    ("modes", "mode", "enforcing", "words"),
    [
        (Modes(shadow=True, preserve=True), Mode.SHADOW, True, "original workflow"),
        (Modes(intercept=False), Mode.PASS_THROUGH, False, "interception off"),
        (Modes(validate=False), Mode.PASS_THROUGH, False, "validation off"),
        (Modes(preserve=True), Mode.ADVISORY, False, "limits are sent all the same"),
        (Modes(default_bracket=False), Mode.SIM, True, ""),
    ],
)
def test_the_desk_says_what_is_not_enforced(modes: Modes, mode: Mode, words: str, *, enforcing: bool) -> None:
    row = desk_row(replace(History().open().group, modes=modes))
    assert (row.mode, row.modes.enforcing) == (mode, enforcing)
    assert words in row.modes.unasked
    assert bool(words) == bool(row.modes.unasked)


def test_a_pause_is_told_by_the_desk_by_every_account_that_may_trade_and_by_the_trading_status() -> None:
    history = History().open(A, B)
    history.put(LockOut("l", B))
    history.put(SetPaused("p", on=True, by=e.Door.BUS))
    found = rows(history)
    assert found.desk.paused is not None
    assert (found.desk.paused.by, found.desk.paused.since) == ("over the bus", "2026-11-23T15:00:00.000Z")
    assert found.accounts[A].reason.startswith("paused over the bus at 2026-11-23 09:00:00 CT")
    assert found.accounts[B].reason.startswith("locked out")
    history.put(SetPaused("r", on=False, by=e.Door.PAGE))
    assert rows(history).accounts[A].reason == ""
    assert views.trading_status(history.group).can_trade
    history.put(SetPaused("q", on=True, by=e.Door.PAGE))
    assert not views.trading_status(history.group).can_trade


def test_an_account_is_listed_once_the_broker_has_shown_it_whole() -> None:
    history = History().open()
    history.hold = True
    history.put(history.broker.account(B))
    assert B in history.group.accounts
    assert set(rows(history).accounts) == {A}


def test_prices_are_those_of_the_active_contracts() -> None:
    history = History().open()
    history.quote(OLD, MES_TICKS - 400)
    found = exact(encode(rows(history).prices))
    assert found["MES"] == {
        "symbol": "MES", "contractId": MES, "bid": Decimal("5000.00"), "ask": Decimal("5000.25"),
        "last": Decimal("5000.00"), "timestamp": history.at_ns // 1_000_000, "ageMs": 0,
    }  # fmt: skip
    assert set(found) == {"MES", "MNQ"}


def test_instruments_are_the_active_contracts_with_their_point_values() -> None:
    history = History().open()
    gold = InstrumentsLoaded(0, (instrument("CON.F.US.GCE.Z26", "GC"),))
    found = {row.symbol: row for row in views.instrument_rows(evolve(history.group, gold))}
    assert {symbol: (row.point_value, row.allowed) for symbol, row in found.items()} == {
        "GC": (Decimal(100), False),
        "MES": (Decimal(5), True),
        "MNQ": (Decimal(2), True),
    }
    assert found["MES"].contract_id == MES


def test_trading_status_tells_the_exit_under_way_and_whether_new_risk_is_possible() -> None:
    history = History().open()
    assert views.trading_status(history.group) == TradingStatus(False, None, True)  # noqa: FBT003
    history.submit("o1")
    history.hold = True
    history.put(r.LinkReport(up=False, reason="gone"))
    history.quote(MES, MES_TICKS - 3_300)
    history.wait(0)
    assert views.trading_status(history.group) == TradingStatus(True, "daily loss limit", False)  # noqa: FBT003


def test_an_external_order_that_was_filled_before_we_knew_it_has_no_average() -> None:
    group = History().open().group
    terms = Terms(A, MES, Side.BUY, 2, OrderType.LIMIT, MES_TICKS)
    seen = Order("external/9", terms, Role.EXTERNAL, Status.WORKING, filled_quantity=1)
    row = views.order_row(group, seen, ())
    assert (row.filled_quantity, row.average_fill_price, row.timestamps.received) == (1, None, None)
