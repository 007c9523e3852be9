"""The machine: its clock, its disk, what lies in the state directory, and whether it goes to sleep."""

from __future__ import annotations

from ordergate.console.facts import ClockFacts, Facts, JournalFacts, RedisFacts
from ordergate.console.finding import Finding, ok, unknown, unsafe, warn
from ordergate.state_dir import Holder

# As far apart as a gate and its connection manager may be (broker/challenge).
_APART_MS_MAX = 1_000
# A full disk makes the desk exit-only. An order with its bracket takes some 10 KB of the journal: this is a long day's.
_FREE_LOW = 1_000_000_000
_FREE_MIN = 100_000_000
_OTHERS = 0o077
_OTHERS_WRITE = 0o022
_SET_CLOCK = "let the machine take its time from the network (timedatectl set-ntp true; w32tm /resync)"


def broker_clock(facts: Facts) -> Finding:
    clock = facts.clock
    if clock is None:
        return unknown("no broker is set, so its clock is not known")
    if not isinstance(clock, ClockFacts):
        return unknown(f"the broker's clock is not known: {clock}")
    # Nothing between the two is known, so the nearest to zero is what is sure.
    apart_ms = max(clock.low_ms, -clock.high_ms, 0)
    if apart_ms <= _APART_MS_MAX:
        return ok(f"within {apart_ms:.0f} ms of ours, as far as whole seconds tell")
    ours = "behind" if clock.low_ms > 0 else "ahead of"
    return warn(f"ours is at least {apart_ms:.0f} ms {ours} the broker's: orders look too old or too new", _SET_CLOCK)


def redis_clock(facts: Facts) -> Finding:
    redis = facts.redis
    if not isinstance(redis, RedisFacts):
        return unknown("Redis does not answer") if facts.redis_is_used else ok("not used")
    if abs(redis.ahead_ms) <= _APART_MS_MAX + redis.round_trip_ms / 2:
        return ok(f"{round(redis.ahead_ms)} ms ahead of ours, give or take {redis.round_trip_ms / 2:.0f}")
    return warn(
        f"{round(redis.ahead_ms)} ms ahead of ours: orders of clients on its machine look too old or too new",
        _SET_CLOCK,
    )


def state_directory(facts: Facts) -> Finding:
    state = facts.state
    if not state.exists:
        return ok(f"{state.path} is not there yet: the first start makes it")
    key = state.path / "approval.key"
    if state.key_mode is not None and state.key_mode & _OTHERS:
        return unsafe(
            f"{key} can be read by other users (mode {state.key_mode:o}): who has it can approve orders",
            f"chmod 600 {key}; if somebody may have read it, delete it while nothing runs: a start makes another",
        )
    if state.mode is not None and state.mode & _OTHERS_WRITE:
        return unsafe(f"other users can write in {state.path} (mode {state.mode:o})", f"chmod 700 {state.path}")
    if not state.writable:
        return warn(f"{state.path} cannot be written by this user", "run this, and the desk, as its owner")
    return _held(facts)


def _held(facts: Facts) -> Finding:
    """Whether the gate that holds the directory is the one that answers."""
    path, holder = facts.state.path, facts.state.held.get(Holder.AGGREGATOR)
    answers = facts.gate_modes is not None
    if holder is not None and not answers:
        return warn(
            f"process {holder} holds {path} as the gate, and does not answer at {facts.at.gate}",
            "name its port with --aggregator-port or its --ready-file; if it hangs, stop it and start anew",
        )
    if answers and holder is None:
        return warn(
            f"the gate at {facts.at.gate} does not hold {path}",
            "name the state directory of that gate with --state-dir",
        )
    return ok(f"{path}, {'held by no gate' if holder is None else f'held by the gate, process {holder}'}")


def journal(facts: Facts) -> Finding:
    found = facts.journal
    if found is None:
        return ok("none yet: the first start makes it")
    if isinstance(found, str):
        return unsafe(
            f"it cannot be trusted: {found}",
            "restore the state directory from a backup, or move it away to start empty; ordergate flatten --direct if "
            "something is held",
        )
    if not found.writable:
        return unsafe(
            f"{found.path} cannot be written: the desk would be exit-only", "give this user the right to write it"
        )
    return _read(found)


def _read(found: JournalFacts) -> Finding:
    if not found.is_whole:
        return unknown(f"{found.rows:,} rows are as they were written; for the rest there was no time")
    return ok(f"{found.rows:,} rows, each as it was written")


def disk(facts: Facts) -> Finding:
    free = facts.state.free_bytes
    text = f"{free / 1e9:.1f} GB free at {facts.state.path}"
    if free < _FREE_MIN:
        return unsafe(f"{text}: the journal cannot grow, and without it only exits go on", "make room there")
    return warn(text, "make room there before the next session") if free < _FREE_LOW else ok(text)


def sleep(facts: Facts) -> Finding:
    """A machine that sleeps manages no stop."""
    found = facts.sleep
    if found.sleeps is None:
        return unknown(f"not readable: {found.text}", "see to it that this machine stays awake while a desk runs")
    if found.sleeps:
        return warn(
            f"this machine goes to sleep by itself: {found.text}",
            "turn that off, or start the desk with systemd-inhibit (Linux) or caffeinate (macOS) before it",
        )
    return ok(found.text)
