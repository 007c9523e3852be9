"""What the journal port promises, asked of every adapter."""

from __future__ import annotations

import asyncio
import tempfile
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from pathlib import Path

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from ordergate.errors import JournalUnavailable, SequenceConflict
from ordergate.journal.chain import digest
from ordergate.journal.memory import MemoryJournal
from ordergate.journal.port import Entry, Journal, Row
from ordergate.journal.sqlite import ROWS_PER_READ, SqliteJournal

Open = Callable[[], Awaitable[Journal]]


def entry(book: str, text: str = "x") -> Entry:
    return Entry(book=book, recorded_ns=1_800_000_000_000_000_000, kind="sample", version=1, body=text.encode())


async def rows_of(journal: Journal, after_position: int = 0) -> list[Row]:
    return [row async for row in journal.read(after_position)]


async def bodies_of(journal: Journal) -> list[tuple[str, int, bytes]]:
    return [(row.book, row.seq, row.body) for row in await rows_of(journal)]


@pytest.fixture(params=["memory", "sqlite"])
async def open_journal(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[Open]:
    """Opens the same journal each time it is called."""
    opened: list[Journal] = []
    memory = MemoryJournal()

    async def open_one() -> Journal:
        journal: Journal
        if request.param == "memory":
            journal = memory.reopened()
        else:
            journal = await SqliteJournal.open(tmp_path / "journal.db")
        opened.append(journal)
        return journal

    yield open_one
    for journal in opened:
        await journal.close()


async def test_rows_come_back_in_order_with_a_seq_of_their_book(open_journal: Open) -> None:
    journal = await open_journal()
    await journal.append([entry("a", "1"), entry("b", "2"), entry("a", "3")], {"a": 0, "b": 0})
    await journal.append([entry("b", "4")], {"b": 1})
    rows = await rows_of(journal)
    assert [row.position for row in rows] == [1, 2, 3, 4]
    assert [(row.book, row.seq, row.body) for row in rows] == [
        ("a", 1, b"1"),
        ("b", 1, b"2"),
        ("a", 2, b"3"),
        ("b", 2, b"4"),
    ]
    assert {(row.recorded_ns, row.kind, row.version) for row in rows} == {(1_800_000_000_000_000_000, "sample", 1)}


@pytest.mark.parametrize("count", [1, 7, 8, 9, 64, 65, 137])
async def test_any_number_of_rows_in_one_append_come_back_in_order(open_journal: Open, count: int) -> None:
    journal = await open_journal()
    await journal.append([entry("a", str(number)) for number in range(count)], {"a": 0})
    rows = [row async for row in journal.read()]
    assert [(row.seq, row.body) for row in rows] == [
        (number + 1, entry("a", str(number)).body) for number in range(count)
    ]


async def test_an_empty_journal_has_no_rows(open_journal: Open) -> None:
    assert await rows_of(await open_journal()) == []


async def test_any_bytes_and_any_names_come_back_unchanged(open_journal: Open) -> None:
    journal = await open_journal()
    written = [
        Entry(book="", recorded_ns=-1, kind="", version=0, body=b""),
        Entry(book="", recorded_ns=2**63 - 1, kind="é\0x", version=2**31, body=bytes(range(256)) * 8_000),
    ]
    await journal.append(written, {"": 0})
    assert [
        Entry(row.book, row.recorded_ns, row.kind, row.version, row.body) for row in await rows_of(journal)
    ] == written


async def test_a_journal_opened_again_goes_on_where_it_stopped(open_journal: Open) -> None:
    first = await open_journal()
    await first.append([entry("a", "1")], {"a": 0})
    await first.close()
    second = await open_journal()
    await second.append([entry("a", "2")], {"a": 1})
    assert await bodies_of(second) == [("a", 1, b"1"), ("a", 2, b"2")]


@pytest.mark.parametrize("expected", [0, 1, 3])
async def test_an_append_at_another_seq_than_the_last_is_a_conflict(open_journal: Open, expected: int) -> None:
    journal = await open_journal()
    await journal.append([entry("a", "1"), entry("a", "2")], {"a": 0})
    with pytest.raises(SequenceConflict, match=f"book a is at seq 2, not {expected}"):
        await journal.append([entry("a", "3")], {"a": expected})
    await journal.append([entry("a", "3")], {"a": 2})
    assert await bodies_of(journal) == [("a", 1, b"1"), ("a", 2, b"2"), ("a", 3, b"3")]


async def test_a_conflict_in_one_book_leaves_nothing_in_any(open_journal: Open) -> None:
    journal = await open_journal()
    with pytest.raises(SequenceConflict, match="book b"):
        await journal.append([entry("a"), entry("b")], {"a": 0, "b": 7})
    assert await rows_of(journal) == []


async def test_appends_at_the_same_time_stand_or_fall_alone(open_journal: Open) -> None:
    journal = await open_journal()
    results = await asyncio.gather(
        journal.append([entry("a", "1")], {"a": 0}),
        journal.append([entry("b", "2"), entry("b", "3")], {"b": 0}),
        journal.append([entry("a", "lost"), entry("b", "lost")], {"a": 1, "b": 0}),
        journal.append([entry("a", "4")], {"a": 1}),
        return_exceptions=True,
    )
    assert [type(result) for result in results] == [type(None), type(None), SequenceConflict, type(None)]
    assert await bodies_of(journal) == [("a", 1, b"1"), ("b", 1, b"2"), ("b", 2, b"3"), ("a", 2, b"4")]


async def test_a_second_writer_of_a_book_meets_a_conflict(open_journal: Open) -> None:
    first, second = await open_journal(), await open_journal()
    await first.append([entry("a", "1")], {"a": 0})
    with pytest.raises(SequenceConflict):
        await second.append([entry("a", "rival")], {"a": 0})
    assert await bodies_of(second) == [("a", 1, b"1")]


async def test_two_writers_of_two_books_share_one_journal(open_journal: Open) -> None:
    first, second = await open_journal(), await open_journal()
    await first.append([entry("a", "1")], {"a": 0})
    await second.append([entry("b", "2")], {"b": 0})
    await first.append([entry("a", "3")], {"a": 1})
    assert await bodies_of(second) == await bodies_of(first) == [("a", 1, b"1"), ("b", 1, b"2"), ("a", 2, b"3")]


async def test_two_writers_at_the_same_time_do_not_disturb_each_other(open_journal: Open) -> None:
    async def write(journal: Journal, book: str) -> None:
        for seq in range(50):
            await journal.append([entry(book)], {book: seq})

    first, second = await open_journal(), await open_journal()
    await asyncio.gather(write(first, "a"), write(second, "b"))
    assert await rows_of(first) == await rows_of(second)
    assert len(await rows_of(first)) == 100


async def test_reading_begins_after_the_given_position(open_journal: Open) -> None:
    journal = await open_journal()
    await journal.append([entry("a"), entry("b"), entry("a"), entry("c")], {"a": 0, "b": 0, "c": 0})
    rows = await rows_of(journal)
    for position in range(6):
        assert await rows_of(journal, position) == rows[position:]


async def test_a_journal_of_any_length_is_read_to_its_end(open_journal: Open) -> None:
    journal = await open_journal()
    length = 2 * ROWS_PER_READ
    await journal.append([entry("a", str(number)) for number in range(length)], {"a": 0})
    assert [row.seq for row in await rows_of(journal)] == list(range(1, length + 1))


async def test_a_closed_journal_takes_nothing(open_journal: Open) -> None:
    journal = await open_journal()
    await journal.close()
    await journal.close()
    with pytest.raises(JournalUnavailable, match="closed"):
        await journal.append([entry("a")], {"a": 0})


async def test_closing_finishes_what_is_under_way(open_journal: Open) -> None:
    journal = await open_journal()
    appends = [asyncio.create_task(journal.append([entry("a")], {"a": seq})) for seq in range(5)]
    await asyncio.sleep(0)
    await journal.close()
    await asyncio.gather(*appends)
    assert len(await rows_of(await open_journal())) == 5


SAMPLE = Entry(book="a", recorded_ns=1, kind="k", version=1, body=b"b")


@pytest.mark.parametrize(
    "change",
    [
        {"book": "c"},
        {"recorded_ns": 2},
        {"kind": "kb", "body": b""},
        {"version": 2},
        {"body": b"c"},
        {"book": "ak", "kind": ""},
    ],
)
async def test_histories_that_differ_in_any_field_have_another_digest(change: dict[str, object]) -> None:
    digests = []
    for first in (SAMPLE, SAMPLE, msgspec.structs.replace(SAMPLE, **change)):
        journal = MemoryJournal()
        await journal.append([first], {first.book: 0})
        digests.append(await digest(journal))
    assert digests[0] == digests[1] != digests[2]


async def test_a_row_carries_the_hash_of_all_rows_of_its_book_before_it() -> None:
    hashes = []
    for first in ("x", "y"):
        journal = MemoryJournal()
        await journal.append([entry("a", first), entry("a", "same"), entry("b", "same")], {"a": 0, "b": 0})
        hashes.append([row.row_hash for row in await rows_of(journal)])
    assert [one == other for one, other in zip(*hashes, strict=True)] == [False, False, True]


Append = tuple[list[Entry], dict[str, int]]
BOOKS = st.sampled_from(["a", "b", "c"])


@st.composite
def appends(draw: st.DrawFn) -> Append:
    entries = draw(st.lists(st.builds(entry, BOOKS, st.text(max_size=3)), max_size=3))
    return entries, {item.book: draw(st.integers(0, 4)) for item in entries}


async def outcomes_of(journal: Journal, together: Sequence[Append]) -> list[str]:
    results = await asyncio.gather(*(journal.append(*one) for one in together), return_exceptions=True)
    return [repr(result) for result in results]


@given(st.lists(st.lists(appends(), min_size=1, max_size=4), max_size=6))
async def test_all_adapters_answer_and_record_alike(rounds: list[list[Append]]) -> None:
    memory = MemoryJournal()
    with tempfile.TemporaryDirectory() as folder:
        sqlite = await SqliteJournal.open(Path(folder) / "journal.db")
        for together in rounds:
            assert await outcomes_of(sqlite, together) == await outcomes_of(memory, together)
        assert await rows_of(sqlite) == await rows_of(memory)
        assert await digest(sqlite) == await digest(memory)
        await sqlite.close()
