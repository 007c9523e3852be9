"""Every limit is alive: at a start and when limits change, each is fired with an order that it has to refuse. Pure.

The state is made up and the limits are the real ones, so a limit that was mistyped out of reach, or a rule that is no
longer asked, shows before the first order and not at the first loss.

Invariants:
1. A case goes the gate's own way, ``judge``; it is alive if its code is among the breaches, whatever others there are.
2. Each case is tried for every allowed product.
3. Every code that a rule can deny with has a case, or a test names the missing one.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from datetime import UTC, date, datetime
from decimal import Decimal

import msgspec
from msgspec.structs import replace

from ordergate.core.account import Account, Asked, Check, Day, Group, RunningExit
from ordergate.core.commands import SubmitOrder
from ordergate.core.contracts import PRODUCT_BY_SYMBOL
from ordergate.core.events import Door, TradingState
from ordergate.core.floor import SIMULATED
from ordergate.core.inputs import Stamped
from ordergate.core.instrument import Instrument
from ordergate.core.judgement import judge
from ordergate.core.limits import Limits
from ordergate.core.market import Market
from ordergate.core.order import Exit, Order, OrderType, Role, Side, Status, Target, Terms
from ordergate.core.orders import Orders
from ordergate.core.pnl import Position
from ordergate.core.reports import Quote
from ordergate.core.rules import RULES, Rule, risk_limit_usd
from ordergate.core.sessions import CHICAGO

_ACCOUNT, _OTHER = 1, 2
_NAME = "self-test"  # of whatever has to have one, and is never told
_SECOND_NS = 1_000_000_000
_MS_NS = 1_000_000
_BALANCE_USD = Decimal(50_000)
_FORTUNE_USD = Decimal(10**10)  # more than any balance or distance that can be set
_BID, _ASK = 19_999, 20_000
_TUESDAY = date(2026, 11, 24)
_TUESDAY_NS = int(datetime(2026, 11, 24, 16, tzinfo=UTC).timestamp()) * _SECOND_NS  # 10:00 in Chicago
_SATURDAY_NS = int(datetime(2026, 11, 28, 18, tzinfo=UTC).timestamp()) * _SECOND_NS


class Scene(msgspec.Struct, frozen=True):
    """One order in front of one account. As ``scene`` makes it, nothing but the limits themselves can be in its way.

    ``quoted``: whether its contract has a quote, as old as the order. ``waited_ns`` is how long ago the order arrived,
    ``other`` another account of the login.
    """

    limits: Limits
    instrument: Instrument
    account: Account
    order: SubmitOrder
    at_ns: int = _TUESDAY_NS
    link_up: bool = True
    quoted: bool = True
    superseded: bool = False
    paused: bool = False
    contradicts: bool = False
    waited_ns: int = 0
    other: Account | None = None

    @property
    def own(self) -> Limits:
        """The limits of its product."""
        return self.limits.of(self.instrument.symbol)


class Trial(msgspec.Struct, frozen=True):
    """How one code has fared. ``dead_for`` are the products whose order was not refused with it.

    Not ``enabled``: these limits refuse nothing with it, whatever the order.
    """

    code: str
    enabled: bool
    dead_for: tuple[str, ...]


Case = Callable[[Scene], Scene | None]


def self_test(limits: Limits, rules: Iterable[Rule] = RULES) -> tuple[Trial, ...]:
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
        instrument=Instrument(f"{_NAME}.{symbol}", symbol, symbol, size, value, fee),
        account=Account(
            _ACCOUNT,
            balance_usd=_BALANCE_USD,
            can_trade=True,
            adopted=True,
            day=Day(balance_usd=_BALANCE_USD),
        ),
        order=SubmitOrder(
            request_id=_NAME,
            account_id=_ACCOUNT,
            order_id=_NAME,
            contract_id=f"{_NAME}.{symbol}",
            side=Side.BUY,
            quantity=limits.of(symbol).order_quantity_min,
            order_type=OrderType.MARKET,
        ),
    )


def stage(scene: Scene) -> tuple[Group, Stamped]:
    """The state and the stamp of ``scene``."""
    name, at_ns = scene.instrument.contract_id, scene.at_ns
    group = Group(
        venue=SIMULATED,  # where the maximum loss floor is worked out: elsewhere, not given, it denies everything
        limits=scene.limits,
        instruments={name: scene.instrument},
        link_up=scene.link_up,
        paused_by=Door.PAGE if scene.paused else None,
        checks={_NAME: Check(_NAME, well=False, refuses=True)} if scene.contradicts else {},
        accounts={_ACCOUNT: scene.account} | ({} if scene.other is None else {_OTHER: scene.other}),
    )
    quotes = {name: Quote(name, _BID, _ASK, None, at_ns)} if scene.quoted else {}
    return group, Stamped(scene.order, Market(quotes, at_ns), at_ns - scene.waited_ns, scene.superseded)


def codes(scene: Scene, rules: Iterable[Rule] = RULES) -> list[str]:
    """What the order of ``scene`` is refused with."""
    group, stamp = stage(scene)
    return [breach.code for breach in judge(group, scene.account, scene.order, stamp, rules).breaches]


def _account(scene: Scene, **changes: object) -> Scene:
    return replace(scene, account=replace(scene.account, **changes))


def _order(scene: Scene, **changes: object) -> Scene:
    return replace(scene, order=replace(scene.order, **changes))


def _terms(scene: Scene) -> Terms:
    """Those of its order."""
    order = scene.order
    return Terms(_ACCOUNT, order.contract_id, order.side, order.quantity, order.order_type)


def _earned(scene: Scene, usd: Decimal) -> Scene:
    """The day's P&L is ``usd`` (signed), by the fills and by the broker's balance: the worse of the two governs."""
    return _account(scene, day=replace(scene.account.day, realized_usd=usd), balance_usd=_BALANCE_USD + usd)


def _exit_running(scene: Scene) -> Scene:
    name = scene.instrument.contract_id
    return _account(scene, exits={name: RunningExit(_NAME, name, None, _NAME)})


def _unlisted(scene: Scene) -> Scene:
    return replace(scene, instrument=replace(scene.instrument, symbol=f"{scene.instrument.symbol}.UNLISTED"))


def _too_small(scene: Scene) -> Scene | None:
    smallest = scene.own.order_quantity_min
    return _order(scene, quantity=smallest - 1) if smallest > 1 else None  # below 1 it is no order


def _books_full(scene: Scene) -> Scene:
    names = [f"working-{number}" for number in range(scene.own.open_orders_max)]
    orders = Orders({name: Order(name, _terms(scene), Role.ENTRY, Status.WORKING) for name in names})
    return _account(scene, orders=orders)


def _too_risky(scene: Scene) -> Scene:
    allowed = risk_limit_usd(scene.own, scene.own.account_size_usd or _BALANCE_USD)
    return _order(scene, stop=Exit(int(allowed // scene.instrument.tick_value_usd) + 1))


def _no_base(scene: Scene) -> Scene | None:
    if scene.own.account_size_usd is not None:
        return None
    # Below any maximum loss floor: above it, the room down to the floor is a base.
    return _account(scene, day=Day(balance_usd=-_FORTUNE_USD))


def _day_made(scene: Scene) -> Scene | None:
    made = scene.own.daily_profit_usd_max
    return None if made is None else _earned(scene, made)


def _all_lost(scene: Scene) -> Scene | None:
    return None if scene.own.maximum_loss_usd is None else _earned(scene, -_FORTUNE_USD)


def _too_many_micros(scene: Scene) -> Scene | None:
    high = scene.own.account_position_micros_max
    return None if high is None else _order(scene, quantity=high + 1)


def _too_valuable(scene: Scene) -> Scene | None:
    high = scene.own.order_value_usd_max
    return None if high is None else _order(scene, quantity=int(high // scene.instrument.money(_ASK, 1)) + 1)


def _triggered_at_once(scene: Scene) -> Scene:
    return _order(scene, order_type=OrderType.STOP, stop_ticks=_BID)


def _again(scene: Scene, count: int) -> Scene:
    terms = _terms(scene)
    return _account(scene, asked=tuple(Asked(scene.at_ns, f"asked-{number}", terms) for number in range(count)))


def _repeated(scene: Scene) -> Scene | None:
    return None if scene.own.duplicate_window_ms is None else _again(scene, 1)


def _too_often(scene: Scene) -> Scene | None:
    highs = (scene.own.orders_per_minute_max, scene.own.instrument_orders_per_minute_max)
    known = [high for high in highs if high is not None]
    return _again(scene, max(known)) if known else None


def _opposed(scene: Scene) -> Scene | None:
    if scene.own.opposite_positions:
        return None
    name = scene.instrument.contract_id
    return replace(scene, other=Account(_OTHER, positions={name: Position(name, -scene.order.quantity)}))


def _in_a_blackout(scene: Scene) -> Scene | None:
    """At the start of a window; of several, of the first one that would not hold, as in an hour that clocks skip."""
    found: Scene | None = None
    for span in scene.own.blackouts or ():
        begins = datetime.combine(span.day or _TUESDAY, span.start, CHICAGO)
        found = replace(scene, at_ns=int(begins.timestamp()) * _SECOND_NS)
        if "BLACKOUT" not in codes(found):
            break
    return found


# By the code with which the order has to be refused; None where these limits do not ask for it.
CASES: dict[str, Case] = {
    "PAUSED": lambda s: replace(s, paused=True),
    "LOCKED_OUT": lambda s: _account(s, locked_until_ns=s.at_ns + 1),
    "TRADING_HALTED": lambda s: _account(s, trading_state=TradingState.HALTED),
    "REDUCE_ONLY": lambda s: _account(s, trading_state=TradingState.REDUCING),
    "ACCOUNT_NOT_TRADABLE": lambda s: _account(s, can_trade=False),
    "ACCOUNT_CANNOT_CANCEL": lambda s: _account(s, no_cancel=_NAME),
    "SESSION_CONTRADICTS": lambda s: replace(s, contradicts=True),
    "EXIT_IN_PROGRESS": _exit_running,
    "BROKER_LINK_DOWN": lambda s: replace(s, link_up=False),
    "UNEXPLAINED": lambda s: _account(s, unexplained=_NAME),
    "SUPERSEDED": lambda s: replace(s, superseded=True),
    "INSTRUMENT_NOT_ALLOWED": _unlisted,
    "CONTRACT_NOT_ACTIVE": lambda s: replace(s, instrument=replace(s.instrument, active=False)),
    "MIN_ORDER_SIZE": _too_small,
    "MAX_ORDER_SIZE": lambda s: _order(s, quantity=s.own.order_quantity_max + 1),
    "MAX_POSITION_SIZE": lambda s: _order(s, quantity=s.own.position_quantity_max + 1),
    "MAX_OPEN_ORDERS": _books_full,
    "MAX_ACCOUNT_POSITION": _too_many_micros,
    "MAX_ORDER_VALUE": _too_valuable,
    "EXCESSIVE_RISK": _too_risky,
    "NO_RISK_BASE": _no_base,
    "DAILY_LOSS_LIMIT": lambda s: _earned(s, -s.own.daily_loss_usd_max),
    "DAILY_PROFIT_LIMIT": _day_made,
    "MAXIMUM_LOSS_LIMIT": _all_lost,
    "PRICE_COLLAR": _triggered_at_once,
    "STOP_TOO_CLOSE": lambda s: _order(s, stop=Exit(s.instrument.stop_ticks_min - 1)),
    "TARGET_TOO_CLOSE": lambda s: _order(s, targets=(Target(Exit(1, _BID)),)),
    "NO_REFERENCE_PRICE": lambda s: replace(s, quoted=False),
    "DUPLICATE_ORDER": _repeated,
    "ORDER_RATE": _too_often,
    "REPEATED_ACTION": lambda s: _account(s, repeating=s.own.repeats_per_minute_max + 1),
    "OUTSIDE_TRADING_HOURS": lambda s: replace(s, at_ns=_SATURDAY_NS) if s.own.session_only else None,
    "BLACKOUT": _in_a_blackout,
    "OPPOSITE_POSITION": _opposed,
    "TOO_OLD": lambda s: replace(s, waited_ns=(s.own.age_ms_max + 1) * _MS_NS),
    "CLOCK_SKEW": lambda s: _order(s, sent_ns=s.at_ns + (s.own.clock_ahead_ms_max + 1) * _MS_NS),
}
