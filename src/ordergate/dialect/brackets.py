"""BRACKET_ORDER_COMPLETE: when what an entry promises rests at the broker, and when its stop could not be placed."""

from __future__ import annotations

from collections.abc import Iterator

import msgspec

from ordergate.bus import announcements as told
from ordergate.bus import messages
from ordergate.bus.port import Channel
from ordergate.bus.prices import position_id, price
from ordergate.core import events as e
from ordergate.core.account import Account, Group
from ordergate.core.order import Order, Role, Status

_MS_NS = 1_000_000


def completed(before: Group, after: Group, event: e.Event, now_ns: int) -> Iterator[tuple[Channel, msgspec.Struct]]:
    """Told when the last leg that was promised comes to rest, and again after one was lost and made anew."""
    entry_id = _bracket_of(after, event)
    account = after.accounts.get(event.account_id)
    entry = None if account is None else account.order(entry_id)
    if account is None or entry is None or entry_id is None:
        return
    old = before.accounts.get(event.account_id)
    if _resting(account, entry) is None or (old is not None and _resting(old, old.order(entry_id)) is not None):
        return
    stop, target = _resting(account, entry) or (None, None)
    instrument = after.instruments[entry.terms.contract_id]
    yield (
        Channel.MARKET_DATA,
        told.BracketComplete(
            payload=told.BracketCompletePayload(
                instance_id=entry.instance_id,
                order_id=entry.order_id,
                position_id=position_id(account.account_id, instrument.contract_id),
                stop_loss=None if stop is None else price(instrument, stop.terms.stop_ticks),
                take_profit=None if target is None else price(instrument, target.terms.limit_ticks),
                success=True,
                error=None,
                timestamp=now_ns // _MS_NS,
            )
        ),
    )


def _bracket_of(group: Group, event: e.Event) -> str | None:
    """The entry whose bracket ``event`` may have completed."""
    match event:
        case e.ChildSeen():
            return event.order.parent_id
        case e.OrderResting() | e.OrderAccepted():
            leg = group.accounts[event.account_id].order(event.order_id)
            return leg.parent_id if leg is not None and leg.is_leg else None
        case _:
            return None


def _resting(account: Account, entry: Order | None) -> tuple[Order | None, Order | None] | None:
    """The stop and the nearest target of an entry, once all that it promises of them rests at the broker."""
    if entry is None or not entry.open_quantity:
        return None
    legs = list(account.legs(entry.order_id))
    stop = next((leg for leg in legs if leg.role is Role.STOP and leg.rests), None)
    targets = [leg for leg in legs if leg.role is Role.TARGET and leg.status is Status.WORKING]
    promised = [slot for slot, target in enumerate(entry.protection.targets) if target.quantity != 0]
    if (stop is None and entry.protection.stop is not None) or (promised and not targets):
        return None
    if stop is None and not targets:
        return None
    return stop, min(targets, key=lambda leg: leg.slot, default=None)


def failed(group: Group, event: e.ProtectionFailed, now_ns: int) -> Iterator[tuple[Channel, msgspec.Struct]]:
    entry = group.accounts[event.account_id].order(event.order_id)
    if entry is None:
        return
    payload = told.BracketCompletePayload(
        instance_id=entry.instance_id,
        order_id=entry.order_id,
        position_id=position_id(event.account_id, entry.terms.contract_id),
        stop_loss=None,
        take_profit=None,
        success=False,
        error=messages.brief(f"stop not placed, attempt {event.attempt}: {event.reason}"),
        timestamp=now_ns // _MS_NS,
    )
    yield Channel.MARKET_DATA, told.BracketComplete(payload=payload)
