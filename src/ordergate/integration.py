"""The documented Python API: the aggregator role inside the caller's program.

It speaks to the connection manager and to existing clients over Redis, as ``ordergate integration`` does, and has its
settings; see docs/python-api.md. Other programs' signals are left alone: a SHUTDOWN on the bus ends the integration.

Invariants:
1. What is not known among options and event names is refused.
2. ``ready`` is told once, after the books have been compared with the broker's; ``shutdown`` once, when all has ended.
3. A listener that fails is logged, and hinders nothing.
"""

from __future__ import annotations

import asyncio
import inspect
import os
import sys
from collections.abc import Awaitable, Callable, Mapping
from typing import Any, Self

from ordergate import roles, telemetry
from ordergate.bus.port import Subscription, Topic
from ordergate.bus.topics import Happened, news
from ordergate.clock import SystemClock
from ordergate.core import events as e
from ordergate.core.account import Group
from ordergate.core.commands import Answer, SetInterception
from ordergate.core.order import LIVE, Role, Status
from ordergate.core.sessions import utc_text
from ordergate.desk import Aggregator
from ordergate.engine.counts import Counts
from ordergate.errors import InputRefused, OrdergateError, StartRefused
from ordergate.integration_options import settings_of
from ordergate.settings import LogLevel

EVENTS = ("ready", "orderProcessing", "metrics", "shutdown", "error")
# As often as the original told them (wire notes, section 5, 2026-11-22).
METRICS_S = 60.0
_ANSWER_S = 10.0

Listener = Callable[[Any], Awaitable[None] | None]
_log = telemetry.logger("integration")


class ManualTradingIntegration:
    """Made with the documented options, by their documented names or with underscores, as one dict or as keywords.

    Also ``state_dir`` and ``approval_key``; the latter is ORDERGATE_APPROVAL_KEY where it is not given. Raises
    ``StartRefused`` for what cannot be read. ``state`` is INITIALIZING, READY, ERROR, SHUTTING_DOWN or STOPPED.
    """

    def __init__(self, config: Mapping[str, object] | None = None, **options: object) -> None:
        given = dict(config or {}) | options
        said = [given.pop(name) for name in ("approval_key", "approvalKey") if name in given]
        key = said[0] if said else os.environ.get("ORDERGATE_APPROVAL_KEY")
        if key is not None and not isinstance(key, str):
            raise StartRefused("approval_key must be a text")
        self._approval_key = key
        self._settings, self._contradictions = settings_of(given)
        self.state = "INITIALIZING"
        self._listeners: dict[str, list[Listener]] = {name: [] for name in EVENTS}
        self._telling: set[asyncio.Future[None]] = set()
        self._answers: dict[str, asyncio.Future[Answer]] = {}
        self._counts = Counts()
        self._stopping = asyncio.Event()
        self._running: Aggregator | None = None
        self._work: asyncio.Task[None] | None = None
        self._began_s = 0.0
        self._asked = 0

    def on(self, event: str, listener: Listener) -> None:
        """Call ``listener``, a function or a coroutine function, with each ``event``. Raises ``InputRefused``."""
        if event not in self._listeners:
            raise InputRefused("UNKNOWN_EVENT", f"{event!r} is no event: {', '.join(EVENTS)}", "event")
        self._listeners[event].append(listener)

    async def start(self) -> None:
        """Return when orders can be taken. Raises ``StartRefused``; a start that waits can be cancelled."""
        if self._work is not None:
            raise StartRefused("this integration was started before; make another")
        level = self._settings.log_level if self._settings.enable_logging else LogLevel.ERROR
        telemetry.configure(level, json_lines=False, stream=sys.stderr, clock=SystemClock(), libraries=False)
        for contradiction in self._contradictions:
            _log.warning("what an option says of a contract is not so and is not used", option=contradiction)
        self._began_s = asyncio.get_running_loop().time()
        ready = asyncio.get_running_loop().create_future()
        self._work = asyncio.create_task(self._run(ready), name="integration")
        try:
            await ready
        except asyncio.CancelledError:
            await self.shutdown()
            raise

    async def shutdown(self) -> None:
        """End in order; what rests at the broker stays there. Twice is once."""
        self._stopping.set()
        if self._work is not None:
            if self.state == "INITIALIZING":
                self._work.cancel()
            await asyncio.wait({self._work})

    async def __aenter__(self) -> Self:
        await self.start()
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.shutdown()

    async def set_order_interception(self, enabled: bool) -> None:  # noqa: FBT001 - as documented
        """Switch it for orders decided from now on. Raises ``InputRefused`` where the gate refuses (docs/modes.md)."""
        gate = self._aggregator().gate
        self._asked += 1
        request_id = f"api-{SystemClock().now_ns()}-{self._asked}"
        answer: asyncio.Future[Answer] = asyncio.get_running_loop().create_future()
        self._answers[request_id] = answer
        try:
            async with asyncio.timeout(_ANSWER_S):
                await gate.take(SetInterception(request_id, enabled))
                decided = await answer
        except TimeoutError:
            raise InputRefused("UNDECIDED", "the gate has not answered in time; it may still act on this") from None
        finally:
            del self._answers[request_id]
        if not decided.ok:
            raise InputRefused(decided.code, decided.message, decided.field)

    def get_metrics(self) -> dict[str, Any]:
        """The documented counts, since the start, and the settings that were asked for."""
        modes = self._settings.modes if self._running is None else self._running.gate.group.modes
        if self._running is not None:
            self._counts = self._running.gate.counts
        counts = self._counts
        uptime_s = asyncio.get_running_loop().time() - self._began_s if self._began_s else 0.0
        orders = [] if self._running is None else _entries(self._running.gate.group)
        return {
            "integration": {
                "status": self.state,
                "uptime": round(uptime_s * 1_000),
                "ordersIntercepted": counts.orders_intercepted,
                "ordersProcessed": counts.orders_processed,
                "ordersPassed": counts.orders_passed,
                "ordersRejected": counts.orders_rejected,
                "riskViolations": counts.risk_violations,
                "sltpCalculated": counts.sltp_calculated,
            },
            "interception": {
                "activeInterceptions": sum(order.status in LIVE for order in orders),
                "storedOriginalOrders": len(orders),
                "storedFillEvents": counts.stored_fill_events,
            },
            "config": {
                "shadowMode": modes.shadow,
                "interceptOrders": modes.intercept,
                "enableRiskValidation": modes.validate,
                "enableSLTPCalculation": modes.default_bracket,
                "preserveOriginalWorkflow": modes.preserve,
            },
        }

    def get_order_status(self, order_id: str) -> dict[str, Any] | None:
        """How the order of this id stands; None where none is known. Times are ISO 8601, null where not yet."""
        gate = self._aggregator().gate
        found = gate.group.find_order(order_id, None)
        if found is None:
            waits = gate.waits(order_id)
            return _status(order_id, "INTERCEPTED") if waits else None
        _, order = found
        is_denied = order.status is Status.DENIED
        return _status(order_id, "REJECTED" if is_denied else "PROCESSED") | {
            "aggregatorOrderId": order.tag or None,
            "queueId": order.tag or None,
            "interceptedAt": utc_text(order.received_ns),
            "processedAt": utc_text(order.decided_ns),
            "rejectionReason": "; ".join(breach.message for breach in order.breaches) or order.reason or None,
        }

    def _aggregator(self) -> Aggregator:
        if self._running is None:
            raise InputRefused("NOT_STARTED", "the integration does not run: await start() first")
        return self._running

    async def _run(self, ready: asyncio.Future[None]) -> None:
        try:
            opened = roles.aggregator(self._settings, self._approval_key, telemetry.log_step, self._stopping.set)
            async with opened as self._running:
                await self._serve(self._running, ready)
            self.state = "STOPPED"
        except asyncio.CancelledError:
            self.state = "STOPPED"
        except (OrdergateError, BaseExceptionGroup) as error:
            self.state = "ERROR"
            self._emit("error", {"error": str(error)})
            if ready.done():
                _log.critical("the integration has failed", exc_info=error)
            else:
                ready.set_exception(error)
        finally:
            if self._running is not None:
                self._counts = self._running.gate.counts
            self._running = None
            ready.cancel()
            self._emit("shutdown", {"status": self.state})
            if self._telling:
                await asyncio.wait(self._telling)

    async def _serve(self, running: Aggregator, ready: asyncio.Future[None]) -> None:
        told = running.bus.consume(Topic.EVENTS, "python-api")
        follow = asyncio.create_task(self._follow(told), name="python api")
        beat = asyncio.create_task(self._tell_metrics(), name="python api: metrics")
        try:
            await running.settled()
            self.state = "READY"
            modes = self._settings.modes
            self._emit("ready", {"shadowMode": modes.shadow, "interceptOrders": modes.intercept})
            ready.set_result(None)
            await self._stopping.wait()
            self.state = "SHUTTING_DOWN"
        finally:
            told.close()
            for task in (follow, beat):
                task.cancel()
            await asyncio.wait({follow, beat})

    async def _follow(self, messages: Subscription) -> None:
        async for message in messages:
            told = news(message)
            if isinstance(told, Answer):
                waiter = self._answers.get(told.request_id)
                if waiter is not None and not waiter.done():
                    waiter.set_result(told)
            elif isinstance(told, Happened):
                self._happened(told)

    def _happened(self, told: Happened) -> None:
        if isinstance(told.event, e.OrderApproved) and told.event.order.role is Role.ENTRY:
            entry = told.event.order
            self._emit(
                "orderProcessing",
                {
                    "originalOrderId": entry.order_id,
                    "aggregatorOrderId": entry.tag,
                    "queueId": entry.tag,
                    "status": "PROCESSING",
                },
            )

    async def _tell_metrics(self) -> None:
        while True:
            await asyncio.sleep(METRICS_S)
            told = self.get_metrics()
            gate = self._aggregator().gate
            self._emit("metrics", {"integration": told, "aggregator": gate.documented})

    def _emit(self, event: str, payload: dict[str, Any]) -> None:
        for listener in self._listeners[event]:
            telling = asyncio.ensure_future(_call(listener, payload))
            self._telling.add(telling)
            telling.add_done_callback(self._told)

    def _told(self, telling: asyncio.Future[None]) -> None:
        self._telling.discard(telling)
        failure = None if telling.cancelled() else telling.exception()
        if failure is not None:
            _log.error("a listener failed", exc_info=failure)


async def _call(listener: Listener, payload: dict[str, Any]) -> None:
    told = listener(payload)
    if inspect.isawaitable(told):
        await told


def _entries(group: Group) -> list[Any]:
    """Today's orders but for stops and targets."""
    found = []
    for account in group.accounts.values():
        found += [order for order in (*account.orders.values(), *account.done.values()) if order.role is Role.ENTRY]
    return found


def _status(order_id: str, status: str) -> dict[str, Any]:
    return {
        "originalOrderId": order_id,
        "aggregatorOrderId": None,
        "status": status,
        "queueId": None,
        "interceptedAt": None,
        "processedAt": None,
        "rejectionReason": None,
    }
