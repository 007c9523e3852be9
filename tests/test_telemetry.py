"""Logs: their two forms, and what must never stand in them."""

from __future__ import annotations

import io
import json
import logging
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import quote

import msgspec
import pytest
import structlog

from ordergate import telemetry
from ordergate.telemetry import STEPS, conceal, configure, log_step, logger

SECRET = 'k3y"with\\every+thing/to=escape&ü'
NOW_NS = 1_795_352_400_123_999_999  # 2026-11-22T13:00:00.123Z


class StandingClock:
    def now_ns(self) -> int:
        return NOW_NS


class Signed(msgspec.Struct, frozen=True):
    signature: str
    order_tag: str


@pytest.fixture(autouse=True)
def _log_of_its_own() -> Iterator[None]:
    """Each test sets up the log anew, and leaves pytest's own handlers and no secret behind."""
    handlers, level = logging.root.handlers[:], logging.root.level
    logging.root.handlers.clear()
    yield
    logging.root.handlers[:] = handlers
    logging.root.setLevel(level)
    structlog.reset_defaults()
    telemetry._concealed.clear()  # noqa: SLF001 - outside tests a secret is never forgotten


def lines(stream: io.StringIO) -> list[dict[str, object]]:
    return [json.loads(line) for line in stream.getvalue().splitlines()]


def started(level: str = "debug", *, json_lines: bool = True) -> io.StringIO:
    stream = io.StringIO()
    configure(level, json_lines=json_lines, stream=stream, clock=StandingClock())
    return stream


def test_a_line_is_one_json_object_with_its_time_level_and_part() -> None:
    stream = started()
    logger("engine").warning("slow\nbatch", took_ms=12)
    assert lines(stream) == [
        {
            "timestamp": "2026-11-22T13:00:00.123+00:00",
            "level": "warning",
            "part": "engine",
            "event": "slow\nbatch",
            "took_ms": 12,
        }
    ]


def test_on_a_terminal_a_line_is_for_a_person() -> None:
    stream = started(json_lines=False)
    logger("engine").warning("slow batch", took_ms=12)
    (line,) = stream.getvalue().splitlines()
    assert line.split() == [
        "2026-11-22T13:00:00.123+00:00",
        "[warning",
        "]",
        "slow",
        "batch",
        "part=engine",
        "took_ms=12",
    ]


@pytest.mark.parametrize(("level", "count"), [("debug", 4), ("info", 3), ("warn", 2), ("error", 1)])
def test_only_what_is_important_enough_is_logged(level: str, count: int) -> None:
    stream = started(level)
    log = logger("engine")
    for say in (log.debug, log.info, log.warning, log.error):
        say("said")
    assert len(lines(stream)) == count


def test_a_logger_made_before_the_log_is_set_up_follows_it() -> None:
    log = logger("engine")
    stream = started()
    log.info("said")
    assert len(lines(stream)) == 1


@pytest.mark.parametrize("json_lines", [True, False])
@pytest.mark.parametrize(
    "key",
    [
        "token",
        "accessToken",
        "api_key",
        "apiKey",
        "approval_key_secret",
        "Authorization",
        "signature",
        "password",
        "Set-Cookie",
    ],
)
def test_a_value_named_like_a_secret_is_never_logged_at_any_depth(key: str, json_lines: bool) -> None:  # noqa: FBT001
    stream = started(json_lines=json_lines)
    log = logger("broker")
    log.info("flat", **{key: "hunter2"})
    log.info("deep", request={"headers": [{key: "hunter2"}], "tags": ({key: {"inner": "hunter2"}},)})
    assert stream.getvalue().count(telemetry.REDACTED) == 3
    assert "hunter2" not in stream.getvalue()


@pytest.mark.parametrize("json_lines", [True, False])
def test_a_field_of_a_struct_named_like_a_secret_is_never_logged(json_lines: bool) -> None:  # noqa: FBT001
    stream = started(json_lines=json_lines)
    logger("broker").info("sent", approval=Signed("hunter2", "og-1"), seen=[Signed("hunter2", "og-2")])
    assert "hunter2" not in stream.getvalue()
    assert "og-2" in stream.getvalue()


@pytest.mark.parametrize("json_lines", [True, False])
@pytest.mark.parametrize("secret", [SECRET, "eyJhbGciOiJIUzI1NiJ9.e30.c2ln"])
def test_a_concealed_text_is_never_logged_wherever_it_stands(secret: str, json_lines: bool) -> None:  # noqa: FBT001
    stream = started(json_lines=json_lines)
    conceal(secret)
    log = logger("broker")
    log.info("logged in with %s", secret)
    log.info("value", text=secret, inside={"list": [f"<{secret}>"]}, path=Path(secret), error=ValueError(secret))
    log.info("address", url=f"wss://host/hub?access_token={quote(secret, safe='')}")
    log.error("failed", exc_info=ValueError(secret))
    try:
        int(secret)
    except ValueError:
        log.exception("failed")
    logging.getLogger("aiohttp.server").error("bad request: %s", secret)
    text = stream.getvalue()
    assert "Traceback" in text
    for form in (secret, repr(secret)[1:-1], json.dumps(secret)[1:-1], quote(secret, safe="")):
        assert form not in text


def test_of_two_secrets_of_which_one_holds_the_other_nothing_is_left() -> None:
    stream = started()
    conceal("abcd")
    conceal("abcdefgh")
    logger("broker").info("said", text="abcdefgh")
    assert lines(stream)[0]["text"] == telemetry.REDACTED


def test_concealing_nothing_conceals_nothing() -> None:
    stream = started()
    conceal("")
    logger("broker").info("said")
    assert lines(stream)[0]["event"] == "said"


def test_the_local_variables_of_a_crash_are_never_logged() -> None:
    for json_lines in (True, False):
        stream = started(json_lines=json_lines)
        secret = "hunter2"  # in a variable, so that the traceback's source lines do not show it
        try:
            crash(secret)
        except ZeroDivisionError:
            logger("engine").exception("crashed")
        assert "ZeroDivisionError" in stream.getvalue()
        assert "hunter2" not in stream.getvalue()


def crash(_anything: str) -> None:
    _ = 1 // 0


def test_what_libraries_log_goes_the_same_way_from_warnings_on() -> None:
    stream = started()
    log = logging.getLogger("aiohttp.access")
    log.info("GET /")
    log.warning("slow %s", "peer")
    log.log(35, "between two levels")
    assert [(line["part"], line["level"], line["event"]) for line in lines(stream)] == [
        ("aiohttp.access", "warning", "slow peer"),
        ("aiohttp.access", "warning", "between two levels"),
    ]


def test_a_stream_that_is_gone_loses_the_line_and_nothing_else() -> None:
    stream = started()
    stream.close()
    logger("engine").error("said")


def test_a_value_that_json_does_not_know_is_logged_as_text() -> None:
    stream = started()
    logger("engine").info("said", path=Path("a/b"), by_pair={(1, 2): {3}})
    assert lines(stream)[0]["path"] == "a/b"
    assert lines(stream)[0]["by_pair"] == {"(1, 2)": "{3}"}


def test_a_step_of_an_order_is_a_debug_line() -> None:
    stream = started()
    log_step("recorded", "manual-1")
    (line,) = lines(stream)
    assert (line["level"], line["event"], line["order"]) == ("debug", "recorded", "manual-1")


def test_steps_follow_a_log_that_is_set_up_anew() -> None:
    before, shown = started(), started()
    log_step("recorded", "manual-1")
    hidden = started("info")
    log_step("recorded", "manual-2")
    assert [line["order"] for line in lines(shown)] == ["manual-1"]
    assert before.getvalue() == hidden.getvalue() == ""


def test_the_steps_are_in_the_order_of_the_path() -> None:
    assert (STEPS[0], STEPS[-1]) == ("asked", "answered")
    assert (
        STEPS.index("recorded") < STEPS.index("approved") < STEPS.index("approval recorded") < STEPS.index("order sent")
    )
    assert len(set(STEPS)) == len(STEPS)
