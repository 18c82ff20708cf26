"""A unary call, from inside this process, on the way that calls from outside take.

The REST gateway and calls for several models at once use it; the relay offers it.
"""

from collections.abc import Callable, Sequence
from typing import Protocol

from adapter.http2.verdicts import Answer
from adapter.wire.headers import Pair

__all__ = ["Answer", "UnaryCalls"]


class UnaryCalls(Protocol):
    """Who makes such calls."""

    async def unary(
        self, method: str, message: bytes, *, metadata: Sequence[Pair] = (), timeout_s: float | None = None
    ) -> Answer:
        """Call `package.Service/Method` with one encoded message.

        Never raises for what became of the call; cancelling the caller cancels the call, and what it
        caused. `timeout_s` None: the caller waits for ever.
        """
        ...

    def begin(
        self,
        method: str,
        message: bytes,
        *,
        metadata: Sequence[Pair] = (),
        answered: Callable[[Answer], None],
    ) -> Callable[[], object]:
        """The same where no task waits: `answered` is called once, perhaps before this returns.

        It must not raise. What this gives ends the call, unless it has ended; `answered` is not called then.
        """
        ...
