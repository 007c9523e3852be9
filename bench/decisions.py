"""``decide`` with all rules, at several numbers of working orders. No disk, no loop."""

from __future__ import annotations

from decimal import Decimal
from functools import partial

from bench.figures import NS_PER_US, percentiles, tell, timed
from ordergate.clock import SystemClock
from ordergate.core.account import Group
from ordergate.core.commands import SubmitOrder
from ordergate.core.decide import decide
from ordergate.core.inputs import Input, Stamped, Started
from ordergate.core.instrument import Instrument
from ordergate.core.limits import Limits
from ordergate.core.order import OrderType, Side
from ordergate.core.reports import (
    AccountReport,
    BrokerSnapshot,
    InstrumentsReport,
    LinkReport,
    Outcome,
    PlaceOutcome,
    Quote,
)

MES = Instrument("CON.F.US.MES.Z26", "MES", "MESZ6", Decimal("0.25"), Decimal("1.25"), Decimal("0.36"))
ACCOUNT = AccountReport(1001, "PRACTICE", Decimal(50_000), can_trade=True)
# Wide enough that every order of the bench passes every rule: a denial would be a shorter path.
WIDE = Limits(
    position_quantity_max=10**9,
    open_orders_max=10**9,
    daily_loss_usd_max=Decimal(10**12),
    risk_percent_max=Decimal(100),
)
_COUNT = 2_000
_WORKING = (0, 50, 500)


class Bare:
    """The state alone, folded by ``decide`` itself: one adopted account, one contract with a quote."""

    def __init__(self) -> None:
        self.at_ns = SystemClock().now_ns()
        self.group = Group()
        self._quotes = {MES.contract_id: Quote(MES.contract_id, 20_000, 20_001, 20_000, self.at_ns)}
        snapshot = BrokerSnapshot(ACCOUNT, 0, self.at_ns, (), (), ())
        for given in (
            Started("bench000", "bench", "bench", WIDE),
            InstrumentsReport((MES,)),
            LinkReport(up=True),
            snapshot,
            snapshot,
        ):
            self.take(given)

    def stamped(self, given: Input) -> Stamped:
        return Stamped(given, self.at_ns, self.at_ns, self._quotes)

    def take(self, given: Input) -> None:
        self.group = decide(self.group, self.stamped(given)).group

    def work(self, number: int) -> None:
        """One more working order at the broker."""
        self.take(order(f"working-order-{number:06}"))
        tag = self.group.accounts[ACCOUNT.account_id].orders[f"working-order-{number:06}"].tag
        self.take(PlaceOutcome(ACCOUNT.account_id, tag, Outcome.DONE, 10_000_000 + number))


def order(name: str) -> SubmitOrder:
    return SubmitOrder(
        request_id=f"BENCH/{name}",
        account_id=ACCOUNT.account_id,
        order_id=name,
        contract_id=MES.contract_id,
        side=Side.BUY,
        quantity=1,
        order_type=OrderType.LIMIT,
        limit_ticks=19_900,
        instance_id="BENCH",
        fingerprint=name.rjust(32, "0"),
    )


def measure() -> None:
    """Tell one figure for each number of working orders."""
    bare = Bare()
    worked = 0
    for working in _WORKING:
        while worked < working:
            bare.work(worked)
            worked += 1
        taken = timed(partial(decide, bare.group, bare.stamped(order("probe"))), _COUNT)
        tell("decide, all rules", "us", percentiles(taken, NS_PER_US), working_orders=working)
