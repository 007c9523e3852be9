"""Every limit as a table: allowed, at the limit, over it, unknown; and the list of rules itself."""

from __future__ import annotations

from collections.abc import Callable
from datetime import time
from decimal import Decimal
from typing import Any

import pytest
from msgspec.structs import replace

from ordergate.core import events as e
from ordergate.core import rules
from ordergate.core.account import Account, Asked
from ordergate.core.commands import Leg
from ordergate.core.inputs import Wake
from ordergate.core.instrument import Instrument
from ordergate.core.limits import Blackout, Breach, Limits
from ordergate.core.order import Exit, OrderType, Protection, Side, Target, Terms
from ordergate.core.pnl import Position
from ordergate.core.reports import AccountReport, LinkReport, Outcome, Unreadable
from ordergate.core.rules import RULES, Proposal, Rule, propose
from tests.core.desk import (
    ACCOUNT,
    ASK,
    BID,
    ES,
    MES,
    MNQ,
    MS_NS,
    OLD_MES,
    Desk,
    fill_row,
    instant,
    order_row,
    position,
)

SATURDAY_NS, OPEN_NS = instant("2026-11-28 12:00"), instant("2026-11-29 17:00")
FAR = Exit(40)  # 50 USD per contract of MES


def breaches(p: Proposal) -> tuple[Breach, ...]:
    """What ``p`` breaks."""
    return tuple(breach for _, breach in rules.broken(p))


def proposal(desk: Desk, *, quantity: int = 1, **changed: Any) -> Proposal:
    """A plain market buy of MES that every rule lets pass, then ``changed``."""
    terms = Terms(ACCOUNT, MES.contract_id, Side.BUY, quantity, OrderType.MARKET)
    plain = propose(desk.group, desk.account, terms, quantity, Protection(FAR, (Target(Exit(80)),)), market=desk.market)
    assert breaches(plain) == ()
    return replace(plain, **changed)


def limited(p: Proposal, **limits: Any) -> Proposal:
    changed = replace(p.group.limits, **limits)
    return replace(p, group=replace(p.group, limits=changed), limits=changed.of(p.symbol))


def just_asked(p: Proposal, quantity: int = 1) -> Proposal:
    """An order of ``quantity``, otherwise the same, was approved a moment ago."""
    asked = Asked(p.at_ns - MS_NS, "before", replace(p.terms, quantity=quantity))
    return replace(p, account=replace(p.account, asked=(asked,)))


def from_the_future(p: Proposal) -> Proposal:
    """It says that it was sent a good two seconds after it arrived."""
    received_ns = p.at_ns if p.received_ns is None else p.received_ns
    return replace(p, received_ns=received_ns, sent_ns=received_ns + 2_001 * MS_NS)


def with_another_account(p: Proposal, net: int = -1, instrument: Instrument = ES) -> Proposal:
    """A second account of the group holds ``net`` of ``instrument``."""
    held = {instrument.contract_id: Position(instrument.contract_id, net, ASK * net, 1)}
    other = Account(ACCOUNT + 1, adopted=True, positions=held)
    return replace(p, group=replace(p.group, accounts=p.group.accounts | {other.account_id: other}))


# For each rule a proposal that breaks it and nothing else.
ALONE: dict[Rule, Callable[[Proposal], Proposal]] = {
    rules.trading_state: lambda p: replace(p, account=replace(p.account, can_trade=False)),
    rules.visibility: lambda p: replace(p, group=replace(p.group, link_up=False)),
    rules.superseded: lambda p: replace(p, superseded=True),
    rules.instrument_allowed: lambda p: limited(p, allowed_symbols=("MNQ",)),
    rules.contract_active: lambda p: replace(p, instrument=replace(p.instrument, active=False)),
    rules.order_size_min: lambda p: limited(p, order_quantity_min=2),
    rules.order_size_max: lambda p: limited(p, order_quantity_max=0),
    rules.position_size: lambda p: limited(p, position_quantity_max=0),
    rules.account_position: lambda p: limited(p, account_position_micros_max=0),
    rules.open_order_count: lambda p: limited(p, open_orders_max=0),
    rules.order_value: lambda p: limited(p, order_value_usd_max=Decimal(1)),
    rules.risk_per_trade: lambda p: limited(p, risk_percent_max=Decimal("0.01")),
    rules.daily_loss: lambda p: limited(p, daily_loss_usd_max=Decimal(1)),
    rules.daily_profit: lambda p: limited(p, daily_profit_usd_max=Decimal(0)),
    rules.maximum_loss: lambda p: limited(p, maximum_loss_usd=Decimal(1)),
    rules.price_collar: lambda p: limited(p, price_distance_ticks_max=0),
    rules.stop_distance: lambda p: replace(p, protection=Protection(Exit(3))),
    rules.target_distance: lambda p: replace(p, protection=replace(p.protection, targets=(Target(Exit(1, ASK)),))),
    rules.reference_price: lambda p: replace(p, quote=None),
    rules.duplicate: lambda p: limited(just_asked(p), duplicate_window_ms=1_000),
    rules.order_rate: lambda p: limited(just_asked(p, quantity=2), orders_per_minute_max=1),
    rules.repeated_action: lambda p: replace(p, account=replace(p.account, repeating=6)),
    rules.trading_hours: lambda p: replace(limited(p, session_only=True), at_ns=SATURDAY_NS, instants=(SATURDAY_NS,)),
    rules.blackout: lambda p: limited(p, blackouts=(Blackout(time(8), time(7, 59)),)),
    rules.opposite_position: lambda p: limited(with_another_account(p), opposite_positions=False),
    rules.too_old: lambda p: replace(p, received_ns=p.at_ns - 5_001 * MS_NS),
    rules.clock_skew: from_the_future,
}


def test_every_rule_has_a_case_of_its_own() -> None:
    assert tuple(ALONE) == tuple(RULES)


@pytest.mark.parametrize("rule", ALONE, ids=lambda rule: rule.__name__)
def test_each_rule_is_asked_and_denies_alone(rule: Rule) -> None:
    broken = ALONE[rule](proposal(Desk()))
    found = breaches(broken)
    assert found == (rule(broken),)
    assert found[0].code
    assert found[0].limit
    assert found[0].actual
    assert found[0].message


# What each of them says in the case above: code, limit, observed value, and what its sentence must not leave out.
EVIDENCE: dict[Rule, tuple[str, str, str, list[str]]] = {
    rules.trading_state: ("ACCOUNT_NOT_TRADABLE", "canTrade", "false", ["broker"]),
    rules.visibility: ("BROKER_LINK_DOWN", "connected", "down", ["cannot be seen"]),
    rules.superseded: ("SUPERSEDED", "newest", "older", ["flatten or cancel-all"]),
    rules.instrument_allowed: ("INSTRUMENT_NOT_ALLOWED", "MNQ", "MES", ["MES", "MNQ"]),
    rules.contract_active: ("CONTRACT_NOT_ACTIVE", "active", "MESZ6", ["MESZ6", "active"]),
    rules.order_size_min: ("MIN_ORDER_SIZE", "2", "1", ["1 contract ", "smallest order", "2"]),
    rules.order_size_max: ("MAX_ORDER_SIZE", "0", "1", ["1 contracts", "largest order", "0"]),
    rules.position_size: ("MAX_POSITION_SIZE", "0", "1", ["1 contracts of MES", "above 0"]),
    rules.account_position: ("MAX_ACCOUNT_POSITION", "0", "1", ["1 micros", "above 0"]),
    rules.open_order_count: ("MAX_OPEN_ORDERS", "0", "1", ["1 orders", "open", "above 0"]),
    rules.order_value: ("MAX_ORDER_VALUE", "1.00", "25000.00", ["25,000.00 USD of MES", "above 1.00 USD"]),
    rules.risk_per_trade: (
        "EXCESSIVE_RISK",
        "5.00",
        "50.00",
        ["50.00 USD at the stop", "0.01 % of 50,000.00 USD, which is 5.00 USD"],
    ),
    rules.daily_loss: ("DAILY_LOSS_LIMIT", "1.00", "50.72", ["50.72 USD", "every stop", "reaching 1.00 USD"]),
    rules.daily_profit: ("DAILY_PROFIT_LIMIT", "0.00", "0.00", ["0.00 USD were made today", "0.00 USD"]),
    rules.maximum_loss: ("MAXIMUM_LOSS_LIMIT", "49999.00", "49949.28", ["49,949.28 USD", "floor 49,999.00 USD"]),
    rules.price_collar: ("PRICE_COLLAR", "0", "1", ["1 ticks from 4999.75", "above 0"]),
    rules.stop_distance: ("STOP_TOO_CLOSE", "4", "3", ["3 ticks from entry to stop", "below 4"]),
    rules.target_distance: ("TARGET_TOO_CLOSE", "1", "0", ["0 ticks from entry to target", "below 1"]),
    rules.reference_price: ("NO_REFERENCE_PRICE", "5.000 s", "none", ["MES", "younger than 5.000 s", "within 1 %"]),
    rules.duplicate: ("DUPLICATE_ORDER", "1000 ms", "1 ms", ["before, 1 ms ago", "wait 1000 ms"]),
    rules.order_rate: ("ORDER_RATE", "1", "2", ["2 orders in a minute", "above 1"]),
    rules.repeated_action: ("REPEATED_ACTION", "5", "6", ["6 failures", "limit 5"]),
    rules.trading_hours: ("OUTSIDE_TRADING_HOURS", "open", "closed", ["MES is closed", "Sunday, 2026-11-29 at 17:00"]),
    rules.blackout: ("BLACKOUT", "outside 08:00-07:59", "09:00:00", ["window 08:00-07:59"]),
    rules.opposite_position: ("OPPOSITE_POSITION", "long", "short", ["account 102", "short", "MES"]),
    rules.too_old: ("TOO_OLD", "5000", "5001", ["5001 ms", "arrived", "above 5000"]),
    rules.clock_skew: ("CLOCK_SKEW", "2000", "2001", ["2001 ms", "sent", "above 2000"]),
}


@pytest.mark.parametrize("rule", RULES, ids=lambda rule: rule.__name__)
def test_a_breach_is_evidence_code_limit_and_observed_value_with_the_figures_in_its_sentence(rule: Rule) -> None:
    breach = rule(ALONE[rule](proposal(Desk())))
    assert breach is not None
    code, limit, actual, words = EVIDENCE[rule]
    assert (breach.code, breach.limit, breach.actual) == (code, limit, actual)
    assert [word for word in words if word not in breach.message] == [], breach.message


def test_all_breaches_are_collected_in_the_order_of_the_rules() -> None:
    broken = proposal(Desk())
    # Without a quote nothing in dollars can be measured, so each price rule would hide what the other says.
    # What was asked before, and how late it is, is counted back from the instant that the market's hours need.
    broken = ALONE[rules.trading_hours](broken)
    others = [rule for rule in RULES if rule not in (rules.reference_price, rules.trading_hours)]
    for rule in others:
        broken = ALONE[rule](broken)
    broken = just_asked(broken)
    expected = [rule(broken) for rule in RULES if rule is not rules.reference_price]
    assert list(breaches(broken)) == expected
    assert None not in expected


def test_a_denial_names_the_first_breach_and_holds_them_all() -> None:
    desk = Desk(Limits(position_quantity_max=2, order_quantity_max=1))
    answer = desk.submit("a", quantity=3, superseded=True)
    assert answer.code == "SUPERSEDED"
    assert [breach.code for breach in answer.breaches] == ["SUPERSEDED", "MAX_ORDER_SIZE", "MAX_POSITION_SIZE"]
    assert desk.order("a").breaches == answer.breaches


# trading_state
@pytest.mark.parametrize(
    ("state", "told"),
    [
        (e.TradingState.ACTIVE, []),
        (e.TradingState.REDUCING, [("REDUCE_ONLY", "active", "reducing", "why")]),
        (e.TradingState.HALTED, [("TRADING_HALTED", "active", "halted", "why")]),
    ],
)
def test_new_risk_needs_an_active_account(state: e.TradingState, told: list[tuple[str, ...]]) -> None:
    p = proposal(Desk())
    found = breaches(replace(p, account=replace(p.account, trading_state=state, state_message="why")))
    assert [(breach.code, breach.limit, breach.actual, breach.message) for breach in found] == told


def test_new_risk_needs_an_account_that_the_broker_lets_trade() -> None:
    desk = Desk()
    desk.feed(AccountReport(ACCOUNT, "PRACTICE-1", desk.balance, can_trade=False))
    assert desk.codes("a") == ["ACCOUNT_NOT_TRADABLE"]
    desk.feed(AccountReport(ACCOUNT, "PRACTICE-1", desk.balance, can_trade=True))
    assert desk.codes("b") == []


@pytest.mark.parametrize(("until_ns", "told"), [(1, [("LOCKED_OUT", "not locked out", "locked out")]), (0, [])])
def test_a_lockout_holds_until_its_end_is_recorded(until_ns: int, told: list[tuple[str, ...]]) -> None:
    p = proposal(Desk())
    found = breaches(replace(p, account=replace(p.account, locked_until_ns=until_ns)))
    assert [(breach.code, breach.limit, breach.actual) for breach in found] == told


def test_new_risk_waits_while_its_contract_is_being_closed() -> None:
    desk = Desk()
    desk.hold("a")
    desk.close()
    (breach,) = desk.submit("b").breaches
    assert (breach.code, breach.limit, breach.actual) == ("EXIT_IN_PROGRESS", "no exit", "running")
    assert desk.codes("c", instrument=MNQ) == []


# visibility
def test_nothing_new_is_sent_blind() -> None:
    desk = Desk()
    desk.feed(LinkReport(up=False, reason="user hub lost"))
    (breach,) = desk.submit("a").breaches
    assert (breach.code, breach.actual) == ("BROKER_LINK_DOWN", "down")
    assert "user hub lost" in breach.message


def test_nothing_new_is_sent_while_something_is_unexplained() -> None:
    desk = Desk()
    desk.feed(Unreadable(ACCOUNT, "order 7 has status 99"))
    (breach,) = desk.submit("a").breaches
    assert (breach.code, breach.limit, breach.actual) == ("UNEXPLAINED", "explained", "open")
    assert "status 99" in breach.message
    desk.read_back()
    assert desk.codes("b") == []


# trading_hours: the tables are in test_hours.py
@pytest.mark.parametrize(
    ("at_ns", "session_only", "codes"),
    [
        (SATURDAY_NS, True, ["OUTSIDE_TRADING_HOURS"]),
        (SATURDAY_NS, False, []),
        (OPEN_NS - 1_000_000_000, True, ["OUTSIDE_TRADING_HOURS"]),
        (OPEN_NS, True, []),
    ],
)
def test_new_risk_waits_until_the_exchange_is_in_session(*, at_ns: int, session_only: bool, codes: list[str]) -> None:
    p = limited(proposal(Desk()), session_only=session_only)
    assert [breach.code for breach in breaches(replace(p, at_ns=at_ns, instants=(at_ns,)))] == codes


def test_exits_pass_a_closed_market() -> None:
    desk = Desk(Limits(session_only=True))
    desk.hold("a", quantity=2)
    desk.now_ns = SATURDAY_NS
    desk.feed(Wake())  # the trading day rolls
    assert desk.codes("b") == ["NO_REFERENCE_PRICE", "OUTSIDE_TRADING_HOURS"]
    assert desk.submit("c", Side.SELL).ok
    assert desk.close().ok


# superseded
def test_an_order_that_a_flatten_overtook_is_denied() -> None:
    assert Desk().codes("a", superseded=True) == ["SUPERSEDED"]


# instrument_allowed, contract_active
@pytest.mark.parametrize(
    ("instrument", "codes"),
    [(MES, []), (ES, ["INSTRUMENT_NOT_ALLOWED"]), (OLD_MES, ["CONTRACT_NOT_ACTIVE"])],
    ids=["listed", "not listed", "the old month"],
)
def test_new_risk_only_in_the_active_month_of_listed_products(instrument: Any, codes: list[str]) -> None:
    desk = Desk()
    desk.quote(instrument, BID, ASK)
    assert desk.codes("a", instrument=instrument) == codes


def test_a_denial_for_its_contract_names_what_is_allowed() -> None:
    p = proposal(Desk())
    (breach,) = breaches(limited(p, allowed_symbols=("MNQ", "M2K")))
    assert (breach.limit, breach.actual) == ("MNQ, M2K", "MES")
    (breach,) = breaches(replace(p, instrument=replace(p.instrument, active=False)))
    assert (breach.limit, breach.actual) == ("active", "MESZ6")


def test_a_position_of_the_old_month_may_still_be_closed_by_an_order() -> None:
    desk = Desk(positions=[position(2, ASK, OLD_MES)])
    assert desk.submit("a", Side.SELL, 2, instrument=OLD_MES).ok


def test_an_unknown_contract_is_an_error_of_input_and_no_order() -> None:
    desk = Desk()
    before = desk.group
    answer = desk.submit("a", instrument=replace(MES, contract_id="CON.F.US.XYZ.Z26"))
    assert (answer.code, answer.field) == ("UNKNOWN_INSTRUMENT", "instrument")
    assert desk.group == before


# order_size
@pytest.mark.parametrize(
    ("quantity", "codes"),
    [(1, ["MIN_ORDER_SIZE"]), (2, []), (5, []), (6, ["MAX_ORDER_SIZE"]), (2_147_483_647, ["MAX_ORDER_SIZE"])],
)
def test_order_size_between_its_limits(quantity: int, codes: list[str]) -> None:
    limits = Limits(
        order_quantity_min=2,
        order_quantity_max=5,
        position_quantity_max=2**31,
        risk_percent_max=Decimal(10**12),
        daily_loss_usd_max=Decimal(10**15),
    )
    assert Desk(limits).codes("a", quantity=quantity) == codes


def test_a_breach_tells_the_observed_value_beside_the_limit() -> None:
    (breach, *_) = Desk().submit("a", quantity=11).breaches
    assert (breach.code, breach.limit, breach.actual) == ("MAX_ORDER_SIZE", "10", "11")
    assert "11" in breach.message


def test_the_largest_order_is_measured_without_what_it_closes() -> None:
    desk = Desk(Limits(order_quantity_max=3, position_quantity_max=5), positions=[position(-2, ASK)])
    assert desk.codes("a", quantity=6) == ["MAX_ORDER_SIZE"]
    assert desk.codes("b", quantity=5) == []


# position_size
@pytest.mark.parametrize(
    ("held", "side", "quantity", "codes"),
    [
        (0, Side.BUY, 5, []),
        (0, Side.BUY, 6, ["MAX_POSITION_SIZE"]),
        (3, Side.BUY, 2, []),
        (3, Side.BUY, 3, ["MAX_POSITION_SIZE"]),
        (3, Side.SELL, 8, []),
        (3, Side.SELL, 9, ["MAX_POSITION_SIZE"]),
        (-3, Side.SELL, 2, []),
        (-3, Side.SELL, 3, ["MAX_POSITION_SIZE"]),
        (-3, Side.BUY, 8, []),
        (-3, Side.BUY, 9, ["MAX_POSITION_SIZE"]),
    ],
)
def test_position_size_counts_what_is_held(held: int, side: Side, quantity: int, codes: list[str]) -> None:
    desk = Desk(Limits(position_quantity_max=5), positions=[position(held, ASK)] if held else [])
    assert desk.codes("a", side, quantity) == codes


@pytest.mark.parametrize("side", Side)
def test_orders_legal_one_by_one_and_illegal_together_are_refused(side: Side) -> None:
    desk = Desk(Limits(position_quantity_max=5))
    assert desk.codes("a", side, 2) == []
    assert desk.codes("b", side, 2) == []
    assert desk.codes("c", side, 2) == ["MAX_POSITION_SIZE"]
    assert desk.codes("d", side, 1) == []
    assert desk.codes("e", side.opposite, 5) == [], "the other side has room of its own"


def test_position_size_counts_each_contract_by_itself() -> None:
    desk = Desk(Limits(position_quantity_max=5))
    assert desk.codes("a", quantity=5) == []
    assert desk.codes("b", quantity=5, instrument=MNQ) == []


def test_an_order_made_elsewhere_counts_against_the_position() -> None:
    desk = Desk(Limits(position_quantity_max=5))
    desk.feed(order_row(77, Side.BUY, 4))
    assert desk.codes("a", quantity=2) == ["MAX_POSITION_SIZE"]
    desk.feed(fill_row(1, 77, Side.BUY, 4, BID))
    assert desk.net() == 4
    assert desk.codes("b", quantity=2) == ["MAX_POSITION_SIZE"]
    assert desk.codes("c", quantity=1) == []


# open_order_count
def test_open_orders_count_without_protective_legs() -> None:
    desk = Desk(Limits(open_orders_max=2))
    desk.hold("a")
    assert len(list(desk.account.live_orders())) == 2, "a stop and a target"
    assert desk.codes("b", limit=BID - 8) == []
    assert desk.codes("c", limit=BID - 8) == []
    assert desk.codes("d", limit=BID - 8) == ["MAX_OPEN_ORDERS"]
    desk.accept("b")
    desk.cancelled("b")
    assert desk.codes("e", limit=BID - 8) == []


def test_an_order_made_elsewhere_is_an_open_order() -> None:
    desk = Desk(Limits(open_orders_max=1))
    desk.feed(order_row(77))
    assert desk.codes("a") == ["MAX_OPEN_ORDERS"]


# reference_price
@pytest.mark.parametrize(
    ("bid", "ask", "age_ms", "codes"),
    [
        (BID, ASK, 0, []),
        (BID, ASK, 5_000, []),
        (BID, ASK, 5_001, ["NO_REFERENCE_PRICE"]),
        (ASK, ASK, 0, []),
        (ASK, BID, 0, ["NO_REFERENCE_PRICE"]),
        (None, ASK, 0, ["NO_REFERENCE_PRICE"]),
        (BID, None, 0, ["NO_REFERENCE_PRICE"]),
        (-4, -3, 0, []),
        (-1, 0, 0, []),
    ],
    ids=["fresh", "as old as allowed", "stale", "locked", "crossed", "no bid", "no ask", "negative", "zero"],
)
def test_a_fresh_two_sided_quote_is_needed(bid: int | None, ask: int | None, age_ms: int, codes: list[str]) -> None:
    desk = Desk()
    desk.quote(MES, bid, ask, age_ms=age_ms)
    assert desk.codes("a") == codes
    price = BID if bid is None else bid
    assert desk.codes("b", limit=price - 8) == codes, "a limit price says what I want, not where the market is"


def test_no_quote_at_all_is_no_reference() -> None:
    desk = Desk()
    del desk.quotes[MES.contract_id]
    assert desk.codes("a") == ["NO_REFERENCE_PRICE"]


def test_a_held_contract_without_a_stop_needs_its_quote_too() -> None:
    desk = Desk(positions=[position(1, ASK, MNQ)])
    desk.quote(MNQ, BID, ASK, age_ms=60_000)
    assert desk.codes("a") == ["NO_REFERENCE_PRICE"]
    desk.quote(MNQ, BID, ASK)
    assert desk.codes("b") == []


def test_a_close_needs_no_price() -> None:
    desk = Desk(positions=[position(2, ASK)])
    desk.quotes.clear()
    assert desk.submit("a", Side.SELL, 2).ok
    assert desk.flatten().ok


# stop_distance
@pytest.mark.parametrize(
    ("stop", "codes"),
    [
        (Exit(3), ["STOP_TOO_CLOSE"]),
        (Exit(4), []),
        (Leg.OFF, []),
        (Leg.DEFAULT, []),
        (Exit(40, ASK - 4), []),
        (Exit(40, ASK - 3), ["STOP_TOO_CLOSE"]),
        (Exit(40, ASK + 40), ["STOP_TOO_CLOSE"]),
    ],
    ids=["below", "at the minimum", "off", "default", "price at the minimum", "price below", "on the wrong side"],
)
def test_a_stop_keeps_its_distance(stop: Exit | Leg, codes: list[str]) -> None:
    assert Desk().codes("a", stop=stop) == codes


def test_a_short_stop_stands_above_the_entry() -> None:
    assert Desk().codes("a", Side.SELL, stop=Exit(40, BID + 4)) == []
    assert Desk().codes("a", Side.SELL, stop=Exit(40, BID - 40)) == ["STOP_TOO_CLOSE"]


@pytest.mark.parametrize(("away", "actual"), [(3, "3"), (-40, "-40")], ids=["too near", "on the wrong side"])
@pytest.mark.parametrize("side", Side)
def test_the_distance_of_a_stop_price_is_told_in_whole_ticks(side: Side, away: int, actual: str) -> None:
    entry = ASK if side is Side.BUY else BID
    (breach,) = Desk().submit("a", side, stop=Exit(40, entry - away * side.sign)).breaches
    assert (breach.code, breach.limit, breach.actual) == ("STOP_TOO_CLOSE", "4", actual)


# target_distance
@pytest.mark.parametrize("side", Side)
@pytest.mark.parametrize(
    ("away", "codes"),
    [([1], []), ([0], ["TARGET_TOO_CLOSE"]), ([40, -3], ["TARGET_TOO_CLOSE"]), ([], [])],
    ids=["a tick away", "at the entry", "the second on the losing side", "none"],
)
def test_a_target_stands_on_the_winning_side_of_the_entry(side: Side, away: list[int], codes: list[str]) -> None:
    entry = ASK if side is Side.BUY else BID
    asked = tuple(Target(Exit(1, entry + ticks * side.sign), 1) for ticks in away)
    assert Desk().codes("a", side, 2, targets=asked) == codes


def test_the_target_of_a_waiting_order_is_measured_from_its_own_price() -> None:
    target = (Target(Exit(1, BID - 60)),)
    assert Desk().codes("a", limit=BID - 80, targets=target) == []
    answer = Desk().submit("b", limit=BID - 40, targets=target)
    assert [breach.code for breach in answer.breaches] == ["TARGET_TOO_CLOSE"]


# risk_per_trade
@pytest.mark.parametrize(
    ("quantity", "ticks", "codes"),
    [
        (10, 80, []),  # 1,000 USD, which is 2 % of 50,000
        (10, 81, ["EXCESSIVE_RISK"]),
        (5, 160, []),
        (5, 161, ["EXCESSIVE_RISK"]),
    ],
)
def test_the_risk_of_one_trade_is_a_percentage_of_the_balance(quantity: int, ticks: int, codes: list[str]) -> None:
    desk = Desk(Limits(daily_loss_usd_max=Decimal(10_000)))
    assert desk.codes("a", quantity=quantity, stop=Exit(ticks)) == codes


def test_an_order_without_a_stop_is_measured_with_the_stress_move() -> None:
    desk = Desk(Limits(daily_loss_usd_max=Decimal(10_000)))
    assert desk.codes("a", quantity=5, stop=Leg.OFF) == []  # 160 ticks: 200 USD each
    assert desk.codes("b", quantity=6, stop=Leg.OFF) == ["MAX_POSITION_SIZE", "EXCESSIVE_RISK"]


def test_the_account_size_is_the_base_where_it_is_set() -> None:
    limits = Limits(account_size_usd=Decimal(10_000))
    assert Desk(limits).codes("a", quantity=4, stop=Exit(40)) == []  # 200 USD
    assert Desk(limits).codes("a", quantity=4, stop=Exit(41)) == ["EXCESSIVE_RISK"]


@pytest.mark.parametrize("balance", ["0", "-250.50"])
def test_without_a_positive_balance_there_is_no_risk_base(balance: str) -> None:
    (breach,) = Desk(balance=balance).submit("a").breaches
    assert (breach.code, breach.actual) == ("NO_RISK_BASE", f"{balance} USD")


def test_a_balance_of_a_dollar_is_a_risk_base() -> None:
    (breach,) = Desk(balance="1").submit("a", stop=Exit(4)).breaches
    assert (breach.code, breach.limit, breach.actual) == ("EXCESSIVE_RISK", "0.02", "5.00")


def test_the_base_is_the_balance_at_the_days_open_not_the_one_now() -> None:
    desk = Desk(Limits(daily_loss_usd_max=Decimal(20_000)))
    desk.feed(AccountReport(ACCOUNT, "PRACTICE-1", Decimal(40_000), can_trade=True))
    assert desk.codes("a", quantity=10, stop=Exit(80)) == []


# daily_loss
DLL = Limits(daily_loss_usd_max=Decimal(500), risk_percent_max=Decimal(100))


@pytest.mark.parametrize(
    ("quantity", "ticks", "codes"),
    [
        (1, 399, []),  # 498.75 and 0.72 of fees
        (1, 400, ["DAILY_LOSS_LIMIT"]),  # 500.00 and fees
        (5, 79, []),  # 493.75 and 3.60
        (5, 80, ["DAILY_LOSS_LIMIT"]),
    ],
)
def test_an_order_is_denied_when_its_stop_would_reach_the_daily_loss_limit(
    quantity: int, ticks: int, codes: list[str]
) -> None:
    assert Desk(DLL).codes("a", quantity=quantity, stop=Exit(ticks)) == codes


@pytest.mark.parametrize(("limit", "codes"), [("50.73", []), ("50.72", ["DAILY_LOSS_LIMIT"])])
def test_the_daily_loss_limit_denies_at_the_limit_with_the_fees_of_both_sides(limit: str, codes: list[str]) -> None:
    assert Desk(replace(DLL, daily_loss_usd_max=Decimal(limit))).codes("a", stop=Exit(40)) == codes


def test_working_orders_use_up_the_room_of_the_day() -> None:
    desk = Desk(DLL)
    assert desk.codes("a", quantity=4, limit=BID - 8, stop=Exit(40)) == []  # 202.88
    assert desk.codes("b", quantity=4, limit=BID - 8, stop=Exit(40)) == []
    assert desk.codes("c", quantity=2, limit=BID - 8, stop=Exit(40)) == ["DAILY_LOSS_LIMIT"]  # 101.44
    assert desk.codes("d", quantity=1, limit=BID - 8, stop=Exit(40)) == []


def test_an_order_in_doubt_uses_up_the_room_of_the_day() -> None:
    desk = Desk(DLL)
    assert desk.submit("a", quantity=8, stop=Exit(40)).ok  # 405.76
    desk.placed("a", Outcome.UNKNOWN)
    assert desk.codes("b", quantity=2, stop=Exit(40)) == ["DAILY_LOSS_LIMIT"]


def test_a_position_is_counted_as_closed_at_its_stop() -> None:
    desk = Desk(DLL)
    desk.hold("a", quantity=8, stop=Exit(40), target=Leg.OFF)  # 400 at the stop, 2.88 to get out
    assert desk.codes("b", quantity=2, stop=Exit(40)) == ["DAILY_LOSS_LIMIT"]
    desk.mark(ASK + 10)
    desk.protect(stop=ASK)  # at break-even
    desk.modified(desk.stop("a").order_id)
    assert desk.codes("c", quantity=2, stop=Exit(40)) == []


def test_what_no_stop_covers_is_counted_a_stress_move_beyond_the_mark() -> None:
    desk = Desk(DLL, positions=[position(2, ASK)])  # mark 19,999: one tick and 160 on two contracts is 402.50
    assert desk.codes("a", quantity=1, stop=Exit(40)) == []  # 50.72 + 402.50 + 0.72
    assert desk.codes("b", quantity=1, stop=Exit(80)) == ["DAILY_LOSS_LIMIT"]


def test_a_stop_that_is_in_doubt_covers_nothing() -> None:
    desk = Desk(DLL)
    desk.enter("a", quantity=2, stop=Exit(40), target=Leg.OFF)  # 100 at its stop, 402.50 without
    assert breaches(proposal(desk)) == ()
    desk.placed(desk.stop("a").order_id, Outcome.UNKNOWN)
    assert desk.codes("b", quantity=2, stop=Exit(40)) == ["DAILY_LOSS_LIMIT"]


def test_a_stop_order_made_elsewhere_covers_a_position() -> None:
    stop = order_row(77, Side.SELL, 2, order_type=OrderType.STOP, limit_ticks=None, stop_ticks=ASK - 10)
    desk = Desk(DLL, positions=[position(2, ASK)], orders=[stop])
    assert desk.codes("a", quantity=4, stop=Exit(80)) == []  # 25 at the stop instead of 402.50


def test_today_counts_from_the_balance_before_the_first_fill_of_the_day() -> None:
    fills = [
        fill_row(1, 7, Side.BUY, 1, ASK, fee_usd=Decimal("0.36")),
        fill_row(2, 8, Side.SELL, 1, ASK - 360, fee_usd=Decimal("0.36"), pnl_usd=Decimal("-450.00")),
    ]
    desk = Desk(DLL, balance="49549.28", fills=fills)
    assert desk.account.day.balance_usd == Decimal("50000.00")
    assert desk.codes("a", stop=Exit(40)) == ["DAILY_LOSS_LIMIT"]  # 450.72 lost, 50.72 more reach the limit
    assert desk.codes("b", stop=Exit(30)) == []


def test_a_voided_fill_of_today_counts_nothing() -> None:
    fills = [fill_row(2, 8, Side.SELL, 1, ASK - 360, pnl_usd=Decimal("-450.00"), voided=True)]
    assert Desk(DLL, fills=fills).codes("a", stop=Exit(40)) == []


def test_the_worse_of_our_figure_and_the_brokers_governs() -> None:
    worse_there = Desk(DLL)
    worse_there.feed(AccountReport(ACCOUNT, "PRACTICE-1", Decimal(49540), can_trade=True))
    assert worse_there.codes("a", stop=Exit(40)) == ["DAILY_LOSS_LIMIT"]
    worse_here = Desk(DLL)
    worse_here.hold("a", stop=Exit(40), target=Leg.OFF)
    worse_here.fill(worse_here.stop("a").order_id, price=ASK - 360)
    assert worse_here.account.balance_usd == Decimal(50_000), "the broker has not told its balance yet"
    assert worse_here.codes("b", stop=Exit(40)) == ["DAILY_LOSS_LIMIT"]


def test_a_profit_of_the_day_gives_room() -> None:
    desk = Desk(DLL)
    desk.hold("a", quantity=4, stop=Exit(40), target=Exit(100))
    desk.fill(desk.target("a").order_id, price=ASK + 100)
    desk.feed(AccountReport(ACCOUNT, "PRACTICE-1", Decimal(50500), can_trade=True))
    assert desk.codes("b", quantity=10, stop=Exit(70)) == []  # 882.20 against 500 and 500 of profit
    assert desk.codes("c", quantity=1, stop=Exit(160)) == ["MAX_POSITION_SIZE", "DAILY_LOSS_LIMIT"]


def test_what_was_carried_into_the_day_is_not_this_days_profit() -> None:
    desk = Desk(DLL)
    desk.hold("a", quantity=4, stop=Exit(40), target=Leg.OFF)
    desk.mark(ASK + 100)  # 500 USD of open profit
    desk.wait(9 * 60 * 60 * 1000)
    assert desk.account.day.name == "2026-11-24"
    assert desk.account.day.carried_usd == Decimal(500)
    desk.protect(stop=ASK + 30)  # 150 USD are sure, 350 of what was carried are not
    desk.modified(desk.stop("a").order_id)
    assert desk.codes("b", quantity=2, stop=Exit(60)) == ["DAILY_LOSS_LIMIT"]  # 350 + 1.44 + 151.44
    assert desk.codes("c", quantity=2, stop=Exit(55)) == []


def test_a_reducing_order_whose_position_is_gone_is_new_risk() -> None:
    desk = Desk(DLL)
    desk.hold("a", quantity=4, stop=Exit(4), target=Leg.OFF)
    assert desk.submit("b", Side.SELL, 4, limit=ASK + 20, stop=Exit(80)).ok  # closes, and costs no room
    assert breaches(proposal(desk)) == ()
    desk.fill(desk.stop("a").order_id, price=ASK - 4)
    assert desk.net() == 0
    assert desk.codes("c", quantity=2, stop=Exit(40)) == ["DAILY_LOSS_LIMIT"]  # 402.88 + 20 + 101.44


@pytest.mark.parametrize(
    ("stop", "entry", "ticks"),
    [(Exit(40, ASK - 30), ASK, 30), (Exit(40, ASK - 30), None, 160), (Exit(40), None, 40), (None, ASK, 160)],
)
def test_an_order_counts_with_the_way_to_its_stop_or_with_the_stress_move(
    stop: Exit | None, entry: int | None, ticks: int
) -> None:
    assert rules.counted_risk_ticks(MES, Protection(stop), entry) == ticks
