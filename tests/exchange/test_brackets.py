"""Native brackets on the desk: section 6 of the API notes, and the numbers of ``exchange.brackets``."""

from __future__ import annotations

import pytest

from ordergate.exchange.accounts import Account, Fill, Position
from ordergate.exchange.enums import OrderSide, OrderStatus, OrderType
from ordergate.exchange.models import BracketRequest, CloseRequest, ModifyRequest, OrderRequest, PlaceRequest
from ordergate.exchange.orders import Order
from ordergate.exchange.settings import BracketMode
from ordergate.exchange.variants import Variant
from tests.exchange.support import ACCOUNT, MES, Desk

BUY, SELL = OrderSide.BID, OrderSide.ASK
OPEN, FILLED, CANCELLED = OrderStatus.OPEN, OrderStatus.FILLED, OrderStatus.CANCELLED
PENDING, SUSPENDED = OrderStatus.PENDING, OrderStatus.SUSPENDED


def bracket(side: OrderSide, loss: int, profit: int, size: int = 1) -> PlaceRequest:
    return PlaceRequest(
        account_id=ACCOUNT,
        contract_id=MES,
        type=OrderType.MARKET,
        side=side,
        size=size,
        stop_loss_bracket=BracketRequest(loss, OrderType.STOP),
        take_profit_bracket=BracketRequest(profit, OrderType.LIMIT),
    )


def test_a_market_entry_with_a_bracket_lives_as_it_was_seen_to() -> None:
    desk = Desk()
    desk.published.clear()
    entry = desk.place(BUY, 2, tag="t", loss=-8, profit=12)
    stop, target = entry + 1, entry + 2
    seen = [
        (event.order_id - entry, event.status) if isinstance(event, Order) else type(event) for event in desk.published
    ]
    assert seen == [
        (1, SUSPENDED),
        (0, PENDING),
        (2, SUSPENDED),
        (0, FILLED),
        Fill,
        Position,
        Account,
        (2, OPEN),
        (1, OPEN),
    ]
    assert [desk.order(leg).tag for leg in (entry, stop, target)] == ["t", "t-SL", "t-TP"]
    assert [desk.order(leg).parent_id for leg in (entry, stop, target)] == [None, entry, entry]
    assert (desk.order(stop).stop_ticks, desk.order(target).limit_ticks) == (1_001 - 8, 1_001 + 12)
    assert [(leg.type, leg.side, leg.quantity) for leg in map(desk.order, (stop, target))] == [
        (OrderType.STOP, SELL, 2),
        (OrderType.LIMIT, SELL, 2),
    ]


def test_children_sleep_without_a_price_until_the_entry_fills() -> None:
    desk = Desk()
    entry = desk.place(BUY, 1, limit=990, loss=-8, profit=12)
    assert desk.statuses(entry, entry + 1, entry + 2) == [OPEN, SUSPENDED, SUSPENDED]
    assert (desk.order(entry + 1).stop_ticks, desk.order(entry + 2).limit_ticks) == (None, None)
    desk.market(988, 989, [988])
    assert desk.statuses(entry, entry + 1, entry + 2) == [FILLED, OPEN, OPEN]
    assert (desk.order(entry + 1).stop_ticks, desk.order(entry + 2).limit_ticks) == (982, 1_002)


@pytest.mark.parametrize(
    ("bid", "ask", "ended", "price"),
    [
        (1_013, 1_014, [CANCELLED, FILLED], 1_013),
        (992, 993, [FILLED, CANCELLED], 992),
        (950, 951, [FILLED, CANCELLED], 950),
    ],
)
def test_one_leg_fills_and_the_other_is_cancelled(bid: int, ask: int, ended: list[OrderStatus], price: int) -> None:
    desk = Desk()
    entry = desk.place(BUY, 1, loss=-8, profit=12)
    desk.market(bid, ask, [bid])
    assert desk.statuses(entry + 1, entry + 2) == ended
    assert desk.net() == 0
    assert desk.fill_prices() == [1_001, price]
    desk.market(900, 901, [900])
    desk.market(1_100, 1_101, [1_100])
    assert desk.net() == 0


def test_cancelling_an_entry_that_has_not_filled_cancels_its_children() -> None:
    desk = Desk()
    entry = desk.place(BUY, 1, limit=990, loss=-8, profit=12)
    assert desk.venue.cancel(OrderRequest(ACCOUNT, entry)).code == 0
    assert desk.statuses(entry, entry + 1, entry + 2) == [CANCELLED] * 3


def test_legs_have_the_filled_quantity_of_an_entry_that_fills_in_parts() -> None:
    desk = Desk()
    entry = desk.place(BUY, 5, limit=1_000, loss=-8, profit=12)
    desk.market(999, 1_000, size=2)
    assert [desk.order(order).quantity for order in (entry + 1, entry + 2)] == [2, 2]
    desk.market(999, 1_000, size=2)
    assert [desk.order(order).quantity for order in (entry + 1, entry + 2)] == [4, 4]
    desk.venue.cancel(OrderRequest(ACCOUNT, entry))
    assert desk.statuses(entry, entry + 1, entry + 2) == [CANCELLED, OPEN, OPEN]


def test_a_target_that_fills_in_part_shrinks_the_stop_so_both_together_never_exceed_the_entry() -> None:
    desk = Desk()
    entry = desk.place(BUY, 5, loss=-8, profit=12)
    desk.market(1_013, 1_014, size=2)
    assert desk.statuses(entry + 1, entry + 2) == [OPEN, OPEN]
    assert (desk.order(entry + 1).quantity, desk.order(entry + 2).filled_quantity) == (3, 2)
    desk.market(980, 981, [980])
    assert desk.statuses(entry + 1, entry + 2) == [FILLED, CANCELLED]
    assert desk.net() == 0


def test_a_leg_that_has_filled_ends_the_rest_of_its_entry() -> None:
    desk = Desk()
    entry = desk.place(BUY, 5, limit=1_000, loss=-8, profit=12)
    desk.market(999, 1_000, size=2)
    desk.market(980, 981, [980])
    assert desk.statuses(entry, entry + 1, entry + 2) == [CANCELLED, FILLED, CANCELLED]
    assert desk.net() == 0


def test_a_bracket_may_have_one_leg_only() -> None:
    desk = Desk()
    first = desk.place(BUY, 1, tag="a", loss=-8)
    second = desk.place(SELL, 1, tag="b", profit=-8)
    assert second == first + 2
    assert [desk.order(leg).tag for leg in (first + 1, second + 1)] == ["a-SL", "b-TP"]
    assert [desk.order(leg).sibling_id for leg in (first + 1, second + 1)] == [None, None]


def test_closing_the_position_leaves_the_legs_working_and_they_can_open_a_naked_one() -> None:
    desk = Desk()
    entry = desk.place(BUY, 1, loss=-8, profit=12)
    assert desk.venue.close(CloseRequest(ACCOUNT, MES)).code == 0
    assert (desk.net(), desk.statuses(entry + 1, entry + 2)) == (0, [OPEN, OPEN])
    desk.market(980, 981, [980])
    assert desk.net() == -1


def test_closing_the_position_cancels_the_legs_where_the_switch_says_so() -> None:
    desk = Desk(variants=(Variant.CLOSE_TAKES_LEGS,))
    entry = desk.place(BUY, 1, loss=-8, profit=12)
    desk.venue.close(CloseRequest(ACCOUNT, MES))
    assert (desk.net(), desk.statuses(entry + 1, entry + 2)) == (0, [CANCELLED, CANCELLED])


def test_moving_one_leg_leaves_the_other_alone() -> None:
    desk = Desk()
    entry = desk.place(BUY, 1, loss=-8, profit=12)
    target = desk.order(entry + 2)
    assert desk.venue.modify(ModifyRequest(ACCOUNT, entry + 1, stop_price=desk.price(990))).code == 0
    assert desk.order(entry + 1).stop_ticks == 990
    assert desk.order(entry + 2) == target


def test_a_leg_made_smaller_by_hand_still_ends_the_other_when_it_has_filled() -> None:
    desk = Desk()
    entry = desk.place(BUY, 2, loss=-8, profit=12)
    assert desk.venue.modify(ModifyRequest(ACCOUNT, entry + 2, size=1)).code == 0
    desk.market(1_013, 1_014, [1_013])
    assert desk.statuses(entry + 1, entry + 2) == [CANCELLED, FILLED]
    assert desk.net() == 1


def test_a_child_that_sleeps_cannot_be_modified_but_can_be_cancelled() -> None:
    desk = Desk()
    entry = desk.place(BUY, 1, limit=990, loss=-8, profit=12)
    assert desk.venue.modify(ModifyRequest(ACCOUNT, entry + 1, stop_price=desk.price(985))).code == 3
    assert desk.venue.cancel(OrderRequest(ACCOUNT, entry + 1)).code == 0
    desk.market(988, 989, [988])
    assert desk.statuses(entry + 1, entry + 2) == [CANCELLED, OPEN]


@pytest.mark.parametrize(
    ("side", "loss", "profit", "text"),
    [
        (BUY, 57, 30, "Invalid stop loss ticks (57). Ticks should be less than zero when longing."),
        (BUY, -57, -30, "Invalid take profit ticks (-30). Ticks should be greater than zero when going long"),
        (SELL, -57, -30, "Invalid stop loss ticks (-57). Ticks should be greater than zero when shorting."),
        (SELL, 57, 30, "Invalid take profit ticks (30). Ticks should be less than zero when going short"),
    ],
)
def test_ticks_of_the_wrong_sign_are_rejected_with_the_text_that_was_seen(
    side: OrderSide, loss: int, profit: int, text: str
) -> None:
    desk = Desk()
    answer = desk.venue.place(bracket(side, loss, profit))
    assert (answer.code, answer.text) == (2, text)
    assert answer.order_id is not None
    assert desk.statuses(answer.order_id) == [OrderStatus.REJECTED]


def test_position_bracket_mode_rejects_an_order_with_brackets() -> None:
    desk = Desk(bracket_mode=BracketMode.POSITION)
    answer = desk.venue.place(bracket(BUY, -8, 12))
    assert (answer.code, answer.text) == (
        2,
        "Brackets cannot be used with Position Brackets. You must enable Auto OCO Brackets.",
    )
    assert desk.venue.place(PlaceRequest(ACCOUNT, MES, OrderType.MARKET, BUY, 1)).code == 0
