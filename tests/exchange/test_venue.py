"""The desk: what orders do and what becomes of the money. Numbers are the invariants of ``exchange.venue``."""

from __future__ import annotations

import datetime
from collections.abc import Callable
from decimal import Decimal
from pathlib import Path
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from ordergate.errors import StartRefused, StoreUnavailable
from ordergate.exchange.accounts import Fill
from ordergate.exchange.enums import OrderSide, OrderStatus, OrderType, PlaceCode
from ordergate.exchange.faults import Faults
from ordergate.exchange.market import Walk
from ordergate.exchange.models import (
    BracketRequest,
    CloseRequest,
    ModifyRequest,
    OrderRequest,
    PartialCloseRequest,
    PlaceRequest,
)
from ordergate.exchange.settings import ExchangeSettings, Hours
from ordergate.exchange.sqlite import SqliteStore
from ordergate.exchange.store import Changes, MemoryStore, Store
from ordergate.exchange.turn import Event
from ordergate.exchange.venue import Answer, Venue
from tests.exchange.support import (
    ACCOUNT,
    BARS_KEPT_MIN,
    MES,
    MNQ,
    MONDAY_NS,
    OTHER_ACCOUNT,
    SECOND_NS,
    Desk,
    SetClock,
)

BUY, SELL = OrderSide.BID, OrderSide.ASK
EVER_NS = 2**63 - 1


def request(**changes: Any) -> PlaceRequest:
    """A market buy of 1 MES, but for what is given."""
    return msgspec.structs.replace(PlaceRequest(ACCOUNT, MES, OrderType.MARKET, BUY, 1), **changes)


def test_a_market_order_fills_at_the_touch_and_moves_position_and_balance() -> None:
    desk = Desk()
    desk.place(BUY, 2)
    desk.market(1_010, 1_011)
    desk.place(SELL, 2)
    bought, sold = reversed(desk.store.fills(ACCOUNT, 0, EVER_NS))
    assert (bought.price_ticks, bought.pnl_usd, bought.fee_usd) == (1_001, None, Decimal("0.72"))
    assert (sold.price_ticks, sold.pnl_usd, sold.fee_usd) == (1_010, Decimal("22.50"), Decimal("0.72"))
    assert desk.venue.book.accounts[ACCOUNT].balance_usd == Decimal(50_000) + Decimal("22.50") - Decimal("1.44")
    assert desk.venue.book.accounts[OTHER_ACCOUNT].balance_usd == 50_000


@pytest.mark.parametrize(
    ("changes", "text"),
    [
        ({"size": 0}, "Invalid order size specified"),
        ({"size": -3}, "Invalid order size specified"),
        ({"type": 0}, "Order rejected: invalid order type."),
        ({"type": 3, "limit_price": 250, "stop_price": 250}, "Order rejected: invalid order type."),
        ({"type": 5}, "Trail Distance not set."),
        ({"type": 5, "trail_price": 250}, "Trail Distance not set."),
        ({"type": 5, "trail_price": Decimal("248.10")}, "Invalid trail price. Price is not aligned to tick size."),
        ({"type": 5, "side": 1, "trail_price": Decimal("-0.25")}, "Trail Distance exceeds maximum (1000)"),
        ({"type": 6, "side": 1}, "Order rejected: invalid order type."),
        ({"type": 7, "side": 0}, "Order rejected: invalid order type."),
        ({"type": 99}, "Order rejected: invalid order type."),
        ({"type": 1, "limit_price": Decimal("250.10")}, "Invalid limit price. Price is not aligned to tick size."),
        ({"type": 1}, "Invalid limit price. Price is not aligned to tick size."),
        ({"type": 1, "limit_price": Decimal("1e400")}, "Invalid limit price. Price is not aligned to tick size."),
        ({"type": 4, "stop_price": Decimal("250.10")}, "Invalid stop price. Price is not aligned to tick size."),
        ({"type": 4, "stop_price": 250}, "Invalid price. Price is outside allowed range."),
        ({"type": 4, "stop_price": 249}, "Invalid price. Price is outside allowed range."),
        ({"type": 4, "side": 1, "stop_price": 251}, "Invalid price. Price is outside allowed range."),
    ],
)
def test_an_order_that_is_rejected_still_gets_an_id_and_a_place_in_history(changes: dict[str, Any], text: str) -> None:
    desk = Desk()  # the market is 250.00 at 250.25, last 250.00
    answer = desk.venue.place(request(custom_tag="t", **changes))
    assert (answer.code, answer.text) == (2, text)
    assert answer.order_id is not None
    order = desk.order(answer.order_id)
    assert (order.status, order.tag) == (OrderStatus.REJECTED, "t")
    assert desk.published[-1] == order
    assert desk.net() == 0


@pytest.mark.parametrize(
    ("changes", "code"),
    [
        ({"account_id": 1}, 1),
        ({"contract_id": "CON.F.US.NQ.Z26"}, 8),
        ({"contract_id": "CON.F.US.MES.H27"}, 9),
        ({"contract_id": "CON.F.US.EP.Z26"}, 9),
        ({"side": 7}, 2),
    ],
)
def test_an_order_that_cannot_be_recorded_is_refused_without_an_id(changes: dict[str, Any], code: int) -> None:
    desk = Desk()
    answer = desk.venue.place(request(**changes))
    assert (answer.code, answer.order_id) == (code, None)


def test_order_ids_count_up_from_the_size_seen_live_rejected_orders_included() -> None:
    desk = Desk()
    ids = [desk.venue.place(request(size=size)).order_id for size in (1, 0, 1)]
    assert ids == [3_400_000_001, 3_400_000_002, 3_400_000_003]
    assert [fill.fill_id for fill in desk.store.fills(ACCOUNT, 0, EVER_NS)] == [3_000_000_002, 3_000_000_001]


@pytest.mark.parametrize("first", [{}, {"size": 0}], ids=["accepted", "rejected"])
def test_a_tag_is_used_up_by_its_first_order_even_a_rejected_one(first: dict[str, Any]) -> None:
    desk = Desk()
    desk.venue.place(request(custom_tag="t", **first))
    again = desk.venue.place(request(custom_tag="t"))
    assert again.code == 2
    assert "custom tag already in use" in (again.text or "")
    assert desk.venue.place(request(custom_tag="t", account_id=OTHER_ACCOUNT)).code == 0


def test_an_empty_tag_is_none_and_never_used_up() -> None:
    desk = Desk()
    stop = BracketRequest(ticks=-8, type=OrderType.STOP)
    answers = [desk.venue.place(request(custom_tag="", stop_loss_bracket=stop)) for _ in range(2)]
    assert [answer.code for answer in answers] == [0, 0]
    assert {order.tag for order in desk.store.orders(ACCOUNT, 0, EVER_NS)} == {None}


def test_the_tag_of_a_bracket_child_is_used_up_too() -> None:
    desk = Desk()
    desk.place(BUY, 1, tag="t-SL")
    answer = desk.venue.place(request(custom_tag="t", stop_loss_bracket=BracketRequest(ticks=-8, type=OrderType.STOP)))
    assert "custom tag already in use" in (answer.text or "")


def test_a_limit_waits_is_moved_and_fills_at_its_new_price() -> None:
    desk = Desk()
    order_id = desk.place(BUY, 2, limit=990)
    assert desk.venue.modify(ModifyRequest(ACCOUNT, order_id, size=3, limit_price=desk.price(995))).code == 0
    desk.market(994, 995, [994])
    order = desk.order(order_id)
    assert (order.status, order.filled_quantity, order.filled_ticks) == (OrderStatus.FILLED, 3, 3 * 995)


def test_a_modify_that_crosses_fills_at_once_at_the_touch() -> None:
    desk = Desk()
    order_id = desk.place(BUY, 1, limit=990)
    desk.venue.modify(ModifyRequest(ACCOUNT, order_id, limit_price=desk.price(1_010)))
    assert desk.fill_prices() == [1_001]


@pytest.mark.parametrize(
    ("changes", "code", "text"),
    [
        ({"account_id": 1}, 1, None),
        ({"order_id": 1}, 2, None),
        ({"account_id": OTHER_ACCOUNT}, 2, None),
        ({"size": 0}, 3, "Invalid order size specified"),
        ({"stop_price": Decimal("249.90")}, 3, "Invalid stop price. Price is not aligned to tick size."),
        ({"stop_price": Decimal("250.25")}, 3, "Invalid price. Price is outside allowed range."),
    ],
)
def test_a_modify_that_is_refused_changes_nothing(changes: dict[str, Any], code: int, text: str | None) -> None:
    desk = Desk()
    order_id = desk.place(SELL, 1, stop=990)
    before = desk.order(order_id)
    answer = desk.venue.modify(msgspec.structs.replace(ModifyRequest(ACCOUNT, order_id), **changes))
    assert answer == Answer(code, text)
    assert desk.order(order_id) == before


def test_an_order_that_has_ended_can_be_neither_cancelled_nor_modified() -> None:
    desk = Desk()
    order_id = desk.place(BUY, 1)
    assert desk.venue.cancel(OrderRequest(ACCOUNT, order_id)).code == 2
    assert desk.venue.modify(ModifyRequest(ACCOUNT, order_id, size=2)).code == 2
    assert desk.venue.cancel(OrderRequest(1, order_id)).code == 1


def test_a_stop_that_is_gapped_over_fills_at_the_touch_beyond() -> None:
    desk = Desk()
    order_id = desk.place(SELL, 1, stop=990)
    desk.market(970, 971, [970])
    assert desk.statuses(order_id) == [OrderStatus.FILLED]
    assert desk.fill_prices() == [970]


def test_a_stop_beyond_the_last_trade_is_rejected_even_when_the_quotes_have_come_back() -> None:
    desk = Desk()
    desk.market(1_004, 1_005, [1_005])
    desk.market(1_000, 1_001)
    answer = desk.venue.place(request(type=OrderType.STOP, stop_price=desk.price(1_003)))
    assert (answer.code, answer.text) == (2, "Invalid price. Price is outside allowed range.")


def test_trades_inside_a_step_reach_orders_even_when_the_quotes_come_back() -> None:
    desk = Desk()
    stop, limit = desk.place(BUY, 1, stop=1_010), desk.place(BUY, 1, limit=990)
    desk.market(1_000, 1_001, [1_010, 989, 1_000])
    assert desk.statuses(stop, limit) == [OrderStatus.FILLED, OrderStatus.FILLED]
    assert desk.fill_prices() == [1_001, 990]


def test_no_order_is_filled_by_trades_from_before_it_was_placed() -> None:
    desk = Desk()
    desk.market(1_000, 1_001, [1_020, 980, 1_000])
    stop, limit = desk.place(BUY, 1, stop=1_010), desk.place(BUY, 1, limit=990)
    assert desk.statuses(stop, limit) == [OrderStatus.OPEN, OrderStatus.OPEN]
    desk.market(1_000, 1_001)
    assert desk.statuses(stop, limit) == [OrderStatus.OPEN, OrderStatus.OPEN]


def test_what_a_market_order_could_not_take_waits_for_the_next_quote() -> None:
    desk = Desk()
    desk.market(1_000, 1_001, size=1)
    order_id = desk.place(BUY, 12)
    order = desk.order(order_id)
    assert (order.status, order.filled_quantity) == (OrderStatus.OPEN, 10)
    later = desk.place(BUY, 1)
    assert desk.published[-1] == desk.order(later)
    assert desk.order(later).status is OrderStatus.OPEN
    desk.market(1_002, 1_003, size=5)
    assert desk.statuses(order_id, later) == [OrderStatus.FILLED, OrderStatus.FILLED]
    assert desk.fill_prices() == [*range(1_001, 1_011), 1_003, 1_003]


def test_a_position_is_closed_whole_or_in_part_by_market_orders() -> None:
    desk = Desk()
    desk.place(SELL, 5)
    assert desk.venue.close_part(PartialCloseRequest(ACCOUNT, MES, 2)).code == 0
    assert desk.net() == -3
    assert desk.venue.close(CloseRequest(ACCOUNT, MES)).code == 0
    assert desk.net() == 0


@pytest.mark.parametrize(("size", "code"), [(0, 5), (-1, 5), (6, 5)])
def test_a_partial_close_of_an_impossible_size_is_refused(size: int, code: int) -> None:
    desk = Desk()
    desk.place(BUY, 5)
    assert desk.venue.close_part(PartialCloseRequest(ACCOUNT, MES, size)).code == code


def test_closing_what_is_not_there_says_what_is_missing() -> None:
    desk = Desk()
    assert desk.venue.close(CloseRequest(1, MES)).code == 1
    assert desk.venue.close(CloseRequest(ACCOUNT, MES)).code == 2
    assert desk.venue.close(CloseRequest(ACCOUNT, "CON.F.US.NQ.Z26")).code == 3
    assert desk.venue.close_part(PartialCloseRequest(1, MES, 1)).code == 1
    assert desk.venue.close_part(PartialCloseRequest(ACCOUNT, MES, 1)).code == 2
    assert desk.venue.close_part(PartialCloseRequest(ACCOUNT, "CON.F.US.NQ.Z26", 1)).code == 3


def test_outside_exchange_hours_orders_are_rejected_cancels_work_and_the_market_stands_still() -> None:
    desk = Desk(hours=Hours.EXCHANGE)
    order_id = desk.place(BUY, 1, limit=990)
    desk.place(BUY, 1)
    desk.clock.at_ns = MONDAY_NS + 7 * 3_600 * SECOND_NS + SECOND_NS  # 16:00:01 in Chicago
    answer = desk.venue.place(request())
    assert (answer.code, answer.text) == (
        2,
        "Trading is currently unavailable. The instrument is not in an active trading status.",
    )
    assert answer.order_id is not None
    assert desk.venue.close(CloseRequest(ACCOUNT, MES)).code == 5
    assert desk.venue.close_part(PartialCloseRequest(ACCOUNT, MES, 1)).code == 6
    before = desk.venue.book.markets
    desk.market(900, 901, [900])
    assert desk.venue.book.markets == before
    assert desk.venue.cancel(OrderRequest(ACCOUNT, order_id)).code == 0
    desk.clock.at_ns += 3_600 * SECOND_NS
    desk.market(900, 901, [900])
    assert desk.venue.book.quotes[MES].bid == 900


def test_when_a_contract_rolls_the_old_one_lives_on_while_something_is_held_in_it() -> None:
    desk = Desk()
    desk.place(BUY, 1)
    desk.clock.at_ns = int(datetime.datetime(2026, 12, 10, 15, tzinfo=datetime.UTC).timestamp()) * SECOND_NS
    desk.market(1_000, 1_001)
    assert list(desk.venue.book.markets) == [MES, "CON.F.US.MES.H27", "CON.F.US.MNQ.H27"]
    for account_id, side, size in ((OTHER_ACCOUNT, SELL, 1), (ACCOUNT, BUY, 1), (ACCOUNT, SELL, 2)):
        opening = PlaceRequest(account_id, MES, OrderType.MARKET, side, size)
        assert desk.venue.place(opening).code == PlaceCode.CONTRACT_NOT_ACTIVE, "in it nothing is opened any more"
    stop = desk.place(SELL, 1, stop=900)
    assert desk.venue.cancel(OrderRequest(ACCOUNT, stop)).code == 0
    assert desk.venue.close(CloseRequest(ACCOUNT, MES)).code == 0
    desk.clock.at_ns += 24 * 3_600 * SECOND_NS
    desk.market(1_000, 1_001)
    assert list(desk.venue.book.markets) == ["CON.F.US.MES.H27", "CON.F.US.MNQ.H27"]


def test_nothing_is_told_before_it_is_stored() -> None:
    class Watched(MemoryStore):
        def save(self, changes: Changes) -> None:
            log.append("stored")
            super().save(changes)

    log: list[str] = []
    desk = Desk(store=Watched(BARS_KEPT_MIN), publish=lambda _events: log.append("told"))
    log.clear()
    desk.place(BUY, 1)
    desk.market(1_000, 1_001)
    assert log == ["stored", "told", "stored", "told"]


def test_what_cannot_be_stored_has_not_happened() -> None:
    class Failing(MemoryStore):
        fails = False

        def save(self, changes: Changes) -> None:
            if self.fails:
                raise StoreUnavailable("no space")
            super().save(changes)

    store = Failing(BARS_KEPT_MIN)
    desk = Desk(store=store)
    resting = desk.place(BUY, 1, limit=990)
    told, market, quotes = len(desk.published), desk.venue.book.markets, dict(desk.venue.book.quotes)
    store.fails = True
    with pytest.raises(StoreUnavailable):
        desk.venue.place(request(custom_tag="t"))
    with pytest.raises(StoreUnavailable):
        desk.market(900, 901, [900])
    assert len(desk.published) == told
    assert (desk.venue.book.markets, desk.venue.book.quotes, desk.net()) == (market, quotes, 0)
    store.fails = False
    desk.market(900, 901, [900])
    assert desk.statuses(resting) == [OrderStatus.FILLED]
    assert desk.place(BUY, 1, tag="t") == resting + 1


def test_a_file_of_another_seed_is_refused() -> None:
    store = MemoryStore(BARS_KEPT_MIN)
    Desk(store=store, seed=1)
    with pytest.raises(StartRefused, match="seed 1"):
        Desk(store=store, seed=2)


def test_more_accounts_can_be_added_to_a_file_and_none_are_taken_away() -> None:
    store = MemoryStore(BARS_KEPT_MIN)
    Desk(store=store, account_count=1)
    accounts = Desk(store=store, account_count=3).venue.book.accounts
    assert [account.name for account in accounts.values()] == [f"PRACTICE-50K-{number}" for number in (1, 2, 3)]
    assert list(Desk(store=store, account_count=1).venue.book.accounts) == [1001, 1002, 1003]


# What follows plays any flow of requests on the seeded market.

Action = Callable[[Venue, SetClock], Answer | None]


def placed(order: PlaceRequest) -> Action:
    return lambda venue, _clock: venue.place(order)


def nth_order(venue: Venue, place: int) -> int:
    ids = list(venue.book.orders)
    return ids[place % len(ids)] if ids else 0


def offset_price(venue: Venue, contract_id: str, ticks: int) -> Decimal:
    return (venue.book.quotes[contract_id].bid + ticks) * Decimal("0.25")


@st.composite
def places(draw: st.DrawFn) -> Action:
    side = draw(st.sampled_from([BUY, SELL]))
    order_type = draw(st.sampled_from([kind for kind in OrderType if kind is not OrderType.UNKNOWN]))
    stop_type = draw(st.sampled_from([OrderType.STOP, OrderType.TRAILING_STOP]))
    contract_id = draw(st.sampled_from([MES, MNQ]))
    account_id = draw(st.sampled_from([ACCOUNT, OTHER_ACCOUNT]))
    size, away = draw(st.integers(1, 60)), draw(st.integers(-6, 6))
    loss, profit = draw(st.none() | st.integers(1, 8)), draw(st.none() | st.integers(1, 8))
    tag = draw(st.none() | st.sampled_from(["a", "b", "c", "d"]))

    def act(venue: Venue, _clock: SetClock) -> Answer:
        price = offset_price(venue, contract_id, away)
        order = PlaceRequest(
            account_id,
            contract_id,
            order_type,
            side,
            size,
            limit_price=price,
            stop_price=price,
            trail_price=price,
            custom_tag=tag,
            stop_loss_bracket=None if loss is None else BracketRequest(-side.sign * loss, stop_type),
            take_profit_bracket=None if profit is None else BracketRequest(side.sign * profit, OrderType.LIMIT),
        )
        return venue.place(order)

    return act


def test_a_limit_waits_in_its_queue_and_only_a_smaller_one_keeps_its_place() -> None:
    desk = Desk()
    order_id = desk.place(BUY, 5, limit=1_000)
    assert desk.order(order_id).ahead == 100
    desk.market(1_000, 1_001, [1_000, 1_000, 1_000])
    assert (desk.order(order_id).ahead, desk.net()) == (97, 0)
    assert desk.venue.modify(ModifyRequest(ACCOUNT, order_id, size=3)).code == 0
    assert desk.order(order_id).ahead == 97
    assert desk.venue.modify(ModifyRequest(ACCOUNT, order_id, size=4)).code == 0
    assert desk.order(order_id).ahead == 100
    desk.market(1_000, 1_001, size=1)
    desk.market(1_000, 1_001, [1_000, 1_000], size=1)
    assert desk.net() == 1


@st.composite
def changes_and_closes(draw: st.DrawFn) -> Action:
    which, away, size = draw(st.integers(0, 5)), draw(st.integers(-6, 6)), draw(st.integers(1, 60))
    kind = draw(st.sampled_from(["modify", "cancel", "close", "part"]))
    contract_id = draw(st.sampled_from([MES, MNQ]))

    def act(venue: Venue, _clock: SetClock) -> Answer:
        order_id = nth_order(venue, which)
        order = venue.book.orders.get(order_id)
        account_id = ACCOUNT if order is None else order.account_id
        if kind == "modify":
            price = offset_price(venue, MES if order is None else order.contract_id, away)
            return venue.modify(ModifyRequest(account_id, order_id, size, price, price, trail_price=price))
        if kind == "cancel":
            return venue.cancel(OrderRequest(account_id, order_id))
        if kind == "close":
            return venue.close(CloseRequest(account_id, contract_id))
        return venue.close_part(PartialCloseRequest(account_id, contract_id, size))

    return act


def stepped(venue: Venue, clock: SetClock) -> None:
    for _ in range(4):
        clock.at_ns += SECOND_NS // 4
        venue.step()


actions = st.lists(places() | changes_and_closes() | st.just(stepped), min_size=1, max_size=25)


def seeded(store: Store, clock: SetClock, told: list[Event], **settings: Any) -> Venue:
    chosen = ExchangeSettings(symbols=("MES", "MNQ"), **settings)
    return Venue(chosen, store, clock, Walk(chosen.seed), Faults(chosen.seed), told.extend)


def assert_adds_up(venue: Venue, store: Store) -> None:
    """Orders, fills, positions, balances and fees agree to the last digit."""
    point_usd = {MES: Decimal("1.25"), MNQ: Decimal("0.50")}
    for account_id, account in venue.book.accounts.items():
        fills = store.fills(account_id, 0, EVER_NS)
        orders = {order.order_id: order for order in store.orders(account_id, 0, EVER_NS)}
        pnl = sum((fill.pnl_usd or Decimal(0) for fill in fills), Decimal(0))
        fees = sum((fill.fee_usd for fill in fills), Decimal(0))
        assert account.balance_usd == Decimal(50_000) + pnl - fees
        assert fees == Decimal("0.36") * sum(fill.quantity for fill in fills)
        for contract_id in (MES, MNQ):
            done = [fill for fill in fills if fill.contract_id == contract_id]
            held = venue.book.positions.get((account_id, contract_id))
            net, cost = (0, Decimal(0)) if held is None else (held.net_quantity, held.cost_usd)
            assert net == sum(fill.side.sign * fill.quantity for fill in done)
            received = [-fill.side.sign * fill.quantity * fill.price_ticks * point_usd[contract_id] for fill in done]
            gross = [fill.pnl_usd or Decimal(0) for fill in done]
            assert sum(gross, Decimal(0)) - cost == sum(received, Decimal(0))
        for order in orders.values():
            own = [fill for fill in fills if fill.order_id == order.order_id]
            assert order.filled_quantity == sum(fill.quantity for fill in own)
            assert order.filled_ticks == sum(fill.quantity * fill.price_ticks for fill in own)
            if order.status is not OrderStatus.REJECTED:
                assert order.filled_quantity <= order.quantity
                assert (order.status is OrderStatus.FILLED) is (order.leaves == 0)
            if order.parent_id is not None:
                legs = [leg for leg in orders.values() if leg.parent_id == order.parent_id]
                grown = max(leg.quantity for leg in legs)
                entry = orders[order.parent_id]
                assert sum(leg.filled_quantity for leg in legs) <= max(entry.filled_quantity, grown)
                assert (order.status is OrderStatus.SUSPENDED) <= (entry.filled_quantity == 0)


@given(flow=actions, partial=st.booleans())
def test_orders_fills_positions_and_money_add_up_for_any_flow(*, flow: list[Action], partial: bool) -> None:
    clock, store = SetClock(), MemoryStore(BARS_KEPT_MIN)
    venue = seeded(store, clock, [], partial_fills=partial)
    for act in flow:
        act(venue, clock)
        assert_adds_up(venue, store)


@given(actions)
def test_two_legs_never_both_fill_when_orders_fill_whole(flow: list[Action]) -> None:
    clock, store = SetClock(), MemoryStore(BARS_KEPT_MIN)
    venue = seeded(store, clock, [], partial_fills=False)
    for act in flow:
        act(venue, clock)
    for account_id in venue.book.accounts:
        orders = {order.order_id: order for order in store.orders(account_id, 0, EVER_NS)}
        for order in orders.values():
            if order.sibling_id is not None and order.filled_quantity:
                assert orders[order.sibling_id].filled_quantity == 0


@given(actions)
def test_the_same_seed_and_requests_give_the_same_answers_and_events(flow: list[Action]) -> None:
    runs = []
    for _ in range(2):
        clock, told = SetClock(), list[Event]()
        venue = seeded(MemoryStore(BARS_KEPT_MIN), clock, told)
        runs.append(([act(venue, clock) for act in flow], told))
    assert runs[0] == runs[1]


@given(actions, st.integers(0, 24))
def test_a_restart_from_the_file_is_not_noticed(
    tmp_path_factory: pytest.TempPathFactory, flow: list[Action], restart_at: int
) -> None:
    clock, told = SetClock(), list[Event]()
    memory = MemoryStore(BARS_KEPT_MIN)
    venue = seeded(memory, clock, told)
    path = tmp_path_factory.mktemp("exchange") / "exchange.db"
    twin_clock, twin_told = SetClock(), list[Event]()
    store = SqliteStore(path, BARS_KEPT_MIN)
    twin = seeded(store, twin_clock, twin_told)
    for place, act in enumerate(flow):
        assert act(twin, twin_clock) == act(venue, clock)
        if place >= restart_at:
            store.close()
            store = SqliteStore(path, BARS_KEPT_MIN)
            twin = seeded(store, twin_clock, twin_told)
    assert twin_told == told
    assert fills_of(store) == fills_of(memory)
    store.close()


def fills_of(store: Store) -> list[Fill]:
    return [fill for account_id in (ACCOUNT, OTHER_ACCOUNT) for fill in store.fills(account_id, 0, EVER_NS)]


def test_what_was_taken_from_a_quote_is_not_there_again_after_a_restart() -> None:
    desk = Desk()
    desk.place(BUY, 60)
    again = Venue(desk.settings, desk.store, desk.clock, desk.script, desk.faults, desk.published.extend)
    assert again.place(request(size=60)).code == 0
    quantities = [(fill.quantity, fill.price_ticks) for fill in desk.store.fills(ACCOUNT, 0, EVER_NS)]
    assert quantities == [(20, 1_002), (40, 1_001), (60, 1_001)]


def test_orders_and_positions_stand_in_the_order_of_their_ids_before_and_after_a_restart() -> None:
    desk = Desk()
    for contract_id in (MNQ, MES):
        desk.place(BUY, 1, contract_id=contract_id)
    desk.place(SELL, 1, contract_id=MNQ)
    desk.place(BUY, 1, contract_id=MNQ)
    desk.place(BUY, 1, limit=990, loss=-8, profit=8)
    again = Venue(desk.settings, desk.store, desk.clock, desk.script, desk.faults, desk.published.extend)
    for venue in (desk.venue, again):
        assert list(venue.book.orders) == sorted(venue.book.orders)
        assert list(venue.book.positions) == [(ACCOUNT, MES), (ACCOUNT, MNQ)]


def test_a_second_exchange_on_the_same_file_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "exchange.db"
    first = SqliteStore(path, BARS_KEPT_MIN)
    with pytest.raises(StartRefused, match=r"exchange\.db"):
        SqliteStore(path, BARS_KEPT_MIN)
    first.close()
