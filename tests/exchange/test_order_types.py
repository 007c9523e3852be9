"""Trailing stops and orders that join a touch. The market is 1,000 at 1,001, last 1,000, in ticks."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import pytest

from ordergate.exchange import listing, wire
from ordergate.exchange.enums import OrderSide, OrderStatus, OrderType
from ordergate.exchange.models import BracketRequest, ModifyRequest, PlaceRequest
from ordergate.exchange.orders import Order
from ordergate.exchange.venue import Answer
from tests.exchange.support import ACCOUNT, MES, Desk

BUY, SELL = OrderSide.BID, OrderSide.ASK


def asked(desk: Desk, order_type: OrderType, side: OrderSide, *, trail: int | None = None, **more: Any) -> Answer:
    return desk.venue.place(PlaceRequest(ACCOUNT, MES, order_type, side, 1, trail_price=desk.price(trail), **more))


def placed(desk: Desk, order_type: OrderType, side: OrderSide, *, trail: int | None = None, **more: Any) -> int:
    answer = asked(desk, order_type, side, trail=trail, **more)
    assert (answer.code, answer.text) == (0, None)
    assert answer.order_id is not None
    return answer.order_id


def resting(desk: Desk, order_id: int) -> Order:
    return desk.venue.book.orders[order_id]


@pytest.mark.parametrize(("side", "trail"), [(SELL, 990), (SELL, 1_010), (BUY, 1_010), (BUY, 990)])
def test_the_distance_of_a_trailing_stop_is_that_of_its_price_from_the_last_trade(side: OrderSide, trail: int) -> None:
    desk = Desk()
    order = resting(desk, placed(desk, OrderType.TRAILING_STOP, side, trail=trail))
    assert (order.trail_ticks, order.stop_ticks) == (10, 1_010 if side is BUY else 990)
    model = wire.order_model(order, listing.known_contract(MES), wire.REST_DIGITS)
    assert (model.trail_distance, model.trail_price, model.type) == (10, Decimal("2.5"), 5)


def test_a_trailing_stop_follows_the_trades_and_never_goes_back() -> None:
    desk = Desk()
    sell = placed(desk, OrderType.TRAILING_STOP, SELL, trail=990)
    desk.market(1_019, 1_020, [1_005, 1_020])
    assert resting(desk, sell).stop_ticks == 1_010
    desk.market(1_011, 1_012, [1_012])
    assert resting(desk, sell).stop_ticks == 1_010
    desk.market(1_008, 1_009, [1_010])
    assert desk.order(sell).status is OrderStatus.FILLED
    assert desk.fill_prices() == [1_008]


def test_a_trailing_stop_to_buy_follows_the_market_down() -> None:
    desk = Desk()
    buy = placed(desk, OrderType.TRAILING_STOP, BUY, trail=1_010)
    desk.market(979, 980, [980])
    assert resting(desk, buy).stop_ticks == 990
    desk.market(984, 985, [985])
    assert resting(desk, buy).stop_ticks == 990
    desk.market(989, 990, [990])
    assert desk.fill_prices() == [990]


def test_quotes_alone_do_not_take_a_trailing_stop_along() -> None:
    desk = Desk()
    sell = placed(desk, OrderType.TRAILING_STOP, SELL, trail=990)
    desk.market(1_050, 1_051)
    assert resting(desk, sell).stop_ticks == 990


def test_a_step_that_trades_both_ways_is_taken_at_the_old_price_first() -> None:
    desk = Desk()
    sell = placed(desk, OrderType.TRAILING_STOP, SELL, trail=990)
    desk.market(1_011, 1_012, [1_020, 995])
    assert resting(desk, sell).stop_ticks == 1_010
    desk.market(1_002, 1_003, [1_003])
    assert desk.order(sell).status is OrderStatus.FILLED


def test_a_modified_trail_is_measured_anew_without_a_maximum() -> None:
    desk = Desk()
    sell = placed(desk, OrderType.TRAILING_STOP, SELL, trail=990)
    desk.market(1_499, 1_500, [1_500])
    answer = desk.venue.modify(ModifyRequest(ACCOUNT, sell, trail_price=desk.price(300)))
    assert answer == Answer()
    assert (resting(desk, sell).trail_ticks, resting(desk, sell).stop_ticks) == (1_200, 300)
    assert desk.venue.modify(ModifyRequest(ACCOUNT, sell, size=3)) == Answer()
    assert (resting(desk, sell).quantity, resting(desk, sell).trail_ticks) == (3, 1_200)


def test_the_stop_of_a_bracket_can_trail() -> None:
    desk = Desk()
    entry = placed(
        desk, OrderType.MARKET, BUY, custom_tag="e", stop_loss_bracket=BracketRequest(-8, OrderType.TRAILING_STOP)
    )
    stop = resting(desk, entry + 1)
    assert (stop.type, stop.stop_ticks, stop.trail_ticks, stop.tag) == (OrderType.TRAILING_STOP, 993, 8, "e-SL")
    desk.market(1_019, 1_020, [1_020])
    assert resting(desk, entry + 1).stop_ticks == 1_012
    desk.market(1_012, 1_013, [1_012])
    assert desk.net() == 0


def test_an_order_that_joins_rests_at_the_touch_of_its_side_as_it_was() -> None:
    desk = Desk()
    bid = placed(desk, OrderType.JOIN_BID, BUY)
    ask = placed(desk, OrderType.JOIN_ASK, SELL)
    assert (resting(desk, bid).limit_ticks, resting(desk, ask).limit_ticks) == (1_000, 1_001)
    desk.market(995, 999, [999])
    assert desk.statuses(bid, ask) == [OrderStatus.FILLED, OrderStatus.OPEN]
    assert desk.fill_prices() == [1_000]
    assert desk.venue.modify(ModifyRequest(ACCOUNT, ask, limit_price=desk.price(1_003))) == Answer()
    assert desk.venue.modify(ModifyRequest(ACCOUNT, ask, size=2)) == Answer()
    order = resting(desk, ask)
    assert (order.type, order.limit_ticks, order.quantity) == (OrderType.JOIN_ASK, 1_003, 2)
