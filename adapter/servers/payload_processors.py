"""Requests and responses shown to others, without any call waiting for it (reference: ModelMesh core 2.11).

Each processor has a queue of its own and gets its payloads in order, each at most once; one that is slow or
away loses payloads, and neither calls nor other processors notice. What was lost is counted, and told once a
minute.
"""

import asyncio
import logging
from collections.abc import Iterator

from adapter.aio.clock import Clock
from adapter.servers.payload_messages import Payload
from adapter.servers.payload_sinks import HttpSink, LogSink, Sink, SinkFailed
from adapter.servers.payload_uris import PayloadFilter, ProcessorUri, parse_processors

log = logging.getLogger(__name__)

DEFAULT_CAPACITY = 64
"""Payloads that wait for one processor, as ModelMesh has it."""

WAITING_BYTES_MAX = 64 * 1024 * 1024
"""Messages that wait for all processors together, in bytes; each has an equal share of it."""

REPORT_S = 60.0


class Outlet:
    """One processor: its filter, its queue, what became of its payloads."""

    def __init__(
        self,
        name: str,
        wanted: PayloadFilter,
        sink: Sink,
        *,
        capacity: int,
        bytes_max: int = WAITING_BYTES_MAX,
    ) -> None:
        """At most `capacity` payloads wait, with messages of at most `bytes_max` together."""
        self.name = name
        self.wanted = wanted
        self.outcomes = {"sent": 0, "failed": 0, "dropped": 0}
        self._sink = sink
        self._waiting: asyncio.Queue[Payload] = asyncio.Queue(capacity)
        self._waiting_bytes = 0
        self._bytes_max = bytes_max
        self._is_failing = False

    def offer(self, payload: Payload) -> None:
        if self._waiting.full() or self._waiting_bytes + len(payload.data) > self._bytes_max:
            self.outcomes["dropped"] += 1
            return
        self._waiting.put_nowait(payload)
        self._waiting_bytes += len(payload.data)

    async def run(self) -> None:
        """Send what is offered, until cancelled."""
        try:
            while True:
                payload = await self._waiting.get()
                try:
                    await self._send(payload)
                finally:
                    self._waiting_bytes -= len(payload.data)
        finally:
            self._sink.close()

    async def _send(self, payload: Payload) -> None:
        try:
            await self._sink.send(payload)
        except SinkFailed as error:
            self.outcomes["failed"] += 1
            if not self._is_failing:
                log.warning(
                    "payload processor does not take payloads",
                    extra={"processor": self.name, "cause": str(error)},
                )
            self._is_failing = True
        else:
            self.outcomes["sent"] += 1
            if self._is_failing:
                log.info("payload processor takes payloads again", extra={"processor": self.name})
            self._is_failing = False


class PayloadProcessors:
    """All processors. `offer` is the event loop's, and never waits; `run` does the work."""

    def __init__(self, outlets: list[Outlet], clock: Clock) -> None:
        self._outlets = outlets
        self._clock = clock

    def __bool__(self) -> bool:
        """Whether there are any."""
        return bool(self._outlets)

    @classmethod
    def parse(cls, text: str, *, clock: Clock, capacity: int = DEFAULT_CAPACITY) -> "PayloadProcessors":
        """Read `MM_PAYLOAD_PROCESSORS`; raises `BadPayloadProcessors`."""
        uris = parse_processors(text)
        bytes_max = WAITING_BYTES_MAX // max(len(uris), 1)
        outlets = [
            Outlet(name, uri.filter, _sink(uri), capacity=capacity, bytes_max=bytes_max)
            for name, uri in _distinct(uris)
        ]
        return cls(outlets, clock)

    def wants(self, model: str, vmodel: str, method: str) -> bool:
        """Whether anybody is to be shown calls of `package.Service/Method` for this model."""
        return any(outlet.wanted.fits(model, vmodel, method) for outlet in self._outlets)

    def offer(self, payload: Payload) -> None:
        """Show it to those who want it; dropped where too much waits already."""
        for outlet in self._outlets:
            if outlet.wanted.fits(payload.model_id, payload.vmodel_id, payload.method):
                outlet.offer(payload)

    async def run(self) -> None:
        """Send, and report what was lost, until cancelled."""
        async with asyncio.TaskGroup() as owner:
            for outlet in self._outlets:
                owner.create_task(outlet.run(), name=f"payloads for {outlet.name}")
            owner.create_task(self._report(), name="payloads lost")

    def figures(self) -> Iterator[tuple[tuple[str, str], int]]:
        """What became of payloads so far, as `remesh_payloads_total` has it."""
        for outlet in self._outlets:
            for outcome, count in outlet.outcomes.items():
                yield (outlet.name, outcome), count

    async def _report(self) -> None:
        told: dict[str, int] = {}
        while True:
            await self._clock.sleep(REPORT_S)
            for outlet in self._outlets:
                lost = outlet.outcomes["failed"] + outlet.outcomes["dropped"]
                if lost > told.get(outlet.name, 0):
                    extra = {"processor": outlet.name, "lost": lost - told.get(outlet.name, 0)}
                    log.warning("payloads were lost", extra=extra)
                told[outlet.name] = lost


def _sink(uri: ProcessorUri) -> Sink:
    return HttpSink(uri.url, uri.credentials) if uri.url else LogSink()


def _distinct(uris: list[ProcessorUri]) -> Iterator[tuple[str, ProcessorUri]]:
    """Each with a name of its own: two of one host are told apart by their place."""
    names = [uri.name for uri in uris]
    for place, uri in enumerate(uris, 1):
        yield (f"{uri.name} ({place})" if names.count(uri.name) > 1 else uri.name), uri
