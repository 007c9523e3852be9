"""Duplicates, rates, our own repeats, age and the other accounts, as tables: allowed, at the limit, over, unknown."""

from __future__ import annotations

from typing import Any

import pytest
from msgspec.structs import replace

from ordergate.core import events as e
from ordergate.core.commands import Leg, ModifyOrder, SubmitOrder
from ordergate.core.decide import decide
from ordergate.core.inputs import Stamped
from ordergate.core.limits import InstrumentLimits
from ordergate.core.order import Exit, OrderType, Protection, Role, Side, Terms
from ordergate.core.pace import KEPT_MAX, MINUTE_NS, failures, paced
from ordergate.core.preview import preview
from ordergate.core.reports import AccountReport, BrokerSnapshot, Outcome
from ordergate.core.rules import broken, propose
from tests.core.desk import ACCOUNT, ASK, BID, ES, MES, MNQ, MS_NS, WIDE, Desk, position

OTHER = ACCOUNT + 1


# duplicate
@pytest.mark.parametrize(
    ("wait_ms", "changed", "codes"),
    [
        (0, {}, ["DUPLICATE_ORDER"]),
        (999, {}, ["DUPLICATE_ORDER"]),
        (1_000, {}, []),
        (0, {"quantity": 2}, []),
        (0, {"limit": BID - 11}, []),
        (0, {"side": Side.SELL}, []),
        (0, {"instrument": MNQ}, []),
        (0, {"limit": None}, []),
        (0, {"stop": Exit(44)}, ["DUPLICATE_ORDER"]),
    ],
    ids=["at once", "inside", "at the end", "size", "price", "side", "contract", "type", "only its stop differs"],
)
def test_the_same_order_with_another_id_waits(wait_ms: int, changed: dict[str, Any], codes: list[str]) -> None:
    desk = Desk(replace(WIDE, duplicate_window_ms=1_000))
    given = {"quantity": 1, "limit": BID - 10}
    assert desk.codes("a", **given) == []
    desk.wait(wait_ms)
    assert desk.codes("b", **(given | changed)) == codes


def test_the_same_id_again_is_a_retry_and_no_duplicate() -> None:
    desk = Desk(replace(WIDE, duplicate_window_ms=1_000))
    assert desk.submit("a").ok
    assert desk.submit("a").ok


def test_an_order_is_no_duplicate_of_itself_when_it_is_moved_back() -> None:
    desk = Desk(replace(WIDE, duplicate_window_ms=60_000))
    desk.submit("a", limit=BID - 10)
    desk.accept("a")
    for price in (BID - 9, BID - 10):
        assert desk.modify("a", limit_ticks=price).ok
        desk.modified("a")


def test_a_denied_order_is_not_what_a_duplicate_is_measured_by() -> None:
    desk = Desk(replace(WIDE, duplicate_window_ms=1_000, order_quantity_max=1))
    assert desk.codes("a", quantity=2) == ["MAX_ORDER_SIZE"]
    assert desk.codes("b", quantity=2) == ["MAX_ORDER_SIZE"]


def test_duplicates_and_rates_are_off_unless_set_and_then_nothing_is_kept() -> None:
    desk = Desk(WIDE)
    for number in range(50):
        assert desk.codes(f"o{number}", limit=BID - 10) == []
    assert desk.account.asked == ()


# order_rate
def test_orders_of_an_account_are_counted_by_the_minute() -> None:
    desk = Desk(replace(WIDE, orders_per_minute_max=3))
    for number, instrument in enumerate((MES, MNQ, MES)):
        assert desk.codes(f"o{number}", instrument=instrument, limit=BID - 10) == []
        desk.wait(1_000)
    assert desk.codes("over", limit=BID - 10) == ["ORDER_RATE"]
    desk.wait(57_000)
    assert desk.codes("a minute later", limit=BID - 10) == [], (
        "the first is a minute old, and denied ones count nothing"
    )


def test_orders_of_one_contract_are_counted_by_themselves() -> None:
    desk = Desk(replace(WIDE, instrument_orders_per_minute_max=1))
    assert desk.codes("a", limit=BID - 10) == []
    (breach,) = desk.submit("b", limit=BID - 11).breaches
    assert (breach.code, breach.limit, breach.actual) == ("ORDER_RATE", "1", "2")
    assert "2 orders of MES in a minute" in breach.message
    assert desk.codes("c", limit=BID - 10, instrument=MNQ) == []


def test_a_change_that_adds_risk_counts_like_an_order() -> None:
    desk = Desk(replace(WIDE, orders_per_minute_max=2))
    desk.submit("a", limit=BID - 10)
    desk.accept("a")
    assert desk.modify("a", limit_ticks=BID - 9).ok
    desk.modified("a")
    assert desk.modify("a", limit_ticks=BID - 8).code == "ORDER_RATE"


def test_closing_orders_are_neither_asked_nor_counted() -> None:
    desk = Desk(replace(WIDE, orders_per_minute_max=1), positions=[position(3, ASK)])
    for number in range(3):
        assert desk.submit(f"out{number}", Side.SELL).ok
    assert desk.submit("in", limit=BID - 10).ok
    assert desk.codes("over", limit=BID - 10) == ["ORDER_RATE"]
    assert desk.flatten().ok


def test_what_is_kept_is_forgotten_after_the_window() -> None:
    desk = Desk(replace(WIDE, orders_per_minute_max=100))
    for number in range(5):
        desk.submit(f"o{number}", limit=BID - 10)
        desk.wait(30_000)
    assert [asked.order_id for asked in desk.account.asked] == ["o3", "o4"]


def test_no_more_is_kept_than_the_largest_rate_looks_at() -> None:
    desk = Desk(replace(WIDE, orders_per_minute_max=KEPT_MAX))
    assert desk.submit("a", limit=BID - 10).ok
    (event,) = desk.told(e.OrderApproved)
    account = desk.account
    for _ in range(KEPT_MAX + 1):
        account = paced(desk.group.limits, account, event)
    assert len(account.asked) == KEPT_MAX


# repeated_action
def test_six_failures_of_our_own_in_a_minute_need_a_person() -> None:
    desk = Desk(WIDE)
    desk.enter("a", target=Leg.OFF)
    desk.enter("b", target=Leg.OFF)
    for number in range(6):
        assert desk.told(e.RepeatedAction) == []
        name = "ab"[number % 2]
        desk.wait(300)
        desk.placed(desk.stop(name).order_id, Outcome.REFUSED, text="no")
        desk.wait(300)
    (told,) = desk.told(e.RepeatedAction)
    assert told.count == 6
    assert "REPEATED_ACTION" in desk.codes("c", instrument=MNQ)
    desk.wait(3_600_000)
    assert desk.account.repeating, "no time and no restart ends it"
    assert desk.flatten().ok
    assert not desk.account.repeating
    assert "REPEATED_ACTION" not in desk.codes("d", instrument=MNQ)


def test_a_target_that_is_refused_again_and_again_is_given_up() -> None:
    desk = Desk(WIDE)
    desk.enter("a")
    desk.accept(desk.stop("a").order_id)
    tried = 0
    for _ in range(30):
        for target in desk.legs("a", Role.TARGET):
            tried += 1
            desk.placed(target.order_id, Outcome.REFUSED, text="no")
        desk.wait(5_000)
    assert tried == 6
    assert desk.account.repeating
    assert desk.legs("a"), "its stop stays where it is"


def test_five_failures_in_a_minute_are_allowed() -> None:
    desk = Desk(replace(WIDE, repeats_per_minute_max=6))
    desk.enter("a")
    desk.accept(desk.stop("a").order_id)
    for _ in range(6):
        (target,) = desk.legs("a", Role.TARGET)
        desk.placed(target.order_id, Outcome.REFUSED, text="no")
        desk.wait(5_000)
    assert not desk.account.repeating


# too_old and clock_skew
def decided(desk: Desk, *, waited_ms: int = 0, sent_ms: int | None = None, delayed_ms: int = 0) -> list[str]:
    """The codes for a buy that was so long on its way, waited that long, and says it was sent so long after it came."""
    received_ns = desk.now_ns - waited_ms * MS_NS
    sent_ns = None if sent_ms is None else received_ns + sent_ms * MS_NS
    command = SubmitOrder("r", ACCOUNT, "a", MES.contract_id, Side.BUY, 1, OrderType.MARKET, sent_ns=sent_ns)
    stamp = Stamped(command, desk.market, received_ns, delayed_ns=delayed_ms * MS_NS)
    answer = decide(desk.group, stamp).answer
    assert answer is not None
    return [breach.code for breach in answer.breaches]


@pytest.mark.parametrize(("waited_ms", "codes"), [(0, []), (5_000, []), (5_001, ["TOO_OLD"])])
def test_an_order_that_waited_too_long_is_not_what_was_meant(waited_ms: int, codes: list[str]) -> None:
    assert decided(Desk(), waited_ms=waited_ms) == codes


@pytest.mark.parametrize(
    ("delayed_ms", "waited_ms", "codes"),
    [
        (5_000, 0, []),
        (5_001, 0, ["TOO_OLD"]),
        (3_000, 2_000, []),
        (3_000, 2_001, ["TOO_OLD"]),
    ],
)
def test_what_an_order_waited_before_it_arrived_counts_too(delayed_ms: int, waited_ms: int, codes: list[str]) -> None:
    assert decided(Desk(), waited_ms=waited_ms, delayed_ms=delayed_ms) == codes


def test_an_order_that_is_too_old_offers_nothing_and_tells_where_it_waited() -> None:
    desk = Desk()
    command = SubmitOrder("r", ACCOUNT, "a", MES.contract_id, Side.BUY, 1, OrderType.MARKET)
    answer = decide(desk.group, Stamped(command, desk.market, desk.now_ns - MS_NS, delayed_ns=6_000 * MS_NS)).answer
    assert answer is not None
    assert (answer.code, answer.nearest) == ("TOO_OLD", None)
    (breach,) = answer.breaches
    assert (breach.limit, breach.actual) == ("5000", "6001")
    assert "6001 ms have passed since it was sent, 6000 before it arrived" in breach.message


def test_an_exit_is_never_too_old() -> None:
    desk = Desk()
    desk.hold("a", quantity=2)
    command = SubmitOrder("r", ACCOUNT, "b", MES.contract_id, Side.SELL, 2, OrderType.MARKET)
    answer = decide(desk.group, Stamped(command, desk.market, desk.now_ns, delayed_ns=60_000 * MS_NS)).answer
    assert answer is not None
    assert answer.ok


def test_a_preview_at_the_same_stamp_judges_the_same_age() -> None:
    desk = Desk()
    command = SubmitOrder("r", ACCOUNT, "a", MES.contract_id, Side.BUY, 1, OrderType.MARKET)
    for delayed_ms, codes in ((5_000, []), (5_001, ["TOO_OLD"])):
        stamp = Stamped(command, desk.market, desk.now_ns, delayed_ns=delayed_ms * MS_NS)
        assert [breach.code for breach in preview(desk.group, desk.account, command, stamp).breaches] == codes


def test_a_change_that_waited_too_long_is_denied_too() -> None:
    desk = Desk(WIDE)
    desk.submit("a", limit=BID - 10)
    desk.accept("a")
    command = ModifyOrder("r", "a", ACCOUNT, limit_ticks=BID - 9)
    for waited_ms, code in ((5_001, "TOO_OLD"), (5_000, "")):
        stamp = Stamped(command, desk.market, desk.now_ns - waited_ms * MS_NS)
        answer = decide(desk.group, stamp).answer
        assert answer is not None
        assert answer.code == code


@pytest.mark.parametrize(
    ("sent_ms", "codes"), [(None, []), (-86_400_000, []), (0, []), (2_000, []), (2_001, ["CLOCK_SKEW"])]
)
def test_an_order_from_the_future_shows_a_wrong_clock(sent_ms: int | None, codes: list[str]) -> None:
    assert decided(Desk(), sent_ms=sent_ms) == codes


# opposite_position
@pytest.mark.parametrize(
    ("net", "instrument", "side", "codes"),
    [
        (1, MES, Side.BUY, []),
        (1, MES, Side.SELL, ["OPPOSITE_POSITION"]),
        (-1, MES, Side.BUY, ["OPPOSITE_POSITION"]),
        (-1, ES, Side.BUY, ["OPPOSITE_POSITION"]),
        (-1, MNQ, Side.BUY, []),
    ],
    ids=["same side", "other side", "short", "in another size", "another underlying"],
)
def test_two_accounts_never_hold_both_sides(net: int, instrument: Any, side: Side, codes: list[str]) -> None:
    held = position(net, ASK, instrument)
    for allowed in (False, True):
        desk = Desk(replace(WIDE, opposite_positions=allowed))
        account = AccountReport(OTHER, "PRACTICE-2", desk.balance, can_trade=True)
        for _ in range(2):
            desk.feed(BrokerSnapshot(account, 0, desk.now_ns, (replace(held, account_id=OTHER),), (), ()))
        assert desk.codes("a", side) == ([] if allowed else codes)


@pytest.mark.parametrize(
    ("net", "side", "wanted", "held"), [(-2, Side.BUY, "long", "short"), (2, Side.SELL, "short", "long")]
)
def test_a_denial_for_the_other_side_names_both_sides_and_the_account(
    net: int, side: Side, wanted: str, held: str
) -> None:
    desk = Desk(replace(WIDE, opposite_positions=False))
    account = AccountReport(OTHER, "PRACTICE-2", desk.balance, can_trade=True)
    for _ in range(2):
        there = replace(position(net, ASK), account_id=OTHER)
        desk.feed(BrokerSnapshot(account, 0, desk.now_ns, (there,), (), ()))
    (breach,) = desk.submit("a", side).breaches
    assert (breach.limit, breach.actual) == (wanted, held)
    assert f"account {OTHER} is or may become {held} of what MES" in breach.message


def test_an_accounts_own_position_is_not_another_side_of_it() -> None:
    desk = Desk(replace(WIDE, opposite_positions=False), positions=[position(2, ASK)])
    assert desk.codes("a", Side.SELL, 5) == []


def test_an_order_that_works_in_another_account_counts_as_filled() -> None:
    desk = Desk(replace(WIDE, opposite_positions=False))
    account = AccountReport(OTHER, "PRACTICE-2", desk.balance, can_trade=True)
    for _ in range(2):
        desk.feed(BrokerSnapshot(account, 0, desk.now_ns, (), (), ()))
    command = SubmitOrder("r", OTHER, "there", MES.contract_id, Side.SELL, 1, OrderType.LIMIT, limit_ticks=ASK + 10)
    assert desk.ask(command).ok
    assert desk.codes("a") == ["OPPOSITE_POSITION"]
    assert desk.codes("b", Side.SELL) == []


# what the rules on pace look back at
def test_an_order_equal_to_what_another_was_changed_to_is_a_duplicate() -> None:
    desk = Desk(replace(WIDE, duplicate_window_ms=60_000))
    for name, given in (("limit", {"limit": BID - 10}), ("stop", {"trigger": ASK + 10})):
        desk.submit(name, **given)  # type: ignore[arg-type]
        desk.accept(name)
    assert desk.modify("limit", quantity=2, limit_ticks=BID - 9).ok
    assert desk.modify("stop", quantity=2, stop_ticks=ASK + 9).ok
    assert desk.codes("b", quantity=2, limit=BID - 9) == ["DUPLICATE_ORDER"]
    assert desk.codes("c", quantity=2, trigger=ASK + 9) == ["DUPLICATE_ORDER"]


def test_an_order_is_no_duplicate_of_what_it_was_changed_to_before() -> None:
    desk = Desk(replace(WIDE, duplicate_window_ms=60_000))
    desk.submit("a", limit=BID - 10)
    desk.accept("a")
    for price in (BID - 9, BID - 8, BID - 9):
        assert desk.modify("a", limit_ticks=price).ok
        desk.modified("a")


def test_a_duplicate_is_found_among_the_orders_of_the_whole_window() -> None:
    desk = Desk(replace(WIDE, duplicate_window_ms=60_000))
    assert desk.codes("a", limit=BID - 10) == []
    desk.wait(30_000)
    assert desk.codes("b", limit=BID - 11) == []
    assert desk.codes("c", limit=BID - 10) == ["DUPLICATE_ORDER"]


def test_what_was_kept_goes_when_no_rule_looks_at_it_any_more() -> None:
    desk = Desk(replace(WIDE, duplicate_window_ms=1_000))
    assert desk.codes("a", limit=BID - 10) == []
    assert [asked.order_id for asked in desk.account.asked] == ["a"]
    desk.group = replace(desk.group, limits=WIDE)
    assert desk.codes("b", limit=BID - 10) == []
    assert desk.account.asked == ()
    assert desk.account.orders.get("b") is not None


def test_a_product_with_other_limits_of_its_own_makes_no_rule_look_back() -> None:
    desk = Desk(replace(WIDE, instruments=(InstrumentLimits("MES", order_quantity_max=900),)))
    assert desk.codes("a", limit=BID - 10) == []
    assert desk.account.asked == ()


def test_a_failure_counts_for_less_than_a_minute() -> None:
    account = replace(Desk(WIDE).account, failures=(0, 1))
    assert failures(account, MINUTE_NS) == 1
    failed = paced(WIDE, account, e.ProtectionFailed(ACCOUNT, "a", 1, "no", MINUTE_NS))
    assert failed.failures == (1, MINUTE_NS)


def test_where_nobody_told_when_an_order_arrived_no_clock_is_compared() -> None:
    desk = Desk()
    terms = Terms(ACCOUNT, MES.contract_id, Side.BUY, 1, OrderType.MARKET)
    for sent_ns in (None, desk.now_ns + 10**12):
        p = propose(desk.group, desk.account, terms, 1, Protection(), market=desk.market, sent_ns=sent_ns)
        assert broken(p) == []
