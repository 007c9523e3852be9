"""``ordergate integration``: its variables and defaults, each seen to change what happens."""

from __future__ import annotations

import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest

from tests.end_to_end.process import until
from tests.end_to_end.split import Split, split_desk

OTHERS = ("connection-manager", "manual-trading")
DB = 2
LIVE = {"SHADOW_MODE": "false", "PRESERVE_ORIGINAL_WORKFLOW": "false"}
TIGHT = {
    "ALLOWED_INSTRUMENTS": "MNQ",
    "MAX_POSITION_SIZE": "3",
    "MAX_OPEN_ORDERS": "1",
    "MAX_DAILY_LOSS": "60",
    "MAX_RISK_PERCENT": "0.05",
    "DEFAULT_RISK_REWARD": "3",
    "PROCESSING_DELAY_MS": "600",
    "MAX_QUEUE_SIZE": "1",
    "ENABLE_LOGGING": "false",
}


@pytest.fixture(scope="module")
def desk(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Split]:
    with split_desk(tmp_path_factory.mktemp("live"), roles=OTHERS, redis_db=DB) as desk:
        yield desk


def order(desk: Split, symbol: str, quantity: int, **more: object) -> dict[str, Any]:
    return {"accountId": desk.account(), "instrument": symbol, "side": "BUY", "quantity": quantity} | more


def previewed(desk: Split, decision: str) -> Any:
    """What would become of four MES with a stop of their own, once that is ``decision``."""

    def look() -> Any:
        status, told = desk.post("/api/preview", **order(desk, "MES", 4, stopLoss={"points": 10}))
        return told if status == 200 and told["decision"] == decision else None

    return until(look)


def test_with_the_documented_defaults_and_a_live_desk_the_limits_are_the_documented_ones(desk: Split) -> None:
    desk.start("aggregator", "integration", **LIVE, LOG_LEVEL="debug")
    try:
        loose = previewed(desk, "approved")
        assert loose["room"]["MAX_POSITION_SIZE"] == 6
        assert '"level": "debug"' in desk.log("aggregator")
        assert desk.gate["manualTradingServer"]["url"].endswith(str(desk.ports["manual-trading"]))
        # REDIS_DB: the streams of this desk are in its own database.
        assert desk.redis.ask("DBSIZE") == 0
        assert desk.redis.ask("EXISTS", "ordergate:events", db=DB) == 1
    finally:
        desk.end("aggregator")


def test_each_limit_of_the_environment_denies_what_the_default_let_through(desk: Split) -> None:
    (desk.folder / "aggregator.log").unlink(missing_ok=True)
    desk.start("aggregator", "integration", **LIVE, **TIGHT)
    try:
        asked = time.monotonic()
        assert until(lambda: desk.post("/api/order", **order(desk, "MNQ", 1))[0] == 200)
        assert time.monotonic() - asked >= 0.6
        (row,) = until(lambda: [row for row in desk.rows("/api/positions") if row["takeProfit"]])
        entry, stop, target = row["averagePrice"], row["stopLoss"]["price"], row["takeProfit"]["price"]
        assert target - entry == 3 * (entry - stop)

        resting = order(desk, "MNQ", 1, orderType="LIMIT", limitPrice=entry - 20)
        with ThreadPoolExecutor() as several:
            at_once = list(several.map(lambda _: desk.post("/api/order", **resting), range(2)))
        assert sorted((status, told.get("code")) for status, told in at_once) == [(200, None), (503, "QUEUE_FULL")]

        denied = previewed(desk, "denied")
        codes = {breach["code"] for breach in denied["breaches"]}
        assert codes >= {
            "INSTRUMENT_NOT_ALLOWED",
            "MAX_POSITION_SIZE",
            "MAX_OPEN_ORDERS",
            "DAILY_LOSS_LIMIT",
            "EXCESSIVE_RISK",
        }
        assert desk.post("/api/flatten", accountId="all")[0] == 200
        until(lambda: not desk.rows("/api/positions"))
        assert '"level": "info"' not in desk.log("aggregator")
    finally:
        desk.end("aggregator")


def test_the_switches_of_the_environment_are_the_modes(desk: Split) -> None:
    switches = {"INTERCEPT_ORDERS": "false", "ENABLE_RISK_VALIDATION": "false", "ENABLE_SLTP_CALCULATION": "false"}
    desk.start("aggregator", "integration", SHADOW_MODE="false", MAX_POSITION_SIZE="3", **switches)
    try:
        passed = previewed(desk, "passed")
        assert passed["breaches"] == []
        modes = desk.gate["modes"]
        assert {name for name, on in modes.items() if on} == {"preserveOriginalWorkflow"}
        assert desk.gate["enforcing"] is False
        assert desk.post("/api/order", **order(desk, "MES", 4))[0] == 200
        (row,) = until(lambda: desk.rows("/api/positions"))
        assert (row["stopLoss"], row["takeProfit"]) == (None, None)
        assert desk.post("/api/flatten", accountId="all")[0] == 200
        until(lambda: not desk.rows("/api/positions"))
    finally:
        desk.end("aggregator")


@pytest.mark.parametrize(
    ("variable", "value", "told"),
    [
        ("SHADOW_MODE", "maybe", "SHADOW_MODE is 'maybe': it must be true or false"),
        ("MAX_POSITION_SIZE", "0", "MAX_POSITION_SIZE is '0': it must be a whole number of contracts from 1"),
        ("REDIS_PORT", "x", "REDIS_PORT is 'x': it must be a whole number from 1 to 65535"),
        ("PROCESSING_DELAY_MS", "5000", "processing_delay_ms is 5000: it must be below max_order_age_ms"),
        ("SHADOW_MODE", "false", "it is in shadow mode and this gate in live mode: give both the same SHADOW_MODE"),
    ],
)
def test_a_bad_value_is_refused_at_the_start_and_so_is_the_mode_of_another_desk(
    paper: Split, variable: str, value: str, told: str
) -> None:
    paper.begin("aggregator", "integration", **{variable: value})
    code, said = paper.ended("aggregator")
    assert code == 2
    assert told in said


@pytest.fixture(scope="module")
def paper(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Split]:
    with split_desk(tmp_path_factory.mktemp("paper"), roles=OTHERS, SHADOW_MODE="true") as desk:
        yield desk


def test_without_a_variable_the_runner_is_in_shadow_mode_and_nothing_reaches_the_broker(paper: Split) -> None:
    paper.start("aggregator", "integration", SHADOW_MODE="true")
    try:
        until(lambda: paper.get("manual-trading", "/api/positions")[0] == 200)
        modes = paper.gate["modes"]
        assert all(modes.values()), modes
        status, answer = paper.post("/api/order", **order(paper, "MES", 11))
        assert (status, answer["shadow"]) == (200, True)
        (row,) = until(lambda: [row for row in paper.rows("/api/positions") if row["takeProfit"]])
        assert row["netPosition"] == 11  # overridden, as the original workflow is preserved
        assert paper.post("/api/flatten", accountId="all")[0] == 200
        until(lambda: not paper.rows("/api/positions"))
        assert paper.placed() == []
    finally:
        paper.end("aggregator")


def test_the_same_redis_by_its_address_and_a_user(paper: Split, tmp_path: Path) -> None:
    paper.redis.ask("ACL", "SETUSER", "desk", "on", ">hunter2", "~*", "&*", "+@all")
    url = f"redis://desk:hunter2@127.0.0.1:{paper.redis.port}/0"
    paper.start("aggregator", "integration", REDIS_URL=url, SHADOW_MODE="true")
    try:
        redis = paper.gate["redis"]
        assert redis["server"] == f"redis://desk@127.0.0.1:{paper.redis.port}/0"
        assert "hunter2" not in paper.log("aggregator")
    finally:
        paper.end("aggregator")
    assert not list(tmp_path.iterdir())
