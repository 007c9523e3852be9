"""The documented calls of port 7500, of a whole desk over real sockets."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from tests.end_to_end.process import Desk, call, running, until
from tests.end_to_end.split import Split, split_desk

STOP = 4


def asked(desk: Desk, path: str, body: object = None) -> tuple[int, Any]:
    return call(desk.at["connectionManager"], "GET" if body is None else "POST", path, body)


def held(desk: Desk) -> Any:
    """The row of the connection manager, once both legs are in it."""
    status, told = asked(desk, f"/api/positions?accountId={desk.account}")
    assert status == 200, told
    rows = [row for row in told["positions"] if row["stopLoss"] and row["takeProfit"]]
    return rows[0] if rows else None


def test_positions_are_those_of_the_page_and_name_the_orders_that_rest_at_the_exchange(desk: Desk) -> None:
    desk.buy(2, "cm-1")
    row = until(lambda: held(desk))
    page = until(lambda: desk.position() if desk.position()["stopLoss"] else None)
    assert (row["id"], row["side"], row["quantity"]) == (page["positionId"], page["side"], page["quantity"])
    assert (row["avgPrice"], row["stopLoss"]) == (page["avgPrice"], page["stopLoss"]["price"])
    stop = next(order for order in desk.resting() if order["type"] == STOP)
    assert (row["stopLossOrderId"], row["stopLoss"]) == (stop["id"], stop["stopPrice"])


def test_new_levels_move_the_stop_at_the_exchange_and_a_breach_is_denied_in_the_words_of_the_gate(desk: Desk) -> None:
    desk.buy(2, "cm-2")
    row = until(lambda: held(desk))
    nearer = row["stopLoss"] + 1
    body = {"positionId": row["id"], "stopLoss": nearer, "takeProfit": None}
    assert asked(desk, "/api/position/update-sltp", body) == (200, {"success": True} | body)
    until(lambda: held(desk)["stopLoss"] == nearer)
    status, denied = asked(desk, "/api/position/update-sltp", body | {"stopLoss": nearer - 400})
    assert (status, denied["success"]) == (422, False)
    assert denied["code"] in ("EXCESSIVE_RISK", "DAILY_LOSS_LIMIT")
    assert held(desk)["stopLoss"] == nearer


def test_each_account_has_its_own_balance_and_an_unknown_one_has_none(desk: Desk) -> None:
    for row in desk.get("/api/accounts"):
        status, told = asked(desk, f"/account/balance?accountId={row['id']}")
        assert (status, told["accountId"], told["accountName"]) == (200, row["id"], row["name"])
    status, told = asked(desk, "/account/balance?accountId=999")
    assert (status, told["code"]) == (404, "UNKNOWN_ACCOUNT")


def test_all_parts_of_a_desk_that_runs_are_well(desk: Desk) -> None:
    status, told = asked(desk, "/health")
    assert (status, told["alerts"]) == (200, [])
    assert told["components"]["gate"]["lastHeardAgeMs"] < 5_000
    assert all(row["quoteAgeMs"] < 5_000 for row in told["components"]["marketHub"]["contracts"])


def test_in_shadow_mode_positions_are_of_the_paper_book(tmp_path: Path) -> None:
    with running(tmp_path, "--shadow-mode") as desk:
        desk.buy(1, "paper")
        row = until(lambda: held(desk))
        assert row["quantity"] == 1
        assert asked(desk, f"/api/positions?accountId={desk.account}")[1]["shadow"] is True
        assert desk.venue_orders() == []


@pytest.mark.slow
def test_as_a_process_of_its_own_it_asks_the_gate_and_says_when_the_gate_or_the_broker_is_gone(tmp_path: Path) -> None:
    with split_desk(tmp_path) as desk:
        account, url = desk.account(), f"http://127.0.0.1:{desk.ports['connection-manager']}"
        positions, protect = f"/api/positions?accountId={account}", "/api/position/update-sltp"
        order = {"accountId": account, "instrument": "MES", "side": "BUY", "quantity": 1}
        until(lambda: desk.post("/api/order", **order)[0] == 200)
        row = until(lambda: stopped(desk, positions))
        body = {"positionId": row["id"], "stopLoss": row["stopLoss"] + 1, "takeProfit": None}
        assert call(url, "POST", protect, body) == (200, {"success": True} | body)
        until(lambda: stopped(desk, positions)["stopLoss"] == row["stopLoss"] + 1)
        assert desk.get("connection-manager", "/health")[1]["components"]["redis"]["status"] == "ok"

        desk.kill("aggregator")
        until(lambda: desk.get("connection-manager", "/health")[1]["components"]["gate"]["status"] == "silent", 15)
        status, told = call(url, "POST", protect, body | {"stopLoss": row["stopLoss"]})
        assert (status, told["code"]) == (503, "GATE_SILENT")
        status, told = desk.get("connection-manager", positions)
        assert (status, told["positions"][0]["stopLoss"]) == (200, row["stopLoss"] + 1)

        desk.kill("venue")
        until(lambda: desk.get("connection-manager", positions)[0] == 503, 15)
        status, away = desk.get("connection-manager", positions)
        assert (away["code"], away["lastKnown"]["positions"][0]["quantity"]) == ("BROKER_AWAY", 1)
        assert away["ageMs"] > 5_000
        status, away = desk.get("connection-manager", f"/account/balance?accountId={account}")
        assert (status, away["lastKnown"]["accountId"]) == (503, account)


def stopped(desk: Split, positions: str) -> Any:
    """The first position, once a stop of it works."""
    status, told = desk.get("connection-manager", positions)
    rows = told["positions"] if status == 200 else []
    return rows[0] if rows and rows[0]["stopLoss"] else None
