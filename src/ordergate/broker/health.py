"""The connection manager's health: each thing that it stands on, by what was really seen of it. PURE.

Must never call well what it has not seen work. "Connected" is no evidence: a hub is judged by its subscriptions, the
market by the age of its quotes, REST by its last answer, the record by its last write, the gate by its last word.

Invariants:
1. The whole is ok only if no part is worse than ``untried``; each part that is not says why, and is an alert.
2. A number carries its unit in its name, and is null where nothing was seen.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

import msgspec
from msgspec import UNSET, UnsetType

from ordergate.bus.port import BusHealth
from ordergate.core.contracts import PRODUCT_BY_SYMBOL
from ordergate.core.instrument import Instrument
from ordergate.core.reports import Quote
from ordergate.core.sessions import utc_text, window

OK = "ok"
# Not used since the start: neither proven nor at fault.
UNTRIED = "untried"
# A contract that trades is quoted several times a second (ProjectX API notes, section 8.5, 2026-11-22: 42 quotes a
# second of several). UNVERIFIED for the quietest product at night and on half holidays.
QUOTE_AGE_MS_MAX = 60_000
_MS_NS = 1_000_000


class Part(msgspec.Struct, frozen=True, rename="camel", kw_only=True):
    """One thing that the connection manager stands on. ``why`` is empty where ``status`` is ok."""

    status: str
    why: str


class UserHub(Part, frozen=True, rename="camel", kw_only=True):
    """Its events come with orders, so a quiet hub is no fault; one that is quiet of an order is connected anew."""

    subscriptions: int
    last_event_age_ms: int | None


class QuotedContract(msgspec.Struct, frozen=True, rename="camel", kw_only=True):
    """``in_session``: the exchange's calendar has it open now, so quotes must come."""

    contract_id: str
    instrument: str
    in_session: bool
    quote_age_ms: int | None


class MarketHub(Part, frozen=True, rename="camel", kw_only=True):
    """``stale`` where it is connected and a wanted contract is not quoted while it should be."""

    oldest_quote_age_ms: int | None
    contracts: tuple[QuotedContract, ...]


class RestPart(Part, frozen=True, rename="camel", kw_only=True):
    last_answer_age_ms: int | None
    last_answer_took_ms: int | None
    last_failure: str
    last_failure_age_ms: int | None


class Token(Part, frozen=True, rename="camel", kw_only=True):
    age_ms: int | None
    expires_in_ms: int | None


class RequestRoom(Part, frozen=True, rename="camel", kw_only=True):
    """Requests that may leave now; ``reserve`` of ``requests_max`` are for exits alone."""

    requests_max: int
    window_ms: int
    reserve: int
    left: int
    left_for_exits: int
    pause_ms: int


class RedisPart(Part, frozen=True, rename="camel", kw_only=True):
    """``connected_since`` as the bus tells it."""

    connected_since: str | None


class Record(Part, frozen=True, rename="camel", kw_only=True):
    """The record of used approvals. ``failing``: no new risk leaves; stops and closes go on without it."""

    last_write_age_ms: int | None


class GatePart(Part, frozen=True, rename="camel", kw_only=True):
    last_heard_age_ms: int | None


class Components(msgspec.Struct, frozen=True, rename="camel", kw_only=True):
    """``redis`` is null where all roles are one process."""

    user_hub: UserHub
    market_hub: MarketHub
    rest: RestPart
    token: Token
    request_budget: RequestRoom
    journal: Record
    gate: GatePart
    redis: RedisPart | None


class Health(msgspec.Struct, frozen=True, rename="camel", kw_only=True):
    """``status`` is ok or degraded, ``overall`` the same in the documented words, ``components`` why.

    ``user_hub``, ``market_hub`` and ``rest`` say ok, or why not, for those who read no more. ``shadow``: nothing is
    written to the broker. ``redis`` stands only where the other roles are behind one.
    """

    status: str
    overall: str
    components: Components
    alerts: tuple[str, ...]
    last_check: str
    uptime: int
    timestamp: str
    user_hub: str
    market_hub: str
    rest: str
    accounts: tuple[int, ...]
    shadow: bool
    redis: BusHealth | UnsetType = UNSET


def health(
    parts: Components,
    *,
    accounts: tuple[int, ...],
    shadow: bool,
    started_ns: int,
    now_ns: int,
    redis: BusHealth | None,
) -> Health:
    """The whole. ``uptime`` is in milliseconds, as documented."""
    alerts = tuple(f"{name}: {part.why}" for name, part in _named(parts) if part.status not in (OK, UNTRIED))
    return Health(
        status="degraded" if alerts else OK,
        overall="ERROR" if alerts else "HEALTHY",
        components=parts,
        alerts=alerts,
        last_check=utc_text(now_ns),
        uptime=(now_ns - started_ns) // _MS_NS,
        timestamp=utc_text(now_ns),
        user_hub=parts.user_hub.why or OK,
        market_hub=parts.market_hub.why or OK,
        rest=parts.rest.why or OK,
        accounts=accounts,
        shadow=shadow,
        redis=redis or UNSET,
    )


def market_hub(
    fault: str,
    wanted: Mapping[str, int],
    instruments: Mapping[str, Instrument],
    quotes: Mapping[str, Quote],
    now_ns: int,
) -> MarketHub:
    """``wanted`` says of each contract since when its quotes must come: nobody is late who was asked just now.

    Nor is a product whose session has just begun.
    """
    opened = {each: _opened_ns(instruments.get(each), now_ns) for each in wanted}
    contracts = tuple(_contract(each, instruments.get(each), quotes.get(each), opened[each], now_ns) for each in wanted)
    ages = [row.quote_age_ms for row in contracts if row.quote_age_ms is not None]
    silent = [
        row.instrument
        for row, since_ns in zip(contracts, wanted.values(), strict=True)
        if row.in_session
        and (now_ns - max(since_ns, opened[row.contract_id] or 0)) // _MS_NS > QUOTE_AGE_MS_MAX
        and (row.quote_age_ms is None or row.quote_age_ms > QUOTE_AGE_MS_MAX)
    ]
    why = fault
    if silent and not fault:
        why = f"connected, but for {QUOTE_AGE_MS_MAX // 1_000} s or more no quote of {', '.join(silent)}"
    return MarketHub(
        status="down" if fault else "stale" if silent else OK,
        why=why,
        oldest_quote_age_ms=max(ages, default=None),
        contracts=contracts,
    )


def token(lifetime_ns: tuple[int, int] | None, now_ns: int, fault: str = "") -> Token:
    """``lifetime_ns``: when the token came and when it expires; ``fault``: why its last renewal failed, or empty."""
    if lifetime_ns is None:
        why = f"there is no token: {fault}" if fault else "there is no token; the next request logs in"
        return Token(status="none", why=why, age_ms=None, expires_in_ms=None)
    issued_ns, expires_ns = lifetime_ns
    left_ms = (expires_ns - now_ns) // _MS_NS
    status, why = OK, ""
    if left_ms <= 0:
        status, why = "expired", "the token has expired and could not be renewed"
    elif fault:
        status, why = "failing", f"the token could not be renewed, it serves on: {fault}"
    age_ms = (now_ns - issued_ns) // _MS_NS
    return Token(status=status, why=why, age_ms=age_ms, expires_in_ms=left_ms)


def request_room(
    *, requests_max: int, window_s: float, reserve: int, left: int, left_for_exits: int, pause_s: float
) -> RequestRoom:
    """``pause_s`` > 0: the broker has answered 429."""
    status, why = OK, ""
    if not left_for_exits:
        status, why = "used up", "the broker's request limit is used up, for exits too"
    elif pause_s > 0:
        status, why = "paused", f"the broker has answered 429: for {pause_s:.0f} s nothing but exits leaves"
    elif not left:
        status, why = "reserve only", "the broker's request limit is used up but for what is kept for exits"
    return RequestRoom(
        status=status,
        why=why,
        requests_max=requests_max,
        window_ms=round(window_s * 1_000),
        reserve=reserve,
        left=left,
        left_for_exits=left_for_exits,
        pause_ms=round(pause_s * 1_000),
    )


def record(failure: str, written_ns: int | None, now_ns: int) -> Record:
    """The record of used approvals, by how its last write ended."""
    status = "failing" if failure else UNTRIED if written_ns is None else OK
    why = f"the record of used approvals cannot be written: {failure}" if failure else ""
    if status == UNTRIED:
        why = "nothing was sent since the start, so nothing was written"
    age_ms = None if written_ns is None else (now_ns - written_ns) // _MS_NS
    return Record(status=status, why=why, last_write_age_ms=age_ms)


def redis(seen: BusHealth | None) -> RedisPart | None:
    """What the bus knows of its server."""
    if seen is None:
        return None
    why = "" if seen.connected_since else f"not connected: {seen.last_error or 'no reason is known'}"
    return RedisPart(status="down" if why else OK, why=why, connected_since=seen.connected_since)


def figures(seen: Health) -> dict[str, int]:
    """Every number of the parts by its place, such as ``requestBudget.left``; what is null is left out.

    ``<part>.ok`` is 1 or 0 for each part, and for the whole; a contract's numbers are named by its instrument.
    """
    found = {"ok": int(seen.status == OK), "uptimeMs": seen.uptime}
    for name, part in _named(seen.components):
        found[f"{name}.ok"] = int(part.status in (OK, UNTRIED))
        found |= _numbers(name, msgspec.to_builtins(part))
    for contract in seen.components.market_hub.contracts:
        found |= _numbers(f"marketHub.{contract.instrument}", msgspec.to_builtins(contract))
    return found


def _numbers(name: str, row: dict[str, Any]) -> dict[str, int]:
    return {f"{name}.{key}": int(value) for key, value in row.items() if isinstance(value, int)}


def _named(parts: Components) -> Iterator[tuple[str, Part]]:
    """Each part that there is, by the name that it has in JSON."""
    for field in msgspec.structs.fields(Components):
        part = getattr(parts, field.name)
        if part is not None:
            yield field.encode_name, part


def _opened_ns(instrument: Instrument | None, now_ns: int) -> int | None:
    """When the session of ``instrument`` began that runs now.

    None too for a contract of which the broker has told nothing, as may be held on paper: it is in none that we know.
    """
    product = None if instrument is None else PRODUCT_BY_SYMBOL.get(instrument.symbol)
    session = None if product is None else window(product.group, now_ns)
    return None if session is None else session.opens_ns


def _contract(
    contract_id: str, instrument: Instrument | None, quote: Quote | None, opened_ns: int | None, now_ns: int
) -> QuotedContract:
    return QuotedContract(
        contract_id=contract_id,
        instrument=contract_id if instrument is None else instrument.symbol,
        in_session=opened_ns is not None,
        quote_age_ms=None if quote is None else (now_ns - quote.at_ns) // _MS_NS,
    )
