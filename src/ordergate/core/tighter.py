"""Which of two values of a limit is the tighter one, and so may hold at once.

``TIGHTER`` has a row for every field of ``Limits``: what holds at once when a value is changed while the other waits
for the next trading day. A field without a row would have no direction, and no change of it could be judged.

Invariants:
1. What ``at_once`` gives allows nothing that the present limits deny.
2. A change that cannot be told to be tighter waits.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from msgspec.structs import replace

from ordergate.core.limits import Limits, OnDailyLoss, OnMustBeFlat

# The value that holds at once, of the present one and the wanted one.
Choice = Callable[[Any, Any], Any]


def smaller(now: Any, wanted: Any) -> Any:
    """Larger is looser, and None, no limit at all, is the loosest."""
    return min((value for value in (now, wanted) if value is not None), default=None)


def larger(now: Any, wanted: Any) -> Any:
    """Smaller is looser, and None, no limit at all, is the loosest."""
    return max((value for value in (now, wanted) if value is not None), default=None)


def smaller_of_known(now: Any, wanted: Any) -> Any:
    """Larger is looser; None stands for an amount that is not known here, so a change from or to it waits."""
    return now if now is None or wanted is None else min(now, wanted)


def in_both(now: Any, wanted: Any) -> Any:
    """A list of what is allowed: adding to it is looser."""
    return tuple(member for member in now if member in wanted)


def flattening(now: Any, wanted: Any) -> Any:
    """Keeping what is held is looser than closing it."""
    return now if now in (OnDailyLoss.FLATTEN, OnMustBeFlat.FLATTEN) else wanted


def either_on(now: Any, wanted: Any) -> Any:
    """A switch: off is looser."""
    return now or wanted


def both_on(now: Any, wanted: Any) -> Any:
    """A permission: on is looser."""
    return now and wanted


def in_either(now: Any, wanted: Any) -> Any:
    """A list of what is forbidden: taking from it is looser."""
    return tuple(dict.fromkeys((*(now or ()), *(wanted or ())))) or None


def unordered(now: Any, wanted: Any) -> Any:
    """Neither can be told to be the tighter one: every change waits."""
    del wanted
    return now


def no_limit(now: Any, wanted: Any) -> Any:
    """It allows and denies nothing: every change holds at once."""
    del now
    return wanted


TIGHTER: dict[str, Choice] = {
    "allowed_symbols": in_both,
    "order_quantity_min": larger,
    "order_quantity_max": smaller,
    "position_quantity_max": smaller,
    "account_position_micros_max": smaller,
    "open_orders_max": smaller,
    "order_value_usd_max": smaller,
    "daily_loss_usd_max": smaller,
    "daily_profit_usd_max": smaller,
    "maximum_loss_usd": smaller,
    "maximum_loss_trailing": unordered,
    "maximum_loss_lock_usd": unordered,  # None is a balance that is not known here
    "maximum_loss_floor_usd": larger,
    "risk_percent_max": smaller,
    "risk_usd_max": smaller,
    "account_size_usd": smaller_of_known,
    "risk_reward_ratio": no_limit,
    "quote_age_ms_max": smaller,
    "quote_jump_percent_max": smaller,
    "price_distance_ticks_max": smaller,
    "price_distance_percent_max": smaller,
    "duplicate_window_ms": larger,
    "orders_per_minute_max": smaller,
    "instrument_orders_per_minute_max": smaller,
    "repeats_per_minute_max": smaller,
    "age_ms_max": smaller,
    "clock_ahead_ms_max": smaller,
    "opposite_positions": both_on,
    "instruments": unordered,
    "on_daily_loss": flattening,
    "session_only": no_limit,  # what the venue is, not what a person has set
    "blackouts": in_either,
    "must_be_flat": smaller,
    "on_must_be_flat": flattening,
}


def at_once(now: Limits, wanted: Limits) -> Limits:
    """``now`` with as much of ``wanted`` as tightens it."""
    return replace(
        now, **{name: TIGHTER[name](getattr(now, name), getattr(wanted, name)) for name in differing(now, wanted)}
    )


def differing(one: Limits, other: Limits) -> tuple[str, ...]:
    """The names of the fields in which two sets of limits differ, in the order of ``Limits``."""
    return tuple(name for name in Limits.__struct_fields__ if getattr(one, name) != getattr(other, name))
