"""The documentation: every command in it is run, every answer in it is compared, what is made from the code is.

Commands are those of the blocks marked ``sh`` in README.md and docs/, run in the order of the page against one desk,
with its ports in place of the documented ones. A ``json`` or ``text`` block that follows is what they have to print.
"""

from __future__ import annotations

import json
import os
import re
import shlex
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from ordergate.config import load
from ordergate.core.rules import RULES
from ordergate.web.presets import presets_answer
from ordergate.web.replies import encode
from tests.end_to_end import process
from tools.reference import pages

ROOT = Path(__file__).resolve().parent.parent
README = ROOT / "README.md"
HTTP, DECISION, SETTINGS = (ROOT / "docs" / name for name in ("http.md", "decision.md", "settings.md"))
PAGES = [README, HTTP, *sorted(path for path in (ROOT / "docs").rglob("*.md") if path != HTTP)]
LINKED = [*PAGES, *(ROOT / name for name in ("ARCHITECTURE.md", "CHANGELOG.md", "CONTRIBUTING.md"))]

BLOCK = re.compile(r"^```(\w*)\n(.*?)^```$", re.MULTILINE | re.DOTALL)
LINK = re.compile(r"\]\(([^)\s]+)\)|src=\"([^\"]+)\"")
PORTS = {"3003": "web", "7500": "connectionManager", "7600": "aggregator", "7800": "gateway"}
DOCUMENTED_CONTRACT = "CON.F.US.MES.Z26"
# A command that starts something that stays is asked for its help instead, which refuses an unknown flag too.
STAYING = {"demo", "exchange", "run", "integration"}
# What is read may lag behind what was asked for, by the way to the exchange and back.
READ_AGAIN_S = 5.0
# Numbers that the market, the clock or the number of earlier events decide.
MOVING = {
    "DAILY_LOSS_LIMIT", "actual", "ageMs", "asOf", "ask", "averageFillPrice", "averagePrice", "avgPrice", "balance",
    "bid", "brokerOrderId", "close", "count", "currentPrice", "dayPnl", "dayPnlAtStops", "equity", "events",
    "expiresInMs", "fillId", "high", "inSession", "last", "lastAnswerAgeMs", "lastAnswerTookMs", "lastEventAgeMs",
    "lastHeardAgeMs", "lastHeartbeatAgeMs", "lastWriteAgeMs", "left", "leftForExits", "low", "netPnL", "number",
    "oldestQuoteAgeMs", "open", "p50Ms", "p99Ms", "price", "quoteAgeMs", "stopLoss", "stopLossOrderId",
    "takeProfit", "takeProfitOrderId", "timestamp", "totalBalance", "unrealizedPnL", "uptime", "volume", "worstMs",
    "fillsProcessed", "ordersProcessed", "ordersReceived", "riskViolations",
}  # fmt: skip


@pytest.fixture(scope="module")
def desk(tmp_path_factory: pytest.TempPathFactory) -> Iterator[process.Desk]:
    with process.running(tmp_path_factory.mktemp("desk")) as running:
        yield running


def test_every_command_against_the_desk_answers_as_the_pages_say(desk: process.Desk) -> None:
    count = 0
    for page in PAGES:
        for command, kind, said in commands(page):
            if "curl" in command:
                count += 1
                end = time.monotonic() + READ_AGAIN_S
                printed = printed_by(desk, command)
                while " -d " not in command and not agrees(kind, said, printed) and time.monotonic() < end:
                    printed = printed_by(desk, command)
                assert agrees(kind, said, printed), (page.name, command, printed)
                settle(desk)
    assert count > 20


def test_every_other_command_exists() -> None:
    for page in PAGES:
        for command, _, _ in commands(page):
            if "curl" not in command:
                for line in filter(None, (line.partition("#")[0].strip() for line in command.splitlines())):
                    finished = subprocess.run(
                        runnable(line), cwd=ROOT, env=environment(), capture_output=True, check=False
                    )
                    assert finished.returncode == 0, (page.name, line, finished.stderr)


def test_every_link_leads_to_a_file_and_a_heading() -> None:
    for page in LINKED:
        for target in (found[1] or found[2] for found in LINK.finditer(page.read_text(encoding="utf-8"))):
            if "://" in target:
                continue
            name, _, anchor = target.partition("#")
            path = page if name == "" else page.parent / name
            assert path.exists(), (page.name, target)
            assert not anchor or anchor in anchors(path), (page.name, target)


def test_what_is_made_from_the_code_is_what_the_code_says() -> None:
    for path, page in pages().items():
        assert path.read_text(encoding="utf-8") == page, f"{path.name}: run python -m tools.reference"


def test_the_presets_of_the_settings_page_are_told_as_the_http_page_says() -> None:
    (example,) = (text for kind, text in blocks(SETTINGS) if kind == "toml")
    (said,) = (text for _, text in blocks(HTTP) if '"scalp"' in text)
    assert json.loads(said) == json.loads(encode(presets_answer(load({}, {}, example).presets)))


def test_the_rules_are_told_in_their_order_each_with_its_codes() -> None:
    table = DECISION.read_text(encoding="utf-8").partition("<!-- made: rules -->")[2].partition("<!-- end -->")[0]
    rows = [[cell.strip() for cell in line.split("|")[1:-1]] for line in table.strip().splitlines()[2:]]
    assert [row[1] for row in rows] == [rule.__name__ for rule in RULES]
    assert all(row[4] for row in rows)


def commands(page: Path) -> Iterator[tuple[str, str, str]]:
    """Each block of commands, with the kind and text of the block that follows at once ("" where none does)."""
    text = page.read_text(encoding="utf-8")
    blocks = list(BLOCK.finditer(text))
    for number, block in enumerate(blocks):
        if block[1] == "sh":
            after = blocks[number + 1] if number + 1 < len(blocks) else None
            follows = after is not None and after[1] != "sh" and text[block.end() : after.start()].strip() == ""
            yield (block[2], after[1], after[2]) if after is not None and follows else (block[2], "", "")


def blocks(page: Path) -> list[tuple[str, str]]:
    return [(block[1], block[2]) for block in BLOCK.finditer(page.read_text(encoding="utf-8"))]


def printed_by(desk: process.Desk, command: str) -> str:
    for port, name in PORTS.items():
        command = command.replace(f"localhost:{port}", str(desk.at[name]).removeprefix("http://"))
    command = command.replace(DOCUMENTED_CONTRACT, contract(desk))
    finished = subprocess.run(["bash", "-eu", "-c", command], capture_output=True, text=True, timeout=20, check=False)
    assert finished.returncode == 0, (command, finished.stderr)
    return finished.stdout


def contract(desk: process.Desk) -> str:
    """The month of MES that is traded now."""
    return str(desk.get("/api/prices/MES")["contractId"])


def settle(desk: process.Desk) -> None:
    """Until what was asked for is done at the exchange too: a person is slower than that."""
    process.until(lambda: not [row for row in desk.get("/api/orders") if row["status"] == "PENDING"])
    process.until(lambda: all(row["protected"] for row in desk.get("/api/positions")))


def agrees(kind: str, said: str, printed: str) -> bool:
    """Whether ``printed`` is as the page says; where it says nothing, no failure must be in it."""
    match kind:
        case "json":
            return alike(json.loads(said), json.loads(printed))
        case "text":
            fields = [[line.partition(":")[0] for line in text.splitlines()] for text in (said, printed)]
            return fields[0] == fields[1]
        case _:
            return '"success":false' not in printed


def alike(said: Any, real: Any, name: str = "") -> bool:
    """Whether ``real`` has the shape and the fixed values of ``said``."""
    if isinstance(said, dict):
        same_names = said == {} or (isinstance(real, dict) and said.keys() == real.keys())
        return same_names and isinstance(real, dict) and all(alike(said[key], real[key], key) for key in said)
    if isinstance(said, list):
        return isinstance(real, list) and len(real) >= len(said) and all(map(alike, said, real))
    if isinstance(said, str):
        # Times, contracts and ids differ in their digits alone.
        return isinstance(real, str) and re.sub(r"\d+", "0", said) == re.sub(r"\d+", "0", real)
    if name in MOVING and said is not None:
        return isinstance(real, (int, float))
    return type(said) is type(real) and bool(said == real)


def runnable(line: str) -> list[str]:
    words = shlex.split(line)
    if words[0] == "make":
        return ["make", "--dry-run", *words[1:]]
    assert words[0].removeprefix(".venv/bin/") == "ordergate", line
    ours = [sys.executable, "-m", "ordergate", *words[1:]]
    return [*ours, "--help"] if words[1] in STAYING else ours


def environment() -> dict[str, str]:
    """Ours, without what a make around these tests says to makes inside it."""
    own = {name: value for name, value in os.environ.items() if not name.startswith(("MAKE", "MFLAGS", "ARGS"))}
    return own | {"PYTHONPATH": str(ROOT / "src")}


def anchors(page: Path) -> set[str]:
    """The headings of a page, as links name them."""
    headings = re.findall(r"^#+ (.+)$", page.read_text(encoding="utf-8"), re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", heading).strip().lower().replace(" ", "-") for heading in headings}
