"""What is not known yet is asked for, and asked for again, until evidence comes. Also carries out wanted cancels."""

from __future__ import annotations

from ordergate.core import events as e
from ordergate.core.draft import Draft
from ordergate.core.filing import REVIEW, rest_timer
from ordergate.core.order import Order, Status


def react(draft: Draft, account_id: int) -> None:
    """Take the next step for every order and every reading of the account that is waiting."""
    account = draft.account(account_id)
    at_ns, cancelling = draft.at_ns, account.orders.cancelling
    overdue = [key for key, due_ns in account.timers.items() if due_ns <= at_ns]
    if not overdue and not cancelling:
        return
    due = {key.partition(":")[2] for key in overdue if key.startswith(("order:", "change:", "cancel:", "rest:"))}
    for order in account.orders.pick(cancelling | due):
        if order.live:
            ask_about(draft, order)
    account = draft.account(account_id)
    if any(key.startswith(("fills:", "held:")) for key in overdue):
        draft.request_snapshot(account, "fills are missing")
    elif "balance" in overdue:
        draft.request_snapshot(account, "the balance and the trades do not agree")
    elif "books" in overdue:
        draft.request_snapshot(account, "the books do not agree")
    elif "snapshot" in overdue:
        draft.request_snapshot(account, "no answer")
    elif REVIEW in overdue:
        draft.request_snapshot(account, "a look from time to time")


def ask_about(draft: Draft, order: Order) -> None:
    """The next step for one live order; there is none while no timer of it is due and no cancel of it is wanted."""
    timers = draft.account(order.terms.account_id).timers
    due = timers.get(f"order:{order.order_id}", draft.at_ns + 1) <= draft.at_ns
    if order.status is Status.APPROVED and due:
        reason = "no answer from the connection manager"
        draft.add(e.OrderInDoubt(order.terms.account_id, order.order_id, reason, draft.at_ns))
        order = draft.account(order.terms.account_id).orders[order.order_id]
    change_due = order.change is not None and timers.get(f"change:{order.order_id}", 0) <= draft.at_ns
    unseen = timers.get(rest_timer(order.order_id), draft.at_ns + 1) <= draft.at_ns and order.change is None
    if (order.status is Status.IN_DOUBT and due) or change_due or unseen:
        draft.add(e.LookupSent(order.terms.account_id, order.order_id, order.tag, draft.at_ns))
    cancel_due = order.cancel_wanted and timers.get(f"cancel:{order.order_id}", 0) <= draft.at_ns
    if order.status is Status.WORKING and cancel_due and order.broker_order_id is not None:
        draft.add(e.CancelSent(order.terms.account_id, order.order_id, order.broker_order_id, draft.at_ns))
