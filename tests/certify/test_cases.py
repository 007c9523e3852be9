"""The day itself, played against the simulated venue."""

from __future__ import annotations

import pytest

from ordergate.certify.cases import CASES, SUBJECTS
from ordergate.certify.run import Ended
from ordergate.certify.venue import Cut
from ordergate.exchange.variants import Variant
from tests.certify.playing import certify, failures

# A whole day takes 20 s on a machine of 2026 with two cores; it has to be below five minutes on any.
WHOLE_S = 300
# What makes no difference to a port that is right: how it is told, not what may be done.
OTHERWISE = (
    Variant.BARE_EVENTS,
    Variant.HUB_SNAPSHOTS,
    Variant.EXPIRY_ENDS_SOCKETS,
    Variant.EXPIRED_VALIDATES,
    Variant.LOCKED_IS_REJECTED,
    Variant.LEG_CANCEL_TAKES_BOTH,
    Variant.FIXED_WINDOW,
    Variant.RETRY_AFTER,
    Variant.SHORT_PAGES,
    Variant.NULLS_OMITTED,
    Variant.GONE_IS_UNKNOWN_ERROR,
    Variant.COMMISSIONS_APART,
)


def test_there_are_at_least_forty_cases_each_with_a_sentence_of_its_own() -> None:
    assert len(CASES) >= 40
    assert len({case.name for case in CASES}) == len(CASES)


@pytest.mark.parametrize("subject", ["logins", "fills", "brackets", "outside"])
def test_a_subject_passes(subject: str) -> None:
    assert failures(certify(f"{subject}:")) == {}


@pytest.mark.parametrize("subject", ["logins", "fills", "brackets", "outside"])
def test_a_subject_passes_where_the_venue_fails_at_random(subject: str) -> None:
    assert failures(certify(f"{subject}:", faults=True)) == {}


@pytest.mark.slow
@pytest.mark.timeout(WHOLE_S)
def test_the_whole_day_passes() -> None:
    done = certify()
    assert failures(done) == {}
    assert [case.ended for case in done] == [Ended.PASSED] * len(CASES)


@pytest.mark.slow
@pytest.mark.timeout(WHOLE_S)
@pytest.mark.parametrize("seed", [1, 2])
def test_the_whole_day_passes_where_the_venue_fails_at_random(seed: int) -> None:
    assert failures(certify(faults=True, seed=seed)) == {}


@pytest.mark.slow
@pytest.mark.timeout(WHOLE_S)
def test_the_whole_day_passes_with_what_the_real_service_may_do_otherwise() -> None:
    assert failures(certify(variants=OTHERWISE)) == {}


def test_where_a_login_ends_the_others_what_a_second_client_does_is_skipped() -> None:
    found = failures(certify("logins: ", "outside: ", variants=(Variant.LOGIN_ENDS_OTHERS,)))
    assert len(found) == 9
    assert all(why.startswith("needs what this venue cannot be asked for") for why in found.values()), found


def test_a_case_that_needs_what_the_venue_cannot_do_is_skipped_with_what_that_is() -> None:
    (played,) = certify("an order on a line that is cut is not sent", can=frozenset())
    assert played.ended is Ended.SKIPPED
    assert played.why == f"needs what this venue cannot be asked for: {Cut.words()}"
    assert Cut.words() == "The line is cut for some seconds"


def test_every_case_is_of_the_subject_that_it_stands_in() -> None:
    for subject in SUBJECTS:
        assert {case.subject for case in subject.cases} == {subject.name}
