"""The rules on the time of day: sessions, the time to be flat and news windows; and getting flat by itself."""

from __future__ import annotations

import datetime
from datetime import time
from typing import Any

import pytest

from ordergate.core import events as e
from ordergate.core.commands import Leg
from ordergate.core.contracts import PRODUCT_BY_SYMBOL, active_month, contract_id, contract_name
from ordergate.core.decide import next_wake_ns
from ordergate.core.inputs import Wake
from ordergate.core.instrument import Instrument
from ordergate.core.limits import Blackout, Limits, OnMustBeFlat
from ordergate.core.order import Exit, Side
from ordergate.core.reports import AccountReport, InstrumentsReport, Outcome
from ordergate.core.rules.hours import flat_groups, next_flat_ns
from tests.core.desk import ACCOUNT, ASK, BID, MES, MS_NS, SECOND_NS, Desk, fill_row, instant, order_row, position

OUTSIDE, BLACKOUT = ["OUTSIDE_TRADING_HOURS"], ["BLACKOUT"]
FLAT = Limits(session_only=True, on_must_be_flat=OnMustBeFlat.FLATTEN)
KEEP = Limits(session_only=True)
NEWS = Blackout(time(7, 25), time(7, 45))


def of(symbol: str) -> Instrument:
    product = PRODUCT_BY_SYMBOL[symbol]
    year, month = active_month(product, datetime.date(2026, 11, 23))
    name = contract_name(product, year, month)
    return Instrument(
        contract_id(product, year, month), symbol, name, product.tick_size, product.tick_value_usd, product.fee_usd
    )


def denied(symbol: str, at: str, **limits: Any) -> list[tuple[str, str, str]]:
    """Code, limit and message of what a small order breaks at an instant."""
    desk = Desk(Limits(allowed_symbols=(symbol,), **limits), at_ns=instant(at))
    contract = MES if symbol == "MES" else of(symbol)
    desk.feed(InstrumentsReport((contract,)))
    desk.quote(contract, BID, ASK)
    answer = desk.submit("a", stop=Exit(4), instrument=contract)
    return [(breach.code, breach.limit, breach.message) for breach in answer.breaches]


@pytest.mark.parametrize(
    ("symbol", "at", "limit", "words"),
    [
        ("MES", "2026-11-24 15:07:59.999", None, ""),
        ("MES", "2026-11-24 15:08", "before 15:08", "MES must be flat from 15:08 Chicago time; it opens on Tuesday,"),
        ("MES", "2026-11-24 16:00", "open", "MES is closed; it opens on Tuesday, 2026-11-24 at 17:00 Chicago time"),
        ("MES", "2026-11-24 17:00", None, ""),
        ("MES", "2026-11-28 12:00", "open", "MES is closed; it opens on Sunday, 2026-11-29 at 17:00 Chicago time"),
        ("MES", "2026-11-26 11:44:59", None, ""),
        ("MES", "2026-11-26 11:45", "before 11:45", "it opens on Thursday, 2026-11-26 at 17:00 Chicago time"),
        ("MGC", "2026-11-26 11:45", None, ""),
        ("MGC", "2026-11-26 13:15", "before 13:15", "MGC must be flat"),
        ("ZC", "2026-11-24 06:00", None, ""),
        ("ZC", "2026-11-24 08:00", "open", "ZC is closed; it opens on Tuesday, 2026-11-24 at 08:30"),
        ("ZC", "2026-11-24 13:04:59", None, ""),
        ("ZC", "2026-11-24 13:05", "before 13:05", "ZC must be flat"),
        ("HE", "2026-11-24 12:50", "before 12:50", "HE must be flat"),
        ("MES", "2029-03-01 09:00", "open", "MES is closed; the calendar of trading hours knows 2023-12-01 to"),
    ],
)
def test_new_risk_waits_for_the_session_of_its_product(symbol: str, at: str, limit: str | None, words: str) -> None:
    found = denied(symbol, at, session_only=True)
    assert [(code, told) for code, told, _ in found] == ([] if limit is None else [(OUTSIDE[0], limit)])
    assert not found or words in found[0][2]
    assert denied(symbol, at, session_only=False) == []


@pytest.mark.parametrize(
    ("must_be_flat", "at", "codes"),
    [
        (None, "2026-11-24 15:59:59", []),
        (None, "2026-11-24 16:00", OUTSIDE),
        (None, "2026-11-26 11:59:59", []),
        (time(15, 55), "2026-11-24 15:54:59", []),
        (time(15, 55), "2026-11-24 15:55", OUTSIDE),
        (time(9), "2026-11-26 09:00", OUTSIDE),
        (time(9), "2026-11-25 20:00", []),
    ],
)
def test_the_time_to_be_flat_is_a_setting(must_be_flat: time | None, at: str, codes: list[str]) -> None:
    assert [code for code, _, _ in denied("MES", at, session_only=True, must_be_flat=must_be_flat)] == codes


def test_a_denial_for_the_time_to_be_flat_tells_the_time_it_is() -> None:
    desk = Desk(KEEP, at_ns=instant("2026-11-24 15:08:07"))
    (breach,) = desk.submit("a").breaches
    assert (breach.limit, breach.actual) == ("before 15:08", "15:08:07")


def test_the_time_to_be_flat_ends_with_the_session() -> None:
    group, close = PRODUCT_BY_SYMBOL["MES"].group, instant("2026-11-24 16:00")
    assert group in flat_groups(KEEP, close - 1)
    assert group not in flat_groups(KEEP, close)


def test_a_product_without_known_hours_is_closed() -> None:
    desk = Desk(Limits(session_only=True, allowed_symbols=("XYZ",)))
    unknown = Instrument("CON.F.US.XYZ.Z26", "XYZ", "XYZZ6", MES.tick_size, MES.tick_value_usd, MES.fee_usd)
    desk.feed(InstrumentsReport((unknown,)))
    desk.quote(unknown, BID, ASK)
    (breach,) = desk.submit("a", instrument=unknown).breaches
    assert (breach.code, breach.message) == (OUTSIDE[0], "XYZ is closed; its trading hours are not known")


@pytest.mark.parametrize(
    ("span", "at", "codes"),
    [
        (NEWS, "2026-11-24 07:24:59.999", []),
        (NEWS, "2026-11-24 07:25", BLACKOUT),
        (NEWS, "2026-11-24 07:44:59.999", BLACKOUT),
        (NEWS, "2026-11-24 07:45", []),
        (NEWS, "2026-07-24 07:30", BLACKOUT),
        (Blackout(time(7), time(8), datetime.date(2026, 11, 24)), "2026-11-24 07:30", BLACKOUT),
        (Blackout(time(7), time(8), datetime.date(2026, 11, 24)), "2026-11-25 07:30", []),
        (Blackout(time(23, 55), time(0, 5)), "2026-11-24 23:55", BLACKOUT),
        (Blackout(time(23, 55), time(0, 5)), "2026-11-24 00:04:59", BLACKOUT),
        (Blackout(time(23, 55), time(0, 5)), "2026-11-24 00:05", []),
        (Blackout(time(23, 55), time(0, 5)), "2026-11-24 12:00", []),
        (Blackout(time(23, 55), time(0, 5), datetime.date(2026, 11, 23)), "2026-11-24 00:01", BLACKOUT),
        (Blackout(time(23, 55), time(0, 5), datetime.date(2026, 11, 24)), "2026-11-24 00:01", []),
        (Blackout(time(23, 55), time(0, 5), datetime.date(2026, 11, 24)), "2026-11-24 23:56", BLACKOUT),
    ],
)
def test_no_new_risk_in_a_window_of_news_wherever_it_is_traded(span: Blackout, at: str, codes: list[str]) -> None:
    other = Blackout(time(3), time(4))
    for session_only in (False, True):
        found = denied("MES", at, session_only=session_only, blackouts=(other, span))
        assert [code for code, _, _ in found] == codes
        assert not found or span.text in found[0][2]


def test_exits_pass_a_window_of_news_and_the_time_to_be_flat() -> None:
    for limits, at in ((KEEP, "2026-11-24 15:30"), (Limits(blackouts=(NEWS,)), "2026-11-24 07:30")):
        desk = Desk(limits, at_ns=instant("2026-11-24 07:00"))
        desk.hold("a", quantity=2)
        desk.now_ns = instant(at)
        desk.quote(MES, BID, ASK)
        assert desk.submit("b", stop=Exit(4)).code in (*OUTSIDE, *BLACKOUT)
        assert desk.submit("c", Side.SELL).ok
        assert desk.close().ok


def test_a_modify_that_adds_risk_is_judged_by_the_time_of_day_too() -> None:
    desk = Desk(KEEP, at_ns=instant("2026-11-24 15:07"))
    desk.submit("a", limit=BID - 200, stop=Exit(4))
    desk.accept("a")
    desk.now_ns = instant("2026-11-24 15:07:59")
    desk.quote(MES, BID, ASK)
    assert desk.modify("a", quantity=2).ok
    desk.modified("a")
    late = Desk(Limits(blackouts=(Blackout(time(15, 8), time(15, 9)),)), at_ns=instant("2026-11-24 15:07"))
    late.submit("a", limit=BID - 200, stop=Exit(4))
    late.accept("a")
    late.now_ns = instant("2026-11-24 15:08")
    late.quote(MES, BID, ASK)
    assert late.modify("a", quantity=2).code == "BLACKOUT"


# Getting flat.


def held_until(limits: Limits, at: str, opened: str = "2026-11-24 14:00") -> Desk:
    """A desk that has been long 2 MES with their legs, and has a working entry, when the clock says ``at``."""
    desk = Desk(limits, at_ns=instant(opened))
    desk.hold("a", quantity=2)
    desk.submit("b", limit=BID - 200, stop=Exit(4), target=Leg.OFF)
    desk.accept("b")
    desk.wait((instant(at) - desk.now_ns) // MS_NS)
    return desk


def test_at_the_time_to_be_flat_everything_is_closed_where_that_is_asked_for() -> None:
    desk = held_until(FLAT, "2026-11-24 15:07:59")
    assert desk.told(e.ExitStarted) == []
    assert not desk.order("b").cancel_wanted
    desk.wait(1_000)
    (exit_,) = desk.told(e.ExitStarted)
    assert (exit_.cause, exit_.exit_id) == ("must be flat", "2026-11-24/must-be-flat")
    assert exit_.at_ns == instant("2026-11-24 15:08"), "to the second: the gate wakes for it"
    assert desk.order("b").cancel_wanted
    desk.cancelled("b", desk.stop("a").order_id, desk.target("a").order_id)
    (close,) = desk.closes()
    assert close.terms.quantity == 2
    desk.accept(close.order_id)
    desk.fill(close.order_id)
    desk.read_back()
    desk.wait(60_000)
    assert desk.net() == 0
    assert len(desk.told(e.ExitStarted)) == 1


def test_a_position_is_kept_by_default_and_only_what_would_open_is_cancelled() -> None:
    desk = held_until(KEEP, "2026-11-24 15:09")
    assert desk.told(e.ExitStarted) == []
    assert desk.order("b").cancel_wanted
    assert desk.order("b").reason == "must be flat"
    assert not desk.stop("a").cancel_wanted
    assert not desk.target("a").cancel_wanted


def test_nothing_happens_where_the_market_never_closes_or_no_time_is_set() -> None:
    for limits in (
        Limits(on_must_be_flat=OnMustBeFlat.FLATTEN),
        Limits(session_only=True, must_be_flat=None, on_must_be_flat=OnMustBeFlat.FLATTEN),
    ):
        desk = held_until(limits, "2026-11-24 15:30")
        desk.mark(BID)
        assert desk.told(e.ExitStarted) == []
        assert not desk.order("b").cancel_wanted


def test_an_early_close_is_got_out_of_a_quarter_of_an_hour_before() -> None:
    desk = held_until(FLAT, "2026-11-26 11:44:59", "2026-11-26 09:00")
    assert desk.told(e.ExitStarted) == []
    desk.wait(1_000)
    (exit_,) = desk.told(e.ExitStarted)
    assert exit_.at_ns == instant("2026-11-26 11:45")


def test_only_the_products_whose_time_has_come_are_closed() -> None:
    desk = Desk(FLAT, at_ns=instant("2026-11-26 09:00"))
    gold = of("MGC")
    desk.feed(InstrumentsReport((gold,)))
    desk.quote(gold, BID, ASK)
    desk.hold("g", instrument=gold)
    desk.submit("h", limit=BID - 200, stop=Exit(4), instrument=gold)
    desk.accept("h")
    desk.hold("m")
    desk.wait((instant("2026-11-26 11:46") - desk.now_ns) // MS_NS)
    assert [event.contract_id for event in desk.told(e.ExitStarted)] == [MES.contract_id]
    assert not desk.order("h").cancel_wanted


def test_what_somebody_opens_elsewhere_after_the_time_is_closed_too() -> None:
    desk = Desk(FLAT, at_ns=instant("2026-11-24 15:10"))
    desk.feed(order_row(77, Side.BUY, 1, filled_quantity=0))
    assert desk.order("external/77").cancel_wanted
    desk.feed(fill_row(900, 77, Side.BUY, 1, ASK, at_ns=desk.now_ns))
    assert [event.cause for event in desk.told(e.ExitStarted)] == ["must be flat"]


def test_an_exit_that_was_given_up_is_begun_again_but_not_at_once_and_not_after_the_close() -> None:
    desk = held_until(FLAT, "2026-11-24 15:58")
    desk.cancelled("b", desk.stop("a").order_id, desk.target("a").order_id)
    refused = 0
    for _ in range(240):  # the broker refuses every close, for four minutes
        for close in desk.closes()[refused:]:
            desk.placed(close.order_id, Outcome.REFUSED, text="no")
            refused += 1
        desk.read_back()
        desk.wait(1_000)
    begun = [event.at_ns for event in desk.told(e.ExitStarted)]
    given_up = [event.at_ns for event in desk.told(e.ExitFinished)]
    assert 5 < len(begun) == len(given_up)
    assert max(begun) < instant("2026-11-24 16:00")
    assert min(again - before for before, again in zip(given_up, begun[1:], strict=False)) == 5 * SECOND_NS


def test_a_restart_after_the_time_to_be_flat_gets_flat() -> None:
    desk = held_until(FLAT, "2026-11-24 15:00")
    desk.now_ns = instant("2026-11-24 15:20")  # asleep over it
    desk.quote(MES, BID, ASK)
    desk.feed(Wake())
    assert len(desk.told(e.ExitStarted)) == 1


@pytest.mark.parametrize(
    ("at", "due"),
    [
        ("2026-11-24 12:00", "2026-11-24 12:50"),  # livestock, then grains
        ("2026-11-24 12:50", "2026-11-24 13:05"),
        ("2026-11-24 14:00", "2026-11-24 15:08"),
        ("2026-11-24 15:08", "2026-11-25 12:50"),
        ("2026-11-26 11:44:59", "2026-11-26 11:45"),
        ("2026-11-27 14:00", "2026-11-30 12:50"),
        ("2028-12-29 15:08", None),
    ],
)
def test_the_gate_wakes_when_the_time_of_a_product_comes(at: str, due: str | None) -> None:
    desk = Desk(FLAT, adopted=False)
    assert next_wake_ns(desk.group, instant(at)) == (None if due is None else instant(due))


def test_the_gate_does_not_wake_for_a_time_to_be_flat_where_the_market_never_closes() -> None:
    at_ns = instant("2026-11-24 12:00")
    assert next_flat_ns(KEEP, at_ns) is not None
    assert next_flat_ns(Limits(), at_ns) is None


def test_a_product_without_known_hours_is_not_got_out_of() -> None:
    unknown = Instrument("CON.F.US.XYZ.Z26", "XYZ", "XYZZ6", MES.tick_size, MES.tick_value_usd, MES.fee_usd)
    desk = Desk(FLAT, at_ns=instant("2026-11-24 15:00"), adopted=False)
    desk.feed(InstrumentsReport((unknown,)))
    desk.feed(AccountReport(ACCOUNT, "PRACTICE-1", desk.balance, can_trade=True))
    desk.snapshot([position(1, ASK, unknown), position(1, ASK)])
    desk.now_ns = instant("2026-11-24 15:09")
    desk.feed(Wake())
    assert [event.contract_id for event in desk.told(e.ExitStarted)] == [MES.contract_id]
