"""The figures of the gate, as Prometheus reads them on port 7600.

Counted and timed where it happens, in the shell; what follows from the state is worked out when somebody asks. The
registry is the gate's own, so two gates in one process do not mix.

Names and labels are bounded: outcomes, codes and steps are ours, accounts are those of the login, contracts never are a
label. All of them stand in ``docs/metrics.md``.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping

import msgspec
from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, ProcessCollector, generate_latest
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, Metric
from prometheus_client.registry import Collector

from ordergate.bus.port import BusHealth
from ordergate.core import events as e
from ordergate.core.account import Group
from ordergate.core.alarm import Level
from ordergate.core.alarms import is_open
from ordergate.core.commands import Answer
from ordergate.core.figures import figures
from ordergate.core.floor import equity_usd, floor_usd
from ordergate.core.market import Market
from ordergate.engine.inbox import Class
from ordergate.engine.webhook import Figures as WebhookFigures

CONTENT_TYPE = "text/plain; version=0.0.4; charset=utf-8"

# The steps that an order goes through here, with what users were told each takes at most (documented integration,
# "Latency", 2026-11-22); None where they were told nothing.
BUDGETS_S: Mapping[str, float | None] = {
    "interception": 0.010,
    "queue": 0.100,
    "validation": 0.050,
    "recording": None,
    "sltp": 0.020,
    "total": 0.200,
}
# Each documented budget is an edge.
_STEP_BUCKETS_S = (0.0002, 0.0005, 0.001, 0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1.0, 2.0, 5.0)
# How late a heartbeat is: below a millisecond is the loop's own resolution.
_LAG_BUCKETS_S = (0.001, 0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1.0, 5.0, 60.0)
# From a fill to a stop that rests at the broker: 2 s is when a position counts as unprotected.
_PROTECTION_BUCKETS_S = (0.02, 0.05, 0.1, 0.2, 0.5, 1.0, 2.0, 5.0, 10.0, 30.0)
_NS_PER_S = 1_000_000_000
# What an order may become, and the answers that the gate itself gives: counted from nought, for Prometheus does not see
# the first of a counter that was not there before.
_OUTCOMES = (*(kind.value for kind in e.ApprovalKind if kind is not e.ApprovalKind.LEG), "denied", "withdrawn")
_OWN_ANSWERS = ("OK", "QUEUE_FULL", "JOURNAL_UNAVAILABLE", "HALTED")
_MODES = ("shadow", "intercept", "preserve", "validate", "default_bracket")


class Seen(msgspec.Struct, frozen=True):
    """The gate as it stands when somebody asks; ``bus_health`` and ``webhook`` are None where there is none."""

    group: Group
    market: Market
    waiting: Mapping[Class, int]
    enforcing: bool
    exit_only: bool
    halted: bool
    bus_health: BusHealth | None
    webhook: WebhookFigures | None


class Metrics:
    """See the module. ``seen`` tells how the gate stands."""

    def __init__(self, seen: Callable[[], Seen]) -> None:
        registry = CollectorRegistry()

        def counter(name: str, text: str, *labels: str) -> Counter:
            return Counter(f"ordergate_{name}", text, labels, registry=registry)

        orders = counter("orders", "Orders decided, by what became of them.", "outcome")
        self._orders = {outcome: orders.labels(outcome) for outcome in _OUTCOMES}
        self._breaches = counter("breaches", "Limits that decided orders broke, by code; overridden ones too.", "code")
        self._answers = counter("answers", "Answers to commands, by code; OK where it was done.", "code")
        for code in _OWN_ANSWERS:
            self._answers.labels(code)
        self._fills = counter("fills", "Fills applied.")
        self._rejections = counter("broker_rejections", "Orders of ours that the broker rejected.")
        self._doubts = counter("orders_in_doubt", "Orders whose outcome became unknown.")
        self._alarms = counter("alarms_raised", "Alarms raised, by code and level.", "code", "level")
        steps = Histogram(
            "ordergate_step_seconds", "How long an order was in each step.", ["step"], buckets=_STEP_BUCKETS_S,
            registry=registry,
        )  # fmt: skip
        self._step_histogram = steps
        self._steps = {step: steps.labels(step) for step in BUDGETS_S}
        waits = Histogram(
            "ordergate_queue_wait_seconds", "How long an input waited for its decision, by its class.", ["class"],
            buckets=_STEP_BUCKETS_S, registry=registry,
        )  # fmt: skip
        self._waits = {each: waits.labels(each.name.lower()) for each in Class}
        budgets = Gauge(
            "ordergate_step_budget_seconds", "What users were told that a step takes at most.", ["step"],
            registry=registry,
        )  # fmt: skip
        for step, budget_s in BUDGETS_S.items():
            if budget_s is not None:
                budgets.labels(step).set(budget_s)
        self._protection = Histogram(
            "ordergate_protection_seconds", "From a fill, or the loss of a stop, to stops that rest at the broker.",
            buckets=_PROTECTION_BUCKETS_S, registry=registry,
        )  # fmt: skip
        self._lag = Histogram(
            "ordergate_loop_lag_seconds", "How late the heartbeat of each second was.", buckets=_LAG_BUCKETS_S,
            registry=registry,
        )  # fmt: skip
        registry.register(_State(seen))
        ProcessCollector(namespace="ordergate", registry=registry)
        self._registry = registry

    def heard(self, event: e.Event) -> None:
        """Count a durable event."""
        match event:
            case e.OrderApproved() if not event.order.is_exit:
                self._orders[event.kind.value].inc()
            case e.OrderDenied():
                self._orders["denied"].inc()
                for breach in event.order.breaches:
                    self._breaches.labels(breach.code).inc()
            case e.OrderOverridden():
                for breach in event.breaches:
                    self._breaches.labels(breach.code).inc()
            case e.OrderWithdrawn():
                self._orders["withdrawn"].inc()
            case e.FillApplied():
                self._fills.inc()
            case e.OrderRejected():
                self._rejections.inc()
            case e.OrderInDoubt():
                self._doubts.inc()

    def answered(self, answer: Answer) -> None:
        """Count an answer to a command."""
        self._answers.labels("OK" if answer.ok else answer.code).inc()

    def raised(self, code: str, level: Level) -> None:
        """Count an alarm."""
        self._alarms.labels(code, level.value).inc()

    def took(self, step: str, duration_ns: int) -> None:
        """An order was that long (>= 0) in one of ``BUDGETS_S``."""
        self._steps[step].observe(duration_ns / _NS_PER_S)

    def waited(self, of: Class, duration_ns: int) -> None:
        """An input of that class waited that long (>= 0) for its decision."""
        self._waits[of].observe(duration_ns / _NS_PER_S)

    def average_ms(self, step: str) -> float | None:
        """How long orders were in one of ``BUDGETS_S`` on average (>= 0); None before the first."""
        (family,) = self._step_histogram.collect()
        of_step = {sample.name: sample.value for sample in family.samples if sample.labels == {"step": step}}
        count = of_step["ordergate_step_seconds_count"]
        return round(of_step["ordergate_step_seconds_sum"] / count * 1_000, 3) if count else None

    def protected(self, duration_ns: int) -> None:
        """All that was promised a stop has one again, that long (>= 0) after it had none."""
        self._protection.observe(duration_ns / _NS_PER_S)

    def lagged(self, duration_s: float) -> None:
        """The loop was that late (>= 0) with a heartbeat."""
        self._lag.observe(duration_s)

    def text(self) -> bytes:
        """All figures, in the text format of Prometheus."""
        return generate_latest(self._registry)


class _State(Collector):
    """What follows from the state of the gate, when it is asked."""

    def __init__(self, seen: Callable[[], Seen]) -> None:
        self._seen = seen

    def describe(self) -> Iterable[Metric]:
        return ()  # else the state would be asked before there is one

    def collect(self) -> Iterable[Metric]:
        seen = self._seen()
        yield from _gate(seen)
        yield from _accounts(seen.group, seen.market)
        yield from _around(seen)


def _gate(seen: Seen) -> Iterable[Metric]:
    group = seen.group
    yield _gauge(
        "enforcing", "1 while no order that was not checked, or was denied, can reach the broker.", seen.enforcing
    )
    yield _gauge("journal_writable", "0 once the journal has failed: only exits go on.", not seen.exit_only)
    yield _gauge("halted", "1 once the gate has stopped deciding.", seen.halted)
    yield _gauge("paused", "1 while a person keeps new risk out of every account.", group.paused_by is not None)
    yield _gauge("broker_link_up", "1 while the broker is seen.", group.link_up)
    yield _gauge("events", "Number of the last event.", group.version)
    modes = GaugeMetricFamily("ordergate_mode", "The switches in force, 1 = on.", labels=["mode"])
    for name in _MODES:
        modes.add_metric([name], float(getattr(group.modes, name)))
    yield modes
    alarms = GaugeMetricFamily("ordergate_alarms_open", "Alarms that nobody has seen, by level.", labels=["level"])
    unseen = [alarm.level for alarm in group.alarms if is_open(group, alarm) and not alarm.acknowledged]
    for level in Level:
        alarms.add_metric([level.value], unseen.count(level))
    yield alarms

    waiting = GaugeMetricFamily(
        "ordergate_queue_waiting", "Inputs that wait for a decision, by whose place they take.", labels=["class"]
    )
    for each, count in seen.waiting.items():
        waiting.add_metric([each.name.lower()], count)
    yield waiting


def _accounts(group: Group, market: Market) -> Iterable[Metric]:
    def family(name: str, text: str) -> GaugeMetricFamily:
        return GaugeMetricFamily(f"ordergate_account_{name}", text, labels=["account"])

    pnl = family("day_pnl_dollars", "P&L of the trading day, net of fees; absent while no price tells it.")
    limit = family("daily_loss_limit_dollars", "Loss at which new risk is denied.")
    room = family(
        "maximum_loss_room_dollars",
        "Equity above the maximum loss floor; absent while there is none, or no price tells.",
    )
    orders = family("open_orders", "Orders that may still fill, stops and targets aside.")
    held = family("positions", "Contracts with a position.")
    bare = family("positions_unprotected", "Positions that were promised a stop and have none that rests.")
    states = GaugeMetricFamily(
        "ordergate_account_state", "1 for the state that the account is in.", labels=["account", "state"]
    )
    for account in group.accounts.values():
        if not account.adopted:
            continue
        name, found = [str(account.account_id)], figures(group, account, market)
        if found.day_pnl is not None:
            pnl.add_metric(name, float(found.day_pnl))
            floor = floor_usd(group, account)
            if floor is not None:
                room.add_metric(name, float(equity_usd(account, found.day_pnl) - floor))
        limit.add_metric(name, float(group.limits.daily_loss_usd_max))
        orders.add_metric(name, found.open_orders)
        held.add_metric(name, len(account.positions))
        bare.add_metric(name, sum(cover.state is e.Cover.UNPROTECTED for cover in account.covers.values()))
        for state in e.TradingState:
            states.add_metric([*name, state.value], account.trading_state is state)
    yield from (pnl, limit, room, orders, held, bare, states)


def _around(seen: Seen) -> Iterable[Metric]:
    bus, webhook = seen.bus_health, seen.webhook
    if bus is not None:
        yield _gauge("redis_up", "1 while Redis is connected.", bus.connected_since is not None)
        yield _count("redis_resent", "Messages that Redis had forgotten unread, and was given again.", bus.resent)
        yield _count("redis_lost", "How often messages may have been lost.", sum(bus.lost.values()))
        yield _count(
            "redis_unsealed", "Messages that somebody without the key had written.", sum(bus.unsealed.values())
        )
    if webhook is not None:
        yield _count("webhook_sent", "Alarms that have arrived at the webhook.", webhook.sent)
        yield _count("webhook_given_up", "Alarms that were not sent.", webhook.given_up)
        yield _gauge("webhook_waiting", "Alarms that wait to be sent.", webhook.waiting)


def _count(name: str, text: str, value: int) -> CounterMetricFamily:
    return CounterMetricFamily(f"ordergate_{name}", text, value=value)


def _gauge(name: str, text: str, value: float) -> GaugeMetricFamily:
    return GaugeMetricFamily(f"ordergate_{name}", text, value=float(value))
