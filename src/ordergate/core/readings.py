"""What is read of the broker, and what cannot be seen of it: what that does to the state. Part of ``fold``.

Invariants:
1. What happened while we could not see is unexplained until a comparison that began afterwards agrees.
2. What is still missing after a comparison is asked for again, but not at once.
"""

from __future__ import annotations

from msgspec.structs import replace

from ordergate.core import events as e
from ordergate.core.account import Account, Doubt, Group
from ordergate.core.balance import compared, is_movement
from ordergate.core.filing import REVIEW, reviewed, timer
from ordergate.core.timing import BALANCE_WAIT_NS, SNAPSHOT_WAIT_NS


def updated(account: Account, event: e.AccountUpdated) -> Account:
    """A balance that its fills do not explain is looked into, unless the fill comes first."""
    account = replace(account, balance_usd=event.balance_usd, can_trade=event.can_trade)
    moved = account.adopted and is_movement(account, account.gap_usd - account.gap.usd)
    return timer(account, "balance", event.at_ns + BALANCE_WAIT_NS if moved else None)


def reconciled(account: Account, event: e.Reconciled) -> Account:
    """The books have been compared."""
    again_ns = event.at_ns + SNAPSHOT_WAIT_NS
    timers = {
        key: again_ns if key.startswith(("fills:", "held:")) else due_ns
        for key, due_ns in account.timers.items()
        if key not in ("snapshot", "books", "balance", REVIEW)
    }
    account = replace(account, snapshot_since_ns=0, reconciled_ns=event.started_ns, timers=timers)
    if account.positions or any(account.live_orders()):
        account = reviewed(account, event.at_ns)
    account = replace(account, doubted=account.doubting, doubting={})
    if event.gap_usd is not None:
        account = compared(account, event.gap_usd)
    if event.agreed and event.started_ns >= account.unexplained_ns:
        return replace(account, unexplained="", unexplained_ns=0)
    return timer(account, "books", again_ns)


def doubted(account: Account, event: e.PositionDoubted) -> Account:
    """The same doubt as in the reading before keeps its beginning."""
    fills = len(account.fills)
    doubt = Doubt(event.net_quantity, event.cost_ticks, fills, event.at_ns)
    before = account.doubted.get(event.contract_id)
    if before is not None and before.is_seen_again(event.net_quantity, event.cost_ticks, fills, before.since_ns):
        doubt = before
    return replace(
        account,
        doubting=account.doubting | {event.contract_id: doubt},
        unexplained=f"position of {event.contract_id} differs from the broker's",
        unexplained_ns=event.at_ns,
    )


def link_changed(group: Group, event: e.LinkChanged) -> Group:
    """We see the broker, or no longer do."""
    group = replace(group, link_up=event.up, link_reason=event.reason)
    what = f"not compared since the link was lost: {event.reason}"
    accounts = dict(group.accounts)
    for account_id, account in group.accounts.items():
        if account.adopted and (account.unexplained or not event.up):
            unexplained = account.unexplained or what
            accounts[account_id] = replace(account, unexplained=unexplained, unexplained_ns=event.at_ns)
    return replace(group, accounts=accounts)
