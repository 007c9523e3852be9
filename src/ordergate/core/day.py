"""The trading day rolls, the limits on the account's money trip at the stamp's prices, and it gets flat in time."""

from __future__ import annotations

from collections.abc import Iterable
from decimal import ROUND_CEILING, Decimal

from ordergate.core import events as e
from ordergate.core.account import Account, Group
from ordergate.core.contracts import PRODUCT_BY_SYMBOL
from ordergate.core.draft import Draft
from ordergate.core.exits import begin
from ordergate.core.figures import day_pnl
from ordergate.core.floor import equity_usd, floor_usd
from ordergate.core.limits import OnDailyLoss, OnMustBeFlat, Trailing
from ordergate.core.lockout import end_when_due
from ordergate.core.order import Order, Role
from ordergate.core.pace import failures
from ordergate.core.pnl import mark_ticks, open_usd
from ordergate.core.reports import Quote
from ordergate.core.rules.hours import flat_groups
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
        draft.add(e.TradingStateChanged(account_id, e.TradingState.ACTIVE, "", "a new trading day"))


def _trip(draft: Draft, account_id: int) -> None:
    account, limits = draft.account(account_id), draft.group.limits
    spared = _is_tripped(account) and account.closed_at_usd is not None
    if account.trading_state is not e.TradingState.ACTIVE and not spared:
        return
    pnl = day_pnl(draft.group, account, draft.market)
    if pnl is None:
        return
    if limits.maximum_loss_usd is not None and limits.maximum_loss_trailing is Trailing.INTRADAY:
        _raise_peak(draft, account, equity_usd(account, pnl))
    reached = _reached(draft.group, draft.account(account_id), pnl)
    if reached is None:
        return
    code, message = reached
    if not spared:
        message = f"{message}; reduce-only until the next trading day"
        draft.add(
            e.TradingStateChanged(account_id, e.TradingState.REDUCING, code, message, _held_quotes(draft, account))
        )
    if code == "DAILY_LOSS_LIMIT" and -pnl < (account.closed_at_usd or 0):
        return
    if account.closed_at_usd is not None:
        draft.add(e.PositionsSpared(account_id, None))
    if code != "DAILY_PROFIT_LIMIT" and limits.on_daily_loss is OnDailyLoss.FLATTEN:
        cause = code.lower().replace("_", " ")
        exit_id = f"{account.day.name}/{cause.removesuffix(' limit').replace(' ', '-')}"
        for contract_id in list(draft.account(account_id).positions):
            begin(draft, account_id, contract_id, exit_id, None, cause)


def _held_quotes(draft: Draft, account: Account) -> tuple[Quote, ...]:
    """The prices that a trip rests on."""
    return tuple(draft.quotes[contract_id] for contract_id in account.positions)


def _is_tripped(account: Account) -> bool:
    return account.trading_state is e.TradingState.REDUCING and account.state_code in TRIPPED


def _reached(group: Group, account: Account, pnl: Decimal) -> tuple[str, str] | None:
    """The code of the limit that the account's money has reached, and what is told of it."""
    limits, floor = group.limits, floor_usd(group, account)
    if floor is not None and (equity := equity_usd(account, pnl)) <= floor:
        return "MAXIMUM_LOSS_LIMIT", f"{equity:,.2f} USD left, floor {floor:,.2f} USD"
    if -pnl >= limits.daily_loss_usd_max:
        return "DAILY_LOSS_LIMIT", f"{-pnl:,.2f} USD lost today, limit {limits.daily_loss_usd_max:,.2f} USD"
    if limits.daily_profit_usd_max is not None and pnl >= limits.daily_profit_usd_max:
        return "DAILY_PROFIT_LIMIT", f"{pnl:,.2f} USD made today, limit {limits.daily_profit_usd_max:,.2f} USD"
    return None


def _raise_peak(draft: Draft, account: Account, equity: Decimal) -> None:
    """Where the floor follows the equity, each whole dollar that it has reached is written down, rounded up."""
    peak = equity.to_integral_value(ROUND_CEILING)
    if peak > account.high_usd:
        draft.add(e.EquityPeaked(account.account_id, peak, draft.at_ns))


def _stop_repeating(draft: Draft, account: Account) -> None:
    count = failures(account, draft.at_ns)
    if count > draft.group.limits.repeats_per_minute_max:
        draft.add(e.RepeatedAction(account.account_id, count, draft.at_ns))


def _get_flat(draft: Draft, account_id: int) -> None:
    """Past a session's must-be-flat time: what would open goes, and what is held is closed where that is asked for."""
    groups = tuple(group for at_ns in draft.market.instants for group in flat_groups(draft.group.limits, at_ns))
    if not groups:
        return
    account = draft.account(account_id)
    _cancel_openers(
        draft, account, [o for o in account.live_orders() if _is_of(draft, o.terms.contract_id, groups)], _FLAT
    )
    if draft.group.limits.on_must_be_flat is OnMustBeFlat.KEEP:
        return
    for contract_id in list(account.positions):
        # An exit that was given up is begun again, but not at once.
        if _is_of(draft, contract_id, groups) and account.timers.get(f"exit:{contract_id}", 0) <= draft.at_ns:
            begin(draft, account_id, contract_id, f"{account.day.name}/must-be-flat", None, _FLAT)


def _is_of(draft: Draft, contract_id: str, groups: tuple[str, ...]) -> bool:
    """Whether a contract is of a product in ``groups``."""
    instrument = draft.group.instruments.get(contract_id)
    product = None if instrument is None else PRODUCT_BY_SYMBOL.get(instrument.symbol)
    return product is not None and product.group in groups


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
