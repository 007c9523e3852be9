"""The faults that can be asked of the simulated exchange, and when one strikes. PURE, but for the standing faults.

A fault strikes where it is asked to: on requests of a path, on events of a name, on the frames of a hub, on orders of a
tag. It strikes ``times`` times, or until it is taken away.

Invariants:
1. Same seed, same faults, same requests and events: the same strikes.
2. A fault that has struck as often as it was asked to is gone.
3. No fault loses what was stored: an order that was accepted is there whatever the client was told.
"""

from __future__ import annotations

import enum
import random
from collections.abc import Sequence
from typing import Annotated, Literal, TypeVar

import msgspec

_Told = TypeVar("_Told")

STANDING_MAX = 100
_SECONDS_MAX = 600


class Kind(enum.Enum):
    """What goes wrong."""

    STATUS = "status"
    """A request is answered with a status and nothing in it."""
    HANG = "hang"
    """A request is not answered for some seconds, and then with 504."""
    REFUSE = "refuse"
    """A request is answered with an error code and a text of its endpoint, and not acted on."""
    EMPTY = "empty"
    """The lists of an answer have nothing in them."""
    STALE = "stale"
    """Bars of the last minutes are missing."""
    LOSE = "lose"
    """An event is not told."""
    DOUBLE = "double"
    """An event is told twice."""
    LATE = "late"
    """An event is told some milliseconds later, after others."""
    SHUFFLE = "shuffle"
    """What one fill tells of order, trade, position and account comes in another order."""
    SLOW = "slow"
    """Each frame of a hub waits some milliseconds."""
    REJECT = "reject"
    """An order is rejected, with an id and a text."""
    REJECT_LEG = "reject_leg"
    """A bracket's leg is rejected when it wakes up."""
    PART = "part"
    """Of a fill only half comes now; the rest waits for the next quote."""
    OVERFILL = "overfill"
    """An order that has filled fills one contract more."""


REQUESTS = frozenset({Kind.STATUS, Kind.HANG, Kind.REFUSE})
ANSWERS = frozenset({Kind.EMPTY, Kind.STALE})
EVENTS = frozenset({Kind.LOSE, Kind.DOUBLE, Kind.LATE})


class Fault(msgspec.Struct, frozen=True, rename="camel", forbid_unknown_fields=True):
    """One fault as it is asked for.

    ``on`` is where: a path ("/api/Order/place", "/hubs/user/negotiate"), an event ("GatewayUserTrade"), a hub
    ("/hubs/user"), the tag of an order or a leg, without case; "" is anywhere. ``when`` an outage of a request begins:
    before it is acted on, or after. ``status`` is that of the answer, ``code`` its error code, ``text`` that of a
    rejection or a refusal ("" = null there); ``seconds`` (0 to 600), ``minutes`` and ``ms`` are how long. ``times``:
    how often, null = until taken away. ``chance_percent``: how likely each time, 1 to 100.
    """

    kind: Kind
    on: str = ""
    when: Literal["before", "after"] = "before"
    status: Annotated[int, msgspec.Meta(ge=400, le=599)] = 503
    code: Annotated[int, msgspec.Meta(ge=1, le=99)] = 2
    seconds: Annotated[float, msgspec.Meta(ge=0, le=_SECONDS_MAX)] = 60
    text: Annotated[str, msgspec.Meta(max_length=200)] = "Order rejected."
    minutes: Annotated[int, msgspec.Meta(ge=1, le=1_440)] = 60
    ms: Annotated[int, msgspec.Meta(ge=1, le=_SECONDS_MAX * 1_000)] = 500
    times: Annotated[int, msgspec.Meta(ge=1)] | None = 1
    chance_percent: Annotated[int, msgspec.Meta(ge=1, le=100)] = 100


class Standing(msgspec.Struct, frozen=True, rename="camel"):
    """A fault that may strike. ``left``: how often still, null = until taken away; ``struck``: how often so far."""

    fault_id: int
    fault: Fault
    left: int | None
    struck: int = 0


class Faults:
    """Those that stand, oldest first."""

    def __init__(self, seed: int) -> None:
        self._random = random.Random(f"{seed} faults")
        self._standing: dict[int, Standing] = {}
        self._asked_total = 0

    @property
    def standing(self) -> tuple[Standing, ...]:
        return tuple(self._standing.values())

    def add(self, fault: Fault) -> Standing:
        """Let it strike from now on. Raises ``ValueError`` when too many stand."""
        if len(self._standing) >= STANDING_MAX:
            raise ValueError(f"{STANDING_MAX} faults stand already: take some away")
        self._asked_total += 1
        standing = Standing(self._asked_total, fault, fault.times)
        self._standing[standing.fault_id] = standing
        return standing

    def clear(self) -> int:
        """Take all away; how many there were."""
        count = len(self._standing)
        self._standing.clear()
        return count

    def strike(self, kinds: frozenset[Kind], on: str, when: str = "before") -> Fault | None:
        """The oldest fault of these kinds that strikes there now. Outages of requests alone begin before or after."""
        for standing in self._standing.values():
            fault = standing.fault
            fits = fault.kind in kinds and fault.on.casefold() in ("", on.casefold())
            if not fits or (fault.kind in REQUESTS and fault.when != when):
                continue
            if self._random.randrange(100) >= fault.chance_percent:
                continue
            left = None if standing.left is None else standing.left - 1
            struck = msgspec.structs.replace(standing, left=left, struck=standing.struck + 1)
            if left == 0:
                del self._standing[standing.fault_id]
            else:
                self._standing[standing.fault_id] = struck
            return fault
        return None

    def shuffled(self, told: Sequence[_Told]) -> list[_Told]:
        """In another order."""
        return self._random.sample(told, len(told))
