"""What becomes of what was asked about an order, told on ``order:management`` to whoever asked.

Invariants:
1. What was refused is answered by its own kind of message, with the ids of the asker.
2. An order that was approved is answered by what the broker makes of it; one that was answered before, at once.
3. Nothing that is kept for an answer grows without bound.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable

from ordergate.bus import messages
from ordergate.bus.port import Channel
from ordergate.clock import Clock
from ordergate.core import events as e
from ordergate.core.account import Group
from ordergate.core.commands import Answer
from ordergate.core.order import Order, Status
from ordergate.core.sessions import utc_text
from ordergate.dialect import telling
from ordergate.dialect.askings import Asking, Askings, Kind
from ordergate.dialect.outbox import Outbox
from ordergate.telemetry import Step

_CANCELS_MAX = 10_000


class OrderAnswers:
    """``group`` is the followed state, in which an event stands before it is told here."""

    def __init__(self, clock: Clock, outbox: Outbox, group: Callable[[], Group | None], step: Step) -> None:
        self._clock = clock
        self._outbox = outbox
        self._group = group
        self._step = step
        self._askings = Askings()
        # Cancels that the gate has taken and the broker has not answered, by the order's id.
        self._cancels: OrderedDict[str, Asking] = OrderedDict()

    def expect(self, request_id: str, asking: Asking) -> None:
        """The gate's answer to ``request_id`` is for ``asking``. Said before the command is queued."""
        self._askings.put(request_id, asking)

    def expects(self, request_id: str) -> bool:
        """Whether somebody waits for the gate's answer to ``request_id``."""
        return request_id in self._askings

    def places(self, order_id: str) -> bool:
        """Whether an order of that id was queued, and its decision has not been heard of."""
        return self._askings.places(order_id)

    def answered(self, answer: Answer) -> None:
        """The gate has answered, after every event that its answer stands on."""
        asking = self._askings.take(answer.request_id, answer.order_id)
        if asking is None:
            return
        error = None if answer.ok else f"{answer.code}: {answer.message}"
        order = self._order(answer.order_id)
        if asking.kind is Kind.MODIFY:
            self._update(asking, error)
        elif asking.kind is Kind.CANCEL and answer.ok:
            self._cancels[answer.order_id or asking.order_id] = asking
            if len(self._cancels) > _CANCELS_MAX:
                self._cancels.popitem(last=False)
        elif asking.kind is Kind.CANCEL:
            is_gone = order is not None and order.status is Status.CANCELLED
            self._cancellation(asking, None if is_gone else error)
        elif not answer.ok:
            violations = tuple(messages.Violation(breach.code, breach.message) for breach in answer.breaches)
            self.reject(asking, "RISK_VIOLATION" if violations else answer.code, answer.message, violations)
        elif order is not None and order.status not in (Status.APPROVED, Status.IN_DOUBT):
            self._say(telling.response(order, telling.ended_badly(order), self._clock.now_ns()))

    def happened(self, before: Group, event: e.Event) -> None:
        """An event has made the followed state of ``before``."""
        after = self._group()
        assert after is not None, "it was just followed"
        for said in telling.what_happened(before, after, event, self._clock.now_ns()):
            self._say(said)
        match event:
            case e.OrderWithdrawn():
                self._cancel_ended(event.order.order_id, event.order, None)
            case e.OrderCancelled():
                self._cancel_ended(event.order_id, after.accounts[event.account_id].order(event.order_id), None)
            case e.CancelRefused():
                self._cancel_ended(event.order_id, None, f"the broker refused: {event.reason}")
            case e.FillApplied() | e.OrderExpired() | e.OrderRejected() | e.OrderNotSent():
                order = after.accounts[event.account_id].order(event.order_id)
                if order is not None and not order.live:
                    self._cancel_ended(event.order_id, None, f"the order is {order.status.value}")
            case _:
                pass

    def reject(self, asking: Asking, reason: str, text: str, violations: tuple[messages.Violation, ...] = ()) -> None:
        """Answer what was refused. Without ``violations`` the reason itself is the only one."""
        error = f"{reason}: {text}"
        if asking.kind is Kind.CANCEL:
            self._cancellation(asking, error)
        elif asking.kind is Kind.MODIFY:
            self._update(asking, error)
        else:
            now_ns = self._clock.now_ns()
            named = violations or (messages.Violation(reason, text),)
            rejected = messages.OrderRejectedPayload(asking.order_id, reason, named, utc_text(now_ns))
            self._say((Channel.ORDER_MANAGEMENT, messages.OrderRejected(rejected)))
            self._say(telling.answered(asking.instance_id, asking.order_id, error, None, now_ns))

    def _order(self, order_id: str | None) -> Order | None:
        group = self._group()
        found = None if group is None or order_id is None else group.find_order(order_id, None)
        return None if found is None else found[1]

    def _cancel_ended(self, order_id: str, order: Order | None, error: str | None) -> None:
        """Tell whoever asked; a cancellation that nobody asked for here is told to the sender of the ``order``."""
        asking = self._cancels.pop(order_id, None)
        if asking is None and order is not None and order.instance_id:
            asking = Asking(Kind.CANCEL, order.instance_id, order.order_id)
        if asking is not None:
            self._cancellation(asking, error)

    def _cancellation(self, asking: Asking, error: str | None) -> None:
        now_ms = self._clock.now_ns() // telling.MS_NS
        payload = messages.CancellationResponsePayload(
            asking.instance_id, asking.order_id, error is None, error, now_ms
        )
        self._say((Channel.ORDER_MANAGEMENT, messages.CancellationResponse(payload)))

    def _update(self, asking: Asking, error: str | None) -> None:
        now_ms = self._clock.now_ns() // telling.MS_NS
        payload = messages.StatusUpdatePayload(asking.instance_id, asking.order_id, error is None, error, now_ms)
        self._say((Channel.ORDER_MANAGEMENT, messages.StatusUpdate(payload)))

    def _say(self, said: telling.Said) -> None:
        channel, message = said
        group = self._group()
        if group is not None and group.modes.shadow:
            message = telling.on_paper(message)
        self._outbox.say(channel, message)
        if isinstance(message, messages.OrderResponse):
            self._step("answered", message.payload.order_id)
