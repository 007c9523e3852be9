"""What a denied order is told: the nearest order that would pass, and that it does."""

from __future__ import annotations

from collections import UserDict
from collections.abc import Callable
from decimal import Decimal
from typing import Any

import pytest
from msgspec.structs import replace

from ordergate.core import selftest
from ordergate.core.commands import Leg, Nearest, SubmitOrder
from ordergate.core.inputs import Stamped
from ordergate.core.judgement import Judgement
from ordergate.core.limits import Breach, Limits
from ordergate.core.market import Market
from ordergate.core.nearest import MENDABLE, nearest, search
from ordergate.core.order import Exit, OrderType, Protection, Side
from ordergate.core.reports import LinkReport, Quote
from tests.core.desk import ACCOUNT, ASK, BID, MES, WIDE, Desk
from tests.core.test_selftest import ALL_ON

# Ten contracts with the default stop of 40 ticks lose 500 USD.
HALF_A_DAY = Limits(daily_loss_usd_max=Decimal(500))
HUGE = replace(WIDE, order_quantity_max=10**6, position_quantity_max=10**6)


@pytest.mark.parametrize(
    ("limits", "asked", "offered"),
    [
        (Limits(), 11, 10),  # MAX_ORDER_SIZE and MAX_POSITION_SIZE
        (Limits(), 2_000_000_000, 10),
        (HALF_A_DAY, 10, 9),  # 9 lose 456.48 with their fees, 10 would lose 507.20
        (replace(WIDE, order_quantity_max=700), 1_000, 700),
        (replace(WIDE, order_quantity_max=700), 702, 700),
        (Limits(order_quantity_min=3, order_quantity_max=8), 20, 8),
        (Limits(account_position_micros_max=4), 9, 4),
        (Limits(order_value_usd_max=Decimal(100_000)), 9, 4),  # 25,000 each
        (Limits(maximum_loss_usd=Decimal(200)), 9, 3),  # 50.72 each
        (Limits(order_quantity_min=3), 2, None),  # only a larger one would pass: not what was meant
        (Limits(daily_loss_usd_max=Decimal(50)), 3, None),
    ],
)
def test_the_largest_quantity_that_passes_is_named(limits: Limits, asked: int, offered: int | None) -> None:
    answer = Desk(limits).submit("a", quantity=asked)
    assert not answer.ok
    assert answer.nearest == (None if offered is None else Nearest(offered))


def test_of_two_quantities_the_larger_is_named_where_its_default_stop_is_drawn_in() -> None:
    limits = replace(WIDE, risk_percent_max=Decimal(2), daily_loss_usd_max=Decimal(1_000))
    desk = Desk(limits)
    passing = [number for number in range(1, 24) if Desk(limits).submit("a", quantity=number).ok]
    assert passing[-2:] == [19, 23]
    assert desk.submit("b", quantity=24).nearest == Nearest(23)


def test_an_order_through_flat_names_what_would_only_close() -> None:
    desk = Desk(Limits(daily_loss_usd_max=Decimal(150)))
    desk.hold("a", quantity=2)
    answer = desk.submit("b", Side.SELL, 5)
    assert [breach.code for breach in answer.breaches] == ["DAILY_LOSS_LIMIT"]
    assert answer.nearest == Nearest(2)
    assert desk.submit("c", Side.SELL, 2).ok


def test_beyond_flat_the_largest_part_that_passes_is_named() -> None:
    desk = Desk(Limits(position_quantity_max=3))
    desk.hold("a", quantity=2)
    assert desk.submit("b", Side.SELL, 9).nearest == Nearest(5)
    assert desk.submit("c", Side.SELL, 5).ok


@pytest.mark.parametrize(
    ("side", "own", "stop", "offered"),
    [
        (Side.BUY, BID - 20, ASK - 6, ASK - 2),  # its stop stands above it
        (Side.SELL, ASK + 20, BID + 6, BID + 2),
    ],
)
def test_where_no_quantity_passes_at_its_price_the_nearest_price_is_named(
    side: Side, own: int, stop: int, offered: int
) -> None:
    desk = Desk()
    answer = desk.submit("a", side, 2, limit=own, stop=Exit(8, stop))
    assert [breach.code for breach in answer.breaches] == ["STOP_TOO_CLOSE"]
    assert answer.nearest == Nearest(2, limit_ticks=offered)
    assert not desk.submit("b", side, 2, limit=offered - side.sign, stop=Exit(8, stop)).ok
    assert desk.submit("c", side, 2, limit=offered, stop=Exit(8, stop)).ok


@pytest.mark.parametrize(("side", "stop", "offered"), [(Side.BUY, ASK - 3, ASK + 1), (Side.SELL, BID + 3, BID - 1)])
def test_a_stop_is_moved_no_farther_than_the_first_price_that_does_not_trigger_at_once(
    side: Side, stop: int, offered: int
) -> None:
    desk = Desk()
    answer = desk.submit("a", side, trigger=stop, stop=Exit(8, stop))
    assert answer.nearest == Nearest(1, stop_ticks=offered)


def test_price_and_quantity_are_both_moved_where_both_have_to_be() -> None:
    desk = Desk(Limits(order_quantity_max=3))
    answer = desk.submit("a", quantity=8, limit=BID - 9, stop=Exit(8, BID - 10))
    assert answer.nearest == Nearest(3, limit_ticks=BID - 6)
    assert desk.submit("b", quantity=3, limit=BID - 6, stop=Exit(8, BID - 10)).ok


def test_where_no_order_would_pass_none_is_named() -> None:
    desk = Desk()
    desk.feed(LinkReport(up=False, reason="gone"))
    for answer in (desk.submit("a"), desk.submit("b", limit=BID - 8), desk.submit("c", trigger=ASK + 8)):
        assert (answer.code, answer.nearest) == ("BROKER_LINK_DOWN", None)


def test_without_a_quote_no_price_is_named() -> None:
    desk = Desk()
    desk.quotes.clear()
    assert desk.submit("a", limit=BID).nearest is None


def test_an_approved_order_and_a_refused_one_name_nothing() -> None:
    desk = Desk()
    assert desk.submit("a").nearest is None
    assert desk.cancel("never-sent").nearest is None


def test_the_same_order_again_is_told_what_would_pass_by_then() -> None:
    desk = Desk()
    first = desk.submit("a", quantity=11)
    assert replace(desk.submit("a", quantity=11), request_id=first.request_id) == first
    desk.hold("b", quantity=4)
    again = desk.submit("a", quantity=11)
    assert (again.breaches, again.nearest) == (first.breaches, Nearest(6))


def test_an_order_that_was_denied_for_the_moment_is_named_itself_once_it_would_pass() -> None:
    desk = Desk()
    desk.feed(LinkReport(up=False, reason="gone"))
    assert desk.submit("a", quantity=3, limit=BID).nearest is None
    desk.feed(LinkReport(up=True))
    desk.snapshot()
    again = desk.submit("a", quantity=3, limit=BID)
    assert (again.code, again.nearest) == ("BROKER_LINK_DOWN", Nearest(3, limit_ticks=BID))
    assert desk.submit("b", quantity=3, limit=BID).ok


def test_an_order_that_was_sent_before_is_not_offered_in_another_size() -> None:
    desk = Desk(Limits(duplicate_window_ms=1_000, order_quantity_max=5))
    assert desk.submit("a", quantity=4, limit=BID).ok
    for order_id in ("b", "c"):
        answer = desk.submit(order_id, quantity=4, limit=BID)
        assert ([breach.code for breach in answer.breaches], answer.nearest) == (["DUPLICATE_ORDER"], None)
    assert desk.submit("d", quantity=3, limit=BID).ok, "it would have passed: it is another order, if it is meant"


def test_of_an_order_that_was_sent_before_not_even_what_would_only_close_is_offered() -> None:
    desk = Desk(Limits(duplicate_window_ms=1_000))
    desk.hold("a", quantity=2)
    assert desk.submit("b", Side.SELL, 5).ok
    desk.accept("b")
    desk.cancelled("b")
    answer = desk.submit("c", Side.SELL, 5)
    assert ([breach.code for breach in answer.breaches], answer.nearest) == (["DUPLICATE_ORDER"], None)


class Counted(UserDict[str, Any]):
    """Quotes, and how often they were asked for: once a judgement with nothing held, twice for a stop at a price."""

    asked = 0

    def get(self, key: str, default: Any = None) -> Any:
        self.asked += 1
        return super().get(key, default)


@pytest.mark.parametrize(
    ("limits", "quantity", "price", "most"),
    [
        (Limits(), 11, None, 20),
        (Limits(), 2**31 - 1, None, 20),
        (Limits(), 40, BID - 20, 60),
        (WIDE, 2**31 - 1, None, 35),
        (WIDE, 9, -(10**7), 80),
        (HUGE, 2**31 - 1, -(10**7), 160),
    ],
)
def test_the_work_is_bounded_however_large_the_order_and_however_far_its_price(
    limits: Limits, quantity: int, price: int | None, most: int
) -> None:
    desk = Desk(limits)
    kind = OrderType.MARKET if price is None else OrderType.LIMIT
    stop = Leg.DEFAULT if price is None else Exit(8, BID - 8)
    name = MES.contract_id
    command = SubmitOrder("r", ACCOUNT, "a", name, Side.BUY, quantity, kind, limit_ticks=price, stop=stop)
    quotes = Counted(desk.quotes)
    stamp = Stamped(command, Market(quotes, desk.now_ns), desk.now_ns)  # type: ignore[arg-type] # it is read only
    assert nearest(desk.group, desk.account, command, stamp) is not None
    assert 0 < quotes.asked <= most


def judgements(scene: selftest.Scene) -> tuple[Nearest | None, int]:
    """What is offered in place of the order of a scene, and how many judgements that took."""
    group, stamp = selftest.stage(scene)
    quotes = Counted(stamp.market.quotes)
    counted = replace(stamp, market=Market(quotes, stamp.market.at_ns))  # type: ignore[arg-type] # it is read only
    offered = nearest(group, scene.account, scene.order, counted)
    return offered, quotes.asked - 1  # the search itself looks at the market once


@pytest.mark.parametrize("code", [code for code in selftest.CASES if code not in MENDABLE])
def test_what_neither_quantity_nor_price_can_mend_is_not_searched(code: str) -> None:
    scene = selftest.CASES[code](selftest.scene(ALL_ON, "MES"))
    assert scene is not None
    priced = replace(scene, order=replace(scene.order, order_type=OrderType.LIMIT, limit_ticks=BID - 20))
    assert code in selftest.codes(scene)
    assert judgements(scene) == (None, 1)
    if code in selftest.codes(priced):  # at another price it is another order
        assert judgements(priced) == (None, 1)


def test_what_can_be_mended_are_codes_of_rules() -> None:
    assert [code for code in MENDABLE if code not in selftest.CASES] == []


def asking(passes: Callable[[Nearest], bool], closing: int = 0) -> Callable[[Nearest], Judgement]:
    """Judges an order of which ``closing`` contracts only close: what ``passes`` says no to is too large."""

    def ask(candidate: Nearest) -> Judgement:
        breaches = () if passes(candidate) else (Breach("MAX_ORDER_SIZE", "", "", ""),)
        return Judgement(Protection(), 0, closing, None, breaches)

    return ask


def found(passes: Callable[[int], bool], asked: Nearest) -> int | None:
    """The quantity that ``search`` finds where the quantities that ``passes`` names pass at any price."""
    offered = search(asking(lambda candidate: passes(candidate.quantity)), asked, Side.BUY, None)
    return None if offered is None else offered.quantity


def test_the_largest_that_passes_is_found_wherever_the_limit_is() -> None:
    for limit in range(1, 60):
        assert found(range(1, limit + 1).__contains__, Nearest(60)) == limit


def test_nothing_larger_than_what_was_asked_is_offered() -> None:
    assert found({1, 6}.__contains__, Nearest(5)) == 1
    assert found({6}.__contains__, Nearest(5)) is None
    six = asking(lambda candidate: candidate.quantity == 6)
    assert search(six, Nearest(5), Side.BUY, None, above=5) is None


def test_what_only_closes_passes_and_is_not_asked() -> None:
    seen: list[int] = []

    def passes(candidate: Nearest) -> bool:
        seen.append(candidate.quantity)
        return False

    offered = search(asking(passes, closing=3), Nearest(20), Side.SELL, None)
    assert offered == Nearest(3)
    assert min(seen) == 4


def test_a_stop_has_no_other_price_where_the_far_side_of_the_market_is_not_known() -> None:
    quote, asked = Quote(MES.contract_id, BID, None, BID, 0, 0), Nearest(1, None, ASK + 50)
    assert search(asking(lambda candidate: candidate != asked), asked, Side.BUY, quote) is None


@pytest.mark.parametrize(("side", "own", "beyond"), [(Side.BUY, BID, ASK), (Side.SELL, ASK, BID)])
def test_a_limit_is_moved_no_farther_than_its_own_side_of_the_market(side: Side, own: int, beyond: int) -> None:
    quote, asked = Quote(MES.contract_id, BID, ASK, BID, 0, 0), Nearest(1, own - 50 * side.sign)
    assert search(asking({Nearest(1, own)}.__contains__), asked, side, quote) == Nearest(1, own)
    assert search(asking({Nearest(1, beyond)}.__contains__), asked, side, quote) is None
