"""The last trades of each market, from which bars of seconds and of trades are made. Forgotten with the process.

Invariants:
1. Of each contract no more than ``PRINTS_MAX`` are kept: some minutes of a lively one.
2. A bar that is whole stays as it is for as long as it is kept.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Sequence

from ordergate.exchange.enums import BarUnit
from ordergate.exchange.market import Bar, Print
from ordergate.exchange.turn import Event, Tick

PRINTS_MAX = 2_000
_SECOND_NS = 1_000_000_000


class Tape:
    """See the module."""

    def __init__(self) -> None:
        self._prints: dict[str, deque[tuple[int, Print]]] = {}

    def take(self, events: Sequence[Event]) -> None:
        """Keep the trades of what has happened."""
        for event in events:
            if isinstance(event, Tick) and event.prints:
                kept = self._prints.setdefault(event.after.contract_id, deque(maxlen=PRINTS_MAX))
                first = kept[-1][0] + 1 if kept else 0
                kept.extend(enumerate(event.prints, first))

    def bars(self, contract_id: str, unit: BarUnit, unit_number: int, now_ns: int, *, partial: bool) -> list[Bar]:
        """Bars of so many seconds or trades, oldest first; ``partial``: also the one that goes on."""
        kept = self._prints.get(contract_id, ())
        found: list[tuple[int, Bar]] = []  # by number of the bar since the beginning
        for number, trade in kept:
            bar_number = number // unit_number if unit is BarUnit.TICK else trade.at_ns // (unit_number * _SECOND_NS)
            if found and found[-1][0] == bar_number:
                found[-1] = (bar_number, _with(found[-1][1], trade))
            else:
                start_ns = trade.at_ns if unit is BarUnit.TICK else bar_number * unit_number * _SECOND_NS
                found.append((bar_number, _begun(start_ns, trade)))
        if kept and kept[0][0]:  # the first has lost its beginning
            del found[0]
        under_way = (
            (kept[-1][0] + 1) // unit_number if kept and unit is BarUnit.TICK else now_ns // (unit_number * _SECOND_NS)
        )
        return [bar for bar_number, bar in found if partial or bar_number != under_way]


def _begun(start_ns: int, trade: Print) -> Bar:
    return Bar(start_ns, trade.price, trade.price, trade.price, trade.price, trade.quantity)


def _with(bar: Bar, trade: Print) -> Bar:
    high, low = max(bar.high, trade.price), min(bar.low, trade.price)
    return Bar(bar.start_ns, bar.open, high, low, trade.price, bar.volume + trade.quantity)
