"""The documented messages about orders (wire notes, sections 2.1 and 2.2, read 2026-11-22).

They stand on ``order:management`` and ``aggregator:orders``. What is told on other channels is in ``announcements``,
requests are in ``requests``.

Unknown fields are ignored, as the original's clients send several of their own.

Invariants:
1. A message that says it comes from an aggregator, ours or another, is no order (wire notes, D2 and D3).
2. A message longer than ``BYTES_MAX`` is not read at all.
"""

from __future__ import annotations

from decimal import Decimal, DecimalException
from typing import Any

import msgspec
from msgspec import UNSET, UnsetType

from ordergate.bus.brackets import BracketAsk

# The names of the manual trading page: of its documented generation, and of the one that was shipped (section 1).
MANUAL_INSTANCE = "MANUAL_TRADING_V2"
MANUAL_INSTANCES = (MANUAL_INSTANCE, "MANUAL_TRADING")
# How an aggregator names itself, in ``source`` and in ``instanceId``.
AGGREGATOR = "TRADING_AGGREGATOR"

# The longest documented message has about 1 KB; an answer to one never has more than its own texts, cut to size.
BYTES_MAX = 65_536
NAME_MAX = 200
_TEXT_MAX = 500


class LegAsk(msgspec.Struct, frozen=True, omit_defaults=True):
    """Our addition: a leg switched on or off, with its distance in points."""

    enabled: bool = True
    points: Decimal | None = None


class PlaceOrderPayload(msgspec.Struct, frozen=True, rename="camel", omit_defaults=True):
    """``quantity`` is any number here, so that a wrong one is answered by name instead of dropped.

    ``requestId``, ``stopLoss``, ``takeProfit``, ``bracket`` and ``preset`` are our additions; other readers ignore
    them. A field without a value is left out, as documented: a JavaScript reader would take null for a distance of 0.
    """

    instance_id: str
    order_id: str
    account_id: int
    instrument: str
    side: str
    quantity: Decimal
    # A factory, so that it is written too: the original's connection manager requires it (section 2.1).
    order_type: str = msgspec.field(default_factory=lambda: "MARKET")
    price: Decimal | None = None
    limit_price: Decimal | None = None
    stop_price: Decimal | None = None
    stop_loss_points: Decimal | None = None
    take_profit_points: Decimal | None = None
    stop_loss: LegAsk | None = None
    take_profit: LegAsk | None = None
    bracket: BracketAsk | None = None
    preset: str | None = None
    request_id: str | None = None
    timestamp: int | None = None


class CancelOrderPayload(msgspec.Struct, frozen=True, rename="camel"):
    """``top_step_order_id``, the broker's id, names the order where ``order_id`` does not."""

    order_id: str
    instance_id: str = ""
    top_step_order_id: int | None = None
    account_id: int | None = None


class ModifyOrderPayload(msgspec.Struct, frozen=True, rename="camel"):
    """None = unchanged. The original routes it and nobody carries it out (section 2.1): its fields are PLACE_ORDER's.

    ``price`` is another word for ``limit_price``.
    """

    order_id: str
    instance_id: str = ""
    account_id: int | None = None
    quantity: Decimal | None = None
    price: Decimal | None = None
    limit_price: Decimal | None = None
    stop_price: Decimal | None = None


class PlaceOrder(msgspec.Struct, frozen=True, tag="PLACE_ORDER"):
    payload: PlaceOrderPayload


class Envelope(msgspec.Struct, frozen=True):
    """Any message about orders, as far as is needed to tell what it is. A MANUAL_ORDER has ``order`` for a payload."""

    type: str
    payload: msgspec.Raw = msgspec.Raw(b"{}")
    order: msgspec.Raw = msgspec.Raw(b"")
    source: Any = None

    @property
    def body(self) -> msgspec.Raw:
        return self.order if bytes(self.order) else self.payload


class _Marks(msgspec.Struct, frozen=True, rename="camel"):
    """Whatever a body says that names it an aggregator's; of any type, for a wrong one is a mark as well."""

    instance_id: Any = None
    aggregator_status: Any = None
    processed_by_aggregator: Any = None


class _Named(msgspec.Struct, frozen=True, rename="camel"):
    order_id: Any = None
    instance_id: Any = None
    request_id: Any = None


class Named(msgspec.Struct, frozen=True):
    """What a message that cannot be read is answered by; None where it is no text, or too long to be said again."""

    order_id: str | None = None
    instance_id: str | None = None
    request_id: str | None = None


class Violation(msgspec.Struct, frozen=True):
    type: str
    message: str
    severity: str = "HIGH"


class OrderRejectedPayload(msgspec.Struct, frozen=True, rename="camel"):
    order_id: str
    reason: str
    violations: tuple[Violation, ...]
    timestamp: str


class OrderRejected(msgspec.Struct, frozen=True, tag="ORDER_REJECTED"):
    payload: OrderRejectedPayload
    source: str = AGGREGATOR


class OrderResponsePayload(msgspec.Struct, frozen=True, rename="camel"):
    """``shadow`` is no documented field: true, and there, only while the gate is in shadow mode."""

    instance_id: str
    order_id: str
    success: bool
    error: str | None
    top_step_order_id: int | None
    timestamp: int
    shadow: bool | UnsetType = UNSET


class OrderResponse(msgspec.Struct, frozen=True, tag="ORDER_RESPONSE"):
    payload: OrderResponsePayload
    timestamp: int
    source: str = AGGREGATOR


class CancellationResponsePayload(msgspec.Struct, frozen=True, rename="camel"):
    instance_id: str
    order_id: str
    success: bool
    error: str | None
    timestamp: int


class CancellationResponse(msgspec.Struct, frozen=True, tag="ORDER_CANCELLATION_RESPONSE"):
    payload: CancellationResponsePayload
    source: str = AGGREGATOR


class StatusUpdatePayload(msgspec.Struct, frozen=True, rename="camel"):
    instance_id: str
    order_id: str
    success: bool
    error: str | None
    timestamp: int


class StatusUpdate(msgspec.Struct, frozen=True, tag="ORDER_STATUS_UPDATE"):
    """What became of a MODIFY_ORDER. Not ORDER_RESPONSE: by its failure a page would take a working order for dead."""

    payload: StatusUpdatePayload
    source: str = AGGREGATOR


# What reading a message can raise: not JSON or not of its shape, not UTF-8, nested beyond all reason, or with a number
# that no arithmetic holds (1e999999999999 is a Decimal; prices and quantities only compare it, and refuse it by name).
UNREADABLE = (msgspec.DecodeError, UnicodeDecodeError, RecursionError, DecimalException)

# Prices are JSON numbers on these channels, written from the exact decimal.
_encoder = msgspec.json.Encoder(decimal_format="number")
_envelope = msgspec.json.Decoder(Envelope)
_marks = msgspec.json.Decoder(_Marks)
_named = msgspec.json.Decoder(_Named)


def encode(message: Any) -> bytes:
    """The bytes of a documented message."""
    return _encoder.encode(message)


def envelope(message: bytes) -> Envelope:
    """Raises one of ``UNREADABLE``."""
    decoded: Envelope = _envelope.decode(message)
    return decoded


def is_aggregators(message: Envelope) -> bool:
    """Whether it says that an aggregator has had it already. Raises one of ``UNREADABLE``."""
    marks = _marks.decode(message.body)
    marked = (marks.aggregator_status, marks.processed_by_aggregator)
    return AGGREGATOR in (message.source, marks.instance_id) or any(mark not in (None, False) for mark in marked)


def named(body: msgspec.Raw) -> Named:
    """What can still be told of a body that is no order."""
    try:
        found = _named.decode(body)
    except UNREADABLE:
        return Named()
    return Named(*(_name(value) for value in (found.order_id, found.instance_id, found.request_id)))


def _name(value: Any) -> str | None:
    return value if isinstance(value, str) and 0 < len(value) <= NAME_MAX else None


def brief(text: str) -> str:
    """``text`` as it may be said again: what a stranger wrote stands in it."""
    return text if len(text) <= _TEXT_MAX else text[: _TEXT_MAX - 3] + "..."
