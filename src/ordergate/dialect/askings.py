"""Who asked for what about an order, until the gate has answered him.

Invariant: at most ``KEPT_MAX`` are kept. The gate answers all it takes, unless its writer crashes; then the oldest go.
"""

from __future__ import annotations

import enum
from collections import Counter, OrderedDict, deque

import msgspec

KEPT_MAX = 10_000


class Kind(enum.Enum):
    """What can be asked about an order, by the type of its message."""

    PLACE = "PLACE_ORDER"
    MANUAL = "MANUAL_ORDER"
    CANCEL = "CANCEL_ORDER"
    MODIFY = "MODIFY_ORDER"

    @property
    def places(self) -> bool:
        return self in (Kind.PLACE, Kind.MANUAL)


class Asking(msgspec.Struct, frozen=True):
    """``order_id`` and ``instance_id`` are as the asker said them."""

    kind: Kind
    instance_id: str
    order_id: str


class Askings:
    """First in, first out for each id and order, as the same message may come again before it is answered."""

    def __init__(self) -> None:
        self._waiting: OrderedDict[str, deque[Asking]] = OrderedDict()
        self._count = 0
        self._placing: Counter[str] = Counter()

    def put(self, request_id: str, asking: Asking) -> None:
        self._waiting.setdefault(request_id, deque()).append(asking)
        self._count += 1
        if asking.kind.places:
            self._placing[asking.order_id] += 1
        if self._count > KEPT_MAX:
            self.take(next(iter(self._waiting)))

    def __contains__(self, request_id: str) -> bool:
        return request_id in self._waiting

    def places(self, order_id: str) -> bool:
        """Whether somebody waits to hear what becomes of an order of that id."""
        return order_id in self._placing

    def take(self, request_id: str, order_id: str | None = None) -> Asking | None:
        """Whoever has waited longest for the answer to ``request_id``; of those, one about ``order_id`` if any is."""
        waiting = self._waiting.get(request_id)
        if waiting is None:
            return None
        self._count -= 1
        asking = next((asking for asking in waiting if asking.order_id == order_id), waiting[0])
        waiting.remove(asking)
        if not waiting:
            del self._waiting[request_id]
        if asking.kind.places:
            self._placing[asking.order_id] -= 1
            if not self._placing[asking.order_id]:
                del self._placing[asking.order_id]
        return asking
