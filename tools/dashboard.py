"""Writes the Grafana dashboard ``docs/grafana/ordergate.json``: ``python -m tools.dashboard``.

What stands first is what somebody who was called looks at first: is every position protected, does the gate enforce.
"""
# ruff: noqa: INP001 - a folder of scripts, not a package

from __future__ import annotations

import json
from pathlib import Path
from typing import Any, NamedTuple

FILE = Path(__file__).resolve().parent.parent / "docs" / "grafana" / "ordergate.json"
_SOURCE = {"type": "prometheus", "uid": "${source}"}
_WIDTH = 24
_RATE = "[$__rate_interval]"
_COUNTED = "A count and no rate: the first of a code would be missing, for Prometheus sees no rise from nothing to one."


class Panel(NamedTuple):
    """``queries`` are (PromQL, legend); ``bad`` is the value from which a single figure is red, None = 0 is red."""

    title: str
    kind: str
    width: int
    queries: tuple[tuple[str, str], ...]
    unit: str = "short"
    bad: float | None = None
    text: str = ""


def _quantile(share: float, metric: str, by: str = "") -> str:
    labels = f"le, {by}" if by else "le"
    return f"histogram_quantile({share}, sum by ({labels}) (rate({metric}_bucket{_RATE})))"


ROWS: tuple[tuple[str, int, tuple[Panel, ...]], ...] = (
    ("Protection", 5, (
        Panel("Without their stop", "stat", 4, (("sum(ordergate_account_positions_unprotected)", ""),), bad=1),
        Panel("Positions", "stat", 4, (("sum(ordergate_account_positions)", ""),), bad=1e9),
        Panel("Fill to resting stop", "timeseries", 16, (
            (_quantile(0.5, "ordergate_protection_seconds"), "half within"),
            (_quantile(0.99, "ordergate_protection_seconds"), "99 of 100 within"),
        ), "s", text="2 s is when a position counts as unprotected."),
    )),
    ("The gate", 5, (
        Panel("Enforcing", "stat", 3, (("ordergate_enforcing", ""),)),
        Panel("Broker seen", "stat", 3, (("ordergate_broker_link_up", ""),)),
        Panel("Journal", "stat", 3, (("ordergate_journal_writable", ""),)),
        Panel("Halted", "stat", 3, (("ordergate_halted", ""),), bad=1),
        Panel("Paused", "stat", 3, (("ordergate_paused", ""),), bad=1),
        Panel("Unseen critical alarms", "stat", 3, (('ordergate_alarms_open{level="critical"}', ""),), bad=1),
        Panel("Redis", "stat", 3, (("ordergate_redis_up", ""),), text="Empty where there is none."),
        Panel("Shadow", "stat", 3, (('ordergate_mode{mode="shadow"}', ""),), bad=1),
    )),
    ("Decisions", 8, (
        Panel("Orders", "timeseries", 8, (
            (f"sum by (outcome) (rate(ordergate_orders_total{_RATE}))", "{{outcome}}"),
        ), "ops"),
        Panel("Limits broken since the start", "timeseries", 8, (
            ("sum by (code) (ordergate_breaches_total)", "{{code}}"),
        ), text=_COUNTED),
        Panel("Answers that were no since the start", "timeseries", 8, (
            ('sum by (code) (ordergate_answers_total{code!="OK"})', "{{code}}"),
        ), text=_COUNTED),
    )),
    ("How long", 8, (
        Panel("99 of 100 orders within, and what users were told", "timeseries", 12, (
            (_quantile(0.99, "ordergate_step_seconds", "step"), "{{step}}"),
            ("ordergate_step_budget_seconds", "told: {{step}}"),
        ), "s"),
        Panel("99 of 100 inputs waited", "timeseries", 6, (
            (_quantile(0.99, "ordergate_queue_wait_seconds", "class"), "{{class}}"),
        ), "s"),
        Panel("99 of 100 heartbeats late by", "timeseries", 6, (
            (_quantile(0.99, "ordergate_loop_lag_seconds"), "late"),
        ), "s"),
    )),
    ("Queue and fills", 8, (
        Panel("Waiting", "timeseries", 8, (("ordergate_queue_waiting", "{{class}}"),)),
        Panel("Refused, the queue was full", "timeseries", 8, (
            (f'rate(ordergate_answers_total{{code="QUEUE_FULL"}}{_RATE})', "refused"),
        ), "ops"),
        Panel("Fills, rejections, doubts", "timeseries", 8, (
            (f"rate(ordergate_fills_total{_RATE})", "fills"),
            (f"rate(ordergate_broker_rejections_total{_RATE})", "rejected by the broker"),
            (f"rate(ordergate_orders_in_doubt_total{_RATE})", "in doubt"),
        ), "ops"),
    )),
    ("Accounts", 8, (
        Panel("Day, net", "timeseries", 10, (
            ("ordergate_account_day_pnl_dollars", "{{account}}"),
            ("-ordergate_account_daily_loss_limit_dollars", "limit of {{account}}"),
        ), "currencyUSD"),
        Panel("Left above the maximum loss floor", "timeseries", 4, (
            ("ordergate_account_maximum_loss_room_dollars", "{{account}}"),
        ), "currencyUSD", text="Empty while there is no floor."),
        Panel("Open orders", "timeseries", 5, (("ordergate_account_open_orders", "{{account}}"),)),
        Panel("Not active", "timeseries", 5, (
            ('ordergate_account_state{state!="active"} == 1', "{{account}} {{state}}"),
        )),
    )),
    ("Alarms and the process", 8, (
        Panel("Alarms raised since the start", "timeseries", 10, (
            ("sum by (code, level) (ordergate_alarms_raised_total)", "{{level}} {{code}}"),
        ), text=_COUNTED),
        Panel("Webhook", "timeseries", 4, (
            ("ordergate_webhook_waiting", "waiting"),
            ("ordergate_webhook_given_up_total", "given up"),
        )),
        Panel("Memory", "timeseries", 5, (("ordergate_process_resident_memory_bytes", "resident"),), "bytes"),
        Panel("Processor", "timeseries", 5, ((f"rate(ordergate_process_cpu_seconds_total{_RATE})", "cores"),)),
    )),
)  # fmt: skip


def dashboard() -> dict[str, Any]:
    """The dashboard as Grafana imports it."""
    panels: list[dict[str, Any]] = []
    top = 0
    for title, height, row in ROWS:
        place = {"x": 0, "y": top, "w": _WIDTH, "h": 1}
        panels.append({"type": "row", "title": title, "gridPos": place, "collapsed": False, "panels": []})
        left, top = 0, top + 1
        for panel in row:
            panels.append(_panel(panel, {"x": left, "y": top, "w": panel.width, "h": height}))
            left += panel.width
        top += height
    for number, each in enumerate(panels, start=1):
        each["id"] = number
    source = {"name": "source", "label": "Prometheus", "type": "datasource", "query": "prometheus"}
    return {
        "title": "ordergate",
        "uid": "ordergate",
        "schemaVersion": 39,
        "tags": ["ordergate"],
        "timezone": "browser",
        "refresh": "10s",
        "time": {"from": "now-1h", "to": "now"},
        "templating": {"list": [source]},
        "panels": panels,
    }


def _panel(panel: Panel, place: dict[str, int]) -> dict[str, Any]:
    defaults: dict[str, Any] = {"unit": panel.unit}
    if panel.kind == "stat":
        # Red from ``bad`` on; where no value is bad in itself, nought is: what should be so is not.
        colours = ("red", "green") if panel.bad is None else ("green", "red")
        edge = 1 if panel.bad is None else panel.bad
        steps = [{"color": colours[0], "value": None}, {"color": colours[1], "value": edge}]
        defaults |= {"thresholds": {"mode": "absolute", "steps": steps}}
    targets = [
        {"refId": chr(ord("A") + number), "datasource": _SOURCE, "expr": query, "legendFormat": legend}
        for number, (query, legend) in enumerate(panel.queries)
    ]
    return {
        "type": panel.kind,
        "title": panel.title,
        "description": panel.text,
        "datasource": _SOURCE,
        "gridPos": place,
        "targets": targets,
        "fieldConfig": {"defaults": defaults, "overrides": []},
        "options": {},
    }


def text() -> str:
    """The file."""
    return json.dumps(dashboard(), indent=2) + "\n"


if __name__ == "__main__":
    FILE.parent.mkdir(exist_ok=True)
    FILE.write_text(text(), encoding="utf-8")
