"""Bars of a contract, for whoever draws them: ``GET /api/bars``. Nothing here is judged by.

Bars that were read are kept, so that a chart that asks again costs the few at the end: requests for bars are limited.
With ``before`` an earlier page is told; what is over does not change, so it is read once.

Must never invent: a time without trades has no bar, and what the broker does not answer is 503.

Invariants:
1. The last bars that are kept are read again each time: one of them may have been under way.
2. Of no more than ``_KEPT_MAX`` contracts and units bars are kept, and of each no more than ``_COUNT_MAX``; and no more
   than ``_PAGES_MAX`` earlier pages.
3. Who asks while the same is read gets what was read.
"""

from __future__ import annotations

import asyncio
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
_KEPT_MAX = 16  # a page draws one, a few pages a few
_READ_AGAIN = 3  # the one under way, the one before it that was under way when it was read, and one that must agree
_PAGES_MAX = 32  # some days of minutes of a few contracts
_Kept = tuple[tuple[int, Bar], ...]
_encoder = msgspec.json.Encoder(decimal_format="number")
_HEADERS = {"content-type": "application/json", "cache-control": "no-store"}


class Refusal(msgspec.Struct, frozen=True):
    error: str


class History:
    """One login's bars."""

    def __init__(self, client: Client, clock: Clock) -> None:
        self._client = client
        self._clock = clock
        self._kept: dict[tuple[str, int], _Kept] = {}
        self._pages: dict[tuple[str, int, int, int], _Kept] = {}
        self._turn = asyncio.Lock()

    async def answer(self, request: Request) -> Response:
        """The answer to ``GET /api/bars?contractId=...&unitMinutes=1&count=300&before=2026-11-23T15:00:00Z``."""
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
        before_ns = None if "before" not in query else instant_ns(query["before"])
        async with self._turn:
            if before_ns is None:
                bars = await self._newest(contract_id, unit_minutes, count)
            else:
                bars = await self._page(contract_id, unit_minutes, count, before_ns)
        return Bars(contract_id, unit_minutes, tuple(bar for _, bar in bars))

    async def _page(self, contract_id: str, unit_minutes: int, count: int, before_ns: int) -> _Kept:
        """The newest ``count`` bars of those that begin before ``before_ns``."""
        key = contract_id, unit_minutes, count, before_ns
        page = self._pages.pop(key, None)
        if page is None:
            read = await self._read(contract_id, unit_minutes, count + 1, None, before_ns)
            page = tuple(bar for bar in read if bar[0] < before_ns)[-count:]
        # What is not there may only not be there yet.
        if page and page[-1][0] < self._clock.now_ns() - _READ_AGAIN * unit_minutes * _MINUTE_NS:
            self._pages[key] = page
        if len(self._pages) > _PAGES_MAX:
            del self._pages[next(iter(self._pages))]
        return page

    async def _newest(self, contract_id: str, unit_minutes: int, count: int) -> _Kept:
        key = contract_id, unit_minutes
        kept = self._kept.get(key, ())
        since_ns = kept[-_READ_AGAIN][0] if len(kept) >= max(count, _READ_AGAIN) else None
        read = await self._read(contract_id, unit_minutes, count, since_ns)
        if since_ns is not None and not (read and read[0][0] == since_ns):
            # The end of what is kept is not there: the broker has not, or has more than was asked for.
            kept, read = (), await self._read(contract_id, unit_minutes, count, None)
        first_ns = read[0][0] if read else 0
        bars = (*(bar for bar in kept if bar[0] < first_ns), *read)[-_COUNT_MAX:]
        self._kept.pop(key, None)  # the one that was asked for last stays longest
        self._kept[key] = bars
        if len(self._kept) > _KEPT_MAX:
            del self._kept[next(iter(self._kept))]
        return bars[-count:]

    async def _read(
        self, contract_id: str, unit_minutes: int, count: int, since_ns: int | None, until_ns: int | None = None
    ) -> _Kept:
        """The newest ``count`` bars that begin at ``since_ns`` or later, with their beginnings.

        Up to ``until_ns``, or to the bar under way.
        """
        unit_ns = unit_minutes * _MINUTE_NS
        # The bar under way is wanted too, wherever the broker's clock stands.
        end_ns = self._clock.now_ns() + _MINUTE_NS if until_ns is None else until_ns
        if since_ns is None:
            since_ns = max(0, end_ns - _BACK_NS - count * unit_ns)
        else:
            count = min(_COUNT_MAX, (end_ns - since_ns) // unit_ns + _READ_AGAIN)
        body = messages.BarsBody(
            contract_id=contract_id,
            live=False,
            start_time=instant(since_ns),
            end_time=instant(end_ns),
            unit=messages.BarUnit.MINUTE,
            unit_number=unit_minutes,
            limit=count,
            include_partial_bar=True,
        )
        newest_first = await self._client.bars(body, _PASSAGE)
        return tuple(_bar(row) for row in reversed(newest_first))


def _bar(row: messages.Bar) -> tuple[int, Bar]:
    """A bar and when it begins. Raises ``OutcomeUnknown`` for what is no bar."""
    prices = (row.o, row.h, row.l, row.c)
    if not all(price.is_finite() for price in prices) or not row.l <= min(row.o, row.c) <= max(row.o, row.c) <= row.h:
        raise OutcomeUnknown(f"the broker's bar of {row.t[:40]} contradicts itself")
    try:
        begins_ns = instant_ns(row.t)
    except InputRefused as error:
        raise OutcomeUnknown(f"a bar of the broker's: {error}") from error
    return begins_ns, Bar(instant(begins_ns), *prices, row.v)


def _whole(query: Mapping[str, str], name: str, default: int, largest: int) -> int:
    text = query.get(name, str(default))
    if not (text.isascii() and text.isdecimal() and len(text) <= len(str(largest)) and 1 <= int(text) <= largest):
        raise InputRefused("BAD_QUERY", f"{name} must be a whole number from 1 to {largest}")
    return int(text)


def _json(status: int, body: object) -> Response:
    return Response(status, _encoder.encode(body), _HEADERS)
