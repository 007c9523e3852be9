"""What was set: flag over environment over file over default. What can be set is in ``settings``.

It must never read the environment or a file itself (the command line hands them in), and never show a secret.

Invariants:
1. Every mistake of every source is told, one a line, in one ``StartRefused``; also of a value that another overrides.
2. What cannot be read is refused. Nothing unreadable becomes a default.
"""

from __future__ import annotations

import difflib
import tomllib
from collections.abc import Iterator, Mapping
from typing import Any

import msgspec

from ordergate import preset_settings
from ordergate.core.contracts import PRODUCT_BY_SYMBOL
from ordergate.core.limits import OVERRIDABLE, InstrumentLimits
from ordergate.errors import StartRefused
from ordergate.exchange.settings import Hours
from ordergate.setting_kinds import Fraction, one_line, value_of, written
from ordergate.setting_table import SETTINGS, Setting
from ordergate.settings import Settings


def load(
    flags: Mapping[str, object], environ: Mapping[str, str], toml: str | None, defaults: Settings | None = None
) -> Settings:
    """The settings of a process. Raises ``StartRefused`` naming every mistake.

    ``flags`` has those that were given, by key; ``toml`` is the text of the configuration file, if there is one;
    ``defaults`` stand in for the table's. Variables of other programs are left alone.
    """
    mistakes: list[str] = []
    named = [(_BY_KEY[key], _BY_KEY[key].option, str(value)) for key, value in flags.items()]
    document = _document(toml, mistakes)
    own = _instruments(document.pop(_INSTRUMENTS, {}), mistakes)
    presets = preset_settings.presets(document.pop(preset_settings.SECTION, {}), mistakes)
    sources = ([*_file_texts(document, mistakes)], [*_environment_texts(environ, mistakes)], named)
    given: dict[str, object] = {}
    told: dict[str, tuple[int, str]] = {}
    for source, texts in enumerate(sources):
        for setting, label, text in texts:
            try:
                given[setting.field] = setting.kind.parse(text.strip())
                told[setting.field] = (source, label)
            except ValueError:
                mistakes.append(setting.kind.mistake(label, text))
    given |= {"limits.instruments": own, "presets": presets}
    settings = _replayed(filled(defaults or Settings(), given), told, mistakes)
    for symbol in ("", *(each.symbol for each in own)):
        limits = settings.limits.of(symbol)
        smallest, largest = limits.order_quantity_min, limits.order_quantity_max
        if smallest > largest:
            text = f"min_order_size is {smallest}: it must not be above max_order_size, which is {largest}"
            mistakes.append(f"for {symbol}, {text}" if symbol else text)
    if "redis.url" in told:
        others = [
            label for field in ("redis.host", "redis.port", "redis.db") if field in told for label in [told[field][1]]
        ]
        if others:
            mistakes.append(f"{told['redis.url'][1]} says it all: leave out {', '.join(others)}")
    if settings.webhook.url is not None and settings.webhook.secret is None:
        mistakes.append(f"{told['webhook.url'][1]} is set: alarm_webhook_secret is needed too, to sign what is sent")
    if settings.processing_delay_ms >= settings.limits.age_ms_max:
        text = "must be below max_order_age_ms, or every order would be too old"
        mistakes.append(f"processing_delay_ms is {settings.processing_delay_ms}: it {text}")
    mistakes += preset_settings.misfits(presets, settings.limits.allowed_symbols)
    if mistakes:
        raise StartRefused("\n".join(mistakes))
    return settings


_BY_KEY = {setting.key: setting for setting in SETTINGS}
_BY_VARIABLE = {variable: setting for setting in SETTINGS for variable in setting.variables}
_BY_FILE_KEY = {f"{setting.section}.{setting.key}": setting for setting in SETTINGS}
_SECTIONS = {setting.section for setting in SETTINGS}

# Ours, but no settings: the command line and the state directory read them.
_READ_ELSEWHERE = ("ORDERGATE_CONFIG", "ORDERGATE_APPROVAL_KEY")

# The weakest source.
_FILE = 0

# What a product may have of its own, by key: [instruments.SYMBOL] in the file.
OF_ONE = {each.key: each for each in SETTINGS if each.field.removeprefix("limits.") in OVERRIDABLE}
_INSTRUMENTS = "instruments"

# A setting, the name under which it was given, and the text that was given.
_Text = tuple[Setting, str, str]


def _document(toml: str | None, mistakes: list[str]) -> dict[str, Any]:
    try:
        # tomllib takes what parse_float gives as it is.
        return tomllib.loads(toml or "", parse_float=Fraction)
    except ValueError as error:
        mistakes.append(f"the configuration file is not TOML: {error}")
        return {}


def _instruments(tables: object, mistakes: list[str]) -> tuple[InstrumentLimits, ...]:
    """What the file sets for single products: a table of some limits under each symbol."""
    if not isinstance(tables, dict):
        mistakes.append(f"{_INSTRUMENTS} in the configuration file is not a section for each symbol")
        return ()
    found = []
    for symbol, table in tables.items():
        place = f"{_INSTRUMENTS}.{symbol}"
        if symbol not in PRODUCT_BY_SYMBOL or not isinstance(table, dict):
            mistakes.append(f"{one_line(place)} in the configuration file is not a section of a known symbol")
            continue
        own: dict[str, Any] = {}
        for key, value in table.items():
            setting, label = OF_ONE.get(key), f"{place}.{key}"
            if setting is None:
                allowed = ", ".join(OF_ONE)
                mistakes.append(f"{one_line(label)} in the configuration file is not a limit of one product: {allowed}")
            else:
                own[setting.field.removeprefix("limits.")] = value_of(setting.kind, label, value, mistakes)
        found.append(InstrumentLimits(symbol, **own))
    return tuple(found)


def _file_texts(document: Mapping[str, object], mistakes: list[str]) -> Iterator[_Text]:
    """What the file sets."""
    for section, table in document.items():
        if section not in _SECTIONS or not isinstance(table, dict):
            meant = _meant(section)
            hint = f"; did you mean {meant.key} in [{meant.section}]?" if meant else ""
            mistakes.append(f"{one_line(section)} in the configuration file is not a section{hint}")
            continue
        for key, value in table.items():
            label = f"{section}.{key}"
            setting = _BY_FILE_KEY.get(label)
            if setting is None:
                meant = _meant(key)
                hint = f"; did you mean {meant.key} in [{meant.section}]?" if meant else ""
                mistakes.append(f"{one_line(label)} in the configuration file is not a setting{hint}")
            elif (text := written(setting.kind, label, value, mistakes)) is not None:
                yield setting, label, text


def _environment_texts(environ: Mapping[str, str], mistakes: list[str]) -> Iterator[_Text]:
    """What the environment sets."""
    for name in sorted(environ):
        if name in _BY_VARIABLE:
            yield _BY_VARIABLE[name], name, environ[name]
        elif name.startswith("ORDERGATE_") and name not in _READ_ELSEWHERE:
            meant = _meant(name.removeprefix("ORDERGATE_").lower())
            hint = f"; did you mean {meant.variables[-1]}?" if meant else ""
            mistakes.append(f"{one_line(name)} is not a setting{hint}")
    for setting in SETTINGS:
        told = {environ[name].strip() for name in setting.variables if name in environ}
        if len(told) > 1:
            mistakes.append(f"{' and '.join(setting.variables)} say different things: set one of them")


def filled(settings: Settings, given: Mapping[str, object]) -> Settings:
    """The defaults with what was given, by ``Setting.field``."""
    for field, value in given.items():
        part, _, name = field.rpartition(".")
        if part:
            changed = msgspec.structs.replace(getattr(settings, part), **{name: value})
            settings = msgspec.structs.replace(settings, **{part: changed})
        else:
            settings = msgspec.structs.replace(settings, **{name: value})
    return settings


def _replayed(settings: Settings, told: Mapping[str, tuple[int, str]], mistakes: list[str]) -> Settings:
    """The settings with what a replay implies; ``told`` has the source, the file 0, and label of what was given."""
    if settings.replay is None:
        return settings
    # Who names a replay overrides what a weaker source says about the hours, but not what is said beside it; in the
    # file, where every default is written out, a default says nothing.
    source, label = told.get("exchange.hours", (_FILE, ""))
    if settings.exchange.hours is Hours.ALWAYS and source != _FILE and source >= told["replay"][0]:
        mistakes.append(f"{label} is always: a replay keeps the exchange's hours, so leave it out")
    exchange = msgspec.structs.replace(settings.exchange, hours=Hours.EXCHANGE)
    return msgspec.structs.replace(settings, exchange=exchange)


def _meant(key: str) -> Setting | None:
    """The setting whose key looks like this one."""
    near = difflib.get_close_matches(key, _BY_KEY, n=1)
    return _BY_KEY[near[0]] if near else None
