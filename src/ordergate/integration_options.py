"""The options of ``ManualTradingIntegration``, as the settings that they are.

Their names are the documented ones, in camelCase as they stand or with underscores; values are of Python's types.

Invariant: what is not known or cannot be read is refused, every mistake at once; nothing is ignored.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from decimal import Decimal
from pathlib import Path

from ordergate.config import filled
from ordergate.core.contracts import PRODUCT_BY_SYMBOL
from ordergate.errors import StartRefused
from ordergate.setting_kinds import Fraction, one_line, shown, value_of
from ordergate.setting_table import SETTINGS
from ordergate.settings import DOCUMENTED, Settings

# Where a setting stands among the options, by its key.
_PLACES: Mapping[tuple[str, ...], str] = {
    ("shadowMode",): "shadow_mode",
    ("interceptOrders",): "intercept_orders",
    ("enableRiskValidation",): "enable_risk_validation",
    ("enableSLTPCalculation",): "enable_sltp_calculation",
    ("preserveOriginalWorkflow",): "preserve_original_workflow",
    ("connectionManagerUrl",): "connection_manager_url",
    ("manualTradingServerUrl",): "manual_trading_server_url",
    ("enableLogging",): "enable_logging",
    ("logLevel",): "log_level",
    ("stateDir",): "state_dir",
    ("aggregatorPort",): "aggregator_port",
    ("tradingHours",): "trading_hours",
    ("redisConfig", "host"): "redis_host",
    ("redisConfig", "port"): "redis_port",
    ("redisConfig", "db"): "redis_db",
    ("redisConfig", "url"): "redis_url",
    ("aggregatorConfig", "riskConfig", "maxPositionSize"): "max_position_size",
    ("aggregatorConfig", "riskConfig", "maxDailyLoss"): "max_daily_loss",
    ("aggregatorConfig", "riskConfig", "maxDailyProfit"): "max_daily_profit",
    ("aggregatorConfig", "riskConfig", "maxOpenOrders"): "max_open_orders",
    ("aggregatorConfig", "riskConfig", "maxOrderSize"): "max_order_size",
    ("aggregatorConfig", "riskConfig", "minOrderSize"): "min_order_size",
    ("aggregatorConfig", "riskConfig", "allowedInstruments"): "allowed_instruments",
    ("aggregatorConfig", "queueConfig", "maxQueueSize"): "max_queue_size",
    ("aggregatorConfig", "queueConfig", "processingDelayMs"): "processing_delay_ms",
    ("aggregatorConfig", "sltpConfig", "defaultRiskRewardRatio"): "default_risk_reward",
    ("aggregatorConfig", "sltpConfig", "maxRiskPercent"): "max_risk_percent",
}
_SLTP = ("aggregatorConfig", "sltpConfig")
# How much larger the contracts are whose values the documentation's samples hold (wire notes, section 5.5, 2026-11-22).
_FULL_SIZE = 10
_MULTIPLIERS, _TICK_SIZES = (*_SLTP, "instrumentMultipliers"), (*_SLTP, "tickSizes")
_SECTIONS = {path[:length] for path in (*_PLACES, _MULTIPLIERS) for length in range(1, len(path))}
_BY_KEY = {setting.key: setting for setting in SETTINGS}


def settings_of(options: Mapping[str, object]) -> tuple[Settings, tuple[str, ...]]:
    """The settings, and what the options say of contracts that is not so. Raises ``StartRefused``.

    What is not so is refused where orders reach a broker, and only told in shadow mode (design, section 4): the samples
    of the documentation hold values of the full-size contracts.
    """
    mistakes: list[str] = []
    given: dict[str, object] = {}
    wrong: list[str] = []
    for path, value in _leaves((), options, mistakes):
        label = ".".join(path)
        if path in (_MULTIPLIERS, _TICK_SIZES):
            wrong += _contradictions(path, value, mistakes)
            continue
        setting = _BY_KEY[_PLACES[path]]
        read = value_of(setting.kind, label, _as_written(value), mistakes)
        given[setting.field] = read
    if mistakes:
        raise StartRefused("\n".join(mistakes))
    settings = filled(DOCUMENTED, given)
    if wrong and not settings.modes.shadow:
        raise StartRefused("\n".join(f"{each}: leave it out" for each in wrong))
    return settings, tuple(wrong)


def camel(name: str) -> str:
    """The documented spelling of a name with underscores."""
    if name == "enable_sltp_calculation":
        return "enableSLTPCalculation"
    return re.sub(r"_(\w)", lambda found: found[1].upper(), name)


def _leaves(
    above: tuple[str, ...], options: Mapping[str, object], mistakes: list[str]
) -> Iterator[tuple[tuple[str, ...], object]]:
    """Every option with its path, in the documented spelling."""
    for name, value in options.items():
        path = (*above, camel(str(name)))
        if path in _SECTIONS:
            if isinstance(value, Mapping):
                yield from _leaves(path, value, mistakes)
            else:
                mistakes.append(f"{'.'.join(path)} is {shown(value)}: it must be a dict")
        elif path in _PLACES or path in (_MULTIPLIERS, _TICK_SIZES):
            yield path, value
        else:
            here = sorted(
                {known[len(above)] for known in (*_PLACES, _MULTIPLIERS, _TICK_SIZES) if known[: len(above)] == above}
            )
            mistakes.append(f"{one_line('.'.join(path))} is not an option: {', '.join(here)}")


def _as_written(value: object) -> object:
    """``value`` with the type that the configuration file would give it."""
    if isinstance(value, float | Decimal):
        return Fraction(f"{Decimal(str(value)).normalize():f}")
    if isinstance(value, Path):
        return str(value)
    return list(value) if isinstance(value, tuple) else value


def _contradictions(path: tuple[str, ...], value: object, mistakes: list[str]) -> Iterator[str]:
    """What is said of products and is not so."""
    if not isinstance(value, Mapping):
        mistakes.append(f"{'.'.join(path)} is {shown(value)}: it must be a dict")
        return
    for symbol, said in value.items():
        label = f"{'.'.join(path)}.{one_line(str(symbol))}"
        product = PRODUCT_BY_SYMBOL.get(str(symbol))
        if product is None:
            mistakes.append(f"{label}: {one_line(str(symbol))} is none of {', '.join(PRODUCT_BY_SYMBOL)}")
            continue
        if isinstance(said, bool) or not isinstance(said, int | float | Decimal):
            mistakes.append(f"{label} is {shown(said)}: it must be a number")
            continue
        is_tick = path == _TICK_SIZES
        real = product.tick_size if is_tick else product.tick_value_usd / product.tick_size
        if Decimal(str(said)) != real:
            what = "the tick size" if is_tick else "the value of one point"
            full_size = f" ({said} is the full-size contract's)" if Decimal(str(said)) == _FULL_SIZE * real else ""
            yield f"{label} is {said}, and {what} of {symbol} is {real.normalize():f}{full_size}"
