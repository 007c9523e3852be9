"""The simulated market: the numbers of ``exchange.market``, and the bars made of it."""

from __future__ import annotations

import datetime
import itertools
import statistics

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from ordergate.core.contracts import PRODUCT_BY_SYMBOL
from ordergate.exchange import bars, hours, listing
from ordergate.exchange.activity import activity
from ordergate.exchange.enums import BarUnit, OrderSide
from ordergate.exchange.levels import LEVELS
from ordergate.exchange.market import HISTORY_MIN, Bar, Market, Moved, Walk, rolled, scaled
from ordergate.exchange.store import MINUTE_NS
from tests.exchange.support import MONDAY_NS

DAY = "2026-11-23"
STEP_NS = 250_000_000
JUMP = 4_069  # a step of seed 1 at which the indices jump


def contract(symbol: str) -> listing.Contract:
    return listing.Contract(PRODUCT_BY_SYMBOL[symbol], 2026, 12)


def begun(symbol: str, seed: int, now_ns: int = MONDAY_NS) -> Market:
    return Walk(seed).opening(contract(symbol), now_ns, DAY)


def moved(market: Market, symbol: str, seed: int, now_ns: int, day: str = DAY) -> Moved:
    return Walk(seed).move(market, contract(symbol), now_ns, day, is_open=True)


def walked(symbol: str, seed: int, steps: int) -> list[Market]:
    market = begun(symbol, seed)
    path = [market]
    for number in range(steps):
        market = moved(market, symbol, seed, MONDAY_NS + number * STEP_NS).market
        path.append(market)
    return path


def at(text: str) -> int:
    return int(datetime.datetime.fromisoformat(text).timestamp()) * 1_000_000_000


def test_every_product_has_a_level() -> None:
    assert set(LEVELS) == set(PRODUCT_BY_SYMBOL)


def test_the_same_seed_gives_the_same_prices_and_another_seed_others() -> None:
    assert walked("MES", 1, 200) == walked("MES", 1, 200)
    assert walked("MES", 1, 200)[-1] != walked("MES", 2, 200)[-1]


def test_every_size_of_a_product_goes_the_same_way_with_sizes_and_trades_of_its_own() -> None:
    large, small = walked("ES", 1, 500), walked("MES", 1, 500)
    assert [state.fair for state in large] == [state.fair for state in small]
    assert [state.volume for state in large] != [state.volume for state in small]
    oil, minis = walked("CL", 1, 500), walked("QM", 1, 500)
    assert all(abs(one.fair * 10 - two.fair * 25) < 20 * 25 for one, two in zip(oil, minis, strict=True))


def correlation(first: str, second: str) -> float:
    """Of their moves in a step."""
    moves = []
    for symbol in (first, second):
        path = walked(symbol, 7, 6_000)
        moves.append([after.fair - before.fair for before, after in itertools.pairwise(path)])
    return statistics.correlation(*moves)


@given(st.integers(-(10**12), 10**12), st.integers(1, 10**6))
def test_a_move_is_rounded_the_same_way_up_and_down_so_that_a_day_does_not_drift(value: int, over: int) -> None:
    assert scaled(-value, over) == -scaled(value, over)
    assert abs(scaled(value, over) * over - value) < over


def test_indices_move_together_and_oil_does_not_go_with_them() -> None:
    assert 0.75 < correlation("ES", "NQ") < 0.95
    assert 0.75 < correlation("MES", "MYM") < 0.95
    assert abs(correlation("ES", "CL")) < 0.1


def test_the_morning_in_new_york_is_livelier_than_the_evening() -> None:
    def activity_from(at_ns: int) -> tuple[float, int]:
        market = begun("MES", 1)
        bids = [market.bid]
        for number in range(2_000):
            market = moved(market, "MES", 1, at_ns + number * STEP_NS).market
            bids.append(market.bid)
        return statistics.stdev(bids), market.volume

    evening, morning = activity_from(at("2026-11-23T19:00:00-06:00")), activity_from(at("2026-11-23T08:30:00-06:00"))
    assert morning[0] > 2 * evening[0]
    assert morning[1] > 4 * evening[1]


def test_over_a_trading_day_activity_is_what_is_usual() -> None:
    start = at("2026-11-23T17:00:00-06:00")
    day = [activity(start + minute * 60_000_000_000) for minute in range(23 * 60)]
    assert 0.95 < statistics.fmean((each.move / 1_000) ** 2 for each in day) < 1.05
    assert 0.95 < statistics.fmean(each.volume / 1_000 for each in day) < 1.05


def test_a_jump_that_is_too_far_makes_the_market_pause_for_some_seconds() -> None:
    calm, hot = (msgspec.structs.replace(begun("MES", 1), number=JUMP, heat=heat) for heat in (1_000, 9_000))
    assert moved(calm, "MES", 1, MONDAY_NS).market.resumes_ns == 0
    pause_ns = moved(hot, "MES", 1, MONDAY_NS).market.resumes_ns - MONDAY_NS
    assert 2 <= pause_ns / 1_000_000_000 <= 10
    assert moved(hot, "ES", 1, MONDAY_NS).market.resumes_ns > MONDAY_NS


def test_the_walk_is_the_same_on_every_machine() -> None:
    last = walked("MES", 1, 1_000)[-1]
    assert (last.fair, last.bid, last.ask, last.volume) == (30303789, 30303, 30304, 23850)


@given(st.sampled_from(sorted(LEVELS)), st.integers(0, 2**32))
def test_a_stored_market_continues_as_if_it_had_never_stopped(symbol: str, seed: int) -> None:
    path = walked(symbol, seed, 20)
    stored = msgspec.json.decode(msgspec.json.encode(path[10]), type=Market)
    for number in range(10, 20):
        stored = moved(stored, symbol, seed, MONDAY_NS + number * STEP_NS).market
    assert stored == path[20]


@given(st.sampled_from(sorted(LEVELS)), st.integers(0, 2**32))
def test_a_market_is_never_crossed_or_empty_and_trades_at_its_touches(symbol: str, seed: int) -> None:
    market = begun(symbol, seed)
    for number in range(50):
        after = moved(market, symbol, seed, MONDAY_NS + number * STEP_NS)
        market, prints = after.market, after.prints
        assert market.bid < market.ask
        assert min(market.bid_size, market.ask_size) >= 1
        assert market.low <= market.last <= market.high
        for trade in prints:
            assert trade.price == (market.ask if trade.side is OrderSide.BID else market.bid)
            assert trade.quantity >= 1


def test_an_hour_of_the_market_moves_as_far_as_an_hour_should_and_volatility_comes_in_clusters() -> None:
    path = walked("MES", 3, 4 * 3_600)
    points = (max(state.high for state in path) - min(state.low for state in path)) / 4
    assert 5 < points < 100
    assert max(state.heat for state in path) > 2_000
    assert min(state.heat for state in path) < 700
    assert sum(before.bid != after.bid for before, after in itertools.pairwise(path)) > 3_000


@pytest.mark.parametrize(("part", "times"), [(1, 2), (2, 1)])
def test_a_price_never_leaves_half_to_double_of_its_level(part: int, times: int) -> None:
    level = int(LEVELS["MES"].price * 4) * 1_000
    market = msgspec.structs.replace(walked("MES", 1, 1)[-1], fair=level * times // part)
    for number in range(100):
        market = moved(market, "MES", 1, MONDAY_NS + number * STEP_NS).market
        assert level // 2 <= market.fair <= level * 2


def test_a_new_trading_day_starts_its_figures_afresh_and_keeps_the_price() -> None:
    before = walked("MES", 1, 100)[-1]
    after = moved(before, "MES", 1, MONDAY_NS, "2026-11-24").market
    assert (after.settlement, after.open, after.day) == (before.last, before.last, "2026-11-24")
    assert after.volume < before.volume
    assert abs(after.bid - before.bid) < 20


def test_the_next_month_starts_where_the_month_before_stands() -> None:
    before = walked("MES", 1, 100)[-1]
    after = rolled(before, "CON.F.US.MES.H27", MONDAY_NS, DAY)
    assert (after.fair, after.contract_id, after.number) == (before.fair, "CON.F.US.MES.H27", 0)


def test_the_trades_of_a_minute_are_its_bar() -> None:
    market = begun("MES", 1)
    prices, volume = [], 0
    for number in range(240):
        after = moved(market, "MES", 1, MONDAY_NS + number * STEP_NS)
        market = after.market
        prices += [trade.price for trade in after.prints]
        volume += sum(trade.quantity for trade in after.prints)
        assert after.minutes == ()
    minute = Bar(MONDAY_NS, prices[0], max(prices), min(prices), prices[-1], volume)
    assert market.bar == minute
    while market.bar == minute:
        after = moved(market, "MES", 1, MONDAY_NS + MINUTE_NS)
        market = after.market
    assert after.minutes == (minute,)
    assert market.bar is not None
    assert (market.bar.start_ns, market.bar.open) == (MONDAY_NS + MINUTE_NS, after.prints[0].price)


def test_a_closed_market_stands_still() -> None:
    market = begun("MES", 1)
    assert Walk(1).move(market, contract("MES"), MONDAY_NS, DAY, is_open=False) == Moved(market)


@pytest.mark.parametrize("symbol", sorted(LEVELS))
def test_a_new_market_has_a_past_of_minutes_that_ends_where_it_opens(symbol: str) -> None:
    market = begun(symbol, 5, MONDAY_NS + 20_000_000_000)
    past = Walk(5).history(market, contract(symbol))
    assert [bar.start_ns for bar in past] == [MONDAY_NS - number * MINUTE_NS for number in range(HISTORY_MIN, 0, -1)]
    assert past[-1].close == market.open
    assert all(before.close == after.open for before, after in itertools.pairwise(past))
    assert all(bar.low <= min(bar.open, bar.close) <= max(bar.open, bar.close) <= bar.high for bar in past)
    assert min(bar.volume for bar in past) >= 1
    assert min(bar.low for bar in past) > 0
    assert max(bar.high for bar in past) > min(bar.low for bar in past)


def test_the_past_is_as_lively_as_what_follows() -> None:
    past = Walk(5).history(begun("MES", 5), contract("MES"))
    market, minutes = begun("MES", 5), list[Bar]()
    for number in range(30 * 240):
        after = moved(market, "MES", 5, MONDAY_NS + number * STEP_NS)
        market = after.market
        minutes += after.minutes
    then = [bar for bar in past if activity(bar.start_ns) == activity(MONDAY_NS)]
    for figure in (lambda bar: bar.high - bar.low, lambda bar: bar.volume):
        mean_past, mean_live = (sum(map(figure, bars)) / len(bars) for bars in (then, minutes))
        assert mean_live / 2 < mean_past < mean_live * 2


def test_the_past_of_a_market_is_always_the_same_and_that_of_a_rolled_one_is_not_invented() -> None:
    market = begun("MES", 5)
    later = msgspec.structs.replace(walked("MES", 5, 50)[-1], day="2026-11-24")
    assert Walk(5).history(market, contract("MES")) == Walk(5).history(later, contract("MES"))
    assert Walk(5).history(rolled(market, market.contract_id, MONDAY_NS, DAY), contract("MES")) == ()


MINUTES = [
    Bar(at("2026-11-23T15:00:00+00:00") + number * MINUTE_NS, number, number + 5, number - 5, number + 1, 10)
    for number in range(120)
]


@pytest.mark.parametrize(
    ("unit", "unit_number", "count", "first_start"),
    [
        (BarUnit.MINUTE, 1, 120, "2026-11-23T15:00:00+00:00"),
        (BarUnit.MINUTE, 5, 24, "2026-11-23T15:00:00+00:00"),
        (BarUnit.HOUR, 1, 2, "2026-11-23T15:00:00+00:00"),
        (BarUnit.HOUR, 4, 2, "2026-11-23T12:00:00+00:00"),
        (BarUnit.DAY, 1, 1, "2026-11-22T23:00:00+00:00"),
        (BarUnit.WEEK, 1, 1, "2026-11-22T23:00:00+00:00"),
        (BarUnit.MONTH, 1, 1, "2026-10-31T22:00:00+00:00"),
    ],
)
def test_minutes_become_bars_of_any_unit(unit: BarUnit, unit_number: int, count: int, first_start: str) -> None:
    made = bars.aggregated(MINUTES, unit, unit_number)
    assert len(made) == count
    assert made[0].start_ns == at(first_start)
    assert (made[0].open, made[-1].close) == (0, 120)
    assert sum(bar.volume for bar in made) == 1_200
    assert (max(bar.high for bar in made), min(bar.low for bar in made)) == (124, -5)


@pytest.mark.parametrize(
    ("instant", "is_open", "day"),
    [
        ("2026-11-20T21:59:59+00:00", True, "2026-11-20"),
        ("2026-11-20T22:00:00+00:00", False, "2026-11-20"),
        ("2026-11-21T12:00:00+00:00", False, "2026-11-23"),
        ("2026-11-22T22:59:59+00:00", False, "2026-11-23"),
        ("2026-11-22T23:00:00+00:00", True, "2026-11-23"),
        ("2026-11-23T21:59:59+00:00", True, "2026-11-23"),
        ("2026-11-23T22:00:00+00:00", False, "2026-11-23"),
        ("2026-11-23T23:00:00+00:00", True, "2026-11-24"),
        ("2026-07-01T21:30:00+00:00", False, "2026-07-01"),
        ("2026-07-01T22:30:00+00:00", True, "2026-07-02"),
    ],
)
def test_the_exchange_is_open_from_17_to_16_chicago_time_and_closed_on_weekends(
    *, instant: str, is_open: bool, day: str
) -> None:
    assert hours.is_open(PRODUCT_BY_SYMBOL["MES"], at(instant)) is is_open
    assert hours.trading_day(at(instant)).isoformat() == day


def test_a_trading_day_starts_at_17_chicago_time_of_the_day_before() -> None:
    assert hours.trading_day_start_ns(datetime.date(2026, 11, 23)) == at("2026-11-22T23:00:00+00:00")
    assert hours.trading_day_start_ns(datetime.date(2026, 7, 2)) == at("2026-07-01T22:00:00+00:00")


@pytest.mark.parametrize(
    ("text", "names"),
    [("NQ", ["NQZ6", "MNQZ6", "QMF7", "QGF7"]), ("mesz", ["MESZ6"]), ("nothing", [])],
)
def test_a_search_looks_into_ids_and_names_without_case(text: str, names: list[str]) -> None:
    listed = listing.listed((), datetime.date(2026, 11, 23))
    assert [found.name for found in listing.search(listed.values(), text)] == names


def test_a_search_finds_at_most_twenty() -> None:
    listed = listing.listed((), datetime.date(2026, 11, 23))
    assert len(listing.search(listed.values(), "CON")) == 20
