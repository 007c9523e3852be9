"""Shadow mode: the last hop that writes nothing to the broker. What is asked for is done on paper.

Accounts, contracts, quotes and bars are read from the broker as ever; orders, fills, positions and balances are those
of the paper book, in what is told as in what is read, so the gate, its brackets and the page work on them unchanged.

The paper book is kept in a journal, beside the used approvals: each change is durable before it is told, and a start
folds them again. It is not rebuilt from what the gate asks: the prices of the fills would be other ones.

Invariants:
1. Nothing here calls what sends an order, a change or a cancel.
2. What the broker says of orders, fills and positions is never told: they are not the paper book's.
3. The book in memory does not grow with the days: beyond ``KEPT_MAX`` what is over, and older than the trading day
   before this one, is dropped, by a change like any other. Around the open the gate still asks for the day that ends.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Sequence

import msgspec
import structlog
from msgspec.structs import replace

from ordergate.broker.account_rows import AccountRows
from ordergate.broker.paper import Change, Filled, Opened, Ordered, PaperBook, Pruned, fill_ticks
from ordergate.broker.projectx.catalogue import Catalogue
from ordergate.broker.projectx.client import Client
from ordergate.broker.projectx.rest import Passage
from ordergate.broker.projectx.translate import account_report
from ordergate.broker.reading import SNAPSHOT, beyond_flat
from ordergate.clock import Clock
from ordergate.core.effects import LookUp, Modify, Place, ReadSnapshot
from ordergate.core.instrument import Instrument
from ordergate.core.order import Terms
from ordergate.core.reports import (
    AccountReport,
    BrokerSnapshot,
    CancelOutcome,
    FillReport,
    ModifyOutcome,
    OrderReport,
    OrderState,
    Outcome,
    PlaceOutcome,
    PositionReport,
    Quote,
    Report,
)
from ordergate.core.sessions import day_open_ns
from ordergate.errors import JournalDamaged, JournalUnavailable, NotSent
from ordergate.journal.port import Entry, Journal

BOOK = "paper"
KIND = "paper-changed"
VERSION = 2
# Version 1 knew no pruning; all that it wrote is read as it is.
_READABLE = (1, VERSION)
# Orders and fills: some days of busy trading.
KEPT_MAX = 10_000

# An order fills at no older quote, but waits for the next: an active contract is quoted several times a second.
_QUOTE_AGE_NS = 5_000_000_000

_log = structlog.get_logger(part="paper")
_encoder = msgspec.json.Encoder(order="deterministic", decimal_format="string")
_decoder: msgspec.json.Decoder[Change] = msgspec.json.Decoder(Change)


class Shadow:
    """See the module. ``publish`` gets what happens on paper, in order."""

    def __init__(
        self,
        *,
        client: Client,
        catalogue: Catalogue,
        clock: Clock,
        journal: Journal,
        publish: Callable[[Report], Awaitable[None]],
    ) -> None:
        self._account_rows = AccountRows(client, SNAPSHOT)
        self._catalogue = catalogue
        self._clock = clock
        self._journal = journal
        self._publish = publish
        self._book = PaperBook()
        self._seq = 0
        self._prune_at = KEPT_MAX
        self._turn = asyncio.Lock()  # from looking at the book until what follows is in it
        self._accounts: dict[int, AccountReport] = {}
        self._quotes: dict[str, Quote] = {}
        # Orders that the market has reached and that are not filled yet, with the price; each waits once.
        self._reached: dict[int, tuple[Ordered, int]] = {}
        self._has_reached = asyncio.Event()
        self._fault: str | None = None  # of the last fill: one that stays is told once

    async def open(self) -> None:
        """Fold the paper book. Raises ``JournalDamaged``."""
        async for row in self._journal.read():
            if row.book == BOOK:
                if row.kind != KIND or row.version not in _READABLE:
                    raise JournalDamaged(f"{BOOK} {row.seq}: {row.kind} version {row.version} is not known")
                self._book.apply(_decoder.decode(row.body))
                self._seq = row.seq

    async def run(self) -> None:
        """Fill what the market reaches, until cancelled. Raises ``SequenceConflict``."""
        while True:
            await self._has_reached.wait()
            self._has_reached.clear()
            for order_id, (ordered, price_ticks) in list(self._reached.items()):
                async with self._turn:
                    # Changed or cancelled meanwhile, it is left to the next quote.
                    if self._book.working.get(order_id) is ordered:
                        instrument = self._catalogue.instruments[ordered.row.contract_id]
                        changes = self._book.filled(ordered, price_ticks, instrument, self._clock.now_ns())
                        fault, told = await self._kept(changes), self._fault
                        self._fault = fault
                        if fault is not None and fault != told:
                            _log.error("paper orders cannot be filled", reason=fault)
                    self._reached.pop(order_id, None)

    def quoted(self, quote: Quote) -> None:
        before = self._quotes.get(quote.contract_id)
        self._quotes[quote.contract_id] = quote
        # What was printed before an order came says nothing of it, and the last trade stays on a quote.
        printed = None if before is None or before.last_ticks == quote.last_ticks else quote.last_ticks
        for order_id, ordered in self._book.working.items():
            if ordered.row.contract_id == quote.contract_id and order_id not in self._reached:
                price_ticks = fill_ticks(ordered.row, quote, printed)
                if price_ticks is not None:
                    self._reached[order_id] = ordered, price_ticks
                    self._has_reached.set()

    async def shown(self, report: Report) -> Report | None:
        match report:
            case AccountReport():
                return await self._account(report)
            case OrderReport() | FillReport() | PositionReport():
                return None
            case _:
                return report

    async def _account(self, report: AccountReport) -> AccountReport:
        """A real account, with the money that it has on paper. Raises ``JournalUnavailable`` at its first sight."""
        account_id = report.account_id
        self._accounts[account_id] = report
        async with self._turn:
            if account_id not in self._book.balances:
                await self._keep([Opened(account_id, report.balance_usd)])
        return replace(report, balance_usd=self._book.balances[account_id])

    # Sends nothing.

    async def place(self, place: Place, instrument: Instrument, passage: Passage) -> PlaceOutcome:
        account_id, tag = place.terms.account_id, place.order_tag
        async with self._turn:
            fault = _stopped(passage)
            if fault is None:
                changes = self._book.placed(place, instrument, self._fresh(place.terms), self._clock.now_ns())
                fault = await self._kept(changes)
        if fault is not None:
            return PlaceOutcome(account_id, tag, Outcome.NOT_SENT, text=fault)
        row = self._book.tagged(account_id, tag)
        assert row is not None, "it has just been placed"
        return PlaceOutcome(account_id, tag, Outcome.DONE, row.broker_order_id)

    async def modify(self, modify: Modify, instrument: Instrument, passage: Passage) -> ModifyOutcome:
        outcome, text = Outcome.DONE, ""
        async with self._turn:
            fault = _stopped(passage)
            if fault is None and modify.broker_order_id not in self._book.working:
                outcome, text = Outcome.REFUSED, _GONE
            elif fault is None:
                quote = self._fresh(modify.terms)
                fault = await self._kept(self._book.modified(modify, instrument, quote, self._clock.now_ns()))
        if fault is not None:
            outcome, text = Outcome.NOT_SENT, fault
        return ModifyOutcome(modify.terms.account_id, modify.order_tag, modify.grant.number, outcome, text=text)

    async def cancel(self, account_id: int, broker_order_id: int, passage: Passage) -> CancelOutcome:
        async with self._turn:
            fault = _stopped(passage)
            if fault is None and broker_order_id not in self._book.working:
                return CancelOutcome(account_id, broker_order_id, Outcome.REFUSED, text=_GONE)
            if fault is None:
                fault = await self._kept(self._book.cancelled(broker_order_id))
        outcome = Outcome.DONE if fault is None else Outcome.NOT_SENT
        return CancelOutcome(account_id, broker_order_id, outcome, text=fault or "")

    # Reads.

    async def snapshot(self, asked: ReadSnapshot, begins: Callable[[], None]) -> BrokerSnapshot:
        """The account as the broker has it, and of the paper book what is open or was made since then."""
        account_id, started_ns = asked.account_id, self._clock.now_ns()

        def leaving() -> None:
            nonlocal started_ns
            started_ns = self._clock.now_ns()
            begins()

        row = await self._account_rows.row(account_id, leaving)
        account = await self._account(account_report(row))
        orders = [each.row for each in self._book.orders.values() if each.row.account_id == account_id]
        fills = [fill for fill in self._book.fills if fill.account_id == account_id]
        return BrokerSnapshot(
            account=account,
            since_ns=asked.since_ns,
            started_ns=started_ns,
            positions=self._book.positions(account_id),
            orders=tuple([o for o in orders if o.state is OrderState.OPEN or o.created_ns >= asked.since_ns]),
            fills=tuple([fill for fill in fills if fill.at_ns >= asked.since_ns]),
        )

    async def order_of(self, asked: LookUp) -> OrderReport | None:
        return self._book.tagged(asked.account_id, asked.order_tag)

    async def fills_since(self, _asked: LookUp) -> tuple[FillReport, ...]:
        """None that its order would not have come before: on paper nothing lags."""
        return ()

    async def not_reducing(self, terms: Terms, _passage: Passage) -> str | None:
        return beyond_flat(terms, self._book.position(terms.account_id, terms.contract_id).net_quantity)

    def _fresh(self, terms: Terms) -> Quote | None:
        quote = self._quotes.get(terms.contract_id)
        return None if quote is None or self._clock.now_ns() - quote.at_ns > _QUOTE_AGE_NS else quote

    async def _kept(self, changes: Sequence[Change]) -> str | None:
        """Keep ``changes`` and tell of them; None, or why it could not be done: then nothing has changed."""
        try:
            await self._keep(changes)
        except JournalUnavailable as error:
            return f"the paper book cannot be written: {error}"
        return None

    async def _keep(self, changes: Sequence[Change]) -> None:
        await self._record(changes)
        for change in changes:
            await self._tell(change)
        if self._book.size >= self._prune_at:
            await self._prune()

    async def _prune(self) -> None:
        """What is asked for does not fail for want of it: then the next change tries again."""
        today_ns = day_open_ns(self._clock.now_ns())
        try:
            await self._record(self._book.pruned(day_open_ns(today_ns - 1)))
        except JournalUnavailable as error:
            _log.warning("the paper book cannot be pruned", reason=str(error))
            return
        # A day that is larger than the bound by itself is not looked through again at its every order.
        self._prune_at = max(KEPT_MAX, 2 * self._book.size)

    async def _record(self, changes: Sequence[Change]) -> None:
        if not changes:
            return
        now_ns = self._clock.now_ns()
        entries = [Entry(BOOK, now_ns, KIND, VERSION, _encoder.encode(change)) for change in changes]
        await self._journal.append(entries, {BOOK: self._seq})
        self._seq += len(entries)
        for change in changes:
            self._book.apply(change)

    async def _tell(self, change: Change) -> None:
        match change:
            case Ordered(row=row):
                await self._publish(row)
            case Filled(fill=fill):
                await self._publish(fill)
                await self._publish(self._book.position(fill.account_id, fill.contract_id))
                real = self._accounts.get(fill.account_id)
                if real is not None:
                    await self._publish(replace(real, balance_usd=self._book.balances[fill.account_id]))
            case Opened() | Pruned():
                pass  # whoever has read the account tells of it; what was over has been told


_GONE = "the paper order does not work any more"


def _stopped(passage: Passage) -> str | None:
    """Why a request may not leave any more."""
    try:
        if passage.leaving is not None:
            passage.leaving()
    except NotSent as error:
        return str(error)
    return None
