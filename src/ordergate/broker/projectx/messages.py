"""The broker's messages, as they are on the wire. Numbers stay numbers here: enums are read in ``translate``.

Must never give a missing member a meaning: what may be absent is None.

Invariants:
1. Unknown members are ignored; a missing or ill-typed required member makes the whole message unreadable.
2. Decimals are read from the digits of the JSON number, never through a float.
3. Error codes are per endpoint: the same number means different things (ProjectX API notes, section 4, 2026-11-22).
"""

from __future__ import annotations

import enum
from decimal import Decimal

import msgspec

from ordergate.errors import InputRefused


class OrderType(enum.IntEnum):
    """ProjectX API notes, section 7."""

    LIMIT = 1
    MARKET = 2
    STOP_LIMIT = 3
    STOP = 4
    TRAILING_STOP = 5
    JOIN_BID = 6
    JOIN_ASK = 7


class OrderSide(enum.IntEnum):
    BID = 0
    ASK = 1


class OrderStatus(enum.IntEnum):
    """0, "None", is left out: it says nothing."""

    OPEN = 1
    FILLED = 2
    CANCELLED = 3
    EXPIRED = 4
    REJECTED = 5
    PENDING = 6
    PENDING_CANCELLATION = 7
    SUSPENDED = 8


class PositionType(enum.IntEnum):
    UNDEFINED = 0
    LONG = 1
    SHORT = 2


class BarUnit(enum.IntEnum):
    """The unit we ask for."""

    MINUTE = 2


class ErrorCode(enum.IntEnum):
    """The failures of one endpoint; 0 is success everywhere."""

    @classmethod
    def text(cls, code: int) -> str:
        """A code in words, for the many failures that come without a text."""
        try:
            return cls(code).name.lower().replace("_", " ")
        except ValueError:
            return f"unknown error code {code}"


class LoginError(ErrorCode):
    USER_NOT_FOUND = 1
    PASSWORD_VERIFICATION_FAILED = 2
    INVALID_CREDENTIALS = 3
    APP_NOT_FOUND = 4
    APP_VERIFICATION_FAILED = 5
    INVALID_DEVICE = 6
    AGREEMENTS_NOT_SIGNED = 7
    UNKNOWN_ERROR = 8
    API_SUBSCRIPTION_NOT_FOUND = 9
    API_KEY_AUTHENTICATION_DISABLED = 10


class PlaceError(ErrorCode):
    ACCOUNT_NOT_FOUND = 1
    ORDER_REJECTED = 2
    INSUFFICIENT_FUNDS = 3
    ACCOUNT_VIOLATION = 4
    OUTSIDE_TRADING_HOURS = 5
    ORDER_PENDING = 6
    UNKNOWN_ERROR = 7
    CONTRACT_NOT_FOUND = 8
    CONTRACT_NOT_ACTIVE = 9
    ACCOUNT_REJECTED = 10


class ModifyError(ErrorCode):
    ACCOUNT_NOT_FOUND = 1
    ORDER_NOT_FOUND = 2
    REJECTED = 3
    PENDING = 4
    UNKNOWN_ERROR = 5
    ACCOUNT_REJECTED = 6
    CONTRACT_NOT_FOUND = 7


class CancelError(ErrorCode):
    """UNVERIFIED: one client saw code 5, others code 2, for an order already gone (ProjectX API notes, section 5.4)."""

    ACCOUNT_NOT_FOUND = 1
    ORDER_NOT_FOUND = 2
    REJECTED = 3
    PENDING = 4
    UNKNOWN_ERROR = 5
    ACCOUNT_REJECTED = 6


class CloseError(ErrorCode):
    """``Position/closeContract``."""

    ACCOUNT_NOT_FOUND = 1
    POSITION_NOT_FOUND = 2
    CONTRACT_NOT_FOUND = 3
    CONTRACT_NOT_ACTIVE = 4
    ORDER_REJECTED = 5
    ORDER_PENDING = 6
    UNKNOWN_ERROR = 7
    ACCOUNT_REJECTED = 8


class SearchError(ErrorCode):
    """The searches of orders, positions and trades."""

    ACCOUNT_NOT_FOUND = 1


class BarError(ErrorCode):
    """``History/retrieveBars``."""

    CONTRACT_NOT_FOUND = 1
    UNIT_INVALID = 2
    UNIT_NUMBER_INVALID = 3
    LIMIT_INVALID = 4


class ContractError(ErrorCode):
    """``Contract/searchById``."""

    CONTRACT_NOT_FOUND = 1


class ListError(ErrorCode):
    """``Account/search`` and ``Contract/available``: 0 is their only documented code."""


class Account(msgspec.Struct, frozen=True, rename="camel"):
    id: int
    name: str
    balance: Decimal
    can_trade: bool
    simulated: bool | None = None


class Contract(msgspec.Struct, frozen=True, rename="camel"):
    """``symbol_id`` is ``F.US.<root>``; the root is the data vendor's, not always the exchange's."""

    id: str
    name: str
    tick_size: Decimal
    tick_value: Decimal
    active_contract: bool
    symbol_id: str


class Order(msgspec.Struct, frozen=True, rename="camel"):
    """REST and hub alike. The timestamps carry up to 7 fractional digits."""

    id: int
    account_id: int
    contract_id: str
    creation_timestamp: str
    status: int
    type: int
    side: int
    size: int
    fill_volume: int
    limit_price: Decimal | None = None
    stop_price: Decimal | None = None
    custom_tag: str | None = None
    parent_order_id: int | None = None
    update_timestamp: str | None = None


class Position(msgspec.Struct, frozen=True, rename="camel"):
    """One net row per contract; ``size`` is never negative, the direction is ``type``."""

    account_id: int
    contract_id: str
    type: int
    size: int
    average_price: Decimal | None = None


class Trade(msgspec.Struct, frozen=True, rename="camel"):
    """One fill. ``profit_and_loss`` is gross and null on an opening fill."""

    id: int
    account_id: int
    contract_id: str
    creation_timestamp: str
    price: Decimal
    fees: Decimal
    side: int
    size: int
    voided: bool
    order_id: int
    profit_and_loss: Decimal | None = None
    commissions: Decimal | None = None


class Quote(msgspec.Struct, frozen=True, rename="camel"):
    """What changed; all that did not is left out."""

    last_price: Decimal | None = None
    best_bid: Decimal | None = None
    best_ask: Decimal | None = None
    timestamp: str | None = None


class Bar(msgspec.Struct, frozen=True):
    """``t`` is when it begins; the other names are open, high, low, close and volume."""

    t: str
    o: Decimal
    h: Decimal
    l: Decimal  # noqa: E741 - the broker's name
    c: Decimal
    v: int


class Answer(msgspec.Struct, frozen=True, rename="camel"):
    """The envelope of every answer. Business failures are HTTP 200 with ``success`` false."""

    success: bool
    error_code: int
    error_message: str | None = None


class LoginAnswer(Answer, frozen=True, rename="camel"):
    token: str | None = None


class ValidateAnswer(Answer, frozen=True, rename="camel"):
    new_token: str | None = None


class AccountsAnswer(Answer, frozen=True, rename="camel"):
    accounts: tuple[Account, ...] | None = None


class ContractsAnswer(Answer, frozen=True, rename="camel"):
    contracts: tuple[Contract, ...] | None = None


class ContractAnswer(Answer, frozen=True, rename="camel"):
    contract: Contract | None = None


class PlaceAnswer(Answer, frozen=True, rename="camel"):
    """A rejected place carries an ``order_id`` too: it is no sign of success (ProjectX API notes, section 4.1)."""

    order_id: int | None = None


class OrdersAnswer(Answer, frozen=True, rename="camel"):
    orders: tuple[Order, ...] | None = None


class PositionsAnswer(Answer, frozen=True, rename="camel"):
    positions: tuple[Position, ...] | None = None


class TradesAnswer(Answer, frozen=True, rename="camel"):
    trades: tuple[Trade, ...] | None = None


class BarsAnswer(Answer, frozen=True, rename="camel"):
    """The newest first."""

    bars: tuple[Bar, ...] | None = None


class BracketBody(msgspec.Struct, frozen=True):
    """Signed ticks from the fill price: a wrong sign is code 2 (ProjectX API notes, section 6)."""

    ticks: int
    type: OrderType


class PlaceBody(msgspec.Struct, frozen=True, rename="camel", omit_defaults=True):
    """Absent members are left out: a null ``linkedOrderId`` was seen rejected (ProjectX API notes, section 5.4)."""

    account_id: int
    contract_id: str
    type: OrderType
    side: OrderSide
    size: int
    custom_tag: str
    limit_price: Decimal | None = None
    stop_price: Decimal | None = None
    stop_loss_bracket: BracketBody | None = None
    take_profit_bracket: BracketBody | None = None


class ModifyBody(msgspec.Struct, frozen=True, rename="camel", omit_defaults=True):
    """What is left out stays as it is."""

    account_id: int
    order_id: int
    size: int
    limit_price: Decimal | None = None
    stop_price: Decimal | None = None


class LoginBody(msgspec.Struct, frozen=True, rename="camel"):
    user_name: str
    api_key: str


class NoBody(msgspec.Struct, frozen=True):
    """Of an endpoint that is asked for nothing."""


class AccountsBody(msgspec.Struct, frozen=True, rename="camel"):
    only_active_accounts: bool


class ContractsBody(msgspec.Struct, frozen=True, rename="camel"):
    """``live`` chooses the data subscription; evaluation and practice logins have the simulated one (false)."""

    live: bool


class ContractBody(msgspec.Struct, frozen=True, rename="camel"):
    contract_id: str


class AccountBody(msgspec.Struct, frozen=True, rename="camel"):
    """``Order/searchOpen`` and ``Position/searchOpen``."""

    account_id: int


class SinceBody(msgspec.Struct, frozen=True, rename="camel", omit_defaults=True):
    """``Order/search`` and ``Trade/search``; without an end they reach to now."""

    account_id: int
    start_timestamp: str
    end_timestamp: str | None = None


class CancelBody(msgspec.Struct, frozen=True, rename="camel"):
    account_id: int
    order_id: int


class CloseBody(msgspec.Struct, frozen=True, rename="camel"):
    """``Position/closeContract``: the whole position, by a market order; its orders stay (API notes, section 6)."""

    account_id: int
    contract_id: str


class BarsBody(msgspec.Struct, frozen=True, rename="camel"):
    """``limit`` keeps the bars nearest ``end_time``; bars without trades are absent."""

    contract_id: str
    live: bool
    start_time: str
    end_time: str
    unit: BarUnit
    unit_number: int
    limit: int
    include_partial_bar: bool


Body = (
    NoBody
    | PlaceBody
    | ModifyBody
    | LoginBody
    | AccountsBody
    | ContractsBody
    | ContractBody
    | AccountBody
    | SinceBody
    | CancelBody
    | CloseBody
    | BarsBody
)

_encoder = msgspec.json.Encoder(decimal_format="number")


def encoded(body: Body) -> bytes:
    """``body`` as JSON; decimals are exact JSON numbers."""
    return _encoder.encode(body)


class _Wrapped(msgspec.Struct, frozen=True):
    data: msgspec.Raw = msgspec.Raw()


def hub_rows(argument: msgspec.Raw) -> tuple[msgspec.Raw, ...]:
    """The objects in one hub argument: wrapped as ``{action, data}`` or bare, one or an array; nulls are dropped.

    Captures show all of these, the documents only the bare one (ProjectX API notes, sections 8.4 and 8.5). The action
    is not read: its meaning is not known, and the object says all of it (a closed position has size 0).
    Raises ``InputRefused`` when it is neither an object nor an array of them.
    """
    text = bytes(argument).lstrip()
    try:
        if text.startswith(b"["):
            items = [bytes(item) for item in msgspec.json.decode(text, type=tuple[msgspec.Raw, ...])]
        else:
            items = [text]
        found = []
        for item in items:
            if item != b"null":
                wrapped = msgspec.json.decode(item, type=_Wrapped)
                found.append(wrapped.data if bytes(wrapped.data) else msgspec.Raw(item))
    except msgspec.DecodeError as error:
        raise InputRefused("UNREADABLE_EVENT", f"not an object: {error}") from error
    return tuple(found)
