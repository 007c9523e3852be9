"""Movements of a balance that no trade explains, such as a payout or a reset: they are no P&L of the day.

Invariants:
1. The balance has moved only when two comparisons in a row show the same, and nothing has filled since the one before.
2. What the fees of the day may explain is no movement: fees that come late are a loss.
"""

from __future__ import annotations

from decimal import Decimal

from msgspec.structs import replace

from ordergate.core.account import Account, Gap


def is_movement(account: Account, moved_usd: Decimal) -> bool:
    """Whether it is more than all fees of the day's fills together."""
    if not moved_usd:
        return False
    opened_ns = account.day.opened_ns
    fees = sum((fill.fee_usd for fill in account.fills.values() if fill.at_ns >= opened_ns), start=Decimal(0))
    return abs(moved_usd) > fees


def moved_usd(account: Account) -> Decimal | None:
    """By how much the balance has moved (signed), once it is seen again; None where it has not."""
    known, gap_usd = account.gap, account.gap_usd
    seen_again = known.fills == len(account.fills) and known.doubted_usd == gap_usd
    return gap_usd - known.usd if seen_again else None


def compared(account: Account, gap_usd: Decimal) -> Account:
    """After a comparison that found ``gap_usd``: the first sight of a movement is only a doubt."""
    known, fills = account.gap, len(account.fills)
    if known.fills == fills and is_movement(account, gap_usd - known.usd):
        return replace(account, gap=replace(known, doubted_usd=gap_usd))
    return replace(account, gap=Gap(gap_usd, fills))
