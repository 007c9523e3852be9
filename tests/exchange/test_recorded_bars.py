"""Recorded minutes as a market: ``exchange.recorded_bars``, the file, and the bars that the exchange then tells."""

from __future__ import annotations

import asyncio
import gzip
import os
from decimal import Decimal
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ordergate.errors import StartRefused
from ordergate.exchange import replay
from ordergate.exchange.levels import LEVELS
from ordergate.exchange.listing import known_contract
from ordergate.exchange.market import Bar, Print, Walk, bars_after
from ordergate.exchange.recorded_bars import records
from ordergate.exchange.recording import BAR_COLUMNS
from ordergate.exchange.records import QuoteRecord, TradeRecord
from ordergate.exchange.replay import Replay, recorded_contracts
from ordergate.exchange.server import Exchange
from ordergate.exchange.settings import ExchangeSettings, Hours
from ordergate.exchange.store import MINUTE_NS, MemoryStore
from ordergate.net.memory import MemoryNetwork
from tests.exchange.support import Client
from tests.simulation.virtual_time import VirtualClock, run

SHARED = Path(os.environ.get("SHARED_DATA") or Path(__file__).resolve().parents[3] / "shared/data")
FILE = SHARED / "6e-2024-01-1min.csv.gz"
AT = 1_704_150_060_000_000_000  # 2024-01-01 23:01 UTC
MINUTES = (
    "2024-01-01 23:01:00,1.1076,1.10785,1.1076,1.1078,205",
    "2024-01-01 23:02:00,1.10775,1.1078,1.1077,1.10775,86",
)


@st.composite
def bars(draw: st.DrawFn) -> Bar:
    low, height = draw(st.integers(1, 500)), draw(st.integers(0, 30))
    inside = st.integers(low, low + height)
    return Bar(AT, draw(inside), low + height, low, draw(inside), draw(st.integers(4, 300)))


@given(bars())
def test_the_trades_of_a_minute_give_its_bar_again(bar: Bar) -> None:
    made = list(records(bar, LEVELS["6E"]))
    trades = [record for record in made if isinstance(record, TradeRecord)]
    assert bars_after(None, [Print(each.side, each.price, each.quantity, each.at_ns) for each in trades]) == ((), bar)
    instants = [record.at_ns for record in made]
    assert instants == sorted(instants)
    assert bar.start_ns <= instants[0]
    assert instants[-1] < bar.start_ns + MINUTE_NS
    quotes = [record for record in made if isinstance(record, QuoteRecord)]
    for quote, trade in zip(quotes, trades, strict=True):
        assert quote.ask - quote.bid == LEVELS["6E"].spread_ticks
        assert trade.price == (quote.ask if trade.side == 0 else quote.bid)


@pytest.mark.parametrize(
    ("bar", "why"),
    [
        (Bar(AT, 5, 6, 4, 7, 10), "not between low and high"),
        (Bar(AT, 5, 6, 4, 5, 3), "3 contracts cannot have traded at 4 prices"),
        (Bar(AT, 5, 5, 5, 5, 0), "0 contracts cannot have traded at 1 prices"),
    ],
)
def test_a_bar_that_no_trades_can_have_made_is_refused(bar: Bar, why: str) -> None:
    with pytest.raises(ValueError, match=why):
        list(records(bar, LEVELS["6E"]))


def written(path: Path, *lines: str) -> Path:
    path.write_text("\n".join([",".join(BAR_COLUMNS), *lines, ""]), encoding="utf-8")
    return path


@pytest.mark.parametrize(
    ("line", "why"),
    [
        (MINUTES[0], "is not after that of the line above"),
        (MINUTES[1].replace(":00,", ":30,"), "is no minute"),
        (MINUTES[1].replace(" 23", "T23"), "is no minute"),
        (MINUTES[1].replace("1.1077,", "1.107701,"), "low '1.107701' is no price on the grid"),
        (MINUTES[1].replace(",86", ",0"), "volume '0'"),
        (MINUTES[1].replace(",1.10775,86", ",1.2,86"), "not between low and high"),
        (MINUTES[1] + ",1", "7 columns instead of 6"),
    ],
)
def test_a_bad_line_is_refused_and_named(tmp_path: Path, line: str, why: str) -> None:
    path = written(tmp_path / "bars.csv", MINUTES[0], line)
    with pytest.raises(StartRefused) as refused:
        replay.read(path, "6E")
    assert str(refused.value).startswith(f"the recording {path}, line 3: ")
    assert why in str(refused.value)


def test_a_recording_drives_the_sizes_of_its_product_that_have_its_tick() -> None:
    def driven(symbol: str) -> list[str]:
        return [contract.product.symbol for contract in recorded_contracts(AT, symbol)]

    assert (driven("ES"), driven("6E"), driven("M6E"), driven("ZN")) == (["ES", "MES"], ["6E"], ["E7", "M6E"], ["ZN"])


def test_the_exchange_tells_the_bars_that_it_plays(tmp_path: Path) -> None:
    recording = replay.read(written(tmp_path / "bars.csv", *MINUTES), "6E")

    async def main() -> None:
        network = MemoryNetwork()
        clock = VirtualClock(asyncio.get_running_loop(), AT)
        settings = ExchangeSettings(symbols=("6E", "MES"), hours=Hours.EXCHANGE)
        exchange = Exchange(settings, MemoryStore(1_500), clock, recording)
        await exchange.start(network, "127.0.0.1", 0)
        client = await Client(network, exchange.url).login(exchange)
        await asyncio.sleep(180)
        euro = exchange._venue.book.markets["CON.F.US.EU6.H24"]  # noqa: SLF001
        assert euro.volume == 205 + 86
        asked = {"contractId": "CON.F.US.EU6.H24", "live": False, "unit": 2, "unitNumber": 1, "limit": 9}
        span = {"startTime": "2024-01-01T00:00:00Z", "endTime": "2024-01-03T00:00:00Z", "includePartialBar": True}
        told = (await client.ok("History/retrieveBars", **asked, **span))["bars"]
        lines = [f"{bar['t'][:19]},{bar['o']},{bar['h']},{bar['l']},{bar['c']},{bar['v']}" for bar in told]
        assert lines[::-1] == [line.replace(" ", "T") for line in MINUTES]
        await exchange.close()
        await network.close()

    run(main())


@pytest.mark.slow
def test_a_month_of_real_minutes_comes_out_as_it_went_in() -> None:
    if not FILE.exists():
        pytest.skip("the recorded month of 6E is not beside the project")
    recording = replay.read(FILE, "6E")
    contract = known_contract("CON.F.US.EU6.H24")
    with gzip.open(FILE, "rt") as text:
        lines = text.read().splitlines()[1:]
    feed = Replay(recording, Walk(1))
    market = feed.opening(contract, recording.first_ns - 1, "2024-01-02")
    moved = feed.move(market, contract, recording.last_ns, "2024-01-02", is_open=True)
    minutes = [*moved.minutes, *([moved.market.bar] if moved.market.bar else [])]
    assert len(minutes) == len(lines)
    assert sum(bar.volume for bar in minutes) == sum(int(line.rpartition(",")[2]) for line in lines)
    assert [bar.close for bar in minutes] == [contract.ticks(Decimal(line.split(",")[4])) for line in lines]
