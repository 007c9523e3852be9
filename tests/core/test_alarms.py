"""Invariants of ``core/alarms``: what raises one, how long it stays, and how many are kept."""

from __future__ import annotations

import random
from decimal import Decimal

import pytest
from msgspec.structs import replace

from ordergate.core import events as e
from ordergate.core.account import Group
from ordergate.core.alarm import Alarm, Level
from ordergate.core.alarms import KEPT_MAX, alarmed, is_open, stands
from ordergate.core.commands import Acknowledge, ChangeLimits, LockOut, SetInterception, SetPaused
from ordergate.core.fold import evolve
from ordergate.core.limits import Limits
from ordergate.core.modes import Modes
from ordergate.core.reports import (
    CONNECTION_MANAGER_STARTED,
    AccountReport,
    ApprovalRefused,
    CheckReport,
    LinkReport,
    OrderState,
    Outcome,
    Unreadable,
)
from tests.core.desk import ACCOUNT, BID, MES, MNQ, SECOND_NS, Desk

AT_NS = 1_795_446_000_000_000_000


@pytest.fixture
def desk() -> Desk:
    return Desk()


def open_codes(group: Group) -> list[str]:
    return [alarm.code for alarm in group.alarms if is_open(group, alarm)]


def only(group: Group, code: str) -> Alarm:
    (found,) = (alarm for alarm in group.alarms if alarm.code == code)
    return found


def seen(desk: Desk, *codes: str) -> None:
    """A person acknowledges these, or all."""
    numbers = tuple(alarm.number for alarm in desk.group.alarms if not codes or alarm.code in codes)
    assert desk.ask(Acknowledge(desk.request_id(), numbers)).ok


@pytest.mark.parametrize(("name", "level"), [("clock", Level.WARNING), ("prices", Level.INFO)])
def test_what_the_session_stands_on_is_an_alarm_while_it_differs(desk: Desk, name: str, level: Level) -> None:
    desk.feed(CheckReport(name, "as it should be", well=True))
    assert open_codes(desk.group) == []
    desk.feed(CheckReport(name, "it differs", well=False))
    desk.feed(CheckReport(name, "it differs", well=False))
    alarm = only(desk.group, f"CHECK_{name.upper()}")
    assert (alarm.level, alarm.message, alarm.count, stands(desk.group, alarm)) == (level, "it differs", 1, True)
    desk.feed(CheckReport(name, "as it should be", well=True))
    assert not stands(desk.group, only(desk.group, f"CHECK_{name.upper()}"))


def test_what_the_session_cannot_stand_on_keeps_new_risk_out_and_nothing_else(desk: Desk) -> None:
    desk.hold("a")
    desk.feed(CheckReport("clock", "an hour behind", well=False, refuses=True))
    (breach,) = desk.submit("b").breaches
    assert (breach.code, breach.message) == ("SESSION_CONTRADICTS", "an hour behind")
    assert desk.close().ok
    desk.feed(CheckReport("clock", "five seconds behind", well=False))
    assert desk.codes("c", instrument=MNQ) == []


def test_what_the_session_stands_on_is_not_known_after_a_start_until_it_is_told(desk: Desk) -> None:
    desk.feed(CheckReport("clock", "as it should be", well=True))
    desk.started_again(Modes())
    assert desk.group.checks["clock"].well is None
    desk.feed(CheckReport("clock", "as it should be", well=True))
    assert desk.group.checks["clock"].well


def test_an_order_that_goes_wrong_is_an_alarm_about_it(desk: Desk) -> None:
    for name, outcome in (("refused", Outcome.REFUSED), ("unsent", Outcome.NOT_SENT), ("doubted", Outcome.UNKNOWN)):
        desk.submit(name, limit=BID)
        desk.placed(name, outcome, text="a test")
    found = [(one.code, one.level, one.account_id, one.order_id, one.contract_id) for one in desk.group.alarms]
    contract_id = MES.contract_id
    assert found == [
        ("ORDER_REJECTED", Level.WARNING, ACCOUNT, "refused", contract_id),
        ("ORDER_NOT_SENT", Level.WARNING, ACCOUNT, "unsent", contract_id),
        ("ORDER_IN_DOUBT", Level.WARNING, ACCOUNT, "doubted", contract_id),
    ]
    assert all(one.message and one.at_ns == one.first_ns == desk.now_ns for one in desk.group.alarms)


def test_a_denied_order_is_a_normal_result_and_no_alarm(desk: Desk) -> None:
    assert desk.codes("large", quantity=99)
    assert desk.group.alarms == ()


def test_good_news_is_no_alarm(desk: Desk) -> None:
    desk.hold("a")
    desk.feed(LinkReport(up=True))
    desk.flatten()
    assert desk.group.alarms == ()
    assert alarmed(desk.group, e.ExitFinished(ACCOUNT, MES.contract_id, flat=True, at_ns=AT_NS)).alarms == ()


@pytest.mark.parametrize(
    ("event", "code", "level", "contract_id"),
    [
        (e.RepeatedAction(ACCOUNT, 6, AT_NS), "REPEATED_ACTION", Level.CRITICAL, None),
        (e.ProtectionFailed(ACCOUNT, "a", 1, "refused", AT_NS), "PROTECTION_FAILED", Level.CRITICAL, MES.contract_id),
        (
            e.ExitFinished(ACCOUNT, MES.contract_id, flat=False, at_ns=AT_NS),
            "EXIT_NOT_FLAT",
            Level.CRITICAL,
            MES.contract_id,
        ),
        (
            e.TradingStateChanged(ACCOUNT, e.TradingState.REDUCING, "DAILY_LOSS_LIMIT", "lost", at_ns=AT_NS),
            "ACCOUNT_REDUCING",
            Level.WARNING,
            None,
        ),
        (
            e.TradingStateChanged(ACCOUNT, e.TradingState.HALTED, "X", "stopped", at_ns=AT_NS),
            "ACCOUNT_HALTED",
            Level.CRITICAL,
            None,
        ),
        (e.UnexpectedBrokerFact(ACCOUNT, "an odd row", AT_NS), "UNEXPECTED_BROKER_FACT", Level.CRITICAL, None),
        (
            e.PositionCorrected(ACCOUNT, MES.contract_id, 3, 60, AT_NS),
            "POSITION_CORRECTED",
            Level.WARNING,
            MES.contract_id,
        ),
    ],
)
def test_what_the_broker_or_the_rules_do_to_an_account_is_an_alarm(
    desk: Desk, event: e.Event, code: str, level: Level, contract_id: str | None
) -> None:
    desk.hold("a")
    (raised,) = evolve(desk.group, event).alarms
    assert (raised.code, raised.level, raised.account_id, raised.contract_id) == (code, level, ACCOUNT, contract_id)
    assert (raised.number, raised.at_ns) == (desk.group.version + 1, AT_NS)


def test_a_lockout_and_a_limit_that_waits_are_alarms_too(desk: Desk) -> None:
    desk.submit("a", limit=BID)
    desk.ask(ChangeLimits("c", replace(Limits(), order_quantity_max=20), ("order_quantity_max",)))
    desk.ask(LockOut("l", ACCOUNT, reason="enough"))
    assert only(desk.group, "LIMITS_WAIT").message.startswith("looser limits wait for the trading day 20")
    assert only(desk.group, "LOCKED_OUT").message.endswith(" CT: enough")
    assert all(stands(desk.group, alarm) for alarm in desk.group.alarms)
    until_ns = desk.account.locked_until_ns
    ended = evolve(desk.group, e.LockoutEnded(ACCOUNT, until_ns))
    assert not stands(ended, only(ended, "LOCKED_OUT"))
    assert only(ended, "LOCKOUT_ENDED").level is Level.INFO


def test_what_a_mode_lets_through_and_every_switch_of_one_are_alarms() -> None:
    desk = Desk(modes=Modes(preserve=True))
    assert only(desk.group, "MODES_CHANGED").level is Level.WARNING
    desk.submit("over", quantity=11, limit=BID)
    assert only(desk.group, "ORDER_OVERRIDDEN").message.startswith("sent all the same: 11 contracts is above")
    desk.ask(SetInterception("off", on=False))
    desk.ask(SetPaused("p", on=True, by=e.Door.PAGE))
    assert stands(desk.group, only(desk.group, "PAUSED"))
    desk.ask(SetPaused("r", on=False, by=e.Door.PAGE))
    assert not stands(desk.group, only(desk.group, "PAUSED"))
    assert only(desk.group, "RESUMED").level is Level.INFO
    desk.feed(AccountReport(ACCOUNT, "PRACTICE-1", Decimal(40_000), can_trade=True))
    assert only(desk.group, "WOULD_HAVE_LOCKED").level is Level.WARNING
    assert only(desk.group, "MODES_CHANGED").count == 2


def test_modes_that_enforce_again_are_no_warning_any_more() -> None:
    desk = Desk(modes=Modes())
    desk.ask(SetInterception("off", on=False))
    assert stands(desk.group, only(desk.group, "MODES_CHANGED"))
    desk.ask(SetInterception("on", on=True))
    alarm = only(desk.group, "MODES_CHANGED")
    assert (alarm.level, stands(desk.group, alarm)) == (Level.INFO, False)


def test_a_lost_link_is_critical_only_where_something_is_at_stake(desk: Desk) -> None:
    desk.feed(LinkReport(up=False, reason="gone"))
    assert only(desk.group, "LINK_DOWN").level is Level.WARNING
    desk.feed(LinkReport(up=True))
    desk.snapshot()
    desk.hold("a")
    desk.feed(LinkReport(up=False, reason="gone"))
    assert only(desk.group, "LINK_DOWN").level is Level.CRITICAL


def test_a_part_that_has_just_begun_is_no_alarm_until_something_fails(desk: Desk) -> None:
    desk.hold("a")
    desk.started_again(Modes())
    desk.feed(LinkReport(up=False, reason=CONNECTION_MANAGER_STARTED))
    assert open_codes(desk.group) == []
    desk.feed(LinkReport(up=False, reason="the login is refused"))
    assert only(desk.group, "LINK_DOWN").level is Level.CRITICAL


def test_a_position_without_its_stop_is_critical_until_one_rests(desk: Desk) -> None:
    desk.enter("a")
    stop = desk.stop("a").order_id
    desk.placed(stop, Outcome.REFUSED, text="no")
    desk.wait(3_000)
    assert stands(desk.group, only(desk.group, "UNPROTECTED"))
    assert only(desk.group, "UNPROTECTED").level is Level.CRITICAL
    for leg in desk.legs("a"):
        desk.accept(leg.order_id)
        desk.show(leg.order_id)
    assert not stands(desk.group, only(desk.group, "UNPROTECTED"))


def test_an_account_that_is_stopped_stands_until_it_is_active(desk: Desk) -> None:
    stopped = evolve(desk.group, e.TradingStateChanged(ACCOUNT, e.TradingState.REDUCING, "X", "lost", at_ns=AT_NS))
    assert stands(stopped, only(stopped, "ACCOUNT_REDUCING"))
    active = evolve(stopped, e.TradingStateChanged(ACCOUNT, e.TradingState.ACTIVE, "", "a new day", at_ns=AT_NS))
    assert not stands(active, only(active, "ACCOUNT_REDUCING"))


def test_what_is_unexplained_and_what_repeats_stand_until_they_are_over(desk: Desk) -> None:
    desk.feed(Unreadable(ACCOUNT, "odd"))
    assert stands(desk.group, only(desk.group, "UNEXPECTED_BROKER_FACT"))
    desk.wait(600)
    desk.snapshot()
    assert not stands(desk.group, only(desk.group, "UNEXPECTED_BROKER_FACT"))
    repeating = evolve(desk.group, e.RepeatedAction(ACCOUNT, 6, AT_NS))
    assert stands(repeating, only(repeating, "REPEATED_ACTION"))
    over = evolve(repeating, e.RepetitionEnded(ACCOUNT, AT_NS))
    assert not stands(over, only(over, "REPEATED_ACTION"))


def test_what_was_acknowledged_stays_while_it_stands_and_goes_when_it_is_over(desk: Desk) -> None:
    desk.feed(LinkReport(up=False, reason="gone"))
    seen(desk)
    assert open_codes(desk.group) == ["LINK_DOWN"]
    assert only(desk.group, "LINK_DOWN").acknowledged
    desk.feed(LinkReport(up=True))
    assert open_codes(desk.group) == []


def test_what_is_over_stays_until_it_was_acknowledged(desk: Desk) -> None:
    desk.feed(LinkReport(up=False, reason="gone"))
    desk.feed(LinkReport(up=True))
    assert open_codes(desk.group) == ["LINK_DOWN"]
    seen(desk)
    assert desk.group.alarms == ()


def test_the_same_again_is_one_row_that_has_not_been_seen(desk: Desk) -> None:
    desk.feed(LinkReport(up=False, reason="gone"))
    first = only(desk.group, "LINK_DOWN")
    seen(desk)
    desk.now_ns += SECOND_NS
    desk.feed(LinkReport(up=False, reason="still gone"))
    again = only(desk.group, "LINK_DOWN")
    assert (again.count, again.acknowledged, again.message) == (2, False, "still gone")
    assert (again.first_ns, again.at_ns) == (first.at_ns, first.at_ns + SECOND_NS)
    desk.ask(Acknowledge("late", (first.number,)))  # of the one before
    assert not only(desk.group, "LINK_DOWN").acknowledged


def test_acknowledging_what_is_not_there_is_no_event(desk: Desk) -> None:
    version = desk.group.version
    assert desk.ask(Acknowledge("a", (1, 2, 3))).ok
    assert desk.group.version == version


def test_orders_of_one_kind_are_each_their_own_alarm(desk: Desk) -> None:
    for name in ("a", "b"):
        desk.submit(name, limit=BID)
        desk.placed(name, Outcome.REFUSED, text="no")
    assert [alarm.order_id for alarm in desk.group.alarms] == ["a", "b"]


def test_no_more_are_kept_than_a_bound_and_the_least_urgent_goes_first() -> None:
    rng, group = random.Random(7), Group()
    critical = 0
    for number in range(3 * KEPT_MAX):
        if rng.random() < 0.2:
            critical += 1
            group = evolve(group, e.ApprovalRefused(number + 1, "id", "tag", "forged", AT_NS))
        else:
            group = evolve(group, e.LockoutEnded(number + 1, AT_NS))
        assert len(group.alarms) <= KEPT_MAX
    kept = [alarm for alarm in group.alarms if alarm.level is Level.CRITICAL]
    assert len(kept) == critical < KEPT_MAX
    others = [alarm.number for alarm in group.alarms if alarm.level is not Level.CRITICAL]
    assert others == sorted(others)
    assert min(others) > 2 * KEPT_MAX, "the oldest of the least urgent go"


def test_a_forged_approval_is_an_alarm_of_the_account_or_of_all(desk: Desk) -> None:
    desk.feed(ApprovalRefused(ACCOUNT, "id", "tag", "forged"))
    desk.feed(ApprovalRefused(0, "", "", "cannot be read"))
    assert [(one.account_id, one.level) for one in desk.group.alarms] == [
        (ACCOUNT, Level.CRITICAL),
        (0, Level.CRITICAL),
    ]


def test_an_order_in_doubt_stands_until_it_is_found(desk: Desk) -> None:
    desk.submit("a", limit=BID)
    desk.placed("a", Outcome.UNKNOWN, text="no answer")
    assert stands(desk.group, only(desk.group, "ORDER_IN_DOUBT"))
    desk.looked_up("a", desk.row("a", OrderState.OPEN))
    assert not stands(desk.group, only(desk.group, "ORDER_IN_DOUBT"))


def test_what_was_seen_and_is_over_is_dropped_with_the_next_that_is_raised(desk: Desk) -> None:
    desk.feed(LinkReport(up=False, reason="gone"))
    seen(desk)
    desk.feed(LinkReport(up=True))
    desk.feed(ApprovalRefused(0, "", "", "cannot be read"))
    assert [alarm.code for alarm in desk.group.alarms] == ["APPROVAL_REFUSED"]


def test_limits_that_wait_no_more_are_no_alarm(desk: Desk) -> None:
    deferred = e.LimitsDeferred(0, desk.group.limits, "2026-11-24", AT_NS)
    assert evolve(desk.group, deferred).alarms == ()
