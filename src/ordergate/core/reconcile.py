"""The broker's books against ours. Pure: a snapshot goes in, events come out.

Invariants:
1. Reading the same snapshot twice changes nothing the second time.
2. Orders and fills are applied first; only what they cannot explain is corrected.
3. A position is corrected only after two snapshots in a row, the second begun after the first was compared, show the
   same difference and nothing has filled between them: one alone may have been overtaken by a fill on its way.
4. An empty or failed read is never a flat position: a failed read makes no snapshot at all.
"""

from __future__ import annotations

from decimal import Decimal

from ordergate.core import events as e
from ordergate.core.account import Account
from ordergate.core.balance import moved_usd
from ordergate.core.draft import Draft
from ordergate.core.facts import adopt_order, apply_account, apply_fill, apply_order, unexpected
from ordergate.core.order import Status
from ordergate.core.reports import BrokerSnapshot, FillReport, OrderState, PositionReport
from ordergate.core.sessions import day_open_ns, trading_day


def reconcile(draft: Draft, snapshot: BrokerSnapshot) -> None:
    """Make our books the broker's, as far as the snapshot can tell."""
    account_id = snapshot.account.account_id
    account = draft.group.accounts.get(account_id)
    if account is None or not account.adopted:
        _adopt(draft, snapshot)
        return
    before = len(draft.events)
    apply_account(draft, snapshot.account)
    for order in sorted(snapshot.orders, key=lambda o: o.broker_order_id):
        apply_order(draft, order, snapshot.started_ns)
    for fill in sorted(snapshot.fills, key=lambda f: (f.at_ns, f.fill_id)):
        apply_fill(draft, fill)
    agreed = _positions_agree(draft, account_id, snapshot) and _orders_agree(draft, account_id, snapshot)
    explained = not any(isinstance(event, e.UnexpectedBrokerFact) for event in draft.events[before:])
    settled = agreed and explained and not _is_filling(draft.account(account_id))
    gap_usd = _compared_balance(draft, account_id) if settled else None
    draft.add(e.Reconciled(account_id, snapshot.started_ns, agreed and explained, draft.at_ns, gap_usd))
    account = draft.account(account_id)
    if account.doubted:
        draft.request_snapshot(account, "a position differs")
    elif account.gap.doubted_usd is not None:
        draft.request_snapshot(account, "the balance has moved without a trade")


def _compared_balance(draft: Draft, account_id: int) -> Decimal:
    moved = moved_usd(draft.account(account_id))
    if moved is not None:
        draft.add(e.BalanceMoved(account_id, moved, draft.at_ns))
    return draft.account(account_id).gap_usd


def _is_filling(account: Account) -> bool:
    """Whether fills are on their way that the balance may have in it."""
    return bool(account.held) or any(order.unseen for order in account.orders.values())


def _adopt(draft: Draft, snapshot: BrokerSnapshot) -> None:
    """First sight: today's fills count by the broker's own rows, positions as they stand, orders as EXTERNAL."""
    fills = [fill for fill in snapshot.fills if not fill.voided]
    realized = sum((_earned(fill) for fill in fills if fill.at_ns >= day_open_ns(draft.at_ns)), Decimal(0))
    account = snapshot.account
    known = tuple(position for position in snapshot.positions if position.contract_id in draft.group.instruments)
    draft.add(
        e.AccountAdopted(
            account_id=account.account_id,
            name=account.name,
            balance_usd=account.balance_usd,
            can_trade=account.can_trade,
            day=trading_day(draft.at_ns),
            balance_open_usd=account.balance_usd - realized,
            realized_usd=realized,
            fill_ids=tuple(fill.fill_id for fill in fills),
            positions=known,
            at_ns=draft.at_ns,
        )
    )
    apply_account(draft, account)
    for order in sorted(snapshot.orders, key=lambda o: o.broker_order_id):
        adopt_order(draft, order, [fill for fill in fills if fill.broker_order_id == order.broker_order_id])
    draft.add(e.Reconciled(account.account_id, snapshot.started_ns, agreed=True, at_ns=draft.at_ns))
    for position in snapshot.positions:
        if position not in known:
            unexpected(draft, account.account_id, f"a position is on unknown {position.contract_id}")
    # Hub events that came before this one were not kept: a second reading closes the gap.
    draft.request_snapshot(draft.account(account.account_id), "second look")


def _earned(fill: FillReport) -> Decimal:
    return (fill.pnl_usd or Decimal(0)) - fill.fee_usd


def _positions_agree(draft: Draft, account_id: int, snapshot: BrokerSnapshot) -> bool:
    shown = {position.contract_id: position for position in snapshot.positions}
    agreed = True
    for contract_id in sorted({*shown, *draft.account(account_id).positions}):
        account = draft.account(account_id)
        broker = shown.get(contract_id) or PositionReport(account_id, contract_id, 0, 0)
        if contract_id not in draft.group.instruments:
            unexpected(draft, account_id, f"a position is on unknown {contract_id}")
            agreed = False
        elif broker.net_quantity == account.position(contract_id).net:
            continue
        elif _seen_twice(account, broker, snapshot.started_ns):
            draft.add(e.PositionCorrected(account_id, contract_id, broker.net_quantity, broker.cost_ticks, draft.at_ns))
        else:
            draft.add(e.PositionDoubted(account_id, contract_id, broker.net_quantity, broker.cost_ticks, draft.at_ns))
            agreed = False
    return agreed


def _seen_twice(account: Account, shown: PositionReport, started_ns: int) -> bool:
    doubt = account.doubted.get(shown.contract_id)
    return doubt is not None and doubt.is_seen_again(
        shown.net_quantity, shown.cost_ticks, len(account.fills), started_ns
    )


def _orders_agree(draft: Draft, account_id: int, snapshot: BrokerSnapshot) -> bool:
    """What we knew to work before the reading began is shown, and what we knew to have ended is not shown open."""
    account = draft.account(account_id)
    shown = {order.broker_order_id for order in snapshot.orders}
    for order in account.live_orders():
        believed = order.status is Status.WORKING and order.updated_ns < snapshot.started_ns
        if believed and order.broker_order_id not in shown:
            unexpected(draft, account_id, f"{order.order_id} is not among the broker's orders")
            return False
    for row in snapshot.orders:
        ended = account.order(account.broker_ids.get(row.broker_order_id)) if row.state is OrderState.OPEN else None
        if ended is None or ended.live or row.filled_quantity < ended.filled_quantity:
            continue
        if ended.updated_ns < snapshot.started_ns:
            # It counts again from here on, as if somebody else had made it; a leg is one too many.
            unexpected(draft, account_id, f"{ended.order_id} is {ended.status.value}, and open at the broker")
            adopt_order(draft, row, [], foreign=ended.is_leg)
            return False
    return True
