"""The REST half of the API: a request to its endpoint and back (section 5).

Invariants:
1. Whatever a client sends, it is answered with a status of section 2.2: a business failure is 200, a malformed request
   400, a missing or expired token 401, an unknown path 404, too many requests 429.
2. An answer leaves only after what it says is stored.
3. Paths and the names of JSON members are matched without case.
"""

from __future__ import annotations

import asyncio
import math
from collections.abc import Callable
from typing import Any

import msgspec

from ordergate.exchange.auth import Sessions
from ordergate.exchange.enquiries import Enquiries
from ordergate.exchange.enums import LoginCode, LogoutCode, ValidateCode
from ordergate.exchange.models import (
    AccountRequest,
    AccountSearchRequest,
    BarsRequest,
    CloseRequest,
    ContractByIdRequest,
    ContractsAvailableRequest,
    ContractSearchRequest,
    Empty,
    Envelope,
    LoginAppRequest,
    LoginKeyRequest,
    LoginResponse,
    ModifyRequest,
    OrderQueryRequest,
    OrderRequest,
    OrderSearchRequest,
    PartialCloseRequest,
    PlaceRequest,
    PlaceResponse,
    TradeSearchRequest,
    ValidateResponse,
)
from ordergate.exchange.requests import Malformed, Problem, is_json, message
from ordergate.exchange.settings import ExchangeSettings
from ordergate.exchange.throttle import Window
from ordergate.exchange.variants import Variant
from ordergate.exchange.venue import Answer, Venue
from ordergate.exchange.wire import without_nulls
from ordergate.net.port import Request, Response

_LOGIN, _APP_LOGIN = "/api/auth/loginkey", "/api/auth/loginapp"
_VALIDATE, _LOGOUT, _ACCOUNTS = "/api/auth/validate", "/api/auth/logout", "/api/account/search"
_PING, _HISTORY = "/api/status/ping", "/api/history/retrievebars"

_encoder = msgspec.json.Encoder(decimal_format="number")


class Endpoint(msgspec.Struct, frozen=True):
    """What a path takes and does. ``acts``: it changes orders, so it waits for the latency first."""

    takes: type[msgspec.Struct]
    answer: Callable[[Any], Envelope]
    acts: bool = False


class Rest:
    """See the module."""

    def __init__(self, settings: ExchangeSettings, venue: Venue, enquiries: Enquiries, sessions: Sessions) -> None:
        self._latency_s = settings.latency_ms / 1_000
        self._sessions = sessions
        self._variants = settings.variants
        fixed = Variant.FIXED_WINDOW in settings.variants
        self._requests = Window(settings.requests_max, settings.requests_window_s, fixed=fixed)
        self._history = Window(settings.history_requests_max, settings.history_window_s, fixed=fixed)
        self._problems_total = 0
        self._accounts = venue.book.accounts
        self._endpoints: dict[str, Endpoint] = {
            "/api/contract/search": Endpoint(ContractSearchRequest, enquiries.contracts),
            "/api/contract/searchbyid": Endpoint(ContractByIdRequest, enquiries.contract),
            "/api/contract/available": Endpoint(ContractsAvailableRequest, enquiries.available),
            _HISTORY: Endpoint(BarsRequest, enquiries.bars),
            "/api/order/search": Endpoint(OrderSearchRequest, enquiries.orders),
            "/api/order/searchopen": Endpoint(AccountRequest, enquiries.open_orders),
            "/api/order/place": Endpoint(PlaceRequest, lambda asked: _placed(venue.place(asked)), acts=True),
            "/api/order/modify": Endpoint(ModifyRequest, lambda asked: _envelope(venue.modify(asked)), acts=True),
            "/api/order/cancel": Endpoint(OrderRequest, lambda asked: _envelope(venue.cancel(asked)), acts=True),
            "/api/position/searchopen": Endpoint(AccountRequest, enquiries.positions),
            "/api/position/closecontract": Endpoint(
                CloseRequest, lambda asked: _envelope(venue.close(asked)), acts=True
            ),
            "/api/position/partialclosecontract": Endpoint(
                PartialCloseRequest, lambda asked: _envelope(venue.close_part(asked)), acts=True
            ),
            "/api/trade/search": Endpoint(TradeSearchRequest, enquiries.trades),
        }
        self._find_accounts = enquiries.accounts
        if Variant.NO_ORDER_QUERIES not in settings.variants:
            self._endpoints |= {
                "/api/order/searchbyid": Endpoint(OrderRequest, enquiries.order),
                "/api/order/v2/query": Endpoint(OrderQueryRequest, enquiries.query),
            }

    async def answer(self, request: Request) -> Response:
        """The answer to one request under ``/api``."""
        path = request.path.casefold()
        if path == _PING:
            return self._ping(request)
        of_user = {_VALIDATE: self._validate, _LOGOUT: self._logout, _ACCOUNTS: self._accounts_of}.get(path)
        endpoint = self._endpoints.get(path)
        if endpoint is None and of_user is None and path not in (_LOGIN, _APP_LOGIN):
            return Response(404)
        if request.method != "POST":
            return Response(405, headers={"Allow": "POST"})
        if request.body and not is_json(request.headers.get("content-type", "")):
            return Response(415)
        try:
            if path == _LOGIN:
                return self._login(message(request.body, LoginKeyRequest))
            if path == _APP_LOGIN:
                return self._app_login(message(request.body, LoginAppRequest))
            token = bearer_token(request)
            user = self._sessions.user(token)
            if token is None or user is None:
                return self._unauthorized(path, token)
            if refused := self._limited(self._history if path == _HISTORY else self._requests, user, token):
                return refused
            if of_user is not None:
                return of_user(request.body, token, user)
            assert endpoint is not None, "every other path has been answered"
            asked = self._seen_by(user, message(request.body, endpoint.takes))
            if endpoint.acts:
                await asyncio.sleep(self._latency_s)
            return self._json(endpoint.answer(asked))
        except Malformed as wrong:
            return self._problem(wrong)

    def _ping(self, request: Request) -> Response:
        """Status/ping, for strangers too (section 5.7)."""
        if request.method != "GET":
            return Response(405, headers={"Allow": "GET"})
        if Variant.PING_NEEDS_TOKEN in self._variants and self._sessions.user(bearer_token(request)) is None:
            return Response(401)
        return _encoded("pong")

    def _login(self, asked: LoginKeyRequest) -> Response:
        """Auth/loginKey. A wrong name and a wrong key are told apart no more than the vendor does (section 3)."""
        if refused := self._limited(self._requests, asked.user_name, "login"):
            return refused
        token = self._sessions.login(asked.user_name, asked.api_key)
        code = LoginCode.INVALID_CREDENTIALS if token is None else LoginCode.SUCCESS
        return self._json(LoginResponse(token=token, success=token is not None, error_code=code))

    def _app_login(self, asked: LoginAppRequest) -> Response:
        """Auth/loginApp, whose page the vendor has withdrawn (section 3): no application is registered here."""
        if refused := self._limited(self._requests, asked.user_name, "login"):
            return refused
        return self._json(LoginResponse(token=None, success=False, error_code=LoginCode.APP_NOT_FOUND))

    def _validate(self, body: bytes, _token: str, user: str) -> Response:
        """Auth/validate."""
        message(body, Empty)
        return self._json(ValidateResponse(new_token=self._sessions.renew(user), success=True, error_code=0))

    def _logout(self, body: bytes, token: str, _user: str) -> Response:
        """Auth/logout."""
        message(body, Empty)
        self._sessions.logout(token)
        return self._json(Envelope(success=True, error_code=LogoutCode.SUCCESS))

    def _accounts_of(self, body: bytes, _token: str, user: str) -> Response:
        """Account/search."""
        return self._json(self._find_accounts(message(body, AccountSearchRequest), user))

    def _unauthorized(self, path: str, token: str | None) -> Response:
        """401; whether a token that has expired can be validated is not known (section 3)."""
        can_tell = path == _VALIDATE and Variant.EXPIRED_VALIDATES in self._variants
        if can_tell and token is not None and self._sessions.is_expired(token):
            return self._json(ValidateResponse(new_token=None, success=False, error_code=ValidateCode.EXPIRED_TOKEN))
        return Response(401)

    def _limited(self, window: Window, user: str, token: str) -> Response | None:
        """429 for a caller that has asked too often, else None."""
        by_token = Variant.LIMITS_BY_TOKEN in self._variants
        caller = f"{user.casefold()[:64]} {token if by_token else ''}"
        wait_s = window.wait_s(caller, asyncio.get_running_loop().time())
        if not wait_s:
            return None
        tells = Variant.RETRY_AFTER in self._variants
        return Response(429, headers={"Retry-After": str(math.ceil(wait_s))} if tells else {})

    def _seen_by(self, user: str, asked: Any) -> Any:
        """A request as the desk may see it: an account of another user's is none that there is. UNVERIFIED."""
        if isinstance(asked, OrderQueryRequest):
            return msgspec.structs.replace(asked, filter=self._seen_by(user, asked.filter))
        account = self._accounts.get(getattr(asked, "account_id", 0))
        is_foreign = account is not None and account.user_name != user
        return msgspec.structs.replace(asked, account_id=0) if is_foreign else asked

    def _json(self, body: Envelope) -> Response:
        """An answer; its rows without what is null, if so chosen."""
        if Variant.NULLS_OMITTED not in self._variants:
            return _encoded(body)
        members = {field.encode_name: getattr(body, field.name) for field in msgspec.structs.fields(body)}
        return _encoded({name: _without_nulls(value) for name, value in members.items()})

    def _problem(self, wrong: Malformed) -> Response:
        """A 400, numbered so that the same run gives the same bodies."""
        self._problems_total += 1
        number = self._problems_total
        problem = Problem(errors={wrong.path: [wrong.text]}, trace_id=f"00-{number:032x}-{number:016x}-00")
        return Response(400, _encoder.encode(problem), {"Content-Type": "application/problem+json; charset=utf-8"})


def bearer_token(request: Request) -> str | None:
    """The token in the ``Authorization`` header."""
    scheme, _, token = request.headers.get("authorization", "").partition(" ")
    return token.strip() if scheme.casefold() == "bearer" and token.strip() else None


def _encoded(body: object) -> Response:
    return Response(200, _encoder.encode(body), {"Content-Type": "application/json; charset=utf-8"})


def _without_nulls(value: object) -> object:
    if isinstance(value, list):
        return [_without_nulls(row) for row in value]
    return without_nulls(value) if isinstance(value, msgspec.Struct) else value


def _envelope(answer: Answer) -> Envelope:
    return Envelope(success=answer.code == 0, error_code=answer.code, error_message=answer.text)


def _placed(answer: Answer) -> PlaceResponse:
    return PlaceResponse(
        order_id=answer.order_id, success=answer.code == 0, error_code=answer.code, error_message=answer.text
    )
