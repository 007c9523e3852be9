"""The shapes of what the HTTP API shows: rows of the desk, accounts, positions, orders, fills, prices and instruments.

Money is US dollars and prices are the instrument's own, both exact decimals that leave as JSON numbers. Instants are
ISO 8601 in UTC, or milliseconds where documented so.

Invariant: every key a row has, it always has. What is not known is null, never left out and never made up.
"""

from __future__ import annotations

import enum
from decimal import Decimal

import msgspec

from ordergate.core.alarm import Level


class BreachRow(msgspec.Struct, frozen=True):
    """``limit`` and ``actual`` are numbers where the rule measures in numbers, else its words."""

    code: str
    limit: Decimal | str
    actual: Decimal | str
    message: str


class NearestRow(msgspec.Struct, frozen=True, rename="camel"):
    """The nearest order that would pass: the same with this quantity and these prices, null where it has none."""

    quantity: int
    limit_price: Decimal | None
    stop_price: Decimal | None


class PreviewRow(msgspec.Struct, frozen=True, rename="camel"):
    """What an order would do.

    ``decision`` is approved, denied, overridden (it breaks the limits in ``breaches``, and would be sent all the same)
    or passed (no limit is asked).
    ``worst_position`` is the net position (signed) if it and every open order on its side filled. ``loss_at_stop`` is
    what the part of it that adds risk loses at its stop with the fees of both sides, without slippage; at the stress
    move where it has no stop. ``room`` is what it leaves to each limit, by code, in contracts, orders or dollars,
    negative where it breaks it; ``binds_next`` is the code of the limit with the smallest share left. ``nearest`` is
    null unless it is denied and something of its kind would pass. ``as_of`` is the number of the last event it knows.
    What cannot be told without a price is null.
    """

    decision: str
    breaches: tuple[BreachRow, ...]
    worst_position: int
    loss_at_stop: Decimal | None
    room: dict[str, Decimal | None]
    binds_next: str
    nearest: NearestRow | None
    as_of: int


class LegRow(msgspec.Struct, frozen=True, rename="camel"):
    order_id: str
    price: Decimal
    quantity: int
    status: str


class Timestamps(msgspec.Struct, frozen=True):
    received: str | None
    decided: str | None
    updated: str | None


class OrderRow(msgspec.Struct, frozen=True, rename="camel"):
    """An entry, or an order of somebody else (``source`` EXTERNAL). ``instrument`` is the symbol.

    ``stop_loss`` and ``take_profit`` are the leg that works, or the last one that did; null while there is none.
    ``targets`` are all that work, the nearest to the market first. ``reason`` says why it was rejected, cancelled or is
    in doubt. ``passed``: it comes from an instance whose orders pass, so no limit was asked of it.
    """

    order_id: str
    account_id: int
    instrument: str
    contract_id: str
    side: str
    quantity: int
    filled_quantity: int
    order_type: str
    limit_price: Decimal | None
    stop_price: Decimal | None
    status: str
    average_fill_price: Decimal | None
    stop_loss: LegRow | None
    take_profit: LegRow | None
    targets: tuple[LegRow, ...]
    broker_order_id: int | None
    breaches: tuple[BreachRow, ...]
    source: str
    timestamps: Timestamps
    reason: str
    passed: bool


class CoverRow(msgspec.Struct, frozen=True):
    """Whether stops that rest at the broker cover a position, since when, and why not.

    ``state`` is protected, protecting (a promised stop is on its way), unprotected (it was refused or lost, is on its
    way for too long, or the market is at it and it has not filled) or by choice (no stop was asked for). ``uncovered``
    contracts have no resting stop.
    """

    state: str
    uncovered: int
    since: str
    cause: str


class PositionRow(msgspec.Struct, frozen=True, rename="camel"):
    """A net position. Some names stand twice because both are documented.

    ``current_price`` is where it could be closed: the bid of a long, the ask of a short; ``unrealized_pnl`` is gross at
    that price, ``net_pnl`` less the fees of entry and exit. ``stops`` and ``targets`` work, the first to fill first;
    ``stop_loss`` and ``take_profit`` are the first of each. ``protected``: stops that rest at the broker cover all of
    it; ``protection`` says more, ``stop_moves`` how its stops move by themselves. A position that has become flat is
    told once with ``side`` FLAT and ``quantity`` 0, and is listed no more.
    """

    position_id: str
    account_id: int
    instrument: str
    symbol: str
    contract_id: str
    side: str
    quantity: int
    net_position: int
    average_price: Decimal | None
    avg_price: Decimal | None
    current_price: Decimal | None
    unrealized_pnl: Decimal | None = msgspec.field(name="unrealizedPnL")
    net_pnl: Decimal | None = msgspec.field(name="netPnL")
    stop_loss: LegRow | None
    take_profit: LegRow | None
    stops: tuple[LegRow, ...]
    targets: tuple[LegRow, ...]
    protected: bool
    protection: CoverRow | None
    stop_moves: tuple[str, ...]


class FillRow(msgspec.Struct, frozen=True, rename="camel"):
    """One fill. ``purpose`` is what its order was for: entry, stop, target, close or external.

    ``realized_pnl`` is the gross P&L of what it closed, null where it only opened. ``busted``: the exchange took it
    back, and it counts nowhere.
    """

    fill_id: int
    account_id: int
    order_id: str
    instrument: str
    contract_id: str
    side: str
    quantity: int
    price: Decimal
    fee: Decimal
    realized_pnl: Decimal | None = msgspec.field(name="realizedPnL")
    purpose: str
    at: str
    busted: bool


class ExposureRow(msgspec.Struct, frozen=True, rename="camel"):
    """What one contract could come to; the larger of both, in contracts, is what the position limit judges.

    ``worst_long`` and ``worst_short`` are the net positions (signed) if every open order of that side filled.
    """

    instrument: str
    contract_id: str
    worst_long: int
    worst_short: int


class AccountRow(msgspec.Struct, frozen=True, rename="camel"):
    """An account. ``equity`` is the balance and the open P&L less the fees of closing.

    ``day_pnl`` is the figure the daily loss limit judges, net of fees, and ``day_pnl_at_stops`` what it becomes if
    every position is stopped out and every open order fills and is stopped too; they and ``equity`` are null while a
    price they need is missing. ``if_we_die`` and ``if_we_die_bounded`` are ``worst`` and ``bounded`` of ``IfWeDieRow``.
    ``open_orders`` leaves stops and targets out. ``passed_orders`` are today's of other instances than the manual ones,
    sent without asking the limits. ``exposures`` are of contracts that are
    held or have open orders. ``trading_state`` is active, reducing, halted or locked; ``reason`` says what keeps new
    risk out, ``locked_until`` when the trader's own lockout ends. ``link_up``: whether we see the broker.
    ``can_trade`` and ``can_cancel`` are what the broker lets it do, as far as it says.
    ``bracket_mode`` is the platform's setting for brackets as far as it is known: auto_oco, position or unknown.
    """

    id: int
    account_id: int
    name: str
    balance: Decimal
    can_trade: bool
    can_cancel: bool
    bracket_mode: str
    equity: Decimal | None
    day_pnl: Decimal | None
    day_pnl_at_stops: Decimal | None
    if_we_die: Decimal | None
    if_we_die_bounded: bool
    daily_loss_limit: Decimal
    open_orders: int
    passed_orders: int
    exposures: tuple[ExposureRow, ...]
    trading_state: str
    reason: str
    locked_until: str | None
    trading_day: str
    link_up: bool


class PriceRow(msgspec.Struct, frozen=True, rename="camel"):
    """The latest quote of a symbol's active contract. ``timestamp`` is when we last heard of it."""

    symbol: str
    contract_id: str
    bid: Decimal | None
    ask: Decimal | None
    last: Decimal | None
    timestamp: int
    age_ms: int


class InstrumentRow(msgspec.Struct, frozen=True, rename="camel"):
    """A contract that can be traded now. ``allowed``: the limits let orders in it through.

    ``default_stop_points`` is the distance of a stop for which an order names none; ``fee`` is per contract and side.
    """

    symbol: str
    contract_id: str
    name: str
    tick_size: Decimal
    tick_value: Decimal
    point_value: Decimal
    default_stop_points: Decimal
    fee: Decimal
    is_active: bool
    allowed: bool


class Mode(enum.Enum):
    """What becomes of an order that this desk lets through.

    SIM: it goes to the simulated exchange; LIVE: to the broker; SHADOW: nowhere, it is done on paper. Where orders are
    not held to the limits: PASS_THROUGH: no limit is asked; ADVISORY: it leaves whatever the judgement was.
    """

    SIM = "SIM"
    LIVE = "LIVE"
    SHADOW = "SHADOW"
    PASS_THROUGH = "PASS-THROUGH"  # noqa: S105 - no password
    ADVISORY = "ADVISORY"


class LimitsRow(msgspec.Struct, frozen=True, rename="camel"):
    """The limits in force. Dollars, contracts, percent of the risk base, and a ratio of distances."""

    max_order_size: int
    max_position_size: int
    max_open_orders: int
    max_daily_loss: Decimal
    max_risk_percent: Decimal
    default_risk_reward: Decimal


class ModesRow(msgspec.Struct, frozen=True, rename="camel"):
    """The switches in force. ``enforcing``: no order that was not checked, or was denied, can reach the broker.

    ``unasked`` says in words which limits orders are not held to; empty where they are held to all.
    """

    shadow: bool
    intercept_orders: bool
    preserve_original_workflow: bool
    enable_risk_validation: bool
    enable_sltp_calculation: bool = msgspec.field(name="enableSLTPCalculation")
    enforcing: bool
    unasked: str


class PausedRow(msgspec.Struct, frozen=True):
    """``by`` is the way it came: at the page, or over the bus. ``reason`` is what was said, if anything."""

    by: str
    since: str
    reason: str


class CheckRow(msgspec.Struct, frozen=True):
    """One thing that the session stands on: clock, contracts or prices. ``well`` null: not looked at since a start."""

    name: str
    text: str
    well: bool | None


class DeskRow(msgspec.Struct, frozen=True, rename="camel"):
    """The desk itself. ``link_reason`` says why the broker is not seen, empty while it is.

    ``trouble`` says what is wrong with the gate itself, empty while nothing is.

    ``paused`` is null unless new risk is kept out of every account.
    """

    mode: Mode
    venue: str
    login: str
    version: str
    link_up: bool
    link_reason: str
    trouble: str
    limits: LimitsRow
    modes: ModesRow
    paused: PausedRow | None
    checks: tuple[CheckRow, ...]


class AlarmRow(msgspec.Struct, frozen=True, rename="camel"):
    """What somebody should look at. ``alarm_id`` is the same when it is raised again, ``number`` is not.

    ``number`` is what is acknowledged. ``stands``: what it tells of is so still. Told with ``open`` false it is gone.
    ``account_id``, ``order_id`` and ``instrument`` (a symbol) are null where it is about no single one, the times where
    an old journal does not tell them.
    """

    alarm_id: str
    number: int
    code: str
    level: Level
    message: str
    account_id: int | None
    order_id: str | None
    instrument: str | None
    count: int
    first_at: str | None
    at: str | None
    stands: bool
    acknowledged: bool
    open: bool


class TradingStatus(msgspec.Struct, frozen=True, rename="camel"):
    """The documented three. ``current_operation`` is the exit under way, ``locked`` whether there is one.

    ``can_trade``: at least one account could take new risk now.
    """

    locked: bool
    current_operation: str | None
    can_trade: bool


class Rows(msgspec.Struct, frozen=True):
    """All rows. Orders, fills and alarms are the oldest first; prices are by symbol, and their age is 0."""

    desk: DeskRow
    accounts: dict[int, AccountRow]
    positions: dict[tuple[int, str], PositionRow]
    orders: dict[tuple[int, str], OrderRow]
    fills: dict[tuple[int, int], FillRow]
    instruments: dict[str, InstrumentRow]
    prices: dict[str, PriceRow]
    alarms: dict[str, AlarmRow]


class UnattendedRow(msgspec.Struct, frozen=True, rename="camel"):
    """One contract, left alone; money is signed, a loss is negative.

    ``worst`` is the P&L, from the average price and less fees, when every resting stop is hit. ``uncovered`` contracts
    have no resting stop, ``opening`` more may be opened by orders that work: they count with a stress move, and
    ``bounded`` is false. ``worst`` is null where no price tells.
    """

    instrument: str
    contract_id: str
    net_position: int
    uncovered: int
    opening: int
    worst: Decimal | None
    bounded: bool


class IfWeDieRow(msgspec.Struct, frozen=True, rename="camel"):
    """One account, if this machine dies now: ``worst`` is the sum over its contracts; null where one is not known."""

    account_id: int
    worst: Decimal | None
    bounded: bool
    contracts: tuple[UnattendedRow, ...]
