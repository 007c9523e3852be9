"""Answers: one place for their codes; each names what it is about."""

from __future__ import annotations

from ordergate.core import answers
from ordergate.core.commands import Answer, CancelOrder
from ordergate.core.limits import Breach

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
