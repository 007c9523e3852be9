"""What the broker says, turned into events. A fact is always applied; what no row fits is said so and blocks new risk.

Invariants:
1. A fill is counted once, by its id, whichever way it reaches us and in whichever order.
2. Order rows never move a position; only fills do.
3. An order that carries our tag is ours only if it is the order that we sent.
"""

from __future__ import annotations

from ordergate.core import events as e
from ordergate.core.account import Account
from ordergate.core.draft import Draft
from ordergate.core.exits import begin, is_exit_order
from ordergate.core.order import Order, Role, Status, Terms, Trigger, next_status
from ordergate.core.reports import (
    AccountReport,
    CancelOutcome,
    FillReport,
    LookupOutcome,
    ModifyOutcome,
    OrderReport,
    OrderState,
    Outcome,
    PlaceOutcome,
)
from ordergate.core.sessions import day_open_ns
from ordergate.core.timing import DOUBT_READS, STOP_DOUBT_READS

_TERMINAL = {
    OrderState.CANCELLED: (Trigger.CANCEL, Status.CANCELLED),
    OrderState.EXPIRED: (Trigger.EXPIRE, Status.EXPIRED),
    OrderState.REJECTED: (Trigger.REJECT, Status.REJECTED),
}


def apply_account(draft: Draft, report: AccountReport) -> None:
    """A balance or a permission; an account never seen before is read whole first."""
    account = draft.group.accounts.get(report.account_id)
    if account is None or not account.adopted:
        draft.request_snapshot(account or Account(report.account_id), "first sight", day_open_ns(draft.at_ns))
    elif (account.balance_usd, account.can_trade) != (report.balance_usd, report.can_trade):
        draft.add(e.AccountUpdated(report.account_id, report.balance_usd, report.can_trade))


def apply_place(draft: Draft, outcome: PlaceOutcome) -> None:
    """The end of a place request."""
    order = _by_tag(draft, outcome.account_id, outcome.order_tag)
    if order is None:
        return
    match outcome.outcome:
        case Outcome.DONE:
            if outcome.broker_order_id is None:
                _doubt(draft, order, "accepted without an order id")
            elif order.broker_order_id is None:
                _link(draft, order, outcome.broker_order_id)
        case Outcome.REFUSED:
            if order.status is not Status.REJECTED:
                event = e.OrderRejected(
                    outcome.account_id, order.order_id, outcome.code, outcome.text or "no reason given", draft.at_ns
                )
                _if_listed(draft, order, Trigger.REJECT, event)
                _stop_lost(draft, order, outcome.text)
        case Outcome.UNKNOWN:
            _doubt(draft, order, outcome.text or "no answer from the broker")
        case Outcome.NOT_SENT:
            if order.status in (Status.APPROVED, Status.IN_DOUBT):
                draft.add(e.OrderNotSent(outcome.account_id, order.order_id, outcome.text, draft.at_ns))
                _stop_lost(draft, order, outcome.text)


def apply_modify(draft: Draft, outcome: ModifyOutcome) -> None:
    """The end of a modify request; an unknown one is read back by the order's tag."""
    order = _by_tag(draft, outcome.account_id, outcome.order_tag)
    if order is None or order.change is None or order.change.number != outcome.number:
        return
    change = order.change
    match outcome.outcome:
        case Outcome.DONE:
            draft.add(
                e.OrderModified(
                    outcome.account_id, order.order_id, change.quantity, change.limit_ticks, change.stop_ticks
                )
            )
        case Outcome.UNKNOWN:
            draft.add(e.LookupSent(outcome.account_id, order.order_id, order.tag, draft.at_ns))
        case Outcome.REFUSED | Outcome.NOT_SENT:
            text = outcome.text or "refused without a reason"
            draft.add(e.ModifyRefused(outcome.account_id, order.order_id, change.number, text, draft.at_ns))


def apply_cancel(draft: Draft, outcome: CancelOutcome) -> None:
    """The end of a cancel request. Success says nothing yet: the order's own row does."""
    account = draft.group.accounts.get(outcome.account_id)
    order = account.order(account.broker_ids.get(outcome.broker_order_id)) if account else None
    if account is None or order is None or not order.live or outcome.outcome is Outcome.DONE:
        return
    if outcome.outcome is Outcome.REFUSED:
        draft.add(e.CancelRefused(outcome.account_id, order.order_id, outcome.text, draft.at_ns))
    draft.request_snapshot(account, "a cancel did not go through", day_open_ns(draft.at_ns))


def apply_lookup(draft: Draft, outcome: LookupOutcome) -> None:
    """A search by tag: evidence for or against an order that is in doubt."""
    order = _by_tag(draft, outcome.account_id, outcome.order_tag)
    if order is None or outcome.outcome is not Outcome.DONE:
        return
    if outcome.found is not None:
        apply_order(draft, outcome.found)
        _unconfirmed_change(draft, outcome.account_id, order.order_id)
    elif order.status is Status.IN_DOUBT:
        draft.add(e.LookupMissed(outcome.account_id, order.order_id, draft.at_ns))
        reads = STOP_DOUBT_READS if order.role is Role.STOP else DOUBT_READS
        if order.doubt_reads + 1 >= reads:
            reason = f"{order.reason}; absent from open orders and history in {reads} reads"
            draft.add(e.OrderNotSent(outcome.account_id, order.order_id, reason, draft.at_ns))


def _unconfirmed_change(draft: Draft, account_id: int, order_id: str) -> None:
    order = draft.account(account_id).order(order_id)
    if order is not None and order.change is not None and order.live:
        text = "the broker still shows the old terms"
        draft.add(e.ModifyRefused(account_id, order_id, order.change.number, text, draft.at_ns))


def apply_order(draft: Draft, report: OrderReport, *, counted: bool = False) -> None:
    """One order as the broker shows it. ``counted``: its fills so far are in the adopted position already."""
    account = draft.account(report.account_id)
    if report.contract_id not in draft.group.instruments:
        unexpected(draft, report.account_id, f"order {report.broker_order_id} is on unknown {report.contract_id}")
        return
    name = account.tags.get(report.order_tag or "") or account.broker_ids.get(report.broker_order_id)
    order = account.order(name) if name else _external(draft, account, report, counted=counted)
    if order is None:
        return
    if order.broker_order_id not in (None, report.broker_order_id) or not _is_ours(order, report):
        unexpected(draft, report.account_id, f"order {report.broker_order_id} carries the tag of {order.order_id}")
        return
    if order.broker_order_id is None and report.state is not OrderState.REJECTED:
        _link(draft, order, report.broker_order_id)
    order = _now(draft, order)
    if report.filled_quantity > max(order.filled_quantity, order.reported_filled):
        draft.add(e.FillsMissing(report.account_id, order.order_id, report.filled_quantity, draft.at_ns))
    if report.state is OrderState.OPEN:
        _show(draft, _now(draft, order), report)
    elif report.state in _TERMINAL:
        _terminal(draft, _now(draft, order), report)


def _terminal(draft: Draft, order: Order, report: OrderReport) -> None:
    trigger, status = _TERMINAL[report.state]
    if order.status is status or (trigger is Trigger.REJECT and order.status is Status.APPROVED):
        return  # known already, or its REST answer is on the way and carries the reason
    account_id = order.terms.account_id
    event: e.Event
    match trigger:
        case Trigger.CANCEL:
            event = e.OrderCancelled(account_id, order.order_id, draft.at_ns)
        case Trigger.EXPIRE:
            event = e.OrderExpired(account_id, order.order_id, draft.at_ns)
        case _:
            event = e.OrderRejected(account_id, order.order_id, 0, "rejected at the broker", draft.at_ns)
    _if_listed(draft, order, trigger, event)
    if trigger is Trigger.REJECT:
        _stop_lost(draft, order, "rejected at the broker")


def _show(draft: Draft, order: Order, report: OrderReport) -> None:
    """The terms of an open order. An older row about an order that has ended says nothing."""
    shown = (report.quantity, report.limit_ticks, report.stop_ticks)
    known = (order.terms.quantity, order.terms.limit_ticks, order.terms.stop_ticks)
    if order.live and shown != known and report.order_type is order.terms.order_type:
        draft.add(e.OrderModified(order.terms.account_id, order.order_id, *shown))


def _is_ours(order: Order, report: OrderReport) -> bool:
    terms = order.terms
    same = (terms.contract_id, terms.side) == (report.contract_id, report.side)
    if order.broker_order_id is not None:
        return same
    # The broker's clock may be a little behind ours; an order from long before is another one.
    after_send = order.decided_ns == 0 or report.created_ns >= order.decided_ns - 60_000_000_000
    return same and terms.order_type is report.order_type and terms.quantity == report.quantity and after_send


def _external(draft: Draft, account: Account, report: OrderReport, *, counted: bool) -> Order | None:
    """An order without our tag. One that ended without a fill is nobody's risk and is not recorded."""
    awaited = any(fill.broker_order_id == report.broker_order_id for fill in account.held.values())
    if report.state is not OrderState.OPEN and not report.filled_quantity and not awaited:
        return None
    terms = Terms(
        account_id=report.account_id,
        contract_id=report.contract_id,
        side=report.side,
        quantity=report.quantity,
        order_type=report.order_type,
        limit_ticks=report.limit_ticks,
        stop_ticks=report.stop_ticks,
    )
    order = Order(
        order_id=f"external/{report.broker_order_id}",
        terms=terms,
        role=Role.EXTERNAL,
        status=Status.WORKING,
        tag=report.order_tag or "",
        broker_order_id=report.broker_order_id,
        filled_quantity=report.filled_quantity if counted else 0,
        risk_ticks=draft.group.instruments[report.contract_id].stress_ticks,
        received_ns=report.created_ns,
        decided_ns=draft.at_ns,
        updated_ns=draft.at_ns,
    )
    draft.add(e.ExternalOrderSeen(report.account_id, order))
    _apply_held(draft, report.account_id, report.broker_order_id)
    return _now(draft, order)


def apply_fill(draft: Draft, fill: FillReport) -> None:
    """One fill, or the bust of one."""
    account = draft.account(fill.account_id)
    known = account.fills.get(fill.fill_id)
    if known is not None:
        if fill.voided and not known.busted and known.quantity:
            draft.add(e.FillBusted(fill.account_id, fill.fill_id, draft.at_ns))
            draft.request_snapshot(draft.account(fill.account_id), "a fill was busted", day_open_ns(draft.at_ns))
        return
    if fill.voided:
        return
    if fill.contract_id not in draft.group.instruments:
        unexpected(draft, fill.account_id, f"fill {fill.fill_id} is on unknown {fill.contract_id}")
        return
    order = account.order(account.broker_ids.get(fill.broker_order_id))
    if order is None:
        if fill.fill_id not in account.held:
            draft.add(e.FillHeld(fill.account_id, fill, draft.at_ns))
        return
    before = account.position(fill.contract_id).net
    draft.add(
        e.FillApplied(
            account_id=fill.account_id,
            fill_id=fill.fill_id,
            order_id=order.order_id,
            contract_id=fill.contract_id,
            side=fill.side,
            quantity=fill.quantity,
            price_ticks=fill.price_ticks,
            fee_usd=fill.fee_usd,
            at_ns=fill.at_ns,
        )
    )
    _after_fill(draft, _now(draft, order), before)


def _after_fill(draft: Draft, order: Order, before: int) -> None:
    account_id, contract_id = order.terms.account_id, order.terms.contract_id
    if order.filled_quantity > order.terms.quantity:
        unexpected(draft, account_id, f"{order.order_id} filled {order.filled_quantity} of {order.terms.quantity}")
    if order.role is Role.STOP and order.parent_id is not None:
        entry = draft.account(account_id).order(order.parent_id)
        if entry is not None:
            draft.want_cancel(entry, "its stop was hit")
    after = draft.account(account_id).position(contract_id).net
    reversed_ = after != 0 and before * after <= 0
    if is_exit_order(order.role) and reversed_:
        begin(draft, account_id, contract_id, f"{order.order_id}/over", None, "exits went through flat")


def unexpected(draft: Draft, account_id: int, what: str) -> None:
    """Say that the broker's fact fits no row, and have the books compared."""
    account = draft.account(account_id)
    if account.unexplained != what:
        draft.add(e.UnexpectedBrokerFact(account_id, what, draft.at_ns))
        draft.request_snapshot(draft.account(account_id), what, day_open_ns(draft.at_ns))


def _link(draft: Draft, order: Order, broker_order_id: int) -> None:
    event = e.OrderAccepted(order.terms.account_id, order.order_id, broker_order_id, draft.at_ns)
    if _if_listed(draft, order, Trigger.ACCEPT, event):
        _apply_held(draft, order.terms.account_id, broker_order_id)


def _apply_held(draft: Draft, account_id: int, broker_order_id: int) -> None:
    for fill in list(draft.account(account_id).held.values()):
        if fill.broker_order_id == broker_order_id:
            apply_fill(draft, fill)


def _if_listed(draft: Draft, order: Order, trigger: Trigger, event: e.Event) -> bool:
    """Apply ``event`` if the lifecycle table has a row for it; else say so."""
    if next_status(_now(draft, order).status, trigger) is None:
        what = f"{order.order_id} is {order.status.value} and the broker says {trigger.value}"
        unexpected(draft, order.terms.account_id, what)
        return False
    draft.add(event)
    return True


def _doubt(draft: Draft, order: Order, reason: str) -> None:
    if order.status is Status.APPROVED:
        draft.add(e.OrderInDoubt(order.terms.account_id, order.order_id, reason, draft.at_ns))


def _stop_lost(draft: Draft, order: Order, reason: str) -> None:
    if order.role is Role.STOP and order.parent_id is not None:
        attempt = draft.account(order.terms.account_id).stop_failures.get(order.parent_id, 0) + 1
        draft.add(e.ProtectionFailed(order.terms.account_id, order.parent_id, attempt, reason, draft.at_ns))


def _by_tag(draft: Draft, account_id: int, order_tag: str) -> Order | None:
    account = draft.group.accounts.get(account_id)
    name = account.tags.get(order_tag) if account else None
    return account.order(name) if account and name else None


def _now(draft: Draft, order: Order) -> Order:
    """The order as the draft has it by now."""
    return draft.account(order.terms.account_id).order(order.order_id) or order
