"""The examples of docs/rules.md: their sums are right, and are what the gate has measured."""

from __future__ import annotations

import re
from decimal import Decimal
from pathlib import Path

import pytest

from ordergate.config import OF_ONE, load
from ordergate.core.floor import floor_usd
from ordergate.core.limits import Limits
from ordergate.core.preview import MEASURES
from ordergate.core.rules import RULES
from ordergate.core.selftest import CASES, self_test
from ordergate.setting_table import SETTINGS
from tests.core.examples import Ask, Example, played, proposed, stage
from tests.core.hand_sums import sums
from tests.core.rule_examples import ASIDE, EXAMPLES
from tools import rulebook

PAGE = Path(__file__).resolve().parents[2] / "docs/rules.md"
# In this release nothing halts an account.
UNREACHED = {"TRADING_HALTED"}
# Not by a line of the file: the venue's hours do.
BY_THE_VENUE = {"OUTSIDE_TRADING_HOURS"}
ROWS = [
    pytest.param(example, ask, id=f"{name}-{number}")
    for name, example in (EXAMPLES | ASIDE).items()
    for number, ask in enumerate(example.asks)
]


def test_every_rule_has_its_example_and_its_part_of_the_page() -> None:
    names = sorted(rule.__name__ for rule in RULES)
    assert sorted(EXAMPLES) == names
    assert sorted(re.findall(r"^<!-- made: rule (\w+) -->$", PAGE.read_text(encoding="utf-8"), re.MULTILINE)) == names


def test_every_limit_that_can_be_set_stands_beside_one_rule() -> None:
    told = [key for example in EXAMPLES.values() for key in example.settings]
    assert sorted(told) == sorted(setting.key for setting in SETTINGS if setting.section == "limits")


def test_every_setting_that_a_rule_reads_is_named_there() -> None:
    for rule in RULES:
        part = rulebook.rule(rule.__name__)
        assert [key for key in rulebook.keys_read(rule) if f"`{key}`" not in part] == []


def test_the_settings_that_a_product_may_have_of_its_own_are_all_named() -> None:
    part = PAGE.read_text(encoding="utf-8").partition("## One product's own limits")[2].partition("\n## ")[0]
    assert [key for key in OF_ONE if f"`{key}`" not in part] == []


def test_every_code_of_a_rule_is_seen_in_an_example() -> None:
    seen = {
        breach.code for example in EXAMPLES.values() for ask in example.asks for breach in played(example, ask).breaches
    }
    assert seen == set(CASES) - UNREACHED


def test_the_list_of_codes_leads_to_the_rule_of_each() -> None:
    page = PAGE.read_text(encoding="utf-8")
    told = dict(re.findall(r"^### (.+)\n(?:(?!###).*\n)*?<!-- made: rule (\w+) -->$", page, re.MULTILINE))
    codes = {rule.__name__: rulebook.codes(rule) for rule in RULES}
    listed = re.findall(r"^\| (`.+`) \| \[(.+)\]\(#.+\) \|$", page, re.MULTILINE)
    assert [(title, re.findall(r"`(\w+)`", cell)) for cell, title in listed] == [
        (title, codes[name]) for title, name in told.items()
    ]


def test_an_example_has_what_passes_and_what_is_denied_by_its_own_rule() -> None:
    for rule in RULES:
        example = EXAMPLES[rule.__name__]
        answers = [played(example, ask) for ask in example.asks]
        own = set(rulebook.codes(rule))
        assert any(answer.ok for answer in answers), rule.__name__
        denied = [{breach.code for breach in answer.breaches} for answer in answers if not answer.ok]
        assert denied, rule.__name__
        assert all(own & found for found in denied), rule.__name__


@pytest.mark.parametrize(("example", "ask"), ROWS)
def test_a_sum_is_right_and_its_last_figure_is_what_the_gate_has_measured(example: Example, ask: Ask) -> None:
    found = sums(ask.worked)
    for by_hand, figure in found:
        assert by_hand == figure, ask.worked
    assert ask.worked.count(" = ") == len(found), "a sum that cannot be read"
    if found:
        last, answer = found[-1][1], played(example, ask)
        assert measured(example, ask) in (None, last)
        assert answer.ok or f"{last:,}" in answer.message or f"{last}" in answer.message


def measured(example: Example, ask: Ask) -> Decimal | None:
    """What the rule of an example compares with its limit; None where no other function tells it."""
    measure = MEASURES.get(example.code)
    if measure is None:
        return None
    proposal = proposed(example, ask)
    found = measure(proposal)
    assert found is not None
    if example.code != "MAXIMUM_LOSS_LIMIT":
        return found.actual
    floor = floor_usd(proposal.group, proposal.account)  # told to a person as what is left, not as what is used up
    assert floor is not None
    return floor + found.limit - found.actual


@pytest.mark.parametrize(("example", "ask"), ROWS)
def test_what_a_denial_names_as_nearest_passes(example: Example, ask: Ask) -> None:
    nearest = played(example, ask).nearest
    if nearest is not None:
        assert ask.order is not None
        assert ask.order.instead(nearest).submitted(stage(example, ask)).ok


def test_what_is_off_by_default_says_so_and_its_line_switches_it_on() -> None:
    asleep = {trial.code for trial in self_test(Limits()) if not trial.enabled} - BY_THE_VENUE
    for rule in RULES:
        example, own = EXAMPLES[rule.__name__], set(rulebook.codes(rule))
        assert bool(example.switch) == bool(own & asleep), rule.__name__
        if example.switch:
            limits = load({}, {}, f"[limits]\n{example.switch}\n").limits
            awake = {trial.code for trial in self_test(limits) if trial.enabled}
            assert own <= awake, rule.__name__
