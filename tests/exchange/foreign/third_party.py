"""A bot's connections by signalrcore: python third_party.py ORIGIN TOKEN ACCOUNT CONTRACT WAY.

One line of JSON for each thing that happens; it ends when its stdin does.
"""

from __future__ import annotations

import json
import logging
import os
import sys
import threading
from collections.abc import Callable
from typing import Any

from signalrcore.hub_connection_builder import HubConnectionBuilder  # type: ignore[import-untyped]

# Whether it negotiates, and whether the token is in a header or in the query.
WAYS = {
    "negotiated": (True, "header"),
    "negotiated by query": (True, "query"),
    "header": (False, "header"),
    "query": (False, "query"),
}
USER = ("GatewayUserAccount", "GatewayUserOrder", "GatewayUserPosition", "GatewayUserTrade")


_speaking = threading.Lock()  # each connection has a thread of its own


def say(line: dict[str, Any]) -> None:
    with _speaking:
        print(json.dumps(line), flush=True)  # noqa: T201 - it is what this program is for


def teller(name: str) -> Callable[[list[Any]], None]:
    return lambda arguments: say({"event": name, "arguments": arguments})


def connected(url: str, token: str, way: str, names: tuple[str, ...]) -> Any:
    negotiates, place = WAYS[way]
    options: dict[str, Any] = {"skip_negotiation": not negotiates}
    query = f"?access_token={token}" if place == "query" else ""
    if place == "header":
        options["headers" if not negotiates else "access_token_factory"] = (
            {"Authorization": f"Bearer {token}"} if not negotiates else lambda: token
        )
    connection = HubConnectionBuilder().with_url(url + query, options=options).configure_logging(logging.ERROR).build()
    opened = threading.Event()
    connection.on_open(opened.set)
    for name in names:
        connection.on(name, teller(name))
    connection.start()
    assert opened.wait(10), "the hub did not open"
    return connection


def main() -> None:
    origin, token, account, contract, way = sys.argv[1:]
    user = connected(f"{origin}/hubs/user", token, way, USER)
    user.send("SubscribeAccounts", [])
    for name in ("Orders", "Positions", "Trades"):
        user.send(f"Subscribe{name}", [int(account)])
    market = connected(f"{origin}/hubs/market", token, way, ("GatewayQuote", "GatewayTrade"))
    quoted = threading.Event()
    market.on("GatewayQuote", lambda _: quoted.set())
    market.send("SubscribeContractQuotes", [contract])
    refused, lives = threading.Event(), threading.Event()

    def note(message: Any) -> None:
        say({"error": message.error})
        refused.set()

    user.on_error(note)
    user.send("Nonsense", [], lambda _: refused.set())
    assert refused.wait(10), "an unknown method was not answered"
    user.send("SubscribeAccounts", [], lambda _: lives.set())
    assert lives.wait(10), "the connection did not outlive it"
    assert quoted.wait(10), "the other connection has a thread of its own, and told no quote"
    say({"ready": True})
    sys.stdin.read()
    say({"ended": True})
    os._exit(0)  # its own stop waits until it is sent something (1.0.2), which is a ping after 15 s


if __name__ == "__main__":
    main()
