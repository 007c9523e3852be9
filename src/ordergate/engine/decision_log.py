"""What the log says of each durable event: one line for a decision, a fill, a stop that rests. PURE.

Must never tell twice: an event of which ``core/alarms`` makes an alarm has that as its line (``announcer``). What is
only a step on the way to another event has none; the journal has all.

Prices and money are numbers as a person reads them, never ticks. ``order`` is the order's id, by which the lines of all
roles are found; the ids of its legs begin with it.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping
from typing import Any

import msgspec

from ordergate.core import events as e
from ordergate.core.account import Group
from ordergate.core.commands import Answer
from ordergate.core.instrument import Instrument
from ordergate.core.limits import Breach
from ordergate.core.order import Exit, Order, Protection, Role
from ordergate.telemetry import logger

_log = logger("gate")
_MS_NS = 1_000_000

Fields = dict[str, object]


class Line(msgspec.Struct, frozen=True):
    """``fields`` may hold None, which is not written."""

    text: str
    fields: Fields


def heard(group: Group, event: e.Event) -> None:
    """Log ``event``, which is durable; ``group`` is the state after it, or after a later one of the same decision."""
    if type(event) not in LINES or not _log.is_enabled_for(logging.INFO):
        return
    told = line(group, event)
    if told is not None:
        fields = {"account_id": event.account_id or None, **told.fields}
        _log.info(told.text, **{name: value for name, value in fields.items() if value is not None})


def refused(answer: Answer) -> None:
    """Log a command that was answered and changed nothing."""
    _log.warning("command refused", code=answer.code, order=answer.order_id, message=answer.message)


def line(group: Group, event: e.Event) -> Line | None:
    """What is said of ``event``, None where nothing is."""
    say = LINES.get(type(event))
    return None if say is None else say(group, event)


def order_of(event: e.Event) -> str:
    """The id of the order that ``event`` is about, empty where it is about none, or about many."""
    order = getattr(event, "order", None)
    name: str = getattr(event, "order_id", "") if order is None else order.order_id
    return name


_VERBS = {
    e.ApprovalKind.PASSED: "passed",
    e.ApprovalKind.OVERRIDDEN: "overridden",
}


def _approved(group: Group, event: e.OrderApproved) -> Line:
    order = event.order
    fields = _request(group, order) | {
        "bracket": _bracket(_instrument(group, order), order.protection) if order.role is Role.ENTRY else None,
        "risk_usd": float(_instrument(group, order).money(order.risk_ticks, order.terms.quantity)) or None,
        "breaches": _breaches(order.breaches),
        "kind": event.kind.value,
        "tag": order.tag,
        "waited_ms": _waited_ms(order),
    }
    return Line(f"{_noun(order)} {_VERBS.get(event.kind, 'approved')}", fields)


def _denied(group: Group, event: e.OrderDenied) -> Line:
    order = event.order
    fields = {"breaches": _breaches(order.breaches), "waited_ms": _waited_ms(order)}
    return Line("order denied", _request(group, order) | fields)


def _withdrawn(group: Group, event: e.OrderWithdrawn) -> Line:
    return Line("order withdrawn: its cancel came first", _request(group, event.order))


def _seen(group: Group, event: e.ExternalOrderSeen | e.ChildSeen) -> Line:
    whose = "external order" if isinstance(event, e.ExternalOrderSeen) else f"attached {event.order.role.value}"
    return Line(f"{whose} seen at the broker", _request(group, event.order))


def _cancel_remembered(_group: Group, event: e.CancelRemembered) -> Line:
    return Line("cancel came before its order", {"order": event.order_id})


def _cancel_wanted(_group: Group, event: e.CancelWanted) -> Line:
    return Line("cancel decided", {"order": event.order_id, "cause": event.reason})


def _cancel_refused(_group: Group, event: e.CancelRefused) -> Line:
    return Line("cancel refused by the broker", {"order": event.order_id, "cause": event.reason})


def _cancelled(_group: Group, event: e.OrderCancelled) -> Line:
    return Line("order cancelled", {"order": event.order_id})


def _expired(_group: Group, event: e.OrderExpired) -> Line:
    return Line("order expired", {"order": event.order_id})


def _change_approved(group: Group, event: e.ModifyApproved) -> Line | None:
    order, change = _order(group, event), event.change
    if order.is_leg:
        return None  # the decision was the protection's
    look = _look(group, order, change.quantity, change.limit_ticks, change.stop_ticks)
    return Line(f"change {_VERBS.get(event.kind, 'approved')}", look | {"kind": event.kind.value})


def _change_denied(_group: Group, event: e.ModifyDenied) -> Line:
    return Line("change denied", {"order": event.order_id, "breaches": _breaches(event.breaches)})


def _changed(group: Group, event: e.OrderModified) -> Line:
    order = _order(group, event)
    look = _look(group, order, event.quantity, event.limit_ticks, event.stop_ticks)
    return Line(f"{_noun(order)} changed", look)


def _change_refused(_group: Group, event: e.ModifyRefused) -> Line:
    return Line("change refused by the broker", {"order": event.order_id, "cause": event.reason})


def _fill(group: Group, event: e.FillApplied) -> Line:
    instrument = group.instruments[event.contract_id]
    fields: Fields = {
        "order": event.order_id,
        "side": event.side.value,
        "quantity": event.quantity,
        "instrument": instrument.symbol,
        "price": float(instrument.price(event.price_ticks)),
        "fee_usd": float(event.fee_usd),
        "position": group.accounts[event.account_id].position(event.contract_id).net,
        "fill_id": event.fill_id,
    }
    return Line("fill", fields)


def _busted(_group: Group, event: e.FillBusted) -> Line:
    return Line("fill busted", {"fill_id": event.fill_id})


def _resting(_group: Group, event: e.OrderResting) -> Line:
    return Line("stop rests", {"order": event.order_id})


def _cover(group: Group, event: e.CoverChanged) -> Line | None:
    if event.state is not e.Cover.PROTECTED or not event.lasted_ns:
        return None
    symbol = group.instruments[event.contract_id].symbol
    return Line("position protected", {"instrument": symbol, "after_ms": _ms(event.lasted_ns)})


def _protection(group: Group, event: e.ProtectionChanged) -> Line:
    bracket = _bracket(_instrument(group, _order(group, event)), event.protection)
    return Line("protection changed", {"order": event.order_id, "bracket": bracket, "cause": event.cause})


def _exit_started(group: Group, event: e.ExitStarted) -> Line:
    fields: Fields = {
        "exit": event.exit_id,
        "order": event.entry_id,
        "instrument": group.instruments[event.contract_id].symbol,
        "quantity": "all" if event.quantity is None else event.quantity,
        "cause": event.cause,
    }
    return Line("exit started", fields)


def _exit_finished(group: Group, event: e.ExitFinished) -> Line | None:
    return Line("exit finished", {"instrument": group.instruments[event.contract_id].symbol}) if event.flat else None


def _epoch(_group: Group, event: e.EpochRaised) -> Line:
    return Line("approvals given before are void", {"epoch": event.epoch, "cause": event.cause})


def _limits(_group: Group, event: e.LimitsChanged) -> Line:
    return Line("limits changed", {"limits_version": event.version})


def _spared(_group: Group, event: e.PositionsSpared) -> Line | None:
    return None if event.limits is None else Line("tighter limits close nothing that is held today", {})


def _adopted(_group: Group, event: e.AccountAdopted) -> Line:
    return Line("account adopted", {"name": event.name, "balance_usd": float(event.balance_usd), "day": event.day})


def _day(_group: Group, event: e.TradingDayOpened) -> Line:
    return Line("trading day opened", {"day": event.day, "balance_usd": float(event.balance_usd)})


def _balance(_group: Group, event: e.BalanceMoved) -> Line:
    return Line("balance moved without a fill", {"amount_usd": float(event.amount_usd)})


def _link(_group: Group, event: e.LinkChanged) -> Line | None:
    return Line("link to the broker is up", {}) if event.up else None


def _acknowledged(_group: Group, event: e.AlarmsAcknowledged) -> Line:
    return Line("alarms acknowledged", {"numbers": list(event.numbers)})


def _repetition(_group: Group, _event: e.RepetitionEnded) -> Line:
    return Line("stops and targets are placed again", {})


LINES: Mapping[type, Callable[[Group, Any], Line | None]] = {
    e.OrderApproved: _approved,
    e.OrderDenied: _denied,
    e.OrderWithdrawn: _withdrawn,
    e.ExternalOrderSeen: _seen,
    e.ChildSeen: _seen,
    e.CancelRemembered: _cancel_remembered,
    e.CancelWanted: _cancel_wanted,
    e.CancelRefused: _cancel_refused,
    e.OrderCancelled: _cancelled,
    e.OrderExpired: _expired,
    e.ModifyApproved: _change_approved,
    e.ModifyDenied: _change_denied,
    e.OrderModified: _changed,
    e.ModifyRefused: _change_refused,
    e.FillApplied: _fill,
    e.FillBusted: _busted,
    e.OrderResting: _resting,
    e.CoverChanged: _cover,
    e.ProtectionChanged: _protection,
    e.ExitStarted: _exit_started,
    e.ExitFinished: _exit_finished,
    e.EpochRaised: _epoch,
    e.LimitsChanged: _limits,
    e.PositionsSpared: _spared,
    e.AccountAdopted: _adopted,
    e.TradingDayOpened: _day,
    e.BalanceMoved: _balance,
    e.LinkChanged: _link,
    e.AlarmsAcknowledged: _acknowledged,
    e.RepetitionEnded: _repetition,
}


def _noun(order: Order) -> str:
    return "order" if order.role is Role.ENTRY else order.role.value


def _instrument(group: Group, order: Order) -> Instrument:
    return group.instruments[order.terms.contract_id]


def _order(group: Group, event: e.ModifyApproved | e.OrderModified | e.ProtectionChanged) -> Order:
    order = group.accounts[event.account_id].order(event.order_id)
    assert order is not None, "what changes is in the book"
    return order


def _request(group: Group, order: Order) -> Fields:
    """Who asks for what."""
    terms, instrument = order.terms, _instrument(group, order)
    return {
        "order": order.order_id,
        "side": terms.side.value,
        "quantity": terms.quantity,
        "instrument": instrument.symbol,
        "type": terms.order_type.value,
        "limit_price": _price(instrument, terms.limit_ticks),
        "stop_price": _price(instrument, terms.stop_ticks),
        "instance": order.instance_id or None,
    }


def _look(group: Group, order: Order, quantity: int, limit_ticks: int | None, stop_ticks: int | None) -> Fields:
    """The whole look that an order has from now on."""
    instrument = _instrument(group, order)
    return {
        "order": order.order_id,
        "quantity": quantity,
        "instrument": instrument.symbol,
        "limit_price": _price(instrument, limit_ticks),
        "stop_price": _price(instrument, stop_ticks),
    }


def _bracket(instrument: Instrument, protection: Protection) -> str:
    told = [] if protection.stop is None else [f"stop {_exit(instrument, protection.stop)}"]
    for target in protection.targets:
        quantity = "" if target.quantity is None else f"{target.quantity} "
        told.append(f"target {quantity}{_exit(instrument, target.at)}")
    if protection.breakeven is not None:
        told.append(f"breakeven after {instrument.price(protection.breakeven.trigger_ticks)} points")
    if protection.trail is not None:
        told.append(f"trails by {instrument.price(protection.trail.distance_ticks)} points")
    return ", ".join(told) or "none"


def _exit(instrument: Instrument, exit_: Exit) -> str:
    if exit_.price_ticks is None:
        return f"{instrument.price(exit_.ticks)} points away"
    return f"at {instrument.price(exit_.price_ticks)}"


def _breaches(breaches: tuple[Breach, ...]) -> list[Fields] | None:
    return [{"code": each.code, "observed": each.actual, "limit": each.limit} for each in breaches] or None


def _price(instrument: Instrument, ticks: int | None) -> float | None:
    return None if ticks is None else float(instrument.price(ticks))


def _waited_ms(order: Order) -> float | None:
    """From the arrival of the order to its decision; a leg arrives nowhere."""
    return _ms(order.decided_ns - order.received_ns) if order.role is Role.ENTRY else None


def _ms(duration_ns: int) -> float:
    return round(duration_ns / _MS_NS, 3)
