"""How long to wait before trying again. PURE but for the injected randomness."""

from __future__ import annotations

import random

# The official client's timeouts are whole seconds; a quarter makes a blip invisible, ten keeps a login storm away.
FIRST_S = 0.25
MAX_S = 10.0


class Backoff:
    """Doubles from ``FIRST_S`` to ``MAX_S``; jitter takes up to half of it off, so that clients part."""

    def __init__(self, rng: random.Random) -> None:
        self._rng = rng
        self._next_s = FIRST_S

    def delay_s(self) -> float:
        """The next wait (> 0)."""
        delay_s, self._next_s = self._next_s, min(MAX_S, self._next_s * 2)
        return delay_s * (1 - self._rng.random() / 2)

    def reset(self) -> None:
        """What was tried has worked for a while."""
        self._next_s = FIRST_S
