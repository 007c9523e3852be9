"""What the gate logs of what it decides: one line each, in words and prices that a person reads."""

from __future__ import annotations

import re
from collections.abc import Callable
from decimal import Decimal
from typing import Any, get_args

import pytest
from structlog.testing import capture_logs

from ordergate.core import events as e
from ordergate.core.alarms import _TELLS as ALARMS
from ordergate.core.commands import CancelOrder, LockOut, SetInterception, SetPaused
from ordergate.core.decide import Decided
from ordergate.core.limits import Limits
from ordergate.core.modes import Modes
from ordergate.core.order import Breakeven, Exit, Protection, Target, Trail
from ordergate.core.reports import LinkReport, Outcome
from ordergate.engine.decision_log import LINES, line, order_of
from ordergate.journal.memory import MemoryJournal
from tests.core.desk import ACCOUNT, ASK, BID, MES, SECOND_NS, Desk
from tests.engine.gate_on_memory import bench

# Steps on the way to another event, and what was read of the broker: the journal has them.
UNTOLD = {
    e.GroupOpened,
    e.InstrumentsLoaded,
    e.LimitsConfigured,
    e.EquityPeaked,
    e.CancelSent,
    e.OrderAccepted,
    e.LookupSent,
    e.LookupMissed,
    e.FillHeld,
    e.FillsMissing,
    e.SnapshotRequested,
    e.PositionDoubted,
    e.Reconciled,
    e.ExitAdvanced,
    e.BracketModeConfigured,
    e.NativeAwaited,
}

Told = list[tuple[str, dict[str, object]]]


class Logged(Desk):
    """``lines`` is what the log would say of each decision, with the state after all of it, as the gate tells it.

    ``alarms`` are the codes of the events that said it by an alarm.
    """

    def __init__(self, *given: Any, **more: Any) -> None:
        self.lines: Told = []
        self.alarms: list[str] = []
        super().__init__(*given, **more)
        self.lines.clear()

    def feed(self, *given: Any, **stamp: Any) -> Decided:
        decided = super().feed(*given, **stamp)
        first = decided.group.version - len(decided.events) + 1
        for number, event in enumerate(decided.events, first):
            told = line(decided.group, event)
            raised = [alarm.code for alarm in decided.group.alarms if alarm.number == number]
            self.alarms += raised
            assert told is None or not raised, f"{event} is told twice"
            if told is not None:
                fields = {name: value for name, value in told.fields.items() if value is not None}
                self.lines.append((told.text, fields))
        return decided

    def said(self, text: str) -> dict[str, object]:
        """The fields of the only line of that text."""
        (fields,) = [fields for each, fields in self.lines if each == text]
        return fields


def test_every_event_has_a_line_or_an_alarm_or_is_known_to_have_none() -> None:
    assert set(LINES) | set(ALARMS) | UNTOLD == set(get_args(e.Event))
    assert not UNTOLD & (set(LINES) | set(ALARMS))


def test_an_approved_order_is_one_line_with_its_bracket_in_prices_and_its_risk_in_dollars() -> None:
    desk = Logged()
    desk.submit("o1", quantity=2, limit=ASK)
    assert desk.lines == [
        (
            "order approved",
            {
                "order": "o1",
                "side": "BUY",
                "quantity": 2,
                "instrument": "MES",
                "type": "LIMIT",
                "limit_price": 5000.0,
                "bracket": "stop 10.00 points away, target 20.00 points away",
                "risk_usd": 100.0,
                "kind": "approved",
                "tag": desk.order("o1").tag,
                "waited_ms": 0.0,
            },
        )
    ]


@pytest.mark.parametrize(
    ("protection", "told"),
    [
        (Protection(), "none"),
        (Protection(stop=Exit(0, 19_960)), "stop at 4990.00"),
        (
            Protection(Exit(40), (Target(Exit(20), 1), Target(Exit(0, 20_100)))),
            "stop 10.00 points away, target 1 5.00 points away, target at 5025.00",
        ),
        (
            Protection(Exit(40), (), Breakeven(12), Trail(8)),
            "stop 10.00 points away, breakeven after 3.00 points, trails by 2.00 points",
        ),
    ],
)
def test_a_bracket_is_told_in_points_and_prices(protection: Protection, told: str) -> None:
    desk = Logged()
    desk.hold("o1")
    said = line(desk.group, e.ProtectionChanged(ACCOUNT, "o1", protection, "asked"))
    assert said is not None
    assert (said.text, said.fields) == ("protection changed", {"order": "o1", "bracket": told, "cause": "asked"})


def test_a_denied_order_is_one_line_with_every_limit_it_breaks() -> None:
    desk = Logged(Limits(order_quantity_max=1, position_quantity_max=2))
    desk.submit("o1", quantity=3)
    assert [text for text, _ in desk.lines] == ["order denied"]
    assert desk.said("order denied")["breaches"] == [
        {"code": "MAX_ORDER_SIZE", "observed": "3", "limit": "1"},
        {"code": "MAX_POSITION_SIZE", "observed": "3", "limit": "2"},
    ]


def test_an_order_that_leaves_although_it_breaks_limits_says_so_with_all_of_them() -> None:
    desk = Logged(Limits(order_quantity_max=1), modes=Modes(preserve=True))
    desk.submit("o1", quantity=3)
    assert [text for text, _ in desk.lines] == ["order overridden"]
    assert desk.said("order overridden")["breaches"] == [{"code": "MAX_ORDER_SIZE", "observed": "3", "limit": "1"}]


def test_an_order_of_which_no_limit_is_asked_has_passed() -> None:
    desk = Logged(Limits(order_quantity_max=1), modes=Modes(validate=False))
    desk.submit("o1", quantity=3)
    assert [text for text, _ in desk.lines] == ["order passed"]


def test_a_fill_the_stop_that_rests_and_how_long_that_took_are_one_line_each() -> None:
    desk = Logged()
    desk.submit("o1", quantity=2)
    desk.accept("o1")
    desk.fill("o1", fill_id=77, fee_usd=Decimal("0.72"))
    assert desk.said("fill") == {
        "order": "o1",
        "side": "BUY",
        "quantity": 2,
        "instrument": "MES",
        "price": 5000.0,
        "fee_usd": 0.72,
        "position": 2,
        "fill_id": 77,
    }
    desk.wait(30)
    stop = desk.stop("o1")
    desk.accept(stop.order_id)
    desk.show(stop.order_id)
    assert desk.said("stop approved")["stop_price"] == 4990.0
    assert desk.said("stop rests") == {"order": stop.order_id}
    assert desk.said("position protected") == {"instrument": "MES", "after_ms": 30.0}
    assert desk.said("target approved")["limit_price"] == 5020.0


def changed(desk: Logged) -> None:
    desk.modify("o1", quantity=2, limit_ticks=BID - 4)
    desk.modified("o1")
    desk.show("o1", quantity=2, limit_ticks=BID - 4)


def refused_change(desk: Logged) -> None:
    desk.modify("o1", limit_ticks=BID - 4)
    desk.modified("o1", Outcome.REFUSED, "too late")


def cancelled(desk: Logged) -> None:
    desk.cancel("o1")
    desk.cancelled("o1")


@pytest.mark.parametrize(
    ("does", "told"),
    [
        (changed, [("change approved", "4998.75"), ("order changed", "4998.75")]),
        (refused_change, [("change approved", "4998.75"), ("change refused by the broker", "too late")]),
        (lambda desk: desk.modify("o1", quantity=99), [("change denied", "'observed': '99'")]),
        (cancelled, [("cancel decided", "o1"), ("order cancelled", "o1")]),
        (lambda desk: desk.cancel("later", queued_account=ACCOUNT), [("cancel came before its order", "later")]),
    ],
    ids=["changed", "change refused", "change denied", "cancelled", "cancel ahead of its order"],
)
def test_what_becomes_of_a_resting_order_is_one_line_for_each_decision(
    does: Callable[[Logged], object], told: list[tuple[str, str]]
) -> None:
    desk = Logged()
    desk.submit("o1", limit=BID)
    desk.accept("o1")
    desk.show("o1")
    desk.lines.clear()
    does(desk)
    assert [text for text, _ in desk.lines] == [text for text, _ in told]
    for (_, fields), (_, part) in zip(desk.lines, told, strict=True):
        assert part in str(fields)


def test_a_flatten_is_told_from_its_start_to_the_flat_position() -> None:
    desk = Logged()
    desk.hold("o1")
    desk.lines.clear()
    desk.flatten()
    for leg in (*desk.legs("o1"), desk.target("o1")):
        desk.cancelled(leg.order_id)
    (close,) = desk.closes()
    desk.accept(close.order_id)
    desk.fill(close.order_id, price=BID)
    desk.read_back()
    texts = [text for text, _ in desk.lines]
    assert texts[:2] == ["approvals given before are void", "exit started"]
    assert texts[-1] == "exit finished"
    assert desk.said("exit started")["cause"] == "flatten"
    assert desk.said("fill")["position"] == 0


def test_what_is_an_alarm_is_told_by_that_alone() -> None:
    desk = Logged()
    desk.submit("rejected")
    desk.placed("rejected", Outcome.REFUSED, text="no")
    desk.submit("in doubt")
    desk.placed("in doubt", Outcome.UNKNOWN)
    desk.submit("not sent")
    desk.placed("not sent", Outcome.NOT_SENT)
    desk.enter("unprotected")
    desk.placed(desk.stop("unprotected").order_id, Outcome.REFUSED, text="no")
    desk.ask(SetPaused(desk.request_id(), on=True, by=e.Door.PAGE))
    desk.ask(SetInterception(desk.request_id(), on=False))
    desk.ask(LockOut(desk.request_id(), ACCOUNT, desk.now_ns + 3_600 * SECOND_NS))
    desk.feed(LinkReport(up=False, reason="gone"))
    wanted = {"ORDER_REJECTED", "ORDER_IN_DOUBT", "ORDER_NOT_SENT", "UNPROTECTED", "PAUSED", "MODES_CHANGED"}
    assert {*wanted, "LOCKED_OUT", "LINK_DOWN"} <= set(desk.alarms)


@pytest.mark.parametrize(
    "event",
    [
        e.CoverChanged(ACCOUNT, MES.contract_id, e.Cover.PROTECTED, 0, "", 7, 0, 7),
        e.CoverChanged(ACCOUNT, MES.contract_id, e.Cover.PROTECTING, 1, "", 7, 5, 7),
        e.CoverChanged(ACCOUNT, MES.contract_id, e.Cover.UNPROTECTED, 1, "", 7, 5, 7),
        e.ExitFinished(ACCOUNT, MES.contract_id, flat=False, at_ns=7),
        e.LinkChanged(0, up=False, reason="gone"),
        e.PositionsSpared(ACCOUNT, None),
    ],
)
def test_what_did_not_end_well_or_did_not_happen_has_no_line_of_its_own(event: e.Event) -> None:
    assert line(Desk().group, event) is None


def test_a_leg_that_follows_the_protection_is_no_second_decision() -> None:
    desk = Logged()
    desk.hold("o1")
    desk.lines.clear()
    desk.protect(stop=BID - 20)
    assert [text for text, _ in desk.lines] == ["protection changed"]
    assert re.search(r"stop at 4994\.75", str(desk.said("protection changed")["bracket"]))


def test_an_event_names_its_order_where_it_is_about_one() -> None:
    desk = Logged()
    desk.submit("o1", instrument=MES)
    assert [order_of(event) for event in desk.told(e.OrderApproved)] == ["o1"]
    assert order_of(e.OrderCancelled(ACCOUNT, "o2", 0)) == "o2"
    assert order_of(e.LockoutEnded(ACCOUNT, 0)) == ""


async def test_the_gate_logs_what_it_decided_once_it_is_durable_and_what_it_refused() -> None:
    async with bench(MemoryJournal()) as desk:
        await desk.adopt()
        with capture_logs() as logs:
            assert (await desk.buy(1, "o1")).ok
            assert not (await desk.buy(99, "o2")).ok
            await desk.gate.take(CancelOrder("r1", "nowhere", ACCOUNT))
            assert not (await desk.answer("r1")).ok
    told = [(each["log_level"], each["event"], each.get("code")) for each in logs if each.get("part") == "gate"]
    assert told == [
        ("info", "order approved", None),
        ("info", "order denied", None),
        ("warning", "command refused", "UNKNOWN_ORDER"),
    ]
