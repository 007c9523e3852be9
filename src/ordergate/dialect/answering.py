"""The eight documented requests, each answered on the channel that its asker names (wire notes, section 2.3).

What is read is answered from the followed copy of the gate's state. What changes something becomes a command, in the
order in which it was asked, and is answered when it is decided. How old a request is does not matter: nothing that can
be asked for here opens a position, a stop that goes farther away is put before the rules, and exits are never blocked.

Invariants:
1. A request with a channel to answer on is answered: once, however often it was sent, where it changes something.
2. A request without one is not carried out: its asker could not know.
3. Of each kind at most ``WAITING_MAX`` changes wait, for ``ANSWER_WAIT_S`` at most; so no flood of one keeps out
   the other. Reading never waits.
"""

from __future__ import annotations

import asyncio
from collections import Counter, OrderedDict
from collections.abc import Callable, Mapping

from ordergate.bus import messages
from ordergate.bus import requests as r
from ordergate.bus.port import Subscription, checked_reply_channel
from ordergate.bus.translate import held_contract, held_position, optional_ticks, quantity
from ordergate.bus.waiting import Waiting
from ordergate.clock import Clock
from ordergate.core import answers
from ordergate.core.account import Account, Group
from ordergate.core.commands import Answer, ClosePosition, Command, UpdateProtection
from ordergate.core.market import Market
from ordergate.core.reports import Quote
from ordergate.dialect import readout
from ordergate.dialect.outbox import Outbox
from ordergate.errors import InputRefused
from ordergate.telemetry import logger

# Below the ten seconds after which the shipped page gives up (wire notes, section 2.3).
ANSWER_WAIT_S = 8.0
WAITING_MAX = 64
# Answers kept for those who send the same request again.
KEPT_MAX = 1_000

_log = logger("requests")
_MS_NS = 1_000_000
_DIGITS_MAX = 18


class Answering:
    """``group`` is the followed state."""

    def __init__(
        self,
        *,
        clock: Clock,
        outbox: Outbox,
        waiting: Waiting,
        group: Callable[[], Group | None],
        quotes: Mapping[str, Quote],
    ) -> None:
        self._clock = clock
        self._outbox = outbox
        self._waiting = waiting
        self._group = group
        self._quotes = quotes
        self._asked = 0
        self._changes: Counter[str] = Counter()
        # By request id and channel; None while it is not decided.
        self._kept: OrderedDict[tuple[str, str], bytes | None] = OrderedDict()
        self.received = 0
        self.refused = 0

    async def run(self, asked: Subscription) -> None:
        """Answer until cancelled."""
        async with asyncio.TaskGroup() as tasks:
            async for message in asked:
                self.received += 1
                self._read(message, tasks)
                await asyncio.sleep(0)  # a burst of requests takes turns with the gate

    def _read(self, message: bytes, tasks: asyncio.TaskGroup) -> None:
        if len(message) > messages.BYTES_MAX:
            self._drop("longer than any request")
            return
        try:
            asking = r.asking(message)
            channel = checked_reply_channel(asking.response_channel if isinstance(asking.response_channel, str) else "")
        except (InputRefused, *messages.UNREADABLE) as error:
            self._drop(messages.brief(str(error)))
            return
        try:
            self._answer(message, asking, channel, tasks)
        except InputRefused as error:
            self._fail(asking, channel, f"{error.code}: {error.message}")
        except messages.UNREADABLE as error:
            self._fail(asking, channel, f"BAD_MESSAGE: {error}")

    def _answer(self, message: bytes, asking: r.Asking, channel: str, tasks: asyncio.TaskGroup) -> None:
        """Raises ``InputRefused`` or one of ``UNREADABLE`` for what is answered as failed."""
        request_id = asking.request_id
        if not isinstance(request_id, str) or not 0 < len(request_id) <= messages.NAME_MAX:
            raise InputRefused("BAD_REQUEST_ID", f"requestId must be a text of 1 to {messages.NAME_MAX} characters")
        if asking.type not in r.TYPES:
            self._fail(asking, channel, f"Unknown request type: {asking.type}")
            return
        request = r.request(message)
        if isinstance(request, r.Reading):
            self._outbox.reply(channel, self._told(asking, self._fields(request)))
            return
        key = (request_id, channel)
        if key in self._kept:
            kept = self._kept[key]
            if kept is not None:
                self._outbox.reply(channel, kept)
            return
        self._change(request, asking, key, tasks)

    def _change(self, request: r.Changing, asking: r.Asking, key: tuple[str, str], tasks: asyncio.TaskGroup) -> None:
        if self._changes[asking.type] >= WAITING_MAX:
            raise InputRefused(answers.BUSY, "too many of these wait already; ask again in a moment")
        command, fields = self._command(request)
        self._keep(key, None)
        self._changes[asking.type] += 1
        tasks.create_task(self._decided(command, asking, key, fields), name=f"dialect: {asking.type}")

    async def _decided(
        self, command: Command, asking: r.Asking, key: tuple[str, str], fields: dict[str, object]
    ) -> None:
        answer = await self._waiting.ask(command, ANSWER_WAIT_S)
        self._changes[asking.type] -= 1
        error = None if answer.ok else messages.brief(f"{answer.code}: {answer.message}")
        if isinstance(command, ClosePosition):
            fields |= {"data": _closed(answer, error)}
        told = self._told(asking, fields, error)
        self._keep(key, told)
        self._outbox.reply(key[1], told)

    def _command(self, request: r.Changing) -> tuple[Command, dict[str, object]]:
        """The command, and what its answer repeats of the request. Raises ``InputRefused``."""
        group = self._known()
        self._asked += 1
        # It also names an exit in the journal, so no second run may use it again.
        request_id = f"redis-{self._clock.now_ns() // _MS_NS}-{self._asked}"
        if isinstance(request, r.ClosePosition):
            account = _account(group, request.account_id)
            contract_id = held_contract(group, account.account_id, request.contract_id)
            if request.close_type == "partial" and request.size is None:
                raise InputRefused("MISSING_FIELD", "a partial close needs a size", "size")
            size = None if request.size is None or request.close_type == "full" else quantity(request.size, "size")
            return ClosePosition(request_id, account.account_id, contract_id, size), {}
        account, contract_id = held_position(group, request.position_id)
        if request.stop_loss is None and request.take_profit is None:
            raise InputRefused(answers.NOTHING_TO_CHANGE, "say a stopLoss or a takeProfit; null leaves one as it is")
        instrument = group.instruments[contract_id]
        command = UpdateProtection(
            request_id,
            account.account_id,
            contract_id,
            stop_ticks=optional_ticks(instrument, request.stop_loss, "stopLoss"),
            target_ticks=optional_ticks(instrument, request.take_profit, "takeProfit"),
        )
        said: dict[str, object] = {
            "positionId": request.position_id,
            "stopLoss": request.stop_loss,
            "takeProfit": request.take_profit,
        }
        return command, said

    def _fields(self, request: r.Reading) -> dict[str, object]:
        """The documented fields of what was asked for. Raises ``InputRefused``."""
        group = self._known()
        match request:
            case r.GetAccounts():
                accounts = readout.accounts(group)
                return {"accounts": accounts, "count": len(accounts), "cached": True}
            case r.GetContracts() | r.GetActiveContracts():
                contracts = readout.contracts(group, active_only=isinstance(request, r.GetActiveContracts))
                return {"contracts": contracts, "count": len(contracts)}
            case r.GetPositions():
                account_id = None if request.account_id is None else _account(group, request.account_id).account_id
                market = Market(dict(self._quotes), self._clock.now_ns())
                return {"accountId": account_id, "positions": readout.positions(group, market, account_id)}
            case r.GetWorkingOrders():
                orders = readout.working_orders(group, request.instance_id)
                return {"orders": orders, "count": len(orders)}
            case r.GetStatistics():
                return self._statistics(group, request)

    def _statistics(self, group: Group, request: r.GetStatistics) -> dict[str, object]:
        account = _account(group, request.account_id)
        if request.statistics_type != "todaystats":
            raise InputRefused("NO_SUCH_STATISTICS", "the books hold the trading day: todaystats", "statisticsType")
        return {
            "accountId": account.account_id,
            "statisticsType": request.statistics_type,
            "statistics": readout.statistics(account),
        }

    def _known(self) -> Group:
        group = self._group()
        if group is None:
            raise InputRefused("STARTING", "the gate's state is not known yet; ask again in a moment")
        return group

    def _fail(self, asking: r.Asking, channel: str, error: str) -> None:
        self.refused += 1
        fields: dict[str, object] = {"data": _closed(None, error)} if asking.type == "CLOSE_POSITION" else {}
        self._outbox.reply(channel, self._told(asking, fields, messages.brief(error)))

    def _drop(self, why: str) -> None:
        self.refused += 1
        _log.warning("a request cannot be answered", why=why)

    def _told(self, asking: r.Asking, fields: dict[str, object], error: str | None = None) -> bytes:
        head = {
            "type": _text(asking.type),
            "requestId": _text(asking.request_id),
            "success": error is None,
            "timestamp": self._clock.now_ns() // _MS_NS,
        }
        return messages.encode(head | fields | ({} if error is None else {"error": error}))

    def _keep(self, key: tuple[str, str], told: bytes | None) -> None:
        self._kept[key] = told
        if len(self._kept) > KEPT_MAX:
            self._kept.popitem(last=False)


def _account(group: Group, said: int | str) -> Account:
    """The account that a request names. Raises ``InputRefused``."""
    is_number = isinstance(said, int) or (said.isascii() and said.isdigit() and len(said) <= _DIGITS_MAX)
    account = group.accounts.get(int(said)) if is_number else None
    if account is None or not account.adopted:
        raise InputRefused(answers.UNKNOWN_ACCOUNT, f"there is no account {messages.brief(str(said))}", "accountId")
    return account


def _closed(answer: Answer | None, error: str | None) -> dict[str, object]:
    """The documented ``data`` of a CLOSE_POSITION. The broker's own codes are numbers, and 0 is success."""
    done = answer is not None and answer.ok
    return {"success": done, "errorCode": 0 if done else 1, "errorMessage": None if done else error}


def _text(said: object) -> str | None:
    return said if isinstance(said, str) and len(said) <= messages.NAME_MAX else None
