"""Brackets: what each entry promises, and what has to be placed, moved or cancelled so that it holds.

Invariants:
1. One bracket per entry; its legs never close more than the entry still holds.
2. The stop goes first; a target follows once the stop rests at the broker.
3. The only stop is never cancelled to be replaced.
4. Levels come from the volume-weighted fill price: the stop rounded toward the entry, the target away from it.
"""

from __future__ import annotations

from math import ceil

import msgspec

from ordergate.core import events as e
from ordergate.core.account import Account, Group, RunningExit
from ordergate.core.commands import Leg, SubmitOrder
from ordergate.core.draft import Draft
from ordergate.core.floor import risk_base_usd
from ordergate.core.instrument import Instrument
from ordergate.core.levels import is_through, stop_level, target_level
from ordergate.core.order import Exit, Order, OrderType, Protection, Role, Side, Status, Terms
from ordergate.core.rules import risk_limit_usd
from ordergate.core.timing import STOP_ATTEMPTS


def promised(group: Group, account: Account, command: SubmitOrder) -> Protection:
    """The bracket that ``command`` asks for, defaults filled in."""
    instrument = group.instruments[command.contract_id]
    stop = command.stop
    if stop is Leg.DEFAULT:
        stop = Exit(default_stop_ticks(group, account, instrument, command.quantity))
    distance = stop.ticks if isinstance(stop, Exit) else instrument.stop_ticks_default
    target = command.target
    if target is Leg.DEFAULT:
        target = Exit(ceil(distance * group.limits.risk_reward_ratio))
    return Protection(
        stop if isinstance(stop, Exit) else None,
        target if isinstance(target, Exit) else None,
    )


def default_stop_ticks(group: Group, account: Account, instrument: Instrument, quantity: int) -> int:
    """The instrument's default distance, drawn in to the risk limit but never below the minimum distance."""
    limits = group.limits.of(instrument.symbol)
    risk = risk_limit_usd(limits, risk_base_usd(group, account))
    allowed = risk // instrument.money(1, quantity)
    return max(instrument.stop_ticks_min, min(instrument.stop_ticks_default, int(allowed)))


def react(draft: Draft, account_id: int) -> None:
    """Take the next step of every bracket of the account that may need one."""
    account = draft.account(account_id)
    for contract_id, book in account.orders.books.items():
        exiting = contract_id in account.exits
        if book.brackets_rest and not exiting:
            continue
        waiting = [_entry(draft, bracket) for bracket in brackets(account, contract_id)]
        # Nothing was done, though nothing waits for its time or its price: so it stays until an order changes.
        book.brackets_rest = not any(waiting) and not exiting and draft.account(account_id) is account


class Bracket(msgspec.Struct, frozen=True):
    """An entry with its live legs. ``held`` is what they have to cover (>= 0): less what an exit is about to close."""

    entry: Order
    held: int
    legs: list[Order]


def brackets(account: Account, contract_id: str) -> list[Bracket]:
    """Every bracket in a contract that holds contracts or has legs: one that is closed first, then the oldest."""
    book, done = account.orders.book(contract_id), account.done
    entries = [order for name, order in book.orders.items() if name in book.holding or name in book.legs]
    entries += [done[entry_id] for entry_id in book.legs if entry_id in done]
    running = account.exits.get(contract_id)
    if running is not None and running.entry_id is not None:
        entries.sort(key=lambda entry: entry.order_id != running.entry_id)
    found, given_up = [], 0
    for entry in entries:
        own = book.legs_of(entry.order_id)
        gone = _given_up(account, entry, given_up)
        given_up += gone
        exited_unseen = sum(leg.unseen for leg in own if not leg.live)
        held = max(0, entry.open_quantity - gone - exited_unseen)
        found.append(Bracket(entry, held, [leg for leg in own if leg.live]))
    return found


def still_to_cover(account: Account, contract_id: str) -> int:
    """Contracts for which a leg has yet to be asked for: one was refused, or is resized in a moment (>= 0)."""
    missing = 0
    for bracket in brackets(account, contract_id):
        protection = bracket.entry.protection
        if protection.stop or protection.target:
            sizes = [sum(leg.leaves for leg in bracket.legs if leg.role is role) for role in (Role.STOP, Role.TARGET)]
            missing += max(0, bracket.held - max(sizes))
    return missing


def _given_up(account: Account, entry: Order, so_far: int) -> int:
    """How much of ``entry`` a running exit is about to close: all, or what ``so_far`` of those before it leaves."""
    running: RunningExit | None = account.exits.get(entry.terms.contract_id)
    if running is None:
        return 0
    closing = running.still_closing(account.order(running.order_id))
    if closing is None:
        return entry.open_quantity
    if (entry.terms.side is Side.BUY) is not running.long:
        return 0
    return min(closing - so_far, entry.open_quantity)


def _entry(draft: Draft, bracket: Bracket) -> bool:
    """The next step of one bracket; whether one waits for its time, for a price or for its stop."""
    entry, held, legs = bracket.entry, bracket.held, bracket.legs
    stops = [leg for leg in legs if leg.role is Role.STOP]
    targets = [leg for leg in legs if leg.role is Role.TARGET]
    stop, target = entry.protection.stop, entry.protection.target
    account = draft.account(entry.terms.account_id)
    timers = account.timers
    due = account.bracket_timers.get(entry.order_id, 0) <= draft.at_ns
    if stop is None or held == 0:
        _end(draft, stops, "nothing left to protect")
    elif not stops:
        _first_stop(draft, entry, held, stop_level(entry, stop))
    else:
        _shape(draft, entry, stops, held, _stop_level(entry, stops, stop, held), due=due)
    if target is None or held == 0:
        _end(draft, targets, "nothing left to take profit on")
    elif targets:
        _shape(draft, entry, targets, held, target_level(entry, target), due=due)
    elif timers.get(f"target:{entry.order_id}", 0) > draft.at_ns:
        pass  # one was refused a moment ago
    elif account.repeating and f"target:{entry.order_id}" in timers:
        pass  # one was refused, and so much has failed that a person has to look first
    elif stop is None or any(leg.status is Status.WORKING for leg in stops):
        draft.approve_leg(entry, Role.TARGET, _leg_terms(entry, Role.TARGET, held, target_level(entry, target)))
    return held > 0 and not (due and (stops or stop is None) and (targets or target is None))


def _stop_level(entry: Order, stops: list[Order], stop: Exit, held: int) -> int:
    """The stop follows the average as long as fills come in; afterwards it only moves in the trader's favour."""
    level, resting = stop_level(entry, stop), stops[0].terms.stop_ticks
    growing = entry.live or held > sum(leg.leaves for leg in stops)
    if growing or stop.price_ticks is not None or resting is None:
        return level
    sign = entry.terms.side.sign
    return max(level * sign, resting * sign) * sign


def _first_stop(draft: Draft, entry: Order, held: int, level: int) -> None:
    account, contract_id = draft.account(entry.terms.account_id), entry.terms.contract_id
    failures = account.stop_failures.get(entry.order_id, 0)
    quote = draft.market.fresh(contract_id, draft.group.limits.quote_age_ms_max)
    through = quote is not None and is_through(entry.terms.side, level, quote)
    if not through and failures < STOP_ATTEMPTS:
        if failures == 0 or account.bracket_timers.get(entry.order_id, 0) <= draft.at_ns:
            draft.approve_leg(entry, Role.STOP, _leg_terms(entry, Role.STOP, held, level))
    elif contract_id not in account.exits and account.timers.get(f"exit:{contract_id}", 0) <= draft.at_ns:
        cause = "the market is through the stop" if through else "the stop was refused"
        exit_id = f"{entry.order_id}/unprotected"
        draft.add(e.ExitStarted(account.account_id, contract_id, exit_id, held, cause, draft.at_ns, entry.order_id))


def _shape(draft: Draft, entry: Order, legs: list[Order], held: int, level: int, *, due: bool) -> None:
    """Make the live legs of one role add up to ``held`` at ``level``. Normally there is one."""
    legs = [leg for leg in legs if not leg.cancel_wanted]
    if not legs:
        return
    total = sum(leg.leaves for leg in legs)
    for surplus in reversed(legs[1:]):
        if total - surplus.leaves >= held:
            draft.want_cancel(surplus, "surplus leg")
            total -= surplus.leaves
    leg = legs[0]
    if not due or not _changeable(leg):
        return
    price = leg.terms.stop_ticks if leg.role is Role.STOP else leg.terms.limit_ticks
    leaves = leg.leaves + held - total
    if leg.leaves == leaves and price == level:
        return
    if leg.changes_refused and leaves > leg.leaves:
        draft.approve_leg(entry, leg.role, _leg_terms(entry, leg.role, held - total, level))
        return
    wanted = _leg_terms(entry, leg.role, leg.filled_quantity + max(1, leaves), level)
    draft.approve_change(leg, wanted.quantity, wanted.limit_ticks, wanted.stop_ticks, e.ApprovalKind.LEG, 0)


def _changeable(leg: Order) -> bool:
    return leg.status is Status.WORKING and leg.change is None


def _end(draft: Draft, legs: list[Order], reason: str) -> None:
    for leg in legs:
        draft.want_cancel(leg, reason)


def _leg_terms(entry: Order, role: Role, quantity: int, level: int) -> Terms:
    return Terms(
        account_id=entry.terms.account_id,
        contract_id=entry.terms.contract_id,
        side=entry.terms.side.opposite,
        quantity=quantity,
        order_type=OrderType.STOP if role is Role.STOP else OrderType.LIMIT,
        limit_ticks=level if role is Role.TARGET else None,
        stop_ticks=level if role is Role.STOP else None,
    )
