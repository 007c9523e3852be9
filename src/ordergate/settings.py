"""What can be set: one table, ``SETTINGS``. How it is read is in ``config``.

Invariant: the variables, the file's keys, the flags and their help, ``config/ordergate.toml`` and ``docs/settings.md``
follow from the table; the defaults are those of the structs it fills.
"""

from __future__ import annotations

import enum
from pathlib import Path

import msgspec

from ordergate.bus.address import RedisAddress
from ordergate.bus.brackets import Preset
from ordergate.core.alarm import Level
from ordergate.core.limits import Limits, OnDailyLoss, OnMustBeFlat, Trailing
from ordergate.core.modes import Modes
from ordergate.core.order import BracketMode
from ordergate.core.pace import KEPT_MAX
from ordergate.engine.webhook_settings import WebhookSettings
from ordergate.exchange.settings import ExchangeSettings, Hours
from ordergate.setting_kinds import (
    BALANCE,
    BLACKOUTS,
    CONTRACTS,
    DOLLARS,
    PATH,
    PORT,
    RATE,
    RATIO,
    REDIS,
    SECRET,
    SECRET_URL,
    SWITCH,
    SYMBOLS,
    TIME,
    URL,
    WIDE_PERCENT,
    WORD,
    Kind,
    amount,
    one_of,
    whole,
)


class LogLevel(enum.StrEnum):
    """The least important events that are logged."""

    DEBUG = "debug"
    INFO = "info"
    WARN = "warn"
    ERROR = "error"


class Broker(msgspec.Struct, frozen=True):
    """Where TopstepX is, and the login there; None where it is not said. Its text form leaves the key out."""

    api_url: str | None = None
    user_hub_url: str | None = None
    market_hub_url: str | None = None
    user_name: str | None = None
    api_key: str | None = None

    def __repr__(self) -> str:
        return f"Broker({self.api_url!r}, {self.user_name!r})"


class Redis(msgspec.Struct, frozen=True):
    """Where Redis is: ``url``, or the other three. Its text form leaves the password of a URL out."""

    url: RedisAddress | None = None
    host: str | None = None
    port: int | None = None
    db: int | None = None

    @property
    def given(self) -> bool:
        return self != Redis()

    @property
    def address(self) -> RedisAddress:
        """What is not given is as documented."""
        return self.url or RedisAddress(self.host or "localhost", self.port or 6379, self.db or 0)


class Role(enum.StrEnum):
    """What a process is of a desk."""

    ALL = "all"
    MANUAL_TRADING = "manual-trading"
    AGGREGATOR = "aggregator"
    CONNECTION_MANAGER = "connection-manager"


class Settings(msgspec.Struct, frozen=True, kw_only=True):
    """Everything a process is started with; ``SETTINGS`` says what each value means."""

    web_port: int = 3003
    connection_manager_port: int = 7500
    aggregator_port: int = 7600
    gateway_port: int = 7800
    state_dir: Path | None = None
    ready_file: Path | None = None
    browser: bool = True
    role: Role = Role.ALL
    max_queue_size: int = 100
    processing_delay_ms: int = 0
    connection_manager_url: str = "http://localhost:7500"
    manual_trading_server_url: str = "http://localhost:3003"
    redis: Redis = Redis()
    broker_timeout_ms: int = 10_000
    connection_manager_timeout_ms: int = 2_000
    redis_timeout_ms: int = 5_000
    bracket_mode: BracketMode = BracketMode.UNKNOWN
    modes: Modes = Modes()
    replay: Path | None = None
    speed: int = 1
    limits: Limits = Limits()
    trading_hours: Hours = Hours.EXCHANGE
    webhook: WebhookSettings = WebhookSettings()
    broker: Broker = Broker()
    exchange: ExchangeSettings = ExchangeSettings()
    presets: tuple[Preset, ...] = ()
    enable_logging: bool = True
    log_level: LogLevel = LogLevel.INFO


# What the documented integration layer has where nothing is said (wire notes, section 4, 2026-11-22).
DOCUMENTED = Settings(modes=Modes(shadow=True, preserve=True))


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
        """Its name on the command line, where a switch can only be turned from its default."""
        return f"--{'no-' if self.default is True else ''}{self.key.replace('_', '-')}"

    @property
    def variables(self) -> tuple[str, ...]:
        """The names of its environment variables."""
        prefixed = f"ORDERGATE_{self.key.upper()}"
        return (self.key.upper(), prefixed) if self.documented else (prefixed,)


# Section and key in the file, place in Settings, kind.
# fmt: off
SETTINGS: tuple[Setting, ...] = (
    Setting("ports", "web_port", "web_port", PORT, flag=True,
            meaning="Port of the page and its HTTP API, on loopback.",
            reason="as documented."),
    Setting("ports", "connection_manager_port", "connection_manager_port", PORT, flag=True, documented=True,
            meaning="Port of the connection manager: health, balances and positions as the broker tells them.",
            reason="as documented."),
    Setting("ports", "aggregator_port", "aggregator_port", PORT, flag=True,
            meaning="Port of the gate's health and metrics.",
            reason="as documented."),
    Setting("ports", "gateway_port", "gateway_port", PORT, flag=True,
            meaning="Port of the simulated TopstepX.",
            reason="free beside the documented ones."),
    Setting("process", "state_dir", "state_dir", PATH, flag=True,
            meaning="Folder that holds the journal, the keys and the simulated exchange's file.",
            reason="the platform's folder for a user's state; the exchange alone then keeps everything in memory.",
            example='"/var/lib/ordergate"'),
    Setting("process", "ready_file", "ready_file", PATH, flag=True,
            meaning="File that is written once orders can be taken: addresses and practice login, for scripts.",
            reason="only scripts need it.",
            example='"ready.json"'),
    Setting("process", "browser", "browser", SWITCH, flag=True,
            meaning="The page opens in the browser at the start.",
            reason="the page is what a trader wants to see."),
    Setting("process", "max_queue_size", "max_queue_size", whole(1, 100_000, "orders"), documented=True,
            meaning="Orders that may wait for a decision, cancels and closes aside; the next is answered QUEUE_FULL.",
            reason="as documented."),
    Setting("process", "processing_delay_ms", "processing_delay_ms", whole(0, 60_000, "milliseconds"), documented=True,
            meaning="How long an order that may add risk waits before it is decided. What only closes never waits.",
            reason="waiting makes no order safer; the system that this replaces waited 100."),
    Setting("process", "role", "role", one_of(Role), flag=True,
            meaning="Which part of the desk ordergate run is: all of it, or one part, with the others over Redis.",
            reason="one process has nothing between its parts that can fail."),
    Setting("process", "bracket_mode", "bracket_mode", one_of(BracketMode), flag=True,
            meaning="The account's bracket setting on the platform. With auto_oco, one stop and one target that are "
                    "distances are attached to the order and survive this machine; else stops are placed on the fill.",
            reason="the API does not show it, and an account in Position Brackets refuses such an order whole."),
    Setting("modes", "shadow_mode", "modes.shadow", SWITCH, documented=True, flag=True,
            meaning="Nothing is written to the broker, whatever else is set: orders are filled on paper, at its "
                    "quotes. It has a state directory of its own.",
            reason="the simulated exchange is no real money already."),
    Setting("modes", "intercept_orders", "modes.intercept", SWITCH, documented=True, flag=True,
            meaning="Orders are put before the limits. Without, they pass unchecked; a halt, a lockout, an order's age "
                    "and all else that is no limit still count.",
            reason="it is what the gate is for."),
    Setting("modes", "preserve_original_workflow", "modes.preserve", SWITCH, documented=True, flag=True,
            meaning="An order that breaks limits is sent all the same, on the record with all that it breaks, and the "
                    "account is not stopped by itself.",
            reason="a limit that stops nothing is none."),
    Setting("modes", "enable_risk_validation", "modes.validate", SWITCH, documented=True, flag=True,
            meaning="The limits are asked. Without, orders pass as without interception.",
            reason="as documented."),
    Setting("modes", "enable_sltp_calculation", "modes.default_bracket", SWITCH, documented=True, flag=True,
            meaning="An order that names no stop or no target gets the default one. Without, it has only those that it "
                    "names.",
            reason="as documented."),
    Setting("limits", "allowed_instruments", "limits.allowed_symbols", SYMBOLS, documented=True,
            meaning="Products in which risk may be added, parted by commas in a variable.",
            reason="as documented, the six micros."),
    Setting("limits", "min_order_size", "limits.order_quantity_min", CONTRACTS,
            meaning="Smallest order.",
            reason="the smallest there is."),
    Setting("limits", "max_order_size", "limits.order_quantity_max", CONTRACTS,
            meaning="Largest order, beyond what it closes.",
            reason="an order cannot usefully be larger than the largest position."),
    Setting("limits", "max_position_size", "limits.position_quantity_max", CONTRACTS, documented=True,
            meaning="Largest net position in all months of a product if every order on its side fills.",
            reason="as documented."),
    Setting("limits", "max_account_position", "limits.account_position_micros_max", whole(1, 1_000_000, "micros"),
            meaning="Largest sum of all positions of an account if every order fills; a mini counts as ten micros.",
            reason="the documented system has none; firms set 50 to 150.",
            example="50"),
    Setting("limits", "max_open_orders", "limits.open_orders_max", whole(1, 10_000, "orders"), documented=True,
            meaning="Orders of an account that may be open at once; stop losses and take profits do not count.",
            reason="as documented."),
    Setting("limits", "max_order_value", "limits.order_value_usd_max", DOLLARS,
            meaning="Largest value of what an order adds: its price times the point value times its contracts.",
            reason="the documented system has none.",
            example="250000"),
    Setting("limits", "max_daily_loss", "limits.daily_loss_usd_max", DOLLARS, documented=True,
            meaning="Loss of an account in a trading day, open positions counted, at which new risk is denied.",
            reason="as documented."),
    Setting("limits", "on_daily_loss", "limits.on_daily_loss", one_of(OnDailyLoss),
            meaning="What happens to open positions when that loss is reached.",
            reason="a limit that lets the loss run on is none."),
    Setting("limits", "max_daily_profit", "limits.daily_profit_usd_max", DOLLARS,
            meaning="Profit of an account in a trading day at which it may only reduce; nothing is closed.",
            reason="the documented system has none.",
            example="1500"),
    Setting("limits", "maximum_loss", "limits.maximum_loss_usd", DOLLARS,
            meaning="How far below its highest balance an account ends; new risk that could reach that is denied.",
            reason="the documented system has none; firms set 2000 to 4500.",
            example="2000"),
    Setting("limits", "maximum_loss_trailing", "limits.maximum_loss_trailing", one_of(Trailing),
            meaning="Whether that floor follows the balance at each trading day's end, or the equity at any time.",
            reason="as TopstepX does."),
    Setting("limits", "maximum_loss_lock", "limits.maximum_loss_lock_usd", BALANCE,
            meaning="Balance at which that floor stops rising.",
            reason="the account's balance when it was first seen.",
            example="50000"),
    Setting("limits", "maximum_loss_floor", "limits.maximum_loss_floor_usd", BALANCE,
            meaning="Where the firm shows that floor now; with maximum_loss set, a real account needs it.",
            reason="worked out, where the account's whole history is known.",
            example="48000"),
    Setting("limits", "max_risk_percent", "limits.risk_percent_max", amount("0.01", "100", "percent"), documented=True,
            meaning="Most that one order may lose at its stop, measured against account_size.",
            reason="as documented."),
    Setting("limits", "max_risk", "limits.risk_usd_max", DOLLARS,
            meaning="Most that one order may lose at its stop; the smaller of this and max_risk_percent limits.",
            reason="the documented system has none.",
            example="250"),
    Setting("limits", "account_size", "limits.account_size_usd", DOLLARS,
            meaning="What max_risk_percent is a percentage of.",
            reason="the account's balance at the trading day's open.",
            example="50000"),
    Setting("limits", "default_risk_reward", "limits.risk_reward_ratio", RATIO, documented=True,
            meaning="Distance of a take profit for which the order names none.",
            reason="as documented."),
    Setting("limits", "quote_age_ms", "limits.quote_age_ms_max", whole(1, 600_000, "milliseconds"),
            meaning="Age beyond which a quote is no reference price, and new risk is denied.",
            reason="an active contract is quoted several times a second; five seconds of silence is a fault."),
    Setting("limits", "max_quote_jump_percent", "limits.quote_jump_percent_max", WIDE_PERCENT,
            meaning="Distance of a bid or ask from the last trade beyond which a quote is no reference price.",
            reason="one bad print must not price or close anything; a real move is confirmed by its first trade."),
    Setting("limits", "max_price_distance_ticks", "limits.price_distance_ticks_max", whole(1, 1_000_000, "ticks"),
            meaning="How far an order's price may stand from its own side of the market.",
            reason="a number of ticks fits one product only: set it under [instruments.SYMBOL].",
            example="400"),
    Setting("limits", "max_price_distance_percent", "limits.price_distance_percent_max", WIDE_PERCENT,
            meaning="The same in percent of the price; the smaller of both limits.",
            reason="180 points of the S&P 500 at 6,000: farther than an order of the day, nearer than a typing error."),
    Setting("limits", "duplicate_window_ms", "limits.duplicate_window_ms", whole(1, 600_000, "milliseconds"),
            meaning="How long an equal order with another id is denied as a duplicate.",
            reason="the documented system has none.",
            example="1000"),
    Setting("limits", "max_orders_per_minute", "limits.orders_per_minute_max", RATE,
            meaning="Most new-risk orders and changes of an account in a minute; what closes is never counted.",
            reason="the documented system has none.",
            example="30"),
    Setting("limits", "max_instrument_orders_per_minute", "limits.instrument_orders_per_minute_max", RATE,
            meaning="The same, of one contract of an account.",
            reason="the documented system has none.",
            example="20"),
    Setting("limits", "max_repeats_per_minute", "limits.repeats_per_minute_max", whole(1, KEPT_MAX, "failures"),
            meaning="Failures in a minute to place stops and targets, beyond which new risk waits for a flatten.",
            reason="one refused stop is tried three times; more than that is a loop."),
    Setting("limits", "max_order_age_ms", "limits.age_ms_max", whole(1, 600_000, "milliseconds"),
            meaning="How long an order may have waited for its decision.",
            reason="the market it was meant for is gone."),
    Setting("limits", "max_clock_ahead_ms", "limits.clock_ahead_ms_max", whole(0, 600_000, "milliseconds"),
            meaning="How far in the future an order's own time may lie.",
            reason="more than a network or a slow clock explains."),
    Setting("limits", "allow_opposite_positions", "limits.opposite_positions", SWITCH,
            meaning="Whether an account may be long of something while another of the same login is short of it.",
            reason="as documented; TopstepX forbids it, so turn it off there."),
    Setting("limits", "blackouts", "limits.blackouts", BLACKOUTS,
            meaning="Windows in Chicago time without new risk, such as those of news.",
            reason="which news matter is the trader's to say.",
            example='["07:25-07:45", "2026-12-09 12:55-13:30"]'),
    Setting("limits", "must_be_flat", "limits.must_be_flat", TIME,
            meaning="Chicago time from which on orders that would open are denied and cancelled until the next open, "
                    "or 15 minutes before a close that is earlier than 16:00. Only with the exchange's hours.",
            reason="Topstep begins to flatten at 15:08."),
    Setting("limits", "on_must_be_flat", "limits.on_must_be_flat", one_of(OnMustBeFlat),
            meaning="What happens to open positions at that time.",
            reason="closing what somebody holds is for him to ask for."),
    Setting("limits", "trading_hours", "trading_hours", one_of(Hours),
            meaning="When new risk is taken on a real account: in each product's own hours, or always, and what comes "
                    "outside them is left to the broker to reject.",
            reason="an order outside the hours is a mistake; the calendar that is built in ends one day."),
    Setting("broker", "projectx_api_url", "broker.api_url", URL, documented=True,
            meaning="Root of the broker's REST API, with or without /api.",
            reason="a real account is named by a person, never by a default.",
            example='"https://api.topstepx.com"'),
    Setting("broker", "projectx_user_hub_url", "broker.user_hub_url", URL, documented=True,
            meaning="The broker's hub for orders, fills and positions.",
            reason="as above.",
            example='"https://rtc.topstepx.com/hubs/user"'),
    Setting("broker", "projectx_market_hub_url", "broker.market_hub_url", URL, documented=True,
            meaning="The broker's hub for quotes.",
            reason="as above.",
            example='"https://rtc.topstepx.com/hubs/market"'),
    Setting("broker", "projectx_username", "broker.user_name", WORD, documented=True,
            meaning="The login at the broker.",
            reason="as above.",
            example='"trader"'),
    Setting("broker", "projectx_api_key", "broker.api_key", SECRET, documented=True,
            meaning="The login's API key. Better in the environment: the file is easily copied.",
            reason="as above.",
            example='"from the broker\'s page"'),
    Setting("connections", "broker_timeout_ms", "broker_timeout_ms", whole(1_000, 120_000, "milliseconds"),
            meaning="How long the broker may take to answer; an order without an answer by then is in doubt.",
            reason="that of the official sample."),
    Setting("connections", "connection_manager_url", "connection_manager_url", URL, documented=True,
            meaning="Where the other roles find the connection manager, and ask it to prove that it is theirs.",
            reason="as documented."),
    Setting("connections", "connection_manager_timeout_ms", "connection_manager_timeout_ms",
            whole(100, 60_000, "milliseconds"),
            meaning="How long the connection manager may take to prove itself; after that its link counts as down.",
            reason="long enough for a machine that stutters, short enough to stop new risk in time."),
    Setting("connections", "manual_trading_server_url", "manual_trading_server_url", URL, documented=True,
            meaning="Where the aggregator role asks for the health of the page's server, which its own health shows.",
            reason="as documented."),
    Setting("connections", "redis_url", "redis.url", REDIS, documented=True,
            meaning="Redis, with user, password, database and TLS (rediss) where they are needed. The roles speak over "
                    "it; a desk in one process speaks the documented channels there, if this or the next is set.",
            reason="the next three say the same.",
            example='"rediss://desk:from-a-safe-place@redis.example:6380/0"'),
    Setting("connections", "redis_host", "redis.host", WORD, documented=True,
            meaning="Host of Redis.",
            reason="localhost, as documented, where Redis is needed.",
            example='"localhost"'),
    Setting("connections", "redis_port", "redis.port", whole(1, 65_535), documented=True,
            meaning="Port of Redis.",
            reason="6379, as documented, where Redis is needed.",
            example="6379"),
    Setting("connections", "redis_db", "redis.db", whole(0, 1_000_000), documented=True,
            meaning="Database of Redis: keys and streams of two desks differ by it. Channels have no database.",
            reason="0, as documented, where Redis is needed.",
            example="0"),
    Setting("connections", "redis_timeout_ms", "redis_timeout_ms", whole(100, 60_000, "milliseconds"),
            meaning="How long Redis may take to answer before the connection counts as lost and is made anew.",
            reason="a paused server is noticed before orders have become too old."),
    Setting("alarms", "alarm_webhook_url", "webhook.url", SECRET_URL,
            meaning="Address to which alarms are sent by POST, so that a phone can be reached; it is kept as a secret.",
            reason="nothing leaves this machine that nobody asked for.",
            example='"https://alerts.example/hook/from-a-safe-place"'),
    Setting("alarms", "alarm_webhook_secret", "webhook.secret", SECRET,
            meaning="What the receiver knows the sender by: the key that signs each alarm. Needed with the address.",
            reason="a key that everybody has proves nothing.",
            example='"from-a-safe-place"'),
    Setting("alarms", "alarm_webhook_level", "webhook.level", one_of(Level),
            meaning="The least urgent alarms that are sent.",
            reason="a phone that rings for everything is switched off."),
    Setting("alarms", "alarm_webhook_timeout_ms", "webhook.timeout_ms", whole(100, 60_000, "milliseconds"),
            meaning="How long the receiver may take to answer before the alarm is sent again.",
            reason="chat services answer within a second; nothing waits for it."),
    Setting("exchange", "seed", "exchange.seed", whole(0, 2**63 - 1), flag=True,
            meaning="Decides the simulated prices and the API key: the same seed, the same market.",
            reason="a demonstration looks the same on every machine."),
    Setting("exchange", "hours", "exchange.hours", one_of(Hours), flag=True,
            meaning="When the simulated market is open: always, or as the real one, with its holidays.",
            reason="it can be tried on a Sunday."),
    Setting("exchange", "topstep", "exchange.topstep", SWITCH, flag=True,
            meaning="Whether the simulated account is Topstep's: maximum and daily loss limit, largest position, "
                    "and flat at 15:10 in Chicago. An account that breaks a limit is closed and locked.",
            reason="an exchange knows no firm; what the gate is for can be seen without it."),
    Setting("exchange", "replay", "replay", PATH, flag=True,
            meaning="File of recorded quotes and trades that drive ES and MES; time begins at its first record.",
            reason="prices are simulated.",
            example='"es-open.csv.gz"'),
    Setting("exchange", "speed", "speed", whole(1, 100, "times real time"), flag=True,
            meaning="How fast a replay is played at most; a busy machine plays more slowly.",
            reason="as it was."),
    Setting("exchange", "latency_ms", "exchange.latency_ms", whole(0, 60_000, "milliseconds"), flag=True,
            meaning="How long the simulated exchange waits before it acts on a request.",
            reason="between the 8 and 28 ms seen on the live service."),
    Setting("logging", "enable_logging", "enable_logging", SWITCH, documented=True,
            meaning="Whether anything but errors is logged.",
            reason="as documented."),
    Setting("logging", "log_level", "log_level", one_of(LogLevel), documented=True,
            meaning="The least important events that are logged.",
            reason="as documented."),
)
# fmt: on
