"""What a trader is told at once."""

from __future__ import annotations

from decimal import Decimal

import pytest

from ordergate.core import events as e
from ordergate.core.commands import ChangeLimits, LockOut, SetInterception, SetPaused, UpdateProtection
from ordergate.core.limits import Limits
from ordergate.core.modes import Modes
from ordergate.core.order import Side
from ordergate.core.reports import AccountReport, LinkReport, Outcome, PlaceOutcome
from ordergate.web.alarms import Alarm, alarm
from tests.web.history import MES, MES_TICKS, A, History

AT_NS = 1_795_446_000_000_000_000


def history() -> History:
    """A history in which a good deal goes wrong."""
    bad = History().open()
    bad.submit("held", Side.BUY, 2)
    bad.submit("denied", quantity=11)
    bad.put(UpdateProtection("u", A, MES, MES_TICKS - 2_000))
    bad.hold = True
    for name, outcome in (("doubted", Outcome.UNKNOWN), ("refused", Outcome.REFUSED), ("unsent", Outcome.NOT_SENT)):
        bad.submit(name)
        bad.put(PlaceOutcome(A, bad.account().orders[name].tag, outcome, code=2, text="a test"))
    bad.put(LinkReport(up=False, reason="gone"))
    return bad


def test_each_alarm_says_what_it_is_about() -> None:
    bad = history()
    raised = [alarm(bad.group, event, AT_NS) for _, event in bad.happened]
    found = {one.code: one for one in raised if one is not None}
    assert {code: (one.account_id, one.order_id, one.instrument) for code, one in found.items()} == {
        "ORDER_DENIED": (A, "denied", "MES"),
        "MODIFY_DENIED": (A, "held", "MES"),
        "ORDER_IN_DOUBT": (A, "doubted", "MES"),
        "ORDER_REJECTED": (A, "refused", "MES"),
        "ORDER_NOT_SENT": (A, "unsent", "MES"),
        "LINK_DOWN": (None, None, None),
    }
    assert all(one.message and one.at == "2026-11-23T15:00:00.000Z" for one in found.values())


@pytest.mark.parametrize(
    ("event", "code", "instrument"),
    [
        (e.RepeatedAction(A, 6, AT_NS), "REPEATED_ACTION", None),
        (e.ProtectionFailed(A, "held", 1, "refused", AT_NS), "PROTECTION_FAILED", "MES"),
        (e.ExitFinished(A, MES, flat=False, at_ns=AT_NS), "EXIT_NOT_FLAT", "MES"),
        (e.TradingStateChanged(A, e.TradingState.REDUCING, "DAILY_LOSS_LIMIT", "lost"), "TRADING_STATE_CHANGED", None),
        (e.UnexpectedBrokerFact(A, "an odd row", AT_NS), "UNEXPECTED_BROKER_FACT", None),
        (e.PositionCorrected(A, MES, 3, 3 * MES_TICKS), "POSITION_CORRECTED", "MES"),
    ],
)
def test_what_the_broker_or_the_rules_do_to_an_account_is_an_alarm(
    event: e.Event, code: str, instrument: str | None
) -> None:
    raised = alarm(history().group, event, AT_NS)
    assert raised is not None
    assert (raised.code, raised.account_id, raised.instrument) == (code, A, instrument)


def test_a_lockout_and_a_limit_that_waits_are_alarms_too() -> None:
    told = History().open()
    found: dict[e.Event, Alarm | None] = {}
    told.submit("o1", Side.BUY, 2)
    for asked in (ChangeLimits("c", Limits(order_quantity_max=20), ("order_quantity_max",)), LockOut("l", A)):
        seen = len(told.happened)
        told.put(asked)
        found |= {event: alarm(told.group, event, AT_NS) for _, event in told.happened[seen:]}
    said = {one.code: (one.account_id, one.message) for one in found.values() if one is not None}
    assert said == {
        "LIMITS_WAIT": (None, "looser limits wait for the trading day 2026-11-24: max_order_size 10, then 20"),
        "LOCKED_OUT": (A, "locked out by the trader until 2026-11-23 17:00:00 CT"),
    }
    over = alarm(told.group, e.LockoutEnded(A, AT_NS), AT_NS)
    assert over is not None
    assert over.code == "LOCKOUT_ENDED"


def test_what_a_mode_lets_through_and_every_switch_of_one_are_alarms() -> None:
    told = History(modes=Modes(preserve=True)).open()
    seen = len(told.happened)
    told.submit("over", Side.BUY, 11)
    told.put(SetInterception("off", on=False))
    told.put(SetPaused("p", on=True, by=e.Door.PAGE))
    told.put(SetPaused("r", on=False, by=e.Door.PAGE))
    told.put(SetInterception("on", on=True))
    told.put(AccountReport(A, "PRACTICE-1", Decimal(40_000), can_trade=True))
    raised = [one for _, event in told.happened[seen:] if (one := alarm(told.group, event, AT_NS)) is not None]
    assert [(one.code, one.account_id, one.order_id, one.instrument) for one in raised] == [
        ("ORDER_OVERRIDDEN", A, "over", "MES"),
        ("MODES_CHANGED", None, None, None),
        ("PAUSED", None, None, None),
        ("RESUMED", None, None, None),
        ("MODES_CHANGED", None, None, None),
        ("WOULD_HAVE_LOCKED", A, None, None),
    ]
    assert raised[0].message.startswith("sent all the same: 11 contracts is above")


def test_good_news_is_no_alarm() -> None:
    group = history().group
    assert alarm(group, e.ExitFinished(A, MES, flat=True, at_ns=AT_NS), AT_NS) is None
    assert alarm(group, e.LinkChanged(0, up=True, reason=""), AT_NS) is None
    good = History().open()
    good.submit("o1", Side.BUY, 2)
    assert [event for _, event in good.happened if alarm(good.group, event, AT_NS) is not None] == []
