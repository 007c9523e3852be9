"""What the broker lets an account do: where it may not trade, or may cancel nothing, no new risk is taken."""

from __future__ import annotations

from typing import Any

from msgspec.structs import replace

from ordergate.core.alarms import is_open
from ordergate.core.effects import Cancel
from ordergate.core.modes import Modes
from ordergate.core.reports import AccountReport, CancelOutcome, Outcome
from tests.core.desk import ACCOUNT, BID, Desk

FOLLOWS = "Follower accounts cannot cancel orders"


def told(desk: Desk, **changes: Any) -> None:
    """The broker shows the account."""
    report = AccountReport(ACCOUNT, "PRACTICE-1", desk.balance, can_trade=True)
    desk.feed(replace(report, **changes))


def forbidden(desk: Desk, order_id: str) -> None:
    """The broker refuses to cancel, because of whose order it is."""
    number = desk.order(order_id).broker_order_id or 0
    desk.feed(CancelOutcome(ACCOUNT, number, Outcome.REFUSED, 6, FOLLOWS, forbidden=True))


def alarms(desk: Desk) -> list[str]:
    return [alarm.code for alarm in desk.group.alarms if is_open(desk.group, alarm)]


def waiting(desk: Desk, order_id: str) -> None:
    """An order that works, and that a person has cancelled."""
    assert desk.submit(order_id, limit=BID - 20).ok
    desk.accept(order_id)
    desk.show(order_id)
    assert desk.cancel(order_id).ok


def test_an_account_that_may_cancel_nothing_takes_no_new_risk() -> None:
    desk = Desk()
    told(desk, no_cancel="it is not a simulated account")
    (breach,) = desk.submit("a").breaches
    assert (breach.code, breach.limit, breach.actual) == ("ACCOUNT_CANNOT_CANCEL", "may cancel", "may not")
    assert "it is not a simulated account" in breach.message
    assert alarms(desk) == ["ACCOUNT_CANNOT_CANCEL"]


def test_it_is_so_from_the_first_sight_of_the_account() -> None:
    desk = Desk(adopted=False)
    told(desk, no_cancel="live")
    report = AccountReport(ACCOUNT, "PRACTICE-1", desk.balance, can_trade=True, no_cancel="live")
    desk.feed(replace(Desk().snapshot(), account=report))
    assert (desk.account.adopted, desk.account.no_cancel) == (True, "live")


def test_a_cancel_that_the_account_may_not_make_teaches_it() -> None:
    desk = Desk()
    waiting(desk, "a")
    forbidden(desk, "a")
    (breach,) = desk.submit("b").breaches
    assert (breach.code, FOLLOWS in breach.message) == ("ACCOUNT_CANNOT_CANCEL", True)
    desk.wait(60_000)
    forbidden(desk, "a")
    (alarm,) = desk.group.alarms
    assert (alarm.code, alarm.count) == ("ACCOUNT_CANNOT_CANCEL", 1)


def test_another_refusal_of_a_cancel_teaches_nothing() -> None:
    desk = Desk()
    waiting(desk, "a")
    desk.cancel_outcome("a", Outcome.REFUSED)
    assert desk.codes("b") == []


def test_what_closes_is_tried_all_the_same() -> None:
    desk = Desk()
    desk.hold("a")
    told(desk, no_cancel="it is not a simulated account")
    desk.forget()
    assert desk.close().ok
    assert desk.asked(Cancel)


def test_it_is_forgotten_at_a_start_and_told_again_where_it_is_still_so() -> None:
    desk = Desk()
    told(desk, no_cancel="it is not a simulated account")
    desk.started_again(Modes())
    assert desk.codes("a") == []
    told(desk, no_cancel="it is not a simulated account")
    assert desk.codes("b") == ["ACCOUNT_CANNOT_CANCEL"]


def test_an_account_that_the_broker_stops_is_an_alarm_until_it_trades_again() -> None:
    desk = Desk()
    told(desk, can_trade=False)
    assert desk.codes("a") == ["ACCOUNT_NOT_TRADABLE"]
    assert alarms(desk) == ["ACCOUNT_NOT_TRADABLE"]
    told(desk, can_trade=True, balance_usd=desk.balance)
    assert desk.codes("b") == []
    (alarm,) = desk.group.alarms
    assert alarm.count == 1, "its end raises none"
