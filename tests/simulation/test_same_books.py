"""An hour of twenty accounts of four logins at one exchange on which everything goes wrong: the books agree at the end.

Each login has a desk of its own: gate, connection manager, page. What goes wrong is asked of the exchange itself, under
``/sim/``. At rest positions, working orders, fills and money are the exchange's own, to the cent.
"""

from __future__ import annotations

import asyncio
import contextlib
import random
from collections import Counter
from collections.abc import AsyncIterator
from decimal import Decimal
from fractions import Fraction
from typing import Any, NamedTuple

import msgspec
import pytest

from ordergate import app
from ordergate.broker.connection import Settings as BrokerSettings
from ordergate.broker.projectx.session import Credentials
from ordergate.bus.memory import MemoryBus
from ordergate.core.account import Account, Group
from ordergate.core.limits import Limits, OnDailyLoss
from ordergate.desk import Books, Parts, Ports, desk_parts
from ordergate.exchange.server import Exchange, User
from ordergate.exchange.settings import ExchangeSettings
from ordergate.exchange.store import MemoryStore
from ordergate.journal.memory import MemoryJournal
from ordergate.net.memory import MemoryNetwork
from ordergate.settings import Settings
from tests.simulation.desk import MICROS, NoEmergency, SimulatedDesk
from tests.simulation.test_desk import trade
from tests.simulation.virtual_time import VirtualClock, run

LOGINS, ACCOUNTS_EACH = 4, 5
HOUR_S, SETTLE_S = 3_600, 120
CENT = Decimal("0.01")
LIMITS = Limits(
    allowed_symbols=MICROS,
    open_orders_max=100,
    daily_loss_usd_max=Decimal(1_000_000),
    risk_percent_max=Decimal(100),
    on_daily_loss=OnDailyLoss.KEEP,
    repeats_per_minute_max=1_000,
)
ORDERS = ("/api/Order/place", "/api/Order/modify", "/api/Order/cancel")
READINGS = ("/api/Order/search", "/api/Order/searchOpen", "/api/Position/searchOpen", "/api/Trade/search")
EVENTS = ("GatewayUserOrder", "GatewayUserTrade", "GatewayUserPosition", "GatewayUserAccount")


class Floor(NamedTuple):
    """The exchange, and the desks on it."""

    network: MemoryNetwork
    exchange: Exchange
    store: MemoryStore
    desks: list[tuple[SimulatedDesk, Parts]]


@contextlib.asynccontextmanager
async def floor(seed: int) -> AsyncIterator[Floor]:
    network, clock = MemoryNetwork(), VirtualClock(asyncio.get_running_loop())
    chosen = ExchangeSettings(
        seed=seed, symbols=MICROS, quote_interval_ms=1_000, user_count=LOGINS, account_count=ACCOUNTS_EACH
    )
    store = MemoryStore(chosen.bars_kept_min)
    exchange = Exchange(chosen, store, clock)
    await exchange.start(network, "127.0.0.1", 0)
    async with contextlib.AsyncExitStack() as running:
        running.push_async_callback(exchange.close)
        desks = [
            await running.enter_async_context(desk(seed, network, clock, exchange, user)) for user in exchange.users
        ]
        yield Floor(network, exchange, store, desks)


@contextlib.asynccontextmanager
async def desk(
    seed: int, network: MemoryNetwork, clock: VirtualClock, exchange: Exchange, user: User
) -> AsyncIterator[tuple[SimulatedDesk, Parts]]:
    settings = Settings(web_port=0, connection_manager_port=0, aggregator_port=0, gateway_port=0, limits=LIMITS)
    ports = Ports(
        bus=MemoryBus(),
        network=network,
        clock=clock,
        rng=random.Random(f"{seed} {user.user_name}"),
        approval_key=user.user_name.encode() * 4,
        step=lambda _step, _name: None,
        stop=lambda: None,
    )
    broker = BrokerSettings(
        venue="sim",
        gateway_url=exchange.url,
        user_hub_url=f"{exchange.url}/hubs/user",
        market_hub_url=f"{exchange.url}/hubs/market",
        credentials=Credentials(user.user_name, user.api_key),
        symbols=MICROS,
    )
    journal = MemoryJournal()
    books = Books(journal, NoEmergency(), "aaaaaaaa")
    async with desk_parts(settings, ports, books, MemoryJournal(), LIMITS, broker) as parts:
        await parts.settled(quoted=True)
        at = app.Ready(
            web=parts.web.url, gateway=exchange.url, user_name=user.user_name, account_ids=user.account_ids, pid=0
        )
        yield SimulatedDesk(network, journal, at), parts


async def meddle(at: Floor, rng: random.Random, seen: Counter[str]) -> None:
    """What goes wrong, one thing after the other."""

    async def asked(path: str, **body: Any) -> None:
        headers = {"content-type": "application/json"}
        url, data = f"{at.exchange.url}/sim/{path}", msgspec.json.encode(body)
        answer = await at.network.request("POST", url, headers=headers, body=data, timeout_s=10)
        assert answer.status == 200, answer.body
        seen[f"{body.get('kind') or body.get('act')} {body.get('on', '')} {body.get('when', '')}".strip()] += 1

    contracts = list(at.exchange._venue.book.markets)  # noqa: SLF001 - their names
    while True:
        await asyncio.sleep(rng.uniform(2, 20))
        what = rng.random()
        if what < 0.4:
            kind = rng.choice(["lose", "double", "late", "shuffle"])
            on = "GatewayUserTrade" if kind == "shuffle" else rng.choice(EVENTS)
            await asked("faults", kind=kind, on=on, times=rng.randint(1, 4), ms=rng.randint(1, 3_000))
        elif what < 0.65:
            on, when = rng.choice(ORDERS + READINGS), rng.choice(["before", "after"])
            if rng.random() < 0.5:
                await asked("faults", kind="status", on=on, when=when, status=rng.choice([429, 500, 502, 503]))
            else:
                await asked("faults", kind="hang", on=on, when=when, seconds=rng.uniform(0.5, 20))
        elif what < 0.8:
            await asked("faults", kind=rng.choice(["part", "reject", "empty"]), on="")
        elif what < 0.9:
            await asked("act", act=rng.choice(["drop", "logout", "expire", "mute"]))
        else:
            await asked("act", act="halt", contractId=rng.choice(contracts), seconds=rng.uniform(1, 8))


async def session(seed: int, seconds: float) -> str:
    """Figures of an hour, in a line."""
    rng, seen = random.Random(seed), Counter[str]()
    async with floor(seed) as at:
        await asyncio.sleep(61)  # the starts have used up the requests of a minute
        trading = [asyncio.create_task(trade(each, random.Random(rng.random()), seconds)) for each, _ in at.desks]
        meddling = asyncio.create_task(meddle(at, rng, seen))
        accepted = sum(await asyncio.gather(*trading))
        meddling.cancel()
        faults = f"{at.exchange.url}/sim/faults"
        await at.network.request("DELETE", faults, headers={"content-type": "application/json"}, timeout_s=10)
        await asyncio.sleep(SETTLE_S)
        for each, _ in at.desks:
            await each.post("/api/cancel-all", {"accountId": "all"})
        await asyncio.sleep(SETTLE_S)
        orders = fills = 0
        for each, parts in at.desks:
            for account_id in each.at.account_ids:
                found = compared(at, parts.gate.group, parts.gate.group.accounts[account_id])
                assert found == [], f"seed {seed}, account {account_id}: {found}"
                orders += len(at.store.orders(account_id, 0, 2**63 - 1))
                fills += len(at.store.fills(account_id, 0, 2**63 - 1))
    figures = f"{accepted} orders of traders, {orders} at the exchange, {fills} fills"
    return f"seed {seed}: {figures}; {dict(sorted(seen.items()))}"


def compared(at: Floor, group: Group, account: Account) -> list[str]:
    """What of our view of an account is not the exchange's."""
    book, account_id = at.exchange._venue.book, account.account_id  # noqa: SLF001 - the exchange's own books
    theirs = {held.contract_id: held for held in book.positions.values() if held.account_id == account_id}
    ours = {contract_id: held for contract_id, held in account.positions.items() if held.net}
    wrong = []
    if {name: held.net for name, held in ours.items()} != {name: held.net_quantity for name, held in theirs.items()}:
        wrong.append(f"positions {ours} are {theirs}")
    for name, held in ours.items():
        apart = abs(held.average - Fraction(theirs[name].average_ticks)) if name in theirs else Fraction(0)
        if apart > Fraction(1, 1_000):
            wrong.append(f"average of {name} is {float(held.average)}, theirs {theirs[name].average_ticks}")
    working = {
        order.broker_order_id: order.leaves for order in account.live_orders() if order.broker_order_id is not None
    }
    resting = {order.order_id: order.leaves for order in book.orders.values() if order.account_id == account_id}
    if working != resting:
        wrong.append(f"working {working} are {resting}")
    told = {fill.fill_id for fill in at.store.fills(account_id, 0, 2**63 - 1)}
    counted = {fill.fill_id for fill in account.fills.values()}
    if told != counted:
        wrong.append(f"fills: not ours {told - counted}, not theirs {counted - told}")
    balance = book.accounts[account_id].balance_usd
    if account.balance_usd.quantize(CENT) != balance.quantize(CENT):
        wrong.append(f"balance {account.balance_usd} is {balance}")
    if account.gap_usd.quantize(CENT):
        wrong.append(f"the day's fills make {account.day.realized_usd}, the balance moved by {account.gap_usd} more")
    if account.unexplained:
        wrong.append(f"unexplained: {account.unexplained}")
    assert group.link_up
    return wrong


@pytest.mark.slow
@pytest.mark.timeout(400)
@pytest.mark.parametrize("seed", [1])  # a balance that was lost with the day's last fill stayed wrong
def test_after_an_hour_of_faults_the_books_are_the_exchange_s_to_the_cent(seed: int) -> None:
    print(run(session(seed, HOUR_S)))  # noqa: T201 - the figures


def test_after_some_minutes_of_faults_the_books_are_the_exchange_s_to_the_cent() -> None:
    assert run(session(3, 180))
