"""An honest broker with a bad line: it does what it is asked, and what it says may come late, twice, or not at all.

It keeps no secrets from the test: ``orders`` and ``net`` are the truth that the gate only hears about. It matches no
prices; the test decides which order fills, so that every order of fills can happen.
"""

from __future__ import annotations

from collections import deque
from decimal import Decimal

from msgspec.structs import replace

from ordergate.core.effects import Cancel, Effect, LookUp, Modify, Place
from ordergate.core.order import OrderType, Side, Terms
from ordergate.core.reports import (
    AccountReport,
    CancelOutcome,
    FillReport,
    LookupOutcome,
    ModifyOutcome,
    OrderReport,
    OrderState,
    Outcome,
    PlaceOutcome,
    PositionReport,
    Report,
)
from tests.core.desk import ACCOUNT, ASK, MES

PRICE = ASK


class Broker:
    """``rows`` and ``fills`` are the two streams of the user hub, each in its order; ``answers`` come over REST.

    ``oco``: a stop that fills shrinks its target at the same moment, and the other way round. The children of a native
    bracket always do.
    """

    def __init__(self, *, oco: bool = False) -> None:
        self.oco = oco
        self.orders: dict[int, OrderReport] = {}
        self.executions: list[FillReport] = []
        self.net = 0
        self.rows: deque[OrderReport] = deque()
        self.fills: deque[FillReport] = deque()
        self.answers: list[Report] = []
        self.now_ns = 0
        self.entries: dict[str, str] = {}
        self.brackets: dict[int, Terms] = {}
        self._next_id = 1_000

    @property
    def open_orders(self) -> list[OrderReport]:
        return [row for row in self.orders.values() if row.state is OrderState.OPEN]

    @property
    def account(self) -> AccountReport:
        return AccountReport(ACCOUNT, "PRACTICE-1", Decimal(50_000), can_trade=True)

    @property
    def position(self) -> tuple[PositionReport, ...]:
        return (PositionReport(ACCOUNT, MES.contract_id, self.net, self.net * PRICE),) if self.net else ()

    def leaves(self, side: Side) -> int:
        """What is open on one side, in contracts."""
        return sum(row.quantity - row.filled_quantity for row in self.open_orders if row.side is side)

    def perform(self, effect: Effect, outcome: Outcome, *, made: bool) -> None:
        """Do what is asked if ``made``, and answer ``outcome``; an answer of DONE or REFUSED is always the true one."""
        match effect:
            case Place():
                self._place(effect, outcome, made=made)
            case Modify():
                self._modify(effect, outcome, made=made)
            case Cancel():
                self._cancel(effect, outcome, made=made)
            case LookUp():
                found = next((row for row in self.orders.values() if row.order_tag == effect.order_tag), None)
                done = outcome is not Outcome.UNKNOWN
                self.answers.append(
                    LookupOutcome(ACCOUNT, effect.order_tag, Outcome.DONE if done else outcome, found if done else None)
                )
            case _:
                raise AssertionError(f"{effect} is not a request")

    def _place(self, effect: Place, outcome: Outcome, *, made: bool) -> None:
        row = self.make(effect.terms, effect.order_tag, OrderState.OPEN if made else OrderState.REJECTED, tell=False)
        if not made and outcome in (Outcome.UNKNOWN, Outcome.NOT_SENT):
            del self.orders[row.broker_order_id]
        else:
            self.rows.append(row)
        number = row.broker_order_id if outcome in (Outcome.DONE, Outcome.REFUSED) else None
        self.answers.append(PlaceOutcome(ACCOUNT, effect.order_tag, outcome, number, 0, outcome.value))

    def make(
        self, terms: Terms, tag: str | None, state: OrderState = OrderState.OPEN, *, tell: bool = True
    ) -> OrderReport:
        """An order comes into being."""
        self._next_id += 1
        row = OrderReport(
            account_id=ACCOUNT,
            broker_order_id=self._next_id,
            order_tag=tag,
            contract_id=terms.contract_id,
            side=terms.side,
            order_type=terms.order_type,
            quantity=terms.quantity,
            limit_ticks=terms.limit_ticks,
            stop_ticks=terms.stop_ticks,
            state=state,
            filled_quantity=0,
            created_ns=self.now_ns,
        )
        self.orders[row.broker_order_id] = row
        if terms.is_native:
            self.brackets[row.broker_order_id] = terms
        if tell:
            self.rows.append(row)
        return row

    def _modify(self, effect: Modify, outcome: Outcome, *, made: bool) -> None:
        row, terms = self.orders[effect.broker_order_id], effect.terms
        able = row.state is OrderState.OPEN and terms.quantity > row.filled_quantity
        if made and able:
            self.change(row, quantity=terms.quantity, limit_ticks=terms.limit_ticks, stop_ticks=terms.stop_ticks)
        if outcome is Outcome.DONE and not able:
            outcome = Outcome.REFUSED
        self.answers.append(ModifyOutcome(ACCOUNT, effect.order_tag, effect.grant.number, outcome, 0, outcome.value))

    def _cancel(self, effect: Cancel, outcome: Outcome, *, made: bool) -> None:
        row = self.orders[effect.broker_order_id]
        able = row.state is OrderState.OPEN
        if made and able:
            self.change(row, state=OrderState.CANCELLED)
        if outcome is Outcome.DONE and not able:
            outcome = Outcome.REFUSED
        self.answers.append(CancelOutcome(ACCOUNT, effect.broker_order_id, outcome))

    def change(self, row: OrderReport, **changed: object) -> None:
        """An order changes, whoever asked for it."""
        row = replace(row, **changed)
        self.orders[row.broker_order_id] = row
        self.rows.append(row)

    def fill(self, row: OrderReport, quantity: int) -> None:
        """``quantity`` of an open order fills."""
        filled = row.filled_quantity + quantity
        assert filled <= row.quantity
        self.net += row.side.sign * quantity
        fill = FillReport(
            account_id=ACCOUNT,
            fill_id=len(self.executions) + 1,
            broker_order_id=row.broker_order_id,
            contract_id=row.contract_id,
            side=row.side,
            quantity=quantity,
            price_ticks=_price(row),
            fee_usd=Decimal(0),
            pnl_usd=None,
            voided=False,
            at_ns=self.now_ns,
        )
        self.executions.append(fill)
        self.fills.append(fill)
        state = OrderState.FILLED if filled == row.quantity else OrderState.OPEN
        self.change(row, filled_quantity=filled, state=state)
        if row.parent_id is not None:
            siblings = [other for other in self.open_orders if other.parent_id == row.parent_id]
            self._shrink([other for other in siblings if other.order_type is not row.order_type], quantity)
        elif self.oco:
            self._shrink(self._siblings(row), quantity)
        if row.broker_order_id in self.brackets:
            self._protect(row, quantity)

    def _protect(self, entry: OrderReport, quantity: int) -> None:
        """The children of a native bracket wake up with the first fill of their entry, and grow with the next ones."""
        terms = self.brackets[entry.broker_order_id]
        children = [row for row in self.orders.values() if row.parent_id == entry.broker_order_id]
        for child in children:
            if child.state is OrderState.OPEN:
                self.change(child, quantity=child.quantity + quantity)
        if children:
            return
        for suffix, offset, order_type in (
            ("SL", terms.stop_offset_ticks, OrderType.STOP),
            ("TP", terms.target_offset_ticks, OrderType.LIMIT),
        ):
            if offset is not None:
                level = _price(entry) + offset
                is_stop = order_type is OrderType.STOP
                made = self.make(
                    Terms(
                        ACCOUNT,
                        entry.contract_id,
                        entry.side.opposite,
                        quantity,
                        order_type,
                        None if is_stop else level,
                        level if is_stop else None,
                    ),
                    f"{entry.order_tag}-{suffix}",
                    tell=False,
                )
                self.change(made, parent_id=entry.broker_order_id)

    def _siblings(self, row: OrderReport) -> list[OrderReport]:
        entry = self.entry_of(row)
        others = [other for other in self.open_orders if entry and self.entry_of(other) == entry]
        return [other for other in others if other.order_type is not row.order_type]

    def _shrink(self, rows: list[OrderReport], quantity: int) -> None:
        for other in rows:
            left = max(0, other.quantity - other.filled_quantity - quantity)
            if left:
                self.change(other, quantity=other.filled_quantity + left)
            else:
                self.change(other, state=OrderState.CANCELLED)

    def entry_of(self, row: OrderReport) -> str:
        """The entry whose leg an order is, as the test told; empty for any other order."""
        return self.entries.get(row.order_tag or "", "")


def _price(row: OrderReport) -> int:
    if row.order_type is OrderType.LIMIT and row.limit_ticks is not None:
        return row.limit_ticks
    if row.order_type is OrderType.STOP and row.stop_ticks is not None:
        return row.stop_ticks
    return PRICE
