"""What ``ordergate status`` makes of what the parts answer."""

from __future__ import annotations

from typing import Any

import msgspec
import pytest

from ordergate.console.places import Answer, Places, Written, places
from ordergate.console.status import EXIT_CODES, State, Status, status
from ordergate.console.stopping import reasons, what_is_left
from ordergate.settings import Settings

NOBODY = Answer("http://127.0.0.1:1/health", failure="nothing listens there", refused=True)
HEALTHY = Answer("http://127.0.0.1:3003/health", 200, {"status": "healthy"})
DESK = {
    "mode": "LIVE", "venue": "projectx", "login": "trader", "version": "0.1.0", "linkUp": True, "linkReason": "",
    "trouble": "", "modes": {"enforcing": True, "unasked": ""}, "paused": None,
}  # fmt: skip
ACCOUNT = {
    "accountId": 1001, "name": "PRACTICE", "balance": 50000.25, "equity": None, "dayPnl": None, "dayPnlAtStops": None,
    "ifWeDie": None, "ifWeDieBounded": True, "dailyLossLimit": 1000, "tradingState": "active", "reason": "",
}  # fmt: skip
COVER = {"state": "protected", "uncovered": 0, "since": "", "cause": ""}
POSITION = {
    "accountId": 1001, "symbol": "MES", "side": "LONG", "quantity": 2, "averagePrice": 5000.25, "currentPrice": None,
    "stopLoss": None, "takeProfit": None, "protected": True, "protection": COVER, "netPnL": None,
}  # fmt: skip
ORDER = {
    "orderId": "a", "accountId": 1001, "instrument": "MES", "side": "BUY", "quantity": 1, "filledQuantity": 0,
    "orderType": "LIMIT", "limitPrice": 4990.5, "stopPrice": None, "status": "WORKING", "stopLoss": None,
    "takeProfit": None, "breaches": [], "source": "MANUAL_TRADING_V2", "reason": "", "passed": False,
}  # fmt: skip
ALARM = {
    "code": "LINK_DOWN", "level": "critical", "message": "gone", "accountId": None, "count": 1, "firstAt": None,
    "stands": True, "acknowledged": False,
}  # fmt: skip


def snapshot(**changes: Any) -> Answer:
    body = {
        "desk": DESK, "accounts": [ACCOUNT], "positions": [POSITION], "orders": [ORDER], "alarms": [], "instruments": []
    } | changes  # fmt: skip
    return Answer("http://127.0.0.1:3003/api/snapshot", 200, body, msgspec.json.encode(body))


def found(shown: Answer, page: Answer = HEALTHY, gate: Answer = HEALTHY, manager: Answer = HEALTHY) -> Status:
    return status(page, gate, manager, shown)[0]


def test_with_every_part_healthy_and_nothing_to_tell_it_is_healthy() -> None:
    told = found(snapshot())
    assert (told.status, told.trouble, EXIT_CODES[told.status]) == (State.HEALTHY, (), 0)


TROUBLES: list[tuple[dict[str, Any], str]] = [
    ({"desk": DESK | {"linkUp": False, "linkReason": "hub lost"}}, "the broker is not seen: hub lost"),
    ({"desk": DESK | {"trouble": "the journal takes no more"}}, "the journal takes no more"),
    ({"desk": DESK | {"modes": {"enforcing": False, "unasked": "interception off"}}}, "interception off"),
    (
        {"desk": DESK | {"paused": {"by": "at the page", "since": "t", "reason": "news"}}},
        "paused at the page since t",
    ),
    (
        {"accounts": [ACCOUNT | {"tradingState": "halted", "reason": "daily loss"}]},
        "account 1001 is halted: daily loss",
    ),
    (
        {"positions": [POSITION | {"protected": False, "protection": COVER | {"cause": "refused"}}]},
        "protected: refused",
    ),
    ({"positions": [POSITION | {"protected": False, "protection": None}]}, "not protected: not known yet"),
    ({"alarms": [ALARM]}, "alarm LINK_DOWN (critical): gone"),
]


@pytest.mark.parametrize(("change", "says"), TROUBLES)
def test_what_somebody_has_to_look_at_makes_it_degraded(change: dict[str, Any], says: str) -> None:
    told = found(snapshot(**change))
    assert (told.status, len(told.trouble), EXIT_CODES[told.status]) == (State.DEGRADED, 1, 1)
    assert says in told.trouble[0]


@pytest.mark.parametrize("change", [{"level": "info"}, {"stands": False}, {"acknowledged": True}])
def test_an_alarm_that_is_over_or_seen_or_small_does_not(change: dict[str, Any]) -> None:
    assert found(snapshot(alarms=[ALARM | change])).status is State.HEALTHY


def test_a_part_that_does_not_answer_is_said_to_be_unreachable_and_the_rest_is_told() -> None:
    told = found(snapshot(), manager=NOBODY)
    assert (told.status, told.trouble) == (
        State.DEGRADED,
        ("connection manager: does not answer (nothing listens there)",),
    )
    assert told.positions == [POSITION]


@pytest.mark.parametrize(
    ("answer", "why"),
    [
        (NOBODY, "the page does not answer (nothing listens there)"),
        (Answer("", 503, {"error": "not yet", "code": "STARTING"}), "the page answers STARTING: not yet"),
        (Answer("", 200, {}, b"{}"), "is no page of this version"),
        (Answer("", 200, None, b"<html>"), "is no page of this version"),
    ],
)
def test_where_it_is_not_known_what_the_accounts_hold_nothing_is_shown_as_empty(answer: Answer, why: str) -> None:
    told = found(answer)
    assert (told.status, EXIT_CODES[told.status]) == (State.UNREACHABLE, 2)
    assert why in told.trouble[-1]
    assert (told.accounts, told.positions, told.orders, told.alarms) == (None, None, None, None)


def test_a_stranger_at_a_port_is_no_part() -> None:
    bodies: tuple[Any, ...] = (None, [], {"title": "Grafana"})
    for body in bodies:
        (page, *_) = found(snapshot(), page=Answer("", 200, body)).parts
        assert (page.state, page.detail) == (State.UNREACHABLE, "what answers there is no part of ordergate")


def test_a_part_that_is_degraded_says_why_where_the_snapshot_does_not() -> None:
    told = found(
        snapshot(), manager=Answer("", 503, {"status": "degraded", "alerts": ["gate: silent"], "userHub": "ok"})
    )
    assert (told.status, told.trouble) == (State.DEGRADED, ("connection manager: gate: silent",))


def test_what_is_left_to_flatten_is_counted_by_account() -> None:
    known = status(HEALTHY, HEALTHY, HEALTHY, snapshot(alarms=[ALARM, ALARM | {"accountId": 7, "code": "OTHER"}]))[1]
    assert known is not None
    assert what_is_left(known, 1001) == "held: LONG 2 MES in 1001; 1 order(s) working: a"
    assert what_is_left(known, None) == what_is_left(known, 1001)
    assert what_is_left(known, 1002) == ""
    assert reasons(known, 1001) == ["LINK_DOWN: gone"]
    assert len(reasons(known, None)) == 2


def test_a_desk_is_where_the_ready_file_says_else_at_an_address_that_was_changed_else_at_its_port() -> None:
    plain = Settings(web_port=3103)
    assert places(plain, Written()) == Places("http://127.0.0.1:3103", "http://127.0.0.1:7600", "http://127.0.0.1:7500")
    moved = Settings(connection_manager_url="http://10.0.0.2:7500", manual_trading_server_url="http://desk:3003")
    assert places(moved, Written()) == Places("http://desk:3003", "http://127.0.0.1:7600", "http://10.0.0.2:7500")
    assert places(moved, Written(web="http://127.0.0.1:1")).page == "http://127.0.0.1:1"
