"""What each mode lets through, what it never does, and what is on the record of it."""

from __future__ import annotations

from decimal import Decimal

import pytest
from msgspec.structs import replace

from ordergate.core import events as e
from ordergate.core import selftest
from ordergate.core.commands import Leg, LockOut, SubmitOrder
from ordergate.core.effects import Modify, Place
from ordergate.core.inputs import Stamped
from ordergate.core.judgement import Judgement, judge
from ordergate.core.limits import Limits, OnMustBeFlat
from ordergate.core.modes import Modes
from ordergate.core.order import Exit, OrderType, Role, Side, Trail
from ordergate.core.preview import preview
from ordergate.core.reports import AccountReport
from ordergate.core.rules import RULES, Kind
from tests.core.desk import ACCOUNT, ASK, BID, MES, OLD_MES, Desk, instant
from tests.core.test_selftest import ALL_ON

ENFORCED = Modes()
PRESERVED, UNASKED, UNCHECKED = Modes(preserve=True), Modes(intercept=False), Modes(validate=False)
LOOSE = [PRESERVED, UNASKED, UNCHECKED, Modes(intercept=False, preserve=True, validate=False)]
TIGHT = Limits(order_quantity_max=3)

# No mode lets an order through that is refused with one of these (design, section 7).
VALIDITY = {
    "PAUSED", "LOCKED_OUT", "TRADING_HALTED", "REDUCE_ONLY", "ACCOUNT_NOT_TRADABLE", "ACCOUNT_CANNOT_CANCEL",
    "SESSION_CONTRADICTS", "EXIT_IN_PROGRESS", "BROKER_LINK_DOWN", "UNEXPLAINED", "SUPERSEDED", "CONTRACT_NOT_ACTIVE",
    "TOO_OLD", "CLOCK_SKEW",
}  # fmt: skip

KINDS = {
    "trading_state": Kind.VALIDITY,
    "visibility": Kind.VALIDITY,
    "superseded": Kind.VALIDITY,
    "instrument_allowed": Kind.LIMIT,
    "contract_active": Kind.VALIDITY,
    "order_size_min": Kind.LIMIT,
    "order_size_max": Kind.LIMIT,
    "position_size": Kind.LIMIT,
    "account_position": Kind.LIMIT,
    "open_order_count": Kind.LIMIT,
    "order_value": Kind.LIMIT,
    "risk_per_trade": Kind.LIMIT,
    "daily_loss": Kind.LIMIT,
    "daily_profit": Kind.LIMIT,
    "maximum_loss": Kind.LIMIT,
    "price_collar": Kind.LIMIT,
    "stop_distance": Kind.LIMIT,
    "target_distance": Kind.LIMIT,
    "reference_price": Kind.LIMIT,
    "duplicate": Kind.LIMIT,
    "order_rate": Kind.LIMIT,
    "repeated_action": Kind.LIMIT,
    "trading_hours": Kind.LIMIT,
    "blackout": Kind.LIMIT,
    "opposite_position": Kind.LIMIT,
    "too_old": Kind.VALIDITY,
    "clock_skew": Kind.VALIDITY,
}


def judged(code: str, modes: Modes) -> Judgement:
    """What is thought of the self-test's order that has to be refused with ``code``."""
    scene = selftest.CASES[code](selftest.scene(ALL_ON, "MES"))
    assert scene is not None
    group, stamp = selftest.stage(scene)
    return judge(replace(group, modes=modes), scene.account, scene.order, stamp)


def test_the_kind_of_each_rule_stands_beside_it() -> None:
    assert {rule.__name__: kind for rule, kind in RULES.items()} == KINDS


@pytest.mark.parametrize("code", sorted(VALIDITY))
@pytest.mark.parametrize("modes", LOOSE, ids=str)
def test_no_mode_lets_through_what_is_no_limit(code: str, modes: Modes) -> None:
    found = judged(code, modes)
    assert code in [breach.code for breach in found.breaches]
    assert found.overridden == ()


@pytest.mark.parametrize("code", sorted(set(selftest.CASES) - VALIDITY))
def test_a_limit_is_skipped_where_none_is_asked_and_overridden_where_the_workflow_is_preserved(code: str) -> None:
    denied = judged(code, ENFORCED).breaches
    assert code in [breach.code for breach in denied]
    for modes in (UNASKED, UNCHECKED, Modes(intercept=False, preserve=True)):
        found = judged(code, modes)
        assert (found.breaches, found.overridden) == ((), ())
    found = judged(code, PRESERVED)
    assert (found.breaches, found.overridden) == ((), denied), "the evidence is that of a denial, every breach"


@pytest.mark.parametrize(
    ("modes", "kind"),
    [(ENFORCED, "approved"), (PRESERVED, "approved"), (UNASKED, "passed"), (UNCHECKED, "passed")],
    ids=str,
)
def test_an_order_inside_the_limits_leaves_on_the_ground_of_the_mode(modes: Modes, kind: str) -> None:
    desk = Desk(TIGHT, modes=modes)
    assert desk.submit("a", quantity=3).ok
    (place,) = desk.asked(Place)
    assert place.grant.kind.value == kind
    assert desk.told(e.OrderOverridden) == []


def test_an_order_that_breaks_limits_is_overridden_with_all_of_them_on_the_record() -> None:
    desk = Desk(replace(TIGHT, position_quantity_max=2), modes=PRESERVED)
    assert desk.submit("a", quantity=4).ok
    (told,) = desk.told(e.OrderOverridden)
    assert (told.order_id, told.quote) == ("a", desk.quotes[desk.order("a").terms.contract_id])
    assert [breach.code for breach in told.breaches] == ["MAX_ORDER_SIZE", "MAX_POSITION_SIZE"]
    assert desk.order("a").breaches == told.breaches
    (place,) = desk.asked(Place)
    assert place.grant.kind is e.ApprovalKind.OVERRIDDEN
    assert desk.events.index(told) + 1 == desk.events.index(desk.told(e.OrderApproved)[0])


@pytest.mark.parametrize("modes", LOOSE, ids=str)
def test_an_order_that_is_let_through_gets_its_bracket(modes: Modes) -> None:
    desk = Desk(TIGHT, modes=modes)
    desk.hold("a", quantity=4)
    assert (desk.stop("a").terms.quantity, desk.target("a").terms.quantity) == (4, 4)


def test_what_breaks_a_limit_and_something_that_is_none_is_denied_and_told_both() -> None:
    desk = Desk(TIGHT, modes=PRESERVED)
    assert desk.codes("a", quantity=4, superseded=True) == ["SUPERSEDED", "MAX_ORDER_SIZE"]
    assert desk.told(e.OrderOverridden) == []
    assert Desk(TIGHT, modes=UNASKED).codes("a", quantity=4, superseded=True) == ["SUPERSEDED"]


@pytest.mark.parametrize("modes", LOOSE, ids=str)
def test_no_mode_takes_what_is_no_order_of_a_known_account_and_contract_or_an_id_twice(modes: Modes) -> None:
    desk = Desk(TIGHT, modes=modes)
    assert desk.submit("a", quantity=1).ok
    assert desk.submit("a", quantity=2).code == "ORDER_ID_REUSED"
    unknown = replace(OLD_MES, contract_id="CON.F.US.NONE.Z26")
    assert desk.submit("b", instrument=unknown).code == "UNKNOWN_INSTRUMENT"
    assert Desk(TIGHT, adopted=False, modes=modes).submit("a").code == "UNKNOWN_ACCOUNT"
    assert len(desk.asked(Place)) == 1


@pytest.mark.parametrize("modes", LOOSE, ids=str)
def test_a_persons_lockout_holds_in_every_mode(modes: Modes) -> None:
    desk = Desk(TIGHT, modes=modes)
    desk.submit("waits", limit=BID - 40)
    desk.accept("waits")
    assert desk.ask(LockOut("lock", ACCOUNT)).ok
    assert desk.codes("a") == ["LOCKED_OUT"]
    assert desk.order("waits").cancel_wanted


@pytest.mark.parametrize("modes", [ENFORCED, *LOOSE], ids=str)
def test_a_preview_tells_what_would_become_of_the_order_in_that_mode(modes: Modes) -> None:
    desk = Desk(TIGHT, modes=modes)
    command = SubmitOrder("r", ACCOUNT, "a", MES.contract_id, Side.BUY, 4, OrderType.MARKET)
    seen = preview(desk.group, desk.account, command, Stamped(command, desk.market, desk.now_ns))
    assert desk.ask(command).ok is not bool(seen.breaches)


# A change of an order, and of a stop.


@pytest.mark.parametrize(
    ("modes", "kind", "overridden"),
    [(PRESERVED, "overridden", 1), (UNASKED, "passed", 0), (UNCHECKED, "passed", 0)],
    ids=str,
)
def test_a_change_goes_the_way_of_an_order(modes: Modes, kind: str, overridden: int) -> None:
    desk = Desk(TIGHT, modes=modes)
    desk.submit("a", limit=BID - 40, quantity=3)
    desk.accept("a")
    desk.show("a")
    assert desk.modify("a", quantity=4).ok
    (change,) = desk.asked(Modify)
    assert change.grant.kind.value == kind
    assert len(desk.told(e.OrderOverridden)) == overridden
    assert desk.told(e.ModifyDenied) == []


@pytest.mark.parametrize(("modes", "overridden"), [(PRESERVED, 1), (UNASKED, 0), (UNCHECKED, 0)], ids=str)
def test_a_stop_that_is_moved_away_goes_the_way_of_an_order(modes: Modes, overridden: int) -> None:
    limits = Limits(risk_usd_max=Decimal(60))
    assert moved_away(limits, ENFORCED).told(e.ModifyDenied) != []
    desk = moved_away(limits, modes)
    assert desk.told(e.ModifyDenied) == []
    told = desk.told(e.OrderOverridden)
    assert [(event.order_id, [breach.code for breach in event.breaches]) for event in told] == [
        ("a", ["EXCESSIVE_RISK"])
    ] * overridden


def moved_away(limits: Limits, modes: Modes) -> Desk:
    desk = Desk(limits, modes=modes)
    desk.hold("a", stop=Exit(40))
    desk.protect(stop=ASK - 80)
    return desk


@pytest.mark.parametrize("modes", LOOSE, ids=str)
def test_a_stop_is_not_moved_away_by_an_account_that_is_locked_out_in_any_mode(modes: Modes) -> None:
    desk = Desk(modes=modes)
    desk.hold("a", stop=Exit(40))
    desk.ask(LockOut("lock", ACCOUNT))
    assert [breach.code for breach in desk.protect(stop=ASK - 80).breaches] == ["LOCKED_OUT"]


# What the account is stopped by.


def lost(modes: Modes) -> Desk:
    """More than the day's loss limit is lost, with a contract held and an order that waits."""
    desk = Desk(modes=modes)
    desk.hold("a")
    desk.submit("waits", limit=BID - 40)
    desk.accept("waits")
    for balance in (48_900, 48_800):
        desk.feed(AccountReport(ACCOUNT, "PRACTICE-1", Decimal(balance), can_trade=True))
    return desk


@pytest.mark.parametrize("intercept", [True, False])
def test_preserved_what_would_have_locked_is_written_down_once_and_does_nothing(intercept: bool) -> None:  # noqa: FBT001
    desk = lost(Modes(preserve=True, intercept=intercept))
    (told,) = desk.told(e.WouldHaveLocked)
    assert told.code == "DAILY_LOSS_LIMIT"
    assert "limit 1,000.00 USD" in told.message
    assert [quote.contract_id for quote in told.quotes] == list(desk.account.positions)
    assert desk.account.trading_state is e.TradingState.ACTIVE
    assert desk.told(e.ExitStarted) == []
    assert desk.told(e.TradingStateChanged) == []
    assert not desk.order("waits").cancel_wanted
    assert desk.submit("b").ok


def test_on_the_next_trading_day_it_is_written_down_again() -> None:
    desk = lost(PRESERVED)
    desk.now_ns = instant("2026-11-23 17:00")
    desk.mark(BID)
    desk.feed(AccountReport(ACCOUNT, "PRACTICE-1", Decimal(40_000), can_trade=True))
    desk.mark(BID)
    assert len(desk.told(e.WouldHaveLocked)) == 2


@pytest.mark.parametrize("modes", [UNASKED, UNCHECKED], ids=str)
def test_where_no_limit_is_asked_the_account_is_still_stopped_and_closed(modes: Modes) -> None:
    desk = lost(modes)
    assert desk.account.trading_state is e.TradingState.REDUCING
    assert len(desk.told(e.ExitStarted)) == 1
    assert desk.order("waits").cancel_wanted
    assert "REDUCE_ONLY" in desk.codes("b")


def test_what_was_locked_before_stays_locked_when_the_workflow_is_preserved_from_a_start_on() -> None:
    desk = lost(ENFORCED)
    desk.started_again(PRESERVED)
    assert "REDUCE_ONLY" in desk.codes("b")


@pytest.mark.parametrize("modes", LOOSE, ids=str)
def test_what_waits_is_not_cancelled_at_the_time_to_be_flat_where_orders_pass_that_limit(modes: Modes) -> None:
    limits = Limits(session_only=True)
    assert waited_until_flat(limits, ENFORCED).order("waits").cancel_wanted
    desk = waited_until_flat(limits, modes)
    assert not desk.order("waits").cancel_wanted
    assert desk.submit("late").ok


def test_what_is_asked_to_be_closed_at_that_time_is_closed_in_every_mode() -> None:
    limits = Limits(session_only=True, on_must_be_flat=OnMustBeFlat.FLATTEN)
    for modes in (ENFORCED, *LOOSE):
        assert [event.cause for event in waited_until_flat(limits, modes).told(e.ExitStarted)] == ["must be flat"]


def waited_until_flat(limits: Limits, modes: Modes) -> Desk:
    desk = Desk(limits, modes=modes, at_ns=instant("2026-11-23 15:07"))
    desk.hold("held")
    desk.submit("waits", limit=BID - 40)
    desk.accept("waits")
    desk.wait(61_000)
    return desk


# Without the default bracket.

BARE = Modes(default_bracket=False)


def test_without_the_default_bracket_an_order_has_none_and_its_position_is_unprotected_by_choice() -> None:
    desk = Desk(modes=BARE)
    desk.enter("a")
    desk.wait(3_000)
    assert [*desk.legs("a"), *desk.legs("a", Role.TARGET)] == []
    assert desk.account.covers[desk.order("a").terms.contract_id].state is e.Cover.BY_CHOICE
    assert desk.order("a").risk_ticks == 160, "it counts with the stress move"


def test_without_the_default_bracket_an_order_keeps_what_it_names() -> None:
    desk = Desk(modes=BARE)
    desk.hold("a", stop=Exit(20))
    assert desk.stop("a").terms.stop_ticks == ASK - 20
    assert desk.legs("a", Role.TARGET) == []
    desk.enter("b", stop=Leg.DEFAULT, target=Exit(30))
    assert (desk.legs("b"), desk.target("b").terms.limit_ticks) == ([], ASK + 30)
    desk.enter("c", Side.BUY, trail=Trail(24, 1))
    assert desk.stop("c").terms.stop_ticks == ASK - 24


def test_orders_that_are_let_through_count_among_those_of_a_minute() -> None:
    for modes in (PRESERVED, UNASKED):
        desk = Desk(Limits(orders_per_minute_max=1), modes=modes)
        assert desk.submit("a").ok
        assert desk.submit("b").ok
        desk.started_again(ENFORCED)
        assert desk.codes("c") == ["ORDER_RATE"]
        assert len(desk.account.asked) == 2


# Taken together.


def test_enforcing_is_what_can_send_no_unchecked_and_no_denied_order() -> None:
    assert [modes.enforcing for modes in (ENFORCED, *LOOSE)] == [True, False, False, False, False]
    assert all(replace(modes, shadow=True).enforcing for modes in (ENFORCED, *LOOSE))
    assert BARE.enforcing


def test_each_mode_is_told_in_words_and_the_usual_ones_are_not() -> None:
    assert ENFORCED.text == ""
    words = [mode.text for mode in (Modes(shadow=True), *LOOSE[:3], BARE)]
    assert len(set(words)) == 5
    assert "interception and validation off" in LOOSE[3].text
