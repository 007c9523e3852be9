"""Faults of brackets, by their numbers in the fault catalogue: the whole desk against its exchange over sockets."""

from __future__ import annotations

import asyncio
import contextlib
from decimal import Decimal
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from ordergate.core import events as e
from ordergate.exchange.settings import BracketMode
from ordergate.journal.codec import decode
from ordergate.journal.sqlite import SqliteJournal
from tests.end_to_end.process import Desk as Process
from tests.end_to_end.process import running as process
from tests.end_to_end.process import until as until_now
from tests.exchange.support import MES
from tests.faults.desk import ASK, BID, BUY, LOOK_S, SELL, Desk, price, until
from tests.faults.line import (
    LIMIT,
    MARKET,
    MARKET_HUB,
    STOP,
    USER_HUB,
    Fault,
    Held,
    OffRange,
    Refused,
    TurnedAway,
    a_market_order,
    a_stop,
)
from tests.faults.side_by_side import beside_the_others, on_a_desk

FILLED, CANCELLED, REJECTED = 2, 3, 5
# Longer than an exit waits for what is in its way, and shorter than all its rounds.
CLEARED_S = 0.7
MOVING = {"stop": {"ticks": 20}, "targets": [], "breakeven": {"trigger": 10}, "trail": {"distance": 20}}


@on_a_desk()
async def test_a_partial_fill_whose_stop_is_refused_once_is_covered_by_the_next(desk: Desk) -> None:
    """F30."""
    refused = desk.fault(Refused, "Order/place", a_stop, times=1)
    await desk.quoted(BID, bid_size=100, ask_size=2)
    await desk.buy(5, orderType="LIMIT", limitPrice=price(ASK))
    await desk.protected()
    assert [body["size"] for body in refused.met] == [2]
    assert len(desk.alarms("PROTECTION_FAILED")) == 1
    assert [row["size"] for row in await desk.resting(STOP)] == [2]
    assert await desk.nets() == [2]


@on_a_desk()
async def test_a_partial_fill_whose_stop_is_refused_for_good_is_closed_and_so_is_what_fills_later(desk: Desk) -> None:
    """F30."""
    refused = desk.fault(Refused, "Order/place", a_stop)
    await desk.quoted(BID, ask_size=2)
    await desk.buy(5, orderType="LIMIT", limitPrice=price(ASK))
    await until(lambda: len(desk.alarms("PROTECTION_FAILED")) == 3)
    await until(lambda: flat(desk))
    assert [body["size"] for body in refused.met] == [2, 2, 2]
    assert desk.alarms("UNPROTECTED")
    await desk.quoted(BID)
    await desk.over()
    assert await desk.nets() == [2, 0, 3, 0]
    assert len(refused.met) == 3
    assert await longest_gap_s(desk) < 5


@on_a_desk()
async def test_a_stop_that_is_too_far_for_the_broker_is_drawn_in_until_it_is_taken(desk: Desk) -> None:
    """F30, where the broker's range of prices is narrower than the stop is far."""
    near = price(BID - 40)
    refused = desk.fault(OffRange, "Order/place", lambda body: a_stop(body) and body["stopPrice"] < near)
    await desk.buy(2, bracket={"stop": {"ticks": 120}, "targets": []})
    await desk.protected()
    assert [body["stopPrice"] for body in refused.met] == [price(ASK - 120), price(BID - 59)]
    (stop,) = await desk.resting(STOP)
    assert (stop["stopPrice"], stop["size"]) == (price(BID - 29), 2)
    assert len(desk.alarms("PROTECTION_FAILED")) == 2
    position = await desk.position()
    assert [row["price"] for row in position["stops"]] == [price(BID - 29)]


@on_a_desk()
async def test_a_fill_with_the_market_through_its_stop_is_closed_and_no_stop_is_tried(desk: Desk) -> None:
    """F31, where the desk has seen the market."""
    order = desk.fault(Held, "Order/place", a_market_order, times=1)
    await desk.buy(2, bracket={"stop": {"price": price(BID - 20)}, "targets": []})
    await until(lambda: order.met)
    await desk.quoted(BID - 100)
    await desk.seen(BID - 100)
    order.arrive()
    await until(lambda: closed(desk))
    await desk.over()
    await desk.alarmed("UNPROTECTED")
    assert await desk.orders(SELL, STOP) == []
    assert [row["size"] for row in await desk.orders(SELL, MARKET)] == [2]
    assert await desk.nets() == [2, 0]


@on_a_desk()
async def test_a_stop_that_the_market_is_through_unseen_is_tried_three_times_and_the_position_closed(
    desk: Desk,
) -> None:
    """F31, where the desk has not seen the market: the exchange itself says no."""
    order = desk.fault(Held, "Order/place", a_market_order, times=1)
    await desk.buy(2, bracket={"stop": {"price": price(BID - 20)}, "targets": []})
    await until(lambda: order.met)
    desk.line.deafen(MARKET_HUB)
    await desk.quoted(BID - 100)
    order.arrive()
    await until(lambda: closed(desk))
    await desk.over()
    assert [row["status"] for row in await desk.orders(SELL, STOP)] == [REJECTED] * 3
    assert len(desk.alarms("PROTECTION_FAILED")) == 3
    assert await desk.nets() == [2, 0]


@on_a_desk()
async def test_no_target_is_placed_before_its_stop_rests(desk: Desk) -> None:
    """F32."""
    refused = desk.fault(Refused, "Order/place", a_stop, times=2)
    targets = desk.fault(Fault, "Order/place", lambda body: body["type"] == LIMIT)
    await desk.buy(2)
    await until(lambda: len(refused.met) == 2)
    assert targets.met == []
    await until(lambda: targets.met)
    (stop,), (target,) = await desk.orders(SELL, STOP), await desk.orders(SELL, LIMIT)
    assert stop["id"] < target["id"]


@on_a_desk()
async def test_a_target_whose_stop_has_become_impossible_is_pulled_before_the_position_is_closed(desk: Desk) -> None:
    """F32."""
    await desk.buy(2)
    await until(lambda: both_rest(desk))
    desk.fault(Refused, "Order/place", a_stop)
    (stop,), (target,) = await desk.orders(SELL, STOP), await desk.orders(SELL, LIMIT)
    await desk.exchange("Order/cancel", orderId=stop["id"])
    await until(lambda: closed(desk))
    await desk.over()
    (pulled,), (close,) = await desk.orders(SELL, LIMIT), await desk.orders(SELL, MARKET)
    assert (pulled["id"], pulled["status"], pulled["fillVolume"]) == (target["id"], CANCELLED, 0)
    assert pulled["updateTimestamp"] <= close["creationTimestamp"]
    assert await desk.nets() == [2, 0]
    assert len(desk.alarms("PROTECTION_FAILED")) == 3
    assert desk.alarms("UNPROTECTED")


@on_a_desk()
async def test_a_stop_and_a_target_that_both_fill_are_reversed_by_the_excess_and_told(desk: Desk) -> None:
    """F33."""
    await desk.buy(2)
    await until(lambda: both_rest(desk))
    await desk.quoted(BID, BID - 25, BID + 45)
    await until(lambda: bought_back(desk))
    await desk.over()
    assert await desk.nets() == [2, 0, -2, 0]
    await desk.alarmed("UNPROTECTED")
    assert desk.alarms("UNPROTECTED") == [
        "2 of the position without a resting stop: being closed: exits went through flat"
    ]
    assert desk.alarms("UNPROTECTED_BY_CHOICE") == []


@on_a_desk()
async def test_a_sibling_whose_cancel_is_answered_429_is_cancelled_again(desk: Desk) -> None:
    """F34."""
    await desk.buy(2)
    await until(lambda: both_rest(desk))
    turned_away = desk.fault(TurnedAway, "Order/cancel", times=2)
    await desk.quoted(BID - 30)
    await desk.over()
    assert len(turned_away.met) == 2
    assert [row["status"] for row in await desk.orders(SELL, LIMIT)] == [CANCELLED]
    assert await desk.nets() == [2, 0]


@on_a_desk()
async def test_a_sibling_whose_cancel_is_refused_is_cancelled_again(desk: Desk) -> None:
    """F34."""
    await desk.buy(2)
    await until(lambda: both_rest(desk))
    refused = desk.fault(Refused, "Order/cancel", times=2)
    await desk.quoted(BID - 30)
    await desk.over()
    assert len(refused.met) == 2
    assert await desk.nets() == [2, 0]


@on_a_desk()
async def test_a_sibling_that_fills_before_its_late_cancel_is_closed_again(desk: Desk) -> None:
    """F34."""
    await desk.buy(2)
    await until(lambda: both_rest(desk))
    cancel = desk.fault(Held, "Order/cancel", times=1)
    await desk.quoted(BID - 30)
    await until(lambda: cancel.met)
    assert await desk.nets() == [2, 0]
    await desk.quoted(BID + 50)
    await until(lambda: bought_back(desk))
    cancel.arrive()
    await desk.over()
    assert await desk.nets() == [2, 0, -2, 0]


@on_a_desk()
async def test_a_stop_that_the_trader_widens_elsewhere_is_put_back(desk: Desk) -> None:
    """F35."""
    await desk.buy(2)
    await until(lambda: both_rest(desk))
    (stop,) = await desk.resting(STOP)
    changes = desk.fault(Fault, "Order/modify")
    await desk.exchange("Order/modify", orderId=stop["id"], stopPrice=price(BID - 200))
    await until(lambda: changes.met)
    await until(lambda: stands_at(desk, stop["stopPrice"]))
    assert [row["id"] for row in await desk.orders(SELL, STOP)] == [stop["id"]]
    assert await desk.says("protected")


@on_a_desk()
async def test_a_stop_that_the_trader_deletes_elsewhere_is_placed_again(desk: Desk) -> None:
    """F35."""
    await desk.buy(2)
    await until(lambda: both_rest(desk))
    (stop,) = await desk.resting(STOP)
    await desk.exchange("Order/cancel", orderId=stop["id"])
    await until(lambda: both_rest(desk))
    await desk.protected()
    (again,) = await desk.resting(STOP)
    assert (again["stopPrice"], again["size"]) == (stop["stopPrice"], 2)
    told = [(event.state, event.uncovered) for event in await desk.journaled(e.CoverChanged)]
    assert told[-2:] == [(e.Cover.PROTECTING, 2), (e.Cover.PROTECTED, 0)]


@on_a_desk()
async def test_the_legs_of_another_bracket_engine_go_once_ours_rest_and_not_before(desk: Desk) -> None:
    """F36: the other engine is a program with the same login, as quick as the platform's own."""
    ours = desk.fault(Held, "Order/place", a_stop)
    await desk.buy(2)
    await until(lambda: ours.met)
    legs = {"contractId": MES, "side": SELL, "size": 2}
    stop = await desk.exchange("Order/place", type=STOP, stopPrice=price(BID - 60), **legs)
    target = await desk.exchange("Order/place", type=LIMIT, limitPrice=price(BID + 60), **legs)
    await desk.alarmed("BRACKET_MODE")
    assert {row["id"] for row in await desk.resting()} == {stop["orderId"], target["orderId"]}
    ours.arrive()
    await until(lambda: both_rest(desk))
    assert all((row["customTag"] or "").startswith("og-") for row in await desk.resting())
    await desk.quoted(BID - 70)
    await desk.over()
    assert await desk.nets() == [2, 0]


@on_a_desk(native=True, platform=BracketMode.POSITION)
async def test_an_account_in_position_brackets_mode_refuses_the_entry_and_is_served_from_here_then(desk: Desk) -> None:
    """F37."""
    await desk.buy(2, "a")
    await desk.alarmed("ORDER_REJECTED")
    await desk.alarmed("BRACKET_MODE")
    assert await desk.nets() == []
    await desk.buy(2, "b")
    await until(lambda: both_rest(desk))
    assert [row["status"] for row in await desk.orders(BUY, MARKET)] == [REJECTED, FILLED]
    assert await desk.nets() == [2]


@on_a_desk()
async def test_a_part_is_not_closed_while_the_stop_of_all_may_still_fill(desk: Desk) -> None:
    """F38: the stop shrinks for a close of a part, and fills first."""
    await desk.buy(3, bracket={"stop": {"ticks": 20}, "targets": []})
    await desk.protected()
    shrink = desk.fault(Held, "Order/modify")
    closing = asyncio.create_task(desk.post("/api/close-position", instrument="MES", quantity=1))
    await until(lambda: shrink.met)
    await asyncio.sleep(CLEARED_S)
    await desk.quoted(BID - 30)
    await until(lambda: closed(desk))
    shrink.arrive()
    await closing
    await desk.over()
    assert await desk.orders(SELL, MARKET) == []
    assert await desk.nets() == [3, 0]


@on_a_desk()
async def test_a_scale_out_whose_stop_fills_before_it_is_resized_is_closed_again(desk: Desk) -> None:
    """F38: a target takes a part, and the stop of all fills before it can shrink."""
    await desk.buy(2, bracket={"stop": {"ticks": 20}, "targets": [{"ticks": 10, "quantity": 1}, {"ticks": 40}]})
    await until(lambda: rest(desk, 3))
    shrink = desk.fault(Held, "Order/modify")
    await desk.quoted(BID + 12)
    await until(lambda: shrink.met)
    await desk.quoted(BID - 30)
    await until(lambda: bought_back(desk))
    shrink.arrive()
    await desk.over()
    assert await desk.nets() == [2, 1, -1, 0]


@on_a_desk()
async def test_a_stop_neither_trails_nor_goes_to_breakeven_at_a_crossed_quote(desk: Desk) -> None:
    """F39."""
    changes = desk.fault(Fault, "Order/modify")
    await desk.buy(2, bracket=MOVING)
    await desk.protected()
    await desk.crossed(BID + 100, BID + 50)
    await desk.seen(BID + 100)
    await asyncio.sleep(0.5)  # longer than changes of a stop are gathered
    assert changes.met == []
    await desk.quoted(BID + 30)
    await until(lambda: stands_at(desk, price(BID + 30 - 20)))


@on_a_desk(quote_age_ms_max=1_500)
async def test_a_stop_neither_trails_nor_goes_to_breakeven_at_a_stale_quote(desk: Desk) -> None:
    """F39."""
    stop, changes = desk.fault(Held, "Order/place", a_stop), desk.fault(Fault, "Order/modify")
    await desk.quoted(BID + 1)
    await desk.seen(BID + 1)
    await desk.buy(2, bracket=MOVING)
    await until(lambda: stop.met)
    await desk.quoted(BID + 30)
    await desk.seen(BID + 30)
    await asyncio.sleep(1.6)
    stop.arrive()
    await desk.protected()
    await asyncio.sleep(0.5)
    assert changes.met == []
    await desk.quoted(BID + 31)
    await until(lambda: stands_at(desk, price(BID + 31 - 20)))


@on_a_desk()
async def test_stops_that_are_refused_without_end_end_in_closes_and_in_no_new_risk(desk: Desk) -> None:
    """F41."""
    refused = desk.fault(Refused, "Order/place", a_stop)
    await desk.buy(1, "a")
    await until(lambda: exits_ended(desk, 1))
    await desk.buy(1, "b")
    await until(lambda: exits_ended(desk, 2))
    await desk.alarmed("REPEATED_ACTION")
    await desk.over()
    status, answer = await desk.post("/api/order", instrument="MES", side="BUY", quantity=1, orderId="c")
    assert [breach["code"] for breach in answer["breaches"]] == ["REPEATED_ACTION"], (status, answer)
    assert len(refused.met) == 6
    assert await desk.nets() == [1, 0, 1, 0]


@on_a_desk()
async def test_a_position_whose_stop_and_close_are_refused_is_told_and_closed_as_soon_as_it_can_be(desk: Desk) -> None:
    """F41."""
    desk.fault(Refused, "Order/place", a_stop)
    closes = desk.fault(Refused, "Order/place", lambda body: a_market_order(body) and body["side"] == SELL, times=3)
    await desk.buy(1)
    await desk.alarmed("EXIT_NOT_FLAT")
    assert await desk.says("unprotected")
    await until(lambda: flat(desk))
    await desk.over()
    assert len(closes.met) == 3
    assert await desk.nets() == [1, 0]


@on_a_desk()
async def test_stops_that_something_deletes_without_end_end_in_a_close_and_not_in_a_used_up_request_limit(
    desk: Desk,
) -> None:
    """F41, and F35 where it does not stop."""
    stops = desk.fault(Fault, "Order/place", a_stop)
    await desk.buy(1)
    while not await closed(desk):
        for row in await desk.resting(STOP):
            await desk.exchange("Order/cancel", orderId=row["id"])
        await asyncio.sleep(LOOK_S)
    await desk.over()
    assert len(stops.met) == 4
    assert len(desk.alarms("PROTECTION_FAILED")) == 3
    assert await desk.nets() == [1, 0]


@on_a_desk()
async def test_flatten_with_a_target_that_fills_in_part_in_flight_closes_the_rest(desk: Desk) -> None:
    """F42."""
    await desk.buy(3)
    await until(lambda: both_rest(desk))
    cancel = desk.fault(Held, "Order/cancel")
    flattening = asyncio.create_task(desk.post("/api/flatten"))
    await until(lambda: len(cancel.met) == 2)
    await desk.quoted(ASK + 40, bid_size=1)
    await asyncio.sleep(CLEARED_S)
    assert await desk.nets() == [3, 2]
    cancel.arrive()
    await flattening
    await desk.over()
    assert [row["size"] for row in await desk.orders(SELL, MARKET)] == [2]
    assert min(await desk.nets()) == 0


@on_a_desk()
async def test_flatten_with_a_target_that_fills_in_flight_closes_nothing_twice(desk: Desk) -> None:
    """F42."""
    await desk.buy(3)
    await until(lambda: both_rest(desk))
    cancel = desk.fault(Held, "Order/cancel")
    flattening = asyncio.create_task(desk.post("/api/flatten"))
    await until(lambda: len(cancel.met) == 2)
    await asyncio.sleep(CLEARED_S)
    await desk.quoted(BID + 50)
    await until(lambda: closed(desk))
    cancel.arrive()
    await flattening
    await desk.over()
    assert await desk.orders(SELL, MARKET) == []
    assert await desk.nets() == [3, 0]


@on_a_desk()
async def test_a_stop_that_triggers_and_does_not_fill_is_told_and_gets_no_second_exit(desk: Desk) -> None:
    """F43: it traded through the stop, and nobody buys."""
    await desk.buy(2)
    await until(lambda: both_rest(desk))
    placed = desk.fault(Fault, "Order/place")
    await desk.quoted(BID - 30, bid_size=0)
    await desk.alarmed("UNPROTECTED")
    assert await desk.says("unprotected")
    assert placed.met == []
    assert await desk.nets() == [2]
    await desk.quoted(BID - 60)
    await desk.over()
    assert await desk.nets() == [2, 0]


@on_a_desk()
async def test_a_flatten_in_a_halt_sends_one_close_once_the_stop_is_gone(desk: Desk) -> None:
    """F43."""
    await desk.buy(2)
    await until(lambda: both_rest(desk))
    await desk.quoted(BID - 30, bid_size=0)
    cancel = desk.fault(Held, "Order/cancel")
    flattening = asyncio.create_task(desk.post("/api/flatten"))
    await until(lambda: len(cancel.met) == 2)
    await asyncio.sleep(CLEARED_S)
    assert await desk.orders(SELL, MARKET) == []
    cancel.arrive()
    await until(lambda: desk.orders(SELL, MARKET))
    await asyncio.sleep(1)
    await desk.quoted(BID - 60)
    await flattening
    await desk.over()
    assert [row["size"] for row in await desk.orders(SELL, MARKET)] == [2]
    assert await desk.nets() == [2, 0]


@on_a_desk()
async def test_a_stop_whose_fill_the_hub_has_lost_is_read_once_the_market_is_at_it(desk: Desk) -> None:
    """F43, where it has filled after all: seen as not filled, nothing is closed twice."""
    await desk.buy(2)
    await until(lambda: both_rest(desk))
    desk.line.deafen(USER_HUB)
    await desk.quoted(BID - 30)
    await desk.over()
    assert desk.alarms("UNPROTECTED")
    assert await desk.nets() == [2, 0]


@on_a_desk()
async def test_what_is_bought_while_the_user_hub_only_pings_is_seen_and_protected(desk: Desk) -> None:
    """F21: what the hub has not told of is read, and after the third time it is connected anew."""
    desk.line.silence(USER_HUB)
    await desk.buy(2)
    await desk.protected()
    await until(lambda: both_rest(desk))
    await until(lambda: lost_link(desk))
    lost = [event.reason for event in await desk.journaled(e.LinkChanged) if not event.up]
    assert "nothing was told" in lost[-1]
    assert await desk.nets() == [2]


async def lost_link(desk: Desk) -> bool:
    return not (await desk.journaled(e.LinkChanged))[-1].up or len(await desk.journaled(e.LinkChanged)) > 2


async def exits_ended(desk: Desk, count: int) -> bool:
    return len(await desk.journaled(e.ExitFinished)) == count


async def closed(desk: Desk) -> bool:
    return (await desk.nets())[-1:] == [0]


async def bought_back(desk: Desk) -> bool:
    return bool(await desk.orders(BUY, MARKET)) and len(await desk.orders(BUY, MARKET)) == 2


async def both_rest(desk: Desk) -> bool:
    return await rest(desk, 2)


async def rest(desk: Desk, count: int) -> bool:
    return len(await desk.resting()) == count and await desk.says("protected")


async def stands_at(desk: Desk, level: Decimal) -> bool:
    return [row["stopPrice"] for row in await desk.resting(STOP)] == [level]


@beside_the_others
async def test_killed_between_a_fill_and_its_stop_it_covers_after_the_restart_and_the_gap_is_in_the_journal() -> None:
    """F40. What is there after kill -9 at every other step: ``end_to_end/test_crash.py``."""
    with TemporaryDirectory() as folder:
        life, resting = await asyncio.to_thread(killed_before_its_stop_left, Path(folder))
        journal = await SqliteJournal.open(Path(folder) / "state" / "journal.db")
        events = [decode(row.kind, row.version, row.body) async for row in journal.read()]
        await journal.close()
    assert life == -9
    assert [(row["type"], row["side"], row["size"]) for row in resting] == [(STOP, SELL, 2)]
    covers = [event for event in events if isinstance(event, e.CoverChanged)]
    assert [event.state for event in covers if event.uncovered != 2] == [e.Cover.PROTECTED]
    began, ended = covers[0], covers[-1]
    (started,) = [event for event in events if isinstance(event, e.LinkChanged) and event.reason == "starting"]
    assert began.since_ns < started.at_ns < ended.at_ns
    assert began.since_ns + ended.lasted_ns == ended.at_ns
    assert ended.at_ns - started.at_ns < 10_000_000_000


def killed_before_its_stop_left(folder: Path) -> tuple[int, list[Any]]:
    """How the first life ended, and what rests at the exchange in the second once the position is protected."""
    first = Process(folder, crash=("order sent", 2))
    try:
        first.wait_ready()
        with contextlib.suppress(OSError, ValueError):
            first.buy(2, takeProfit={"enabled": False})
        life = first.process.wait(20)
    finally:
        if first.process.exit_code is None:
            first.kill()
    with process(folder) as second:
        until_now(lambda: (second.position() or {}).get("protected"))
        return life, second.resting()


async def flat(desk: Desk) -> bool:
    return await desk.position() is None and (await desk.nets())[-1] == 0


async def longest_gap_s(desk: Desk) -> float:
    told = await desk.journaled(e.CoverChanged)
    return float(max(event.at_ns - event.since_ns for event in told)) / 1e9
