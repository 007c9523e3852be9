"""What people ask for, decided: submit, cancel, modify, move a bracket, close, cancel all, flatten.

Invariants:
1. Only the part of an order that adds risk is put before the rules; what can only reduce passes.
2. An order id is decided once: the same request again gets the same answer, another one with its id is refused.
3. Cancelling or widening a protective stop is new risk; cancelling anything else never is.
"""

from __future__ import annotations

from fractions import Fraction
from typing import assert_never

from msgspec.structs import replace

from ordergate.core import answers
from ordergate.core import events as e
from ordergate.core.account import Account
from ordergate.core.bracket import promised
from ordergate.core.commands import (
    Answer,
    CancelAll,
    CancelOrder,
    ClosePosition,
    Command,
    Flatten,
    ModifyOrder,
    SubmitOrder,
    UpdateProtection,
)
from ordergate.core.draft import Draft
from ordergate.core.exits import begin
from ordergate.core.exposure import closable
from ordergate.core.inputs import Stamped
from ordergate.core.order import Exit, Order, OrderType, Protection, Role, Status, Terms
from ordergate.core.rules import breaches, propose, widening


def take(draft: Draft, command: Command, stamp: Stamped) -> Answer:
    """Decide ``command``."""
    match command:
        case SubmitOrder():
            return _submit(draft, command, stamp)
        case CancelOrder():
            return _cancel(draft, command, stamp)
        case ModifyOrder():
            return _modify(draft, command)
        case UpdateProtection():
            return _protect(draft, command)
        case ClosePosition():
            return _close(draft, command)
        case CancelAll():
            return _cancel_all(draft, command)
        case Flatten():
            return _flatten(draft, command)
        case _:
            assert_never(command)


def _submit(draft: Draft, command: SubmitOrder, stamp: Stamped) -> Answer:
    account = draft.group.accounts.get(command.account_id)
    if account is None or not account.adopted:
        return answers.unknown_account(command, command.account_id)
    known = account.order(command.order_id)
    if known is not None:
        return _again(command, account, known)
    if command.contract_id not in draft.group.instruments:
        message = f"no contract is called {command.contract_id}"
        return answers.refused(command, "UNKNOWN_INSTRUMENT", message, field="instrument")
    order = _order(draft, account, command, stamp)
    if command.order_id in account.cancels_remembered:
        draft.add(e.OrderWithdrawn(account.account_id, replace(order, status=Status.CANCELLED, reason="cancelled before it was decided")))
        return answers.refused(command, "CANCELLED", "cancelled before it was decided", order_id=command.order_id)
    adding = order.terms.quantity - min(
        order.terms.quantity, closable(account, command.contract_id, command.side)
    )
    if adding == 0:
        # The promise stays on it: should the position be gone when it fills, what it opens is protected.
        draft.approve(order, e.ApprovalKind.REDUCING)
        return answers.done(command, command.order_id, command.contract_id)
    proposal = propose(
        draft.group,
        account,
        order.terms,
        adding,
        order.protection,
        quotes=draft.quotes,
        at_ns=draft.at_ns,
        superseded=stamp.superseded,
    )
    found = breaches(proposal)
    if found:
        denied = replace(order, status=Status.DENIED, breaches=found)
        draft.add(e.OrderDenied(account.account_id, denied, proposal.quote))
        return answers.denied(command, command.order_id, command.contract_id, found)
    draft.approve(replace(order, risk_ticks=proposal.risk_ticks or 0), e.ApprovalKind.APPROVED)
    return answers.done(command, command.order_id, command.contract_id)


def _order(draft: Draft, account: Account, command: SubmitOrder, stamp: Stamped) -> Order:
    return Order(
        order_id=command.order_id,
        terms=Terms(
            account_id=command.account_id,
            contract_id=command.contract_id,
            side=command.side,
            quantity=command.quantity,
            order_type=command.order_type,
            limit_ticks=command.limit_ticks,
            stop_ticks=command.stop_ticks,
        ),
        role=Role.ENTRY,
        status=Status.APPROVED,
        instance_id=command.instance_id,
        fingerprint=command.fingerprint,
        protection=promised(draft.group, account, command),
        received_ns=stamp.received_ns,
        decided_ns=draft.at_ns,
        updated_ns=draft.at_ns,
    )


def _again(command: SubmitOrder, account: Account, known: Order) -> Answer:
    """The same id again: the same answer, unless it is another order."""
    if known.fingerprint != command.fingerprint:
        message = f"{command.order_id} was used for another order"
        return answers.refused(command, answers.ORDER_ID_REUSED, message, field="orderId", order_id=command.order_id)
    if known.status is Status.DENIED:
        return answers.denied(command, known.order_id, known.terms.contract_id, known.breaches)
    return answers.done(command, known.order_id, known.terms.contract_id)


def _cancel(draft: Draft, command: CancelOrder, stamp: Stamped) -> Answer:
    found = draft.group.find_order(command.order_id, command.account_id)
    if found is None:
        if stamp.queued_account is not None:
            draft.add(e.CancelRemembered(stamp.queued_account, command.order_id))
            return answers.done(command, command.order_id)
        return answers.unknown_order(command, command.order_id)
    account, order = found
    if not order.live:
        return answers.already_final(command, command.order_id, order.status.value)
    entry = account.order(order.parent_id) if order.parent_id else None
    if order.role is Role.STOP and entry is not None and entry.open_quantity:
        message = "this stop protects a position; move it, or close the position"
        return answers.refused(command, answers.PROTECTIVE_STOP, message, order_id=command.order_id)
    if order.role is Role.TARGET and entry is not None:
        draft.set_protection(entry, replace(entry.protection, target=None))
    draft.want_cancel(order, "asked for")
    return answers.done(command, command.order_id, order.terms.contract_id)


def _modify(draft: Draft, command: ModifyOrder) -> Answer:
    found = draft.group.find_order(command.order_id, command.account_id)
    if found is None:
        return answers.unknown_order(command, command.order_id)
    account, order = found
    if not order.live:
        return answers.already_final(command, command.order_id, order.status.value)
    if order.status is not Status.WORKING or order.change is not None or order.cancel_wanted:
        message = f"{command.order_id} is {order.status.value} with a request under way; try again when it is working"
        return answers.refused(command, "BUSY", message, order_id=command.order_id)
    if order.is_leg:
        return _modify_leg(draft, command, account, order)
    refusal = _bad_change(command, order)
    if refusal is not None:
        return refusal
    quantity = command.quantity or order.terms.quantity
    limit = order.terms.limit_ticks if command.limit_ticks is None else command.limit_ticks
    stop = order.terms.stop_ticks if command.stop_ticks is None else command.stop_ticks
    terms = replace(order.terms, quantity=quantity, limit_ticks=limit, stop_ticks=stop)
    if terms == order.terms:
        return answers.done(command, command.order_id, order.terms.contract_id)
    left = replace(terms, quantity=quantity - order.filled_quantity)
    capacity = closable(account, terms.contract_id, terms.side, without=order.order_id)
    adding = left.quantity - min(left.quantity, capacity)
    kind, risk = e.ApprovalKind.REDUCING, 0
    if adding:
        proposal = propose(
            draft.group,
            account,
            left,
            adding,
            order.protection,
            quotes=draft.quotes,
            at_ns=draft.at_ns,
            order_id=order.order_id,
        )
        broken = breaches(proposal)
        if broken:
            draft.add(e.ModifyDenied(account.account_id, order.order_id, broken))
            return answers.denied(command, order.order_id, terms.contract_id, broken)
        kind, risk = e.ApprovalKind.APPROVED, proposal.risk_ticks or 0
    draft.approve_change(order, quantity, limit, stop, kind, risk)
    return answers.done(command, command.order_id, terms.contract_id)


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
    """A leg has one price and the size of its entry: moving it moves the promise."""
    entry = account.order(leg.parent_id or "")
    price = command.stop_ticks if leg.role is Role.STOP else command.limit_ticks
    if entry is None or price is None or command.quantity is not None:
        message = "a stop or target is moved by its price; its size follows the entry"
        return answers.refused(command, answers.NOTHING_TO_CHANGE, message, order_id=command.order_id)
    stop = price if leg.role is Role.STOP else None
    target = price if leg.role is Role.TARGET else None
    return _move(draft, command, account, [entry], stop, target)


def _protect(draft: Draft, command: UpdateProtection) -> Answer:
    account = draft.group.accounts.get(command.account_id)
    if account is None:
        return answers.unknown_account(command, command.account_id)
    if account.position(command.contract_id).net == 0:
        return answers.unknown_position(command, command.contract_id)
    entries = [o for o in account.orders.values() if o.terms.contract_id == command.contract_id and o.open_quantity]
    if not entries:
        message = "this position was not opened here; place a stop order instead"
        return answers.refused(command, "NOT_OURS", message, contract_id=command.contract_id)
    return _move(draft, command, account, entries, command.stop_ticks, command.target_ticks)


def _move(  # noqa: PLR0913 - one bracket's new levels
    draft: Draft,
    command: ModifyOrder | UpdateProtection,
    account: Account,
    entries: list[Order],
    stop_ticks: int | None,
    target_ticks: int | None,
) -> Answer:
    """Move stop and target of ``entries``. A stop moved away from the market is judged as the risk that it adds."""
    changed: list[tuple[Order, Protection]] = []
    for entry in entries:
        protection = entry.protection
        if stop_ticks is not None:
            protection = replace(protection, stop=Exit(abs(_average(entry) - stop_ticks), stop_ticks))
            found = widening(draft.group, account, entry, protection, draft.quotes, draft.at_ns)
            if found:
                draft.add(e.ModifyDenied(account.account_id, entry.order_id, found))
                return answers.denied(command, entry.order_id, entry.terms.contract_id, found)
        if target_ticks is not None:
            protection = replace(protection, target=Exit(abs(target_ticks - _average(entry)), target_ticks))
        changed.append((entry, protection))
    for entry, protection in changed:
        draft.set_protection(entry, protection)
    return answers.done(command, entries[0].order_id, entries[0].terms.contract_id)


def _average(entry: Order) -> int:
    return round(Fraction(entry.opened_ticks, entry.opened_quantity))


def _close(draft: Draft, command: ClosePosition) -> Answer:
    account = draft.group.accounts.get(command.account_id)
    if account is None:
        return answers.unknown_account(command, command.account_id)
    held = abs(account.position(command.contract_id).net)
    if held == 0:
        return answers.unknown_position(command, command.contract_id)
    if command.quantity is not None and command.quantity > held:
        message = f"{held} are held, {command.quantity} cannot be closed"
        return answers.refused(command, "MORE_THAN_HELD", message, field="quantity", contract_id=command.contract_id)
    quantity = None if command.quantity == held else command.quantity
    begin(draft, account.account_id, command.contract_id, command.request_id, quantity, "close")
    return answers.done(command, contract_id=command.contract_id)


def _cancel_all(draft: Draft, command: CancelAll) -> Answer:
    accounts = _named(draft, command.account_id)
    if not accounts:
        return answers.unknown_account(command, command.account_id)
    for account in accounts:
        draft.add(e.EpochRaised(account.account_id, account.epoch + 1, "cancel all"))
        for order in list(account.live_orders()):
            if not order.is_leg and order.role is not Role.CLOSE:
                draft.want_cancel(order, "cancel all")
    return answers.done(command)


def _flatten(draft: Draft, command: Flatten) -> Answer:
    accounts = _named(draft, command.account_id)
    if not accounts:
        return answers.unknown_account(command, command.account_id)
    for account in accounts:
        draft.add(e.EpochRaised(account.account_id, account.epoch + 1, "flatten"))
        contracts = [*account.positions, *(order.terms.contract_id for order in account.live_orders())]
        for contract_id in dict.fromkeys(contracts):
            begin(draft, account.account_id, contract_id, command.request_id, None, "flatten")
    return answers.done(command)


def _named(draft: Draft, account_id: int | None) -> list[Account]:
    accounts = [account for account in draft.group.accounts.values() if account.adopted]
    return [account for account in accounts if account_id in (None, account.account_id)]
