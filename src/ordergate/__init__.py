"""ordergate: a pre-trade risk gate and bracket manager for discretionary futures traders.

An order flows down this list, one folder a step; what became of it flows back up:

    web/            1  ask       the page and its HTTP API; views are folded from events
    cli.py                       the same commands from a terminal
    bus/            2  travel    orders in, commands out, reports back, events to the page
    interception.py  dialect/    the documented messages of existing clients, to commands and back
    integration.py               the documented Python API; runs the gate inside the caller's process
    engine/         3  in turn   one inbox and one writer for each risk group; the writer is the spine
    core/           4  decide    pure: decide(state, input) -> events, evolve(state, event) -> state
    journal/        5  record    durable before any effect leaves; state is a fold over it
    broker/         6  send      no valid approval, no place, no modify
    exchange/                    the simulated TopstepX that the demo and the tests trade on
    certify/                     a day of cases by which a broker's adapter proves itself

Under all of them:

    net/                         HTTP and WebSocket: the ports, their adapters, SignalR framing
    config.py  settings.py       flag, environment, file, default: in that order; what there is to set
    telemetry.py                 logs and metrics
    clock.py  errors.py          wall time, injected; every exception as one tree
    pace.py                      a loop whose time runs faster, for recorded markets
    desk.py                      wires the parts of a desk to each other
    app.py  roles.py             one process, or one role of several: the only modules that import adapters

The import contracts in pyproject.toml hold the parts to this picture.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from ordergate.integration import ManualTradingIntegration as ManualTradingIntegration

__version__ = "0.1.0"


def __getattr__(name: str) -> object:
    # Imported when it is asked for: a command that does not need it starts in a third of the time.
    if name == "ManualTradingIntegration":
        from ordergate.integration import ManualTradingIntegration  # noqa: PLC0415

        return ManualTradingIntegration
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
