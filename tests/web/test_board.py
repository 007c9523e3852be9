"""Invariants 1 and 2 of ``web/board``, against histories made by the real ``decide``."""

from __future__ import annotations

from decimal import Decimal

from hypothesis import given
from hypothesis import strategies as st

from ordergate.core import reports as r
from ordergate.core.account import Group
from ordergate.core.commands import CancelAll, CancelOrder, ClosePosition, Flatten, Leg, ModifyOrder, UpdateProtection
from ordergate.core.events import TradingDayOpened
from ordergate.core.fold import evolve
from ordergate.core.inputs import Mark
from ordergate.core.limits import Limits
from ordergate.core.order import OrderType, Role, Side
from ordergate.web import views
from ordergate.web.board import Board
from ordergate.web.stream import Stream
from tests.simulation.virtual_time import run
from tests.web.history import MES, MES_TICKS, MNQ, SECOND_NS, A, B, History
from tests.web.page import heard, page

STEPS = (
    "buy", "sell", "limit", "stop", "fill", "cancel", "modify", "protect", "close", "flatten", "cancel all", "external",
    "external fill", "quote", "wait", "day", "link", "balance", "hold", "unknown", "reject", "bust", "another account",
    "correct", "unreadable",
)  # fmt: skip
Step = tuple[str, int, int]
steps = st.lists(st.tuples(st.sampled_from(STEPS), st.integers(0, 7), st.integers(-20, 20)), max_size=25)


def take(history: History, step: Step, number: int) -> None:
    """One thing that happens; what cannot happen now does not."""
    kind, pick, move = step
    name, size, account = f"o{number}", pick % 4 + 1, history.account()
    resting = [o for o in account.live_orders(MES) if o.broker_order_id is not None]
    one = resting[pick % len(resting)] if resting else None
    match kind:
        case "buy" | "sell":
            history.submit(name, Side.BUY if kind == "buy" else Side.SELL, size)
        case "limit":
            history.submit(name, Side.BUY, size, order_type=OrderType.LIMIT, limit_ticks=MES_TICKS - 50 + move)
        case "stop":
            history.submit(name, Side.SELL, size, order_type=OrderType.STOP, stop_ticks=MES_TICKS - 50 + move)
        case "another account":
            history.submit(name, Side.BUY, size, account_id=B, contract_id=MNQ)
        case "fill" if one is not None and one.leaves and not history.hold:
            history.fill(one.order_id, min(size, one.leaves), MES_TICKS + move)
        case "cancel" if one is not None:
            history.put(CancelOrder(name, one.order_id, A))
        case "modify" if one is not None and one.terms.limit_ticks is not None:
            history.put(ModifyOrder(name, one.order_id, A, limit_ticks=one.terms.limit_ticks - pick))
        case "protect":
            history.put(UpdateProtection(name, A, MES, MES_TICKS - 60 + move, MES_TICKS + 200 + move))
        case "close":
            history.put(ClosePosition(name, A, MES, 1 if pick else None))
        case "flatten":
            history.put(Flatten(name, A if pick else None))
        case "cancel all":
            history.put(CancelAll(name, None))
        case "external":
            history.put(history.broker.external(Side.BUY, size, MES_TICKS + move, history.at_ns))
        case "external fill":
            rows = [o for o in resting if o.role is Role.EXTERNAL and o.leaves]
            for order in rows[:1]:
                history.fill(order.order_id, 1, MES_TICKS + move)
        case "quote":
            history.quote(MES, MES_TICKS + move)
            history.put(Mark())
        case "wait":
            history.wait(pick)
        case "day":
            history.wait(86_400)
        case "link":
            history.put(r.LinkReport(pick % 2 == 0, "a test"))
        case "balance":
            history.put(r.AccountReport(A, "PRACTICE", Decimal(50_000 + move), can_trade=pick != 0))
        case "hold":
            history.hold = not history.hold
        case "unknown" | "reject":
            waiting = next((o for o in account.live_orders() if o.broker_order_id is None), None)
            if waiting is not None:
                outcome = r.Outcome.UNKNOWN if kind == "unknown" else r.Outcome.REFUSED
                history.put(r.PlaceOutcome(A, waiting.tag, outcome, code=2, text="a test"))
        case "bust" if history.broker.fills:
            fill = history.broker.fills[pick % len(history.broker.fills)]
            history.put(
                r.FillReport(**{name: getattr(fill, name) for name in fill.__struct_fields__} | {"voided": True})
            )
        case "correct":
            snapshot = history.broker.snapshot(A, 0, history.at_ns)
            wrong = (r.PositionReport(A, MES, pick, pick * MES_TICKS),) if pick else ()
            for _ in range(2):
                history.put(
                    r.BrokerSnapshot(snapshot.account, 0, history.at_ns, wrong, snapshot.orders, snapshot.fills)
                )
        case "unreadable":
            history.put(r.Unreadable(A, "a test"))
        case _:
            pass


@given(steps)
def test_a_snapshot_is_an_earlier_one_with_the_events_between_and_both_are_the_views_of_the_state(
    chosen: list[Step],
) -> None:
    async def main() -> None:
        history, stream = History().open(A, B), Stream()
        board, group = Board(stream), Group()
        for _, event in history.happened:
            group = evolve(group, event)
        board.show(group, history.at_ns)
        client, kept = stream.listen(), page(board.snapshot(history.at_ns))
        for number, step in enumerate(chosen):
            seen = len(history.happened)
            take(history, step, number)
            for _, event in history.happened[seen:]:
                group = evolve(group, event)
                board.follow(group, event, history.at_ns)
                if client.closed:  # a new day has let the fills of the old one go: begin anew
                    assert isinstance(event, TradingDayOpened)
                    client, kept = stream.listen(), page(board.snapshot(history.at_ns))
                for told in await heard(client, stream, kept.number):
                    kept.apply(told)
                assert kept.rows == page(board.snapshot(history.at_ns)).rows
            assert group == history.group
            board.mark(history.quotes, history.at_ns)
            for told in await heard(client, stream, kept.number):
                kept.apply(told)
            assert kept.rows == page(board.snapshot(history.at_ns)).rows
            rows = views.rows(group, history.quotes, history.at_ns)
            assert {row.account_id: row for row in board.accounts()} == rows.accounts
            assert {(row.account_id, row.contract_id): row for row in board.positions()} == rows.positions
            assert {(row.account_id, row.order_id): row for row in board.orders()} == rows.orders
            assert {(row.account_id, row.fill_id): row for row in board.fills()} == rows.fills
            assert board.prices(history.at_ns) == {
                name: views.aged(row, history.at_ns) for name, row in rows.prices.items()
            }

    run(main())


def shown(history: History) -> tuple[Board, Stream]:
    stream = Stream()
    board = Board(stream)
    board.show(history.group, history.at_ns)
    board.mark(history.quotes, history.at_ns)
    return board, stream


def test_a_state_that_is_shown_twice_tells_nothing_the_second_time() -> None:
    history = History().open()
    history.submit("o1")
    board, stream = shown(history)
    number = stream.number
    board.show(history.group, history.at_ns)
    board.mark(history.quotes, history.at_ns)
    assert stream.number == number


def follow(board: Board, history: History, group: Group) -> None:
    """Show what happened since ``group``."""
    for _, event in history.happened[group.version :]:
        group = evolve(group, event)
        board.follow(group, event, history.at_ns)


def test_legs_that_were_there_when_the_whole_state_was_shown_are_not_forgotten() -> None:
    history = History().open()
    history.submit("o1")
    (board, _), group = shown(history), history.group
    history.at_ns += SECOND_NS
    history.put(UpdateProtection("u", A, MES, MES_TICKS - 20))
    follow(board, history, group)
    (row,) = board.orders()
    assert row.stop_loss is not None
    assert row.stop_loss.price == Decimal(4995)
    assert row.take_profit is not None


def test_a_fill_that_is_taken_back_from_a_finished_order_is_shown() -> None:
    history = History().open()
    history.hold = True  # fills come without the order's own row, so that nothing else is left to do for the order
    for name, side in (("in", Side.BUY), ("out", Side.SELL)):
        history.submit(name, side, stop=Leg.OFF, targets=Leg.OFF)
        tag = history.account().orders[name].tag
        number = 1 if name == "in" else 2
        history.put(r.PlaceOutcome(A, tag, r.Outcome.DONE, number))
        fill = r.FillReport(A, number, number, MES, side, 1, MES_TICKS, Decimal(0), None, False, history.at_ns)  # noqa: FBT003
        history.put(fill)
    assert history.account().orders == {}
    (board, _), group = shown(history), history.group
    history.put(r.FillReport(A, 1, 1, MES, Side.BUY, 1, MES_TICKS, Decimal(0), None, True, history.at_ns))  # noqa: FBT003
    follow(board, history, group)
    assert [(row.order_id, row.filled_quantity) for row in board.orders()] == [("out", 1), ("in", 0)]


def test_the_newest_order_comes_first() -> None:
    history = History().open()
    for number in range(3):
        history.at_ns += 1_000_000
        history.submit(f"o{number}")
    board, _ = shown(history)
    assert [row.order_id for row in board.orders()] == ["o2", "o1", "o0"]


def test_a_position_that_became_flat_is_told_once_and_listed_no_more() -> None:
    async def main() -> None:
        history = History().open()
        history.submit("o1", Side.BUY, 2)
        board, stream = shown(history)
        client, number = stream.listen(), stream.number
        group = history.group
        history.put(ClosePosition("c", A, MES))
        follow(board, history, group)
        told = [row for _, name, row in await heard(client, stream, number) if name == "position"]
        assert [(row["side"], row["quantity"], row["netPosition"]) for row in told][-1] == ("FLAT", 0, 0)
        assert board.positions() == []

    run(main())


def test_when_rows_have_gone_without_an_event_clients_are_let_go_and_the_number_moves_on() -> None:
    async def main() -> None:
        history = History(Limits(open_orders_max=1_000)).open()
        board, stream = shown(history)
        client = stream.listen()
        history.submit("o1")
        board.show(history.group, history.at_ns)
        number = stream.number
        board.show(History().open().group, history.at_ns)
        assert stream.number == number + 1
        assert client.closed
        assert board.orders() == []

    run(main())


def test_the_orders_of_an_earlier_day_go_when_the_state_lets_them_go() -> None:
    history = History().open()
    for number in range(3):
        history.submit(f"o{number}", quantity=20)
    board, stream = shown(history)
    number, account = stream.number, history.account()
    # The fold keeps 500 finished orders; a state that keeps none stands for one with more than that.
    opened = TradingDayOpened(A, "2026-11-24", account.balance_usd, Decimal(0), history.at_ns)
    emptied = History().open().group
    board.follow(emptied, opened, history.at_ns)
    assert board.orders() == []
    assert stream.number == number + 1


def test_accounts_stand_in_the_order_of_their_ids_whichever_was_seen_first() -> None:
    board, _ = shown(History().open(B, A))
    assert [row.account_id for row in board.accounts()] == [A, B]
