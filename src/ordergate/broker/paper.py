"""The paper book: what shadow mode has instead of the broker's: its orders, fills, positions and money. PURE.

Fills are never better than the broker's would be: whole, a market order at the touch, a limit only when the market has
traded through its price, a stop when the market touches it, at the touch of that moment and not at its price.

Invariants:
1. Nothing changes but by ``apply``; what is asked for is answered with changes, which the caller keeps first.
2. The same changes in the same order make the same book.
3. Every id is negative, which no id of the broker's is, and rises; also above those of what was dropped.
4. What is dropped was over: positions, balances and orders that may fill stay as they are.
"""

from __future__ import annotations

from decimal import Decimal

import msgspec
from msgspec.structs import replace

from ordergate.core.effects import Modify, Place
from ordergate.core.instrument import Instrument
from ordergate.core.order import OrderType, Side
from ordergate.core.pnl import Position, after_fill, usd
from ordergate.core.reports import FillReport, OrderReport, OrderState, PositionReport, Quote

# The first id is one above it. JSON's readers hold whole numbers of this size exactly.
_IDS_ABOVE = -(10**15)


class Ordered(msgspec.Struct, frozen=True, tag="order"):
    """A paper order as it is from now on; the offsets are those of the bracket that is attached to it (``Terms``)."""

    row: OrderReport
    stop_offset_ticks: int | None = None
    target_offset_ticks: int | None = None


class Filled(msgspec.Struct, frozen=True, tag="fill"):
    fill: FillReport


class Opened(msgspec.Struct, frozen=True, tag="account"):
    """An account is seen for the first time: its money on paper begins with its balance."""

    account_id: int
    balance_usd: Decimal


class Pruned(msgspec.Struct, frozen=True, tag="pruned"):
    """What is over and older than ``before_ns`` is not looked up any more: see ``PaperBook.pruned``."""

    before_ns: int


Change = Ordered | Filled | Opened | Pruned


class PaperBook:
    """See the module. ``balances`` are by account; ``working`` are the orders that may fill, by id."""

    def __init__(self) -> None:
        self.orders: dict[int, Ordered] = {}
        self.working: dict[int, Ordered] = {}
        self.fills: list[FillReport] = []
        self.balances: dict[int, Decimal] = {}
        self._positions: dict[tuple[int, str], Position] = {}
        self._tags: dict[tuple[int, str | None], int] = {}
        self._last_id = _IDS_ABOVE

    def apply(self, change: Change) -> None:
        match change:
            case Ordered(row=row):
                self.orders[row.broker_order_id] = change
                self._tags[row.account_id, row.order_tag] = row.broker_order_id
                self.working.pop(row.broker_order_id, None)
                if row.state is OrderState.OPEN:
                    self.working[row.broker_order_id] = change
                self._last_id = max(self._last_id, row.broker_order_id)
            case Filled(fill=fill):
                self.fills.append(fill)
                position, _ = self._after(fill.account_id, fill.contract_id, fill.side, fill.quantity, fill.price_ticks)
                self._positions[fill.account_id, fill.contract_id] = position
                self.balances[fill.account_id] += (fill.pnl_usd or Decimal(0)) - fill.fee_usd
                self._last_id = max(self._last_id, fill.fill_id)
            case Opened():
                self.balances[change.account_id] = change.balance_usd
            case Pruned():
                self._drop(change.before_ns)

    @property
    def size(self) -> int:
        """How many orders and fills are kept."""
        return len(self.orders) + len(self.fills)

    def position(self, account_id: int, contract_id: str) -> PositionReport:
        held = self._positions.get((account_id, contract_id)) or Position(contract_id)
        return PositionReport(account_id, contract_id, held.net, round(held.average * held.net))

    def positions(self, account_id: int) -> tuple[PositionReport, ...]:
        """What the account holds."""
        return tuple(
            [self.position(*key) for key, held in self._positions.items() if key[0] == account_id and held.net]
        )

    def tagged(self, account_id: int, order_tag: str) -> OrderReport | None:
        order_id = self._tags.get((account_id, order_tag))
        return None if order_id is None else self.orders[order_id].row

    # What is asked of it, answered with what would change.

    def placed(self, place: Place, instrument: Instrument, quote: Quote | None, at_ns: int) -> list[Change]:
        """A new order; it fills at once where ``quote`` (None = no fresh one) lets it."""
        terms = place.terms
        row = OrderReport(
            account_id=terms.account_id,
            broker_order_id=self._last_id + 1,
            order_tag=place.order_tag,
            contract_id=terms.contract_id,
            side=terms.side,
            order_type=terms.order_type,
            quantity=terms.quantity,
            limit_ticks=terms.limit_ticks,
            stop_ticks=terms.stop_ticks,
            state=OrderState.OPEN,
            filled_quantity=0,
            created_ns=at_ns,
        )
        ordered = Ordered(row, terms.stop_offset_ticks, terms.target_offset_ticks)
        return [ordered, *self._at_once(ordered, instrument, quote, at_ns)]

    def modified(self, modify: Modify, instrument: Instrument, quote: Quote | None, at_ns: int) -> list[Change]:
        """A working order with its new look, which may fill at once."""
        before, terms = self.working[modify.broker_order_id], modify.terms
        row = replace(before.row, quantity=terms.quantity, limit_ticks=terms.limit_ticks, stop_ticks=terms.stop_ticks)
        ordered = replace(before, row=row)
        return [ordered, *self._at_once(ordered, instrument, quote, at_ns)]

    def cancelled(self, broker_order_id: int) -> list[Change]:
        ordered = self.working[broker_order_id]
        return [replace(ordered, row=replace(ordered.row, state=OrderState.CANCELLED))]

    def filled(self, ordered: Ordered, price_ticks: int, instrument: Instrument, at_ns: int) -> list[Change]:
        """All of an order fills: the legs attached to it begin to work, and the other leg of its own bracket ends."""
        row = ordered.row
        before = self.position(row.account_id, row.contract_id).net_quantity
        _, realized_usd = self._after(row.account_id, row.contract_id, row.side, row.quantity, price_ticks, instrument)
        order_id = row.broker_order_id
        next_id = max(self._last_id, order_id) + 1
        fill = FillReport(
            account_id=row.account_id,
            fill_id=next_id,
            broker_order_id=order_id,
            contract_id=row.contract_id,
            side=row.side,
            quantity=row.quantity,
            price_ticks=price_ticks,
            fee_usd=instrument.fee_usd * row.quantity,
            pnl_usd=realized_usd if before * row.side.sign < 0 else None,
            voided=False,
            at_ns=at_ns,
        )
        done = replace(ordered, row=replace(row, state=OrderState.FILLED, filled_quantity=row.quantity))
        others = [
            other.row.broker_order_id
            for other in self.working.values()
            if row.parent_id is not None and other.row.parent_id == row.parent_id and other is not ordered
        ]
        ended = [change for other_id in others if other_id != order_id for change in self.cancelled(other_id)]
        return [Filled(fill), done, *_legs(ordered, price_ticks, next_id + 1, at_ns), *ended]

    def pruned(self, before_ns: int) -> list[Change]:
        """Drop fills from before ``before_ns``, and orders made before it that are over and have no later fill.

        Nothing where that would drop nothing.
        """
        kept = self._lasting(before_ns)
        is_small = len(kept) == len(self.orders) and all(fill.at_ns >= before_ns for fill in self.fills)
        return [] if is_small else [Pruned(before_ns)]

    def _lasting(self, before_ns: int) -> dict[int, Ordered]:
        filled = {fill.broker_order_id for fill in self.fills if fill.at_ns >= before_ns}
        return {
            order_id: ordered
            for order_id, ordered in self.orders.items()
            if order_id in self.working or order_id in filled or ordered.row.created_ns >= before_ns
        }

    def _drop(self, before_ns: int) -> None:
        self.orders = self._lasting(before_ns)
        self.fills = [fill for fill in self.fills if fill.at_ns >= before_ns]
        self._tags = {tag: order_id for tag, order_id in self._tags.items() if order_id in self.orders}

    def _at_once(self, ordered: Ordered, instrument: Instrument, quote: Quote | None, at_ns: int) -> list[Change]:
        if quote is None:
            return []
        price_ticks = fill_ticks(ordered.row, quote)
        if price_ticks is None:
            return []
        if ordered.row.order_type is OrderType.LIMIT:
            price_ticks = _touch(ordered.row.side, quote)
        assert price_ticks is not None, "a limit was crossed by the touch"
        return self.filled(ordered, price_ticks, instrument, at_ns)

    def _after(
        self,
        account_id: int,
        contract_id: str,
        side: Side,
        quantity: int,
        price_ticks: int,
        instrument: Instrument | None = None,
    ) -> tuple[Position, Decimal]:
        held = self._positions.get((account_id, contract_id)) or Position(contract_id)
        position, realized = after_fill(held, side, quantity, price_ticks, 0)
        return position, Decimal(0) if instrument is None else usd(instrument, realized)


def fill_ticks(row: OrderReport, quote: Quote, printed_ticks: int | None = None) -> int | None:
    """The price at which a working order fills at ``quote``, None where it does not.

    ``printed_ticks`` is a trade that was not there in the quote before.
    """
    touch, sign = _touch(row.side, quote), row.side.sign
    seen = [ticks for ticks in (touch, printed_ticks) if ticks is not None]
    if row.limit_ticks is not None:
        limit = row.limit_ticks
        return limit if any((limit - ticks) * sign > 0 for ticks in seen) else None
    if row.stop_ticks is not None:
        stop = row.stop_ticks
        return touch if any((ticks - stop) * sign >= 0 for ticks in seen) else None
    return touch


def _touch(side: Side, quote: Quote) -> int | None:
    """The side of the market that a market order fills on."""
    return quote.ask_ticks if side is Side.BUY else quote.bid_ticks


def _legs(entry: Ordered, price_ticks: int, first_id: int, at_ns: int) -> list[Change]:
    """The stop and target that were attached to an entry that has filled at ``price_ticks``."""
    plans = (
        ("SL", OrderType.STOP, entry.stop_offset_ticks),
        ("TP", OrderType.LIMIT, entry.target_offset_ticks),
    )
    found: list[Change] = []
    for suffix, order_type, offset in plans:
        if offset is not None:
            level = price_ticks + offset
            row = replace(
                entry.row,
                broker_order_id=first_id + len(found),
                order_tag=f"{entry.row.order_tag}-{suffix}",
                side=entry.row.side.opposite,
                order_type=order_type,
                limit_ticks=level if order_type is OrderType.LIMIT else None,
                stop_ticks=level if order_type is OrderType.STOP else None,
                state=OrderState.OPEN,
                filled_quantity=0,
                created_ns=at_ns,
                parent_id=entry.row.broker_order_id,
            )
            found.append(Ordered(row))
    return found
