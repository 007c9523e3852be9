"""The documented calls over HTTP: true, or not said."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import msgspec
import pytest

from ordergate.bus import topics
from ordergate.bus.port import Topic
from ordergate.core.commands import Answer, UpdateProtection
from ordergate.core.effects import ReadSnapshot
from ordergate.core.reports import BrokerSnapshot, LinkReport
from ordergate.net.port import Response
from tests.broker.stand_in import ACCOUNT, MNQ, Desk, position
from tests.simulation.virtual_time import run

POSITION = f"{ACCOUNT}:{MNQ}"
JSON = {"content-type": "application/json"}
PROTECT = "/api/position/update-sltp"


class Open:
    """A connection manager that serves, in front of the stand-in."""

    def __init__(self, desk: Desk, url: str) -> None:
        self.desk = desk
        self._url = url

    async def call(
        self, path: str, body: object = None, *, method: str = "", headers: dict[str, str] = JSON, within_s: float = 10
    ) -> tuple[int, dict[str, Any]]:
        response = await self.desk.network.request(
            method or ("GET" if body is None else "POST"),
            self._url + path,
            headers=headers,
            body=b"" if body is None else msgspec.json.encode(body),
            timeout_s=within_s,
        )
        return response.status, msgspec.json.decode(response.body)

    async def positions(self) -> tuple[int, dict[str, Any]]:
        return await self.call(f"/api/positions?accountId={ACCOUNT}")

    async def read(self) -> None:
        """The gate asks for a reading, as it does whenever the link comes up."""
        await self.desk.send(ReadSnapshot(ACCOUNT, 0), Topic.EXITS)
        await self.desk.report(BrokerSnapshot)

    async def quoted(self, bid: float, ask: float) -> None:
        await self.desk.broker.say("market", "GatewayQuote", MNQ, {"bestBid": bid, "bestAsk": ask})
        await asyncio.sleep(0.01)

    async def told(self, target: str, row: dict[str, Any]) -> None:
        """An event of the user hub."""
        await self.desk.broker.say("user", target, {"action": 1, "data": row})
        await asyncio.sleep(0.01)

    async def back(self) -> None:
        """The user hub is lost, and comes back."""
        await self.desk.broker.drop("user")
        await self.desk.report(LinkReport, lambda link: not link.up)
        await self.desk.report(LinkReport, lambda link: link.up)


@asynccontextmanager
async def serving(*, until_linked: bool = True, **settings: Any) -> AsyncIterator[Open]:
    desk = Desk(**settings)
    async with desk.open(until_linked=until_linked) as manager:
        server = await manager.serve("127.0.0.1", 0)
        try:
            yield Open(desk, server.url)
        finally:
            await server.close()


@asynccontextmanager
async def gate(desk: Desk, *answers: Answer) -> AsyncIterator[list[UpdateProtection]]:
    """Whoever is asked on ``orders``: it gives ``answers`` in turn, then none. The commands that came."""
    asked: list[UpdateProtection] = []
    orders = desk.bus.consume(Topic.ORDERS, "gate")
    ready = list(answers)

    async def decide() -> None:
        async for message in orders:
            command = topics.request(message)
            assert isinstance(command, UpdateProtection)
            asked.append(command)
            if ready:
                answer = msgspec.structs.replace(ready.pop(0), request_id=command.request_id)
                await desk.bus.send(Topic.EVENTS, topics.encode(answer))

    await desk.bus.send(Topic.EVENTS, topics.encode(topics.Alive(1)))
    await asyncio.sleep(0.01)
    deciding = asyncio.create_task(decide())
    try:
        yield asked
    finally:
        orders.close()
        await deciding


YES = Answer("", ok=True)


# Balances.


def test_the_balance_is_the_brokers_and_what_it_does_not_say_is_null() -> None:
    async def main() -> None:
        async with serving() as at:
            status, balance = await at.call(f"/account/balance?accountId={ACCOUNT}")
            assert status == 200
            assert balance.pop("lastUpdated").startswith("2026-11-23T15:00:00")
            assert 0 <= balance.pop("ageMs") < 1_000
            assert balance == {
                "totalBalance": 50000.25,
                "availableBalance": None,
                "currency": "USD",
                "accountNumber": str(ACCOUNT),
                "accountId": ACCOUNT,
                "accountName": "PRAC-1",
            }

    run(main())


def test_while_the_broker_is_away_the_last_known_balance_is_told_with_its_age_and_never_as_a_success() -> None:
    async def main() -> None:
        async with serving() as at:
            await asyncio.sleep(7)
            await at.desk.broker.drop("market")
            await at.desk.report(LinkReport, lambda link: not link.up)
            status, away = await at.call(f"/account/balance?accountId={ACCOUNT}")
            assert (status, away["success"], away["code"]) == (503, False, "BROKER_AWAY")
            assert 7_000 <= away["ageMs"] < 8_000
            assert away["lastKnown"]["totalBalance"] == 50000.25
            assert away["error"] == "the broker is not seen: market hub: closed by the broker"

    run(main())


def test_a_balance_from_before_the_user_hub_was_lost_is_not_told_as_of_now_until_it_is_read_again() -> None:
    async def main() -> None:
        async with serving() as at:
            await at.back()
            path = f"/account/balance?accountId={ACCOUNT}"
            status, away = await at.call(path)
            assert (status, away["lastKnown"]["totalBalance"]) == (503, 50000.25)
            assert "not read since the user hub came back" in away["error"]
            await at.told("GatewayUserAccount", {"id": ACCOUNT, "name": "PRAC-1", "balance": 7.5, "canTrade": True})
            status, told = await at.call(path)
            assert (status, told["totalBalance"]) == (200, 7.5)

    run(main())


@pytest.mark.parametrize("path", ["/account/balance", "/api/positions"])
@pytest.mark.parametrize(
    ("query", "status", "code"),
    [
        ("?accountId=102", 404, "UNKNOWN_ACCOUNT"),
        ("", 400, "BAD_ACCOUNT_ID"),
        ("?accountId=-1", 400, "BAD_ACCOUNT_ID"),
        ("?accountId=" + "9" * 5000, 400, "BAD_ACCOUNT_ID"),
        ("?accountId=%C2%B2", 400, "BAD_ACCOUNT_ID"),
    ],
)
def test_an_account_that_is_not_known_is_never_answered_with_another(
    path: str, query: str, status: int, code: str
) -> None:
    async def main() -> None:
        async with serving() as at:
            await at.read()
            answer = await at.call(path + query)
            assert (answer[0], answer[1]["code"]) == (status, code)
            assert set(answer[1]) == {"success", "error", "code", "field"}

    run(main())


def test_before_the_broker_was_reached_no_account_is_called_unknown_and_nothing_is_invented() -> None:
    async def main() -> None:
        async with serving(until_linked=False) as at:
            for path in (f"/account/balance?accountId={ACCOUNT}", "/api/positions?accountId=1", "/current-account/ui"):
                status, away = await at.call(path)
                assert (status, away["code"]) == (503, "BROKER_AWAY")
                assert away["ageMs"] is away["lastKnown"] is None

    run(main())


# Positions.


def test_positions_are_the_brokers_with_its_own_orders_and_quotes() -> None:
    async def main() -> None:
        async with serving() as at:
            at.desk.broker.positions = [position(1, 2)]
            place = {"accountId": ACCOUNT, "contractId": MNQ, "side": 1, "size": 2}
            at.desk.broker.placed(place | {"type": 4, "stopPrice": 19_980})
            at.desk.broker.placed(place | {"type": 4, "stopPrice": 19_990})
            at.desk.broker.placed(place | {"type": 1, "limitPrice": 20_040})
            at.desk.broker.placed(place | {"type": 1, "limitPrice": 20_020})
            at.desk.broker.placed(place | {"type": 1, "limitPrice": 19_000, "side": 0})
            await at.read()
            await at.quoted(20_010, 20_010.25)
            before = len(at.desk.broker.asked)
            status, told = await at.positions()
            assert len(at.desk.broker.asked) == before, "who looks costs no request"
            assert (status, told["success"], told["accountId"]) == (200, True, ACCOUNT)
            assert told["positions"] == [
                {
                    "id": POSITION,
                    "accountId": ACCOUNT,
                    "instrument": "MNQ",
                    "symbol": "MNQ",
                    "contractId": MNQ,
                    "side": "LONG",
                    "quantity": 2,
                    "avgPrice": 20_000,
                    "currentPrice": 20_010,
                    "unrealizedPnL": 40,
                    "realizedPnL": None,
                    "stopLoss": 19_990,
                    "takeProfit": 20_020,
                    "stopLossOrderId": 9002,
                    "takeProfitOrderId": 9004,
                    "toMake": None,
                    "risk": None,
                    "orderId": None,
                    "openTime": None,
                    "_raw": None,
                }
            ]
            await asyncio.sleep(6)
            (row,) = (await at.positions())[1]["positions"]
            assert row["currentPrice"] is row["unrealizedPnL"] is None, "a price of six seconds ago is none"

    run(main())


def test_of_a_short_the_first_stop_is_the_lowest_and_the_first_target_the_highest() -> None:
    async def main() -> None:
        async with serving() as at:
            at.desk.broker.positions = [position(2, 1)]
            place = {"accountId": ACCOUNT, "contractId": MNQ, "side": 0, "size": 1}
            for level in (20_020, 20_010):
                at.desk.broker.placed(place | {"type": 4, "stopPrice": level})
            for level in (19_980, 19_990):
                at.desk.broker.placed(place | {"type": 1, "limitPrice": level})
            await at.read()
            await at.quoted(19_990, 19_990.25)
            (row,) = (await at.positions())[1]["positions"]
            assert (row["side"], row["stopLoss"], row["takeProfit"]) == ("SHORT", 20_010, 19_990)
            assert (row["currentPrice"], row["unrealizedPnL"]) == (19_990.25, 19.5)

    run(main())


def test_positions_follow_every_word_of_the_user_hub() -> None:
    async def main() -> None:
        async with serving() as at:
            await at.read()
            assert (await at.positions())[1]["positions"] == []
            await at.told("GatewayUserPosition", position(1, 3))
            stop = {"accountId": ACCOUNT, "contractId": MNQ, "side": 1, "size": 3, "type": 4, "stopPrice": 19_990}
            order = at.desk.broker.placed(stop)
            await at.told("GatewayUserOrder", order)
            (row,) = (await at.positions())[1]["positions"]
            assert (row["quantity"], row["stopLoss"], row["stopLossOrderId"]) == (3, 19_990, order["id"])
            await at.told("GatewayUserOrder", order | {"status": 3})
            (row,) = (await at.positions())[1]["positions"]
            assert row["stopLoss"] is row["stopLossOrderId"] is None
            await at.told("GatewayUserPosition", position(0, 0))
            status, told = await at.positions()
            assert (status, told["positions"]) == (200, [])
            assert told["ageMs"] < 100

    run(main())


def test_a_reading_undoes_nothing_that_the_hub_has_said_since_it_began() -> None:
    async def main() -> None:
        async with serving() as at:
            broker = at.desk.broker
            held = position(1, 2)
            stop = {"accountId": ACCOUNT, "contractId": MNQ, "side": 1, "size": 2, "type": 4}
            ended, began = broker.placed(stop | {"stopPrice": 19_990}), asyncio.Event()
            old = dict(ended)

            async def slow(_body: dict[str, Any]) -> dict[str, Any]:
                began.set()
                await asyncio.sleep(1)
                return {"positions": [held]}

            broker.script["Position/searchOpen"] = slow
            broker.script["Order/searchOpen"] = lambda _body: {"orders": [old]}
            broker.script["Order/search"] = lambda _body: {"orders": []}
            reading = asyncio.create_task(at.read())
            await began.wait()
            await at.told("GatewayUserPosition", position(1, 1))
            await at.told("GatewayUserOrder", old | {"status": 3})
            new = broker.placed(stop | {"stopPrice": 19_980})
            await at.told("GatewayUserOrder", new)
            await reading
            (row,) = (await at.positions())[1]["positions"]
            assert (row["quantity"], row["stopLossOrderId"]) == (1, new["id"])
            broker.script.clear()
            broker.positions, broker.orders = [], []
            await at.read()
            assert (await at.positions())[1]["positions"] == []

    run(main())


def test_positions_are_not_told_as_of_now_before_they_were_read_nor_after_the_user_hub_was_lost() -> None:
    async def main() -> None:
        async with serving() as at:
            await at.told("GatewayUserPosition", position(1, 1))
            status, away = await at.positions()
            assert (status, away["ageMs"], away["lastKnown"]) == (503, None, None), "there may be others beside it"
            at.desk.broker.positions = [position(1, 2)]
            await at.read()
            assert (await at.positions())[0] == 200
            await asyncio.sleep(3)
            await at.back()
            status, away = await at.positions()
            assert (status, away["code"], away["lastKnown"]["positions"][0]["quantity"]) == (503, "BROKER_AWAY", 2)
            assert away["ageMs"] >= 3_000
            at.desk.broker.positions = []
            await at.read()
            status, told = await at.positions()
            assert (status, told["positions"]) == (200, [])

    run(main())


def test_in_shadow_mode_balance_and_positions_are_the_paper_books_and_say_so() -> None:
    async def main() -> None:
        async with serving(shadow=True) as at:
            at.desk.broker.positions = [position(2, 9)]
            await at.quoted(20_000, 20_000.25)
            await at.desk.send(at.desk.approved())
            await at.read()
            status, told = await at.positions()
            assert (status, told["shadow"]) == (200, True)
            assert [(row["side"], row["quantity"], row["avgPrice"]) for row in told["positions"]] == [
                ("LONG", 1, 20_000.25)
            ]
            status, told = await at.call(f"/account/balance?accountId={ACCOUNT}")
            assert (status, told["shadow"], told["totalBalance"]) == (200, True, 49_999.89)

    run(main())


# What is asked of the gate.


def test_new_levels_are_asked_of_the_gate_and_never_of_the_broker() -> None:
    async def main() -> None:
        async with serving() as at, gate(at.desk, YES) as asked:
            before = len(at.desk.broker.asked)
            body = {"positionId": POSITION, "stopLoss": 19_990.25, "takeProfit": None}
            assert await at.call(PROTECT, body) == (200, {"success": True} | body)
            (command,) = asked
            assert (command.account_id, command.contract_id) == (ACCOUNT, MNQ)
            assert (command.stop_ticks, command.target_ticks) == (79_961, None)
            assert len(at.desk.broker.asked) == before

    run(main())


def test_what_the_gate_refuses_is_refused_in_its_words() -> None:
    async def main() -> None:
        gone = Answer("", ok=False, code="UNKNOWN_POSITION", message="no position in it", field="instrument")
        async with serving() as at, gate(at.desk, gone):
            status, told = await at.call(PROTECT, {"positionId": POSITION, "stopLoss": 19_990})
            assert status == 404
            assert told == {
                "success": False,
                "error": "no position in it",
                "code": "UNKNOWN_POSITION",
                "field": "instrument",
            }

    run(main())


def test_a_gate_that_does_not_answer_is_503_and_never_a_success() -> None:
    async def main() -> None:
        async with serving() as at, gate(at.desk) as asked:
            status, told = await at.call(PROTECT, {"positionId": POSITION, "stopLoss": 19_990}, within_s=30)
            assert (status, told["success"], told["code"]) == (503, False, "UNDECIDED")
            assert len(asked) == 1
            # Eight seconds of silence later it is not even asked.
            status, told = await at.call(PROTECT, {"positionId": POSITION, "stopLoss": 19_990})
            assert (status, told["code"]) == (503, "GATE_SILENT")
            assert "nothing was changed" in told["error"]
            assert len(asked) == 1

    run(main())


def test_a_gate_that_was_never_heard_is_not_asked() -> None:
    async def main() -> None:
        async with serving() as at:
            status, told = await at.call(PROTECT, {"positionId": POSITION, "stopLoss": 19_990})
            assert (status, told["code"]) == (503, "GATE_SILENT")

    run(main())


@pytest.mark.parametrize(
    ("body", "status", "code"),
    [
        ({"positionId": POSITION, "stopLoss": 19_990.1}, 400, "OFF_TICK"),
        ({"positionId": POSITION, "stopLoss": "19990"}, 400, "BAD_STOP_LOSS"),
        ({"positionId": POSITION, "stop": 19_990}, 400, "UNKNOWN_FIELD"),
        ({"positionId": POSITION}, 400, "NOTHING_TO_CHANGE"),
        ({"stopLoss": 1}, 400, "MISSING_FIELD"),
        ({"positionId": "77", "stopLoss": 1}, 404, "UNKNOWN_POSITION"),
        ({"positionId": f"{ACCOUNT}:CON.F.US.ZZZ.U26", "stopLoss": 1}, 404, "UNKNOWN_POSITION"),
        ([], 400, "BAD_JSON"),
    ],
)
def test_levels_that_cannot_be_meant_are_not_asked(body: object, status: int, code: str) -> None:
    async def main() -> None:
        async with serving() as at, gate(at.desk, YES) as asked:
            answer = await at.call(PROTECT, body)
            assert (answer[0], answer[1]["code"]) == (status, code)
            assert asked == []

    run(main())


# Who may ask.


@pytest.mark.parametrize(
    ("path", "method", "headers", "code"),
    [
        (PROTECT, "POST", {}, "UNSUPPORTED_MEDIA_TYPE"),
        (PROTECT, "POST", {"content-type": "text/plain"}, "UNSUPPORTED_MEDIA_TYPE"),
        (PROTECT, "POST", JSON | {"origin": "http://evil.example"}, "FOREIGN_ORIGIN"),
        (PROTECT, "POST", JSON | {"host": "evil.example"}, "FOREIGN_HOST"),
        ("/command", "POST", {}, "UNSUPPORTED_MEDIA_TYPE"),
        ("/api/manual-trading/heartbeat", "POST", {}, "UNSUPPORTED_MEDIA_TYPE"),
        (f"/account/balance?accountId={ACCOUNT}", "GET", {"host": "evil.example"}, "FOREIGN_HOST"),
        ("/health", "GET", {"origin": "http://evil.example"}, "FOREIGN_ORIGIN"),
        ("/api/bars", "GET", {"host": "evil.example"}, "FOREIGN_HOST"),
        ("/challenge", "GET", {"host": "evil.example"}, "FOREIGN_HOST"),
    ],
)
def test_a_foreign_page_reads_nothing_and_changes_nothing(
    path: str, method: str, headers: dict[str, str], code: str
) -> None:
    async def main() -> None:
        async with serving() as at, gate(at.desk, YES) as asked:
            body = {"positionId": POSITION, "stopLoss": 19_990} if method == "POST" else None
            status, told = await at.call(path, body, method=method, headers=headers)
            assert (status, told["code"]) == (415 if code == "UNSUPPORTED_MEDIA_TYPE" else 403, code)
            assert asked == []

    run(main())


# The rest of the list.


def test_every_documented_call_is_answered_and_what_is_not_there_is_told() -> None:
    async def main() -> None:
        async with serving() as at:
            status, told = await at.call("/status")
            assert status == 200
            assert (told["service"], told["venue"], told["accounts"], told["instruments"]) == (
                "Connection Manager",
                "sim",
                [ACCOUNT],
                ["MNQ"],
            )
            status, told = await at.call("/current-account/manual-trading")
            assert (status, told["service"], told["accountId"]) == (200, "manual-trading", ACCOUNT)
            status, told = await at.call("/ws")
            assert (status, told["code"]) == (426, "NO_WEB_SOCKET")
            assert "/api/events" in told["error"]
            status, told = await at.call("/command", {"command": "PLACE_ORDER", "params": {"size": 1}})
            assert (status, told["code"]) == (404, "NO_SUCH_COMMAND")
            assert at.desk.broker.count("Order/place") == 0
            status, told = await at.call("/nowhere")
            assert (status, told["code"]) == (404, "NOT_FOUND")
            assert "/api/position/update-sltp" in told["error"]
            for path, method in (("/health", "POST"), ("/command", "GET"), (PROTECT, "PUT")):
                assert (await at.call(path, method=method))[0] == 405

    run(main())


def test_of_several_accounts_none_is_called_the_current_one() -> None:
    async def main() -> None:
        async with serving() as at:
            await at.told("GatewayUserAccount", {"id": 102, "name": "PRAC-2", "balance": 1, "canTrade": True})
            status, told = await at.call("/current-account/ui")
            assert (status, told["accountId"], told["accountIds"]) == (200, None, [ACCOUNT, 102])

    run(main())


def test_a_heartbeat_is_remembered_with_its_age() -> None:
    async def main() -> None:
        async with serving() as at:
            path = "/api/manual-trading/status"
            none = {"success": True, "lastHeartbeat": None, "lastHeartbeatAgeMs": None, "heartbeats": 0}
            assert await at.call(path) == (200, none)
            assert (await at.call("/api/manual-trading/heartbeat", {}))[0] == 200
            await asyncio.sleep(4)
            status, told = await at.call(path)
            assert (status, told["heartbeats"]) == (200, 1)
            assert 4_000 <= told["lastHeartbeatAgeMs"] < 5_000

    run(main())


def test_a_position_that_cannot_be_read_leaves_the_last_known_ones_and_says_that_they_are_old() -> None:
    async def main() -> None:
        async with serving() as at:
            at.desk.broker.positions = [position(1, 2)]
            await at.read()
            at.desk.broker.script["Position/searchOpen"] = lambda _body: Response(502)
            await at.desk.send(ReadSnapshot(ACCOUNT, 0), Topic.EXITS)
            await at.desk.report(LinkReport, lambda link: not link.up)
            status, away = await at.positions()
            assert (status, away["lastKnown"]["positions"][0]["quantity"]) == (503, 2)
            assert "REST: Position/searchOpen: HTTP status 502" in away["error"]

    run(main())
