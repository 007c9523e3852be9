"""The paper book: when an order fills and at which price, and what it makes of position and money."""

from __future__ import annotations

from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ordergate.broker.paper import Opened, PaperBook, fill_ticks
from ordergate.core.effects import Grant, Modify, Place
from ordergate.core.events import ApprovalKind
from ordergate.core.order import OrderType, Side, Terms
from ordergate.core.reports import OrderReport, OrderState, Quote
from tests.core.desk import ACCOUNT, MES, MORNING

BID, ASK = 20_000, 20_001
GRANT = Grant(ApprovalKind.APPROVED, 1, 0, 1, MORNING)


def quote(bid: int | None = BID, ask: int | None = ASK, last: int | None = BID) -> Quote:
    return Quote(MES.contract_id, bid, ask, last, MORNING)


class Paper(PaperBook):
    """A book whose changes are kept at once. The account began with 50,000 USD."""

    def __init__(self) -> None:
        super().__init__()
        self.apply(Opened(ACCOUNT, Decimal(50_000)))
        self._asked = 0

    def order(
        self,
        side: Side = Side.BUY,
        quantity: int = 1,
        *,
        limit: int | None = None,
        stop: int | None = None,
        at: Quote | None = None,
        at_ns: int = MORNING,
        offsets: tuple[int | None, int | None] = (None, None),
    ) -> OrderReport:
        kind = OrderType.LIMIT if limit is not None else OrderType.STOP if stop is not None else OrderType.MARKET
        terms = Terms(ACCOUNT, MES.contract_id, side, quantity, kind, limit, stop, *offsets)
        self._asked += 1
        tag = f"tag-{self._asked}"
        for change in self.placed(Place(terms, tag, GRANT), MES, at, at_ns):
            self.apply(change)
        found = self.tagged(ACCOUNT, tag)
        assert found is not None
        return found

    def moved(self, row: OrderReport, *, limit: int, at: Quote | None = None) -> None:
        terms = Terms(ACCOUNT, MES.contract_id, row.side, row.quantity, OrderType.LIMIT, limit)
        for change in self.modified(Modify(terms, row.order_tag or "", row.broker_order_id, GRANT), MES, at, MORNING):
            self.apply(change)

    def meets(self, at: Quote, at_ns: int = MORNING) -> None:
        """The market goes there."""
        for ordered in list(self.working.values()):
            price = fill_ticks(ordered.row, at)
            if price is not None and ordered.row.broker_order_id in self.working:
                for change in self.filled(ordered, price, MES, at_ns):
                    self.apply(change)

    @property
    def net(self) -> int:
        return self.position(ACCOUNT, MES.contract_id).net_quantity


@pytest.mark.parametrize(
    ("side", "limit", "stop", "at", "printed", "price"),
    [
        (Side.BUY, None, None, quote(), None, ASK),
        (Side.SELL, None, None, quote(), None, BID),
        (Side.BUY, None, None, quote(ask=None), None, None),
        # A limit: only when the market has traded through it.
        (Side.BUY, BID, None, quote(), None, None),
        (Side.BUY, ASK, None, quote(), None, None),
        (Side.BUY, ASK + 1, None, quote(), None, ASK + 1),
        (Side.BUY, BID, None, quote(), BID, None),
        (Side.BUY, BID, None, quote(), BID - 1, BID),
        (Side.SELL, ASK, None, quote(), None, None),
        (Side.SELL, BID, None, quote(), None, None),
        (Side.SELL, BID - 1, None, quote(), None, BID - 1),
        (Side.SELL, ASK, None, quote(), ASK + 1, ASK),
        # A stop: when the market touches it, at the touch.
        (Side.SELL, None, BID - 1, quote(), None, None),
        (Side.SELL, None, BID, quote(), None, BID),
        (Side.SELL, None, BID + 5, quote(), None, BID),
        (Side.SELL, None, BID - 1, quote(), BID - 1, BID),
        (Side.BUY, None, ASK + 1, quote(), None, None),
        (Side.BUY, None, ASK, quote(), None, ASK),
        (Side.BUY, None, ASK - 5, quote(), None, ASK),
        (Side.BUY, None, ASK + 1, quote(), ASK + 1, ASK),
        (Side.SELL, None, BID, quote(bid=None), BID, None),
    ],
)
def test_an_order_fills_no_better_than_the_broker_would_fill_it(
    side: Side, limit: int | None, stop: int | None, at: Quote, printed: int | None, price: int | None
) -> None:
    row = Paper().order(side, limit=limit, stop=stop)
    assert fill_ticks(row, at, printed) == price


def test_a_market_order_fills_whole_at_the_touch_with_its_fees() -> None:
    book = Paper()
    row = book.order(quantity=3, at=quote())
    assert (row.state, row.filled_quantity) == (OrderState.FILLED, 3)
    (fill,) = book.fills
    assert (fill.price_ticks, fill.quantity, fill.pnl_usd, fill.fee_usd) == (ASK, 3, None, 3 * MES.fee_usd)
    assert book.positions(ACCOUNT)[0].cost_ticks == 3 * ASK
    assert book.balances[ACCOUNT] == 50_000 - 3 * MES.fee_usd


def test_an_order_that_finds_no_quote_waits_for_one() -> None:
    book = Paper()
    assert book.order().state is OrderState.OPEN
    book.meets(quote())
    assert book.net == 1


def test_a_limit_beyond_the_market_fills_at_the_touch_and_one_that_rested_at_its_price() -> None:
    book = Paper()
    book.order(limit=ASK + 8, at=quote())
    book.order(limit=BID - 4, at=quote())
    assert [fill.price_ticks for fill in book.fills] == [ASK]
    book.meets(quote(BID - 10, ASK - 10))
    assert [fill.price_ticks for fill in book.fills] == [ASK, BID - 4]


def test_a_limit_that_is_moved_beyond_the_market_fills_at_the_touch() -> None:
    book = Paper()
    row = book.order(limit=BID - 4, at=quote())
    book.moved(row, limit=BID - 2, at=quote())
    assert book.working[row.broker_order_id].row.limit_ticks == BID - 2
    book.moved(row, limit=ASK + 2, at=quote())
    assert [fill.price_ticks for fill in book.fills] == [ASK]
    assert book.working == {}


def test_a_stop_through_which_the_market_jumps_fills_at_the_touch_and_not_at_its_price() -> None:
    book = Paper()
    book.order(at=quote())
    book.order(Side.SELL, stop=BID - 10, at=quote())
    book.meets(quote(BID - 30, ASK - 30))
    assert [fill.price_ticks for fill in book.fills] == [ASK, BID - 30]
    assert book.fills[1].pnl_usd == -31 * MES.tick_value_usd
    assert book.balances[ACCOUNT] == 50_000 - 31 * MES.tick_value_usd - 2 * MES.fee_usd
    assert book.positions(ACCOUNT) == ()


def test_what_is_cancelled_fills_no_more() -> None:
    book = Paper()
    row = book.order(limit=BID)
    for change in book.cancelled(row.broker_order_id):
        book.apply(change)
    book.meets(quote(BID - 9, ASK - 9))
    assert book.orders[row.broker_order_id].row.state is OrderState.CANCELLED
    assert book.fills == []


@pytest.mark.parametrize(("side", "sign", "touch"), [(Side.BUY, 1, ASK), (Side.SELL, -1, BID)])
def test_the_bracket_attached_to_an_order_begins_with_its_fill(side: Side, sign: int, touch: int) -> None:
    book = Paper()
    entry = book.order(side, 2, at=quote(), offsets=(-20 * sign, 40 * sign))
    stop, target = (ordered.row for ordered in book.working.values())
    assert {leg.parent_id for leg in (stop, target)} == {entry.broker_order_id}
    assert {(leg.side, leg.quantity) for leg in (stop, target)} == {(side.opposite, 2)}
    assert (stop.stop_ticks, stop.limit_ticks, stop.order_tag) == (touch - 20 * sign, None, "tag-1-SL")
    assert (target.limit_ticks, target.stop_ticks, target.order_tag) == (touch + 40 * sign, None, "tag-1-TP")


def test_of_a_bracket_one_leg_fills_and_the_other_is_cancelled_and_no_other_order_is() -> None:
    book = Paper()
    book.order(at=quote(), offsets=(-20, 40))
    other = book.order(limit=BID - 500)
    book.meets(quote(BID - 20, ASK - 20))
    assert book.net == 0
    assert [ordered.row.broker_order_id for ordered in book.working.values()] == [other.broker_order_id]
    states = [ordered.row.state for ordered in book.orders.values()]
    assert states == [OrderState.FILLED, OrderState.FILLED, OrderState.CANCELLED, OrderState.OPEN]


def test_every_id_is_negative_and_above_those_before_it() -> None:
    book = Paper()
    ids: list[int] = []
    for _ in range(3):
        row = book.order(at=quote(), offsets=(-20, 40))
        legs = [o.row.broker_order_id for o in book.working.values() if o.row.parent_id == row.broker_order_id]
        ids += [row.broker_order_id, book.fills[-1].fill_id, *legs]
    assert ids == sorted(set(ids))
    assert max(ids) < 0
    assert min(ids) > -(2**53)


def test_what_is_over_and_old_is_dropped_and_nothing_that_still_counts() -> None:
    book = Paper()
    later = MORNING + 1
    old = book.order(quantity=3, at=quote())
    cancelled = book.order(limit=BID - 40)
    for change in book.cancelled(cancelled.broker_order_id):
        book.apply(change)
    working = book.order(Side.SELL, stop=BID - 400)
    late = book.order(Side.SELL, limit=ASK + 4)  # made before, filled after
    book.meets(quote(ASK + 5, ASK + 6, None), later)
    new = book.order(Side.SELL, at=quote(), at_ns=later)
    net, balances, last_id = book.net, dict(book.balances), max(fill.fill_id for fill in book.fills)
    (change,) = book.pruned(later)
    book.apply(change)
    kept = {row.broker_order_id for row in (working, late, new)}
    assert set(book.orders) == kept
    assert {fill.broker_order_id for fill in book.fills} == {late.broker_order_id, new.broker_order_id}
    assert [book.tagged(ACCOUNT, row.order_tag or "") for row in (old, cancelled)] == [None, None]
    assert (book.net, book.balances, set(book.working)) == (net, balances, {working.broker_order_id})
    assert book.order(at=quote()).broker_order_id > last_id, "no id is used twice"


def test_nothing_is_dropped_where_nothing_is_old() -> None:
    book = Paper()
    book.order(at=quote())
    book.order(limit=BID - 40)
    assert book.pruned(MORNING) == []


@given(st.lists(st.tuples(st.sampled_from(Side), st.integers(0, 5), st.booleans()), max_size=12), st.integers(0, 5))
def test_dropping_changes_neither_position_nor_money_nor_what_may_fill(
    orders: list[tuple[Side, int, bool]], before: int
) -> None:
    book = Paper()
    for side, age, fills in orders:
        book.order(
            side, limit=None if fills else BID - 99 * side.sign, at=quote() if fills else None, at_ns=MORNING + age
        )
    held, balances, working = book.positions(ACCOUNT), dict(book.balances), dict(book.working)
    recent = [fill for fill in book.fills if fill.at_ns >= MORNING + before]
    for change in book.pruned(MORNING + before):
        book.apply(change)
    assert (book.positions(ACCOUNT), book.balances, book.working) == (held, balances, working)
    assert book.fills == recent
    assert book.pruned(MORNING + before) == []
    assert all(book.tagged(ACCOUNT, row.row.order_tag or "") == row.row for row in book.orders.values())
