"""The state of the account and the link: whether anything new may be done at all."""

from __future__ import annotations

from ordergate.core import lockout, pause
from ordergate.core.account import Account, Group
from ordergate.core.events import TradingState
from ordergate.core.limits import Breach
from ordergate.core.rules.proposal import Proposal


def standing(group: Group, account: Account) -> Breach | None:
    """What keeps all new risk out of an account, whatever the order; what may last longest is told first."""
    if account.locked_until_ns:
        return Breach("LOCKED_OUT", "not locked out", "locked out", lockout.told(account))
    if account.trading_state is not TradingState.ACTIVE:
        code = "TRADING_HALTED" if account.trading_state is TradingState.HALTED else "REDUCE_ONLY"
        return Breach(code, "active", account.trading_state.value, account.state_message)
    if group.paused_by is not None:
        message = f"{pause.told(group)}: only what closes passes until it is resumed"
        return Breach("PAUSED", "not paused", "paused", message)
    if not account.can_trade:
        return Breach("ACCOUNT_NOT_TRADABLE", "canTrade", "false", "the broker does not let this account trade")
    if account.no_cancel:
        message = f"the broker lets this account cancel no order: {account.no_cancel}; trade it at the platform"
        return Breach("ACCOUNT_CANNOT_CANCEL", "may cancel", "may not", message)
    for name, check in group.checks.items():
        if check.refuses:
            return Breach("SESSION_CONTRADICTS", f"a {name} that agrees", "it differs", check.text)
    return None


def trading_state(p: Proposal) -> Breach | None:
    """New risk needs an active account whose orders the broker takes and cancels, in a group that nobody paused."""
    found = standing(p.group, p.account)
    if found is None and p.terms.contract_id in p.account.exits:
        return Breach("EXIT_IN_PROGRESS", "no exit", "running", f"{p.symbol} is being closed; wait until it is flat")
    return found


def visibility(p: Proposal) -> Breach | None:
    """Blind, or with something unexplained in the books, nothing new is sent."""
    if not p.group.link_up:
        return Breach("BROKER_LINK_DOWN", "connected", "down", f"the broker cannot be seen: {p.group.link_reason}")
    if p.account.unexplained:
        return Breach("UNEXPLAINED", "explained", "open", f"waiting for the broker's books: {p.account.unexplained}")
    return None


def superseded(p: Proposal) -> Breach | None:
    """A flatten, halt or cancel-all that arrived after this order voids it."""
    if not p.superseded:
        return None
    return Breach(
        "SUPERSEDED", "newest", "older", "a flatten or cancel-all came after this order; send it again if you mean it"
    )
