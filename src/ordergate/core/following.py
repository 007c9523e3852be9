"""Stops that move by themselves: to breakeven once, and behind the market.

Invariants:
1. A stop moves by itself only in the trader's favour, and never to where the market has been already.
2. It moves only at prices that can be believed (``Market.of``), and only while it rests at the broker.
3. All trailing stops together ask for at most one change a second: the broker's requests are for protection first.
"""

from __future__ import annotations

from msgspec.structs import replace

from ordergate.core.account import Group
from ordergate.core.draft import Draft
from ordergate.core.filing import trail_timer
from ordergate.core.levels import average_ticks, stopped_at
from ordergate.core.order import Order, Protection
from ordergate.core.pnl import mark_ticks
from ordergate.core.timing import TRAIL_GAP_NS


def follow(draft: Draft, entry: Order, level: int) -> Order:
    """``entry`` with its stop where the market has brought it by now; until now it belongs at ``level``, and rests.

    That can be better than what is promised: where a fill was busted, the stop stays behind the old average.
    """
    protection, contract_id, sign = entry.protection, entry.terms.contract_id, entry.terms.side.sign
    instrument = draft.group.instruments[contract_id]
    quote = draft.market.of(instrument, draft.group.limits.of(instrument.symbol))
    mark = None if quote is None else mark_ticks(quote, sign)
    if mark is None:
        return entry
    breakeven, trail = protection.breakeven, protection.trail
    average = average_ticks(entry)
    if breakeven is not None and (mark - average) * sign >= breakeven.trigger_ticks:
        reached = average + sign * breakeven.offset_ticks
        kept = protection if (reached - level) * sign <= 0 else stopped_at(entry, reached)
        return _moved(draft, entry, replace(kept, breakeven=None), "breakeven")
    if trail is None or draft.account(entry.terms.account_id).timers.get(trail_timer(entry.order_id), 0) > draft.at_ns:
        return entry
    behind = mark - sign * trail.distance_ticks
    if (behind - level) * sign < trail.step_ticks:
        return entry
    rests_until_ns = draft.at_ns + TRAIL_GAP_NS * _trailing(draft.group)
    return _moved(draft, entry, stopped_at(entry, behind), "trailing", rests_until_ns)


def _moved(draft: Draft, entry: Order, protection: Protection, cause: str, rests_until_ns: int = 0) -> Order:
    draft.set_protection(entry, protection, cause, rests_until_ns)
    return draft.account(entry.terms.account_id).orders[entry.order_id]


def _trailing(group: Group) -> int:
    """How many stops trail, in all accounts (>= 1 where one does)."""
    books = [book for account in group.accounts.values() for book in account.orders.books.values()]
    return sum(1 for book in books for entry in book.entries() if entry.protection.trail is not None)
