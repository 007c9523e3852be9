"""What is told without being asked (wire notes, sections 2.4 to 2.6 and 2.9, read 2026-11-22).

On ``aggregator:market-data``, ``aggregator:position-updates``, ``aggregator:status`` and ``fill:enhanced``.

Invariant: what is told on a channel of the aggregator carries the marks of one (section 2, envelope rules), so that
nobody who listens there takes it for a broker's own word.
"""

from __future__ import annotations

from decimal import Decimal

import msgspec
from msgspec import UNSET, UnsetType

from ordergate.bus.messages import AGGREGATOR


class Announced(msgspec.Struct, frozen=True, kw_only=True, rename="camel"):
    """The marks. ``timestamp`` (ISO 8601) and ``message_id`` are put on where it leaves."""

    timestamp: str = ""
    source: str = AGGREGATOR
    aggregator_id: str = "default"
    message_id: str = ""


class OrderFilledPayload(msgspec.Struct, frozen=True, rename="camel"):
    """``shadow`` is no documented field: true, and there, only of a fill on paper. Likewise below."""

    order_id: str
    account_id: int
    instrument: str
    side: str
    filled_price: Decimal
    filled_quantity: int
    position_id: str
    timestamp: int
    shadow: bool | UnsetType = UNSET


class OrderFilled(Announced, frozen=True, tag="ORDER_FILLED"):
    payload: OrderFilledPayload


class PositionUpdatePayload(msgspec.Struct, frozen=True, rename="camel"):
    """A net position; told once with FLAT and 0 when it has been closed.

    Some things stand twice, for no two documented readers agree on their words (section 2.6).
    """

    account_id: int
    position_id: str
    instrument: str
    contract_id: str
    symbol: str
    type: str
    side: str
    size: int
    quantity: int
    net_position: int
    average_price: Decimal | None
    avg_price: Decimal | None
    timestamp: int


class PositionUpdate(Announced, frozen=True, tag="POSITION_UPDATE"):
    payload: PositionUpdatePayload
    processed_by: str = "aggregator"
    channel: str = "market-data"


class QuoteData(msgspec.Struct, frozen=True, rename="camel", omit_defaults=True):
    """Sizes are documented and not known to us; a side without a price is left out."""

    timestamp: int
    bid: Decimal | None = None
    ask: Decimal | None = None
    last: Decimal | None = None


class QuoteTold(Announced, frozen=True, tag="QUOTE"):
    """A quote, flattened; ``data`` is the form it has before that."""

    instrument: str
    symbol: str
    bid: Decimal | None
    ask: Decimal | None
    last: Decimal | None
    data: QuoteData
    processed_by: str = "aggregator"
    channel: str = "market-data"


class BracketCompletePayload(msgspec.Struct, frozen=True, rename="camel"):
    """``success``: the bracket rests at the broker. Otherwise ``error`` says what became of its stop."""

    instance_id: str
    order_id: str
    position_id: str
    stop_loss: Decimal | None
    take_profit: Decimal | None
    success: bool
    error: str | None
    timestamp: int


class BracketComplete(Announced, frozen=True, tag="BRACKET_ORDER_COMPLETE"):
    payload: BracketCompletePayload


class OrderTold(msgspec.Struct, frozen=True, rename="camel"):
    """An order in the original's normalised form (section 5): ``id`` is the caller's, ``action`` the side."""

    id: str
    source: str
    instrument: str
    action: str
    type: str
    quantity: int
    filled_quantity: int
    price: Decimal | None
    stop_price: Decimal | None
    account_id: int
    aggregator_processed: bool = True


class OrderUpdate(Announced, frozen=True, tag="ORDER_UPDATE"):
    order_id: str
    status: str
    order: OrderTold


class MessageStats(msgspec.Struct, frozen=True):
    """Since the start; ``errors`` were read and could not be used, or could not leave."""

    received: int
    published: int
    errors: int


class StatusDetails(msgspec.Struct, frozen=True, rename="camel"):
    """``uptime`` in milliseconds; ``reason`` is empty while HEALTHY."""

    uptime: int
    message_stats: MessageStats
    subscribed_channels: tuple[str, ...]
    reason: str


class AggregatorStatus(Announced, frozen=True, tag="AGGREGATOR_STATUS"):
    """``status``: HEALTHY (new risk can be taken), DEGRADED, or PAUSED by ``instance:control``."""

    status: str
    details: StatusDetails
    uptime: int
    message_stats: MessageStats


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
    shadow: bool | UnsetType = UNSET


class EnhancedFill(msgspec.Struct, frozen=True, tag="ENHANCED_FILL"):
    payload: EnhancedFillPayload
