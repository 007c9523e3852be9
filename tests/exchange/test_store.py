"""The port of the exchange's file, for both stores. Numbers are the invariants of ``exchange.store``."""

from __future__ import annotations

from collections.abc import Iterator
from decimal import Decimal
from pathlib import Path

import apsw
import msgspec
import pytest

from ordergate.errors import StartRefused, StoreUnavailable
from ordergate.exchange.accounts import Account, Fill, Position
from ordergate.exchange.enums import OrderSide, OrderStatus, OrderType
from ordergate.exchange.listing import known_contract
from ordergate.exchange.market import Bar, Walk
from ordergate.exchange.matching import Quote
from ordergate.exchange.orders import Order
from ordergate.exchange.sqlite import SqliteStore
from ordergate.exchange.store import MINUTE_NS, Changes, Counters, MemoryStore, Store
from tests.exchange.support import MES

ORDER = Order(
    order_id=11,
    account_id=1,
    contract_id=MES,
    status=OrderStatus.OPEN,
    type=OrderType.LIMIT,
    side=OrderSide.ASK,
    quantity=3,
    created_ns=100,
    updated_ns=101,
    limit_ticks=-4,
    tag="t",
)
FILL = Fill(
    fill_id=21,
    order_id=11,
    account_id=1,
    contract_id=MES,
    side=OrderSide.ASK,
    quantity=3,
    price_ticks=-4,
    fee_usd=Decimal("1.08"),
    pnl_usd=Decimal("-15.625"),
    at_ns=102,
)
HELD = Position(
    position_id=31,
    account_id=1,
    contract_id=MES,
    opened_ns=102,
    net_quantity=-3,
    cost_usd=Decimal("15.000001"),
    average_ticks=Decimal(-4) / 3,
)
MARKET = Walk(1).opening(known_contract(MES), 0, "2026-11-23")
QUOTE = Quote(bid=1, ask=2, last=1, bid_size=5, ask_size=5, ask_taken=3)
COUNTERS = Counters(order_id=11, fill_id=21, position_id=31)
BARS_KEPT_MIN = 3


class Reopened:
    """A store of one kind, and the way to come back to what it holds."""

    def __init__(self, path: Path | None) -> None:
        self._path = path
        self.store: Store = MemoryStore(BARS_KEPT_MIN) if path is None else SqliteStore(path, BARS_KEPT_MIN)

    def again(self) -> Store:
        """The store as the next process finds it."""
        if self._path is not None:
            self.store.close()
            self.store = SqliteStore(self._path, BARS_KEPT_MIN)
        return self.store


@pytest.fixture(params=["memory", "sqlite"])
def kept(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Reopened]:
    reopened = Reopened(None if request.param == "memory" else tmp_path / "exchange.db")
    yield reopened
    reopened.store.close()


def test_a_new_store_is_empty_and_takes_the_seed(kept: Reopened) -> None:
    assert kept.store.load(7).seed is None
    assert kept.again().load(8).seed == 7


def test_what_was_saved_is_loaded_digit_by_digit(kept: Reopened) -> None:
    account = Account(account_id=1, name="any", balance_usd=Decimal("49998.92"))
    kept.store.save(
        Changes(
            counters=COUNTERS,
            orders=(ORDER,),
            fills=(FILL,),
            positions=(HELD,),
            accounts=(account,),
            markets=(MARKET,),
            quotes={MES: QUOTE},
        )
    )
    store = kept.again()
    stored = store.load(1)
    assert (stored.counters, stored.orders, stored.positions) == (COUNTERS, (ORDER,), (HELD,))
    assert (stored.accounts, stored.markets, stored.quotes) == ((account,), (MARKET,), {MES: QUOTE})
    assert store.fills(1, 0, 200) == [FILL]


def test_ended_orders_and_flat_positions_are_not_loaded_but_orders_are_still_found(kept: Reopened) -> None:
    kept.store.save(Changes(counters=COUNTERS, orders=(ORDER,), positions=(HELD,)))
    ended = msgspec.structs.replace(ORDER, status=OrderStatus.CANCELLED)
    flat = msgspec.structs.replace(HELD, net_quantity=0)
    kept.store.save(Changes(counters=COUNTERS, orders=(ended,), positions=(flat,)))
    store = kept.again()
    stored = store.load(1)
    assert (stored.orders, stored.positions) == ((), ())
    assert store.order(11) == ended
    assert store.order(12) is None


def test_orders_are_found_by_account_and_time_of_creation_oldest_first(kept: Reopened) -> None:
    orders = [msgspec.structs.replace(ORDER, order_id=number, created_ns=number * 10, tag=None) for number in (3, 1, 2)]
    other = msgspec.structs.replace(ORDER, order_id=4, account_id=2, created_ns=20, tag=None)
    kept.store.save(Changes(counters=COUNTERS, orders=(*orders, other)))
    assert [order.order_id for order in kept.again().orders(1, 10, 20)] == [1, 2]


def test_fills_are_found_by_account_and_time_newest_first(kept: Reopened) -> None:
    fills = tuple(msgspec.structs.replace(FILL, fill_id=number, at_ns=number * 10) for number in (1, 2, 3))
    other = msgspec.structs.replace(FILL, fill_id=4, account_id=2, at_ns=20)
    kept.store.save(Changes(counters=COUNTERS, fills=(*fills, other)))
    assert [fill.fill_id for fill in kept.again().fills(1, 20, 30)] == [3, 2]


def test_a_tag_stays_used_whatever_becomes_of_its_order(kept: Reopened) -> None:
    kept.store.save(Changes(counters=COUNTERS, orders=(msgspec.structs.replace(ORDER, status=OrderStatus.REJECTED),)))
    store = kept.again()
    assert store.is_tag_used(1, "t")
    assert not store.is_tag_used(1, "T")
    assert not store.is_tag_used(2, "t")


def test_only_the_newest_minutes_of_bars_are_kept(kept: Reopened) -> None:
    for minute in range(6):
        kept.store.save(Changes(counters=COUNTERS, bars=((MES, Bar(minute * MINUTE_NS, 1, 2, 0, 1, minute)),)))
    store = kept.again()
    assert [bar.volume for bar in store.bars(MES, 0, 10 * MINUTE_NS)] == [3, 4, 5]
    assert [bar.volume for bar in store.bars(MES, 4 * MINUTE_NS, 5 * MINUTE_NS)] == [4]
    assert store.bars("CON.F.US.MNQ.Z26", 0, 10 * MINUTE_NS) == []


def test_a_logged_out_token_is_remembered_until_it_expires(kept: Reopened) -> None:
    kept.store.revoke("first", expires_s=100, now_s=10)
    assert kept.again().is_revoked("first")
    assert not kept.store.is_revoked("other")
    kept.store.revoke("second", expires_s=300, now_s=100)
    assert not kept.store.is_revoked("first")
    assert kept.again().is_revoked("second")


def test_a_turn_that_cannot_be_written_whole_is_not_written_at_all(tmp_path: Path) -> None:
    store = SqliteStore(tmp_path / "exchange.db", BARS_KEPT_MIN)
    store.save(Changes(counters=COUNTERS, orders=(ORDER,)))
    same_tag = msgspec.structs.replace(ORDER, order_id=12)
    with pytest.raises(StoreUnavailable):
        store.save(Changes(counters=Counters(), orders=(msgspec.structs.replace(ORDER, quantity=9), same_tag)))
    assert store.order(11) == ORDER
    assert store.load(1).counters == COUNTERS
    store.close()


def test_a_file_that_is_none_of_ours_or_of_another_format_is_refused_with_its_name(tmp_path: Path) -> None:
    path = tmp_path / "exchange.db"
    path.write_bytes(b"no database at all, but long enough to be taken for the header of one" * 100)
    with pytest.raises(StartRefused, match=r"exchange\.db"):
        SqliteStore(path, BARS_KEPT_MIN)
    with pytest.raises(StartRefused, match="nowhere"):
        SqliteStore(tmp_path / "nowhere" / "exchange.db", BARS_KEPT_MIN)
    other = tmp_path / "newer.db"
    SqliteStore(other, BARS_KEPT_MIN).close()
    connection = apsw.Connection(str(other))
    connection.execute("UPDATE exchange SET format = 99")
    connection.close()
    with pytest.raises(StartRefused, match="format 99"):
        SqliteStore(other, BARS_KEPT_MIN).load(1)


def test_a_damaged_body_is_refused_with_the_name_of_the_file(tmp_path: Path) -> None:
    path = tmp_path / "exchange.db"
    store = SqliteStore(path, BARS_KEPT_MIN)
    store.save(Changes(counters=COUNTERS, orders=(ORDER,)))
    store.close()
    connection = apsw.Connection(str(path))
    connection.execute("UPDATE orders SET body = '{'")
    connection.close()
    with pytest.raises(StartRefused, match=r"exchange\.db"):
        SqliteStore(path, BARS_KEPT_MIN).load(1)
