"""Every limit is alive: with the limits of this start, each is fired with an order that it has to refuse. Pure.

The state is made up and the limits are the real ones, so a limit that was mistyped out of reach, or a rule that is no
longer asked, shows before the first order and not at the first loss.

Invariants:
1. A case goes the gate's own way, ``judge``; it is alive if its code is among the breaches, whatever others there are.
2. Each case is tried for every allowed product.
3. Every code that a rule can deny with has a case, or a test names the missing one.
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime
from decimal import Decimal

import msgspec
from msgspec.structs import replace

from ordergate.core.account import Account, Day, Group, RunningExit
from ordergate.core.commands import SubmitOrder
from ordergate.core.contracts import PRODUCT_BY_SYMBOL
from ordergate.core.events import TradingState
from ordergate.core.inputs import Stamped
from ordergate.core.instrument import Instrument
from ordergate.core.judgement import judge
from ordergate.core.limits import Limits
from ordergate.core.order import Exit, Order, OrderType, Role, Side, Status, Terms
from ordergate.core.orders import Orders
from ordergate.core.reports import Quote
from ordergate.core.rules import RULES, Rule

_ACCOUNT = 1
_SECOND_NS = 1_000_000_000
_BALANCE_USD = Decimal(50_000)
_BID, _ASK = 19_999, 20_000
_TUESDAY_NS = int(datetime(2026, 11, 24, 16, tzinfo=UTC).timestamp()) * _SECOND_NS  # 10:00 in Chicago
_SATURDAY_NS = int(datetime(2026, 11, 28, 18, tzinfo=UTC).timestamp()) * _SECOND_NS


class Scene(msgspec.Struct, frozen=True):
    """One order in front of one account. As ``scene`` makes it, nothing but the limits themselves can be in its way.

    ``quoted``: whether its contract has a quote, as old as the order.
    """

    limits: Limits
    instrument: Instrument
    account: Account
    order: SubmitOrder
    at_ns: int = _TUESDAY_NS
    link_up: bool = True
    quoted: bool = True
    superseded: bool = False


class Trial(msgspec.Struct, frozen=True):
    """How one code has fared. ``dead_for`` are the products whose order was not refused with it.

    Not ``enabled``: these limits refuse nothing with it, whatever the order.
    """

    code: str
    enabled: bool
    dead_for: tuple[str, ...]


Case = Callable[[Scene], Scene | None]


def self_test(limits: Limits, rules: tuple[Rule, ...] = RULES) -> tuple[Trial, ...]:
    """Fire every case at ``limits``, in the order of ``CASES``."""
    trials = []
    for code, case in CASES.items():
        fired = {symbol: case(scene(limits, symbol)) for symbol in limits.allowed_symbols}
        dead = [symbol for symbol, set_up in fired.items() if set_up is not None and code not in codes(set_up, rules)]
        trials.append(Trial(code, any(set_up is not None for set_up in fired.values()), tuple(dead)))
    return tuple(trials)


def complaint(trials: tuple[Trial, ...]) -> str:
    """What to tell a person of the dead ones, a line for each; empty when there is none."""
    return "\n".join(
        f"self-test: {trial.code} refuses nothing in {', '.join(trial.dead_for)}" for trial in trials if trial.dead_for
    )


def scene(limits: Limits, symbol: str) -> Scene:
    product = PRODUCT_BY_SYMBOL.get(symbol, PRODUCT_BY_SYMBOL["MES"])  # one that we do not know is tried with its sizes
    size, value, fee = product.tick_size, product.tick_value_usd, product.fee_usd
    return Scene(
        limits=limits,
        instrument=Instrument(f"self-test.{symbol}", symbol, symbol, size, value, fee),
        account=Account(
            _ACCOUNT,
            balance_usd=_BALANCE_USD,
            can_trade=True,
            adopted=True,
            day=Day(balance_usd=_BALANCE_USD),
        ),
        order=SubmitOrder(
            request_id="self-test",
            account_id=_ACCOUNT,
            order_id="self-test",
            contract_id=f"self-test.{symbol}",
            side=Side.BUY,
            quantity=limits.order_quantity_min,
            order_type=OrderType.MARKET,
        ),
    )


def stage(scene: Scene) -> tuple[Group, Stamped]:
    """The state and the stamp of ``scene``."""
    name, at_ns = scene.instrument.contract_id, scene.at_ns
    group = Group(
        limits=scene.limits,
        instruments={name: scene.instrument},
        link_up=scene.link_up,
        accounts={_ACCOUNT: scene.account},
    )
    quotes = {name: Quote(name, _BID, _ASK, _BID, at_ns)} if scene.quoted else {}
    return group, Stamped(scene.order, at_ns, at_ns, quotes, superseded=scene.superseded)


def codes(scene: Scene, rules: tuple[Rule, ...] = RULES) -> list[str]:
    """What the order of ``scene`` is refused with."""
    group, stamp = stage(scene)
    return [breach.code for breach in judge(group, scene.account, scene.order, stamp, rules).breaches]


def _account(scene: Scene, **changes: object) -> Scene:
    return replace(scene, account=replace(scene.account, **changes))


def _order(scene: Scene, **changes: object) -> Scene:
    return replace(scene, order=replace(scene.order, **changes))


def _exit_running(scene: Scene) -> Scene:
    name = scene.instrument.contract_id
    return _account(scene, exits={name: RunningExit("self-test", name, None, "flatten")})


def _unlisted(scene: Scene) -> Scene:
    return replace(scene, instrument=replace(scene.instrument, symbol=f"{scene.instrument.symbol}.UNLISTED"))


def _too_small(scene: Scene) -> Scene | None:
    smallest = scene.limits.order_quantity_min
    return _order(scene, quantity=smallest - 1) if smallest > 1 else None  # below 1 it is no order


def _books_full(scene: Scene) -> Scene:
    name = scene.instrument.contract_id
    terms = Terms(_ACCOUNT, name, Side.BUY, 1, OrderType.LIMIT, limit_ticks=_BID)
    names = [f"working-{number}" for number in range(scene.limits.open_orders_max)]
    return _account(
        scene, orders=Orders({each: Order(each, terms, Role.ENTRY, Status.WORKING, risk_ticks=1) for each in names})
    )


def _too_risky(scene: Scene) -> Scene:
    base = scene.limits.account_size_usd or _BALANCE_USD
    allowed = base * scene.limits.risk_percent_max.scaleb(-2)
    return _order(scene, stop=Exit(int(allowed // scene.instrument.tick_value_usd) + 1))


def _no_base(scene: Scene) -> Scene | None:
    if scene.limits.account_size_usd is not None:
        return None
    return _account(scene, balance_usd=Decimal(0), day=Day())


def _day_lost(scene: Scene) -> Scene:
    lost = scene.limits.daily_loss_usd_max
    return _account(scene, day=replace(scene.account.day, realized_usd=-lost), balance_usd=_BALANCE_USD - lost)


# By the code with which the order has to be refused; None where these limits do not ask for it.
CASES: dict[str, Case] = {
    "TRADING_HALTED": lambda s: _account(s, trading_state=TradingState.HALTED),
    "REDUCE_ONLY": lambda s: _account(s, trading_state=TradingState.REDUCING),
    "ACCOUNT_NOT_TRADABLE": lambda s: _account(s, can_trade=False),
    "EXIT_IN_PROGRESS": _exit_running,
    "BROKER_LINK_DOWN": lambda s: replace(s, link_up=False),
    "UNEXPLAINED": lambda s: _account(s, unexplained="self-test"),
    "MARKET_CLOSED": lambda s: replace(s, at_ns=_SATURDAY_NS) if s.limits.session_only else None,
    "SUPERSEDED": lambda s: replace(s, superseded=True),
    "INSTRUMENT_NOT_ALLOWED": _unlisted,
    "CONTRACT_NOT_ACTIVE": lambda s: replace(s, instrument=replace(s.instrument, active=False)),
    "MIN_ORDER_SIZE": _too_small,
    "MAX_ORDER_SIZE": lambda s: _order(s, quantity=s.limits.order_quantity_max + 1),
    "MAX_POSITION_SIZE": lambda s: _order(s, quantity=s.limits.position_quantity_max + 1),
    "MAX_OPEN_ORDERS": _books_full,
    "NO_REFERENCE_PRICE": lambda s: replace(s, quoted=False),
    "STOP_TOO_CLOSE": lambda s: _order(s, stop=Exit(s.instrument.stop_ticks_min - 1)),
    "EXCESSIVE_RISK": _too_risky,
    "NO_RISK_BASE": _no_base,
    "DAILY_LOSS_LIMIT": _day_lost,
}
