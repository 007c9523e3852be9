"""What the broker shows of its accounts, as far as we have heard: balances, positions, working orders, quotes.

It is kept from what the connection manager hears anyway: the hubs, and the readings that the gate asks for. To look at
it costs no request, so nobody who looks again and again uses up the room that orders and exits need. In shadow mode
what is heard is the paper book, and so is this.

Must never say of what may be old that it is so now.

Invariants:
1. Positions are known only after a reading that began when the user hub was up, and until it is lost: in between the
   hub tells every change.
2. A reading undoes nothing that was heard since it began: what is newer still, the hub has yet to say.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Mapping
from typing import Generic, NamedTuple, TypeVar

import msgspec

from ordergate.clock import Clock
from ordergate.core.reports import (
    AccountReport,
    BrokerSnapshot,
    OrderReport,
    OrderState,
    PositionReport,
    Quote,
    Report,
)

# An order that has ended may still stand in a reading under way; a reading takes seconds.
ENDED_MAX = 1_000

_ENDED = frozenset((OrderState.FILLED, OrderState.CANCELLED, OrderState.EXPIRED, OrderState.REJECTED))


class SeenAccount(msgspec.Struct, frozen=True):
    """An account as the broker last told it, and when we heard."""

    report: AccountReport
    heard_ns: int


class Held(msgspec.Struct, frozen=True):
    """An account's positions that are not flat, and its working orders. ``heard_ns``: the latest word on any of it.

    ``known``: invariant 1 holds of it now.
    """

    positions: tuple[PositionReport, ...]
    orders: tuple[OrderReport, ...]
    heard_ns: int
    known: bool


_Key = TypeVar("_Key")
_Report = TypeVar("_Report", PositionReport, OrderReport)


class _Heard(NamedTuple, Generic[_Report]):
    report: _Report
    heard_ns: int


class _Shown:
    """One account. ``read_ns`` is when its last reading began, 0 before the first."""

    def __init__(self) -> None:
        self.positions: dict[str, _Heard[PositionReport]] = {}
        self.orders: dict[int, _Heard[OrderReport]] = {}
        self.ended: OrderedDict[int, None] = OrderedDict()
        self.read_ns = 0
        self.heard_ns = 0


class View:
    """See the module. ``quotes`` are the last of each contract, however old."""

    def __init__(self, clock: Clock) -> None:
        self.accounts: dict[int, SeenAccount] = {}
        self.quotes: dict[str, Quote] = {}
        self._clock = clock
        self._shown: dict[int, _Shown] = {}
        self._up_ns: int | None = None
        self._lost_ns = 0

    def user_hub(self, *, up: bool) -> None:
        """The user hub is subscribed to, or was lost."""
        now_ns = self._clock.now_ns()
        if not up:
            self._lost_ns = now_ns
        self._up_ns = now_ns if up else None

    def take(self, report: Report) -> None:
        """What the broker has said, in the order in which it came."""
        now_ns = self._clock.now_ns()
        match report:
            case AccountReport():
                self.accounts[report.account_id] = SeenAccount(report, now_ns)
            case PositionReport():
                shown = self._of(report.account_id)
                shown.positions[report.contract_id] = _Heard(report, now_ns)
                shown.heard_ns = now_ns
            case OrderReport():
                self._order(report, now_ns)
            case BrokerSnapshot():
                self.accounts[report.account.account_id] = SeenAccount(report.account, now_ns)
                self._read(report, now_ns)
            case _:
                pass

    def balance_known(self, account_id: int) -> bool:
        """Whether the account was heard of since the user hub, which tells its changes, was last lost."""
        return self._up_ns is not None and self.accounts[account_id].heard_ns > self._lost_ns

    def held(self, account_id: int) -> Held | None:
        """What the account holds; None where it was never read."""
        shown = self._shown.get(account_id)
        if shown is None or not shown.read_ns:
            return None
        return Held(
            positions=tuple(row.report for row in shown.positions.values() if row.report.net_quantity),
            orders=tuple(row.report for row in shown.orders.values()),
            heard_ns=shown.heard_ns,
            known=self._up_ns is not None and shown.read_ns >= self._up_ns,
        )

    def _of(self, account_id: int) -> _Shown:
        return self._shown.setdefault(account_id, _Shown())

    def _order(self, report: OrderReport, now_ns: int) -> None:
        shown, order_id = self._of(report.account_id), report.broker_order_id
        shown.heard_ns = now_ns
        if report.state is OrderState.OPEN:
            shown.orders[order_id] = _Heard(report, now_ns)
            return
        shown.orders.pop(order_id, None)
        if report.state in _ENDED:
            shown.ended[order_id] = None
            if len(shown.ended) > ENDED_MAX:
                shown.ended.popitem(last=False)

    def _read(self, snapshot: BrokerSnapshot, now_ns: int) -> None:
        shown = self._of(snapshot.account.account_id)
        positions = {row.contract_id: _Heard(row, now_ns) for row in snapshot.positions}
        orders = {
            row.broker_order_id: _Heard(row, now_ns)
            for row in snapshot.orders
            if row.state is OrderState.OPEN and row.broker_order_id not in shown.ended
        }
        shown.positions = _since(shown.positions, positions, snapshot.started_ns)
        shown.orders = _since(shown.orders, orders, snapshot.started_ns)
        shown.read_ns = snapshot.started_ns
        shown.heard_ns = now_ns


def _since(
    before: Mapping[_Key, _Heard[_Report]], read: Mapping[_Key, _Heard[_Report]], started_ns: int
) -> dict[_Key, _Heard[_Report]]:
    """What a reading says, under what was heard since it began."""
    return {**read, **{key: row for key, row in before.items() if row.heard_ns >= started_ns}}
