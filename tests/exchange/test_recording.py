"""A file of recorded data: what is read from it, and what is refused. Numbers are the invariants of ``recording``."""

from __future__ import annotations

import gzip
from decimal import Decimal
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ordergate.errors import StartRefused
from ordergate.exchange import recording as recording_module
from ordergate.exchange.enums import OrderSide
from ordergate.exchange.recording import COLUMNS, Recording
from ordergate.exchange.records import QuoteRecord, TradeRecord

OPEN = Path(__file__).parent / "es-open.csv"
HEAD = ",".join(COLUMNS)
AT = 1_703_545_200_000_000_000


def ticks(price: Decimal) -> int | None:
    whole, rest = divmod(price, Decimal("0.25"))
    return None if rest else int(whole)


def read(path: Path, *lines: str) -> Recording:
    path.write_text("\n".join([HEAD, *lines, ""]), encoding="utf-8")
    return Recording.read(path, ticks)


def test_every_record_is_read_in_its_order() -> None:
    recording = Recording.read(OPEN, ticks)
    records = list(recording.between(0, 2**62))
    assert len(records) == len(recording) == len(OPEN.read_text().splitlines()) - 1
    assert (recording.first_ns, recording.last_ns) == (AT - 20_000_000_000, AT + 125_000_000_000)
    assert records[4:7] == [
        QuoteRecord(AT - 5_000_000_000, 19_184, 8, 19_216, 5),
        TradeRecord(AT, OrderSide.BID, 19_201, 44),
        QuoteRecord(AT, 19_200, 4, 19_201, 7),
    ]
    assert records[-2] == TradeRecord(AT + 125_000_000_000, OrderSide.ASK, 19_199, 9)


def test_a_side_where_nobody_is_has_size_0_and_the_last_price() -> None:
    first, _, crossed, one_sided, *_ = Recording.read(OPEN, ticks).between(0, 2**62)
    assert first == QuoteRecord(AT - 20_000_000_000, 19_160, 3, 19_160, 0)
    assert isinstance(crossed, QuoteRecord)
    assert crossed.bid > crossed.ask
    assert one_sided == QuoteRecord(AT - 10_000_000_000, crossed.bid, 0, 19_204, 2)


@given(st.integers(-25, 130), st.integers(-25, 130))
def test_a_span_holds_what_came_after_its_begin_and_up_to_its_end(after_s: int, until_s: int) -> None:
    recording = Recording.read(OPEN, ticks)
    after_ns, until_ns = (AT + seconds * 1_000_000_000 for seconds in (after_s, until_s))
    everything = list(recording.between(0, 2**62))
    assert list(recording.between(after_ns, until_ns)) == [
        record for record in everything if after_ns < record.at_ns <= until_ns
    ]


def test_a_compressed_file_is_the_same_recording(tmp_path: Path) -> None:
    packed = tmp_path / "open.csv.gz"
    packed.write_bytes(gzip.compress(OPEN.read_bytes()))
    plain, unpacked = Recording.read(OPEN, ticks), Recording.read(packed, ticks)
    assert list(plain.between(0, 2**62)) == list(unpacked.between(0, 2**62))
    assert plain.digest == unpacked.digest
    assert unpacked.name == "open.csv.gz"


def test_other_records_have_another_digest(tmp_path: Path) -> None:
    lines = OPEN.read_text().splitlines()[1:]
    assert read(tmp_path / "a.csv", *lines[:-1]).digest != Recording.read(OPEN, ticks).digest


QUOTE = f"{AT},quote,4800,1,4800.25,1,,,"


@pytest.mark.parametrize(
    ("line", "why"),
    [
        (f"{AT},quote,4800.1,1,4800.25,1,,,", "bid '4800.1' is no price on the grid of ticks"),
        (f"{AT},quote,NaN,1,4800.25,1,,,", "bid 'NaN' is no price"),
        (f"{AT},quote,4800,1,1e30,1,,,", "ask '1e30' is no price"),
        (f"{AT},quote,4800,-1,4800.25,1,,,", "bid_size '-1' is not a whole number from 0 to 2147483647"),
        (f"{AT},quote,4800,3000000000,4800.25,1,,,", "bid_size '3000000000' is not a whole number"),
        (f"{AT},quote,4800,,4800.25,1,,,", "the bid has a price or a size without the other"),
        (f"{AT},quote,4800,1,,5,,,", "the ask has a price or a size without the other"),
        (f"{AT},quote,,,,,,,", "a quote of neither side"),
        (f"{AT},quote,4800,1,4800.25,1,4800,,", "a quote with values of the other kind"),
        (f"{AT},trade,4800,,,,4800,1,buy", "a trade with values of the other kind"),
        (f"{AT},trade,,,,,4800,0,buy", "size '0' is not a whole number from 1 to"),
        (f"{AT},trade,,,,,,1,buy", "price '' is no price"),
        (f"{AT},trade,,,,,4800,1,seller", "aggressor 'seller' is neither buy nor sell nor empty"),
        (f"{AT},settlement,,,,,4800,1,", "kind 'settlement' is neither quote nor trade"),
        (f"{AT - 1},trade,,,,,4800,1,buy", "is before that of the line above"),
        ("1703545200,trade,,,,,4800,1,buy", "ts_ns '1703545200' is not a whole number from 946684800000000000"),
        ("now,trade,,,,,4800,1,buy", "ts_ns 'now' is not a whole number"),
        (f"{AT},trade,4800", "3 columns instead of 9"),
        ("", "0 columns instead of 9"),
    ],
)
def test_a_bad_line_is_refused_and_named(tmp_path: Path, line: str, why: str) -> None:
    """Invariant 1."""
    path = tmp_path / "bad.csv"
    with pytest.raises(StartRefused) as refused:
        read(path, QUOTE, line)
    assert str(refused.value).startswith(f"the recording {path}, line 3: ")
    assert why in str(refused.value)


def test_a_file_that_is_none_is_refused_with_its_path(tmp_path: Path) -> None:
    """Invariant 1."""
    whole = gzip.compress(OPEN.read_bytes())
    bad = {
        "empty.csv": b"",
        "no records.csv": f"{HEAD}\n".encode(),
        "other columns.csv": b"time,price\n1,2\n",
        "binary.csv": b"\xff\xfe\x00",
        "plain.csv.gz": OPEN.read_bytes(),
        "cut.csv.gz": whole[:100],
        "damaged.csv.gz": whole[:60] + b"\x00" * 20 + whole[80:],
    }
    for name, content in bad.items():
        (tmp_path / name).write_bytes(content)
    for name in [*bad, "missing.csv", "."]:
        path = tmp_path / name
        with pytest.raises(StartRefused) as refused:
            Recording.read(path, ticks)
        assert str(refused.value).startswith(f"the recording {path}"), name
        assert len(str(refused.value).splitlines()) == 1


def test_a_file_of_too_many_records_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Invariant 2."""
    monkeypatch.setattr(recording_module, "RECORDS_MAX", 2)
    read(tmp_path / "two.csv", QUOTE, QUOTE)
    with pytest.raises(StartRefused, match="line 4: more than 2 records"):
        read(tmp_path / "three.csv", QUOTE, QUOTE, QUOTE)
