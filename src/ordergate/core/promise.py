"""What an entry promises: the bracket that its order asks for, with the defaults filled in."""

from __future__ import annotations

from math import ceil

from ordergate.core.account import Account, Group
from ordergate.core.commands import Leg, SubmitOrder
from ordergate.core.floor import risk_base_usd
from ordergate.core.instrument import Instrument
from ordergate.core.market import Market
from ordergate.core.order import Exit, Protection, Target, Terms
from ordergate.core.rules import entry_ticks, risk_limit_usd


def promised(group: Group, account: Account, command: SubmitOrder, terms: Terms, market: Market) -> Protection:
    """The bracket of ``command``, whose ``terms`` these are.

    A price is as far away as from where the order is expected to fill; a stop that trails begins at its distance, and
    is one that the order names.
    """
    instrument = group.instruments[command.contract_id]
    stop = _stop(group, account, command, terms, market)
    targets = command.targets
    if targets is Leg.DEFAULT and group.modes.default_bracket:
        distance = instrument.stop_ticks_default if stop is None else stop.ticks
        targets = (Target(Exit(ceil(distance * group.limits.risk_reward_ratio))),)
    if not isinstance(targets, tuple):
        targets = ()
    if stop is None:
        return Protection(None, targets)
    return Protection(stop, targets, command.breakeven, command.trail)


def _stop(group: Group, account: Account, command: SubmitOrder, terms: Terms, market: Market) -> Exit | None:
    instrument, stop = group.instruments[command.contract_id], command.stop
    if stop is Leg.DEFAULT:
        if command.trail is not None:
            return Exit(command.trail.distance_ticks)
        if not group.modes.default_bracket:
            return None
        return Exit(default_stop_ticks(group, account, instrument, command.quantity))
    if not isinstance(stop, Exit):
        return None
    if stop.price_ticks is None:
        return stop
    entry = entry_ticks(terms, market.quotes.get(terms.contract_id))
    return Exit(instrument.stop_ticks_default if entry is None else abs(entry - stop.price_ticks), stop.price_ticks)


def default_stop_ticks(group: Group, account: Account, instrument: Instrument, quantity: int) -> int:
    """The instrument's default distance, drawn in to the risk limit but never below the minimum distance."""
    limits = group.limits.of(instrument.symbol)
    risk = risk_limit_usd(limits, risk_base_usd(group, account))
    allowed = risk // instrument.money(1, quantity)
    return max(instrument.stop_ticks_min, min(instrument.stop_ticks_default, int(allowed)))
