"""What becomes of a request (reference: ModelMesh core 4.6, the rules that it meant).

A copy that is loaded answers; of several the one with fewer of our calls in flight. Otherwise the request
waits where a copy is being loaded. Otherwise one is loaded, where `placement` says, unless too many loads
have failed. A call that came from another instance never goes on to a third.
"""

from collections.abc import Callable, Mapping
from typing import Final

from adapter.domain.errors import Code
from adapter.domain.ids import InstanceId
from adapter.domain.records import CopyState
from adapter.mesh.constraints import TypeConstraints
from adapter.mesh.failed_copies import Failures, coded, failures_of
from adapter.mesh.placement import NOTHING_PENDING, place, why_not
from adapter.mesh.verdicts import ForwardTo, LoadAt, LoadHere, Placed, Reject, Route, ServeHere
from adapter.mesh.view import InstanceState
from adapter.mesh.wanted import Wanted

HOLDERS_MAX: Final = 5
"""When so many instances hold the model and none of them can answer, no further copy is loaded."""


class _Copies:
    """The model's copies, less those that were tried for this request."""

    __slots__ = ("draining", "first_loading", "holders", "loaded")

    def __init__(self, wanted: Wanted, instances: Mapping[InstanceId, InstanceState]) -> None:
        self.loaded: list[InstanceId] = []
        self.draining: list[InstanceId] = []
        """Loaded too, in instances that are about to leave."""
        self.first_loading: InstanceId | None = None
        """Elsewhere: where the load began first, and where nobody is about to leave if possible."""
        self.holders = 0
        """How many hold or load it; those that were tried too."""
        first: tuple[bool, int, InstanceId] | None = None
        for id_, copy in wanted.copies.items():
            state = instances.get(id_)
            if state is None or copy.state is CopyState.FAILED or id_ == wanted.here:
                continue
            self.holders += 1
            if id_ in wanted.excluded:
                continue
            if copy.state is CopyState.LOADED:
                (self.draining if state.record.draining else self.loaded).append(id_)
                continue
            rank = (state.record.draining, copy.since_ms, id_)
            if first is None or rank < first:
                first, self.first_loading = rank, id_
        if wanted.held_here is CopyState.LOADED or wanted.held_here is CopyState.LOADING:
            self.holders += 1
        if wanted.held_here is CopyState.LOADED and wanted.here not in wanted.excluded:
            ours = instances.get(wanted.here)
            drains = ours is not None and ours.record.draining
            (self.draining if drains else self.loaded).append(wanted.here)

    @property
    def able(self) -> list[InstanceId]:
        """Those that can answer at once; those about to leave only if there are no others."""
        return self.loaded or self.draining


def route(  # noqa: PLR0913 - all that is known, each by name
    wanted: Wanted,
    instances: Mapping[InstanceId, InstanceState],
    constraints: TypeConstraints,
    *,
    in_flight: Callable[[InstanceId], int],
    draw: Callable[[int], int],
    now_ms: int,
    pending: Mapping[InstanceId, int] = NOTHING_PENDING,
) -> Route:
    """What becomes of a request that came from a client.

    `instances` has this one too. `in_flight` says how many calls of ours an instance answers now, `draw(n)`
    is a number below n by chance, `pending` is as in `place`.
    """
    here, held_here = wanted.here, wanted.held_here
    if here in wanted.excluded:
        held_here = None
    if held_here is CopyState.LOADED and wanted.balanced:
        return ServeHere("it is loaded here, and the caller spreads its calls itself")
    copies = _Copies(wanted, instances)
    able = copies.able
    if able:
        return _least_loaded(able, here, in_flight=in_flight, draw=draw)
    if held_here is CopyState.LOADING:
        return ServeHere("it is being loaded here")
    if copies.first_loading is not None:
        return ForwardTo(copies.first_loading, "it is being loaded there")
    return _load(wanted, instances, constraints, holders=copies.holders, now_ms=now_ms, pending=pending)


def served_here(
    wanted: Wanted,
    instances: Mapping[InstanceId, InstanceState],
    constraints: TypeConstraints,
    *,
    now_ms: int,
) -> LoadHere | Reject:
    """What becomes of a call that another instance sent here to have its model loaded.

    If the model is here already, or on its way, loading it means waiting for it.
    """
    if wanted.held_here is CopyState.LOADED or wanted.held_here is CopyState.LOADING:
        return LoadHere("it is here already")
    failures = failures_of(wanted.copies, now_ms)
    refusal = failures.refusal(now_ms) or failures.at(wanted.here, now_ms)
    if refusal is not None:
        return refusal
    ours = instances.get(wanted.here)
    if ours is not None:
        reason = why_not(wanted, ours, constraints, now_ms=now_ms)
        if reason:
            # The sender tries another instance; whoever drains is simply not there any more.
            code = Code.UNAVAILABLE if ours.record.draining else Code.RESOURCE_EXHAUSTED
            return Reject(code, f"{wanted.here}: {reason}")
    return LoadHere("another instance chose this one")


def _least_loaded(
    able: list[InstanceId],
    here: InstanceId,
    *,
    in_flight: Callable[[InstanceId], int],
    draw: Callable[[int], int],
) -> ServeHere | ForwardTo:
    """Of two by chance the one with fewer calls in flight.

    If there is a copy here it is one of the two, and wins if they are equal: that saves the way.
    """
    others = [id_ for id_ in able if id_ != here]
    if not others:
        return ServeHere("it is loaded here")
    first = others[draw(len(others)) if len(others) > 1 else 0]
    if len(others) < len(able):
        if in_flight(here) <= in_flight(first):
            return ServeHere("it is loaded here, with no more calls in flight than elsewhere")
        return ForwardTo(first, "it is loaded there, with fewer calls in flight than here")
    if len(others) == 1:
        return ForwardTo(first, "it is loaded there")
    others.remove(first)
    second = others[draw(len(others)) if len(others) > 1 else 0]
    chosen = first if in_flight(first) <= in_flight(second) else second
    return ForwardTo(chosen, "it is loaded there, with no more calls in flight than elsewhere")


def _load(
    wanted: Wanted,
    instances: Mapping[InstanceId, InstanceState],
    constraints: TypeConstraints,
    *,
    holders: int,
    now_ms: int,
    pending: Mapping[InstanceId, int],
) -> LoadHere | LoadAt | Reject:
    """No copy can answer: where one is loaded."""
    failures = failures_of(wanted.copies, now_ms)
    refusal = failures.refusal(now_ms)
    if refusal is not None:
        return refusal
    if holders >= HOLDERS_MAX:
        text = f"{holders} instances hold it, and none of them could answer"
        return _last_reason(wanted, failures, now_ms) or Reject(Code.UNAVAILABLE, text)
    there = None if wanted.sent_to is None else instances.get(wanted.sent_to)
    if there is not None and not why_not(wanted, there, constraints, now_ms=now_ms):
        return LoadAt(there.id, "another call was sent there a moment ago to have it loaded")
    placement = place(wanted, instances, constraints, now_ms=now_ms, pending=pending)
    if isinstance(placement, Placed):
        if placement.instance == wanted.here:
            return LoadHere(placement.because)
        return LoadAt(placement.instance, placement.because)
    return _last_reason(wanted, failures, now_ms) or Reject(placement.code, placement.because)


def _last_reason(wanted: Wanted, failures: Failures, now_ms: int) -> Reject | None:
    """Why the last try was in vain. What a load said comes before what a connection said."""
    tried = list(wanted.excluded.items())
    for _, reason in reversed(tried):
        code, text = coded(reason, Code.OK)
        if code is not Code.OK:
            return Reject(code, text)
    if failures:
        return failures.latest(now_ms)
    if not tried:
        return None
    instance, reason = tried[-1]
    return Reject(Code.UNAVAILABLE, f"{instance}: {reason}")
