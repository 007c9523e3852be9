"""An existing client: it speaks the documented messages over Redis and nothing else, and imports nothing of ours.

Run as a process of its own: ``documented_client.py PORT ACCOUNT DIALECT``, where the dialect is how it places orders:
``order:management`` or ``aggregator:orders``. It plays one session, and ends with 1 where an answer is none of the
documented ones.
"""

from __future__ import annotations

import json
import sys
import time
from collections.abc import Callable
from typing import Any

import redis

WAIT_S = 15.0
HEARD = ("order:management", "aggregator:market-data", "fill:enhanced", "aggregator:position-updates")


class Client:
    """One instance of the manual page; ``say`` is how it places an order."""

    def __init__(self, port: int, account: int, dialect: str) -> None:
        self.account = account
        self.dialect = dialect
        self.instance = "MANUAL_TRADING_V2" if dialect == "order:management" else "MANUAL_TRADING"
        self._redis = redis.Redis("127.0.0.1", port, protocol=2)
        self._listener = self._redis.pubsub(ignore_subscribe_messages=True)  # type: ignore[no-untyped-call]
        self._listener.subscribe(*HEARD)
        self._heard: list[tuple[str, Any]] = []
        self._number = 0

    def fresh(self, kind: str) -> str:
        self._number += 1
        return f"{kind}-{time.time_ns() // 1_000_000}-{self.account}x{self._number}"

    def place(self, **said: Any) -> str:
        order_id = self.fresh("manual")
        order = {
            "instanceId": self.instance,
            "orderId": order_id,
            "accountId": self.account,
            "instrument": "MES",
            "side": "BUY",
            "quantity": 1,
            "orderType": "MARKET",
            "timestamp": time.time_ns() // 1_000_000,
        } | said
        if self.dialect == "order:management":
            self.publish(self.dialect, {"type": "PLACE_ORDER", "payload": order})
        else:
            self.publish(self.dialect, {"type": "MANUAL_ORDER", "source": "manual-trading-v2", "order": order})
        return order_id

    def publish(self, channel: str, message: object) -> None:
        self._redis.publish(channel, json.dumps(message))

    def heard(self, kind: str, order_id: str, wanted: Callable[[Any], bool] = lambda _: True) -> Any:
        """The payload of the first message of this type about this order."""

        def look() -> Any:
            for _, message in self._heard:
                payload = message.get("payload", {})
                about = payload.get("orderId") or payload.get("fill", {}).get("orderId")
                if message.get("type") == kind and about == order_id and wanted(payload):
                    return payload
            return None

        return self._until(look, f"{kind} about {order_id}")

    def asked(self, kind: str, **fields: Any) -> Any:
        """The answer to a request, on a channel of its own."""
        request_id = self.fresh("request")
        channel = f"{kind.lower().replace('_', '-')}-response:{request_id}"
        answers = self._redis.pubsub()  # type: ignore[no-untyped-call]
        answers.subscribe(channel)
        assert answers.get_message(timeout=WAIT_S) is not None
        said = {"type": kind, "requestId": request_id, "responseChannel": channel, "timestamp": 1}
        self.publish("aggregator:requests", said | fields)
        message = answers.get_message(timeout=WAIT_S)
        assert message is not None, f"no answer to {kind}"
        answer = json.loads(message["data"])
        answers.close()
        assert (answer["type"], answer["requestId"]) == (kind, request_id)
        return answer

    def positions(self) -> list[Any]:
        answer = self.asked("GET_POSITIONS", accountId=self.account)
        assert answer["success"] is True, answer
        return list(answer["positions"])

    def until(self, look: Callable[[], Any], what: str) -> Any:
        return self._until(look, what)

    def _until(self, look: Callable[[], Any], what: str) -> Any:
        end = time.monotonic() + WAIT_S
        while True:
            found = look()
            if found:
                return found
            assert time.monotonic() < end, f"not told: {what}; heard {self._heard[-5:]}"
            message = self._listener.get_message(timeout=0.05)
            if message is not None:
                self._heard.append((message["channel"].decode(), json.loads(message["data"])))


def session(client: Client) -> None:
    """Place, be filled, be refused, change, close a part and the rest, cancel."""
    order_id = client.place(quantity=2, stopLossPoints=20, takeProfitPoints=40)
    response = client.heard("ORDER_RESPONSE", order_id)
    assert response["success"] is True, response
    assert response["instanceId"] == client.instance
    assert response["error"] is None
    assert isinstance(response["topStepOrderId"], int)

    filled = client.heard("ORDER_FILLED", order_id)
    assert (filled["side"], filled["filledQuantity"], filled["accountId"]) == ("BUY", 2, client.account)
    levels = client.heard("ENHANCED_FILL", order_id)["sltpLevels"]
    fill_price = levels["calculations"]["fillPrice"]
    assert (levels["stopLoss"], levels["takeProfit"]) == (fill_price - 20, fill_price + 40)
    assert levels["riskRewardRatio"] == 2
    complete = client.heard("BRACKET_ORDER_COMPLETE", order_id)
    assert (complete["success"], complete["stopLoss"]) == (True, fill_price - 20)

    denied = client.place(quantity=50)
    response = client.heard("ORDER_RESPONSE", denied)
    assert response["success"] is False
    assert response["error"].startswith("RISK_VIOLATION: 50 contracts is above the largest order of 10"), response
    rejected = client.heard("ORDER_REJECTED", denied)
    assert rejected["reason"] == "RISK_VIOLATION"
    assert "MAX_ORDER_SIZE" in [violation["type"] for violation in rejected["violations"]]

    (position,) = client.positions()
    assert (position["positionSize"], position["stopLoss"]) == (2, fill_price - 20)
    wanted = {"stopLoss": fill_price - 15, "takeProfit": fill_price + 30}
    changed = client.asked("UPDATE_SLTP", positionId=position["id"], **wanted)
    assert changed["success"] is True, changed

    def moved() -> bool:
        (now,) = client.positions()
        return {name: now[name] for name in wanted} == wanted

    client.until(moved, "the legs where they were asked for")
    contract = position["contractId"]
    part = client.asked("CLOSE_POSITION", accountId=client.account, contractId=contract, closeType="partial", size=1)
    assert part["data"]["success"] is True, part
    client.until(lambda: [row["positionSize"] for row in client.positions()] == [1], "one contract left")
    rest = client.asked("CLOSE_POSITION", accountId=client.account, contractId=contract, closeType="full")
    assert rest["data"]["success"] is True, rest
    client.until(lambda: not client.positions(), "no position")

    client.dialect = "order:management"  # the other one knows market orders only

    def taken() -> str | None:
        resting = client.place(orderType="LIMIT", limitPrice=fill_price - 20, stopLossPoints=10)
        response = client.heard("ORDER_RESPONSE", resting)
        assert response["success"] or "is being closed" in response["error"], response
        return resting if response["success"] else None

    resting = client.until(taken, "an order that rests, once the closing is over")
    payload = {"instanceId": client.instance, "orderId": resting}
    client.publish("order:management", {"type": "CANCEL_ORDER", "payload": payload})
    cancelled = client.heard("ORDER_CANCELLATION_RESPONSE", resting)
    assert (cancelled["success"], cancelled["instanceId"]) == (True, client.instance)

    malformed = client.fresh("manual")
    client.publish("order:management", {"type": "PLACE_ORDER", "payload": {"orderId": malformed, "quantity": "two"}})
    assert client.heard("ORDER_REJECTED", malformed)["reason"]


if __name__ == "__main__":
    port, account, dialect = sys.argv[1:]
    session(Client(int(port), int(account), dialect))
