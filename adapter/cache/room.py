"""The runtime's memory, as the cache counts it. All in bytes."""

from adapter.domain.ids import ModelId


class Room:
    """What is taken and what is free.

    Taken is what is loading, loaded or unloading: memory counts until the runtime has confirmed the unload.
    The cache never decides to take more than there is. It learns of more afterwards when a measured size
    is bigger than the predicted one, or when the capacity shrinks; by so much `deficit_bytes` is above zero.
    """

    def __init__(self, capacity_bytes: int) -> None:
        self._configured_bytes = capacity_bytes
        self._stranded: dict[ModelId, int] = {}
        self.stranded_bytes = 0
        """What the runtime never let go (reference: ModelMesh core 4.9); the capacity is smaller by it."""
        self.used_bytes = 0
        self.unloading_bytes = 0
        """Of those used, what is on its way out."""
        self.deficit_bytes = 0

    @property
    def capacity_bytes(self) -> int:
        return max(self._configured_bytes - self.stranded_bytes, 0)

    @property
    def free_bytes(self) -> int:
        """Below zero in a deficit."""
        return self.capacity_bytes - self.used_bytes

    @property
    def surplus_bytes(self) -> int:
        """What must still be unloaded, beyond what is on its way out; never below zero."""
        return max(-self.free_bytes - self.unloading_bytes, 0)

    def take(self, size_bytes: int) -> None:
        """A decision of ours, so there must be room."""
        assert 0 < size_bytes <= self.free_bytes, f"{size_bytes} bytes wanted, {self.free_bytes} free"
        self.used_bytes += size_bytes

    def correct(self, *, before_bytes: int, after_bytes: int) -> None:
        """A size was measured."""
        self.used_bytes += after_bytes - before_bytes
        self._account()

    def begin_unload(self, size_bytes: int) -> None:
        self.unloading_bytes += size_bytes

    def end_unload(self, size_bytes: int) -> None:
        self.unloading_bytes -= size_bytes
        self.give_back(size_bytes)

    def give_back(self, size_bytes: int) -> None:
        """The runtime does not hold it any more."""
        self.used_bytes -= size_bytes
        self._account()

    def strand(self, model: ModelId, size_bytes: int) -> None:
        """The runtime holds it, and nothing can be done about it."""
        self.stranded_bytes += size_bytes - self._stranded.get(model, 0)
        self._stranded[model] = size_bytes
        self._account()

    def recover(self, model: ModelId) -> None:
        """It is loaded again, and so counted again with the loaded ones."""
        self.stranded_bytes -= self._stranded.pop(model, 0)
        self._account()

    def recover_all(self) -> None:
        self._stranded.clear()
        self.stranded_bytes = 0
        self._account()

    def resize(self, capacity_bytes: int) -> None:
        self._configured_bytes = capacity_bytes
        self._account()

    def _account(self) -> None:
        self.deficit_bytes = max(-self.free_bytes, 0)

    def check(self) -> None:
        assert self.stranded_bytes == sum(self._stranded.values())
        assert 0 <= self.unloading_bytes <= self.used_bytes
        assert self.used_bytes <= self.capacity_bytes + self.deficit_bytes, (
            f"{self.used_bytes} of {self.capacity_bytes} bytes taken, with a deficit of {self.deficit_bytes}"
        )
        assert self.deficit_bytes == max(-self.free_bytes, 0)
