"""``evolve``: bookkeeping without judgement, that leaves its argument alone and can be repeated from the journal."""

from __future__ import annotations

from decimal import Decimal
from typing import Any, get_args

import pytest
from msgspec.structs import replace

from ordergate.core import events as e
from ordergate.core.account import Group
from ordergate.core.commands import Acknowledge, ChangeLimits, Leg, LockOut, SetPaused
from ordergate.core.events import Event
from ordergate.core.fold import evolve
from ordergate.core.inputs import Wake
from ordergate.core.limits import Limits, Trailing
from ordergate.core.modes import Modes
from ordergate.core.order import BracketMode, Exit, OrderType, Side
from ordergate.core.reports import (
    AccountReport,
    ApprovalRefused,
    CheckReport,
    LinkReport,
    OrderState,
    Outcome,
    Unreadable,
)
from ordergate.journal.codec import decode, encode
from tests.core.desk import ACCOUNT, ASK, BID, MES, MNQ, MS_NS, SECOND_NS, Desk, fill_row, order_row


def long_day() -> Desk:
    """A desk to which every kind of event has happened."""
    intraday = Limits(
        maximum_loss_usd=Decimal(10_000), maximum_loss_trailing=Trailing.INTRADAY, repeats_per_minute_max=0
    )
    desk = Desk(intraday, mode=BracketMode.AUTO_OCO)
    desk.feed(AccountReport(ACCOUNT, "PRACTICE-1", Decimal(50_100), can_trade=True))
    for _ in range(2):
        desk.snapshot(balance="50100")
    desk.enter("native", stop=Exit(40), target=Leg.OFF)
    tag = f"{desk.order('native').tag}-SL"
    desk.feed(order_row(50, Side.SELL, order_tag=tag, order_type=OrderType.STOP, limit_ticks=None, stop_ticks=ASK - 40))
    desk.fill(desk.stop("native").order_id, 1, ASK - 1)
    desk.submit("taught")
    desk.placed("taught", Outcome.REFUSED, text="Brackets cannot be used with Position Brackets.")
    desk.hold("a", quantity=3)
    desk.mark(ASK + 20)
    desk.quote(MES, BID, ASK)
    desk.fill(desk.target("a").order_id, 1, ASK + 80)
    desk.modified(desk.stop("a").order_id)
    desk.protect(stop=ASK - 20)
    desk.wait(250)
    desk.modified(desk.stop("a").order_id, Outcome.REFUSED, "no")
    desk.submit("b", quantity=11)
    for on in (True, False):
        desk.ask(SetPaused(desk.request_id(), on, e.Door.PAGE))
    desk.cancel("c", queued_account=ACCOUNT)
    desk.submit("c")
    desk.submit("d", limit=BID)
    desk.placed("d", Outcome.UNKNOWN)
    for _ in range(3):
        desk.looked_up("d")
        desk.wait(5_000)
    desk.submit("e", quantity=2, limit=BID)
    desk.accept("e")
    desk.modify("e", quantity=40)
    desk.cancel("e")
    desk.cancel_outcome("e", Outcome.REFUSED)
    desk.show("e", OrderState.CANCELLED, filled_quantity=1)
    desk.submit("f", limit=BID)
    desk.placed("f", Outcome.REFUSED, text="no")
    desk.submit("g", limit=BID)
    desk.accept("g")
    desk.show("g", OrderState.EXPIRED)
    desk.feed(fill_row(1, 77, Side.BUY, 1, ASK))
    desk.feed(order_row(77, quantity=1))
    desk.feed(fill_row(1, 77, Side.BUY, 1, ASK, voided=True))
    desk.show(desk.stop("a").order_id, OrderState.REJECTED)
    desk.feed(Unreadable(ACCOUNT, "odd"))
    desk.feed(ApprovalRefused(ACCOUNT, "sim:1:live/1", "tag", "forged"))
    desk.feed(ApprovalRefused(0, "", "", "cannot be read"))
    desk.ask(ChangeLimits("r", Limits(order_quantity_max=20), ("order_quantity_max",)))
    quotes, desk.quotes = desk.quotes, {}
    desk.ask(ChangeLimits("r", Limits(daily_loss_usd_max=Decimal(900)), ("daily_loss_usd_max",)))
    desk.quotes = quotes
    desk.ask(LockOut("r", ACCOUNT, desk.now_ns + 3_600 * SECOND_NS, "enough"))
    desk.feed(CheckReport("clock", "an hour behind", well=False))
    desk.feed(LinkReport(up=False, reason="x"))
    desk.feed(LinkReport(up=True))
    desk.feed(
        AccountReport(ACCOUNT, "PRACTICE-1", Decimal(48_000), can_trade=True, no_cancel="live")
    )  # and a limit trips
    desk.ask(Acknowledge("r", tuple(alarm.number for alarm in desk.group.alarms)))
    desk.balance = Decimal(48_000)
    for _ in range(12):
        desk.wait(600)
        desk.snapshot()
    desk.flatten()
    desk.now_ns += 24 * 3_600 * SECOND_NS
    desk.mark(BID)
    desk.feed(Wake())
    desk.started_again(Modes(preserve=True))
    desk.quote(MNQ, BID, ASK)
    desk.submit("h", quantity=30, limit=BID, instrument=MNQ)
    desk.feed(AccountReport(ACCOUNT, "PRACTICE-1", Decimal(46_000), can_trade=True))
    return desk


@pytest.fixture(scope="module")
def day() -> Desk:
    return long_day()


def test_folding_the_journal_gives_the_live_state(day: Desk) -> None:
    folded = Group()
    for event in day.events:
        folded = evolve(folded, event)
    assert folded == day.group


def test_folding_what_was_written_and_read_again_gives_the_live_state(day: Desk) -> None:
    folded = Group()
    for event in day.events:
        folded = evolve(folded, decode(*encode(event)))
    assert folded == day.group


def test_the_argument_is_left_unchanged(day: Desk) -> None:
    states = [Group()]
    for event in day.events:
        states.append(evolve(states[-1], event))
    said = [repr(state.accounts) for state in states[:-1]]
    for state, event, before in zip(states, day.events, said, strict=False):
        evolve(state, event)
        assert repr(state.accounts) == before


def test_every_event_counts_the_version(day: Desk) -> None:
    assert day.group.version == len(day.events)


def test_every_kind_of_event_is_in_the_day_that_is_folded(day: Desk) -> None:
    assert set(get_args(Event)) == {type(event) for event in day.events}


def test_an_event_of_a_new_account_makes_it() -> None:
    group = evolve(Group(), e.SnapshotRequested(7, "first sight", 0, 5))
    assert set(group.accounts) == {7}
    assert not group.accounts[7].adopted


def test_a_lost_link_leaves_every_adopted_account_unexplained() -> None:
    desk = Desk()
    group = evolve(desk.group, e.LinkChanged(0, up=False, reason="gone"))
    assert "gone" in group.accounts[ACCOUNT].unexplained
    again = evolve(group, e.LinkChanged(0, up=False, reason="still gone"))
    assert "still" not in again.accounts[ACCOUNT].unexplained, "the first cause is the one to tell"
    up = evolve(again, e.LinkChanged(0, up=True, reason=""))
    assert up.accounts[ACCOUNT].unexplained
    agreed = evolve(up, e.Reconciled(ACCOUNT, desk.now_ns, agreed=True, at_ns=desk.now_ns))
    assert agreed.accounts[ACCOUNT].unexplained == ""


def test_a_reading_that_does_not_agree_is_repeated_in_fifteen_seconds() -> None:
    desk = Desk()
    group = evolve(desk.group, e.Reconciled(ACCOUNT, desk.now_ns, agreed=False, at_ns=desk.now_ns))
    assert group.accounts[ACCOUNT].timers["books"] == desk.now_ns + 15_000 * MS_NS
    group = evolve(group, e.Reconciled(ACCOUNT, desk.now_ns, agreed=True, at_ns=desk.now_ns))
    assert "books" not in group.accounts[ACCOUNT].timers


def test_a_group_is_opened_with_its_installation_its_venue_and_its_login() -> None:
    group = evolve(Group(), e.GroupOpened(0, "desk", "sim", "practice"))
    assert (group.install_id, group.venue, group.login) == ("desk", "sim", "practice")


def test_limits_that_no_longer_wait_wait_for_no_day() -> None:
    group = evolve(Group(), e.LimitsDeferred(0, Limits(order_quantity_max=20), "2026-11-24"))
    assert group.limits_from == "2026-11-24"
    assert evolve(group, e.LimitsDeferred(0, group.limits, "2026-11-24")).limits_from == ""


def test_repetition_that_has_ended_leaves_nothing_behind() -> None:
    group = Desk().group
    for event in (
        e.ProtectionFailed(ACCOUNT, "a", 1, "no", 5),
        e.RepeatedAction(ACCOUNT, 6, 5),
        e.RepetitionEnded(ACCOUNT, 6),
    ):
        group = evolve(group, event)
    assert (group.accounts[ACCOUNT].repeating, group.accounts[ACCOUNT].failures) == (0, ())


def test_a_lockout_that_has_ended_leaves_nothing_behind() -> None:
    group = evolve(Desk().group, e.LockedOut(ACCOUNT, 7, "why", 5))
    assert group.accounts[ACCOUNT].timers["lockout"] == 7
    account = evolve(group, e.LockoutEnded(ACCOUNT, 7)).accounts[ACCOUNT]
    assert (account.locked_until_ns, account.locked_reason, "lockout" in account.timers) == (0, "", False)


def test_a_reading_is_under_way_until_it_has_been_compared() -> None:
    group = evolve(Desk().group, e.SnapshotRequested(ACCOUNT, "why", 0, 5))
    assert group.accounts[ACCOUNT].snapshot_since_ns == 5
    group = evolve(group, e.Reconciled(ACCOUNT, 5, agreed=True, at_ns=6))
    assert group.accounts[ACCOUNT].snapshot_since_ns == 0


def test_a_lost_link_says_nothing_of_an_account_that_was_never_read() -> None:
    desk = Desk(adopted=False)
    group = evolve(desk.group, e.SnapshotRequested(ACCOUNT, "why", 0, 5))
    group = evolve(group, e.LinkChanged(0, up=False, reason="x", at_ns=6))
    assert group.accounts[ACCOUNT].unexplained == ""


def working(desk: Desk, **more: Any) -> None:
    desk.submit("a", quantity=3, **({"limit": BID} | more))
    desk.accept("a")
    desk.wait(5)


def test_every_word_of_the_broker_dates_its_order() -> None:
    desk = Desk()
    desk.submit("a", limit=BID)
    desk.wait(5)
    desk.placed("a", Outcome.UNKNOWN)
    assert desk.order("a").updated_ns == desk.now_ns
    desk.wait(5)
    desk.show("a", broker_order_id=77)
    assert desk.order("a").updated_ns == desk.now_ns
    desk.modify("a", quantity=2)
    desk.wait(5)
    desk.modified("a")
    assert desk.order("a").updated_ns == desk.now_ns
    desk.cancel("a")
    desk.wait(5)
    desk.cancel_outcome("a", Outcome.REFUSED)
    assert desk.order("a").updated_ns == desk.now_ns
    desk.wait(5)
    desk.cancelled("a")
    assert desk.order("a").updated_ns == desk.now_ns


def test_cancels_are_counted_and_sent_again_in_two_seconds() -> None:
    desk = Desk()
    working(desk)
    desk.cancel("a")
    assert (desk.order("a").cancel_sent, desk.account.timers["cancel:a"]) == (1, desk.now_ns + 2 * SECOND_NS)
    desk.wait(1_000)
    desk.cancel_outcome("a", Outcome.REFUSED)
    assert desk.account.timers["cancel:a"] == desk.now_ns + 2 * SECOND_NS
    desk.wait(2_000)
    assert desk.order("a").cancel_sent == 2


def test_each_cancel_that_changes_nothing_doubles_the_wait_for_the_next_up_to_32_seconds() -> None:
    desk = Desk()
    working(desk)
    desk.cancel("a")
    waits = list[int]()
    for sent in range(1, 8):
        assert desk.order("a").cancel_sent == sent
        waits.append((desk.account.timers["cancel:a"] - desk.now_ns) // SECOND_NS)
        desk.cancel_outcome("a", Outcome.REFUSED)
        assert (desk.account.timers["cancel:a"] - desk.now_ns) // SECOND_NS == waits[-1]
        desk.wait(waits[-1] * 1_000)
    assert waits == [2, 4, 8, 16, 32, 32, 32]


@pytest.mark.parametrize("state", [OrderState.CANCELLED, OrderState.EXPIRED])
def test_an_order_keeps_why_its_end_was_wanted(state: OrderState) -> None:
    desk = Desk()
    working(desk)
    desk.modify("a", quantity=4)
    desk.cancel("a")
    desk.show("a", state)
    assert (desk.order("a").reason, desk.order("a").change) == ("asked for", None)


def test_the_next_change_of_an_order_begins_without_what_was_read_of_the_last() -> None:
    desk = Desk()
    working(desk)
    desk.modify("a", quantity=4)
    desk.modified("a", Outcome.UNKNOWN)
    desk.looked_up("a", desk.row("a"))
    assert (desk.order("a").change_unknown, desk.order("a").doubt_reads, desk.order("a").doubt_read_ns) == (
        True,
        1,
        desk.now_ns,
    )
    desk.looked_up("a", desk.row("a", quantity=4))
    desk.modify("a", quantity=5)
    assert (desk.order("a").change_unknown, desk.order("a").doubt_reads, desk.order("a").doubt_read_ns) == (False, 0, 0)


def test_a_look_up_is_repeated_at_the_pace_of_what_is_looked_up() -> None:
    desk = Desk()
    working(desk)
    desk.modify("a", quantity=4)
    desk.modified("a", Outcome.UNKNOWN)
    assert desk.account.timers["change:a"] == desk.now_ns + 5 * SECOND_NS
    desk.enter("b", target=Leg.OFF)
    stop = desk.stop("b").order_id
    desk.placed(stop, Outcome.UNKNOWN)
    assert desk.account.timers[f"order:{stop}"] == desk.now_ns + SECOND_NS // 2
    assert f"change:{stop}" not in desk.account.timers
    desk.hold("c", target=Leg.OFF)
    desk.modify(desk.stop("c").order_id, stop_ticks=ASK - 39)
    leg = desk.stop("c").order_id
    desk.modified(leg, Outcome.UNKNOWN)
    assert desk.account.timers[f"change:{leg}"] == desk.now_ns + SECOND_NS


@pytest.mark.parametrize("shown", [{"quantity": 1}, {"limit_ticks": BID - 7}])
def test_what_somebody_else_changed_does_not_end_our_own_change(shown: dict[str, int]) -> None:
    desk = Desk()
    working(desk)
    desk.modify("a", quantity=4, limit_ticks=BID - 1)
    desk.feed(replace(desk.row("a", quantity=4, limit_ticks=BID - 1), **shown))
    assert desk.order("a").change is not None


def test_the_price_of_a_stop_that_somebody_else_moved_does_not_end_our_own_change() -> None:
    desk = Desk()
    working(desk, limit=None, trigger=ASK + 8)
    desk.modify("a", quantity=4, stop_ticks=ASK + 9)
    desk.show("a", quantity=4, stop_ticks=ASK + 7)
    assert desk.order("a").change is not None


def test_a_change_that_has_ended_is_not_waited_for_and_refusals_are_counted_in_a_row() -> None:
    desk = Desk()
    working(desk)
    for refusals in (1, 2):
        desk.modify("a", quantity=4)
        assert "change:a" in desk.account.timers
        desk.modified("a", Outcome.REFUSED, "no")
        assert ("change:a" in desk.account.timers, desk.order("a").changes_refused) == (False, refusals)
    desk.modify("a", quantity=4)
    desk.modified("a")
    assert ("change:a" in desk.account.timers, desk.order("a").changes_refused) == (False, 0)


def test_only_a_target_that_was_refused_is_waited_for() -> None:
    desk = Desk()
    desk.submit("rejected")
    desk.placed("rejected", Outcome.REFUSED, text="no")
    desk.enter("a")
    desk.placed(desk.stop("a").order_id, Outcome.REFUSED, text="no")
    desk.wait(500)
    desk.accept(desk.stop("a").order_id)
    assert not [key for key in desk.account.timers if key.startswith("target:")]
    desk.accept(desk.target("a").order_id)
    desk.cancelled(desk.target("a").order_id)
    assert not [key for key in desk.account.timers if key.startswith("target:")]
    desk.wait(500)
    desk.placed(desk.target("a").order_id, Outcome.REFUSED, text="no")
    assert [key for key in desk.account.timers if key.startswith("target:")] == ["target:a"]


def test_an_exit_dates_each_of_its_phases_and_ends_without_a_timer() -> None:
    desk = Desk()
    desk.hold("a", target=Leg.OFF)
    desk.close()
    running = desk.account.exits[MES.contract_id]
    assert (running.since_ns, running.long) == (desk.now_ns, True)
    desk.wait(5)
    desk.cancelled(desk.stop("a").order_id)
    assert desk.account.exits[MES.contract_id].since_ns == desk.now_ns
    close = desk.closes()[0].order_id
    desk.accept(close)
    desk.fill(close)
    desk.read_back()
    assert f"exit:{MES.contract_id}" not in desk.account.timers


def test_fills_that_a_reading_did_not_bring_are_asked_for_again_but_not_at_once() -> None:
    desk = Desk()
    working(desk)
    desk.show("a", filled_quantity=1)
    assert desk.account.timers["fills:a"] == desk.now_ns + SECOND_NS
    desk.snapshot(orders=[desk.row("a", filled_quantity=1)])
    assert desk.account.timers["fills:a"] == desk.now_ns + 15 * SECOND_NS


def test_a_leg_that_is_lost_or_refused_has_its_bracket_looked_at_again_ever_later() -> None:
    desk = Desk()
    desk.hold("a", target=Leg.OFF)
    stop = desk.stop("a").order_id
    group = desk.group
    waits_ns = []
    for number in range(9):
        group = evolve(group, e.ModifyRefused(ACCOUNT, stop, number, "no", 0))
        waits_ns.append(group.accounts[ACCOUNT].bracket_timers["a"])
    assert waits_ns == [250 * MS_NS << doubled for doubled in (0, 1, 2, 3, 4, 5, 6, 6, 6)]
    group = evolve(group, e.OrderCancelled(ACCOUNT, stop, 5))
    assert group.accounts[ACCOUNT].bracket_timers["a"] == 5 + 250 * MS_NS


def test_what_is_unexplained_when_the_link_comes_up_is_explained_by_a_later_reading_only() -> None:
    group = evolve(Desk().group, e.UnexpectedBrokerFact(ACCOUNT, "what", 5))
    account = evolve(group, e.LinkChanged(0, up=True, reason="", at_ns=9)).accounts[ACCOUNT]
    assert (account.unexplained, account.unexplained_ns) == ("what", 9)
