"""The trading day rolls, and the daily loss limit trips, at the prices of the stamp."""

from __future__ import annotations

from decimal import Decimal

from ordergate.core import events as e
from ordergate.core.account import Account
from ordergate.core.draft import Draft
from ordergate.core.exits import begin
from ordergate.core.exposure import day_pnl
from ordergate.core.limits import OnDailyLoss
from ordergate.core.lockout import end_when_due
from ordergate.core.order import Role
from ordergate.core.pnl import mark_ticks, open_usd
from ordergate.core.rules import held_quotes
from ordergate.core.sessions import trading_day

TRIPPED = "DAILY_LOSS_LIMIT"


def react(draft: Draft, account_id: int) -> None:
    """Open the next trading day when it has come; stop the day when its loss limit is reached."""
    account = draft.account(account_id)
    if not account.adopted:
        return
    if account.timers.get("day", draft.at_ns + 1) <= draft.at_ns:
        _open_day(draft, account_id)
    end_when_due(draft, account_id)
    _trip(draft, account_id)
    account = draft.account(account_id)
    if account.locked_until_ns:
        _cancel_openers(draft, account, "locked out")
    elif _is_tripped(account):
        _cancel_openers(draft, account, "daily loss limit")


def _open_day(draft: Draft, account_id: int) -> None:
    account = draft.account(account_id)
    carried = Decimal(0)
    for position in account.positions.values():
        quote = draft.quotes.get(position.contract_id)
        mark = mark_ticks(quote, position.net) if quote is not None else None
        if mark is None:
            return  # what is carried cannot be told yet: the old day, and its lockout, stand until it can
        carried += open_usd(draft.group.instruments[position.contract_id], position, mark)
    day = trading_day(draft.at_ns)
    if day <= account.day.name:
        return  # a clock that went back never opens a day twice
    balance = account.balance_usd - account.day.early_usd
    draft.add(e.TradingDayOpened(account_id, day, balance, carried, draft.at_ns))
    if _is_tripped(account):
        draft.add(e.TradingStateChanged(account_id, e.TradingState.ACTIVE, "", "a new trading day"))


def _trip(draft: Draft, account_id: int) -> None:
    account, limits = draft.account(account_id), draft.group.limits
    spared = _is_tripped(account) and account.closed_at_usd is not None
    if account.trading_state is not e.TradingState.ACTIVE and not spared:
        return
    quotes = held_quotes(account, draft.quotes, limits.quote_age_ms_max, draft.at_ns)
    pnl = day_pnl(draft.group, account, quotes)
    if pnl is None or -pnl < limits.daily_loss_usd_max:
        return
    if not spared:
        lost, limit = f"{-pnl:,.2f}", f"{limits.daily_loss_usd_max:,.2f}"
        message = f"{lost} USD lost today, limit {limit} USD; reduce-only until the next trading day"
        draft.add(e.TradingStateChanged(account_id, e.TradingState.REDUCING, TRIPPED, message, tuple(quotes.values())))
    if -pnl < (account.closed_at_usd or limits.daily_loss_usd_max):
        return
    if account.closed_at_usd is not None:
        draft.add(e.PositionsSpared(account_id, None))
    if limits.on_daily_loss is OnDailyLoss.FLATTEN:
        for contract_id in list(draft.account(account_id).positions):
            begin(draft, account_id, contract_id, f"{account.day.name}/daily-loss", None, "daily loss limit")


def _is_tripped(account: Account) -> bool:
    return account.trading_state is e.TradingState.REDUCING and account.state_code == TRIPPED


def _cancel_openers(draft: Draft, account: Account, cause: str) -> None:
    """Reduce-only: orders go, now and whenever one turns up, unless they only close; stops are kept before others."""
    room = {position.contract_id: -position.net for position in account.positions.values()}
    orders = [order for order in account.live_orders() if order.role in (Role.ENTRY, Role.EXTERNAL)]
    for order in sorted(orders, key=lambda order: order.terms.stop_ticks is None):
        contract_id, signed = order.terms.contract_id, order.terms.side.sign * order.leaves
        left = room.get(contract_id, 0)
        if left * signed > 0 and abs(signed) <= abs(left):
            room[contract_id] = left - signed
        else:
            draft.want_cancel(order, cause)
