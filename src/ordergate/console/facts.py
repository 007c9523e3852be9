"""What ``doctor`` has found out, before anything is made of it. What could not be found out is a text that says why."""

from __future__ import annotations

from collections.abc import Mapping
from decimal import Decimal
from pathlib import Path

import msgspec

from ordergate.broker.challenge import Proof
from ordergate.console.places import Answer, Places
from ordergate.console.shown import Shown
from ordergate.core.limits import Limits
from ordergate.settings import Settings
from ordergate.state_dir import Holder


class RedisClient(msgspec.Struct, frozen=True):
    """A connection in Redis's own list. ``library`` is empty before Redis 7.2."""

    name: str
    address: str
    library: str
    channels: int
    patterns: int


class RedisFacts(msgspec.Struct, frozen=True):
    """``open_to_all``: it answers who names no user. ``config`` and ``clients``: a text where our user may not ask.

    ``round_trip_ms`` is the slowest of a few; ``ahead_ms`` how far its clock is ahead of ours (signed), known to within
    half of that.
    """

    address: str
    open_to_all: bool
    config: Mapping[str, str] | str
    clients: tuple[RedisClient, ...] | str
    listeners: int
    patterns: int
    round_trip_ms: float
    ahead_ms: float


class Contract(msgspec.Struct, frozen=True):
    """The broker's record of an active contract."""

    symbol: str
    contract_id: str
    tick_size: Decimal
    tick_value: Decimal


class BrokerFacts(msgspec.Struct, frozen=True):
    """``by``: how it was asked. ``balances`` are those of the accounts, by id; ``barred`` what they may not do."""

    by: str
    contracts: tuple[Contract, ...]
    balances: Mapping[int, Decimal]
    barred: tuple[str, ...] = ()


class ClockFacts(msgspec.Struct, frozen=True):
    """How far a clock is ahead of ours at least and at most (signed): it tells whole seconds only."""

    low_ms: float
    high_ms: float
    round_trip_ms: float


class JournalFacts(msgspec.Struct, frozen=True):
    """``rows`` were verified; ``is_whole``: to the last one, in the time there was."""

    path: Path
    rows: int
    is_whole: bool
    writable: bool


class StateFacts(msgspec.Struct, frozen=True):
    """``mode`` and ``key_mode`` are permission bits; None where there is no such thing, or no such bits.

    ``free_bytes`` is what the disk has left for this user.
    """

    path: Path
    exists: bool
    mode: int | None
    key_mode: int | None
    writable: bool
    free_bytes: int
    held: Mapping[Holder, str]


class Sleep(msgspec.Struct, frozen=True):
    """Whether this machine goes to sleep by itself, in the words of its own settings; None = that cannot be read."""

    sleeps: bool | None
    text: str


class Facts(msgspec.Struct, frozen=True):
    """All of it. ``limits``: a text where no gate would start with them. None = it is not used, or not named.

    ``wrong`` is what the named options of the Python API say of contracts and is not so, ``wrong_matters`` whether
    they are for a desk that is live.
    """

    settings: Settings
    limits: Limits | str
    at: Places
    page: Answer
    gate: Answer
    manager: Answer
    shown: Shown | str
    proof: Proof | str | None
    redis: RedisFacts | str
    redis_is_used: bool
    broker: BrokerFacts | str | None
    clock: ClockFacts | str | None
    journal: JournalFacts | str | None
    state: StateFacts
    sleep: Sleep
    wrong: tuple[str, ...] | str | None = None
    wrong_matters: bool = False

    @property
    def live(self) -> bool:
        """Whether orders can reach the broker: by the word of the gate that runs, else by the settings."""
        modes = self.gate_modes
        return not (self.settings.modes.shadow if modes is None else modes.get("shadow", False))

    @property
    def gate_modes(self) -> Mapping[str, bool] | None:
        """The switches of the gate that runs; None where none does."""
        body = self.gate.body
        modes = body.get("modes") if isinstance(body, dict) else None
        return modes if isinstance(modes, dict) else None
