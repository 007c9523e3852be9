"""What a message was delayed by before it arrived, for clocks that are right, wrong, and set."""

from __future__ import annotations

import pytest

from ordergate.core.market import MS_NS
from ordergate.engine.senders import SENDERS_MAX, Senders

AHEAD_MS = 2_000
START_NS = 1_795_446_000_000 * MS_NS
S_MS = 1_000
DAY_MS = 86_400 * S_MS


class Arrivals:
    """Messages of one sender; milliseconds throughout."""

    def __init__(self, clock_ms: int = 0) -> None:
        self.senders = Senders()
        self.clock_ms = clock_ms
        self.now_ms = 0

    def after(self, pause_ms: int, delay_ms: int, sender: str = "page") -> int:
        """The delay seen of the next message, that comes ``pause_ms`` after the last, ``delay_ms`` on its way."""
        self.now_ms += pause_ms
        return self.leading(self.clock_ms - delay_ms, sender)

    def leading(self, lead_ms: int, sender: str = "page") -> int:
        """The delay seen of one that comes now, and says that it was sent so long from now."""
        received_ns = START_NS + self.now_ms * MS_NS
        sent_ns = received_ns + lead_ms * MS_NS
        delayed_ns = self.senders.delayed_ns(sender, sent_ns, received_ns, AHEAD_MS)
        assert delayed_ns % MS_NS == 0
        return delayed_ns // MS_NS


def agreeing(arrivals: Arrivals, lead_ms: int) -> list[int]:
    """Three alike in 30 seconds."""
    seen = []
    for _ in range(3):
        arrivals.now_ms += 15 * S_MS
        seen.append(arrivals.leading(lead_ms))
    return seen


@pytest.mark.parametrize(("lead_ms", "delayed_ms"), [(-5_001, 5_001), (-3_000, 3_000), (-1, 1), (0, 0), (1_500, 0)])
def test_the_first_message_of_a_sender_is_held_against_our_own_clock(lead_ms: int, delayed_ms: int) -> None:
    assert Arrivals().leading(lead_ms) == delayed_ms


def test_a_message_without_a_time_has_no_delay_and_teaches_nothing() -> None:
    senders = Senders()
    assert senders.delayed_ns("page", None, START_NS, AHEAD_MS) == 0
    assert len(senders) == 0


def test_a_clock_that_is_ahead_hides_no_delay_once_it_is_known() -> None:
    arrivals = Arrivals(clock_ms=1_500)
    assert arrivals.after(0, 10) == 0
    assert arrivals.after(1, 6_010) == 6_000


@pytest.mark.parametrize(("ahead_ms", "delayed_ms"), [(AHEAD_MS, AHEAD_MS), (AHEAD_MS + 1, 0), (DAY_MS, 0)])
def test_a_time_too_far_ahead_teaches_nothing(ahead_ms: int, delayed_ms: int) -> None:
    arrivals = Arrivals()
    assert arrivals.leading(ahead_ms) == 0
    assert arrivals.leading(0) == delayed_ms


def test_a_slow_clock_is_believed_with_the_third_message_that_agrees_over_thirty_seconds() -> None:
    arrivals = Arrivals()
    assert agreeing(arrivals, -60_000) == [60_000, 60_000, 0]
    assert arrivals.leading(-66_000) == 6_000


@pytest.mark.parametrize(
    ("pauses_ms", "lead_ms", "believed"),
    [
        ((0, 30_000), -60_000, False),  # two messages
        ((0, 15_000, 14_999), -60_000, False),  # too soon
        ((0, 15_000, 15_000), -60_000, True),
        ((0, 0, 0, 0, 30_000), -60_000, True),
        ((0, 3_600_000, 3_600_000), -DAY_MS, True),
    ],
)
def test_how_many_and_over_how_long(pauses_ms: tuple[int, ...], lead_ms: int, believed: bool) -> None:  # noqa: FBT001 - a column
    arrivals = Arrivals()
    for pause_ms in pauses_ms:
        arrivals.now_ms += pause_ms
        delayed_ms = arrivals.leading(lead_ms)
    assert delayed_ms == (0 if believed else -lead_ms)


@pytest.mark.parametrize(("apart_ms", "delayed_ms"), [(250, 250), (251, 60_251)])
def test_how_nearly_they_agree(apart_ms: int, delayed_ms: int) -> None:
    arrivals = Arrivals()
    arrivals.leading(-60_000)
    arrivals.now_ms += 15_000
    arrivals.leading(-60_100)
    arrivals.now_ms += 15_000
    assert arrivals.leading(-60_000 - apart_ms) == delayed_ms


def test_a_faster_message_between_them_starts_the_count_anew() -> None:
    arrivals = Arrivals()
    for lead_ms in (-60_000, -60_000, 0, -60_000):
        arrivals.now_ms += 15_000
        delayed_ms = arrivals.leading(lead_ms)
    assert delayed_ms == 60_000


def test_a_message_as_fast_as_the_fastest_starts_the_count_anew_too() -> None:
    arrivals = Arrivals()
    seen = []
    for pause_ms, lead_ms in ((0, -200), (10, -200), (10, 0), (10, -200), (15, -200), (15, -200)):
        arrivals.now_ms += pause_ms * S_MS
        seen.append(arrivals.leading(lead_ms))
    assert seen == [200, 200, 0, 200, 200, 0]


def test_what_is_ahead_is_told_in_whole_milliseconds() -> None:
    senders = Senders()
    lead_ns = (AHEAD_MS + 1) * MS_NS - 1
    assert senders.delayed_ns("page", START_NS + lead_ns, START_NS, AHEAD_MS) == 0
    assert senders.delayed_ns("page", START_NS, START_NS, AHEAD_MS) == lead_ns


def test_a_message_sent_again_and_again_with_its_first_time_never_teaches() -> None:
    arrivals = Arrivals()
    for waited_ms in range(0, 600_000, 5_000):
        assert arrivals.after(5_000, waited_ms) == waited_ms


def test_a_queue_that_is_worked_off_never_teaches() -> None:
    arrivals = Arrivals()
    for left in range(60, 0, -1):  # a minute's messages, one a second old, two a second
        assert arrivals.after(500, left * 500) == left * 500


def test_a_clock_that_is_set_forward_is_believed_at_once_and_set_back_like_a_slow_one() -> None:
    arrivals = Arrivals()
    agreeing(arrivals, -60_000)
    assert arrivals.leading(0) == 0
    assert agreeing(arrivals, -60_000) == [60_000, 60_000, 0]


def test_each_sender_has_its_own_clock() -> None:
    arrivals = Arrivals()
    agreeing(arrivals, -60_000)
    assert arrivals.leading(-60_000, "other") == 60_000
    assert arrivals.leading(-60_000) == 0


def test_the_senders_heard_longest_ago_are_forgotten() -> None:
    arrivals = Arrivals()
    agreeing(arrivals, -60_000)
    for number in range(SENDERS_MAX - 1):
        arrivals.leading(0, str(number))
    assert arrivals.leading(-60_000) == 0  # heard again, so that now "0" is the oldest
    arrivals.leading(0, "one more")
    assert len(arrivals.senders) == SENDERS_MAX
    assert arrivals.leading(-60_000) == 0
    for number in range(SENDERS_MAX):
        arrivals.leading(0, str(number))
    assert arrivals.leading(-60_000) == 60_000
