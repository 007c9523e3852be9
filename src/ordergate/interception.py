"""Interception: the documented messages about orders, in and out, and the parts that speak the rest (``dialect``).

Orders come on ``order:management`` and ``aggregator:orders``; each becomes a command, and what becomes of it is told on
``order:management`` with the caller's own ids. Nothing here decides, and nothing said here is permission.

The orders of the manual pages are held to the limits, and get the desk's default bracket where they say none. Those of
other instances pass: they go through the same writer and are recorded, no limit is asked of them, and they get the stop
and target that they carry and no others (``_command`` is where the two part).

Invariants:
1. Every order with an order id that can be said again is answered: ORDER_RESPONSE, and ORDER_REJECTED when it is
   refused. So is every cancel, by ORDER_CANCELLATION_RESPONSE, and every change, by ORDER_STATUS_UPDATE.
2. Our own messages, and those that an aggregator has had before, are never taken for orders: D2 and D3.
3. The same message again, on either channel, is the same order: decided once, answered as often as it is asked.
4. Nothing that stands on a channel ends this.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable

import msgspec

from ordergate.bus import messages
from ordergate.bus.brackets import Preset
from ordergate.bus.follower import Follower
from ordergate.bus.mailbox import AT_ONCE_MAX
from ordergate.bus.port import Bus, Channel, Subscription
from ordergate.bus.topics import Happened, News
from ordergate.bus.translate import as_carried, optional_ticks, quantity, submit_order
from ordergate.clock import Clock
from ordergate.core import answers, commands
from ordergate.core.account import Group
from ordergate.dialect.answering import Answering
from ordergate.dialect.askings import Asking, Kind
from ordergate.dialect.controlling import Controlling
from ordergate.dialect.hints import Hints
from ordergate.dialect.order_answers import OrderAnswers
from ordergate.dialect.outbox import Outbox
from ordergate.dialect.quotes import Quotes
from ordergate.dialect.waiting import Waiting
from ordergate.errors import InputRefused
from ordergate.telemetry import Step, logger

_HEARD = (Channel.ORDER_MANAGEMENT, Channel.AGGREGATOR_ORDERS, Channel.AGGREGATOR_REQUESTS, Channel.INSTANCE_CONTROL)
_KINDS = {kind.value: kind for kind in Kind}

_log = logger("integration")
_place = msgspec.json.Decoder(messages.PlaceOrderPayload)
_cancel = msgspec.json.Decoder(messages.CancelOrderPayload)
_modify = msgspec.json.Decoder(messages.ModifyOrderPayload)


class Interception:
    """``take`` queues a command at the gate, ``refuse`` answers what never became one. ``told`` is all that it tells.

    ``presets`` are those that orders may name; ``enforcing`` is the gate's own word on whether it does; ``stop`` begins
    an orderly stop, for SHUTDOWN; ``took`` is told how long each message was here.
    """

    def __init__(
        self,
        *,
        bus: Bus,
        clock: Clock,
        told: asyncio.Queue[News],
        take: Callable[[commands.Command], Awaitable[None]],
        refuse: Callable[[commands.Answer], Awaitable[None]],
        state: Callable[[], Group],
        presets: tuple[Preset, ...],
        step: Step,
        enforcing: Callable[[], bool],
        stop: Callable[[], None],
        took: Callable[[str, int], None],
    ) -> None:
        self._clock = clock
        self._took = took
        self._take = take
        self._refuse = refuse
        self._state = state
        self._presets = presets
        self._step = step
        self._follower = Follower(bus)
        self._following = asyncio.Event()
        self._heard = {channel: bus.subscribe(channel) for channel in _HEARD}
        self._told = told
        self._outbox = Outbox(bus, clock)
        self._waiting = Waiting(take)
        self._answers = OrderAnswers(clock, self._outbox, self._group, step)
        self._number = 0
        self._turn = asyncio.Lock()
        self._received = 0
        self._unreadable = 0
        self._quotes = Quotes(bus, self._outbox, self._group)
        self._hints = Hints(bus, clock, self._group)
        self._controlling = Controlling(
            clock=clock,
            outbox=self._outbox,
            waiting=self._waiting,
            group=self._group,
            enforcing=enforcing,
            stop=stop,
            channels=_HEARD,
            counts=self._counts,
        )
        self._answering = Answering(
            clock=clock,
            outbox=self._outbox,
            waiting=self._waiting,
            group=self._group,
            quotes=self._quotes.latest,
        )

    async def run(self) -> None:
        """Carry messages both ways until cancelled."""
        async with asyncio.TaskGroup() as tasks:
            tasks.create_task(self._outbox.run(), name="outbox")
            tasks.create_task(self._tell(), name="documented answers")
            tasks.create_task(self._quotes.run(), name="documented quotes")
            tasks.create_task(self._controlling.run(self._heard[Channel.INSTANCE_CONTROL]), name="control")
            # What becomes of an order is told from the copy of the state: one decided before the copy had come would
            # never be answered.
            await self._following.wait()
            for channel in (Channel.ORDER_MANAGEMENT, Channel.AGGREGATOR_ORDERS):
                tasks.create_task(self._intercept(self._heard[channel]), name=f"interception of {channel.value}")
            tasks.create_task(self._answering.run(self._heard[Channel.AGGREGATOR_REQUESTS]), name="requests")
            tasks.create_task(self._hints.run(), name="hints")

    def _group(self) -> Group | None:
        return self._follower.group

    def _counts(self) -> tuple[int, int]:
        return self._received + self._answering.received, self._unreadable + self._answering.refused

    async def _intercept(self, heard: Subscription) -> None:
        async for message in heard:
            self._received += 1
            if len(message) > messages.BYTES_MAX:
                self._unreadable += 1
                _log.warning("a message is longer than any order", size=len(message))
                continue
            try:
                envelope = messages.envelope(message)
                kind = _KINDS.get(envelope.type)
                if kind is not None and not messages.is_aggregators(envelope):
                    await self._asked(kind, envelope.body)
            except messages.UNREADABLE as error:
                self._unreadable += 1
                _log.warning("a message cannot be read", error=messages.brief(str(error)))

    async def _asked(self, kind: Kind, body: msgspec.Raw) -> None:
        """Queue what is asked for, or answer that it is refused. One after another, on whichever channel it came."""
        began_ns = self._clock.now_ns()
        async with self._turn:
            await self._queue(kind, body)
        self._took("interception", self._clock.now_ns() - began_ns)

    async def _queue(self, kind: Kind, body: msgspec.Raw) -> None:
        try:
            asking, command = self._command(kind, body)
        except InputRefused as error:
            await self._refused(kind, messages.named(body), error.code, error.message, error.field)
            return
        except messages.UNREADABLE as error:
            await self._refused(kind, messages.named(body), "BAD_MESSAGE", str(error), None)
            return
        self._answers.expect(command.request_id, asking)
        await self._take(command)

    def _command(self, kind: Kind, body: msgspec.Raw) -> tuple[Asking, commands.Command]:
        """Raises ``InputRefused`` or one of ``UNREADABLE``."""
        match kind:
            case Kind.CANCEL:
                cancel = _cancel.decode(body)
                order_id, account_id = self._cancelled(cancel)
                asking = _asking(kind, cancel)
                return asking, commands.CancelOrder(self._fresh(kind), order_id, account_id)
            case Kind.MODIFY:
                modify = _modify.decode(body)
                return _asking(kind, modify), self._modified(modify, self._fresh(kind))
            case Kind.PLACE | Kind.MANUAL:
                place = _place.decode(body)
                asking = _asking(kind, place)
                request_id = place.request_id or self._fresh(kind)
                command = submit_order(place, self._state().instruments, request_id, self._presets)
                if place.instance_id not in messages.MANUAL_INSTANCES:
                    command = as_carried(command)
                self._step("intercepted", place.order_id)
                return asking, command

    def _cancelled(self, asked: messages.CancelOrderPayload) -> tuple[str, int | None]:
        """The order that is meant, by its caller's id or else by the broker's."""
        found = self._state().find_order(asked.order_id, asked.account_id)
        if found is None and asked.top_step_order_id is not None:
            for account in self._state().accounts.values():
                order_id = account.broker_ids.get(asked.top_step_order_id)
                if order_id is not None and asked.account_id in (None, account.account_id):
                    return order_id, account.account_id
        return asked.order_id, asked.account_id

    def _modified(self, asked: messages.ModifyOrderPayload, request_id: str) -> commands.ModifyOrder:
        """Raises ``InputRefused``."""
        group = self._state()
        found = group.find_order(asked.order_id, asked.account_id)
        if found is None and self._answers.places(asked.order_id):
            raise InputRefused(answers.BUSY, f"{asked.order_id} is not decided yet; try again when it works", "orderId")
        if found is None:
            raise InputRefused(answers.UNKNOWN_ORDER, f"there is no order {asked.order_id}", "orderId")
        limit = asked.limit_price if asked.limit_price is not None else asked.price
        if (asked.quantity, limit, asked.stop_price) == (None, None, None):
            raise InputRefused(answers.NOTHING_TO_CHANGE, "say a quantity, a limitPrice or a stopPrice")
        account, order = found
        instrument = group.instruments[order.terms.contract_id]
        return commands.ModifyOrder(
            request_id,
            order.order_id,
            account.account_id,
            quantity=None if asked.quantity is None else quantity(asked.quantity, "quantity"),
            limit_ticks=optional_ticks(instrument, limit, "limitPrice"),
            stop_ticks=optional_ticks(instrument, asked.stop_price, "stopPrice"),
        )

    def _fresh(self, kind: Kind) -> str:
        self._number += 1
        return f"{kind.value}-{self._clock.now_ns()}-{self._number}"

    async def _refused(self, kind: Kind, named: messages.Named, code: str, text: str, field: str | None) -> None:
        """Input that never became a command is answered by its order id, if it has one that can be read."""
        text = messages.brief(text)
        _log.warning("refused a message", code=code, text=text, order_id=named.order_id)
        if named.order_id is None:
            self._unreadable += 1
            return
        # Somebody who waits by the same id, for an order that was taken, would take this for its answer.
        if named.request_id is not None and not self._answers.expects(named.request_id):
            await self._refuse(
                commands.Answer(
                    named.request_id, ok=False, order_id=named.order_id, code=code, message=text, field=field
                )
            )
        self._answers.reject(Asking(kind, named.instance_id or "", named.order_id), code, text)

    async def _tell(self) -> None:
        await self._follower.ask()
        at_once = 0
        while True:
            at_once += 1
            if at_once % AT_ONCE_MAX == 0:
                await asyncio.sleep(0)
            told = await self._told.get()
            if isinstance(told, commands.Answer):
                self._waiting.answered(told)
                self._answers.answered(told)
                continue
            before = self._follower.group
            if await self._follower.follow(told):
                self._following.set()
                if isinstance(told, Happened) and before is not None:
                    self._answers.happened(before, told.event)


_Payload = messages.PlaceOrderPayload | messages.CancelOrderPayload | messages.ModifyOrderPayload


def _asking(kind: Kind, payload: _Payload) -> Asking:
    """Raises ``InputRefused`` for a name that could not be said again."""
    names = {"orderId": payload.order_id, "instanceId": payload.instance_id}
    if isinstance(payload, messages.PlaceOrderPayload):
        names |= {"requestId": payload.request_id or ""}
    for field, name in names.items():
        if len(name) > messages.NAME_MAX:
            raise InputRefused("NAME_TOO_LONG", f"{field} has more than {messages.NAME_MAX} characters", field)
    return Asking(kind, payload.instance_id, payload.order_id)
