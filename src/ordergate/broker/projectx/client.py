"""The gateway's REST endpoints, and what each answer proves about an order.

Invariants:
1. An order is DONE only with success and an order id; a rejection with an order id is a rejection.
2. REFUSED only for a code that is known to be final; any other failure is UNKNOWN.
3. A mutating request is sent again only after HTTP 401, once, with a new token.
4. A read gives all rows or raises; an answer without its list is no empty list.
"""

from __future__ import annotations

from http import HTTPStatus
from typing import TypeVar

from ordergate.broker.projectx import messages
from ordergate.broker.projectx.messages import CancelError, CloseError, ModifyError, PlaceError
from ordergate.broker.projectx.paging import everything
from ordergate.broker.projectx.rest import Passage, Rest, refusal
from ordergate.broker.projectx.session import Session
from ordergate.core.reports import CancelOutcome, ModifyOutcome, Outcome, PlaceOutcome
from ordergate.errors import BrokerRefused, NotSent, OutcomeUnknown, TurnedAway

# Left out: "pending" and "unknown error" are no end, and neither is a code that is not in the table.
_FINAL_PLACE = frozenset(PlaceError) - {PlaceError.ORDER_PENDING, PlaceError.UNKNOWN_ERROR}
_FINAL_MODIFY = frozenset(ModifyError) - {ModifyError.PENDING, ModifyError.UNKNOWN_ERROR}
_FINAL_CLOSE = frozenset(CloseError) - {CloseError.ORDER_PENDING, CloseError.UNKNOWN_ERROR}
_FINAL_CANCEL = frozenset(CancelError) - {CancelError.PENDING, CancelError.UNKNOWN_ERROR}

_Answer = TypeVar("_Answer", bound=messages.Answer)
_Row = TypeVar("_Row")


class Client:
    """One login's REST side. ``history`` counts against the bars' own request limit."""

    def __init__(self, rest: Rest, history: Rest, session: Session) -> None:
        self.room_s = rest.room_s
        self._rest = rest
        self._history = history
        self._session = session

    async def place(self, body: messages.PlaceBody, passage: Passage) -> PlaceOutcome:
        """Send one order; never raises for what the network or the broker does."""

        def ended(outcome: Outcome, code: int, text: str, order_id: int | None = None) -> PlaceOutcome:
            return PlaceOutcome(body.account_id, body.custom_tag, outcome, order_id, code, text)

        try:
            answer = await self._post("Order/place", body, messages.PlaceAnswer, passage)
        except (NotSent, OutcomeUnknown, BrokerRefused) as error:
            return ended(*_ending(error))
        order_id = answer.order_id or None
        if not answer.success:
            failed = refusal("Order/place", answer, PlaceError)
            final = answer.error_code in _FINAL_PLACE and not _tag_is_used(failed.text)
            # A used tag is the first sending's: the engine finds its order by the tag, and this answer's id is not it.
            return (
                ended(Outcome.REFUSED, failed.code, failed.text, order_id)
                if final
                else ended(Outcome.UNKNOWN, failed.code, failed.text)
            )
        if order_id is None:
            return ended(Outcome.UNKNOWN, 0, "success without an order id")
        return ended(Outcome.DONE, 0, "", order_id)

    async def modify(self, body: messages.ModifyBody, order_tag: str, number: int, passage: Passage) -> ModifyOutcome:
        """Change one order; never raises for what the network or the broker does."""
        try:
            answer = await self._post("Order/modify", body, messages.Answer, passage)
            outcome, code, text = _verdict("Order/modify", answer, ModifyError, _FINAL_MODIFY)
        except (NotSent, OutcomeUnknown, BrokerRefused) as error:
            outcome, code, text = _ending(error)
        return ModifyOutcome(body.account_id, order_tag, number, outcome, code, text)

    async def cancel(self, account_id: int, broker_order_id: int, passage: Passage) -> CancelOutcome:
        """Cancel one order; never raises for what the network or the broker does."""
        body = messages.CancelBody(account_id, broker_order_id)
        try:
            answer = await self._post("Order/cancel", body, messages.Answer, passage)
            outcome, code, text = _verdict("Order/cancel", answer, CancelError, _FINAL_CANCEL)
        except (NotSent, OutcomeUnknown, BrokerRefused) as error:
            return CancelOutcome(account_id, broker_order_id, *_ending(error))
        # Known of followers and of live accounts (ProjectX API notes, section 4.1, 2026-11-22).
        forbidden = answer.error_code == CancelError.ACCOUNT_REJECTED and not answer.success
        return CancelOutcome(account_id, broker_order_id, outcome, code, text, forbidden)

    async def close_contract(self, account_id: int, contract_id: str, passage: Passage) -> tuple[Outcome, str]:
        """Close the whole position, for a person at the terminal; never raises for what the network or the broker does.

        No part of a desk asks for it: what closes there is an order of its own, with an approval.
        """
        endpoint, body = "Position/closeContract", messages.CloseBody(account_id, contract_id)
        try:
            answer = await self._post(endpoint, body, messages.Answer, passage)
            outcome, _, text = _verdict(endpoint, answer, messages.CloseError, _FINAL_CLOSE)
        except (NotSent, OutcomeUnknown, BrokerRefused) as error:
            outcome, _, text = _ending(error)
        return outcome, text

    # Reads. Each raises NotSent, OutcomeUnknown (here: not answered) or BrokerRefused.

    async def accounts(self, passage: Passage, *, only_active: bool) -> tuple[messages.Account, ...]:
        """The login's accounts."""
        body = messages.AccountsBody(only_active)
        answer = await self._read("Account/search", body, messages.AccountsAnswer, messages.ListError, passage)
        return _listed("Account/search", answer.accounts)

    async def contracts(self, passage: Passage) -> tuple[messages.Contract, ...]:
        """One active contract of each product."""
        body = messages.ContractsBody(live=False)
        answer = await self._read("Contract/available", body, messages.ContractsAnswer, messages.ListError, passage)
        return _listed("Contract/available", answer.contracts)

    async def contract(self, contract_id: str, passage: Passage) -> messages.Contract:
        """Any contract, expired ones included."""
        body = messages.ContractBody(contract_id)
        answer = await self._read("Contract/searchById", body, messages.ContractAnswer, messages.ContractError, passage)
        if answer.contract is None:
            raise OutcomeUnknown("Contract/searchById: success without a contract")
        return answer.contract

    async def open_orders(self, account_id: int, passage: Passage) -> tuple[messages.Order, ...]:
        """Orders of status Open; suspended bracket legs are not among them (ProjectX API notes, section 5.4)."""
        body = messages.AccountBody(account_id)
        answer = await self._read("Order/searchOpen", body, messages.OrdersAnswer, messages.SearchError, passage)
        return _listed("Order/searchOpen", answer.orders)

    async def orders(self, account_id: int, since: str, passage: Passage) -> tuple[messages.Order, ...]:
        """Orders of any status created since then."""

        async def page(start: str, end: str | None) -> tuple[messages.Order, ...]:
            body = messages.SinceBody(account_id, start, end)
            answer = await self._read("Order/search", body, messages.OrdersAnswer, messages.SearchError, passage)
            return _listed("Order/search", answer.orders)

        return await everything(page, since)

    async def trades(self, account_id: int, since: str, passage: Passage) -> tuple[messages.Trade, ...]:
        """Fills since then."""

        async def page(start: str, end: str | None) -> tuple[messages.Trade, ...]:
            body = messages.SinceBody(account_id, start, end)
            answer = await self._read("Trade/search", body, messages.TradesAnswer, messages.SearchError, passage)
            return _listed("Trade/search", answer.trades)

        return await everything(page, since)

    async def positions(self, account_id: int, passage: Passage) -> tuple[messages.Position, ...]:
        """One net row for each contract held."""
        body = messages.AccountBody(account_id)
        answer = await self._read("Position/searchOpen", body, messages.PositionsAnswer, messages.SearchError, passage)
        return _listed("Position/searchOpen", answer.positions)

    async def bars(self, body: messages.BarsBody, passage: Passage) -> tuple[messages.Bar, ...]:
        """Bars of a contract, the newest first."""
        endpoint = "History/retrieveBars"
        answer = await self._read(endpoint, body, messages.BarsAnswer, messages.BarError, passage, self._history)
        return _listed(endpoint, answer.bars)

    async def _read(
        self,
        endpoint: str,
        body: messages.Body,
        answer: type[_Answer],
        codes: type[messages.ErrorCode],
        passage: Passage,
        rest: Rest | None = None,
    ) -> _Answer:
        found = await self._post(endpoint, body, answer, passage, rest)
        if not found.success:
            raise refusal(endpoint, found, codes)
        return found

    async def _post(
        self, endpoint: str, body: messages.Body, answer: type[_Answer], passage: Passage, rest: Rest | None = None
    ) -> _Answer:
        rest = rest or self._rest
        token = await self._token(endpoint)
        try:
            return await rest.post(endpoint, body, answer, passage, token)
        except TurnedAway as error:
            if error.status != HTTPStatus.UNAUTHORIZED:
                raise
        self._session.refused(token)
        return await rest.post(endpoint, body, answer, passage, await self._token(endpoint))

    async def _token(self, endpoint: str) -> str:
        """Whatever keeps the login from succeeding, the request itself has not left."""
        try:
            return await self._session.token()
        except (OutcomeUnknown, BrokerRefused) as error:
            raise NotSent(f"{endpoint}: {error}") from error


def _verdict(
    endpoint: str, answer: messages.Answer, codes: type[messages.ErrorCode], final: frozenset[messages.ErrorCode]
) -> tuple[Outcome, int, str]:
    if answer.success:
        return Outcome.DONE, 0, ""
    failed = refusal(endpoint, answer, codes)
    return Outcome.REFUSED if answer.error_code in final else Outcome.UNKNOWN, failed.code, failed.text


def _ending(error: NotSent | OutcomeUnknown | BrokerRefused) -> tuple[Outcome, int, str]:
    match error:
        case NotSent():
            return Outcome.NOT_SENT, 0, str(error)
        case OutcomeUnknown():
            return Outcome.UNKNOWN, 0, str(error)
        case BrokerRefused():
            return Outcome.REFUSED, error.code, error.text


def _listed(endpoint: str, rows: tuple[_Row, ...] | None) -> tuple[_Row, ...]:
    if rows is None:
        raise OutcomeUnknown(f"{endpoint}: success without a list")
    return rows


def _tag_is_used(text: str) -> bool:
    """UNVERIFIED: exact words and case of "custom tag already in use" (ProjectX API notes, section 4.1)."""
    return "custom tag already in use" in text.casefold()
