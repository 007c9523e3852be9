"""Who asked is remembered until he is answered, and never without bound."""

from __future__ import annotations

from ordergate.dialect import askings
from ordergate.dialect.askings import Asking, Askings, Kind


def asking(order_id: str) -> Asking:
    return Asking(Kind.PLACE, "MANUAL_TRADING", order_id)


def test_an_answer_about_an_order_is_for_who_asked_about_it_and_else_for_who_asked_first() -> None:
    kept = Askings()
    for order_id in ("a", "b", "c"):
        kept.put("same", asking(order_id))
    assert "same" in kept
    assert kept.take("same", "b") == asking("b")
    assert kept.take("same") == asking("a")
    assert kept.take("same", "nobody's") == asking("c")
    assert kept.take("same") is None
    assert "same" not in kept


def test_the_oldest_go_when_too_many_wait() -> None:
    kept = Askings()
    for number in range(askings.KEPT_MAX + 2):
        kept.put(str(number), asking(str(number)))
    assert [kept.take(str(number)) for number in (0, 1)] == [None, None]
    assert kept.take("2") == asking("2")
