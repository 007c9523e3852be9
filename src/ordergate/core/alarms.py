"""What somebody should look at: raised by events, and kept in the state until it has been seen and is over.

An alarm *stands* while what it tells of is so still; one of a moment, such as a rejected order, never does. A denied
order is a normal result and raises none.

Invariants:
1. An alarm is raised here or nowhere: page, log, figures and webhook tell what the state holds.
2. It goes when it has been acknowledged and does not stand any more, never before; see 4.
3. The same one again is the same row: not acknowledged, with the next count.
4. At most ``KEPT_MAX`` are kept: the least urgent goes first, of these the oldest.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import msgspec
from msgspec.structs import replace

from ordergate.core import events as e
from ordergate.core.account import Group
from ordergate.core.alarm import Alarm, Level
from ordergate.core.limits import Breach
from ordergate.core.order import Status
from ordergate.core.reports import CONNECTION_MANAGER_STARTED, GATE_STARTED
from ordergate.core.sessions import wall

KEPT_MAX = 100
_URGENCY = {Level.INFO: 0, Level.WARNING: 1, Level.CRITICAL: 2}


# Before the name of a check of the session that found something else than this desk reckons with.
_CHECK = "CHECK_"
# A quiet hour looks the same.
_SILENT_CHECKS = ("prices",)


class _Told(msgspec.Struct, frozen=True):
    """What an event has to say. ``contract_id`` None = that of the order, if there is one."""

    code: str
    level: Level
    message: str
    order_id: str | None = None
    contract_id: str | None = None


def alarmed(group: Group, event: e.Event) -> Group:
    """``group``, the state after ``event``, with the alarm that this raises."""
    tell = _TELLS.get(type(event))
    told = None if tell is None else tell(group, event)
    if told is None:
        return group
    contract_id = told.contract_id
    if told.order_id is not None and contract_id is None:
        order = group.accounts[event.account_id].order(told.order_id)
        contract_id = None if order is None else order.terms.contract_id
    at_ns: int = getattr(event, "at_ns", 0)
    raised = Alarm(
        group.version, told.code, told.level, told.message, event.account_id, told.order_id, contract_id, at_ns, at_ns
    )
    return replace(group, alarms=_kept(group, raised))


def acknowledged(group: Group, event: e.AlarmsAcknowledged) -> Group:
    """The state after ``event``."""
    alarms = (replace(each, acknowledged=each.acknowledged or each.number in event.numbers) for each in group.alarms)
    return replace(group, alarms=tuple(each for each in alarms if is_open(group, each)))


def is_open(group: Group, alarm: Alarm) -> bool:
    """Whether somebody has to look at it still."""
    return not alarm.acknowledged or stands(group, alarm)


def stands(group: Group, alarm: Alarm) -> bool:
    """Whether what it tells of is so still."""
    account = group.accounts.get(alarm.account_id)
    if alarm.code.startswith(_CHECK):
        check = group.checks.get(alarm.code.removeprefix(_CHECK).lower())
        return check is not None and check.well is False
    match alarm.code:
        case "LINK_DOWN":
            return not group.link_up
        case "PAUSED":
            return group.paused_by is not None
        case "MODES_CHANGED":
            return not group.modes.enforcing
        case "LIMITS_WAIT":
            return group.limits_waiting is not None
    if account is None:
        return False
    match alarm.code:
        case "UNPROTECTED" | "UNPROTECTED_BY_CHOICE":
            cover = account.covers.get(alarm.contract_id or "")
            wanted = e.Cover.UNPROTECTED if alarm.code == "UNPROTECTED" else e.Cover.BY_CHOICE
            return cover is not None and cover.state is wanted
        case "ORDER_IN_DOUBT":
            order = account.order(alarm.order_id)
            return order is not None and order.status is Status.IN_DOUBT
        case "ACCOUNT_REDUCING" | "ACCOUNT_HALTED":
            return account.trading_state is not e.TradingState.ACTIVE
        case "UNEXPECTED_BROKER_FACT":
            return bool(account.unexplained)
        case "REPEATED_ACTION":
            return bool(account.repeating)
        case "LOCKED_OUT":
            return bool(account.locked_until_ns)
        case "ACCOUNT_NOT_TRADABLE":
            return not account.can_trade
        case "ACCOUNT_CANNOT_CANCEL":
            return bool(account.no_cancel)
    return False


def _kept(group: Group, raised: Alarm) -> tuple[Alarm, ...]:
    """The open alarms, the newest last."""
    others = []
    for each in group.alarms:
        if each.about == raised.about:
            raised = replace(raised, first_ns=each.first_ns, count=each.count + 1)
        elif is_open(group, each):
            others.append(each)
    kept = [*others, raised]
    if len(kept) > KEPT_MAX:
        kept.remove(min(kept, key=lambda each: (_URGENCY[each.level], each.number)))
    return tuple(kept)


def _breaches(breaches: tuple[Breach, ...]) -> str:
    return "; ".join(breach.message for breach in breaches)


def _overridden(_group: Group, event: e.OrderOverridden) -> _Told:
    contract_id = None if event.quote is None else event.quote.contract_id
    message = f"sent all the same: {_breaches(event.breaches)}"
    return _Told("ORDER_OVERRIDDEN", Level.WARNING, message, event.order_id, contract_id)


def _rejected(_group: Group, event: e.OrderRejected) -> _Told:
    return _Told("ORDER_REJECTED", Level.WARNING, f"the broker rejected it: {event.text}", event.order_id)


def _in_doubt(_group: Group, event: e.OrderInDoubt) -> _Told:
    return _Told("ORDER_IN_DOUBT", Level.WARNING, event.reason, event.order_id)


def _not_sent(_group: Group, event: e.OrderNotSent) -> _Told:
    return _Told("ORDER_NOT_SENT", Level.WARNING, event.reason, event.order_id)


def _protection_failed(_group: Group, event: e.ProtectionFailed) -> _Told:
    message = f"the stop could not be placed, attempt {event.attempt}: {event.reason}"
    return _Told("PROTECTION_FAILED", Level.CRITICAL, message, event.order_id)


def _cover(_group: Group, event: e.CoverChanged) -> _Told | None:
    match event.state:
        case e.Cover.UNPROTECTED:
            message = f"{event.uncovered} of the position without a resting stop: {event.cause}"
            return _Told("UNPROTECTED", Level.CRITICAL, message, contract_id=event.contract_id)
        case e.Cover.BY_CHOICE:
            message = f"{event.uncovered} of the position without a stop: {event.cause}"
            return _Told("UNPROTECTED_BY_CHOICE", Level.WARNING, message, contract_id=event.contract_id)
        case _:
            return None


def _exit_finished(_group: Group, event: e.ExitFinished) -> _Told | None:
    if event.flat:
        return None
    message = "the exit is over and the position is not closed: look at the broker"
    return _Told("EXIT_NOT_FLAT", Level.CRITICAL, message, contract_id=event.contract_id)


def _trading_state(_group: Group, event: e.TradingStateChanged) -> _Told:
    match event.state:
        case e.TradingState.HALTED:
            return _Told("ACCOUNT_HALTED", Level.CRITICAL, f"nothing new is taken: {event.message}")
        case e.TradingState.REDUCING:
            return _Told("ACCOUNT_REDUCING", Level.WARNING, f"it may only reduce: {event.message}")
        case e.TradingState.ACTIVE:
            return _Told("ACCOUNT_ACTIVE", Level.INFO, event.message)


def _would_have_locked(_group: Group, event: e.WouldHaveLocked) -> _Told:
    return _Told("WOULD_HAVE_LOCKED", Level.WARNING, f"nothing is stopped: {event.message}")


def _paused(_group: Group, event: e.PauseChanged) -> _Told:
    reason = f": {event.reason}" if event.reason else ""
    if event.paused:
        return _Told("PAUSED", Level.WARNING, f"no account takes new risk: paused {event.by.value}{reason}")
    message = f"new risk is taken again, as far as the rules let it: resumed {event.by.value}"
    return _Told("RESUMED", Level.INFO, message)


def _modes(_group: Group, event: e.ModesChanged) -> _Told:
    if event.modes.text:
        return _Told("MODES_CHANGED", Level.WARNING, event.modes.text)
    return _Told("MODES_CHANGED", Level.INFO, "every order is judged, and a denied one is not sent")


def _repeated(_group: Group, event: e.RepeatedAction) -> _Told:
    message = f"{event.count} failures to place a stop or target within a minute: look at the broker"
    return _Told("REPEATED_ACTION", Level.CRITICAL, message)


def _locked_out(_group: Group, event: e.LockedOut) -> _Told:
    reason = f": {event.reason}" if event.reason else ""
    return _Told("LOCKED_OUT", Level.INFO, f"locked out by the trader until {wall(event.until_ns)}{reason}")


def _lockout_ended(_group: Group, _event: e.LockoutEnded) -> _Told:
    return _Told("LOCKOUT_ENDED", Level.INFO, "the lockout is over")


def _limits_deferred(group: Group, _event: e.LimitsDeferred) -> _Told | None:
    if group.limits_waiting is None:
        return None
    return _Told("LIMITS_WAIT", Level.INFO, f"looser limits wait for the trading day {group.limits_from}")


def _link(group: Group, event: e.LinkChanged) -> _Told | None:
    if event.up or event.reason in (GATE_STARTED, CONNECTION_MANAGER_STARTED):
        return None
    # Behind a link that is down a position can lose its stop, and an order fill, unseen.
    at_stake = any(account.positions or any(account.live_orders()) for account in group.accounts.values())
    return _Told("LINK_DOWN", Level.CRITICAL if at_stake else Level.WARNING, event.reason)


def _checked(_group: Group, event: e.SessionChecked) -> _Told | None:
    if event.well is not False:
        return None
    level = Level.INFO if event.name in _SILENT_CHECKS else Level.WARNING
    return _Told(f"{_CHECK}{event.name.upper()}", level, event.text)


def _unexpected(_group: Group, event: e.UnexpectedBrokerFact) -> _Told:
    return _Told("UNEXPECTED_BROKER_FACT", Level.CRITICAL, event.what)


def _approval_refused(_group: Group, event: e.ApprovalRefused) -> _Told:
    return _Told("APPROVAL_REFUSED", Level.CRITICAL, f"the connection manager sent nothing: {event.reason}")


def _corrected(_group: Group, event: e.PositionCorrected) -> _Told:
    message = f"the broker holds {event.net_quantity}; our books were corrected"
    return _Told("POSITION_CORRECTED", Level.WARNING, message, contract_id=event.contract_id)


def _account(_group: Group, event: e.AccountUpdated) -> _Told | None:
    if event.can_trade:
        return None
    message = "the broker does not let this account trade any more: look at what it has written"
    return _Told("ACCOUNT_NOT_TRADABLE", Level.CRITICAL, message)


def _no_cancel(_group: Group, event: e.CancelForbidden) -> _Told | None:
    if not event.text:
        return None
    message = f"the broker lets this account cancel no order: {event.text}; stops and targets stay until they fill"
    return _Told("ACCOUNT_CANNOT_CANCEL", Level.CRITICAL, message)


def _bracket_mode(_group: Group, event: e.BracketModeLearned) -> _Told:
    message = f"stops are placed from here, not attached to orders: {event.cause}"
    return _Told("BRACKET_MODE", Level.WARNING, message)


_TELLS: Mapping[type, Callable[[Group, Any], _Told | None]] = {
    e.OrderOverridden: _overridden,
    e.OrderRejected: _rejected,
    e.OrderInDoubt: _in_doubt,
    e.OrderNotSent: _not_sent,
    e.ProtectionFailed: _protection_failed,
    e.CoverChanged: _cover,
    e.ExitFinished: _exit_finished,
    e.TradingStateChanged: _trading_state,
    e.WouldHaveLocked: _would_have_locked,
    e.PauseChanged: _paused,
    e.ModesChanged: _modes,
    e.RepeatedAction: _repeated,
    e.LockedOut: _locked_out,
    e.LockoutEnded: _lockout_ended,
    e.LimitsDeferred: _limits_deferred,
    e.LinkChanged: _link,
    e.UnexpectedBrokerFact: _unexpected,
    e.ApprovalRefused: _approval_refused,
    e.PositionCorrected: _corrected,
    e.BracketModeLearned: _bracket_mode,
    e.AccountUpdated: _account,
    e.CancelForbidden: _no_cancel,
    e.SessionChecked: _checked,
}
