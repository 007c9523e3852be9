"""Fills, positions and the day's money: what each does to the state. Bookkeeping only; part of ``fold``.

Invariants:
1. The contracts that entries call open never add up to more than the position, and never stand on its other side.
2. A fill belongs to the trading day of its exchange time, whenever it reaches us.
3. A busted fill leaves the money and the position as if it had never been; what it had closed is open again.
"""

from __future__ import annotations

from decimal import Decimal

from msgspec.structs import replace

from ordergate.core import events as e
from ordergate.core.account import Account, AppliedFill, Day, Gap, Group
from ordergate.core.filing import (
    complete_if_filled,
    cover_timer,
    ended,
    known,
    put,
    reviewed,
    step,
    timer,
    without,
)
from ordergate.core.order import Order, Role, Trigger
from ordergate.core.persistent import Map
from ordergate.core.pnl import Position, after_fill, usd
from ordergate.core.reports import PositionReport
from ordergate.core.sessions import day_open_ns, next_day_open_ns
from ordergate.core.timing import BALANCE_WAIT_NS

# Finished orders of earlier days that stay listed (the page shows the trading day's orders and at least these).
DONE_KEPT = 500


def fill_applied(group: Group, account: Account, event: e.FillApplied) -> Account:
    """One fill: its order, the position, the money, and the entry whose contracts it closes."""
    order = known(account, event.order_id)
    before = account.position(event.contract_id)
    position, realized = after_fill(before, event.side, event.quantity, event.price_ticks, event.at_ns)
    closing = min(event.quantity, abs(before.net)) if before.net * event.side.sign < 0 else 0
    opening = event.quantity - closing if order.role is not Role.EXTERNAL else 0
    complete = order.filled_quantity + event.quantity >= order.largest_quantity
    order = replace(
        step(_change_proven(order, event.quantity), Trigger.COMPLETE if complete else Trigger.FILL, event.at_ns),
        filled_quantity=order.filled_quantity + event.quantity,
        fill_ticks=order.fill_ticks + event.quantity * event.price_ticks,
        opened_quantity=order.opened_quantity + opening,
        opened_ticks=order.opened_ticks + opening * event.price_ticks,
        change=None if complete else order.change,
    )
    if not order.unseen:
        account = timer(account, f"fills:{order.order_id}", None)
    account = put(ended(account, order) if complete else account, order)
    if order.parent_id is not None:
        account = _exited(_target_taken(account, order, event.quantity), order.parent_id, closing)
    realized_usd = usd(group.instruments[event.contract_id], realized)
    fill = AppliedFill(
        fill_id=event.fill_id,
        order_id=event.order_id,
        contract_id=event.contract_id,
        side=event.side,
        quantity=event.quantity,
        price_ticks=event.price_ticks,
        fee_usd=event.fee_usd,
        at_ns=event.at_ns,
        realized_usd=realized_usd if closing else None,
    )
    account = replace(
        account,
        day=_earned(account, realized_usd - event.fee_usd, event.at_ns),
        fills=account.fills.set(event.fill_id, fill),
        held=without(account.held, event.fill_id),
    )
    account = _holding(account, position)
    # The balance that this fill makes is told soon, or was just now; else it was lost, and is read.
    due_ns = None if account.gap_usd == account.gap.usd else event.at_ns + BALANCE_WAIT_NS
    account = timer(timer(account, f"held:{event.fill_id}", None), "balance", due_ns)
    account = reviewed(account, event.at_ns)
    return _fit(account, event.contract_id)


def _change_proven(order: Order, quantity: int) -> Order:
    """More has filled than the old size: the change that is under way has been made."""
    change = order.change
    if change is None or order.filled_quantity + quantity <= order.terms.quantity:
        return order
    terms = replace(order.terms, quantity=change.quantity, limit_ticks=change.limit_ticks, stop_ticks=change.stop_ticks)
    return replace(order, terms=terms)


def fill_busted(group: Group, account: Account, event: e.FillBusted) -> Account:
    """Taken back as the opposite fill at the same price: sum of money and net are exact, the split is the broker's."""
    fill = account.fills[event.fill_id]
    before = account.position(fill.contract_id)
    position, realized = after_fill(before, fill.side.opposite, fill.quantity, fill.price_ticks, event.at_ns)
    earned = usd(group.instruments[fill.contract_id], realized) + fill.fee_usd
    account = replace(
        account,
        day=_earned(account, earned, event.at_ns),
        fills=account.fills.set(fill.fill_id, replace(fill, busted=True)),
    )
    account = _holding(account, position)
    order = account.order(fill.order_id)
    if order is not None:
        account = _target_taken(put(account, _without_fill(order, fill, event.at_ns)), order, -fill.quantity)
    reopened = abs(position.net) - abs(before.net) if position.net * before.net >= 0 else abs(position.net)
    account = _reopened(account, order, fill.contract_id, position.net, reopened)
    return _fit(account, fill.contract_id)


def _without_fill(order: Order, fill: AppliedFill, at_ns: int) -> Order:
    opened = min(fill.quantity, order.opened_quantity)
    return replace(
        step(order, Trigger.BUST, at_ns),
        filled_quantity=order.filled_quantity - fill.quantity,
        fill_ticks=order.fill_ticks - fill.quantity * fill.price_ticks,
        reported_filled=min(order.reported_filled, order.filled_quantity - fill.quantity),
        opened_quantity=order.opened_quantity - opened,
        opened_ticks=order.opened_ticks - opened * fill.price_ticks,
        exited_quantity=min(order.exited_quantity, order.opened_quantity - opened),
    )


def _reopened(account: Account, busted: Order | None, contract_id: str, net: int, quantity: int) -> Account:
    """Contracts that are held again because their close was busted: the leg's own entry first, then the newest ones."""
    orders = [*account.orders.values(), *account.done.values()]
    entries = [
        order
        for order in orders
        if order.terms.contract_id == contract_id and order.exited_quantity and order.terms.side.sign * net > 0
    ]
    parent = busted.parent_id if busted is not None else None
    for entry in sorted(entries, key=lambda o: (o.order_id == parent, o.decided_ns, o.order_id), reverse=True):
        again = min(quantity, entry.exited_quantity)
        if again <= 0:
            break
        quantity -= again
        account = put(account, replace(entry, exited_quantity=entry.exited_quantity - again))
    return account


def adopted(account: Account, event: e.AccountAdopted) -> Account:
    """First sight of an account, in the middle of its day."""
    account = replace(
        account,
        name=event.name,
        adopted=True,
        balance_usd=event.balance_usd,
        can_trade=event.can_trade,
        day=Day(event.day, day_open_ns(event.at_ns), event.balance_open_usd, Decimal(0), event.realized_usd),
        start_usd=event.balance_open_usd,
        high_usd=event.balance_open_usd,
        fills=account.fills.update({fill_id: AppliedFill(fill_id) for fill_id in event.fill_ids}),
    )
    account = replace(account, gap=Gap(fills=len(account.fills)))
    for position in event.positions:
        account = _positioned(account, position)
    return timer(account, "day", next_day_open_ns(event.at_ns))


def day_opened(account: Account, event: e.TradingDayOpened) -> Account:
    """The next trading day. Fills of it that came before it could be opened count in it."""
    orders = [order for order in account.done.values() if not order.is_leg]
    names = {o.order_id for o in sorted(orders, key=lambda o: (o.decided_ns, o.order_id))[-DONE_KEPT:]}
    names |= set(account.orders)
    kept = [o for o in account.done.values() if o.order_id in names or o.parent_id in names]
    names |= {order.order_id for order in kept}
    opened_ns = day_open_ns(event.at_ns)
    account = replace(
        account,
        spared_by=None,
        gap=Gap(fills=len(account.fills)),
        day=Day(event.day, opened_ns, event.balance_usd, event.carried_usd, account.day.early_usd),
        high_usd=max(account.high_usd, event.balance_usd),
        done=Map({order.order_id: order for order in kept}),
        tags=Map({tag: name for tag, name in account.tags.items() if name in names}),
        broker_ids=Map({n: name for n, name in account.broker_ids.items() if name in names}),
        cancels_remembered=(),
    )
    return timer(account, "day", next_day_open_ns(event.at_ns))


def corrected(account: Account, event: e.PositionCorrected) -> Account:
    """The broker's position wins."""
    report = PositionReport(account.account_id, event.contract_id, event.net_quantity, event.cost_ticks)
    return _fit(_positioned(account, report), event.contract_id)


def settled(account: Account, order: Order, at_ns: int) -> Account:
    """Store an order whose size has been told; it may be filled by now."""
    complete = complete_if_filled(order, at_ns)
    return put(account if complete.live else ended(account, complete), complete)


def _earned(account: Account, earned: Decimal, at_ns: int) -> Day:
    """Invariant 2: a late fill moves the opening balance, an early one is kept for the day that has not opened yet."""
    day = account.day
    if at_ns < day.opened_ns:
        return replace(day, balance_usd=day.balance_usd + earned)
    early = earned if at_ns >= account.timers.get("day", at_ns + 1) else Decimal(0)
    return replace(day, realized_usd=day.realized_usd + earned, early_usd=day.early_usd + early)


def _fit(account: Account, contract_id: str) -> Account:
    """Invariant 1: what closed without a leg shrinks the oldest entry first."""
    net = account.position(contract_id).net
    entries = account.orders.book(contract_id).entries()
    over = sum(o.open_quantity for o in entries if o.terms.side.sign * net > 0) - abs(net)
    for order in entries:
        if order.terms.side.sign * net <= 0:
            account = _exited(account, order.order_id, order.open_quantity)
        elif over > 0:
            gone = min(over, order.open_quantity)
            over -= gone
            account = _exited(account, order.order_id, gone)
    return account


def _target_taken(account: Account, leg: Order, quantity: int) -> Account:
    """What a target leg has filled leaves the entry no more: less is asked for there; more, where a fill was busted."""
    entry = account.order(leg.parent_id)
    if entry is None or leg.role is not Role.TARGET or leg.slot >= len(entry.protection.targets):
        return account
    targets = list(entry.protection.targets)
    left = targets[leg.slot].quantity
    if left is None:
        return account
    targets[leg.slot] = replace(targets[leg.slot], quantity=max(0, left - quantity))
    return put(account, replace(entry, protection=replace(entry.protection, targets=tuple(targets))))


def _exited(account: Account, entry_id: str, quantity: int) -> Account:
    entry = account.order(entry_id)
    if entry is None or quantity <= 0:
        return account
    gone = min(quantity, entry.open_quantity)
    return put(account, replace(entry, exited_quantity=entry.exited_quantity + gone))


def _positioned(account: Account, report: PositionReport) -> Account:
    net = report.net_quantity
    before = account.position(report.contract_id)
    average = before.average if net == 0 else Position(report.contract_id, net, report.cost_ticks, net).average
    position = Position(report.contract_id, net, average.numerator, average.denominator, before.opened_ns)
    return _holding(account, position)


def _holding(account: Account, position: Position) -> Account:
    """With that position; what was told of the cover of one on the other side says nothing of it."""
    contract_id = position.contract_id
    if position.net * account.position(contract_id).net <= 0 and contract_id in account.covers:
        account = timer(account, cover_timer(contract_id), None)
        account = replace(account, covers=without(account.covers, contract_id))
    rest = without(account.positions, contract_id)
    return replace(account, positions=rest | {contract_id: position} if position.net else rest)
