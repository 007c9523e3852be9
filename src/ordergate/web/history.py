"""Bars for the page's chart, fetched from the connection manager, which alone may ask the broker.

It must never hold up anything else: what does not come in time is BARS_UNAVAILABLE, and the chart begins empty.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from http import HTTPStatus
from urllib.parse import urlencode

from ordergate.core.account import Group
from ordergate.core.instrument import symbol_instrument
from ordergate.errors import InputRefused, TransportError
from ordergate.net.port import Network, Response
from ordergate.web.replies import JSON_HEADERS

PATH = "/api/bars"
_TIMEOUT_S = 5.0
_WHOLE = re.compile(r"[0-9]{1,4}")
_INSTANT = re.compile(r"[0-9-]{10}T[0-9:.]{8,18}(Z|[+-][0-9]{2}:[0-9]{2})")


class Bars:
    """``url`` is the connection manager's origin."""

    def __init__(self, network: Network, url: str) -> None:
        self._network = network
        self._url = url

    async def answer(self, group: Group, query: Mapping[str, str]) -> Response:
        """The bars of ``symbol``'s active contract, or of a contract id, as the connection manager tells them.

        Raises ``InputRefused``.
        """
        contract_id = symbol_instrument(group.instruments, query.get("symbol", ""), "symbol").contract_id
        asked = {"contractId": contract_id}
        for name, shape, what in (
            ("unitMinutes", _WHOLE, "a whole number"),
            ("count", _WHOLE, "a whole number"),
            ("before", _INSTANT, "an instant with a zone, such as 2026-11-23T15:00:00Z"),
        ):
            if name in query:
                if not shape.fullmatch(query[name]):
                    raise InputRefused("BAD_QUERY", f"{name} must be {what}", name)
                asked[name] = query[name]
        try:
            url = f"{self._url}{PATH}?{urlencode(asked)}"
            found = await self._network.request("GET", url, timeout_s=_TIMEOUT_S)
        except TransportError as error:
            raise InputRefused("BARS_UNAVAILABLE", f"the connection manager does not answer: {error}") from error
        if found.status == HTTPStatus.BAD_REQUEST:
            raise InputRefused("BAD_QUERY", "unitMinutes is 1 to 60, count is 1 to 1500 and before an instant")
        if found.status != HTTPStatus.OK:
            raise InputRefused("BARS_UNAVAILABLE", "the broker does not answer with bars now; try again in a moment")
        return Response(200, found.body, JSON_HEADERS)
