"""Interception: the documented messages, in and out.

A PLACE_ORDER or CANCEL_ORDER on ``order:management`` becomes a command; what becomes of it is told on the documented
channels with the caller's own ids. Nothing here decides, and nothing said here is permission.

Invariants:
1. Every PLACE_ORDER that carries an order id is answered: ORDER_RESPONSE, and ORDER_REJECTED when it is refused.
2. Our own answers are never taken for requests: only two types are read, and neither is ever sent.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from decimal import Decimal
from fractions import Fraction

import msgspec

from ordergate.bus import messages
from ordergate.bus.brackets import Preset
from ordergate.bus.follower import Follower
from ordergate.bus.port import Bus, Channel, Topic
from ordergate.bus.topics import Happened, news
from ordergate.bus.translate import submit_order
from ordergate.clock import Clock
from ordergate.core import commands
from ordergate.core import events as e
from ordergate.core.account import Group
from ordergate.core.instrument import Instrument
from ordergate.core.levels import stop_level, target_level
from ordergate.core.order import Order, Role
from ordergate.core.sessions import utc_text
from ordergate.errors import InputRefused
from ordergate.telemetry import Step, logger

_log = logger("integration")
_envelope = msgspec.json.Decoder(messages.Envelope)
_named = msgspec.json.Decoder(messages.Named)
_MS_NS = 1_000_000


class Interception:
    """``take`` queues a command at the gate, ``refuse`` answers what never became one.

    ``presets`` are those that orders may name.
    """

    def __init__(
        self,
        *,
        bus: Bus,
        clock: Clock,
        take: Callable[[commands.Command], Awaitable[None]],
        refuse: Callable[[commands.Answer], Awaitable[None]],
        state: Callable[[], Group],
        presets: tuple[Preset, ...],
        step: Step,
    ) -> None:
        self._bus = bus
        self._clock = clock
        self._take = take
        self._refuse = refuse
        self._state = state
        self._presets = presets
        self._step = step
        self._follower = Follower(bus)
        self._following = asyncio.Event()
        self._asked = bus.subscribe(Channel.ORDER_MANAGEMENT)
        self._news = bus.consume(Topic.EVENTS, "integration")

    async def run(self) -> None:
        """Carry messages both ways until cancelled."""
        async with asyncio.TaskGroup() as tasks:
            tasks.create_task(self._intercept(), name="interception")
            tasks.create_task(self._tell(), name="documented answers")

    async def _intercept(self) -> None:
        # What becomes of an order is told from the copy of the state: one decided before the copy had come would never
        # be answered.
        await self._following.wait()
        async for message in self._asked:
            try:
                if _envelope.decode(message).type in ("PLACE_ORDER", "CANCEL_ORDER"):
                    await self._take(self._command(messages.asked(message)))
            except InputRefused as error:
                await self._refused(message, error.code, error.message, error.field)
            except messages.UNREADABLE as error:
                await self._refused(message, "BAD_MESSAGE", str(error), None)

    def _command(self, asked: messages.Asked) -> commands.Command:
        payload = asked.payload
        request_id = payload.request_id or f"{payload.instance_id}/{payload.order_id}"
        if isinstance(asked, messages.CancelOrder):
            return commands.CancelOrder(request_id, payload.order_id, payload.account_id)
        self._step("intercepted", payload.order_id)
        return submit_order(asked.payload, self._state().instruments, request_id, self._presets)

    async def _refused(self, message: bytes, code: str, text: str, field: str | None) -> None:
        """Input that never became a command is answered by its order id, if it has one that can be read."""
        try:
            named = _named.decode(_envelope.decode(message).payload)
        except messages.UNREADABLE:
            named = messages.Named()
        _log.warning("refused a message", code=code, text=text, order_id=named.order_id)
        if named.order_id is None:
            return
        if named.request_id is not None:
            await self._refuse(
                commands.Answer(
                    named.request_id, ok=False, order_id=named.order_id, code=code, message=text, field=field
                )
            )
        await self._reject(named.instance_id or "", named.order_id, code, (messages.Violation(code, text),))

    async def _tell(self) -> None:
        await self._follower.ask()
        async for message in self._news:
            told = news(message)
            if isinstance(told, commands.Answer):
                if told.code == "QUEUE_FULL" and told.order_id is not None:
                    await self._reject(messages.MANUAL_INSTANCE, told.order_id, "QUEUE_FULL", ())
            elif await self._follower.follow(told):
                self._following.set()
                if isinstance(told, Happened):
                    await self._event(told)

    async def _event(self, told: Happened) -> None:
        event, group = told.event, self._follower.group
        assert group is not None
        match event:
            case e.OrderDenied():
                violations = tuple(messages.Violation(b.code, b.message) for b in event.order.breaches)
                await self._reject(event.order.instance_id, event.order.order_id, "RISK_VIOLATION", violations)
            case e.OrderAccepted() | e.OrderRejected() | e.OrderNotSent() | e.OrderCancelled() | e.FillApplied():
                order = group.accounts[event.account_id].order(event.order_id)
                if order is not None and order.role is Role.ENTRY:
                    await self._about(group, order, event)
            case _:
                pass

    async def _about(self, group: Group, order: Order, event: e.Event) -> None:
        match event:
            case e.OrderAccepted():
                await self._respond(order.instance_id, order.order_id, None, event.broker_order_id)
            case e.OrderRejected():
                await self._respond(order.instance_id, order.order_id, event.text, None)
            case e.OrderNotSent():
                await self._respond(order.instance_id, order.order_id, f"not sent: {event.reason}", None)
            case e.OrderCancelled():
                now_ms = self._clock.now_ns() // _MS_NS
                payload = messages.CancellationResponsePayload(
                    order.instance_id, order.order_id, success=True, error=None, timestamp=now_ms
                )
                await self._publish(Channel.ORDER_MANAGEMENT, messages.CancellationResponse(payload))
            case e.FillApplied():
                await self._filled(group.instruments[event.contract_id], order, event)
            case _:
                pass

    async def _filled(self, instrument: Instrument, order: Order, fill: e.FillApplied) -> None:
        now_ms = self._clock.now_ns() // _MS_NS
        price = instrument.price(fill.price_ticks)
        payload = messages.OrderFilledPayload(
            order_id=order.order_id,
            account_id=fill.account_id,
            instrument=instrument.contract_id,
            side=fill.side.value,
            filled_price=price,
            filled_quantity=fill.quantity,
            position_id=f"{fill.account_id}:{instrument.contract_id}",
            timestamp=now_ms,
        )
        await self._publish(Channel.MARKET_DATA, messages.OrderFilled(payload, now_ms))
        part = messages.FillPart(order.order_id, instrument.symbol, fill.side.value, fill.quantity, price)
        levels = sltp_levels(instrument, order, fill)
        enhanced = messages.EnhancedFillPayload(part, levels, utc_text(self._clock.now_ns()))
        await self._publish(Channel.FILL_ENHANCED, messages.EnhancedFill(enhanced))

    async def _reject(
        self, instance_id: str, order_id: str, reason: str, violations: tuple[messages.Violation, ...]
    ) -> None:
        rejected = messages.OrderRejectedPayload(order_id, reason, violations, utc_text(self._clock.now_ns()))
        await self._publish(Channel.ORDER_MANAGEMENT, messages.OrderRejected(rejected))
        error = f"{reason}: {'; '.join(violation.message for violation in violations)}"
        await self._respond(instance_id, order_id, error, None)

    async def _respond(self, instance_id: str, order_id: str, error: str | None, broker_order_id: int | None) -> None:
        now_ms = self._clock.now_ns() // _MS_NS
        payload = messages.OrderResponsePayload(instance_id, order_id, error is None, error, broker_order_id, now_ms)
        await self._publish(Channel.ORDER_MANAGEMENT, messages.OrderResponse(payload, now_ms))
        self._step("answered", order_id)

    async def _publish(self, channel: Channel, message: msgspec.Struct) -> None:
        await self._bus.publish(channel, messages.encode(message))


def sltp_levels(instrument: Instrument, order: Order, fill: e.FillApplied) -> messages.Levels:
    """The documented ``sltpLevels`` of a fill: where the fills so far put stop and first target, in points."""
    stop, targets = order.protection.stop, order.protection.targets
    target = targets[0].at if targets else None
    opened = order.opened_quantity > 0
    stop_ticks = stop_level(order, stop) if stop and opened else None
    target_ticks = target_level(order, target) if target and opened else None
    risk = None if stop_ticks is None else abs(fill.price_ticks - stop_ticks)
    reward = None if target_ticks is None else abs(target_ticks - fill.price_ticks)
    ratio = Fraction(reward, risk) if risk and reward else Fraction(0)
    return messages.Levels(
        stop_loss=None if stop_ticks is None else instrument.price(stop_ticks),
        take_profit=None if target_ticks is None else instrument.price(target_ticks),
        stop_loss_amount=None if risk is None else instrument.price(risk),
        take_profit_amount=None if reward is None else instrument.price(reward),
        risk_reward_ratio=Decimal(round(ratio * 10_000)).scaleb(-4),
        calculations=messages.Calculations(
            fill_price=instrument.price(fill.price_ticks),
            side=order.terms.side.value,
            quantity=fill.quantity,
            tick_size=instrument.tick_size,
            method="points",
            stop_loss_points=None if stop is None else instrument.price(stop.ticks),
            take_profit_points=None if target is None else instrument.price(target.ticks),
        ),
    )
