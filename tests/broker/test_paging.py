"""Every row of a search, from a service that may leave some out."""

from __future__ import annotations

from typing import NamedTuple

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ordergate.broker.projectx.paging import everything
from ordergate.errors import OutcomeUnknown
from tests.simulation.virtual_time import run

SINCE = "2026-11-23T00:00:00Z"


class Row(NamedTuple):
    id: int
    creation_timestamp: str


def at(minute: int) -> str:
    return f"2026-11-23T{minute // 60:02d}:{minute % 60:02d}:00Z"


class Service:
    """Rows by their minutes; it tells no more than ``limit`` at once, the newest or the oldest."""

    def __init__(self, minutes: list[int], limit: int | None, *, newest: bool) -> None:
        self.rows = sorted((Row(number, at(minute)) for number, minute in enumerate(minutes)), key=lambda row: row[1])
        self.limit = limit
        self.newest = newest
        self.asked = 0

    async def page(self, start: str, end: str | None) -> tuple[Row, ...]:
        self.asked += 1
        assert self.asked < 100, "it goes round in circles"
        found = [row for row in self.rows if start <= row.creation_timestamp <= (end or "3")]
        if self.limit is None:
            return tuple(found)
        return tuple(found[-self.limit :] if self.newest else found[: self.limit])


@given(
    minutes=st.lists(st.integers(0, 1_439), max_size=400, unique=True),
    limit=st.none() | st.sampled_from([50, 64, 100, 128, 150, 200, 250]),
    newest=st.booleans(),
)
def test_every_row_comes_once_whatever_the_service_leaves_out(
    minutes: list[int], limit: int | None, *, newest: bool
) -> None:
    service = Service(minutes, limit, newest=newest)
    found = run(everything(service.page, SINCE))
    assert sorted(found, key=lambda row: row[1]) == service.rows


@pytest.mark.parametrize(("count", "asked"), [(0, 1), (32, 1), (49, 1), (50, 3), (51, 1), (128, 3), (399, 1), (400, 3)])
def test_only_of_as_many_rows_as_may_be_a_limit_it_is_asked_whether_there_are_more(count: int, asked: int) -> None:
    service = Service(list(range(count)), None, newest=True)
    run(everything(service.page, SINCE))
    assert service.asked == asked


@pytest.mark.parametrize("newest", [True, False])
def test_more_rows_of_one_instant_than_are_told_at_once_are_no_reading(*, newest: bool) -> None:
    service = Service([5] * 200, 100, newest=newest)
    with pytest.raises(OutcomeUnknown, match="the same 100 rows"):
        run(everything(service.page, SINCE))
