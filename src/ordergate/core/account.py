"""The state of a risk group: what is known, folded from events by ``fold.evolve``. Nothing here decides.

Containers are never changed in place. ``dict`` is used where order matters and contents are few; ``Map`` (a persistent
hash map) where contents grow all day and are only looked up, because its own order is not the same in every process.
"""

from __future__ import annotations

from collections.abc import Iterator
from decimal import Decimal

import msgspec

from ordergate.core.alarm import Alarm
from ordergate.core.events import Cover, Door, Phase, TradingState
from ordergate.core.instrument import Instrument
from ordergate.core.limits import Limits
from ordergate.core.modes import Modes
from ordergate.core.order import BracketMode, Order, Role, Side, Terms
from ordergate.core.orders import Orders
from ordergate.core.persistent import Map
from ordergate.core.pnl import Position
from ordergate.core.reports import FillReport


class AppliedFill(msgspec.Struct, frozen=True, gc=False):
    """A fill that has been counted, kept so that a bust can be taken back; no ``order_id`` = from before we knew it.

    ``at_ns`` is its exchange time; ``realized_usd`` the gross P&L of what it closed (signed), None where it opened.
    """

    fill_id: int
    order_id: str = ""
    contract_id: str = ""
    side: Side = Side.BUY
    quantity: int = 0
    price_ticks: int = 0
    fee_usd: Decimal = Decimal(0)
    at_ns: int = 0
    realized_usd: Decimal | None = None
    busted: bool = False


class RunningExit(msgspec.Struct, frozen=True):
    """A close or a flatten under way on one contract.

    ``quantity`` None = all; else what was still to be closed (>= 0) when its phase began. ``order_id`` is its market
    order while one is out; ``long``: it began on a long position. ``entry_id`` names the entry that is closed,
    None = the oldest ones go first.
    """

    exit_id: str
    contract_id: str
    quantity: int | None
    cause: str
    phase: Phase = Phase.CLEARING
    round: int = 1
    since_ns: int = 0
    order_id: str | None = None
    long: bool = True
    entry_id: str | None = None

    def still_closing(self, order: Order | None) -> int | None:
        """Contracts that are still to be closed (>= 0) now that ``order``, its own, has filled that far; None = all."""
        if self.quantity is None or order is None:
            return self.quantity
        return max(0, self.quantity - order.filled_quantity)


class Asked(msgspec.Struct, frozen=True, gc=False):
    """New risk that was approved a short while ago, an order or a change of one, for the rules on pace."""

    at_ns: int
    order_id: str
    terms: Terms


class Doubt(msgspec.Struct, frozen=True):
    """A position that the broker shows and we do not have, since ``since_ns``; ``fills`` were counted by then."""

    net_quantity: int
    cost_ticks: int
    fills: int
    since_ns: int

    def is_seen_again(self, net_quantity: int, cost_ticks: int, fills: int, started_ns: int) -> bool:
        """Whether a reading that began at ``started_ns`` shows the same, and nothing has filled since."""
        same = (self.net_quantity, self.cost_ticks, self.fills) == (net_quantity, cost_ticks, fills)
        return same and started_ns >= self.since_ns


class Gap(msgspec.Struct, frozen=True):
    """What the broker's balance was above what the day's fills make of it, when the books last agreed.

    ``fills`` were counted by then. ``doubted_usd``: it was another one in the last comparison, though nothing had
    filled; seen again it is a movement.
    """

    usd: Decimal = Decimal(0)
    fills: int = 0
    doubted_usd: Decimal | None = None


class Day(msgspec.Struct, frozen=True):
    """The trading day's money. ``realized_usd`` is gross P&L less fees of the fills counted since its open.

    ``early_usd`` is the part of it that belongs to the next day, which cannot be opened yet. ``begun``: an order of it
    has been decided. ``passed`` counts the orders that left without asking the limits because those of their instance
    pass. ``not_locked_by`` are the codes of what would have stopped the account (``WouldHaveLocked``).
    """

    name: str = ""
    opened_ns: int = 0
    balance_usd: Decimal = Decimal(0)
    carried_usd: Decimal = Decimal(0)
    realized_usd: Decimal = Decimal(0)
    early_usd: Decimal = Decimal(0)
    begun: bool = False
    passed: int = 0
    not_locked_by: tuple[str, ...] = ()


class Covered(msgspec.Struct, frozen=True):
    """The cover of a position as it was told last; see ``CoverChanged``."""

    state: Cover
    uncovered: int
    since_ns: int
    cause: str


class Account(msgspec.Struct, frozen=True):
    """One account: one book.

    ``orders`` are those that can still act (working, or an entry with contracts to protect); ``done`` the others of
    today. What is ``unexplained`` blocks new risk until a reading that began after ``unexplained_ns`` agrees.
    ``timers`` are the instants at which something must be looked at again, by what it is, ``bracket_timers`` those of
    brackets, by entry; ``reconciled_ns`` is when the last compared snapshot was begun. ``doubted`` are the positions
    that differed in it, ``doubting`` those of the comparison under way. ``covers`` are by contract. ``spared_by``: see
    ``PositionsSpared``. ``bracket_mode`` is what the broker has taught us of it, ``no_cancel`` why it may cancel no
    order (empty = it may). ``locked_until_ns`` is 0 while not locked out.

    ``start_usd`` is the balance at the open of the day on which we first saw the account, ``high_usd`` the highest one
    at a day's open since, or the highest equity where the floor follows that. ``asked`` and ``failures`` are kept as
    long as the rules on pace look back; ``repeating`` (> 0) is how many failures tripped the one on our own repeats.
    """

    account_id: int
    name: str = ""
    balance_usd: Decimal = Decimal(0)
    can_trade: bool = False
    adopted: bool = False
    trading_state: TradingState = TradingState.ACTIVE
    state_code: str = ""
    state_message: str = ""
    spared_by: Limits | None = None
    locked_until_ns: int = 0
    locked_reason: str = ""
    epoch: int = 0
    number: int = 0
    day: Day = Day()
    start_usd: Decimal = Decimal(0)
    high_usd: Decimal = Decimal(0)
    asked: tuple[Asked, ...] = ()
    failures: tuple[int, ...] = ()
    repeating: int = 0
    orders: Orders = Orders()
    done: Map[str, Order] = Map()
    broker_ids: Map[int, str] = Map()
    tags: Map[str, str] = Map()
    fills: Map[int, AppliedFill] = Map()
    held: dict[int, FillReport] = {}
    positions: dict[str, Position] = {}
    doubted: dict[str, Doubt] = {}
    doubting: dict[str, Doubt] = {}
    exits: dict[str, RunningExit] = {}
    cancels_remembered: tuple[str, ...] = ()
    stop_failures: dict[str, int] = {}
    covers: dict[str, Covered] = {}
    bracket_mode: BracketMode | None = None
    no_cancel: str = ""
    unexplained: str = ""
    unexplained_ns: int = 0
    snapshot_since_ns: int = 0
    reconciled_ns: int = 0
    gap: Gap = Gap()
    timers: dict[str, int] = {}
    bracket_timers: dict[str, int] = {}

    @property
    def gap_usd(self) -> Decimal:
        """What the balance is above what the day's fills make of it (signed)."""
        return self.balance_usd - self.day.balance_usd - self.day.realized_usd

    def order(self, order_id: str | None) -> Order | None:
        """The order of that id, whether it can still act or not."""
        return None if order_id is None else self.orders.get(order_id) or self.done.get(order_id)

    def position(self, contract_id: str) -> Position:
        """The net position, flat where there is none."""
        return self.positions.get(contract_id) or Position(contract_id)

    def live_orders(self, contract_id: str | None = None) -> Iterator[Order]:
        """Orders that may still fill, oldest first."""
        orders = self.orders.values() if contract_id is None else self.orders.book(contract_id).orders.values()
        return (order for order in orders if order.live)

    def legs(self, entry_id: str) -> Iterator[Order]:
        """The live stop and target orders of an entry, oldest first."""
        return (leg for book in self.orders.books.values() for leg in book.legs_of(entry_id) if leg.live)

    def last_stop(self, entry_id: str) -> Order | None:
        """The newest of the entry's stops that have ended, however they did."""
        ended = [leg for leg in self.done.values() if leg.role is Role.STOP and leg.parent_id == entry_id]
        return max(ended, key=lambda leg: (leg.decided_ns, leg.order_id), default=None)


class Check(msgspec.Struct, frozen=True):
    """See ``SessionChecked``."""

    text: str
    well: bool | None
    refuses: bool = False


class Group(msgspec.Struct, frozen=True):
    """One risk group: the accounts of one broker login. ``version`` counts the events folded.

    ``limits_waiting`` are those that hold from the trading day ``limits_from``, None where none wait;
    ``limits_configured`` those of the settings at the last start, None in a journal from before they were kept.
    ``modes_configured`` likewise. ``paused_by`` is None while no pause keeps new risk out of every account,
    ``paused_ns`` when it last began or ended, ``paused_reason`` what was said then. ``alarms`` are the open ones, the
    newest last; ``checks`` what the session stands on, by name.
    """

    version: int = 0
    install_id: str = ""
    venue: str = ""
    login: str = ""
    limits: Limits = Limits()
    limits_version: int = 0
    limits_waiting: Limits | None = None
    limits_from: str = ""
    limits_configured: Limits | None = None
    modes: Modes = Modes()
    modes_configured: Modes = Modes()
    paused_by: Door | None = None
    paused_ns: int = 0
    paused_reason: str = ""
    bracket_mode: BracketMode = BracketMode.UNKNOWN
    instruments: dict[str, Instrument] = {}
    link_up: bool = False
    link_reason: str = "not connected yet"
    checks: dict[str, Check] = {}
    accounts: dict[int, Account] = {}
    alarms: tuple[Alarm, ...] = ()

    def book(self, account_id: int) -> str:
        """The journal's key of an account; account 0 is the group's own book."""
        return book(self.venue, account_id or self.login, shadow=self.modes.shadow)

    def find_order(self, order_id: str, account_id: int | None) -> tuple[Account, Order] | None:
        """The order of that id in one account, or in the first account that has it."""
        for account in self.accounts.values():
            if account_id in (None, account.account_id):
                order = account.order(order_id)
                if order is not None:
                    return account, order
        return None


def book(venue: str, owner: int | str, *, shadow: bool) -> str:
    """A book's name. What is on paper has books of its own: it never folds into a live one."""
    return f"{venue}:{owner}:{'shadow' if shadow else 'live'}"
