"""A TopstepX that does nothing: ``python -m bench.broker_side READY EVENTS``, for what the client alone takes.

Every request is answered at once; a hub sends ``EVENTS`` events, encoded beforehand, as soon as it is subscribed to.
"""

from __future__ import annotations

import asyncio
import sys
from pathlib import Path

import msgspec
import uvloop

from ordergate.net import signalr
from ordergate.net.http import HttpNetwork
from ordergate.net.port import Request, Response, Upgrade, WebSocket

ACCOUNT, MES = 1001, "CON.F.US.MES.Z26"
_FRAME_EVENTS = 8  # as a step of a market or a fill makes them
_AT = "2026-11-23T15:00:00.1234567+00:00"
_CONTRACT = {
    "id": MES,
    "name": "MESZ6",
    "description": "",
    "tickSize": 0.25,
    "tickValue": 1.25,
    "activeContract": True,
    "symbolId": "F.US.MES",
}
_ANSWERS: dict[str, dict[str, object]] = {
    "Auth/loginKey": {"token": "h.e30.s"},
    "Account/search": {"accounts": [{"id": ACCOUNT, "name": "PRAC-1", "balance": 50_000, "canTrade": True}]},
    "Contract/available": {"contracts": [_CONTRACT]},
    "Order/place": {"orderId": 3_400_000_001},
}


def user_event(number: int) -> str:
    """Order, trade, position and account in turn, as after fills."""
    row: dict[str, object] = {"accountId": ACCOUNT, "contractId": MES, "creationTimestamp": _AT}
    match number % 4:
        case 0:
            order = {"symbolId": "F.US.MES", "status": 2, "type": 2, "side": 0, "size": 1, "fillVolume": 1}
            order |= {"filledPrice": 7_570.25, "customTag": f"og-{number}", "updateTimestamp": _AT}
            return event("GatewayUserOrder", {"action": 1, "data": row | order | {"id": number}})
        case 1:
            trade = {"price": 7_570.25, "fees": 0.36, "commissions": 0, "side": 0, "size": 1, "voided": False}
            return event("GatewayUserTrade", {"action": 0, "data": row | trade | {"id": number, "orderId": number - 1}})
        case 2:
            held = {"type": 1, "size": 1, "averagePrice": 7_570.25}
            return event("GatewayUserPosition", {"action": 1, "data": row | held | {"id": number}})
    account = {"id": ACCOUNT, "name": "PRAC-1", "balance": 50_000 - number, "canTrade": True}
    return event("GatewayUserAccount", {"action": 1, "data": account | {"isVisible": True, "simulated": True}})


def quote(number: int) -> str:
    """A partial one, as most are."""
    bid = 7_570 + number % 40 * 0.25
    said = {"symbol": "F.US.MES", "bestBid": bid, "bestAsk": bid + 0.25, "lastUpdated": _AT, "timestamp": _AT}
    return event("GatewayQuote", MES, said | {"contract": MES} | ({"lastPrice": bid} if number % 3 == 0 else {}))


def event(target: str, *arguments: object) -> str:
    return signalr.encode(signalr.invocation(target, *arguments))


async def main(ready: Path, count: int) -> None:
    frames = {
        hub: ["".join(made(each) for each in range(at, at + _FRAME_EVENTS)) for at in range(0, count, _FRAME_EVENTS)]
        for hub, made in (("user", user_event), ("market", quote))
    }

    async def answered(request: Request) -> Response | Upgrade:
        if request.path.startswith("/hubs/"):
            return Upgrade(lambda socket: flood(socket, frames[request.path.removeprefix("/hubs/")]))
        body: dict[str, object] = {"success": True, "errorCode": 0, "errorMessage": None}
        answer = msgspec.json.encode(body | _ANSWERS.get(request.path.removeprefix("/api/"), {}))
        return Response(200, answer, {"Content-Type": "application/json"})

    server = await HttpNetwork().serve(answered, host="127.0.0.1", port=0)
    ready.write_text(server.url)
    await asyncio.Event().wait()


async def flood(socket: WebSocket, frames: list[str]) -> None:
    """Shake hands, confirm one subscription, then send everything."""
    protocol = signalr.ServerProtocol()
    while (text := await socket.receive()) is not None:
        for said in protocol.receive(text):
            if isinstance(said, signalr.HandshakeRequest):
                await socket.send(protocol.accept(said))
            elif isinstance(said, signalr.Invocation):
                await socket.send(protocol.complete(said) or "")
                for frame in frames:
                    await socket.send(frame)


if __name__ == "__main__":
    uvloop.run(main(Path(sys.argv[1]), int(sys.argv[2])))
