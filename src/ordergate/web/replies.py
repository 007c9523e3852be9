"""What the HTTP API answers with: its JSON, and which status belongs to which code.

Every failure of every route has one shape, ``Failure``; the code is stable, the text is for people.
"""

from __future__ import annotations

from typing import Any

import msgspec
from msgspec import UNSET, UnsetType

from ordergate.core import answers
from ordergate.core.account import Group
from ordergate.core.commands import Answer, Nearest
from ordergate.core.events import ApprovalKind
from ordergate.core.instrument import Instrument
from ordergate.core.preview import Preview
from ordergate.errors import InputRefused
from ordergate.net import guard
from ordergate.net.port import Response
from ordergate.web.rows import BreachRow, NearestRow, PreviewRow
from ordergate.web.views import breach_row

JSON_HEADERS = {
    "content-type": "application/json",
    "cache-control": "no-store",
    "x-content-type-options": "nosniff",
}

# 403, 404, 405 and 415 are about the request itself; 409: it was understood, and things are not as it supposes;
# 503: try again; 504: not known. What is not here is bad input: 400.
STATUS = {
    **guard.STATUS,
    "NOT_FOUND": 404,
    "NO_PRICE": 404,
    answers.UNKNOWN_ORDER: 404,
    answers.UNKNOWN_POSITION: 404,
    "METHOD_NOT_ALLOWED": 405,
    "BODY_TOO_LARGE": 413,
    "AMBIGUOUS_INSTRUMENT": 409,
    "BUSY": 409,
    "CANCELLED": 409,
    "NOT_OURS": 409,
    "REDUCE_ONLY": 409,
    "TRADING_HALTED": 409,
    answers.ALREADY_FINAL: 409,
    answers.LOCKED_OUT: 409,
    answers.ORDER_ID_REUSED: 409,
    answers.PROTECTIVE_STOP: 409,
    "HALTED": 503,
    "JOURNAL_UNAVAILABLE": 503,
    "QUEUE_FULL": 503,
    "BARS_UNAVAILABLE": 503,
    "STARTING": 503,
    "TOO_MANY_CLIENTS": 503,
    "UNDECIDED": 504,
}
BAD_INPUT = 400
# What a preview calls an order that leaves without being held to the limits.
_DECISIONS = {ApprovalKind.OVERRIDDEN: "overridden", ApprovalKind.PASSED: "passed"}
DENIED = 422

# Money and prices are written as JSON numbers, digit by digit from the exact decimal.
_encoder = msgspec.json.Encoder(decimal_format="number")


class Failure(msgspec.Struct, frozen=True, rename="camel"):
    """The one shape of a failure. ``field`` and ``orderId`` stand only where there is one to name.

    ``nearest`` stands where an order or its change is denied: the nearest that would pass now, null where none would.
    ``shadow`` is as in ``Done``.
    """

    success: bool
    error: str
    code: str
    field: str | UnsetType
    order_id: str | UnsetType
    breaches: tuple[BreachRow, ...]
    nearest: NearestRow | UnsetType | None = UNSET
    shadow: bool | UnsetType = UNSET


class Done(msgspec.Struct, frozen=True, rename="camel"):
    """Decided and durable. ``finished``: the exits it started are over; ``flat``: nothing is held where they were.

    ``locked_until`` is when the lockout ends that was asked for. ``shadow``: true, and there, only in shadow mode,
    where what was asked for is done on paper and nothing reaches the broker.
    """

    success: bool = True
    order_id: str | UnsetType = UNSET
    contract_id: str | UnsetType = UNSET
    finished: bool | UnsetType = UNSET
    flat: bool | UnsetType = UNSET
    locked_until: str | UnsetType = UNSET
    shadow: bool | UnsetType = UNSET


def encode(row: Any) -> bytes:
    return _encoder.encode(row)


def reply(row: Any, status: int = 200) -> Response:
    return Response(status, encode(row), JSON_HEADERS)


def done(
    answer: Answer,
    *,
    finished: bool | UnsetType = UNSET,
    flat: bool | UnsetType = UNSET,
    shadow: bool | UnsetType = UNSET,
) -> Response:
    """The answer to a command that was decided as asked."""
    return reply(
        Done(
            order_id=answer.order_id or UNSET,
            contract_id=answer.contract_id or UNSET,
            finished=finished,
            flat=flat,
            shadow=shadow,
        )
    )


def declined(
    answer: Answer,
    status: int | None = None,
    nearest: NearestRow | UnsetType | None = UNSET,
    *,
    shadow: bool | UnsetType = UNSET,
) -> Response:
    """The answer to a command that was not carried out; ``status`` where the code alone does not tell."""
    failure = Failure(
        success=False,
        error=answer.message,
        code=answer.code,
        field=answer.field or UNSET,
        order_id=answer.order_id or UNSET,
        breaches=tuple(breach_row(breach) for breach in answer.breaches),
        nearest=nearest,
        shadow=shadow,
    )
    return reply(failure, status or (DENIED if answer.breaches else STATUS.get(answer.code, BAD_INPUT)))


def refused(error: InputRefused) -> Response:
    """The answer to a request that never became a command."""
    failure = Failure(
        success=False,
        error=error.message,
        code=error.code,
        field=error.field or UNSET,
        order_id=UNSET,
        breaches=(),
    )
    return reply(failure, STATUS.get(error.code, BAD_INPUT))


def nearest_row(instrument: Instrument, nearest: Nearest | None) -> NearestRow | None:
    if nearest is None:
        return None
    limit, stop = nearest.limit_ticks, nearest.stop_ticks
    return NearestRow(
        nearest.quantity,
        None if limit is None else instrument.price(limit),
        None if stop is None else instrument.price(stop),
    )


def preview_row(group: Group, instrument: Instrument, seen: Preview) -> PreviewRow:
    return PreviewRow(
        decision="denied" if seen.breaches else _DECISIONS.get(seen.ground, "approved"),
        breaches=tuple(breach_row(breach) for breach in seen.breaches or seen.overridden),
        worst_position=seen.worst_position,
        loss_at_stop=seen.loss_at_stop_usd,
        room=seen.room,
        binds_next=seen.binds_next,
        nearest=nearest_row(instrument, seen.nearest),
        as_of=group.version,
    )
