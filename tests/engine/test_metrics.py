"""``/metrics`` and ``/metrics.json`` after orders of which the outcome is known; and the dashboard that reads them."""

from __future__ import annotations

import asyncio
import json
import re
import sys
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from decimal import Decimal
from pathlib import Path
from typing import Any

import msgspec
from msgspec.structs import replace
from prometheus_client.core import Metric
from prometheus_client.parser import text_string_to_metric_families

from ordergate.bus.port import BusHealth, Topic
from ordergate.core.commands import Acknowledge, Leg, SubmitOrder
from ordergate.core.effects import Place
from ordergate.core.market import Market
from ordergate.core.order import OrderType, Side, Trail
from ordergate.core.reports import (
    ApprovalRefused,
    FillReport,
    LinkReport,
    Outcome,
    PlaceOutcome,
    Quote,
)
from ordergate.engine import endpoints
from ordergate.engine.inbox import Class
from ordergate.engine.metrics import BUDGETS_S, CONTENT_TYPE, Metrics, Seen
from ordergate.engine.webhook import Figures
from ordergate.journal.memory import MemoryJournal
from ordergate.net.http import HttpNetwork
from ordergate.net.port import Request, Response
from tests.engine.gate_on_memory import ACCOUNT, MES, Bench, FullDisk, bench, show_stop
from tools import dashboard

ROOT = Path(__file__).resolve().parents[2]
DASHBOARD = ROOT / "docs" / "grafana" / "ordergate.json"
PAGE = ROOT / "docs" / "metrics.md"
# Where the operating system tells nothing of the process.
UNTOLD = re.compile("ordergate_process_" if sys.platform != "linux" else "(?!)")

Samples = dict[tuple[str, frozenset[tuple[str, str]]], float]


def families(text: bytes) -> list[Metric]:
    return list(text_string_to_metric_families(text.decode()))


def samples_of(text: bytes) -> Samples:
    return {
        (sample.name, frozenset(sample.labels.items())): sample.value
        for family in families(text)
        for sample in family.samples
    }


def read(desk: Bench) -> Samples:
    return samples_of(desk.gate.metrics.text())


def beside(desk: Bench) -> bytes:
    """The figures that the gate would have behind Redis, with a webhook and with a maximum loss."""
    group, now_ns = desk.gate.group, desk.clock.now_ns()
    limits = replace(group.limits, maximum_loss_usd=Decimal(2_000))
    redis = BusHealth("redis", "2026-11-23T08:00:00Z", None, {"orders": 1, "events": 2}, 3, {"commands": 4})
    quote = Quote(MES.contract_id, 20_000, 20_001, 20_000, now_ns)
    seen = Seen(
        group=replace(group, limits=limits),
        market=Market({MES.contract_id: quote}, now_ns),
        waiting=desk.gate.waiting,
        enforcing=True,
        exit_only=False,
        halted=False,
        bus_health=redis,
        webhook=Figures(sent=5, given_up=6, waiting=7, failing=""),
    )
    return Metrics(lambda: seen).text()


def value(samples: Samples, name: str, **labels: str) -> float | None:
    return samples.get((f"ordergate_{name}", frozenset(labels.items())))


def counts(samples: Samples, name: str, label: str) -> dict[str, float]:
    """Those that are not nought."""
    return {
        dict(labels)[label]: count
        for (sample, labels), count in samples.items()
        if sample == f"ordergate_{name}_total" and count
    }


def documented(desk: Bench) -> Any:
    answer = endpoints.answer(Request("GET", "/metrics.json"), desk.gate)
    assert answer.status == 200
    return msgspec.json.decode(answer.body)


async def rest(desk: Bench) -> None:
    """The broker shows the stop open, and the gate has heard it."""
    await show_stop(desk)
    async with asyncio.timeout(5):
        while not desk.gate.protection.count:
            await asyncio.sleep(0)


@asynccontextmanager
async def busy_desk() -> AsyncIterator[Bench]:
    """One order filled and protected, one denied for two limits, one passed, one that the broker rejected."""
    async with bench(MemoryJournal(), orders_max=2) as desk:
        await desk.adopt()
        await desk.filled(2, "one")
        await rest(desk)
        assert not (await desk.buy(11, "large")).ok
        passed = SubmitOrder("p", ACCOUNT, "p", MES.contract_id, Side.BUY, 1, OrderType.MARKET, passed=True)
        await desk.gate.take(passed)
        await desk.answer("p")
        assert (await desk.buy(1, "refused")).ok
        place = await desk.placed(Topic.COMMANDS)
        await desk.report(PlaceOutcome(ACCOUNT, place.order_tag, Outcome.REFUSED, text="no"))
        await desk.report(ApprovalRefused(ACCOUNT, "id", "tag", "forged"))
        async with asyncio.timeout(5):
            while "APPROVAL_REFUSED" not in [alarm.code for alarm in desk.gate.group.alarms]:
                await asyncio.sleep(0)
        yield desk


async def test_orders_answers_breaches_fills_and_alarms_are_counted_by_what_became_of_them() -> None:
    async with busy_desk() as desk:
        samples = read(desk)
        assert counts(samples, "orders", "outcome") == {"approved": 2, "denied": 1, "passed": 1}
        assert counts(samples, "breaches", "code") == {"MAX_ORDER_SIZE": 1, "MAX_POSITION_SIZE": 1}
        assert counts(samples, "answers", "code") == {"OK": 3, "MAX_ORDER_SIZE": 1}
        assert value(samples, "fills_total") == 1
        assert value(samples, "broker_rejections_total") == 1
        assert counts(samples, "alarms_raised", "code") == {"ORDER_REJECTED": 1, "APPROVAL_REFUSED": 1}
        assert value(samples, "alarms_open", level="critical") == 1
        await desk.report(LinkReport(up=False, reason="gone"))
        async with asyncio.timeout(5):
            while desk.gate.group.link_up:
                await asyncio.sleep(0)
        numbers = tuple(alarm.number for alarm in desk.gate.group.alarms)
        await desk.gate.take(Acknowledge("seen", numbers))
        assert (await desk.answer("seen")).ok
        assert [alarm.code for alarm in desk.gate.group.alarms] == ["LINK_DOWN"], "it stands"
        assert value(read(desk), "alarms_open", level="critical") == 0


async def test_each_order_is_timed_in_each_step_and_a_fill_until_its_stop_rests() -> None:
    async with busy_desk() as desk:
        elsewhere = FillReport(
            ACCOUNT, 99, 99, MES.contract_id, Side.BUY, 1, 20_001, MES.fee_usd, None, voided=False, at_ns=1
        )
        version = desk.gate.group.version
        await desk.report(elsewhere)  # whose stop was promised to nobody
        async with asyncio.timeout(5):
            while desk.gate.group.version == version:
                await asyncio.sleep(0)
        samples = read(desk)
        timed = {step: value(samples, "step_seconds_count", step=step) for step in BUDGETS_S}
        assert timed["queue"] == timed["validation"] == 4
        assert (timed["total"], timed["sltp"]) == (3, 1)
        waited = {each: value(samples, "queue_wait_seconds_count", **{"class": each.name.lower()}) for each in Class}
        assert (waited[Class.MANUAL], waited[Class.OTHER], waited[Class.CLOSING]) == (3, 1, 0)
        assert (waited[Class.FACT] or 0) >= 8, "what the broker said, and not our own wakes"
        assert (timed["recording"] or 0) >= 4
        assert value(samples, "protection_seconds_count") == 1
        for step, budget_s in BUDGETS_S.items():
            if budget_s is not None:
                edge = {"step": step, "le": str(budget_s)}
                assert value(samples, "step_seconds_bucket", **edge) is not None, "each budget is an edge"
                assert value(samples, "step_budget_seconds", step=step) == budget_s


async def test_what_follows_from_the_state_is_that_of_now() -> None:
    async with busy_desk() as desk:
        account = str(ACCOUNT)
        samples = read(desk)
        assert (
            value(samples, "enforcing") == value(samples, "journal_writable") == value(samples, "broker_link_up") == 1
        )
        assert value(samples, "account_positions", account=account) == 1
        assert value(samples, "account_positions_unprotected", account=account) == 0
        assert value(samples, "account_daily_loss_limit_dollars", account=account) == 1_000
        assert value(samples, "account_state", account=account, state="active") == 1
        assert value(samples, "account_day_pnl_dollars", account=account) is not None
        assert value(samples, "mode", mode="intercept") == 1
        assert value(samples, "events") == desk.gate.group.version


async def test_a_figure_that_no_price_tells_is_absent_and_not_nought() -> None:
    async with bench(MemoryJournal()) as desk:
        await desk.adopt()
        await desk.filled(1, "one")
        desk.gate._board.latest.clear()  # noqa: SLF001 - as if no quote had come since the start
        assert value(read(desk), "account_day_pnl_dollars", account=str(ACCOUNT)) is None


async def test_a_full_queue_and_a_journal_that_fails_are_counted() -> None:
    journal = FullDisk()
    async with bench(journal, orders_max=1) as desk:
        await desk.adopt()
        for number in range(3):
            name = f"o{number}"
            await desk.gate.take(SubmitOrder(name, ACCOUNT, name, MES.contract_id, Side.BUY, 1, OrderType.MARKET))
        assert value(read(desk), "queue_waiting", **{"class": "manual"}) == 1
        await desk.answer("o0")
        await desk.answer("o2")
        journal.full = True
        await desk.buy(1, "late")
        samples = read(desk)
        assert counts(samples, "answers", "code") == {"OK": 1, "QUEUE_FULL": 2, "JOURNAL_UNAVAILABLE": 1}
        assert (value(samples, "journal_writable"), value(samples, "enforcing")) == (0, 0)


async def test_over_a_socket_it_is_the_text_that_prometheus_reads() -> None:
    network = HttpNetwork()
    async with busy_desk() as desk:

        async def answer(request: Request) -> Response:
            return endpoints.answer(request, desk.gate)

        server = await network.serve(answer, host="127.0.0.1", port=0)
        got = await network.request("GET", f"{server.url}/metrics", timeout_s=5)
        assert (got.status, got.headers["content-type"]) == (200, CONTENT_TYPE)
        assert counts(samples_of(got.body), "orders", "outcome") == {"approved": 2, "denied": 1, "passed": 1}
        await server.close()
    await network.close()


async def test_the_documented_figures_have_the_documented_names_and_nothing_made_up() -> None:
    async with busy_desk() as desk:
        told = documented(desk)
        assert set(told) == {
            "aggregator", "queue", "risk", "registry", "sltp", "accounts", "positions", "protection",
        }  # fmt: skip
        aggregator = told["aggregator"]
        assert {name: aggregator[name] for name in aggregator if name != "uptime"} == {
            "status": "RUNNING",
            "riskEnforced": True,
            "shadowMode": False,
            "ordersReceived": 4,
            "ordersProcessed": 3,
            "ordersFailed": 1,
            "fillsProcessed": 1,
            "riskViolations": 2,
        }
        assert told["queue"]["queues"] == {"high": 0, "medium": 0, "low": 0, "total": 0}
        violations = told["risk"]["violations"]
        assert [row["orderId"] for row in violations.pop("recent")] == ["large"]
        assert violations == {
            "total": 2,
            "bySeverity": None,
            "byType": {"MAX_ORDER_SIZE": 1, "MAX_POSITION_SIZE": 1},
        }
        assert told["risk"]["config"]["maxPositionSize"] == 10
        (account,) = told["accounts"]
        assert (account["accountId"], account["openPositions"], account["accountBalance"]) == (ACCOUNT, 1, 50_000)
        assert told["positions"] == [
            {"accountId": ACCOUNT, "instrument": "MES", "contractId": MES.contract_id, "netPosition": 2}
        ]
        assert told["registry"] is None


async def test_averages_are_null_before_the_first_order_and_then_told_in_milliseconds() -> None:
    async with bench(MemoryJournal()) as desk:
        await desk.adopt()
        queue = documented(desk)["queue"]
        assert queue["processing"] == {"active": None, "maxConcurrent": 1, "avgProcessingTime": None}
        assert queue["history"] == {"processed": 0, "avgWaitTime": None}
        desk.gate.metrics.took("queue", 1_500_000)
        desk.gate.metrics.took("queue", 2_500_000)
        desk.gate.metrics.took("validation", 250_000)
        queue = documented(desk)["queue"]
        assert (queue["history"]["avgWaitTime"], queue["processing"]["avgProcessingTime"]) == (2.0, 0.25)


async def test_stops_that_follow_the_market_are_counted_while_their_contracts_are_held() -> None:
    async with bench(MemoryJournal()) as desk:
        await desk.adopt()
        for number, trail in enumerate((None, Trail(40)), start=1):
            name = f"o{number}"
            order = SubmitOrder(
                name, ACCOUNT, name, MES.contract_id, Side.BUY, number, OrderType.MARKET, targets=Leg.OFF, trail=trail
            )
            await desk.gate.take(order)
            assert (await desk.answer(name)).ok
        assert documented(desk)["sltp"]["trailingActive"] == 0, "nothing is held yet"
        places = [effect for effect in desk.sent[Topic.COMMANDS] if isinstance(effect, Place)]
        for number, place in enumerate(places, start=1):
            await desk.report(PlaceOutcome(ACCOUNT, place.order_tag, Outcome.DONE, number))
            terms, now_ns = place.terms, desk.clock.now_ns()
            fill = FillReport(
                ACCOUNT, number, number, terms.contract_id, terms.side, terms.quantity, 20_001, MES.fee_usd, None,
                voided=False, at_ns=now_ns,
            )  # fmt: skip
            await desk.report(fill)
        async with asyncio.timeout(5):
            while documented(desk)["aggregator"]["fillsProcessed"] < 2:
                await asyncio.sleep(0)
        assert documented(desk)["sltp"]["trailingActive"] == 1


async def test_the_state_of_risk_is_that_of_all_accounts_together() -> None:
    async with busy_desk() as desk:
        account = documented(desk)["accounts"][0]
        assert documented(desk)["risk"]["currentState"] == {
            "openPositions": 1,
            "dailyPnL": account["dailyPnL"],
            "accountBalance": 50_000,
            "dailyLossCount": None,
        }
        await desk.adopt(ACCOUNT + 1)
        assert documented(desk)["risk"]["currentState"]["accountBalance"] == 100_000
        desk.gate._board.latest.clear()  # noqa: SLF001 - as if no quote had come since the start
        assert documented(desk)["risk"]["currentState"]["dailyPnL"] is None


async def test_redis_the_webhook_and_the_room_above_the_floor_are_told_where_there_are_any() -> None:
    async with busy_desk() as desk:
        here, there = read(desk), samples_of(beside(desk))
        told = {
            "redis_up": 1,
            "redis_resent_total": 3,
            "redis_lost_total": 3,
            "redis_unsealed_total": 4,
            "webhook_sent_total": 5,
            "webhook_given_up_total": 6,
            "webhook_waiting": 7,
        }
        assert {name: value(there, name) for name in told} == told
        assert {name: value(here, name) for name in told} == dict.fromkeys(told)
        account = str(ACCOUNT)
        day_pnl = value(there, "account_day_pnl_dollars", account=account)
        assert day_pnl is not None
        assert value(there, "account_maximum_loss_room_dollars", account=account) == 2_000 + day_pnl
        assert value(here, "account_maximum_loss_room_dollars", account=account) is None


async def test_outcomes_and_what_the_gate_answers_itself_are_there_at_nought() -> None:
    async with bench(MemoryJournal()) as desk:
        samples = read(desk)
        assert value(samples, "queue_wait_seconds_count", **{"class": "fact"}) == 0, "nor did the start itself wait"
        for outcome in ("approved", "denied", "overridden", "passed", "reducing", "withdrawn"):
            assert value(samples, "orders_total", outcome=outcome) == 0
        for code in ("OK", "QUEUE_FULL", "JOURNAL_UNAVAILABLE", "HALTED"):
            assert value(samples, "answers_total", code=code) == 0


async def test_an_order_that_is_asked_again_is_answered_and_not_timed_as_approved_again() -> None:
    async with bench(MemoryJournal()) as desk:
        await desk.adopt()
        assert (await desk.buy(1, "one")).ok
        desk.answers.clear()
        assert (await desk.buy(1, "one")).ok
        samples = read(desk)
        assert value(samples, "step_seconds_count", step="total") == 1
        assert value(samples, "step_seconds_count", step="queue") == 2


def queries() -> Iterator[str]:
    """Every query of the dashboard, and of the alerts in the documentation."""
    board = json.loads(DASHBOARD.read_text(encoding="utf-8"))

    def exprs(node: Any) -> Iterator[str]:
        if isinstance(node, dict):
            if "expr" in node:
                yield node["expr"]
            for part in node.values():
                yield from exprs(part)
        elif isinstance(node, list):
            for part in node:
                yield from exprs(part)

    yield from exprs(board)
    yield from re.findall(r"expr: '?([^',]*)", PAGE.read_text(encoding="utf-8"))


_SELECTOR = re.compile(r"(ordergate_\w+)(?:\{([^}]*)\})?")
_MATCHER = re.compile(r"(\w+)\s*(=|!=)\s*\"([^\"]*)\"")
_GROUPED = re.compile(r"\bby \(([^)]*)\)")


async def test_every_query_asks_for_what_there_is() -> None:
    """Each name, each label and each value that a label has to have."""
    async with busy_desk() as desk:
        samples = [*read(desk), *samples_of(beside(desk))]
    known: dict[str, set[str]] = {}
    for name, labels in samples:
        known.setdefault(name, set()).update(dict(labels))
    values = {(name, *label) for name, labels in samples for label in labels}
    asked = [query for query in queries() if not UNTOLD.search(query) and not query.startswith("up{")]
    assert len(asked) > 30
    for query in asked:
        selectors = _SELECTOR.findall(query)
        assert selectors, query
        for name, matchers in selectors:
            assert name in known, query
            found = _MATCHER.findall(matchers)
            assert len(found) == len(list(filter(None, matchers.split(",")))), f"what matches is unread: {query}"
            for label, how, wanted in found:
                assert label in known[name], query
                assert how == "!=" or (name, label, wanted) in values, query
        for grouped in _GROUPED.findall(query):
            wanted = {label.strip() for label in grouped.split(",")}
            assert all(wanted <= known[name] for name, _ in selectors), query


async def test_every_figure_stands_in_the_documentation_with_its_labels_and_no_other_does() -> None:
    said = dict(re.findall(r"^\| `(ordergate_\w+)` \| ([^|]*) \|", PAGE.read_text(encoding="utf-8"), re.MULTILINE))
    found = {}
    async with busy_desk() as desk:
        for family in [*families(desk.gate.metrics.text()), *families(beside(desk))]:
            name = f"{family.name}_total" if family.type == "counter" else family.name
            labels = sorted({label for sample in family.samples for label in sample.labels} - {"le"})
            if family.samples and not family.name.endswith("_created"):
                found[name] = ", ".join(f"`{label}`" for label in labels) or "-"
    told = {name: labels.strip() for name, labels in said.items() if not UNTOLD.search(name)}
    assert told == {name: labels for name, labels in found.items() if not UNTOLD.search(name)}


async def test_two_gates_in_one_process_do_not_mix() -> None:
    async with bench(MemoryJournal()) as one, bench(MemoryJournal()) as other:
        await one.adopt()
        await other.adopt()
        await one.buy(1, "a")
        assert counts(read(one), "orders", "outcome") == {"approved": 1}
        assert counts(read(other), "orders", "outcome") == {}


def test_the_dashboard_is_the_one_that_its_table_makes() -> None:
    assert DASHBOARD.read_text(encoding="utf-8") == dashboard.text()
