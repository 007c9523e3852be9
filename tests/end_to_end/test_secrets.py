"""No secret ever: secrets planted wherever one can be given, and a search of all that a desk says, keeps and sends.

A secret is what is configured as one, what the broker gives us to log in with, and whatever somebody else sends where a
secret belongs: in headers, in a query, in a field that is none of ours, in what cannot be read. What a caller puts into
a field that is told back to him, such as the id of his order, is not.
"""

from __future__ import annotations

import base64
import contextlib
import http.client
import json
import re
import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.parse import quote

import pytest
import redis

from ordergate.setting_table import SETTINGS
from tests.end_to_end.process import call, clean_environment, until
from tests.end_to_end.split import ROLES, Split
from tests.redis_server import RedisServer, running_redis

# Every setting that holds a secret, with the planted text; the broker's key is the simulated exchange's own.
WORDS = {
    "redis_url": "planted-redis+/password",
    "projectx_api_key": "",
    "alarm_webhook_url": "planted-webhook-address",
    "alarm_webhook_secret": "planted-webhook-secret",
    "ORDERGATE_APPROVAL_KEY": "planted-approval-key-of-32-characters-or-more",
}
# What somebody else sends.
SENT = {
    where: f"planted-{where}"
    for where in (
        "authorization", "cookie", "header", "query", "http-field", "http-unreadable", "bus-field", "bus-unreadable",
        "bus-unknown-type", "bus-inside", "control", "fills",
    )
}  # fmt: skip
JSON = {"Content-Type": "application/json"}
# As RFC 7519 begins one: {"
TOKEN = re.compile(rb"eyJ[\w-]{10,}\.[\w-]{10,}\.[\w-]{5,}")
GETS = {
    "manual-trading": (
        "/", "/health", "/openapi.json", "/api/snapshot", "/api/orders", "/api/positions", "/api/alarms",
        "/api/limits", "/api/accounts", "/api/fills", "/api/prices", "/api/bars?symbol=MES", "/docs", "/nowhere",
    ),
    "aggregator": ("/health", "/metrics", "/metrics.json", "/status", "/nowhere"),
    "connection-manager": ("/health", "/metrics", "/status", "/account/balance?accountId=1", "/api/bars", "/nowhere"),
}  # fmt: skip

# How each kind of key is read.
READ = {
    "string": ("GET",),
    "hash": ("HGETALL",),
    "stream": ("XRANGE", "-", "+"),
    "list": ("LRANGE", "0", "-1"),
    "set": ("SMEMBERS",),
    "zset": ("ZRANGE", "0", "-1", "WITHSCORES"),
}


class Spied:
    """All that is sent to a Redis but by ``client``, as MONITOR shows it."""

    def __init__(self, server: RedisServer) -> None:
        password = WORDS["redis_url"]
        self.client: Any = redis.Redis("127.0.0.1", server.port, password=password, single_connection_client=True)
        self._port = str(self.client.client_info()["addr"]).rpartition(":")[2]
        self._watching: Any = redis.Redis("127.0.0.1", server.port, password=password)
        self.seen: list[bytes] = []
        self._thread = threading.Thread(target=self._watch, daemon=True)
        self._thread.start()

    def close(self) -> None:
        self.client.close()
        self._watching.close()

    def _watch(self) -> None:
        with (
            contextlib.suppress(redis.RedisError, OSError, ValueError, AttributeError),
            self._watching.monitor() as all_,
        ):
            for command in all_.listen():
                if command["client_port"] != self._port:
                    self.seen.append(command["command"].encode("utf-8", "surrogateescape"))

    def kept(self) -> bytes:
        """Every key and all that it holds."""
        found: list[object] = []
        for key in self.client.keys("*"):
            command, *words = READ[self.client.type(key).decode()]
            found += [key, self.client.execute_command(command, key, *words)]
        return repr(found).encode()


class Planted:
    """A desk with secrets in all its settings; ``secrets`` are theirs by where they were planted."""

    def __init__(self, desk: Split, spied: Spied) -> None:
        self.desk, self.spied = desk, spied
        api_key = desk.at["venue"]["apiKey"]
        self.secrets = WORDS | {"projectx_api_key": api_key} | SENT
        self.answers: dict[str, bytes] = {}

    def ask(
        self, role: str, method: str, path: str, body: bytes | None = None, headers: dict[str, str] | None = None
    ) -> None:
        connection = http.client.HTTPConnection("127.0.0.1", self.desk.ports[role], timeout=10)
        with contextlib.closing(connection):
            connection.request(method, path, body, headers or {})
            answer = connection.getresponse()
            said = f"{answer.status} {answer.getheaders()}".encode() + answer.read()
        self.answers[f"{role} {method} {path} {len(self.answers)}"] = said

    def all_said(self) -> dict[str, bytes]:
        """Everything that anybody but the planter could read, by where it is."""
        folder = self.desk.folder
        said = dict(self.answers)
        for role in ROLES:
            said[f"log of {role}"] = (folder / f"{role}.log").read_bytes()
            said[f"ready file of {role}"] = (folder / f"{role}.json").read_bytes()
        for file in sorted((folder / "state").rglob("*")):
            if file.is_file():
                said[f"file {file.name}"] = file.read_bytes()
        said["what Redis keeps"] = self.spied.kept()
        said["what is sent to Redis"] = b"\n".join(self.spied.seen)
        return said


def forms(secret: str) -> list[bytes]:
    """The ways in which a text may be written."""
    as_json, as_url = json.dumps(secret)[1:-1], quote(secret, safe="")
    inside = base64.b64encode(secret.encode())[:-4]
    return [secret.encode(), as_json.encode(), as_url.encode(), quote(secret).encode(), inside]


def shown(secrets: dict[str, str], said: dict[str, bytes]) -> list[tuple[str, str]]:
    """Which secret is shown where."""
    return [
        (name, where)
        for name, secret in secrets.items()
        for where, text in said.items()
        if any(form in text for form in forms(secret))
    ]


@pytest.fixture(scope="module")
def planted(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Planted]:
    folder = tmp_path_factory.mktemp("secrets")
    with running_redis(folder, "--requirepass", WORDS["redis_url"]) as server:
        spied = Spied(server)
        url = f"redis://:{quote(WORDS['redis_url'], safe='')}@127.0.0.1:{server.port}/0"
        hook = f"http://127.0.0.1:9/{WORDS['alarm_webhook_url']}"
        by_file = folder / "ordergate.toml"
        # Each way in which a setting can be given.
        by_file.write_text(
            f'[connections]\nredis_url = "{url}"\n[alarms]\nalarm_webhook_url = "{hook}"\n'
            f'alarm_webhook_secret = "{WORDS["alarm_webhook_secret"]}"\nalarm_webhook_level = "info"\n'
        )
        key = WORDS["ORDERGATE_APPROVAL_KEY"]
        desk = Split(folder, server, LOG_LEVEL="debug", ORDERGATE_APPROVAL_KEY=key)
        try:
            desk.start_venue()
            desk.start("connection-manager", REDIS_URL=url)
            # The address in its environment is not read: a file that is named says it.
            desk.start("aggregator", REDIS_URL=url, ORDERGATE_CONFIG=str(by_file))
            desk.start("manual-trading", REDIS_URL=url)
            yield Planted(desk, spied)
        finally:
            desk.stop()
            spied.close()


def trade(at: Planted) -> None:
    """An order that fills, a lockout, which is an alarm, one that is denied, and a flatten."""
    desk, account = at.desk, at.desk.account()
    asked = {"accountId": account, "instrument": "MES", "side": "BUY", "quantity": 1}
    # The page may still be waiting to hear from the gate.
    until(lambda: desk.post("/api/order", **asked, orderId="seen-everywhere")[0] == 200)
    until(lambda: "position protected" in desk.log("aggregator"))
    assert desk.post("/api/order", **asked | {"quantity": 99})[0] == 422
    assert desk.post("/api/lockout", accountId=account, until="next-day")[0] == 200
    until(lambda: desk.post("/api/flatten", accountId="all")[0] == 200)


def send_secrets(at: Planted) -> None:
    """To every server and channel: in headers and queries, in fields that are none of ours, in what cannot be read."""
    headers = {
        "Authorization": f"Bearer {SENT['authorization']}",
        "Cookie": f"session={SENT['cookie']}",
        "X-Api-Key": SENT["header"],
    }
    query = f"?token={SENT['query']}&accountId=1"
    for role, paths in GETS.items():
        for path in paths:
            at.ask(role, "GET", path)
            at.ask(role, "GET", path.partition("?")[0] + query, None, headers)
        field = json.dumps({"password": SENT["http-field"], "token": {"is": SENT["http-field"]}}).encode()
        for path in ("/api/order", "/api/flatten", "/api/limits", "/health"):
            at.ask(role, "POST", path, field, headers | JSON)
            unreadable = f'{{"accountId": 1, "{SENT["http-unreadable"]}'.encode()
            at.ask(role, "POST", path, unreadable, JSON)
    place = {
        "instanceId": "MANUAL_TRADING_V2", "orderId": "from-the-bus", "accountId": at.desk.account(1), "timestamp": 1,
        "instrument": "MES", "side": "BUY", "quantity": 1, "orderType": "MARKET", "token": SENT["bus-field"],
        "auth": {"password": SENT["bus-inside"]},
    }  # fmt: skip
    messages = {
        "order:management": [
            json.dumps({"type": "PLACE_ORDER", "payload": place, "apiKey": SENT["bus-field"]}),
            json.dumps({"type": "PLACE_ORDER", "payload": {"token": SENT["bus-field"]}}),
            json.dumps({"type": "LOG_IN", "payload": {"password": SENT["bus-unknown-type"]}}),
            f'{{"type": "PLACE_ORDER", "payload": {{"password": "{SENT["bus-unreadable"]}',
            SENT["bus-unreadable"],
        ],
        "aggregator:orders": [json.dumps({"password": SENT["bus-inside"]}), SENT["bus-unreadable"]],
        "aggregator:requests": [json.dumps({"type": "GET_POSITIONS", "token": SENT["bus-field"]})],
        "instance:control": [json.dumps({"type": "STATUS", "payload": {"secret": SENT["control"]}}), SENT["control"]],
        "connection-manager:fills": [json.dumps({"token": SENT["fills"]}), SENT["fills"]],
    }
    for channel, texts in messages.items():
        for text in texts:
            at.spied.client.publish(channel, text)


def test_a_planted_secret_is_shown_by_no_log_answer_file_or_message(planted: Planted) -> None:
    trade(planted)
    send_secrets(planted)
    until(lambda: "the webhook was not reached" in planted.desk.log("aggregator"))
    until(lambda: "refused a message" in planted.desk.log("aggregator"))
    said = planted.all_said()
    assert shown(planted.secrets, said) == []
    assert [where for where, text in said.items() if TOKEN.search(text)] == []
    # The search finds what is there.
    found = {where for _, where in shown({"an order": "seen-everywhere"}, said)}
    assert found >= {f"log of {role}" for role in ROLES} | {"what is sent to Redis"}
    assert planted.spied.client.dbsize(), "Redis keeps nothing, so nothing was searched there"
    assert found & {"file journal.db", "file journal.db-wal"}
    assert any(where.startswith("manual-trading GET /api/orders") for where in found)


def test_the_broker_s_token_is_one_that_the_search_would_find(planted: Planted) -> None:
    venue = planted.desk.at["venue"]
    login = {"userName": venue["userName"], "apiKey": venue["apiKey"]}
    token = call(venue["gateway"], "POST", "/api/Auth/loginKey", login)[1]["token"]
    assert TOKEN.search(token.encode())


BROKER = {
    "PROJECTX_API_URL": "http://127.0.0.1:9",
    "PROJECTX_USER_HUB_URL": "http://127.0.0.1:9/hubs/user",
    "PROJECTX_MARKET_HUB_URL": "http://127.0.0.1:9/hubs/market",
    "PROJECTX_USERNAME": "somebody",
    "PROJECTX_API_KEY": "planted",
}
HOOK = {"ORDERGATE_ALARM_WEBHOOK_URL": "https://127.0.0.1:9/planted", "ORDERGATE_ALARM_WEBHOOK_SECRET": "planted"}
FILES = {
    "unknown.toml": '[connections]\nredis_url = "redis://:planted@127.0.0.1:9"\nunknown = "planted"\n',
    "list.toml": '[broker]\nprojectx_api_key = ["planted"]\n',
    "broken.toml": '[broker]\nprojectx_api_key = "planted\n',
}
# What prints an error, each with the words of it.
WRONG_STARTS: tuple[tuple[str, dict[str, str], str], ...] = (
    ("run", BROKER | {"REDIS_URL": "redis://:planted@127.0.0.1:9/0/more"}, "REDIS_URL is not shown"),
    ("run", BROKER | {"REDIS_URL": "redis://:planted/more@127.0.0.1:9"}, "REDIS_URL is not shown"),
    ("run", BROKER | {"REDIS_URL": "redis://:planted@127.0.0.1:9/0"}, "cannot be used"),
    ("run --role aggregator", {"REDIS_URL": "redis://:planted@127.0.0.1:9/0"}, "cannot be used"),
    ("run", BROKER | {"PROJECTX_API_KEY": "planted\nkey"}, "PROJECTX_API_KEY is not shown"),
    ("run", BROKER | {"PROJECTX_API_KEY": "planted" * 40}, "PROJECTX_API_KEY is not shown"),
    ("run", BROKER | {"PROJECTX_API_URL": "http://me:planted@127.0.0.1:9"}, "'http://...@127.0.0.1:9'"),
    ("run", BROKER | {"PROJECTX_API_URL": "http://me:p/l@planted@127.0.0.1:9"}, "'http://...@127.0.0.1:9'"),
    ("run", BROKER | {"PROJECTX_API_URL": "http://127.0.0.1:9/?key=planted"}, "'http://127.0.0.1:9/?..."),
    ("run", BROKER | {"ORDERGATE_APPROVAL_KEY": "planted"}, "has 7 characters"),
    ("run", BROKER | HOOK | {"ORDERGATE_ALARM_WEBHOOK_URL": "planted"}, "URL is not shown"),
    ("run", BROKER | HOOK | {"ORDERGATE_ALARM_WEBHOOK_SECRET": ""}, "alarm_webhook_secret"),
    ("run --config {folder}/unknown.toml", {}, "connections.unknown"),
    ("run --config {folder}/list.toml", {}, "is a list"),
    ("run --config {folder}/broken.toml", {}, "is not TOML"),
    ("run --projectx-api-key planted", {}, "No such option"),
    ("run --redis-url=redis://:planted@127.0.0.1:9", {}, "No such option"),
    ("run --help", BROKER | HOOK, "Usage"),
)


def test_no_start_that_goes_wrong_shows_a_secret(tmp_path: Path) -> None:
    for name, text in FILES.items():
        (tmp_path / name).write_text(text)
    environment = clean_environment() | {"LOG_LEVEL": "debug"}
    started = [
        subprocess.Popen(
            [sys.executable, "-m", "ordergate", *words.format(folder=tmp_path).split()],
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            env=environment | {"XDG_STATE_HOME": str(tmp_path / str(number))} | given,
        )
        for number, (words, given, _) in enumerate(WRONG_STARTS)
    ]
    try:
        said = {f"start {number}": process.communicate(timeout=40)[0] for number, process in enumerate(started)}
    finally:
        for process in started:
            process.kill()
    for output, (words, given, told) in zip(said.values(), WRONG_STARTS, strict=True):
        assert told in output.decode(), (words, given)
    assert shown({"in a setting": "planted"}, said) == []


def test_every_setting_that_is_a_secret_is_planted() -> None:
    assert {setting.key for setting in SETTINGS if setting.kind.secret} == set(WORDS) - {"ORDERGATE_APPROVAL_KEY"}
