"""Stops of held entries that are moved away from the market: new risk, equal to the dollars they add.

Invariants:
1. A stop that stays or moves with the market is never judged.
2. Stops that move together are judged together, so that none passes which their sum would not.
"""

from __future__ import annotations

from decimal import Decimal
from fractions import Fraction
from math import ceil

from msgspec.structs import replace

from ordergate.core.account import Account, Group
from ordergate.core.instrument import Instrument
from ordergate.core.levels import stop_level
from ordergate.core.market import Market
from ordergate.core.order import Order, OrderType, Protection, Terms
from ordergate.core.rules import (
    Proposal,
    Weighed,
    broken,
    daily_loss,
    maximum_loss,
    propose,
    reference_price,
    risk_per_trade,
    trading_state,
    visibility,
    weighed,
)

Move = tuple[Order, Protection]


def widening(group: Group, account: Account, moves: list[Move], market: Market) -> Weighed:
    """What breaks when the stops of held entries of one contract move as in ``moves``.

    Each is judged per trade by its whole distance, all of them against the day by what they add.
    """
    wider: list[Proposal] = []
    added_usd = Decimal(0)
    for entry, protection in moves:
        instrument = group.instruments[entry.terms.contract_id]
        added = _added_ticks(instrument, entry, protection)
        if added > 0:
            wider.append(_proposal(group, account, (entry, protection), market))
            added_usd += instrument.money(added, entry.open_quantity)
    if not wider:
        return Weighed()
    whole = replace(wider[0], risk_usd=added_usd)
    found = broken(whole, (trading_state, visibility, reference_price))
    for proposal in wider:
        found += broken(proposal, (risk_per_trade,))
    found += broken(whole, (daily_loss, maximum_loss))
    return weighed(group.modes, found)


def _proposal(group: Group, account: Account, move: Move, market: Market) -> Proposal:
    entry, protection = move
    assert protection.stop is not None, "only a stop that is there can be wider"
    held = entry.open_quantity
    terms = Terms(account.account_id, entry.terms.contract_id, entry.terms.side, held, OrderType.MARKET)
    proposal = propose(group, account, terms, held, protection, market=market)
    distance = (_average(entry) - stop_level(entry, protection.stop)) * entry.terms.side.sign
    return replace(proposal, risk_ticks=max(0, ceil(distance)))


def _added_ticks(instrument: Instrument, entry: Order, protection: Protection) -> int:
    """How much farther from the market the stop goes (signed); without one it was as far as the stress move."""
    before, after = entry.protection.stop, protection.stop
    if after is None:
        return 0
    sign = entry.terms.side.sign
    resting = _average(entry) - sign * instrument.stress_ticks if before is None else stop_level(entry, before)
    return ceil((resting - stop_level(entry, after)) * sign)


def _average(entry: Order) -> Fraction:
    return Fraction(entry.opened_ticks, entry.opened_quantity)
