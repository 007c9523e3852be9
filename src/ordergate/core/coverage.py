"""The promise with a clock: since when each position is covered by stops that rest at the broker, or is not, and why.

A stop *rests* once the broker has shown it open: on the user hub, or when it was read over REST. An answer that it was
accepted is no sight of it; and shown otherwise than we know it, it does not rest until it has been read. Whose stop it
is does not matter: it may be somebody else's. One that the market has traded at, and that has not filled, covers
nothing: trading is halted, or nobody is there.

Invariants:
1. Every change is an event, so that each gap is in the journal with its cause and its length.
2. What no stop was promised for is unprotected by choice: it is shown, and never closed for that.
3. No order is sent from here: a stop that has been reached may fill at any moment, and a second exit would fill too.
   What it has come to is read, once, as the hub may have lost its fill.
"""

from __future__ import annotations

from collections.abc import Iterable

from ordergate.core import events as e
from ordergate.core.account import Account
from ordergate.core.draft import Draft
from ordergate.core.order import Order, Role, Side, Status
from ordergate.core.reports import Quote
from ordergate.core.timing import PROTECT_WITHIN_NS

_GAP = (e.Cover.PROTECTING, e.Cover.UNPROTECTED)


def react(draft: Draft, account_id: int) -> None:
    """Tell of each position whose cover has changed, or has been missing for too long."""
    account = draft.account(account_id)
    for contract_id, position in account.positions.items():
        book = account.orders.books.get(contract_id)
        quote = draft.quotes.get(contract_id)
        told = None if book is None else book.cover_told
        if told is not None and told[0] is position and told[1] is quote:
            continue
        reached = _reached(quote, account, contract_id)
        found = _cover(account, contract_id, reached, draft.at_ns)
        before = account.covers.get(contract_id)
        if before is None or (before.state, before.uncovered) != found[:2]:
            state, uncovered, cause = found
            same_gap = before is not None and before.state in _GAP and state in _GAP
            since_ns = before.since_ns if before is not None and same_gap else draft.at_ns
            lasted_ns = draft.at_ns - before.since_ns if before is not None and not same_gap else 0
            draft.add(
                e.CoverChanged(account_id, contract_id, state, uncovered, cause, since_ns, lasted_ns, draft.at_ns)
            )
            if reached and state is e.Cover.UNPROTECTED:
                draft.request_snapshot(draft.account(account_id), "a stop was reached and has not filled")
        if book is not None:
            book.cover_told = None if found[0] in _GAP or reached else (position, quote)


def resting(account: Account, contract_id: str) -> int:
    """Contracts that stops resting at the broker would close (>= 0); one that is being changed counts the smaller."""
    return sum(resting_size(stop) for stop in _stops(account, contract_id))


def resting_size(stop: Order) -> int:
    """Contracts that a stop surely closes as it rests (>= 0)."""
    if not stop.rests or stop.status is not Status.WORKING or stop.cancel_wanted:
        return 0
    size = stop.terms.quantity if stop.change is None else min(stop.terms.quantity, stop.change.quantity)
    return max(0, size - max(stop.filled_quantity, stop.reported_filled))


def _stops(account: Account, contract_id: str) -> list[Order]:
    """The live stops that would close the position, whoever's they are."""
    closing = Side.SELL if account.position(contract_id).net > 0 else Side.BUY
    return [stop for stop in account.orders.book(contract_id).stop_orders() if stop.terms.side is closing]


def _reached(quote: Quote | None, account: Account, contract_id: str) -> int:
    """Contracts of resting stops that the market has traded at (>= 0). An old trade counts: a halt has no new one."""
    last = None if quote is None else quote.last_ticks
    if last is None:
        return 0
    found = 0
    for stop in _stops(account, contract_id):
        level = stop.terms.stop_ticks
        if level is not None and (last - level) * stop.terms.side.sign >= 0:
            found += resting_size(stop)
    return found


def _cover(account: Account, contract_id: str, reached: int, at_ns: int) -> tuple[e.Cover, int, str]:
    """The state, the contracts that no stop covers (>= 0), and why."""
    uncovered = max(0, abs(account.position(contract_id).net) - resting(account, contract_id) + reached)
    if uncovered == 0:
        return e.Cover.PROTECTED, 0, ""
    promising = [entry for entry in _entries(account, contract_id) if entry.protection.stop is not None]
    missing = [entry for entry in promising if _missing(account, entry) > 0]
    before, running = account.covers.get(contract_id), account.exits.get(contract_id)
    in_gap = before is None or before.state in _GAP
    # Nobody's choice either: exits went through flat.
    over = any(order.is_exit for order in _entries(account, contract_id))
    if not (missing or reached or over):
        return e.Cover.BY_CHOICE, uncovered, "no stop was asked for"
    since_ns = before.since_ns if before is not None and in_gap else at_ns
    # An exit of one entry is our own: its stop cannot be placed.
    failed = over or any(account.stop_failures.get(entry.order_id) for entry in missing)
    failed = failed or (running is not None and running.entry_id is not None)
    late = at_ns - since_ns >= PROTECT_WITHIN_NS
    state = e.Cover.UNPROTECTED if failed or late else e.Cover.PROTECTING
    return state, uncovered, _cause(account, contract_id, missing, over=over)


def _entries(account: Account, contract_id: str) -> Iterable[Order]:
    return account.orders.book(contract_id).entries()


def _missing(account: Account, entry: Order) -> int:
    own = account.orders.book(entry.terms.contract_id).legs_of(entry.order_id)
    return entry.open_quantity - sum(resting_size(leg) for leg in own if leg.role is Role.STOP)


def _cause(account: Account, contract_id: str, missing: list[Order], *, over: bool) -> str:
    running = account.exits.get(contract_id)
    if running is not None:
        return f"being closed: {running.cause}"
    if over:
        return "exits went through flat"
    if not missing:
        return "the market is at its stop, which has not filled"
    entry = missing[0]
    last = account.last_stop(entry.order_id)
    if last is not None and last.status is not Status.FILLED:
        return f"its stop was {last.status.value}{last.reason and ': '}{last.reason}"
    stops = [leg for leg in account.legs(entry.order_id) if leg.role is Role.STOP]
    if any(leg.rests for leg in stops):
        return "its stop has yet to grow"
    return "its stop has not been seen at the broker yet" if stops else "its stop has yet to be placed"
