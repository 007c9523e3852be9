"""A gate of a few lines, made of the real ``decide``, and a broker of a few more that answers what it calls for.

``History`` folds inputs; nothing here judges. The broker fills market orders at the touch at once and lets the others
rest; ``hold`` makes it say nothing, as a broker does whose answers are on their way.
"""

from __future__ import annotations

from decimal import Decimal

from msgspec.structs import replace

from ordergate.core import reports as r
from ordergate.core.account import Account, Group
from ordergate.core.commands import Answer, SubmitOrder
from ordergate.core.contracts import PRODUCT_BY_SYMBOL
from ordergate.core.decide import decide
from ordergate.core.effects import Cancel, Effect, LookUp, Modify, Place, ReadSnapshot, effects
from ordergate.core.events import Event
from ordergate.core.inputs import Input, Stamped, Started, Wake
from ordergate.core.instrument import Instrument
from ordergate.core.limits import Limits
from ordergate.core.market import Market
from ordergate.core.modes import Modes
from ordergate.core.order import OrderType, Side
from tests.simulation.virtual_time import START_NS

A, B = 1001, 1002
MES, MNQ, OLD = "CON.F.US.MES.Z26", "CON.F.US.MNQ.Z26", "CON.F.US.MES.U26"
SECOND_NS = 1_000_000_000
MES_TICKS = 20_000  # 5,000.00
FEE = Decimal("0.36")


def instrument(contract_id: str, symbol: str, *, active: bool = True) -> Instrument:
    product = PRODUCT_BY_SYMBOL[symbol]
    name = f"{symbol}{contract_id[-3]}{contract_id[-1]}"
    size, value, fee = product.tick_size, product.tick_value_usd, product.fee_usd
    return Instrument(contract_id, symbol, name, size, value, fee, active)


class History:
    """``happened`` is every event with its number; ``answers`` every answer."""

    def __init__(self, limits: Limits | None = None, modes: Modes | None = None) -> None:
        self.group = Group()
        self.at_ns = START_NS
        self.quotes: dict[str, r.Quote] = {}
        self.happened: list[tuple[int, Event]] = []
        self.answers: list[Answer] = []
        self.hold = False
        self.broker = Broker()
        self._modes = modes or Modes()
        self._limits = limits or Limits(open_orders_max=50)
        self._asked = 0

    def open(self, *accounts: int) -> History:
        """Connected, with instruments, quotes and adopted accounts of 50,000 USD."""
        self.put(Started("test", "sim", "practice", self._limits, modes=self._modes))
        contracts = (instrument(OLD, "MES", active=False), instrument(MES, "MES"), instrument(MNQ, "MNQ"))
        self.put(r.InstrumentsReport(contracts))
        self.quote(MES, MES_TICKS)
        self.quote(MNQ, 80_000)
        self.put(r.LinkReport(up=True))
        for account_id in accounts or (A,):
            self.put(self.broker.account(account_id))
        return self

    def quote(self, contract_id: str, bid_ticks: int) -> r.Quote:
        """A new quote, one tick wide."""
        quote = r.Quote(contract_id, bid_ticks, bid_ticks + 1, bid_ticks, self.at_ns, self.at_ns)
        self.quotes[contract_id] = quote
        return quote

    def put(self, given: Input) -> Answer | None:
        """Decide ``given``, and what the broker makes of it; the answer if it was a command."""
        decided = decide(self.group, Stamped(given, Market(dict(self.quotes), self.at_ns), self.at_ns))
        called: list[Effect] = []
        for number, event in enumerate(decided.events, self.group.version + 1):
            self.happened.append((number, event))
            called += effects(decided.group, event)
        self.group = decided.group
        if decided.answer is not None:
            self.answers.append(decided.answer)
        for effect in () if self.hold else called:
            for report in self.broker.reports(effect, self):
                self.put(report)
        return decided.answer

    def wait(self, seconds: float) -> None:
        """Let time pass, with fresh quotes, and wake the gate."""
        self.at_ns += round(seconds * SECOND_NS)
        for contract_id, quote in list(self.quotes.items()):
            self.quote(contract_id, quote.bid_ticks or 0)
        self.put(Wake())

    def submit(self, order_id: str, side: Side = Side.BUY, quantity: int = 1, **terms: object) -> Answer | None:
        """Place an order of MES in account A, as ``terms`` change it."""
        return self.put(submit(order_id, side, quantity, **terms))

    def fill(self, order_id: str, quantity: int, price_ticks: int, account_id: int = A) -> None:
        """Fill a part of a resting order."""
        order = self.account(account_id).order(order_id)
        assert order is not None
        assert order.broker_order_id is not None
        for report in self.broker.fill(order.broker_order_id, quantity, price_ticks, self.at_ns):
            self.put(report)

    def account(self, account_id: int = A) -> Account:
        return self.group.accounts[account_id]


def submit(order_id: str, side: Side = Side.BUY, quantity: int = 1, **terms: object) -> SubmitOrder:
    fields: dict[str, object] = {
        "request_id": f"ask-{order_id}",
        "account_id": A,
        "order_id": order_id,
        "contract_id": MES,
        "side": side,
        "quantity": quantity,
        "order_type": OrderType.MARKET,
        "instance_id": "MANUAL_TRADING_V2",
    } | terms
    return SubmitOrder(**fields)  # type: ignore[arg-type]


class Broker:
    """What the broker holds: order rows by id, fills, positions by account and contract (net, cost in ticks)."""

    def __init__(self) -> None:
        self.orders: dict[int, r.OrderReport] = {}
        self.fills: list[r.FillReport] = []
        self.positions: dict[tuple[int, str], tuple[int, int]] = {}

    def account(self, account_id: int) -> r.AccountReport:
        return r.AccountReport(account_id, f"PRACTICE-{account_id}", Decimal(50_000), can_trade=True)

    def reports(self, effect: Effect, history: History) -> list[r.Report]:
        """What the connection manager would tell of ``effect``."""
        match effect:
            case Place():
                return self.place(effect, history)
            case Modify():
                row = self.orders[effect.broker_order_id]
                terms = effect.terms
                self.orders[row.broker_order_id] = replace(
                    row, quantity=terms.quantity, limit_ticks=terms.limit_ticks, stop_ticks=terms.stop_ticks
                )
                return [r.ModifyOutcome(terms.account_id, effect.order_tag, effect.grant.number, r.Outcome.DONE)]
            case Cancel():
                return self.cancel(effect.broker_order_id)
            case LookUp():
                found = next((row for row in self.orders.values() if row.order_tag == effect.order_tag), None)
                return [r.LookupOutcome(effect.account_id, effect.order_tag, r.Outcome.DONE, found)]
            case ReadSnapshot():
                return [self.snapshot(effect.account_id, effect.since_ns, history.at_ns)]
            case _:
                return []

    def place(self, effect: Place, history: History) -> list[r.Report]:
        terms = effect.terms
        number = len(self.orders) + 1
        self.orders[number] = r.OrderReport(
            account_id=terms.account_id,
            broker_order_id=number,
            order_tag=effect.order_tag,
            contract_id=terms.contract_id,
            side=terms.side,
            order_type=terms.order_type,
            quantity=terms.quantity,
            limit_ticks=terms.limit_ticks,
            stop_ticks=terms.stop_ticks,
            state=r.OrderState.OPEN,
            filled_quantity=0,
            created_ns=history.at_ns,
        )
        done = r.PlaceOutcome(terms.account_id, effect.order_tag, r.Outcome.DONE, number)
        if terms.order_type is not OrderType.MARKET:
            return [done, self.orders[number]]
        quote = history.quotes[terms.contract_id]
        touch = quote.ask_ticks if terms.side is Side.BUY else quote.bid_ticks
        assert touch is not None
        return [done, *self.fill(number, terms.quantity, touch, history.at_ns)]

    def cancel(self, number: int) -> list[r.Report]:
        row = self.orders[number]
        if row.state is not r.OrderState.OPEN:
            return [r.CancelOutcome(row.account_id, number, r.Outcome.REFUSED, 1, "not open")]
        self.orders[number] = replace(row, state=r.OrderState.CANCELLED)
        return [r.CancelOutcome(row.account_id, number, r.Outcome.DONE), self.orders[number]]

    def fill(self, number: int, quantity: int, price_ticks: int, at_ns: int) -> list[r.Report]:
        row = self.orders[number]
        net, cost = self.positions.get((row.account_id, row.contract_id), (0, 0))
        signed = row.side.sign * quantity
        after = net + signed
        if after == 0:
            cost = 0
        elif net * signed >= 0:
            cost += signed * price_ticks
        else:
            cost = after * price_ticks if net * after < 0 else cost * after // net
        self.positions[row.account_id, row.contract_id] = (after, cost)
        fill = r.FillReport(
            account_id=row.account_id,
            fill_id=len(self.fills) + 1,
            broker_order_id=number,
            contract_id=row.contract_id,
            side=row.side,
            quantity=quantity,
            price_ticks=price_ticks,
            fee_usd=FEE * quantity,
            pnl_usd=None,
            voided=False,
            at_ns=at_ns,
        )
        self.fills.append(fill)
        filled = row.filled_quantity + quantity
        state = r.OrderState.FILLED if filled >= row.quantity else r.OrderState.OPEN
        self.orders[number] = replace(row, state=state, filled_quantity=filled)
        return [self.orders[number], fill]

    def snapshot(self, account_id: int, since_ns: int, at_ns: int) -> r.BrokerSnapshot:
        return r.BrokerSnapshot(
            account=self.account(account_id),
            since_ns=since_ns,
            started_ns=at_ns,
            positions=tuple(
                r.PositionReport(account, contract_id, net, cost)
                for (account, contract_id), (net, cost) in self.positions.items()
                if account == account_id and net
            ),
            orders=tuple(row for row in self.orders.values() if row.account_id == account_id),
            fills=tuple(fill for fill in self.fills if fill.account_id == account_id),
        )

    def external(self, side: Side, quantity: int, limit_ticks: int, at_ns: int) -> r.OrderReport:
        """An order of MES in account A that another client has placed."""
        number = len(self.orders) + 1
        self.orders[number] = r.OrderReport(
            account_id=A,
            broker_order_id=number,
            order_tag=None,
            contract_id=MES,
            side=side,
            order_type=OrderType.LIMIT,
            quantity=quantity,
            limit_ticks=limit_ticks,
            stop_ticks=None,
            state=r.OrderState.OPEN,
            filled_quantity=0,
            created_ns=at_ns,
        )
        return self.orders[number]
