"""``ordergate flatten``, ``halt`` and ``release``: asked of the gate at the page's HTTP, and watched until it is so.

It must never say that something is done because it was asked for: what is told was read back.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable

from ordergate.console.places import Answer, Places, ask
from ordergate.console.shown import Alarm, Shown, shown, told
from ordergate.net.port import Network

# The gate waits two seconds for an exit before it answers, and tries three rounds of it.
ANSWER_S = 10.0
LOOK_S = 0.5
FLAT_WITHIN_S = 30.0
_DIRECT = "`ordergate flatten --direct` closes at the broker itself, past the gate"

DONE, NOT_DONE, UNREACHABLE = 0, 1, 2

Say = Callable[[str], None]


class Gate:
    """The gate as its page's clients reach it. ``say`` is told each step and what became of it."""

    def __init__(self, network: Network, places: Places, say: Say) -> None:
        self._network = network
        self._page = places.page
        self._say = say

    async def snapshot(self) -> Shown | str:
        """What the gate knows, or why it is not known."""
        return shown(await ask(self._network, "GET", f"{self._page}/api/snapshot"))

    async def flatten(self, account_id: int | None) -> int:
        """Cancel and close everything of the account (None = of all), and look until it is so."""
        answer = await self._post("/api/flatten", {"accountId": "all" if account_id is None else account_id})
        if answer.failure or not answer.body or not answer.body.get("success"):
            self._say(f"not taken: {answer.failure or told(answer)}")
            self._say(_DIRECT)
            return UNREACHABLE if answer.failure else NOT_DONE
        self._say(f"taken{' (on paper: shadow mode)' if answer.body.get('shadow') else ''}; waiting until it is flat")
        return await self._until_flat(account_id)

    async def _until_flat(self, account_id: int | None) -> int:
        loop = asyncio.get_running_loop()
        end_s, last = loop.time() + FLAT_WITHIN_S, ""
        while True:
            known = await self.snapshot()
            left = known if isinstance(known, str) else what_is_left(known, account_id)
            if left == "":
                self._say("flat: no position is held, no order works")
                return DONE
            if left != last:
                self._say(left)
                last = left
            if loop.time() >= end_s:
                break
            await asyncio.sleep(LOOK_S)
        self._say(f"NOT FLAT after {FLAT_WITHIN_S:.0f} s: {last}")
        if isinstance(known, Shown):
            for reason in reasons(known, account_id):
                self._say(f"  {reason}")
        self._say(_DIRECT)
        return NOT_DONE

    async def halt(self, reason: str) -> int:
        """Pause, then cancel what would open: what comes between the two is denied."""
        paused = await self._post("/api/pause", {"reason": reason})
        if not self._taken(paused, "new risk is not paused"):
            return _code(paused)
        cancelled = await self._post("/api/cancel-all", {"accountId": "all"})
        if not self._taken(cancelled, "new risk is paused, but working entries are not cancelled"):
            return _code(cancelled)
        loop = asyncio.get_running_loop()
        end_s = loop.time() + FLAT_WITHIN_S
        while True:
            known = await self.snapshot()
            if isinstance(known, Shown) and known.desk.paused is not None and not _entries(known):
                break
            if loop.time() >= end_s:
                left = known if isinstance(known, str) else f"orders still work: {', '.join(_entries(known))}"
                self._say(f"new risk is paused, but {left}")
                return NOT_DONE
            await asyncio.sleep(LOOK_S)
        self._say(f"no account takes new risk: halted {known.desk.paused.text}")
        self._say(f"no entry works; {len(known.positions)} position(s) and their stops and targets stay as they are")
        self._say("`ordergate flatten` closes them, `ordergate release` takes new risk again")
        return DONE

    async def release(self) -> int:
        """End the pause, and tell what else keeps new risk out."""
        before = await self.snapshot()
        answer = await self._post("/api/resume", {})
        if not self._taken(answer, "the pause is not ended"):
            return _code(answer)
        after = await self.snapshot()
        if isinstance(after, str):
            self._say(f"asked for, but not seen: {after}")
            return NOT_DONE
        if after.desk.paused is not None:
            self._say(f"still paused {after.desk.paused.text}")
            return NOT_DONE
        was = before.desk.paused if isinstance(before, Shown) else None
        ended = "nothing was paused" if was is None else f"the pause {was.text} is over"
        self._say(f"released: {ended}; new risk is taken as far as the limits let it")
        for account in after.accounts:
            if account.trading_state != "active":
                self._say(f"account {account.account_id} stays {account.trading_state}: {account.reason}")
        return DONE

    def _taken(self, answer: Answer, otherwise: str) -> bool:
        if not answer.failure and answer.body and answer.body.get("success"):
            return True
        self._say(f"{otherwise}: {answer.failure or told(answer)}")
        return False

    async def _post(self, path: str, body: object) -> Answer:
        return await ask(self._network, "POST", self._page + path, body, ANSWER_S)


def what_is_left(known: Shown, account_id: int | None) -> str:
    """The positions and orders that stand between these accounts (None = all) and being flat; empty when they are."""
    held = [
        f"{row.side} {row.quantity} {row.symbol} in {row.account_id}"
        for row in known.positions
        if account_id in (None, row.account_id)
    ]
    working = [row.order_id for row in known.orders if row.is_open and account_id in (None, row.account_id)]
    told_orders = f"{len(working)} order(s) working: {', '.join(working[:5])}" if working else ""
    return "; ".join(part for part in ("held: " + ", ".join(held) if held else "", told_orders) if part)


def reasons(known: Shown, account_id: int | None) -> list[str]:
    """Why an exit may not come to its end."""
    found = [] if known.desk.link_up else [f"the broker is not seen: {known.desk.link_reason}"]
    found += [known.desk.trouble] if known.desk.trouble else []

    def is_about(alarm: Alarm) -> bool:
        return alarm.stands and (account_id is None or alarm.account_id in (None, account_id))

    return found + [f"{alarm.code}: {alarm.message}" for alarm in known.alarms if is_about(alarm)]


def _entries(known: Shown) -> list[str]:
    """Orders that work and are no stop, target or close; other people's orders are theirs."""
    return [row.order_id for row in known.orders if row.is_open and row.source != "EXTERNAL"]


def _code(answer: Answer) -> int:
    return UNREACHABLE if answer.failure else NOT_DONE
