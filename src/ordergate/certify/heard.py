"""All that the port has said, as one picture: orders, fills, positions, the account. PURE.

Invariants:
1. An order that has ended never works again, and what has filled never becomes less, in whatever order it is told.
2. A fill that is told twice counts once; a fill that was taken back does not count.
3. A snapshot changes the picture only where ``mend`` takes it.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator

from msgspec.structs import replace

from ordergate.certify.venue import Shown
from ordergate.core.instrument import Instrument
from ordergate.core.reports import (
    AccountReport,
    BrokerSnapshot,
    FillReport,
    InstrumentsReport,
    LinkReport,
    OrderReport,
    OrderState,
    PositionReport,
    Quote,
    Report,
    Unreadable,
)

_SAID_LAST = 12


class Heard:
    """See the module. ``reports`` is every report in its order."""

    def __init__(self) -> None:
        self.reports: list[Report] = []
        self.instruments: dict[str, Instrument] = {}
        self.accounts: dict[int, AccountReport] = {}
        self.orders: dict[int, OrderReport] = {}
        self.fills: dict[int, FillReport] = {}
        self.positions: dict[str, PositionReport] = {}
        self.quotes: dict[str, Quote] = {}
        self.link = LinkReport(up=False)
        self.has_gap = False

    def take(self, report: Report) -> None:
        """One report."""
        self.reports.append(report)
        match report:
            case InstrumentsReport():
                self.instruments |= {each.contract_id: each for each in report.instruments}
            case AccountReport():
                self.accounts[report.account_id] = report
            case OrderReport():
                self._order(report)
            case FillReport():
                self._fill(report)
            case PositionReport():
                self.positions[report.contract_id] = report
            case LinkReport():
                self.has_gap = self.has_gap or (self.link.up and not report.up)
                self.link = report
            case _:
                pass

    def mend(self, snapshot: BrokerSnapshot) -> None:
        """Take what was read where something was not heard."""
        self.has_gap = False
        self.accounts[snapshot.account.account_id] = snapshot.account
        for order in snapshot.orders:
            self._order(order)
        for fill in snapshot.fills:
            self._fill(fill)
        held = {position.contract_id: position for position in snapshot.positions}
        gone = {key: replace(each, net_quantity=0, cost_ticks=0) for key, each in self.positions.items()}
        self.positions = gone | held

    def net(self, contract_id: str) -> int:
        """The position by the fills that count (signed, long positive)."""
        return sum(
            fill.side.sign * fill.quantity for fill in self.fills_that_count() if fill.contract_id == contract_id
        )

    def fills_that_count(self) -> Iterator[FillReport]:
        """Those that were not taken back, by their ids."""
        return (self.fills[key] for key in sorted(self.fills) if not self.fills[key].voided)

    def fills_of(self, broker_order_id: int) -> tuple[FillReport, ...]:
        """An order's, by their ids."""
        return tuple(fill for fill in self.fills_that_count() if fill.broker_order_id == broker_order_id)

    def filled(self, broker_order_id: int) -> int:
        """How many contracts of an order have filled."""
        return sum(fill.quantity for fill in self.fills_of(broker_order_id))

    def working(self) -> tuple[OrderReport, ...]:
        """The orders that can fill, by their ids."""
        return tuple(self.orders[key] for key in sorted(self.orders) if self.orders[key].state is OrderState.OPEN)

    def told_again(self) -> list[str]:
        """Fills that were told more than once in the same words."""
        counts = Counter(report for report in self.reports if isinstance(report, FillReport))
        return [f"fill {fill.fill_id} was told {count} times" for fill, count in counts.items() if count > 1]

    def unreadable(self) -> list[str]:
        """What the adapter could not read."""
        return [f"unreadable: {report.what}" for report in self.reports if isinstance(report, Unreadable)]

    def differences(self, read: BrokerSnapshot, shown: Shown | None) -> list[str]:
        """What this picture, a snapshot and the venue's own books say differently; none if all agree."""
        account_id = read.account.account_id
        nets = {position.contract_id: position.net_quantity for position in read.positions if position.net_quantity}
        told = {key: position.net_quantity for key, position in self.positions.items() if position.net_quantity}
        contracts = sorted({fill.contract_id for fill in self.fills.values()})
        by_fills = {key: net for key in contracts if (net := self.net(key))}
        working = {order.broker_order_id: _look(order) for order in self.working()}
        open_read = {row.broker_order_id: _look(row) for row in read.orders if row.state is OrderState.OPEN}
        pairs: list[tuple[str, object, object]] = [
            ("positions heard and read", told, nets),
            ("positions by fills and read", by_fills, nets),
            ("fills heard and read", _fills(self.fills.values()), _fills(read.fills)),
            ("orders heard to work and read", working, open_read),
            ("balance heard and read", self.accounts[account_id].balance_usd, read.account.balance_usd),
            ("leave to trade heard and read", self.accounts[account_id].can_trade, read.account.can_trade),
        ]
        if shown is not None:
            named = {self.instruments[key].name: net for key, net in nets.items()}
            counted = {fill.fill_id for fill in read.fills if not fill.voided}
            pairs += [
                ("positions read and the venue's own", named, shown.positions),
                ("fills read and the venue's own", counted, set(shown.fills)),
                ("orders read to work and the venue's own", set(open_read), set(shown.working)),
            ]
        return [f"{what}: {one} and {other}" for what, one, other in pairs if one != other]

    def last_said(self) -> str:
        """The last reports, for whoever has to find out why."""
        said = [report for report in self.reports if not isinstance(report, InstrumentsReport)]
        return "; ".join(_words(report) for report in said[-_SAID_LAST:]) or "nothing"

    def _order(self, report: OrderReport) -> None:
        known = self.orders.get(report.broker_order_id)
        if known is None:
            self.orders[report.broker_order_id] = report
            return
        filled = max(known.filled_quantity, report.filled_quantity)
        newer = known if _rank(known) > _rank(report) else report
        self.orders[report.broker_order_id] = replace(newer, filled_quantity=filled)

    def _fill(self, report: FillReport) -> None:
        known = self.fills.get(report.fill_id)
        if known is None or not known.voided:
            self.fills[report.fill_id] = report


def _rank(order: OrderReport) -> tuple[int, int]:
    """Later words on an order rank higher."""
    stage = {OrderState.SUSPENDED: 0, OrderState.OPEN: 1}.get(order.state, 2)
    return stage, order.filled_quantity


def _look(order: OrderReport) -> tuple[object, ...]:
    return order.quantity, order.limit_ticks, order.stop_ticks, order.filled_quantity


def _fills(rows: Iterable[FillReport]) -> dict[int, tuple[object, ...]]:
    return {
        fill.fill_id: (fill.broker_order_id, fill.side.value, fill.quantity, fill.price_ticks, fill.voided)
        for fill in rows
    }


def _words(report: Report) -> str:
    match report:
        case OrderReport():
            look = f"{report.quantity} {report.order_type.value}, {report.filled_quantity} filled"
            return f"order {report.broker_order_id} {report.side.value} {look}, {report.state.value}"
        case FillReport():
            what = f"{report.quantity} at {report.price_ticks}{' taken back' if report.voided else ''}"
            return f"fill {report.fill_id} of order {report.broker_order_id}: {what}"
        case PositionReport():
            return f"position {report.net_quantity:+d} of {report.contract_id}"
        case AccountReport():
            return f"account balance {report.balance_usd}, {'may' if report.can_trade else 'may not'} trade"
        case LinkReport():
            return "link up" if report.up else f"link down ({report.reason})"
        case _:
            return type(report).__name__
