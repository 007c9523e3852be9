"""The token: one login for REST and both hubs, renewed before it expires.

A token that still lives is renewed by itself, without another login: it is not known whether a login ends the sessions
before it (ProjectX API notes, sections 3 and 9, 2026-11-22), and ours are the hubs that we hear by.

Must never put the API key or a token into a log, a report or an exception.

Invariants:
1. At most one renewal is under way, and its end is the end for all who wait for it. The next begins after a pause.
2. While a token lives nobody waits for its renewal.
3. A token that was refused is not handed out again.
4. After ``close`` nothing of it runs.
"""

from __future__ import annotations

import asyncio
import base64
import binascii
from collections.abc import Awaitable, Callable

import msgspec
import structlog

from ordergate.broker.projectx import messages
from ordergate.broker.projectx.rest import Passage, Rest, refusal
from ordergate.clock import Clock
from ordergate.errors import BrokerRefused, NotSent, OutcomeUnknown, TransportError
from ordergate.telemetry import conceal

_LOGIN, _VALIDATE = "Auth/loginKey", "Auth/validate"
# A token lives 24 h from its issue (ProjectX API notes, section 3, 2026-11-22); used where it carries no readable exp.
_LIFETIME_NS = 86_400_000_000_000
# Early enough that an outage of the login does not reach the token's end, late enough to be rare.
_RENEW_BEFORE_NS = 600_000_000_000
# After a failed renewal the old token serves on: there are nine more tries in the ten minutes that it lives.
_RENEW_AGAIN_NS = 60_000_000_000
# Without a token no stop can be placed, so a blip is tried again at once; the longest is two of 200 requests a minute.
_LOGIN_AGAIN_S, _LOGIN_AGAIN_S_MAX = 1, 30
# Trying these again changes nothing until a person does.
HOPELESS_LOGINS = frozenset(messages.LoginError) - {messages.LoginError.UNKNOWN_ERROR}
_HOPELESS_AGAIN_NS = 60_000_000_000

# While a token lives its renewal is not urgent, and whoever needs it at its end does not wait behind one that waits.
_BESIDE = Passage(exits=False, wait_s=0)
# Without a token no exit can leave.
_ALONE = Passage(exits=True, wait_s=0)

_Failure = TransportError | BrokerRefused

_log = structlog.get_logger(part="session")


class Credentials(msgspec.Struct, frozen=True):
    """The login of one trader. Its text form leaves the key out."""

    user_name: str
    api_key: str

    def __repr__(self) -> str:
        return f"Credentials({self.user_name!r})"


class _Claims(msgspec.Struct, frozen=True):
    exp: int


async def _untold(_fault: str) -> None:
    """Of a session that nobody listens to."""


class Session:
    """The token of one login. ``told`` is awaited with each reason for which there is none.

    ``again_s_max``: how long a failed login is the answer at most; 0 for one who asks alone and pauses by himself.
    ``fault`` is why the last renewal failed, or empty.
    """

    def __init__(
        self,
        rest: Rest,
        clock: Clock,
        credentials: Credentials,
        told: Callable[[str], Awaitable[None]] = _untold,
        again_s_max: int = _LOGIN_AGAIN_S_MAX,
    ) -> None:
        self.fault = ""
        self._rest = rest
        self._clock = clock
        self._credentials = credentials
        self._told = told
        self._again_s_max = again_s_max
        self._token: str | None = None
        self._issued_ns = 0
        self._expires_ns = 0
        self._renew_ns = 0
        self._renewal: asyncio.Task[str | _Failure] | None = None
        # Logins that failed one after the other, the last one's failure, and until when that is the answer.
        self._failures = 0
        self._failed: _Failure | None = None
        self._again_ns = 0
        self._closed = False

    async def token(self) -> str:
        """A token that should be valid. Raises ``TransportError``, or ``BrokerRefused`` when the login is refused."""
        now_ns = self._clock.now_ns()
        token = self._living(now_ns)
        if token is not None:
            if now_ns >= self._renew_ns and not self._closed:
                self._begin()
            return token
        if self._renewal is None:
            if self._failed is not None and now_ns < self._again_ns:
                raise self._failed.with_traceback(None)
            if self._closed:
                raise NotSent("the session is closed")
        renewal = self._begin()
        await asyncio.wait({renewal})  # unlike awaiting it: who is cancelled here does not take it along
        if renewal.cancelled():
            raise NotSent("the session is closed")
        found = renewal.result()
        if isinstance(found, str):
            return found
        raise found.with_traceback(None)

    @property
    def lifetime_ns(self) -> tuple[int, int] | None:
        """When the token came and when it expires; None where there is none, and the next request logs in."""
        return None if self._token is None else (self._issued_ns, self._expires_ns)

    def refused(self, token: str) -> None:
        """The broker refused ``token``: the next call of ``token`` logs in, unless a newer one is here already."""
        if self._token == token:
            self._token = None

    async def close(self) -> None:
        """End a renewal that is under way, and begin no more."""
        self._closed = True
        if self._renewal is not None:
            self._renewal.cancel()
            await asyncio.wait({self._renewal})

    def _living(self, now_ns: int) -> str | None:
        return self._token if now_ns < self._expires_ns else None

    def _begin(self) -> asyncio.Task[str | _Failure]:
        if self._renewal is None:
            self._renewal = asyncio.create_task(self._renew(), name="renewal of the token")
        return self._renewal

    async def _renew(self) -> str | _Failure:
        """The one renewal under way, to its end. A failure is returned: perhaps nobody waits for it."""
        try:
            return await self._renewed()
        except (TransportError, BrokerRefused) as error:
            await self._not_renewed(error)
            return error
        finally:
            self._renewal = None

    async def _renewed(self) -> str:
        now_ns = self._clock.now_ns()
        token = self._living(now_ns)
        if token is not None:
            try:
                return self._taken(await self._validated(token) or await self._logged_in(_BESIDE), now_ns)
            except (TransportError, BrokerRefused) as error:
                if self._living(self._clock.now_ns()) is not None or _is_hopeless(error):
                    raise
                # It was refused or has ended meanwhile, and now there is somebody who waits.
        return self._taken(await self._logged_in(_ALONE), now_ns)

    def _taken(self, token: str, asked_ns: int) -> str:
        stated_ns = _expiry_ns(token)
        # A fresh token that has expired means that our clock is wrong; taken at its word it would be renewed for ever.
        in_time = stated_ns is not None and stated_ns > self._clock.now_ns()
        self._token = token
        self._issued_ns = asked_ns
        self._expires_ns = stated_ns if stated_ns is not None and in_time else asked_ns + _LIFETIME_NS
        self._renew_ns = self._expires_ns - min(_RENEW_BEFORE_NS, (self._expires_ns - asked_ns) // 2)
        self.fault, self._failed, self._failures = "", None, 0
        _log.info("the token is new", user_name=self._credentials.user_name)
        return token

    async def _not_renewed(self, error: _Failure) -> None:
        now_ns, self.fault = self._clock.now_ns(), str(error)
        lives, hopeless = self._living(now_ns) is not None, _is_hopeless(error)
        if lives:
            self._renew_ns = now_ns + _RENEW_AGAIN_NS
            log = _log.error if hopeless else _log.warning
            log("the token could not be renewed, the old one serves on", reason=self.fault)
            if not hopeless:  # else it must be remembered for when the old one ends
                return
        again_s = min(self._again_s_max, _LOGIN_AGAIN_S * 2 ** min(self._failures, 10))
        self._failures += 1
        self._failed = error
        self._again_ns = now_ns + (_HOPELESS_AGAIN_NS if hopeless else again_s * 1_000_000_000)
        if not lives:
            await self._told(self.fault)

    async def _validated(self, token: str) -> str | None:
        """A new token for the one that we have, None where that is not to be had."""
        try:
            answer = await self._rest.post(_VALIDATE, messages.NoBody(), messages.ValidateAnswer, _BESIDE, token)
        except (TransportError, BrokerRefused):
            return None
        if not answer.success or not answer.new_token:
            return None
        conceal(answer.new_token)
        return answer.new_token

    async def _logged_in(self, passage: Passage) -> str:
        body = messages.LoginBody(self._credentials.user_name, self._credentials.api_key)
        answer = await self._rest.post(_LOGIN, body, messages.LoginAnswer, passage, token=None)
        if not answer.success:
            raise refusal(_LOGIN, answer, messages.LoginError)
        if not answer.token:
            raise OutcomeUnknown(f"{_LOGIN}: success without a token")
        conceal(answer.token)
        return answer.token


def _is_hopeless(error: _Failure) -> bool:
    return isinstance(error, BrokerRefused) and error.code in HOPELESS_LOGINS


def _expiry_ns(token: str) -> int | None:
    """The ``exp`` claim of a JSON Web Token, or None where it cannot be read."""
    _, _, rest = token.partition(".")
    payload, _, _ = rest.partition(".")
    try:
        text = base64.urlsafe_b64decode(payload + "=" * (-len(payload) % 4))
        return msgspec.json.decode(text, type=_Claims).exp * 1_000_000_000
    except (binascii.Error, ValueError):  # msgspec's errors are ValueErrors
        return None
