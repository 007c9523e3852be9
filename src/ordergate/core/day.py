"""The trading day rolls, the limits on the account's money trip at the stamp's prices, and it gets flat in time."""

from __future__ import annotations

from collections.abc import Iterable
from decimal import ROUND_CEILING, Decimal

from msgspec.structs import replace

from ordergate.core import events as e
from ordergate.core.account import Account
from ordergate.core.closing import PROFIT, flat_contracts, reached
from ordergate.core.draft import Draft
from ordergate.core.exits import begin
from ordergate.core.figures import day_pnl
from ordergate.core.floor import equity_usd
from ordergate.core.limits import OnDailyLoss, OnMustBeFlat, Trailing
from ordergate.core.lockout import end_when_due
from ordergate.core.order import Order, Role
from ordergate.core.pace import failures
from ordergate.core.pnl import mark_ticks, open_usd
from ordergate.core.sessions import trading_day

# What stops an account until its next trading day, beside a person.
TRIPPED = ("DAILY_LOSS_LIMIT", "DAILY_PROFIT_LIMIT", "MAXIMUM_LOSS_LIMIT")
_FLAT = "must be flat"


def react(draft: Draft, account_id: int) -> None:
    """Open the next trading day when it has come; stop the day when its loss limit is reached."""
    account = draft.account(account_id)
    if not account.adopted:
        return
    if account.timers.get("day", draft.at_ns + 1) <= draft.at_ns:
        _open_day(draft, account_id)
    if account.locked_until_ns:
        end_when_due(draft, account_id)
    _trip(draft, account_id)
    if account.failures and not account.repeating:
        _stop_repeating(draft, account)
    account = draft.account(account_id)
    if account.locked_until_ns:
        _cancel_openers(draft, account, account.live_orders(), "locked out")
    elif _is_tripped(account):
        reason = account.state_code.lower().replace("_", " ")
        _cancel_openers(draft, account, account.live_orders(), reason)
    _get_flat(draft, account_id)


def _open_day(draft: Draft, account_id: int) -> None:
    """The venue's own time must say that the day has come: a clock that is set forward opens nothing."""
    account, now_ns = draft.account(account_id), draft.market.venue_now_ns
    if now_ns is None:
        return
    carried = Decimal(0)
    for position in account.positions.values():
        quote = draft.quotes.get(position.contract_id)
        mark = mark_ticks(quote, position.net) if quote is not None else None
        if mark is None:
            return  # what is carried cannot be told yet: the old day, and its lockout, stand until it can
        carried += open_usd(draft.group.instruments[position.contract_id], position, mark)
    day = trading_day(now_ns)
    if day <= account.day.name:
        return  # a clock that went back never opens a day twice
    balance = account.balance_usd - account.day.early_usd
    draft.add(e.TradingDayOpened(account_id, day, balance, carried, now_ns))
    if _is_tripped(account):
        draft.add(e.TradingStateChanged(account_id, e.TradingState.ACTIVE, "", "a new trading day", at_ns=now_ns))


def _trip(draft: Draft, account_id: int) -> None:
    account, limits = draft.account(account_id), draft.group.limits
    spared_by = account.spared_by
    if account.trading_state is not e.TradingState.ACTIVE and not (_is_tripped(account) and spared_by is not None):
        return
    pnl = day_pnl(draft.group, account, draft.market)
    if pnl is None:
        return
    if limits.maximum_loss_usd is not None and limits.maximum_loss_trailing is Trailing.INTRADAY:
        account = _raise_peak(draft, account, equity_usd(account, pnl))
    found = reached(draft.group, account, pnl)
    if found is None:
        return
    quotes = tuple(draft.quotes[contract_id] for contract_id in account.positions)
    if account.trading_state is e.TradingState.ACTIVE and draft.group.modes.preserve:
        if found[0] not in account.day.not_locked_by:
            draft.add(e.WouldHaveLocked(account_id, *found, quotes, draft.at_ns))
        return
    if account.trading_state is e.TradingState.ACTIVE:
        message = f"{found[1]}; reduce-only until the next trading day"
        draft.add(e.TradingStateChanged(account_id, e.TradingState.REDUCING, found[0], message, quotes, draft.at_ns))
    if spared_by is not None:
        found, limits = reached(replace(draft.group, limits=spared_by), account, pnl), spared_by
        if found is None:
            return
        draft.add(e.PositionsSpared(account_id, None))
    if found[0] != PROFIT and limits.on_daily_loss is OnDailyLoss.FLATTEN:
        cause = found[0].lower().replace("_", " ")
        exit_id = f"{account.day.name}/{cause.removesuffix(' limit').replace(' ', '-')}"
        for contract_id in list(draft.account(account_id).positions):
            begin(draft, account_id, contract_id, exit_id, None, cause)


def _is_tripped(account: Account) -> bool:
    return account.trading_state is e.TradingState.REDUCING and account.state_code in TRIPPED


def _raise_peak(draft: Draft, account: Account, equity: Decimal) -> Account:
    """Where the floor follows the equity, each whole dollar that it has reached is written down, rounded up."""
    if equity > account.high_usd:
        draft.add(e.EquityPeaked(account.account_id, equity.to_integral_value(ROUND_CEILING), draft.at_ns))
    return draft.account(account.account_id)


def _stop_repeating(draft: Draft, account: Account) -> None:
    count = failures(account, draft.at_ns)
    if count > draft.group.limits.repeats_per_minute_max:
        draft.add(e.RepeatedAction(account.account_id, count, draft.at_ns))


def _get_flat(draft: Draft, account_id: int) -> None:
    """Past a session's must-be-flat time: what would open goes, and what is held is closed where that is asked for.

    Where the modes let an order pass that limit, it stays.
    """
    account, group = draft.account(account_id), draft.group
    flat = flat_contracts(group, list(account.orders.books), draft.market)
    if flat and group.modes.asks_limits and not group.modes.preserve:
        _cancel_openers(draft, account, [o for o in account.live_orders() if o.terms.contract_id in flat], _FLAT)
    if account.spared_by is not None:
        group = replace(group, limits=account.spared_by)
    if group.limits.on_must_be_flat is OnMustBeFlat.KEEP:
        return
    for contract_id in flat_contracts(group, list(account.positions), draft.market):
        # An exit that was given up is begun again, but not at once.
        if account.timers.get(f"exit:{contract_id}", 0) <= draft.at_ns:
            begin(draft, account_id, contract_id, f"{account.day.name}/must-be-flat", None, _FLAT)


def _cancel_openers(draft: Draft, account: Account, among: Iterable[Order], reason: str) -> None:
    """Reduce-only: orders go, now and whenever one turns up, unless they only close; stops are kept before others."""
    room = {position.contract_id: -position.net for position in account.positions.values()}
    orders = [order for order in among if order.role in (Role.ENTRY, Role.EXTERNAL)]
    for order in sorted(orders, key=lambda order: order.terms.stop_ticks is None):
        contract_id, signed = order.terms.contract_id, order.terms.side.sign * order.leaves
        left = room.get(contract_id, 0)
        if left * signed > 0 and abs(signed) <= abs(left):
            room[contract_id] = left - signed
        else:
            draft.want_cancel(order, reason)
