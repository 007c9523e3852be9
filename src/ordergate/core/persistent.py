"""``Map``: a persistent hash map. Changing one gives a new one that shares all the rest with the old.

It is rpds's trie with type parameters that msgspec can read. Its order is not the same in every process, so nothing
that matters may follow from iterating over one.
"""

from __future__ import annotations

from collections.abc import ItemsView, KeysView, Mapping, ValuesView
from typing import Generic, TypeVar

from rpds import HashTrieMap

K = TypeVar("K")
V = TypeVar("V")


class Map(Generic[K, V]):
    """Immutable; equal to another with equal contents."""

    __slots__ = ("_trie",)

    def __init__(self, contents: Mapping[K, V] | None = None) -> None:
        self._trie: HashTrieMap[K, V] = HashTrieMap(contents or {})

    def set(self, key: K, value: V) -> Map[K, V]:
        return _of(self._trie.insert(key, value))

    def delete(self, key: K) -> Map[K, V]:
        """Without ``key``, which may be absent."""
        return _of(self._trie.discard(key)) if key in self._trie else self

    def update(self, contents: Mapping[K, V]) -> Map[K, V]:
        return _of(self._trie.update(contents))

    def get(self, key: K) -> V | None:
        return self._trie.get(key)

    def items(self) -> ItemsView[K, V]:
        return self._trie.items()

    def keys(self) -> KeysView[K]:
        return self._trie.keys()

    def values(self) -> ValuesView[V]:
        return self._trie.values()

    def __getitem__(self, key: K) -> V:
        return self._trie[key]

    def __contains__(self, key: object) -> bool:
        return key in self._trie

    def __len__(self) -> int:
        return len(self._trie)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Map) and self._trie == other._trie

    def __hash__(self) -> int:
        return hash(self._trie)

    def __repr__(self) -> str:
        return f"Map({dict(self._trie.items())!r})"


def _of(trie: HashTrieMap[K, V]) -> Map[K, V]:
    made: Map[K, V] = Map.__new__(Map)
    made._trie = trie  # noqa: SLF001 - our own
    return made
