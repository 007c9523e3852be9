"""Writes what the documentation takes from the code: ``python -m tools.reference``.

``docs/settings.md`` is made whole. In the other pages it fills the parts between ``<!-- made: NAME -->`` and
``<!-- end -->``; what stands around them is written by hand. Those of the rulebook come from ``rulebook``.
"""
# ruff: noqa: INP001 - a folder of scripts, not a package

from __future__ import annotations

import ast
import enum
import functools
import inspect
import itertools
import re
from collections.abc import Callable, Iterator
from pathlib import Path

from ordergate.certify.cases import CASES
from ordergate.config import OF_ONE
from ordergate.core import rules
from ordergate.core.contracts import PRODUCT_BY_SYMBOL
from ordergate.core.instrument import Instrument
from ordergate.core.limits import MICROS
from ordergate.exchange.admin import Act
from ordergate.exchange.variants import Variant
from ordergate.preset_settings import EXAMPLE
from ordergate.setting_table import SETTINGS, Setting
from ordergate.web.replies import BAD_INPUT, DENIED, STATUS
from ordergate.web.routes import ROUTES
from tools import rulebook
from tools.rulebook import table, written

DOCS = Path(__file__).resolve().parent.parent / "docs"
SETTINGS_PAGE = DOCS / "settings.md"

_PART = re.compile(r"(<!-- made: ([a-z]+)(?: (\w+))? -->\n).*?(<!-- end -->)", re.DOTALL)

_SECTION = re.compile(r" \((?:section )?[0-9][^)]*\)")  # of the API notes, which readers of the pages do not have

_SETTINGS_INTRO = """\
# Settings

Made by `python -m tools.reference` from the table in `src/ordergate/setting_table.py`.

- A flag wins over the environment, the environment over the file, the file over the default.
- The file is read only if it is named: `--config PATH`, or `ORDERGATE_CONFIG=PATH`. `config/ordergate.toml` holds every
  key at its default.
- An unknown key of the file is refused, and so is an unknown `ORDERGATE_*` variable. Every mistake of every source is
  told at once, and nothing starts.
- Variables without `ORDERGATE_` are those of the documented system, with the same meaning. Both names of one setting
  may be set only to the same value.
- `ORDERGATE_APPROVAL_KEY` is read too: the key that signs approvals, at least 32 characters. Without it, a key is made
  at the first start and kept in the state directory.
"""

_OF_ONE_INTRO = """\
## [instruments.SYMBOL]

What one product has of its own, in the file only: `[instruments.MES]` and below it `max_order_size = 2`. These settings
of `[limits]` may stand there, with the same meaning and bounds:
"""

_PRESETS_INTRO = """\
## Presets

`[presets.NAME]`, in the file only, is a bracket that an order asks for by its name: `"preset": "scalp"` in place of
`bracket`, `stopLoss` and `takeProfit`. A name has 1 to 32 of `A-Z`, `a-z`, `0-9`, `_` and `-`.

- It has the shape of an order's `bracket`: `stop`, `targets`, `breakeven`, `trail`. Levels are distances in `ticks`,
  `points` or `dollars`; a `price` is refused, for a preset is for orders at any price. What is left out is the default.
- `[presets.NAME.instruments.SYMBOL]` replaces the whole bracket in that product.
- At the start each preset is tried in every product of `allowed_instruments`; one that fits no order there is told with
  its place, such as `presets.scalp.targets[1].quantity`, and nothing starts. What only a larger order finds, such as
  dollars that are less than a tick of it, is `BAD_PRESET` then.
- An order keeps what its preset meant when it was decided. Asked for again after the preset was edited, it is the same
  order; after the preset was removed, it is `UNKNOWN_PRESET`, and nothing new is placed.
"""


def settings_page() -> str:
    """``docs/settings.md``."""
    lines = [_SETTINGS_INTRO]
    section = ""
    for setting in SETTINGS:
        if setting.section != section:
            section = setting.section
            lines.append(f"## [{section}]\n")
        lines += [f"### {setting.key}\n", *_setting(setting), ""]
    lines += [_OF_ONE_INTRO, *(f"- `{key}`" for key in OF_ONE), "", _PRESETS_INTRO, f"```toml\n{EXAMPLE}```"]
    return "\n".join(lines).rstrip("\n") + "\n"


def filled(page: str) -> str:
    """A page with its made parts made anew."""
    return _PART.sub(lambda part: part[1] + _PARTS[part[2]](*filter(None, [part[3]])) + part[4], page)


def pages() -> dict[Path, str]:
    """Every page that is made, whole or in parts, as it has to be."""
    others = [path for path in sorted(DOCS.rglob("*.md")) if path != SETTINGS_PAGE]
    made = {path: filled(path.read_text(encoding="utf-8")) for path in others}
    return made | {SETTINGS_PAGE: settings_page()}


def _setting(setting: Setting) -> Iterator[str]:
    allowed = setting.kind.allowed
    default = "none" if setting.default in (None, ()) else f"`{written(setting.default)}`"
    yield f"{setting.meaning}\n"
    yield f"- {allowed[0].upper()}{allowed[1:]}."
    yield f"- Default {default}: {setting.reason}"
    yield f"- Also {', '.join(f'`{name}`' for name in [setting.option] * setting.flag + list(setting.variables))}."


def _rules() -> str:
    """The rules in their order, each with its definition, the settings it reads and the codes it denies with."""
    rows = []
    for number, rule in enumerate(rules.RULES, start=1):
        assert rule.__doc__ is not None
        settings, codes = (
            [f"`{word}`" for word in words] for words in (rulebook.keys_read(rule), rulebook.codes(rule))
        )
        meaning = " ".join(rule.__doc__.split())
        rows.append([str(number), rule.__name__, meaning, ", ".join(settings), ", ".join(codes)])
    return table(["", "Rule", "What it looks at", "Settings", "Codes"], rows)


def _defaults() -> str:
    """What the default distances are in dollars, for one contract of each micro."""
    rows = []
    for symbol in MICROS:
        product = PRODUCT_BY_SYMBOL[symbol]
        size, value, fee = product.tick_size, product.tick_value_usd, product.fee_usd
        contract = Instrument(symbol, symbol, symbol, size, value, fee)
        distances = (contract.stop_ticks_default, contract.stop_ticks_min, contract.stress_ticks)
        dollars = [f"{contract.price(ticks):f} pt = ${contract.money(ticks, 1):,.2f}" for ticks in distances]
        rows.append([symbol, f"{size} = ${value:.2f}", *dollars, f"${fee:.2f}"])
    head = (contract.stop_ticks_default, contract.stop_ticks_min, contract.stress_ticks)
    names = ("Default stop", "Smallest stop", "Stress move")
    columns = [f"{name}, {ticks} ticks" for name, ticks in zip(names, head, strict=True)]
    return table(["", "Tick", *columns, "Fee a side"], rows)


def _codes() -> str:
    """Which status comes with which codes."""
    statuses = sorted({*STATUS.values(), BAD_INPUT, DENIED})
    rows = []
    for status in statuses:
        codes = ", ".join(f"`{code}`" for code, its_status in sorted(STATUS.items()) if its_status == status)
        if status == BAD_INPUT:
            codes = "Every other code: bad input. `field` names what is wrong"
        if status == DENIED:
            codes = "Denied: the code of the first rule that denies. [The rules](decision.md#the-rules-in-their-order)"
        rows.append([str(status), codes])
    return table(["Status", "Codes"], rows)


def _routes() -> str:
    """Every route."""
    return table(["", "Path", ""], [[route.method, f"`{route.path}`", route.summary] for route in ROUTES])


def _words(words: type[enum.Enum]) -> str:
    """The values of an enum, each with what stands below it."""
    body = ast.parse(inspect.getsource(words)).body[0]
    assert isinstance(body, ast.ClassDef)
    rows = []
    for assigned, said in itertools.pairwise(body.body):
        if isinstance(assigned, ast.Assign):
            assert isinstance(said, ast.Expr), "every value says what it means"
            value, meaning = (str(ast.literal_eval(node)) for node in (assigned.value, said.value))
            rows.append([f"`{value}`", _SECTION.sub("", " ".join(meaning.replace("``", "`").split()))])
    return table(["", ""], rows)


def _cases() -> str:
    """What is certified, and what the venue has to be asked for."""
    rows = []
    for case in CASES:
        needs = "; ".join(dict.fromkeys(_lowered(need.words()) for need in case.needs))
        rows.append([case.subject, case.name[0].upper() + case.name[1:], needs])
    return table(["", "What is certified", "Needs"], rows)


def _lowered(words: str) -> str:
    return words[0].lower() + words[1:]


# By the name of a part; some take one word more, which says of what they are.
_PARTS: dict[str, Callable[..., str]] = {
    "aside": rulebook.aside,
    "acts": functools.partial(_words, Act),
    "average": rulebook.average,
    "cases": _cases,
    "codes": _codes,
    "defaults": _defaults,
    "products": rulebook.products,
    "routes": _routes,
    "variants": functools.partial(_words, Variant),
    "rule": rulebook.rule,
    "rules": _rules,
    "trade": rulebook.trade,
}


if __name__ == "__main__":
    for path, page in pages().items():
        path.write_text(page, encoding="utf-8", newline="\n")
