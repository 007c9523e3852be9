"""Topstep's rules, watched and enforced at each step of the market: ``topstep`` decides, this acts on the venue."""

from __future__ import annotations

from decimal import Decimal

import msgspec
import structlog

from ordergate.clock import Clock
from ordergate.exchange import hours, listing, topstep
from ordergate.exchange.accounts import Account
from ordergate.exchange.settings import ExchangeSettings
from ordergate.exchange.topstep import Breach
from ordergate.exchange.venue import Venue

_log = structlog.get_logger(part="firm")


class Firm:
    """See the module. Without ``settings.topstep`` it does only what it is asked to."""

    def __init__(self, settings: ExchangeSettings, venue: Venue, clock: Clock) -> None:
        self._starting_usd = settings.starting_balance_usd
        self._plan = topstep.PLANS[settings.starting_balance_usd] if settings.topstep else None
        self._venue = venue
        self._clock = clock

    def step(self) -> None:
        """Begin a day, or close and lock an account that has touched a limit. Raises ``StoreUnavailable``."""
        now_ns = self._clock.now_ns()
        day = hours.trading_day(now_ns).isoformat()
        for known in list(self._venue.book.accounts.values()):
            account = known
            if account.day != day and (self._plan is not None or account.locked):
                account = topstep.at_start_of(day, account)
                self._venue.put_account(account)
            if account.locked:
                self._venue.liquidate(account.account_id)  # what a pause kept open at first
            elif self._plan is None:
                continue
            elif topstep.is_flat_time(now_ns):
                self._venue.liquidate(account.account_id)
            elif account.can_trade:
                found = topstep.breach(account, self._plan, self._starting_usd, self._open_pnl_usd(account))
                if found is not None:
                    self._close(account, found)

    def liquidate(self, account_id: int) -> bool:
        """Close and lock an account for the day, limits or not; whether there is one. Raises ``StoreUnavailable``."""
        account = self._venue.book.accounts.get(account_id)
        if account is None:
            return False
        day = hours.trading_day(self._clock.now_ns()).isoformat()
        self._close(msgspec.structs.replace(account, day=day), Breach.DECIDED)
        return True

    def _close(self, account: Account, found: Breach) -> None:
        """Lock first, so that nothing opens in between."""
        _log.info("account locked", account_id=account.account_id, why=found.value)
        self._venue.put_account(topstep.locked(account, found))
        self._venue.liquidate(account.account_id)

    def _open_pnl_usd(self, account: Account) -> Decimal:
        """What the account's positions would earn at the last trades, before fees."""
        pnl = Decimal(0)
        for held in self._venue.book.positions.values():
            if held.account_id == account.account_id:
                tick_value_usd = listing.known_contract(held.contract_id).product.tick_value_usd
                last = self._venue.book.markets[held.contract_id].last
                pnl += tick_value_usd * last * held.net_quantity - held.cost_usd
        return pnl
