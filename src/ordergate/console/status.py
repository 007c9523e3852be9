"""``ordergate status``: what a person on call wants to know at first, on one screen. Pure, but for ``show``.

Invariant: what could not be asked is said to be so. An empty table means that there is nothing, never that it is not
known.
"""

from __future__ import annotations

import enum
from collections.abc import Callable, Iterable, Iterator, Sequence
from decimal import Decimal
from typing import Any

import msgspec

from ordergate.console import orders, screen
from ordergate.console.places import Answer
from ordergate.console.shown import Account, Alarm, Order, Position, Shown
from ordergate.console.shown import shown as read
from ordergate.core.alarm import Level

_OK = 200


class State(enum.StrEnum):
    """How a part is, or all of it."""

    HEALTHY = "healthy"
    DEGRADED = "degraded"
    UNREACHABLE = "unreachable"


# What the command ends with.
EXIT_CODES = {State.HEALTHY: 0, State.DEGRADED: 1, State.UNREACHABLE: 2}


class Part(msgspec.Struct, frozen=True):
    """``detail`` is why it is not healthy, in its own words; empty where it is."""

    name: str
    url: str
    state: State
    detail: str


class Status(msgspec.Struct, frozen=True, rename="camel"):
    """``status`` is unreachable where it is not known what the accounts hold, whoever answers beside it.

    ``trouble`` is why it is not healthy, one sentence each. The rows are the page's own, of orders those that work;
    null where it does not tell them.
    """

    status: State
    trouble: tuple[str, ...]
    parts: tuple[Part, ...]
    desk: Any = None
    accounts: Any = None
    positions: Any = None
    orders: Any = None
    alarms: Any = None


def status(page: Answer, gate: Answer, manager: Answer, snapshot: Answer) -> tuple[Status, Shown | None]:
    """What the four answers come to, and the snapshot among them."""
    parts = (
        _part("page", page, lambda body: str(body["status"])),
        _part("gate", gate, _gate_detail),
        _part("connection manager", manager, _manager_detail),
    )
    lame = [f"{part.name}: {part.detail}" for part in parts if part.state is not State.HEALTHY]
    gone = [f"{part.name}: {part.detail}" for part in parts if part.state is State.UNREACHABLE]
    known = read(snapshot)
    if isinstance(known, str):
        return Status(State.UNREACHABLE, (*lame, f"what the accounts hold is not known: {known}"), parts), None
    # A part that is degraded says what the snapshot says.
    trouble = (*gone, *_trouble(known)) or tuple(lame)
    working = [row for row, order in zip(known.raw["orders"], known.orders, strict=True) if order.is_open]
    found = Status(
        State.DEGRADED if trouble else State.HEALTHY,
        trouble,
        parts,
        **{name: known.raw[name] for name in ("desk", "accounts", "positions", "alarms")},
        orders=working,
    )
    return found, known


def _part(name: str, answer: Answer, detail: Callable[[dict[str, Any]], str]) -> Part:
    url = answer.url.removesuffix("/health")
    if answer.failure:
        return Part(name, url, State.UNREACHABLE, f"does not answer ({answer.failure})")
    body = answer.body
    if not (isinstance(body, dict) and isinstance(body.get("status"), str)):
        return Part(name, url, State.UNREACHABLE, "what answers there is no part of ordergate")
    if answer.status == _OK and body["status"].lower() in ("healthy", "ok"):
        return Part(name, url, State.HEALTHY, "")
    return Part(name, url, State.DEGRADED, detail(body))


def _gate_detail(body: dict[str, Any]) -> str:
    link, found = body.get("brokerLink", {}), []
    if not body.get("enforcing", True):
        found.append("not every order is held to the limits")
    if not link.get("up", True):
        found.append(f"the broker is not seen: {link.get('reason')}")
    if body.get("paused"):
        found.append(str(body["paused"]))
    found += [
        f"account {name} is {account.get('tradingState')}: {account.get('reason')}"
        for name, account in body.get("accounts", {}).items()
        if account.get("tradingState") != "active"
    ]
    return "; ".join(found) or str(body["status"])


def _manager_detail(body: dict[str, Any]) -> str:
    """Which of its parts is not well, in its own words."""
    return "; ".join(map(str, body.get("alerts", ()))) or str(body["status"])


def _trouble(shown: Shown) -> Iterator[str]:
    desk = shown.desk
    if desk.trouble:
        yield desk.trouble
    if not desk.link_up:
        yield f"the broker is not seen: {desk.link_reason}"
    if desk.paused is not None:
        yield f"new risk is paused {desk.paused.text}; `ordergate release` ends it"
    if not desk.modes.enforcing:
        yield desk.modes.unasked
    for account in shown.accounts:
        if account.trading_state != "active":
            yield f"account {account.account_id} is {account.trading_state}: {account.reason}"
    for row in shown.positions:
        if not row.protected:
            why = row.protection.cause if row.protection is not None else "not known yet"
            yield f"{row.side} {row.quantity} {row.symbol} in account {row.account_id} is not protected: {why}"
    for alarm in shown.alarms:
        if alarm.stands and not alarm.acknowledged and alarm.level != Level.INFO:
            yield f"alarm {alarm.code} ({alarm.level}): {alarm.message}"


def show(found: Status, shown: Shown | None) -> None:
    """Draw it."""
    screen.table(
        ("part", "state", "where", "detail"),
        [(part.name, part.state, part.url, part.detail or None) for part in found.parts],
    )
    if shown is not None:
        desk = shown.desk
        held = desk.modes.unasked or "every order is held to the limits"
        screen.say()
        screen.say(f"{desk.mode}: {held}. {desk.venue}, login {desk.login}, ordergate {desk.version}")
        _show_accounts(shown.accounts)
        _show_positions(shown.positions)
        _show_orders([order for order in shown.orders if order.is_open])
        _show_alarms(shown.alarms)
    screen.say()
    screen.say(str(found.status))
    for line in found.trouble:
        screen.say(f"  {line}")


def _show_accounts(rows: Iterable[Account]) -> None:
    screen.say()
    screen.table(
        (
            "account",
            "state",
            "#balance",
            "#equity",
            "#day P&L",
            "#daily loss limit",
            "#room",
            "#at stops",
            "#if we die",
        ),
        [
            (
                f"{row.account_id} {row.name}",
                row.trading_state,
                _usd(row.balance),
                _usd(row.equity),
                _usd(row.day_pnl),
                _usd(row.daily_loss_limit),
                _usd(None if row.day_pnl is None else row.daily_loss_limit + row.day_pnl),
                _usd(row.day_pnl_at_stops),
                f"{_usd(row.if_we_die)}{'' if row.if_we_die_bounded else ' or worse'}",
            )
            for row in rows
        ],
    )


def _show_positions(rows: Sequence[Position]) -> None:
    screen.say()
    if not rows:
        screen.say("no position")
        return
    screen.table(
        ("account", "position", "#at", "#now", "#P&L", "protection", "#stop", "#target"),
        [
            (
                row.account_id,
                f"{row.side} {row.quantity} {row.symbol}",
                row.average_price,
                row.current_price,
                _usd(row.net_pnl),
                _protection(row),
                None if row.stop_loss is None else row.stop_loss.price,
                None if row.take_profit is None else row.take_profit.price,
            )
            for row in rows
        ],
    )


def _show_orders(rows: Sequence[Order]) -> None:
    screen.say()
    if rows:
        screen.table(orders.COLUMNS, map(orders.cells, rows))
    else:
        screen.say("no order works")


def _show_alarms(rows: Sequence[Alarm]) -> None:
    if not rows:
        return
    screen.say()
    screen.table(
        ("alarm", "level", "since", "#times", "", "account", "message"),
        [
            (
                row.code,
                row.level,
                row.first_at,
                row.count,
                f"{'stands' if row.stands else 'over'}{', seen' if row.acknowledged else ''}",
                row.account_id,
                row.message,
            )
            for row in rows
        ],
    )


def _protection(row: Position) -> str:
    """Whether its stops cover it, and since when; or why not."""
    if row.protection is None:
        return "not known yet"
    if row.protected:
        return f"protected since {row.protection.since}"
    return f"{row.protection.state}, {row.protection.uncovered} uncovered: {row.protection.cause}"


def _usd(value: Decimal | None) -> str:
    return "-" if value is None else f"{value:,.2f}"
