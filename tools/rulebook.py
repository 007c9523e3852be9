"""The parts of docs/rules.md and docs/worked-examples.md that follow from the code: settings, codes, examples.

What the gate says in an example is what it answers here and now (``tests/core/rule_examples.py``). ``reference`` puts
the parts into the pages.
"""
# ruff: noqa: INP001 - a folder of scripts, not a package

from __future__ import annotations

import ast
import datetime
import enum
import inspect
import re
from collections import Counter
from collections.abc import Callable, Iterator
from decimal import Decimal

from ordergate.core.commands import Answer
from ordergate.core.contracts import PRODUCTS
from ordergate.core.limits import Limits
from ordergate.core.order import Role
from ordergate.core.rules import RULES, Rule
from ordergate.core.tighter import differing
from ordergate.limit_settings import BY_FIELD, plain
from ordergate.setting_table import SETTINGS, Setting
from tests.core.desk import Desk
from tests.core.examples import Ask, Example, Wanted, played, stage
from tests.core.hand_figures import AVERAGE, QUANTITY, STOP_TICKS, STRESS_TICKS, TARGET_TICKS, TRADES, Average, Trade
from tests.core.rule_examples import ASIDE, EXAMPLES

_CODE = re.compile(r"[A-Z]+(_[A-Z]+)+|[A-Z]{5,}")
_KEYS = {setting.key: setting for setting in SETTINGS}
_BALANCE = 50_000


def table(head: list[str], rows: list[list[str]]) -> str:
    lines = [head, ["---"] * len(head), *rows]
    return "".join(f"| {' | '.join(cells)} |\n" for cells in lines)


def written(value: object) -> str:
    """A value as it is written in a variable."""
    match value:
        case bool():
            return str(value).lower()
        case tuple():
            return ",".join(written(item) for item in value)
        case enum.Enum():
            return str(value.value)
        case datetime.time():
            return f"{value:%H:%M}"
        case _:
            return str(value)


def codes(rule: Callable[..., object]) -> list[str]:
    """The codes that a rule denies with, by itself or through another function of its module, in their order there."""
    found: dict[str, None] = {}
    for node in ast.walk(ast.parse(inspect.getsource(rule)).body[0]):
        if isinstance(node, ast.Constant) and isinstance(node.value, str) and _CODE.fullmatch(node.value):
            found[node.value] = None
        elif isinstance(node, ast.Call) and isinstance(node.func, ast.Name):
            called = inspect.unwrap(rule).__globals__.get(node.func.id)
            if inspect.isfunction(called) and called.__module__ == inspect.unwrap(rule).__module__:
                found |= dict.fromkeys(codes(called))
    return list(found)


def keys_read(rule: Rule) -> list[str]:
    """The settings that a rule reads, by itself or through what it calls."""
    names = _attributes(rule)
    return sorted(setting.key for field, setting in BY_FIELD.items() if field in names)


def _attributes(function: Callable[..., object]) -> set[str]:
    """The attributes that a function of the core reads, by itself or through what it calls."""
    found = set()
    for node in ast.walk(ast.parse(inspect.getsource(function))):
        if isinstance(node, ast.Attribute):
            found.add(node.attr)
        elif isinstance(node, ast.Call) and isinstance(node.func, ast.Name):
            called = inspect.unwrap(function).__globals__.get(node.func.id)
            if inspect.isfunction(called) and called.__module__.startswith("ordergate.core."):
                found |= _attributes(called)
    return found


def rule(name: str) -> str:
    """Settings, codes and example of one rule."""
    (found,) = (each for each in RULES if each.__name__ == name)
    example = EXAMPLES[name]
    elsewhere = [key for key in keys_read(found) if key not in example.settings]
    return "\n".join(
        part
        for part in (
            _settings(example.settings) if example.settings else "No setting: it is always on.\n",
            f"It also looks at {_quoted(elsewhere)}.\n" if elsewhere else "",
            f"**Off by default.** To switch it on, under `[limits]`: `{example.switch}`\n" if example.switch else "",
            f"Denied with {_quoted(codes(found))}.\n",
            _example(example),
        )
        if part
    )


def aside(name: str) -> str:
    """An example that belongs to no single rule."""
    return _example(ASIDE[name])


def _settings(keys: tuple[str, ...]) -> str:
    rows = []
    for key in keys:
        setting = _KEYS[key]
        allowed = setting.kind.allowed.partition(", with up to ")[0]
        if key == "allowed_instruments":
            allowed = f"a list out of {len(PRODUCTS)} products"
        rows.append([f"`{key}`", setting.meaning, allowed, _default(setting), setting.reason])
    return table(["Setting", "What it is", "Unit", "Default", "Why that"], rows)


def _default(setting: Setting) -> str:
    if setting.default is None:
        return f"none; `{setting.key} = {setting.example}` sets it"
    return f"`{written(setting.default)}`"


def _example(example: Example) -> str:
    usual = example.desk().group.limits
    head = ["You ask", "Worked out by hand", "The gate"]
    rows = [
        [_asked(ask, stage(example, ask), usual), ask.worked, _said(ask, played(example, ask))] for ask in example.asks
    ]
    if not any(ask.worked for ask in example.asks):
        head, rows = [head[0], head[2]], [[row[0], row[2]] for row in rows]
    return f"Before: {_before(example.desk())}.\n\n" + table(head, rows)


def _before(desk: Desk) -> str:
    """What is held and works at ``desk``, and what is different there from a day that has just begun."""
    account, instruments = desk.account, desk.group.instruments
    facts = []
    for held in account.positions.values():
        contract, way = instruments[held.contract_id], "long" if held.net > 0 else "short"
        facts.append(f"{way} {abs(held.net)} {contract.symbol if contract.active else contract.name}")
    working: Counter[str] = Counter()
    for order in account.live_orders():
        if order.role is Role.ENTRY:
            terms = order.terms
            working[Wanted(terms.side, terms.quantity, instruments[terms.contract_id], terms.limit_ticks).words] += 1
    facts += [f"working {f'{count} times ' if count > 1 else ''}{words}" for words, count in working.items()]
    if not facts:
        facts.append("nothing is held")
    if account.day.realized_usd:
        facts.append(f"{account.day.realized_usd:+,.2f} USD realised today, fees paid")
    if account.day.balance_usd != _BALANCE:
        facts.append(f"the day began with {account.day.balance_usd:,} USD")
    facts.append(_changed(Limits(), desk.group.limits))
    return "; ".join(filter(None, facts))


def _changed(usual: Limits, limits: Limits) -> str:
    found = ", ".join(_differences(usual, limits))
    return f"with {found}" if found else ""


def _differences(usual: Limits, limits: Limits) -> Iterator[str]:
    for field in differing(usual, limits):
        if field == "instruments":
            for own in limits.instruments:
                given = {name: getattr(own, name) for name in own.__struct_fields__ if name != "symbol"}
                yield from (
                    f"`{_of(name, value)}` under `[instruments.{own.symbol}]`"
                    for name, value in given.items()
                    if value is not None
                )
        elif field in BY_FIELD:
            yield f"`{_of(field, getattr(limits, field))}`"


def _of(field: str, value: object) -> str:
    return f"{BY_FIELD[field].key} = {'none' if value is None else written(plain(value))}"


def _asked(ask: Ask, desk: Desk, usual: Limits) -> str:
    words = ask.words if ask.order is None else ask.order.words
    changed = _changed(usual, desk.group.limits) if ask.desk is not None else ""
    when = "; ".join(filter(None, (ask.when, changed)))
    return f"{when[0].upper()}{when[1:]}: {words}" if when else words


def _said(ask: Ask, answer: Answer) -> str:
    if answer.ok:
        return "allowed"
    if not answer.breaches:
        return f"refused, `{answer.code}`: {answer.message}"
    said = f"**denied**, {_quoted([breach.code for breach in answer.breaches])}: {answer.message}"
    if answer.nearest is None or ask.order is None:
        return said
    return f"{said}. Nearest that passes: {ask.order.instead(answer.nearest).words}"


def _quoted(words: list[str]) -> str:
    return ", ".join(f"`{word}`" for word in words)


def products() -> str:
    """What the products of docs/worked-examples.md are worth."""
    rows = [[t.symbol, f"{t.tick_size}", f"${t.tick_usd}", f"${t.point_usd:,}", f"${t.fee_usd}"] for t in TRADES]
    return table(["", "Tick, points", "Tick value", "Dollars per point", "Fee a side"], rows)


def trade(symbol: str) -> str:
    """The two round trips of one product, every line with its sum."""
    (found,) = (each for each in TRADES if each.symbol == symbol)
    return "```text\n" + "".join(f"{line}\n" for line in _trade(found)) + "```\n"


def average() -> str:
    """The round trips of an entry whose average lies between two ticks."""
    return "```text\n" + "".join(f"{line}\n" for line in _average(AVERAGE, TRADES[0])) + "```\n"


def _trade(t: Trade) -> Iterator[str]:
    size, tick, point, fee, entry = t.tick_size, t.tick_usd, t.point_usd, t.fee_usd, f"{t.entry:,}"
    yield _sum("dollars per point", f"{tick} / {size}", point)
    yield _sum("stop price", f"{entry} - {STOP_TICKS} x {size}", t.stop)
    yield _sum("target price", f"{entry} + {TARGET_TICKS} x {size}", t.target)
    yield _sum("lost at the stop", f"{QUANTITY} x {STOP_TICKS} x {tick}", t.lost)
    yield _sum("fees, in and out", f"{QUANTITY} x 2 x {fee}", t.fees)
    yield _sum("day, stopped", f"-{t.lost:,} - {t.fees}", t.net_loss)
    yield _sum("made at the target", f"{QUANTITY} x {TARGET_TICKS} x {tick}", t.made)
    yield _sum("day, at the target", f"{t.made:,} - {t.fees}", t.net_gain)
    yield _sum("stress move", f"{QUANTITY} x {STRESS_TICKS} x {tick}", t.stress)
    yield _sum("order value", f"{QUANTITY} x {entry} x {point:,}", t.value)


def _average(a: Average, t: Trade) -> Iterator[str]:
    first, second = a.fills
    out_of = f"{QUANTITY} x {a.average:,} x {t.point_usd} - {t.fees}"
    yield _sum("average entry", f"({first:,} + {second:,}) / 2", a.average)
    yield _sum("rounded up to a tick", f"{a.average:,} + 0.125", a.rounded)
    yield _sum("stop price", f"{a.rounded:,} - {STOP_TICKS} x {t.tick_size}", a.stop)
    yield _sum("target price", f"{a.rounded:,} + {TARGET_TICKS} x {t.tick_size}", a.target)
    yield _sum("day, stopped", f"{QUANTITY} x {a.stop:,} x {t.point_usd} - {out_of}", a.net_loss)
    yield _sum("day, at the target", f"{QUANTITY} x {a.target:,} x {t.point_usd} - {out_of}", a.net_gain)


def _sum(label: str, by_hand: str, figure: Decimal) -> str:
    return f"{label:<22}{by_hand} = {figure:,}"
