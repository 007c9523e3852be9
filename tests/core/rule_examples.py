"""The examples of docs/rules.md: for each rule a few orders, played through the real core, with the sums done by hand.

``tools.rulebook`` writes the page's tables from what the gate answers here; ``test_rule_examples`` does the sums again
and holds them against what the gate has measured. A sum stands in backticks: "`4 + 6 = 10`, at the limit".
"""

from __future__ import annotations

from datetime import time

from ordergate.core.commands import Leg
from ordergate.core.limits import Blackout, InstrumentLimits
from ordergate.core.order import Exit
from tests.core.desk import ASK, BID, ES, MNQ, OLD_MES
from tests.core.examples import Example, buy, other, sell
from tests.core.rule_desks import (
    after,
    another_account,
    asked,
    at,
    blind,
    changed,
    closing,
    day_lost,
    firms_own_floor,
    jumped,
    locked_out,
    long,
    next_day,
    no_cancel,
    not_tradable,
    old_month,
    paused,
    plain,
    quoted,
    short,
    targets_refused,
    traded,
    two_es,
    unexplained,
    unquoted,
    usd,
    with_balance,
    with_es,
    working,
    wrong_clock,
)

POINT = 4  # ticks of MES, MNQ and ES
TEN, ELEVEN = Exit(10 * POINT), Exit(11 * POINT)
LOW = BID - 39  # 4,990.00
ONLY_CLOSES = "it only closes"
ROOM = {"maximum_loss_usd": usd("2000"), "maximum_loss_floor_usd": usd("49900")}
NEWS = {"blackouts": (Blackout(time(7, 25), time(7, 45)),)}
LIMITED_MES = {"instruments": (InstrumentLimits("MES", order_quantity_max=2),)}

# By the name of the rule.
EXAMPLES: dict[str, Example] = {
    "trading_state": Example(
        long(2),
        (
            buy(1),
            buy(1, when="you have locked yourself out", first=locked_out),
            sell(2, ONLY_CLOSES, when="you have locked yourself out", first=locked_out),
            buy(
                1,
                "lost, with what is open: `50,000.00 - 48,990.00 + 2 x 1 x 1.25 + 2 x 0.36 = 1,013.22`",
                when="the day's loss limit is reached",
                first=day_lost,
            ),
            buy(1, when="you have paused the desk", first=paused),
            sell(2, ONLY_CLOSES, when="you have paused the desk", first=paused),
            buy(1, when="the broker has stopped the account", first=not_tradable),
            buy(1, when="the broker lets the account cancel no order", first=no_cancel),
            sell(2, ONLY_CLOSES, when="the broker lets the account cancel no order", first=no_cancel),
            buy(1, when="this machine's clock is an hour off", first=wrong_clock),
            sell(2, ONLY_CLOSES, when="this machine's clock is an hour off", first=wrong_clock),
            buy(1, when="a close of MES is under way", first=closing),
            buy(1, "another product", when="a close of MES is under way", first=closing, instrument=MNQ),
        ),
    ),
    "visibility": Example(
        long(2),
        (
            buy(1, when="the connection is lost", first=blind),
            sell(2, ONLY_CLOSES, when="the connection is lost", first=blind),
            buy(1, when="the broker said something that makes no sense", first=unexplained),
        ),
    ),
    "superseded": Example(
        plain(),
        (buy(1), buy(1, when="you press flatten before it is decided", superseded=True)),
    ),
    "instrument_allowed": Example(
        plain(),
        (buy(1), buy(1, instrument=ES)),
        settings=("allowed_instruments",),
    ),
    "contract_active": Example(
        old_month,
        (buy(1), buy(1, instrument=OLD_MES), sell(2, ONLY_CLOSES, instrument=OLD_MES)),
    ),
    "order_size_min": Example(
        long(3, order_quantity_min=2),
        (buy(2, "at the limit"), buy(1), sell(1, ONLY_CLOSES)),
        settings=("min_order_size",),
        code="MIN_ORDER_SIZE",
        switch="min_order_size = 2",
    ),
    "order_size_max": Example(
        short(3, order_quantity_max=4),
        (
            sell(4, "at the limit"),
            sell(5),
            buy(7, "`7 - 3 = 4` beyond what it closes, at the limit"),
            buy(8, "`8 - 3 = 5`"),
        ),
        settings=("max_order_size",),
        code="MAX_ORDER_SIZE",
    ),
    "position_size": Example(
        after(long(4), working(3)),
        (
            buy(2, "`4 + 3 + 2 = 9`"),
            buy(3, "`4 + 3 + 3 = 10`, at the limit"),
            buy(4, "`4 + 3 + 4 = 11`"),
            sell(4, ONLY_CLOSES),
        ),
        settings=("max_position_size",),
        code="MAX_POSITION_SIZE",
    ),
    "account_position": Example(
        two_es(account_position_micros_max=25),
        (
            buy(4, "`2 x 10 + 4 = 24` micros"),
            buy(5, "`2 x 10 + 5 = 25`, at the limit"),
            buy(6, "`2 x 10 + 6 = 26`"),
            sell(6, "a short of another product adds too: `2 x 10 + 6 = 26`", instrument=MNQ),
        ),
        settings=("max_account_position",),
        code="MAX_ACCOUNT_POSITION",
        switch="max_account_position = 50",
    ),
    "open_order_count": Example(
        after(long(1), working(1, 1, 1)),
        (
            buy(1, "`3 + 1 = 4`; stop and target do not count", limit=LOW),
            buy(1, "`4 + 1 = 5`, at the limit", when="one more works", first=working(1), limit=LOW),
            buy(1, "`5 + 1 = 6`", when="two more work", first=working(1, 1), limit=LOW),
        ),
        settings=("max_open_orders",),
        code="MAX_OPEN_ORDERS",
    ),
    "order_value": Example(
        plain(order_value_usd_max=usd("200000")),
        (
            buy(8, "`8 x 5,000.00 x 5 = 200,000.00`, at the limit"),
            buy(9, "`9 x 5,000.00 x 5 = 225,000.00`"),
        ),
        settings=("max_order_value",),
        code="MAX_ORDER_VALUE",
        switch="max_order_value = 250000",
    ),
    "risk_per_trade": Example(
        with_balance("10000"),
        (
            buy(4, "limit `10,000 x 2 / 100 = 200.00`; loss `4 x 40 x 1.25 = 200.00`, at the limit", stop=TEN),
            buy(5, "`5 x 40 x 1.25 = 250.00`", stop=TEN),
            buy(5, "its default stop is drawn in to 32 ticks: `5 x 32 x 1.25 = 200.00`"),
            buy(1, "the stress move, 160 ticks: `1 x 160 x 1.25 = 200.00`", stop=Leg.OFF),
            buy(2, "`2 x 160 x 1.25 = 400.00`", stop=Leg.OFF),
            buy(2, "`2 x 40 x 1.25 = 100.00`, at the limit", stop=TEN, desk=plain(risk_usd_max=usd("100"))),
            buy(3, "`3 x 40 x 1.25 = 150.00`", stop=TEN, desk=plain(risk_usd_max=usd("100"))),
            buy(1, when="the balance is 0", desk=with_balance("0")),
        ),
        settings=("max_risk_percent", "max_risk", "account_size"),
        code="EXCESSIVE_RISK",
    ),
    "daily_loss": Example(
        traded(-100),
        (
            buy(9, "`4 x 100 x 1.25 + 4 x 2 x 0.36 + 9 x 40 x 1.25 + 9 x 2 x 0.36 = 959.36`"),
            buy(10, "`4 x 100 x 1.25 + 4 x 2 x 0.36 + 10 x 40 x 1.25 + 10 x 2 x 0.36 = 1,010.08`"),
            buy(10, "`502.88 + 10 x 36 x 1.25 + 7.20 = 960.08`", stop=Exit(36)),
            buy(1, "`40 x 1.25 + 2 x 0.36 = 50.72`, at the limit", desk=plain(daily_loss_usd_max=usd("50.72"))),
            buy(1, "`40 x 1.25 + 2 x 0.36 = 50.72`, a cent below", desk=plain(daily_loss_usd_max=usd("50.73"))),
        ),
        settings=("max_daily_loss", "on_daily_loss"),
        code="DAILY_LOSS_LIMIT",
    ),
    "daily_profit": Example(
        traded(60, daily_profit_usd_max=usd("300")),
        (
            buy(1, "4 MES made 60 ticks: `4 x 60 x 1.25 - 4 x 2 x 0.36 = 297.12`"),
            buy(
                1,
                "4 MES made 61 ticks: `4 x 61 x 1.25 - 4 x 2 x 0.36 = 302.12`",
                desk=traded(61, daily_profit_usd_max=usd("300")),
            ),
            buy(
                1,
                "`297.12`, at the limit",
                desk=traded(60, daily_profit_usd_max=usd("297.12")),
            ),
        ),
        settings=("max_daily_profit",),
        code="DAILY_PROFIT_LIMIT",
        switch="max_daily_profit = 1500",
    ),
    "maximum_loss": Example(
        plain(**ROOM),
        (
            buy(1, "`50,000 - 40 x 1.25 - 2 x 0.36 = 49,949.28` would be left"),
            buy(2, "`50,000 - 2 x 40 x 1.25 - 2 x 2 x 0.36 = 49,898.56`"),
            buy(
                1,
                "`50,000 - 40 x 1.25 - 2 x 0.36 = 49,949.28`, at the floor",
                desk=plain(**(ROOM | {"maximum_loss_floor_usd": usd("49949.28")})),
            ),
            buy(1, when="a real account, and no floor is set", desk=firms_own_floor),
        ),
        settings=("maximum_loss", "maximum_loss_trailing", "maximum_loss_lock", "maximum_loss_floor"),
        code="MAXIMUM_LOSS_LIMIT",
        switch="maximum_loss = 2000",
    ),
    "price_collar": Example(
        plain(),
        (
            buy(1, "`4,999.75 x 3 / 100 = 149.9925`; `(4,999.75 - 4,850.00) / 0.25 = 599`", limit=19_400),
            buy(1, "one tick farther: `(4,999.75 - 4,849.75) / 0.25 = 600`", limit=19_399),
            buy(1, "a digit is missing: `(4,999.75 - 500.00) / 0.25 = 17,999`", limit=2_000),
            buy(1, "the first price above the market", trigger=ASK + 1),
            buy(1, trigger=ASK - 4),
            buy(
                1,
                "`(4,999.75 - 4,979.75) / 0.25 = 80`, at the limit",
                limit=BID - 80,
                desk=plain(price_distance_ticks_max=80),
            ),
            buy(1, "`(4,999.75 - 4,979.50) / 0.25 = 81`", limit=BID - 81, desk=plain(price_distance_ticks_max=80)),
        ),
        settings=("max_price_distance_ticks", "max_price_distance_percent"),
        code="PRICE_COLLAR",
    ),
    "stop_distance": Example(
        plain(),
        (
            buy(1, "`1.00 / 0.25 = 4` ticks, at the limit", stop=Exit(4)),
            buy(1, "`0.75 / 0.25 = 3`", stop=Exit(3)),
            buy(1, "above the entry: `(5,000.00 - 5,010.00) / 0.25 = -40`", stop=Exit(40, ASK + 40)),
            buy(1, "`(4,980.00 - 4,979.50) / 0.25 = 2`", limit=ASK - 80, stop=Exit(2, ASK - 82)),
        ),
        settings=("default_risk_reward",),
        code="STOP_TOO_CLOSE",
    ),
    "target_distance": Example(
        plain(),
        (
            buy(1, "`(5,000.25 - 5,000.00) / 0.25 = 1`, at the limit", target=ASK + 1),
            buy(1, "at the entry", target=ASK),
            buy(1, "a digit is wrong: `(4,950.00 - 5,000.00) / 0.25 = -200`", target=ASK - 200),
            sell(1, "`(4,999.75 - 4,990.00) / 0.25 = 39`", target=BID - 39),
        ),
        code="TARGET_TOO_CLOSE",
    ),
    "reference_price": Example(
        long(2),
        (
            buy(1, "at the limit", when="the last quote is 5.000 s old", first=quoted(5_000)),
            buy(1, when="the last quote is 5.001 s old", first=quoted(5_001)),
            buy(1, limit=LOW, when="there is no quote", first=unquoted),
            sell(2, ONLY_CLOSES, when="there is no quote", first=unquoted),
            buy(
                1,
                "`5,000.00 x 1 / 100 = 50.00`, at the limit",
                when="the ask is 50.00 points above the last trade",
                first=jumped(200),
            ),
            buy(1, when="the ask is 50.25 points above the last trade", first=jumped(201)),
        ),
        settings=("quote_age_ms", "max_quote_jump_percent"),
        code="NO_REFERENCE_PRICE",
    ),
    "duplicate": Example(
        plain(duplicate_window_ms=1_000),
        (
            buy(1, when="the same order was approved 999 ms ago", first=asked(0, 999), limit=LOW),
            buy(1, when="the same order was approved 1,000 ms ago", first=asked(0, 1_000), limit=LOW),
            buy(2, "another quantity", when="1 was approved 1 ms ago", first=asked(0, 1), limit=LOW),
        ),
        settings=("duplicate_window_ms",),
        code="DUPLICATE_ORDER",
        switch="duplicate_window_ms = 1000",
    ),
    "order_rate": Example(
        plain(orders_per_minute_max=3),
        (
            buy(1, "`2 + 1 = 3`, at the limit", when="2 orders in the last minute", first=asked(0, 1, 2)),
            buy(1, "`3 + 1 = 4`", when="3 orders in the last minute", first=asked(0, 1, 2, 59_999)),
            buy(1, "the first counts no more", when="3 orders, the first 60 s ago", first=asked(0, 1, 2, 60_000)),
            buy(
                1,
                "`2 + 1 = 3`",
                when="2 orders in MES in the last minute",
                first=asked(0, 1, 2),
                desk=plain(instrument_orders_per_minute_max=2),
            ),
            buy(
                1,
                "another product",
                when="2 orders in MES in the last minute",
                first=asked(0, 1, 2),
                desk=plain(instrument_orders_per_minute_max=2),
                instrument=MNQ,
            ),
        ),
        settings=("max_orders_per_minute", "max_instrument_orders_per_minute"),
        code="ORDER_RATE",
        switch="max_orders_per_minute = 30",
    ),
    "repeated_action": Example(
        targets_refused(5),
        (
            buy(1, "at the limit", when="the target was refused 5 times"),
            buy(1, when="the target was refused 6 times", desk=targets_refused(6)),
            buy(
                1,
                when="it was refused 6 times, and you have pressed flatten",
                desk=targets_refused(6),
                first=lambda desk: desk.flatten(),
                instrument=MNQ,
            ),
        ),
        settings=("max_repeats_per_minute",),
        code="REPEATED_ACTION",
    ),
    "trading_hours": Example(
        at("2026-11-23 15:07:59"),
        (
            buy(1, when="Monday 15:07:59"),
            buy(1, when="Monday 15:08:00", desk=at("2026-11-23 15:08")),
            buy(1, when="Monday 16:30:00, between two sessions", desk=at("2026-11-23 16:30")),
            buy(1, when="Monday 17:00:00", desk=at("2026-11-23 17:00")),
            buy(1, when="Friday 2026-11-27 11:59:59; the session ends at 12:15", desk=at("2026-11-27 11:59:59")),
            buy(1, when="the same day, 12:00:00", desk=at("2026-11-27 12:00")),
            buy(1, when="Saturday", desk=at("2026-11-28 12:00")),
        ),
        settings=("trading_hours", "must_be_flat", "on_must_be_flat"),
        code="OUTSIDE_TRADING_HOURS",
    ),
    "blackout": Example(
        at("2026-11-23 07:24:59", **NEWS),
        (
            buy(1, when="07:24:59"),
            buy(1, when="07:25:00", desk=at("2026-11-23 07:25", **NEWS)),
            buy(1, when="07:44:59", desk=at("2026-11-23 07:44:59", **NEWS)),
            buy(1, when="07:45:00", desk=at("2026-11-23 07:45", **NEWS)),
        ),
        settings=("blackouts",),
        code="BLACKOUT",
        switch='blackouts = ["07:25-07:45", "2026-12-09 12:55-13:30"]',
    ),
    "opposite_position": Example(
        another_account(-1, ES),
        (
            buy(1, when="your other account is short 1 ES"),
            sell(1, when="your other account is short 1 ES"),
            buy(1, "another underlying", when="your other account is short 1 ES", instrument=MNQ),
        ),
        settings=("allow_opposite_positions",),
        code="OPPOSITE_POSITION",
        switch="allow_opposite_positions = false",
    ),
    "too_old": Example(
        plain(),
        (
            buy(1, "at the limit", when="it waited 5,000 ms", waited_ms=5_000),
            buy(1, when="it waited 5,001 ms", waited_ms=5_001),
            buy(
                1,
                "3,000 + 2,000 = 5,000",
                when="it was sent 3,000 ms before it arrived, and waited 2,000 ms",
                delayed_ms=3_000,
                waited_ms=2_000,
            ),
            buy(
                1,
                "3,000 + 2,001 = 5,001",
                when="it was sent 3,000 ms before it arrived, and waited 2,001 ms",
                delayed_ms=3_000,
                waited_ms=2_001,
            ),
        ),
        settings=("max_order_age_ms",),
        code="TOO_OLD",
    ),
    "clock_skew": Example(
        plain(),
        (
            buy(1, "at the limit", when="it says it was sent 2,000 ms after it arrived", sent_ms=2_000),
            buy(1, when="it says it was sent 2,001 ms after it arrived", sent_ms=2_001),
        ),
        settings=("max_clock_ahead_ms",),
        code="CLOCK_SKEW",
    ),
}

_BLIND = after(long(2), working(2), unquoted, blind)
_WRONG = after(_BLIND, locked_out)

# What the page shows beside the rules.
ASIDE: dict[str, Example] = {
    "never_denied": Example(
        _WRONG,
        (
            buy(1, "adds risk"),
            sell(1, "the order only closes"),
            sell(2, "the order only closes"),
            other("Close 1 MES", lambda desk: desk.close(1)),
            other("Close MES", lambda desk: desk.close()),
            other("Flatten", lambda desk: desk.flatten()),
            other("Cancel all", lambda desk: desk.cancel_all()),
            other("Cancel the working order", lambda desk: desk.cancel("working")),
            other(
                "Make the working order 1 instead of 2",
                lambda desk: desk.modify("working", quantity=1),
                when="not locked out, which would cancel it",
                desk=_BLIND,
            ),
            other("Move the stop loss from 4,990.00 to 4,995.00", lambda desk: desk.protect(stop=ASK - 20)),
            other("Move the stop loss from 4,990.00 to 4,985.00", lambda desk: desk.protect(stop=ASK - 60)),
            other("Cancel the stop loss", lambda desk: desk.cancel(desk.stop("held").order_id)),
        ),
    ),
    "overrides": Example(
        plain(**LIMITED_MES),
        (buy(2, "at the limit of MES"), buy(3), buy(3, "the limit of all others is 10", instrument=MNQ)),
    ),
    "run_time": Example(
        after(plain(), working(1)),
        (
            buy(4, when="you change `max_position_size` to 4", first=changed(position_quantity_max=4)),
            buy(3, "`1 + 3 = 4`", when="you change `max_position_size` to 4", first=changed(position_quantity_max=4)),
            buy(
                10,
                "`1 + 10 = 11`",
                when="you change `max_position_size` to 20",
                first=changed(position_quantity_max=20),
            ),
            buy(10, when="the same, on the next trading day", first=next_day(position_quantity_max=20)),
        ),
    ),
    "full_size": Example(
        with_es,
        (
            buy(1, "`40 x 12.50 + 2 x 1.40 = 502.80`", instrument=ES),
            buy(2, "`2 x 40 x 12.50 + 2 x 2 x 1.40 = 1,005.60`", instrument=ES),
        ),
        code="DAILY_LOSS_LIMIT",
    ),
}
