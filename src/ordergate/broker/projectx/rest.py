"""One REST request: room in the budget, the deadline, what the answer proves.

Invariants:
1. ``NotSent`` (and its ``NoRoom`` and ``TurnedAway``) means that the broker has not acted on the request and will not.
2. Whatever is no clear yes or no is ``OutcomeUnknown``: 5xx, an unreadable body, an envelope against itself.
3. Nothing is sent again from here.
4. Who waits for room is overtaken by exits alone.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from http import HTTPStatus
from typing import TypeVar

import msgspec

from ordergate.broker.projectx import messages
from ordergate.broker.projectx.budget import RequestBudget
from ordergate.errors import BrokerRefused, NoRoom, OutcomeUnknown, TransportError, TurnedAway
from ordergate.net.port import Network, Response

# Refused before anything was done: a malformed body, a geo block (ProjectX API notes, section 2.2, 2026-11-22). Not 404
# or 408: a proxy on the way answers those too.
_REFUSING = {HTTPStatus.BAD_REQUEST, HTTPStatus.FORBIDDEN}
# UNVERIFIED that these never follow an action: 401 is checked before the endpoint is reached and 429 before that, by
# ASP.NET's order of middleware. Where it is wrong, the broker's unique customTag stops the second order.
_TURNING_AWAY = {HTTPStatus.UNAUTHORIZED, HTTPStatus.TOO_MANY_REQUESTS}

_Answer = TypeVar("_Answer", bound=messages.Answer)


class Passage(msgspec.Struct, frozen=True):
    """How a request may leave.

    ``exits``: it may use the reserve of the request budget; ``wait_s``: for how long it may wait for room (>= 0);
    ``leaving`` is called when it leaves, and may raise ``NotSent`` to stop it.
    """

    exits: bool
    wait_s: float
    leaving: Callable[[], None] | None = None


class Rest:
    """REST below the meaning of its endpoints.

    ``failure`` is why the last request got no answer, or empty; ``last_failure`` stays when others succeed. The times
    are the running loop's, None before the first; ``answer_ms`` is how long the last answer took.
    """

    def __init__(self, network: Network, gateway_url: str, budget: RequestBudget, timeout_s: float) -> None:
        self.failure = ""
        self.last_failure = ""
        self.failed_s: float | None = None
        self.answered_s: float | None = None
        self.answer_ms: int | None = None
        self._network = network
        self._url = gateway_url.rstrip("/") + "/api/"
        self._budget = budget
        self._timeout_s = timeout_s
        self._line = asyncio.Lock()  # of those who wait for room, but for exits: it is fair

    async def post(
        self, endpoint: str, body: messages.Body, answer: type[_Answer], passage: Passage, token: str | None
    ) -> _Answer:
        """The answer to ``endpoint``, for example ``Order/place``; it may still say no.

        Raises ``NotSent``, ``OutcomeUnknown``, or ``BrokerRefused`` with an HTTP status.
        """
        await self._room(endpoint, passage)
        if passage.leaving is not None:
            passage.leaving()
        headers = {"content-type": "application/json", "accept": "application/json"}
        if token is not None:
            headers["authorization"] = f"Bearer {token}"
        loop = asyncio.get_running_loop()
        left_s = loop.time()
        self._budget.spend(left_s)
        try:
            response = await self._network.request(
                "POST",
                self._url + endpoint,
                headers=headers,
                body=messages.encoded(body),
                timeout_s=self._timeout_s,
            )
            found = self._read(endpoint, response, answer)
        except (TransportError, BrokerRefused) as error:
            self.failure = self.last_failure = str(error)
            self.failed_s = loop.time()
            raise
        self.failure = ""
        self.answered_s = loop.time()
        self.answer_ms = round((self.answered_s - left_s) * 1_000)
        return found

    def room_s(self, requests: int) -> float:
        """In how many seconds (>= 0) so many requests of a reading that can wait could leave together.

        They leave as much room again as is kept for exits: for orders, and for readings that cannot wait.
        """
        kept, now_s = self._budget.limits.reserve, asyncio.get_running_loop().time()
        return self._budget.delay_s(now_s, exits=False, requests=requests + kept)

    async def _room(self, endpoint: str, passage: Passage) -> None:
        """Wait for room, behind all who have asked before; exits wait for nobody."""
        deadline_s = asyncio.get_running_loop().time() + passage.wait_s
        if passage.exits:
            await self._wait(endpoint, passage, deadline_s)
            return
        self._delay_s(endpoint, passage, deadline_s)  # who would wait in vain does not stand in line
        try:
            async with asyncio.timeout_at(deadline_s):
                await self._line.acquire()
        except TimeoutError:
            raise NoRoom(f"{endpoint}: the broker's request limit is used up, and others were first") from None
        try:
            await self._wait(endpoint, passage, deadline_s)
        finally:
            self._line.release()

    async def _wait(self, endpoint: str, passage: Passage, deadline_s: float) -> None:
        delay_s = self._delay_s(endpoint, passage, deadline_s)
        while delay_s > 0:
            await asyncio.sleep(delay_s)
            delay_s = self._delay_s(endpoint, passage, deadline_s)

    def _delay_s(self, endpoint: str, passage: Passage, deadline_s: float) -> float:
        """Raises ``NoRoom`` where it ends after the deadline."""
        now_s = asyncio.get_running_loop().time()
        delay_s = self._budget.delay_s(now_s, exits=passage.exits)
        if delay_s > 0 and now_s + delay_s > deadline_s:
            raise NoRoom(f"{endpoint}: the broker's request limit is used up for the next {delay_s:.0f} s")
        return delay_s

    def _read(self, endpoint: str, response: Response, answer: type[_Answer]) -> _Answer:
        if response.status in _TURNING_AWAY:
            if response.status == HTTPStatus.TOO_MANY_REQUESTS:
                after = response.headers.get("retry-after", "")
                self._budget.turned_away(asyncio.get_running_loop().time(), float(after) if after.isdecimal() else None)
            raise TurnedAway(endpoint, response.status)
        if response.status in _REFUSING:
            raise BrokerRefused(endpoint, response.status, f"HTTP status {response.status}")
        if response.status != HTTPStatus.OK:
            raise OutcomeUnknown(f"{endpoint}: HTTP status {response.status}")
        try:
            found = msgspec.json.decode(response.body, type=answer)
        except msgspec.DecodeError as error:
            raise OutcomeUnknown(f"{endpoint}: the answer cannot be read: {error}") from error
        if found.success != (found.error_code == 0):
            raise OutcomeUnknown(f"{endpoint}: success {found.success} with error code {found.error_code}")
        return found


def refusal(endpoint: str, answer: messages.Answer, codes: type[messages.ErrorCode]) -> BrokerRefused:
    """The refusal that ``answer`` is, with the code's name where the broker gives no text."""
    text = answer.error_message or codes.text(answer.error_code)
    return BrokerRefused(endpoint, answer.error_code, text)
