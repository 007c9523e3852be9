"""Bars of a contract, for whoever draws them: ``GET /api/bars``. Nothing here is judged by, and nothing is kept.

Must never invent: a time without trades has no bar, and what the broker does not answer is 503.
"""

from __future__ import annotations

from collections.abc import Mapping

import msgspec

from ordergate.broker.bars import Bar, Bars
from ordergate.broker.projectx import messages
from ordergate.broker.projectx.client import Client
from ordergate.broker.projectx.rest import Passage
from ordergate.broker.projectx.translate import instant, instant_ns
from ordergate.clock import Clock
from ordergate.errors import BrokerRefused, InputRefused, OutcomeUnknown, TransportError
from ordergate.net.port import Request, Response

PATH = "/api/bars"
_CONTRACT_ID_MAX = 64
_UNIT_MINUTES_MAX = 60
_COUNT = 300  # bars where none are asked for: five hours of minutes, what a chart of the page shows
_COUNT_MAX = 1_500  # a trading day of minutes, and some
# The longest closure is a weekend with a holiday: four days back there has been a market.
_BACK_NS = 4 * 86_400 * 1_000_000_000
_MINUTE_NS = 60_000_000_000
_PASSAGE = Passage(exits=False, wait_s=2.0)
_encoder = msgspec.json.Encoder(decimal_format="number")
_HEADERS = {"content-type": "application/json", "cache-control": "no-store"}


class Refusal(msgspec.Struct, frozen=True):
    error: str


class History:
    """One login's bars."""

    def __init__(self, client: Client, clock: Clock) -> None:
        self._client = client
        self._clock = clock

    async def answer(self, request: Request) -> Response:
        """The answer to ``GET /api/bars?contractId=...&unitMinutes=1&count=300``."""
        try:
            if request.method != "GET":
                return _json(405, Refusal("only GET is answered here"))
            return _json(200, await self._bars(request.query))
        except InputRefused as error:
            return _json(400, Refusal(error.message))
        except BrokerRefused as error:
            is_unknown = error.code == messages.BarError.CONTRACT_NOT_FOUND
            return _json(404 if is_unknown else 503, Refusal(str(error)))
        except TransportError as error:
            return _json(503, Refusal(str(error)))

    async def _bars(self, query: Mapping[str, str]) -> Bars:
        contract_id = query.get("contractId", "")
        if not 0 < len(contract_id) <= _CONTRACT_ID_MAX:
            raise InputRefused("BAD_CONTRACT_ID", f"contractId must have 1 to {_CONTRACT_ID_MAX} characters")
        unit_minutes = _whole(query, "unitMinutes", 1, _UNIT_MINUTES_MAX)
        count = _whole(query, "count", _COUNT, _COUNT_MAX)
        now_ns = self._clock.now_ns()
        body = messages.BarsBody(
            contract_id=contract_id,
            live=False,
            start_time=instant(now_ns - _BACK_NS - count * unit_minutes * _MINUTE_NS),
            # The bar under way is wanted too, wherever the broker's clock stands.
            end_time=instant(now_ns + _MINUTE_NS),
            unit=messages.BarUnit.MINUTE,
            unit_number=unit_minutes,
            limit=count,
            include_partial_bar=True,
        )
        newest_first = await self._client.bars(body, _PASSAGE)
        return Bars(contract_id, unit_minutes, tuple(_bar(row) for row in reversed(newest_first)))


def _bar(row: messages.Bar) -> Bar:
    """Raises ``OutcomeUnknown`` for what is no bar."""
    prices = (row.o, row.h, row.l, row.c)
    if not all(price.is_finite() for price in prices) or not row.l <= min(row.o, row.c) <= max(row.o, row.c) <= row.h:
        raise OutcomeUnknown(f"the broker's bar of {row.t[:40]} contradicts itself")
    try:
        begins_ns = instant_ns(row.t)
    except InputRefused as error:
        raise OutcomeUnknown(f"a bar of the broker's: {error}") from error
    return Bar(instant(begins_ns), *prices, row.v)


def _whole(query: Mapping[str, str], name: str, default: int, largest: int) -> int:
    text = query.get(name, str(default))
    if not (text.isascii() and text.isdecimal() and len(text) <= len(str(largest)) and 1 <= int(text) <= largest):
        raise InputRefused("BAD_QUERY", f"{name} must be a whole number from 1 to {largest}")
    return int(text)


def _json(status: int, body: object) -> Response:
    return Response(status, _encoder.encode(body), _HEADERS)
