"""``/sim/``: what a test does to the simulated exchange, and a page that shows it. For programs of this machine only.

- ``GET /sim/``: the page; ``GET /sim/state``: what it shows.
- ``GET /sim/faults``, ``POST /sim/faults``, ``DELETE /sim/faults``: the faults that stand, one more, none any more.
- ``POST /sim/act``: something that happens once, now.
"""

from __future__ import annotations

import enum
import importlib.resources
from collections.abc import Callable, Mapping
from typing import Annotated

import msgspec

from ordergate.errors import InputRefused
from ordergate.exchange.faults import Fault, Faults
from ordergate.exchange.panel import Panel
from ordergate.net import guard
from ordergate.net.port import Request, Response

PREFIX = "/sim/"
_FILES = {"": "text/html", "page.js": "text/javascript", "page.css": "text/css"}
_POLICY = "default-src 'none'; script-src 'self'; style-src 'self'; img-src data:; connect-src 'self'; base-uri 'none'"
_HALT_S_MAX = 86_400


class Act(enum.Enum):
    """What can happen once."""

    DROP = "drop"
    """Every connection of the hubs is cut, as by a broken network: no close frame."""
    CLOSE = "close"
    """SignalR's Close, with the text that is seen of the service, is told on every connection, and it ends."""
    MUTE = "mute"
    """Every connection of the hubs stays open, and nothing goes over it any more: half-open."""
    LOGOUT = "logout"
    """GatewayLogout is told on every connection, and it ends."""
    EXPIRE = "expire"
    """Every token that was given so far has expired."""
    HALT = "halt"
    """The market of a contract pauses for some seconds."""
    BUST = "bust"
    """A fill is taken back."""
    LIQUIDATE = "liquidate"
    """The firm cancels and closes all that an account has, and locks it for the day."""


class ActRequest(msgspec.Struct, frozen=True, rename="camel", forbid_unknown_fields=True):
    """``contract_id`` and ``seconds`` (0 to a day) are a halt's, ``fill_id`` a bust's, ``account_id`` a liquidation's.

    ``reconnect``: whether a close says that the client may come back by itself.
    """

    act: Act
    contract_id: str = ""
    seconds: Annotated[float, msgspec.Meta(ge=0, le=_HALT_S_MAX)] = 5
    fill_id: int = 0
    account_id: int = 0
    reconnect: bool = False


class Admin:
    """See the module.

    ``acts`` does each act and says how many it was done to; 0: there is no such contract, fill or account.
    """

    def __init__(
        self, faults: Faults, acts: Mapping[Act, Callable[[ActRequest], int]], panel: Callable[[], Panel]
    ) -> None:
        self._faults = faults
        self._acts = acts
        self._panel = panel
        static = importlib.resources.files("ordergate.exchange").joinpath("static")
        self._files = {name: static.joinpath(name or "page.html").read_bytes() for name in _FILES}

    def answer(self, request: Request) -> Response:
        """The answer to a request under ``/sim/``."""
        try:
            guard.check(request)
            if request.method == "POST":
                guard.check_json(request)
            return self._answer(request)
        except InputRefused as refused:
            return _json({"error": str(refused), "code": refused.code}, guard.STATUS.get(refused.code, 400))
        except (msgspec.ValidationError, msgspec.DecodeError, ValueError) as wrong:
            return _json({"error": str(wrong), "code": "BAD_REQUEST"}, 400)

    def _answer(self, request: Request) -> Response:
        match request.method, request.path.removeprefix(PREFIX):
            case "GET", name if name in _FILES:
                headers = {"content-type": f"{_FILES[name]}; charset=utf-8", "content-security-policy": _POLICY}
                return Response(200, self._files[name], headers | {"cache-control": "no-cache"})
            case "GET", "state":
                return _json(self._panel())
            case "GET", "faults":
                return _json(self._faults.standing)
            case "POST", "faults":
                return _json(self._faults.add(msgspec.json.decode(request.body, type=Fault)))
            case "DELETE", "faults":
                return _json({"taken": self._faults.clear()})
            case "POST", "act":
                asked = msgspec.json.decode(request.body, type=ActRequest)
                return _json({"act": asked.act, "done": self._acts[asked.act](asked)})
        return Response(404)


def _json(body: object, status: int = 200) -> Response:
    return Response(status, msgspec.json.encode(body), {"Content-Type": "application/json; charset=utf-8"})
