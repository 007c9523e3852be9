"""What can be chosen about the simulated exchange. Defaults follow the evidence in the API notes, or convenience."""

from __future__ import annotations

import enum
from decimal import Decimal

import msgspec

from ordergate.core.contracts import PRODUCT_BY_SYMBOL
from ordergate.errors import StartRefused
from ordergate.exchange.accounts import PRACTICE
from ordergate.exchange.topstep import PLANS
from ordergate.exchange.variants import Variant

ACCOUNTS_MAX = 50
_COMMISSION_USD = Decimal("0.25")  # seen on MNQ (section 5.6)

_AT_LEAST_ONE = (
    "user_count",
    "account_count",
    "quote_interval_ms",
    "requests_max",
    "requests_window_s",
    "history_requests_max",
    "history_window_s",
    "token_lifetime_s",
    "outbox_messages_max",
    "bars_kept_min",
)


class Hours(enum.Enum):
    """When the market is open: at any time, or when the real one is, by the calendar."""

    ALWAYS = "always"
    EXCHANGE = "exchange"


class BracketMode(enum.Enum):
    """The account's bracket setting on the platform (section 6)."""

    AUTO_OCO = "auto_oco"
    POSITION = "position"


class ExchangeSettings(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Everything that can be chosen."""

    seed: int = 1
    """Decides prices, the API key and the token secret. 1: a demonstration looks the same on every machine."""

    symbols: tuple[str, ...] = ()
    """Exchange symbols to list ("MES"); empty = every product of the table, as the real list has."""

    user_count: int = 1
    """Logins, 1 to 50; the second is named as the first with "-2" behind it. 1: a trader is alone."""

    account_count: int = 2
    """Accounts of each login. 2: the smallest number with which a wrong account can be chosen."""

    starting_balance_usd: Decimal = Decimal(50_000)
    """Balance of a new account in US dollars. 50,000: the smallest Topstep size."""

    user_name: str = PRACTICE
    """The first login's name, compared without case (section 3)."""

    api_key: str = ""
    """Its key; empty = derived from the seed, as those of the others are."""

    hours: Hours = Hours.ALWAYS
    """ALWAYS, so that it can be tried on a Sunday."""

    latency_ms: int = 20
    """Milliseconds before a place, modify or cancel is acted on. 20: between the 8 and 28 ms seen in section 6."""

    quote_interval_ms: int = 250
    """Milliseconds between two steps of the market. 250: the mean of 4 updates a second of an active contract."""

    partial_fills: bool = True
    """Whether an order takes no more than the quoted size at each price. True, as at an exchange."""

    bracket_mode: BracketMode = BracketMode.AUTO_OCO
    """AUTO_OCO accepts brackets on an order; POSITION, the real platform's default, rejects such an order."""

    topstep: bool = False
    """Whether the firm's rules hold: loss limits, largest position, flat at 15:10. False: an exchange knows no firm."""

    variants: tuple[Variant, ...] = ()
    """What is done otherwise than the evidence supports best."""

    requests_max: int = 200
    """Requests of one user in ``requests_window_s``, history excepted (section 2.3)."""

    requests_window_s: int = 60
    """Seconds of that window."""

    history_requests_max: int = 50
    """History requests of one user in ``history_window_s``. 50: two digests of 2026; an undated page says 30."""

    history_window_s: int = 30
    """Seconds of that window."""

    token_lifetime_s: int = 86_400
    """Seconds for which a token is valid: 24 h (section 3)."""

    ping_interval_s: float = 15.0
    """Seconds of silence after which a hub pings its client (section 8.2)."""

    client_timeout_s: float = 30.0
    """Seconds of a client's silence after which a hub drops it (section 8.2)."""

    handshake_timeout_s: float = 15.0
    """Seconds that a client has for the hub handshake (section 8.2)."""

    outbox_messages_max: int = 5_000
    """Messages that may wait for one hub client, beyond which it is dropped. 5,000: 40 s of the live load."""

    bars_kept_min: int = 1_500
    """Minutes of bars that are kept of each contract. 1,500: one trading day of 23 h, and some."""

    @property
    def user_names(self) -> tuple[str, ...]:
        """The logins."""
        others = (f"{self.user_name}-{number}" for number in range(2, self.user_count + 1))
        return (self.user_name, *others)

    @property
    def commission_usd(self) -> Decimal:
        """How much of a contract's fee is told as commission, in US dollars."""
        return _COMMISSION_USD if Variant.COMMISSIONS_APART in self.variants else Decimal(0)

    def checked(self) -> ExchangeSettings:
        """Itself, if every value is inside its bounds. Raises ``StartRefused`` naming all that are not."""
        wrong = [f"unknown symbol {symbol}" for symbol in self.symbols if symbol not in PRODUCT_BY_SYMBOL]
        if not 1 <= self.user_count * self.account_count <= ACCOUNTS_MAX:
            many = f"{self.user_count} users with {self.account_count} accounts each"
            wrong.append(f"{many} are not 1 to {ACCOUNTS_MAX} accounts")
        wrong += [f"{name} {getattr(self, name)} is below 1" for name in _AT_LEAST_ONE if getattr(self, name) < 1]
        if self.topstep and self.starting_balance_usd not in PLANS:
            sizes = ", ".join(f"{size}" for size in PLANS)
            wrong.append(f"starting_balance_usd {self.starting_balance_usd} is no size of a Topstep account: {sizes}")
        if self.latency_ms < 0:
            wrong.append(f"latency_ms {self.latency_ms} is below 0")
        if wrong:
            raise StartRefused(f"exchange settings: {'; '.join(wrong)}")
        return self
