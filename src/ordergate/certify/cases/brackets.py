"""Brackets: native ones, which the venue makes, and what one that the gate makes needs of the port.

A managed bracket is decided above the port, by a core that has its own proofs. What it stands on is certified here: a
fill that is told with its price, a stop that rests after it, new prices and sizes of it, and the end of its sibling.
"""

from __future__ import annotations

from msgspec.structs import replace

from ordergate.certify.case import Subject, require
from ordergate.certify.cases.orders import FAR, NEAR, SOON_S
from ordergate.certify.stage import Stage
from ordergate.certify.venue import Expire, NativeBrackets, Part, RejectLeg
from ordergate.core.order import OrderType, Side, Terms
from ordergate.core.reports import OrderReport, OrderState

SUBJECT = Subject("brackets")
# From fill to a stop that rests, on a line that works: the gate alarms after 5 s.
_PROTECTED_S = 5.0
_LEGS = 2


@SUBJECT.case("native: both legs sleep until the entry fills, and name it as their parent", NativeBrackets)
async def legs_sleep(stage: Stage) -> None:
    terms = _native(stage.terms(Side.BUY, 1, OrderType.LIMIT, limit_ticks=stage.bid - FAR), -40, 80)
    entry = await stage.resting(terms)
    read = await stage.snapshot()
    legs = [row for row in read.orders if row.parent_id == entry.broker_order_id]
    require([leg.state for leg in legs] == [OrderState.SUSPENDED] * _LEGS, f"the legs are {legs}")
    await stage.cancelled(entry.broker_order_id)
    for leg in legs:
        await stage.shown_as(leg.broker_order_id, OrderState.CANCELLED)


@SUBJECT.case("native: with the fill of a buy a stop rests below and a target above, from its price", NativeBrackets)
async def native_long(stage: Stage) -> None:
    await _native_rests(stage, Side.BUY)


@SUBJECT.case("native: with the fill of a sell a stop rests above and a target below, from its price", NativeBrackets)
async def native_short(stage: Stage) -> None:
    await _native_rests(stage, Side.SELL)


@SUBJECT.case("native: the stop that fills ends the target", NativeBrackets)
async def native_stop(stage: Stage) -> None:
    entry_id = await stage.filled(_native(stage.terms(Side.BUY, 1), -NEAR, FAR))
    stop, target = await _legs(stage, entry_id)
    await stage.has_filled(stop.broker_order_id, 1, SOON_S)
    await stage.shown_as(target.broker_order_id, OrderState.CANCELLED)
    await stage.holds(0)


@SUBJECT.case("native: the target that fills ends the stop", NativeBrackets)
async def native_target(stage: Stage) -> None:
    entry_id = await stage.filled(_native(stage.terms(Side.BUY, 1), -FAR, NEAR))
    stop, target = await _legs(stage, entry_id)
    await stage.has_filled(target.broker_order_id, 1, SOON_S)
    await stage.shown_as(stop.broker_order_id, OrderState.CANCELLED)
    await stage.holds(0)


@SUBJECT.case("native: the legs of an entry that fills in parts grow to what has filled", NativeBrackets, Part)
async def native_in_parts(stage: Stage) -> None:
    tag = stage.tag()
    await stage.provoke(Part(tag))
    entry_id = await stage.accepted(_native(stage.terms(Side.BUY, 4), -FAR, FAR), tag)
    await stage.has_filled(entry_id, 4)
    stop, target = await _legs(stage, entry_id)
    for leg in (stop, target):
        await stage.until(
            lambda leg=leg: stage.heard.orders[leg.broker_order_id].quantity == 4,  # type: ignore[misc] # this turn's
            f"leg {leg.broker_order_id} of 4 contracts",
        )


@SUBJECT.case(
    "native: a stop that is rejected is told as rejected, so that another can be placed", NativeBrackets, RejectLeg
)
async def native_rejected(stage: Stage) -> None:
    tag = stage.tag()
    await stage.provoke(RejectLeg(tag))
    entry_id = await stage.filled(_native(stage.terms(Side.BUY, 1), -FAR, FAR), tag)
    await stage.until(
        lambda: any(
            row.parent_id == entry_id and row.state is OrderState.REJECTED for row in stage.heard.orders.values()
        ),
        "a leg that is rejected",
    )
    await stage.resting(stage.terms(Side.SELL, 1, OrderType.STOP, stop_ticks=stage.bid - FAR))


@SUBJECT.case("managed: a stop computed from the fill's price rests within 5 s of the fill")
async def managed_stop(stage: Stage) -> None:
    entry_id = await stage.filled(stage.terms(Side.BUY, 2))
    filled_ns = max(fill.at_ns for fill in stage.heard.fills_of(entry_id))
    stop = await _stop_below(stage, entry_id, 2)
    took_s = (stage.venue.site.clock.now_ns() - filled_ns) / 1_000_000_000
    require(stage.venue.is_disturbed or took_s <= _PROTECTED_S, f"it took {took_s:.1f} s")
    read = await stage.snapshot()
    rows = [row for row in read.orders if row.broker_order_id == stop.broker_order_id]
    require([row.state for row in rows] == [OrderState.OPEN], f"read back it is {rows}")


@SUBJECT.case("managed: a stop takes a nearer price, and rests on")
async def managed_trails(stage: Stage) -> None:
    entry_id = await stage.filled(stage.terms(Side.BUY, 1))
    stop = await _stop_below(stage, entry_id, 1)
    assert stop.stop_ticks is not None
    stop = await stage.changed(stop, stop_ticks=stop.stop_ticks + 20)
    await stage.changed(stop, stop_ticks=(stop.stop_ticks or 0) + 20)


@SUBJECT.case("managed: a stop takes the quantity of what is still held, smaller and larger")
async def managed_sizes(stage: Stage) -> None:
    entry_id = await stage.filled(stage.terms(Side.BUY, 2))
    stop = await _stop_below(stage, entry_id, 2)
    await stage.filled(stage.terms(Side.SELL, 1))
    stop = await stage.changed(stop, quantity=1)
    await stage.filled(stage.terms(Side.BUY, 2))
    await stage.changed(stop, quantity=3)
    await stage.holds(3)


@SUBJECT.case("managed: after the stop has filled its target can be cancelled, and nothing is left")
async def managed_stopped(stage: Stage) -> None:
    await stage.filled(stage.terms(Side.BUY, 1))
    target = await stage.resting(stage.terms(Side.SELL, 1, OrderType.LIMIT, limit_ticks=stage.ask + FAR))
    stop = await stage.resting(stage.terms(Side.SELL, 1, OrderType.STOP, stop_ticks=stage.bid - NEAR))
    await stage.has_filled(stop.broker_order_id, 1, SOON_S)
    await stage.cancelled(target.broker_order_id)
    await stage.holds(0)


@SUBJECT.case("managed: after the target has filled its stop can be cancelled, and nothing is left")
async def managed_taken(stage: Stage) -> None:
    await stage.filled(stage.terms(Side.SELL, 1))
    stop = await stage.resting(stage.terms(Side.BUY, 1, OrderType.STOP, stop_ticks=stage.ask + FAR))
    target = await stage.resting(stage.terms(Side.BUY, 1, OrderType.LIMIT, limit_ticks=stage.bid - NEAR))
    await stage.has_filled(target.broker_order_id, 1, SOON_S)
    await stage.cancelled(stop.broker_order_id)
    await stage.holds(0)


@SUBJECT.case("managed: a token that expires between the fill and its stop costs no stop and makes no second", Expire)
async def managed_expiry(stage: Stage) -> None:
    entry_id = await stage.filled(stage.terms(Side.BUY, 1))
    await stage.provoke(Expire())
    stop = await _stop_below(stage, entry_id, 1)
    read = await stage.snapshot()
    stops = [row for row in read.orders if row.order_type is OrderType.STOP and row.state is OrderState.OPEN]
    require([row.broker_order_id for row in stops] == [stop.broker_order_id], f"the stops are {stops}")


async def _native_rests(stage: Stage, side: Side) -> None:
    far = side.sign * FAR
    entry_id = await stage.filled(_native(stage.terms(side, 1), -far, far))
    first = stage.heard.fills_of(entry_id)[0].price_ticks
    stop, target = await _legs(stage, entry_id)
    levels = stop.stop_ticks, target.limit_ticks
    require(levels == (first - far, first + far), f"filled at {first}, they rest at {levels}")
    require(stop.side is target.side is side.opposite, "on the side of the entry")
    await stage.holds(side.sign)


async def _legs(stage: Stage, entry_id: int) -> tuple[OrderReport, OrderReport]:
    """Stop and target of a native bracket, once both work."""

    def working() -> list[OrderReport]:
        legs = [row for row in stage.heard.orders.values() if row.parent_id == entry_id]
        rows = [row for row in legs if row.state is not OrderState.SUSPENDED]
        return sorted(rows, key=lambda row: row.order_type is not OrderType.STOP)

    awake = await stage.until(
        lambda: found if len(found := working()) == _LEGS else None, f"both legs of entry {entry_id} to wake up"
    )
    return awake[0], awake[1]


async def _stop_below(stage: Stage, entry_id: int, quantity: int) -> OrderReport:
    fills = stage.heard.fills_of(entry_id)
    cost = sum(fill.price_ticks * fill.quantity for fill in fills)
    price = -(-cost // sum(fill.quantity for fill in fills)) - FAR
    stop = await stage.resting(stage.terms(Side.SELL, quantity, OrderType.STOP, stop_ticks=price))
    require(stop.stop_ticks == price, f"it rests at {stop.stop_ticks} instead of {price}")
    return stop


def _native(terms: Terms, stop: int, target: int) -> Terms:
    return replace(terms, stop_offset_ticks=stop, target_offset_ticks=target)
