"""Trouble that repeats: what is written of it, when, and that nothing is left out of the count."""

from __future__ import annotations

import io
import json
import logging
import subprocess
import sys
from collections.abc import Iterator
from typing import Any

import pytest
import structlog
from hypothesis import given
from hypothesis import strategies as st

from ordergate.repeats import WHOLE, WINDOW_NS, Repeats
from ordergate.telemetry import configure, logger

SECOND_NS = 1_000_000_000


class Moved:
    """A clock that a test moves."""

    def __init__(self) -> None:
        self.at_ns = 1_795_352_400 * SECOND_NS

    def now_ns(self) -> int:
        return self.at_ns


class Log:
    """A log in JSON whose time a test moves."""

    def __init__(self) -> None:
        self.clock = Moved()
        self.stream = io.StringIO()
        configure("debug", json_lines=True, stream=self.stream, clock=self.clock)

    def wait(self, s: int) -> None:
        self.clock.at_ns += s * SECOND_NS

    @property
    def lines(self) -> list[Any]:
        return [json.loads(line) for line in self.stream.getvalue().splitlines()]


@pytest.fixture
def log() -> Iterator[Log]:
    handlers = logging.root.handlers[:]
    logging.root.handlers.clear()
    yield Log()
    logging.root.handlers[:] = handlers
    structlog.reset_defaults()


def test_a_dependency_that_is_down_for_an_hour_writes_four_lines_a_minute_and_each_time_is_counted(log: Log) -> None:
    for second in range(3_600):
        logger("redis").warning("Redis failed", reason=f"refused for {second} s")
        log.wait(1)
    logger("redis").info("connected")
    told = [line for line in log.lines if line["event"] == "Redis failed"]
    assert len(told) == 60 * (WHOLE + 1)
    assert sum(line.get("repeated", 1) for line in told) == 3_600


def test_the_first_are_written_as_they_come_and_the_last_once_the_window_is_over(log: Log) -> None:
    for number in range(WHOLE + 5):
        logger("redis").error("lost", number=number)
    assert [line["number"] for line in log.lines] == list(range(WHOLE))
    said_at = log.lines[-1]["timestamp"]
    log.wait(60)
    logger("gate").info("fill")
    last, fill = log.lines[WHOLE:]
    assert (last["number"], last["repeated"], last["timestamp"]) == (WHOLE + 4, 5, said_at)
    assert fill["event"] == "fill"


def test_after_the_window_the_first_are_written_again(log: Log) -> None:
    for _ in range(WHOLE + 1):
        logger("redis").error("lost")
    log.wait(60)
    logger("redis").error("lost")
    assert [line.get("repeated") for line in log.lines] == [None] * WHOLE + [1, None]


def test_trouble_that_did_not_repeat_has_nothing_more_to_say(log: Log) -> None:
    logger("redis").error("lost")
    log.wait(60)
    logger("gate").info("fill")
    assert [line["event"] for line in log.lines] == ["lost", "fill"]


@pytest.mark.parametrize(
    "other",
    [
        {"part": "streams"},
        {"level": "error"},
        {"event": "Redis is full"},
        {"code": "ORDER_REJECTED"},
    ],
)
def test_another_part_level_text_or_code_is_another_trouble(log: Log, other: dict[str, str]) -> None:
    said = {"part": "redis", "level": "warning", "event": "Redis failed", "code": "ORDER_IN_DOUBT"}
    for line in [said] * (WHOLE + 1) + [said | other] * (WHOLE + 1):
        getattr(logger(line["part"]), line["level"])(line["event"], code=line["code"])
    assert len(log.lines) == 2 * WHOLE


@pytest.mark.parametrize("level", ["critical", "info", "debug"])
def test_what_is_critical_and_what_is_no_trouble_is_never_held_back(log: Log, level: str) -> None:
    for _ in range(20):
        getattr(logger("alarms"), level)("alarm", code="UNPROTECTED")
    assert len(log.lines) == 20


def test_a_clock_that_is_set_back_holds_nothing_back_for_longer(log: Log) -> None:
    for _ in range(WHOLE + 1):
        logger("redis").error("lost")
    log.wait(-3_600)
    logger("redis").error("lost")
    assert [line.get("repeated") for line in log.lines] == [None] * WHOLE + [1, None]


@given(st.lists(st.tuples(st.sampled_from("abc"), st.integers(0, 6)), max_size=80))
def test_every_line_that_was_said_is_written_or_counted_and_none_twice(said: list[tuple[str, int]]) -> None:
    repeats, now_ns, written = Repeats(), 0, []
    for name, waited_s in said:
        now_ns += waited_s * SECOND_NS
        written += repeats.let({"level": "warning", "part": name, "event": "lost"}, now_ns)
    written += repeats.rest()
    for each in "abc":
        counted = [line.get("repeated", 1) for line in written if line["part"] == each]
        assert sum(counted) == sum(name == each for name, _ in said)
    assert repeats.rest() == []


def test_the_rest_is_told_once() -> None:
    repeats = Repeats()
    for _ in range(WHOLE + 1):
        repeats.let({"level": "error", "part": "redis", "event": "lost"}, 0)
    assert [line["repeated"] for line in repeats.rest()] == [1]
    assert repeats.rest() == []


def test_what_is_held_back_does_not_grow_with_time() -> None:
    repeats = Repeats()
    for minute in range(1_000):
        repeats.let({"level": "warning", "part": "redis", "event": f"lost {minute}"}, minute * WINDOW_NS)
    assert len(repeats._windows) == 1  # noqa: SLF001 - its memory is what is asked for


def test_what_is_held_back_when_the_process_ends_is_written_then() -> None:
    program = (
        "import sys; from ordergate import clock, telemetry\n"
        "telemetry.configure('info', json_lines=True, stream=sys.stderr, clock=clock.SystemClock())\n"
        "for number in range(9): telemetry.logger('redis').warning('lost', number=number)\n"
    )
    ended = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, timeout=20, check=True)
    lines = [json.loads(line) for line in ended.stderr.splitlines()]
    assert [(line["number"], line.get("repeated")) for line in lines] == [(0, None), (1, None), (2, None), (8, 6)]
