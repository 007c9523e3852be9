"""``evolve``: how one event changes the state. No judgement here, only bookkeeping; ``decide`` has judged already.

Invariants:
1. The argument is left unchanged.
2. Folding the journal gives the state that was live when its last row was written.
3. The contracts that entries call open never add up to more than the position, and never stand on its other side.
"""

from __future__ import annotations

from collections.abc import Mapping
from decimal import Decimal
from typing import Any, TypeVar, assert_never

from msgspec.structs import replace

from ordergate.core import events as e
from ordergate.core.account import Account, AppliedFill, Day, Group, RunningExit
from ordergate.core.order import Order, Role, Terms, Trigger, next_status
from ordergate.core.persistent import Map
from ordergate.core.pnl import Position, after_fill, usd
from ordergate.core.reports import PositionReport
from ordergate.core.sessions import next_day_open_ns
from ordergate.core.timing import (
    ANSWER_WAIT_NS,
    CANCEL_RETRY_NS,
    CHANGE_READ_NS,
    CLEARING_NS,
    DOUBT_READ_NS,
    FILL_WAIT_NS,
    RESIZE_GAP_NS,
    SNAPSHOT_WAIT_NS,
    STOP_DOUBT_READ_NS,
    STOP_RETRY_NS,
)

K = TypeVar("K")
V = TypeVar("V")

# Finished orders of earlier days that stay listed (the page shows the trading day's orders and at least these).
DONE_KEPT = 500


def evolve(group: Group, event: e.Event) -> Group:
    """The state after ``event``."""
    group = replace(group, version=group.version + 1)
    match event:
        case e.GroupOpened():
            return replace(group, install_id=event.install_id, venue=event.venue, login=event.login)
        case e.InstrumentsLoaded():
            return replace(group, instruments=group.instruments | {i.contract_id: i for i in event.instruments})
        case e.LimitsChanged():
            return replace(group, limits=event.limits, limits_version=event.version)
        case e.LinkChanged():
            return replace(group, link_up=event.up, link_reason=event.reason)
        case _:
            account = group.accounts.get(event.account_id) or Account(event.account_id)
            return replace(group, accounts=group.accounts | {event.account_id: _account(group, account, event)})


def _account(group: Group, account: Account, event: Any) -> Account:
    match event:
        case e.AccountAdopted():
            return _adopted(account, event)
        case e.AccountUpdated():
            return replace(account, balance_usd=event.balance_usd, can_trade=event.can_trade)
        case e.TradingDayOpened():
            return _day_opened(account, event)
        case e.TradingStateChanged():
            return replace(account, trading_state=event.state, state_code=event.code, state_message=event.message)
        case e.EpochRaised():
            return replace(account, epoch=event.epoch)
        case e.CancelRemembered():
            return replace(account, cancels_remembered=(*account.cancels_remembered, event.order_id))
        case e.UnexpectedBrokerFact():
            return replace(account, unexplained=event.what)
        case e.SnapshotRequested():
            account = replace(account, snapshot_since_ns=event.at_ns)
            return _timer(account, "snapshot", event.at_ns + SNAPSHOT_WAIT_NS)
        case e.PositionDoubted():
            doubted = account.doubted | {event.contract_id: (event.net_quantity, event.cost_ticks)}
            return replace(account, doubted=doubted, unexplained=f"position of {event.contract_id} differs from the broker's")
        case e.PositionCorrected():
            position = PositionReport(account.account_id, event.contract_id, event.net_quantity, event.cost_ticks)
            account = replace(account, doubted=_without(account.doubted, event.contract_id))
            return _fit(_positioned(account, position), event.contract_id)
        case e.Reconciled():
            return _reconciled(account, event)
        case e.ExitStarted() | e.ExitAdvanced() | e.ExitFinished():
            return _exit(account, event)
        case e.FillHeld():
            account = replace(account, held=account.held | {event.fill.fill_id: event.fill})
            return _timer(account, f"held:{event.fill.fill_id}", event.at_ns + FILL_WAIT_NS)
        case e.FillApplied():
            return _fill_applied(group, account, event)
        case e.FillBusted():
            return _fill_busted(group, account, event)
        case e.ProtectionFailed():
            account = replace(account, stop_failures=account.stop_failures | {event.order_id: event.attempt})
            return _timer(account, f"leg:{event.order_id}", event.at_ns + STOP_RETRY_NS)
        case _:
            return _ordered(account, event)


def _ordered(account: Account, event: Any) -> Account:
    """Events about one order."""
    match event:
        case e.OrderApproved():
            return _approved(account, event)
        case e.OrderDenied():
            return _put(account, event.order)
        case e.OrderWithdrawn():
            kept = tuple(x for x in account.cancels_remembered if x != event.order.order_id)
            return _put(replace(account, cancels_remembered=kept), event.order)
        case e.ExternalOrderSeen():
            return _linked(_put(account, event.order), event.order)
        case e.ModifyDenied():
            return account
        case _:
            return _stepped(account, _known(account, event.order_id), event)


def _stepped(account: Account, order: Order, event: Any) -> Account:  # noqa: C901, PLR0911, PLR0912 - one arm per event
    key = f"order:{order.order_id}"
    match event:
        case e.CancelWanted():
            return _put(account, replace(_step(order, Trigger.WANT_CANCEL), cancel_wanted=True, reason=event.reason))
        case e.CancelSent():
            account = _timer(account, f"cancel:{order.order_id}", event.at_ns + CANCEL_RETRY_NS)
            return _put(account, replace(order, cancel_sent=order.cancel_sent + 1))
        case e.CancelRefused():
            account = _timer(account, f"cancel:{order.order_id}", event.at_ns + CANCEL_RETRY_NS)
            return _put(account, _step(order, Trigger.REFUSE_CANCEL, event.at_ns))
        case e.ModifyApproved():
            account = replace(account, number=event.change.number)
            account = _timer(account, f"change:{order.order_id}", event.issued_ns + ANSWER_WAIT_NS)
            return _put(account, replace(order, change=event.change, risk_ticks=event.risk_ticks))
        case e.OrderModified():
            return _modified(account, order, event)
        case e.ModifyRefused():
            account = _timer(account, f"change:{order.order_id}", None)
            account = _leg_timer(account, order, event.at_ns)
            refused = order.changes_refused + 1
            return _put(account, replace(order, change=None, changes_refused=refused, reason=event.reason))
        case e.OrderAccepted():
            order = replace(_step(order, Trigger.ACCEPT, event.at_ns), broker_order_id=event.broker_order_id)
            return _linked(_put(_timer(account, key, None), order), order)
        case e.OrderRejected():
            return _end(account, order, Trigger.REJECT, event.at_ns, event.text)
        case e.OrderInDoubt():
            order = replace(_step(order, Trigger.LOSE, event.at_ns), reason=event.reason, doubt_reads=0)
            return _timer(_put(account, order), key, event.at_ns)
        case e.LookupSent():
            wait_ns = STOP_DOUBT_READ_NS if order.role is Role.STOP else DOUBT_READ_NS
            account = _timer(account, f"change:{order.order_id}", event.at_ns + CHANGE_READ_NS if order.change else None)
            return _timer(account, key, event.at_ns + wait_ns)
        case e.LookupMissed():
            return _put(account, replace(order, doubt_reads=order.doubt_reads + 1))
        case e.OrderNotSent():
            return _end(account, order, Trigger.PROVE_ABSENT, event.at_ns, event.reason)
        case e.OrderCancelled():
            return _end(account, order, Trigger.CANCEL, event.at_ns, order.reason)
        case e.OrderExpired():
            return _end(account, order, Trigger.EXPIRE, event.at_ns, order.reason)
        case e.ProtectionChanged():
            return _put(account, replace(order, protection=event.protection))
        case e.FillsMissing():
            account = _timer(account, f"fills:{order.order_id}", event.at_ns + FILL_WAIT_NS)
            return _put(account, replace(order, reported_filled=event.reported_filled))
        case _:
            assert_never(event)


def _approved(account: Account, event: e.OrderApproved) -> Account:
    order = event.order
    account = replace(account, number=event.number, tags=account.tags.set(order.tag, order.order_id))
    account = _timer(_put(account, order), f"order:{order.order_id}", event.issued_ns + ANSWER_WAIT_NS)
    account = _leg_timer(account, order, event.issued_ns)
    exit_ = account.exits.get(order.terms.contract_id)
    if order.role is Role.CLOSE and exit_ is not None:
        return replace(account, exits=account.exits | {order.terms.contract_id: replace(exit_, order_id=order.order_id)})
    return account


def _modified(account: Account, order: Order, event: e.OrderModified) -> Account:
    terms = Terms(
        account_id=order.terms.account_id,
        contract_id=order.terms.contract_id,
        side=order.terms.side,
        quantity=event.quantity,
        order_type=order.terms.order_type,
        limit_ticks=event.limit_ticks,
        stop_ticks=event.stop_ticks,
    )
    change = order.change
    if change and (change.quantity, change.limit_ticks, change.stop_ticks) == (
        terms.quantity,
        terms.limit_ticks,
        terms.stop_ticks,
    ):
        change = None
        account = _timer(account, f"change:{order.order_id}", None)
    return _put(account, replace(order, terms=terms, change=change, changes_refused=0))


def _end(account: Account, order: Order, trigger: Trigger, at_ns: int, reason: str) -> Account:
    """A terminal fact about an order: its timers and what was under way end with it."""
    for kind in ("order", "cancel", "change"):
        account = _timer(account, f"{kind}:{order.order_id}", None)
    order = replace(_step(order, trigger, at_ns), reason=reason, change=None)
    return _put(_leg_timer(account, order, at_ns), order)


def _fill_applied(group: Group, account: Account, event: e.FillApplied) -> Account:
    order = _known(account, event.order_id)
    complete = order.filled_quantity + event.quantity >= order.terms.quantity
    order = _step(order, Trigger.COMPLETE if complete else Trigger.FILL, event.at_ns)
    before = account.position(event.contract_id)
    position, realized = after_fill(before, event.side, event.quantity, event.price_ticks, event.at_ns)
    closing = min(event.quantity, abs(before.net)) if before.net * event.side.sign < 0 else 0
    opening = event.quantity - closing if order.role is Role.ENTRY else 0
    order = replace(
        order,
        filled_quantity=order.filled_quantity + event.quantity,
        fill_ticks=order.fill_ticks + event.quantity * event.price_ticks,
        opened_quantity=order.opened_quantity + opening,
        opened_ticks=order.opened_ticks + opening * event.price_ticks,
    )
    if order.reported_filled <= order.filled_quantity:
        account = _timer(account, f"fills:{order.order_id}", None)
    if complete:
        for kind in ("order", "cancel", "change"):
            account = _timer(account, f"{kind}:{order.order_id}", None)
        order = replace(order, change=None)
    account = _put(account, order)
    if order.is_leg and order.parent_id is not None:
        account = _exited(account, order.parent_id, closing)
    earned = usd(group.instruments[event.contract_id], realized) - event.fee_usd
    fill = AppliedFill(
        event.fill_id, event.order_id, event.contract_id, event.side, event.quantity, event.price_ticks, event.fee_usd
    )
    account = replace(
        account,
        day=_earned(account.day, earned, event.at_ns),
        fills=account.fills.set(event.fill_id, fill),
        held=_without(account.held, event.fill_id),
        positions=_stored(account.positions, position),
    )
    account = _timer(account, f"held:{event.fill_id}", None)
    return _fit(account, event.contract_id)


def _fill_busted(group: Group, account: Account, event: e.FillBusted) -> Account:
    """Taken back as the opposite fill at the same price: the sum of money and the net are exact, the split is the broker's."""
    fill = account.fills[event.fill_id]
    position = account.position(fill.contract_id)
    position, realized = after_fill(position, fill.side.opposite, fill.quantity, fill.price_ticks, event.at_ns)
    order = account.order(fill.order_id)
    if order is not None:
        order = replace(
            _step(order, Trigger.BUST, event.at_ns),
            filled_quantity=order.filled_quantity - fill.quantity,
            fill_ticks=order.fill_ticks - fill.quantity * fill.price_ticks,
        )
        account = _put(account, order)
    earned = usd(group.instruments[fill.contract_id], realized) + fill.fee_usd
    account = replace(
        account,
        day=_earned(account.day, earned, event.at_ns),
        fills=account.fills.set(fill.fill_id, replace(fill, busted=True)),
        positions=_stored(account.positions, position),
    )
    return _fit(account, fill.contract_id)


def _exit(account: Account, event: e.ExitStarted | e.ExitAdvanced | e.ExitFinished) -> Account:
    key = f"exit:{event.contract_id}"
    match event:
        case e.ExitStarted():
            running = RunningExit(event.exit_id, event.contract_id, event.quantity, event.cause, since_ns=event.at_ns)
        case e.ExitAdvanced():
            before = account.exits[event.contract_id]
            order = account.order(before.order_id) if before.order_id else None
            left = before.quantity
            if event.phase is e.Phase.READING and order is not None and left is not None:
                left = max(0, left - order.filled_quantity)
            order_id = before.order_id if event.phase is not e.Phase.CLEARING else None
            running = replace(
                before, phase=event.phase, round=event.round, since_ns=event.at_ns, quantity=left, order_id=order_id
            )
        case e.ExitFinished():
            account = replace(account, exits=_without(account.exits, event.contract_id))
            return _timer(account, key, None)
    account = replace(account, exits=account.exits | {event.contract_id: running})
    return _timer(account, key, event.at_ns + CLEARING_NS)


def _reconciled(account: Account, event: e.Reconciled) -> Account:
    """What is still missing after a snapshot is asked for again, but not at once."""
    again = {
        key: event.at_ns + SNAPSHOT_WAIT_NS if key.startswith(("fills:", "held:")) else due_ns
        for key, due_ns in account.timers.items()
        if key != "snapshot"
    }
    account = replace(account, snapshot_since_ns=0, reconciled_ns=event.started_ns, timers=again)
    return replace(account, unexplained="", doubted={}) if event.agreed else account


def _adopted(account: Account, event: e.AccountAdopted) -> Account:
    account = replace(
        account,
        name=event.name,
        adopted=True,
        balance_usd=event.balance_usd,
        can_trade=event.can_trade,
        day=Day(event.day, event.at_ns, event.balance_open_usd, Decimal(0), event.realized_usd),
        fills=account.fills.update({fill_id: AppliedFill(fill_id) for fill_id in event.fill_ids}),
    )
    for position in event.positions:
        account = _positioned(account, position)
    return _timer(account, "day", next_day_open_ns(event.at_ns))


def _day_opened(account: Account, event: e.TradingDayOpened) -> Account:
    kept = sorted(account.done.values(), key=lambda order: (order.decided_ns, order.order_id))[-DONE_KEPT:]
    names = {order.order_id for order in kept} | set(account.orders)
    account = replace(
        account,
        day=Day(event.day, event.at_ns, event.balance_usd, event.carried_usd),
        done=Map({order.order_id: order for order in kept}),
        tags=Map({tag: name for tag, name in account.tags.items() if name in names}),
        broker_ids=Map({n: name for n, name in account.broker_ids.items() if name in names}),
        cancels_remembered=(),
    )
    return _timer(account, "day", next_day_open_ns(event.at_ns))


def _earned(day: Day, earned: Decimal, at_ns: int) -> Day:
    """A fill belongs to the day of its exchange time: a late one from before the open moves the opening balance."""
    if at_ns < day.opened_ns:
        return replace(day, balance_usd=day.balance_usd + earned)
    return replace(day, realized_usd=day.realized_usd + earned)


def _fit(account: Account, contract_id: str) -> Account:
    """Invariant 3: what closed without a leg shrinks the oldest entry first."""
    net = account.position(contract_id).net
    entries = [o for o in account.orders.values() if o.terms.contract_id == contract_id and o.open_quantity > 0]
    over = sum(o.open_quantity for o in entries if o.terms.side.sign * net > 0) - abs(net)
    for order in entries:
        if order.terms.side.sign * net <= 0:
            account = _exited(account, order.order_id, order.open_quantity)
        elif over > 0:
            gone = min(over, order.open_quantity)
            over -= gone
            account = _exited(account, order.order_id, gone)
    return account


def _exited(account: Account, entry_id: str, quantity: int) -> Account:
    entry = account.order(entry_id)
    if entry is None or quantity <= 0:
        return account
    gone = min(quantity, entry.open_quantity)
    return _put(account, replace(entry, exited_quantity=entry.exited_quantity + gone))


def _positioned(account: Account, report: PositionReport) -> Account:
    net = report.net_quantity
    before = account.position(report.contract_id)
    average = before.average if net == 0 else Position(report.contract_id, net, report.cost_ticks, net).average
    position = Position(report.contract_id, net, average.numerator, average.denominator, before.opened_ns)
    return replace(account, positions=_stored(account.positions, position))


def _stored(positions: Mapping[str, Position], position: Position) -> dict[str, Position]:
    rest = _without(positions, position.contract_id)
    return rest | {position.contract_id: position} if position.net else rest


def _step(order: Order, trigger: Trigger, at_ns: int = 0) -> Order:
    status = next_status(order.status, trigger)
    assert status is not None, f"{trigger.value} on an order that is {order.status.value} was journaled"
    return replace(order, status=status, updated_ns=at_ns or order.updated_ns)


def _put(account: Account, order: Order) -> Account:
    """Store an order among those that can still act, or among the finished ones."""
    if order.live or order.open_quantity > 0 or order.reported_filled > order.filled_quantity:
        return replace(
            account, orders=account.orders | {order.order_id: order}, done=account.done.delete(order.order_id)
        )
    over = {f"{kind}:{order.order_id}" for kind in ("order", "cancel", "change", "fills", "leg")}
    return replace(
        account,
        orders=_without(account.orders, order.order_id),
        done=account.done.set(order.order_id, order),
        timers={key: due_ns for key, due_ns in account.timers.items() if key not in over},
    )


def _linked(account: Account, order: Order) -> Account:
    if order.broker_order_id is None:
        return account
    return replace(account, broker_ids=account.broker_ids.set(order.broker_order_id, order.order_id))


def _leg_timer(account: Account, order: Order, at_ns: int) -> Account:
    """A leg was placed, changed or lost: its entry's bracket is looked at again after the resize gap."""
    if order.is_leg:
        return _timer(account, f"leg:{order.parent_id}", at_ns + RESIZE_GAP_NS)
    return account


def _timer(account: Account, key: str, due_ns: int | None) -> Account:
    if due_ns is None:
        return replace(account, timers=_without(account.timers, key)) if key in account.timers else account
    return replace(account, timers=account.timers | {key: due_ns})


def _known(account: Account, order_id: str) -> Order:
    order = account.order(order_id)
    assert order is not None, f"an event names order {order_id}, which is not in the book"
    return order


def _without(mapping: Mapping[K, V], key: K) -> dict[K, V]:
    return {k: v for k, v in mapping.items() if k != key}
