"""Each check of ``doctor``, in its good and in its bad outcomes."""

from __future__ import annotations

import re
from collections.abc import Mapping
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from msgspec.structs import replace

from ordergate.broker.challenge import Proof
from ordergate.console import shown
from ordergate.console.checks import CHECKS, broker, bus, desk, machine
from ordergate.console.facts import (
    BrokerFacts,
    ClockFacts,
    Contract,
    Facts,
    JournalFacts,
    RedisClient,
    RedisFacts,
    Sleep,
    StateFacts,
)
from ordergate.console.finding import Finding, Level
from ordergate.console.places import Answer, Places
from ordergate.core.contracts import PRODUCT_BY_SYMBOL
from ordergate.core.limits import MICROS, Limits
from ordergate.core.modes import Modes
from ordergate.core.order import BracketMode
from ordergate.settings import Redis, Settings
from ordergate.state_dir import Holder

STATE = Path("state")
MODES = {
    "shadow": False,
    "interceptOrders": True,
    "preserveOriginalWorkflow": False,
    "enableRiskValidation": True,
    "enableSLTPCalculation": True,
}
NOBODY = Answer("", failure="nothing listens there", refused=True)
OURS = RedisClient("", "127.0.0.1:5", "ordergate", 6, 0)
STRANGER = RedisClient("bot-7", "127.0.0.1:9", "node-redis", 1, 0)
ACCOUNT = shown.Account(
    1001, "PRACTICE", Decimal(50_000), None, None, None, None, if_we_die_bounded=True,
    daily_loss_limit=Decimal(1000), trading_state="active", reason="",
)  # fmt: skip
POSITION = shown.Position(
    1001, "MES", "LONG", 2, Decimal(5000), None, None, None, protected=True,
    protection=shown.Cover("protected", 0, "", ""), net_pnl=None,
)  # fmt: skip
NATIVE = Settings(bracket_mode=BracketMode.AUTO_OCO)
PRICED = (shown.Check("prices", "quotes come of MES", well=True),)
DESK = shown.Desk("LIVE", "projectx", "trader", "0", True, "", "", shown.Modes(True, ""), None, PRICED)  # noqa: FBT003
SHOWN = shown.Shown(DESK, (ACCOUNT,), (POSITION,), (), (), ())


def gate(**modes: bool) -> Answer:
    body = {"status": "healthy", "service": "Trading Aggregator", "modes": MODES | modes, "redis": {}}
    return Answer("", 200, body)


def contract(symbol: str) -> Contract:
    product = PRODUCT_BY_SYMBOL[symbol]
    return Contract(symbol, f"CON.F.US.{product.root}.Z26", product.tick_size, product.tick_value_usd)


CONTRACTS = tuple(map(contract, MICROS))
REDIS = RedisFacts(
    address="redis://localhost:6379/0",
    open_to_all=False,
    config={"bind": "127.0.0.1 -::1", "protected-mode": "yes", "maxmemory": "0", "maxmemory-policy": "noeviction"},
    clients=(OURS, STRANGER_ELSEWHERE := RedisClient("page", "127.0.0.1:7", "node-redis", 0, 0)),
    listeners=1,
    patterns=0,
    round_trip_ms=1.0,
    ahead_ms=0.0,
)
PROOF = Proof("0" * 32, "projectx", "trader", "https://api", shadow=False, at_ns=0)
STATE_FACTS = StateFacts(STATE, True, 0o700, 0o600, True, 50_000_000_000, {Holder.AGGREGATOR: "77"})  # noqa: FBT003
WELL = Facts(
    settings=Settings(redis=Redis(host="localhost")),
    limits=Limits(),
    at=Places("http://127.0.0.1:3003", "http://127.0.0.1:7600", "http://127.0.0.1:7500"),
    page=Answer("", 200, {"status": "healthy", "service": "Manual Trading Server"}),
    gate=gate(),
    manager=Answer("", 200, {"status": "ok"}, took_ms=3.0),
    shown=SHOWN,
    proof=PROOF,
    redis=REDIS,
    redis_is_used=True,
    broker=BrokerFacts("a login works", CONTRACTS, {1001: Decimal(50_000)}),
    clock=ClockFacts(-900.0, 150.0, 50.0),
    journal=JournalFacts(STATE / "journal.db", 68, is_whole=True, writable=True),
    state=STATE_FACTS,
    sleep=Sleep(sleeps=False, text="pmset: sleep 0"),
)
SHADOW = replace(WELL.settings, modes=Modes(shadow=True))
OPEN = replace(REDIS, open_to_all=True)


def config(**changes: str) -> Mapping[str, str]:
    assert not isinstance(REDIS.config, str)
    return {**REDIS.config, **{name.replace("_", "-"): value for name, value in changes.items()}}


def wrong_contract(symbol: str) -> tuple[Contract, ...]:
    """The broker's list, in which one tick is worth ten times what it is."""
    return tuple(
        replace(each, tick_value=each.tick_value * 10) if each.symbol == symbol else each for each in CONTRACTS
    )


def account(**changes: Any) -> shown.Shown:
    return replace(SHOWN, accounts=(replace(ACCOUNT, **changes),))


def checked(name: str, text: str, *, well: bool | None) -> shown.Shown:
    return replace(SHOWN, desk=replace(DESK, checks=(shown.Check(name, text, well),)))


def position(**changes: Any) -> shown.Shown:
    return replace(SHOWN, positions=(replace(POSITION, **changes),))


OK, UNKNOWN, WARN, UNSAFE = Level.OK, Level.UNKNOWN, Level.WARN, Level.UNSAFE
# The check, what is not well, what it is called then, and what it says.
CASES: list[tuple[Any, dict[str, Any], Level, str]] = [
    (desk.modes, {"gate": gate(interceptOrders=False)}, UNSAFE, "interception off"),
    (desk.modes, {"gate": gate(enableRiskValidation=False)}, UNSAFE, "validation off"),
    (desk.modes, {"gate": gate(preserveOriginalWorkflow=True)}, UNSAFE, "PRESERVE_ORIGINAL_WORKFLOW=false"),
    (desk.modes, {"gate": NOBODY, "settings": replace(WELL.settings, modes=Modes(preserve=True))}, UNSAFE, "settings"),
    (desk.modes, {"gate": gate(shadow=True, interceptOrders=False)}, WARN, "INTERCEPT_ORDERS=true"),
    (desk.modes, {"gate": gate(shadow=True)}, WARN, "these settings: live"),
    (desk.modes, {"gate": gate(shadow=True), "settings": SHADOW}, OK, "shadow: nothing is written"),
    (desk.limits, {"limits": "maximum_loss is set"}, UNSAFE, "maximum_loss is set"),
    (desk.limits, {"limits": Limits(maximum_loss_usd=Decimal(10**12))}, UNSAFE, "MAXIMUM_LOSS_LIMIT refuses nothing"),
    (desk.smallest_order, {"limits": Limits(risk_usd_max=Decimal(20))}, WARN, "MGC: EXCESSIVE_RISK"),
    (desk.smallest_order, {"limits": Limits(order_quantity_min=9, order_quantity_max=9)}, OK, "passes in MGC"),
    (desk.smallest_order, {"broker": BrokerFacts("", (), {1: Decimal(1_000)})}, WARN, "EXCESSIVE_RISK"),
    (desk.smallest_order, {"limits": "no"}, UNKNOWN, "no gate starts"),
    (desk.accounts, {"shown": account(trading_state="locked", reason="until noon")}, WARN, "1001 is locked: until"),
    (desk.accounts, {"shown": account(reason="the broker does not let this account trade")}, WARN, "1001 takes no new"),
    (desk.accounts, {"shown": account(trading_state="halted", reason="daily loss")}, WARN, "1001 is halted: d"),
    (desk.accounts, {"shown": replace(SHOWN, desk=replace(DESK, paused=shown.Paused("at the page", "t", "news")))},
     WARN, "paused at the page since t: news"),
    (desk.accounts, {"shown": replace(SHOWN, desk=replace(DESK, link_up=False, link_reason="gone"))}, WARN, "gone"),
    (desk.accounts, {"shown": position(protected=False, protection=shown.Cover("unprotected", 2, "", "refused"))},
     UNSAFE, "LONG 2 MES in 1001 is unprotected: refused"),
    (desk.accounts, {"shown": position(protected=False, protection=shown.Cover("by choice", 2, "", ""))}, WARN,
     "no stop by choice"),
    (desk.accounts, {"shown": "the page does not answer"}, UNKNOWN, "the page does not answer"),
    (broker.brackets, {"shown": "the page does not answer"}, UNKNOWN, "the page does not answer"),
    (broker.brackets, {}, OK, "works with either setting"),
    (broker.brackets, {"shown": account(bracket_mode="position")}, OK, "works with either setting"),
    (broker.brackets, {"shown": account(bracket_mode="auto_oco")}, OK, "leave with their order"),
    (broker.brackets, {"shown": account(bracket_mode="position"), "settings": NATIVE}, WARN, "rejects brackets on an"),
    (desk.ports, {"page": NOBODY}, WARN, "page at http://127.0.0.1:3003: free"),
    (desk.ports, {"gate": Answer("", 404, None)}, WARN, "7600: another program"),
    (desk.ports, {"page": Answer("", 200, {"status": "ok", "service": "Grafana"})}, WARN, "3003: another program"),
    (desk.ports, {"gate": Answer("", failure="no answer within 2 s")}, WARN, "7600: no answer within 2 s"),
    (desk.ports, {"page": NOBODY, "gate": NOBODY, "manager": NOBODY}, OK, "the ports are free"),
    (desk.connection_manager, {"proof": "it is no connection manager of ordergate"}, UNSAFE, "not ours: it is no conn"),
    (desk.connection_manager, {"proof": "another key", "gate": gate(shadow=True)}, WARN, "not ours: another key"),
    (desk.connection_manager, {"proof": None}, UNKNOWN, "no approval key here"),
    (desk.connection_manager, {"proof": replace(PROOF, shadow=True)}, UNSAFE, "ours, but shadow"),
    (desk.connection_manager, {"manager": Answer("", 503, {"status": "degraded"})}, WARN, "it says degraded"),
    (desk.connection_manager, {"manager": NOBODY}, WARN, "at http://127.0.0.1:7500: nothing listens"),
    (desk.connection_manager, {"manager": NOBODY, "gate": NOBODY}, OK, "at http://127.0.0.1:7500: nothing listens"),
    (bus.reachable, {"redis": "Connection refused"}, UNSAFE, "REDIS_HOST"),
    (bus.reachable, {"redis": "not used", "redis_is_used": False}, OK, "not used"),
    (bus.access, {"redis": OPEN}, OK, "this machine only"),
    (bus.access, {"redis": replace(OPEN, config=config(bind="* -::*", protected_mode="no"))}, UNSAFE, "any machine"),
    (bus.access, {"redis": replace(OPEN, config=config(bind="", protected_mode="no"))}, UNSAFE, "every address"),
    (bus.access, {"redis": replace(OPEN, config=config(bind="127.0.0.1 10.0.0.4"))}, WARN, "only protected-mode"),
    (bus.access, {"redis": replace(OPEN, config="NOPERM")}, WARN, "cannot be read (NOPERM)"),
    (bus.access, {"redis": "refused"}, UNKNOWN, "Redis does not answer"),
    (bus.memory, {"redis": replace(REDIS, config=config(maxmemory="1", maxmemory_policy="allkeys-lru"))}, UNSAFE, ""),
    (bus.memory, {"redis": replace(REDIS, config=config(maxmemory_policy="allkeys-lru"))}, WARN, "allkeys-lru"),
    (bus.memory, {"redis": replace(REDIS, config="NOPERM")}, UNKNOWN, "NOPERM"),
    (bus.listeners, {"redis": replace(REDIS, listeners=0)}, WARN, "nobody listens on order:management"),
    (bus.listeners, {"gate": NOBODY}, WARN, "taken by nobody of this desk"),
    (bus.listeners, {"gate": NOBODY, "redis": replace(REDIS, clients="NOPERM")}, WARN, "taken by nobody of this desk"),
    (bus.listeners, {"gate": NOBODY, "redis": replace(REDIS, listeners=2, clients=(OURS, STRANGER))}, UNSAFE, "bot-7"),
    (bus.listeners, {"redis": replace(REDIS, listeners=2, clients=(OURS, STRANGER))}, UNSAFE, "bot-7 at 127.0.0.1:9"),
    (bus.listeners, {"redis": replace(REDIS, listeners=2, clients=(OURS, STRANGER)), "gate": gate(shadow=True)}, WARN,
     "before going live"),
    (bus.listeners, {"redis": replace(REDIS, clients=(OURS, replace(STRANGER, channels=0, patterns=1)))}, UNSAFE,
     "bot-7 at 127.0.0.1:9"),
    (bus.listeners, {"redis": replace(REDIS, listeners=0, patterns=1, clients=(replace(STRANGER, patterns=1),))},
     UNSAFE, "bot-7 at 127.0.0.1:9"),
    # Who listens on other channels only is no executor.
    (bus.listeners, {"redis": replace(REDIS, clients=(OURS, STRANGER))}, OK, "all of them ordergate"),
    (bus.listeners, {"redis": replace(REDIS, clients=(OURS,))}, OK, "none can publish here"),
    (bus.listeners, {"redis": replace(REDIS, clients=(replace(OURS, library=""),))}, UNKNOWN, "from 7.2 on"),
    (bus.listeners, {"redis": replace(REDIS, clients="NOPERM")}, UNKNOWN, "NOPERM"),
    (bus.timeouts, {"redis": replace(REDIS, round_trip_ms=2_600.0)}, WARN, "raise redis_timeout_ms"),
    (bus.timeouts, {"manager": Answer("", 200, {}, took_ms=1_900.0)}, WARN, "raise connection_manager_timeout_ms"),
    (bus.timeouts, {"manager": Answer("", failure="no answer within 2 s", took_ms=2_000.0)}, WARN, "2000 of"),
    (bus.timeouts, {"clock": ClockFacts(0, 0, 9_000.0)}, WARN, "raise broker_timeout_ms"),
    (bus.timeouts, {"redis": "", "manager": NOBODY, "clock": None}, UNKNOWN, "nothing answered"),
    (broker.login, {"broker": "Auth/loginKey refused with code 3", "manager": NOBODY}, WARN, "refused with code 3"),
    (broker.login, {"broker": "not tried"}, UNKNOWN, "not tried"),
    (broker.login, {"broker": None}, UNKNOWN, "PROJECTX_API_KEY"),
    (broker.login, {"broker": BrokerFacts("", CONTRACTS, {}, ("the broker does not let LIVE (7) trade",))}, WARN,
     "does not let LIVE (7) trade"),
    (broker.contracts, {"broker": BrokerFacts("", wrong_contract("MES"), {})}, UNSAFE,
     "MES: tick 0.25 of $12.5, here 0.25 of $1.25"),
    (broker.contracts, {"broker": "down"}, UNKNOWN, "could not be read"),
    (broker.instruments, {"broker": BrokerFacts("", CONTRACTS[1:], {})}, WARN, "no active contract of MGC"),
    (broker.instruments, {"broker": "down"}, UNKNOWN, "could not be read"),
    (broker.prices, {"shown": checked("prices", "no quote of MES", well=False)}, WARN, "no quote of MES"),
    (broker.prices, {"shown": checked("prices", "not looked at", well=None)}, UNKNOWN, "not known yet"),
    (broker.prices, {"shown": checked("clock", "agrees", well=True)}, UNKNOWN, "not known yet"),
    (broker.prices, {"shown": "the page does not answer"}, UNKNOWN, "the page does not answer"),
    (broker.multipliers, {"wrong": ("MES is 50, and it is 5",), "wrong_matters": True}, UNSAFE, "MES is 50"),
    (broker.multipliers, {"wrong": ("MES is 50, and it is 5",)}, WARN, "leave them out"),
    (broker.multipliers, {"wrong": "no JSON"}, WARN, "no JSON"),
    (broker.multipliers, {"wrong": ()}, OK, "the contracts' own"),
    (machine.broker_clock, {"clock": ClockFacts(1_200.0, 2_300.0, 5.0)}, WARN, "at least 1200 ms behind the broker"),
    (machine.broker_clock, {"clock": ClockFacts(-9_000.0, -7_900.0, 5.0)}, WARN, "at least 7900 ms ahead of the"),
    (machine.broker_clock, {"clock": "its answer has no Date"}, UNKNOWN, "no Date"),
    (machine.broker_clock, {"clock": None}, UNKNOWN, "no broker is set"),
    (machine.redis_clock, {"redis": replace(REDIS, ahead_ms=-3_000.0)}, WARN, "-3000 ms ahead of ours"),
    (machine.redis_clock, {"redis": "refused"}, UNKNOWN, "does not answer"),
    (machine.state_directory, {"state": replace(STATE_FACTS, key_mode=0o644)}, UNSAFE, "chmod 600"),
    (machine.state_directory, {"state": replace(STATE_FACTS, mode=0o777)}, UNSAFE, "chmod 700"),
    (machine.state_directory, {"state": replace(STATE_FACTS, writable=False)}, WARN, "cannot be written"),
    (machine.state_directory, {"gate": NOBODY}, WARN, "process 77 holds state as the gate, and does not answer"),
    (machine.state_directory, {"state": replace(STATE_FACTS, held={})}, WARN, "does not hold state"),
    (machine.state_directory, {"state": replace(STATE_FACTS, exists=False)}, OK, "not there yet"),
    (machine.state_directory, {"state": replace(STATE_FACTS, mode=None, key_mode=None)}, OK, "process 77"),
    (machine.journal, {"journal": "row 3 does not match its hash"}, UNSAFE, "row 3 does not match its hash"),
    (machine.journal, {"journal": JournalFacts(STATE, 5, is_whole=True, writable=False)}, UNSAFE, "exit-only"),
    (machine.journal, {"journal": JournalFacts(STATE, 5, is_whole=False, writable=True)}, UNKNOWN, "no time"),
    (machine.journal, {"journal": None}, OK, "none yet"),
    (machine.disk, {"state": replace(STATE_FACTS, free_bytes=900_000_000)}, WARN, "0.9 GB free"),
    (machine.disk, {"state": replace(STATE_FACTS, free_bytes=90_000_000)}, UNSAFE, "0.1 GB free"),
    (machine.sleep, {"sleep": Sleep(sleeps=True, text="pmset: after 10 min")}, WARN, "after 10 min"),
    (machine.sleep, {"sleep": Sleep(sleeps=None, text="no pmset")}, UNKNOWN, "no pmset"),
]  # fmt: skip


@pytest.mark.parametrize("name", CHECKS)
def test_where_all_is_well_every_check_is_ok_and_has_nothing_to_do(name: str) -> None:
    found = CHECKS[name](WELL)
    assert (found.level, found.todo) == (OK, ""), found.text


@pytest.mark.parametrize(("check", "change", "level", "says"), CASES)
def test_what_is_not_well_is_told_with_what_to_do(check: Any, change: dict[str, Any], level: Level, says: str) -> None:
    found: Finding = check(replace(WELL, **change))
    assert says in f"{found.text} {found.todo}"
    assert found.level is level
    assert bool(found.todo) or level in (OK, UNKNOWN)


def test_every_check_has_been_seen_failing() -> None:
    assert {check for check, _, level, _ in CASES if level in (WARN, UNSAFE)} == set(CHECKS.values())


def test_the_page_on_the_command_line_tells_of_every_check_in_their_order() -> None:
    page = (Path(__file__).resolve().parents[2] / "docs" / "command-line.md").read_text(encoding="utf-8")
    table = page.partition("| Check | Looks for |")[2].partition("\n\n")[0]
    named = [name for row in table.splitlines()[2:] for name in re.findall(r"`([^`]+)`", row.split("|")[1])]
    assert named == list(CHECKS)


def test_the_documented_cases_of_trouble_are_each_found() -> None:
    """Documented integration, "Troubleshooting", 2026-11-22."""
    cases: dict[str, list[dict[str, Any]]] = {
        "not intercepting": [
            {"redis": "refused"},
            {"gate": gate(interceptOrders=False)},
            {"redis": replace(REDIS, listeners=0)},
        ],
        "orders being rejected": [
            {"limits": Limits(risk_usd_max=Decimal(20))},
            {"shown": account(trading_state="halted", reason="the day's loss")},
        ],
        "SL/TP incorrect": [
            {"wrong": ("MES is 50",), "wrong_matters": True},
            {"broker": BrokerFacts("", wrong_contract("MNQ"), {})},
        ],
        "connection timeouts": [
            {"redis": replace(REDIS, round_trip_ms=4_000.0)},
            {"manager": Answer("", failure="no answer within 2 s")},
        ],
    }
    for name, changes in cases.items():
        for change in changes:
            levels = [check(replace(WELL, **change)).level for check in CHECKS.values()]
            assert WARN in levels or UNSAFE in levels, (name, change)
