"""Every route of the HTTP API, in one table: the server answers what stands here, and ``/openapi.json`` says it.

The page's own files are no part of it: see ``pages``.

Invariant: a path that is not in ``ROUTES`` is NOT_FOUND, and a method that is not a path's own is METHOD_NOT_ALLOWED.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from decimal import Decimal

import msgspec
from msgspec import UNSET, UnsetType

from ordergate.broker.bars import Bars
from ordergate.bus.port import BusHealth
from ordergate.errors import InputRefused
from ordergate.web.board import Snapshot
from ordergate.web.bodies import (
    AcknowledgeBody,
    CancelAllBody,
    CancelBody,
    CloseBody,
    FlattenBody,
    InterceptionBody,
    LockoutBody,
    ModifyBody,
    OrderBody,
    PauseBody,
    ProtectionBody,
    ResumeBody,
)
from ordergate.web.limits import LimitsAnswer, LimitsBody
from ordergate.web.presets import PresetsAnswer
from ordergate.web.replies import DENIED, Done
from ordergate.web.route import Parameter, Route
from ordergate.web.rows import (
    AccountRow,
    AlarmRow,
    DeskRow,
    FillRow,
    IfWeDieRow,
    InstrumentRow,
    OrderRow,
    PositionRow,
    PreviewRow,
    PriceRow,
    TradingStatus,
)

HEALTH = "/health"
OPENAPI = "/openapi.json"
EVENTS = "/api/events"
BARS = "/api/bars"
PRESETS = "/api/presets"
PRICE = "/api/prices/{symbol}"
_PRICES = PRICE.removesuffix("{symbol}")

# What the stream tells, by the name of the event: rows, whole, to be kept.
EVENT_ROWS: Mapping[str, type[msgspec.Struct]] = {
    "desk": DeskRow,
    "account": AccountRow,
    "position": PositionRow,
    "order": OrderRow,
    "fill": FillRow,
    "instrument": InstrumentRow,
    "price": PriceRow,
    "alarm": AlarmRow,
}


class Health(msgspec.Struct, frozen=True, rename="camel"):
    """``status``: starting (no state yet), healthy, or failed (nobody follows the gate). ``number``: the last event.

    ``redis`` stands only where the gate is another process behind one.
    """

    status: str
    service: str
    number: int
    link_up: bool
    redis: BusHealth | UnsetType = UNSET


_ANY = (403, 405)
_READ = (*_ANY, 503)
_JUDGE = (*_ANY, 400, 413, 415, 503)
_ASK = (*_JUDGE, 504)
_MES = "CON.F.US.MES.Z26"

ROUTES: tuple[Route, ...] = (
    Route(
        "POST",
        "/api/order",
        "Place an order.",
        Done,
        (*_ASK, 409, DENIED),
        note="instrument is a symbol, which means its active contract, or a contract id; side is BUY or SELL; "
        "orderType is MARKET, LIMIT or STOP. Success means approved and recorded, not filled. The same orderId again "
        "with the same content gets the same answer and places nothing; with other content it is ORDER_ID_REUSED.",
        body=OrderBody,
        example={
            "instrument": "MES",
            "side": "BUY",
            "quantity": 2,
            "accountId": 1001,
            "orderId": "my-first",
            "stopLoss": {"enabled": True, "points": 5},
            "takeProfit": {"enabled": True, "points": 10},
        },
        answered={"success": True, "orderId": "my-first", "contractId": _MES},
    ),
    Route(
        "POST",
        "/api/preview",
        "Tell what an order would do, without placing it.",
        PreviewRow,
        _JUDGE,
        note="Takes what /api/order takes, and judges it as an order of now is judged. Nothing is written and no id is "
        "used up: an orderId is not looked at.",
        body=OrderBody,
        example={"instrument": "MES", "side": "BUY", "quantity": 9, "accountId": 1001},
        answered={
            "decision": "denied",
            "breaches": [
                {
                    "code": "MAX_POSITION_SIZE",
                    "limit": 10,
                    "actual": 12,
                    "message": "12 contracts of MES could be held, above 10",
                }
            ],
            "worstPosition": 12,
            "lossAtStop": Decimal("456.48"),
            "room": {
                "MAX_ORDER_SIZE": 1,
                "MAX_POSITION_SIZE": -2,
                "MAX_OPEN_ORDERS": 48,
                "EXCESSIVE_RISK": Decimal("550.00"),
                "DAILY_LOSS_LIMIT": Decimal("441.36"),
            },
            "bindsNext": "MAX_POSITION_SIZE",
            "nearest": {"quantity": 7, "limitPrice": None, "stopPrice": None},
            "asOf": 19,
        },
    ),
    Route(
        "POST",
        "/api/modify-order",
        "Change the quantity or price of a working order, or the price of a stop or target.",
        Done,
        (*_ASK, 404, 409, DENIED),
        note="More risk than before is put before the rules as a new order is.",
        body=ModifyBody,
        example={"orderId": "my-limit", "limitPrice": 4950},
        answered={"success": True, "orderId": "my-limit", "contractId": _MES},
    ),
    Route(
        "POST",
        "/api/cancel-order",
        "Cancel an order.",
        Done,
        (*_ASK, 404, 409),
        note="Never blocked by a limit. A stop that protects a position is not cancelled: PROTECTIVE_STOP.",
        body=CancelBody,
        example={"orderId": "my-limit"},
        answered={"success": True, "orderId": "my-limit", "contractId": _MES},
    ),
    Route(
        "POST",
        "/api/update-sl-tp",
        "Move the stop and the target of a position, to prices.",
        Done,
        (*_ASK, 404, 409, DENIED),
        note="A stop farther away is new risk, put before the rules.",
        body=ProtectionBody,
        example={"positionId": f"1001:{_MES}", "stopLoss": 4996},
        answered={"success": True, "orderId": "my-first", "contractId": _MES},
    ),
    Route(
        "POST",
        "/api/close-position",
        "Close a position, or a part of it, at the market.",
        Done,
        (*_ASK, 404, 409),
        note="Never blocked by a limit. Waits up to two seconds for the exit: finished and flat say how far it came.",
        body=CloseBody,
        example={"accountId": 1001, "instrument": "MES", "quantity": 1, "closeType": "partial"},
        answered={"success": True, "contractId": _MES, "finished": True, "flat": False},
    ),
    Route(
        "POST",
        "/api/cancel-all",
        "Cancel every working order; stops, targets and closes stay.",
        Done,
        (*_ASK, 404),
        note="Never blocked by a limit. Orders that were sent before it and are not decided yet are denied SUPERSEDED.",
        body=CancelAllBody,
        example={"accountId": 1001},
        answered={"success": True},
    ),
    Route(
        "POST",
        "/api/flatten",
        "Cancel every order and close every position.",
        Done,
        (*_ASK, 404),
        note="Never blocked by a limit. Waits up to two seconds for the exits: finished and flat say how far it came.",
        body=FlattenBody,
        example={"accountId": "all"},
        answered={"success": True, "finished": True, "flat": True},
    ),
    Route(
        "POST",
        "/api/limits",
        "Change limits: tighter values hold now, looser ones from the next trading day.",
        LimitsAnswer,
        _ASK,
        note="Before the first order of the trading day every value holds now. No change closes anything by itself.",
        body=LimitsBody,
        example={"maxOrderSize": 2, "maxPositionSize": 20},
        answered={
            "inForce": {"maxOrderSize": 2, "maxPositionSize": 10},
            "waiting": {"maxPositionSize": 20},
            "waitingFrom": "2026-11-24",
            "success": True,
        },
    ),
    Route(
        "POST",
        "/api/lockout",
        "Lock yourself out: no new risk until an instant, which nothing ends early.",
        Done,
        (*_ASK, 404, 409),
        note="until is an instant in ISO 8601 with its offset, or next-day: the open of the next trading day. Exits "
        "pass; orders that wait to open something are cancelled. It can be extended and never shortened: LOCKED_OUT.",
        body=LockoutBody,
        example={"accountId": 1001, "until": "next-day", "reason": "enough for today"},
        answered={"success": True, "lockedUntil": "2026-11-23T23:00:00.000Z"},
    ),
    Route(
        "POST",
        "/api/pause",
        "Take no new risk in any account until it is resumed.",
        Done,
        _ASK,
        note="Orders are denied PAUSED. Exits pass, orders that wait at the broker stay there. It outlives a restart.",
        body=PauseBody,
        answered={"success": True},
    ),
    Route(
        "POST",
        "/api/resume",
        "End a pause, whoever began it.",
        Done,
        _ASK,
        note="It lifts nothing else: a lockout, a limit or a halt stays as it is.",
        body=ResumeBody,
        answered={"success": True},
    ),
    Route(
        "POST",
        "/api/interception",
        "Put orders before the limits, or no longer.",
        Done,
        (*_ASK, 409),
        note="For orders that are decided from then on. Switched off, an order is sent without asking the limits; that "
        "is refused while an account is locked out (LOCKED_OUT) or stopped. On again it is switched at any time.",
        body=InterceptionBody,
        example={"on": True},
        answered={"success": True},
    ),
    Route(
        "POST",
        "/api/alarms/acknowledge",
        "Say that alarms have been seen, by their numbers.",
        Done,
        _ASK,
        note="One that was raised again since has another number, and stays. One that stands is listed until it is "
        "over.",
        body=AcknowledgeBody,
        example={"numbers": [118]},
        answered={"success": True},
    ),
    Route("GET", "/api/alarms", "What somebody should look at, the newest first.", list[AlarmRow], _READ),
    Route("GET", "/api/limits", "The limits: what holds, and what waits for the next day.", LimitsAnswer, _READ),
    Route("GET", "/api/accounts", "The accounts.", list[AccountRow], _READ),
    Route("GET", "/api/positions", "The positions that are held.", list[PositionRow], _READ),
    Route(
        "GET",
        "/api/if-we-die",
        "What each account can still lose if this machine dies now, by what rests at the broker.",
        list[IfWeDieRow],
        _READ,
    ),
    Route(
        "GET",
        "/api/orders",
        "Entries and orders made elsewhere, the newest first; stops and targets stand with their entry.",
        list[OrderRow],
        _READ,
    ),
    Route("GET", "/api/fills", "Today's fills, the newest first.", list[FillRow], _READ),
    Route("GET", "/api/prices", "The latest prices, by symbol.", dict[str, PriceRow], _READ),
    Route(
        "GET",
        PRICE,
        "The latest price of one symbol.",
        PriceRow,
        (*_READ, 404),
        parameters=(Parameter("symbol", "path", str, "As in instruments.", required=True),),
    ),
    Route("GET", "/api/instruments/active", "The contracts that can be traded now.", list[InstrumentRow], _READ),
    Route(
        "GET",
        PRESETS,
        "The presets of the settings: brackets that an order can ask for by name.",
        PresetsAnswer,
        _ANY,
    ),
    Route(
        "GET",
        "/api/trading-status",
        "Whether an exit is under way, and whether risk can be added.",
        TradingStatus,
        _READ,
    ),
    Route(
        "GET",
        BARS,
        "Bars of a contract, the oldest first.",
        Bars,
        (*_READ, 400),
        parameters=(
            Parameter(
                "symbol", "query", str, "A symbol, which means its active contract, or a contract id.", required=True
            ),
            Parameter("unitMinutes", "query", int, "Minutes of a bar, 1 to 60; 1 if left out."),
            Parameter("count", "query", int, "How many at most, 1 to 1500; 300 if left out."),
            Parameter(
                "before",
                "query",
                str,
                "Only bars that begin before this instant (ISO 8601 with a zone): the page before the oldest one. "
                "None at all means that the broker has nothing older.",
            ),
        ),
    ),
    Route(
        "GET",
        "/api/snapshot",
        "Everything at one event number.",
        Snapshot,
        _READ,
        note="The events after this number are what a follower of the stream applies to it.",
    ),
    Route(
        "GET",
        EVENTS,
        "The event stream: every change, numbered, as server-sent events.",
        None,
        _READ,
        note="Listen first, then ask for the snapshot, then apply the events with higher numbers. Each event has an id "
        "(its number), an event (its name) and data (one JSON row, whole). Numbers have no gaps: after a gap, or when "
        "the connection ends, begin again from a snapshot. A comment line comes at least every second.",
    ),
    Route(
        "GET",
        HEALTH,
        "Whether this server knows the gate's state.",
        Health,
        _ANY,
        note="200 while healthy, else 503, with the same body.",
        statuses=(200, 503),
    ),
    Route("GET", OPENAPI, "This document.", dict, _ANY),
)
_PATHS = {route.path for route in ROUTES}
_BY_METHOD: Mapping[tuple[str, str], Route] = {(route.method, route.path): route for route in ROUTES}


def find(method: str, path: str) -> Route:
    """The route of a request. Raises ``InputRefused``."""
    known = PRICE if path.startswith(_PRICES) else path
    if known not in _PATHS:
        raise InputRefused("NOT_FOUND", "there is nothing here")
    check_method(method, path, [route.method for route in ROUTES if route.path == known])
    return _BY_METHOD[method, known]


def check_method(method: str, path: str, allowed: Collection[str]) -> None:
    """Raises ``InputRefused`` for a method that is not among ``allowed``."""
    if method not in allowed:
        raise InputRefused("METHOD_NOT_ALLOWED", f"{path} does not take {method[:16]}")


def symbol(path: str) -> str:
    """What stands for ``{symbol}`` in a path of ``PRICE``."""
    return path.removeprefix(_PRICES)
