"""Alarms sent out by HTTP, so that a phone can be reached: signed, one after the other, each until it has arrived.

A body is JSON: ``text`` and ``content``, the same sentence, for chat services that show the one or the other, and
``alarm`` for programs. ``X-Ordergate-Signature`` is the HMAC-SHA256, in hex, of ``X-Ordergate-Timestamp`` (seconds
since 1970), a full stop and the body, under the secret.

Invariants:
1. Nothing waits for it, and what waits in it is bounded: the oldest is given up, which is logged and counted.
2. What would be over within ``STANDS_S`` wakes nobody: it is looked at again before it is sent.
3. What no answer came for is sent again, under the same ``X-Ordergate-Delivery``: it may arrive twice.
4. No line of the log and no error names the address: it is a credential.
"""

from __future__ import annotations

import asyncio
import hashlib
import hmac
import random
from collections import deque
from collections.abc import Callable
from http import HTTPStatus

import msgspec

from ordergate.clock import Clock
from ordergate.core.account import Group
from ordergate.core.alarm import Alarm, Level
from ordergate.core.alarms import is_open, stands
from ordergate.core.sessions import utc_text
from ordergate.engine.webhook_settings import WebhookSettings
from ordergate.errors import NotSent, TransportError
from ordergate.net.port import Network
from ordergate.telemetry import logger

# More than a bad day raises. They are some 300 bytes each.
WAITING_MAX = 200
# A link that blinks, a stop that is placed at the second attempt.
STANDS_S = 5.0
# When it is tried again, the last one over and over; after GIVE_UP_S an alarm is no news any more.
_PAUSES_S = (1.0, 2.0, 5.0, 15.0, 30.0, 60.0)
GIVE_UP_S = 1_800.0
_SECOND_NS = 1_000_000_000
# Answers that another try may change; any other refusal is for good.
_AGAIN = (HTTPStatus.REQUEST_TIMEOUT, HTTPStatus.TOO_EARLY, HTTPStatus.TOO_MANY_REQUESTS)
_URGENCY = {Level.INFO: 0, Level.WARNING: 1, Level.CRITICAL: 2}

_log = logger("webhook")


class Figures(msgspec.Struct, frozen=True, rename="camel"):
    """What became of alarms since the start; ``failing`` is why the last try failed, empty after one that did not."""

    sent: int
    given_up: int
    waiting: int
    failing: str


class Webhook:
    """``put`` alarms in; ``run`` sends them. ``group`` gives the state as it stands."""

    def __init__(
        self,
        settings: WebhookSettings,
        *,
        network: Network,
        clock: Clock,
        rng: random.Random,
        venue: str,
        group: Callable[[], Group],
    ) -> None:
        assert settings.url is not None, "a webhook has an address"
        assert settings.secret is not None, "a webhook has a secret"
        self._url, self._secret = settings.url, settings.secret.encode()
        self._level, self._timeout_s = settings.level, settings.timeout_ms / 1_000
        self._network = network
        self._clock = clock
        self._rng = rng
        self._venue = venue
        self._group = group
        self._waiting: deque[Alarm] = deque()
        self._filled = asyncio.Event()
        self._sent = self._given_up = 0
        self._failing = ""

    @property
    def figures(self) -> Figures:
        return Figures(self._sent, self._given_up, len(self._waiting), self._failing)

    def put(self, alarm: Alarm) -> None:
        """Send it, if it is urgent enough."""
        if _URGENCY[alarm.level] < _URGENCY[self._level]:
            return
        self._waiting.append(alarm)
        if len(self._waiting) > WAITING_MAX:
            self._give_up(self._waiting.popleft(), "too many are waiting")
        self._filled.set()

    async def run(self) -> None:
        """Send until cancelled."""
        while True:
            while not self._waiting:
                self._filled.clear()
                await self._filled.wait()
            alarm = self._waiting.popleft()
            if await self._is_news(alarm):
                await self._send(alarm)

    async def _is_news(self, alarm: Alarm) -> bool:
        """Whether it still has to be told, once what blinks has had its time."""
        if not stands(self._group(), alarm):
            return True  # of a moment: it happened, whatever came after it
        await asyncio.sleep(max(0.0, STANDS_S - (self._clock.now_ns() - alarm.at_ns) / _SECOND_NS))
        group = self._group()
        now = next((each for each in group.alarms if each.about == alarm.about), None)
        return now is not None and stands(group, now) and is_open(group, now) and not now.acknowledged

    async def _send(self, alarm: Alarm) -> None:
        loop = asyncio.get_running_loop()
        body, delivery = self._body(alarm), f"{alarm.number or alarm.at_ns}-{alarm.code}"
        until_s, tries = loop.time() + GIVE_UP_S, 0
        while True:
            self._failing, final = await self._try(body, delivery)
            if not self._failing:
                self._sent += 1
                return
            pause_s = _PAUSES_S[min(tries, len(_PAUSES_S) - 1)] * (1 + self._rng.random() / 4)
            tries += 1
            if final or loop.time() + pause_s > until_s:
                self._give_up(alarm, self._failing)
                return
            _log.warning("the webhook was not reached", code=alarm.code, reason=self._failing, tries=tries)
            await asyncio.sleep(pause_s)

    async def _try(self, body: bytes, delivery: str) -> tuple[str, bool]:
        """Why it did not arrive, empty if it did; and whether that is for good."""
        sent_s = str(self._clock.now_ns() // _SECOND_NS)
        headers = {
            "content-type": "application/json",
            "x-ordergate-timestamp": sent_s,
            "x-ordergate-signature": hmac.new(self._secret, sent_s.encode() + b"." + body, hashlib.sha256).hexdigest(),
            "x-ordergate-delivery": delivery,
        }
        try:
            answer = await self._network.request(
                "POST", self._url, headers=headers, body=body, timeout_s=self._timeout_s
            )
        except TransportError as error:
            return "it could not be reached" if isinstance(error, NotSent) else "no answer came", False
        if HTTPStatus.OK <= answer.status < HTTPStatus.MULTIPLE_CHOICES:
            return "", False
        final = answer.status < HTTPStatus.INTERNAL_SERVER_ERROR and answer.status not in _AGAIN
        return f"HTTP status {answer.status}", final

    def _give_up(self, alarm: Alarm, reason: str) -> None:
        self._given_up += 1
        _log.error("an alarm was not sent", code=alarm.code, reason=reason, message=alarm.message)

    def _body(self, alarm: Alarm) -> bytes:
        group = self._group()
        instrument = group.instruments.get(alarm.contract_id or "")
        symbol = "" if instrument is None else instrument.symbol
        about = [f"account {alarm.account_id}" if alarm.account_id else "", symbol, alarm.order_id or ""]
        where = ", ".join(part for part in (self._venue, *about) if part)
        text = f"ordergate {alarm.level.value}: {alarm.code.replace('_', ' ').lower()} ({where}): {alarm.message}"
        told = {
            "number": alarm.number,
            "code": alarm.code,
            "level": alarm.level,
            "message": alarm.message,
            "venue": self._venue,
            "accountId": alarm.account_id or None,
            "instrument": symbol or None,
            "orderId": alarm.order_id,
            "count": alarm.count,
            "at": utc_text(alarm.at_ns),
        }
        return msgspec.json.encode({"text": text, "content": text, "alarm": told})
