"""Memory per working order: ``python -m bench.growth COUNT`` prints bytes of RSS for each.

``gate``: in the gate's own state; ``follower``: in a copy of it, which shares nothing with it. Interception and the
page's server keep one copy each.
"""

from __future__ import annotations

import gc
import json
import os
import sys

from msgspec.structs import replace

from bench.decisions import ACCOUNT, Bare, order
from bench.processes import rss_kib
from ordergate.bus.topics import Happened, encode, news
from ordergate.core import events as e
from ordergate.core.account import Group
from ordergate.core.decide import decide
from ordergate.core.fold import evolve

_TEMPLATE = "template"


def working(count: int, *, decoded: bool) -> Group:
    """A state with ``count`` working orders, folded from the events that make them so."""
    bare = Bare()
    made = decide(bare.group, bare.stamped(order(_TEMPLATE, bare.instruments[0]))).events
    approved = next(event for event in made if isinstance(event, e.OrderApproved))
    group = bare.group
    for number in range(count):
        # Ids of the usual lengths; what the gate shares among orders, such as the contract's name, stays shared.
        one = replace(
            approved.order,
            order_id=f"manual-{number:08}-abcdef",
            tag=f"og-bench000-1001-{number}",
            fingerprint=f"{number:032}",
            received_ns=bare.at_ns + number,
            decided_ns=bare.at_ns + number,
            updated_ns=bare.at_ns + number,
        )
        accepted = e.OrderAccepted(ACCOUNT.account_id, one.order_id, 10_000_000 + number, bare.at_ns + number)
        for event in (replace(approved, order=one, number=number), accepted):
            group = evolve(group, _told(event) if decoded else event)
    return group


def _told(event: e.Event) -> e.Event:
    told = news(encode(Happened(1, event)))
    assert isinstance(told, Happened)
    return told.event


def _grown(count: int, *, decoded: bool) -> tuple[Group, int]:
    gc.collect()
    before_kib = rss_kib(os.getpid())
    group = working(count, decoded=decoded)
    gc.collect()
    return group, (rss_kib(os.getpid()) - before_kib) * 1024 // count


def main() -> None:
    count = int(sys.argv[1])
    working(count // 100, decoded=True)
    _state, gate = _grown(count, decoded=False)
    _copy, follower = _grown(count, decoded=True)
    print(json.dumps({"gate": gate, "follower": follower}))


if __name__ == "__main__":
    main()
