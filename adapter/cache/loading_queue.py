"""Who is loaded next: a waiting user first, in order of arrival; then background work, the newest use first.

(Reference: ModelMesh core 4.8, which counts a waiting user as used two hours from now.)
"""

from collections.abc import Iterator
from itertools import count

from adapter.cache.lazy_heap import LazyHeap
from adapter.domain.ids import ModelId

_USER, _BACKGROUND = 0, 1
_Key = tuple[int, float, int]


class LoadingQueue:
    """The models that wait for a loading slot."""

    def __init__(self) -> None:
        self._heap = LazyHeap[ModelId]()
        self._keys: dict[ModelId, _Key] = {}
        self._arrivals = count()

    def __len__(self) -> int:
        return len(self._keys)

    def __contains__(self, model: ModelId) -> bool:
        return model in self._keys

    def __iter__(self) -> Iterator[ModelId]:
        return iter(self._keys)

    def put(self, model: ModelId, *, waiting: bool, used_s: float) -> None:
        """Queue the model, or move it forward if this is more urgent than what was asked before."""
        before = self._keys.get(model)
        arrival = next(self._arrivals) if before is None else before[-1]
        key = (_USER, 0.0, arrival) if waiting else (_BACKGROUND, -used_s, arrival)
        if before is None or key < before:
            self._keys[model] = key
            self._heap.put(model, key)

    def pop(self) -> ModelId | None:
        """The next model, taken out."""
        model = self._heap.pop()
        if model is not None:
            del self._keys[model]
        return model

    def discard(self, model: ModelId) -> None:
        """Take the model out, if it is there."""
        self._heap.discard(model)
        self._keys.pop(model, None)

    def position(self, model: ModelId) -> int | None:
        """How many are before it; None: it is not queued. Looks at the whole queue."""
        mine = self._keys.get(model)
        return None if mine is None else sum(1 for key in self._keys.values() if key < mine)

    def least_urgent_background(self) -> ModelId | None:
        """The last in the queue, unless a user waits for it. Looks at the whole queue."""
        last = max(self._keys, key=self._keys.__getitem__, default=None)
        return last if last is not None and self._keys[last][0] == _BACKGROUND else None

    def check(self) -> None:
        self._heap.check()
        assert set(self._heap) == set(self._keys)
