"""Writes ``src/ordergate/core/schedule.py`` and the golden table of its test: ``python -m tools.schedule``.

Needs the dependency group ``calendar``. Two libraries are compared, day by day and group by group; where they differ,
the earlier close stands (unknown is never good), unless a row of ``OVERRIDES`` with a source decides. Every day that is
not plain comes out as a row, so that a change of the libraries is a change that can be read.
"""
# ruff: noqa: INP001 - a folder of scripts, not a package

from __future__ import annotations

import datetime
import importlib
import json
import warnings
from collections.abc import Iterator
from importlib import metadata
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parent.parent
MODULE = ROOT / "src" / "ordergate" / "core" / "schedule.py"
GOLDEN = ROOT / "tests" / "golden" / "calendar.json"
FIRST, LAST = datetime.date(2023, 12, 1), datetime.date(2028, 12, 31)
CHICAGO = "America/Chicago"
CLOSED = "closed"

# Product group (core/contracts.py) to its calendars of pandas_market_calendars; the first gives the regular hours.
CALENDARS = {
    "equity": ("CME Globex Equity", "CME_Equity"),
    "metal": ("CMEGlobex_Metals",),
    "energy": ("CMEGlobex_Energy",),
    "gas": ("CMEGlobex_NatGas",),
    "currency": ("CMEGlobex_FX",),
    "treasury": ("CME Globex Fixed Income", "CME_Bond"),
    "grain": ("CMEGlobex_Grains", "CBOT_Agriculture"),
    "livestock": ("CMEGlobex_Livestock", "CBOT_Agriculture"),
    "crypto": ("CME Globex Crypto",),
}
# What the libraries know as the regular windows, as they are written in the module; a start after its end is of the
# evening before. Checked against them below.
REGULAR = {
    "equity": (("17:00", "16:00"),),
    "metal": (("17:00", "16:00"),),
    "energy": (("17:00", "16:00"),),
    "gas": (("17:00", "16:00"),),
    "currency": (("17:00", "16:00"),),
    "treasury": (("17:00", "16:00"),),
    "grain": (("19:00", "07:45"), ("08:30", "13:20")),
    "livestock": (("08:30", "13:05"),),
    "crypto": (("17:00", "16:00"),),
}
# exchange_calendars has one calendar for all of CME: its full holidays count for every group, its early closes only
# where they are meant.
_EARLY_OF_CMES = ("equity", "treasury")

# Trade dates: days that have a date of settlement of their own; what is traded on the others belongs to the next one.
TRADE_DATES = "CME_TradeDate"

_MOURNING = "CME press release of 2024-12-30 (mondovisione.com), read 2026-11-22"
_TABLE_2026 = "CME's 2026 tables as in pandas_market_calendars issues 464 and 465, read 2026-11-22"
_LIKE_2026 = f"as the same day in {_TABLE_2026}"
_JOBS = "jobs report on Good Friday: pandas_market_calendars pull request 456 of 2026-04-04"
_REGULAR = "regular"
# (days, groups, the close or "regular", source): what the libraries miss or disagree about.
OVERRIDES: tuple[tuple[tuple[str, ...], tuple[str, ...], str, str], ...] = (
    (("2025-01-09",), ("equity",), "08:30", _MOURNING),
    (("2025-01-09",), ("treasury", "grain", "livestock"), "12:15", _MOURNING),
    (("2025-01-09",), ("metal", "energy", "gas", "currency", "crypto"), _REGULAR, _MOURNING),
    (("2026-04-03",), ("equity",), "08:15", _JOBS),
    (("2026-04-03",), ("currency", "treasury"), "10:15", _JOBS),
    (("2026-11-27", "2026-12-24"), ("equity", "treasury"), "12:15", _TABLE_2026),
    (("2024-11-29", "2024-12-24", "2025-11-28", "2025-12-24"), ("equity", "treasury"), "12:15", _LIKE_2026),
    (("2027-11-26", "2028-11-24"), ("equity", "treasury"), "12:15", _LIKE_2026),
    (("2025-07-04", "2027-06-18"), ("metal", "energy", "gas"), "12:00", f"a holiday on a Friday, {_LIKE_2026}"),
    (("2024-12-24", "2025-12-24"), ("metal", "energy", "gas"), "12:45", _LIKE_2026),
)
# Weekdays that are trade dates although TRADE_DATES leaves them out.
TRADE_DATES_ADDED = {"2025-01-09": _MOURNING}

# A close of each group on each weekday of the range, by ISO date; "regular" or "closed" where there is none of its own.
Closes = dict[str, str]


def weekdays() -> Iterator[str]:
    day = FIRST
    while day <= LAST:
        if day.weekday() < 5:  # noqa: PLR2004 - Monday to Friday
            yield day.isoformat()
        day += datetime.timedelta(days=1)


def of_markets(name: str) -> Closes:
    """What a calendar of pandas_market_calendars says."""
    markets: Any = importlib.import_module("pandas_market_calendars")
    table = markets.get_calendar(name).schedule(FIRST.isoformat(), LAST.isoformat(), tz=CHICAGO)
    closes = {day.date().isoformat(): at.strftime("%H:%M") for day, at in table["market_close"].items()}
    usual = max(closes.values())
    return {day: _said(closes.get(day), usual) for day in weekdays()}


def regular_windows(name: str) -> tuple[tuple[str, str], ...]:
    """The windows of a plain day in pandas_market_calendars."""
    markets: Any = importlib.import_module("pandas_market_calendars")
    row = markets.get_calendar(name).schedule("2026-11-18", "2026-11-18", tz=CHICAGO).iloc[0]
    at = {key: value.strftime("%H:%M") for key, value in row.items()}
    if "break_start" in at:
        return ((at["market_open"], at["break_start"]), (at["break_end"], at["market_close"]))
    return ((at["market_open"], at["market_close"]),)


def of_exchange() -> Closes:
    """What exchange_calendars says of CME as a whole."""
    calendars: Any = importlib.import_module("exchange_calendars")
    found = calendars.get_calendar("CMES", start=FIRST.isoformat(), end=LAST.isoformat())
    closes = {day.date().isoformat(): found.closes[day].tz_convert(CHICAGO).strftime("%H:%M") for day in found.sessions}
    usual = max(closes.values())
    return {day: _said(closes.get(day), usual) for day in weekdays()}


def _said(close: str | None, usual: str) -> str:
    return CLOSED if close is None else _REGULAR if close == usual else close


def _rank(close: str) -> str:
    """Sorts closes, the earliest first."""
    return {CLOSED: "", _REGULAR: "99"}.get(close, close)


def chosen(group: str, told: dict[str, Closes], exchange: Closes) -> Closes:
    """The closes of a group: the earliest that is told, then the overrides."""
    closes = {}
    for day in weekdays():
        candidates = [told[name][day] for name in CALENDARS[group]]
        if exchange[day] == CLOSED or group in _EARLY_OF_CMES:
            candidates.append(exchange[day])
        closes[day] = min(candidates, key=_rank)
    for days, groups, close, _ in OVERRIDES:
        closes |= {day: close for day in days if group in groups}
    return closes


def main() -> None:
    warnings.simplefilter("ignore")
    names = {name for of_group in CALENDARS.values() for name in of_group}
    told = {name: of_markets(name) for name in sorted(names)}
    exchange, dates = of_exchange(), of_markets(TRADE_DATES)
    for group, windows in REGULAR.items():
        assert regular_windows(CALENDARS[group][0]) == windows, f"the regular hours of {group} have changed"
    closes = {group: chosen(group, told, exchange) for group in CALENDARS}
    special = {
        day: {group: closes[group][day] for group in CALENDARS if closes[group][day] != _REGULAR}
        for day in weekdays()
        if any(closes[group][day] != _REGULAR for group in CALENDARS)
    }
    off = [day for day in weekdays() if dates[day] == CLOSED and day not in TRADE_DATES_ADDED]
    MODULE.write_text(_module(special, after_holidays(closes["grain"]), off), encoding="utf-8", newline="\n")
    GOLDEN.write_text(_golden(told, exchange, dates, special), encoding="utf-8", newline="\n")


def after_holidays(closes: Closes) -> list[str]:
    """The weekdays after those on which a group is closed, other than Mondays and Fridays."""
    middle = range(1, 4)  # Tuesday to Thursday
    closed = [day for day in closes if closes[day] == CLOSED and datetime.date.fromisoformat(day).weekday() in middle]
    return [(datetime.date.fromisoformat(day) + datetime.timedelta(days=1)).isoformat() for day in closed]


def _module(special: dict[str, dict[str, str]], day_only: list[str], off: list[str]) -> str:
    versions = ", ".join(
        f"{name} {metadata.version(name)}" for name in ("pandas_market_calendars", "exchange_calendars")
    )
    lines = [
        '"""When each group of products trades, and which days have a trade date.',
        "",
        f"Made by ``python -m tools.schedule`` from {versions}",
        "and the sourced overrides there; where sources differ, and none decides, the earlier close. Chicago time.",
        '"""',
        "# ruff: noqa: E501 - a day is a row",
        "",
        "from __future__ import annotations",
        "",
        "# fmt: off",
        f'FIRST, LAST = "{FIRST}", "{LAST}"',
        "",
        "# The windows of a plain trading day; a start that is after its end is of the evening before.",
        "# UNVERIFIED: crypto is said to trade around the clock since 2026-05-29; here it keeps the libraries' hours.",
        "REGULAR: dict[str, tuple[tuple[str, str], ...]] = {",
        *(f"    {_text(group)}: {_text(windows)}," for group, windows in REGULAR.items()),
        "}",
        "",
        "# What is not plain: the close of each group, or closed all day with the evening before.",
        "SPECIAL: dict[str, dict[str, str]] = {",
    ]
    for day, groups in special.items():
        # Groups that share a close stand in one row.
        by_close: dict[str, list[str]] = {}
        for group, close in groups.items():
            by_close.setdefault(close, []).append(group)
        row = ", ".join(f"{_text(close)}: {_text(' '.join(names))}" for close, names in by_close.items())
        lines.append(f"    {_text(day)}: {{{row}}},")
    lines += [
        "}",
        "",
        "# Dates without an evening before: grains after a holiday in mid-week. UNVERIFIED, so closed.",
    ]
    lines += [
        "DAY_ONLY: dict[str, tuple[str, ...]] = {",
        '    "grain": (',
        *(f"        {_text(day)}," for day in day_only),
    ]
    lines += [
        "    ),",
        "}",
        "",
        "# Weekdays without a trade date: what trades on them belongs to the next day that has one.",
    ]
    lines += ["NO_TRADE_DATE: tuple[str, ...] = (", *(f"    {_text(day)}," for day in off), ")", "# fmt: on", ""]
    return "\n".join(lines)


def _text(value: object) -> str:
    """A value as ruff would write it."""
    if isinstance(value, tuple):
        return f"({', '.join(_text(item) for item in value)}{',' if len(value) == 1 else ''})"
    return json.dumps(value)


def _golden(told: dict[str, Closes], exchange: Closes, dates: Closes, special: dict[str, dict[str, str]]) -> str:
    """What the libraries say of every day on which any of them, or the module, says something special."""
    columns = told | {"CMES (exchange_calendars)": exchange, TRADE_DATES: dates}
    rows = {}
    for day in weekdays():
        said = {name: closes[day] for name, closes in columns.items() if closes[day] != _REGULAR}
        if said or day in special:
            rows[day] = said
    table = {
        "calendars": CALENDARS,
        "overrides": [[days, groups, close] for days, groups, close, _ in OVERRIDES],
        "trade dates added": list(TRADE_DATES_ADDED),
    }
    head = ",\n".join(f" {json.dumps(name)}: {json.dumps(part)}" for name, part in table.items())
    body = ",\n".join(f"  {json.dumps(day)}: {json.dumps(said)}" for day, said in rows.items())
    return f'{{\n{head},\n "days": {{\n{body}\n }}\n}}\n'


if __name__ == "__main__":
    main()
