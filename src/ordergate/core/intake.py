"""What people ask for, decided: submit, cancel, close, cancel all, flatten.

Changes of orders are decided in ``amend``, those of limits in ``limit_changes``, a lockout in ``lockout``, a pause in
``pause``.

Invariants:
1. An order is judged in ``judgement``, here and wherever it is asked what would be decided.
2. An order id is decided once: the same request again gets the same answer, another one with its id is refused.
3. Cancelling a protective stop is refused; cancelling anything else never is.
"""

from __future__ import annotations

from sys import intern
from typing import assert_never

from msgspec.structs import replace

from ordergate.core import answers, limit_changes, lockout, mode_changes, native, pause
from ordergate.core import events as e
from ordergate.core.account import Account, Group
from ordergate.core.amend import modify, protect
from ordergate.core.commands import (
    Acknowledge,
    Answer,
    CancelAll,
    CancelOrder,
    ChangeLimits,
    ClosePosition,
    Command,
    Flatten,
    LockOut,
    ModifyOrder,
    SetInterception,
    SetPaused,
    SubmitOrder,
    UpdateProtection,
)
from ordergate.core.draft import Draft
from ordergate.core.exits import begin
from ordergate.core.inputs import Stamped
from ordergate.core.judgement import Judgement, ground, judge, terms_of
from ordergate.core.nearest import nearest
from ordergate.core.order import Order, Role, Status, Terms


def take(draft: Draft, command: Command, stamp: Stamped) -> Answer:
    """Decide ``command``."""
    match command:
        case SubmitOrder():
            return _submit(draft, command, stamp)
        case CancelOrder():
            return _cancel(draft, command, stamp)
        case ModifyOrder():
            return modify(draft, command, stamp.received_ns)
        case UpdateProtection():
            return protect(draft, command)
        case ClosePosition():
            return _close(draft, command)
        case CancelAll():
            return _cancel_all(draft, command)
        case Flatten():
            return _flatten(draft, command)
        case ChangeLimits():
            return limit_changes.change(draft, command)
        case LockOut():
            return lockout.lock(draft, command, _named(draft, command.account_id))
        case SetInterception():
            return mode_changes.set_interception(draft, command)
        case SetPaused():
            return pause.set_paused(draft, command)
        case Acknowledge():
            return _acknowledge(draft, command)
        case _:
            assert_never(command)


def _submit(draft: Draft, command: SubmitOrder, stamp: Stamped) -> Answer:
    account = draft.group.accounts.get(command.account_id)
    if account is None or not account.adopted:
        return answers.unknown_account(command, command.account_id)
    known = account.order(command.order_id)
    if known is not None:
        return _again(draft, account, command, known, stamp)
    if command.contract_id not in draft.group.instruments:
        message = f"no contract is called {command.contract_id}"
        return answers.refused(command, "UNKNOWN_INSTRUMENT", message, field="instrument")
    judged = judge(draft.group, account, command, stamp)
    order, proposal = _order(draft.group, command, stamp, judged), judged.proposal
    if command.order_id in account.cancels_remembered:
        gone = replace(order, status=Status.CANCELLED, reason="cancelled before it was decided")
        draft.add(e.OrderWithdrawn(account.account_id, gone))
        return answers.withdrawn(command, command.order_id)
    if proposal is not None and judged.breaches:
        note = answers.closing_note(judged.closing)
        denied = replace(order, status=Status.DENIED, breaches=judged.breaches, reason=note)
        draft.add(e.OrderDenied(account.account_id, denied, proposal.quote))
        offered = nearest(draft.group, account, command, stamp)
        return answers.denied(command, command.order_id, command.contract_id, judged.breaches, note, offered)
    draft.override(account.account_id, command.order_id, command.contract_id, judged.overridden)
    modes = draft.group.modes.of(passed=command.passed)
    draft.approve(replace(order, breaches=judged.overridden), ground(modes, judged))
    return answers.done(command, command.order_id, command.contract_id)


def _order(group: Group, command: SubmitOrder, stamp: Stamped, judged: Judgement) -> Order:
    return Order(
        order_id=command.order_id,
        terms=_terms(group, command, judged),
        role=Role.ENTRY,
        status=Status.APPROVED,
        instance_id=intern(command.instance_id),  # one name for all the orders that it comes with
        fingerprint=command.fingerprint,
        passed=command.passed,
        risk_ticks=judged.risk_ticks,
        protection=judged.protection,
        received_ns=stamp.received_ns,
        decided_ns=stamp.market.at_ns,
        updated_ns=stamp.market.at_ns,
    )


def _terms(group: Group, command: SubmitOrder, judged: Judgement) -> Terms:
    """What leaves; a bracket is attached only to what opens with every contract of it."""
    if judged.proposal is None:
        return terms_of(group, command)
    terms = judged.proposal.terms
    if judged.closing:
        return terms
    return native.attached(group, group.accounts[command.account_id], terms, judged.protection)


def _again(draft: Draft, account: Account, command: SubmitOrder, known: Order, stamp: Stamped) -> Answer:
    """The same id again: the same answer, unless it is another order. What would pass instead is worked out anew."""
    if known.fingerprint != command.fingerprint:
        message = f"{command.order_id} was used for another order"
        return answers.refused(command, answers.ORDER_ID_REUSED, message, field="orderId", order_id=command.order_id)
    if known.status is Status.DENIED:
        offered = nearest(draft.group, account, command, stamp)
        return answers.denied(command, known.order_id, known.terms.contract_id, known.breaches, known.reason, offered)
    if known.status is Status.CANCELLED and not known.tag:
        return answers.withdrawn(command, known.order_id)
    return answers.done(command, known.order_id, known.terms.contract_id)


def _cancel(draft: Draft, command: CancelOrder, stamp: Stamped) -> Answer:
    found = draft.group.find_order(command.order_id, command.account_id)
    if found is None:
        # An order of an account that is not there will be refused; remembered, it would make one.
        if stamp.queued_account in draft.group.accounts:
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
        targets = list(entry.protection.targets)
        targets[order.slot] = replace(targets[order.slot], quantity=0)
        draft.set_protection(entry, replace(entry.protection, targets=tuple(targets)), "the target was cancelled")
    draft.want_cancel(order, "asked for")
    return answers.done(command, command.order_id, order.terms.contract_id)


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
    running = account.exits.get(command.contract_id)
    if quantity is not None and running is not None and running.quantity is not None:
        message = "a part of this position is being closed; close the next part when that is done, or all of it now"
        return answers.refused(command, answers.BUSY, message, contract_id=command.contract_id)
    begin(draft, account.account_id, command.contract_id, command.request_id, quantity, "close")
    return answers.done(command, contract_id=command.contract_id)


def _cancel_all(draft: Draft, command: CancelAll) -> Answer:
    accounts = _named(draft, command.account_id)
    if not accounts:
        return answers.unknown_account(command, command.account_id)
    for account in accounts:
        draft.add(e.EpochRaised(account.account_id, account.epoch + 1, "cancel all"))
        for order in list(account.live_orders()):
            if not (order.is_leg or order.role is Role.CLOSE or _protects(account, order)):
                draft.want_cancel(order, "cancel all")
    return answers.done(command)


def _protects(account: Account, order: Order) -> bool:
    """Whether it is somebody else's stop on the closing side of a position: it counts as cover."""
    net = account.position(order.terms.contract_id).net
    is_stop = order.terms.stop_ticks is not None and order.terms.limit_ticks is None
    return order.role is Role.EXTERNAL and is_stop and net * order.terms.side.sign < 0


def _flatten(draft: Draft, command: Flatten) -> Answer:
    accounts = _named(draft, command.account_id)
    if not accounts:
        return answers.unknown_account(command, command.account_id)
    for account in accounts:
        draft.add(e.EpochRaised(account.account_id, account.epoch + 1, "flatten"))
        if account.repeating:
            draft.add(e.RepetitionEnded(account.account_id, draft.at_ns))
        contracts = [*account.positions, *(order.terms.contract_id for order in account.live_orders())]
        for contract_id in dict.fromkeys(contracts):
            begin(draft, account.account_id, contract_id, command.request_id, None, "flatten")
    return answers.done(command)


def _named(draft: Draft, account_id: int | None) -> list[Account]:
    accounts = [account for account in draft.group.accounts.values() if account.adopted]
    return [account for account in accounts if account_id in (None, account.account_id)]


def _acknowledge(draft: Draft, command: Acknowledge) -> Answer:
    """An alarm that has been raised again since it was looked at has another number, and stays."""
    waiting = [alarm.number for alarm in draft.group.alarms if not alarm.acknowledged]
    seen = tuple(number for number in waiting if number in command.numbers)
    if seen:
        draft.add(e.AlarmsAcknowledged(0, seen, draft.at_ns))
    return answers.done(command)
