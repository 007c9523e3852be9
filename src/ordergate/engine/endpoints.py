"""The aggregator's HTTP on port 7600: whether the gate is alive and enforces, and how fast it protects."""

from __future__ import annotations

import msgspec

from ordergate.core import pause
from ordergate.core.events import TradingState
from ordergate.core.sessions import utc_text
from ordergate.engine.gate import Gate
from ordergate.engine.metrics import CONTENT_TYPE
from ordergate.engine.page_health import PageHealth
from ordergate.net.port import Request, Response


def answer(request: Request, gate: Gate, page: PageHealth | None = None) -> Response:
    """The answer to one request; ``page`` where the page's server is another process."""
    match request.method, request.path:
        case "GET", "/health":
            told = health(gate)
            if gate.bus_health is not None:
                told["redis"] = gate.bus_health
            if page is not None:
                told["manualTradingServer"] = {"url": page.url, "status": page.status}
            return _json(200, told)
        case "GET", "/metrics":
            return Response(200, gate.metrics.text(), {"content-type": CONTENT_TYPE})
        case "GET", "/metrics.json":
            return _json(200, gate.documented | {"protection": gate.protection})
        case _:
            return _json(404, {"error": f"there is nothing at {request.method} {request.path}"})


def health(gate: Gate) -> dict[str, object]:
    """Healthy only while every account may take new risk, inside limits that hold."""
    group = gate.group
    accounts = {
        str(account.account_id): {
            "tradingState": account.trading_state.value,
            "reason": account.state_message,
            "unexplained": account.unexplained,
            "tradingDay": account.day.name,
            "passedOrders": account.day.passed,
        }
        for account in group.accounts.values()
    }
    active = all(account.trading_state is TradingState.ACTIVE for account in group.accounts.values())
    healthy = gate.enforcing and group.link_up and active and group.paused_by is None
    return {
        "status": "healthy" if healthy else "degraded",
        "service": "Trading Aggregator",
        "timestamp": utc_text(gate.now_ns),
        "uptime": round(gate.uptime_s * 1_000),
        "enforcing": gate.enforcing,
        "modes": {
            "shadow": group.modes.shadow,
            "interceptOrders": group.modes.intercept,
            "preserveOriginalWorkflow": group.modes.preserve,
            "enableRiskValidation": group.modes.validate,
            "enableSLTPCalculation": group.modes.default_bracket,
        },
        "brokerLink": {"up": group.link_up, "reason": group.link_reason},
        "paused": pause.told(group),
        "accounts": accounts,
        "events": group.version,
    }


def _json(status: int, body: object) -> Response:
    return Response(status, msgspec.json.encode(body), {"content-type": "application/json"})
