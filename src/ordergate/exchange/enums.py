"""The API's enumerations, complete, with the vendor's numbers (ProjectX API notes, sections 4 and 7, 2026-11-22).

Error codes are per endpoint: the same number means different things at different endpoints.
"""

from __future__ import annotations

import enum


class OrderType(enum.IntEnum):
    """Section 7. 3 is in the enum but not placeable (section 5.4)."""

    UNKNOWN = 0
    LIMIT = 1
    MARKET = 2
    STOP_LIMIT = 3
    STOP = 4
    TRAILING_STOP = 5
    JOIN_BID = 6
    JOIN_ASK = 7


class OrderSide(enum.IntEnum):
    """Section 7."""

    BID = 0
    ASK = 1

    @property
    def sign(self) -> int:
        """+1 for a buy, -1 for a sell."""
        return 1 if self is OrderSide.BID else -1

    @property
    def opposite(self) -> OrderSide:
        return OrderSide.ASK if self is OrderSide.BID else OrderSide.BID


class OrderStatus(enum.IntEnum):
    """Section 7. There is no "partially filled": that is OPEN with a fill volume."""

    NONE = 0
    OPEN = 1
    FILLED = 2
    CANCELLED = 3
    EXPIRED = 4
    REJECTED = 5
    PENDING = 6
    PENDING_CANCELLATION = 7
    SUSPENDED = 8


class PositionType(enum.IntEnum):
    """Section 7."""

    UNDEFINED = 0
    LONG = 1
    SHORT = 2


class BarUnit(enum.IntEnum):
    """AggregateBarUnit, section 7."""

    UNSPECIFIED = 0
    SECOND = 1
    MINUTE = 2
    HOUR = 3
    DAY = 4
    WEEK = 5
    MONTH = 6
    TICK = 7


class DomType(enum.IntEnum):
    """GatewayDepth.type, section 7."""

    UNKNOWN = 0
    ASK = 1
    BID = 2
    BEST_ASK = 3
    BEST_BID = 4
    TRADE = 5
    RESET = 6
    LOW = 7
    HIGH = 8
    NEW_BEST_BID = 9
    NEW_BEST_ASK = 10
    FILL = 11


class LoginCode(enum.IntEnum):
    """LoginErrorCode, section 4."""

    SUCCESS = 0
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


class LogoutCode(enum.IntEnum):
    """LogoutErrorCode."""

    SUCCESS = 0
    INVALID_SESSION = 1
    UNKNOWN_ERROR = 2


class ValidateCode(enum.IntEnum):
    """ValidateErrorCode."""

    SUCCESS = 0
    INVALID_SESSION = 1
    SESSION_NOT_FOUND = 2
    EXPIRED_TOKEN = 3
    UNKNOWN_ERROR = 4


class PlaceCode(enum.IntEnum):
    """PlaceOrderErrorCode, section 4."""

    SUCCESS = 0
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


class ModifyCode(enum.IntEnum):
    """ModifyOrderErrorCode, section 4."""

    SUCCESS = 0
    ACCOUNT_NOT_FOUND = 1
    ORDER_NOT_FOUND = 2
    REJECTED = 3
    PENDING = 4
    UNKNOWN_ERROR = 5
    ACCOUNT_REJECTED = 6
    CONTRACT_NOT_FOUND = 7


class CancelCode(enum.IntEnum):
    """CancelOrderErrorCode, section 4."""

    SUCCESS = 0
    ACCOUNT_NOT_FOUND = 1
    ORDER_NOT_FOUND = 2
    REJECTED = 3
    PENDING = 4
    UNKNOWN_ERROR = 5
    ACCOUNT_REJECTED = 6


class CloseCode(enum.IntEnum):
    """ClosePositionErrorCode, section 4."""

    SUCCESS = 0
    ACCOUNT_NOT_FOUND = 1
    POSITION_NOT_FOUND = 2
    CONTRACT_NOT_FOUND = 3
    CONTRACT_NOT_ACTIVE = 4
    ORDER_REJECTED = 5
    ORDER_PENDING = 6
    UNKNOWN_ERROR = 7
    ACCOUNT_REJECTED = 8


class PartialCloseCode(enum.IntEnum):
    """PartialClosePositionErrorCode, section 4."""

    SUCCESS = 0
    ACCOUNT_NOT_FOUND = 1
    POSITION_NOT_FOUND = 2
    CONTRACT_NOT_FOUND = 3
    CONTRACT_NOT_ACTIVE = 4
    INVALID_CLOSE_SIZE = 5
    ORDER_REJECTED = 6
    ORDER_PENDING = 7
    UNKNOWN_ERROR = 8
    ACCOUNT_REJECTED = 9


class SearchCode(enum.IntEnum):
    """SearchOrder-, SearchPosition- and SearchTradeErrorCode, section 4."""

    SUCCESS = 0
    ACCOUNT_NOT_FOUND = 1


class OrderByIdCode(enum.IntEnum):
    """SearchOrderByIdErrorCode, section 4."""

    SUCCESS = 0
    ORDER_NOT_FOUND = 1


class ContractByIdCode(enum.IntEnum):
    """SearchContractByIdErrorCode, section 4."""

    SUCCESS = 0
    CONTRACT_NOT_FOUND = 1


class BarCode(enum.IntEnum):
    """RetrieveBarErrorCode, section 4."""

    SUCCESS = 0
    CONTRACT_NOT_FOUND = 1
    UNIT_INVALID = 2
    UNIT_NUMBER_INVALID = 3
    LIMIT_INVALID = 4
