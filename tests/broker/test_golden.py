"""Messages of the real service, as they were seen or documented, and what the client reads in them.

``tests/golden/projectx`` holds one each, ids and names changed: hub events as captured on a practice account in July
and August 2026, and as an older report has them; answers of REST as documented (ProjectX API notes, sections 4 to 8,
2026-11-22). ``read.json`` is what the client makes of each; ``python tests/broker/test_golden.py`` writes it anew.
"""

from __future__ import annotations

import asyncio
import json
import sys
from decimal import Decimal
from pathlib import Path
from typing import Any

import msgspec
import pytest

from ordergate.broker.projectx import messages, translate
from ordergate.broker.projectx.budget import RequestBudget, RequestLimits
from ordergate.broker.projectx.catalogue import Catalogue
from ordergate.broker.projectx.client import Client
from ordergate.broker.projectx.feeds import MarketFeed, UserFeed
from ordergate.broker.projectx.rest import Rest
from ordergate.broker.projectx.session import Credentials, Session
from ordergate.core.reports import Quote, Report
from ordergate.net.memory import MemoryNetwork
from tests.broker.stand_in import MNQ, contract
from tests.simulation.virtual_time import VirtualClock, run

FOLDER = Path(__file__).resolve().parent.parent / "golden/projectx"
READ = FOLDER / "read.json"
MESSAGES = sorted(path for path in FOLDER.glob("*.json") if path != READ)
ANSWERS: dict[str, type[messages.Answer]] = {
    "Auth-loginKey-refused": messages.LoginAnswer,
    "History-retrieveBars": messages.BarsAnswer,
    "Order-place-rejected": messages.PlaceAnswer,
    "Trade-search": messages.TradesAnswer,
}


def read(path: Path) -> Any:
    """What the client makes of one message, as JSON has it."""
    told: list[Report | Quote] = []

    async def main() -> None:
        clock, network = VirtualClock(asyncio.get_running_loop()), MemoryNetwork()
        rest = Rest(network, "http://nobody", RequestBudget(RequestLimits()), 1.0)
        catalogue = Catalogue(Client(rest, rest, Session(rest, clock, Credentials("trader", "key"))), announced)
        catalogue.instruments[MNQ] = translate.instrument(
            msgspec.convert(contract("MNQ", 0.5), messages.Contract, builtin_types=(Decimal,), strict=False)
        )

        async def published(report: Report) -> None:
            told.append(report)

        target, arguments = path.stem.partition("-")[0], msgspec.Raw(path.read_bytes())
        if target.startswith("GatewayUser"):
            await UserFeed(catalogue, published).heard(target, arguments)
        else:
            await MarketFeed(catalogue, clock, published, told.append).heard(target, arguments)

    if path.stem in ANSWERS:
        return plain(msgspec.json.decode(path.read_bytes(), type=ANSWERS[path.stem]))
    run(main())
    return [plain(each) for each in told]


async def announced(_instruments: object) -> None:
    """Nobody listens."""


def plain(value: object) -> Any:
    built = msgspec.to_builtins(value, builtin_types=(Decimal,))
    return json.loads(json.dumps(built, default=str))


@pytest.mark.parametrize("path", MESSAGES, ids=lambda path: path.stem)
def test_a_message_of_the_real_service_is_read_as_it_always_was(path: Path) -> None:
    assert read(path) == json.loads(READ.read_text())[path.stem]


def test_what_is_kept_is_of_messages_that_there_are() -> None:
    assert set(json.loads(READ.read_text())) == {path.stem for path in MESSAGES}


if __name__ == "__main__":
    sys.stdout.write(json.dumps({path.stem: read(path) for path in MESSAGES}, indent=1, sort_keys=True) + "\n")
