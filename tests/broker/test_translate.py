"""The broker's messages in, core reports out, with payloads as the ProjectX API notes give them (2026-11-22)."""

from __future__ import annotations

import contextlib
import re
from decimal import Decimal
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from ordergate.broker.projectx import messages, translate
from ordergate.core.instrument import Instrument
from ordergate.core.order import OrderType, Side, Terms
from ordergate.core.reports import OrderState, Quote
from ordergate.errors import InputRefused

MNQ = Instrument(
    contract_id="CON.F.US.MNQ.U26",
    symbol="MNQ",
    name="MNQU6",
    tick_size=Decimal("0.25"),
    tick_value_usd=Decimal("0.50"),
    fee_usd=Decimal("0.36"),
)
YEN = msgspec.structs.replace(MNQ, contract_id="CON.F.US.JY6.U26", symbol="6J", tick_size=Decimal("0.0000005"))

# Section 8.4: a rejected market order, as captured; null members are left out.
REJECTED_ORDER = (
    b'{"id":3400000001,"accountId":101,"contractId":"CON.F.US.MNQ.U26","symbolId":"F.US.MNQ",'
    b'"creationTimestamp":"2026-08-19T20:49:25.3938333+00:00","updateTimestamp":"2026-08-19T20:49:25.3962105+00:00",'
    b'"status":5,"type":2,"side":1,"size":1,"fillVolume":0,"customTag":"t1"}'
)
# Section 5: REST prints explicit nulls and up to nine digits.
OPEN_LIMIT = (
    b'{"id":26974,"accountId":101,"contractId":"CON.F.US.MNQ.U26","symbolId":"F.US.MNQ",'
    b'"creationTimestamp":"2026-08-19T20:49:25Z","updateTimestamp":null,"status":1,"type":1,"side":0,"size":3,'
    b'"limitPrice":6335.250000000,"stopPrice":null,"fillVolume":1,"filledPrice":null,"customTag":null}'
)
# Section 5.6: a short of 29423 closed at 29398.5 by a buy.
CLOSING_TRADE = (
    b'{"id":3000000001,"accountId":101,"contractId":"CON.F.US.MNQ.U26","creationTimestamp":'
    b'"2026-08-19T20:50:00.1234567+00:00","price":29398.5,"profitAndLoss":-49,"fees":0.36,"commissions":0.25,'
    b'"side":0,"size":1,"voided":false,"orderId":3400000002}'
)


def order(text: bytes = OPEN_LIMIT, **changes: Any) -> messages.Order:
    return msgspec.structs.replace(msgspec.json.decode(text, type=messages.Order), **changes)


def trade(**changes: Any) -> messages.Trade:
    return msgspec.structs.replace(msgspec.json.decode(CLOSING_TRADE, type=messages.Trade), **changes)


def position(**changes: Any) -> messages.Position:
    row = messages.Position(101, "CON.F.US.MNQ.U26", type=1, size=2, average_price=Decimal("29423.125"))
    return msgspec.structs.replace(row, **changes)


def test_an_order_with_its_nulls_left_out_is_read() -> None:
    report = translate.order_report(order(REJECTED_ORDER), MNQ)
    assert report.broker_order_id == 3_400_000_001
    assert report.order_tag == "t1"
    assert (report.side, report.order_type, report.state) == (Side.SELL, OrderType.MARKET, OrderState.REJECTED)
    assert (report.limit_ticks, report.stop_ticks) == (None, None)
    assert report.created_ns == 1_787_172_565_393_833_300


def test_an_order_with_its_nulls_written_out_is_read() -> None:
    report = translate.order_report(order(), MNQ)
    assert report.order_tag is None
    assert report.limit_ticks == 25_341
    assert (report.quantity, report.filled_quantity) == (3, 1)
    assert report.created_ns == 1_787_172_565_000_000_000


@pytest.mark.parametrize("status", [1, 6, 7])
def test_open_and_pending_orders_are_open(status: int) -> None:
    assert translate.order_report(order(status=status), MNQ).state is OrderState.OPEN


def test_a_child_that_sleeps_is_told_apart_and_names_its_parent() -> None:
    report = translate.order_report(order(status=8, parent_order_id=26973), MNQ)
    assert (report.state, report.parent_id) == (OrderState.SUSPENDED, 26973)


@pytest.mark.parametrize(
    ("field", "value"), [("status", 0), ("status", 9), ("type", 0), ("type", 8), ("side", 2), ("side", -1)]
)
def test_an_unknown_value_of_an_order_is_refused_and_never_defaulted(field: str, value: int) -> None:
    with pytest.raises(InputRefused, match=f"{field} {value} is no known"):
        translate.order_report(order(OPEN_LIMIT, **{field: value}), MNQ)


@pytest.mark.parametrize(
    ("row", "reason"),
    [
        (order(limit_price=Decimal("6335.30")), "not a multiple"),
        (order(stop_price=Decimal("NaN")), "finite"),
        (order(size=-1), "below 0"),
        (order(fill_volume=-1), "below 0"),
        (order(creation_timestamp="2026-08-19 20:49"), "instant"),
        (order(creation_timestamp="2026-08-19T20:49:25"), "zone"),
        (order(creation_timestamp="2026-13-19T20:49:25Z"), "month"),
    ],
)
def test_an_order_that_makes_no_sense_is_refused(row: messages.Order, reason: str) -> None:
    with pytest.raises(InputRefused, match=reason):
        translate.order_report(row, MNQ)


def test_a_rejected_order_is_read_without_the_price_it_may_have_been_rejected_for() -> None:
    report = translate.order_report(order(status=5, limit_price=Decimal("6335.30"), stop_price=Decimal("6335.25")), MNQ)
    assert (report.limit_ticks, report.stop_ticks) == (None, 25_341)


def test_a_traders_own_stop_limit_counts_as_a_limit_and_a_trailing_stop_as_a_stop() -> None:
    assert translate.order_report(order(type=3), MNQ).order_type is OrderType.LIMIT
    assert translate.order_report(order(type=5), MNQ).order_type is OrderType.STOP


def test_a_fill_keeps_the_brokers_gross_pnl_and_all_its_charges() -> None:
    report = translate.fill_report(trade(), MNQ)
    assert report.price_ticks == 117_594
    assert report.pnl_usd == Decimal(-49)
    assert report.fee_usd == Decimal("0.61")
    assert report.at_ns == 1_787_172_600_123_456_700


def test_an_opening_fill_has_no_pnl() -> None:
    assert translate.fill_report(trade(profit_and_loss=None, commissions=None), MNQ).pnl_usd is None


@pytest.mark.parametrize(
    ("row", "reason"),
    [
        (trade(price=Decimal("29398.4")), "not a multiple"),
        (trade(fees=Decimal(-1)), "below 0"),
        (trade(fees=Decimal("Infinity")), "finite"),
        (trade(profit_and_loss=Decimal("NaN")), "finite"),
        (trade(side=2), "side 2"),
    ],
)
def test_a_fill_that_makes_no_sense_is_refused(row: messages.Trade, reason: str) -> None:
    with pytest.raises(InputRefused, match=reason):
        translate.fill_report(row, MNQ)


def test_a_long_position_is_positive_and_a_short_one_negative() -> None:
    assert translate.position_report(position(), MNQ).net_quantity == 2
    assert translate.position_report(position(), MNQ).cost_ticks == 235_385
    short = translate.position_report(position(type=2), MNQ)
    assert (short.net_quantity, short.cost_ticks) == (-2, -235_385)


def test_a_flat_position_arrives_as_size_0_with_its_last_price() -> None:
    flat = translate.position_report(position(type=0, size=0), MNQ)
    assert (flat.net_quantity, flat.cost_ticks) == (0, 0)


@pytest.mark.parametrize("changes", [{"type": 0}, {"type": 3}, {"size": -1}, {"average_price": None}])
def test_a_position_without_direction_or_price_is_refused(changes: dict[str, object]) -> None:
    with pytest.raises(InputRefused):
        translate.position_report(position(**changes), MNQ)


@given(
    fills=st.lists(st.tuples(st.integers(-400_000, 400_000), st.integers(1, 50)), min_size=1, max_size=20),
    instrument=st.sampled_from([MNQ, YEN]),
)
def test_an_average_price_cut_after_nine_digits_still_gives_the_exact_cost(
    fills: list[tuple[int, int]], instrument: Instrument
) -> None:
    cost = sum(ticks * quantity for ticks, quantity in fills)
    size = sum(quantity for _, quantity in fills)
    printed = (instrument.tick_size * cost / size).quantize(Decimal("1e-12"))
    row = position(size=size, average_price=printed)
    assert translate.position_report(row, instrument).cost_ticks == cost


def test_a_partial_quote_changes_only_what_it_says() -> None:
    full = msgspec.json.decode(b'{"lastPrice":29423,"bestBid":29422.75,"bestAsk":29423.25}', type=messages.Quote)
    first = translate.merged_quote(None, full, MNQ, 1)
    said = msgspec.json.decode(
        b'{"symbol":"F.US.MNQ","bestBid":29423,"lastUpdated":"x","contract":"y"}', type=messages.Quote
    )
    assert translate.merged_quote(first, said, MNQ, 2) == Quote(MNQ.contract_id, 117_692, 117_693, 117_692, 2)


def test_the_time_on_a_quote_is_the_latest_that_can_be_read() -> None:
    quote = None
    for said in ("2026-11-23T18:00:00.5+00:00", "2026-11-23T17:00:00+00:00", "later", None):
        quote = translate.merged_quote(quote, messages.Quote(timestamp=said), MNQ, 1)
        assert quote.venue_ns == 1_795_456_800_500_000_000


def test_a_quote_that_never_named_a_last_price_has_none() -> None:
    quote = translate.merged_quote(None, messages.Quote(best_bid=Decimal(29_423)), MNQ, 1)
    assert (quote.bid_ticks, quote.ask_ticks, quote.last_ticks) == (117_692, None, None)


def test_an_off_grid_quote_is_refused() -> None:
    with pytest.raises(InputRefused):
        translate.merged_quote(None, messages.Quote(last_price=Decimal("29423.1")), MNQ, 1)


def test_a_contract_takes_symbol_and_fee_from_our_table_and_all_else_from_the_broker() -> None:
    row = messages.Contract(
        "CON.F.US.EP.U26", "ESU6", Decimal("0.25"), Decimal("12.5"), active_contract=True, symbol_id="F.US.EP"
    )
    found = translate.instrument(row)
    assert (found.symbol, found.name, found.fee_usd) == ("ES", "ESU6", Decimal("1.40"))
    assert (found.tick_size, found.tick_value_usd, found.active) == (Decimal("0.25"), Decimal("12.5"), True)


def test_a_product_that_is_not_in_our_table_goes_by_its_root_and_the_highest_fee() -> None:
    row = messages.Contract(
        "CON.F.US.NEW.U26", "NEWU6", Decimal(1), Decimal(1), active_contract=True, symbol_id="F.US.NEW"
    )
    found = translate.instrument(row)
    assert (found.symbol, found.fee_usd) == ("NEW", Decimal("2.50"))


@pytest.mark.parametrize("changes", [{"tick_size": Decimal("0.5")}, {"tick_value": Decimal(5)}])
def test_a_contract_whose_tick_is_another_in_our_table_is_told_with_both(changes: dict[str, Decimal]) -> None:
    row = messages.Contract(
        "CON.F.US.MES.Z26", "MESZ6", Decimal("0.25"), Decimal("1.25"), active_contract=True, symbol_id="F.US.MES"
    )
    assert translate.contradiction(row) == ""
    found = translate.contradiction(msgspec.structs.replace(row, **changes))
    assert re.search(r"the broker's tick is .*, ours 0\.25 = \$1\.25", found)


@pytest.mark.parametrize("value", ["0", "-1", "NaN", "Infinity"])
@pytest.mark.parametrize("field", ["tick_size", "tick_value"])
def test_a_contract_without_a_tick_is_refused(field: str, value: str) -> None:
    row = messages.Contract("C", "N", Decimal(1), Decimal(1), active_contract=True, symbol_id="F.US.EP")
    with pytest.raises(InputRefused):
        translate.instrument(msgspec.structs.replace(row, **{field: Decimal(value)}))


def test_a_place_body_has_exact_numbers_and_leaves_out_what_is_none() -> None:
    terms = Terms(101, MNQ.contract_id, Side.SELL, 2, OrderType.STOP, stop_ticks=117_693)
    assert messages.encoded(translate.place_body(terms, "tag-1", MNQ)) == (
        b'{"accountId":101,"contractId":"CON.F.US.MNQ.U26","type":4,"side":1,"size":2,"customTag":"tag-1",'
        b'"stopPrice":29423.25}'
    )


def test_a_modify_body_is_the_orders_whole_new_look() -> None:
    terms = Terms(101, MNQ.contract_id, Side.BUY, 3, OrderType.LIMIT, limit_ticks=117_692)
    assert messages.encoded(translate.modify_body(terms, 3_400_000_001, MNQ)) == (
        b'{"accountId":101,"orderId":3400000001,"size":3,"limitPrice":29423.00}'
    )


@given(ticks=st.integers(-40_000_000, 40_000_000), instrument=st.sampled_from([MNQ, YEN]))
def test_a_price_that_leaves_and_comes_back_is_the_same(ticks: int, instrument: Instrument) -> None:
    terms = Terms(101, instrument.contract_id, Side.BUY, 1, OrderType.LIMIT, limit_ticks=ticks)
    wire = messages.encoded(translate.place_body(terms, "t", instrument))
    price = msgspec.json.decode(wire, type=messages.PlaceBody).limit_price
    assert price is not None
    assert instrument.ticks(price, "limitPrice") == ticks


@given(st.integers(0, 4_000_000_000_000_000_000))
def test_an_instant_is_never_written_later_than_it_is(at_ns: int) -> None:
    assert 0 <= at_ns - translate.instant_ns(translate.instant(at_ns)) < 1000


@pytest.mark.parametrize(
    ("argument", "rows"),
    [
        (b'{"action":1,"data":{"id":1}}', [b'{"id":1}']),
        (b'{"id":1}', [b'{"id":1}']),
        (b'[{"id":1},null,{"action":0,"data":{"id":2}}]', [b'{"id":1}', b'{"id":2}']),
        (b"null", []),
        (b"[]", []),
    ],
)
def test_hub_arguments_are_read_wrapped_or_bare_one_or_many(argument: bytes, rows: list[bytes]) -> None:
    assert [bytes(row) for row in messages.hub_rows(msgspec.Raw(argument))] == rows


@pytest.mark.parametrize("argument", [b"1", b'"x"', b"[1]", b"{", b"true"])
def test_a_hub_argument_that_is_no_object_is_refused(argument: bytes) -> None:
    with pytest.raises(InputRefused):
        messages.hub_rows(msgspec.Raw(argument))


@given(st.binary(max_size=60))
def test_no_bytes_at_all_make_the_reader_of_hub_arguments_crash(argument: bytes) -> None:
    with contextlib.suppress(InputRefused):
        messages.hub_rows(msgspec.Raw(argument))
