"""The nearest order that would pass in place of a denied one, found by asking ``judge`` again. Pure.

Invariants:
1. What is named passed when it was asked: sent unchanged at the same state, quotes and time, it is approved.
2. The price is kept if any quantity passes at it; else it moves toward the market, and the quantity is kept if it can.
3. The asks grow with the logarithm of the quantity and of the distance to the market: below 20 for usual limits.
"""

from __future__ import annotations

from collections.abc import Callable

from msgspec.structs import replace

from ordergate.core.account import Account, Group
from ordergate.core.commands import Nearest, SubmitOrder
from ordergate.core.inputs import Stamped
from ordergate.core.judgement import Judgement, judge
from ordergate.core.order import OrderType
from ordergate.core.reports import Quote

Ask = Callable[[SubmitOrder], Judgement]

# So near below the denied quantity each one is asked. A default stop is drawn in where an order grows (`bracket`), so
# that of two quantities the larger may pass alone, and halving would miss it.
_EACH = 8


def nearest(group: Group, account: Account, command: SubmitOrder, stamp: Stamped) -> Nearest | None:
    """What would pass in place of ``command``: itself, if it passes by now; None where nothing of its kind does."""

    def ask(order: SubmitOrder) -> Judgement:
        return judge(group, account, order, stamp)

    judged = ask(command)
    if not judged.breaches:
        return Nearest(command.quantity, command.limit_ticks, command.stop_ticks)
    quantity = _largest(ask, command, judged.closing)
    found = replace(command, quantity=quantity) if quantity else _repriced(ask, command, stamp)
    return None if found is None else Nearest(found.quantity, found.limit_ticks, found.stop_ticks)


def _largest(ask: Ask, command: SubmitOrder, closing: int) -> int:
    """The largest quantity below the order's that passes at its price, 0 where none does; ``closing`` of it does."""

    def fits(quantity: int) -> bool:
        return not ask(replace(command, quantity=quantity)).breaches

    low, high = closing + 1, command.quantity - 1
    for breach in ask(replace(command, quantity=low)).breaches:
        if breach.code == "MIN_ORDER_SIZE":
            low = max(low, int(breach.limit))
    if low > high or not fits(low):
        return closing
    for quantity in range(high, max(low, high - _EACH), -1):
        if fits(quantity):
            return quantity
    best, denied, step = low, max(low, high - _EACH) + 1, 1
    while denied - best > 1:
        # From below by doubled steps: limits are small where a mistyped quantity is large.
        quantity = min(best + step, (best + denied) // 2)
        if fits(quantity):
            best, step = quantity, 2 * step
        else:
            denied = quantity
    return best


def _repriced(ask: Ask, command: SubmitOrder, stamp: Stamped) -> SubmitOrder | None:
    """The order at the price nearest to its own, on the way to the market, at which it or a smaller one passes."""
    denied, passing = _price(command), _market(command, stamp.market.quotes.get(command.contract_id))
    if denied is None or passing is None:
        return None
    best = _at(command, passing)
    if ask(best).breaches:
        quantity = _largest(ask, best, 0)
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


def _market(command: SubmitOrder, quote: Quote | None) -> int | None:
    """A limit's own side of the market; for a stop the tick beyond the other, where it does not trigger at once."""
    if quote is None:
        return None
    own, far = (quote.bid_ticks, quote.ask_ticks)[:: command.side.sign]
    if command.order_type is OrderType.LIMIT:
        return own
    return None if far is None else far + command.side.sign


def _price(command: SubmitOrder) -> int | None:
    return command.limit_ticks if command.order_type is OrderType.LIMIT else command.stop_ticks


def _at(command: SubmitOrder, ticks: int) -> SubmitOrder:
    if command.order_type is OrderType.LIMIT:
        return replace(command, limit_ticks=ticks)
    return replace(command, stop_ticks=ticks)
