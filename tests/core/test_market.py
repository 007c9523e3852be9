"""Which prices are believed, and what time it is by the venue's own word."""

from __future__ import annotations

import pytest
from msgspec.structs import replace

from ordergate.core.limits import Limits
from ordergate.core.market import Market, fresh, fresh_quotes
from ordergate.core.reports import Quote
from tests.core.desk import MES, MNQ, MS_NS, SECOND_NS

NOW = 1_000_000 * SECOND_NS
LIMITS = Limits(quote_age_ms_max=5_000)
PLAIN = Quote(MES.contract_id, 20_000, 20_001, 20_000, NOW, NOW)


def market(*quotes: Quote, at_ns: int = NOW) -> Market:
    return Market({quote.contract_id: quote for quote in quotes}, at_ns)


@pytest.mark.parametrize(
    ("changed", "believed"),
    [
        ({}, True),
        ({"at_ns": NOW - 5_000 * MS_NS}, True),
        ({"at_ns": NOW - 5_000 * MS_NS - 1}, False),
        ({"bid_ticks": None}, False),
        ({"ask_ticks": None}, False),
        ({"ask_ticks": 20_000}, True),  # locked
        ({"ask_ticks": 19_999}, False),  # crossed
        ({"last_ticks": None}, True),
        ({"last_ticks": 20_199}, True),  # 199 of at most 201: 1 % of the last trade
        ({"last_ticks": 20_203}, False),
        ({"last_ticks": 19_803}, True),
        ({"last_ticks": 19_802}, False),
    ],
)
def test_a_price_is_believed_when_it_is_two_sided_fresh_and_near_the_last_trade(
    *, changed: dict[str, int | None], believed: bool
) -> None:
    quote = replace(PLAIN, **changed)
    assert market(quote).of(MES, LIMITS) == (quote if believed else None)


def test_a_contract_without_a_quote_has_no_price() -> None:
    assert market(PLAIN).of(MNQ, LIMITS) is None
    assert market().fresh(MES.contract_id, 5_000) is None


def test_near_zero_the_default_stop_distance_is_near() -> None:
    assert market(replace(PLAIN, bid_ticks=-40, ask_ticks=-39, last_ticks=0)).of(MES, LIMITS) is not None
    assert market(replace(PLAIN, bid_ticks=-41, ask_ticks=-39, last_ticks=0)).of(MES, LIMITS) is None


def test_without_a_limit_on_jumps_any_distance_is_near() -> None:
    far = replace(PLAIN, last_ticks=1)
    assert market(far).of(MES, replace(LIMITS, quote_jump_percent_max=None)) == far


def test_fresh_alone_does_not_ask_for_the_last_trade() -> None:
    far = replace(PLAIN, last_ticks=1)
    old = replace(PLAIN, contract_id=MNQ.contract_id, at_ns=NOW - 5_001 * MS_NS)
    assert market(far).fresh(MES.contract_id, 5_000) == far
    assert fresh(replace(far, ask_ticks=19_999), 5_000, NOW) is None
    assert fresh(replace(far, ask_ticks=20_000), 5_000, NOW) is not None, "locked"
    assert fresh(replace(far, bid_ticks=None), 5_000, NOW) is None
    assert fresh(replace(far, ask_ticks=None), 5_000, NOW) is None
    assert fresh(far, 5_000, NOW + 5_000 * MS_NS) == far
    assert fresh(far, 5_000, NOW + 5_000 * MS_NS + 1) is None
    assert fresh_quotes({"a": far, "b": old}, 5_000, NOW) == {"a": far}


def test_the_venues_time_is_its_latest_word_and_what_has_passed_since_we_heard_it() -> None:
    ahead = 3_600 * SECOND_NS
    old = replace(PLAIN, contract_id=MNQ.contract_id, venue_ns=NOW - ahead)
    heard = replace(PLAIN, at_ns=NOW - SECOND_NS, venue_ns=NOW + ahead)
    assert market(old, heard).venue_now_ns == NOW + ahead + SECOND_NS
    assert market(old, heard).instants == (NOW, NOW + ahead + SECOND_NS)


@pytest.mark.parametrize("age_ms", [-1, 10_001])
def test_a_word_that_our_own_clock_cannot_place_says_nothing(age_ms: int) -> None:
    quote = replace(PLAIN, at_ns=NOW - age_ms * MS_NS, venue_ns=NOW)
    assert market(quote).venue_now_ns is None
    assert market(quote).instants == (NOW,)


def test_where_the_venue_has_put_no_time_on_its_quotes_nothing_is_known_of_it() -> None:
    assert market(replace(PLAIN, venue_ns=0)).venue_now_ns is None
    assert market().venue_now_ns is None


def test_up_to_a_second_apart_the_clocks_are_the_same() -> None:
    assert market(replace(PLAIN, venue_ns=NOW - SECOND_NS)).instants == (NOW,)
    assert market(replace(PLAIN, venue_ns=NOW - SECOND_NS - 1)).instants == (NOW, NOW - SECOND_NS - 1)
