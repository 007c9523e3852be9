"""Who asked for what about an order, until the gate has answered him.

Invariant: at most ``KEPT_MAX`` are kept. The gate answers all it takes, unless its writer crashes; then the oldest go.
"""

from __future__ import annotations

import enum
from collections import OrderedDict, deque

import msgspec

KEPT_MAX = 10_000


class Kind(enum.Enum):
    """What can be asked about an order, by the type of its message."""

    PLACE = "PLACE_ORDER"
    MANUAL = "MANUAL_ORDER"
    CANCEL = "CANCEL_ORDER"
    MODIFY = "MODIFY_ORDER"


class Asking(msgspec.Struct, frozen=True):
    """``order_id`` and ``instance_id`` are as the asker said them."""

    kind: Kind
    instance_id: str
    order_id: str


class Askings:
    """First in, first out for each id, as the same message may come again before it is answered."""

    def __init__(self) -> None:
        self._waiting: OrderedDict[str, deque[Asking]] = OrderedDict()
        self._count = 0

    def put(self, request_id: str, asking: Asking) -> None:
        self._waiting.setdefault(request_id, deque()).append(asking)
        self._count += 1
        if self._count > KEPT_MAX:
            self.take(next(iter(self._waiting)))

    def take(self, request_id: str) -> Asking | None:
        """Whoever has waited longest for the answer to ``request_id``."""
        waiting = self._waiting.get(request_id)
        if waiting is None:
            return None
        self._count -= 1
        asking = waiting.popleft()
        if not waiting:
            del self._waiting[request_id]
        return asking
