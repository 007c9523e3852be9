"""The figures in the shape that users of the Node.js system read (wire notes, section 5, 2026-11-22). Pure.

What that system made up, or what there is none of here, is null: nothing is throttled, no sources are registered, and
limits have no severity. ``accounts`` is ours: that system knew one account.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from ordergate.core.account import Account, Group
from ordergate.core.figures import figures
from ordergate.core.limits import Limits
from ordergate.core.market import Market
from ordergate.core.order import Order, Role
from ordergate.core.sessions import utc_text
from ordergate.engine.counts import Counts
from ordergate.engine.inbox import Class

_RECENT = 10
# The documented limits by their documented names.
_RISK = {
    "maxPositionSize": "position_quantity_max",
    "maxOrderSize": "order_quantity_max",
    "minOrderSize": "order_quantity_min",
    "maxDailyLoss": "daily_loss_usd_max",
    "maxDailyProfit": "daily_profit_usd_max",
    "maxOpenOrders": "open_orders_max",
    "maxRiskPerTrade": "risk_percent_max",
}


def documented(
    group: Group,
    market: Market,
    waiting: Mapping[Class, int],
    counts: Counts,
    *,
    queue_ms: float | None,
    decision_ms: float | None,
    status: str,
    uptime_s: float,
) -> dict[str, Any]:
    """``status`` is the gate's own word; money is US dollars, null while no price tells it.

    ``queue_ms`` and ``decision_ms`` are how long an order waited and was decided on average, None before the first.
    """
    accounts = [account for account in group.accounts.values() if account.adopted]
    rows = [_account(group, account, market) for account in accounts]
    orders = waiting[Class.MANUAL] + waiting[Class.OTHER]
    total = orders + waiting[Class.CLOSING]
    return {
        "aggregator": {
            "status": status,
            "uptime": round(uptime_s * 1_000),
            "riskEnforced": group.modes.enforcing,
            "shadowMode": group.modes.shadow,
            "ordersReceived": counts.orders_intercepted,
            "ordersProcessed": counts.orders_processed,
            "ordersFailed": counts.orders_failed,
            "fillsProcessed": counts.stored_fill_events,
            "riskViolations": counts.risk_violations,
        },
        "queue": {
            "queues": {
                "high": waiting[Class.CLOSING],
                "medium": waiting[Class.MANUAL],
                "low": waiting[Class.OTHER],
                "total": total,
            },
            # Orders are decided one after another; how many of them the disk has not yet is not counted.
            "processing": {"active": None, "maxConcurrent": 1, "avgProcessingTime": decision_ms},
            "throttle": None,
            "history": {"processed": counts.orders_intercepted, "avgWaitTime": queue_ms},
        },
        "risk": {
            "currentState": _state(rows),
            "violations": {
                "total": counts.risk_violations,
                "bySeverity": None,
                "byType": dict(counts.violations_by_type),
                "recent": _recent(accounts),
            },
            "config": _config(group.limits),
        },
        "registry": None,
        "sltp": {
            "totalPositions": sum(len(account.positions) for account in accounts),
            "trailingActive": sum(_trails(order) for account in accounts for order in account.orders.values()),
            "averageRiskReward": None,
            "config": {"defaultRiskRewardRatio": float(group.limits.risk_reward_ratio)},
        },
        "accounts": rows,
        "positions": [row for account in accounts for row in _positions(group, account)],
    }


def _config(limits: Limits) -> dict[str, Any]:
    values = {name: getattr(limits, field) for name, field in _RISK.items()}
    numbers = {name: None if value is None else float(value) for name, value in values.items()}
    return numbers | {"allowedInstruments": list(limits.allowed_symbols)}


def _state(rows: list[dict[str, Any]]) -> dict[str, Any]:
    """All accounts together."""
    pnls = [row["dailyPnL"] for row in rows]
    return {
        "openPositions": sum(row["openPositions"] for row in rows),
        "dailyPnL": None if None in pnls else round(sum(pnls), 2),
        "accountBalance": round(sum(row["accountBalance"] for row in rows), 2),
        "dailyLossCount": None,
    }


def _trails(order: Order) -> bool:
    """Whether it holds contracts whose stop follows the market."""
    return order.open_quantity > 0 and order.protection.trail is not None


def _account(group: Group, account: Account, market: Market) -> dict[str, Any]:
    found = figures(group, account, market)
    return {
        "accountId": account.account_id,
        "openPositions": len(account.positions),
        "openOrders": found.open_orders,
        "dailyPnL": None if found.day_pnl is None else float(found.day_pnl),
        "accountBalance": float(account.balance_usd),
        "tradingState": account.trading_state.value,
    }


def _positions(group: Group, account: Account) -> list[dict[str, Any]]:
    return [
        {
            "accountId": account.account_id,
            "instrument": group.instruments[contract_id].symbol,
            "contractId": contract_id,
            "netPosition": position.net,
        }
        for contract_id, position in account.positions.items()
    ]


def _recent(accounts: list[Account]) -> list[dict[str, Any]]:
    """The newest denials, the newest first."""
    denied: list[Order] = [
        order for account in accounts for order in account.done.values() if order.breaches and order.role is Role.ENTRY
    ]
    newest = sorted(denied, key=lambda order: (order.decided_ns, order.order_id), reverse=True)[:_RECENT]
    return [
        {
            "orderId": order.order_id,
            "timestamp": utc_text(order.decided_ns),
            "violations": [{"type": breach.code, "message": breach.message} for breach in order.breaches],
        }
        for order in newest
    ]
