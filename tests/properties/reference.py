"""What an account is and what it may do, worked out the slow and obvious way: the oracle of the core.

It sees what a person watching the wire would see: the commands, the broker's reports and the requests that leave. It
keeps plain dicts and a list of fills, works every figure out from the beginning each time it is asked, in fractions,
and imports no logic of the core, only its messages. What it does not know: targets, changes of entries, exits, busts.
"""

from __future__ import annotations

import datetime
from fractions import Fraction
from typing import Any
from zoneinfo import ZoneInfo

from ordergate.core.commands import ChangeLimits, LockOut, SubmitOrder
from ordergate.core.effects import Effect, Modify, Place
from ordergate.core.events import ApprovalKind
from ordergate.core.limits import Limits
from ordergate.core.order import Exit, Side
from ordergate.core.reports import (
    AccountReport,
    BrokerSnapshot,
    FillReport,
    LookupOutcome,
    ModifyOutcome,
    OrderReport,
    OrderState,
    Outcome,
    PlaceOutcome,
    Quote,
)

# The codes that this model has an opinion on.
CODES = {
    "LOCKED_OUT",
    "REDUCE_ONLY",
    "MIN_ORDER_SIZE",
    "MAX_ORDER_SIZE",
    "MAX_POSITION_SIZE",
    "MAX_OPEN_ORDERS",
    "EXCESSIVE_RISK",
    "DAILY_LOSS_LIMIT",
}
_NS = 1_000_000_000
_CHICAGO = ZoneInfo("America/Chicago")


def sign(side: Side) -> int:
    return 1 if side is Side.BUY else -1


def dollars(amount: Fraction) -> Fraction:
    """Money is kept to a hundredth of a cent, half to even."""
    return Fraction(round(amount * 10_000), 10_000)


def trading_day_open(at_ns: int) -> int:
    """The last 17:00 in Chicago that ends no weekend's eve: the histories stay between Monday and Thursday."""
    at = datetime.datetime.fromtimestamp(at_ns // _NS, _CHICAGO)
    opening = at.replace(hour=17, minute=0, second=0, microsecond=0)
    if opening > at:
        opening -= datetime.timedelta(days=1)
    return int(opening.timestamp()) * _NS


class Reference:
    """One account. ``contracts`` has the ``tick`` and ``fee`` of each in dollars, and its ``stress`` move in ticks."""

    def __init__(self, contracts: dict[str, dict[str, Any]], limits: Limits, balance: Fraction, at_ns: int) -> None:
        self.contracts = contracts
        self.limits = {name: getattr(limits, name) for name in Limits.__struct_fields__}
        self.waiting: dict[str, Any] = {}
        self.orders: dict[str, dict[str, Any]] = {}  # by tag
        self.fills: list[dict[str, Any]] = []
        self.quotes: dict[str, Quote] = {}
        self.balance = balance
        self.balance_open = balance
        self.gap, self.gap_fills = Fraction(0), 0  # of the last reading that found no movement
        self.gap_doubted: Fraction | None = None
        self.carried = Fraction(0)
        self.opened_ns = trading_day_open(at_ns)
        self.orders_ns: list[int] = []
        self.tripped = False
        self.locked_until_ns = 0
        self.now_ns = at_ns

    # What it sees.

    def see(self, given: object, effects: list[Effect], quotes: dict[str, Quote], now_ns: int) -> None:
        """An input that the gate has taken, and the requests that left because of it."""
        self.quotes, self.now_ns = dict(quotes), now_ns
        self._take(given)
        for effect in effects:
            if isinstance(effect, Place):
                self._placed(effect, given)
            elif isinstance(effect, Modify):
                order = self.orders[effect.order_tag]
                order["change"] = effect.terms
        if trading_day_open(now_ns) > self.opened_ns:
            self._open_day()
        if self.locked_until_ns <= now_ns:
            self.locked_until_ns = 0
        if self.day_pnl() <= -self.limits["daily_loss_usd_max"]:
            self.tripped = True

    def _take(self, given: object) -> None:
        match given:
            case SubmitOrder():
                self.orders_ns.append(self.now_ns)
            case PlaceOutcome():
                order = self.orders[given.order_tag]
                order["live"] = order["live"] and given.outcome is not Outcome.REFUSED
                order["doubtful"] = given.outcome is Outcome.UNKNOWN
                order["id"] = given.broker_order_id
            case LookupOutcome(found=OrderReport() as row):
                order = self.orders[given.order_tag]
                order["id"], order["doubtful"] = row.broker_order_id, False
            case OrderReport(state=OrderState.CANCELLED):
                self._by_id(given.broker_order_id)["live"] = False
            case ModifyOutcome():
                order = self.orders[given.order_tag]
                order["quantity"], order["stop"] = order["change"].quantity, order["change"].stop_ticks
            case FillReport():
                self._filled(given)
            case AccountReport():
                self.balance = Fraction(given.balance_usd)
            case BrokerSnapshot():
                self._compared(Fraction(given.account.balance_usd))
            case ChangeLimits():
                self._change(given)
            case LockOut() if given.until_ns is not None:
                self.locked_until_ns = max(self.locked_until_ns, given.until_ns)
            case _:
                pass

    def _placed(self, effect: Place, given: object) -> None:
        terms, leg = effect.terms, effect.grant.kind is ApprovalKind.LEG
        self.orders_ns.append(self.now_ns)
        distance = 0
        if not leg:
            assert isinstance(given, SubmitOrder)
            distance = self._distance(given)
        self.orders[effect.order_tag] = {
            "contract": terms.contract_id,
            "sign": sign(terms.side),
            "quantity": terms.quantity,
            "filled": 0,
            "stop": terms.stop_ticks,
            "leg": leg,
            "distance": distance,
            "live": True,
            "doubtful": False,
            "id": None,
        }

    def _filled(self, fill: FillReport) -> None:
        order = self._by_id(fill.broker_order_id)
        order["filled"] += fill.quantity
        order["live"] = order["live"] and order["filled"] < order["quantity"]
        self.fills.append(
            {
                "contract": fill.contract_id,
                "signed": fill.quantity * sign(fill.side),
                "price": fill.price_ticks,
                "fee": Fraction(fill.fee_usd),
                "at_ns": fill.at_ns,
            }
        )

    def _change(self, command: ChangeLimits) -> None:
        """All limits that the histories change are looser when they are larger."""
        begun = any(at_ns >= trading_day_open(self.now_ns) for at_ns in self.orders_ns)
        for name in command.fields:
            wanted = getattr(command.limits, name)
            self.waiting.pop(name, None)
            if begun and wanted > self.limits[name]:
                self.waiting[name] = wanted
            else:
                self.limits[name] = wanted

    def _compared(self, balance: Fraction) -> None:
        """Two readings in a row with the same gap, and no fill since the one before: what is above the fees moved."""
        self.balance = balance
        gap = balance - self.balance_open - self.realized()
        fees = sum((fill["fee"] for fill in self.fills if fill["at_ns"] >= self.opened_ns), Fraction(0))
        filled = len(self.fills) != self.gap_fills
        if not filled and gap == self.gap_doubted:
            self.balance_open += gap - self.gap
            self.gap_doubted = None
        elif not filled and abs(gap - self.gap) > fees:
            self.gap_doubted = gap
        else:
            self.gap, self.gap_fills, self.gap_doubted = gap, len(self.fills), None

    def _open_day(self) -> None:
        self.opened_ns = trading_day_open(self.now_ns)
        self.balance_open, self.tripped = self.balance, False
        self.gap, self.gap_fills, self.gap_doubted = Fraction(0), len(self.fills), None
        self.carried = sum((self.open_pnl(name) for name in self.contracts), Fraction(0))
        self.limits |= self.waiting
        self.waiting = {}

    def _by_id(self, broker_order_id: int) -> dict[str, Any]:
        (order,) = [order for order in self.orders.values() if order["id"] == broker_order_id]
        return order

    # Figures.

    def book(self, contract: str) -> tuple[int, Fraction, list[Fraction]]:
        """Net, average price in ticks (0 when flat), and what each fill realised in dollars, by average cost."""
        net, cost, realized = 0, Fraction(0), []
        tick = self.contracts[contract]["tick"]
        for fill in self.fills:
            if fill["contract"] != contract:
                continue
            earned = Fraction(0)
            for _ in range(abs(fill["signed"])):  # one contract at a time
                one = 1 if fill["signed"] > 0 else -1
                if net * one < 0:
                    average = cost / net
                    earned += (average - fill["price"]) * one
                    cost += average * one
                else:
                    cost += fill["price"] * one
                net += one
            realized.append(dollars(earned * tick))
        return net, cost / net if net else Fraction(0), realized

    def realized(self) -> Fraction:
        """Today's realised P&L less fees: a fill counts in the day of its own time."""
        total = Fraction(0)
        for contract in self.contracts:
            fills = [fill for fill in self.fills if fill["contract"] == contract]
            for fill, earned in zip(fills, self.book(contract)[2], strict=True):
                if fill["at_ns"] >= self.opened_ns:
                    total += earned - fill["fee"]
        return total

    def mark(self, contract: str) -> int:
        """Longs are closed at the bid, shorts at the ask."""
        quote, net = self.quotes[contract], self.book(contract)[0]
        price = quote.bid_ticks if net > 0 else quote.ask_ticks
        assert price is not None
        return price

    def open_pnl(self, contract: str, closed_at: Fraction | None = None) -> Fraction:
        """What the position has earned if it is closed at an average of ``closed_at``; None = at the mark. Gross."""
        net, average, _ = self.book(contract)
        price = Fraction(self.mark(contract)) if closed_at is None else closed_at
        return dollars((price - average) * net * self.contracts[contract]["tick"])

    def governing(self) -> Fraction:
        """The worse of our sum and the change of the broker's balance."""
        return min(self.realized(), self.balance - self.balance_open)

    def day_pnl(self) -> Fraction:
        total = self.governing() - self.carried
        for contract, known in self.contracts.items():
            total += self.open_pnl(contract) - abs(self.book(contract)[0]) * known["fee"]
        return total

    def leaves(self, contract: str, side: int, *, legs: bool) -> int:
        return sum(order["quantity"] - order["filled"] for order in self._live(contract, side, legs=legs))

    def _live(self, contract: str, side: int, *, legs: bool) -> list[dict[str, Any]]:
        return [
            order
            for order in self.orders.values()
            if order["live"] and (order["contract"], order["sign"], order["leg"]) == (contract, side, legs)
        ]

    def worst(self, contract: str, side: int, more: int = 0) -> int:
        """The net position if all of ``side`` fills and ``more``; legs count beyond the position that they close."""
        net = self.book(contract)[0]
        excess = max(0, self.leaves(contract, side, legs=True) - max(0, -net * side))
        return net + side * (self.leaves(contract, side, legs=False) + excess + more)

    def pnl_at_stops(self) -> Fraction:
        """The day's P&L when every position is stopped and every order that opens something is filled and stopped."""
        total = self.governing() - self.carried
        for contract, known in self.contracts.items():
            net = self.book(contract)[0]
            if net:
                prices = self._stopped(contract, net)
                total += self.open_pnl(contract, Fraction(sum(prices), len(prices))) - abs(net) * known["fee"]
            for side in (1, -1):
                room = max(0, -net * side)
                singles = [
                    order["distance"]
                    for order in self._live(contract, side, legs=False)
                    for _ in range(order["quantity"] - order["filled"])
                ]
                for distance in sorted(singles)[room:]:  # the least risky ones close first
                    total -= distance * known["tick"] + 2 * known["fee"]
        return total

    def _stopped(self, contract: str, net: int) -> list[int]:
        """At which price each contract of the position is closed: the worst stops first, then the stress move."""
        side = -1 if net > 0 else 1
        levels = [
            order["stop"]
            for legs in (True, False)
            for order in self._live(contract, side, legs=legs)
            if order["stop"] is not None and not order["doubtful"]
            for _ in range(order["quantity"] - order["filled"])
        ]
        levels = sorted(levels, key=lambda level: -level * side)[: abs(net)]
        uncovered = self.mark(contract) + side * self.contracts[contract]["stress"]
        return levels + [uncovered] * (abs(net) - len(levels))

    # Decisions.

    def judge(self, order: SubmitOrder) -> set[str]:
        """The codes with which ``order`` must be denied; empty when it must pass."""
        contract, side, limits = order.contract_id, sign(order.side), self.limits
        known = self.contracts[contract]
        net = self.book(contract)[0]
        closing = min(order.quantity, max(0, -net * side - self.leaves(contract, side, legs=False)))
        adding = order.quantity - closing
        if adding == 0:
            return set()
        at_stop = self._distance(order) * known["tick"] * adding
        count = sum(order["live"] and not order["leg"] for order in self.orders.values()) + 1
        base = limits["account_size_usd"] or self.balance_open
        broken = {
            "LOCKED_OUT": self.locked_until_ns > self.now_ns,
            "REDUCE_ONLY": self.tripped and self.locked_until_ns <= self.now_ns,
            "MIN_ORDER_SIZE": order.quantity < limits["order_quantity_min"],
            "MAX_ORDER_SIZE": adding > limits["order_quantity_max"],
            "MAX_POSITION_SIZE": abs(self.worst(contract, side, order.quantity)) > limits["position_quantity_max"],
            "MAX_OPEN_ORDERS": count > limits["open_orders_max"],
            "EXCESSIVE_RISK": at_stop > Fraction(base) * Fraction(limits["risk_percent_max"]) / 100,
            "DAILY_LOSS_LIMIT": at_stop + 2 * known["fee"] * adding - self.pnl_at_stops()
            >= limits["daily_loss_usd_max"],
        }
        return {code for code, is_broken in broken.items() if is_broken}

    def _distance(self, order: SubmitOrder) -> int:
        stop = order.stop
        distance = stop.ticks if isinstance(stop, Exit) else self.contracts[order.contract_id]["stress"]
        assert distance is not None
        return int(distance)
