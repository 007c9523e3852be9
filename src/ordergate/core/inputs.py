"""What the engine puts before ``decide``, one at a time, each stamped."""

from __future__ import annotations

import msgspec

from ordergate.core.commands import Command
from ordergate.core.limits import Limits
from ordergate.core.market import Market
from ordergate.core.modes import Modes
from ordergate.core.order import BracketMode
from ordergate.core.reports import Report


class Started(msgspec.Struct, frozen=True):
    """The writer has recovered its state and begins. What left before and was not answered is in doubt from here on."""

    install_id: str
    venue: str
    login: str
    limits: Limits
    bracket_mode: BracketMode = BracketMode.UNKNOWN
    modes: Modes = Modes()


class Mark(msgspec.Struct, frozen=True):
    """Prices of something held have moved; they are in the stamp."""


class Wake(msgspec.Struct, frozen=True):
    """An instant that a timer of the state names has come."""


Input = Command | Report | Started | Mark | Wake


class Stamped(msgspec.Struct, frozen=True):
    """An input and all that the decision may know beside the state.

    ``market`` has the latest merged quote of every contract the group touches, and the time; ``received_ns`` is when
    the inbox took the input; ``superseded``: a flatten or cancel-all of its account arrived after it;
    ``queued_account``: for a cancel whose order is not decided yet, that order's account; ``delayed_ns``
    (>= 0): how much longer than the fastest message of its sender an order was on its way to the inbox.
    """

    input: Input
    market: Market
    received_ns: int
    superseded: bool = False
    queued_account: int | None = None
    delayed_ns: int = 0
