"""What a process is started with. What each value means is in ``setting_table``, how it is read in ``config``."""

from __future__ import annotations

import enum
from pathlib import Path

import msgspec

from ordergate.bus.address import RedisAddress
from ordergate.bus.brackets import Preset
from ordergate.core.limits import Limits
from ordergate.core.modes import Modes
from ordergate.core.order import BracketMode
from ordergate.engine.webhook_settings import WebhookSettings
from ordergate.exchange.settings import ExchangeSettings, Hours


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
    keyring: bool = False

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
    """Everything a process is started with; ``setting_table`` says what each value means."""

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
    replay_symbol: str = "ES"
    market_from_ns: int | None = None
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
