"""The documented messages on the documented channels (wire notes, sections 2.1, 2.4 and 2.5, read 2026-11-22).

Unknown fields are ignored, as the original's clients send several of their own.
"""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import msgspec

from ordergate.bus.brackets import BracketAsk

MANUAL_INSTANCE = "MANUAL_TRADING_V2"


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
    instance_id: str
    order_id: str
    account_id: int | None = None
    request_id: str | None = None


class PlaceOrder(msgspec.Struct, frozen=True, tag="PLACE_ORDER"):
    payload: PlaceOrderPayload


class CancelOrder(msgspec.Struct, frozen=True, tag="CANCEL_ORDER"):
    payload: CancelOrderPayload


Asked = PlaceOrder | CancelOrder


class Envelope(msgspec.Struct, frozen=True):
    """Any message of ``order:management``, as far as is needed to tell whose it is."""

    type: str
    payload: msgspec.Raw = msgspec.Raw(b"{}")


class Named(msgspec.Struct, frozen=True, rename="camel"):
    """What a message that cannot be read is answered by."""

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


class OrderResponsePayload(msgspec.Struct, frozen=True, rename="camel"):
    instance_id: str
    order_id: str
    success: bool
    error: str | None
    top_step_order_id: int | None
    timestamp: int


class OrderResponse(msgspec.Struct, frozen=True, tag="ORDER_RESPONSE"):
    payload: OrderResponsePayload
    timestamp: int


class CancellationResponsePayload(msgspec.Struct, frozen=True, rename="camel"):
    instance_id: str
    order_id: str
    success: bool
    error: str | None
    timestamp: int


class CancellationResponse(msgspec.Struct, frozen=True, tag="ORDER_CANCELLATION_RESPONSE"):
    payload: CancellationResponsePayload


class OrderFilledPayload(msgspec.Struct, frozen=True, rename="camel"):
    order_id: str
    account_id: int
    instrument: str
    side: str
    filled_price: Decimal
    filled_quantity: int
    position_id: str
    timestamp: int


class OrderFilled(msgspec.Struct, frozen=True, tag="ORDER_FILLED"):
    payload: OrderFilledPayload
    timestamp: int


class FillPart(msgspec.Struct, frozen=True, rename="camel"):
    order_id: str
    instrument: str
    side: str
    quantity: int
    fill_price: Decimal


class Calculations(msgspec.Struct, frozen=True, rename="camel"):
    fill_price: Decimal
    side: str
    quantity: int
    tick_size: Decimal
    method: str
    stop_loss_points: Decimal | None
    take_profit_points: Decimal | None


class Levels(msgspec.Struct, frozen=True, rename="camel"):
    """Amounts are in points, as documented; ``riskRewardRatio`` is 0 without a stop."""

    stop_loss: Decimal | None
    take_profit: Decimal | None
    stop_loss_amount: Decimal | None
    take_profit_amount: Decimal | None
    risk_reward_ratio: Decimal
    calculations: Calculations


class EnhancedFillPayload(msgspec.Struct, frozen=True, rename="camel"):
    fill: FillPart
    sltp_levels: Levels
    calculated_at: str
    source: str = "AGGREGATOR"


class EnhancedFill(msgspec.Struct, frozen=True, tag="ENHANCED_FILL"):
    payload: EnhancedFillPayload


# What reading a message can raise: not JSON or not of its shape, not UTF-8, nested beyond all reason.
UNREADABLE = (msgspec.DecodeError, UnicodeDecodeError, RecursionError)

# Prices are JSON numbers on these channels, written from the exact decimal.
_encoder = msgspec.json.Encoder(decimal_format="number")
_asked = msgspec.json.Decoder(Asked)


def encode(message: Any) -> bytes:
    """The bytes of a documented message."""
    return _encoder.encode(message)


def asked(message: bytes) -> Asked:
    """A PLACE_ORDER or CANCEL_ORDER. Raises one of ``UNREADABLE``."""
    decoded: Asked = _asked.decode(message)
    return decoded
