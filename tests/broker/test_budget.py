"""The request limit, kept on our side."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from ordergate.broker.projectx.budget import RequestBudget, RequestLimits

LIMITS = RequestLimits(requests_max=10, window_s=60, reserve=4)


def spent(count: int, at_s: float = 0.0) -> RequestBudget:
    budget = RequestBudget(LIMITS)
    for _ in range(count):
        budget.spend(at_s)
    return budget


def test_new_risk_waits_once_only_the_reserve_is_left() -> None:
    assert spent(5).delay_s(1, exits=False) == 0
    assert spent(6).delay_s(1, exits=False) == 59


def test_an_exit_may_use_the_reserve_and_then_waits_too() -> None:
    assert spent(9).delay_s(1, exits=True) == 0
    assert spent(10).delay_s(1, exits=True) == 59


def test_room_comes_back_when_the_window_has_passed() -> None:
    assert spent(10).delay_s(60, exits=False) == 0


def test_after_a_429_nothing_but_exits_leaves_for_a_window() -> None:
    budget = spent(1)
    budget.turned_away(5, retry_after_s=None)
    assert budget.delay_s(6, exits=False) == 59
    assert budget.delay_s(6, exits=True) == 0


def test_the_broker_may_say_how_long_to_wait_after_a_429() -> None:
    budget = spent(1)
    budget.turned_away(5, retry_after_s=2)
    assert budget.delay_s(6, exits=False) == 1


@given(st.lists(st.tuples(st.floats(0, 30), st.booleans()), max_size=80))
def test_no_window_ever_sees_more_requests_than_the_limit(wishes: list[tuple[float, bool]]) -> None:
    """Invariant 1, whoever asks when; the waits are taken at their word."""
    budget = RequestBudget(LIMITS)
    now_s, left = 0.0, list[tuple[float, bool]]()
    for pause_s, exits in wishes:
        now_s += pause_s
        while (delay_s := budget.delay_s(now_s, exits=exits)) > 0:
            now_s += delay_s
        budget.spend(now_s)
        left.append((now_s, exits))
    for end_s, _ in left:
        window = [exits for at_s, exits in left if end_s - LIMITS.window_s < at_s <= end_s]
        assert len(window) <= LIMITS.requests_max
