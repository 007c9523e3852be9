"""``ordergate certify`` as a person types it."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from tests.test_cli import ordergate


def test_cases_are_told_as_they_end_and_the_report_is_written(tmp_path: Path) -> None:
    path = tmp_path / "report.json"
    done = ordergate("certify", "--only", "logins: ", "--seed", "7", "--report", str(path))
    assert (done.returncode, done.stderr) == (0, "")
    lines = done.stdout.splitlines()
    assert lines[0].startswith("pass  contracts are told before accounts, and both before the link is up  (")
    assert lines[-2].startswith("certified: 5 passed, 0 failed, 0 skipped, in ")
    told = json.loads(path.read_text(encoding="utf-8"))
    assert (told["venue"], told["seed"], told["faults"], told["passed"]) == ("sim", 7, False, 5)
    assert "<h2>Logins</h2>" in path.with_suffix(".html").read_text(encoding="utf-8")


def test_the_venue_fails_at_random_where_that_is_asked_for(tmp_path: Path) -> None:
    path = tmp_path / "report.json"
    done = ordergate("certify", "--only", "a quiet account", "--faults", "--report", str(path))
    assert done.returncode == 0
    assert json.loads(path.read_text(encoding="utf-8"))["faults"] is True


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("--venue", "nymex"), "--venue nymex: there is no such venue; sim or topstepx"),
        (("--venue", "topstepx"), "--venue topstepx needs --account NAME"),
        (("--account", "PRAC-V2-1-1"), "--account: the simulated venue makes an account for each case"),
        (("--venue", "topstepx", "--account", "PRAC-V2-1-1", "--faults"), "--faults: only the simulated venue"),
        (("--venue", "topstepx", "--account", "PRAC-V2-1-1"), "not set: PROJECTX_API_URL"),
        (("--venue", "topstepx", "--account", "50KTC-V2-1-1"), "account '50KTC-V2-1-1' is not a practice account"),
        (("--only", "no such thing"), "no case has 'no such thing' in its subject or its sentence"),
        (("--report", "report.html"), "--report report.html: the page is written beside it"),
    ],
)
def test_what_cannot_be_played_is_one_line_and_code_2(words: tuple[str, ...], said: str) -> None:
    done = ordergate("certify", *words)
    assert (done.returncode, done.stdout) == (2, "")
    (told,) = done.stderr.splitlines()
    assert told.startswith(f"ordergate: {said}")
