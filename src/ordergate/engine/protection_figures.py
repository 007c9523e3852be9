"""How long fills wait for stops that rest at the broker: figures of this process, for whoever looks at its HTTP. PURE.

Must never judge: what is a gap, and when it ended, is what ``core/coverage`` says in its events.

Invariants:
1. A gap counts once, when all that was promised a stop has one again. One that ends because the position is closed
   has no length, and neither has one that began before this process did.
2. Memory is bounded: the last ``KEPT_MAX`` lengths, and two instants for each contract of an account.
"""

from __future__ import annotations

from collections import deque

import msgspec

from ordergate.core.account import Group
from ordergate.core.events import Cover, CoverChanged, Event

# A busy desk makes some hundred gaps an hour: a day of them.
KEPT_MAX = 10_000
_MS_NS = 1_000_000


class Unprotected(msgspec.Struct, frozen=True, rename="camel"):
    """A position that is unprotected now; ``since_ms`` (>= 0) is for how long some of it has had no stop."""

    account_id: int
    instrument: str
    since_ms: float
    cause: str


class Protection(msgspec.Struct, frozen=True, rename="camel"):
    """Times from a fill, or the loss of a stop, to stops that rest. They are null before the first one.

    ``count`` and ``worst_ms`` are of all since the start of the process, the percentiles of the last ``KEPT_MAX``.
    ``gaps`` is how many became unprotected: their stop was refused or lost, or took too long.
    """

    count: int
    p50_ms: float | None
    p99_ms: float | None
    worst_ms: float | None
    unprotected_now: list[Unprotected]
    gaps: int


class ProtectionFigures:
    """Told of each event once it is durable."""

    def __init__(self) -> None:
        self._lasted_ns: deque[int] = deque(maxlen=KEPT_MAX)
        self._count = 0
        self._worst_ns = 0
        self._gaps = 0
        self._began_ns: dict[tuple[int, str], int] = {}
        self._unprotected_ns: dict[tuple[int, str], int] = {}

    def heard(self, event: Event) -> int | None:
        """Take in ``event``; how long the gap lasted that it ends (>= 0), None where it ends none."""
        if not isinstance(event, CoverChanged):
            return None
        position = event.account_id, event.contract_id
        if event.state in (Cover.PROTECTING, Cover.UNPROTECTED):
            if event.since_ns == event.at_ns:
                self._began_ns[position] = event.since_ns
            if event.state is Cover.UNPROTECTED and self._unprotected_ns.get(position) != event.since_ns:
                self._unprotected_ns[position] = event.since_ns
                self._gaps += 1
            return None
        began_ns = self._began_ns.pop(position, None)
        # What has been closed in between is another position: its cover follows no gap, and lasted nothing before.
        if began_ns is not None and event.lasted_ns == event.at_ns - began_ns:
            self._lasted_ns.append(event.lasted_ns)
            self._count += 1
            self._worst_ns = max(self._worst_ns, event.lasted_ns)
            return event.lasted_ns
        return None

    def figures(self, group: Group, now_ns: int) -> Protection:
        """What has been heard so far, and what is unprotected in ``group``."""
        lengths = sorted(self._lasted_ns)
        return Protection(
            count=self._count,
            p50_ms=_percentile_ms(lengths, 50),
            p99_ms=_percentile_ms(lengths, 99),
            worst_ms=_ms(self._worst_ns) if self._count else None,
            unprotected_now=[
                Unprotected(
                    account.account_id,
                    group.instruments[contract_id].symbol,
                    _ms(max(0, now_ns - cover.since_ns)),
                    cover.cause,
                )
                for account in group.accounts.values()
                for contract_id, cover in account.covers.items()
                if cover.state is Cover.UNPROTECTED
            ],
            gaps=self._gaps,
        )


def _percentile_ms(lengths: list[int], percent: int) -> float | None:
    """The smallest length that at least ``percent`` of the sorted ``lengths`` do not exceed."""
    if not lengths:
        return None
    return _ms(lengths[-(-len(lengths) * percent // 100) - 1])


def _ms(duration_ns: int) -> float:
    return round(duration_ns / _MS_NS, 3)
