"""The connection manager's HTTP answers: health, and an account's balance. PURE.

Must never invent: an unknown account is 404, what the broker does not say is null.
"""

from __future__ import annotations

from collections.abc import Mapping
from decimal import Decimal

import msgspec
from msgspec import UNSET, UnsetType

from ordergate.broker.projectx.translate import instant
from ordergate.bus.port import BusHealth
from ordergate.core.reports import AccountReport
from ordergate.net.port import Request, Response

_encoder = msgspec.json.Encoder(decimal_format="number")
_HEADERS = {"content-type": "application/json"}
_DIGITS_MAX = 18


class SeenAccount(msgspec.Struct, frozen=True):
    """An account as the broker last told it, and when we heard."""

    report: AccountReport
    heard_ns: int


class Health(msgspec.Struct, frozen=True, rename="camel"):
    """``status`` is ok or degraded; each part says ok, or why it is not. ``shadow``: nothing is written to it.

    ``redis`` stands only where the other roles are behind one.
    """

    status: str
    user_hub: str
    market_hub: str
    rest: str
    accounts: tuple[int, ...]
    shadow: bool
    redis: BusHealth | UnsetType = UNSET


class Balance(msgspec.Struct, frozen=True, rename="camel"):
    """The balance as existing clients read it (wire notes, section 3, 2026-11-22).

    ``available_balance`` is null: the broker states no margin, so what is available is not known.
    """

    total_balance: Decimal
    available_balance: Decimal | None
    currency: str
    last_updated: str
    account_number: str
    account_id: int
    account_name: str


def answer(request: Request, health: Health, accounts: Mapping[int, SeenAccount]) -> Response:
    """The answer to one request."""
    if request.method != "GET":
        return _json(405, {"error": "only GET is answered here"})
    if request.path == "/health":
        return _json(200 if health.status == "ok" else 503, health)
    if request.path == "/account/balance":
        return _balance(request.query.get("accountId", ""), accounts)
    return _json(404, {"error": "no such path"})


def _balance(account_id: str, accounts: Mapping[int, SeenAccount]) -> Response:
    if not (account_id.isascii() and account_id.isdecimal() and len(account_id) <= _DIGITS_MAX):
        return _json(400, {"error": "accountId must be a number"})
    seen = accounts.get(int(account_id))
    if seen is None:
        return _json(404, {"error": f"account {account_id[:20]} is not known"})
    return _json(
        200,
        Balance(
            total_balance=seen.report.balance_usd,
            available_balance=None,
            currency="USD",
            last_updated=instant(seen.heard_ns),
            account_number=str(seen.report.account_id),
            account_id=seen.report.account_id,
            account_name=seen.report.name,
        ),
    )


def _json(status: int, body: object) -> Response:
    return Response(status, _encoder.encode(body), _HEADERS)
