"""How long orders were on their way here, by the time that they say they were sent at.

A sender's clock may be another machine's, and what it is off by cannot be told from one message. So it is learned. The
*lead* of a message is its time of sending less that of its arrival. A sender's offset is the lead of its message that
travelled fastest of late; what the lead of another one lacks to it is the delay of that one.

Invariants:
1. A sender that nothing is known of has our own clock, offset 0: after a start too an old message is old. A clock that
   is slow by less than an order may be old costs its sender nothing but that part of the age.
2. A faster message counts at once. A slower clock is believed after ``AGREEING_MIN`` messages in a row, over at least
   ``AGREEING_OVER_NS``, with leads within ``AGREEING_NS``. So none of these passes for one: messages that waited
   together and come at once, a queue that is worked off, a message sent again and again with its first time.
3. A time farther ahead than is allowed teaches nothing: one such message would make all that follow look late.
4. The same messages in the same order give the same delays. At most ``SENDERS_MAX`` senders are kept; who was heard
   longest ago is forgotten first, and so unknown.

A way here that becomes longer and stays so, every message as late as the others, cannot be told from a slow clock.
"""

from __future__ import annotations

import msgspec

from ordergate.core.market import MS_NS

SENDERS_MAX = 256
AGREEING_MIN = 3
# Longer than a queue takes to be worked off, shorter than a trader with a slow clock tries before he asks why.
AGREEING_OVER_NS = 30_000 * MS_NS
# What networks differ by from message to message; a queue that grows by less in that time is not seen.
AGREEING_NS = 250 * MS_NS


class _Known(msgspec.Struct, frozen=True):
    """The clock of a sender, and its last messages in a row that were slower and agree: ``count`` since ``since_ns``.

    Their leads are from ``low_ns`` to ``high_ns``.
    """

    offset_ns: int = 0
    count: int = 0
    since_ns: int = 0
    low_ns: int = 0
    high_ns: int = 0


class Senders:
    """The clocks of all senders, by what they call themselves. In memory only: a start knows none."""

    def __init__(self) -> None:
        self._known: dict[str, _Known] = {}

    def __len__(self) -> int:
        return len(self._known)

    def delayed_ns(self, sender: str, sent_ns: int | None, received_ns: int, ahead_ms_max: int) -> int:
        """How much longer than the fastest of ``sender`` this message took (>= 0); it is learned from as well.

        0 where it does not say when it was sent, or says more than ``ahead_ms_max`` after it arrived: then no delay can
        be told, and the latter is denied for itself.
        """
        if sent_ns is None:
            return 0
        lead_ns = sent_ns - received_ns
        if lead_ns // MS_NS > ahead_ms_max:
            return 0
        known = _learned(self._known.pop(sender, _Known()), lead_ns, received_ns)
        self._known[sender] = known
        if len(self._known) > SENDERS_MAX:
            del self._known[next(iter(self._known))]
        return known.offset_ns - lead_ns


def _learned(known: _Known, lead_ns: int, received_ns: int) -> _Known:
    """What is known of a sender after one more message."""
    if lead_ns >= known.offset_ns:
        return _Known(lead_ns)
    low_ns, high_ns = min(known.low_ns, lead_ns), max(known.high_ns, lead_ns)
    if known.count == 0 or high_ns - low_ns > AGREEING_NS:
        return _Known(known.offset_ns, 1, received_ns, lead_ns, lead_ns)
    if known.count + 1 >= AGREEING_MIN and received_ns - known.since_ns >= AGREEING_OVER_NS:
        return _Known(high_ns)
    return _Known(known.offset_ns, known.count + 1, known.since_ns, low_ns, high_ns)
