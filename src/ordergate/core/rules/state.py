"""The state of the account and the link: whether anything new may be done at all."""

from __future__ import annotations

from ordergate.core import lockout, pause
from ordergate.core.events import TradingState
from ordergate.core.limits import Breach
from ordergate.core.rules.proposal import Proposal


def trading_state(p: Proposal) -> Breach | None:
    """New risk needs an active account that the broker lets trade, in a group that nobody has paused."""
    account = p.account
    if p.group.paused_by is not None:
        message = f"{pause.told(p.group)}: only what closes passes until it is resumed"
        return Breach("PAUSED", "not paused", "paused", message)
    if account.locked_until_ns:
        return Breach("LOCKED_OUT", "not locked out", "locked out", lockout.told(account))
    if account.trading_state is not TradingState.ACTIVE:
        code = "TRADING_HALTED" if account.trading_state is TradingState.HALTED else "REDUCE_ONLY"
        return Breach(code, "active", account.trading_state.value, account.state_message)
    if not account.can_trade:
        return Breach("ACCOUNT_NOT_TRADABLE", "canTrade", "false", "the broker does not let this account trade")
    if p.terms.contract_id in account.exits:
        return Breach("EXIT_IN_PROGRESS", "no exit", "running", f"{p.symbol} is being closed; wait until it is flat")
    return None


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
