"""A request on its way through the faults: held up, turned away, or its answer emptied."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from decimal import Decimal

import msgspec

from ordergate.clock import Clock
from ordergate.exchange.faults import ANSWERS, REQUESTS, Fault, Faults, Kind
from ordergate.exchange.wire import instant_ns
from ordergate.net.port import Request, Response, Upgrade

_OK = 200
_JSON = {"Content-Type": "application/json; charset=utf-8"}
_MINUTE_NS = 60_000_000_000
# Numbers pass as they are.
_decoder = msgspec.json.Decoder(dict[str, object], float_hook=Decimal)
_encoder = msgspec.json.Encoder(decimal_format="number")


async def answered(
    faults: Faults, clock: Clock, request: Request, answer: Callable[[Request], Awaitable[Response | Upgrade]]
) -> Response | Upgrade:
    """The answer to a request, or what a fault makes of it. What the exchange has done by then stays done."""
    before = faults.strike(REQUESTS, request.path, "before")
    if before is not None:
        return await _outage(before)
    response = await answer(request)
    after = faults.strike(REQUESTS, request.path, "after")
    if after is not None:
        return await _outage(after)
    if isinstance(response, Upgrade) or response.status != _OK or not response.body.startswith(b"{"):
        return response
    changed = faults.strike(ANSWERS, request.path)
    if changed is None:
        return response
    body = {name: _less(name, value, changed, clock.now_ns()) for name, value in _decoder.decode(response.body).items()}
    return Response(_OK, _encoder.encode(body), response.headers)


async def _outage(fault: Fault) -> Response:
    if fault.kind is Kind.HANG:
        await asyncio.sleep(fault.seconds)
        return Response(504)
    if fault.kind is Kind.REFUSE:
        # With the key of a place, which clients want on failure too (section 4.1); to others it is one more to ignore.
        refused = {"orderId": None, "success": False, "errorCode": fault.code, "errorMessage": fault.text or None}
        return Response(_OK, _encoder.encode(refused), _JSON)
    return Response(fault.status)


def _less(name: str, value: object, fault: Fault, now_ns: int) -> object:
    """A member of an answer with nothing in its list, or without the bars of the last minutes."""
    if not isinstance(value, list):
        return value
    if fault.kind is Kind.EMPTY:
        return []
    newest_ns = now_ns - fault.minutes * _MINUTE_NS
    return [bar for bar in value if instant_ns(bar["t"]) < newest_ns] if name == "bars" else value
