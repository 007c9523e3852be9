"""The REST half of the API: a request to its endpoint and back (section 5).

Invariants:
1. Whatever a client sends, it is answered with a status of section 2.2: a business failure is 200, a malformed request
   400, a missing or expired token 401, an unknown path 404, too many requests 429.
2. An answer leaves only after what it says is stored.
3. Paths and the names of JSON members are matched without case.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping
from typing import Any

import msgspec

from ordergate.exchange.auth import Sessions
from ordergate.exchange.enquiries import Enquiries
from ordergate.exchange.enums import LoginCode
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
from ordergate.exchange.throttle import SlidingWindow
from ordergate.exchange.venue import Answer, Venue
from ordergate.net.port import Request, Response

_LOGIN, _APP_LOGIN = "/api/auth/loginkey", "/api/auth/loginapp"
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
        self._requests = SlidingWindow(settings.requests_max, settings.requests_window_s)
        self._history = SlidingWindow(settings.history_requests_max, settings.history_window_s)
        self._problems_total = 0
        self._endpoints: Mapping[str, Endpoint] = {
            "/api/account/search": Endpoint(AccountSearchRequest, enquiries.accounts),
            "/api/contract/search": Endpoint(ContractSearchRequest, enquiries.contracts),
            "/api/contract/searchbyid": Endpoint(ContractByIdRequest, enquiries.contract),
            "/api/contract/available": Endpoint(ContractsAvailableRequest, enquiries.available),
            _HISTORY: Endpoint(BarsRequest, enquiries.bars),
            "/api/order/search": Endpoint(OrderSearchRequest, enquiries.orders),
            "/api/order/searchopen": Endpoint(AccountRequest, enquiries.open_orders),
            "/api/order/searchbyid": Endpoint(OrderRequest, enquiries.order),
            "/api/order/v2/query": Endpoint(OrderQueryRequest, enquiries.query),
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

    async def answer(self, request: Request) -> Response:
        """The answer to one request under ``/api``."""
        path = request.path.casefold()
        if path == _PING:
            return _json("pong") if request.method == "GET" else Response(405, headers={"Allow": "GET"})
        auth = {"/api/auth/validate": self._validate, "/api/auth/logout": self._logout}.get(path)
        endpoint = self._endpoints.get(path)
        if endpoint is None and auth is None and path not in (_LOGIN, _APP_LOGIN):
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
                return Response(401)
            window = self._history if path == _HISTORY else self._requests
            if not window.admits(token, asyncio.get_running_loop().time()):
                return Response(429)
            if auth is not None:
                message(request.body, Empty)
                return _json(auth(token, user))
            assert endpoint is not None, "every other path has been answered"
            asked = message(request.body, endpoint.takes)
            if endpoint.acts:
                await asyncio.sleep(self._latency_s)
            return _json(endpoint.answer(asked))
        except Malformed as wrong:
            return self._problem(wrong)

    def _login(self, asked: LoginKeyRequest) -> Response:
        """Auth/loginKey. A wrong name and a wrong key are told apart no more than the vendor does (section 3)."""
        if not self._admits_login(asked.user_name):
            return Response(429)
        token = self._sessions.login(asked.user_name, asked.api_key)
        code = LoginCode.INVALID_CREDENTIALS if token is None else LoginCode.SUCCESS
        return _json(LoginResponse(token=token, success=token is not None, error_code=code))

    def _app_login(self, asked: LoginAppRequest) -> Response:
        """Auth/loginApp, whose page the vendor has withdrawn (section 3): no application is registered here."""
        if not self._admits_login(asked.user_name):
            return Response(429)
        return _json(LoginResponse(token=None, success=False, error_code=LoginCode.APP_NOT_FOUND))

    def _admits_login(self, user_name: str) -> bool:
        return self._requests.admits(f"login {user_name.casefold()[:64]}", asyncio.get_running_loop().time())

    def _validate(self, _token: str, user: str) -> Envelope:
        """Auth/validate."""
        return ValidateResponse(new_token=self._sessions.renew(user), success=True, error_code=0)

    def _logout(self, token: str, _user: str) -> Envelope:
        """Auth/logout."""
        self._sessions.logout(token)
        return Envelope(success=True, error_code=0)

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


def _json(body: object) -> Response:
    return Response(200, _encoder.encode(body), {"Content-Type": "application/json; charset=utf-8"})


def _envelope(answer: Answer) -> Envelope:
    return Envelope(success=answer.code == 0, error_code=answer.code, error_message=answer.text)


def _placed(answer: Answer) -> PlaceResponse:
    return PlaceResponse(
        order_id=answer.order_id, success=answer.code == 0, error_code=answer.code, error_message=answer.text
    )
