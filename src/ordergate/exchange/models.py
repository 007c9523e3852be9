"""The API's messages: request and response bodies, hub payloads. Names and types as in the vendor's schema.

Requests are strict in type (a quoted number is refused) and lenient in names and unknown fields; responses say every
field, null where there is none. Sources: sections 4 to 8; schema fields of 2026-01, later additions where noted there.
"""

from __future__ import annotations

from decimal import Decimal
from typing import Annotated

import msgspec

Int32 = Annotated[int, msgspec.Meta(ge=-(2**31), le=2**31 - 1)]
Int64 = Annotated[int, msgspec.Meta(ge=-(2**63), le=2**63 - 1)]
Number = int | Decimal


class Empty(msgspec.Struct, frozen=True):
    """The body of an endpoint that takes none."""


class LoginKeyRequest(msgspec.Struct, frozen=True, rename="camel"):
    user_name: str
    api_key: str


class LoginAppRequest(msgspec.Struct, frozen=True, rename="camel"):
    user_name: str
    password: str
    device_id: str
    app_id: str
    verify_key: str


class AccountSearchRequest(msgspec.Struct, frozen=True, rename="camel"):
    only_active_accounts: bool


class ContractSearchRequest(msgspec.Struct, frozen=True, rename="camel"):
    live: bool
    search_text: str | None = None


class ContractByIdRequest(msgspec.Struct, frozen=True, rename="camel"):
    contract_id: str


class ContractsAvailableRequest(msgspec.Struct, frozen=True, rename="camel"):
    live: bool


class BarsRequest(msgspec.Struct, frozen=True, rename="camel"):
    contract_id: str
    live: bool
    start_time: str
    end_time: str
    unit: Int32
    unit_number: Int32
    limit: Int32
    include_partial_bar: bool


class BracketRequest(msgspec.Struct, frozen=True, rename="camel"):
    """``ticks`` is a signed offset from the fill price (section 6)."""

    ticks: Int32
    type: Int32


class PlaceRequest(msgspec.Struct, frozen=True, rename="camel"):
    """``type`` and ``side`` are plain integers: an unknown one is a rejected order, not a malformed request."""

    account_id: Int32
    contract_id: str
    type: Int32
    side: Int32
    size: Int32
    limit_price: Number | None = None
    stop_price: Number | None = None
    trail_price: Number | None = None
    custom_tag: str | None = None
    stop_loss_bracket: BracketRequest | None = None
    take_profit_bracket: BracketRequest | None = None


class ModifyRequest(msgspec.Struct, frozen=True, rename="camel"):
    """Null and omitted both mean unchanged."""

    account_id: Int32
    order_id: Int64
    size: Int32 | None = None
    limit_price: Number | None = None
    stop_price: Number | None = None
    trail_price: Number | None = None


class OrderRequest(msgspec.Struct, frozen=True, rename="camel"):
    """Of Order/cancel and Order/searchById."""

    account_id: Int32
    order_id: Int64


class AccountRequest(msgspec.Struct, frozen=True, rename="camel"):
    """Of Order/searchOpen and Position/searchOpen."""

    account_id: Int32


class OrderSearchRequest(msgspec.Struct, frozen=True, rename="camel"):
    account_id: Int32
    start_timestamp: str
    end_timestamp: str | None = None


class OrderFilter(msgspec.Struct, frozen=True, rename="camel"):
    """Of Order/v2/query; what is null keeps nothing out."""

    account_id: Int32
    statuses: list[Int32] | None = None
    contract_id: str | None = None
    created_after: str | None = None
    created_before: str | None = None


class OrderQueryRequest(msgspec.Struct, frozen=True, rename="camel"):
    """``sort_by``: 0 creation, 1 id. ``sort_direction``: 0 up, 1 down. ``page_offset``: orders to leave out before."""

    filter: OrderFilter
    page_size: Int32 | None = None
    page_offset: Int32 | None = None
    sort_by: Int32 | None = None
    sort_direction: Int32 | None = None
    include_total_count: bool | None = None


class TradeSearchRequest(msgspec.Struct, frozen=True, rename="camel"):
    account_id: Int32
    start_timestamp: str | None = None
    end_timestamp: str | None = None


class CloseRequest(msgspec.Struct, frozen=True, rename="camel"):
    account_id: Int32
    contract_id: str


class PartialCloseRequest(msgspec.Struct, frozen=True, rename="camel"):
    account_id: Int32
    contract_id: str
    size: Int32


class AccountModel(msgspec.Struct, frozen=True, rename="camel"):
    id: int
    name: str
    balance: Decimal
    can_trade: bool
    is_visible: bool
    simulated: bool


class ContractModel(msgspec.Struct, frozen=True, rename="camel"):
    id: str
    name: str
    description: str
    tick_size: Decimal
    tick_value: Decimal
    active_contract: bool
    symbol_id: str


class OrderModel(msgspec.Struct, frozen=True, rename="camel"):
    id: int
    account_id: int
    contract_id: str
    symbol_id: str
    creation_timestamp: str
    update_timestamp: str
    status: int
    type: int
    side: int
    size: int
    limit_price: Decimal | None
    stop_price: Decimal | None
    fill_volume: int
    filled_price: Decimal | None
    custom_tag: str | None
    trail_distance: int | None
    trail_price: Decimal | None
    parent_order_id: int | None
    linked_order_id: int | None


class PositionModel(msgspec.Struct, frozen=True, rename="camel"):
    id: int
    account_id: int
    contract_id: str
    contract_display_name: str
    creation_timestamp: str
    type: int
    size: int
    average_price: Decimal


class TradeModel(msgspec.Struct, frozen=True, rename="camel"):
    """HalfTradeModel: one fill. ``profit_and_loss`` is null on an opening fill and gross of fees on a closing one."""

    id: int
    account_id: int
    contract_id: str
    creation_timestamp: str
    price: Decimal
    profit_and_loss: Decimal | None
    fees: Decimal
    commissions: Decimal
    side: int
    size: int
    voided: bool
    order_id: int


class BarModel(msgspec.Struct, frozen=True):
    """``t`` is the instant at which the bar opens."""

    t: str
    o: Decimal
    h: Decimal
    l: Decimal  # noqa: E741 - the API's own name
    c: Decimal
    v: int


class Envelope(msgspec.Struct, frozen=True, rename="camel", kw_only=True):
    """The three members of every 200 body (section 2.1)."""

    success: bool
    error_code: int
    error_message: str | None = None


class LoginResponse(Envelope, frozen=True, rename="camel", kw_only=True):
    token: str | None


class ValidateResponse(Envelope, frozen=True, rename="camel", kw_only=True):
    new_token: str | None


class AccountsResponse(Envelope, frozen=True, rename="camel", kw_only=True):
    accounts: list[AccountModel]


class ContractsResponse(Envelope, frozen=True, rename="camel", kw_only=True):
    contracts: list[ContractModel]


class ContractResponse(Envelope, frozen=True, rename="camel", kw_only=True):
    contract: ContractModel | None


class BarsResponse(Envelope, frozen=True, rename="camel", kw_only=True):
    bars: list[BarModel]


class PlaceResponse(Envelope, frozen=True, rename="camel", kw_only=True):
    """``order_id`` is also present on a refusal, and is then no sign of success (section 4.1)."""

    order_id: int | None


class OrdersResponse(Envelope, frozen=True, rename="camel", kw_only=True):
    orders: list[OrderModel]


class OrderQueryResponse(OrdersResponse, frozen=True, rename="camel", kw_only=True):
    total_count: int | None = None


class OrderResponse(Envelope, frozen=True, rename="camel", kw_only=True):
    order: OrderModel | None


class PositionsResponse(Envelope, frozen=True, rename="camel", kw_only=True):
    positions: list[PositionModel]


class TradesResponse(Envelope, frozen=True, rename="camel", kw_only=True):
    trades: list[TradeModel]


class QuoteModel(msgspec.Struct, frozen=True, rename="camel"):
    """GatewayQuote, full (section 8.5). ``symbol`` is the product's symbolId."""

    symbol: str
    symbol_name: str
    last_price: Decimal
    best_bid: Decimal
    best_ask: Decimal
    change: Decimal
    change_percent: Decimal
    open: Decimal
    high: Decimal
    low: Decimal
    volume: int
    last_updated: str
    timestamp: str
    contract: str


class PrintModel(msgspec.Struct, frozen=True, rename="camel"):
    """GatewayTrade, one of an array. ``type`` is the aggressor: 0 buy, 1 sell."""

    symbol_id: str
    price: Decimal
    timestamp: str
    type: int
    volume: int
    contract_id: str


class DepthModel(msgspec.Struct, frozen=True, rename="camel"):
    """GatewayDepth, one of an array."""

    contract_id: str
    timestamp: str
    type: int
    price: Decimal
    volume: int
    current_volume: int
