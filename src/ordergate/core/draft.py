"""A decision in the making: the events so far and the state they lead to.

Lives for one input, inside ``decide``; nothing outside sees it. Each event is folded as it is added, so what is decided
next in the same decision sees what was decided before.
"""

from __future__ import annotations

from msgspec.structs import replace

from ordergate.core import events as e
from ordergate.core.account import Account, Group
from ordergate.core.fold import evolve
from ordergate.core.limits import Breach
from ordergate.core.market import Market
from ordergate.core.order import Change, Order, Protection, Role, Status, Terms
from ordergate.core.sessions import day_open_ns


class Draft:
    """``market`` is what the engine stamped on the input: the prices, and the time.

    ``touched`` are the accounts that events were added to, since whoever reads it has emptied it.
    """

    def __init__(self, group: Group, market: Market) -> None:
        self.group = group
        self.market = market
        self.at_ns = market.at_ns
        self.quotes = market.quotes
        self.events: list[e.Event] = []
        self.touched: dict[int, None] = {}  # a set that keeps its order

    def add(self, event: e.Event) -> None:
        self.group = evolve(self.group, event)
        self.events.append(event)
        if event.account_id:
            self.touched[event.account_id] = None

    def account(self, account_id: int) -> Account:
        return self.group.accounts[account_id]

    def approve(self, order: Order, kind: e.ApprovalKind) -> None:
        """Approve ``order`` (its status, tag and number are set here): the only maker of ``OrderApproved``."""
        account = self.account(order.terms.account_id)
        number = account.number + 1
        order = replace(
            order,
            status=Status.APPROVED,
            tag=f"og-{self.group.install_id}-{account.account_id}-{number}",
            decided_ns=self.at_ns,
            updated_ns=self.at_ns,
        )
        self.add(
            e.OrderApproved(
                account_id=account.account_id,
                order=order,
                kind=kind,
                number=number,
                epoch=account.epoch,
                limits_version=self.group.limits_version,
                issued_ns=self.at_ns,
                quote=self.quotes.get(order.terms.contract_id),
            )
        )

    def override(self, account_id: int, order_id: str, contract_id: str, breaches: tuple[Breach, ...]) -> None:
        """Say which limits an order, or a change of one, leaves in spite of; nothing where it breaks none."""
        if breaches:
            quote = self.quotes.get(contract_id)
            self.add(e.OrderOverridden(account_id, order_id, breaches, quote, self.at_ns))

    def approve_leg(self, entry: Order, role: Role, terms: Terms, slot: int = 0) -> None:
        """Approve a stop or target of ``entry``; its id derives from the entry's and a number never used before."""
        number = self.account(entry.terms.account_id).number + 1
        leg = Order(
            order_id=f"{entry.order_id}/{role.value}/{number}",
            terms=terms,
            role=role,
            status=Status.APPROVED,
            parent_id=entry.order_id,
            slot=slot,
            instance_id=entry.instance_id,
            received_ns=self.at_ns,
        )
        self.approve(leg, e.ApprovalKind.LEG)

    def approve_close(self, exit_id: str, terms: Terms, entry_id: str | None = None) -> None:
        """Approve the market order of an exit, of the position or of one entry."""
        number = self.account(terms.account_id).number + 1
        order = Order(
            order_id=f"{exit_id}/close/{number}",
            terms=terms,
            role=Role.CLOSE,
            status=Status.APPROVED,
            parent_id=entry_id,
            received_ns=self.at_ns,
        )
        self.approve(order, e.ApprovalKind.REDUCING)

    def approve_change(
        self,
        order: Order,
        quantity: int,
        limit_ticks: int | None,
        stop_ticks: int | None,
        kind: e.ApprovalKind,
        risk_ticks: int,
    ) -> None:
        """Approve new terms of a working order: the only place where ``ModifyApproved`` is made."""
        account = self.account(order.terms.account_id)
        self.add(
            e.ModifyApproved(
                account_id=account.account_id,
                order_id=order.order_id,
                change=Change(account.number + 1, quantity, limit_ticks, stop_ticks),
                kind=kind,
                epoch=account.epoch,
                limits_version=self.group.limits_version,
                issued_ns=self.at_ns,
                risk_ticks=risk_ticks,
            )
        )

    def want_cancel(self, order: Order, reason: str) -> None:
        """Ask for the end of a live order, once."""
        if order.live and not order.cancel_wanted:
            self.add(e.CancelWanted(order.terms.account_id, order.order_id, reason))

    def request_snapshot(self, account: Account, reason: str, *, anew: bool = False) -> None:
        """Ask for all that the broker has since the oldest thing that may have changed.

        Does nothing while that is under way already, unless ``anew``: what is under way may have begun too early.
        """
        if not anew and account.timers.get("snapshot", 0) > self.at_ns:
            return
        unsettled = [order.received_ns for order in account.orders.values() if order.leaves]
        since_ns = min(day_open_ns(self.at_ns), account.day.opened_ns or self.at_ns, *unsettled)
        self.add(e.SnapshotRequested(account.account_id, reason, since_ns, self.at_ns))

    def set_protection(self, entry: Order, protection: Protection, cause: str, rests_until_ns: int = 0) -> None:
        """``rests_until_ns``: before then the stop does not trail again."""
        if protection != entry.protection:
            account_id, order_id = entry.terms.account_id, entry.order_id
            self.add(e.ProtectionChanged(account_id, order_id, protection, cause, rests_until_ns))
