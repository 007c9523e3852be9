"""How often something was asked for, or failed, in the last minute: what the rules on pace count. Part of ``fold``.

Invariants:
1. Nothing is kept of what no rule looks at, nothing longer than the longest window, and never more than ``KEPT_MAX``.
2. What lies in the future, because the clock went back, still counts. ``Account.asked`` is sorted by time.
"""

from __future__ import annotations

from bisect import bisect_right
from operator import attrgetter

from msgspec.structs import replace

from ordergate.core import events as e
from ordergate.core.account import Account, Asked
from ordergate.core.limits import Limits
from ordergate.core.order import Order, Role, Status

MINUTE_NS = 60_000_000_000
_MS_NS = 1_000_000
# The largest rate that can be set; an order of a person comes once a second at most.
KEPT_MAX = 1_000


def paced(limits: Limits, account: Account, event: e.Event) -> Account:
    """The account with ``event`` among what is counted, if it is of that kind."""
    match event:
        case e.OrderApproved():
            if not event.kind.adds_risk:
                return account
            return _asked(limits, account, Asked(event.issued_ns, event.order.order_id, event.order.terms))
        case e.ModifyApproved(kind=kind, change=change) if kind.adds_risk:
            order = account.orders[event.order_id]
            terms = replace(
                order.terms, quantity=change.quantity, limit_ticks=change.limit_ticks, stop_ticks=change.stop_ticks
            )
            return _asked(limits, account, Asked(event.issued_ns, order.order_id, terms))
        case e.ProtectionFailed():
            return _failed(account, event.at_ns)
        case e.OrderRejected() | e.OrderNotSent():
            ended = account.order(event.order_id)
            return _failed(account, event.at_ns) if ended is not None and ended.role is Role.TARGET else account
        case _:
            return account


when_ns = attrgetter("at_ns")


def failures(account: Account, at_ns: int) -> int:
    """What we do by ourselves failed that often in the last minute."""
    return sum(failed_ns > at_ns - MINUTE_NS for failed_ns in account.failures)


def is_taken_again(account: Account, leg: Order, at_ns: int) -> bool:
    """Whether somebody else has ended another leg in the place of ``leg`` within the last minute."""
    place = (leg.parent_id, leg.role, leg.slot)
    return any(
        (other.parent_id, other.role, other.slot) == place
        and other.order_id != leg.order_id
        and other.status in (Status.CANCELLED, Status.EXPIRED)
        and not other.cancel_wanted
        and other.updated_ns > at_ns - MINUTE_NS
        for other in account.done.values()
    )


def _asked(limits: Limits, account: Account, new: Asked) -> Account:
    window_ns = limits.pace_window_ms * _MS_NS
    if not window_ns:
        return replace(account, asked=()) if account.asked else account
    asked = (*account.asked, new)
    if len(asked) > 1 and asked[-2].at_ns > new.at_ns:  # the clock went back
        asked = tuple(sorted(asked, key=when_ns))
    return replace(account, asked=asked[bisect_right(asked, new.at_ns - window_ns, key=when_ns) :][-KEPT_MAX:])


def _failed(account: Account, at_ns: int) -> Account:
    kept = [failed_ns for failed_ns in account.failures if failed_ns > at_ns - MINUTE_NS]
    return replace(account, failures=(*kept, at_ns)[-KEPT_MAX:])
