"""What an exchange should not do and does: part fills, overfills, rejected legs, pauses, busts, liquidations."""

from __future__ import annotations

import json
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ordergate.exchange.accounts import Fill, Position, position_after, position_without
from ordergate.exchange.enums import OrderSide, OrderStatus, OrderType
from ordergate.exchange.faults import Fault, Kind
from ordergate.exchange.firm import Firm
from ordergate.exchange.models import PlaceRequest
from ordergate.exchange.orders import Order
from ordergate.exchange.placing import MARKET_CLOSED
from tests.exchange.support import ACCOUNT, MES, MNQ, OTHER_ACCOUNT, SECOND_NS, Client, Desk
from tests.exchange.test_faults import sim

BUY, SELL = OrderSide.BID, OrderSide.ASK
OPEN, FILLED, REJECTED, CANCELLED = OrderStatus.OPEN, OrderStatus.FILLED, OrderStatus.REJECTED, OrderStatus.CANCELLED


def test_an_order_fills_in_part_and_the_rest_with_the_next_quote() -> None:
    desk = Desk()
    desk.faults.add(Fault(Kind.PART, on="b"))
    desk.place(BUY, 3, tag="a")
    order_id = desk.place(BUY, 5, tag="B", loss=-8, profit=12)
    assert (desk.order(order_id).filled_quantity, desk.order(order_id + 1).quantity, desk.net()) == (2, 2, 5)
    desk.market(1_000, 1_001)
    assert (desk.statuses(order_id), desk.order(order_id + 1).quantity, desk.net()) == ([FILLED], 5, 8)
    assert desk.faults.standing == ()


def test_of_an_order_that_takes_several_prices_half_of_the_first_comes() -> None:
    desk = Desk()
    desk.faults.add(Fault(Kind.PART))
    order_id = desk.place(BUY, 150)
    assert desk.order(order_id).filled_quantity == 50


def test_one_contract_cannot_fill_in_part() -> None:
    desk = Desk()
    desk.faults.add(Fault(Kind.PART))
    assert desk.statuses(desk.place(BUY, 1)) == [FILLED]
    assert len(desk.faults.standing) == 1


def test_an_overfill_is_one_contract_more_which_the_legs_do_not_follow() -> None:
    desk = Desk()
    desk.faults.add(Fault(Kind.OVERFILL))
    order_id = desk.place(BUY, 2, loss=-8, profit=12)
    order = desk.order(order_id)
    assert (order.quantity, order.filled_quantity, order.status, desk.net()) == (2, 3, FILLED, 3)
    assert [desk.order(order_id + leg).quantity for leg in (1, 2)] == [2, 2]
    assert [fill.quantity for fill in desk.store.fills(ACCOUNT, 0, 2**63 - 1)] == [1, 2]


def test_a_leg_is_rejected_when_it_wakes_up_and_the_other_works() -> None:
    desk = Desk()
    desk.faults.add(Fault(Kind.REJECT_LEG, on="entry-sl"))
    order_id = desk.place(BUY, 2, tag="entry", loss=-8, profit=12)
    assert desk.statuses(order_id, order_id + 1, order_id + 2) == [FILLED, REJECTED, OPEN]
    told = [(event.order_id - order_id, event.status) for event in desk.published if isinstance(event, Order)]
    assert told[-3:] == [(2, OPEN), (1, OPEN), (1, REJECTED)]
    desk.market(900, 901)
    assert desk.net() == 2


def test_an_order_is_rejected_with_an_id_and_a_text() -> None:
    desk = Desk()
    desk.faults.add(Fault(Kind.REJECT, on="b", text="Not enough margin."))
    desk.place(BUY, 1, tag="a")
    answer = desk.venue.place(PlaceRequest(ACCOUNT, MES, OrderType.MARKET, BUY, 1, custom_tag="b"))
    assert (answer.code, answer.text) == (2, "Not enough margin.")
    assert answer.order_id is not None
    assert desk.statuses(answer.order_id) == [REJECTED]


def test_a_market_that_pauses_takes_no_order_fills_none_and_goes_on() -> None:
    desk = Desk()
    stop = desk.place(SELL, 1, stop=990)
    desk.market(1_000, 1_001, size=1)
    left = desk.place(BUY, 20)
    assert desk.statuses(left) == [OPEN]
    assert desk.venue.halt(MES, 2)
    assert desk.statuses(left, stop) == [CANCELLED, OPEN]
    assert desk.venue.place(PlaceRequest(ACCOUNT, MES, OrderType.MARKET, BUY, 1)).text == MARKET_CLOSED
    assert desk.statuses(desk.place(BUY, 1, limit=990, contract_id=MNQ)) == [OPEN]
    before = desk.net()
    desk.market(980, 981)
    assert (desk.net(), desk.statuses(stop)) == (before, [OPEN])
    desk.clock.at_ns += 2 * SECOND_NS
    desk.market(980, 981)
    assert desk.net() == before - 1
    assert not desk.venue.halt("CON.F.US.NOPE.Z26", 2)


def test_a_bust_takes_back_the_position_its_profit_and_its_fee() -> None:
    desk = Desk()
    desk.place(BUY, 2)
    balance = desk.venue.book.accounts[ACCOUNT].balance_usd
    desk.market(1_010, 1_011)
    desk.place(SELL, 1)
    [closing, opening] = desk.store.fills(ACCOUNT, 0, 2**63 - 1)
    assert closing.pnl_usd == Decimal("11.25")
    assert desk.venue.bust(closing.fill_id)
    assert (desk.net(), desk.venue.book.accounts[ACCOUNT].balance_usd) == (2, balance)
    assert [fill.voided for fill in desk.store.fills(ACCOUNT, 0, 2**63 - 1)] == [True, False]
    assert [type(event).__name__ for event in desk.published[-3:]] == ["Fill", "Position", "Account"]
    assert not desk.venue.bust(closing.fill_id)
    assert not desk.venue.bust(1)
    assert desk.venue.bust(opening.fill_id)
    assert (desk.net(), desk.venue.book.accounts[ACCOUNT].balance_usd) == (0, desk.settings.starting_balance_usd)


def test_what_has_no_market_any_more_cannot_be_busted() -> None:
    desk = Desk()
    desk.place(BUY, 1)
    desk.place(SELL, 1)
    desk.clock.at_ns += 30 * 86_400 * SECOND_NS
    desk.market(1_000, 1_001, contract_id="CON.F.US.MES.H27")
    assert MES not in desk.venue.book.markets
    assert not desk.venue.bust(desk.store.fills(ACCOUNT, 0, 2**63 - 1)[0].fill_id)
    assert desk.venue.book.positions == {}


def test_an_account_that_is_liquidated_in_a_pause_is_closed_when_the_market_goes_on() -> None:
    desk = Desk()
    firm = Firm(desk.settings, desk.venue, desk.clock)
    desk.place(BUY, 2)
    desk.venue.halt(MES, 5)
    assert firm.liquidate(ACCOUNT)
    desk.market(1_000, 1_001)
    firm.step()
    assert (desk.net(), desk.venue.book.accounts[ACCOUNT].can_trade) == (2, False)
    desk.clock.at_ns += 5 * SECOND_NS
    desk.market(1_000, 1_001)
    firm.step()
    assert desk.net() == 0


def test_a_bust_of_what_was_closed_already_leaves_what_closed_it() -> None:
    desk = Desk()
    desk.place(BUY, 1)
    desk.place(SELL, 1)
    desk.venue.bust(desk.store.fills(ACCOUNT, 0, 2**63 - 1)[1].fill_id)
    held = desk.venue.book.positions[ACCOUNT, MES]
    assert (held.net_quantity, held.average_ticks) == (-1, Decimal(1_001))


fills_of_any_flow = st.lists(
    st.tuples(st.sampled_from([BUY, SELL]), st.integers(1, 5), st.integers(-50, 200)), min_size=1, max_size=8
)


@given(flow=fills_of_any_flow, busts=st.data())
def test_the_books_add_up_to_the_cent_after_any_fills_and_any_busts(
    flow: list[tuple[OrderSide, int, int]], busts: st.DataObject
) -> None:
    """Sum of P&L - cost = what was received - what was paid, for the fills that count."""
    tick = Decimal("1.25")
    position, pnl = Position(1, ACCOUNT, MES, 0, 0, Decimal(0), Decimal(0)), Decimal(0)
    fills: list[Fill] = []
    for number, (side, quantity, price) in enumerate(flow):
        position, made = position_after(position, side, quantity, price, tick)
        pnl += made or 0
        fills.append(Fill(number, number, ACCOUNT, MES, side, quantity, price, Decimal(0), made, 0))
    for fill in busts.draw(st.lists(st.sampled_from(fills), unique_by=lambda fill: fill.fill_id)):
        fills.remove(fill)
        position, change = position_without(position, fill, tick)
        pnl += change
    assert position.net_quantity == sum(fill.side.sign * fill.quantity for fill in fills)
    assert pnl - position.cost_usd == -sum(tick * fill.side.sign * fill.quantity * fill.price_ticks for fill in fills)
    assert position.net_quantity or not position.cost_usd


async def test_a_halt_a_bust_and_a_liquidation_are_asked_for_over_http(client: Client) -> None:
    async def act(**asked: Any) -> Any:
        return json.loads((await sim(client, "POST", "act", asked)).body)

    await client.place(size=2)
    await client.place(type=1, side=0, limitPrice=7_000)
    [trade] = (await client.ok("Trade/search", accountId=ACCOUNT, startTimestamp="2020-01-01T00:00:00Z"))["trades"]
    assert trade["voided"] is False
    assert await act(act="bust", fillId=trade["id"]) == {"act": "bust", "done": 1}
    assert await act(act="bust", fillId=trade["id"]) == {"act": "bust", "done": 0}
    [trade] = (await client.ok("Trade/search", accountId=ACCOUNT, startTimestamp="2020-01-01T00:00:00Z"))["trades"]
    assert trade["voided"] is True
    await client.place(size=2)
    assert await act(act="liquidate", accountId=ACCOUNT) == {"act": "liquidate", "done": 1}
    assert await act(act="liquidate", accountId=1) == {"act": "liquidate", "done": 0}
    assert (await client.ok("Position/searchOpen", accountId=ACCOUNT))["positions"] == []
    assert (await client.ok("Order/searchOpen", accountId=ACCOUNT))["orders"] == []
    accounts = (await client.ok("Account/search", onlyActiveAccounts=False))["accounts"]
    assert [(account["id"], account["canTrade"]) for account in accounts] == [(ACCOUNT, False), (OTHER_ACCOUNT, True)]
    assert await act(act="halt", contractId=MES, seconds=60) == {"act": "halt", "done": 1}
    assert (await client.place(accountId=OTHER_ACCOUNT))["errorMessage"] == MARKET_CLOSED
    assert await act(act="halt", contractId="nothing") == {"act": "halt", "done": 0}


def test_an_account_that_was_liquidated_trades_again_the_next_day() -> None:
    desk = Desk()
    firm = Firm(desk.settings, desk.venue, desk.clock)
    desk.place(BUY, 1)
    assert firm.liquidate(ACCOUNT)
    firm.step()
    assert (desk.net(), desk.venue.book.accounts[ACCOUNT].can_trade) == (0, False)
    assert desk.venue.place(PlaceRequest(ACCOUNT, MES, OrderType.MARKET, BUY, 1)).code == 4
    desk.clock.at_ns += 86_400 * SECOND_NS
    firm.step()
    assert desk.venue.book.accounts[ACCOUNT].can_trade


@pytest.mark.parametrize("fills", [1, 2])
def test_a_stored_bust_is_there_after_a_restart(fills: int) -> None:
    desk = Desk()
    for _ in range(fills):
        desk.place(BUY, 1)
    newest = desk.store.fills(ACCOUNT, 0, 2**63 - 1)[0]
    desk.venue.bust(newest.fill_id)
    again = Desk(store=desk.store)
    assert again.net() == fills - 1
