"""Bars of seconds and of trades: ``exchange.tape``, and that they agree with what the hub tells."""

from __future__ import annotations

from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ordergate.exchange.enums import BarUnit, OrderSide
from ordergate.exchange.listing import known_contract
from ordergate.exchange.market import Bar, Print, Walk
from ordergate.exchange.server import Exchange
from ordergate.exchange.tape import PRINTS_MAX, Tape
from ordergate.exchange.turn import Tick
from ordergate.net import signalr
from tests.exchange.support import MES, MONDAY_NS, SECOND_NS, Client, HubClient, in_virtual_time

MARKET = Walk(1).opening(known_contract(MES), MONDAY_NS, "2026-11-23")


def taped(*trades: tuple[int, int, int]) -> Tape:
    """A tape of (milliseconds, price, quantity)."""
    tape = Tape()
    for ms, price, quantity in trades:
        tape.take([step(Print(OrderSide.BID, price, quantity, MONDAY_NS + ms * 1_000_000))])
    return tape


def step(*prints: Print) -> Tick:
    return Tick(MARKET, MARKET, prints)


def second(number: int) -> int:
    return MONDAY_NS + number * SECOND_NS


def test_trades_of_a_second_are_its_bar_and_a_second_without_any_has_none() -> None:
    tape = taped((0, 10, 1), (500, 12, 2), (999, 9, 3), (2_000, 11, 4))
    whole = [Bar(second(0), 10, 12, 9, 9, 6), Bar(second(2), 11, 11, 11, 11, 4)]
    assert tape.bars(MES, BarUnit.SECOND, 1, second(3), partial=False) == whole
    assert tape.bars(MES, BarUnit.SECOND, 1, second(2), partial=False) == whole[:1]
    assert tape.bars(MES, BarUnit.SECOND, 1, second(2), partial=True) == whole
    assert tape.bars(MES, BarUnit.SECOND, 30, second(40), partial=False) == [Bar(second(0), 10, 12, 9, 11, 10)]
    assert tape.bars("CON.F.US.MNQ.Z26", BarUnit.SECOND, 1, second(3), partial=True) == []


def test_so_many_trades_are_a_bar() -> None:
    tape = taped((0, 10, 1), (500, 12, 2), (999, 9, 3))
    first, rest = Bar(second(0), 10, 12, 10, 12, 3), Bar(second(0) + 999_000_000, 9, 9, 9, 9, 3)
    assert tape.bars(MES, BarUnit.TICK, 2, second(3), partial=True) == [first, rest]
    assert tape.bars(MES, BarUnit.TICK, 2, second(3), partial=False) == [first]
    assert tape.bars(MES, BarUnit.TICK, 3, second(3), partial=False) == [Bar(second(0), 10, 12, 9, 9, 6)]


@pytest.mark.parametrize("unit", [BarUnit.SECOND, BarUnit.TICK])
@given(unit_number=st.integers(2, 7), more=st.integers(1, 30))
def test_a_bar_stays_as_it_is_for_as_long_as_it_is_kept(unit: BarUnit, unit_number: int, more: int) -> None:
    trades = [(number * 130, 1_000 + number % 17, 1) for number in range(PRINTS_MAX + more)]
    tape = taped(*trades[:PRINTS_MAX])
    before = tape.bars(MES, unit, unit_number, second(10_000), partial=False)
    tape.take(
        [step(*(Print(OrderSide.BID, price, 1, MONDAY_NS + ms * 1_000_000) for ms, price, _ in trades[PRINTS_MAX:]))]
    )
    after = tape.bars(MES, unit, unit_number, second(10_000), partial=False)
    kept = [bar for bar in before if bar in after]
    assert len(kept) >= len(before) - more - 2
    assert all(bar.volume == unit_number for bar in after) or unit is BarUnit.SECOND
    assert after[0] in before


def test_no_more_than_some_minutes_are_kept() -> None:
    tape = taped(*((number, 1_000, 1) for number in range(PRINTS_MAX + 500)))
    assert len(tape.bars(MES, BarUnit.TICK, 1, second(10), partial=True)) == PRINTS_MAX - 1


def test_bars_of_a_second_are_what_the_hub_told() -> None:
    async def body(exchange: Exchange, client: Client) -> None:
        assert exchange.account_ids
        hub = await HubClient.connect(client.network, f"{client.url}/hubs/market?access_token={client.token}")
        await hub.socket.send(signalr.encode(signalr.invocation("SubscribeContractTrades", MES)))
        told: dict[str, list[dict[str, Decimal]]] = {}
        while len(told) < 6:
            _, [_, trades] = await hub.event()
            for trade in trades:
                told.setdefault(trade["timestamp"][:19], []).append(trade)
        asked = {"contractId": MES, "live": False, "unit": 1, "unitNumber": 1, "limit": 100, "includePartialBar": False}
        span = {"startTime": "2026-11-23T00:00:00Z", "endTime": "2026-11-24T00:00:00Z"}
        bars = (await client.ok("History/retrieveBars", **asked, **span))["bars"]
        for (at, trades), bar in zip(list(told.items())[:5], bars[::-1][:5], strict=True):
            prices = [trade["price"] for trade in trades]
            assert bar["t"][:19] == at
            assert [bar[name] for name in "ohlc"] == [prices[0], max(prices), min(prices), prices[-1]]
            assert bar["v"] == sum(trade["volume"] for trade in trades)

    in_virtual_time(body, {"quote_interval_ms": 250})
