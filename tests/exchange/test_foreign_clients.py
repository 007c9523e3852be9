"""Clients that are not ours, as bots use them: section 8.1 of the API notes lists how they differ."""

from __future__ import annotations

import asyncio
import json
import os
import re
import shutil
import sys
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest

from ordergate.app import Ready, write_ready
from ordergate.exchange.server import Exchange
from tests.exchange.foreign import third_party
from tests.exchange.support import ACCOUNT, MES, Client
from tools.vendor import PACKAGES, install

HERE = Path(__file__).with_name("foreign")
PATIENCE_S = 20
Line = dict[str, Any]
Start = Callable[..., Awaitable[Exchange]]


@pytest.fixture(scope="module")
def node() -> str:
    node = shutil.which("node")
    wrong = "there is no node" if node is None else install()
    if wrong and "CI" in os.environ:
        pytest.fail(wrong)
    if wrong or node is None:
        pytest.skip(wrong)
    return node


@asynccontextmanager
async def bot(client: Client, *program: str, way: str) -> AsyncIterator[Callable[[], Awaitable[Line]]]:
    """A bot that listens; what it says next, line by line."""
    process = await asyncio.create_subprocess_exec(
        *program,
        client.url, client.token, str(ACCOUNT), MES, way,
        stdin=asyncio.subprocess.PIPE,
        stdout=asyncio.subprocess.PIPE,
    )  # fmt: skip

    async def said() -> Line:
        assert process.stdout is not None
        async with asyncio.timeout(PATIENCE_S):
            line: Line = json.loads(await process.stdout.readline())
        return line

    try:
        yield said
        assert process.stdin is not None
        process.stdin.close()
        while not (line := await said()).get("ended"):
            assert line.get("closed", None) is None, line
        async with asyncio.timeout(PATIENCE_S):
            assert await process.wait() == 0
    finally:
        if process.returncode is None:
            process.kill()
            await process.wait()


async def follow_a_bracket(client: Client, said: Callable[[], Awaitable[Line]], unknown_method: str) -> None:
    """What a bot hears of its connection and of one bracketed order."""
    heard: list[Line] = []
    while not (line := await said()).get("ready"):
        heard.append(line)
    assert [line["error"] for line in heard if "error" in line] == [unknown_method]
    [(contract, quote)] = [line["arguments"] for line in heard if line.get("event") == "GatewayQuote"]
    assert (contract, quote["symbol"], quote["bestBid"] < quote["bestAsk"]) == (MES, "F.US.MES", True)
    bracket = {"stopLossBracket": {"ticks": -8, "type": 4}, "takeProfitBracket": {"ticks": 8, "type": 1}}
    entry = (await client.place(customTag="t", **bracket))["orderId"]
    orders: list[tuple[int, int]] = []
    others: dict[str, Line] = {}
    while len(orders) < 6:
        line = await said()
        [wrapped] = line["arguments"]
        if line["event"] == "GatewayUserOrder":
            orders.append((wrapped["data"]["id"] - entry, wrapped["data"]["status"]))
            assert None not in wrapped["data"].values()
        else:
            others[line["event"]] = wrapped
    assert orders == [(1, 8), (0, 6), (2, 8), (0, 2), (2, 1), (1, 1)]
    assert {name: wrapped["action"] for name, wrapped in others.items()} == {
        "GatewayUserTrade": 0,
        "GatewayUserPosition": 1,
        "GatewayUserAccount": 1,
    }
    assert others["GatewayUserTrade"]["data"]["orderId"] == entry
    assert others["GatewayUserPosition"]["data"]["size"] == 1


@pytest.mark.parametrize("way", ["negotiated", "twice", "documented", "header", "query"])
async def test_the_official_client_follows_a_bracket(client: Client, node: str, way: str) -> None:
    async with bot(client, node, str(HERE / "official.mjs"), way=way) as said:
        await follow_a_bracket(client, said, "Unknown hub method 'Nonsense'")


@pytest.mark.parametrize("way", third_party.WAYS)
async def test_a_client_of_the_package_index_follows_a_bracket(client: Client, way: str) -> None:
    async with bot(client, sys.executable, str(HERE / "third_party.py"), way=way) as said:
        await follow_a_bracket(client, said, "Unknown hub method 'Nonsense'")


DOCUMENTED = re.compile(r"^```(python|js)\n(.*?)^```$", re.MULTILINE | re.DOTALL)
PAGE = Path(__file__).resolve().parent.parent.parent / "docs/exchange.md"


@pytest.fixture
async def folder(start: Start, tmp_path: Path) -> Path:
    """Where ``exchange.json`` is, and npm's packages."""
    exchange = await start(seed=1)
    ready = Ready(
        gateway=exchange.url,
        user_name=exchange.user_name,
        api_key=exchange.api_key,
        account_ids=exchange.account_ids,
        pid=os.getpid(),
    )
    write_ready(tmp_path / "exchange.json", ready)
    (tmp_path / "node_modules").symlink_to(PACKAGES)
    return tmp_path


async def documented(folder: Path, kind: str, *program: str, lines: int) -> list[str]:
    """The first lines that a bot of the page prints; it is ended then."""
    [text] = [text for name, text in DOCUMENTED.findall(PAGE.read_text(encoding="utf-8")) if name == kind]
    process = await asyncio.create_subprocess_exec(
        *program, cwd=folder, stdin=asyncio.subprocess.PIPE, stdout=asyncio.subprocess.PIPE
    )
    assert process.stdin is not None
    assert process.stdout is not None
    try:
        process.stdin.write(text.encode())
        process.stdin.close()
        async with asyncio.timeout(PATIENCE_S):
            return [(await process.stdout.readline()).decode().strip() for _ in range(lines)]
    finally:
        if process.returncode is None:
            process.kill()
        await process.wait()


@pytest.mark.parametrize("language", ["python", "js"])
def test_a_documented_bot_has_ten_lines_beside_its_imports(language: str) -> None:
    bot = re.findall(rf"```{language}\n(.*?)\n```", PAGE.read_text(encoding="utf-8"), re.DOTALL)[0]
    assert len([line for line in bot.splitlines() if line and not line.startswith("import ")]) == 10


async def test_the_documented_bot_in_python_places_its_bracket(folder: Path) -> None:
    answer, legs = await documented(folder, "python", sys.executable, "-", lines=2)
    assert "'success': True" in answer
    assert legs == "[(4, 2), (1, 2)]"


async def test_the_documented_bot_in_javascript_hears_its_bracket_as_the_page_says(folder: Path, node: str) -> None:
    connected, *heard = await documented(folder, "js", node, "--input-type=module", lines=7)
    assert "WebSocket connected" in connected  # the client's own line
    assert heard == ["4 8 js-SL", "2 6 js", "1 8 js-TP", "2 2 js", "1 1 js-TP", "4 1 js-SL"]
    assert all(f"`{line}`" in PAGE.read_text(encoding="utf-8") for line in heard)
