"""The connection manager's HTTP calls, as existing clients know them (wire notes, section 3, 2026-11-22).

Must never invent, and never ask the broker for anything: an account that is not known is 404 and never another's, what
the broker does not say is null, and while the broker is not seen it is 503, with what was last known and its age.

Invariants:
1. A change is asked of the gate, as the page asks it, and is answered with what the gate decided. Its silence is 503.
2. A POST comes from this machine and says that it is JSON; see ``guard``.
"""

from __future__ import annotations

import random
from collections.abc import Awaitable, Callable, Mapping
from decimal import Decimal
from typing import Any

import msgspec
from msgspec import UNSET, UnsetType

from ordergate.broker import rows
from ordergate.broker.connection import Connection
from ordergate.broker.gate_line import GateLine
from ordergate.broker.health import OK, Health
from ordergate.bus.translate import named_position, optional_ticks
from ordergate.clock import Clock
from ordergate.core import answers
from ordergate.core.commands import Answer, UpdateProtection
from ordergate.core.sessions import utc_text
from ordergate.errors import InputRefused
from ordergate.net import guard
from ordergate.net.body import read
from ordergate.net.port import Request, Response

BODY_BYTES_MAX = 65_536  # the largest of these bodies has some 200 bytes
_MS_NS = 1_000_000
_DIGITS_MAX = 18
_SERVICE_MAX = 64  # of what is repeated in an answer
_CURRENT_ACCOUNT = "/current-account/"
_HEADERS = {"content-type": "application/json", "cache-control": "no-store", "x-content-type-options": "nosniff"}
# What is not here is bad input: 400. 503: nothing was done, or it is not known; try again.
_STATUS = {
    **guard.STATUS,
    "NOT_FOUND": 404,
    "NO_SUCH_COMMAND": 404,
    answers.UNKNOWN_ACCOUNT: 404,
    answers.UNKNOWN_POSITION: 404,
    "METHOD_NOT_ALLOWED": 405,
    answers.BUSY: 409,
    "NO_WEB_SOCKET": 426,
    "BROKER_AWAY": 503,
    "GATE_SILENT": 503,
    "HALTED": 503,
    "JOURNAL_UNAVAILABLE": 503,
    "QUEUE_FULL": 503,
    "STARTING": 503,
    "UNDECIDED": 503,
}
_DENIED = 422

_encoder = msgspec.json.Encoder(decimal_format="number")


class _ProtectionBody(msgspec.Struct, frozen=True, rename="camel"):
    """As the page sends it; null leaves a leg as it is."""

    position_id: str
    stop_loss: Decimal | None = None
    take_profit: Decimal | None = None


class _CommandBody(msgspec.Struct, frozen=True):
    command: str
    params: Any = None


class _Protected(msgspec.Struct, frozen=True, rename="camel"):
    """The gate has decided as asked, durably; the broker's own word comes later, and is in ``/api/positions``."""

    success: bool
    position_id: str
    stop_loss: Decimal | None
    take_profit: Decimal | None
    shadow: bool | UnsetType = UNSET


class _CurrentAccount(msgspec.Struct, frozen=True, rename="camel"):
    """``account_id`` is null where there is more than one: no service has one of its own here."""

    success: bool
    service: str
    account_id: int | None
    account_ids: tuple[int, ...]


class _ManualTrading(msgspec.Struct, frozen=True, rename="camel"):
    """Null before the first heartbeat of this run."""

    success: bool
    last_heartbeat: str | None
    last_heartbeat_age_ms: int | None
    heartbeats: int


class _Status(msgspec.Struct, frozen=True, rename="camel"):
    """Whom it serves. ``uptime`` is in milliseconds."""

    service: str
    status: str
    venue: str
    gateway_url: str
    shadow: bool
    accounts: tuple[int, ...]
    instruments: tuple[str, ...]
    uptime: int


class Endpoints:
    """See the module. ``health`` looks at everything anew."""

    def __init__(
        self, *, connection: Connection, gate: GateLine, clock: Clock, rng: random.Random, health: Callable[[], Health]
    ) -> None:
        self._connection = connection
        self._view = connection.view
        self._gate = gate
        self._clock = clock
        self._rng = rng
        self._health = health
        self._heartbeat_ns: int | None = None
        self._heartbeats = 0
        self._gets: dict[str, Callable[[Mapping[str, str]], Response]] = {
            "/health": self._healthy,
            "/status": self._status,
            "/account/balance": self._balance,
            "/api/positions": self._positions,
            "/api/manual-trading/status": self._manual_trading,
            "/ws": _no_web_socket,
        }
        self._posts: dict[str, Callable[[bytes], Awaitable[Response]]] = {
            "/command": self._command,
            "/api/position/update-sltp": self._update_protection,
            "/api/manual-trading/heartbeat": self._beat,
        }

    async def answer(self, request: Request) -> Response:
        """One request."""
        try:
            return await self._route(request)
        except InputRefused as error:
            return refused(error)

    async def _route(self, request: Request) -> Response:
        path = request.path
        is_get = path in self._gets or path.startswith(_CURRENT_ACCOUNT)
        if not is_get and path not in self._posts:
            known = ", ".join((*self._gets, f"{_CURRENT_ACCOUNT}:service", *self._posts))
            raise InputRefused("NOT_FOUND", f"there is nothing here at this path; there is {known}")
        method = "GET" if is_get else "POST"
        if request.method != method:
            raise InputRefused("METHOD_NOT_ALLOWED", f"this path takes {method}")
        if method == "POST":
            guard.check_json(request)
            return await self._posts[path](request.body)
        if path in self._gets:
            return self._gets[path](request.query)
        return self._current_account(path.removeprefix(_CURRENT_ACCOUNT))

    def _healthy(self, _query: Mapping[str, str]) -> Response:
        health = self._health()
        return _json(200 if health.status == OK else 503, health)

    def _status(self, _query: Mapping[str, str]) -> Response:
        health, settings = self._health(), self._connection.settings
        contracts = health.components.market_hub.contracts
        row = _Status(
            service="Connection Manager",
            status=health.status,
            venue=settings.venue,
            gateway_url=settings.gateway_url,
            shadow=settings.shadow,
            accounts=health.accounts,
            instruments=tuple(contract.instrument for contract in contracts),
            uptime=health.uptime,
        )
        return _json(200, row)

    def _balance(self, query: Mapping[str, str]) -> Response:
        account_id, now_ns = _account_id(query), self._clock.now_ns()
        seen = self._view.accounts.get(account_id)
        if seen is None:
            return self._unknown(account_id)
        told = rows.balance(seen, now_ns, shadow=self._connection.settings.shadow)
        away = self._connection.fault
        if not away and not self._view.balance_known(account_id):
            away = "the account was not read since the user hub came back"
        return _away(away, told.age_ms, told) if away else _json(200, told)

    def _positions(self, query: Mapping[str, str]) -> Response:
        account_id, now_ns = _account_id(query), self._clock.now_ns()
        if account_id not in self._view.accounts:
            return self._unknown(account_id)
        held, away = self._view.held(account_id), self._connection.fault
        if held is None:
            return _away(away or "the account's positions were not read since the start", None, None)
        if not away and not held.known:
            away = "the account's positions were not read since the user hub came back"
        told = rows.positions(
            account_id,
            held,
            self._connection.catalogue.instruments,
            self._view.quotes,
            now_ns,
            shadow=self._connection.settings.shadow,
        )
        return _away(away, told.age_ms, told) if away else _json(200, told)

    def _unknown(self, account_id: int) -> Response:
        """Before the accounts were read no account can be called unknown."""
        if not self._view.accounts:
            return _away(self._connection.fault or "the accounts were not read yet", None, None)
        raise InputRefused(answers.UNKNOWN_ACCOUNT, f"account {account_id} is not known", "accountId")

    def _current_account(self, service: str) -> Response:
        accounts = tuple(self._view.accounts)
        if not accounts:
            return _away(self._connection.fault or "the accounts were not read yet", None, None)
        account_id = accounts[0] if len(accounts) == 1 else None
        return _json(200, _CurrentAccount(True, service[:_SERVICE_MAX], account_id, accounts))  # noqa: FBT003 - a row

    def _manual_trading(self, _query: Mapping[str, str]) -> Response:
        beat_ns = self._heartbeat_ns
        return _json(
            200,
            _ManualTrading(
                success=True,
                last_heartbeat=None if beat_ns is None else utc_text(beat_ns),
                last_heartbeat_age_ms=None if beat_ns is None else (self._clock.now_ns() - beat_ns) // _MS_NS,
                heartbeats=self._heartbeats,
            ),
        )

    async def _beat(self, body: bytes) -> Response:
        """What a heartbeat says is documented nowhere, and nothing of it is read."""
        del body
        self._heartbeat_ns = self._clock.now_ns()
        self._heartbeats += 1
        return self._manual_trading({})

    async def _command(self, body: bytes) -> Response:
        """The call is documented, and no command of it is."""
        asked = read(body, _CommandBody)
        message = f"there is no command {asked.command!r}; known are none: orders go to POST /api/order of the page"
        raise InputRefused("NO_SUCH_COMMAND", message, "command")

    async def _update_protection(self, body: bytes) -> Response:
        asked = read(body, _ProtectionBody)
        account_id, contract_id = named_position(asked.position_id)
        instrument = self._connection.catalogue.instruments.get(contract_id)
        if not self._connection.catalogue.instruments:
            raise InputRefused("STARTING", "the broker's contracts were not read yet; try again in a moment")
        if instrument is None:
            raise InputRefused(answers.UNKNOWN_POSITION, f"there is no position {asked.position_id}", "positionId")
        if asked.stop_loss is None and asked.take_profit is None:
            raise InputRefused(answers.NOTHING_TO_CHANGE, "say a stopLoss or a takeProfit; null leaves one as it is")
        command = UpdateProtection(
            f"cm-{self._clock.now_ns() // _MS_NS}-{self._rng.getrandbits(40):010x}",
            account_id,
            contract_id,
            stop_ticks=optional_ticks(instrument, asked.stop_loss, "stopLoss"),
            target_ticks=optional_ticks(instrument, asked.take_profit, "takeProfit"),
        )
        if self._gate.fault:
            raise InputRefused("GATE_SILENT", f"{self._gate.fault}; nothing was asked of it, nothing was changed")
        answer = await self._gate.ask(command)
        if not answer.ok:
            return _declined(answer)
        shadow = self._connection.settings.shadow or UNSET
        return _json(200, _Protected(True, asked.position_id, asked.stop_loss, asked.take_profit, shadow))  # noqa: FBT003 - a row


def refused(error: InputRefused) -> Response:
    """The answer to a request that was refused at the door."""
    return _failed(error.code, error.message, error.field)


def _no_web_socket(_query: Mapping[str, str]) -> Response:
    message = "there is no WebSocket here: events are server-sent, at GET /api/events of the page, port 3003 by default"
    raise InputRefused("NO_WEB_SOCKET", message)


def _account_id(query: Mapping[str, str]) -> int:
    """Raises ``InputRefused``."""
    said = query.get("accountId", "")
    if not (said.isascii() and said.isdecimal() and len(said) <= _DIGITS_MAX):
        raise InputRefused("BAD_ACCOUNT_ID", "accountId must be a number", "accountId")
    return int(said)


def _away(why: str, age_ms: int | None, last_known: rows.Balance | rows.Positions | None) -> Response:
    body = rows.Away(False, f"the broker is not seen: {why}", "BROKER_AWAY", age_ms, last_known)  # noqa: FBT003 - a row
    return _json(503, body)


def _declined(answer: Answer) -> Response:
    status = _DENIED if answer.breaches else _STATUS.get(answer.code)
    return _failed(answer.code, answer.message, answer.field, status)


def _failed(code: str, message: str, field: str | None, status: int | None = None) -> Response:
    body = rows.Failure(success=False, error=message, code=code, field=field)
    return _json(status or _STATUS.get(code, 400), body)


def _json(status: int, body: object) -> Response:
    return Response(status, _encoder.encode(body), _HEADERS)
