"""What an account is worth and could lose: sums over contracts by hand, and that no figure outlives what it is of.

Sums are kept with what they were worked out from, so each thing that they depend on is changed here, alone, after they
were asked for once. One tick of MES is 1.25 USD and of ES 12.50, to get out costs 0.36 and 1.40 a contract.
"""

from __future__ import annotations

from decimal import Decimal

from msgspec.structs import replace

from ordergate.core.account import Account, Group
from ordergate.core.commands import Leg
from ordergate.core.figures import Figures, figures, micros_with, product_worst
from ordergate.core.instrument import Instrument
from ordergate.core.limits import InstrumentLimits, Limits
from ordergate.core.market import Market
from ordergate.core.order import Change, Exit, Order, OrderType, Role, Side, Status, Terms
from ordergate.core.orders import Orders
from ordergate.core.pnl import Position
from ordergate.core.reports import FillReport, InstrumentsReport, Quote
from tests.core.desk import ACCOUNT, ASK, BID, ES, MES, MS_NS, OLD_MES, SECOND_NS, WIDE, Desk, fill_row

NOW = 1_000_000 * SECOND_NS
LIMITS = Limits(quote_age_ms_max=5_000)
GROUP = Group(limits=LIMITS, instruments={each.contract_id: each for each in (MES, OLD_MES, ES)})
QUOTES = {
    each.contract_id: Quote(each.contract_id, BID, ASK, BID, NOW, NOW) for each in GROUP.instruments.values()
}  # a long is worth the bid, a short the ask
MARKET = Market(QUOTES, NOW)


def order(order_id: str, side: Side, quantity: int, instrument: Instrument = MES, **more: object) -> Order:
    """A limit that rests, without a stop of its own or a distance to one."""
    terms = Terms(ACCOUNT, instrument.contract_id, side, quantity, OrderType.LIMIT, limit_ticks=BID)
    return Order(order_id, terms, Role.ENTRY, Status.WORKING, broker_order_id=len(order_id), **more)  # type: ignore[arg-type]


def stop(order_id: str, side: Side, quantity: int, level: int, **more: object) -> Order:
    """A stop of somebody's that rests."""
    terms = Terms(ACCOUNT, MES.contract_id, side, quantity, OrderType.STOP, stop_ticks=level)
    return Order(order_id, terms, Role.EXTERNAL, Status.WORKING, broker_order_id=1, **more)  # type: ignore[arg-type]


def held(net: int, instrument: Instrument = MES, price: int = ASK) -> Position:
    return Position(instrument.contract_id, net, price)


def book(*positions: Position, orders: tuple[Order, ...] = ()) -> Account:
    found = Orders()
    for each in orders:
        found = found.put(each)
    return Account(ACCOUNT, orders=found, positions={each.contract_id: each for each in positions})


def with_order(account: Account, changed: Order) -> Account:
    return replace(account, orders=account.orders.put(changed))


def moved(account: Account, *positions: Position) -> Account:
    return replace(account, positions={each.contract_id: each for each in positions})


def ask(account: Account, group: Group = GROUP, at_ns: int = NOW) -> Figures:
    """At the same quotes; the market is a new one, so that nothing is left in it."""
    return figures(group, account, Market(QUOTES, at_ns))


def dearer(group: Group = GROUP) -> Group:
    """MES costs a dollar more to get out of."""
    return replace(group, instruments={**group.instruments, MES.contract_id: replace(MES, fee_usd=Decimal("1.36"))})


# Sums over contracts and sides.


def test_contracts_of_an_account_add_up() -> None:
    account = book(
        held(2),
        held(-3, ES),
        orders=(order("a", Side.BUY, 1), order("b", Side.SELL, 4, ES), order("c", Side.SELL, 1, OLD_MES)),
    )
    found = ask(account)
    # MES: 2 x 1 tick and fees; ES: at its own price, so fees alone
    assert found.day_pnl == -(Decimal("2.50") + Decimal("0.72")) - Decimal("4.20")
    # 3 MES long, 7 ES short at ten micros each, 1 of the other month short
    assert (found.micros, found.open_orders) == (3 + 70 + 1, 3)


def test_orders_of_one_contract_count_on_both_sides() -> None:
    account = book(orders=(order("a", Side.BUY, 1, risk_ticks=40), order("b", Side.SELL, 2, risk_ticks=20)))
    found = ask(account)
    assert found.open_orders == 2
    assert found.day_pnl_at_stops == -(Decimal("50.00") + Decimal("0.72")) - (Decimal("50.00") + Decimal("1.44"))


def test_with_one_position_of_two_unpriced_none_of_the_money_is_known() -> None:
    quotes = {name: quote for name, quote in QUOTES.items() if name != MES.contract_id}
    for positions in ((held(1), held(1, ES)), (held(1, ES), held(1))):
        assert figures(GROUP, book(*positions), Market(quotes, NOW)).day_pnl is None


def test_what_would_be_held_on_one_side_is_held_against_the_other() -> None:
    account = book(orders=(order("a", Side.SELL, 4), order("b", Side.BUY, 7, OLD_MES)))
    assert micros_with(GROUP, account, MES.contract_id, Side.BUY, 2) == 4 + 7
    assert micros_with(GROUP, account, MES.contract_id, Side.BUY, 5) == 5 + 7
    assert micros_with(GROUP, account, OLD_MES.contract_id, Side.SELL, -2) == 4 + 7
    assert micros_with(GROUP, account, OLD_MES.contract_id, Side.SELL, -8) == 4 + 8


def test_months_of_a_product_count_together_whichever_is_asked_about() -> None:
    account = book(held(2, OLD_MES), held(5, ES), held(1))
    assert product_worst(GROUP, account, MES.contract_id, Side.BUY, 1) == 3
    assert product_worst(GROUP, account, OLD_MES.contract_id, Side.BUY, 2) == 3
    assert product_worst(GROUP, account, ES.contract_id, Side.BUY, 5) == 5


def test_orders_beyond_what_they_close_lose_together() -> None:
    selling = (
        order("a", Side.SELL, 2, risk_ticks=10),
        order("b", Side.SELL, 3, risk_ticks=20),
        order("c", Side.SELL, 1, risk_ticks=30),
        order("d", Side.SELL, 4),  # no risk of its own, and so the first to close
    )
    covered = replace(stop("s", Side.SELL, 5, ASK - 8), role=Role.STOP, parent_id="e")
    # 5 held, with a stop that makes way: "d" closes 4, "a" one. What is left is 1 x 10, 3 x 20 and 1 x 30 ticks, with
    # the fees of both sides.
    lost = Decimal("1.25") * 100 + Decimal("0.72") * 5
    assert ask(book(held(5), orders=(*selling, covered))).day_pnl_at_stops == -(Decimal(50) + Decimal("1.80")) - lost


# Stops.


def test_the_farthest_stops_come_first() -> None:
    long = (stop("near", Side.SELL, 2, ASK - 10), stop("far", Side.SELL, 2, ASK - 30))
    short = (stop("near", Side.BUY, 2, ASK + 10), stop("far", Side.BUY, 2, ASK + 30))
    # 2 at 30 ticks and 1 at 10: 70 x 1.25, and 3 fees; whatever the order in which they came
    for orders in (long, long[::-1]):
        assert ask(book(held(3), orders=orders)).day_pnl_at_stops == Decimal("-88.58")
    for orders in (short, short[::-1]):
        assert ask(book(held(-3), orders=orders)).day_pnl_at_stops == Decimal("-88.58")


def test_the_size_of_a_stop_does_not_make_it_the_first() -> None:
    orders = (stop("near", Side.SELL, 3, ASK - 10), stop("far", Side.SELL, 1, ASK - 30))
    assert ask(book(held(3), orders=orders)).day_pnl_at_stops == Decimal("-62.50") - Decimal("1.08")


def test_stops_that_open_cover_nothing_and_hide_none_that_closes() -> None:
    away = stop("away", Side.BUY, 2, ASK + 50)
    found = ask(book(held(2), orders=(away, stop("own", Side.SELL, 2, ASK - 10))))
    assert found.day_pnl_at_stops == Decimal("-25.00") - Decimal("0.72")
    # Alone it leaves both to the stress move: a tick to the bid, and 160 more
    assert ask(book(held(2), orders=(away,))).day_pnl_at_stops == Decimal("-402.50") - Decimal("0.72")


def test_what_a_stop_has_filled_covers_no_more() -> None:
    rest = stop("rest", Side.SELL, 3, ASK - 10, filled_quantity=1)
    # 2 at 10 ticks, 1 at 161
    assert ask(book(held(3), orders=(rest,))).day_pnl_at_stops == Decimal("-226.25") - Decimal("1.08")
    shrinking = replace(rest, filled_quantity=2, change=Change(1, 1, None, ASK - 10))
    assert ask(book(held(1), orders=(shrinking,))).day_pnl_at_stops == Decimal("-201.25") - Decimal("0.36")


def test_a_short_without_a_stop_is_stressed_above_the_ask() -> None:
    assert ask(book(held(-2, price=BID))).day_pnl_at_stops == -2 * 161 * Decimal("1.25") - Decimal("0.72")


def test_each_product_has_its_own_age_of_quotes() -> None:
    strict = replace(LIMITS, instruments=(InstrumentLimits("MES", quote_age_ms_max=1_000),))
    group = replace(GROUP, limits=strict)
    old = NOW + 1_001 * MS_NS
    assert ask(book(held(1)), group, NOW).day_pnl is not None
    found = ask(book(held(1)), group, old)
    assert (found.day_pnl, found.day_pnl_at_stops) == (None, None)
    assert ask(book(held(1, ES)), group, old).day_pnl_at_stops is not None


# Nothing outlives what it was worked out from.


def test_one_market_prices_each_account_by_itself() -> None:
    market = Market(QUOTES, NOW)
    assert figures(GROUP, book(held(1)), market).day_pnl == Decimal("-1.61")
    assert figures(GROUP, book(held(2)), market).day_pnl == Decimal("-3.22")


def test_stricter_limits_are_asked_at_once() -> None:
    group = replace(GROUP, limits=replace(LIMITS, quote_age_ms_max=500))
    market = Market(QUOTES, NOW + 501 * MS_NS)
    account = book(held(1), orders=(order("a", Side.BUY, 1),))
    assert figures(GROUP, account, market).day_pnl == Decimal("-1.61")
    assert figures(group, account, market).day_pnl is None
    assert ask(account, GROUP, NOW).day_pnl == Decimal("-1.61")
    assert ask(account, group, NOW + 501 * MS_NS).day_pnl is None


def test_a_price_that_was_believed_grows_old() -> None:
    account = book(held(1), orders=(order("a", Side.BUY, 1),))
    assert ask(account).day_pnl == Decimal("-1.61")
    assert ask(account, at_ns=NOW + 5_000 * MS_NS).day_pnl == Decimal("-1.61")
    assert ask(account, at_ns=NOW + 5_000 * MS_NS + 1).day_pnl is None


def test_a_new_price_is_the_price() -> None:
    account = book(held(1), orders=(order("a", Side.BUY, 1),))
    assert ask(account).day_pnl == Decimal("-1.61")
    higher = {MES.contract_id: Quote(MES.contract_id, BID + 4, ASK + 4, BID + 4, NOW, NOW)}
    assert figures(GROUP, account, Market(higher, NOW)).day_pnl == Decimal("3.39")


def test_a_position_that_changes_by_itself_is_counted_anew() -> None:
    before = book(held(1), orders=(order("a", Side.BUY, 1), stop("s", Side.SELL, 4, ASK - 10)))
    assert ask(before) == Figures(Decimal("-1.61"), Decimal("-12.86"), 2 + 1, 2)
    found = ask(moved(before, held(3)))
    assert found == ask(book(held(3), orders=tuple(before.orders.values())))
    assert (found.day_pnl, found.day_pnl_at_stops, found.micros) == (Decimal("-4.83"), Decimal("-38.58"), 4)


def test_an_instrument_that_is_listed_anew_is_counted_anew() -> None:
    account = book(held(1), orders=(order("a", Side.BUY, 1, risk_ticks=8), stop("s", Side.SELL, 1, ASK - 10)))
    # The position at its stop, and the order: 12.50 + 0.36 and 10.00 + 0.72
    assert ask(account).day_pnl_at_stops == Decimal("-23.58")
    assert ask(account, dearer()).day_pnl_at_stops == Decimal("-26.58")


def test_an_order_changes_the_sums_of_its_contract_alone() -> None:
    account = book(held(1), held(-1, ES), orders=(order("a", Side.BUY, 1), order("b", Side.SELL, 2, ES)))
    covers = stop("s", Side.SELL, 1, ASK - 10)
    es_stop = replace(covers.terms, contract_id=ES.contract_id, side=Side.BUY, stop_ticks=ASK + 2)
    account = with_order(with_order(account, covers), replace(covers, order_id="es", terms=es_stop))
    first = ask(account)
    # -12.50 - 0.36 and -25.00 - 1.40; micros: 2 and 30; a stop made elsewhere is an open order too
    assert first == Figures(Decimal("-3.01"), Decimal("-39.26"), 2 + 30, 4)
    account = with_order(account, order("c", Side.SELL, 5, risk_ticks=8))
    # The stop closes what there is, so all 5 open: 8 ticks and two fees each. Short is worse now: 1 - 1 - 5
    assert ask(account) == Figures(Decimal("-3.01"), Decimal("-39.26") - Decimal("53.60"), 5 + 30, 5)
    account = replace(account, orders=account.orders.delete("c"))
    assert ask(account) == first


def test_an_order_after_a_change_of_the_positions_finds_the_sums_of_these() -> None:
    covers = stop("s", Side.SELL, 1, ASK - 10)
    before = book(held(1), held(2, ES), orders=(order("a", Side.BUY, 1), order("b", Side.BUY, 1, ES), covers))
    assert ask(before).micros == 2 + 30
    after = with_order(moved(before, held(1), held(6, ES)), order("c", Side.BUY, 1))
    assert ask(after).micros == 3 + 70


def test_an_order_after_a_change_of_an_instrument_finds_the_sums_of_this() -> None:
    before = book(held(1), orders=(stop("s", Side.SELL, 1, ASK - 10), order("e", Side.BUY, 1, ES, risk_ticks=1)))
    # 12.50 + 0.36, and 12.50 + 2.80 of the order in ES
    assert ask(before).day_pnl_at_stops == Decimal("-28.16")
    after = with_order(before, order("f", Side.BUY, 1, ES, risk_ticks=1))
    assert ask(after, dearer()).day_pnl_at_stops == Decimal("-28.16") - 1 - Decimal("15.30")


def test_what_is_closed_at_its_stops_needs_no_price_when_other_orders_come() -> None:
    def at_stops(account: Account) -> Decimal | None:
        return figures(GROUP, account, Market({}, NOW)).day_pnl_at_stops

    account = book(held(1), orders=(stop("s", Side.SELL, 1, ASK - 10),))
    assert at_stops(account) == Decimal("-12.86")
    account = with_order(account, order("a", Side.BUY, 1))
    assert at_stops(account) == Decimal("-12.86")
    account = with_order(account, stop("s", Side.SELL, 1, ASK - 20))
    assert at_stops(account) == Decimal("-25.36")
    account = with_order(account, stop("away", Side.SELL, 1, ASK - 40))
    assert at_stops(account) == Decimal("-50.36")
    account = replace(account, orders=account.orders.delete("away"))
    assert at_stops(account) == Decimal("-25.36")


def test_fills_that_no_order_explains_count_while_they_are_held_and_no_longer() -> None:
    fill: FillReport = fill_row(1, 77, Side.BUY, 4, ASK)
    account = book(held(1), orders=(order("a", Side.BUY, 1), stop("s", Side.SELL, 1, ASK - 10)))
    waiting = replace(account, held={1: fill})
    assert [ask(each).micros for each in (account, waiting, account)] == [2, 6, 2]
    again = book(held(1), orders=tuple(account.orders.values()))
    assert [ask(each).micros for each in (replace(again, held={1: fill}), again)] == [6, 2]


def test_what_a_position_is_worth_follows_its_contracts_description() -> None:
    """The broker corrects a fee or a tick value: nothing worked out before holds, though no price has moved."""
    desk = Desk(WIDE)
    desk.hold("a", quantity=2, stop=Exit(40), target=Leg.OFF)
    before = desk.figures()
    assert before.day_pnl is not None
    assert before.day_pnl_at_stops is not None
    desk.feed(InstrumentsReport((replace(MES, fee_usd=MES.fee_usd + 1),)))
    after = desk.figures()
    assert (after.day_pnl, after.day_pnl_at_stops) == (before.day_pnl - 2, before.day_pnl_at_stops - 2)


def test_sums_are_not_carried_on_from_what_a_book_was_worked_out_for_at_another_position() -> None:
    desk = Desk(WIDE)
    desk.hold("a", quantity=2, stop=Exit(40), target=Leg.OFF)
    account = desk.account
    found = desk.figures()
    again = replace(account, orders=account.orders.put(desk.order("a")))
    elsewhere = replace(account, positions={MES.contract_id: replace(account.position(MES.contract_id), net=1)})
    figures(desk.group, elsewhere, desk.market)
    assert figures(desk.group, again, desk.market) == found
