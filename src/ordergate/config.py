"""What can be set, and what was set: flag over environment over file over default.

It must never read the environment or a file itself (the command line hands them in), and never show a secret.

Invariants:
1. ``SETTINGS`` is the only list of settings. The variables, the file's keys, the flags and their help, and
   ``config/ordergate.toml`` follow from it; the defaults are those of the structs it fills.
2. Every mistake of every source is told, one a line, in one ``StartRefused``; also of a value that another overrides.
3. What cannot be read is refused. Nothing unreadable becomes a default.
"""

from __future__ import annotations

import difflib
import enum
import re
import tomllib
from collections.abc import Callable, Iterator, Mapping
from datetime import date, time
from decimal import Decimal
from pathlib import Path
from typing import Any

import msgspec

from ordergate.core.contracts import PRODUCT_BY_SYMBOL
from ordergate.core.instrument import QUANTITY_MAX
from ordergate.core.limits import (
    OVERRIDABLE,
    Blackout,
    InstrumentLimits,
    Limits,
    OnDailyLoss,
    OnMustBeFlat,
    Trailing,
)
from ordergate.core.pace import KEPT_MAX
from ordergate.errors import StartRefused
from ordergate.exchange.settings import ExchangeSettings, Hours


class LogLevel(enum.StrEnum):
    """The least important events that are logged."""

    DEBUG = "debug"
    INFO = "info"
    WARN = "warn"
    ERROR = "error"


class Settings(msgspec.Struct, frozen=True, kw_only=True):
    """Everything a process is started with; ``SETTINGS`` says what each value means."""

    web_port: int = 3003
    connection_manager_port: int = 7500
    aggregator_port: int = 7600
    gateway_port: int = 7800
    state_dir: Path | None = None
    ready_file: Path | None = None
    browser: bool = True
    max_queue_size: int = 100
    replay: Path | None = None
    speed: int = 1
    limits: Limits = Limits()
    exchange: ExchangeSettings = ExchangeSettings()
    enable_logging: bool = True
    log_level: LogLevel = LogLevel.INFO


class Loaded(msgspec.Struct, frozen=True):
    """The settings, and what the person should know about how they were given."""

    settings: Settings
    warnings: tuple[str, ...] = ()


def load(flags: Mapping[str, object], environ: Mapping[str, str], toml: str | None) -> Loaded:
    """The settings of a process. Raises ``StartRefused`` naming every mistake.

    ``flags`` has those that were given, by key; ``toml`` is the text of the configuration file, if there is one.
    Variables of other programs are left alone.
    """
    mistakes: list[str] = []
    named = [(_BY_KEY[key], _BY_KEY[key].option, str(value)) for key, value in flags.items()]
    document = _document(toml, mistakes)
    own = _instruments(document.pop(_INSTRUMENTS, {}), mistakes)
    sources = ([*_file_texts(document, mistakes)], [*_environment_texts(environ, mistakes)], named)
    given: dict[str, object] = {}
    told: dict[str, tuple[int, str]] = {}
    for source, texts in enumerate(sources):
        for setting, label, text in texts:
            try:
                given[setting.field] = setting.kind.parse(text.strip())
                told[setting.field] = (source, label)
            except ValueError:
                mistakes.append(f"{label} is {_shown(text)}: it must be {setting.kind.allowed}")
    given["limits.instruments"] = own
    settings = _replayed(_filled(given), told, mistakes)
    for symbol in ("", *(each.symbol for each in own)):
        limits = settings.limits.of(symbol)
        smallest, largest = limits.order_quantity_min, limits.order_quantity_max
        if smallest > largest:
            text = f"min_order_size is {smallest}: it must not be above max_order_size, which is {largest}"
            mistakes.append(f"for {symbol}, {text}" if symbol else text)
    if mistakes:
        raise StartRefused("\n".join(mistakes))
    idle = [name for name in sorted(environ) if name in _WITHOUT_EFFECT or name.startswith("PROJECTX_")]
    return Loaded(settings, (f"set, but without effect here: {', '.join(idle)}",) if idle else ())


class Kind(msgspec.Struct, frozen=True):
    """How a value is read.

    ``parse`` raises ``ValueError`` for a text that is not ``allowed``; ``written_as`` are the types it may have in the
    file, and ``placeholder`` stands for it in the help.
    """

    parse: Callable[[str], object]
    allowed: str
    placeholder: str
    written_as: tuple[type, ...]


class Setting(msgspec.Struct, frozen=True):
    """One row of ``SETTINGS``.

    ``key`` is its name everywhere: in ``section`` of the file, in capitals behind ORDERGATE_, with dashes as a flag;
    ``field`` is its place in ``Settings``. ``documented``: users of the documented system know the variable without
    ORDERGATE_. ``reason`` is why the default is what it is; where that is none, the file shows ``example``.
    """

    section: str
    key: str
    field: str
    kind: Kind
    meaning: str
    reason: str
    example: str = ""
    documented: bool = False
    flag: bool = False

    @property
    def default(self) -> object:
        value: object = Settings()
        for name in self.field.split("."):
            value = getattr(value, name)
        return value

    @property
    def option(self) -> str:
        """Its name on the command line. A switch that is on can only be turned off there."""
        return f"--{'no-' if self.default is True else ''}{self.key.replace('_', '-')}"

    @property
    def variables(self) -> tuple[str, ...]:
        """The names of its environment variables."""
        prefixed = f"ORDERGATE_{self.key.upper()}"
        return (self.key.upper(), prefixed) if self.documented else (prefixed,)


class _Fraction(str):
    """A number with a point or exponent, as the file writes it: a float would round it."""

    __slots__ = ()


def _whole(low: int, high: int, of: str = "") -> Kind:
    def parse(text: str) -> int:
        if re.fullmatch(r"[0-9]{1,19}", text, re.ASCII) is None or not low <= int(text) <= high:
            raise ValueError
        return int(text)

    return Kind(parse, f"a whole number{of and f' of {of}'} from {low} to {high}", "N", (int,))


def _amount(low: str, high: str, of: str) -> Kind:
    def parse(text: str) -> Decimal:
        # Four places are finer than a cent and than a hundredth of a percent; no exponent, no sign, no NaN.
        if re.fullmatch(r"[0-9]{1,12}(\.[0-9]{1,4})?", text, re.ASCII) is None:
            raise ValueError
        if not Decimal(low) <= Decimal(text) <= Decimal(high):
            raise ValueError
        return Decimal(text)

    return Kind(parse, f"a number of {of} from {low} to {high}, with up to 4 decimals", "X", (int, _Fraction))


def _balance(text: str) -> Decimal:
    size = _DOLLARS_OR_NONE.parse(text.removeprefix("-"))
    assert isinstance(size, Decimal)
    return -size if text.startswith("-") else size


def _one_of(words: type[enum.Enum]) -> Kind:
    allowed = [word.value for word in words]
    return Kind(lambda text: words(text.lower()), f"one of {', '.join(allowed)}", "|".join(allowed), (str,))


def _symbols(text: str) -> tuple[str, ...]:
    symbols = tuple(dict.fromkeys(symbol.strip() for symbol in text.split(",")))
    if not all(symbol in PRODUCT_BY_SYMBOL for symbol in symbols):
        raise ValueError
    return symbols


def _switch(text: str) -> bool:
    # "False", "0" and "no" meant true in the documented runner (wire notes, section 4, 2026-11-22): nobody can tell
    # what they are meant to mean here.
    if text not in {"true", "false"}:
        raise ValueError
    return text == "true"


def _path(text: str) -> Path:
    # A "~" that no shell has expanded would become a folder of that name.
    if not text or text.startswith("~") or not text.isprintable():
        raise ValueError
    return Path(text)


def _blackouts(text: str) -> tuple[Blackout, ...]:
    windows = []
    for part in text.split(","):
        found = re.fullmatch(r"(?:(\d{4}-\d\d-\d\d) )?(\d\d:\d\d)-(\d\d:\d\d)", part.strip(), re.ASCII)
        if found is None or found[2] == found[3]:
            raise ValueError
        start, end = time.fromisoformat(found[2]), time.fromisoformat(found[3])
        windows.append(Blackout(start, end, date.fromisoformat(found[1]) if found[1] else None))
    return tuple(windows)


def _time(text: str) -> time | None:
    if text.lower() == "off":
        return None
    if re.fullmatch(r"\d\d:\d\d", text, re.ASCII) is None:
        raise ValueError
    return time.fromisoformat(text)


_PORT = Kind(_whole(0, 65_535).parse, "a port number from 0 to 65535, 0 = any free one", "PORT", (int,))
_CONTRACTS = _whole(1, QUANTITY_MAX, "contracts")
_DOLLARS = _amount("0.01", "1000000000", "US dollars")
_DOLLARS_OR_NONE = _amount("0", "1000000000", "US dollars")
_BALANCE = Kind(
    _balance,
    "a balance of US dollars up to 1000000000, below 0 with a minus sign, with up to 4 decimals",
    "X",
    (int, _Fraction),
)
_WIDE_PERCENT = _amount("0.01", "1000", "percent")
_RATE = _whole(1, KEPT_MAX, "orders")
_RATIO = _amount("0.1", "100", "stop distances")
_SYMBOLS = Kind(_symbols, f"a list out of {', '.join(PRODUCT_BY_SYMBOL)}", "SYMBOL,SYMBOL", (list,))
_SWITCH = Kind(_switch, "true or false", "true|false", (bool,))
_PATH = Kind(_path, "a path, in which ~ has no meaning", "PATH", (str,))

_TIME = Kind(_time, "a time as HH:MM, or off", "HH:MM|off", (str,))
_BLACKOUTS = Kind(
    _blackouts,
    "a list of HH:MM-HH:MM for every day and YYYY-MM-DD HH:MM-HH:MM for one, which may end past midnight",
    "WINDOW,WINDOW",
    (list,),
)

# Section and key in the file, place in Settings, kind.
# fmt: off
SETTINGS: tuple[Setting, ...] = (
    Setting("ports", "web_port", "web_port", _PORT, flag=True,
            meaning="Port of the page and its HTTP API, on loopback.",
            reason="as documented."),
    Setting("ports", "connection_manager_port", "connection_manager_port", _PORT, flag=True, documented=True,
            meaning="Port of the connection manager's health and balance.",
            reason="as documented."),
    Setting("ports", "aggregator_port", "aggregator_port", _PORT, flag=True,
            meaning="Port of the gate's health and metrics.",
            reason="as documented."),
    Setting("ports", "gateway_port", "gateway_port", _PORT, flag=True,
            meaning="Port of the simulated TopstepX.",
            reason="free beside the documented ones."),
    Setting("process", "state_dir", "state_dir", _PATH, flag=True,
            meaning="Folder that holds the journal, the keys and the simulated exchange's file.",
            reason="the platform's folder for a user's state; the exchange alone then keeps everything in memory.",
            example='"/var/lib/ordergate"'),
    Setting("process", "ready_file", "ready_file", _PATH, flag=True,
            meaning="File that is written once orders can be taken: addresses and practice login, for scripts.",
            reason="only scripts need it.",
            example='"ready.json"'),
    Setting("process", "browser", "browser", _SWITCH, flag=True,
            meaning="The page opens in the browser at the start.",
            reason="the page is what a trader wants to see."),
    Setting("process", "max_queue_size", "max_queue_size", _whole(1, 100_000, "orders"), documented=True,
            meaning="Orders that may wait for a decision, cancels and closes aside; the next is answered QUEUE_FULL.",
            reason="as documented."),
    Setting("limits", "allowed_instruments", "limits.allowed_symbols", _SYMBOLS, documented=True,
            meaning="Products in which risk may be added, parted by commas in a variable.",
            reason="as documented, the six micros."),
    Setting("limits", "min_order_size", "limits.order_quantity_min", _CONTRACTS,
            meaning="Smallest order.",
            reason="the smallest there is."),
    Setting("limits", "max_order_size", "limits.order_quantity_max", _CONTRACTS,
            meaning="Largest order, beyond what it closes.",
            reason="an order cannot usefully be larger than the largest position."),
    Setting("limits", "max_position_size", "limits.position_quantity_max", _CONTRACTS, documented=True,
            meaning="Largest net position in one contract if every order on its side fills.",
            reason="as documented."),
    Setting("limits", "max_account_position", "limits.account_position_micros_max", _whole(1, 1_000_000, "micros"),
            meaning="Largest sum of all positions of an account if every order fills; a mini counts as ten micros.",
            reason="the documented system has none; firms set 50 to 150.",
            example="50"),
    Setting("limits", "max_open_orders", "limits.open_orders_max", _whole(1, 10_000, "orders"), documented=True,
            meaning="Orders of an account that may be open at once; stop losses and take profits do not count.",
            reason="as documented."),
    Setting("limits", "max_order_value", "limits.order_value_usd_max", _DOLLARS,
            meaning="Largest value of what an order adds: its price times the point value times its contracts.",
            reason="the documented system has none.",
            example="250000"),
    Setting("limits", "max_daily_loss", "limits.daily_loss_usd_max", _DOLLARS, documented=True,
            meaning="Loss of an account in a trading day, open positions counted, at which new risk is denied.",
            reason="as documented."),
    Setting("limits", "on_daily_loss", "limits.on_daily_loss", _one_of(OnDailyLoss),
            meaning="What happens to open positions when that loss is reached.",
            reason="a limit that lets the loss run on is none."),
    Setting("limits", "max_daily_profit", "limits.daily_profit_usd_max", _DOLLARS,
            meaning="Profit of an account in a trading day at which it may only reduce; nothing is closed.",
            reason="the documented system has none.",
            example="1500"),
    Setting("limits", "maximum_loss", "limits.maximum_loss_usd", _DOLLARS,
            meaning="How far below its highest balance an account ends; new risk that could reach that is denied.",
            reason="the documented system has none; firms set 2000 to 4500.",
            example="2000"),
    Setting("limits", "maximum_loss_trailing", "limits.maximum_loss_trailing", _one_of(Trailing),
            meaning="Whether that floor follows the balance at each trading day's end, or the equity at any time.",
            reason="as TopstepX does."),
    Setting("limits", "maximum_loss_lock", "limits.maximum_loss_lock_usd", _BALANCE,
            meaning="Balance at which that floor stops rising.",
            reason="the account's balance when it was first seen.",
            example="50000"),
    Setting("limits", "maximum_loss_floor", "limits.maximum_loss_floor_usd", _BALANCE,
            meaning="Where the firm shows that floor now; with maximum_loss set, a real account needs it.",
            reason="worked out, where the account's whole history is known.",
            example="48000"),
    Setting("limits", "max_risk_percent", "limits.risk_percent_max", _amount("0.01", "100", "percent"), documented=True,
            meaning="Most that one order may lose at its stop, measured against account_size.",
            reason="as documented."),
    Setting("limits", "max_risk", "limits.risk_usd_max", _DOLLARS,
            meaning="Most that one order may lose at its stop; the smaller of this and max_risk_percent limits.",
            reason="the documented system has none.",
            example="250"),
    Setting("limits", "account_size", "limits.account_size_usd", _DOLLARS,
            meaning="What max_risk_percent is a percentage of.",
            reason="the account's balance at the trading day's open.",
            example="50000"),
    Setting("limits", "default_risk_reward", "limits.risk_reward_ratio", _RATIO, documented=True,
            meaning="Distance of a take profit for which the order names none.",
            reason="as documented."),
    Setting("limits", "quote_age_ms", "limits.quote_age_ms_max", _whole(1, 600_000, "milliseconds"),
            meaning="Age beyond which a quote is no reference price, and new risk is denied.",
            reason="an active contract is quoted several times a second; five seconds of silence is a fault."),
    Setting("limits", "max_quote_jump_percent", "limits.quote_jump_percent_max", _WIDE_PERCENT,
            meaning="Distance of a bid or ask from the last trade beyond which a quote is no reference price.",
            reason="one bad print must not price or close anything; a real move is confirmed by its first trade."),
    Setting("limits", "max_price_distance_ticks", "limits.price_distance_ticks_max", _whole(1, 1_000_000, "ticks"),
            meaning="How far an order's price may stand from its own side of the market.",
            reason="a number of ticks fits one product only: set it under [instruments.SYMBOL].",
            example="400"),
    Setting("limits", "max_price_distance_percent", "limits.price_distance_percent_max", _WIDE_PERCENT,
            meaning="The same in percent of the price; the smaller of both limits.",
            reason="180 points of the S&P 500 at 6,000: farther than an order of the day, nearer than a typing error."),
    Setting("limits", "duplicate_window_ms", "limits.duplicate_window_ms", _whole(1, 600_000, "milliseconds"),
            meaning="How long an equal order with another id is denied as a duplicate.",
            reason="the documented system has none.",
            example="1000"),
    Setting("limits", "max_orders_per_minute", "limits.orders_per_minute_max", _RATE,
            meaning="Most new-risk orders and changes of an account in a minute; what closes is never counted.",
            reason="the documented system has none.",
            example="30"),
    Setting("limits", "max_instrument_orders_per_minute", "limits.instrument_orders_per_minute_max", _RATE,
            meaning="The same, of one contract of an account.",
            reason="the documented system has none.",
            example="20"),
    Setting("limits", "max_repeats_per_minute", "limits.repeats_per_minute_max", _whole(1, KEPT_MAX, "failures"),
            meaning="Failures in a minute to place stops and targets, beyond which new risk waits for a flatten.",
            reason="one refused stop is tried three times; more than that is a loop."),
    Setting("limits", "max_order_age_ms", "limits.age_ms_max", _whole(1, 600_000, "milliseconds"),
            meaning="How long an order may have waited for its decision.",
            reason="the market it was meant for is gone."),
    Setting("limits", "max_clock_ahead_ms", "limits.clock_ahead_ms_max", _whole(0, 600_000, "milliseconds"),
            meaning="How far in the future an order's own time may lie.",
            reason="more than a network or a slow clock explains."),
    Setting("limits", "allow_opposite_positions", "limits.opposite_positions", _SWITCH,
            meaning="Whether an account may be long of something while another of the same login is short of it.",
            reason="as documented; TopstepX forbids it, so turn it off there."),
    Setting("limits", "blackouts", "limits.blackouts", _BLACKOUTS,
            meaning="Windows in Chicago time without new risk, such as those of news.",
            reason="which news matter is the trader's to say.",
            example='["07:25-07:45", "2026-12-09 12:55-13:30"]'),
    Setting("limits", "must_be_flat", "limits.must_be_flat", _TIME,
            meaning="Chicago time from which on orders that would open are denied and cancelled until the next open, "
                    "or 15 minutes before a close that is earlier than 16:00. Only with the exchange's hours.",
            reason="Topstep begins to flatten at 15:08."),
    Setting("limits", "on_must_be_flat", "limits.on_must_be_flat", _one_of(OnMustBeFlat),
            meaning="What happens to open positions at that time.",
            reason="closing what somebody holds is for him to ask for."),
    Setting("exchange", "seed", "exchange.seed", _whole(0, 2**63 - 1), flag=True,
            meaning="Decides the simulated prices and the API key: the same seed, the same market.",
            reason="a demonstration looks the same on every machine."),
    Setting("exchange", "hours", "exchange.hours", _one_of(Hours), flag=True,
            meaning="When the simulated market is open: always, or as the real one, with its holidays.",
            reason="it can be tried on a Sunday."),
    Setting("exchange", "replay", "replay", _PATH, flag=True,
            meaning="File of recorded quotes and trades that drive ES and MES; time begins at its first record.",
            reason="prices are simulated.",
            example='"es-open.csv.gz"'),
    Setting("exchange", "speed", "speed", _whole(1, 100, "times real time"), flag=True,
            meaning="How fast a replay is played at most; a busy machine plays more slowly.",
            reason="as it was."),
    Setting("exchange", "latency_ms", "exchange.latency_ms", _whole(0, 60_000, "milliseconds"), flag=True,
            meaning="How long the simulated exchange waits before it acts on a request.",
            reason="between the 8 and 28 ms seen on the live service."),
    Setting("logging", "enable_logging", "enable_logging", _SWITCH, documented=True,
            meaning="Whether anything but errors is logged.",
            reason="as documented."),
    Setting("logging", "log_level", "log_level", _one_of(LogLevel), documented=True,
            meaning="The least important events that are logged.",
            reason="as documented."),
)
# fmt: on

_BY_KEY = {setting.key: setting for setting in SETTINGS}
_BY_VARIABLE = {variable: setting for setting in SETTINGS for variable in setting.variables}
_BY_FILE_KEY = {f"{setting.section}.{setting.key}": setting for setting in SETTINGS}
_SECTIONS = {setting.section for setting in SETTINGS}
_SHOWN_MAX = 80  # characters of a bad value: enough to recognise it

# Ours, but no settings: the command line and the state directory read them.
_READ_ELSEWHERE = ("ORDERGATE_CONFIG", "ORDERGATE_APPROVAL_KEY")

# Documented variables of the live system (wire notes, section 4, 2026-11-22) and, as PROJECTX_*, its login.
_WITHOUT_EFFECT = (
    "CONNECTION_MANAGER_URL",
    "ENABLE_RISK_VALIDATION",
    "ENABLE_SLTP_CALCULATION",
    "INTERCEPT_ORDERS",
    "MANUAL_TRADING_SERVER_URL",
    "PRESERVE_ORIGINAL_WORKFLOW",
    "PROCESSING_DELAY_MS",
    "REDIS_DB",
    "REDIS_HOST",
    "REDIS_PORT",
    "REDIS_URL",
    "SHADOW_MODE",
)

_TOML_TYPES = {
    bool: "a truth value",
    dict: "a table",
    int: "a whole number",
    list: "a list",
    str: "text",
    _Fraction: "a number",
}

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
        return tomllib.loads(toml or "", parse_float=_Fraction)
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
            mistakes.append(f"{_name(place)} in the configuration file is not a section of a known symbol")
            continue
        own: dict[str, Any] = {}
        for key, value in table.items():
            setting, label = OF_ONE.get(key), f"{place}.{key}"
            if setting is None:
                allowed = ", ".join(OF_ONE)
                mistakes.append(f"{_name(label)} in the configuration file is not a limit of one product: {allowed}")
            elif (text := _written(setting, label, value, mistakes)) is not None:
                try:
                    own[setting.field.removeprefix("limits.")] = setting.kind.parse(text)
                except ValueError:
                    mistakes.append(f"{label} is {_shown(text)}: it must be {setting.kind.allowed}")
        found.append(InstrumentLimits(symbol, **own))
    return tuple(found)


def _file_texts(document: Mapping[str, object], mistakes: list[str]) -> Iterator[_Text]:
    """What the file sets."""
    for section, table in document.items():
        if section not in _SECTIONS or not isinstance(table, dict):
            meant = _meant(section)
            hint = f"; did you mean {meant.key} in [{meant.section}]?" if meant else ""
            mistakes.append(f"{_name(section)} in the configuration file is not a section{hint}")
            continue
        for key, value in table.items():
            label = f"{section}.{key}"
            setting = _BY_FILE_KEY.get(label)
            if setting is None:
                meant = _meant(key)
                hint = f"; did you mean {meant.key} in [{meant.section}]?" if meant else ""
                mistakes.append(f"{_name(label)} in the configuration file is not a setting{hint}")
            elif (text := _written(setting, label, value, mistakes)) is not None:
                yield setting, label, text


def _written(setting: Setting, label: str, value: object, mistakes: list[str]) -> str | None:
    """A value of the file as a text, if it has a type that the setting may have."""
    if type(value) not in setting.kind.written_as:
        kind = _TOML_TYPES.get(type(value), "a date or time")
        mistakes.append(f"{label} is {kind}, {_shown(value)}: it must be {setting.kind.allowed}")
        return None
    if isinstance(value, list):
        return ",".join(str(item) for item in value)
    return str(value).lower() if isinstance(value, bool) else str(value)


def _environment_texts(environ: Mapping[str, str], mistakes: list[str]) -> Iterator[_Text]:
    """What the environment sets."""
    for name in sorted(environ):
        if name in _BY_VARIABLE:
            yield _BY_VARIABLE[name], name, environ[name]
        elif name.startswith("ORDERGATE_") and name not in _READ_ELSEWHERE:
            meant = _meant(name.removeprefix("ORDERGATE_").lower())
            hint = f"; did you mean {meant.variables[-1]}?" if meant else ""
            mistakes.append(f"{_name(name)} is not a setting{hint}")
    for setting in SETTINGS:
        told = {environ[name].strip() for name in setting.variables if name in environ}
        if len(told) > 1:
            mistakes.append(f"{' and '.join(setting.variables)} say different things: set one of them")


def _filled(given: Mapping[str, object]) -> Settings:
    """The defaults with what was given, by ``Setting.field``."""
    settings = Settings()
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
        if settings.speed != 1:
            mistakes.append(f"{told['speed'][1]} is {settings.speed}: only a replay has a speed, and none is named")
        return settings
    # Who names a replay overrides what a weaker source says about the hours, but not what is said beside it; in the
    # file, where every default is written out, a default says nothing.
    source, label = told.get("exchange.hours", (_FILE, ""))
    if settings.exchange.hours is Hours.ALWAYS and source != _FILE and source >= told["replay"][0]:
        mistakes.append(f"{label} is always: a replay keeps the exchange's hours, so leave it out")
    exchange = msgspec.structs.replace(settings.exchange, hours=Hours.EXCHANGE)
    return msgspec.structs.replace(settings, exchange=exchange)


def _name(text: str) -> str:
    """A name that somebody else chose, fit for one line."""
    return text if text.isprintable() else repr(text)


def _shown(value: object) -> str:
    """A value that somebody else chose, fit for one line."""
    text = repr(value)
    return text if len(text) <= _SHOWN_MAX else f"{text[:_SHOWN_MAX]}..."


def _meant(key: str) -> Setting | None:
    """The setting whose key looks like this one."""
    near = difflib.get_close_matches(key, _BY_KEY, n=1)
    return _BY_KEY[near[0]] if near else None
