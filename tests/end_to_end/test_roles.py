"""A desk of separate processes, and those who speak to it over Redis."""

from __future__ import annotations

import json
import threading
import time
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.end_to_end.process import Events, until
from tests.end_to_end.split import ROLES, Split, client, split_desk

DENIED = 422
MARKET = 2  # `type` of an order at the broker
BUY, SELL = 0, 1  # its `side`


@pytest.fixture(scope="module")
def desk(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Split]:
    with split_desk(tmp_path_factory.mktemp("split")) as desk:
        yield desk


def test_clients_that_speak_only_the_documented_messages_trade_side_by_side(desk: Split) -> None:
    """One in each dialect, at the same time, each on an account of its own."""
    dialects = ("order:management", "aggregator:orders")
    done: dict[str, Any] = {}

    def play(number: int, dialect: str) -> None:
        done[dialect] = client(desk, desk.account(number), dialect)

    sessions = [threading.Thread(target=play, args=(number, dialect)) for number, dialect in enumerate(dialects)]
    for session in sessions:
        session.start()
    for session in sessions:
        session.join(60)
    assert set(done) == set(dialects)
    for dialect, ended in done.items():
        assert ended.returncode == 0, f"{dialect}: {ended.stderr}{desk.log('aggregator')[-3_000:]}"


def test_the_health_of_each_role_says_how_it_sees_the_others(desk: Split) -> None:
    page = until(lambda: healthy(desk))
    assert page["url"] == f"http://127.0.0.1:{desk.ports['manual-trading']}"
    assert desk.get("connection-manager", "/health")[1]["status"] == "ok"
    status, told = desk.get("manual-trading", "/health")
    assert (status, told["linkUp"]) == (200, True)
    for role in ROLES:
        redis = desk.get(role, "/health")[1]["redis"]
        assert redis["server"] == f"redis://127.0.0.1:{desk.redis.port}/0"
        assert redis["connectedSince"]


def healthy(desk: Split) -> Any:
    page = desk.gate["manualTradingServer"]
    return page if page["status"] == "healthy" else None


def test_while_the_gate_is_dead_nothing_executes_and_after_its_return_nothing_old_does(desk: Split) -> None:
    account = desk.account()
    status, _ = desk.post("/api/order", accountId=account, instrument="MES", side="BUY", quantity=1)
    assert status == 200
    held = until(lambda: bracketed(desk))
    before = len(desk.placed())
    desk.kill("aggregator")
    asked = {"accountId": account, "instrument": "MES", "side": "BUY", "quantity": 1, "orderId": "while-dead"}
    assert desk.post("/api/order", **asked)[1]["code"] in ("UNDECIDED", "STARTING")
    place = {"instanceId": "MANUAL_TRADING_V2", "orderId": "dead-too", "accountId": account, "instrument": "MES"}
    place |= {"side": "BUY", "quantity": 1, "orderType": "MARKET", "timestamp": 1}
    desk.redis.ask("PUBLISH", "order:management", json.dumps({"type": "PLACE_ORDER", "payload": place}))
    assert desk.post("/api/flatten", accountId="all")[1]["code"] == "UNDECIDED"
    status, told = until(lambda: silent(desk), 15)
    assert (status, told["code"]) == (503, "STARTING")
    assert "has not been heard" in told["error"]
    assert len(desk.placed()) == before
    desk.start("aggregator")
    rows = desk.rows("/api/positions")
    assert [(row["netPosition"], len(row["stops"])) for row in rows] == [(1, 1)]
    assert len(desk.placed()) == before
    assert rows[0]["averagePrice"] == held[0]["averagePrice"]
    assert desk.post("/api/flatten", accountId="all")[0] == 200
    until(lambda: not desk.rows("/api/positions"))


def bracketed(desk: Split) -> list[Any]:
    """The positions of which all that was promised works."""

    def works(leg: Any) -> bool:
        return bool(leg) and leg["status"] == "WORKING"

    rows = desk.rows("/api/positions")
    return [row for row in rows if works(row["stopLoss"]) and works(row["takeProfit"])]


def silent(desk: Split) -> Any:
    status, told = desk.get("manual-trading", "/api/positions")
    return (status, told) if status != 200 else None


def test_a_dead_connection_manager_stops_new_risk_and_what_closes_waits_for_its_return(desk: Split) -> None:
    account = desk.account()
    assert desk.post("/api/order", accountId=account, instrument="MES", side="BUY", quantity=1)[0] == 200
    until(lambda: bracketed(desk))
    before = len(desk.placed())
    desk.kill("connection-manager")
    until(lambda: not desk.gate["brokerLink"]["up"])
    assert "does not answer" in desk.gate["brokerLink"]["reason"]
    status, denied = desk.post("/api/order", accountId=account, instrument="MES", side="BUY", quantity=1)
    assert (status, denied["code"]) == (422, "BROKER_LINK_DOWN")
    assert desk.post("/api/flatten", accountId="all")[0] == 200
    assert len(desk.placed()) == before
    desk.start("connection-manager")
    until(lambda: desk.gate["brokerLink"]["up"] and not desk.rows("/api/positions"), 20)


@pytest.mark.parametrize("forgets", [True, False], ids=["flushed", "killed"])
def test_a_redis_that_forgets_or_dies_costs_no_position_and_no_order_twice(desk: Split, forgets: bool) -> None:  # noqa: FBT001
    asked = {"accountId": desk.account(), "instrument": "MES", "side": "BUY", "quantity": 1}
    # What the test before has closed may yet be compared with the broker.
    until(Asking(desk, f"held-{forgets}", asked))
    until(lambda: bracketed(desk))
    before = market_contracts(desk)
    if forgets:
        desk.redis.ask("FLUSHALL")
    else:
        desk.redis.kill()
        desk.redis.start()
    until(Asking(desk, f"added-{forgets}", asked), 30)
    until(lambda: protected(desk) == [(2, 2)], 20)
    assert desk.post("/api/flatten", accountId="all")[0] == 200
    until(lambda: not desk.rows("/api/positions"))
    # One entry, and what closes both, in one order or in two. A leg in doubt may be placed anew: it only reduces.
    assert market_contracts(desk) == before + Counter({BUY: 1, SELL: 2})


class Asking:
    """Asks for an order until it is approved: under one id until it is decided, and under another once it is denied."""

    def __init__(self, desk: Split, name: str, asked: dict[str, Any]) -> None:
        self._desk, self._name, self._asked, self._denials = desk, name, asked, 0

    def __call__(self) -> bool:
        order_id = f"{self._name}-{self._denials}"
        status, _ = self._desk.post("/api/order", orderId=order_id, **self._asked)
        self._denials += status == DENIED
        return status == 200


def market_contracts(desk: Split) -> Counter[int]:
    """Of each side the contracts of what opens or closes at once: neither stops nor targets."""
    contracts: Counter[int] = Counter()
    for order in desk.placed():
        if order["type"] == MARKET:
            contracts[order["side"]] += order["size"]
    return contracts


def protected(desk: Split) -> list[tuple[int, int]]:
    """Of each position its contracts, and those for which a stop works."""
    return [(row["netPosition"], sum(leg["quantity"] for leg in row["stops"])) for row in desk.rows("/api/positions")]


def test_while_redis_is_full_nothing_new_is_done_and_after_it_all_goes_on(desk: Split) -> None:
    asked = {"accountId": desk.account(), "instrument": "MES", "side": "BUY", "quantity": 1}
    until(lambda: desk.post("/api/order", **asked)[0] == 200)
    until(lambda: bracketed(desk))
    before = len(desk.placed())
    desk.redis.ask("CONFIG", "SET", "maxmemory", "1")
    try:
        status, told = desk.post("/api/order", **asked)
        assert (status, told["code"]) in ((503, "STARTING"), (504, "UNDECIDED"), (202, "UNDECIDED"), (503, "UNDECIDED"))
        assert len(desk.placed()) == before
        until(lambda: "memory" in (desk.get("aggregator", "/health")[1]["redis"]["lastError"] or ""))
    finally:
        desk.redis.ask("CONFIG", "SET", "maxmemory", "0")
    # The order may yet be decided, or have been given up; what is asked now is, once.
    until(lambda: desk.post("/api/flatten", accountId="all")[0] == 200, 20)
    until(lambda: not desk.rows("/api/positions"), 20)


@pytest.mark.parametrize("topic", ["commands", "exits"])
def test_what_somebody_else_writes_on_a_topic_is_not_done_and_is_told(desk: Split, topic: str) -> None:
    before = len(desk.placed())
    stream = f"ordergate:{topic}"
    said = json.dumps({"type": "approved", "approval": {"kind": "approved"}, "effect": {"type": "place"}})
    events = Events(f"http://127.0.0.1:{desk.ports['manual-trading']}")
    try:
        time.sleep(1.1)  # of one forgery a second the gate is told
        desk.redis.ask("XADD", stream, "*", "s", "somebody", "n", "1", "m", said)
        until(lambda: [each for each in events.named("alarm") if each["code"] == "APPROVAL_REFUSED"])
    finally:
        events.close()
    assert desk.get("connection-manager", "/health")[1]["redis"]["unsealed"][topic] >= 1
    assert len(desk.placed()) == before


def test_a_second_aggregator_of_the_same_desk_is_refused(desk: Split, tmp_path: Path) -> None:
    (tmp_path / "state").symlink_to(desk.folder / "state")
    other = Split(tmp_path, desk.redis)
    other.begin("aggregator")
    try:
        code, told = other.ended("aggregator")
    finally:
        other.stop()
    assert code == 2
    assert "uses the state directory" in told
    assert "as aggregator" in told
