"""What a desk of three processes logs, read as a person reads it: with one order's id."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import pytest

from tests.end_to_end.process import until
from tests.end_to_end.split import ROLES, Split, split_desk


@pytest.fixture(scope="module")
def desk(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Split]:
    with split_desk(tmp_path_factory.mktemp("logs"), LOG_LEVEL="debug") as desk:
        until(lambda: len(desk.rows("/api/accounts")) == 2)
        yield desk


def lines(desk: Split, role: str) -> list[Any]:
    """The log of ``role``, but for what it says to whoever has started it."""
    return [json.loads(line) for line in desk.log(role).splitlines() if not line.startswith("ordergate: ")]


def told(desk: Split, role: str, name: str) -> list[str]:
    """What the lines with that text in their order's id say, in their order."""
    return [line["event"] for line in lines(desk, role) if name in str(line.get("order", ""))]


def in_turn(words: list[str], said: list[str]) -> bool:
    """Whether ``words`` are said in this order, whatever else is said between them."""
    left = iter(said)
    return all(word in left for word in words)


def test_one_order_id_threads_the_logs_of_all_roles_from_the_page_to_the_resting_stop(desk: Split) -> None:
    placed = desk.post(
        "/api/order", accountId=desk.account(), instrument="MES", side="BUY", quantity=1, orderId="thread-1"
    )
    assert placed[0] == 200, placed
    until(lambda: "target approved" in told(desk, "aggregator", "thread-1"))
    until(lambda: told(desk, "connection-manager", "thread-1/target").count("report published") == 1)
    assert told(desk, "manual-trading", "thread-1") == ["asked", "published"]
    gate = ["intercepted", "decided", "recorded", "approved", "order approved", "fill", "stop approved", "stop rests"]
    assert in_turn(gate, told(desk, "aggregator", "thread-1"))
    assert "answered" in told(desk, "aggregator", "thread-1")
    sent = ["command received", "approval recorded", "order sent", "order answered", "report published"]
    for name in ("/stop/", "/target/", ""):
        assert in_turn(sent, told(desk, "connection-manager", f"thread-1{name}")), name


def test_a_denied_order_is_told_by_its_id_and_the_connection_manager_never_hears_of_it(desk: Split) -> None:
    asked = {"accountId": desk.account(1), "instrument": "MES", "side": "BUY", "quantity": 99}
    assert desk.post("/api/order", **asked, orderId="thread-2")[0] == 422
    until(lambda: "order denied" in told(desk, "aggregator", "thread-2"))
    (line,) = [line for line in lines(desk, "aggregator") if line["event"] == "order denied"]
    assert {"code": "MAX_ORDER_SIZE", "observed": "99", "limit": "10"} in line["breaches"]
    assert told(desk, "connection-manager", "thread-2") == []


def test_a_cancel_is_told_by_the_id_of_its_order(desk: Split) -> None:
    price = desk.get("manual-trading", "/api/prices")[1]["MES"]["bid"] - 5
    asked = {"accountId": desk.account(1), "instrument": "MES", "side": "BUY", "quantity": 1}
    assert desk.post("/api/order", **asked, orderType="LIMIT", limitPrice=price, orderId="thread-3")[0] == 200
    until(lambda: "order answered" in told(desk, "connection-manager", "thread-3"))
    assert desk.post("/api/cancel-order", orderId="thread-3")[0] == 200
    until(lambda: "order cancelled" in told(desk, "aggregator", "thread-3"))
    assert in_turn(["order approved", "cancel decided", "order cancelled"], told(desk, "aggregator", "thread-3"))
    assert told(desk, "connection-manager", "thread-3").count("order sent") == 2


def test_every_line_has_its_time_level_part_and_text(desk: Split) -> None:
    for role in ROLES:
        for line in lines(desk, role):
            assert list(line)[:4] == ["timestamp", "level", "part", "event"], line
