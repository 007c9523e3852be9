"""Invariants of ``engine/webhook`` against a receiver in memory on a virtual clock, and once on real sockets."""

from __future__ import annotations

import asyncio
import contextlib
import hashlib
import hmac
import random
from collections.abc import AsyncIterator
from typing import Any

import msgspec
import pytest
from msgspec.structs import replace
from structlog.testing import capture_logs

from ordergate.clock import Clock, SystemClock
from ordergate.core import events as e
from ordergate.core.account import Group
from ordergate.core.alarm import Alarm, Level
from ordergate.core.fold import evolve
from ordergate.engine.webhook import GIVE_UP_S, STANDS_S, WAITING_MAX, Webhook
from ordergate.engine.webhook_settings import WebhookSettings
from ordergate.net.http import HttpNetwork
from ordergate.net.memory import MemoryNetwork
from ordergate.net.port import Network, Request, Response
from tests.simulation.virtual_time import VirtualClock, run

SECRET = "a-secret-of-the-receiver"
AT_NS = 1_795_446_000_000_000_000


class Receiver:
    """Answers with the statuses it is given, then with 200."""

    def __init__(self, *statuses: int) -> None:
        self.statuses = list(statuses)
        self.heard: list[Request] = []
        self.at_s: list[float] = []

    async def answer(self, request: Request) -> Response:
        self.heard.append(request)
        self.at_s.append(asyncio.get_running_loop().time())
        return Response(self.statuses.pop(0) if self.statuses else 200)

    @property
    def bodies(self) -> list[Any]:
        return [msgspec.json.decode(request.body) for request in self.heard]


class Desk:
    """The state that the webhook looks at, and the webhook."""

    def __init__(self, network: Network, clock: Clock, url: str, level: Level = Level.CRITICAL) -> None:
        self.group = Group()
        self.clock = clock
        self.webhook = Webhook(
            WebhookSettings(url, SECRET, level),
            network=network,
            clock=clock,
            rng=random.Random(1),
            venue="sim",
            group=lambda: self.group,
        )

    def happens(self, event: e.Event) -> Alarm:
        """``event`` happens, and its alarm is handed on."""
        self.group = evolve(self.group, event)
        alarm = self.group.alarms[-1]
        self.webhook.put(alarm)
        return alarm

    def momentary(self, name: int = 0) -> Alarm:
        return self.happens(e.ApprovalRefused(name, "id", "tag", "forged", self.clock.now_ns()))

    def cut(self) -> Alarm:
        self.group = replace(self.group, alarms=())
        self.happens(e.LinkChanged(0, up=False, reason="gone", at_ns=self.clock.now_ns()))
        return self.group.alarms[-1]


@contextlib.asynccontextmanager
async def at_a_receiver(
    receiver: Receiver, clock: Clock, network: Network | None = None, level: Level = Level.CRITICAL
) -> AsyncIterator[Desk]:
    network = network or MemoryNetwork()
    server = await network.serve(receiver.answer, host="127.0.0.1", port=0)
    desk = Desk(network, clock, f"{server.url}/hook/a-token-in-the-path", level)
    running = asyncio.create_task(desk.webhook.run())
    try:
        yield desk
    finally:
        running.cancel()
        await asyncio.wait({running})
        await server.close()
        await network.close()


async def until(receiver: Receiver, count: int) -> None:
    async with asyncio.timeout(30):
        while len(receiver.heard) < count:
            await asyncio.sleep(0.01)


async def test_on_real_sockets_an_alarm_arrives_signed_and_says_what_it_is_about() -> None:
    receiver = Receiver()
    async with at_a_receiver(receiver, SystemClock(), HttpNetwork()) as desk:
        desk.momentary(1001)
        await until(receiver, 1)
        (request,) = receiver.heard
    stamp = request.headers["x-ordergate-timestamp"]
    signed = hmac.new(SECRET.encode(), stamp.encode() + b"." + request.body, hashlib.sha256).hexdigest()
    assert request.headers["x-ordergate-signature"] == signed
    assert (request.method, request.path) == ("POST", "/hook/a-token-in-the-path")
    body = receiver.bodies[0]
    sentence = "ordergate critical: approval refused (sim, account 1001): the connection manager sent nothing: forged"
    assert body["text"] == body["content"] == sentence
    told = body["alarm"]
    assert (told["code"], told["level"], told["accountId"], told["count"]) == ("APPROVAL_REFUSED", "critical", 1001, 1)
    assert request.headers["x-ordergate-delivery"] == f"{told['number']}-APPROVAL_REFUSED"


def test_what_no_answer_came_for_is_sent_again_as_the_same_delivery() -> None:
    async def main() -> None:
        receiver = Receiver(500, 503, 429)
        async with at_a_receiver(receiver, VirtualClock(asyncio.get_running_loop())) as desk:
            desk.momentary()
            await until(receiver, 4)
            await asyncio.sleep(1)
            assert (desk.webhook.figures.sent, desk.webhook.figures.given_up) == (1, 0)
            assert desk.webhook.figures.failing == ""
        assert len({request.headers["x-ordergate-delivery"] for request in receiver.heard}) == 1
        gaps = [later - before for before, later in zip(receiver.at_s, receiver.at_s[1:], strict=False)]
        assert gaps == sorted(gaps)
        assert gaps[0] >= 1

    run(main())


def test_a_refusal_for_good_is_not_tried_again_and_the_next_alarm_is_sent() -> None:
    async def main() -> None:
        receiver = Receiver(404)
        async with at_a_receiver(receiver, VirtualClock(asyncio.get_running_loop())) as desk:
            with capture_logs() as logs:
                desk.momentary(1)
                desk.momentary(2)
                await until(receiver, 2)
            assert (desk.webhook.figures.sent, desk.webhook.figures.given_up) == (1, 1)
        assert [body["alarm"]["accountId"] for body in receiver.bodies] == [1, 2]
        (line,) = (line for line in logs if line["event"] == "an alarm was not sent")
        assert line["reason"] == "HTTP status 404"

    run(main())


def test_a_receiver_that_is_gone_is_given_up_in_the_end_and_no_line_names_the_address() -> None:
    async def main() -> None:
        network = MemoryNetwork()
        desk = Desk(network, VirtualClock(asyncio.get_running_loop()), "http://127.0.0.1:1/hook/a-token-in-the-path")
        running = asyncio.create_task(desk.webhook.run())
        with capture_logs() as logs:
            desk.momentary()
            await asyncio.sleep(GIVE_UP_S + 100)
        running.cancel()
        await asyncio.wait({running})
        assert desk.webhook.figures.given_up == 1
        assert desk.webhook.figures.failing == "it could not be reached"
        assert len(logs) > 2
        assert "a-token-in-the-path" not in str(logs)

    run(main())


def test_what_blinks_wakes_nobody_and_what_stands_does() -> None:
    async def main() -> None:
        receiver = Receiver()
        async with at_a_receiver(receiver, VirtualClock(asyncio.get_running_loop()), level=Level.WARNING) as desk:
            desk.cut()
            await asyncio.sleep(STANDS_S - 1)
            desk.group = evolve(desk.group, e.LinkChanged(0, up=True, reason="", at_ns=desk.clock.now_ns()))
            await asyncio.sleep(STANDS_S)
            assert receiver.heard == []
            desk.cut()
            await asyncio.sleep(STANDS_S + 1)
            assert [body["alarm"]["code"] for body in receiver.bodies] == ["LINK_DOWN"]

    run(main())


def test_what_somebody_has_seen_wakes_nobody_else() -> None:
    async def main() -> None:
        receiver = Receiver()
        async with at_a_receiver(receiver, VirtualClock(asyncio.get_running_loop()), level=Level.WARNING) as desk:
            alarm = desk.cut()
            desk.group = evolve(desk.group, e.AlarmsAcknowledged(0, (alarm.number,), desk.clock.now_ns()))
            await asyncio.sleep(STANDS_S + 1)
            assert receiver.heard == []

    run(main())


@pytest.mark.parametrize(("level", "sent"), [(Level.CRITICAL, 1), (Level.WARNING, 2), (Level.INFO, 3)])
def test_only_what_is_urgent_enough_is_sent(level: Level, sent: int) -> None:
    async def main() -> None:
        receiver = Receiver()
        async with at_a_receiver(receiver, VirtualClock(asyncio.get_running_loop()), level=level) as desk:
            for each in Level:
                desk.webhook.put(Alarm(1, f"OF_{each.name}", each, "a test", 0, None, None, AT_NS, AT_NS))
            await asyncio.sleep(2 * STANDS_S)
            assert len(receiver.heard) == sent

    run(main())


def test_what_waits_is_bounded_and_the_oldest_is_given_up() -> None:
    async def main() -> None:
        receiver = Receiver()
        async with at_a_receiver(receiver, VirtualClock(asyncio.get_running_loop())) as desk:
            for name in range(1, WAITING_MAX + 3):
                desk.momentary(name)
            assert desk.webhook.figures.waiting == WAITING_MAX
            await until(receiver, WAITING_MAX)
            assert desk.webhook.figures.given_up == 2
        assert receiver.bodies[0]["alarm"]["accountId"] == 3

    run(main())


def test_the_text_form_of_its_settings_shows_no_secret() -> None:
    assert "hunter2" not in repr(WebhookSettings("https://x.example/hunter2", "hunter2"))
