"""Routes, reading and the event stream, in memory and on real sockets."""

from __future__ import annotations

import asyncio
import random
from contextlib import suppress
from urllib.parse import urlsplit

import pytest

from ordergate.bus.memory import MemoryBus
from ordergate.bus.port import Topic
from ordergate.clock import SystemClock
from ordergate.core import reports as r
from ordergate.errors import PortInUse
from ordergate.net.http import HttpNetwork
from ordergate.net.port import Request, Response
from ordergate.web.server import BODY_BYTES_MAX, WebServer
from tests.simulation.virtual_time import VirtualClock, run
from tests.web.desk import Desk, desk
from tests.web.history import MES, MES_TICKS, A, B, History, instrument
from tests.web.page import Page, events
from tests.web.test_asking import at_a_desk

READING = (
    "/api/accounts", "/api/positions", "/api/orders", "/api/fills", "/api/prices", "/api/prices/MES", "/api/snapshot",
    "/api/if-we-die", "/api/instruments/active", "/api/trading-status", "/health", "/api/events", "/api/presets",
    "/api/alarms",
)  # fmt: skip
ASKING = (
    "/api/order", "/api/cancel-order", "/api/modify-order", "/api/update-sl-tp", "/api/close-position",
    "/api/cancel-all", "/api/flatten", "/api/limits", "/api/lockout", "/api/preview",
    "/api/pause", "/api/resume", "/api/interception", "/api/alarms/acknowledge",
)  # fmt: skip
# Can be asked for and read.
BOTH = ("/api/limits",)


@at_a_desk
async def test_accounts_positions_and_orders_are_bare_arrays_and_prices_are_by_symbol(at: Desk) -> None:
    await at.order(orderId="o1")
    assert [row["accountId"] for row in await at.get("/api/accounts")] == [A]
    assert [row["positionId"] for row in await at.get("/api/positions")] == [f"{A}:{MES}"]
    assert [row["orderId"] for row in await at.get("/api/orders")] == ["o1"]
    prices = await at.get("/api/prices")
    assert set(prices) == {"MES", "MNQ"}
    assert prices["MES"] == await at.get("/api/prices/MES")
    assert (await at.get("/api/trading-status")) == {"locked": False, "currentOperation": None, "canTrade": True}
    assert [row["symbol"] for row in await at.get("/api/instruments/active")] == ["MES", "MNQ"]


@at_a_desk
async def test_a_price_grows_older_while_nothing_is_heard(at: Desk) -> None:
    before = await at.get("/api/prices/MES")
    await asyncio.sleep(2)
    after = await at.get("/api/prices/MES")
    assert after["ageMs"] - before["ageMs"] == 2_000
    assert after["timestamp"] == before["timestamp"]


@at_a_desk
async def test_a_symbol_without_a_price_is_not_found(at: Desk) -> None:
    for symbol in ("NOPE", "GC", "", "MES/x"):
        status, answer = await at.call("GET", f"/api/prices/{symbol}")
        assert (status, answer["code"], answer["breaches"]) == (404, "NO_PRICE", [])


@at_a_desk
async def test_health_tells_where_the_stream_stands_and_whether_the_broker_is_seen(at: Desk) -> None:
    health = await at.get("/health")
    assert (health["status"], health["linkUp"]) == ("healthy", True)
    assert health["number"] == (await at.get("/api/snapshot"))["number"]
    await at.gate.put(r.LinkReport(up=False, reason="gone"))
    await at.shown()
    assert (await at.get("/health"))["linkUp"] is False
    assert (await at.get("/api/accounts"))[0]["linkUp"] is False


@pytest.mark.parametrize("path", [*READING, *ASKING, "/", "/openapi.json", "/static/app.js", "/nothing"])
@pytest.mark.parametrize("headers", [{"host": "evil.example"}, {"origin": "null"}, {"origin": "http://evil.example"}])
def test_every_route_refuses_a_foreign_host_and_a_foreign_origin(path: str, headers: dict[str, str]) -> None:
    async def main() -> None:
        async with desk() as at:
            for method in ("GET", "POST", "OPTIONS"):
                status, answer = await at.call(method, path, {} if method == "POST" else None, headers)
                assert (status, answer["success"]) == (403, False)
                assert answer["code"] in ("FOREIGN_HOST", "FOREIGN_ORIGIN")
            assert (at.gate.published, at.gate.commands) == ([], [])

    run(main())


@pytest.mark.parametrize("path", ASKING)
def test_every_command_has_to_come_as_json_by_post(path: str) -> None:
    async def main() -> None:
        async with desk() as at:
            for kind in ("text/plain", "application/x-www-form-urlencoded", "multipart/form-data"):
                status, answer = await at.call("POST", path, b"{}", {"content-type": kind})
                assert (status, answer["code"]) == (415, "UNSUPPORTED_MEDIA_TYPE")
            for method in ("PUT", "DELETE", "OPTIONS", *(() if path in BOTH else ("GET",))):
                assert (await at.call(method, path))[0] == 405
            assert (at.gate.published, at.gate.commands) == ([], [])

    run(main())


@at_a_desk
async def test_reading_is_by_get_and_what_is_not_there_is_not_found_in_the_one_shape_of_failure(at: Desk) -> None:
    for path in (*READING, "/", "/openapi.json", "/static/app.js"):
        status, answer = await at.call("POST", path, {})
        assert (status, answer["code"]) == (405, "METHOD_NOT_ALLOWED")
    for path in ("/api", "/api/nothing", "/api/orders/", "/../etc/passwd"):
        status, answer = await at.call("GET", path)
        assert answer.pop("error")
        assert (status, answer) == (404, {"success": False, "code": "NOT_FOUND", "breaches": []})


@at_a_desk
async def test_no_answer_lets_another_origin_read_it_or_a_browser_keep_it_unasked(at: Desk) -> None:
    for path in ("/", "/static/app.js", "/api/accounts", "/api/events", "/nothing"):
        answer = await at.web.answer(Request("GET", path, headers={"host": "localhost"}))
        page = path in ("/", "/static/app.js")
        assert answer.headers["cache-control"] == ("no-cache" if page else "no-store")
        assert answer.headers["x-content-type-options"] == "nosniff"
        assert not [name for name in answer.headers if name.lower().startswith("access-control")]


def listened(at: Desk) -> asyncio.Task[bytes]:
    """Everything the event stream writes until it ends."""

    async def read() -> bytes:
        answer = await at.web.answer(Request("GET", "/api/events", headers={"host": "localhost"}))
        assert isinstance(answer, Response)
        assert answer.stream is not None
        assert (answer.status, answer.headers["content-type"]) == (200, "text/event-stream")
        return b"".join([item async for item in answer.stream])

    return asyncio.create_task(read())


@at_a_desk
async def test_the_stream_tells_the_story_without_a_gap_and_the_snapshot_says_where_it_stands(at: Desk) -> None:
    first = Page(await at.get("/api/snapshot"))
    told = listened(at)
    await asyncio.sleep(0.01)
    await at.order(orderId="o1", quantity=2)
    at.gate.quote(MES, MES_TICKS + 9)
    await at.shown()
    await at.order(orderId="o2", quantity=11)
    await at.gate.put(r.LinkReport(up=False, reason="gone"))
    await at.post("/api/flatten", accountId=A)
    await at.shown()
    last = await at.get("/api/snapshot")
    await at.web.close()
    seen = [event for event in events(await told) if event[0] <= last["number"]]
    assert [number for number, _, _ in seen] == list(range(first.number + 1, last["number"] + 1))
    for event in seen:
        first.apply(event)
    assert first.rows == Page(last).rows
    assert {name for _, name, _ in seen} == {"desk", "order", "fill", "position", "account", "price", "alarm"}
    alarms = [row["code"] for _, name, row in seen if name == "alarm"]
    assert alarms == ["LINK_DOWN"]


@at_a_desk
async def test_an_alarm_is_listed_and_told_until_it_has_been_seen_and_is_over(at: Desk) -> None:
    told = listened(at)
    await asyncio.sleep(0.01)
    await at.gate.put(r.LinkReport(up=False, reason="gone"))
    await at.shown()
    (row,) = await at.get("/api/alarms")
    assert (row["code"], row["level"], row["message"], row["accountId"]) == ("LINK_DOWN", "warning", "gone", None)
    assert (row["count"], row["stands"], row["acknowledged"], row["open"]) == (1, True, False, True)
    assert (await at.post("/api/alarms/acknowledge", numbers=[row["number"]]))[1]["success"]
    await at.shown()
    assert [each["acknowledged"] for each in await at.get("/api/alarms")] == [True]
    await at.gate.put(r.LinkReport(up=True))
    await at.shown()
    assert await at.get("/api/alarms") == []
    await at.web.close()
    rows = [each for _, name, each in events(await told) if name == "alarm"]
    assert [(each["stands"], each["acknowledged"], each["open"]) for each in rows] == [
        (True, False, True),
        (True, True, True),
        (True, True, False),
    ]
    assert {each["alarmId"] for each in rows} == {row["alarmId"]}


@at_a_desk
async def test_a_price_is_told_at_most_four_times_a_second(at: Desk) -> None:
    told, loop = listened(at), asyncio.get_running_loop()
    start = loop.time()
    while loop.time() < start + 5:
        at.gate.quote(MES, MES_TICKS + round(loop.time() * 100))
        await asyncio.sleep(0.01)
    await at.web.close()
    prices = [row for _, name, row in events(await told) if name == "price" and row["symbol"] == "MES"]
    assert 18 <= len(prices) <= 21
    assert prices[-1]["bid"] > prices[0]["bid"]


@at_a_desk
async def test_the_first_price_of_a_symbol_is_shown_at_once(at: Desk) -> None:
    await at.gate.put(r.InstrumentsReport((instrument("CON.F.US.MYM.Z26", "MYM"),)))
    at.gate.quote("CON.F.US.MYM.Z26", 45_000)
    at.gate.quote(MES, MES_TICKS + 9)
    await asyncio.sleep(0.001)
    prices = await at.get("/api/prices")
    assert (prices["MYM"]["bid"], prices["MES"]["bid"]) == (45_000, 5_000)


@at_a_desk
async def test_figures_go_when_prices_have_grown_old_and_the_stream_says_so(at: Desk) -> None:
    await at.order(orderId="o1")
    told = listened(at)
    await asyncio.sleep(6)
    assert (await at.get("/api/accounts"))[0]["dayPnl"] is None
    await at.web.close()
    accounts = [row for _, name, row in events(await told) if name == "account"]
    assert [row["dayPnl"] for row in accounts] == [None]


@at_a_desk
async def test_closing_ends_streams_and_tasks(at: Desk) -> None:
    told = listened(at)
    await asyncio.sleep(1.5)
    await at.web.close()
    assert (await told).count(b":\n\n") == 2
    assert not [task for task in asyncio.all_tasks() if task.get_name().startswith("web")]


@at_a_desk
async def test_a_gap_hides_everything_until_the_state_has_come_again(at: Desk) -> None:
    await at.order(orderId="o1")
    at.history.happened.append((at.history.group.version + 1, at.history.happened[-1][1]))
    missed = at.history.submit("o2")
    assert missed is not None  # decided, but told to nobody: its events are the gap
    await at.gate.put(r.AccountReport(A, "PRACTICE", at.history.account().balance_usd, can_trade=False))
    await at.shown()
    rows = await at.get("/api/orders")
    assert [row["orderId"] for row in rows] == ["o2", "o1"]
    assert (await at.get("/api/accounts"))[0]["canTrade"] is False


def test_when_following_has_failed_nothing_old_is_shown() -> None:
    async def main() -> None:
        async with desk() as at:
            told = listened(at)
            await asyncio.sleep(0.1)
            await at.bus.send(Topic.EVENTS, b"not JSON")
            await at.shown()
            assert (await at.call("GET", "/health"))[1]["status"] == "failed"
            assert (await at.call("GET", "/api/accounts"))[0] == 503
            assert await told

    run(main())


@at_a_desk
async def test_two_accounts_are_told_apart(at: Desk) -> None:
    await at.gate.put(at.history.broker.account(B))
    for account_id in (A, B):
        assert (await at.order(orderId="o1", accountId=account_id))[0] == 200
    assert [(row["accountId"], row["orderId"]) for row in await at.get("/api/orders")] == [(B, "o1"), (A, "o1")]
    assert (await at.post("/api/flatten", accountId=B))[1] == {"success": True, "finished": True, "flat": True}
    assert [row["accountId"] for row in await at.get("/api/positions")] == [A]


@at_a_desk
async def test_a_port_in_use_is_refused(at: Desk) -> None:
    clock = VirtualClock(asyncio.get_running_loop())
    other = WebServer(MemoryBus(), at.network, clock, random.Random(1), lambda _step, _name: None, "http://nowhere", ())
    with pytest.raises(PortInUse):
        await other.start(urlsplit(at.web.url).port or 0)


async def read_stream(url: str) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
    """The event stream over a socket, its headers read. HTTP/1.0, so that it is not cut into chunks."""
    reader, writer = await asyncio.open_connection("127.0.0.1", urlsplit(url).port)
    writer.write(f"GET /api/events HTTP/1.0\r\nHost: {urlsplit(url).netloc}\r\n\r\n".encode())
    status = await reader.readline()
    assert b" 200 " in status, status
    while await reader.readline() != b"\r\n":
        pass
    return reader, writer


async def test_on_real_sockets_the_stream_beats_and_tells_and_ends_with_the_server() -> None:
    async with desk(network=HttpNetwork(), clock=SystemClock()) as at:
        assert urlsplit(at.web.url).hostname == "127.0.0.1"
        reader, writer = await read_stream(at.web.url)
        assert await reader.readline() == b":\n"
        assert (await at.order(orderId="o1"))[0] == 200
        seen = b""
        while b"o1/target" not in seen:
            seen += await reader.readline()
        assert b"event: position\n" in seen
        await at.web.close()
        await reader.read()
        writer.close()
        with suppress(ConnectionError):
            await writer.wait_closed()


async def test_on_real_sockets_a_body_that_is_too_large_is_refused_before_it_is_sent() -> None:
    async with desk(network=HttpNetwork(), clock=SystemClock()) as at:
        reader, writer = await asyncio.open_connection("127.0.0.1", urlsplit(at.web.url).port)
        head = f"POST /api/order HTTP/1.1\r\nHost: localhost\r\nContent-Length: {BODY_BYTES_MAX + 1}\r\n\r\n"
        writer.write(head.encode())
        assert b" 413 " in await reader.readline()
        writer.close()
        assert await at.get("/api/accounts")


async def test_on_real_sockets_a_foreign_host_is_refused() -> None:
    async with desk(network=HttpNetwork(), clock=SystemClock()) as at:
        for headers in ({"Host": "evil.example"}, {"Origin": "null"}, {"Origin": "http://localhost:1"}):
            assert (await at.call("GET", "/api/accounts", headers=headers))[0] == 403
        assert (await at.call("GET", "/api/accounts", headers={"Origin": at.web.url}))[0] == 200


def test_a_new_client_begins_from_the_snapshot_that_comes_after_it_listens() -> None:
    async def main() -> None:
        history = History().open()
        history.submit("before")
        async with desk(history) as at:
            told = listened(at)
            await asyncio.sleep(0.01)
            await at.order(orderId="between")
            page = Page(await at.get("/api/snapshot"))
            await at.order(orderId="after")
            last = await at.get("/api/snapshot")
            await at.web.close()
            for event in events(await told):
                if page.number < event[0] <= last["number"]:
                    page.apply(event)
            assert page.rows == Page(last).rows

    run(main())
