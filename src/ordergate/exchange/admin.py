"""``/sim/``: what a test does to the simulated exchange. For programs of this machine only.

- ``GET /sim/faults``, ``POST /sim/faults``, ``DELETE /sim/faults``: the faults that stand, one more, none any more.
- ``POST /sim/act``: something that happens once, now.
"""

from __future__ import annotations

import enum
from collections.abc import Callable, Mapping

import msgspec

from ordergate.errors import InputRefused
from ordergate.exchange.faults import Fault, Faults
from ordergate.net import guard
from ordergate.net.port import Request, Response

PREFIX = "/sim/"


class Act(enum.Enum):
    """What can happen once."""

    DROP = "drop"
    """Every connection of the hubs ends, without a word."""
    MUTE = "mute"
    """Every connection of the hubs stays open, and nothing goes over it any more: half-open."""
    LOGOUT = "logout"
    """GatewayLogout is told on every connection, and it ends."""
    EXPIRE = "expire"
    """Every token that was given so far has expired."""


class ActRequest(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    act: Act


class Admin:
    """See the module. ``acts`` does each act and says how many it was done to."""

    def __init__(self, faults: Faults, acts: Mapping[Act, Callable[[], int]]) -> None:
        self._faults = faults
        self._acts = acts

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
            case "GET", "faults":
                return _json(self._faults.standing)
            case "POST", "faults":
                return _json(self._faults.add(msgspec.json.decode(request.body, type=Fault)))
            case "DELETE", "faults":
                return _json({"taken": self._faults.clear()})
            case "POST", "act":
                act = msgspec.json.decode(request.body, type=ActRequest).act
                return _json({"act": act, "done": self._acts[act]()})
        return Response(404)


def _json(body: object, status: int = 200) -> Response:
    return Response(status, msgspec.json.encode(body), {"Content-Type": "application/json; charset=utf-8"})
