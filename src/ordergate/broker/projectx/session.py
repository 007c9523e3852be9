"""The token: one login for REST and both hubs, renewed before it expires.

A token that still lives is renewed by itself, without another login: it is not known whether a login ends the sessions
before it (ProjectX API notes, sections 3 and 9, 2026-11-22), and ours are the hubs that we hear by.

Must never put the API key or a token into a log, a report or an exception.

Invariants:
1. At most one login is under way; whoever needs the token meanwhile waits for that one.
2. A token that was refused is not handed out again.
"""

from __future__ import annotations

import asyncio
import base64
import binascii

import msgspec
import structlog

from ordergate.broker.projectx import messages
from ordergate.broker.projectx.rest import Passage, Rest, refusal
from ordergate.clock import Clock
from ordergate.errors import BrokerRefused, OutcomeUnknown, TransportError
from ordergate.telemetry import conceal

_LOGIN, _VALIDATE = "Auth/loginKey", "Auth/validate"
# A token lives 24 h from its issue (ProjectX API notes, section 3, 2026-11-22); used where it carries no readable exp.
_LIFETIME_NS = 86_400_000_000_000
# Early enough that an outage of the login does not reach the token's end, late enough to be rare.
_RENEW_BEFORE_NS = 600_000_000_000
# After a failed renewal the old token serves on; trying at each request would delay each by the login's deadline.
_RENEW_AGAIN_NS = 60_000_000_000

_log = structlog.get_logger(part="session")


class Credentials(msgspec.Struct, frozen=True):
    """The login of one trader. Its text form leaves the key out."""

    user_name: str
    api_key: str

    def __repr__(self) -> str:
        return f"Credentials({self.user_name!r})"


class _Claims(msgspec.Struct, frozen=True):
    exp: int


class Session:
    """The token of one login."""

    def __init__(self, rest: Rest, clock: Clock, credentials: Credentials) -> None:
        self._rest = rest
        self._clock = clock
        self._credentials = credentials
        self._token: str | None = None
        self._issued_ns = 0
        self._expires_ns = 0
        self._renew_ns = 0
        self._login = asyncio.Lock()

    async def token(self) -> str:
        """A token that should be valid. Raises ``TransportError``, or ``BrokerRefused`` when the login is refused."""
        if self._token is not None and self._clock.now_ns() < self._renew_ns:
            return self._token
        stale = self._token
        async with self._login:
            if self._token is None or self._token == stale:
                self._token = await self._renewed()
            return self._token

    @property
    def lifetime_ns(self) -> tuple[int, int] | None:
        """When the token came and when it expires; None where there is none, and the next request logs in."""
        return None if self._token is None else (self._issued_ns, self._expires_ns)

    def refused(self, token: str) -> None:
        """The broker refused ``token``: the next call of ``token`` logs in, unless a newer one is here already."""
        if self._token == token:
            self._token = None

    async def _renewed(self) -> str:
        now_ns = self._clock.now_ns()
        try:
            token = await self._validated(now_ns) or await self._logged_in()
        except (TransportError, BrokerRefused) as error:
            if self._token is None or now_ns >= self._expires_ns:
                raise
            _log.warning("the token could not be renewed, the old one serves on", reason=str(error))
            self._renew_ns = now_ns + _RENEW_AGAIN_NS
            return self._token
        stated_ns = _expiry_ns(token)
        # A fresh token that has expired means that our clock is wrong; taken at its word it would be renewed for ever.
        self._issued_ns = now_ns
        self._expires_ns = stated_ns if stated_ns is not None and stated_ns > now_ns else now_ns + _LIFETIME_NS
        self._renew_ns = self._expires_ns - min(_RENEW_BEFORE_NS, (self._expires_ns - now_ns) // 2)
        _log.info("the token is new", user_name=self._credentials.user_name)
        return token

    async def _validated(self, now_ns: int) -> str | None:
        """A new token for the one that we have, None where that is not to be had."""
        if self._token is None or now_ns >= self._expires_ns:
            return None
        passage = Passage(exits=True, wait_s=0)
        try:
            answer = await self._rest.post(_VALIDATE, messages.NoBody(), messages.ValidateAnswer, passage, self._token)
        except (TransportError, BrokerRefused):
            return None
        if not answer.success or not answer.new_token:
            return None
        conceal(answer.new_token)
        return answer.new_token

    async def _logged_in(self) -> str:
        body = messages.LoginBody(self._credentials.user_name, self._credentials.api_key)
        passage = Passage(exits=True, wait_s=0)  # of the reserve: without a token no exit can leave
        answer = await self._rest.post(_LOGIN, body, messages.LoginAnswer, passage, token=None)
        if not answer.success:
            raise refusal(_LOGIN, answer, messages.LoginError)
        if not answer.token:
            raise OutcomeUnknown(f"{_LOGIN}: success without a token")
        conceal(answer.token)
        return answer.token


def _expiry_ns(token: str) -> int | None:
    """The ``exp`` claim of a JSON Web Token, or None where it cannot be read."""
    _, _, rest = token.partition(".")
    payload, _, _ = rest.partition(".")
    try:
        text = base64.urlsafe_b64decode(payload + "=" * (-len(payload) % 4))
        return msgspec.json.decode(text, type=_Claims).exp * 1_000_000_000
    except (binascii.Error, ValueError):  # msgspec's errors are ValueErrors
        return None
