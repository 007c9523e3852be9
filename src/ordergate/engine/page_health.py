"""How the page's server is, for an aggregator that is another process. Only shown: nothing is decided by it."""

from __future__ import annotations

import asyncio
from http import HTTPStatus

import msgspec

from ordergate.errors import TransportError
from ordergate.net.port import Network
from ordergate.telemetry import logger

_PATH = "/health"
_ASK_S = 5.0
_TIMEOUT_S = 2.0

_log = logger("page")


class PageHealth:
    """``url`` is the origin of the server; ``status`` is its own word, or why there is none."""

    def __init__(self, network: Network, url: str) -> None:
        self._network = network
        self.url = url
        self.status = "not asked yet"

    async def run(self) -> None:
        """Ask until cancelled."""
        while True:
            status = await self._ask()
            if status != self.status:
                _log.info("the page's server", url=self.url, status=status)
            self.status = status
            await asyncio.sleep(_ASK_S)

    async def _ask(self) -> str:
        try:
            answer = await self._network.request("GET", self.url + _PATH, timeout_s=_TIMEOUT_S)
        except TransportError as error:
            return f"does not answer ({error})"
        if answer.status not in (HTTPStatus.OK, HTTPStatus.SERVICE_UNAVAILABLE):
            return f"answers with HTTP status {answer.status}"
        try:
            told = msgspec.json.decode(answer.body)
        except (msgspec.DecodeError, UnicodeDecodeError):
            return "answers, but not as a page's server of ordergate"
        status = told.get("status") if isinstance(told, dict) else None
        return status[:80] if isinstance(status, str) else "answers, but not as a page's server of ordergate"
