"""How long orders were on their way, whatever the senders' clocks are off by.

A day of messages as the network brings them, then one that waited.
"""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from ordergate.core.market import MS_NS
from ordergate.engine.senders import AGREEING_MIN, AGREEING_NS, AGREEING_OVER_NS, Senders

AHEAD_MS = 2_000
LIMIT_NS = 5_000 * MS_NS
START_NS = 1_795_446_000_000 * MS_NS
DAY_NS = 86_400_000 * MS_NS

# A clock, and what messages take. What is ahead by more than the limit is denied for that.
offsets = st.integers(-DAY_NS, AHEAD_MS * MS_NS)
latencies = st.integers(0, AGREEING_NS)
pauses = st.integers(AGREEING_OVER_NS // (AGREEING_MIN - 1), 2 * AGREEING_OVER_NS)
messages = st.lists(st.tuples(pauses, latencies), min_size=AGREEING_MIN, max_size=12)


class Sender:
    """One whose clock shows ``offset_ns`` more than ours."""

    def __init__(self, senders: Senders, offset_ns: int) -> None:
        self.senders, self.offset_ns, self.now_ns = senders, offset_ns, START_NS

    def say(self, pause_ns: int, latency_ns: int) -> int:
        """The delay seen of a message that arrives ``pause_ns`` after the last."""
        self.now_ns += pause_ns
        sent_ns = self.now_ns - latency_ns + self.offset_ns
        return self.senders.delayed_ns("sender", sent_ns, self.now_ns, AHEAD_MS)


@given(offsets, messages, st.integers(0, 10 * LIMIT_NS))
def test_a_message_is_too_old_if_it_took_longer_than_the_fastest_by_more_than_the_limit(
    offset_ns: int, heard: list[tuple[int, int]], latency_ns: int
) -> None:
    sender = Sender(Senders(), offset_ns)
    for pause_ns, each_ns in heard:
        sender.say(pause_ns, each_ns)
    delayed_ns = sender.say(0, latency_ns)
    # Which of the messages is the fastest "of late" is between the fastest and the slowest of all.
    taken = [each_ns for _, each_ns in heard] + [latency_ns]
    fastest_ns, slowest_ns = min(taken), max(taken[:-1])
    if latency_ns > slowest_ns + LIMIT_NS:
        assert delayed_ns > LIMIT_NS
    if latency_ns <= fastest_ns + LIMIT_NS:
        assert delayed_ns <= LIMIT_NS


@given(offsets, offsets, messages, messages)
def test_a_clock_that_jumps_is_learned_again_within_three_messages_over_thirty_seconds(
    before_ns: int, after_ns: int, heard: list[tuple[int, int]], then: list[tuple[int, int]]
) -> None:
    sender = Sender(Senders(), before_ns)
    for pause_ns, each_ns in heard:
        sender.say(pause_ns, each_ns)
    sender.offset_ns = after_ns
    seen = [sender.say(pause_ns, each_ns) for pause_ns, each_ns in then]
    # A jump of less than networks differ by is no jump: what was counted before it goes on.
    assert all(delayed_ns <= 2 * AGREEING_NS for delayed_ns in seen[AGREEING_MIN:])


@given(offsets, messages, st.lists(st.integers(0, DAY_NS), min_size=1, max_size=50), st.data())
def test_messages_that_waited_together_and_come_at_once_are_each_as_late_as_they_are(
    offset_ns: int, heard: list[tuple[int, int]], waits: list[int], data: st.DataObject
) -> None:
    sender = Sender(Senders(), offset_ns)
    for pause_ns, each_ns in heard:
        sender.say(pause_ns, each_ns)
    for wait_ns in sorted(waits, reverse=True):
        pause_ns = data.draw(st.integers(0, (AGREEING_OVER_NS - 1) // len(waits)))
        assert wait_ns - AGREEING_NS <= sender.say(pause_ns, wait_ns) <= wait_ns
