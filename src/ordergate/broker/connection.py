"""One broker login, kept connected: contracts, accounts, both hubs, and whether all of it works.

Invariants:
1. Contracts are published before accounts, and both before the link is up.
2. The link is up only while both hubs are subscribed and REST answers.
3. A contract with a position or a working order has its quotes wanted, whatever the settings say.
"""

from __future__ import annotations

import asyncio
import random
from collections.abc import Awaitable, Callable
from functools import partial

import msgspec
import structlog

from ordergate.broker import health
from ordergate.broker.link import Link, Part
from ordergate.broker.projectx import translate
from ordergate.broker.projectx.backoff import MAX_S, Backoff
from ordergate.broker.projectx.budget import BAR_LIMITS, RequestBudget, RequestLimits
from ordergate.broker.projectx.catalogue import Catalogue
from ordergate.broker.projectx.client import Client
from ordergate.broker.projectx.feeds import MarketFeed, UserFeed
from ordergate.broker.projectx.hubs import Heard, Hub
from ordergate.broker.projectx.rest import Passage, Rest
from ordergate.broker.projectx.session import HOPELESS_LOGINS, Credentials, Session
from ordergate.broker.session_checks import SessionChecks, contracts, prices
from ordergate.broker.untold import MISSES_MAX, Untold
from ordergate.broker.view import View
from ordergate.clock import Clock
from ordergate.core import sessions
from ordergate.core.contracts import PRODUCT_BY_SYMBOL
from ordergate.core.instrument import Instrument
from ordergate.core.reports import (
    CONNECTION_MANAGER_STARTED,
    AccountReport,
    BrokerSnapshot,
    FillReport,
    InstrumentsReport,
    LinkReport,
    OrderReport,
    OrderState,
    PositionReport,
    Quote,
    Report,
)
from ordergate.errors import BrokerRefused, InputRefused, StartRefused, TransportError
from ordergate.net.port import Network

# Nothing can be traded before these are read, so they wait for the request limit however long it takes.
_STARTING = Passage(exits=False, wait_s=60.0)
# An order that the user hub has not told of: it may have filled, so it is read as urgently as an exit.
_LOOKING = Passage(exits=True, wait_s=10.0)
# How far back it may have been made, by clocks that are not the same.
_UNTOLD_NS = 86_400_000_000_000
# How soon a change of what the session stands on is told.
_CHECKS_S = 1.0
# After a roll orders for the new month are denied for no longer than this.
_CONTRACTS_S = 600.0

_log = structlog.get_logger(part="broker")


class Settings(msgspec.Struct, frozen=True):
    """Where the broker is and what to ask of it. ``symbols``: the products whose quotes are wanted from the start.

    ``request_timeout_s``: an order without an answer by then is in doubt; 10 s is the official sample's time-out
    (ProjectX API notes, section 8.1, 2026-11-22). ``shadow``: nothing is written to the broker.
    """

    venue: str
    gateway_url: str
    user_hub_url: str
    market_hub_url: str
    credentials: Credentials
    symbols: tuple[str, ...] = ()
    request_timeout_s: float = 10.0
    connect_timeout_s: float = 10.0
    limits: RequestLimits = RequestLimits()
    shadow: bool = False


class Connection:
    """See the module. ``publish`` gets what the broker says as ``shown`` makes it, ``tell`` each merged quote."""

    def __init__(
        self,
        *,
        network: Network,
        clock: Clock,
        settings: Settings,
        rng: random.Random,
        publish: Callable[[Report], Awaitable[None]],
        shown: Callable[[Report], Awaitable[Report | None]],
        tell: Callable[[Quote], None],
    ) -> None:
        self.view = View(clock)
        self._clock = clock
        self.settings = settings
        self._rng = rng
        self._publish = publish
        self._shown = shown
        self._tell = tell
        self._link = Link(publish)
        self._rest_lost = asyncio.Event()
        self._budget = RequestBudget(settings.limits)
        self._rest = Rest(network, settings.gateway_url, self._budget, settings.request_timeout_s)
        self._session = Session(self._rest, clock, settings.credentials, told=self._no_token)
        bars = Rest(network, settings.gateway_url, RequestBudget(BAR_LIMITS), settings.request_timeout_s)
        self.client = Client(self._rest, bars, self._session)
        self.catalogue = Catalogue(self.client, self._announce)
        self._checks = SessionChecks(publish)
        self._untold = Untold()
        self._market_feed = MarketFeed(self.catalogue, clock, publish, self._quoted)
        self._quotes_wanted: dict[str, int] = {}  # since when, by contract
        self._quoted_since_ns = 0  # when the market hub was last subscribed to

        def hub(part: Part, url: str, heard: Heard, expects: Callable[[], bool]) -> Hub:
            return Hub(
                name=part.value,
                url=url,
                network=network,
                session=self._session,
                rng=rng,
                heard=heard,
                changed=partial(self._hub_changed, part),
                expects=expects,
                connect_timeout_s=settings.connect_timeout_s,
            )

        self._user_hub = hub(
            Part.USER_HUB, settings.user_hub_url, UserFeed(self.catalogue, self._said).heard, lambda: False
        )
        self._market_hub = hub(Part.MARKET_HUB, settings.market_hub_url, self._market_feed.heard, self._expects_quotes)

    async def begin(self) -> None:
        """Before all else: what a gate that has outlived another connection manager believes is not so."""
        await self._publish(LinkReport(up=False, reason=CONNECTION_MANAGER_STARTED))

    async def introduce(self) -> None:
        """Tell a gate that knows nothing what it would have heard from the beginning: the link last."""
        await self._publish(InstrumentsReport(tuple(self.catalogue.instruments.values())))
        for seen in self.view.accounts.values():
            await self._publish(seen.report)
        await self._checks.introduce()
        await self._link.tell()

    async def log_in(self) -> None:
        """The first login. One that fails is tried again by ``run``; one that is refused raises ``StartRefused``."""
        try:
            await self._session.token()
        except (TransportError, BrokerRefused) as error:
            if isinstance(error, BrokerRefused) and error.code in HOPELESS_LOGINS:
                raise StartRefused(
                    f"{self.settings.gateway_url} refuses the login of {self.settings.credentials.user_name!r}: "
                    f"{error.text} (code {error.code}). Check the user name and the API key."
                ) from error
            await self._link.changed(Part.REST, str(error))

    async def run(self) -> None:
        """Read contracts and accounts, then keep both hubs and REST going; until cancelled."""
        await self._until_done(self._begin_reading, Backoff(self._rng))
        async with asyncio.TaskGroup() as tasks:
            tasks.create_task(self._user_hub.run())
            tasks.create_task(self._market_hub.run())
            tasks.create_task(self._keep_rest())
            tasks.create_task(self._keep_contracts())
            tasks.create_task(self._keep_checks())

    async def close(self) -> None:
        """After ``run`` and ``log_in``: nothing of the connection goes on."""
        await self._session.close()

    async def heard(self, report: Report) -> None:
        """Publish ``report``, and want the events of what it shows."""
        self.view.take(report)
        await self._publish(report)
        match report:
            case AccountReport():
                for method in ("SubscribeOrders", "SubscribePositions", "SubscribeTrades"):
                    await self._user_hub.want(method, report.account_id)
            case OrderReport(state=OrderState.OPEN):
                await self._want_quotes(report.contract_id)
            case PositionReport() if report.net_quantity:
                await self._want_quotes(report.contract_id)
            case BrokerSnapshot():
                held = [row.contract_id for row in report.positions]
                held += [row.contract_id for row in report.orders if row.state is OrderState.OPEN]
                for contract_id in held:
                    await self._want_quotes(contract_id)
            case _:
                pass

    async def _said(self, report: Report) -> None:
        """What the broker says by itself, or was asked for at the start."""
        if isinstance(report, OrderReport | FillReport):
            self._untold.told(report.account_id, report.broker_order_id, asyncio.get_running_loop().time())
        shown = await self._shown(report)
        if shown is not None:
            await self.heard(shown)

    def promised(self, account_id: int, order_id: int, asked_s: float) -> None:
        """The broker did what it was asked at ``asked_s`` of an order: its user hub has to speak of that."""
        self._untold.expect(account_id, order_id, asked_s, asyncio.get_running_loop().time())

    async def reading_failed(self, fault: str) -> None:
        """REST did not answer a reading, or there is no token to ask with: the link is down until it answers one."""
        await self._link.changed(Part.REST, fault)
        self._rest_lost.set()

    async def _no_token(self, fault: str) -> None:
        _log.warning("there is no token: nothing can be sent", reason=fault)
        await self.reading_failed(fault)

    @property
    def fault(self) -> str:
        """Why the broker is not seen, or empty."""
        return self._link.reason

    def parts(
        self, *, journal: health.Record, gate: health.GatePart, redis: health.RedisPart | None
    ) -> health.Components:
        """How we see the broker, part by part, beside what the connection manager knows of the rest."""
        now_ns, faults = self._clock.now_ns(), self._link.faults
        return health.Components(
            user_hub=health.UserHub(
                status="down" if faults[Part.USER_HUB] else health.OK,
                why=faults[Part.USER_HUB],
                subscriptions=self._user_hub.subscriptions,
                last_event_age_ms=_age_ms(self._user_hub.event_s),
            ),
            market_hub=self._market_part(),
            rest=self._rest_part(faults[Part.REST]),
            token=health.token(self._session.lifetime_ns, now_ns, self._session.fault),
            request_budget=self._request_room(),
            journal=journal,
            gate=gate,
            redis=redis,
        )

    def _market_part(self) -> health.MarketHub:
        """A contract is late from when it was wanted, or from when the hub was last subscribed to."""
        since_ns = {key: max(at_ns, self._quoted_since_ns) for key, at_ns in self._quotes_wanted.items()}
        fault, now_ns = self._link.faults[Part.MARKET_HUB], self._clock.now_ns()
        return health.market_hub(fault, since_ns, self.catalogue.instruments, self.view.quotes, now_ns)

    def _rest_part(self, fault: str) -> health.RestPart:
        """By its last request, whatever that was."""
        why, rest = fault or self._rest.failure, self._rest
        return health.RestPart(
            status="failing" if why else health.OK,
            why=why,
            last_answer_age_ms=_age_ms(rest.answered_s),
            last_answer_took_ms=rest.answer_ms,
            last_failure=rest.last_failure,
            last_failure_age_ms=_age_ms(rest.failed_s),
        )

    def _request_room(self) -> health.RequestRoom:
        budget, now_s = self._budget, asyncio.get_running_loop().time()
        return health.request_room(
            requests_max=budget.limits.requests_max,
            window_s=budget.limits.window_s,
            reserve=budget.limits.reserve,
            left=budget.left(now_s, exits=False),
            left_for_exits=budget.left(now_s, exits=True),
            pause_s=budget.pause_s(now_s),
        )

    async def _begin_reading(self) -> None:
        await self._read_contracts()
        await self._read_accounts()
        await self._user_hub.want("SubscribeAccounts")

    async def _keep_contracts(self) -> None:
        """A contract rolls while we run."""
        while True:
            await asyncio.sleep(_CONTRACTS_S)
            try:
                await self._read_contracts()
            except (TransportError, BrokerRefused) as error:
                _log.warning("the list of contracts could not be read", reason=str(error))

    async def _keep_checks(self) -> None:
        while True:
            active = {found.symbol: key for key, found in self.catalogue.instruments.items() if found.active}
            told = contracts(self.settings.symbols, active, self.catalogue.refused)
            await self._checks.look(told, prices(self._market_part()) if self._link.up else None)
            for account_id, order_id in self._untold.late(asyncio.get_running_loop().time()):
                await self._read_untold(account_id, order_id)
            if self._untold.is_silent:
                self._user_hub.distrust(f"{MISSES_MAX} times nothing was told of what the broker did")
            await asyncio.sleep(_CHECKS_S)

    async def _read_untold(self, account_id: int, order_id: int) -> None:
        """Tell what the hub has not; an order that is found in no list yet is left to whoever waits for it."""
        _log.warning("the user hub did not speak of an order", account_id=account_id, order_id=order_id)
        since = translate.instant(self._clock.now_ns() - _UNTOLD_NS)
        try:
            rows = {row.id: row for row in await self.client.open_orders(account_id, _LOOKING)}
            rows |= {row.id: row for row in await self.client.orders(account_id, since, _LOOKING)}
            if order_id in rows:
                row = rows[order_id]
                instrument = await self.catalogue.instrument(row.contract_id, _LOOKING)
                await self.heard(translate.order_report(row, instrument))
        except (TransportError, BrokerRefused, InputRefused) as error:
            _log.warning("an order could not be read", order_id=order_id, reason=str(error))

    async def _read_contracts(self) -> None:
        await self.catalogue.load(_STARTING)
        for symbol in self.settings.symbols:
            instrument = self.catalogue.active(symbol)
            if instrument is None:
                _log.error("the broker lists no active contract of this symbol", symbol=symbol)
            else:
                await self._want_quotes(instrument.contract_id)

    async def _read_accounts(self) -> None:
        for row in await self.client.accounts(_STARTING, only_active=True):
            await self._said(translate.account_report(row))

    async def _keep_rest(self) -> None:
        """After a reading has failed, try another until one succeeds."""
        loop = asyncio.get_running_loop()
        backoff, recovered_s = Backoff(self._rng), loop.time()
        while True:
            await self._rest_lost.wait()
            self._rest_lost.clear()
            if loop.time() - recovered_s > MAX_S:  # else this read works while another keeps failing: do not spin
                backoff.reset()
            await asyncio.sleep(backoff.delay_s())
            await self._until_done(self._read_accounts, backoff)
            recovered_s = loop.time()

    async def _until_done(self, attempt: Callable[[], Awaitable[None]], backoff: Backoff) -> None:
        while True:
            try:
                await attempt()
            except (TransportError, BrokerRefused, InputRefused) as error:
                _log.warning("the broker could not be read", reason=str(error))
                await self._link.changed(Part.REST, str(error))
                await asyncio.sleep(backoff.delay_s())
            else:
                await self._link.changed(Part.REST, None)
                return

    async def _hub_changed(self, part: Part, fault: str | None) -> None:
        if part is Part.USER_HUB:
            self._untold.forget()
            self.view.user_hub(up=fault is None)
        elif fault is None:
            self._quoted_since_ns = self._clock.now_ns()
        else:
            self._market_feed.forget()
        await self._link.changed(part, fault)

    def _expects_quotes(self) -> bool:
        """Whether a contract that is quoted to us is in its session."""
        now_ns = self._clock.now_ns()
        wanted = (self.catalogue.instruments.get(contract_id) for contract_id in self._quotes_wanted)
        products = (PRODUCT_BY_SYMBOL.get(instrument.symbol) for instrument in wanted if instrument is not None)
        return any(sessions.is_open(product.group, now_ns) for product in products if product is not None)

    async def _want_quotes(self, contract_id: str) -> None:
        self._quotes_wanted.setdefault(contract_id, self._clock.now_ns())
        await self._market_hub.want("SubscribeContractQuotes", contract_id)

    def _quoted(self, quote: Quote) -> None:
        self.view.quotes[quote.contract_id] = quote
        self._checks.quoted(quote)
        self._tell(quote)

    async def _announce(self, instruments: tuple[Instrument, ...]) -> None:
        await self._publish(InstrumentsReport(instruments))


def _age_ms(at_s: float | None) -> int | None:
    """How long ago an instant of the running loop was."""
    return None if at_s is None else round((asyncio.get_running_loop().time() - at_s) * 1_000)
