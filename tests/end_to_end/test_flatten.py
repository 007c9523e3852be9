"""Flatten under fire: whatever is in flight, the end is flat and never reversed."""

from __future__ import annotations

import threading
from functools import partial
from pathlib import Path
from typing import Any

from tests.end_to_end.process import Desk, running, until


def test_flatten_with_a_target_filling_in_flight_ends_flat_and_never_reversed(folder: Path) -> None:
    with running(folder, "--latency-ms", "60") as desk:
        for attempt in range(3):
            leg = {"enabled": True, "points": 40}
            desk.buy(3, f"race-{attempt}", stopLoss=leg, takeProfit=leg)
            until(lambda: len(desk.resting()) == 2)
            target = until(partial(target_of, desk, f"race-{attempt}"))
            price = desk.get("/api/prices")["MES"]["bid"] - 5
            # The exchange fills the target while the cancel of it is on its way.
            desk.post("/api/modify-order", {"orderId": target["orderId"], "limitPrice": price})
            status, answer = desk.post("/api/flatten", {"accountId": desk.account})
            assert status == 200, answer
            until(desk.flat_and_empty, 20)
            assert lowest_net(desk) >= 0


def target_of(desk: Desk, order_id: str) -> Any:
    """The order's target, once it works."""
    leg = desk.order(order_id)["takeProfit"]
    return leg if leg and leg["status"] == "WORKING" else None


def lowest_net(desk: Desk) -> int:
    """The lowest net position that the exchange's own fills passed through."""
    trades = desk.venue("/api/Trade/search", {"startTimestamp": "2020-01-01T00:00:00Z"})["trades"]
    net, low = 0, 0
    for row in sorted(trades, key=lambda row: row["id"]):
        net += row["size"] if row["side"] == 0 else -row["size"]
        low = min(low, net)
    return low


def test_flatten_pressed_ten_times_from_many_hands_is_one_flatten(folder: Path) -> None:
    with running(folder) as desk:
        desk.buy(4, "many")
        until(lambda: len(desk.resting()) == 2)
        hands = [threading.Thread(target=desk.post, args=("/api/flatten", {"accountId": "all"})) for _ in range(10)]
        for hand in hands:
            hand.start()
        for hand in hands:
            hand.join(20)
        until(desk.flat_and_empty, 20)
        closes = [row for row in desk.venue_orders() if row["side"] == 1 and row["type"] == 2]
        assert sum(row["fillVolume"] for row in closes) == 4
