"""Maps that grow all day: never changed in place, and compared by what they hold."""

from __future__ import annotations

from ordergate.core.persistent import Map


def test_maps_are_equal_and_hash_alike_by_their_contents() -> None:
    assert Map({1: "a"}) == Map({1: "a"})
    assert Map({1: "a"}) != Map({1: "b"})
    assert Map({1: "a"}) != Map({2: "a"})
    assert Map({1: "a"}) != {1: "a"}
    assert hash(Map({1: "a"})) == hash(Map({1: "a"}))
    assert hash(Map({1: "a"})) != hash(Map({1: "b"}))


def test_setting_and_deleting_leave_the_map_as_it_was() -> None:
    before = Map({1: "a"})
    assert before.set(2, "b") == Map({1: "a", 2: "b"})
    assert before.delete(1) == Map()
    assert before.delete(7) == before == Map({1: "a"})
