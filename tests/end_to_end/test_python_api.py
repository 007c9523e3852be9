"""The documented Python API, on a desk whose other roles are processes."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import structlog

from ordergate import ManualTradingIntegration
from ordergate.errors import InputRefused, StartRefused
from ordergate.integration import EVENTS
from ordergate.integration_options import settings_of
from tests.end_to_end.process import until
from tests.end_to_end.split import Split, split_desk

# As the documentation shows it, its multipliers aside (see below).
DOCUMENTED: dict[str, Any] = {
    "shadowMode": True,
    "interceptOrders": True,
    "enableRiskValidation": True,
    "enableSLTPCalculation": True,
    "preserveOriginalWorkflow": True,
    "connectionManagerUrl": "http://localhost:7500",
    "manualTradingServerUrl": "http://localhost:3003",
    "redisConfig": {"host": "localhost", "port": 6379, "db": 0},
    "aggregatorConfig": {
        "riskConfig": {
            "maxPositionSize": 10,
            "maxDailyLoss": 1000,
            "maxOpenOrders": 5,
            "allowedInstruments": ["MGC", "MNQ", "MES", "MCL", "M2K", "MYM"],
        },
        "sltpConfig": {"defaultRiskRewardRatio": 2.0, "maxRiskPercent": 2.0},
    },
}
SAMPLE = {"MGC": 100, "MNQ": 20, "MES": 50, "MCL": 1000, "M2K": 50, "MYM": 5}


def sampled() -> dict[str, Any]:
    """The documented options with the documented multipliers, which are those of the full-size contracts."""
    options: dict[str, Any] = json.loads(json.dumps(DOCUMENTED))
    options["aggregatorConfig"]["sltpConfig"]["instrumentMultipliers"] = SAMPLE
    return options


@pytest.fixture(autouse=True)
def _log_of_its_own() -> Iterator[None]:
    """It sets up the log of the process it runs in, which here is also that of the tests after it."""
    yield
    structlog.reset_defaults()


@pytest.fixture(scope="module")
def desk(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Split]:
    with split_desk(tmp_path_factory.mktemp("api"), roles=("connection-manager", "manual-trading")) as desk:
        yield desk


def options(desk: Split, **more: object) -> dict[str, Any]:
    return {
        "shadow_mode": False,
        "preserve_original_workflow": False,
        "connection_manager_url": f"http://127.0.0.1:{desk.ports['connection-manager']}",
        "manual_trading_server_url": f"http://127.0.0.1:{desk.ports['manual-trading']}",
        "redis_config": {"host": "127.0.0.1", "port": desk.redis.port, "db": 0},
        "aggregator_config": {"riskConfig": {"maxPositionSize": 3}},
        "aggregator_port": 0,
        "state_dir": desk.folder / "state",
        "trading_hours": "always",
    } | more


async def posted(desk: Split, path: str, **body: object) -> tuple[int, Any]:
    return await asyncio.to_thread(desk.post, path, **body)


async def seen(look: Any, within_s: float = 10) -> Any:
    async with asyncio.timeout(within_s):
        while not (found := look()):
            await asyncio.sleep(0.02)
        return found


async def test_the_documented_calls_have_the_documented_results(desk: Split, capfd: pytest.CaptureFixture[str]) -> None:
    told: list[tuple[str, Any]] = []
    integration = ManualTradingIntegration(options(desk))

    def note(event: str) -> None:
        integration.on(event, lambda payload: told.append((event, payload)))

    for event in EVENTS:
        note(event)

    async def fails(_payload: Any) -> None:
        raise ValueError("a listener of the caller's")

    integration.on("ready", fails)
    assert integration.get_metrics()["integration"]["status"] == "INITIALIZING"
    await integration.start()
    await asyncio.sleep(0.05)
    assert "a listener of the caller's" in capfd.readouterr().err
    assert told[0] == ("ready", {"shadowMode": False, "interceptOrders": True})

    account = desk.account()
    order = {"accountId": account, "instrument": "MES", "side": "BUY", "quantity": 2, "orderId": "manual-1"}
    assert (await posted(desk, "/api/order", **order))[0] == 200
    assert (await posted(desk, "/api/order", **order | {"quantity": 4, "orderId": "manual-2"}))[0] == 422
    await seen(lambda: integration.get_metrics()["integration"]["sltpCalculated"])
    processing = dict(told)["orderProcessing"]
    assert (processing["originalOrderId"], processing["status"]) == ("manual-1", "PROCESSING")
    status = integration.get_order_status("manual-1")
    assert status is not None
    assert (status["status"], status["rejectionReason"]) == ("PROCESSED", None)
    assert status["aggregatorOrderId"] == processing["aggregatorOrderId"]
    denied = integration.get_order_status("manual-2")
    assert denied is not None
    assert denied["status"] == "REJECTED"
    assert "above the largest" in denied["rejectionReason"] or "could" in denied["rejectionReason"]
    assert integration.get_order_status("nobody's") is None

    metrics = integration.get_metrics()
    counts = metrics["integration"]
    assert counts["status"] == "READY"
    assert counts["uptime"] > 0
    names = ("ordersIntercepted", "ordersProcessed", "ordersPassed", "ordersRejected", "riskViolations")
    assert [counts[name] for name in names] == [2, 1, 1, 1, 1]
    assert metrics["interception"]["storedFillEvents"] == counts["sltpCalculated"] >= 1
    assert metrics["config"] == {
        "shadowMode": False,
        "interceptOrders": True,
        "enableRiskValidation": True,
        "enableSLTPCalculation": True,
        "preserveOriginalWorkflow": False,
    }

    await integration.set_order_interception(False)
    assert integration.get_metrics()["config"]["interceptOrders"] is False
    assert (await posted(desk, "/api/order", **order | {"quantity": 4, "orderId": "manual-3"}))[0] == 200
    await integration.set_order_interception(True)
    assert (await posted(desk, "/api/flatten", accountId="all"))[0] == 200
    await integration.shutdown()
    await integration.shutdown()
    assert told[-1] == ("shutdown", {"status": "STOPPED"})
    assert [event for event, _ in told].count("shutdown") == 1
    assert integration.get_metrics()["integration"]["status"] == "STOPPED"
    with pytest.raises(InputRefused, match="does not run"):
        integration.get_order_status("manual-1")


async def test_metrics_come_again_and_again_with_the_documented_figures_of_both(
    desk: Split, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("ordergate.integration.METRICS_S", 0.05)
    told: list[Any] = []
    integration = ManualTradingIntegration(options(desk))
    integration.on("metrics", told.append)
    async with integration:
        ready = await seen(lambda: [each for each in told if each["integration"]["integration"]["status"] == "READY"])
        await seen(lambda: told[-1] is not ready[0])
    assert ready[0]["aggregator"]["aggregator"]["status"] == "RUNNING"
    assert ready[0]["aggregator"]["queue"]["queues"]["total"] == 0


async def test_interception_is_not_switched_off_while_locked_out(desk: Split) -> None:
    async with ManualTradingIntegration(**options(desk)) as integration:
        answer = await posted(desk, "/api/lockout", accountId=desk.account(), until="next-day", reason="enough")
        assert answer[0] == 200, answer
        with pytest.raises(InputRefused, match="locked out"):
            await integration.set_order_interception(False)
        assert integration.get_metrics()["config"]["interceptOrders"] is True


async def test_a_shutdown_on_the_bus_ends_the_integration_and_not_the_program(desk: Split) -> None:
    ended = asyncio.Event()
    integration = ManualTradingIntegration(options(desk))
    integration.on("shutdown", lambda _payload: ended.set())
    await integration.start()
    message = json.dumps({"target": "AGGREGATOR", "command": "SHUTDOWN"})
    await asyncio.to_thread(desk.redis.ask, "PUBLISH", "instance:control", message)
    async with asyncio.timeout(10):
        await ended.wait()
    assert integration.get_metrics()["integration"]["status"] == "STOPPED"


async def test_a_live_start_without_its_connection_manager_is_refused_and_one_on_paper_waits(
    desk: Split, tmp_path: Path
) -> None:
    errors: list[Any] = []
    nobody = "http://127.0.0.1:9"
    live = ManualTradingIntegration(options(desk, connection_manager_url=nobody, state_dir=tmp_path / "live"))
    live.on("error", errors.append)
    with pytest.raises(StartRefused, match="does not prove that it is ours"):
        await live.start()
    assert live.state == "ERROR"
    assert "does not prove" in errors[0]["error"]
    paper = options(desk, connection_manager_url=nobody, state_dir=tmp_path / "paper", shadow_mode=True)
    async with asyncio.timeout(10):
        waiting = ManualTradingIntegration(paper)
        starting = asyncio.create_task(waiting.start())
        await asyncio.sleep(1.5)
        assert waiting.state == "INITIALIZING"
        await waiting.shutdown()
        await asyncio.wait({starting})
    assert starting.cancelled()
    assert waiting.state == "STOPPED"


async def test_the_connection_manager_of_another_desk_is_refused(desk: Split, tmp_path: Path) -> None:
    other = ManualTradingIntegration(options(desk, state_dir=tmp_path, approval_key="k" * 40))
    with pytest.raises(StartRefused, match="it has another approval key"):
        await other.start()


def test_the_documented_options_are_the_defaults_and_read_as_they_stand() -> None:
    assert settings_of(DOCUMENTED) == settings_of(
        DOCUMENTED | {"redisConfig": {"host": "localhost", "port": 6379, "db": 0}}
    )
    settings, wrong = settings_of(DOCUMENTED)
    default, _ = settings_of({})
    assert settings.limits == default.limits
    assert settings.modes == default.modes
    assert settings.redis.address == default.redis.address
    assert not wrong


def test_the_documented_multipliers_are_told_to_be_wrong_in_shadow_mode_and_refused_in_a_live_one() -> None:
    _, wrong = settings_of(sampled())
    assert len(wrong) == len(SAMPLE)
    assert "MES is 50, and the value of one point of MES is 5" in wrong[2]
    with pytest.raises(
        StartRefused, match=r"instrumentMultipliers.MES is 50, .* is 5 \(50 is the full-size contract's\): leave"
    ):
        settings_of(sampled() | {"shadowMode": False})
    right = {"sltpConfig": {"instrumentMultipliers": {"MES": 5, "MYM": 0.5}, "tickSizes": {"M2K": 0.1, "MES": 0.25}}}
    assert settings_of({"shadowMode": False, "aggregatorConfig": right})[1] == ()


@pytest.mark.parametrize(
    ("given", "told"),
    [
        ({"shadowmode": True}, "shadowmode is not an option: "),
        ({"aggregatorConfig": {"riskConfig": {"maxPositions": 1}}}, "aggregatorConfig.riskConfig.maxPositions is not"),
        ({"redisConfig": "localhost"}, "redisConfig is 'localhost': it must be a dict"),
        ({"shadow_mode": "true"}, "shadowMode is text, 'true': it must be true or false"),
        ({"redis_config": {"port": 0}}, "redisConfig.port is '0': it must be a whole number from 1 to 65535"),
        ({"aggregatorConfig": {"riskConfig": {"maxDailyLoss": -1}}}, "maxDailyLoss is '-1': it must be a number of"),
        ({"aggregatorConfig": {"sltpConfig": {"tickSizes": {"XX": 1}}}}, "tickSizes.XX: XX is none of"),
        (
            {"aggregatorConfig": {"sltpConfig": {"tickSizes": {"MES": "x"}}}},
            "tickSizes.MES is 'x': it must be a number",
        ),
    ],
)
def test_an_option_that_is_not_known_or_cannot_be_read_is_refused(given: dict[str, Any], told: str) -> None:
    with pytest.raises(StartRefused) as refused:
        settings_of(given)
    assert told in str(refused.value)


def test_an_event_that_is_not_known_is_refused() -> None:
    with pytest.raises(InputRefused, match="'orderprocessing' is no event: ready, orderProcessing"):
        ManualTradingIntegration().on("orderprocessing", print)


def test_the_health_of_the_page_is_looked_at(desk: Split) -> None:
    desk.start("aggregator")
    until(lambda: desk.gate["manualTradingServer"]["status"] == "healthy")
