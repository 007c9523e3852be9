"""What a person asks for over HTTP: orders and the other commands. Each is checked, asked of the gate, and answered.

An order travels as a documented PLACE_ORDER on ``order:management``, the way that orders of other programs travel too;
the other commands are our own, on the topic ``orders``.

Invariants:
1. What is not an order is refused here: it reaches neither the bus nor the journal.
2. An answer of success means decided and durable. No answer in time means UNDECIDED, never success and never failure.
3. Cancel, cancel-all and flatten need nothing of the copied state, so nothing that is missing in it can block them.
"""

from __future__ import annotations

import asyncio
import random
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime, timedelta

import msgspec
from msgspec import UNSET, UnsetType

from ordergate.bus import messages, topics
from ordergate.bus.brackets import Preset
from ordergate.bus.port import Bus, Channel, Topic
from ordergate.bus.translate import (
    check_said_once,
    held_contract,
    held_position,
    optional_ticks,
    quantity,
    submit_order,
)
from ordergate.clock import Clock
from ordergate.core import answers
from ordergate.core.account import Account, Group
from ordergate.core.commands import (
    Acknowledge,
    Answer,
    CancelAll,
    CancelOrder,
    ChangeLimits,
    ClosePosition,
    Command,
    Flatten,
    LockOut,
    ModifyOrder,
    SetInterception,
    SetPaused,
    UpdateProtection,
)
from ordergate.core.events import Door
from ordergate.core.inputs import Stamped
from ordergate.core.market import Market
from ordergate.core.preview import preview
from ordergate.core.sessions import utc_text
from ordergate.errors import InputRefused
from ordergate.net.port import Response
from ordergate.telemetry import Step
from ordergate.web import limits
from ordergate.web.bodies import (
    AcknowledgeBody,
    CancelAllBody,
    CancelBody,
    CloseBody,
    FlattenBody,
    InterceptionBody,
    LegBody,
    LockoutBody,
    ModifyBody,
    OrderBody,
    PauseBody,
    ProtectionBody,
    ResumeBody,
)
from ordergate.web.body import read
from ordergate.web.mirror import Mirror
from ordergate.web.replies import Done, declined, done, nearest_row, preview_row, reply

# From the request to its answer, the wait for exits included.
DECISION_WAIT_S = 2.0
_BASE_36 = "0123456789abcdefghijklmnopqrstuvwxyz"
_MS_NS = 1_000_000
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


class Asking:
    """Every POST, by its path in ``routes``."""

    def __init__(
        self, mirror: Mirror, bus: Bus, clock: Clock, rng: random.Random, trace: Step, presets: tuple[Preset, ...]
    ) -> None:
        self._mirror = mirror
        self._bus = bus
        self._clock = clock
        self._rng = rng
        self._trace = trace
        self._presets = presets
        self.routes: dict[str, Callable[[bytes], Awaitable[Response]]] = {
            "/api/order": self.order,
            "/api/preview": self.preview,
            "/api/cancel-order": self.cancel,
            "/api/modify-order": self.modify,
            "/api/update-sl-tp": self.update_protection,
            "/api/close-position": self.close_position,
            "/api/cancel-all": self.cancel_all,
            "/api/flatten": self.flatten,
            "/api/limits": self.change_limits,
            "/api/lockout": self.lock_out,
            "/api/pause": self.pause,
            "/api/resume": self.resume,
            "/api/interception": self.set_interception,
            "/api/alarms/acknowledge": self.acknowledge,
        }

    async def order(self, body: bytes) -> Response:
        """Place an order. An unknown account is bad input here (400), as an unknown instrument is."""
        asked = read(body, OrderBody)
        group = self._known()
        order_id = self._fresh("manual") if asked.order_id is None else asked.order_id
        request_id = self._fresh("web")
        payload = _payload(asked, order_id, request_id, _asked_ms(asked, self._clock.now_ns()))
        command = submit_order(payload, group.instruments, request_id, self._presets)
        _adopted(group, asked.account_id)
        answer = await self._mirror.ask(request_id, lambda: self._publish(payload), _deadline())
        answer = msgspec.structs.replace(answer, order_id=order_id)
        if answer.ok or not answer.breaches:
            return self._replied(answer)
        nearest = nearest_row(group.instruments[command.contract_id], answer.nearest)
        return declined(answer, nearest=nearest, shadow=self._shadow())

    async def preview(self, body: bytes) -> Response:
        """What would become of an order, by the copied state: nothing is sent.

        It is judged as if sent now: an ``orderId`` and a ``waitedMs`` are not looked at.
        """
        asked = read(body, OrderBody)
        group, now_ns = self._known(), self._clock.now_ns()
        payload = _payload(asked, asked.order_id or "preview", "preview", now_ns // _MS_NS)
        command = submit_order(payload, group.instruments, "preview", self._presets)
        account = _adopted(group, asked.account_id)
        stamp = Stamped(command, Market(self._mirror.quotes, now_ns), now_ns)
        seen = preview(group, account, command, stamp)
        return reply(preview_row(group, group.instruments[command.contract_id], seen))

    async def cancel(self, body: bytes) -> Response:
        asked = read(body, CancelBody)
        return self._reply(await self._ask(CancelOrder(self._fresh("web"), asked.order_id, asked.account_id)))

    async def modify(self, body: bytes) -> Response:
        asked = read(body, ModifyBody)
        group = self._known()
        found = group.find_order(asked.order_id, asked.account_id)
        if found is None:
            raise InputRefused(answers.UNKNOWN_ORDER, f"there is no order {asked.order_id}", "orderId")
        if (asked.quantity, asked.limit_price, asked.stop_price) == (None, None, None):
            raise InputRefused(answers.NOTHING_TO_CHANGE, "say a quantity, a limitPrice or a stopPrice")
        account, order = found
        instrument = group.instruments[order.terms.contract_id]
        command = ModifyOrder(
            self._fresh("web"),
            order.order_id,
            account.account_id,
            quantity=None if asked.quantity is None else quantity(asked.quantity, "quantity"),
            limit_ticks=optional_ticks(instrument, asked.limit_price, "limitPrice"),
            stop_ticks=optional_ticks(instrument, asked.stop_price, "stopPrice"),
        )
        answer = await self._ask(command)
        if not answer.breaches or order.is_leg:
            return self._reply(answer)
        return declined(answer, nearest=nearest_row(instrument, answer.nearest), shadow=self._shadow())

    async def update_protection(self, body: bytes) -> Response:
        asked = read(body, ProtectionBody)
        group = self._known()
        account, contract_id = held_position(group, asked.position_id)
        if asked.stop_loss is None and asked.take_profit is None:
            raise InputRefused(answers.NOTHING_TO_CHANGE, "say a stopLoss or a takeProfit")
        instrument = group.instruments[contract_id]
        command = UpdateProtection(
            self._fresh("web"),
            account.account_id,
            contract_id,
            stop_ticks=optional_ticks(instrument, asked.stop_loss, "stopLoss"),
            target_ticks=optional_ticks(instrument, asked.take_profit, "takeProfit"),
        )
        return self._reply(await self._ask(command))

    async def close_position(self, body: bytes) -> Response:
        asked = read(body, CloseBody)
        contract_id = held_contract(self._known(), asked.account_id, asked.instrument)
        if asked.close_type == "partial" and asked.quantity is None:
            raise InputRefused("MISSING_FIELD", "a partial close needs a quantity", "quantity")
        size = None if asked.quantity is None or asked.close_type == "full" else quantity(asked.quantity, "quantity")
        command = ClosePosition(self._fresh("web"), asked.account_id, contract_id, size)
        return await self._exit(command, asked.account_id, contract_id)

    async def cancel_all(self, body: bytes) -> Response:
        asked = read(body, CancelAllBody)
        return self._reply(await self._ask(CancelAll(self._fresh("web"), _one(asked.account_id))))

    async def flatten(self, body: bytes) -> Response:
        account_id = _one(read(body, FlattenBody).account_id)
        return await self._exit(Flatten(self._fresh("web"), account_id), account_id, None)

    async def change_limits(self, body: bytes) -> Response:
        """What the answer says holds and waits is the state after the change."""
        wanted, fields = limits.asked(read(body, limits.LimitsBody))
        if not fields:
            raise InputRefused(answers.NOTHING_TO_CHANGE, "say at least one limit")
        deadline = _deadline()
        answer = await self._ask(ChangeLimits(self._fresh("web"), wanted, fields), deadline)
        if not answer.ok:
            return self._reply(answer)
        return reply(limits.answer(await self._followed(deadline), fields))

    async def lock_out(self, body: bytes) -> Response:
        asked = read(body, LockoutBody)
        deadline = _deadline()
        account_id = _one(asked.account_id)
        command = LockOut(self._fresh("web"), account_id, _until(asked.until), asked.reason)
        answer = await self._ask(command, deadline)
        if not answer.ok:
            return self._reply(answer)
        accounts = (await self._followed(deadline)).accounts.values()
        ends = [a.locked_until_ns for a in accounts if a.adopted and account_id in (None, a.account_id)]
        return reply(Done(locked_until=utc_text(min(ends)), shadow=self._shadow()))

    async def pause(self, body: bytes) -> Response:
        asked = read(body, PauseBody)
        return self._reply(await self._ask(SetPaused(self._fresh("web"), on=True, by=Door.PAGE, reason=asked.reason)))

    async def resume(self, body: bytes) -> Response:
        read(body, ResumeBody)
        return self._reply(await self._ask(SetPaused(self._fresh("web"), on=False, by=Door.PAGE)))

    async def set_interception(self, body: bytes) -> Response:
        asked = read(body, InterceptionBody)
        return self._reply(await self._ask(SetInterception(self._fresh("web"), asked.on)))

    async def acknowledge(self, body: bytes) -> Response:
        asked = read(body, AcknowledgeBody)
        return self._reply(await self._ask(Acknowledge(self._fresh("web"), asked.numbers)))

    async def _followed(self, deadline: float) -> Group:
        """The state once it is known; events come before the answer that stands on them. Raises ``InputRefused``."""
        await self._mirror.until(lambda _: True, deadline)
        return self._known()

    async def _exit(self, command: Command, account_id: int | None, contract_id: str | None) -> Response:
        """Ask, then wait for the exits of those accounts and contracts (None = all of them) to be over."""
        deadline = _deadline()
        answer = await self._ask(command, deadline)
        if not answer.ok:
            return self._reply(answer)

        def accounts(group: Group) -> list[Account]:
            return [account for account in group.accounts.values() if account_id in (None, account.account_id)]

        def is_over(group: Group) -> bool:
            running = [name for account in accounts(group) for name in account.exits]
            return contract_id not in running if contract_id is not None else not running

        def is_flat(group: Group) -> bool:
            held = [name for account in accounts(group) for name in account.positions]
            return contract_id not in held if contract_id is not None else not held

        finished = await self._mirror.until(is_over, deadline)
        group = self._mirror.group
        flat = group is not None and is_flat(group)
        return done(answer, finished=finished, flat=flat, shadow=self._shadow())

    async def _ask(self, command: Command, deadline: float | None = None) -> Answer:
        async def send() -> None:
            await self._bus.send(Topic.ORDERS, topics.encode(command))

        return await self._mirror.ask(command.request_id, send, deadline or _deadline())

    def _reply(self, answer: Answer) -> Response:
        """The answer to a command other than an order: an account that is not there is a thing not found."""
        return self._replied(answer, 404 if answer.code == answers.UNKNOWN_ACCOUNT else None)

    def _replied(self, answer: Answer, status: int | None = None) -> Response:
        shadow = self._shadow()
        return done(answer, shadow=shadow) if answer.ok else declined(answer, status, shadow=shadow)

    def _shadow(self) -> bool | UnsetType:
        """What an answer says of shadow mode: only where the gate is known to be in it."""
        group = self._mirror.group
        return True if group is not None and group.modes.shadow else UNSET

    async def _publish(self, payload: messages.PlaceOrderPayload) -> None:
        self._trace("asked", payload.order_id)
        await self._bus.publish(Channel.ORDER_MANAGEMENT, messages.encode(messages.PlaceOrder(payload)))
        self._trace("published", payload.order_id)

    def _known(self) -> Group:
        """The state, once it has accounts to trade. Raises ``InputRefused``."""
        group = self._mirror.group
        if group is None or not any(account.adopted for account in group.accounts.values()):
            raise InputRefused("STARTING", "the gate does not know its accounts yet; try again in a moment")
        return group

    def _fresh(self, kind: str) -> str:
        """A new id of the documented form (wire notes, section 2.1): kind, milliseconds, nine digits of chance."""
        chance = "".join(self._rng.choices(_BASE_36, k=9))
        return f"{kind}-{self._clock.now_ns() // _MS_NS}-{chance}"


def _asked_ms(asked: OrderBody, now_ns: int) -> int:
    """When the order was asked for, by our clock. Raises ``InputRefused``."""
    if asked.waited_ms < 0:
        raise InputRefused("BAD_WAITED_MS", "waitedMs must be 0 or more", "waitedMs")
    return max(0, now_ns // _MS_NS - asked.waited_ms)


def _payload(asked: OrderBody, order_id: str, request_id: str, asked_ms: int) -> messages.PlaceOrderPayload:
    """The documented message. What it can say is said in its own fields; only a leg switched off needs ours."""
    if asked.limit_price is not None and asked.order_type != "LIMIT":
        raise InputRefused("NO_LIMIT_PRICE", "only a LIMIT order has a limitPrice", "limitPrice")
    if asked.stop_price is not None and asked.order_type != "STOP":
        raise InputRefused("NO_STOP_PRICE", "only a STOP order has a stopPrice", "stopPrice")
    check_said_once(asked.preset, asked.bracket, asked.stop_loss, asked.take_profit)
    stop, target = asked.stop_loss or LegBody(), asked.take_profit or LegBody()
    return messages.PlaceOrderPayload(
        instance_id=messages.MANUAL_INSTANCE,
        order_id=order_id,
        account_id=asked.account_id,
        instrument=asked.instrument,
        side=asked.side,
        quantity=asked.quantity,
        order_type=asked.order_type,
        limit_price=asked.limit_price,
        stop_price=asked.stop_price,
        stop_loss_points=stop.points,
        take_profit_points=target.points,
        stop_loss=None if stop.enabled else messages.LegAsk(enabled=False),
        take_profit=None if target.enabled else messages.LegAsk(enabled=False),
        bracket=asked.bracket,
        preset=asked.preset,
        request_id=request_id,
        timestamp=asked_ms,
    )


def _adopted(group: Group, account_id: int) -> Account:
    """An account that can be traded. Raises ``InputRefused``: of an order, an unknown one is bad input."""
    account = group.accounts.get(account_id)
    if account is None or not account.adopted:
        raise InputRefused(answers.UNKNOWN_ACCOUNT, f"there is no account {account_id}", "accountId")
    return account


def _until(text: str) -> int | None:
    """The instant that ``text`` names; None for the next trading day. Raises ``InputRefused``."""
    if text == "next-day":
        return None
    try:
        at = datetime.fromisoformat(text)
    except ValueError:
        at = None
    if at is None or at.tzinfo is None:
        message = "until must be next-day, or an instant such as 2026-11-24T09:30:00-06:00"
        raise InputRefused(answers.BAD_UNTIL, message, "until")
    return (at - _EPOCH) // timedelta(microseconds=1) * 1_000


def _one(account_id: int | str) -> int | None:
    """The account, or None for all."""
    return account_id if isinstance(account_id, int) else None


def _deadline() -> float:
    return asyncio.get_running_loop().time() + DECISION_WAIT_S
