"""An `Outlet` that keeps what is written until somebody takes it."""

from collections.abc import Sequence

from adapter.wire.grpc_messages import Chunk


class FakeOutlet:
    """The socket of one connection, as the relay sees it."""

    def __init__(self) -> None:
        self._written = bytearray()
        self.closed = False

    def write(self, data: bytes) -> None:
        assert not self.closed, "written to after it was closed"
        self._written += data

    def writelines(self, parts: Sequence[Chunk]) -> None:
        assert not self.closed, "written to after it was closed"
        for part in parts:
            self._written += part

    def close(self) -> None:
        self.closed = True

    def take(self) -> bytes:
        """What was written since the last time."""
        taken = bytes(self._written)
        self._written.clear()
        return taken
