"""Closing a position, and flatten: out of the way, close, read back; at most three rounds.

Invariants:
1. A closing order is never larger than what is surely held once every other exit still out there has filled.
2. It is not sent before those exits have been cancelled or shrunk, or 500 ms have passed. A part of a position is
   closed without touching the protection of the rest.
3. Done means read back from the broker, not remembered by us.
"""

from __future__ import annotations

from ordergate.core import events as e
from ordergate.core.account import Account, RunningExit
from ordergate.core.bracket import still_to_cover, to_cover
from ordergate.core.draft import Draft
from ordergate.core.exposure import leaves
from ordergate.core.order import OrderType, Role, Side, Terms
from ordergate.core.timing import EXIT_ROUNDS


def begin(draft: Draft, account_id: int, contract_id: str, exit_id: str, quantity: int | None, cause: str) -> None:
    """Start closing ``quantity`` (None = all) of a contract. Only a larger exit replaces one under way."""
    running = draft.account(account_id).exits.get(contract_id)
    if running is None or (running.quantity is not None and quantity is None):
        draft.add(e.ExitStarted(account_id, contract_id, exit_id, quantity, cause, draft.at_ns))


def react(draft: Draft, account_id: int) -> None:
    """Take the next step of every running exit of the account."""
    for running in list(draft.account(account_id).exits.values()):
        match running.phase:
            case e.Phase.CLEARING:
                _clear(draft, account_id, running)
            case e.Phase.CLOSING:
                order = draft.account(account_id).order(running.order_id)
                if order is None or not order.leaves:
                    _advance(draft, account_id, running, e.Phase.READING)
            case e.Phase.READING:
                _read_back(draft, account_id, running)


def _clear(draft: Draft, account_id: int, running: RunningExit) -> None:
    if running.quantity is None:
        for order in list(draft.account(account_id).live_orders(running.contract_id)):
            draft.want_cancel(order, running.cause)
    elif _is_gone(draft.account(account_id), running):
        _advance(draft, account_id, running, e.Phase.READING)
        return
    else:
        _make_room(draft, account_id, running, running.quantity)
    account = draft.account(account_id)
    due = account.timers.get(f"exit:{running.contract_id}", 0) <= draft.at_ns
    if not (_cleared(account, running) or due):
        return
    net = account.position(running.contract_id).net
    size = _surely_held(account, running.contract_id)
    size = size if running.quantity is None else min(size, running.quantity)
    if size > 0:
        side = Side.SELL if net > 0 else Side.BUY
        terms = Terms(account_id, running.contract_id, side, size, OrderType.MARKET)
        draft.approve_close(running.exit_id, terms, running.entry_id)
        _advance(draft, account_id, running, e.Phase.CLOSING)
    elif due or net == 0:
        # Nothing can be closed surely: the reading tells what became of the cancels, and ends this round.
        _advance(draft, account_id, running, e.Phase.READING)


def _make_room(draft: Draft, account_id: int, running: RunningExit, quantity: int) -> None:
    """The legs of what is closed shrink by themselves; other closing orders give way, the newest first, but no stop."""
    account = draft.account(account_id)
    net = account.position(running.contract_id).net
    closing = Side.SELL if net > 0 else Side.BUY
    plain_leaves = leaves(account, running.contract_id, closing).plain
    short = quantity + plain_leaves + to_cover(account, running.contract_id) - abs(net)
    for order in reversed(list(account.live_orders(running.contract_id))):
        plain = order.role in (Role.ENTRY, Role.EXTERNAL) and order.terms.stop_ticks is None
        if short > 0 and plain and order.terms.side is closing:
            draft.want_cancel(order, running.cause)
            short -= order.leaves


def _cleared(account: Account, running: RunningExit) -> bool:
    """Nothing is left that could close what this exit is about to close."""
    if running.quantity is None:
        return not any(True for _ in account.live_orders(running.contract_id))
    return _surely_held(account, running.contract_id) >= running.quantity


def _surely_held(account: Account, contract_id: str) -> int:
    """|position| if every order on the closing side fills, with the legs that have yet to be placed (>= 0)."""
    net = account.position(contract_id).net
    may_fill = leaves(account, contract_id, Side.SELL if net > 0 else Side.BUY)
    return max(0, abs(net) - may_fill.plain - may_fill.legs - still_to_cover(account, contract_id))


def _read_back(draft: Draft, account_id: int, running: RunningExit) -> None:
    account = draft.account(account_id)
    if account.reconciled_ns < running.since_ns:
        draft.request_snapshot(account, f"reading back {running.cause}")
        return
    if running.quantity is None:
        over = account.position(running.contract_id).net == 0 and _cleared(account, running)
    else:
        over = running.quantity == 0 or _is_gone(account, running)
    if over:
        draft.add(e.ExitFinished(account_id, running.contract_id, flat=True, at_ns=draft.at_ns))
    else:
        _next_round(draft, account_id, running)


def _is_gone(account: Account, running: RunningExit) -> bool:
    """Whether the position that a part was to be closed of is flat, or has become another one on the other side."""
    net = account.position(running.contract_id).net
    return net == 0 or (net > 0) is not running.long


def _next_round(draft: Draft, account_id: int, running: RunningExit) -> None:
    if running.round >= EXIT_ROUNDS:
        draft.add(e.ExitFinished(account_id, running.contract_id, flat=False, at_ns=draft.at_ns))
    else:
        event = e.ExitAdvanced(account_id, running.contract_id, e.Phase.CLEARING, running.round + 1, draft.at_ns)
        draft.add(event)


def _advance(draft: Draft, account_id: int, running: RunningExit, phase: e.Phase) -> None:
    draft.add(e.ExitAdvanced(account_id, running.contract_id, phase, running.round, draft.at_ns))
