"""What fills do to orders, positions, entries and the day's money."""

from __future__ import annotations

from decimal import Decimal

import pytest
from msgspec.structs import replace

from ordergate.core import events as e
from ordergate.core.account import AppliedFill
from ordergate.core.commands import Leg
from ordergate.core.fills import day_opened
from ordergate.core.instrument import Instrument
from ordergate.core.order import Exit, Side, Status
from ordergate.core.persistent import Map
from ordergate.core.reports import FillReport, PositionReport
from tests.core.desk import (
    ACCOUNT,
    ASK,
    BID,
    MES,
    MNQ,
    MORNING,
    SECOND_NS,
    WIDE,
    Desk,
    fill_row,
    instant,
    order_row,
    position,
)

OPEN = instant("2026-11-23 17:00")


def opened(desk: Desk) -> list[int]:
    """Contracts that each entry still holds, oldest first."""
    return [order.open_quantity for order in desk.account.orders.values() if order.open_quantity]


def bare(desk: Desk, order_id: str, side: Side = Side.BUY, quantity: int = 1, price: int = ASK) -> None:
    desk.enter(order_id, side, quantity, price, stop=Leg.OFF, target=Leg.OFF)


def test_the_average_fill_is_an_exact_sum() -> None:
    desk = Desk(WIDE)
    desk.submit("a", quantity=3)
    desk.accept("a")
    for price in (100, 101, 101):
        desk.fill("a", 1, price)
    assert (desk.order("a").fill_ticks, desk.order("a").filled_quantity) == (302, 3)
    assert (desk.order("a").opened_ticks, desk.order("a").opened_quantity) == (302, 3)


def test_only_what_opens_is_held_by_an_entry() -> None:
    desk = Desk(WIDE)
    bare(desk, "a", quantity=2)
    bare(desk, "b", Side.SELL, 5, BID)
    assert (desk.order("b").opened_quantity, desk.order("b").opened_ticks) == (3, 3 * BID)
    assert opened(desk) == [3]


@pytest.mark.parametrize(("closing", "left"), [(1, [1, 2, 2]), (2, [2, 2]), (3, [1, 2]), (4, [2]), (6, [])])
def test_what_closes_without_a_leg_shrinks_the_oldest_entry_first(closing: int, left: list[int]) -> None:
    desk = Desk(WIDE)
    for name in "abc":
        bare(desk, name, quantity=2)
    bare(desk, "out", Side.SELL, closing)
    assert opened(desk) == left
    assert desk.net() == sum(left)


def test_a_leg_shrinks_its_own_entry() -> None:
    desk = Desk(WIDE)
    desk.hold("a", quantity=2)
    desk.hold("b", quantity=2)
    desk.fill(desk.stop("b").order_id, 1, ASK - 40)
    assert [desk.order(name).open_quantity for name in "ab"] == [2, 1]


def test_entries_never_hold_more_than_the_position_nor_stand_on_its_other_side() -> None:
    desk = Desk(WIDE)
    desk.hold("a", quantity=2)
    desk.feed(order_row(77, Side.SELL, 5))
    desk.feed(fill_row(1, 77, Side.SELL, 5, BID))
    assert (desk.net(), opened(desk)) == (-3, [])
    bare(desk, "b", Side.BUY, 4)
    assert (desk.net(), opened(desk)) == (1, [1])


def test_realised_money_is_net_of_fees() -> None:
    desk = Desk(WIDE)
    desk.submit("a", quantity=2, stop=Leg.OFF, target=Leg.OFF)
    desk.accept("a")
    desk.fill("a", price=ASK, fee_usd=Decimal("0.72"))
    assert desk.account.day.realized_usd == Decimal("-0.72")
    desk.submit("out", Side.SELL, 2)
    desk.accept("out")
    desk.fill("out", price=ASK + 4, fee_usd=Decimal("0.72"))
    assert desk.account.day.realized_usd == Decimal("8.56")


@pytest.mark.parametrize("order", [("first", "second"), ("second", "first")])
def test_busts_in_any_order_leave_money_and_position_as_if_nothing_had_been(order: tuple[str, str]) -> None:
    desk = Desk(WIDE)
    bare(desk, "a", quantity=3, price=ASK)
    bare(desk, "out", Side.SELL, 2, ASK + 7)
    by_name = {"first": (501, "a", Side.BUY, 3, ASK), "second": (502, "out", Side.SELL, 2, ASK + 7)}
    for name in order:
        fill_id, order_id, side, quantity, price = by_name[name]
        broker_id = desk.order(order_id).broker_order_id or 0
        desk.feed(fill_row(fill_id, broker_id, side, quantity, price, voided=True, at_ns=desk.now_ns))
    assert desk.net() == 0
    assert desk.account.day.realized_usd == 0
    assert opened(desk) == []
    assert desk.order("a").status is Status.FILLED, "the lifecycle keeps what was told"


def test_a_busted_close_gives_its_contracts_back_to_the_newest_entry() -> None:
    desk = Desk(WIDE)
    bare(desk, "a", quantity=2)
    bare(desk, "b", quantity=2)
    bare(desk, "out", Side.SELL, 3)
    assert [desk.order(name).open_quantity for name in "ab"] == [0, 1]
    broker_id = desk.order("out").broker_order_id or 0
    desk.feed(fill_row(503, broker_id, Side.SELL, 3, ASK, voided=True, at_ns=desk.now_ns))
    assert desk.net() == 4
    assert [desk.order(name).open_quantity for name in "ab"] == [2, 2]


def test_a_correction_by_the_broker_takes_its_average_too() -> None:
    desk = Desk(WIDE)
    report = PositionReport(ACCOUNT, MES.contract_id, 3, 302)
    desk.snapshot([report])
    desk.snapshot([report])
    assert desk.account.positions[MES.contract_id].average * 3 == 302


def bust(desk: Desk, fill: FillReport) -> None:
    desk.feed(replace(fill, voided=True))


def held(desk: Desk, *names: str) -> list[int]:
    return [desk.order(name).open_quantity for name in names]


def test_a_fill_is_kept_with_its_time_its_fee_and_what_it_realised() -> None:
    desk = Desk(WIDE)
    desk.submit("a", quantity=2, stop=Leg.OFF, target=Leg.OFF)
    desk.accept("a")
    opening = desk.fill("a", price=ASK, fee_usd=Decimal("0.72"), at_ns=desk.now_ns - 5)
    desk.submit("out", Side.SELL, 1)
    desk.accept("out")
    closing = desk.fill("out", price=ASK + 4, fee_usd=Decimal("0.36"), at_ns=desk.now_ns - 3)
    fills = desk.account.fills
    assert fills[opening.fill_id] == AppliedFill(
        opening.fill_id, "a", MES.contract_id, Side.BUY, 2, ASK, Decimal("0.72"), desk.now_ns - 5
    )
    assert fills[closing.fill_id] == AppliedFill(
        closing.fill_id, "out", MES.contract_id, Side.SELL, 1, ASK + 4, Decimal("0.36"), desk.now_ns - 3, Decimal(5)
    )


def test_a_fill_dates_its_order_and_the_position_that_it_opens() -> None:
    desk = Desk(WIDE)
    desk.submit("a", quantity=1, stop=Leg.OFF, target=Leg.OFF)
    desk.accept("a")
    desk.fill("a", at_ns=desk.now_ns + 7)
    assert desk.order("a").updated_ns == desk.now_ns + 7
    assert desk.account.position(MES.contract_id).opened_ns == desk.now_ns + 7


def test_a_cancel_that_is_under_way_is_watched_until_the_order_is_filled() -> None:
    desk = Desk(WIDE)
    desk.submit("a", quantity=3, stop=Leg.OFF, target=Leg.OFF)
    desk.accept("a")
    desk.cancel("a")
    assert "cancel:a" in desk.account.timers
    desk.fill("a", 1)
    assert (desk.order("a").cancel_sent, "cancel:a" in desk.account.timers) == (1, True)
    desk.fill("a", 2)
    assert "cancel:a" not in desk.account.timers


def test_with_its_last_fill_the_change_of_an_order_is_over() -> None:
    desk = Desk(WIDE)
    desk.submit("a", quantity=2, limit=BID, stop=Leg.OFF, target=Leg.OFF)
    desk.accept("a")
    assert desk.modify("a", limit_ticks=BID - 1).ok
    desk.fill("a", price=BID)
    assert (desk.order("a").status, desk.order("a").change) == (Status.FILLED, None)
    assert "change:a" not in desk.account.timers


@pytest.mark.parametrize(("limit", "trigger"), [(BID - 8, None), (None, ASK + 8)], ids=["limit", "stop"])
def test_a_fill_beyond_the_old_size_proves_the_change_with_its_price(limit: int | None, trigger: int | None) -> None:
    desk = Desk(WIDE)
    desk.submit("a", quantity=1, limit=limit, trigger=trigger, stop=Leg.OFF, target=Leg.OFF)
    desk.accept("a")
    prices = {"limit_ticks": BID - 9} if trigger is None else {"stop_ticks": ASK + 9}
    assert desk.modify("a", quantity=3, **prices).ok
    desk.fill("a", 2)
    terms = desk.order("a").terms
    assert (terms.quantity, terms.limit_ticks, terms.stop_ticks) == (
        3,
        prices.get("limit_ticks"),
        prices.get("stop_ticks"),
    )


@pytest.mark.parametrize(("more", "over"), [(0, False), (1, True)], ids=["some is left", "nothing is left"])
def test_what_is_under_way_ends_with_a_change_that_leaves_nothing_of_the_order(*, more: int, over: bool) -> None:
    desk = Desk(WIDE)
    desk.submit("a", quantity=3, limit=BID, stop=Leg.OFF, target=Leg.OFF)
    desk.accept("a")
    desk.fill("a", 1, BID)
    assert desk.modify("a", quantity=2).ok
    desk.cancel("a")
    if more:
        desk.fill("a", more, BID)
    desk.modified("a")
    assert (desk.order("a").status is Status.FILLED) is over
    assert ("cancel:a" not in desk.account.timers) is over
    assert desk.order("a").cancel_sent == 1


def test_a_bust_takes_back_what_its_fill_did_to_its_order_and_no_more() -> None:
    desk = Desk(WIDE)
    desk.submit("a", quantity=4, stop=Leg.OFF, target=Leg.OFF)
    desk.accept("a")
    desk.show("a", filled_quantity=3)
    desk.fill("a", 1, 100)
    second = desk.fill("a", 2, 103)
    bare(desk, "out", Side.SELL, 2)
    assert held(desk, "a") == [1]
    desk.wait(5)
    bust(desk, second)
    order = desk.order("a")
    assert (order.filled_quantity, order.fill_ticks) == (1, 100)
    assert (order.opened_quantity, order.opened_ticks, order.exited_quantity) == (1, 100, 1)
    assert (order.reported_filled, order.leaves, order.updated_ns) == (1, 3, desk.now_ns)
    assert desk.net() == -1


def test_a_bust_gives_the_fee_back() -> None:
    desk = Desk(WIDE)
    desk.submit("a", stop=Leg.OFF, target=Leg.OFF)
    desk.accept("a")
    fill = desk.fill("a", fee_usd=Decimal("0.36"))
    assert desk.account.day.realized_usd == Decimal("-0.36")
    bust(desk, fill)
    assert desk.account.day.realized_usd == 0


def test_a_busted_fill_is_told_again_without_effect() -> None:
    desk = Desk(WIDE)
    bare(desk, "a")
    desk.submit("b", quantity=2, stop=Leg.OFF, target=Leg.OFF)
    desk.accept("b")
    fill = desk.fill("b")
    bust(desk, fill)
    desk.feed(fill)
    bust(desk, fill)
    assert desk.net() == 1
    assert desk.account.fills[fill.fill_id].busted


def test_a_position_that_a_bust_opens_begins_with_the_bust() -> None:
    desk = Desk(WIDE)
    bare(desk, "a")
    bare(desk, "out", Side.SELL)
    desk.wait(5)
    bust(desk, fill_row(502, desk.order("out").broker_order_id or 0, Side.SELL, 1, ASK))
    assert desk.account.position(MES.contract_id).opened_ns == desk.now_ns


def test_a_busted_leg_gives_its_contracts_back_to_its_own_entry() -> None:
    desk = Desk(WIDE)
    for name in "ab":
        desk.hold(name, quantity=2, stop=Exit(40), target=Leg.OFF)
    first = desk.fill(desk.stop("a").order_id, 1, ASK - 40)
    desk.fill(desk.stop("b").order_id, 1, ASK - 40)
    assert held(desk, "a", "b") == [1, 1]
    bust(desk, first)
    assert held(desk, "a", "b") == [2, 1]


def test_a_busted_close_gives_back_its_own_contracts_and_not_what_other_exits_closed() -> None:
    desk = Desk(WIDE)
    for name in "abc":
        desk.hold(name, quantity=2, stop=Exit(40), target=Leg.OFF)
    desk.fill(desk.stop("b").order_id, 1, ASK - 40)
    last = desk.fill(desk.stop("c").order_id, 1, ASK - 40)
    assert held(desk, "a", "b", "c") == [2, 1, 1]
    bust(desk, last)
    assert held(desk, "a", "b", "c") == [2, 1, 2]


def test_a_busted_close_without_a_leg_skips_the_entries_that_it_did_not_close() -> None:
    desk = Desk(WIDE)
    for name in "abc":
        bare(desk, name, quantity=2)
    desk.submit("out", Side.SELL, 3, stop=Leg.OFF, target=Leg.OFF)
    desk.accept("out")
    out = desk.fill("out")
    assert held(desk, "a", "b", "c") == [0, 1, 2]
    bust(desk, out)
    assert held(desk, "a", "b", "c") == [2, 2, 2]


def test_the_newest_of_the_entries_that_were_closed_is_open_again_first() -> None:
    desk = Desk(WIDE)
    for name in "ab":
        bare(desk, name)
    desk.submit("out", Side.SELL, stop=Leg.OFF, target=Leg.OFF)
    desk.accept("out")
    out = desk.fill("out")
    bare(desk, "rest", Side.SELL)
    assert held(desk, "a", "b") == [0, 0]
    bust(desk, out)
    assert held(desk, "a", "b") == [0, 1]


def test_a_bust_of_what_went_through_flat_opens_all_of_the_other_side_again() -> None:
    desk = Desk(WIDE)
    bare(desk, "a", quantity=2)
    desk.submit("out", Side.SELL, 3, stop=Leg.OFF, target=Leg.OFF)
    desk.accept("out")
    out = desk.fill("out")
    assert (desk.net(), held(desk, "a", "out")) == (-1, [0, 1])
    bust(desk, out)
    assert (desk.net(), held(desk, "a", "out")) == (2, [2, 0])


def test_a_bust_that_leaves_nothing_held_opens_nothing_again() -> None:
    desk = Desk(WIDE)
    bare(desk, "a", quantity=2)
    bare(desk, "out", Side.SELL, 2)
    desk.submit("b", quantity=2, stop=Leg.OFF, target=Leg.OFF)
    desk.accept("b")
    fill = desk.fill("b")
    bust(desk, fill)
    assert (desk.net(), held(desk, "a", "b")) == (0, [0, 0])


def test_a_busted_entry_shrinks_the_others_to_what_is_still_held() -> None:
    desk = Desk(WIDE)
    desk.submit("a", quantity=2, stop=Leg.OFF, target=Leg.OFF)
    desk.accept("a")
    first = desk.fill("a")
    bare(desk, "b", quantity=2)
    bare(desk, "out", Side.SELL, 1)
    assert held(desk, "a", "b") == [1, 2]
    bust(desk, first)
    assert (desk.net(), held(desk, "a", "b")) == (1, [0, 1])


def test_an_account_is_adopted_with_its_name_and_the_fills_that_were_there() -> None:
    desk = Desk(fills=[fill_row(7, 70, Side.BUY, 1, ASK)], positions=[position(1, ASK)])
    assert desk.account.name == "PRACTICE-1"
    assert desk.account.fills[7] == AppliedFill(7)


@pytest.mark.parametrize(("at_ns", "of_the_new_day"), [(OPEN - 1, False), (OPEN, True)])
@pytest.mark.parametrize("opened", [True, False], ids=["the day is open", "the day cannot be opened yet"])
def test_a_fill_at_the_instant_of_the_open_is_the_new_days(*, at_ns: int, of_the_new_day: bool, opened: bool) -> None:
    desk = Desk(WIDE)
    bare(desk, "a")
    desk.submit("out", Side.SELL, limit=ASK + 1)
    desk.accept("out")
    quotes = desk.quotes
    desk.now_ns = OPEN + SECOND_NS
    desk.quotes = {name: replace(quote, at_ns=desk.now_ns) for name, quote in quotes.items()} if opened else {}
    desk.wait(1, quiet=True)
    if opened:
        desk.mark(ASK)
    desk.fill("out", price=ASK + 4, at_ns=at_ns)
    desk.quotes = quotes
    desk.mark(ASK)
    day = desk.account.day
    assert (day.name, day.realized_usd) == ("2026-11-24", Decimal(5) if of_the_new_day else Decimal(0))


def test_the_next_day_is_waited_for_as_soon_as_one_has_opened() -> None:
    desk = Desk(WIDE)
    desk.wait((OPEN - MORNING) // 1_000_000)
    assert desk.account.day.name == "2026-11-24"
    assert desk.account.timers["day"] == instant("2026-11-24 17:00")


def test_a_leg_of_an_entry_that_is_no_longer_listed_still_moves_the_position() -> None:
    desk = Desk(WIDE)
    desk.hold("a", target=Leg.OFF)
    stop = desk.stop("a").order_id
    account = replace(desk.account, orders=desk.account.orders.delete("a"))
    desk.group = replace(desk.group, accounts={ACCOUNT: account})
    desk.fill(stop, price=ASK - 40)
    assert desk.net() == 0


def test_a_correction_keeps_when_the_position_was_opened() -> None:
    desk = Desk(WIDE)
    bare(desk, "a", quantity=2)
    opened_ns = desk.account.position(MES.contract_id).opened_ns
    desk.wait(1_000)
    for _ in range(2):
        desk.snapshot([position(1, ASK)], [])
    assert desk.net() == 1
    assert desk.account.position(MES.contract_id).opened_ns == opened_ns == MORNING


def test_a_bust_of_an_order_that_is_no_longer_listed_still_moves_the_position() -> None:
    desk = Desk(WIDE)
    bare(desk, "a", quantity=2)
    desk.submit("out", Side.SELL, 1, stop=Leg.OFF, target=Leg.OFF)
    desk.accept("out")
    out = desk.fill("out")
    account = replace(desk.account, done=desk.account.done.delete("out"))
    desk.group = replace(desk.group, accounts={ACCOUNT: account})
    bust(desk, out)
    assert (desk.net(), held(desk, "a")) == (2, [2])


def test_fills_are_waited_for_until_the_last_one_that_the_row_has_shown() -> None:
    desk = Desk(WIDE)
    desk.submit("a", quantity=3, stop=Leg.OFF, target=Leg.OFF)
    desk.accept("a")
    desk.show("a", filled_quantity=2)
    desk.fill("a", 1)
    assert "fills:a" in desk.account.timers
    desk.fill("a", 1)
    assert "fills:a" not in desk.account.timers


def test_a_bust_of_a_part_leaves_the_rest_of_its_entry_open() -> None:
    desk = Desk(WIDE)
    desk.submit("a", quantity=4, stop=Leg.OFF, target=Leg.OFF)
    desk.accept("a")
    desk.fill("a", 1, 100)
    second = desk.fill("a", 2, 103)
    bust(desk, second)
    order = desk.order("a")
    assert (order.opened_quantity, order.exited_quantity, order.reported_filled, desk.net()) == (1, 0, 0, 1)


def test_a_bust_of_what_went_through_flat_takes_back_only_what_it_opened() -> None:
    desk = Desk(WIDE)
    bare(desk, "a", quantity=2)
    desk.submit("out", Side.SELL, 3, stop=Leg.OFF, target=Leg.OFF)
    desk.accept("out")
    out = desk.fill("out", price=BID)
    bust(desk, out)
    order = desk.order("out")
    assert (order.opened_quantity, order.opened_ticks, order.exited_quantity) == (0, 0, 0)


@pytest.mark.parametrize("instrument", [MES, MNQ], ids=["of the other side", "of another contract"])
def test_what_a_busted_close_gives_back_goes_to_no_newer_entry(instrument: Instrument) -> None:
    desk = Desk(WIDE)
    bare(desk, "a")
    desk.submit("out", Side.SELL, stop=Leg.OFF, target=Leg.OFF)
    desk.accept("out")
    out = desk.fill("out")
    side = Side.SELL if instrument is MES else Side.BUY
    for name, way in (("newer", side), ("cover", side.opposite)):
        desk.enter(name, way, stop=Leg.OFF, target=Leg.OFF, instrument=instrument)
    bust(desk, out)
    assert (desk.net(), held(desk, "a", "newer")) == (1, [1, 0])


def test_a_fill_in_one_contract_leaves_the_entries_of_another_alone() -> None:
    desk = Desk(WIDE)
    desk.enter("short", Side.SELL, 2, instrument=MNQ)
    bare(desk, "a", quantity=3)
    bare(desk, "out", Side.SELL, 2)
    assert held(desk, "short", "a") == [2, 1]


def test_a_leg_that_closes_more_than_its_own_entry_holds_closes_the_others_too() -> None:
    desk = Desk(WIDE)
    desk.hold("a", quantity=2, stop=Exit(40), target=Leg.OFF)
    bare(desk, "b")
    bare(desk, "out", Side.SELL, 1)
    assert held(desk, "a", "b") == [1, 1]
    desk.fill(desk.stop("a").order_id, 2, ASK - 40)
    assert (desk.net(), held(desk, "a", "b")) == (0, [0, 0])
    assert desk.order("a").exited_quantity == 2


def test_the_legs_of_a_listed_entry_are_listed_with_it_on_the_next_day() -> None:
    desk = Desk(WIDE)
    desk.hold("a")
    stop, target = desk.stop("a"), desk.target("a")
    desk.fill(target.order_id, price=ASK + 80)
    desk.cancelled(stop.order_id)
    desk.wait((OPEN - desk.now_ns) // 1_000_000)
    assert desk.account.day.name == "2026-11-24"
    for leg in (stop, target):
        assert desk.account.order(leg.order_id) is not None
        assert desk.account.tags.get(leg.tag) == leg.order_id
        assert desk.account.broker_ids.get(leg.broker_order_id or 0) == leg.order_id


def test_legs_take_no_place_in_the_list_from_orders_that_a_person_made() -> None:
    desk = Desk(WIDE)
    desk.hold("a")
    entry, leg = desk.order("a"), desk.stop("a")
    done = {f"o{n}": replace(entry, order_id=f"o{n}", status=Status.CANCELLED, decided_ns=n) for n in range(500)}
    done |= {f"l{n}": replace(leg, order_id=f"l{n}", parent_id="o0", decided_ns=1_000 + n) for n in range(50)}
    account = replace(desk.account, done=Map(done))
    opened = day_opened(account, e.TradingDayOpened(ACCOUNT, "2026-11-24", Decimal(0), Decimal(0), OPEN))
    assert set(opened.done.keys()) == set(done)
