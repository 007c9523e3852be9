"""One event of the gate in the documented words. Pure: the state before and after it go in, messages come out.

Invariants:
1. Orders carry their callers' own ids and instances; the broker's id stands only in ``topStepOrderId``.
2. What is told is folded from durable events alone, never from what somebody else says.
"""

from __future__ import annotations

from collections.abc import Iterator
from decimal import Decimal
from fractions import Fraction

import msgspec

from ordergate.bus import announcements as told
from ordergate.bus import messages
from ordergate.bus.port import Channel
from ordergate.bus.prices import average_price, position_id, price
from ordergate.core import events as e
from ordergate.core.account import Group
from ordergate.core.instrument import Instrument
from ordergate.core.levels import stop_level, target_level
from ordergate.core.order import Order, Role, Status
from ordergate.core.pnl import Position
from ordergate.core.sessions import utc_text
from ordergate.dialect import brackets

Said = tuple[Channel, msgspec.Struct]

MS_NS = 1_000_000


def what_happened(before: Group, after: Group, event: e.Event, now_ns: int) -> Iterator[Said]:
    """What ``event``, which made ``after`` of ``before``, is told as."""
    match event:
        case e.OrderApproved() | e.OrderDenied() | e.OrderWithdrawn():
            if event.order.role is Role.ENTRY:
                yield _order_update(after, event.order)
        case e.FillBusted():
            fill = after.accounts[event.account_id].fills[event.fill_id]
            yield from _about_entry(after, after.accounts[event.account_id].order(fill.order_id), event, now_ns)
        case e.ProtectionFailed():
            yield from brackets.failed(after, event, now_ns)
        case (
            e.OrderAccepted()
            | e.OrderRejected()
            | e.OrderNotSent()
            | e.OrderCancelled()
            | e.OrderExpired()
            | e.OrderModified()
            | e.FillApplied()
        ):
            yield from _about_entry(after, after.accounts[event.account_id].order(event.order_id), event, now_ns)
        case _:
            pass
    yield from moved_positions(before, after, event.account_id, now_ns)
    yield from brackets.completed(before, after, event, now_ns)


def response(order: Order, error: str | None, now_ns: int) -> Said:
    """ORDER_RESPONSE of an order that was decided."""
    broker_order_id = order.broker_order_id if error is None else None
    return answered(order.instance_id, order.order_id, error, broker_order_id, now_ns)


def answered(instance_id: str, order_id: str, error: str | None, broker_order_id: int | None, now_ns: int) -> Said:
    """ORDER_RESPONSE; without ``error`` it is of success."""
    now_ms = now_ns // MS_NS
    payload = messages.OrderResponsePayload(instance_id, order_id, error is None, error, broker_order_id, now_ms)
    return Channel.ORDER_MANAGEMENT, messages.OrderResponse(payload, now_ms)


def ended_badly(order: Order) -> str | None:
    """Why an order that was approved never came to rest at the broker; None where it did, or may yet."""
    match order.status:
        case Status.REJECTED:
            return order.reason or "the broker rejected it"
        case Status.NOT_SENT:
            return f"not sent: {order.reason}"
        case _:
            return None


def moved_positions(before: Group, after: Group, account_id: int, now_ns: int) -> Iterator[Said]:
    """POSITION_UPDATE of every position of the account that is another one, on both its channels."""
    new = after.accounts.get(account_id)
    if new is None:
        return
    old = before.accounts.get(account_id)
    if old is not None and old.positions is new.positions:
        return
    for contract_id in dict.fromkeys((*(old.positions if old is not None else ()), *new.positions)):
        position = new.position(contract_id)
        if old is not None and old.position(contract_id) == position:
            continue
        payload = _position(after.instruments[contract_id], account_id, position, now_ns)
        yield Channel.MARKET_DATA, told.PositionUpdate(payload=payload)
        yield Channel.POSITION_UPDATES, told.PositionUpdate(payload=payload, channel="position-updates")


def on_paper(message: msgspec.Struct) -> msgspec.Struct:
    """``message`` of a gate in shadow mode: the answer to an order, and a fill, say so."""
    match message:
        case messages.OrderResponse(payload=answered):
            return msgspec.structs.replace(message, payload=msgspec.structs.replace(answered, shadow=True))
        case told.OrderFilled(payload=filled):
            return msgspec.structs.replace(message, payload=msgspec.structs.replace(filled, shadow=True))
        case told.EnhancedFill(payload=enhanced):
            return msgspec.structs.replace(message, payload=msgspec.structs.replace(enhanced, shadow=True))
        case _:
            return message


def sltp_levels(instrument: Instrument, order: Order, fill: e.FillApplied) -> told.Levels:
    """The documented ``sltpLevels`` of a fill: where the fills so far put stop and first target, in points."""
    stop, targets = order.protection.stop, order.protection.targets
    target = targets[0].at if targets else None
    opened = order.opened_quantity > 0
    stop_ticks = stop_level(order, stop) if stop and opened else None
    target_ticks = target_level(order, target) if target and opened else None
    risk = None if stop_ticks is None else abs(fill.price_ticks - stop_ticks)
    reward = None if target_ticks is None else abs(target_ticks - fill.price_ticks)
    ratio = Fraction(reward, risk) if risk and reward else Fraction(0)
    return told.Levels(
        stop_loss=price(instrument, stop_ticks),
        take_profit=price(instrument, target_ticks),
        stop_loss_amount=price(instrument, risk),
        take_profit_amount=price(instrument, reward),
        risk_reward_ratio=Decimal(round(ratio * 10_000)).scaleb(-4),
        calculations=told.Calculations(
            fill_price=instrument.price(fill.price_ticks),
            side=order.terms.side.value,
            quantity=fill.quantity,
            tick_size=instrument.tick_size,
            method="points",
            stop_loss_points=None if stop is None else instrument.price(stop.ticks),
            take_profit_points=None if target is None else instrument.price(target.ticks),
        ),
    )


def _about_entry(group: Group, order: Order | None, event: e.Event, now_ns: int) -> Iterator[Said]:
    if order is None or order.role is not Role.ENTRY:
        return
    match event:
        case e.OrderAccepted():
            yield response(order, None, now_ns)
        case e.OrderRejected():
            yield response(order, event.text, now_ns)
        case e.OrderNotSent():
            yield response(order, f"not sent: {event.reason}", now_ns)
        case e.FillApplied():
            yield from _filled(group.instruments[event.contract_id], order, event, now_ns)
        case _:
            pass
    yield _order_update(group, order)


def _filled(instrument: Instrument, order: Order, fill: e.FillApplied, now_ns: int) -> Iterator[Said]:
    filled_price = instrument.price(fill.price_ticks)
    payload = told.OrderFilledPayload(
        order_id=order.order_id,
        account_id=fill.account_id,
        instrument=instrument.contract_id,
        side=fill.side.value,
        filled_price=filled_price,
        filled_quantity=fill.quantity,
        position_id=position_id(fill.account_id, instrument.contract_id),
        timestamp=now_ns // MS_NS,
    )
    yield Channel.MARKET_DATA, told.OrderFilled(payload=payload)
    part = told.FillPart(order.order_id, instrument.symbol, fill.side.value, fill.quantity, filled_price)
    enhanced = told.EnhancedFillPayload(part, sltp_levels(instrument, order, fill), utc_text(now_ns))
    yield Channel.FILL_ENHANCED, told.EnhancedFill(enhanced)


# The words of the original (wire notes, section 5), and for what it has none those of our own HTTP API.
_WORDS = {
    Status.APPROVED: "PROCESSING",
    Status.WORKING: "SENT_TO_BROKER",
    Status.IN_DOUBT: "IN_DOUBT",
    Status.FILLED: "FILLED",
    Status.CANCELLED: "CANCELLED",
    Status.DENIED: "FAILED",
    Status.REJECTED: "EXECUTION_FAILED",
    Status.EXPIRED: "EXPIRED",
    Status.NOT_SENT: "EXECUTION_FAILED",
}


def status_word(order: Order) -> str:
    """Where an order stands, as ORDER_UPDATE says it."""
    if order.status is Status.WORKING and order.filled_quantity:
        return "PARTIALLY_FILLED"
    return _WORDS[order.status]


def _order_update(group: Group, order: Order) -> Said:
    terms, instrument = order.terms, group.instruments[order.terms.contract_id]
    row = told.OrderTold(
        id=order.order_id,
        source=order.instance_id,
        instrument=terms.contract_id,
        action=terms.side.value,
        type=terms.order_type.value,
        quantity=terms.quantity,
        filled_quantity=order.filled_quantity,
        price=price(instrument, terms.limit_ticks),
        stop_price=price(instrument, terms.stop_ticks),
        account_id=terms.account_id,
    )
    return Channel.AGGREGATOR_STATUS, told.OrderUpdate(order_id=order.order_id, status=status_word(order), order=row)


def _position(instrument: Instrument, account_id: int, position: Position, now_ns: int) -> told.PositionUpdatePayload:
    side = "LONG" if position.net > 0 else "SHORT" if position.net < 0 else "FLAT"
    average = average_price(instrument, position.average) if position.net else None
    return told.PositionUpdatePayload(
        account_id=account_id,
        position_id=position_id(account_id, instrument.contract_id),
        instrument=instrument.contract_id,
        contract_id=instrument.contract_id,
        symbol=instrument.symbol,
        type=side,
        side=side,
        size=abs(position.net),
        quantity=abs(position.net),
        net_position=position.net,
        average_price=average,
        avg_price=average,
        timestamp=now_ns // MS_NS,
    )
