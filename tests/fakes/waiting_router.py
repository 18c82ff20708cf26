"""A router for the relay's shell: its calls may have to wait, and what they wait for may go wrong."""

import asyncio
from collections.abc import Mapping

from adapter.domain.errors import AdapterError, MethodNotPermitted
from adapter.http2.call import Call
from adapter.http2.metadata import metadata_fields
from adapter.http2.verdicts import Answer, Plan, Target
from adapter.wire.dataplane import V2_SERVICE
from tests.fakes.relay_router import FakeRouter

ROUTED = metadata_fields([("routed", "yes")])
"""What every call has more when it comes to the runtime."""


class WaitingRouter(FakeRouter):
    """Sends every call on to its upstream, at once unless there is something to wait for."""

    def __init__(
        self,
        *,
        timings_ms: Mapping[str, float] | None = None,
        loads: asyncio.Event | None = None,
        answer: Answer | None = None,
        refusal: AdapterError | None = None,
        accident: BaseException | None = None,
        forbidden: str = "",
    ) -> None:
        """The first call is a cold one if there are `timings_ms`; while there are `loads`, every call is.

        A cold call is answered with `answer`, or fails by `accident`; no call can be served for a `refusal`.
        """
        super().__init__()
        self.plans[f"{V2_SERVICE}/ModelInfer"] = Plan(message_first=True)
        if forbidden:
            self.plans[forbidden] = MethodNotPermitted(f"Method not found or not permitted: {forbidden}")
        self.verdict = self._verdict
        self.began = asyncio.Event()
        """A call has come that cannot be routed at once."""
        self.given_up = asyncio.Event()
        """Nobody waits for such a call any more."""
        self._timings_ms = timings_ms
        self._loads = loads
        self._answer = answer
        self._refusal = refusal
        self._accident = accident

    def _verdict(self, call: Call) -> Target | AdapterError | None:
        del call
        if self._refusal is not None:
            return self._refusal
        is_cold = self._timings_ms is not None and len(self.routed) == 1
        if is_cold or self._accident or self._loads or self._answer:
            return None
        return self.target(fields=ROUTED)

    async def resolve(self, call: Call) -> Target | Answer:
        del call
        self.began.set()
        if self._accident is not None:
            raise self._accident
        try:
            if self._loads is not None:
                await self._loads.wait()
        except asyncio.CancelledError:
            self.given_up.set()
            raise
        if self._answer is not None:
            return self._answer
        target = self.target(fields=ROUTED)
        target.timings_ms = self._timings_ms
        return target

    def copy_lost(self, target: Target) -> None:
        assert target not in self.pinned, "it is told once the model may be unloaded"
        super().copy_lost(target)
