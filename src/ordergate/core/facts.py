"""Order rows, fills and balances of the broker, turned into events. The ends of our own requests are in ``outcomes``.

A fact is always applied; what no row of the lifecycle table fits is said so, and blocks new risk until the books agree.

Invariants:
1. A fill is counted once, by its id, whichever way it reaches us and in whichever order.
2. Order rows never move a position; only fills do.
3. An order that carries our tag is ours only if it is the order that we sent; else it counts as somebody else's.
"""

from __future__ import annotations

from collections.abc import Sequence

from msgspec.structs import replace

from ordergate.core import events as e
from ordergate.core import native
from ordergate.core.account import Account
from ordergate.core.draft import Draft
from ordergate.core.order import Order, Role, Status, Terms, Trigger, next_status
from ordergate.core.pace import is_taken_again
from ordergate.core.reports import AccountReport, FillReport, OrderReport, OrderState

# What the user hub says of a rejection; the reason itself is only in the REST answer (ProjectX API notes, section 11,
# 2026-11-22).
_NO_REASON = "rejected at the broker"

_STATUS = {
    OrderState.OPEN: Status.WORKING,
    OrderState.FILLED: Status.FILLED,
    OrderState.CANCELLED: Status.CANCELLED,
    OrderState.EXPIRED: Status.EXPIRED,
    OrderState.REJECTED: Status.REJECTED,
}


def apply_account(draft: Draft, report: AccountReport) -> None:
    """A balance or a permission; an account never seen before is read whole first."""
    account = draft.group.accounts.get(report.account_id)
    if account is None or not account.adopted:
        draft.request_snapshot(account or Account(report.account_id), "first sight")
        return
    if (account.balance_usd, account.can_trade) != (report.balance_usd, report.can_trade):
        draft.add(e.AccountUpdated(report.account_id, report.balance_usd, report.can_trade, draft.at_ns))
    if report.no_cancel and not account.no_cancel:
        draft.add(e.CancelForbidden(report.account_id, report.no_cancel, draft.at_ns))


def apply_order(draft: Draft, report: OrderReport, read_ns: int | None = None) -> None:
    """One order as the broker shows it. ``read_ns``: when its reading began; None = told as it happened."""
    if report.state is OrderState.SUSPENDED:
        return  # a child that sleeps: it closes what its entry may yet open, and has no price
    account = draft.account(report.account_id)
    name = account.broker_ids.get(report.broker_order_id) or account.tags.get(report.order_tag or "")
    order = account.order(name)
    if order is None or not is_ours(order, report):
        if not _matters(account, report):
            return
        if report.contract_id not in draft.group.instruments:
            unexpected(draft, report.account_id, f"order {report.broker_order_id} is on unknown {report.contract_id}")
            return
        if order is not None:
            unexpected(
                draft, report.account_id, f"order {report.broker_order_id} is not {order.order_id} as we sent it"
            )
        if order is not None and order.broker_order_id == report.broker_order_id:
            return
        order = _child(draft, report) or _external(draft, report)
    if order.broker_order_id is None and report.state is not OrderState.REJECTED:
        link(draft, order, report.broker_order_id)
        read_ns = None  # our last word of it is this very report
    order = now(draft, order)
    if report.filled_quantity > max(order.filled_quantity, order.reported_filled):
        draft.add(e.FillsMissing(report.account_id, order.order_id, report.filled_quantity, draft.at_ns))
    if report.state in (OrderState.OPEN, OrderState.FILLED):
        _show(draft, now(draft, order), report, read_ns)
    else:
        _ended(draft, now(draft, order), report.state)


def _matters(account: Account, report: OrderReport) -> bool:
    """Whether an order that is not ours is or was anybody's risk; one that ended without a fill is not recorded."""
    awaited = any(fill.broker_order_id == report.broker_order_id for fill in account.held.values())
    return report.state is OrderState.OPEN or report.filled_quantity > 0 or awaited


def is_ours(order: Order, report: OrderReport) -> bool:
    """Whether ``report`` can be of ``order``, whose tag or id it carries."""
    terms = order.terms
    same = (terms.contract_id, terms.side) == (report.contract_id, report.side)
    if order.broker_order_id is not None:
        return same and order.broker_order_id == report.broker_order_id
    # The broker's clock may be a little behind ours; an order from long before is another one.
    after_send = report.created_ns >= order.decided_ns - 60_000_000_000
    # Somebody at the broker may have made it smaller before we heard of it; what is larger is not what we approved.
    return same and terms.order_type is report.order_type and report.quantity <= terms.quantity and after_send


def _show(draft: Draft, order: Order, report: OrderReport, read_ns: int | None) -> None:
    """The terms of an order that is open, or was filled. What was said before our own last word of it says nothing."""
    older = report.filled_quantity < order.filled_quantity or (read_ns is not None and order.updated_ns >= read_ns)
    if not order.live or older:
        return
    account_id = order.terms.account_id
    shown = (report.quantity, report.limit_ticks, report.stop_ticks)
    known = (order.terms.quantity, order.terms.limit_ticks, order.terms.stop_ticks)
    if shown != known and report.order_type is order.terms.order_type:
        if order.changed and read_ns is None:
            _verify(draft, order)
            return
        draft.add(e.OrderModified(account_id, order.order_id, *shown, draft.at_ns))
    order = now(draft, order)
    if report.state is OrderState.OPEN and order.role is Role.STOP and not order.rests:
        draft.add(e.OrderResting(account_id, order.order_id, draft.at_ns))
    if report.state is OrderState.FILLED and order.live and order.change is not None:
        text = "the order filled first"
        draft.add(e.ModifyRefused(account_id, order.order_id, order.change.number, text, draft.at_ns))


def _verify(draft: Draft, order: Order) -> None:
    """The hub's row may be older than our change, or newer: REST tells, unless it was asked or is about to."""
    account_id = order.terms.account_id
    asked = draft.account(account_id).timers.get(f"order:{order.order_id}", 0) > draft.at_ns
    if order.change is None and not asked:
        draft.add(e.LookupSent(account_id, order.order_id, order.tag, draft.at_ns))


def _ended(draft: Draft, order: Order, state: OrderState) -> None:
    account_id = order.terms.account_id
    if order.status is _STATUS[state]:
        return
    match state:
        case OrderState.CANCELLED:
            if _if_listed(draft, order, Trigger.CANCEL, e.OrderCancelled(account_id, order.order_id, draft.at_ns)):
                _taken_away(draft, order)
        case OrderState.EXPIRED:
            if _if_listed(draft, order, Trigger.EXPIRE, e.OrderExpired(account_id, order.order_id, draft.at_ns)):
                _taken_away(draft, order)
        case _:
            reject(draft, order, 0, _NO_REASON)


def _taken_away(draft: Draft, stop: Order) -> None:
    """A stop that nobody here wanted gone is placed again at once. So soon after another one it counts as refused.

    Whatever takes each of them away would else use up the broker's requests, and those for closing with them.
    """
    is_ours = stop.role is Role.STOP and not stop.cancel_wanted
    if is_ours and is_taken_again(draft.account(stop.terms.account_id), stop, draft.at_ns):
        stop_lost(draft, stop, "each one is cancelled by somebody else", draft.at_ns)


def reject(draft: Draft, order: Order, code: int, text: str) -> None:
    """The hub and the REST answer both tell of a rejection, in either order; the one with a reason counts."""
    again = order.status is Status.REJECTED
    if again and (text == _NO_REASON or order.reason != _NO_REASON):
        return
    event = e.OrderRejected(order.terms.account_id, order.order_id, code, text, draft.at_ns)
    if _if_listed(draft, order, Trigger.REJECT, event) and not again:
        stop_lost(draft, order, text, draft.at_ns)


def _child(draft: Draft, report: OrderReport) -> Order | None:
    order = native.child(draft, report)
    if order is not None:
        _apply_held(draft, report.account_id, report.broker_order_id)
    return order


def _external(draft: Draft, report: OrderReport) -> Order:
    order = _somebodys(draft, report)
    if native.is_foreign(draft.account(report.account_id), report):
        order = replace(order, foreign=True)
    draft.add(e.ExternalOrderSeen(report.account_id, order))
    if order.foreign:
        native.learn_foreign(draft, order)
    _apply_held(draft, report.account_id, report.broker_order_id)
    return now(draft, order)


def adopt_order(draft: Draft, report: OrderReport, fills: Sequence[FillReport], *, foreign: bool = False) -> None:
    """An order that was there before us. ``fills``, all that were read of it, are in the adopted position.

    ``foreign``: it is a leg that nothing here has promised.
    """
    if not _matters(draft.account(report.account_id), report) or report.contract_id not in draft.group.instruments:
        return
    seen = sum(fill.quantity for fill in fills)
    filled = max(seen, report.filled_quantity)
    order = _somebodys(
        draft,
        report,
        status=_STATUS[report.state] if filled < report.quantity else Status.FILLED,
        filled_quantity=filled,
        fill_ticks=sum(fill.quantity * fill.price_ticks for fill in fills) if seen == filled else 0,
    )
    draft.add(e.ExternalOrderSeen(report.account_id, replace(order, foreign=foreign)))


def _somebodys(
    draft: Draft,
    report: OrderReport,
    status: Status = Status.WORKING,
    filled_quantity: int = 0,
    fill_ticks: int = 0,
) -> Order:
    terms = Terms(
        account_id=report.account_id,
        contract_id=report.contract_id,
        side=report.side,
        quantity=report.quantity,
        order_type=report.order_type,
        limit_ticks=report.limit_ticks,
        stop_ticks=report.stop_ticks,
    )
    return Order(
        order_id=f"external/{report.broker_order_id}",
        terms=terms,
        role=Role.EXTERNAL,
        status=status,
        tag=report.order_tag or "",
        broker_order_id=report.broker_order_id,
        rests=True,
        filled_quantity=filled_quantity,
        fill_ticks=fill_ticks,
        risk_ticks=draft.group.instruments[report.contract_id].stress_ticks,
        received_ns=report.created_ns,
        decided_ns=draft.at_ns,
        updated_ns=draft.at_ns,
    )


def apply_fill(draft: Draft, fill: FillReport) -> None:
    """One fill, or the bust of one."""
    account = draft.account(fill.account_id)
    known = account.fills.get(fill.fill_id)
    if known is not None:
        if fill.voided and not known.busted and known.quantity:
            draft.add(e.FillBusted(fill.account_id, fill.fill_id, draft.at_ns))
            draft.request_snapshot(draft.account(fill.account_id), "a fill was busted")
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
    _after_fill(draft, now(draft, order))


def _after_fill(draft: Draft, order: Order) -> None:
    account_id = order.terms.account_id
    if order.filled_quantity > order.largest_quantity:
        unexpected(draft, account_id, f"{order.order_id} filled {order.filled_quantity} of {order.terms.quantity}")
    if order.role is Role.STOP and order.parent_id is not None:
        entry = draft.account(account_id).order(order.parent_id)
        if entry is not None:
            draft.want_cancel(entry, "its stop was hit")


def unexpected(draft: Draft, account_id: int, what: str) -> None:
    """Say that the broker's fact fits no row, and have the books compared."""
    account = draft.account(account_id)
    if account.unexplained != what:
        draft.add(e.UnexpectedBrokerFact(account_id, what, draft.at_ns))
        draft.request_snapshot(draft.account(account_id), what)


def link(draft: Draft, order: Order, broker_order_id: int) -> None:
    """The broker has the order under this id."""
    event = e.OrderAccepted(order.terms.account_id, order.order_id, broker_order_id, draft.at_ns)
    if _if_listed(draft, order, Trigger.ACCEPT, event):
        _apply_held(draft, order.terms.account_id, broker_order_id)


def _apply_held(draft: Draft, account_id: int, broker_order_id: int) -> None:
    for fill in list(draft.account(account_id).held.values()):
        if fill.broker_order_id == broker_order_id:
            apply_fill(draft, fill)


def _if_listed(draft: Draft, order: Order, trigger: Trigger, event: e.Event) -> bool:
    """Apply ``event`` if the lifecycle table has a row for it; else say so."""
    if next_status(now(draft, order).status, trigger) is None:
        what = f"{order.order_id} is {order.status.value} and the broker says {trigger.value}"
        unexpected(draft, order.terms.account_id, what)
        return False
    draft.add(event)
    return True


def stop_lost(draft: Draft, order: Order, reason: str, lost_ns: int) -> None:
    """A promised stop does not rest at the broker since ``lost_ns``. Says nothing of other orders."""
    account = draft.account(order.terms.account_id)
    if order.role is Role.STOP and order.parent_id is not None and order.parent_id in account.orders:
        attempt = account.stop_failures.get(order.parent_id, 0) + 1
        draft.add(e.ProtectionFailed(account.account_id, order.parent_id, attempt, reason, lost_ns))


def now(draft: Draft, order: Order) -> Order:
    """The order as the draft has it by now."""
    return draft.account(order.terms.account_id).order(order.order_id) or order
