"""Answers: one place for their codes; each names what it is about."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from ordergate.core import answers
from ordergate.core.commands import (
    Answer,
    CancelAll,
    CancelOrder,
    ClosePosition,
    Flatten,
    Leg,
    ModifyOrder,
    SubmitOrder,
    UpdateProtection,
)
from ordergate.core.limits import Breach
from ordergate.core.order import Exit, OrderType, Side
from tests.core.desk import ACCOUNT, ASK, BID, MES, MNQ, WIDE, Desk, position

COMMAND = CancelOrder("r1", "a")
BREACHES = (Breach("FIRST", "1", "2", "two is above one"), Breach("SECOND", "x", "y", "y is not x"))


def test_every_answer_names_its_request() -> None:
    made = [
        answers.done(COMMAND),
        answers.refused(COMMAND, "CODE", "text"),
        answers.denied(COMMAND, "a", "c", BREACHES),
        answers.unknown_order(COMMAND, "a"),
        answers.unknown_account(COMMAND, 7),
        answers.unknown_position(COMMAND, "c"),
        answers.already_final(COMMAND, "a", "filled"),
        answers.withdrawn(COMMAND, "a"),
    ]
    assert {answer.request_id for answer in made} == {"r1"}
    assert [answer.ok for answer in made] == [True] + [False] * 7
    assert all(answer.code and answer.message for answer in made if not answer.ok)


def test_done_has_no_code() -> None:
    assert answers.done(COMMAND, "a", "c") == Answer("r1", ok=True, order_id="a", contract_id="c")


def test_a_denial_tells_every_breach_and_then_its_note() -> None:
    answer = answers.denied(COMMAND, "a", "c", BREACHES, answers.closing_note(3))
    assert (answer.code, answer.breaches) == ("FIRST", BREACHES)
    assert answer.message == "two is above one; y is not x; an order of 3 would only close, and is never denied"
    assert answers.denied(COMMAND, "a", "c", BREACHES).message == "two is above one; y is not x"


def test_what_closes_nothing_has_no_note() -> None:
    assert answers.closing_note(0) == ""


C = MES.contract_id
UNKNOWN = 7


def desk() -> Desk:
    """Long 3 MES with legs, and 2 MNQ that were not opened here; a limit and a stop order work; others are over."""
    made = Desk(WIDE, positions=[position(2, ASK, MNQ)])
    made.hold("held", quantity=3, stop=Exit(40), target=Exit(80))
    made.submit("limit", quantity=3, limit=BID - 8)
    made.submit("trigger", quantity=2, trigger=ASK + 8)
    made.submit("gone", limit=BID - 9)
    made.accept("limit", "trigger", "gone")
    made.cancelled("gone")
    made.fill("limit", 1, BID - 8)
    made.submit("busy", limit=BID - 10)
    made.cancel("withdrawn", queued_account=ACCOUNT)
    made.submit("withdrawn")
    return made


def part_of_a_close(made: Desk) -> Answer:
    made.close(1)
    return made.close(1)


def another_order(made: Desk, account_id: int = ACCOUNT, contract_id: str = C) -> Answer:
    command = SubmitOrder("r", account_id, "limit", contract_id, Side.BUY, 9, OrderType.MARKET, fingerprint="x")
    return made.ask(command)


# What is asked, and of its refusal: code, field, order, contract, and words of its message.
REFUSED: list[tuple[Callable[[Desk], Answer], str, str | None, str | None, str | None, str]] = [
    (lambda d: another_order(d, UNKNOWN), "UNKNOWN_ACCOUNT", "accountId", None, None, "no account 7"),
    (another_order, "ORDER_ID_REUSED", "orderId", "limit", None, "limit was used for another order"),
    (lambda d: d.submit("withdrawn"), "CANCELLED", None, "withdrawn", None, "before it was decided"),
    (lambda d: d.submit("new", quantity=1_001), "MAX_ORDER_SIZE", None, "new", C, "1001 contracts"),
    (lambda d: d.cancel("none"), "UNKNOWN_ORDER", "orderId", "none", None, "no order none"),
    (lambda d: d.cancel("gone"), "ALREADY_FINAL", None, "gone", None, "gone is cancelled"),
    (lambda d: d.cancel(d.stop("held").order_id), "PROTECTIVE_STOP", None, "held/stop/2", None, "protects a position"),
    (lambda d: d.ask(ClosePosition("r", UNKNOWN, C)), "UNKNOWN_ACCOUNT", "accountId", None, None, "no account 7"),
    (
        lambda d: d.ask(ClosePosition("r", ACCOUNT, "X")),
        "UNKNOWN_POSITION",
        "instrument",
        None,
        "X",
        "no position in X",
    ),
    (lambda d: d.close(5), "MORE_THAN_HELD", "quantity", None, C, "4 are held, 5 cannot"),
    (part_of_a_close, "BUSY", None, None, C, "a part of this position is being closed"),
    (lambda d: d.ask(CancelAll("r", UNKNOWN)), "UNKNOWN_ACCOUNT", "accountId", None, None, "no account 7"),
    (lambda d: d.ask(Flatten("r", UNKNOWN)), "UNKNOWN_ACCOUNT", "accountId", None, None, "no account 7"),
    (lambda d: d.modify("none", quantity=1), "UNKNOWN_ORDER", "orderId", "none", None, "no order none"),
    (
        lambda d: d.ask(ModifyOrder("r", "limit", UNKNOWN, quantity=2)),
        "UNKNOWN_ORDER",
        "orderId",
        "limit",
        None,
        "no order limit",
    ),
    (lambda d: d.modify("gone", quantity=2), "ALREADY_FINAL", None, "gone", None, "gone is cancelled"),
    (lambda d: d.modify("busy", quantity=2), "BUSY", None, "busy", None, "busy is approved with a request under way"),
    (lambda d: d.modify("trigger", limit_ticks=1), "NO_LIMIT_PRICE", "limitPrice", None, None, "only a LIMIT order"),
    (lambda d: d.modify("limit", stop_ticks=1), "NO_STOP_PRICE", "stopPrice", None, None, "only a STOP order"),
    (lambda d: d.modify("limit", quantity=1), "QUANTITY_FILLED", "quantity", "limit", None, "1 are filled already"),
    (lambda d: d.modify("limit", quantity=1_002), "MAX_ORDER_SIZE", None, "limit", C, "1001 contracts"),
    (
        lambda d: d.modify(d.stop("held").order_id, quantity=1),
        "NOTHING_TO_CHANGE",
        None,
        "held/stop/2",
        None,
        "moved by its price",
    ),
    (lambda d: d.ask(UpdateProtection("r", UNKNOWN, C, 1)), "UNKNOWN_ACCOUNT", "accountId", None, None, "no account 7"),
    (
        lambda d: d.ask(UpdateProtection("r", ACCOUNT, "X", 1)),
        "UNKNOWN_POSITION",
        "instrument",
        None,
        "X",
        "no position in X",
    ),
    (lambda d: d.protect(stop=1, instrument=MNQ), "NOT_OURS", None, None, MNQ.contract_id, "not opened here"),
    (lambda d: d.protect(stop=BID), "STOP_THROUGH_MARKET", "stopLoss", "held", None, "through this stop already"),
]


@pytest.mark.parametrize("row", REFUSED, ids=[f"{number} {row[1]}" for number, row in enumerate(REFUSED)])
def test_a_refusal_names_its_code_the_field_the_order_and_the_contract_and_says_why(
    row: tuple[Callable[[Desk], Answer], str, str | None, str | None, str | None, str],
) -> None:
    ask, *told, words = row
    answer = ask(desk())
    assert not answer.ok
    assert [answer.code, answer.field, answer.order_id, answer.contract_id] == told
    assert words in answer.message


def test_a_contract_that_nobody_knows_is_named() -> None:
    answer = Desk().ask(SubmitOrder("r", ACCOUNT, "a", "CON.X", Side.BUY, 1, OrderType.MARKET))
    assert (answer.code, answer.field) == ("UNKNOWN_INSTRUMENT", "instrument")
    assert answer.message == "no contract is called CON.X"


DONE: list[tuple[Callable[[Desk], Answer], str | None, str | None]] = [
    (lambda d: d.submit("new", limit=BID - 20), "new", C),
    (lambda d: d.submit("out", Side.SELL, 1, stop=Leg.OFF, target=Leg.OFF), "out", C),
    (lambda d: d.submit("limit", quantity=3, limit=BID - 8), "limit", C),
    (lambda d: d.cancel("limit"), "limit", C),
    (lambda d: d.cancel("later", queued_account=ACCOUNT), "later", None),
    (lambda d: d.close(), None, C),
    (lambda d: d.cancel_all(), None, None),
    (lambda d: d.flatten(), None, None),
    (lambda d: d.modify("limit", quantity=2), "limit", C),
    (lambda d: d.modify("limit", quantity=3), "limit", C),
    (lambda d: d.modify(d.stop("held").order_id, stop_ticks=ASK - 39), "held", C),
    (lambda d: d.protect(stop=ASK - 39), "held", C),
]


@pytest.mark.parametrize("row", DONE, ids=range(len(DONE)))
def test_what_is_done_names_its_order_and_its_contract(
    row: tuple[Callable[[Desk], Answer], str | None, str | None],
) -> None:
    ask, order_id, contract_id = row
    answer = ask(desk())
    assert (answer.ok, answer.code, answer.order_id, answer.contract_id) == (True, "", order_id, contract_id)


def test_an_order_that_its_cancel_overtook_is_named_when_it_comes() -> None:
    made = Desk()
    made.cancel("a", queued_account=ACCOUNT)
    answer = made.submit("a")
    assert (answer.code, answer.order_id, answer.message) == ("CANCELLED", "a", "cancelled before it was decided")
