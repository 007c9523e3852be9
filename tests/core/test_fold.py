"""``evolve``: bookkeeping without judgement, that leaves its argument alone and can be repeated from the journal."""

from __future__ import annotations

from decimal import Decimal
from typing import get_args

import pytest

from ordergate.core import events as e
from ordergate.core.account import Group
from ordergate.core.commands import ChangeLimits, LockOut
from ordergate.core.events import Event
from ordergate.core.fold import evolve
from ordergate.core.inputs import Wake
from ordergate.core.limits import Limits, Trailing
from ordergate.core.order import Side
from ordergate.core.reports import AccountReport, LinkReport, OrderState, Outcome, Unreadable
from ordergate.journal.codec import decode, encode
from tests.core.desk import ACCOUNT, ASK, BID, MES, MS_NS, SECOND_NS, Desk, fill_row, order_row


def long_day() -> Desk:
    """A desk to which every kind of event has happened."""
    intraday = Limits(
        maximum_loss_usd=Decimal(10_000), maximum_loss_trailing=Trailing.INTRADAY, repeats_per_minute_max=0
    )
    desk = Desk(intraday)
    desk.hold("a", quantity=3)
    desk.mark(ASK + 20)
    desk.quote(MES, BID, ASK)
    desk.fill(desk.target("a").order_id, 1, ASK + 80)
    desk.modified(desk.stop("a").order_id)
    desk.protect(stop=ASK - 20)
    desk.modified(desk.stop("a").order_id, Outcome.REFUSED, "no")
    desk.submit("b", quantity=11)
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
    desk.ask(ChangeLimits("r", Limits(order_quantity_max=20), ("order_quantity_max",)))
    quotes, desk.quotes = desk.quotes, {}
    desk.ask(ChangeLimits("r", Limits(daily_loss_usd_max=Decimal(900)), ("daily_loss_usd_max",)))
    desk.quotes = quotes
    desk.ask(LockOut("r", ACCOUNT, desk.now_ns + 3_600 * SECOND_NS, "enough"))
    desk.feed(LinkReport(up=False, reason="x"))
    desk.feed(LinkReport(up=True))
    desk.feed(AccountReport(ACCOUNT, "PRACTICE-1", Decimal(48_000), can_trade=True))  # trips the loss limit
    desk.balance = Decimal(48_000)
    for _ in range(12):
        desk.wait(600)
        desk.snapshot()
    desk.flatten()
    desk.now_ns += 24 * 3_600 * SECOND_NS
    desk.mark(BID)
    desk.feed(Wake())
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
