"""What is left of a certification: a file for programs, a page for people."""

from __future__ import annotations

import json
from html.parser import HTMLParser
from pathlib import Path

import pytest

from ordergate.certify.command import written
from ordergate.certify.report import Report, as_json, as_page, report, verdict
from ordergate.certify.run import Ended, Played
from ordergate.errors import StartRefused

EVIL = '<script>alert("1")</script> & \u2028'
VOID = {"meta"}


class Tags(HTMLParser):
    """Whether every element is closed in its order; ``text`` is what a person reads."""

    def __init__(self) -> None:
        super().__init__()
        self.open: list[str] = []
        self.seen: set[str] = set()
        self.text = ""

    def handle_starttag(self, tag: str, _attrs: object) -> None:
        self.seen.add(tag)
        if tag not in VOID:
            self.open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        self.text += data


def told(*cases: Played, faults: bool = False) -> Report:
    return report(
        cases,
        version="1",
        venue="sim",
        account=EVIL,
        faults=faults,
        seed=7,
        started_at="2026-11-23T15:00:00+00:00",
        took_s=1.5,
    )


PASSED = Played("orders", "a buy fills", Ended.PASSED, 0.25)
FAILED = Played("orders", EVIL, Ended.FAILED, 10.0, f"waited 10 s for {EVIL}")
SKIPPED = Played("day", "the roll", Ended.SKIPPED, 0.0, "needs the roll")


def test_the_file_says_of_every_case_how_it_ended_and_why() -> None:
    said = json.loads(as_json(told(PASSED, FAILED, SKIPPED)))
    assert (said["passed"], said["failed"], said["skipped"], said["faults"], said["seed"]) == (1, 1, 1, False, 7)
    assert [case["ended"] for case in said["cases"]] == ["pass", "FAIL", "skip"]
    assert said["cases"][1] == {
        "subject": "orders", "name": EVIL, "ended": "FAIL", "tookS": 10.0, "why": f"waited 10 s for {EVIL}",
    }  # fmt: skip


def test_the_page_is_well_formed_and_what_a_venue_says_is_text_in_it() -> None:
    page = Tags()
    page.feed(as_page(told(PASSED, FAILED, SKIPPED, faults=True)))
    page.close()
    assert page.open == []
    assert "script" not in page.seen
    assert page.text.count(EVIL) == 4  # title, heading, sentence, why
    assert "NOT CERTIFIED: 1 passed, 1 failed, 1 skipped" in page.text
    assert "faults on" in page.text


def test_the_page_needs_nothing_from_elsewhere() -> None:
    page = as_page(told(PASSED))
    assert "http:" not in page
    assert "https:" not in page
    assert "src=" not in page


def test_the_verdict_is_certified_only_where_nothing_failed() -> None:
    assert verdict(told(PASSED, SKIPPED)) == "certified: 1 passed, 0 failed, 1 skipped, in 2 s"
    assert verdict(told(PASSED, FAILED)).startswith("NOT CERTIFIED: ")


def test_a_day_of_which_nothing_was_played_is_not_certified() -> None:
    assert verdict(told(SKIPPED)).startswith("NOT CERTIFIED: ")


def test_a_report_that_cannot_be_written_says_where(tmp_path: Path) -> None:
    with pytest.raises(StartRefused, match=r"the report .*missing.* cannot be written"):
        written(told(PASSED), tmp_path / "missing" / "certification.json")


def test_both_files_are_written_side_by_side(tmp_path: Path) -> None:
    written(told(PASSED), tmp_path / "c.json")
    assert sorted(path.name for path in tmp_path.iterdir()) == ["c.html", "c.json"]
