"""The ends of our own requests, turned into events: place, modify, cancel, and the search by tag.

Invariants:
1. An unknown end leaves the order live until evidence comes: it is looked up by its tag, never sent again.
2. A search that could not be made is no evidence, and neither is one while a fill is there that may be the order's.
"""

from __future__ import annotations

from ordergate.core import events as e
from ordergate.core import native
from ordergate.core.account import Account
from ordergate.core.draft import Draft
from ordergate.core.facts import apply_order, is_ours, link, now, reject, stop_lost
from ordergate.core.order import Order, Role, Status
from ordergate.core.reports import CancelOutcome, FillReport, LookupOutcome, ModifyOutcome, Outcome, PlaceOutcome
from ordergate.core.timing import (
    CHANGE_READ_NS,
    CHANGE_READS,
    CLOCKS_APART_NS,
    DOUBT_READ_NS,
    DOUBT_READS,
    URGENT_DOUBT_READ_NS,
    URGENT_DOUBT_READS,
)


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
                link(draft, order, outcome.broker_order_id)
        case Outcome.REFUSED:
            native.learn(draft, outcome.account_id, outcome.text)
            reject(draft, order, outcome.code, outcome.text or "no reason given")
        case Outcome.UNKNOWN:
            _doubt(draft, order, outcome.text or "no answer from the broker")
        case Outcome.NOT_SENT:
            if order.status in (Status.APPROVED, Status.IN_DOUBT):
                draft.add(e.OrderNotSent(outcome.account_id, order.order_id, outcome.text, draft.at_ns))
                stop_lost(draft, order, outcome.text, draft.at_ns)


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
                    account_id=outcome.account_id,
                    order_id=order.order_id,
                    quantity=change.quantity,
                    limit_ticks=change.limit_ticks,
                    stop_ticks=change.stop_ticks,
                    at_ns=draft.at_ns,
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
    if account is None:
        return
    if outcome.forbidden and not account.no_cancel:
        draft.add(e.CancelForbidden(account.account_id, outcome.text, draft.at_ns))
    order = account.order(account.broker_ids.get(outcome.broker_order_id))
    if order is None or not order.live or outcome.outcome is Outcome.DONE:
        return
    if outcome.outcome is Outcome.REFUSED:
        draft.add(e.CancelRefused(outcome.account_id, order.order_id, outcome.text, draft.at_ns))
    draft.request_snapshot(account, "a cancel did not go through")


def apply_lookup(draft: Draft, outcome: LookupOutcome) -> None:
    """A search by tag: evidence for or against an order that is in doubt."""
    order = _by_tag(draft, outcome.account_id, outcome.order_tag)
    if order is None:
        return
    if outcome.outcome is not Outcome.DONE:
        if order.status is Status.WORKING and order.change is None:
            draft.request_snapshot(draft.account(outcome.account_id), "a look-up failed")
        return
    if outcome.found is not None:
        ours = is_ours(order, outcome.found)
        apply_order(draft, outcome.found, draft.at_ns)
        if ours:
            _unconfirmed_change(draft, now(draft, order))
            return
    # Tags are unique at the broker: where another order carries ours, ours is not there.
    if order.status is Status.IN_DOUBT:
        if not _may_have_filled(draft.account(outcome.account_id), order, outcome.fills):
            _missed(draft, order)
    elif order.role is Role.STOP and order.status is Status.WORKING and not order.rests:
        draft.request_snapshot(draft.account(outcome.account_id), "an accepted stop is not to be seen")


def _may_have_filled(account: Account, order: Order, fills: tuple[FillReport, ...]) -> bool:
    """Whether a fill that belongs to no order we know, told or read, may be this one's, which no list shows yet."""
    return any(
        (fill.contract_id, fill.side, fill.voided) == (order.terms.contract_id, order.terms.side, False)
        and fill.broker_order_id not in account.broker_ids
        and fill.at_ns >= order.decided_ns - CLOCKS_APART_NS
        for fill in (*fills, *account.held.values())
    )


def _missed(draft: Draft, order: Order) -> None:
    account_id = order.terms.account_id
    reads = _reads_without_trace(draft, order, URGENT_DOUBT_READ_NS if order.is_urgent else DOUBT_READ_NS)
    if reads >= (URGENT_DOUBT_READS if order.is_urgent else DOUBT_READS):
        reason = f"{order.reason}; absent from open orders and history in {reads} reads"
        draft.add(e.OrderNotSent(account_id, order.order_id, reason, draft.at_ns))
        # Its time in doubt was its wait: the next try is due at once.
        stop_lost(draft, order, reason, order.updated_ns)


def _unconfirmed_change(draft: Draft, order: Order) -> None:
    """The broker still shows the old terms: not made, if it shows them long enough for what may be on its way."""
    if order.change is None or not order.change_unknown or not order.live:
        return
    reads = _reads_without_trace(draft, order, CHANGE_READ_NS if order.is_leg else DOUBT_READ_NS)
    if reads >= (CHANGE_READS if order.is_leg else DOUBT_READS):
        text = f"the broker shows the old terms in {reads} reads"
        event = e.ModifyRefused(order.terms.account_id, order.order_id, order.change.number, text, draft.at_ns)
        draft.add(event)


def _reads_without_trace(draft: Draft, order: Order, apart_ns: int) -> int:
    """How many reads, this one included. Answers that come all at once were read all at once, and are one."""
    if draft.at_ns - order.doubt_read_ns >= apart_ns // 2:
        draft.add(e.LookupMissed(order.terms.account_id, order.order_id, draft.at_ns))
    return now(draft, order).doubt_reads


def _doubt(draft: Draft, order: Order, reason: str) -> None:
    if order.status is Status.APPROVED:
        draft.add(e.OrderInDoubt(order.terms.account_id, order.order_id, reason, draft.at_ns))


def _by_tag(draft: Draft, account_id: int, order_tag: str) -> Order | None:
    account = draft.group.accounts.get(account_id)
    return account.order(account.tags.get(order_tag)) if account else None
