"""Native brackets from end to end: attached to the order, seen as its legs, and there when this process is not."""

from __future__ import annotations

from pathlib import Path

from tests.end_to_end.process import Desk, running, until
from tests.end_to_end.test_order_path import LIMIT, STOP, protected

FLAGS = ("--bracket-mode", "auto_oco")
BRACKET = {"stopLoss": {"enabled": True, "points": 50}, "takeProfit": {"enabled": True, "points": 50}}


def test_a_native_bracket_is_the_entrys_and_outlives_the_desk(folder: Path) -> None:
    with running(folder, *FLAGS) as desk:
        assert desk.buy(2, "native-1", **BRACKET)[0] == 200
        legs = protected(desk, 2)
        entry = next(row for row in desk.venue_orders() if row["id"] == legs[STOP]["parentOrderId"])
        assert legs[STOP]["customTag"] == f"{entry['customTag']}-SL"
        assert len(desk.venue_orders()) == 3, "nothing was placed from here"
        until(lambda: desk.position()["protection"]["state"] == "protected")
        assert desk.get("/api/if-we-die")[0]["bounded"] is True
        desk.post("/api/close-position", {"accountId": desk.account, "instrument": "MES", "quantity": 1})
        protected(desk, 1)
        desk.kill()
    again = Desk(folder, *FLAGS)
    try:
        again.wait_ready()
        assert sorted(row["type"] for row in again.resting()) == [LIMIT, STOP]
        assert again.position()["protected"] is True
        status, answer = again.post("/api/flatten", {"accountId": again.account})
        assert (status, answer["flat"]) == (200, True)
        until(again.flat_and_empty)
    finally:
        again.stop()
