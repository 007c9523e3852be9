"""The pause: nothing that adds risk passes in any account, in no mode; everything else does; a restart keeps it."""

from __future__ import annotations

import pytest

from ordergate.core import events as e
from ordergate.core.account import Group
from ordergate.core.commands import Answer, LockOut, SetPaused
from ordergate.core.effects import Modify, Place
from ordergate.core.events import Door
from ordergate.core.fold import evolve
from ordergate.core.modes import Modes
from ordergate.core.order import Side
from ordergate.core.pause import told
from tests.core.desk import ACCOUNT, ASK, BID, Desk

ALL_LOOSE = Modes(intercept=False, preserve=True, validate=False)


def paused(desk: Desk, *, on: bool = True, by: Door = Door.PAGE) -> Answer:
    return desk.ask(SetPaused(desk.request_id(), on, by))


@pytest.mark.parametrize("modes", [Modes(), Modes(preserve=True), Modes(intercept=False), ALL_LOOSE], ids=str)
def test_a_pause_denies_new_risk_in_every_mode_and_its_end_lets_it_pass(modes: Modes) -> None:
    desk = Desk(modes=modes)
    assert paused(desk).ok
    assert desk.codes("a") == ["PAUSED"]
    assert desk.asked(Place) == []
    assert paused(desk, on=False).ok
    assert desk.submit("b").ok


def test_its_reason_is_shown_while_it_lasts_and_not_after_it() -> None:
    desk = Desk()
    desk.ask(SetPaused(desk.request_id(), on=True, by=Door.PAGE, reason="news at ten"))
    assert told(desk.group).endswith(" CT: news at ten")
    assert paused(desk, on=False).ok
    assert (told(desk.group), desk.group.paused_reason) == ("", "")


def test_a_change_and_a_wider_stop_are_asked_about_it_and_a_smaller_order_and_a_nearer_stop_are_not() -> None:
    desk = Desk()
    desk.hold("held", quantity=2)
    desk.submit("waits", quantity=3, limit=BID - 8)
    desk.accept("waits")
    paused(desk)
    level = desk.stop("held").terms.stop_ticks
    assert level is not None
    assert [breach.code for breach in desk.modify("waits", limit_ticks=BID - 4).breaches] == ["PAUSED"]
    assert [breach.code for breach in desk.protect(stop=level - 10).breaches] == ["PAUSED"]
    assert desk.asked(Modify) == []
    assert desk.modify("waits", quantity=2).ok
    assert desk.protect(stop=level + 4).ok


def test_what_closes_cancels_and_flattens_passes_a_pause() -> None:
    desk = Desk()
    desk.hold("held", quantity=3)
    desk.submit("waits", limit=BID - 8)
    desk.accept("waits")
    paused(desk)
    assert desk.submit("out", Side.SELL, 1).ok
    assert desk.codes("through", Side.SELL, 5) == ["PAUSED"]
    assert desk.cancel("waits").ok
    assert desk.cancel_all().ok
    assert desk.close(1).ok
    assert desk.flatten().ok


def test_an_order_from_before_the_pause_still_gets_its_answer() -> None:
    desk = Desk()
    desk.submit("a")
    paused(desk)
    assert desk.submit("a").ok


def test_a_pause_is_on_the_record_and_outlives_a_restart() -> None:
    desk = Desk()
    paused(desk, by=Door.BUS)
    (told,) = desk.told(e.PauseChanged)
    assert (told.paused, told.by, told.at_ns) == (True, Door.BUS, desk.now_ns)
    group = Group()
    for event in desk.events:
        group = evolve(group, event)
    assert (group.paused_by, group.paused_ns) == (Door.BUS, desk.now_ns)
    desk.started_again(Modes())
    assert desk.codes("a") == ["PAUSED"]


def test_to_pause_or_to_resume_once_more_is_well_and_no_event() -> None:
    desk = Desk()
    assert paused(desk, on=False).ok
    assert [paused(desk, by=Door.BUS).ok for _ in range(2)] == [True, True]
    assert [paused(desk, on=False).ok for _ in range(2)] == [True, True]
    assert [event.paused for event in desk.told(e.PauseChanged)] == [True, False]


def test_the_pages_pause_is_not_ended_over_the_bus_and_one_of_the_bus_is_ended_at_the_page() -> None:
    desk = Desk()
    paused(desk, by=Door.BUS)
    paused(desk)  # a person wants it too: now it is his
    answer = paused(desk, on=False, by=Door.BUS)
    assert (answer.ok, answer.code) == (False, "PAUSED")
    assert "at the page" in answer.message
    paused(desk, by=Door.BUS)
    assert desk.group.paused_by is Door.PAGE, "and stays his"
    assert paused(desk, on=False).ok
    paused(desk, by=Door.BUS)
    assert paused(desk, on=False).ok
    assert desk.group.paused_by is None


def test_the_end_of_a_pause_lifts_no_lockout() -> None:
    desk = Desk()
    desk.ask(LockOut("lock", ACCOUNT, reason="enough"))
    assert desk.codes("a", limit=ASK - 9) == ["LOCKED_OUT"]
    paused(desk)
    assert desk.codes("b", limit=ASK - 9) == ["LOCKED_OUT"], "what lasts longer is told"
    assert paused(desk, on=False).ok
    assert desk.codes("c", limit=ASK - 9) == ["LOCKED_OUT"]
