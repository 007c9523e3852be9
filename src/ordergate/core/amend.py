"""What people ask to change, decided: a working order, one leg, the stop and target of a position.

Invariants:
1. Making an order smaller is never denied; anything else is judged like an order that does not exist yet.
2. A stop moved away from the market is new risk; one that would trigger at once is refused.
3. A leg's size follows its entry; moving its price moves the promise.
4. A denied change of an order names the nearest one that would pass, as a denied order does.
"""

from __future__ import annotations

from fractions import Fraction

from msgspec.structs import replace

from ordergate.core import answers
from ordergate.core import events as e
from ordergate.core.account import Account
from ordergate.core.commands import Answer, ModifyOrder, Nearest, UpdateProtection
from ordergate.core.draft import Draft
from ordergate.core.exposure import closable
from ordergate.core.judgement import Judgement, ground
from ordergate.core.levels import is_through
from ordergate.core.nearest import Ask, search
from ordergate.core.order import Exit, Order, OrderType, Protection, Role, Status, Target, Terms
from ordergate.core.reports import Quote
from ordergate.core.rules import broken, counted_risk_ticks, propose, weighed
from ordergate.core.widening import Move, widening


def modify(draft: Draft, command: ModifyOrder, received_ns: int) -> Answer:
    """Change a working order, or move a leg."""
    found = draft.group.find_order(command.order_id, command.account_id)
    if found is None:
        return answers.unknown_order(command, command.order_id)
    account, order = found
    if not order.live:
        return answers.already_final(command, command.order_id, order.status.value)
    if order.is_leg:
        return _modify_leg(draft, command, account, order)
    if order.status is not Status.WORKING or order.change is not None or order.cancel_wanted:
        message = f"{command.order_id} is {order.status.value} with a request under way; try again when it is working"
        return answers.refused(command, answers.BUSY, message, order_id=command.order_id)
    refusal = _bad_change(command, order)
    if refusal is not None:
        return refusal
    terms = replace(
        order.terms,
        quantity=command.quantity or order.terms.quantity,
        limit_ticks=order.terms.limit_ticks if command.limit_ticks is None else command.limit_ticks,
        stop_ticks=order.terms.stop_ticks if command.stop_ticks is None else command.stop_ticks,
    )
    if terms == order.terms:
        return answers.done(command, command.order_id, terms.contract_id)
    return _change(draft, command, account, order, terms, received_ns)


def _change(
    draft: Draft, command: ModifyOrder, account: Account, order: Order, terms: Terms, received_ns: int
) -> Answer:
    others = replace(account, orders=account.orders.delete(order.order_id))

    def ask(left: Nearest) -> Judgement:
        changed = replace(terms, quantity=left.quantity, limit_ticks=left.limit_ticks, stop_ticks=left.stop_ticks)
        return _judged(draft, others, order, changed, received_ns)

    kind, risk = e.ApprovalKind.REDUCING, order.risk_ticks
    if not _only_smaller(order, terms):
        asked = Nearest(terms.quantity - order.filled_quantity, terms.limit_ticks, terms.stop_ticks)
        judged = ask(asked)
        if judged.breaches:
            offered = _nearest(ask, asked, order, draft.quotes.get(terms.contract_id))
            draft.add(e.ModifyDenied(account.account_id, order.order_id, judged.breaches))
            return answers.denied(command, order.order_id, terms.contract_id, judged.breaches, nearest=offered)
        if judged.proposal is not None:
            kind, risk = ground(draft.group.modes.of(passed=order.passed), judged), judged.risk_ticks
        draft.override(account.account_id, order.order_id, terms.contract_id, judged.overridden)
    draft.approve_change(order, terms.quantity, terms.limit_ticks, terms.stop_ticks, kind, risk)
    return answers.done(command, command.order_id, terms.contract_id)


def _only_smaller(order: Order, terms: Terms) -> bool:
    """Whether ``terms`` are those of ``order`` but for a smaller quantity."""
    return terms.quantity < order.terms.quantity and replace(terms, quantity=order.terms.quantity) == order.terms


def _judged(draft: Draft, others: Account, order: Order, left: Terms, received_ns: int) -> Judgement:
    """What is thought of ``order``, without which the account is ``others``, if ``left`` were still to fill of it."""
    closing = min(left.quantity, closable(others, left.contract_id, left.side))
    if closing == left.quantity:
        return Judgement(order.protection, order.risk_ticks, closing, None)
    proposal = propose(
        draft.group,
        others,
        left,
        left.quantity - closing,
        order.protection,
        market=draft.market,
        order_id=order.order_id,
        received_ns=received_ns,
    )
    risk_ticks = counted_risk_ticks(proposal.instrument, order.protection, proposal.entry_ticks)
    weighed_up = weighed(draft.group.modes.of(passed=order.passed), broken(proposal))
    return Judgement(order.protection, risk_ticks, closing, proposal, *weighed_up)


def _nearest(ask: Ask, asked: Nearest, order: Order, quote: Quote | None) -> Nearest | None:
    """The change that would pass: of the whole order, and never one that leaves its price and makes it no larger."""
    terms, filled = order.terms, order.filled_quantity

    def is_at_its_price(candidate: Nearest) -> bool:
        return (candidate.limit_ticks, candidate.stop_ticks) == (terms.limit_ticks, terms.stop_ticks)

    present = terms.quantity - filled
    found = search(ask, asked, terms.side, quote, above=present if is_at_its_price(asked) else 0)
    if found is None or (is_at_its_price(found) and found.quantity <= present):
        return None
    return replace(found, quantity=found.quantity + filled)


def _bad_change(command: ModifyOrder, order: Order) -> Answer | None:
    """A price that the order's type does not have, or a size below what has filled."""
    if command.limit_ticks is not None and order.terms.order_type is not OrderType.LIMIT:
        return answers.refused(command, "NO_LIMIT_PRICE", "only a LIMIT order has a limit price", field="limitPrice")
    if command.stop_ticks is not None and order.terms.order_type is not OrderType.STOP:
        return answers.refused(command, "NO_STOP_PRICE", "only a STOP order has a stop price", field="stopPrice")
    if command.quantity is not None and command.quantity <= order.filled_quantity:
        message = f"{order.filled_quantity} are filled already; cancel the rest instead"
        return answers.refused(command, "QUANTITY_FILLED", message, field="quantity", order_id=order.order_id)
    return None


def _modify_leg(draft: Draft, command: ModifyOrder, account: Account, leg: Order) -> Answer:
    entry = account.order(leg.parent_id)
    price = command.stop_ticks if leg.role is Role.STOP else command.limit_ticks
    if entry is None or price is None or command.quantity is not None or not entry.open_quantity:
        message = "a stop or target is moved by its price; its size follows the entry"
        return answers.refused(command, answers.NOTHING_TO_CHANGE, message, order_id=command.order_id)
    stop = price if leg.role is Role.STOP else None
    target = price if leg.role is Role.TARGET else None
    return _move(draft, command, account, [entry], stop, target, leg.slot if leg.role is Role.TARGET else None)


def protect(draft: Draft, command: UpdateProtection) -> Answer:
    """Move the stop, and the only target, of every entry that holds a position."""
    account = draft.group.accounts.get(command.account_id)
    if account is None:
        return answers.unknown_account(command, command.account_id)
    if account.position(command.contract_id).net == 0:
        return answers.unknown_position(command, command.contract_id)
    entries = [order for order in account.orders.book(command.contract_id).entries() if not order.is_exit]
    if not entries:
        message = "this position was not opened here; place a stop order instead"
        return answers.refused(command, "NOT_OURS", message, contract_id=command.contract_id)
    if command.target_ticks is not None and any(len(_open_slots(entry)) > 1 for entry in entries):
        message = "this position has several targets: move each by the id of its own order"
        return answers.refused(command, "SEVERAL_TARGETS", message, field="takeProfit", contract_id=command.contract_id)
    return _move(draft, command, account, entries, command.stop_ticks, command.target_ticks)


def _move(
    draft: Draft,
    command: ModifyOrder | UpdateProtection,
    account: Account,
    entries: list[Order],
    stop_ticks: int | None,
    target_ticks: int | None,
    slot: int | None = None,
) -> Answer:
    """Move stop and target of ``entries``, all of them or none; ``slot`` None = the only target."""
    first = entries[0]
    quote = draft.market.fresh(first.terms.contract_id, draft.group.limits.quote_age_ms_max)
    if stop_ticks is not None and quote is not None and is_through(first.terms.side, stop_ticks, quote):
        message = "the market is through this stop already: it would trigger at once; close the position instead"
        return answers.refused(command, "STOP_THROUGH_MARKET", message, field="stopLoss", order_id=first.order_id)
    moves: list[Move] = []
    for entry in entries:
        protection = entry.protection
        if stop_ticks is not None:
            # Where a person has put it, it stays.
            stop = Exit(abs(_average(entry) - stop_ticks), stop_ticks)
            protection = replace(protection, stop=stop, breakeven=None, trail=None)
        if target_ticks is not None:
            protection = _with_target(entry, protection, slot, Exit(abs(target_ticks - _average(entry)), target_ticks))
        moves.append((entry, protection))
    found = widening(draft.group, account, moves, draft.market)
    if found.denying:
        draft.add(e.ModifyDenied(account.account_id, first.order_id, found.denying))
        return answers.denied(command, first.order_id, first.terms.contract_id, found.denying)
    draft.override(account.account_id, first.order_id, first.terms.contract_id, found.overridden)
    for entry, protection in moves:
        draft.set_protection(entry, protection, "asked for")
    return answers.done(command, first.order_id, first.terms.contract_id)


def _with_target(entry: Order, protection: Protection, slot: int | None, at: Exit) -> Protection:
    """``protection`` with that target at ``at``; where there is none yet, one for all that is held."""
    targets = list(protection.targets)
    slots = _open_slots(entry) if slot is None else [slot]
    if slots:
        targets[slots[0]] = replace(targets[slots[0]], at=at)
    else:
        targets.append(Target(at))
    return replace(protection, targets=tuple(targets))


def _open_slots(entry: Order) -> list[int]:
    """The places of the targets that something is still to leave at."""
    return [slot for slot, target in enumerate(entry.protection.targets) if target.quantity != 0]


def _average(entry: Order) -> int:
    return round(Fraction(entry.opened_ticks, entry.opened_quantity))
