"""The nearest order that would pass in place of a denied one, found by asking ``judge`` again. Pure.

Invariants:
1. What is named passed when it was asked: sent unchanged at the same state, quotes and time, it is approved.
2. The price is kept if any quantity passes at it; else it moves toward the market, and the quantity is kept if it can.
3. The asks grow with the logarithm of the quantity and of the distance to the market: below 30 for usual limits.
4. Where a breach is not among ``MENDABLE`` nothing is asked: only what closes would pass. Of an order that was sent
   before (``DUPLICATE_ORDER``) not even that is named: another size would only hide that it is the same.
"""

from __future__ import annotations

from collections.abc import Callable

from msgspec.structs import replace

from ordergate.core.account import Account, Group
from ordergate.core.commands import Nearest, SubmitOrder
from ordergate.core.inputs import Stamped
from ordergate.core.judgement import Judgement, judge
from ordergate.core.order import Side
from ordergate.core.reports import Quote

# Judges the same order with this quantity and these prices.
Ask = Callable[[Nearest], Judgement]

# What a smaller quantity or another price can pass. The others speak of the account, the contract or the moment.
MENDABLE = (
    "MAX_ORDER_SIZE",
    "MAX_POSITION_SIZE",
    "MAX_ACCOUNT_POSITION",
    "MAX_ORDER_VALUE",
    "EXCESSIVE_RISK",
    "DAILY_LOSS_LIMIT",
    "MAXIMUM_LOSS_LIMIT",
    "PRICE_COLLAR",
    "STOP_TOO_CLOSE",
    "TARGET_TOO_CLOSE",
)

# So near below the denied quantity each one is asked. A default stop is drawn in where an order grows (`bracket`), so
# that of two quantities the larger may pass alone, and halving would miss it.
_EACH = 8


def nearest(group: Group, account: Account, command: SubmitOrder, stamp: Stamped) -> Nearest | None:
    """What would pass in place of ``command``: itself, if it passes by now; None where nothing of its kind does."""

    def ask(candidate: Nearest) -> Judgement:
        quantity, limit, stop = candidate.quantity, candidate.limit_ticks, candidate.stop_ticks
        return judge(group, account, replace(command, quantity=quantity, limit_ticks=limit, stop_ticks=stop), stamp)

    asked = Nearest(command.quantity, command.limit_ticks, command.stop_ticks)
    return search(ask, asked, command.side, stamp.market.quotes.get(command.contract_id))


def search(ask: Ask, asked: Nearest, side: Side, quote: Quote | None, above: int = 0) -> Nearest | None:
    """What passes in place of ``asked``, of more than ``above`` (>= 0) contracts."""
    judged = ask(asked)
    if not judged.breaches:
        return asked
    codes = [breach.code for breach in judged.breaches]
    if "DUPLICATE_ORDER" in codes:
        return None
    mendable = all(code in MENDABLE for code in codes)
    quantity = _largest(ask, asked, judged.closing, above) if mendable else judged.closing
    if quantity > above:
        return replace(asked, quantity=quantity)
    return _repriced(ask, asked, above, _market(asked, side, quote)) if mendable else None


def _largest(ask: Ask, asked: Nearest, closing: int, above: int) -> int:
    """The largest quantity above ``above`` and below the asked one that passes at its price; else ``closing``."""

    def fits(quantity: int) -> bool:
        return not ask(replace(asked, quantity=quantity)).breaches

    low, high = max(closing, above) + 1, asked.quantity - 1
    for breach in ask(replace(asked, quantity=low)).breaches:
        if breach.code == "MIN_ORDER_SIZE":
            low = int(breach.limit)  # broken, so it is above
    if low > high or not fits(low):
        return closing
    for quantity in range(high, high - _EACH, -1):  # ends at `low` at the latest, which fits
        if fits(quantity):
            return quantity
    best, denied, step = low, high - _EACH + 1, 1
    while denied - best > 1:
        # From below by doubled steps: limits are small where a mistyped quantity is large.
        quantity = min(best + step, (best + denied) // 2)
        if fits(quantity):
            best, step = quantity, 2 * step
        else:
            denied = quantity
    return best


def _repriced(ask: Ask, asked: Nearest, above: int, market: int | None) -> Nearest | None:
    """The order at the price nearest to its own, on the way to the market, at which it or a smaller one passes."""
    denied, passing = asked.limit_ticks if asked.stop_ticks is None else asked.stop_ticks, market
    if denied is None or passing is None:
        return None
    best = _at(asked, passing)
    if ask(best).breaches:
        quantity = _largest(ask, best, 0, above)
        if not quantity:
            return None
        best = replace(best, quantity=quantity)
    while abs(passing - denied) > 1:
        price = (passing + denied) // 2
        if ask(_at(best, price)).breaches:
            denied = price
        else:
            passing = price
    return _at(best, passing)


def _market(asked: Nearest, side: Side, quote: Quote | None) -> int | None:
    """A limit's own side of the market; for a stop the tick beyond the other, where it does not trigger at once."""
    if quote is None:
        return None
    own, far = (quote.bid_ticks, quote.ask_ticks)[:: side.sign]
    if asked.stop_ticks is None:
        return own
    return None if far is None else far + side.sign


def _at(asked: Nearest, ticks: int) -> Nearest:
    """``asked`` at another price: of its stop if it has one, else of its limit."""
    return replace(asked, limit_ticks=ticks) if asked.stop_ticks is None else replace(asked, stop_ticks=ticks)
