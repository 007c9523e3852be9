"""What the HTTP API is asked with: one struct for each body of a POST. Values are judged where they are used."""

from __future__ import annotations

from decimal import Decimal
from typing import Literal

import msgspec

from ordergate.bus.brackets import BracketAsk


class LegBody(msgspec.Struct, frozen=True):
    """``points`` is the distance from the fill price; no leg or no ``points`` = the default, not ``enabled`` = none."""

    enabled: bool = True
    points: Decimal | None = None


class OrderBody(msgspec.Struct, frozen=True, rename="camel"):
    """``order_id`` is what makes a second asking the same order; we make one where none is given.

    ``bracket`` stands in place of ``stop_loss`` and ``take_profit``, and ``preset``, a name, in place of all three.
    ``waited_ms`` (>= 0) is how long before it was sent here the order was asked for. A duration, so that no two clocks
    have to agree: a page can be open on any machine, and beside a recorded market.
    """

    instrument: str
    side: str
    quantity: Decimal
    account_id: int
    order_type: str = "MARKET"
    limit_price: Decimal | None = None
    stop_price: Decimal | None = None
    stop_loss: LegBody | None = None
    take_profit: LegBody | None = None
    bracket: BracketAsk | None = None
    preset: str | None = None
    order_id: str | None = None
    waited_ms: int = 0


class CancelBody(msgspec.Struct, frozen=True, rename="camel"):
    order_id: str
    account_id: int | None = None


class ModifyBody(msgspec.Struct, frozen=True, rename="camel"):
    """None = unchanged."""

    order_id: str
    account_id: int | None = None
    quantity: Decimal | None = None
    limit_price: Decimal | None = None
    stop_price: Decimal | None = None


class ProtectionBody(msgspec.Struct, frozen=True, rename="camel"):
    """None = left as it is. ``max_retries`` is documented and does nothing: the gate itself sees to it."""

    position_id: str
    stop_loss: Decimal | None = None
    take_profit: Decimal | None = None
    max_retries: int | None = None


class CloseBody(msgspec.Struct, frozen=True, rename="camel"):
    """``close_type`` full closes all, whatever ``quantity`` says. ``side`` is documented; the position tells it."""

    account_id: int
    instrument: str
    quantity: Decimal | None = None
    side: str | None = None
    close_type: Literal["full", "partial"] | None = None


class CancelAllBody(msgspec.Struct, frozen=True, rename="camel"):
    account_id: int | Literal["all"] = "all"


class FlattenBody(msgspec.Struct, frozen=True, rename="camel"):
    """Which account, or all of them, has to be said."""

    account_id: int | Literal["all"]


class PauseBody(msgspec.Struct, frozen=True):
    """Nothing has to be said; ``reason`` is shown while it lasts."""

    reason: str = ""


class ResumeBody(msgspec.Struct, frozen=True):
    """Nothing has to be said."""


class AcknowledgeBody(msgspec.Struct, frozen=True):
    """``numbers`` of alarms."""

    numbers: tuple[int, ...]


class InterceptionBody(msgspec.Struct, frozen=True):
    """``on``: whether orders that are decided from now on are put before the limits."""

    on: bool


class LockoutBody(msgspec.Struct, frozen=True, rename="camel"):
    """``until`` is an instant, or next-day; ``reason`` is shown while it lasts."""

    account_id: int | Literal["all"]
    until: str
    reason: str = ""
