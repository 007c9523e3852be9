"""What is read of the page's snapshot: the rows of ``web/rows`` as a client has them, as far as they are told here.

Fields that are not named here are left to ``raw``, which is all of it. A page of another version is none that we know.
"""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import msgspec

from ordergate.console.places import Answer


class Modes(msgspec.Struct, frozen=True, rename="camel"):
    enforcing: bool
    unasked: str


class Paused(msgspec.Struct, frozen=True):
    by: str
    since: str
    reason: str

    @property
    def text(self) -> str:
        """By whom, since when and why."""
        return f"{self.by} since {self.since}{f': {self.reason}' if self.reason else ''}"


class Check(msgspec.Struct, frozen=True):
    name: str
    text: str
    well: bool | None


class Desk(msgspec.Struct, frozen=True, rename="camel"):
    mode: str
    venue: str
    login: str
    version: str
    link_up: bool
    link_reason: str
    trouble: str
    modes: Modes
    paused: Paused | None
    checks: tuple[Check, ...] = ()


class Account(msgspec.Struct, frozen=True, rename="camel"):
    account_id: int
    name: str
    balance: Decimal
    equity: Decimal | None
    day_pnl: Decimal | None
    day_pnl_at_stops: Decimal | None
    if_we_die: Decimal | None
    if_we_die_bounded: bool
    daily_loss_limit: Decimal
    trading_state: str
    reason: str
    bracket_mode: str = "unknown"


class Leg(msgspec.Struct, frozen=True):
    price: Decimal


class Cover(msgspec.Struct, frozen=True):
    state: str
    uncovered: int
    since: str
    cause: str


class Position(msgspec.Struct, frozen=True, rename="camel"):
    account_id: int
    symbol: str
    side: str
    quantity: int
    average_price: Decimal | None
    current_price: Decimal | None
    stop_loss: Leg | None
    take_profit: Leg | None
    protected: bool
    protection: Cover | None
    net_pnl: Decimal | None = msgspec.field(name="netPnL")


class Breach(msgspec.Struct, frozen=True):
    code: str
    message: str


class Order(msgspec.Struct, frozen=True, rename="camel"):
    order_id: str
    account_id: int
    instrument: str
    side: str
    quantity: int
    filled_quantity: int
    order_type: str
    limit_price: Decimal | None
    stop_price: Decimal | None
    status: str
    stop_loss: Leg | None
    take_profit: Leg | None
    breaches: tuple[Breach, ...]
    source: str
    reason: str
    passed: bool

    @property
    def is_open(self) -> bool:
        """Whether it can still fill."""
        return self.status in _OPEN


class Alarm(msgspec.Struct, frozen=True, rename="camel"):
    code: str
    level: str
    message: str
    account_id: int | None
    count: int
    first_at: str | None
    stands: bool
    acknowledged: bool


class Instrument(msgspec.Struct, frozen=True, rename="camel"):
    symbol: str
    contract_id: str
    tick_size: Decimal
    tick_value: Decimal
    is_active: bool


class Shown(msgspec.Struct, frozen=True):
    """``raw`` is the page's own words, with exact numbers."""

    desk: Desk
    accounts: tuple[Account, ...]
    positions: tuple[Position, ...]
    orders: tuple[Order, ...]
    alarms: tuple[Alarm, ...]
    instruments: tuple[Instrument, ...]
    raw: dict[str, Any] = {}


_OPEN = ("PENDING", "WORKING", "PARTIALLY_FILLED", "IN_DOUBT")
_OK = 200
_decoder = msgspec.json.Decoder(Shown)


def shown(answer: Answer) -> Shown | str:
    """The page's snapshot, or why there is none."""
    if answer.failure:
        return f"the page does not answer ({answer.failure})"
    if answer.status != _OK:
        return f"the page answers {told(answer)}"
    try:
        return msgspec.structs.replace(_decoder.decode(answer.raw), raw=answer.body)
    except msgspec.DecodeError as error:
        return f"what answers at {answer.url} is no page of this version ({error})"


def told(answer: Answer) -> str:
    """What an answer that is no success says."""
    if isinstance(answer.body, dict) and isinstance(answer.body.get("error"), str):
        return f"{answer.body.get('code', answer.status)}: {answer.body['error']}"
    return f"with HTTP status {answer.status}"
