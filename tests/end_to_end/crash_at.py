"""``ordergate demo`` that kills itself: python -m tests.end_to_end.crash_at STEP COUNT demo FLAGS...

The process gets SIGKILL from itself at the COUNT-th time that STEP is passed after the first order was asked for, so
nothing is flushed, closed or said. The product has no such switch; it only tells whoever composes it
which step of an order's path it has reached.
"""

from __future__ import annotations

import os
import signal
import sys

from ordergate import app, config
from ordergate.cli import run_until_stopped
from ordergate.exchange.sqlite import SqliteStore
from ordergate.exchange.store import Changes
from ordergate.setting_table import SETTINGS


def main() -> None:
    step_name, count, _, *flags = sys.argv[1:]
    left = int(count)
    asked = False

    def step(name: str, _about: str) -> None:
        nonlocal left, asked
        asked = asked or name == "asked"
        if asked and name == step_name:
            left -= 1
            if left == 0:
                os.kill(os.getpid(), signal.SIGKILL)

    class Store(SqliteStore):
        """The exchange's real file; what follows a save is the answer or the publication."""

        def save(self, changes: Changes) -> None:
            super().save(changes)
            if changes.orders:
                step("exchange stored", "")

    vars(app)["SqliteStore"] = Store
    keys = {setting.option: setting.key for setting in SETTINGS}
    given: dict[str, object] = {}
    words = iter(flags)
    for word in words:
        given[keys[word]] = "false" if word == "--no-browser" else next(words)
    settings = config.load(given, {}, None)
    run_until_stopped(app.demo(settings, None, lambda _: None, step))


if __name__ == "__main__":
    main()
