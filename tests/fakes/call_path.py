"""The program behind the inference door, as far as the door can see."""

from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field

from adapter.domain.errors import AdapterError, MethodNotPermitted
from adapter.servers.passthrough import Forward, InboundCall


@dataclass(slots=True, kw_only=True)
class FakeCallPath:
    """Sends every call on as it came, and remembers what it was asked."""

    timings: Mapping[str, float] | None = None
    refusal: BaseException | None = None
    forbidden: frozenset[str] = frozenset()
    routed: list[InboundCall] = field(default_factory=list)
    lost: list[InboundCall] = field(default_factory=list)
    inside: int = 0
    """Calls whose model must stay loaded at the moment."""

    def check(self, method: str) -> None:
        if method in self.forbidden:
            raise MethodNotPermitted(f"Method not found or not permitted: {method}")

    @asynccontextmanager
    async def route(self, call: InboundCall) -> AsyncIterator[Forward]:
        self.routed.append(call)
        if self.refusal is not None:
            raise self.refusal
        self.inside += 1
        try:
            yield Forward(
                metadata=[("routed", "yes")],
                message=call.message,
                timings=self.timings if self.is_first else None,
            )
        finally:
            self.inside -= 1

    @property
    def is_first(self) -> bool:
        return len(self.routed) == 1

    async def copy_lost(self, call: InboundCall) -> None:
        assert self.inside == 0, "it is told once the model may be unloaded"
        self.lost.append(call)


def refusing(error: AdapterError) -> FakeCallPath:
    """One that cannot serve any call."""
    return FakeCallPath(refusal=error)
