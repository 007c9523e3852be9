"""The simulated TopstepX as one part of a process: REST and both hubs on one port, and the market's clock.

Written against the network port, so it runs on real sockets and, on a virtual clock, on none. No task outlives
``close``.
"""

from __future__ import annotations

import asyncio

import structlog

from ordergate.clock import Clock
from ordergate.errors import StoreUnavailable
from ordergate.exchange.admin import PREFIX, Act, Admin
from ordergate.exchange.auth import Sessions
from ordergate.exchange.enquiries import Enquiries
from ordergate.exchange.faults import Faults
from ordergate.exchange.firm import Firm
from ordergate.exchange.hubs import MARKET_HUB, USER_HUB, Hubs
from ordergate.exchange.market import Market, Walk
from ordergate.exchange.outage import answered
from ordergate.exchange.recording import Recording
from ordergate.exchange.replay import Replay
from ordergate.exchange.rest import Rest, bearer_token
from ordergate.exchange.settings import ExchangeSettings
from ordergate.exchange.store import Store
from ordergate.exchange.venue import Venue
from ordergate.net.port import Network, Request, Response, RunningServer, Upgrade

_log = structlog.get_logger(part="exchange")
_INVALID_TOKEN = {"WWW-Authenticate": 'Bearer error="invalid_token"'}  # seen at the hubs (section 2.2)


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
        self._hubs = Hubs(settings, self._market_of, self._faults)
        walk = Walk(settings.seed)
        feed = walk if recording is None else Replay(recording, walk)
        self._venue = Venue(settings, store, clock, feed, self._hubs.publish)
        self._firm = Firm(settings, self._venue, clock)
        self._sessions = Sessions(settings, store, clock)
        self._rest = Rest(settings, self._venue, Enquiries(settings, self._venue, store, clock), self._sessions)
        self._admin = Admin(
            self._faults,
            {
                Act.DROP: self._hubs.drop,
                Act.MUTE: self._hubs.mute,
                Act.LOGOUT: self._hubs.logout,
                Act.EXPIRE: self._sessions.expire,
            },
        )
        self._server: RunningServer | None = None
        self._market_task: asyncio.Task[None] | None = None

    @property
    def url(self) -> str:
        """The REST root without ``/api``; the hubs are at ``/hubs/user`` and ``/hubs/market`` of it."""
        assert self._server is not None, "the exchange has been started"
        return self._server.url

    @property
    def api_key(self) -> str:
        """The practice user's key."""
        return self._sessions.api_key

    @property
    def user_name(self) -> str:
        """The practice user's name."""
        return self._settings.user_name

    @property
    def account_ids(self) -> tuple[int, ...]:
        """The practice user's accounts."""
        return tuple(self._venue.book.accounts)

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

    def _market_of(self, contract_id: str) -> Market | None:
        return self._venue.book.markets.get(contract_id)

    async def _run_market(self) -> None:
        """One step every interval. A step that cannot be stored has not happened: the market stands still."""
        is_playing = self._recording is not None
        while True:
            await asyncio.sleep(self._settings.quote_interval_ms / 1_000)
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
        hub, _, rest = path.removesuffix("/").partition("/negotiate")
        if hub not in (USER_HUB, MARKET_HUB) or rest:
            return await answered(self._faults, self._clock, request, self._rest.answer)
        token = request.query.get("access_token") or bearer_token(request)
        if self._sessions.user(token) is None:
            return Response(401, headers=_INVALID_TOKEN)
        if path.endswith("/negotiate"):
            return self._hubs.negotiate(request) if request.method == "POST" else Response(405)
        return self._hubs.connect(hub, request)
