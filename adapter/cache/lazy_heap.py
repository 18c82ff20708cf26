"""A priority queue whose items can be given another key or be taken out.

What is outdated stays in the heap until it comes to the top, or until it makes up more than half of it.
"""

from collections.abc import Hashable, Iterator
from heapq import heapify, heappop, heappush
from itertools import count
from typing import Final, Generic, TypeVar

ItemT = TypeVar("ItemT", bound=Hashable)

OUTDATED_MAX: Final = 64
"""So many outdated items are always put up with."""


class LazyHeap(Generic[ItemT]):
    """Items by their keys, the smallest first; equal keys in the order in which they were put."""

    def __init__(self) -> None:
        self._heap: list[tuple[tuple[float, ...], int, ItemT]] = []
        self._valid: dict[ItemT, int] = {}
        self._serials = count()

    def __len__(self) -> int:
        return len(self._valid)

    def __contains__(self, item: ItemT) -> bool:
        return item in self._valid

    def __iter__(self) -> Iterator[ItemT]:
        return iter(self._valid)

    def put(self, item: ItemT, key: tuple[float, ...]) -> None:
        """Add the item, or give it another key."""
        serial = next(self._serials)
        self._valid[item] = serial
        heappush(self._heap, (key, serial, item))
        self._bound()

    def discard(self, item: ItemT) -> None:
        """Take the item out, if it is there."""
        if self._valid.pop(item, None) is not None:
            self._bound()

    def first(self) -> tuple[tuple[float, ...], ItemT] | None:
        """The smallest key and its item, which stays."""
        while self._heap:
            key, serial, item = self._heap[0]
            if self._valid.get(item) == serial:
                return key, item
            heappop(self._heap)
        return None

    def pop(self) -> ItemT | None:
        """The item with the smallest key, taken out."""
        first = self.first()
        if first is None:
            return None
        _, item = first
        heappop(self._heap)
        del self._valid[item]
        return item

    def _bound(self) -> None:
        if len(self._heap) > 2 * len(self._valid) + OUTDATED_MAX:
            self._heap = [entry for entry in self._heap if self._valid.get(entry[2]) == entry[1]]
            heapify(self._heap)

    def check(self) -> None:
        """Every item is in the heap once, and what is outdated stays within its bound."""
        valid = [item for _, serial, item in self._heap if self._valid.get(item) == serial]
        assert len(valid) == len(set(valid)) == len(self._valid)
        assert len(self._heap) <= 2 * len(self._valid) + OUTDATED_MAX
