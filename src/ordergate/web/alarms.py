"""What a trader must be told at once, as the ``alarm`` events of the stream. Pure."""

from __future__ import annotations

import msgspec

from ordergate.core import events as e
from ordergate.core import lockout, pause
from ordergate.core.account import Group
from ordergate.core.limits import Breach
from ordergate.core.sessions import utc_text
from ordergate.limit_settings import waiting_text


class Alarm(msgspec.Struct, frozen=True, rename="camel"):
    """``account_id``, ``order_id`` and ``instrument`` (a symbol) are null where the alarm is about no single one."""

    code: str
    message: str
    account_id: int | None
    order_id: str | None
    instrument: str | None
    at: str


def alarm(group: Group, event: e.Event, now_ns: int) -> Alarm | None:
    """The alarm that ``event`` raises, seen from the state after it; None for what is no alarm."""

    def about(code: str, message: str, *, order_id: str | None = None, contract_id: str | None = None) -> Alarm:
        if order_id is not None and contract_id is None:
            order = group.accounts[event.account_id].order(order_id)
            contract_id = order.terms.contract_id if order is not None else None
        instrument = group.instruments[contract_id].symbol if contract_id is not None else None
        return Alarm(code, message, event.account_id or None, order_id, instrument, utc_text(now_ns))

    match event:
        case e.OrderDenied():
            return about("ORDER_DENIED", _told(event.order.breaches), order_id=event.order.order_id)
        case e.ModifyDenied():
            return about("MODIFY_DENIED", _told(event.breaches), order_id=event.order_id)
        case e.OrderOverridden():
            message = f"sent all the same: {_told(event.breaches)}"
            contract_id = None if event.quote is None else event.quote.contract_id
            return about("ORDER_OVERRIDDEN", message, order_id=event.order_id, contract_id=contract_id)
        case e.OrderRejected():
            return about("ORDER_REJECTED", event.text, order_id=event.order_id)
        case e.OrderInDoubt():
            return about("ORDER_IN_DOUBT", event.reason, order_id=event.order_id)
        case e.OrderNotSent():
            return about("ORDER_NOT_SENT", event.reason, order_id=event.order_id)
        case e.ProtectionFailed():
            message = f"the stop could not be placed, attempt {event.attempt}: {event.reason}"
            return about("PROTECTION_FAILED", message, order_id=event.order_id)
        case e.BracketModeLearned():
            return about("BRACKET_MODE", f"stops are placed from here, not attached to orders: {event.cause}")
        case e.CoverChanged() if event.state is e.Cover.UNPROTECTED:
            message = f"{event.uncovered} of the position without a resting stop: {event.cause}"
            return about("UNPROTECTED", message, contract_id=event.contract_id)
        case e.CoverChanged() if event.state is e.Cover.BY_CHOICE:
            message = f"{event.uncovered} of the position without a stop: {event.cause}"
            return about("UNPROTECTED_BY_CHOICE", message, contract_id=event.contract_id)
        case e.ExitFinished() if not event.flat:
            message = "the exit is over and the position is not closed: look at the broker"
            return about("EXIT_NOT_FLAT", message, contract_id=event.contract_id)
        case e.TradingStateChanged():
            return about("TRADING_STATE_CHANGED", f"{event.state.value}: {event.message}")
        case e.WouldHaveLocked():
            return about("WOULD_HAVE_LOCKED", f"nothing is stopped: {event.message}")
        case e.PauseChanged():
            if event.paused:
                return about("PAUSED", f"no account takes new risk: {pause.told(group)}")
            return about("RESUMED", f"new risk is taken again, as far as the rules let it: resumed {event.by.value}")
        case e.ModesChanged():
            return about("MODES_CHANGED", event.modes.text or "every order is judged, and a denied one is not sent")
        case e.RepeatedAction():
            message = f"{event.count} failures to place a stop or target within a minute: look at the broker"
            return about("REPEATED_ACTION", message)
        case e.LockedOut():
            return about("LOCKED_OUT", lockout.told(group.accounts[event.account_id]))
        case e.LockoutEnded():
            return about("LOCKOUT_ENDED", "the lockout is over")
        case e.LimitsDeferred() if group.limits_waiting is not None:
            return about("LIMITS_WAIT", waiting_text(group))
        case e.LinkChanged() if not event.up:
            return about("LINK_DOWN", event.reason)
        case e.UnexpectedBrokerFact():
            return about("UNEXPECTED_BROKER_FACT", event.what)
        case e.ApprovalRefused():
            return about("APPROVAL_REFUSED", f"the connection manager sent nothing: {event.reason}")
        case e.PositionCorrected():
            message = f"the broker holds {event.net_quantity}; our books were corrected"
            return about("POSITION_CORRECTED", message, contract_id=event.contract_id)
        case _:
            return None


def _told(breaches: tuple[Breach, ...]) -> str:
    return "; ".join(breach.message for breach in breaches)
