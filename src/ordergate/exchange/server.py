"""The simulated TopstepX as one part of a process: REST and both hubs on one port, and the market's clock.

Written against the network port, so it runs on real sockets and, on a virtual clock, on none. No task outlives
``close``.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Sequence

import msgspec
import structlog

from ordergate.clock import Clock
from ordergate.errors import StoreUnavailable
from ordergate.exchange import listing, panel, wire
from ordergate.exchange.accounts import Fill
from ordergate.exchange.admin import PREFIX, Act, Admin
from ordergate.exchange.auth import Sessions
from ordergate.exchange.connection import Connection, Key
from ordergate.exchange.enquiries import Enquiries
from ordergate.exchange.faults import Faults
from ordergate.exchange.firm import Firm
from ordergate.exchange.hubs import MARKET_HUB, USER_HUB, Hubs
from ordergate.exchange.market import Market, Walk
from ordergate.exchange.outage import answered
from ordergate.exchange.panel import ClientRow, Panel
from ordergate.exchange.recording import Recording
from ordergate.exchange.replay import Replay
from ordergate.exchange.rest import Rest, bearer_token
from ordergate.exchange.settings import ExchangeSettings
from ordergate.exchange.store import Store
from ordergate.exchange.tape import Tape
from ordergate.exchange.turn import Event
from ordergate.exchange.variants import Variant
from ordergate.exchange.venue import Venue
from ordergate.net.port import Network, Request, Response, RunningServer, Upgrade

_log = structlog.get_logger(part="exchange")
_FILLS_SHOWN = 50
# Steps that are late by more are not made up for: a machine that slept must not play the night at once.
_BEHIND_S_MAX = 2.0
_INVALID_TOKEN = {"WWW-Authenticate": 'Bearer error="invalid_token"'}  # seen at the hubs (section 2.2)


def _subscriptions(client: Connection) -> list[str]:
    """What a client is subscribed to, by topic and the names that traders read."""
    topics: dict[str, list[str]] = {}
    for topic, of in client.subscriptions:
        contract = None if isinstance(of, int) else listing.contract_of(of)
        topics.setdefault(topic, []).append(f"{of}" if contract is None else contract.name)
    return [f"{topic} {' '.join(names)}" for topic, names in topics.items()]


class User(msgspec.Struct, frozen=True, rename="camel"):
    """A login and its accounts."""

    user_name: str
    api_key: str
    account_ids: tuple[int, ...]


class Exchange:
    """See the module. Everything it knows lives in ``store``; it closes what it was given only by ``close``."""

    def __init__(
        self, settings: ExchangeSettings, store: Store, clock: Clock, recording: Recording | None = None
    ) -> None:
        """Go on from what ``store`` holds; ``recording`` moves the contracts it is of. Raises ``StartRefused``."""
        settings.checked()
        self._settings = settings
        self._store = store
        self._clock = clock
        self._recording = recording
        self._faults = Faults(settings.seed)
        self._tape = Tape()
        self._hubs = Hubs(settings, self._faults, self._standing, self._owner_of)
        walk = Walk(settings.seed)
        feed = walk if recording is None else Replay(recording, walk)
        self._venue = Venue(settings, store, clock, feed, self._faults, self._publish)
        self._firm = Firm(settings, self._venue, clock)
        self._sessions = Sessions(settings, store, clock, self._hubs.logout)
        self._rest = Rest(
            settings, self._venue, Enquiries(settings, self._venue, store, self._tape, clock), self._sessions
        )
        self._fills: deque[Fill] = deque(maxlen=_FILLS_SHOWN)
        self._behind_s = 0.0
        self._admin = Admin(
            self._faults,
            {
                Act.DROP: lambda _: self._drop(),
                Act.CLOSE: lambda asked: self._hubs.close(reconnect=asked.reconnect),
                Act.MUTE: lambda _: self._hubs.mute(),
                Act.LOGOUT: lambda _: self._hubs.logout(),
                Act.EXPIRE: lambda _: self._expire(),
                Act.HALT: lambda asked: self._venue.halt(asked.contract_id, asked.seconds),
                Act.BUST: lambda asked: self._venue.bust(asked.fill_id),
                Act.LIQUIDATE: lambda asked: self._firm.liquidate(asked.account_id),
            },
            self._panel,
        )
        self._server: RunningServer | None = None
        self._market_task: asyncio.Task[None] | None = None

    @property
    def url(self) -> str:
        """The REST root without ``/api``; the hubs are at ``/hubs/user`` and ``/hubs/market`` of it."""
        assert self._server is not None, "the exchange has been started"
        return self._server.url

    @property
    def users(self) -> tuple[User, ...]:
        """Who can log in, the practice user first."""
        accounts = self._venue.book.accounts.values()
        return tuple(
            User(name, key, tuple(account.account_id for account in accounts if account.user_name == name))
            for name, key in self._sessions.keys.items()
        )

    @property
    def user_name(self) -> str:
        """The practice user's name."""
        return self.users[0].user_name

    @property
    def api_key(self) -> str:
        """The practice user's key."""
        return self.users[0].api_key

    @property
    def account_ids(self) -> tuple[int, ...]:
        """The practice user's accounts."""
        return self.users[0].account_ids

    async def start(self, network: Network, host: str, port: int) -> None:
        """Listen, and let the market move. Raises ``PortInUse``."""
        self._server = await network.serve(self._answer, host=host, port=port)
        self._market_task = asyncio.create_task(self._run_market())

    async def wait(self) -> None:
        """Return when the exchange is closed; raises what stopped its market before that."""
        assert self._market_task is not None, "the exchange has been started"
        await asyncio.wait([self._market_task])
        if not self._market_task.cancelled():
            self._market_task.result()

    async def close(self) -> None:
        """Stop the market, end all connections, release the store."""
        if self._market_task is not None:
            self._market_task.cancel()
            await asyncio.wait([self._market_task])
        if self._server is not None:
            await self._server.close()
        self._store.close()

    def _publish(self, events: Sequence[Event]) -> None:
        self._tape.take(events)
        self._fills += [event for event in events if isinstance(event, Fill)]
        self._hubs.publish(events)

    def _panel(self) -> Panel:
        """What the page at ``/sim/`` shows."""
        book, now_ns = self._venue.book, self._clock.now_ns()
        clients = self._hubs.connections
        return Panel(
            now=wire.instant(now_ns, 0),
            seed=self._settings.seed,
            variants=[variant.value for variant in self._settings.variants],
            behind_ms=round(self._behind_s * 1_000),
            markets=panel.markets(book, now_ns),
            accounts=panel.accounts(book),
            orders=panel.orders(book),
            fills=panel.fills(self._fills),
            clients=[
                ClientRow(each.hub, each.user_name, _subscriptions(each), each.outbox.qsize()) for each in clients
            ],
            faults=list(self._faults.standing),
        )

    def _owner_of(self, account_id: int) -> str | None:
        account = self._venue.book.accounts.get(account_id)
        return None if account is None else account.user_name

    def _standing(self, key: Key) -> Sequence[Event | Market]:
        """What there is of a topic when it is subscribed to."""
        topic, of = key
        book = self._venue.book
        match topic:
            case "quotes" | "depth":
                return [book.markets[of]] if of in book.markets else []
            case "accounts":
                return [account for account in book.accounts.values() if account.user_name == of]
            case "orders":
                return [order for order in book.orders.values() if order.account_id == of]
            case "positions":
                return [held for held in book.positions.values() if held.account_id == of]
        return []

    def _drop(self) -> int:
        """Cut the hubs' connections, as a broken network does: no close frame, which clients see as 1006."""
        assert self._server is not None, "the exchange has been started"
        count = len(self._hubs.connections)
        self._server.drop_sockets()
        return count

    def _expire(self) -> int:
        """Every token has expired."""
        if Variant.EXPIRY_ENDS_SOCKETS in self._settings.variants:
            self._hubs.end()
        return self._sessions.expire()

    async def _run_market(self) -> None:
        """One step every interval, counted from the start: a late one is followed by the next at its own time.

        A step that cannot be stored has not happened: the market stands still.
        """
        is_playing, is_late = self._recording is not None, False
        loop, interval_s = asyncio.get_running_loop(), self._settings.quote_interval_ms / 1_000
        due_s = loop.time()
        while True:
            due_s += interval_s
            await asyncio.sleep(due_s - loop.time())
            self._behind_s = loop.time() - due_s
            if self._behind_s > _BEHIND_S_MAX:
                due_s = loop.time()
            if is_late != (is_late := self._behind_s > _BEHIND_S_MAX) and is_late:
                _log.warning(
                    "the market is behind its clock: this machine is too slow, or busy", seconds=round(self._behind_s)
                )
            try:
                self._venue.step()
                self._firm.step()
            except StoreUnavailable as error:
                _log.error("market step not stored", error=str(error))
            if is_playing and self._recording is not None and self._clock.now_ns() > self._recording.last_ns:
                is_playing = False
                _log.info("the recording has ended: its contracts stand still", recording=self._recording.name)

    async def _answer(self, request: Request) -> Response | Upgrade:
        """Every request to the port."""
        path = request.path.casefold()
        if path.startswith(PREFIX):
            return self._admin.answer(request)
        return await answered(self._faults, self._clock, request, self._served)

    async def _served(self, request: Request) -> Response | Upgrade:
        """Every request of a client, as if nothing went wrong."""
        path = request.path.casefold()
        hub, _, rest = path.removesuffix("/").partition("/negotiate")
        if hub not in (USER_HUB, MARKET_HUB) or rest:
            return await self._rest.answer(request)
        token = request.query.get("access_token") or bearer_token(request)
        user = self._sessions.user(token)
        if user is None:
            return Response(401, headers=_INVALID_TOKEN)
        if path.endswith("/negotiate"):
            return self._hubs.negotiate(request) if request.method == "POST" else Response(405)
        return self._hubs.connect(hub, request, user, self._sessions.left_s(token))
