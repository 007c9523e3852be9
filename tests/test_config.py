"""Settings: where they come from, and what is refused.

``python tests/test_config.py > config/ordergate.toml`` writes the shipped file anew, from the table in ``settings.py``.
"""

from __future__ import annotations

import enum
import re
import sys
import textwrap
import tomllib
from datetime import date, time
from decimal import Decimal
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ordergate import app
from ordergate.bus.address import RedisAddress
from ordergate.bus.brackets import BracketAsk, BreakevenAsk, Preset, StopAsk, TargetAsk, TrailAsk
from ordergate.config import OF_ONE, load
from ordergate.core.alarm import Level
from ordergate.core.limits import Blackout, InstrumentLimits, Limits, OnDailyLoss, OnMustBeFlat, Trailing
from ordergate.core.order import BracketMode
from ordergate.errors import StartRefused
from ordergate.exchange.settings import BracketMode as Brackets
from ordergate.exchange.settings import Hours
from ordergate.exchange.variants import Variant
from ordergate.preset_settings import EXAMPLE
from ordergate.setting_kinds import MOMENT
from ordergate.setting_table import SETTINGS, Setting
from ordergate.settings import LogLevel, Role, Settings

SHIPPED = Path(__file__).resolve().parent.parent / "config" / "ordergate.toml"

# A value of each setting that is not its default: as text, and as it is read.
OTHER: dict[str, tuple[str, object]] = {
    "web_port": ("0", 0),
    "connection_manager_port": ("7501", 7501),
    "aggregator_port": ("65535", 65_535),
    "gateway_port": ("7801", 7801),
    "state_dir": ("some/folder", Path("some/folder")),
    "ready_file": ("ready.json", Path("ready.json")),
    "browser": ("false", False),
    "max_queue_size": ("7", 7),
    "processing_delay_ms": ("100", 100),
    "role": ("connection-manager", Role.CONNECTION_MANAGER),
    "bracket_mode": ("auto_oco", BracketMode.AUTO_OCO),
    "shadow_mode": ("true", True),
    "intercept_orders": ("false", False),
    "preserve_original_workflow": ("true", True),
    "enable_risk_validation": ("false", False),
    "enable_sltp_calculation": ("false", False),
    "allowed_instruments": ("MES, MNQ", ("MES", "MNQ")),
    "min_order_size": ("2", 2),
    "max_order_size": ("2147483647", 2_147_483_647),
    "max_position_size": ("3", 3),
    "max_account_position": ("50", 50),
    "max_open_orders": ("1", 1),
    "max_order_value": ("250000", Decimal(250_000)),
    "max_daily_loss": ("250.50", Decimal("250.50")),
    "on_daily_loss": ("KEEP", OnDailyLoss.KEEP),
    "max_daily_profit": ("1500.5", Decimal("1500.5")),
    "maximum_loss": ("2000", Decimal(2_000)),
    "maximum_loss_trailing": ("intraday", Trailing.INTRADAY),
    "maximum_loss_lock": ("0", Decimal(0)),
    "maximum_loss_floor": ("-2000.25", Decimal("-2000.25")),
    "max_risk": ("250", Decimal(250)),
    "max_risk_percent": ("0.5", Decimal("0.5")),
    "account_size": ("50000", Decimal(50_000)),
    "default_risk_reward": ("1.5", Decimal("1.5")),
    "quote_age_ms": ("2000", 2_000),
    "max_quote_jump_percent": ("0.5", Decimal("0.5")),
    "max_price_distance_ticks": ("400", 400),
    "max_price_distance_percent": ("1000", Decimal(1_000)),
    "duplicate_window_ms": ("1000", 1_000),
    "max_orders_per_minute": ("30", 30),
    "max_instrument_orders_per_minute": ("1", 1),
    "max_repeats_per_minute": ("3", 3),
    "max_order_age_ms": ("1000", 1_000),
    "max_clock_ahead_ms": ("0", 0),
    "allow_opposite_positions": ("false", False),
    "blackouts": (
        "07:25-07:45, 2026-12-09 23:55-00:30",
        (Blackout(time(7, 25), time(7, 45)), Blackout(time(23, 55), time(0, 30), date(2026, 12, 9))),
    ),
    "must_be_flat": ("14:55", time(14, 55)),
    "on_must_be_flat": ("flatten", OnMustBeFlat.FLATTEN),
    "trading_hours": ("always", Hours.ALWAYS),
    "projectx_api_url": ("https://api.example.com/api/", "https://api.example.com/api"),
    "projectx_user_hub_url": ("http://localhost:7800/hubs/user", "http://localhost:7800/hubs/user"),
    "projectx_market_hub_url": ("https://rtc.example.com/hubs/market", "https://rtc.example.com/hubs/market"),
    "projectx_username": ("somebody@example.com", "somebody@example.com"),
    "projectx_api_key": ("hunter2=", "hunter2="),
    "projectx_keyring": ("true", True),
    "broker_timeout_ms": ("2500", 2_500),
    "connection_manager_url": ("http://127.0.0.1:7501/", "http://127.0.0.1:7501"),
    "connection_manager_timeout_ms": ("100", 100),
    "manual_trading_server_url": ("http://desk:3004", "http://desk:3004"),
    "redis_url": ("rediss://desk:hunter2@redis:6380/2", RedisAddress("redis", 6380, 2, "desk", "hunter2", tls=True)),
    "redis_host": ("redis", "redis"),
    "redis_port": ("6380", 6_380),
    "redis_db": ("1", 1),
    "redis_timeout_ms": ("200", 200),
    "alarm_webhook_url": ("https://x.example/hook?token=hunter2", "https://x.example/hook?token=hunter2"),
    "alarm_webhook_secret": ("hunter2=", "hunter2="),
    "alarm_webhook_level": ("warning", Level.WARNING),
    "alarm_webhook_timeout_ms": ("200", 200),
    "seed": ("42", 42),
    "topstep": ("true", True),
    "simulated_users": ("5", 5),
    "simulated_accounts": ("5", 5),
    "simulated_balance": ("100000", Decimal(100_000)),
    "simulated_brackets": ("position", Brackets.POSITION),
    "partial_fills": ("false", False),
    "variants": ("no_joins, bare_events", (Variant.NO_JOINS, Variant.BARE_EVENTS)),
    "requests_a_minute": ("30", 30),
    "bar_requests": ("30", 30),
    "token_lifetime_s": ("60", 60),
    "hours": ("exchange", Hours.EXCHANGE),
    "replay": ("day.csv.gz", Path("day.csv.gz")),
    "replay_symbol": ("6E", "6E"),
    "market_from": ("2026-11-23T14:30:00Z", 1_795_444_200_000_000_000),
    "speed": ("20", 20),
    "latency_ms": ("0", 0),
    "enable_logging": ("false", False),
    "log_level": ("debug", LogLevel.DEBUG),
}

# What a setting cannot be without, as variables; and what else is changed with it.
NEEDED: dict[str, dict[str, str]] = {
    "alarm_webhook_url": {"ORDERGATE_ALARM_WEBHOOK_SECRET": "hunter2"},
}
IMPLIED: dict[str, dict[str, object]] = {
    "replay": {"hours": Hours.EXCHANGE},
    "alarm_webhook_url": {"alarm_webhook_secret": "hunter2"},
}

# What users of the documented system were told to set, and still has the same meaning here.
DOCUMENTED = {
    "ALLOWED_INSTRUMENTS",
    "CONNECTION_MANAGER_PORT",
    "CONNECTION_MANAGER_URL",
    "DEFAULT_RISK_REWARD",
    "ENABLE_LOGGING",
    "ENABLE_RISK_VALIDATION",
    "ENABLE_SLTP_CALCULATION",
    "INTERCEPT_ORDERS",
    "LOG_LEVEL",
    "MANUAL_TRADING_SERVER_URL",
    "MAX_DAILY_LOSS",
    "MAX_OPEN_ORDERS",
    "MAX_POSITION_SIZE",
    "MAX_QUEUE_SIZE",
    "MAX_RISK_PERCENT",
    "PRESERVE_ORIGINAL_WORKFLOW",
    "PROCESSING_DELAY_MS",
    "PROJECTX_API_KEY",
    "PROJECTX_API_URL",
    "PROJECTX_MARKET_HUB_URL",
    "PROJECTX_USERNAME",
    "PROJECTX_USER_HUB_URL",
    "REDIS_DB",
    "REDIS_HOST",
    "REDIS_PORT",
    "REDIS_URL",
    "SHADOW_MODE",
}
every_setting = pytest.mark.parametrize("setting", SETTINGS, ids=lambda setting: setting.key)


def test_nothing_given_means_the_defaults() -> None:
    assert load({}, {}, None) == Settings()


def test_the_defaults_are_the_documented_ones() -> None:
    settings = load({}, {}, None)
    assert (settings.web_port, settings.connection_manager_port) == (3003, 7500)
    assert (settings.aggregator_port, settings.gateway_port) == (7600, 7800)
    assert settings.limits.position_quantity_max == 10
    assert settings.limits.daily_loss_usd_max == 1000
    assert settings.limits.open_orders_max == 5
    assert settings.limits.allowed_symbols == ("MGC", "MNQ", "MES", "MCL", "M2K", "MYM")
    assert settings.limits.risk_reward_ratio == 2
    assert settings.limits.risk_percent_max == 2
    assert settings.max_queue_size == 100
    assert (settings.enable_logging, settings.log_level) == (True, "info")


def test_the_documented_variables_are_known_by_their_own_names() -> None:
    assert {
        name for setting in SETTINGS for name in setting.variables if not name.startswith("ORDERGATE_")
    } == DOCUMENTED


@every_setting
def test_each_variable_sets_its_setting_and_no_other(setting: Setting) -> None:
    text, value = OTHER[setting.key]
    for variable in setting.variables:
        settings = load({}, {variable: text} | NEEDED.get(setting.key, {}), None)
        assert changed(settings) == {setting.key: value} | IMPLIED.get(setting.key, {})


@every_setting
def test_each_key_of_the_file_sets_its_setting_and_no_other(setting: Setting) -> None:
    text, value = OTHER[setting.key]
    is_text = isinstance(value, RedisAddress) or setting.kind is MOMENT
    toml = f"[{setting.section}]\n{setting.key} = {as_toml(text if is_text else value)}\n"
    settings = load({}, NEEDED.get(setting.key, {}), toml)
    assert changed(settings) == {setting.key: value} | IMPLIED.get(setting.key, {})


def test_a_product_may_have_limits_of_its_own() -> None:
    toml = "[instruments.MES]\nmax_order_size = 2\nmax_price_distance_percent = 0.5\n[instruments.NQ]\nmax_risk = 100\n"
    limits = load({}, {}, toml).limits
    mes = InstrumentLimits("MES", order_quantity_max=2, price_distance_percent_max=Decimal("0.5"))
    assert limits == Limits(instruments=(mes, InstrumentLimits("NQ", risk_usd_max=Decimal(100))))
    assert limits.of("MES").order_quantity_max == 2
    assert limits.of("NQ").order_quantity_max == 10


@pytest.mark.parametrize(
    ("toml", "told"),
    [
        ("instruments = 3\n", "instruments in the configuration file is not a section for each symbol"),
        ("[instruments.XYZ]\n", "instruments.XYZ in the configuration file is not a section of a known symbol"),
        ("[instruments]\nMES = 2\n", "instruments.MES in the configuration file is not a section of a known symbol"),
        ("[instruments.MES]\nmax_daily_loss = 2\n", "instruments.MES.max_daily_loss in the configuration file is not"),
        ("[instruments.MES]\nmax_order_size = 0\n", "instruments.MES.max_order_size is '0': it must be"),
        (
            "[instruments.MES]\nmax_order_size = true\n",
            "instruments.MES.max_order_size is a truth value, True: it",
        ),
        (
            "[instruments.MES]\nmin_order_size = 11\n",
            "for MES, min_order_size is 11: it must not",
        ),
    ],
)
def test_every_mistake_in_the_limits_of_a_product_is_told(toml: str, told: str) -> None:
    (found,) = mistakes({}, {}, toml)
    assert found.startswith(told)


def test_a_preset_has_the_shape_of_a_bracket_and_may_be_another_in_one_product() -> None:
    toml = "[presets.A_b-9]\nstop = {dollars = 20.5}\ntargets = []\ntrail = {distance = 12, step = 2}\n"
    assert load({}, {}, EXAMPLE + toml).presets == (
        Preset(
            "scalp",
            BracketAsk(
                stop=StopAsk(ticks=8),
                targets=(TargetAsk(ticks=8, quantity=1), TargetAsk(ticks=16)),
                breakeven=BreakevenAsk(trigger=8, offset=1),
            ),
            {"MNQ": BracketAsk(stop=StopAsk(points=Decimal(5)), targets=(TargetAsk(points=Decimal(10)),))},
        ),
        Preset("A_b-9", BracketAsk(stop=StopAsk(dollars=Decimal("20.5")), targets=(), trail=TrailAsk(12, 2))),
    )


def test_a_preset_answers_for_each_product_and_says_where_from() -> None:
    (preset,) = load({}, {}, EXAMPLE).presets
    assert (preset.of("MES"), preset.place("MES")) == (preset.bracket, "presets.scalp")
    assert (preset.of("MNQ"), preset.place("MNQ")) == (preset.instruments["MNQ"], "presets.scalp.instruments.MNQ")


@pytest.mark.parametrize(
    ("toml", "told"),
    [
        ("presets = 3", ["presets in the configuration file is not a section for each preset"]),
        ("[presets]\nx = 3", ["presets.x is a whole number: it must be a table"]),
        ("[presets.x]", ["presets.x is empty: it must say stop or targets or breakeven or trail"]),
        ("[presets.x.instruments.MES.stop]\nticks = 8", ["presets.x is empty: it must say stop or targets or"]),
        ("[presets.x.instruments.MES]\n[presets.x.stop]", ["presets.x.instruments.MES is empty: it must say stop or"]),
        ("[presets.'a b'.stop]", ["presets.'a b' in the configuration file is not a preset: its name must be 1 to 32"]),
        ("[presets.''.stop]", ["presets.'' in the configuration file is not a preset: its name must be 1 to 32 of"]),
        (f"[presets.{'x' * 33}.stop]", [f"presets.'{'x' * 33}' in the configuration file is not a preset: its name"]),
        ("[presets.'\u00e9'.stop]", ["presets.'\u00e9' in the configuration file is not a preset: its name must be"]),
        (
            "[presets.x]\ninstruments = 3\nstop = {ticks = 8}",
            ["presets.x.instruments in the configuration file is not a section for each symbol"],
        ),
        (
            "[presets.x.stop]\n[presets.x.instruments.XYZ.stop]",
            ["presets.x.instruments.XYZ in the configuration file is not a section of a known symbol"],
        ),
        (
            "[presets.x.stop]\n[presets.x.instruments]\nMES = 3",
            ["presets.x.instruments.MES in the configuration file is not a section of a known symbol"],
        ),
        (
            "[presets.x]\nstops = {ticks = 8}",
            ["presets.x.stops in the configuration file is not a part of a preset: stop, targets, breakeven, trail"],
        ),
        ("[presets.x]\nstop = 8", ["presets.x.stop is a whole number: it must be a table"]),
        (
            "[presets.x.targets]\nticks = 8",
            ["presets.x.targets is a table: it must be a list of tables, [[presets.x.t"],
        ),
        ("[presets.x]\ntargets = [{ticks = 8}, 16]", ["presets.x.targets[1] is a whole number: it must be a table"]),
        (
            "[presets.x.stop]\nprice = 5000",
            ["presets.x.stop.price is a price: a preset is for orders at any price, so"],
        ),
        (
            "[[presets.x.targets]]\nticks = 8\nquantity = 1\n[[presets.x.targets]]\nprice = 5000",
            ["presets.x.targets[1].price is a price: a preset is for orders at any price, so say ticks, points or dol"],
        ),
        (
            "[presets.x.stop]\nticks = 0",
            ["presets.x.stop.ticks is '0': it must be a whole number of ticks from 1 to 2"],
        ),
        (
            "[presets.x.stop]\nticks = 8.0",
            ["presets.x.stop.ticks is a number, '8.0': it must be a whole number of tic"],
        ),
        ("[presets.x.stop]\nticks = true", ["presets.x.stop.ticks is a truth value, True: it must be a whole number"]),
        (
            "[presets.x.stop]\npoints = -2",
            ["presets.x.stop.points is '-2': it must be a number of points above 0, with"],
        ),
        ("[presets.x.stop]\npoints = 0.0", ["presets.x.stop.points is '0.0': it must be a number of points above 0"]),
        ("[presets.x.stop]\npoints = nan", ["presets.x.stop.points is 'nan': it must be a number of points above 0"]),
        (
            "[presets.x.stop]\ndollars = '20'",
            ["presets.x.stop.dollars is text, '20': it must be a number of US dollars"],
        ),
        ("[presets.x.stop]\nenabled = 'no'", ["presets.x.stop.enabled is text, 'no': it must be true or false"]),
        (
            "[[presets.x.targets]]\nticks = 8\n[[presets.x.targets]]\nticks = 9\nquantity = 0",
            ["presets.x.targets[1].quantity is '0': it must be a whole number of contracts from 1 to 2147483647"],
        ),
        ("[presets.x.breakeven]\noffset = 1", ["presets.x.breakeven.trigger is missing: it must be a whole number of"]),
        (
            "[presets.x.trail]\ndistance = 2021-01-01",
            ["presets.x.trail.distance is a date or time, datetime.date(2021"],
        ),
        (
            "[presets.x.stop]\nticks = 0\n[presets.y.stop]\nticks = 0\n[presets.x.trail]\nstep = 0",
            [
                "presets.x.stop.ticks is '0'",
                "presets.x.trail.step is '0'",
                "presets.x.trail.distance is missing",
                "presets.y",
            ],
        ),
    ],
    ids=lambda value: str(value)[:40],
)
def test_every_mistake_in_a_preset_is_told_with_its_place(toml: str, told: list[str]) -> None:
    found = mistakes({}, {}, toml + "\n")
    assert beginnings(found, told) == told


@pytest.mark.parametrize(
    ("toml", "told"),
    [
        ("stop = {ticks = 8, points = 2}", ["presets.x.stop needs one of ticks, points, price and dollars"]),
        ("targets = [{quantity = 1}]", ["presets.x.targets[0] needs one of ticks, points, price and dollars"]),
        ("targets = [{ticks = 8}, {ticks = 9}]", ["presets.x.targets[0] needs a quantity: only the last takes all"]),
        (f"targets = [{'{ticks = 8, quantity = 1},' * 6}]", ["presets.x.targets has 6 targets; 5 are the most"]),
        ("breakeven = {trigger = 4, offset = 4}", ["presets.x.breakeven.offset must be from 0 to below the trigger"]),
        (
            "stop = {enabled = false}\ntrail = {distance = 8}",
            ["presets.x.stop.enabled: breakeven and trail move a stop"],
        ),
        (
            "stop = {points = 0.3}",
            [
                "presets.x.stop.points 0.3 is not a multiple of MNQ's tick 0.25",
                "presets.x.stop.points 0.3 is not a multiple of MES's tick 0.25",
                "presets.x.stop.points 0.3 is not a multiple of MYM's tick 1",
                "presets.x.stop must be at least 4 ticks of MGC: it is 3",
                "presets.x.stop must be at least 4 ticks of M2K: it is 3",
            ],
        ),
        (
            "stop = {dollars = 0.7}",
            [
                "presets.x.stop.dollars must be at least 1.00, one tick of 1 MGC",
                "presets.x.stop must be at least 4 ticks of MNQ: it is 1",
                "presets.x.stop.dollars must be at least 1.25, one tick of 1 MES",
                "presets.x.stop.dollars must be at least 1.00, one tick of 1 MCL",
                "presets.x.stop must be at least 4 ticks of M2K: it is 1",
                "presets.x.stop must be at least 4 ticks of MYM: it is 1",
            ],
        ),
        (
            "stop = {ticks = 3}\ninstruments.ES.trail.distance = 3",
            [
                *(
                    f"presets.x.stop must be at least 4 ticks of {s}: it is 3"
                    for s in ("MGC", "MNQ", "MES", "MCL", "M2K", "MYM")
                ),
                "presets.x.instruments.ES.trail.distance must be at least 4 ticks of ES",
            ],
        ),
        (
            "stop = {ticks = 8, points = 2}\nbreakeven = {trigger = 4, offset = 4}",
            ["presets.x.stop needs one of ticks", "presets.x.breakeven.offset must be from 0"],
        ),
    ],
    ids=lambda value: str(value)[:40],
)
def test_a_preset_that_no_order_could_have_in_a_product_that_may_be_traded_is_refused(
    toml: str, told: list[str]
) -> None:
    found = mistakes({}, {}, f"[presets.x]\n{toml}\n")
    assert beginnings(sorted(found), sorted(told)) == sorted(told)


def test_the_smallest_stop_there_is_may_stand_in_a_preset() -> None:
    assert load({}, {}, "[presets.x.stop]\nticks = 4\n").presets[0].bracket.stop == StopAsk(ticks=4)


def test_what_may_stand_in_a_preset_is_told_without_a_price() -> None:
    place = "presets.x.stop.tick in the configuration file is not a part of a preset"
    assert mistakes({}, {}, "[presets.x.stop]\ntick = 8\n") == [f"{place}: enabled, ticks, points, dollars"]


def test_a_preset_is_judged_only_where_it_is_used() -> None:
    toml = "[presets.x]\nstop = {points = 0.5}\ninstruments.MES.stop.points = 2.25\n"
    assert load({}, {"ALLOWED_INSTRUMENTS": "MES"}, toml).presets[0].name == "x"
    assert len(mistakes({}, {"ALLOWED_INSTRUMENTS": "MES,MNQ"}, toml)) == 1


@every_setting
def test_each_flag_sets_its_setting_and_no_other(setting: Setting) -> None:
    text, value = OTHER[setting.key]
    settings = load({setting.key: text}, NEEDED.get(setting.key, {}), None)
    assert changed(settings) == {setting.key: value} | IMPLIED.get(setting.key, {})


@pytest.mark.parametrize(
    ("flags", "environ", "toml"),
    [
        ({"replay": "day.csv"}, {}, None),
        ({"replay": "day.csv", "hours": "exchange"}, {}, None),
        ({"replay": "day.csv"}, {"ORDERGATE_HOURS": "always"}, None),
        ({}, {"ORDERGATE_REPLAY": "day.csv"}, '[exchange]\nhours = "always"\n'),
        ({"replay": "day.csv"}, {}, SHIPPED.read_text(encoding="utf-8")),
        ({}, {}, '[exchange]\nreplay = "day.csv"\nhours = "always"\n'),
    ],
)
def test_a_replay_keeps_the_hours_of_the_exchange_whatever_a_weaker_source_says(
    flags: dict[str, object], environ: dict[str, str], toml: str | None
) -> None:
    assert load(flags, environ, toml).exchange.hours is Hours.EXCHANGE


@pytest.mark.parametrize(
    ("flags", "environ", "toml", "label"),
    [
        ({"replay": "day.csv", "hours": "always"}, {}, None, "--hours"),
        ({"hours": "always"}, {"ORDERGATE_REPLAY": "day.csv"}, None, "--hours"),
        ({}, {"ORDERGATE_REPLAY": "day.csv", "ORDERGATE_HOURS": "always"}, None, "ORDERGATE_HOURS"),
    ],
)
def test_a_replay_that_is_never_closed_is_refused(
    flags: dict[str, object], environ: dict[str, str], toml: str | None, label: str
) -> None:
    assert mistakes(flags, environ, toml) == [
        f"{label} is always: a replay keeps the exchange's hours, so leave it out"
    ]


@pytest.mark.parametrize("text", ["0", "101", "1.5", "-1", "x10"])
def test_a_speed_is_a_whole_number_up_to_a_hundred(text: str) -> None:
    assert len(mistakes({"replay": "day.csv", "speed": text}, {}, None)) == 1


def test_a_flag_wins_over_the_environment_and_the_environment_over_the_file() -> None:
    flags, environ, toml = {"seed": "3"}, {"ORDERGATE_SEED": "2"}, "[exchange]\nseed = 1_000\n"
    assert load({}, {}, toml).exchange.seed == 1_000
    assert load({}, environ, toml).exchange.seed == 2
    assert load(flags, environ, toml).exchange.seed == 3
    assert load(flags, {}, toml).exchange.seed == 3


def test_a_source_overrides_only_what_it_names() -> None:
    settings = load({}, {"MAX_DAILY_LOSS": "500"}, "[limits]\nmax_daily_loss = 700\nmax_open_orders = 2\n")
    assert settings.limits.daily_loss_usd_max == 500
    assert settings.limits.open_orders_max == 2


def test_every_mistake_of_every_source_is_told_at_once() -> None:
    toml = '[limits]\nmax_open_orders = 0\nmax_loss = 3\n[nonsense]\n[ports]\nweb_port = "3003"\n'
    environ = {
        "MAX_DAILY_LOSS": "lots",
        "ENABLE_LOGGING": "no",
        "ORDERGATE_MAX_ODER_SIZE": "3",
        "ORDERGATE_MIN_ORDER_SIZE": "11",
    }
    assert mistakes({"latency_ms": "-1"}, environ, toml) == [
        "limits.max_loss in the configuration file is not a setting; did you mean maximum_loss in [limits]?",
        "nonsense in the configuration file is not a section",
        "ports.web_port is text, '3003': it must be a port number from 0 to 65535, 0 = any free one",
        "ORDERGATE_MAX_ODER_SIZE is not a setting; did you mean ORDERGATE_MAX_ORDER_SIZE?",
        "limits.max_open_orders is '0': it must be a whole number of orders from 1 to 10000",
        "ENABLE_LOGGING is 'no': it must be true or false",
        "MAX_DAILY_LOSS is 'lots': it must be a number of US dollars from 0.01 to 1000000000, with up to 4 decimals",
        "--latency-ms is '-1': it must be a whole number of milliseconds from 0 to 60000",
        "min_order_size is 11: it must not be above max_order_size, which is 10",
    ]


def test_a_mistake_is_told_even_where_another_source_overrides_it() -> None:
    assert len(mistakes({"seed": "1"}, {"ORDERGATE_SEED": "one"}, "[exchange]\nseed = -1\n")) == 2


@every_setting
def test_an_empty_variable_is_a_mistake_and_no_default(setting: Setting) -> None:
    (mistake,) = mistakes({}, {setting.variables[-1]: ""}, None)
    value = "not shown here" if setting.kind.secret else "''"
    assert mistake.startswith(f"{setting.variables[-1]} is {value}: it must be {setting.kind.allowed}")


def test_a_secret_is_shown_by_no_mistake_and_by_no_text_form_of_the_settings() -> None:
    key = "hunter2"
    told = mistakes({}, {"PROJECTX_API_KEY": f"{key}\n{key}"}, f"[broker]\nprojectx_api_key = ['{key}']\n")
    assert len(told) == 2
    assert key not in str(told)
    assert key not in repr(load({}, {"PROJECTX_API_KEY": key}, None))


@pytest.mark.parametrize("text", ["nan", "inf", "-5", "1e3", "1_000", "٣", "0", "1000000000.01", "0.00001", "9" * 5000])
def test_money_is_a_finite_positive_decimal_inside_its_bounds(text: str) -> None:
    assert len(mistakes({}, {"MAX_DAILY_LOSS": text}, None)) == 1


@pytest.mark.parametrize("text", ["1.0", "1e1", "-1", "0", "2147483648", "٣", "0x10", "", "9" * 5000])
def test_a_number_of_contracts_is_whole_and_inside_its_bounds(text: str) -> None:
    assert len(mistakes({}, {"MAX_POSITION_SIZE": text}, None)) == 1


@pytest.mark.parametrize("text", ["False", "TRUE", "0", "1", "yes", "off"])
def test_a_boolean_that_the_documented_runner_would_take_for_true_is_refused(text: str) -> None:
    assert len(mistakes({}, {"ENABLE_LOGGING": text}, None)) == 1


@pytest.mark.parametrize("text", ["", "MES,,MNQ", "mes", "MES;MNQ", "CON.F.US.MES.Z26"])
def test_an_unknown_instrument_is_refused(text: str) -> None:
    assert len(mistakes({}, {"ALLOWED_INSTRUMENTS": text}, None)) == 1


def test_a_path_with_a_tilde_that_no_shell_expanded_is_refused() -> None:
    assert len(mistakes({"state_dir": "~/desk"}, {}, None)) == 1


@pytest.mark.parametrize(
    "line",
    [
        'max_daily_loss = "1000"',
        "max_daily_loss = nan",
        "max_daily_loss = inf",
        "max_daily_loss = true",
        "max_daily_loss = [1000]",
        "max_daily_loss = 2026-11-22",
        "max_daily_loss = 1e99999999999999999999",
        "max_open_orders = 5.0",
        'allowed_instruments = "MES"',
        "allowed_instruments = []",
        'on_daily_loss = ["keep"]',
        "max_daily_loss.usd = 3",
    ],
)
def test_a_value_of_the_wrong_type_in_the_file_is_refused(line: str) -> None:
    assert len(mistakes({}, {}, f"[limits]\n{line}\n")) == 1


def test_money_in_the_file_is_read_to_the_digit() -> None:
    settings = load({}, {}, "[limits]\nmax_daily_loss = 100000000.0001\n")
    assert settings.limits.daily_loss_usd_max == Decimal("100000000.0001")


def test_a_file_that_is_not_toml_is_told_beside_the_other_mistakes() -> None:
    first, second = mistakes({}, {"LOG_LEVEL": "loud"}, "web_port: 3003")
    assert first.startswith("the configuration file is not TOML: ")
    assert second == "LOG_LEVEL is 'loud': it must be one of debug, info, warn, error"


@pytest.mark.parametrize(
    "toml", ["web_port = 1", "[port]\nweb_port = 1", "[exchange]\nweb_port = 1", "[[ports]]\nx = 1"]
)
def test_a_key_outside_its_section_is_refused(toml: str) -> None:
    assert len(mistakes({}, {}, toml)) == 1


def test_blanks_around_a_value_mean_nothing() -> None:
    assert load({}, {"MAX_DAILY_LOSS": " 500\r\n"}, None).limits.daily_loss_usd_max == 500


def test_two_names_of_one_setting_may_not_contradict_each_other() -> None:
    assert mistakes({}, {"MAX_DAILY_LOSS": "500", "ORDERGATE_MAX_DAILY_LOSS": "900"}, None) == [
        "MAX_DAILY_LOSS and ORDERGATE_MAX_DAILY_LOSS say different things: set one of them"
    ]
    same = load({}, {"MAX_DAILY_LOSS": "500", "ORDERGATE_MAX_DAILY_LOSS": "500"}, None)
    assert same.limits.daily_loss_usd_max == 500


def test_variables_of_other_programs_and_those_read_elsewhere_are_left_alone() -> None:
    environ = {"PATH": "/bin", "PORT": "x", "SEED": "x", "WEB_PORT": "x", "MAX_ORDER_SIZE": "x"}
    environ |= {"ORDERGATE_APPROVAL_KEY": "k" * 40, "ORDERGATE_CONFIG": "x"}
    assert load({}, environ, None) == Settings()


def test_the_time_that_the_broker_may_take_is_the_one_that_is_set() -> None:
    """What a request does after it is told in ``tests/broker/test_client.py``."""
    environ = {"PROJECTX_API_URL": "http://x/api", "PROJECTX_USERNAME": "x", "PROJECTX_API_KEY": "x"}
    environ |= {"PROJECTX_USER_HUB_URL": "http://x", "PROJECTX_MARKET_HUB_URL": "http://x"}
    assert app.broker_settings(load({}, environ, None)).request_timeout_s == 10
    told = load({}, environ | {"ORDERGATE_BROKER_TIMEOUT_MS": "2500"}, None)
    assert app.broker_settings(told).request_timeout_s == 2.5


def test_a_redis_url_says_it_all() -> None:
    environ = {"REDIS_URL": "redis://:hunter2@elsewhere:6380/3"}
    redis = load({}, environ, None).redis
    assert (redis.given, redis.address.host, redis.address.port, redis.address.db) == (True, "elsewhere", 6380, 3)
    (told,) = mistakes({}, environ | {"REDIS_HOST": "localhost", "ORDERGATE_REDIS_DB": "0"}, "")
    assert told == "REDIS_URL says it all: leave out REDIS_HOST, ORDERGATE_REDIS_DB"


def test_a_webhook_needs_the_secret_that_signs_what_it_is_sent_and_is_never_shown() -> None:
    (told,) = mistakes({}, {"ORDERGATE_ALARM_WEBHOOK_URL": "https://x.example/hunter2"}, "")
    assert told == "ORDERGATE_ALARM_WEBHOOK_URL is set: alarm_webhook_secret is needed too, to sign what is sent"
    (told,) = mistakes({}, {"ORDERGATE_ALARM_WEBHOOK_URL": "ftp://x.example/hunter2"}, "")
    assert told.startswith("ORDERGATE_ALARM_WEBHOOK_URL is not shown here: it must be an address as https://")


def test_the_parts_of_a_redis_that_are_not_said_are_the_documented_ones() -> None:
    address = load({}, {"REDIS_PORT": "6380"}, None).redis.address
    assert (address.host, address.port, address.db) == ("localhost", 6380, 0)
    assert not load({}, {}, None).redis.given


def test_a_bad_redis_url_is_refused_without_being_shown() -> None:
    (told,) = mistakes({}, {"REDIS_URL": "redis://desk:hunter2@:x/"}, "")
    assert told.startswith("REDIS_URL is not shown here: it must be an address as redis[s]://")


def test_a_mistake_stays_on_one_line_and_does_not_flood_it() -> None:
    environ = {"ORDERGATE_A\nB": "x", "LOG_LEVEL": "\x1b[2J\n" + "x" * 10_000}
    told = mistakes({}, environ, '[limits]\n"a\\nb" = 1\n["c\\nd"]\n')
    assert len(told) == 4
    assert [mistake for mistake in told if not mistake.isprintable() or len(mistake) > 200] == []


@given(st.dictionaries(st.sampled_from([setting.variables[0] for setting in SETTINGS]), st.text(max_size=20)))
def test_any_text_is_a_setting_or_a_mistake(environ: dict[str, str]) -> None:
    try:
        limits = load({}, environ, None).limits
    except StartRefused:
        return
    assert limits.daily_loss_usd_max.is_finite()
    assert 1 <= limits.order_quantity_min <= limits.order_quantity_max


def test_the_shipped_file_holds_the_defaults() -> None:
    assert load({}, {}, SHIPPED.read_text(encoding="utf-8")) == Settings()


def test_the_shipped_file_still_holds_the_defaults_when_its_examples_are_removed_from_their_comments() -> None:
    shipped, told = SHIPPED.read_text(encoding="utf-8"), set()
    # One of the two ways to name Redis at a time.
    for other, implied in (("redis_(?:host|port|db)", {"hours"}), ("redis_url", {"hours"})):
        text = re.sub(rf"^# (?!{other})(\w+ = )", r"\1", shipped, flags=re.MULTILINE)
        keys = {key for table in tomllib.loads(text).values() for key in table}
        examples = {setting.key for setting in SETTINGS if setting.example and setting.key in keys}
        assert set(changed(load({}, {}, text))) == examples | implied
        told |= keys
    assert told == {setting.key for setting in SETTINGS}


def test_the_shipped_files_example_of_a_preset_is_one() -> None:
    lines = SHIPPED.read_text(encoding="utf-8").partition("# [presets.NAME]")[2].splitlines()
    toml = "\n".join(line.removeprefix("#   ") for line in lines if line.startswith("#   "))
    assert load({}, {}, toml).presets == load({}, {}, EXAMPLE).presets != ()


def test_the_shipped_file_is_the_one_that_the_table_of_settings_writes() -> None:
    assert SHIPPED.read_text(encoding="utf-8") == shipped_file()


def changed(settings: Settings) -> dict[str, object]:
    """What is not at its default, by key."""
    return {setting.key: value for setting in SETTINGS if (value := value_of(settings, setting)) != setting.default}


def value_of(settings: Settings, setting: Setting) -> object:
    value: object = settings
    for name in setting.field.split("."):
        value = getattr(value, name)
    return value


def beginnings(found: list[str], told: list[str]) -> list[str]:
    """Of each of ``found`` as much as its own of ``told`` says; none of either may be left over."""
    return [line[: len(start)] for line, start in zip(found, told, strict=True)]


def mistakes(flags: dict[str, object], environ: dict[str, str], toml: str | None) -> list[str]:
    with pytest.raises(StartRefused) as refused:
        load(flags, environ, toml)
    return str(refused.value).split("\n")


def as_toml(value: object) -> str:
    match value:
        case bool():
            return str(value).lower()
        case tuple():
            return f"[{', '.join(as_toml(item) for item in value)}]"
        case enum.Enum():
            return f'"{value.value}"'
        case time():
            return f'"{value:%H:%M}"'
        case Blackout():
            return f'"{value.text}"'
        case str() | Path():
            return f'"{value}"'
        case _:
            return str(value)


def shipped_file() -> str:
    """Every setting with its unit and bounds, its default and the reason for it, and its other names."""
    lines = [
        "# ordergate's settings and their defaults. Read only if named: --config PATH, or ORDERGATE_CONFIG=PATH.",
        "# A flag wins over the environment, the environment over this file. An unknown key is refused.",
        "# Written by tests/test_config.py from the table in src/ordergate/settings.py.",
    ]
    section = ""
    for setting in SETTINGS:
        if setting.section != section:
            section = setting.section
            lines += ["", f"[{section}]"]
        lines += ["", *(f"# {line}" for line in comment(setting)), key_line(setting)]
    preset = (
        "[presets.NAME] is a bracket that an order asks for by its name. [presets.NAME.instruments.SYMBOL] replaces it "
    )
    preset += "in one product. For example:"
    told = f"[instruments.SYMBOL] holds what one product has of its own, out of {', '.join(OF_ONE)}. For example:"
    lines += [
        "",
        *(f"# {line}" for line in textwrap.wrap(told, 116)),
        "#   [instruments.MES]",
        "#   max_order_size = 2",
        "",
        *(f"# {line}" for line in textwrap.wrap(preset, 116)),
        *(f"#   {line}" for line in EXAMPLE.splitlines()),
    ]
    return "\n".join(lines) + "\n"


def comment(setting: Setting) -> list[str]:
    allowed = setting.kind.allowed
    default = "none" if setting.default in (None, ()) else as_toml(setting.default)
    names = [setting.option] * setting.flag + list(setting.variables)
    return [
        *textwrap.wrap(f"{setting.meaning} {allowed[0].upper()}{allowed[1:]}.", 116, break_on_hyphens=False),
        *textwrap.wrap(f"Default {default}: {setting.reason}", 116, break_on_hyphens=False),
        f"Also {', '.join(names)}.",
    ]


def key_line(setting: Setting) -> str:
    if setting.default in (None, ()):
        return f"# {setting.key} = {setting.example}"
    return f"{setting.key} = {as_toml(setting.default)}"


if __name__ == "__main__":
    sys.stdout.write(shipped_file())
