"""What happened. Events are past tense, append-only, and the only thing that changes state.

``account_id`` 0 = the whole risk group. Every event is one row of the journal; its ``tag`` is the row's type and never
changes, so a rename of a class does not break history.
"""

from __future__ import annotations

import enum
from decimal import Decimal

import msgspec

from ordergate.core.instrument import Instrument
from ordergate.core.limits import Breach, Limits
from ordergate.core.modes import Modes
from ordergate.core.order import BracketMode, Change, Order, Protection, Side
from ordergate.core.reports import FillReport, PositionReport, Quote


class ApprovalKind(enum.Enum):
    """On what ground an order may leave (design: approvals): what protects, what shrinks, and three of new risk.

    PASSED: no limit was asked. APPROVED: none is broken. OVERRIDDEN: some are, and it leaves all the same.
    """

    LEG = "leg"
    REDUCING = "reducing"
    PASSED = "passed"
    APPROVED = "approved"
    OVERRIDDEN = "overridden"

    @property
    def adds_risk(self) -> bool:
        return self not in (ApprovalKind.LEG, ApprovalKind.REDUCING)


class TradingState(enum.Enum):
    """What an account may do: anything, only shrink positions, nothing new at all."""

    ACTIVE = "active"
    REDUCING = "reducing"
    HALTED = "halted"


class Door(enum.Enum):
    """By which way a person, or a program of his, came in: the page and its HTTP API, or a message on the bus."""

    PAGE = "at the page"
    BUS = "over the bus"


class Phase(enum.Enum):
    """The steps of one exit: get working orders out of the way, close, read the broker's position back."""

    CLEARING = "clearing"
    CLOSING = "closing"
    READING = "reading"


class GroupOpened(msgspec.Struct, frozen=True, tag="group-opened"):
    """The first event: who we are. ``install_id`` makes our tags unlike any other installation's."""

    account_id: int
    install_id: str
    venue: str
    login: str


class InstrumentsLoaded(msgspec.Struct, frozen=True, tag="instruments-loaded"):
    account_id: int
    instruments: tuple[Instrument, ...]


class LimitsChanged(msgspec.Struct, frozen=True, tag="limits-changed"):
    account_id: int
    version: int
    limits: Limits


class LimitsConfigured(msgspec.Struct, frozen=True, tag="limits-configured"):
    """What the settings said of the limits at a start, whatever of it holds."""

    account_id: int
    limits: Limits


class LimitsDeferred(msgspec.Struct, frozen=True, tag="limits-deferred"):
    """``limits`` are wanted, and looser: they hold from the trading day ``from_day``. Those in force: none waits."""

    account_id: int
    limits: Limits
    from_day: str
    at_ns: int = 0


class ModesChanged(msgspec.Struct, frozen=True, tag="modes-changed"):
    """``modes`` hold from here on; ``configured`` are those of the settings at the last start."""

    account_id: int
    modes: Modes
    configured: Modes
    cause: str
    at_ns: int


class PauseChanged(msgspec.Struct, frozen=True, tag="pause-changed"):
    """No account of the group takes new risk from here on, or each does again as far as it may."""

    account_id: int
    paused: bool
    by: Door
    at_ns: int
    reason: str = ""


class AlarmsAcknowledged(msgspec.Struct, frozen=True, tag="alarms-acknowledged"):
    """A person has seen the alarms of these numbers."""

    account_id: int
    numbers: tuple[int, ...]
    at_ns: int


class LinkChanged(msgspec.Struct, frozen=True, tag="link-changed"):
    account_id: int
    up: bool
    reason: str
    at_ns: int = 0


class SessionChecked(msgspec.Struct, frozen=True, tag="session-checked"):
    """What the session stands on, compared anew. ``well`` None: not looked at since the start. See ``CheckReport``."""

    account_id: int
    name: str
    text: str
    well: bool | None
    refuses: bool
    at_ns: int


class AccountAdopted(msgspec.Struct, frozen=True, tag="account-adopted"):
    """First sight of an account: what it held and had done today before we knew it.

    ``realized_usd`` is today's P&L less fees by the broker's own rows, ``fill_ids`` the fills it came from.
    """

    account_id: int
    name: str
    balance_usd: Decimal
    can_trade: bool
    day: str
    balance_open_usd: Decimal
    realized_usd: Decimal
    fill_ids: tuple[int, ...]
    positions: tuple[PositionReport, ...]
    at_ns: int


class AccountUpdated(msgspec.Struct, frozen=True, tag="account-updated"):
    account_id: int
    balance_usd: Decimal
    can_trade: bool
    at_ns: int = 0


class TradingDayOpened(msgspec.Struct, frozen=True, tag="trading-day-opened"):
    """``balance_usd`` at the open and the open P&L carried into the day: together the day's reference R."""

    account_id: int
    day: str
    balance_usd: Decimal
    carried_usd: Decimal
    at_ns: int


class TradingStateChanged(msgspec.Struct, frozen=True, tag="trading-state-changed"):
    """``quote``s are those the decision used, where prices caused it."""

    account_id: int
    state: TradingState
    code: str
    message: str
    quotes: tuple[Quote, ...] = ()
    at_ns: int = 0


class WouldHaveLocked(msgspec.Struct, frozen=True, tag="would-have-locked"):
    """What would have stopped the account, were the original workflow not preserved. Fields as above."""

    account_id: int
    code: str
    message: str
    quotes: tuple[Quote, ...]
    at_ns: int


class PositionsSpared(msgspec.Struct, frozen=True, tag="positions-spared"):
    """Limits that were tightened would close by themselves what is held; the account is stopped, and they do not.

    What it holds is closed by ``limits``, those before, until its next trading day. None = it is spared no more.
    """

    account_id: int
    limits: Limits | None


class LockedOut(msgspec.Struct, frozen=True, tag="locked-out"):
    """The trader's own lockout, begun or extended."""

    account_id: int
    until_ns: int
    reason: str
    at_ns: int


class LockoutEnded(msgspec.Struct, frozen=True, tag="lockout-ended"):
    account_id: int
    at_ns: int


class EpochRaised(msgspec.Struct, frozen=True, tag="epoch-raised"):
    """Approvals of an older epoch are void: a flatten, a halt or a cancel-all came after them."""

    account_id: int
    epoch: int
    cause: str


class EquityPeaked(msgspec.Struct, frozen=True, tag="equity-peaked"):
    """The highest equity of an account so far, in whole dollars, rounded up: the intraday floor follows it."""

    account_id: int
    equity_usd: Decimal
    at_ns: int


class RepeatedAction(msgspec.Struct, frozen=True, tag="repeated-action"):
    """What we do by ourselves failed ``count`` times within a minute: a person has to look."""

    account_id: int
    count: int
    at_ns: int


class RepetitionEnded(msgspec.Struct, frozen=True, tag="repetition-ended"):
    """A person has looked."""

    account_id: int
    at_ns: int


class OrderApproved(msgspec.Struct, frozen=True, tag="order-approved"):
    """The order may leave, once this row is durable. ``quote`` is the one the decision used."""

    account_id: int
    order: Order
    kind: ApprovalKind
    number: int
    epoch: int
    limits_version: int
    issued_ns: int
    quote: Quote | None = None


class OrderDenied(msgspec.Struct, frozen=True, tag="order-denied"):
    """The order does not leave; its breaches are the evidence, ``quote`` the one they were measured with."""

    account_id: int
    order: Order
    quote: Quote | None = None


class OrderOverridden(msgspec.Struct, frozen=True, tag="order-overridden"):
    """The order, or a change of it, leaves although it breaks limits: every one of them, the evidence as in a denial.

    What leaves is in the event that follows.
    """

    account_id: int
    order_id: str
    breaches: tuple[Breach, ...]
    quote: Quote | None
    at_ns: int


class CancelRemembered(msgspec.Struct, frozen=True, tag="cancel-remembered"):
    """A cancel overtook its own order in the inbox; the order will be decided as cancelled."""

    account_id: int
    order_id: str


class OrderWithdrawn(msgspec.Struct, frozen=True, tag="order-withdrawn"):
    """Decided as cancelled: its cancel was there first."""

    account_id: int
    order: Order


class CancelWanted(msgspec.Struct, frozen=True, tag="cancel-wanted"):
    account_id: int
    order_id: str
    reason: str


class CancelSent(msgspec.Struct, frozen=True, tag="cancel-sent"):
    account_id: int
    order_id: str
    broker_order_id: int
    at_ns: int


class CancelRefused(msgspec.Struct, frozen=True, tag="cancel-refused"):
    account_id: int
    order_id: str
    reason: str
    at_ns: int


class CancelForbidden(msgspec.Struct, frozen=True, tag="cancel-forbidden"):
    """The account may cancel no order, and why, in the broker's words; an empty ``text`` = it is not known to be so."""

    account_id: int
    text: str
    at_ns: int


class ModifyApproved(msgspec.Struct, frozen=True, tag="modify-approved"):
    account_id: int
    order_id: str
    change: Change
    kind: ApprovalKind
    epoch: int
    limits_version: int
    issued_ns: int
    risk_ticks: int


class ModifyDenied(msgspec.Struct, frozen=True, tag="modify-denied"):
    account_id: int
    order_id: str
    breaches: tuple[Breach, ...]


class OrderModified(msgspec.Struct, frozen=True, tag="order-modified"):
    """The broker shows these terms."""

    account_id: int
    order_id: str
    quantity: int
    limit_ticks: int | None
    stop_ticks: int | None
    at_ns: int


class ModifyRefused(msgspec.Struct, frozen=True, tag="modify-refused"):
    account_id: int
    order_id: str
    number: int
    reason: str
    at_ns: int


class OrderAccepted(msgspec.Struct, frozen=True, tag="order-accepted"):
    account_id: int
    order_id: str
    broker_order_id: int
    at_ns: int


class OrderRejected(msgspec.Struct, frozen=True, tag="order-rejected"):
    account_id: int
    order_id: str
    code: int
    text: str
    at_ns: int


class OrderInDoubt(msgspec.Struct, frozen=True, tag="order-in-doubt"):
    account_id: int
    order_id: str
    reason: str
    at_ns: int


class LookupSent(msgspec.Struct, frozen=True, tag="lookup-sent"):
    account_id: int
    order_id: str
    order_tag: str
    at_ns: int


class LookupMissed(msgspec.Struct, frozen=True, tag="lookup-missed"):
    """One read that showed no trace of what is in doubt: the tag is absent, or the order has its old terms."""

    account_id: int
    order_id: str
    at_ns: int


class OrderNotSent(msgspec.Struct, frozen=True, tag="order-not-sent"):
    account_id: int
    order_id: str
    reason: str
    at_ns: int


class OrderCancelled(msgspec.Struct, frozen=True, tag="order-cancelled"):
    account_id: int
    order_id: str
    at_ns: int


class OrderExpired(msgspec.Struct, frozen=True, tag="order-expired"):
    account_id: int
    order_id: str
    at_ns: int


class FillApplied(msgspec.Struct, frozen=True, tag="fill-applied"):
    """One fill, counted once by ``fill_id``."""

    account_id: int
    fill_id: int
    order_id: str
    contract_id: str
    side: Side
    quantity: int
    price_ticks: int
    fee_usd: Decimal
    at_ns: int


class FillHeld(msgspec.Struct, frozen=True, tag="fill-held"):
    """A fill whose order is not known yet: the trade overtook the order's own event."""

    account_id: int
    fill: FillReport
    at_ns: int


class FillsMissing(msgspec.Struct, frozen=True, tag="fills-missing"):
    """The broker's order row shows more filled than the fills we have; they are on their way, or lost."""

    account_id: int
    order_id: str
    reported_filled: int
    at_ns: int


class FillBusted(msgspec.Struct, frozen=True, tag="fill-busted"):
    account_id: int
    fill_id: int
    at_ns: int


class ExternalOrderSeen(msgspec.Struct, frozen=True, tag="external-order-seen"):
    """An order at the broker without our tag. It counts everywhere."""

    account_id: int
    order: Order


class UnexpectedBrokerFact(msgspec.Struct, frozen=True, tag="unexpected-broker-fact"):
    """No row of the lifecycle table fits: new risk is blocked until the books agree again."""

    account_id: int
    what: str
    at_ns: int


class ApprovalRefused(msgspec.Struct, frozen=True, tag="approval-refused"):
    """The connection manager refused to send what it was told to; ``account_id`` is 0 where it is none of ours."""

    account_id: int
    approval_id: str
    order_tag: str
    reason: str
    at_ns: int


class SnapshotRequested(msgspec.Struct, frozen=True, tag="snapshot-requested"):
    account_id: int
    reason: str
    since_ns: int
    at_ns: int


class PositionDoubted(msgspec.Struct, frozen=True, tag="position-doubted"):
    """One read in which the broker's position differs from ours; a second equal one, begun after it, decides."""

    account_id: int
    contract_id: str
    net_quantity: int
    cost_ticks: int
    at_ns: int


class PositionCorrected(msgspec.Struct, frozen=True, tag="position-corrected"):
    """The broker's position won."""

    account_id: int
    contract_id: str
    net_quantity: int
    cost_ticks: int
    at_ns: int = 0


class Reconciled(msgspec.Struct, frozen=True, tag="reconciled"):
    """A snapshot was compared; ``agreed`` when nothing is left to explain.

    ``gap_usd`` is what its balance is above what the day's fills make of it, None where they were not compared.
    """

    account_id: int
    started_ns: int
    agreed: bool
    at_ns: int
    gap_usd: Decimal | None = None


class BalanceMoved(msgspec.Struct, frozen=True, tag="balance-moved"):
    """The balance has moved by ``amount_usd`` (signed) without a trade, as by a payout or reset: no P&L of the day."""

    account_id: int
    amount_usd: Decimal
    at_ns: int


class ExitStarted(msgspec.Struct, frozen=True, tag="exit-started"):
    """``quantity`` None = all of the position; ``entry_id`` names the one entry that is closed, if it is one."""

    account_id: int
    contract_id: str
    exit_id: str
    quantity: int | None
    cause: str
    at_ns: int
    entry_id: str | None = None


class ExitAdvanced(msgspec.Struct, frozen=True, tag="exit-advanced"):
    account_id: int
    contract_id: str
    phase: Phase
    round: int
    at_ns: int


class ExitFinished(msgspec.Struct, frozen=True, tag="exit-finished"):
    """``flat``: what was asked to be closed is closed, read back from the broker."""

    account_id: int
    contract_id: str
    flat: bool
    at_ns: int


class ProtectionChanged(msgspec.Struct, frozen=True, tag="protection-changed"):
    """What an entry promises from now on: the trader moved a level or took a target off, or the stop moves by itself.

    ``rests_until_ns``: before then it does not trail again; 0 = no such wait.
    """

    account_id: int
    order_id: str
    protection: Protection
    cause: str
    rests_until_ns: int = 0


class ProtectionFailed(msgspec.Struct, frozen=True, tag="protection-failed"):
    """A promised stop could not be placed or was lost; ``attempt`` counts from 1."""

    account_id: int
    order_id: str
    attempt: int
    reason: str
    at_ns: int


class Cover(enum.Enum):
    """Whether stops that rest at the broker cover a position.

    PROTECTING: a promised stop is on its way. UNPROTECTED: it was refused or lost, or is on its way for too long; or
    the market is at it and it has not filled.
    """

    PROTECTED = "protected"
    PROTECTING = "protecting"
    UNPROTECTED = "unprotected"
    BY_CHOICE = "by choice"


class CoverChanged(msgspec.Struct, frozen=True, tag="cover-changed"):
    """The cover of a position is another one; ``uncovered`` (>= 0) contracts of it have none.

    ``since_ns`` is when this began; a gap begins with its first uncovered contract. ``lasted_ns`` (>= 0) is how long
    what was before it had lasted: of a gap that ends, its length.
    """

    account_id: int
    contract_id: str
    state: Cover
    uncovered: int
    cause: str
    since_ns: int
    lasted_ns: int
    at_ns: int


class OrderResting(msgspec.Struct, frozen=True, tag="order-resting"):
    """The broker has shown this stop open: it rests."""

    account_id: int
    order_id: str
    at_ns: int


class BracketModeConfigured(msgspec.Struct, frozen=True, tag="bracket-mode-configured"):
    """The setting says another bracket mode; what the broker has taught us is forgotten."""

    account_id: int
    mode: BracketMode


class BracketModeLearned(msgspec.Struct, frozen=True, tag="bracket-mode-learned"):
    """The broker has shown what the account's bracket mode is."""

    account_id: int
    mode: BracketMode
    cause: str
    at_ns: int = 0


class NativeAwaited(msgspec.Struct, frozen=True, tag="native-awaited"):
    """An entry has filled whose bracket the broker attaches: until then its children may yet show."""

    account_id: int
    order_id: str
    until_ns: int


class ChildSeen(msgspec.Struct, frozen=True, tag="child-seen"):
    """The broker has shown a child of an entry of ours; it stands on the entry's approval."""

    account_id: int
    order: Order


Event = (
    GroupOpened
    | InstrumentsLoaded
    | LimitsConfigured
    | LimitsChanged
    | LimitsDeferred
    | ModesChanged
    | PauseChanged
    | AlarmsAcknowledged
    | LinkChanged
    | SessionChecked
    | AccountAdopted
    | AccountUpdated
    | TradingDayOpened
    | TradingStateChanged
    | WouldHaveLocked
    | PositionsSpared
    | LockedOut
    | LockoutEnded
    | EpochRaised
    | EquityPeaked
    | RepeatedAction
    | RepetitionEnded
    | OrderApproved
    | OrderDenied
    | OrderOverridden
    | CancelRemembered
    | OrderWithdrawn
    | CancelWanted
    | CancelSent
    | CancelRefused
    | CancelForbidden
    | ModifyApproved
    | ModifyDenied
    | OrderModified
    | ModifyRefused
    | OrderAccepted
    | OrderRejected
    | OrderInDoubt
    | LookupSent
    | LookupMissed
    | OrderNotSent
    | OrderCancelled
    | OrderExpired
    | FillApplied
    | FillHeld
    | FillsMissing
    | FillBusted
    | ExternalOrderSeen
    | UnexpectedBrokerFact
    | ApprovalRefused
    | SnapshotRequested
    | PositionDoubted
    | PositionCorrected
    | Reconciled
    | BalanceMoved
    | ExitStarted
    | ExitAdvanced
    | ExitFinished
    | ProtectionChanged
    | CoverChanged
    | BracketModeConfigured
    | BracketModeLearned
    | NativeAwaited
    | ChildSeen
    | OrderResting
    | ProtectionFailed
)
