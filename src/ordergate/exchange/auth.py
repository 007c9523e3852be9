"""Tokens: JSON Web Tokens signed with HS256, as clients that read the ``exp`` claim expect (section 3).

Invariants:
1. A token is accepted only if this exchange signed it, byte for byte, and it has not expired.
2. The secret follows from the seed, so a token outlives a restart. It protects nothing but play money.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
from collections.abc import Callable

import msgspec

from ordergate.clock import Clock
from ordergate.exchange.settings import ExchangeSettings
from ordergate.exchange.store import Store
from ordergate.exchange.variants import Variant

_HEADER = {"alg": "HS256", "typ": "JWT"}


class Claims(msgspec.Struct, frozen=True):
    """What a token says: user and instants in seconds UTC."""

    sub: str
    iat: int
    nbf: int
    exp: int
    jti: str
    iss: str = "ordergate-exchange"

    @property
    def issued(self) -> tuple[int, int]:
        """When, in nanoseconds, and as which one of its process."""
        at_ns, _, number = self.jti.partition("-")
        return int(at_ns), int(number)


class Tokens:
    """Signs and reads tokens."""

    def __init__(self, seed: int, lifetime_s: int) -> None:
        self._secret = hashlib.sha256(f"ordergate exchange token secret {seed}".encode()).digest()
        self._lifetime_s = lifetime_s
        self.issued_total = 0

    def issue(self, user_name: str, now_ns: int) -> str:
        """A token for ``user_name``, valid from now on, and like no other even at the same instant."""
        self.issued_total += 1
        now_s = now_ns // 1_000_000_000
        claims = Claims(
            sub=user_name, iat=now_s, nbf=now_s, exp=now_s + self._lifetime_s, jti=f"{now_ns}-{self.issued_total}"
        )
        signed = f"{_text(msgspec.json.encode(_HEADER))}.{_text(msgspec.json.encode(claims))}"
        return f"{signed}.{self._signature(signed)}"

    def claims(self, token: str, now_ns: int) -> Claims | None:
        """What a token says, or None if it is not ours or has expired."""
        signed, _, signature = token.rpartition(".")
        if not token.isascii() or not hmac.compare_digest(signature.encode(), self._signature(signed).encode()):
            return None
        body = signed.partition(".")[2]
        claims = msgspec.json.decode(base64.urlsafe_b64decode(body + "=" * (-len(body) % 4)), type=Claims)
        return claims if now_ns < claims.exp * 1_000_000_000 else None

    def _signature(self, signed: str) -> str:
        return _text(hmac.new(self._secret, signed.encode(), hashlib.sha256).digest())


class Sessions:
    """Who a token belongs to. A token that was logged out is refused until it would have expired.

    UNVERIFIED: what logout does to the token; the notes know only that the endpoint exists.
    """

    def __init__(
        self, settings: ExchangeSettings, store: Store, clock: Clock, logged_out: Callable[[str], object]
    ) -> None:
        """``logged_out`` is told whose tokens a login has ended, where it does so."""
        self._logged_out = logged_out if Variant.LOGIN_ENDS_OTHERS in settings.variants else None
        self.keys = api_keys(settings)
        self._names = {name.casefold(): name for name in self.keys}
        self._tokens = Tokens(settings.seed, settings.token_lifetime_s)
        self._store = store
        self._clock = clock
        self._refused_until: dict[str, tuple[int, int]] = {}

    def login(self, user_name: str, api_key: str) -> str | None:
        """A new token, or None if name (without case) or key is wrong. Older tokens stay valid (section 3)."""
        known = self._names.get(user_name.casefold())
        expected = "" if known is None else self.keys[known]
        if not hmac.compare_digest(api_key.encode(), expected.encode()) or known is None:
            return None
        if self._logged_out is not None:
            self.expire(known)
            self._logged_out(known)
        return self.renew(known)

    def renew(self, user_name: str) -> str:
        """A new token for a user who has shown a valid one."""
        return self._tokens.issue(user_name, self._clock.now_ns())

    def user(self, token: str | None) -> str | None:
        """The user of a valid token, None without one."""
        claims = None if token is None else self._tokens.claims(token, self._clock.now_ns())
        if token is None or claims is None or claims.issued <= self._refused_until.get(claims.sub, (0, 0)):
            return None
        return None if self._store.is_revoked(_signature(token)) or claims.sub not in self.keys else claims.sub

    def left_s(self, token: str | None) -> float:
        """How long a valid token is still valid."""
        now_ns = self._clock.now_ns()
        claims = None if token is None else self._tokens.claims(token, now_ns)
        return 0 if claims is None else claims.exp - now_ns / 1_000_000_000

    def is_expired(self, token: str) -> bool:
        """Whether a token that is not valid any more was ours."""
        return self._tokens.claims(token, 0) is not None

    def expire(self, *user_names: str) -> int:
        """Refuse every token that users, all if none is named, have so far; how many were issued since the start.

        Forgotten with the process.
        """
        for name in user_names or self.keys:
            self._refused_until[name] = (self._clock.now_ns(), self._tokens.issued_total)
        return self._tokens.issued_total

    def logout(self, token: str) -> None:
        """Refuse a valid token from now on. Raises ``StoreUnavailable``."""
        now_ns = self._clock.now_ns()
        claims = self._tokens.claims(token, now_ns)
        assert claims is not None, "only a valid token is logged out"
        self._store.revoke(_signature(token), claims.exp, now_ns // 1_000_000_000)


def api_keys(settings: ExchangeSettings) -> dict[str, str]:
    """The key of each user by name."""
    keys = {name: derived_api_key(settings.seed, number) for number, name in enumerate(settings.user_names)}
    return keys | {settings.user_name: settings.api_key or keys[settings.user_name]}


def derived_api_key(seed: int, user_number: int = 0) -> str:
    """A user's API key, 44 characters like the vendor's. The first user's number is 0."""
    text = f"ordergate exchange api key {seed}" + (f" user {user_number}" if user_number else "")
    return base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()


def _signature(token: str) -> str:
    return token.rpartition(".")[2]


def _text(data: bytes) -> str:
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()
