"""The presets of the file: ``[presets.NAME]`` has the shape of an order's ``bracket``. Pure.

Below it, ``[presets.NAME.instruments.SYMBOL]`` replaces the whole bracket in one product.

Invariants:
1. A preset holds distances, never a price: it is for orders at any price.
2. What is read here is asked of every product that may be traded as an order would ask it, by the same function.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from decimal import Decimal
from typing import Any, TypeVar, get_args, get_origin

import msgspec

from ordergate.bus.brackets import BracketAsk, Preset, asked
from ordergate.core.contracts import PRODUCT_BY_SYMBOL
from ordergate.core.instrument import QUANTITY_MAX, Instrument
from ordergate.core.order import Exit
from ordergate.errors import InputRefused
from ordergate.setting_kinds import (
    CONTRACTS,
    DOLLARS,
    SWITCH,
    Fraction,
    Kind,
    one_line,
    shown,
    type_name,
    value_of,
    whole,
)

SECTION = "presets"

# Shown in the shipped file and in the documentation.
EXAMPLE = """\
[presets.scalp.stop]
ticks = 8
[[presets.scalp.targets]]
ticks = 8
quantity = 1
[[presets.scalp.targets]]
ticks = 16
[presets.scalp.breakeven]
trigger = 8
offset = 1
[presets.scalp.instruments.MNQ.stop]
points = 5
[[presets.scalp.instruments.MNQ.targets]]
points = 10
"""

_NAME = re.compile(r"[A-Za-z0-9_-]{1,32}")
_INSTRUMENTS = "instruments"
_PRICE = "price"
_WHERE = "in the configuration file is not"


def _points(text: str) -> Decimal:
    # Ticks have up to seven decimals; which of them a product has is asked of the product.
    if re.fullmatch(r"[0-9]{1,8}(\.[0-9]{1,9})?", text, re.ASCII) is None or not Decimal(text):
        raise ValueError
    return Decimal(text)


_TICKS = whole(1, QUANTITY_MAX, "ticks")
_KINDS: Mapping[str, Kind] = {
    "enabled": SWITCH,
    "ticks": _TICKS,
    "points": Kind(_points, "a number of points above 0, with up to 9 decimals", "X", (int, Fraction)),
    "dollars": DOLLARS,
    "quantity": CONTRACTS,
    "trigger": _TICKS,
    "offset": whole(0, QUANTITY_MAX, "ticks"),
    "distance": _TICKS,
    "step": _TICKS,
}

T = TypeVar("T", bound=msgspec.Struct)


def presets(tables: object, mistakes: list[str]) -> tuple[Preset, ...]:
    """The presets that could be read, in the order of the file; what could not be is among ``mistakes``."""
    if not isinstance(tables, dict):
        mistakes.append(f"{SECTION} {_WHERE} a section for each preset")
        return ()
    found = []
    for name, table in tables.items():
        place, before = f"{SECTION}.{name}", len(mistakes)
        if _NAME.fullmatch(name) is None:
            text = f"{_WHERE} a preset: its name must be 1 to 32 of A-Z, a-z, 0-9, _ and -"
            mistakes.append(f"{SECTION}.{shown(name)} {text}")
        elif not isinstance(table, dict):
            mistakes.append(f"{place} is {type_name(table)}: it must be a table")
        else:
            own = table.pop(_INSTRUMENTS, {})
            preset = Preset(name, _bracket(table, place, mistakes), _overrides(own, place, mistakes))
            # What of it could be read would be judged by what could not.
            if len(mistakes) == before:
                found.append(preset)
    return tuple(found)


def misfits(presets: tuple[Preset, ...], symbols: tuple[str, ...]) -> list[str]:
    """What would be refused in every order, of any size, that names one of ``presets`` in one of ``symbols``."""
    found: list[str] = []
    for preset in presets:
        for symbol in dict.fromkeys((*symbols, *preset.instruments)):
            whole_bracket = preset.of(symbol)
            parts = [BracketAsk(**{name: getattr(whole_bracket, name)}) for name in BracketAsk.__struct_fields__]
            for bracket in (*parts, whole_bracket):
                found += _misfit(bracket, symbol, preset.place(symbol))
    return list(dict.fromkeys(found))


def _misfit(bracket: BracketAsk, symbol: str, place: str) -> Iterator[str]:
    product = PRODUCT_BY_SYMBOL[symbol]
    instrument = Instrument(symbol, symbol, symbol, product.tick_size, product.tick_value_usd, product.fee_usd)
    try:
        # One contract: dollars are nowhere farther away than there.
        stop = asked(bracket, instrument, 1, place).stop
    except InputRefused as error:
        yield error.message if error.message.startswith(place) else f"{error.field}: {error.message}"
        return
    if isinstance(stop, Exit) and stop.ticks < instrument.stop_ticks_min:
        yield f"{place}.stop must be at least {instrument.stop_ticks_min} ticks of {symbol}: it is {stop.ticks}"


def _overrides(tables: object, place: str, mistakes: list[str]) -> dict[str, BracketAsk]:
    if not isinstance(tables, dict):
        mistakes.append(f"{place}.{_INSTRUMENTS} {_WHERE} a section for each symbol")
        return {}
    found = {}
    for symbol, table in tables.items():
        own = f"{place}.{_INSTRUMENTS}.{symbol}"
        if symbol not in PRODUCT_BY_SYMBOL or not isinstance(table, dict):
            mistakes.append(f"{one_line(own)} {_WHERE} a section of a known symbol")
        else:
            found[symbol] = _bracket(table, own, mistakes)
    return found


def _bracket(table: dict[str, Any], place: str, mistakes: list[str]) -> BracketAsk:
    if not table:
        mistakes.append(f"{place} is empty: it must say {' or '.join(BracketAsk.__struct_fields__)}")
    return _struct(table, BracketAsk, place, mistakes)


def _struct(table: dict[str, Any], kind: type[T], place: str, mistakes: list[str]) -> T:
    """``table`` as a ``kind``, with None in place of what is wrong, and told."""
    types = {field.name: field.type for field in msgspec.structs.fields(kind)}
    said: dict[str, Any] = {}
    for key, value in table.items():
        label = f"{place}.{key}"
        if key == _PRICE and key in types:
            mistakes.append(f"{label} is a price: a preset is for orders at any price, so say ticks, points or dollars")
        elif key not in types:
            allowed = ", ".join(name for name in types if name != _PRICE)
            mistakes.append(f"{one_line(label)} {_WHERE} a part of a preset: {allowed}")
        else:
            said[key] = _value(value, key, types[key], label, mistakes)
    missing = [field.name for field in msgspec.structs.fields(kind) if field.required and field.name not in table]
    mistakes += [f"{place}.{name} is missing: it must be {_KINDS[name].allowed}" for name in missing]
    return kind(**said, **dict.fromkeys(missing))


def _value(value: Any, key: str, kind: Any, label: str, mistakes: list[str]) -> Any:
    if key in _KINDS:
        return value_of(_KINDS[key], label, value, mistakes)
    (nested,) = (each for each in get_args(kind) if each is not type(None))
    if get_origin(nested) is not tuple:
        return _nested(value, nested, label, mistakes)
    if not isinstance(value, list):
        mistakes.append(f"{label} is {type_name(value)}: it must be a list of tables, [[{label}]]")
        return None
    return tuple(_nested(each, get_args(nested)[0], f"{label}[{at}]", mistakes) for at, each in enumerate(value))


def _nested(value: Any, kind: type[T], label: str, mistakes: list[str]) -> T | None:
    if not isinstance(value, dict):
        mistakes.append(f"{label} is {type_name(value)}: it must be a table")
        return None
    return _struct(value, kind, label, mistakes)
