"""How long fills wait for their stops, from the events that say so. Numbers are the module's invariants."""

from __future__ import annotations

from ordergate.core.account import Account, Covered, Group
from ordergate.core.events import Cover, CoverChanged, OrderResting
from ordergate.engine.protection_figures import KEPT_MAX, Protection, ProtectionFigures, Unprotected
from tests.core.desk import ACCOUNT, MES, MNQ, MS_NS

START_NS = 1_000_000 * MS_NS
NOTHING = Protection(0, None, None, None, [], 0)


class Heard(ProtectionFigures):
    """Told as ``core/coverage`` tells. Instants are milliseconds from the start."""

    def gap(self, at_ms: int, *, began_ms: int | None = None, state: Cover = Cover.PROTECTING) -> None:
        began_ms = at_ms if began_ms is None else began_ms
        self._hear(state, 1, began_ms, 0, at_ms)

    def over(self, at_ms: int, lasted_ms: int, *, state: Cover = Cover.PROTECTED) -> None:
        self._hear(state, 0, at_ms, lasted_ms, at_ms)

    def _hear(self, state: Cover, uncovered: int, since_ms: int, lasted_ms: int, at_ms: int) -> None:
        since_ns, at_ns = START_NS + since_ms * MS_NS, START_NS + at_ms * MS_NS
        self.heard(CoverChanged(ACCOUNT, MES.contract_id, state, uncovered, "why", since_ns, lasted_ms * MS_NS, at_ns))

    def now(self, group: Group | None = None, at_ms: int = 0) -> Protection:
        return self.figures(group or Group(), START_NS + at_ms * MS_NS)


def test_before_the_first_fill_there_is_nothing_to_say() -> None:
    assert Heard().now() == NOTHING


def test_a_gap_is_as_long_as_it_took_until_the_stop_rested() -> None:
    heard = Heard()
    heard.gap(0)
    assert heard.now() == NOTHING, "it is not over"
    heard.over(40, 40)
    assert heard.now() == Protection(1, 40.0, 40.0, 40.0, [], 0)


def test_a_gap_that_grows_while_it_is_open_counts_once_from_its_beginning() -> None:
    """Invariant 1."""
    heard = Heard()
    heard.gap(0)
    heard.gap(10, began_ms=0)
    heard.over(40, 40, state=Cover.BY_CHOICE)
    assert heard.now() == Protection(1, 40.0, 40.0, 40.0, [], 0)


def test_percentiles_are_lengths_that_there_were() -> None:
    heard = Heard()
    for length_ms in range(100, 0, -1):
        heard.gap(0)
        heard.over(length_ms, length_ms)
    assert heard.now() == Protection(100, 50.0, 99.0, 100.0, [], 0)


def test_a_position_that_was_closed_unprotected_has_no_length() -> None:
    """Invariant 1: flat, nothing is told; the next position's cover follows no gap."""
    heard = Heard()
    heard.gap(0)
    heard.over(500, 0)
    assert heard.now() == NOTHING


def test_a_gap_from_before_this_process_has_no_length() -> None:
    """Invariant 1."""
    heard = Heard()
    heard.gap(500, began_ms=0, state=Cover.UNPROTECTED)
    heard.over(900, 900)
    assert heard.now() == Protection(0, None, None, None, [], 1)


def test_what_was_covered_before_is_no_gap() -> None:
    heard = Heard()
    heard.over(0, 0)
    heard.over(700, 700, state=Cover.BY_CHOICE)
    assert heard.now() == NOTHING


def test_a_gap_counts_as_one_however_often_it_is_told_that_it_is_unprotected() -> None:
    heard = Heard()
    heard.gap(0)
    for at_ms in (2_000, 2_500):
        heard.gap(at_ms, began_ms=0, state=Cover.UNPROTECTED)
    heard.over(3_000, 3_000)
    heard.gap(5_000, state=Cover.UNPROTECTED)
    assert heard.now() == Protection(1, 3_000.0, 3_000.0, 3_000.0, [], 2)


def test_the_percentiles_are_of_the_last_and_the_worst_is_of_all() -> None:
    """Invariant 2."""
    heard = Heard()
    for length_ms in [90_000] * 200 + [40] * KEPT_MAX:
        heard.gap(0)
        heard.over(length_ms, length_ms)
    assert heard.now() == Protection(KEPT_MAX + 200, 40.0, 40.0, 90_000.0, [], 0)


def test_other_events_say_nothing() -> None:
    heard = Heard()
    heard.heard(OrderResting(ACCOUNT, "a", START_NS))
    assert heard.now() == NOTHING


def test_what_is_unprotected_now_is_the_states_word() -> None:
    covers = {
        MES.contract_id: Covered(Cover.UNPROTECTED, 2, START_NS, "its stop was rejected: no"),
        MNQ.contract_id: Covered(Cover.PROTECTING, 1, START_NS, "its stop has yet to be placed"),
    }
    instruments = {instrument.contract_id: instrument for instrument in (MES, MNQ)}
    group = Group(accounts={ACCOUNT: Account(ACCOUNT, covers=covers)}, instruments=instruments)
    found = Heard().now(group, at_ms=1_500).unprotected_now
    assert found == [Unprotected(ACCOUNT, "MES", 1_500.0, "its stop was rejected: no")]
    assert Heard().now(group, at_ms=-5).unprotected_now[0].since_ms == 0, "a clock that was set back"
