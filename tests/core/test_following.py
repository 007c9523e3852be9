"""Stops that move by themselves: to breakeven once, behind the market, and at no price that cannot be believed."""

from __future__ import annotations

import itertools
from decimal import Decimal

import pytest
from msgspec.structs import replace

from ordergate.core import events as e
from ordergate.core.account import Group
from ordergate.core.commands import Leg
from ordergate.core.decide import next_wake_ns
from ordergate.core.effects import Modify
from ordergate.core.fold import evolve
from ordergate.core.inputs import Mark
from ordergate.core.instrument import Instrument
from ordergate.core.order import Breakeven, Exit, Side, Status, Trail
from ordergate.core.reports import InstrumentsReport, OrderState, Outcome, Quote
from ordergate.core.timing import TRAIL_GAP_NS
from tests.core.desk import ACCOUNT, ASK, BID, MES, MNQ, MS_NS, WIDE, Desk

MCL = Instrument("CON.F.US.MCLE.F27", "MCL", "MCLEF7", Decimal("0.01"), Decimal("1.00"), Decimal("0.51"))
GAP_MS = TRAIL_GAP_NS // MS_NS
LONG_AND_SHORT = pytest.mark.parametrize("side", [Side.BUY, Side.SELL])


def promised(desk: Desk, entry_id: str = "a") -> int | None:
    """Where the stop is promised, in ticks; None = at its first distance still."""
    stop = desk.order(entry_id).protection.stop
    assert stop is not None
    return stop.price_ticks


def causes(desk: Desk) -> list[str]:
    return [event.cause for event in desk.told(e.ProtectionChanged)]


def gain(desk: Desk, side: Side, ticks: int) -> None:
    """The market moves to where a position of that side, entered at ``ASK``, has won ``ticks`` a contract."""
    price = ASK + side.sign * ticks
    desk.mark(price if side is Side.BUY else price - 1)


def moved(desk: Desk, entry_id: str = "a") -> int | None:
    """Where the stop rests once the broker has made the change that is under way."""
    stop = desk.stop(entry_id)
    if stop.change is not None:
        desk.modified(stop.order_id)
        desk.wait(300)
    return desk.stop(entry_id).terms.stop_ticks


def held(side: Side = Side.BUY, *, breakeven: Breakeven | None = None, trail: Trail | None = None) -> Desk:
    """Two contracts entered at ``ASK``, whose stop rests at the distance of the trail, or else 40 ticks away."""
    desk = Desk(WIDE)
    desk.hold(
        "a",
        side,
        2,
        stop=Exit(40 if trail is None else trail.distance_ticks),
        target=Leg.OFF,
        breakeven=breakeven,
        trail=trail,
    )
    return desk


# To breakeven.


@LONG_AND_SHORT
def test_the_stop_goes_to_the_entry_at_exactly_the_trigger_and_not_one_tick_before(side: Side) -> None:
    desk = held(side, breakeven=Breakeven(10))
    gain(desk, side, 9)
    desk.wait(300)
    assert (promised(desk), desk.stop("a").change) == (None, None)
    gain(desk, side, 10)
    assert promised(desk) == ASK
    assert moved(desk) == ASK
    assert causes(desk) == ["breakeven"]


@LONG_AND_SHORT
def test_the_side_that_the_position_could_be_closed_at_is_what_counts(side: Side) -> None:
    desk = held(side, breakeven=Breakeven(10))
    if side is Side.BUY:
        desk.mark(ASK + 9, ASK + 30)
    else:
        desk.mark(ASK - 30, ASK - 9)
    assert promised(desk) is None


@LONG_AND_SHORT
def test_the_offset_is_on_the_winning_side(side: Side) -> None:
    desk = held(side, breakeven=Breakeven(10, 4))
    gain(desk, side, 10)
    assert moved(desk) == ASK + side.sign * 4


@LONG_AND_SHORT
def test_the_stop_goes_to_breakeven_once(side: Side) -> None:
    desk = held(side, breakeven=Breakeven(10))
    gain(desk, side, 12)
    moved(desk)
    for ticks in (2, 10, 30, -20, 10):
        gain(desk, side, ticks)
        desk.wait(2_000)
    assert (promised(desk), causes(desk)) == (ASK, ["breakeven"])
    assert desk.order("a").protection.breakeven is None


@LONG_AND_SHORT
def test_breakeven_never_makes_the_stop_worse(side: Side) -> None:
    desk, better = Desk(WIDE), ASK - side.sign * 20
    stop = Exit(0, ASK - side.sign * 10)
    desk.hold("a", side, 2, price=better, stop=stop, target=Leg.OFF, breakeven=Breakeven(30, 2))
    assert desk.stop("a").terms.stop_ticks == stop.price_ticks, "in profit already, by a fill that was that much better"
    gain(desk, side, 10)
    assert desk.order("a").protection.breakeven is None, "there is nothing left to do for it"
    assert (promised(desk), moved(desk)) == (stop.price_ticks, stop.price_ticks)


@LONG_AND_SHORT
def test_breakeven_leaves_a_stop_that_has_trailed_beyond_it(side: Side) -> None:
    desk = held(side, breakeven=Breakeven(30, 2), trail=Trail(8))
    gain(desk, side, 29)
    assert moved(desk) == ASK + side.sign * 21
    gain(desk, side, 30)
    assert causes(desk) == ["trailing", "breakeven"]
    assert promised(desk) == ASK + side.sign * 21


@pytest.mark.parametrize(
    ("side", "prices", "level"),
    [(Side.BUY, (ASK, ASK + 1), ASK + 1), (Side.SELL, (ASK, ASK + 1), ASK)],
)
def test_half_a_tick_of_the_average_is_counted_against_the_trader(
    side: Side, prices: tuple[int, int], level: int
) -> None:
    desk = Desk(WIDE)
    desk.submit("a", side, 2, stop=Exit(40), target=Leg.OFF, breakeven=Breakeven(10))
    desk.accept("a")
    for price in prices:
        desk.fill("a", 1, price)
    desk.accept(desk.stop("a").order_id)
    desk.wait(300)
    moved(desk)
    exact = level + side.sign * 10
    desk.mark(*((exact - 1, exact) if side is Side.BUY else (exact, exact + 1)))
    assert promised(desk) is None
    desk.mark(*((exact, exact + 1) if side is Side.BUY else (exact - 1, exact)))
    assert moved(desk) == level


# Behind the market.


@LONG_AND_SHORT
def test_the_stop_trails_at_its_distance_and_never_goes_back(side: Side) -> None:
    desk = held(side, trail=Trail(12))
    gain(desk, side, -20)
    assert promised(desk) is None
    gain(desk, side, 5)
    assert moved(desk) == ASK - side.sign * 7
    desk.wait(2_000)
    gain(desk, side, 1)
    desk.wait(2_000)
    assert promised(desk) == ASK - side.sign * 7
    gain(desk, side, 6)
    assert moved(desk) == ASK - side.sign * 6
    assert causes(desk) == ["trailing", "trailing"]


@LONG_AND_SHORT
def test_the_stop_trails_in_moves_of_its_step_or_more(side: Side) -> None:
    desk = held(side, trail=Trail(40, 5))
    gain(desk, side, 4)
    assert promised(desk) is None
    gain(desk, side, 5)
    assert moved(desk) == ASK - side.sign * 35
    desk.wait(GAP_MS)
    gain(desk, side, 9)
    assert promised(desk) == ASK - side.sign * 35
    gain(desk, side, 12)
    assert moved(desk) == ASK - side.sign * 28


def test_a_trailing_stop_without_a_distance_of_its_own_begins_at_that_of_the_trail() -> None:
    desk = Desk(WIDE)
    desk.hold("a", quantity=1, target=Leg.OFF, trail=Trail(17))
    assert desk.stop("a").terms.stop_ticks == ASK - 17
    desk.mark(ASK + 1)
    assert moved(desk) == ASK - 16


def test_a_stop_that_stands_farther_away_than_the_trail_is_drawn_in_at_once() -> None:
    desk = Desk(WIDE)
    desk.hold("a", stop=Exit(40), target=Leg.OFF, trail=Trail(12))
    assert promised(desk) == BID - 12


def test_a_stop_that_stands_nearer_than_the_trail_waits_for_it() -> None:
    desk = Desk(WIDE)
    desk.hold("a", stop=Exit(8), target=Leg.OFF, trail=Trail(12))
    desk.mark(ASK + 4)
    assert promised(desk) is None
    desk.mark(ASK + 5)
    assert promised(desk) == ASK - 7


def test_breakeven_and_a_trail_follow_each_other_at_one_price() -> None:
    desk = held(breakeven=Breakeven(20), trail=Trail(12))
    desk.wait(1_000)
    desk.mark(ASK + 50)
    assert causes(desk) == ["breakeven", "trailing"]
    assert promised(desk) == ASK + 38
    assert [moved(desk), moved(desk)] == [ASK, ASK + 38]


def test_the_change_names_its_cause_and_until_when_the_stop_rests() -> None:
    desk = held(breakeven=Breakeven(20), trail=Trail(12))
    desk.mark(ASK + 50)
    first, second = desk.told(e.ProtectionChanged)
    assert (first.cause, first.rests_until_ns, first.protection.stop) == ("breakeven", 0, Exit(0, ASK))
    assert (second.cause, second.rests_until_ns) == ("trailing", desk.now_ns + TRAIL_GAP_NS)
    assert second.protection == replace(first.protection, stop=Exit(38, ASK + 38))


@pytest.mark.parametrize("side", [Side.BUY, Side.SELL])
def test_stops_follow_prices_below_zero(side: Side) -> None:
    """MCL's front month settled at -37.63 on 2020-04-20."""
    desk = Desk(WIDE)
    desk.feed(InstrumentsReport((MCL,)))
    desk.quote(MCL, -3, -2)
    fill = -2 if side is Side.BUY else -3
    desk.hold(
        "a",
        side,
        2,
        price=fill,
        stop=Exit(6),
        target=Leg.OFF,
        breakeven=Breakeven(5, 1),
        trail=Trail(6),
        instrument=MCL,
    )
    price = fill + side.sign * 5  # across zero for the long, farther below it for the short
    desk.mark(*((price, price + 1) if side is Side.BUY else (price - 1, price)), instrument=MCL)
    assert moved(desk) == fill + side.sign
    price = fill + side.sign * 9
    desk.mark(*((price, price + 1) if side is Side.BUY else (price - 1, price)), instrument=MCL)
    desk.wait(GAP_MS)
    assert moved(desk) == fill + side.sign * 3


# At what can be believed.


@pytest.mark.parametrize(
    ("bid", "ask", "last", "age_ms"),
    [
        (ASK + 30, ASK + 31, ASK + 30, 10_000),
        (ASK + 31, ASK + 30, ASK + 30, 0),
        (ASK + 30, None, ASK + 30, 0),
        (None, ASK + 31, ASK + 30, 0),
        (ASK + 5_000, ASK + 5_001, ASK, 0),
    ],
    ids=["stale", "crossed", "without an ask", "without a bid", "far from the last trade"],
)
@LONG_AND_SHORT
def test_the_stop_stays_at_a_price_that_cannot_be_believed(
    side: Side, bid: int | None, ask: int | None, last: int, age_ms: int
) -> None:
    desk = held(side, breakeven=Breakeven(10), trail=Trail(12))

    def mirrored(price: int | None) -> int | None:
        return price if side is Side.BUY or price is None else 2 * ASK - price

    two = (mirrored(bid), mirrored(ask)) if side is Side.BUY else (mirrored(ask), mirrored(bid))
    told_ns = desk.now_ns - age_ms * MS_NS
    name = MES.contract_id
    desk.quotes[name] = Quote(name, two[0], two[1], mirrored(last), told_ns, told_ns)
    desk.feed(Mark())
    assert causes(desk) == []
    gain(desk, side, 30)
    assert causes(desk) == ["breakeven", "trailing"], "and at one that can be, it moves"


def test_the_stop_stays_without_any_price() -> None:
    desk = held(trail=Trail(12))
    del desk.quotes[MES.contract_id]
    desk.feed(Mark())
    assert causes(desk) == []


def test_the_limits_of_the_product_say_what_is_far_from_the_last_trade() -> None:
    desk = Desk(replace(WIDE, quote_jump_percent_max=None))
    desk.hold("a", stop=Exit(40), target=Leg.OFF, breakeven=Breakeven(10))
    name = MES.contract_id
    desk.quotes[name] = Quote(name, ASK + 5_000, ASK + 5_001, ASK, desk.now_ns, desk.now_ns)
    desk.feed(Mark())
    assert causes(desk) == ["breakeven"]


# Only while it rests at the broker.


def test_the_stop_stays_while_it_is_not_at_the_broker_yet() -> None:
    desk = Desk(WIDE)
    desk.enter("a", quantity=2, stop=Exit(12), target=Leg.OFF, breakeven=Breakeven(10), trail=Trail(12))
    desk.mark(ASK + 30)
    desk.wait(300)
    assert (promised(desk), desk.stop("a").status) == (None, Status.APPROVED)
    desk.accept(desk.stop("a").order_id)
    assert promised(desk) == ASK + 18


def test_a_stop_in_doubt_stays() -> None:
    desk = Desk(WIDE)
    desk.enter("a", quantity=2, stop=Exit(40), target=Leg.OFF, breakeven=Breakeven(10))
    desk.placed(desk.stop("a").order_id, Outcome.UNKNOWN)
    desk.mark(ASK + 30)
    assert promised(desk) is None


def test_a_stop_that_was_lost_stands_again_before_it_moves() -> None:
    desk = held(trail=Trail(12))
    stop = desk.stop("a")
    desk.cancelled(stop.order_id)
    desk.mark(ASK + 30)
    desk.wait(1_000)
    assert promised(desk) is None
    desk.accept(desk.stop("a").order_id)
    desk.wait(300)
    assert moved(desk) == ASK + 18


def test_without_a_stop_there_is_nothing_that_follows() -> None:
    desk = Desk(WIDE)
    desk.enter("a", stop=Leg.OFF, target=Exit(80), breakeven=Breakeven(10), trail=Trail(12))
    desk.accept(desk.target("a").order_id)
    desk.mark(ASK + 30)
    assert causes(desk) == []
    assert not desk.order("a").protection.moves


def test_a_stop_does_not_follow_while_its_position_is_being_closed() -> None:
    desk = held(breakeven=Breakeven(10))
    desk.close()
    desk.mark(ASK + 30)
    assert causes(desk) == []


def test_a_stop_follows_while_a_part_of_the_entry_is_still_working() -> None:
    desk = Desk(WIDE)
    desk.submit("a", quantity=4, limit=ASK, stop=Exit(40), target=Leg.OFF, breakeven=Breakeven(10))
    desk.accept("a")
    desk.fill("a", 2)
    desk.accept(desk.stop("a").order_id)
    desk.mark(ASK + 10)
    desk.wait(300)
    assert moved(desk) == ASK
    desk.mark(ASK - 1)
    desk.fill("a", 2, ASK - 1)
    desk.wait(300)
    moved(desk)
    stop = desk.stop("a")
    assert (stop.leaves, stop.terms.stop_ticks) == (4, ASK), "more is covered, and where it has moved it stays"


def test_a_change_that_is_under_way_is_followed_by_where_the_market_has_gone_since() -> None:
    desk = held(trail=Trail(12))
    desk.mark(ASK + 5)
    first = desk.stop("a").change
    assert first is not None
    assert first.stop_ticks == ASK - 7
    desk.wait(GAP_MS)
    desk.mark(ASK + 20)
    assert desk.stop("a").change == first, "one at a time"
    assert moved(desk) == ASK - 7
    assert moved(desk) == ASK + 8


def test_a_move_and_a_new_size_that_fall_together_are_one_change() -> None:
    desk = Desk(WIDE)
    desk.submit("a", quantity=4, limit=ASK, stop=Exit(40), target=Leg.OFF, breakeven=Breakeven(10))
    desk.accept("a")
    desk.fill("a", 2)
    desk.accept(desk.stop("a").order_id)
    desk.fill("a", 2)
    desk.forget()
    desk.quote(MES, ASK + 10, ASK + 11)
    desk.wait(300)
    assert [(change.terms.quantity, change.terms.stop_ticks) for change in desk.asked(Modify)] == [(4, ASK)]


# Not more than once a second, all together.


def asked_at(desk: Desk, ms: int, step_ms: int = 50) -> dict[str, list[int]]:
    """When each trailing stop is asked to move in a market that rises all the time, in ms from now."""
    began_ns, found = desk.now_ns, dict[str, list[int]]()
    desk.forget()
    for turn in range(1, ms // step_ms + 1):
        desk.wait(step_ms)
        for instrument in (MES, MNQ):
            desk.quote(instrument, ASK + turn, ASK + turn + 1)
        desk.feed(Mark())
        for event in desk.told(e.ProtectionChanged):
            found.setdefault(event.order_id, []).append((desk.now_ns - began_ns) // MS_NS)
        desk.forget()
        for order in list(desk.account.live_orders()):
            if order.change is not None:
                desk.modified(order.order_id)
    return found


@pytest.mark.parametrize("stops", [1, 2, 3])
def test_all_trailing_stops_together_ask_for_one_change_a_second(stops: int) -> None:
    desk = Desk(WIDE)
    for number in range(stops):
        instrument = (MES, MNQ)[number % 2]
        desk.hold(f"a{number}", stop=Exit(40), target=Leg.OFF, trail=Trail(40), instrument=instrument)
    moves = asked_at(desk, 7_000)
    assert len(moves) == stops
    for times in moves.values():
        gaps = [late - early for early, late in itertools.pairwise(times)]
        assert set(gaps) == {stops * GAP_MS}


def test_stops_that_do_not_trail_do_not_slow_those_that_do() -> None:
    desk = Desk(WIDE)
    desk.hold("a", stop=Exit(40), target=Leg.OFF, trail=Trail(40))
    desk.hold("b", stop=Exit(40), target=Leg.OFF)
    desk.hold("c", stop=Exit(40), target=Leg.OFF, breakeven=Breakeven(500))
    desk.mark(ASK + 5)
    assert desk.account.timers["trail:a"] == desk.now_ns + TRAIL_GAP_NS


def test_breakeven_waits_for_no_trail() -> None:
    desk = held(breakeven=Breakeven(10), trail=Trail(30))
    desk.mark(ASK + 1)
    desk.mark(ASK + 10)
    assert causes(desk) == ["trailing", "breakeven"]


def test_a_stop_that_waits_catches_up_by_its_timer_when_no_new_price_comes() -> None:
    desk = held(trail=Trail(12))
    desk.mark(ASK + 5)
    assert moved(desk) == ASK - 7
    desk.mark(ASK + 25)
    due_ns = desk.account.timers["trail:a"]
    assert promised(desk) == ASK - 7
    assert next_wake_ns(desk.group, desk.now_ns) == due_ns
    desk.wait((due_ns - desk.now_ns) // MS_NS - 1)
    assert promised(desk) == ASK - 7
    desk.wait(1)
    assert promised(desk) == ASK + 13


def test_a_price_that_has_gone_stale_by_then_is_not_caught_up_with() -> None:
    desk = held(trail=Trail(12))
    desk.mark(ASK + 5)
    moved(desk)
    desk.mark(ASK + 25)
    desk.quote(MES, ASK + 25, ASK + 26, age_ms=10_000)
    desk.wait(3 * GAP_MS, quiet=True)
    assert promised(desk) == ASK - 7


def test_the_timer_ends_with_the_order() -> None:
    desk = held(trail=Trail(12))
    desk.mark(ASK + 5)
    moved(desk)
    assert "trail:a" in desk.account.timers
    desk.fill(desk.stop("a").order_id, price=ASK - 7)
    assert desk.order("a").open_quantity == 0
    assert "trail:a" not in desk.account.timers


# What a person does stands.


def test_where_a_person_has_put_it_the_stop_stays() -> None:
    for ask in ("modify", "protect"):
        desk = held(breakeven=Breakeven(10), trail=Trail(12))
        if ask == "modify":
            assert desk.modify(desk.stop("a").order_id, stop_ticks=ASK - 20).ok
        else:
            assert desk.protect(stop=ASK - 20).ok
        assert moved(desk) == ASK - 20
        desk.mark(ASK + 100)
        desk.wait(5_000)
        assert (promised(desk), causes(desk)) == (ASK - 20, ["asked for"])


def test_a_target_that_a_person_moves_lets_the_stop_follow() -> None:
    desk = Desk(WIDE)
    desk.hold("a", stop=Exit(12), target=Exit(80), trail=Trail(12))
    assert desk.modify(desk.target("a").order_id, limit_ticks=ASK + 90).ok
    desk.mark(ASK + 5)
    assert causes(desk) == ["asked for", "trailing"]


def test_a_target_that_fills_lets_the_stop_of_the_rest_follow() -> None:
    desk = Desk(WIDE)
    desk.hold("a", quantity=2, stop=Exit(12), target=Leg.OFF, trail=Trail(12))
    assert desk.protect(target=ASK + 50).ok
    desk.accept(desk.target("a").order_id)
    desk.fill(desk.target("a").order_id, 1, ASK + 50)
    desk.mark(ASK + 50)
    desk.wait(300)
    assert moved(desk) == ASK + 38
    assert desk.stop("a").leaves == 1


def test_a_stop_that_somebody_moved_at_the_broker_is_put_back_to_where_it_has_trailed() -> None:
    desk = held(trail=Trail(12))
    desk.mark(ASK + 5)
    moved(desk)
    desk.show(desk.stop("a").order_id, OrderState.OPEN, stop_ticks=ASK - 60)
    desk.wait(300)
    assert moved(desk) == ASK - 7


def test_a_refused_change_is_tried_again_and_the_promise_stands() -> None:
    desk = held(breakeven=Breakeven(10))
    desk.mark(ASK + 10)
    desk.modified(desk.stop("a").order_id, Outcome.REFUSED, "not now")
    desk.forget()
    desk.wait(300)
    assert [change.terms.stop_ticks for change in desk.asked(Modify)] == [ASK]


@LONG_AND_SHORT
def test_a_busted_fill_of_the_entry_does_not_let_the_stop_trail_backwards(side: Side) -> None:
    """The average is worse then than where the stop was measured from; where it rests is better than its promise."""
    desk = Desk(WIDE)
    desk.quote(MES, ASK, ASK)
    desk.submit("a", side, 2, stop=Exit(10), target=Leg.OFF, trail=Trail(12, 5))
    desk.accept("a")
    desk.fill("a", 1, ASK - side.sign * 6)
    busted = desk.fill("a", 1, ASK + side.sign * 6)
    desk.accept(desk.stop("a").order_id)
    desk.wait(300)
    resting = ASK - side.sign * 10
    assert (promised(desk), moved(desk)) == (None, resting)
    desk.feed(replace(busted, voided=True))
    desk.wait(300)
    moved(desk)
    gain(desk, side, 1)
    assert moved(desk) == resting
    gain(desk, side, 7)
    assert moved(desk) == resting + side.sign * 5


# The journal.


def test_the_journal_gives_the_same_state_again() -> None:
    desk = Desk(WIDE)
    desk.hold("a", quantity=2, stop=Exit(12), target=Leg.OFF, breakeven=Breakeven(10), trail=Trail(12))
    desk.hold("b", Side.SELL, stop=Exit(5), target=Leg.OFF, trail=Trail(5), instrument=MNQ)
    for bid in (ASK + 5, ASK + 10, ASK + 40):
        desk.mark(bid)
        desk.mark(2 * BID - bid, instrument=MNQ)
        for name in "ab":
            moved(desk, name)
    assert {"breakeven", "trailing"} == set(causes(desk))
    group = Group()
    for event in desk.events:
        group = evolve(group, event)
    assert group == desk.group
    assert group.accounts[ACCOUNT].timers == desk.account.timers
