"""The last hop: no valid approval, no place, no modify; and what is told of every request."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Callable
from typing import Any

import msgspec
import pytest

from ordergate.broker.approvals import LIFETIME_NS, Approved, Introduce, approve
from ordergate.broker.challenge import CLOCKS_APART_NS_MAX, PATH, Proof, proven
from ordergate.broker.lanes import WIDTH
from ordergate.broker.projectx.budget import RequestLimits
from ordergate.bus.port import Topic
from ordergate.core.effects import Cancel, LookUp, Modify, RaiseEpoch, ReadSnapshot
from ordergate.core.events import ApprovalKind
from ordergate.core.order import OrderType, Side
from ordergate.core.reports import (
    AccountReport,
    ApprovalRefused,
    BrokerSnapshot,
    CancelOutcome,
    CheckReport,
    InstrumentsReport,
    LinkReport,
    LookupOutcome,
    ModifyOutcome,
    Outcome,
    PlaceOutcome,
    Unreadable,
)
from ordergate.errors import JournalDamaged, SequenceConflict
from ordergate.journal.memory import MemoryJournal
from ordergate.journal.port import Entry
from ordergate.net.port import Response
from tests.broker.stand_in import ACCOUNT, BOOK, KEY, MES, MNQ, Desk, FullDisk, position
from tests.simulation.virtual_time import run

PLACE = "Order/place"
USED = Entry("connection-manager", 0, "approval-used", 1, b'{"approval_id":"sim:101:live/7","order_tag":"tag-7"}')


def test_an_approved_order_is_sent_once_and_its_steps_come_in_order() -> None:
    async def main() -> None:
        desk = Desk()
        async with desk.open():
            approved = desk.approved()
            await desk.send(approved)
            outcome = await desk.report(PlaceOutcome)
        assert outcome == PlaceOutcome(ACCOUNT, "tag-1", Outcome.DONE, 9001)
        assert desk.broker.bodies(PLACE) == [
            {"accountId": ACCOUNT, "contractId": MNQ, "type": 2, "side": 0, "size": 1, "customTag": "tag-1"}
        ]
        assert [step for step, name in desk.steps if name == "order-1"] == [
            "command received",
            "approval recorded",
            "order sent",
            "order answered",
            "report published",
        ]

    run(main())


def test_an_order_or_a_change_without_an_approval_is_neither_sent_nor_answered() -> None:
    async def main() -> None:
        desk = Desk()
        async with desk.open():
            place = desk.place()
            for topic in (Topic.COMMANDS, Topic.EXITS):
                await desk.send(place, topic)
                await desk.send(Modify(place.terms, place.order_tag, 9001, place.grant), topic)
            await desk.bus.send(Topic.COMMANDS, b'{"type":"place"}')
            await desk.bus.send(Topic.COMMANDS, b"\xff not JSON")
            await desk.send(desk.approved())
            assert (await desk.report(PlaceOutcome)).order_tag == "tag-2"
        refused = [report for report in desk.reports if isinstance(report, ApprovalRefused)]
        assert Counter(report.order_tag for report in refused) == {"tag-1": 4, "": 2}
        assert desk.broker.count(PLACE) == 1
        assert desk.broker.count("Order/modify") == 0

    run(main())


def forged(desk: Desk) -> Approved:
    return approve(desk.place(), BOOK, b"another key")


def altered(desk: Desk) -> Approved:
    approved = desk.approved()
    terms = msgspec.structs.replace(approved.effect.terms, quantity=10)
    return Approved(approved.approval, msgspec.structs.replace(approved.effect, terms=terms))


def of_another_book(desk: Desk) -> Approved:
    return approve(desk.place(), f"live:{ACCOUNT}:live", KEY)


def expired(desk: Desk) -> Approved:
    place = desk.place()
    grant = msgspec.structs.replace(place.grant, issued_ns=place.grant.issued_ns - LIFETIME_NS)
    return desk.approved(msgspec.structs.replace(place, grant=grant))


def issued_before_the_start(desk: Desk) -> Approved:
    place = desk.place()
    grant = msgspec.structs.replace(place.grant, issued_ns=place.grant.issued_ns - 3_600_000_000_000)
    return desk.approved(msgspec.structs.replace(place, grant=grant))


@pytest.mark.parametrize("make", [forged, altered, of_another_book])
def test_an_approval_that_is_not_ours_reaches_no_broker_and_gets_no_answer(make: Callable[[Desk], Approved]) -> None:
    async def main() -> None:
        desk = Desk()
        async with desk.open():
            await desk.send(make(desk))
            await asyncio.sleep(30)
        assert desk.broker.count(PLACE) == 0
        assert (await desk.report(ApprovalRefused)).order_tag == "tag-1"
        assert not [report for report in desk.reports if isinstance(report, PlaceOutcome)]

    run(main())


@pytest.mark.parametrize("make", [expired, issued_before_the_start])
def test_an_approval_out_of_its_time_reaches_no_broker_and_is_answered_not_sent(
    make: Callable[[Desk], Approved],
) -> None:
    async def main() -> None:
        desk = Desk()
        async with desk.open():
            await asyncio.sleep(10)  # so that an expired approval was still issued after the start
            await desk.send(make(desk))
            outcome = await desk.report(PlaceOutcome)
        assert outcome.outcome is Outcome.NOT_SENT
        assert make.__name__.split("_")[0] in outcome.text
        assert (await desk.report(ApprovalRefused)).reason == outcome.text
        assert desk.broker.count(PLACE) == 0

    run(main())


def test_an_approval_of_an_older_epoch_reaches_no_broker() -> None:
    async def main() -> None:
        desk = Desk()
        async with desk.open():
            await desk.send(RaiseEpoch(ACCOUNT, 2), Topic.EXITS)
            await asyncio.sleep(1)
            await desk.send(desk.approved(desk.place(epoch=1)))
            outcome = await desk.report(PlaceOutcome)
            assert outcome.outcome is Outcome.NOT_SENT
            assert "superseded" in outcome.text
            assert desk.broker.count(PLACE) == 0
            await desk.send(desk.approved(desk.place(epoch=2)))
            assert (await desk.report(PlaceOutcome)).outcome is Outcome.DONE

    run(main())


def test_an_epoch_raised_while_an_order_waits_to_leave_still_stops_it() -> None:
    async def main() -> None:
        desk = Desk(limits=RequestLimits(requests_max=10, window_s=4, reserve=5))
        async with desk.open():
            await asyncio.sleep(3)
            await desk.send(desk.approved())
            await desk.send(desk.approved())
            await desk.send(desk.approved())  # waits for room in the request limit
            await desk.send(desk.approved())
            await desk.send(desk.approved())
            await desk.send(desk.approved())
            await asyncio.sleep(0.1)
            sent = desk.broker.count(PLACE)
            assert sent < 6
            await desk.send(RaiseEpoch(ACCOUNT, 1), Topic.EXITS)
            await asyncio.sleep(10)
        assert desk.broker.count(PLACE) == sent
        late = [report for report in desk.reports if isinstance(report, PlaceOutcome)][sent:]
        assert {report.outcome for report in late} == {Outcome.NOT_SENT}

    run(main())


def test_a_replayed_approval_is_sent_once_whichever_lane_it_comes_by() -> None:
    async def main() -> None:
        desk = Desk()
        async with desk.open():
            approved = desk.approved()
            for topic in (Topic.COMMANDS, Topic.COMMANDS, Topic.EXITS):
                await desk.send(approved, topic)
            outcomes = [(await desk.report(PlaceOutcome)).outcome for _ in range(3)]
        assert sorted(outcome.value for outcome in outcomes) == ["done", "unknown", "unknown"]
        assert desk.broker.count(PLACE) == 1

    run(main())


def test_an_approval_replayed_after_a_restart_is_not_sent_again_and_stays_in_doubt() -> None:
    async def main() -> None:
        journal = MemoryJournal()
        desk = Desk(journal)
        async with desk.open():
            approved = desk.approved()
            await desk.send(approved)
            await desk.report(PlaceOutcome)
        await asyncio.sleep(1)
        desk.journal = journal.reopened()
        async with desk.open():
            await desk.send(approved)
            assert (await desk.report(PlaceOutcome)).outcome is Outcome.UNKNOWN
            await desk.send(desk.approved())  # the record goes on where it ended
            assert (await desk.report(PlaceOutcome)).outcome is Outcome.DONE
        assert desk.broker.count(PLACE) == 2

    run(main())


def test_with_a_broken_record_new_risk_is_not_sent_and_a_stop_is() -> None:
    async def main() -> None:
        desk = Desk(FullDisk())
        async with desk.open():
            for kind in (ApprovalKind.APPROVED, ApprovalKind.PASSED, ApprovalKind.OVERRIDDEN):
                await desk.send(desk.approved(desk.place(kind=kind)))
                assert (await desk.report(PlaceOutcome)).outcome is Outcome.NOT_SENT
            assert desk.broker.count(PLACE) == 0
            stop = desk.place(kind=ApprovalKind.LEG, side=Side.SELL, order_type=OrderType.STOP, stop_ticks=79_960)
            await desk.send(desk.approved(stop), Topic.EXITS)
            assert (await desk.report(PlaceOutcome)).outcome is Outcome.DONE
        assert desk.broker.bodies(PLACE)[0]["stopPrice"] == 19_990

    run(main())


def test_a_second_connection_manager_on_the_same_record_ends_the_first_before_it_sends() -> None:
    desks = []

    async def main() -> None:
        desk = Desk()
        desks.append(desk)
        async with desk.open():
            await desk.journal.append([USED], {USED.book: 0})  # the rival's
            await desk.send(desk.approved())
            await asyncio.sleep(5)

    with pytest.raises(ExceptionGroup) as ended:
        run(main())
    assert ended.value.subgroup(SequenceConflict) is not None
    assert desks[0].broker.count(PLACE) == 0


@pytest.mark.parametrize(
    "entry", [msgspec.structs.replace(USED, version=2), msgspec.structs.replace(USED, kind="something-else")]
)
def test_a_record_of_a_newer_version_is_not_guessed_at(entry: Entry) -> None:
    async def main() -> None:
        desk = Desk()
        await desk.journal.append([entry], {entry.book: 0})
        async with desk.open(until_linked=False):
            await asyncio.sleep(5)

    with pytest.raises(JournalDamaged):
        run(main())


def test_the_approval_is_on_record_before_the_request_leaves() -> None:
    async def main() -> None:
        desk = Desk()
        seen: list[int] = []

        async def place(body: dict[str, Any]) -> dict[str, Any]:
            seen.append(len([row async for row in desk.journal.read()]))
            return {"orderId": desk.broker.placed(body)["id"]}

        desk.broker.script[PLACE] = place
        async with desk.open():
            await desk.send(desk.approved())
            await desk.report(PlaceOutcome)
        assert seen == [1]

    run(main())


@pytest.mark.parametrize(
    ("held", "side", "quantity", "goes"),
    [
        (position(1, 2), Side.SELL, 2, True),
        (position(1, 2), Side.SELL, 3, False),
        (position(1, 2), Side.BUY, 1, False),
        (position(2, 2), Side.BUY, 1, True),
        (position(1, 2, MES), Side.SELL, 1, False),
        (None, Side.SELL, 1, False),
    ],
)
def test_a_reducing_order_is_checked_against_the_brokers_own_position(
    held: dict[str, Any] | None, side: Side, quantity: int, *, goes: bool
) -> None:
    async def main() -> None:
        desk = Desk()
        desk.broker.positions = [held] if held else []
        async with desk.open():
            order = desk.place(kind=ApprovalKind.REDUCING, side=side, quantity=quantity)
            await desk.send(desk.approved(order), Topic.EXITS)
            outcome = await desk.report(PlaceOutcome)
        assert outcome.outcome is (Outcome.DONE if goes else Outcome.NOT_SENT)
        assert desk.broker.count(PLACE) == goes
        if not goes:
            assert "does not reduce the broker's position of" in outcome.text

    run(main())


def test_a_reducing_order_is_not_sent_when_the_position_cannot_be_read() -> None:
    async def main() -> None:
        desk = Desk()
        desk.broker.script["Position/searchOpen"] = lambda _body: Response(502)
        async with desk.open():
            await desk.send(desk.approved(desk.place(kind=ApprovalKind.REDUCING)), Topic.EXITS)
            assert (await desk.report(PlaceOutcome)).outcome is Outcome.NOT_SENT
        assert desk.broker.count(PLACE) == 0

    run(main())


def test_an_order_on_a_contract_that_nobody_knows_is_not_sent() -> None:
    async def main() -> None:
        desk = Desk()
        async with desk.open():
            await desk.send(desk.approved(desk.place(contract_id="CON.F.US.XX.U26")))
            outcome = await desk.report(PlaceOutcome)
        assert outcome.outcome is Outcome.NOT_SENT
        assert "contract not found" in outcome.text
        assert desk.broker.count(PLACE) == 0

    run(main())


def test_entries_hang_no_more_than_a_lane_wide_and_an_exit_does_not_wait_behind_them() -> None:
    async def main() -> None:
        desk = Desk()
        released = asyncio.Event()

        async def hang(_body: dict[str, Any]) -> Response:
            await released.wait()
            return Response(502)

        desk.broker.script[PLACE] = hang
        async with desk.open():
            for _ in range(WIDTH + 10):
                await desk.send(desk.approved())
            await asyncio.sleep(1)
            assert desk.broker.count(PLACE) == WIDTH
            await desk.send(Cancel(ACCOUNT, 77), Topic.EXITS)
            assert (await desk.report(CancelOutcome, within_s=1)).outcome is Outcome.DONE
            released.set()

    run(main())


def test_a_modify_and_a_cancel_are_sent_and_answered() -> None:
    async def main() -> None:
        desk = Desk()
        async with desk.open():
            place = desk.place(order_type=OrderType.LIMIT, limit_ticks=80_000, quantity=2)
            await desk.send(desk.approved(Modify(place.terms, place.order_tag, 9001, place.grant, "changed")))
            assert await desk.report(ModifyOutcome) == ModifyOutcome(ACCOUNT, "tag-1", 1, Outcome.DONE)
            await desk.send(Cancel(ACCOUNT, 9001, "cancelled"), Topic.EXITS)
            assert await desk.report(CancelOutcome) == CancelOutcome(ACCOUNT, 9001, Outcome.DONE)
        assert desk.broker.bodies("Order/modify") == [
            {"accountId": ACCOUNT, "orderId": 9001, "size": 2, "limitPrice": 20_000}
        ]
        assert desk.broker.bodies("Order/cancel") == [{"accountId": ACCOUNT, "orderId": 9001}]
        for name in ("changed", "cancelled"):
            assert ("order sent", name) in desk.steps

    run(main())


def test_an_order_accepted_without_an_answer_is_unknown_and_found_by_its_tag() -> None:
    async def main() -> None:
        desk = Desk()

        def accept_and_fail(body: dict[str, Any]) -> Response:
            desk.broker.placed(body)
            return Response(502)

        desk.broker.script[PLACE] = accept_and_fail
        async with desk.open():
            since_ns = desk.clock.now_ns()
            await desk.send(desk.approved())
            assert (await desk.report(PlaceOutcome)).outcome is Outcome.UNKNOWN
            await desk.send(LookUp(ACCOUNT, "tag-1", since_ns))
            looked_up = await desk.report(LookupOutcome)
        assert looked_up.outcome is Outcome.DONE
        assert looked_up.found is not None
        assert looked_up.found.broker_order_id == 9001
        assert desk.broker.count(PLACE) == 1

    run(main())


def test_a_tag_that_is_in_neither_list_is_absent_and_one_that_cannot_be_read_is_unknown() -> None:
    async def main() -> None:
        desk = Desk()
        async with desk.open():
            await desk.send(LookUp(ACCOUNT, "nowhere", 0))
            assert await desk.report(LookupOutcome) == LookupOutcome(ACCOUNT, "nowhere", Outcome.DONE, None)
            desk.broker.script["Order/search"] = lambda _body: {"orders": None}
            await desk.send(LookUp(ACCOUNT, "nowhere", 0))
            assert (await desk.report(LookupOutcome)).outcome is Outcome.UNKNOWN

    run(main())


def test_a_tag_that_is_in_neither_list_is_told_with_what_has_filled_since() -> None:
    async def main() -> None:
        desk = Desk()
        fill = {
            "id": 7,
            "accountId": ACCOUNT,
            "contractId": MNQ,
            "creationTimestamp": "2026-11-23T15:00:00+00:00",
            "price": 20_000,
            "fees": 0.36,
            "side": 0,
            "size": 1,
            "voided": False,
            "orderId": 9_057,
        }
        desk.broker.trades = [fill, fill | {"id": 8, "contractId": "CON.F.US.NOPE.U26"}]
        async with desk.open():
            await desk.send(LookUp(ACCOUNT, "nowhere", 0))
            looked_up = await desk.report(LookupOutcome)
        assert (looked_up.found, [each.broker_order_id for each in looked_up.fills]) == (None, [9_057])

    run(main())


def test_of_two_orders_with_one_tag_the_one_that_was_not_rejected_is_found() -> None:
    async def main() -> None:
        desk = Desk()
        body = {"accountId": ACCOUNT, "contractId": MNQ, "type": 2, "side": 0, "size": 1, "customTag": "twice"}
        desk.broker.placed(body, status=5)
        desk.broker.placed(body, status=2)
        async with desk.open():
            await desk.send(LookUp(ACCOUNT, "twice", 0))
            looked_up = await desk.report(LookupOutcome)
        assert looked_up.found is not None
        assert looked_up.found.broker_order_id == 9002

    run(main())


def test_a_snapshot_reads_positions_first_and_fills_last() -> None:
    async def main() -> None:
        desk = Desk()
        desk.broker.positions = [position(2, 3)]
        body = {"accountId": ACCOUNT, "contractId": "CON.F.US.MNQ.M26", "type": 2, "side": 0, "size": 1}
        desk.broker.placed(body, status=2)
        async with desk.open():
            before = len(desk.broker.asked)
            await desk.send(ReadSnapshot(ACCOUNT, 0))
            snapshot = await desk.report(BrokerSnapshot)
        reads = [path for path, _ in desk.broker.asked[before:] if path != "Contract/searchById"]
        assert reads == ["Position/searchOpen", "Account/search", "Order/searchOpen", "Order/search", "Trade/search"]
        assert snapshot.positions[0].net_quantity == -3
        assert [order.contract_id for order in snapshot.orders] == ["CON.F.US.MNQ.M26"]

    run(main())


def test_snapshots_asked_for_while_one_has_yet_to_begin_are_that_one() -> None:
    async def main() -> None:
        desk = Desk()
        async with desk.open():
            for _ in range(5):
                await desk.send(ReadSnapshot(ACCOUNT, 7))
            await asyncio.sleep(5)
            assert desk.broker.count("Position/searchOpen") == 2  # the one under way, and one for all that came after
            await desk.send(ReadSnapshot(ACCOUNT, 7))
            await asyncio.sleep(5)
            assert desk.broker.count("Position/searchOpen") == 3

    run(main())


def test_a_snapshot_that_is_to_show_more_than_the_one_that_waits_is_read_too() -> None:
    async def main() -> None:
        desk = Desk()
        async with desk.open():
            for since_ns in (7, 7, 5):
                await desk.send(ReadSnapshot(ACCOUNT, since_ns))
            await asyncio.sleep(5)
            assert [(await desk.report(BrokerSnapshot)).since_ns for _ in range(3)] == [7, 7, 5]

    run(main())


def test_a_snapshot_that_found_no_room_is_in_nobodys_way() -> None:
    async def main() -> None:
        desk = Desk(limits=RequestLimits(requests_max=8, window_s=100, reserve=0))
        async with desk.open():
            for _ in range(8 - len(desk.broker.asked)):
                await desk.send(LookUp(ACCOUNT, "tag-1", 0))
            await asyncio.sleep(1)
            await desk.send(ReadSnapshot(ACCOUNT, 0))
            await asyncio.sleep(90)
            assert not desk.broker.count("Position/searchOpen")
            await desk.send(ReadSnapshot(ACCOUNT, 0))
            await asyncio.sleep(200)
            await desk.report(BrokerSnapshot)

    run(main())


def test_a_snapshot_begins_when_its_first_request_leaves() -> None:
    async def main() -> None:
        desk = Desk(limits=RequestLimits(requests_max=8, window_s=60, reserve=0))
        async with desk.open():
            for _ in range(8 - len(desk.broker.asked)):
                await desk.send(LookUp(ACCOUNT, "tag-1", 0))
            await asyncio.sleep(1)
            asked_ns = desk.clock.now_ns()
            await desk.send(ReadSnapshot(ACCOUNT, 0))
            await asyncio.sleep(120)
            snapshot = await desk.report(BrokerSnapshot)
            assert snapshot.started_ns - asked_ns > 50_000_000_000

    run(main())


def test_a_snapshot_with_a_row_that_cannot_be_read_is_no_snapshot() -> None:
    async def main() -> None:
        desk = Desk()
        desk.broker.positions = [position(3, 1)]
        async with desk.open():
            await desk.send(ReadSnapshot(ACCOUNT, 0))
            unreadable = await desk.report(Unreadable)
            assert unreadable == Unreadable(ACCOUNT, "type 3 is no known PositionType")
            await asyncio.sleep(5)
            assert not [report for report in desk.reports if isinstance(report, BrokerSnapshot)]

    run(main())


@pytest.mark.parametrize(
    "failure",
    [Response(502), Response(200, b"<html>"), Response(200, b'{"success":true,"errorCode":0}')],
)
def test_while_positions_cannot_be_read_the_link_is_down_and_nothing_is_taken_for_flat(failure: Response) -> None:
    async def main() -> None:
        desk = Desk()
        desk.broker.positions = [position(1, 1)]
        async with desk.open():
            desk.broker.script["Position/searchOpen"] = lambda _body: failure
            await desk.send(ReadSnapshot(ACCOUNT, 0))
            down = await desk.report(LinkReport)
            assert not down.up
            assert "Position/searchOpen" in down.reason
            del desk.broker.script["Position/searchOpen"]
            assert (await desk.report(LinkReport)).up
            await desk.send(ReadSnapshot(ACCOUNT, 0))
            assert (await desk.report(BrokerSnapshot)).positions[0].net_quantity == 1

    run(main())


def test_a_start_tells_that_the_link_is_down_before_anything_else() -> None:
    async def main() -> None:
        desk = Desk()
        for _ in range(2):
            async with desk.open():
                pass
        assert desk.begun == 2

    run(main())


def test_a_gate_that_knows_nothing_is_introduced_to_all_that_is_known_the_link_last() -> None:
    async def main() -> None:
        desk = Desk()
        async with desk.open():
            first = [r for r in desk.reports if isinstance(r, InstrumentsReport | AccountReport | CheckReport)]
            desk.reports.clear()
            await desk.bus.send(Topic.EXITS, msgspec.json.encode(Introduce()))
            await desk.report(LinkReport, lambda link: link.up)
        assert desk.reports == first

    run(main())


NONCE = "0123456789abcdef" * 2


def test_the_connection_manager_proves_itself_by_the_key_to_the_nonce_of_the_moment() -> None:
    async def main() -> None:
        desk = Desk()
        async with desk.open() as manager:
            server = await manager.serve("127.0.0.1", 0)

            async def asked(nonce: str) -> Response:
                return await desk.network.request("GET", f"{server.url}{PATH}?nonce={nonce}", timeout_s=1)

            now_ns = desk.clock.now_ns()
            body = (await asked(NONCE)).body
            for nonce in ("", NONCE[1:], NONCE + "0", NONCE.upper(), "g" * 32):
                assert (await asked(nonce)).status == 400
            await server.close()
        found = proven(body, NONCE, KEY, now_ns, now_ns)
        assert isinstance(found, Proof)
        assert (found.venue, found.login, found.shadow) == ("sim", "trader", False)
        assert KEY not in body
        for wrong, reason in (
            (proven(body, NONCE, b"another key" * 3, now_ns, now_ns), "approval key"),
            (proven(body, NONCE[::-1], KEY, now_ns, now_ns), "another challenge"),
            (proven(body.replace(b'"shadow":false', b'"shadow":true'), NONCE, KEY, now_ns, now_ns), "approval key"),
            (proven(body.replace(b"trader", b"nobody"), NONCE, KEY, now_ns, now_ns), "approval key"),
            (proven(b"<html>", NONCE, KEY, now_ns, now_ns), "no connection manager of ordergate"),
            (proven(b'{"status":"ok"}', NONCE, KEY, now_ns, now_ns), "no connection manager of ordergate"),
            (proven(body, NONCE, KEY, now_ns + 2 * CLOCKS_APART_NS_MAX, now_ns + 2 * CLOCKS_APART_NS_MAX), "clock"),
            (proven(body, NONCE, KEY, now_ns - 2 * CLOCKS_APART_NS_MAX, now_ns - 2 * CLOCKS_APART_NS_MAX), "clock"),
        ):
            assert isinstance(wrong, str)
            assert reason in wrong

    run(main())
