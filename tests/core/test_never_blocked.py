"""Getting out, and being protected, in every state that a limit denies new risk in.

Of faults.md, section 3: I4 (cancel, reduce and flatten are never blocked) and I11 (what is unknown, stale or malformed
is no new risk; it is never no protection). The states are those of the self-test: one for every code of every rule.
"""

from __future__ import annotations

from decimal import Decimal

import pytest
from msgspec.structs import replace

from ordergate.core import selftest
from ordergate.core.commands import CancelAll, CancelOrder, ClosePosition, Flatten, ModifyOrder, SubmitOrder
from ordergate.core.decide import Decided, decide
from ordergate.core.events import OrderApproved
from ordergate.core.inputs import Input
from ordergate.core.order import Exit, Order, OrderType, Protection, Role, Side, Status, Terms
from ordergate.core.orders import Orders
from ordergate.core.pnl import Position
from ordergate.core.reports import FillReport
from tests.core.test_selftest import ALL_ON

# Two contracts are held, bought ten ticks below the market; an entry works that would add three.
PRICE, HELD, WORKING = 20_000, 2, 3


class Case:
    """The state of one case of the self-test, with that position and that entry, whose stop is promised."""

    def __init__(self, code: str) -> None:
        scene = selftest.CASES[code](selftest.scene(ALL_ON, "MES"))
        assert scene is not None
        group, self.stamp = selftest.stage(scene)
        self.order = scene.order
        self.account_id, self.name = scene.account.account_id, scene.order.contract_id
        terms = Terms(self.account_id, self.name, Side.BUY, WORKING, OrderType.LIMIT, limit_ticks=PRICE - 1)
        entry = Order("entry", terms, Role.ENTRY, Status.WORKING, "tag", broker_order_id=7)
        entry = replace(entry, protection=Protection(Exit(40)))
        account = replace(
            scene.account,
            positions={self.name: Position(self.name, HELD, PRICE - 10)},
            orders=Orders({**dict(scene.account.orders.items()), entry.order_id: entry}),
            broker_ids=scene.account.broker_ids.set(7, entry.order_id),
        )
        self._group = replace(group, accounts=group.accounts | {self.account_id: account})

    def given(self, given: Input) -> Decided:
        return decide(self._group, replace(self.stamp, input=given))

    def ok(self, given: Input) -> bool:
        answer = self.given(given).answer
        assert answer is not None
        return answer.ok

    def closing(self) -> SubmitOrder:
        """A market order that sells what is held."""
        return replace(
            self.order, side=Side.SELL, quantity=HELD, order_type=OrderType.MARKET, limit_ticks=None, stop_ticks=None
        )


@pytest.mark.parametrize("code", selftest.CASES)
def test_where_new_risk_is_denied_cancel_reduce_close_and_flatten_are_not(code: str) -> None:
    """I4."""
    case = Case(code)
    assert not case.ok(case.order)
    assert case.ok(CancelOrder("r", "entry"))
    assert case.ok(ModifyOrder("r", "entry", quantity=WORKING - 1))
    assert case.ok(case.closing())
    assert case.ok(ClosePosition("r", case.account_id, case.name))
    assert case.ok(ClosePosition("r", case.account_id, case.name, 1))
    assert case.ok(CancelAll("r", case.account_id))
    assert case.ok(Flatten("r", case.account_id))


@pytest.mark.parametrize("code", selftest.CASES)
def test_where_new_risk_is_denied_a_fill_is_protected_all_the_same_or_closed(code: str) -> None:
    """I11."""
    case = Case(code)
    fill = FillReport(
        account_id=case.account_id,
        fill_id=1,
        broker_order_id=7,
        contract_id=case.name,
        side=Side.BUY,
        quantity=1,
        price_ticks=PRICE - 1,
        fee_usd=Decimal("0.36"),
        pnl_usd=None,
        voided=False,
        at_ns=case.stamp.market.at_ns,
    )
    decided = case.given(fill)
    legs = [event.order for event in decided.events if isinstance(event, OrderApproved) and event.order.is_leg]
    if decided.group.accounts[case.account_id].exits:
        assert code in ("EXIT_IN_PROGRESS", "NO_RISK_BASE", "MAXIMUM_LOSS_LIMIT"), "the account is at its end"
    else:
        assert [(order.role, order.terms.quantity) for order in legs] == [(Role.STOP, 1)]
