"""The path of one order, by HTTP and events alone, with the legs looked up at the exchange itself."""

from __future__ import annotations

import time
from typing import Any

import pytest

from tests.end_to_end.process import Desk, Events, call, until

STOP, LIMIT = 4, 1
FILLED, CANCELLED = 2, 3


def protected(desk: Desk, quantity: int) -> Any:
    """The two legs at the exchange, once both rest with this size."""

    def look() -> Any:
        legs = {row["type"]: row for row in desk.resting()}
        done = set(legs) == {STOP, LIMIT} and all(leg["size"] == quantity for leg in legs.values())
        return legs if done else None

    return until(look)


def test_a_buy_is_filled_and_its_legs_rest_at_the_exchange_computed_from_the_fill(desk: Desk) -> None:
    status, answer = desk.buy(
        2, "buy-1", stopLoss={"enabled": True, "points": 5}, takeProfit={"enabled": True, "points": 10}
    )
    assert (status, answer["success"], answer["orderId"]) == (200, True, "buy-1")
    legs = protected(desk, 2)
    order = desk.order("buy-1")
    assert order["status"] == "FILLED"
    fill = order["averageFillPrice"]
    # The average of several fills may lie between ticks: the stop rounds toward it, the target away from it.
    assert 0 <= legs[STOP]["stopPrice"] - (fill - 5) < 0.25
    assert 0 <= legs[LIMIT]["limitPrice"] - (fill + 10) < 0.25
    assert (legs[STOP]["side"], legs[LIMIT]["side"]) == (1, 1)
    shown = until(lambda: desk.order("buy-1")["takeProfit"] and desk.order("buy-1"))
    assert shown["stopLoss"]["price"] == legs[STOP]["stopPrice"]
    assert shown["takeProfit"]["price"] == legs[LIMIT]["limitPrice"]
    assert desk.position()["netPosition"] == 2


def test_an_order_without_a_word_about_exits_gets_the_default_bracket(desk: Desk) -> None:
    desk.buy(1, "default-1")
    legs = protected(desk, 1)
    fill = desk.order("default-1")["averageFillPrice"]
    assert fill - legs[STOP]["stopPrice"] == 40 * 0.25
    assert legs[LIMIT]["limitPrice"] - fill == 80 * 0.25


def test_an_order_with_both_legs_switched_off_gets_none(desk: Desk) -> None:
    desk.buy(1, "bare-1", stopLoss={"enabled": False}, takeProfit={"enabled": False})
    until(lambda: desk.order("bare-1")["status"] == "FILLED")
    assert desk.resting() == []


def test_eleven_lots_are_denied_with_code_observed_value_and_limit_and_nothing_reaches_the_exchange(desk: Desk) -> None:
    before = len(desk.venue_orders())
    status, answer = desk.buy(11, "eleven")
    assert (status, answer["success"]) == (422, False)
    breach = next(row for row in answer["breaches"] if row["code"] == "MAX_ORDER_SIZE")
    assert (breach["actual"], breach["limit"]) == (11, 10)
    assert desk.order("eleven")["status"] == "DENIED"
    assert len(desk.venue_orders()) == before


def test_an_order_that_waited_in_its_client_is_denied_and_a_position_is_left_all_the_same(desk: Desk) -> None:
    status, answer = desk.buy(1, "old", waitedMs=6_000)
    assert (status, answer["code"]) == (422, "TOO_OLD")
    assert desk.buy(1, "prompt", waitedMs=1_000)[0] == 200
    protected(desk, 1)
    assert desk.buy(1, "old-exit", side="SELL", waitedMs=60_000)[0] == 200
    until(desk.flat_and_empty)


def test_the_same_order_id_again_gets_the_same_answer_and_no_second_order(desk: Desk) -> None:
    first = desk.buy(1, "again")
    second = desk.buy(1, "again")
    assert first == second
    assert first[0] == 200
    assert desk.buy(1, "again", instrument="MNQ")[1]["code"] == "ORDER_ID_REUSED"
    protected(desk, 1)
    assert abs(desk.venue_position()) == 1


def test_the_target_fills_and_the_stop_goes(desk: Desk) -> None:
    desk.buy(1, "t-1", stopLoss={"enabled": True, "points": 60}, takeProfit={"enabled": True, "points": 60})
    protected(desk, 1)
    target = desk.order("t-1")["takeProfit"]
    price = desk.get("/api/prices")["MES"]["bid"]
    # Moved under the market: a sell limit below the bid fills at once.
    status, answer = desk.post("/api/modify-order", {"orderId": target["orderId"], "limitPrice": price - 5})
    assert status == 200, answer
    until(desk.flat_and_empty)
    ends = {row["type"]: row["status"] for row in desk.venue_orders()[-3:]}
    assert ends[STOP] == CANCELLED


@pytest.mark.slow
def test_the_stop_fills_and_the_target_goes(desk: Desk) -> None:
    desk.buy(1, "s-1", stopLoss={"enabled": True, "points": 2}, takeProfit={"enabled": True, "points": 300})
    protected(desk, 1)

    def tightened_until_hit() -> bool:
        # One tick under the bid, where the next downtick takes it.
        body = {"positionId": f"{desk.account}:{desk.order('s-1')['contractId']}", "takeProfit": None}
        desk.post("/api/update-sl-tp", body | {"stopLoss": desk.get("/api/prices")["MES"]["bid"] - 0.25})
        time.sleep(0.3)
        return desk.flat_and_empty()

    until(tightened_until_hit, 45)
    ends = {row["type"]: row["status"] for row in desk.venue_orders()[-2:]}
    assert ends == {STOP: FILLED, LIMIT: CANCELLED}


def test_a_limit_order_is_modified_and_cancelled(desk: Desk) -> None:
    price = desk.get("/api/prices")["MES"]["bid"] - 100
    desk.buy(1, "limit-1", orderType="LIMIT", limitPrice=price)
    until(lambda: desk.order("limit-1")["status"] == "WORKING")
    status, answer = desk.post("/api/modify-order", {"orderId": "limit-1", "limitPrice": price - 10, "quantity": 3})
    assert status == 200, answer
    until(lambda: [(row["limitPrice"], row["size"]) for row in desk.resting()] == [(price - 10, 3)])
    assert until(lambda: desk.order("limit-1")["limitPrice"] == price - 10)
    assert desk.post("/api/cancel-order", {"orderId": "limit-1"})[0] == 200
    until(lambda: desk.order("limit-1")["status"] == "CANCELLED")
    assert desk.resting() == []
    assert desk.post("/api/cancel-order", {"orderId": "limit-1"})[0] == 409
    assert desk.post("/api/cancel-order", {"orderId": "nobody"})[0] == 404


def test_a_stop_entry_rests_until_it_is_cancelled(desk: Desk) -> None:
    price = desk.get("/api/prices")["MES"]["ask"] + 100
    assert desk.buy(1, "stop-1", orderType="STOP", stopPrice=price)[0] == 200
    until(lambda: [row["stopPrice"] for row in desk.resting()] == [price])
    assert desk.post("/api/cancel-all", {"accountId": desk.account})[0] == 200
    until(lambda: desk.order("stop-1")["status"] == "CANCELLED")


def test_closing_cancels_the_legs_and_leaves_nothing(desk: Desk) -> None:
    desk.buy(2, "close-1")
    protected(desk, 2)
    status, answer = desk.post("/api/close-position", {"accountId": desk.account, "instrument": "MES"})
    assert (status, answer["success"]) == (200, True)
    until(desk.flat_and_empty)
    assert desk.post("/api/close-position", {"accountId": desk.account, "instrument": "MES"})[0] == 404


def test_closing_a_part_shrinks_the_legs(desk: Desk) -> None:
    desk.buy(3, "part-1")
    protected(desk, 3)
    status, _ = desk.post("/api/close-position", {"accountId": desk.account, "instrument": "MES", "quantity": 1})
    assert status == 200
    protected(desk, 2)
    until(lambda: desk.venue_position() == 2)


def test_stop_and_target_of_a_position_are_moved(desk: Desk) -> None:
    desk.buy(1, "move-1")
    legs = protected(desk, 1)
    position = desk.position()
    stop, target = legs[STOP]["stopPrice"] + 2, legs[LIMIT]["limitPrice"] + 4
    body = {"positionId": position["positionId"], "stopLoss": stop, "takeProfit": target}
    assert desk.post("/api/update-sl-tp", body)[0] == 200

    def moved() -> bool:
        prices = {row["type"]: row for row in desk.resting()}
        return (prices[STOP]["stopPrice"], prices[LIMIT]["limitPrice"]) == (stop, target)

    until(moved)
    status, answer = desk.post(
        "/api/update-sl-tp", {"positionId": position["positionId"], "stopLoss": stop - 400, "takeProfit": None}
    )
    assert status == 422, answer
    assert {row["code"] for row in answer["breaches"]} & {"EXCESSIVE_RISK", "DAILY_LOSS_LIMIT"}
    stop_id = desk.order("move-1")["stopLoss"]["orderId"]
    assert desk.post("/api/cancel-order", {"orderId": stop_id})[1]["code"] == "PROTECTIVE_STOP"


def test_selling_what_is_held_reduces_and_takes_the_legs_along(desk: Desk) -> None:
    desk.buy(2, "hold-1")
    protected(desk, 2)
    body = {"instrument": "MES", "side": "SELL", "quantity": 2, "accountId": desk.account, "orderId": "out-1"}
    assert desk.post("/api/order", body)[0] == 200
    until(desk.flat_and_empty)


def test_the_event_stream_tells_the_story_without_a_gap_and_the_snapshot_says_where_it_stands(desk: Desk) -> None:
    events = Events(desk.at["web"])
    try:
        until(lambda: events.named("price"))
        desk.buy(1, "told-1")
        protected(desk, 1)
        until(lambda: [row for row in events.named("position") if row["accountId"] == desk.account])
        until(lambda: [row for row in events.named("order") if row["orderId"] == "told-1" and row["takeProfit"]])
        desk.buy(11, "told-2")
        desk.post("/api/pause", {})
        desk.post("/api/resume", {})
        until(lambda: [row for row in events.named("alarm") if row["code"] == "RESUMED"])
        numbers = [number for number, _, _ in list(events.seen)]
        assert numbers == list(range(numbers[0], numbers[0] + len(numbers)))
        assert desk.get("/api/snapshot")["number"] >= numbers[-1]
    finally:
        events.close()


def test_every_role_answers_for_its_health(desk: Desk) -> None:
    assert [call(desk.at[role], "GET", "/health")[0] for role in ("web", "connectionManager", "aggregator")] == [
        200
    ] * 3


def test_an_order_and_a_fill_of_another_client_show_up_as_external_and_count(desk: Desk) -> None:
    contract = desk.get("/api/prices")["MES"]["contractId"]
    placed = desk.venue("/api/Order/place", {"contractId": contract, "type": 2, "side": 0, "size": 8})
    assert placed["success"]
    until(lambda: desk.position() and desk.position()["netPosition"] == 8)
    price = desk.get("/api/prices")["MES"]["bid"] - 100
    working = desk.venue(
        "/api/Order/place", {"contractId": contract, "type": 1, "side": 0, "size": 1, "limitPrice": price}
    )
    rows = until(lambda: [row for row in desk.get("/api/orders") if row["brokerOrderId"] == working["orderId"]])
    assert (rows[0]["source"], rows[0]["status"]) == ("EXTERNAL", "WORKING")
    status, answer = desk.buy(2, "on-top")
    assert status == 422
    breach = next(row for row in answer["breaches"] if row["code"] == "MAX_POSITION_SIZE")
    assert (breach["actual"], breach["limit"]) == (11, 10)
