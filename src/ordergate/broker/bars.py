"""The answer to ``GET /api/bars``, as the connection manager gives it and the page's server passes it on."""

from __future__ import annotations

from decimal import Decimal

import msgspec


class Bar(msgspec.Struct, frozen=True):
    """The trades of one bar that begins at ``time`` (ISO 8601, UTC); prices are the instrument's own."""

    time: str
    open: Decimal
    high: Decimal
    low: Decimal
    close: Decimal
    volume: int


class Bars(msgspec.Struct, frozen=True, rename="camel"):
    """The oldest first; the last one may still be under way."""

    contract_id: str
    unit_minutes: int
    bars: tuple[Bar, ...]
