"""Where a request goes and where a copy is loaded, as this instance sees the mesh at this moment.

Gives the pure rules of `mesh` what they need: the view, who does not answer, what was just sent elsewhere,
and what this instance's own cache says, which is right where the registry's table lags behind.
"""

from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Final

from adapter.aio.clock import Clock
from adapter.cache.model_cache import ModelCache
from adapter.domain.errors import AdapterError, told_elsewhere
from adapter.domain.ids import InstanceId, ModelId
from adapter.domain.records import CopyRecord, CopyState, ModelRecord
from adapter.instance.held import held
from adapter.instance.mesh_state import MeshState
from adapter.instance.peer_links import PeerLinks
from adapter.mesh.constraints import NO_CONSTRAINTS, TypeConstraints
from adapter.mesh.placement import place
from adapter.mesh.routing import route, served_here
from adapter.mesh.verdicts import LoadHere, Placement, Reject, Route
from adapter.mesh.view import InstanceState
from adapter.mesh.wanted import Wanted

RESTARTS: Final = "UNAVAILABLE: its runtime restarts"


class Wayfinder:
    """Asks the rules."""

    def __init__(
        self,
        *,
        state: MeshState,
        cache: ModelCache,
        links: PeerLinks,
        clock: Clock,
        draw: Callable[[int], int],
        runtime_there: Callable[[], bool],
    ) -> None:
        self.state = state
        self.constraints: TypeConstraints = NO_CONSTRAINTS
        self._cache = cache
        self.links = links
        self._clock = clock
        self._draw = draw
        self._runtime_there = runtime_there

    def use(self, constraints: TypeConstraints) -> None:
        """From now on these say which instances may hold which models."""
        self.constraints = constraints
        for tell in self.state.on_instances:
            tell()

    def route(
        self,
        model: ModelId,
        record: ModelRecord,
        *,
        excluded: Mapping[InstanceId, str],
        balanced: bool = False,
    ) -> Route:
        """What becomes of a request."""
        now_ms = self._clock.epoch_ms()
        return route(
            self._wanted(model, record, excluded=excluded, used_ms=now_ms, balanced=balanced),
            self.state.view.instances,
            self.constraints,
            in_flight=self.links.in_flight,
            draw=self._draw,
            now_ms=now_ms,
            pending=self.links.pending,
        )

    def served_here(self, model: ModelId, record: ModelRecord) -> LoadHere | Reject:
        """What becomes of a request that another instance sent here to be loaded."""
        now_ms = self._clock.epoch_ms()
        wanted = self._wanted(model, record, excluded={}, used_ms=now_ms)
        return served_here(wanted, self.state.view.instances, self.constraints, now_ms=now_ms)

    def place(
        self,
        model: ModelId,
        record: ModelRecord,
        *,
        excluded: Mapping[InstanceId, str],
        used_ms: int = 0,
    ) -> Placement:
        """Where one more copy is loaded."""
        now_ms = self._clock.epoch_ms()
        return place(
            self._wanted(model, record, excluded=excluded, used_ms=used_ms or now_ms),
            self.state.view.instances,
            self.constraints,
            now_ms=now_ms,
            pending=self.links.pending,
        )

    def instances(self) -> Mapping[InstanceId, InstanceState]:
        """All that are there, those that do not answer too."""
        return self.state.view.instances

    def copies(self, model: ModelId) -> Mapping[InstanceId, CopyRecord]:
        """All of the model's copies, with what this instance itself knows of its own."""
        there, here = self.state.view.copies(model), self.state.here
        own, own_state = there.get(here), self.held_here(model)
        if (None if own is None else own.state) is own_state:
            return there
        if own_state is not None:
            return {**there, here: CopyRecord(state=own_state, since_ms=self._clock.epoch_ms())}
        if own is None or self._cache.failure(model, self._clock.now_s()) is not None:
            return there
        copies = dict(there)
        # Nothing is here any more. Its crashes count all the same.
        copies.pop(here)
        if own.crashes:
            copies[here] = replace(own, state=CopyState.FAILED, until_ms=0)
        return copies

    def held_here(self, model: ModelId) -> CopyState | None:
        """What this instance's cache has of the model."""
        return held(self._cache, model)

    def error_of(self, model: ModelId, reject: Reject) -> AdapterError:
        """A rejection as an error; the failure of our own load, if there was one, says it better."""
        failure = self._cache.failure(model, self._clock.now_s())
        if failure is not None:
            return type(failure.error)(*failure.error.args)
        return told_elsewhere(reject.code, reject.text)

    def _others_answer(self, silent: Mapping[InstanceId, str]) -> bool:
        """Whether there is somebody to go to while our runtime is away; else its return is waited for."""
        return any(
            id_ != self.state.here and id_ not in silent and not each.record.draining
            for id_, each in self.state.view.instances.items()
        )

    def _wanted(
        self,
        model: ModelId,
        record: ModelRecord,
        *,
        excluded: Mapping[InstanceId, str],
        used_ms: int,
        balanced: bool = False,
    ) -> Wanted:
        silent = self.links.silent()
        if not self._runtime_there() and self._others_answer(silent):
            silent = {**silent, self.state.here: RESTARTS}
        copies = self.copies(model)
        return Wanted(
            model=model,
            type=record.info.type,
            copies=copies,
            here=self.state.here,
            held_here=self.held_here(model),
            excluded={**silent, **excluded} if silent else excluded,
            balanced=balanced,
            used_ms=used_ms,
            sent_to=self.links.sent_to(model),
            size_bytes=max((copy.size_bytes for copy in copies.values()), default=0),
        )
