"""The connection manager and the simulated exchange, over real sockets: two programs that share only the API notes."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from decimal import Decimal
from typing import Any

import msgspec
import pytest

from ordergate.broker.projectx.session import Credentials
from ordergate.bus.port import Topic
from ordergate.clock import SystemClock
from ordergate.core.effects import Cancel, LookUp, Modify, ReadSnapshot
from ordergate.core.events import ApprovalKind
from ordergate.core.order import OrderType, Side
from ordergate.core.reports import (
    AccountReport,
    BrokerSnapshot,
    CancelOutcome,
    FillReport,
    InstrumentsReport,
    LookupOutcome,
    ModifyOutcome,
    OrderReport,
    OrderState,
    Outcome,
    PlaceOutcome,
    PositionReport,
    Quote,
    Unreadable,
)
from ordergate.exchange.server import Exchange
from ordergate.exchange.settings import ExchangeSettings
from ordergate.exchange.store import MemoryStore
from ordergate.net.http import HttpNetwork
from tests.broker.stand_in import Seat


@asynccontextmanager
async def open_desk(**settings: Any) -> AsyncIterator[Seat]:
    """A connection manager linked to an exchange on a free port."""
    network, clock = HttpNetwork(), SystemClock()
    chosen: dict[str, Any] = {
        "symbols": ("MNQ", "MES"),
        "latency_ms": 0,
        "quote_interval_ms": 20,
        "partial_fills": False,
    }
    exchange = Exchange(ExchangeSettings(**(chosen | settings)), MemoryStore(10), clock)
    await exchange.start(network, "127.0.0.1", 0)
    seat = Seat(network, clock, None, {"credentials": Credentials(exchange.user_name, exchange.api_key)})
    try:
        async with seat.linked(exchange.url, until_up=True):
            instruments = (await seat.report(InstrumentsReport)).instruments
            seat.account_id = exchange.account_ids[0]
            seat.contract_id = next(found.contract_id for found in instruments if found.symbol == "MNQ")
            seat.reports[:] = [report for report in seat.reports if not isinstance(report, AccountReport)]
            yield seat
        assert not [report for report in seat.reports if isinstance(report, Unreadable)]
    finally:
        await exchange.close()
        await network.close()


async def latest_quote(seat: Seat) -> Quote:
    watcher = seat.bus.watch()
    message = await anext(aiter(watcher))
    watcher.close()
    return msgspec.json.decode(message, type=Quote)


async def test_a_market_order_is_filled_and_every_fact_about_it_arrives() -> None:
    async with open_desk() as seat:
        quote = await latest_quote(seat)
        assert quote.bid_ticks is not None
        await seat.send(seat.approved(seat.place(quantity=2)))
        outcome = await seat.report(PlaceOutcome)
        assert outcome.outcome is Outcome.DONE
        order = await seat.report(OrderReport, lambda order: order.state is OrderState.FILLED)
        assert (order.broker_order_id, order.order_tag, order.filled_quantity) == (outcome.broker_order_id, "tag-1", 2)
        fill = await seat.report(FillReport)
        assert (fill.broker_order_id, fill.quantity, fill.pnl_usd) == (outcome.broker_order_id, 2, None)
        held = await seat.report(PositionReport)
        assert (held.net_quantity, held.cost_ticks) == (2, 2 * fill.price_ticks)
        account = await seat.report(AccountReport)
        assert account.balance_usd == Decimal(50_000) - fill.fee_usd


async def test_a_limit_order_is_changed_and_cancelled() -> None:
    async with open_desk() as seat:
        quote = await latest_quote(seat)
        assert quote.bid_ticks is not None
        price = quote.bid_ticks - 400
        place = seat.place(order_type=OrderType.LIMIT, limit_ticks=price)
        await seat.send(seat.approved(place))
        order_id = (await seat.report(PlaceOutcome)).broker_order_id
        assert order_id is not None
        assert (await seat.report(OrderReport)).limit_ticks == price
        terms = msgspec.structs.replace(place.terms, quantity=3, limit_ticks=price - 1)
        change = Modify(terms, place.order_tag, order_id, msgspec.structs.replace(place.grant, number=2))
        await seat.send(seat.approved(change))
        assert (await seat.report(ModifyOutcome)).outcome is Outcome.DONE
        changed = await seat.report(OrderReport, lambda order: order.quantity == 3)
        assert (changed.state, changed.limit_ticks) == (OrderState.OPEN, price - 1)
        await seat.send(Cancel(seat.account_id, order_id), Topic.EXITS)
        assert (await seat.report(CancelOutcome)).outcome is Outcome.DONE
        await seat.report(OrderReport, lambda order: order.state is OrderState.CANCELLED)
        await seat.send(Cancel(seat.account_id, order_id), Topic.EXITS)
        assert (await seat.report(CancelOutcome)).outcome is not Outcome.DONE


async def test_a_rejected_order_is_refused_with_the_exchanges_words() -> None:
    async with open_desk() as seat:
        await seat.send(seat.approved(seat.place(order_type=OrderType.STOP, stop_ticks=4)))
        outcome = await seat.report(PlaceOutcome)
        assert outcome.outcome is Outcome.REFUSED
        assert outcome.code == 2
        assert outcome.text


async def test_a_tag_that_is_used_leaves_the_order_unknown_and_the_lookup_finds_the_first() -> None:
    async with open_desk() as seat:
        since_ns = seat.clock.now_ns()
        first = seat.place()
        await seat.send(seat.approved(first))
        order_id = (await seat.report(PlaceOutcome)).broker_order_id
        again = msgspec.structs.replace(seat.place(), order_tag=first.order_tag)
        await seat.send(seat.approved(again))
        assert (await seat.report(PlaceOutcome)).outcome is Outcome.UNKNOWN
        await seat.send(LookUp(seat.account_id, first.order_tag, since_ns))
        found = (await seat.report(LookupOutcome)).found
        assert found is not None
        assert found.broker_order_id == order_id


async def test_a_position_is_closed_by_an_order_that_reduces_it_and_a_snapshot_shows_it_all() -> None:
    async with open_desk() as seat:
        since_ns = seat.clock.now_ns() - 1_000_000_000
        await seat.send(seat.approved(seat.place(quantity=2)))
        await seat.report(PlaceOutcome)
        too_much = seat.place(kind=ApprovalKind.REDUCING, side=Side.SELL, quantity=3)
        await seat.send(seat.approved(too_much), Topic.EXITS)
        assert (await seat.report(PlaceOutcome)).outcome is Outcome.NOT_SENT
        await seat.send(ReadSnapshot(seat.account_id, since_ns))
        held = await seat.report(BrokerSnapshot)
        assert [position.net_quantity for position in held.positions] == [2]
        close = seat.place(kind=ApprovalKind.REDUCING, side=Side.SELL, quantity=2)
        await seat.send(seat.approved(close), Topic.EXITS)
        assert (await seat.report(PlaceOutcome)).outcome is Outcome.DONE
        await seat.send(ReadSnapshot(seat.account_id, since_ns))
        flat = await seat.report(BrokerSnapshot)
        assert flat.positions == ()
        assert [order.order_tag for order in flat.orders] == ["tag-1", "tag-3"]
        assert {fill.quantity for fill in flat.fills} == {2}
        paid = sum((fill.pnl_usd or Decimal(0)) - fill.fee_usd for fill in flat.fills)
        assert flat.account.balance_usd == 50_000 + paid


@pytest.mark.parametrize("bracket_mode", ["auto_oco", "position"])
async def test_orders_of_ours_carry_no_brackets_so_the_accounts_mode_does_not_matter(bracket_mode: str) -> None:
    mode = msgspec.convert({"bracket_mode": bracket_mode}, ExchangeSettings).bracket_mode
    async with open_desk(bracket_mode=mode) as seat:
        await seat.send(seat.approved())
        assert (await seat.report(PlaceOutcome)).outcome is Outcome.DONE


async def test_a_token_that_expires_under_way_is_renewed_without_losing_an_order() -> None:
    async with open_desk(token_lifetime_s=1) as seat:
        await asyncio.sleep(1.1)
        await seat.send(seat.approved())
        assert (await seat.report(PlaceOutcome)).outcome is Outcome.DONE
        await seat.report(FillReport)
