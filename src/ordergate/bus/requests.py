"""The eight documented requests on ``aggregator:requests``, and the rows of their answers.

Wire notes, section 2.3, read 2026-11-22. UNVERIFIED: whether the ``type`` of an answer is that of its request; readers
go by ``requestId``.

Invariant: an account named by digits in quotes is that account, because pages send what stood in an address; nothing
else is read as what it is not.
"""

from __future__ import annotations

from decimal import Decimal
from typing import Any, Literal

import msgspec


class Asking(msgspec.Struct, frozen=True, rename="camel"):
    """What every request has. Of any type here, so that a wrong one can be answered."""

    type: Any = None
    request_id: Any = None
    response_channel: Any = None


class GetAccounts(msgspec.Struct, frozen=True, tag="GET_ACCOUNTS"):
    """``forceFresh`` is documented and changes nothing: the books follow the broker at every event."""


class GetContracts(msgspec.Struct, frozen=True, tag="GET_CONTRACTS"):
    pass


class GetActiveContracts(msgspec.Struct, frozen=True, tag="GET_ACTIVE_CONTRACTS"):
    pass


class GetPositions(msgspec.Struct, frozen=True, tag="GET_POSITIONS", rename="camel"):
    """No account = all of them."""

    account_id: int | str | None = None


class GetWorkingOrders(msgspec.Struct, frozen=True, tag="GET_WORKING_ORDERS", rename="camel"):
    """No instance = whoever sent them."""

    instance_id: str | None = None


class UpdateSltp(msgspec.Struct, frozen=True, tag="UPDATE_SLTP", rename="camel"):
    """null = left as it is; never removed (wire notes, D20)."""

    position_id: str
    stop_loss: Decimal | None = None
    take_profit: Decimal | None = None


class ClosePosition(msgspec.Struct, frozen=True, tag="CLOSE_POSITION", rename="camel"):
    """``close_type`` full closes all, whatever ``size`` says; without either, all is closed."""

    account_id: int | str
    contract_id: str
    close_type: Literal["full", "partial"] | None = None
    size: Decimal | None = None


class GetStatistics(msgspec.Struct, frozen=True, tag="GET_STATISTICS", rename="camel"):
    account_id: int | str
    statistics_type: str = "todaystats"


Reading = GetAccounts | GetContracts | GetActiveContracts | GetPositions | GetWorkingOrders | GetStatistics
Changing = UpdateSltp | ClosePosition
Request = Reading | Changing
TYPES = (
    "GET_POSITIONS",
    "GET_ACCOUNTS",
    "GET_CONTRACTS",
    "UPDATE_SLTP",
    "CLOSE_POSITION",
    "GET_WORKING_ORDERS",
    "GET_ACTIVE_CONTRACTS",
    "GET_STATISTICS",
)


class AccountTold(msgspec.Struct, frozen=True, rename="camel"):
    id: int
    name: str
    balance: Decimal
    can_trade: bool
    is_visible: bool
    simulated: bool


class ContractTold(msgspec.Struct, frozen=True, rename="camel"):
    """``symbol`` is the API's own ("F.US.MES"), ``name`` what a trader types; null where the broker does not say."""

    contract_id: str
    symbol: str
    name: str
    exchange: str | None
    tick_size: Decimal
    point_value: Decimal
    currency: str
    expiration_date: str | None
    is_active: bool
    contract_type: str
    description: str


class PositionTold(msgspec.Struct, frozen=True, rename="camel"):
    """``position_size`` is signed, ``size`` is not; ``side`` 0 long, 1 short.

    ``profit_and_loss`` is gross, and null without a fresh price.
    """

    id: str
    account_id: int
    contract_id: str
    position_size: int
    size: int
    side: int
    average_price: Decimal
    profit_and_loss: Decimal | None
    stop_loss: Decimal | None
    take_profit: Decimal | None
    entry_time: str | None


class WorkingOrder(msgspec.Struct, frozen=True, rename="camel"):
    """``price`` is the limit or stop price, null of a market order."""

    order_id: str
    account_id: int
    contract_id: str
    side: str
    quantity: int
    order_type: str
    price: Decimal | None
    status: str
    timestamp: int


class Statistics(msgspec.Struct, frozen=True, rename="camel"):
    """The trading day's fills that closed something, each one a trade. A ratio with nothing to divide by is 0.

    Gross, but for ``total_pnl``: that is the books' own realised figure of the day, less fees.
    """

    total_trades: int
    win_rate: Decimal
    total_pnl: Decimal = msgspec.field(name="totalPnL")
    profit_factor: Decimal
    average_win: Decimal
    average_loss: Decimal
    gross_profit: Decimal
    gross_loss: Decimal
    winning_trades: int
    losing_trades: int
    largest_win: Decimal
    largest_loss: Decimal


_asking = msgspec.json.Decoder(Asking)
_request = msgspec.json.Decoder(Request)


def asking(message: bytes) -> Asking:
    """Raises one of ``messages.UNREADABLE``."""
    decoded: Asking = _asking.decode(message)
    return decoded


def request(message: bytes) -> Request:
    """Raises one of ``messages.UNREADABLE``."""
    decoded: Request = _request.decode(message)
    return decoded
