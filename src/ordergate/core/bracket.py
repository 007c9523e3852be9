"""Brackets: what has to be placed, moved or cancelled so that what each entry promises holds.

Invariants:
1. One bracket per entry; its legs never close more than the entry still holds.
2. The stop goes first; targets follow once the stop rests at the broker.
3. The only stop is never cancelled to be replaced.
4. Levels come from the volume-weighted fill price: the stop rounded toward the entry, the target away from it.
5. What an exit has opened, having filled beyond flat or after the position had turned, is nobody's: it is closed.
"""

from __future__ import annotations

import msgspec

from ordergate.core import events as e
from ordergate.core import native
from ordergate.core.account import Account, RunningExit
from ordergate.core.draft import Draft
from ordergate.core.following import follow
from ordergate.core.levels import exit_ticks, is_through, stop_level, stopped_at, target_level
from ordergate.core.order import Exit, Order, OrderType, Role, Side, Status, Terms
from ordergate.core.reports import Quote
from ordergate.core.timing import STOP_ATTEMPTS

# What the broker says of a price that it does not take, too far or on the wrong side (ProjectX API notes, section 4.1,
# 2026-11-22).
_OFF_RANGE = "outside allowed range"


def react(draft: Draft, account_id: int) -> None:
    """Take the next step of every bracket of the account that may need one."""
    account = draft.account(account_id)
    for contract_id, book in account.orders.books.items():
        exiting = contract_id in account.exits
        if book.brackets_rest and not exiting:
            continue
        waiting = [_entry(draft, bracket) for bracket in brackets(account, contract_id)]
        native.cut(draft, draft.account(account_id), contract_id)
        # Nothing was done, though nothing waits for its time or its price: so it stays until an order changes.
        book.brackets_rest = not any(waiting) and not exiting and draft.account(account_id) is account


class Bracket(msgspec.Struct, frozen=True):
    """An entry with its live legs. ``held`` is what they have to cover (>= 0): less what an exit is about to close.

    ``shares`` (>= 0) is how much of that is to leave at each of the entry's targets.
    """

    entry: Order
    held: int
    shares: list[int]
    legs: list[Order]


def brackets(account: Account, contract_id: str) -> list[Bracket]:
    """Every bracket in a contract that holds contracts or has legs: one that is closed first, then the oldest.

    At the end is what exits have opened.
    """
    book, done = account.orders.book(contract_id), account.done
    entries = [order for name, order in book.orders.items() if name in book.holding or name in book.legs]
    entries += [done[entry_id] for entry_id in book.legs if entry_id in done]
    running = account.exits.get(contract_id)
    first = None if running is None else running.entry_id
    if len(entries) > 1:
        entries.sort(key=lambda entry: (entry.order_id != first, entry.is_exit))
    found, given_up = [], 0
    for entry in entries:
        own = book.legs_of(entry.order_id)
        gone = _given_up(account, entry, given_up)
        given_up += gone
        exited_unseen = sum(leg.unseen for leg in own if not leg.live)
        held = max(0, entry.open_quantity - gone - exited_unseen)
        found.append(Bracket(entry, held, _shares(entry, held, own), [leg for leg in own if leg.live]))
    return found


def _shares(entry: Order, held: int, own: list[Order]) -> list[int]:
    found, left = [], held
    for slot, target in enumerate(entry.protection.targets):
        share = left
        if target.quantity is not None:
            filled_unseen = sum(
                leg.unseen for leg in own if leg.role is Role.TARGET and leg.slot == slot and not leg.live
            )
            share = min(left, max(0, target.quantity - filled_unseen))
        found.append(share)
        left -= share
    return found


def still_to_cover(account: Account, contract_id: str) -> int:
    """Contracts for which a leg has yet to be asked for: one was refused, or is resized in a moment (>= 0)."""
    missing = 0
    for bracket in brackets(account, contract_id):
        sizes = [sum(leg.leaves for leg in bracket.legs if leg.role is role) for role in (Role.STOP, Role.TARGET)]
        missing += max(0, _promised(bracket) - max(sizes))
    return missing


def to_cover(account: Account, contract_id: str) -> int:
    """Contracts that legs close once they have the size they should have: less what an exit closes (>= 0)."""
    return sum(_promised(bracket) for bracket in brackets(account, contract_id))


def _promised(bracket: Bracket) -> int:
    return bracket.held if bracket.entry.protection.stop else sum(bracket.shares)


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
    entry, held = bracket.entry, bracket.held
    stops = [leg for leg in bracket.legs if leg.role is Role.STOP]
    rests = any(leg.status is Status.WORKING for leg in stops)
    awaited = held > 0 and native.awaits(draft, entry)
    stop = entry.protection.stop
    if stop is not None and rests and held and entry.protection.moves:
        entry = follow(draft, entry, _stop_level(entry, stops, stop, held))
        stop = entry.protection.stop
    due = draft.account(entry.terms.account_id).bracket_timers.get(entry.order_id, 0) <= draft.at_ns
    if held and entry.is_exit:
        _close(draft, entry, "over", held, "exits went through flat")
        return True
    if stop is None or held == 0:
        _end(draft, stops, "nothing left to protect")
    elif not stops and awaited:
        pass  # the broker's own is on its way
    elif not stops:
        _first_stop(draft, entry, held, stop_level(entry, stop))
    else:
        _shape(draft, entry, stops, held, _stop_level(entry, stops, stop, held), due=due)
    is_allowed = (stop is None or rests) and not awaited and _may_place_targets(draft, entry)
    complete = _targets(draft, entry, bracket, is_allowed=is_allowed, due=due)
    if held == 0:
        return False
    return entry.protection.moves or not (due and (stops or stop is None) and complete)


def _targets(draft: Draft, entry: Order, bracket: Bracket, *, is_allowed: bool, due: bool) -> bool:
    """The next step of each target of one bracket; whether each that has a share has a leg."""
    targets = [leg for leg in bracket.legs if leg.role is Role.TARGET]
    complete, room = True, max(0, bracket.held - sum(leg.leaves for leg in targets))
    for slot, share in enumerate(bracket.shares):
        own = [leg for leg in targets if leg.slot == slot]
        # What is being cancelled or made smaller may still fill: until that is proven, no other grows into it.
        size = sum(leg.leaves for leg in own)
        now = min(share, size + room)
        room -= max(0, now - size)
        _target(draft, entry, own, slot, now, is_allowed=is_allowed, due=due)
        complete = complete and (share == 0 or bool(own))
    _end(draft, [leg for leg in targets if leg.slot >= len(bracket.shares)], "nothing left to take profit on")
    return complete


def _may_place_targets(draft: Draft, entry: Order) -> bool:
    """Not for a moment after one was refused, and not once so much has failed that a person has to look first."""
    account = draft.account(entry.terms.account_id)
    refused_until_ns = account.timers.get(f"target:{entry.order_id}")
    return refused_until_ns is None or (refused_until_ns <= draft.at_ns and not account.repeating)


def _target(
    draft: Draft, entry: Order, legs: list[Order], slot: int, share: int, *, is_allowed: bool, due: bool
) -> None:
    """The next step of one target: ``share`` (>= 0) contracts are to leave there."""
    if share == 0:
        _end(draft, legs, "nothing left to take profit on")
        return
    level = target_level(entry, entry.protection.targets[slot].at)
    if legs:
        _shape(draft, entry, legs, share, level, due=due)
    elif is_allowed:
        draft.approve_leg(entry, Role.TARGET, _leg_terms(entry, Role.TARGET, share, level), slot)


def _stop_level(entry: Order, stops: list[Order], stop: Exit, held: int) -> int:
    """The stop follows the average as long as fills come in; afterwards it only moves in the trader's favour."""
    level, resting = stop_level(entry, stop), stops[0].terms.stop_ticks
    growing = entry.live or held > sum(leg.leaves for leg in stops)
    if growing or stop.price_ticks is not None or resting is None:
        return level
    sign = entry.terms.side.sign
    return max(level * sign, resting * sign) * sign


def _first_stop(draft: Draft, entry: Order, held: int, level: int) -> None:
    account = draft.account(entry.terms.account_id)
    failures = account.stop_failures.get(entry.order_id, 0)
    quote = draft.market.fresh(entry.terms.contract_id, draft.group.limits.quote_age_ms_max)
    through = quote is not None and is_through(entry.terms.side, level, quote)
    if through or failures >= STOP_ATTEMPTS:
        cause = "the market is through the stop" if through else "the stop was refused"
        _close(draft, entry, "unprotected", held, cause)
    elif failures == 0 or account.bracket_timers.get(entry.order_id, 0) <= draft.at_ns:
        level = level if quote is None else _drawn_in(draft, entry, level, quote)
        draft.approve_leg(entry, Role.STOP, _leg_terms(entry, Role.STOP, held, level))


def _drawn_in(draft: Draft, entry: Order, level: int, quote: Quote) -> int:
    """Where the broker has refused a stop at ``level`` for its price: half as far from the market, if that is a stop.

    How far is allowed it does not say. From then on the stop is promised there.
    """
    refused = draft.account(entry.terms.account_id).last_stop(entry.order_id)
    if refused is None or _OFF_RANGE not in refused.reason or refused.terms.stop_ticks != level:
        return level
    sign, market = entry.terms.side.sign, exit_ticks(entry.terms.side, quote)
    distance = abs(market - level) // 2
    if distance < draft.group.instruments[entry.terms.contract_id].stop_ticks_min:
        return level
    nearer = market - sign * distance
    draft.set_protection(entry, stopped_at(entry, nearer), "the broker allows no stop so far from the market")
    return nearer


def _close(draft: Draft, entry: Order, name: str, quantity: int, cause: str) -> None:
    """Begin to close what ``entry`` holds at the market; again after a while, should that not have closed it."""
    account, contract_id = draft.account(entry.terms.account_id), entry.terms.contract_id
    if contract_id not in account.exits and account.timers.get(f"exit:{contract_id}", 0) <= draft.at_ns:
        exit_id = f"{entry.order_id}/{name}"
        draft.add(e.ExitStarted(account.account_id, contract_id, exit_id, quantity, cause, draft.at_ns, entry.order_id))


def _shape(draft: Draft, entry: Order, legs: list[Order], held: int, level: int, *, due: bool) -> None:
    """Make the live legs of one role add up to ``held`` at ``level``. Normally there is one."""
    legs = [leg for leg in legs if not leg.cancel_wanted]
    if not legs:
        return
    total = sum(leg.leaves for leg in legs)
    kept: list[Order] = []
    for leg in reversed(legs):
        # The oldest goes only once what is to stay in its place is at the broker.
        goes = leg is not legs[0] or all(other.status is Status.WORKING for other in kept)
        if goes and total - leg.leaves >= held:
            draft.want_cancel(leg, "surplus leg")
            total -= leg.leaves
        else:
            kept.append(leg)
    leg = kept[-1]
    if not due or not _changeable(leg):
        return
    price = leg.terms.stop_ticks if leg.role is Role.STOP else leg.terms.limit_ticks
    leaves = leg.leaves + held - total
    if leaves <= 0 or (leg.leaves == leaves and price == level):
        return
    if leg.changes_refused and leaves > leg.leaves:
        draft.approve_leg(entry, leg.role, _leg_terms(entry, leg.role, held - total, level), leg.slot)
        return
    wanted = _leg_terms(entry, leg.role, leg.filled_quantity + leaves, level)
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
