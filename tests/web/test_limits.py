"""Limits and the lockout over HTTP, against the real ``decide`` behind a bus."""

from __future__ import annotations

import msgspec

from ordergate.limit_settings import BY_FIELD, waiting_text
from ordergate.web.limits import LimitsBody
from tests.web.desk import Desk
from tests.web.history import A, B
from tests.web.test_asking import at_a_desk

DEFAULTS = {
    "maxOrderSize": 10,
    "minOrderSize": 1,
    "maxPositionSize": 10,
    "maxOpenOrders": 50,
    "maxDailyLoss": 1000,
    "onDailyLoss": "flatten",
    "maxRiskPercent": 2,
    "accountSize": None,
    "defaultRiskReward": 2,
    "quoteAgeMs": 5000,
}


@at_a_desk
async def test_the_limits_in_force_are_told_by_the_names_of_their_settings(at: Desk) -> None:
    answer = await at.get("/api/limits")
    assert {name: answer["inForce"][name] for name in DEFAULTS} == DEFAULTS
    assert (answer["waiting"], answer["waitingFrom"]) == ({}, None)


@at_a_desk
async def test_a_number_beyond_all_reason_is_refused_by_the_name_of_its_limit(at: Desk) -> None:
    for number in (b"1e999999999999", b"-1e999999999999", b"1e-999999999999", b"0e-999999999999", b"1e2000000"):
        status, answer = await at.call("POST", "/api/limits", b'{"maxDailyLoss":%s}' % number)
        assert (status, answer["code"], answer["field"]) == (400, "BAD_MAX_DAILY_LOSS", "maxDailyLoss")


@at_a_desk
async def test_a_change_says_what_holds_now_and_what_from_when(at: Desk) -> None:
    await at.order(orderId="o1")
    answer = await at.post("/api/limits", maxOrderSize=2, maxPositionSize=20)
    said = {"maxOrderSize": 2, "maxPositionSize": 10}
    day = {"waiting": {"maxPositionSize": 20}, "waitingFrom": "2026-11-24"}
    assert answer == (200, {"success": True, "inForce": said, **day})
    read = await at.get("/api/limits")
    assert {name: read["inForce"][name] for name in said} == said
    assert {key: read[key] for key in day} == day
    status, denied = await at.order(quantity=3)
    assert (status, denied["code"]) == (422, "MAX_ORDER_SIZE")


@at_a_desk
async def test_the_page_is_told_of_a_limit_that_waits_and_of_one_that_holds(at: Desk) -> None:
    await at.order(orderId="o1")
    await at.post("/api/limits", maxPositionSize=20, maxOpenOrders=3)
    assert (await at.get("/api/snapshot"))["desk"]["limits"]["maxOpenOrders"] == 3
    assert waiting_text(at.gate.history.group) == (
        "looser limits wait for the trading day 2026-11-24: max_position_size 10, then 20"
    )


@at_a_desk
async def test_of_a_list_only_what_is_allowed_in_both_holds(at: Desk) -> None:
    await at.order(orderId="o1")
    _, answer = await at.post("/api/limits", allowedInstruments=["MES", "ES"])
    assert answer["inForce"] == {"allowedInstruments": ["MES"]}
    assert answer["waiting"] == {"allowedInstruments": ["MES", "ES"]}


@at_a_desk
async def test_a_value_outside_its_settings_bounds_is_refused(at: Desk) -> None:
    for name, value in (
        ("maxOrderSize", 0),
        ("maxDailyLoss", -1),
        ("maxRiskPercent", 101),
        ("allowedInstruments", ["XX"]),
        ("onDailyLoss", "laugh"),
        ("quoteAgeMs", None),
        ("maxOpenOrders", True),
        ("maxOpenOrders", "3"),
    ):
        status, answer = await at.post("/api/limits", **{name: value})
        assert (status, answer["field"]) == (400, name), name
    status, answer = await at.post("/api/limits")
    assert (status, answer["code"]) == (400, "NOTHING_TO_CHANGE")
    status, answer = await at.post("/api/limits", minOrderSize=11)
    assert (status, answer["code"]) == (400, "LIMITS_CONTRADICT")
    status, answer = await at.post("/api/limits", blackouts=["2027-03-14 02:10-02:50"])  # the clocks skip that hour
    assert (status, answer["code"]) == (400, "LIMIT_INERT")
    assert "BLACKOUT refuses nothing" in answer["error"]
    assert at.gate.history.group.limits_version == 1


@at_a_desk
async def test_an_account_size_is_taken_off_again_with_null(at: Desk) -> None:
    _, answer = await at.post("/api/limits", accountSize=50000)
    assert answer["inForce"] == {"accountSize": 50000}
    _, answer = await at.post("/api/limits", accountSize=None)
    assert answer["inForce"] == {"accountSize": None}


def test_every_setting_of_a_limit_can_be_changed_here() -> None:
    names = {field.encode_name for field in msgspec.structs.fields(LimitsBody)}
    assert len(names) == len(BY_FIELD)
    assert names >= set(DEFAULTS)


@at_a_desk
async def test_a_lockout_until_the_next_day_denies_new_risk_and_says_so_everywhere(at: Desk) -> None:
    answer = await at.post("/api/lockout", accountId=A, until="next-day", reason="enough")
    assert answer == (200, {"success": True, "lockedUntil": "2026-11-23T23:00:00.000Z"})
    status, denied = await at.order()
    assert (status, denied["code"]) == (422, "LOCKED_OUT")
    (row,) = await at.get("/api/accounts")
    assert (row["tradingState"], row["lockedUntil"]) == ("locked", "2026-11-23T23:00:00.000Z")
    assert row["reason"] == "locked out by the trader until 2026-11-23 17:00:00 CT: enough"
    assert (await at.get("/api/trading-status"))["canTrade"] is False


@at_a_desk
async def test_a_lockout_of_all_accounts_until_an_instant(at: Desk) -> None:
    await at.gate.put(at.gate.history.broker.account(B))
    answer = await at.post("/api/lockout", accountId="all", until="2026-11-30T09:30:00-06:00")
    assert answer == (200, {"success": True, "lockedUntil": "2026-11-30T15:30:00.000Z"})
    assert [row["tradingState"] for row in await at.get("/api/accounts")] == ["locked", "locked"]


@at_a_desk
async def test_a_lockout_is_never_shortened(at: Desk) -> None:
    await at.post("/api/lockout", accountId=A, until="2026-11-30T09:30:00Z")
    for until in ("next-day", "2026-11-30T09:29:59Z"):
        status, answer = await at.post("/api/lockout", accountId=A, until=until)
        assert (status, answer["code"], answer["field"]) == (409, "LOCKED_OUT", "until")


@at_a_desk
async def test_an_end_that_is_no_instant_is_refused(at: Desk) -> None:
    for until in ("", "tomorrow", "2026-11-30", "2026-11-30T09:30:00", "2020-01-01T00:00:00Z", "2126-01-01T00:00:00Z"):
        status, answer = await at.post("/api/lockout", accountId=A, until=until)
        assert (status, answer["code"], answer["field"]) == (400, "BAD_UNTIL", "until"), until
    status, answer = await at.post("/api/lockout", accountId=7, until="next-day")
    assert (status, answer["code"]) == (404, "UNKNOWN_ACCOUNT")
