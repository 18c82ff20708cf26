"""How the calls of each method are treated: whose they are, and how they name a model."""

from dataclasses import replace
from typing import Final

from adapter.domain.errors import MethodNotPermitted
from adapter.domain.runtime import RuntimeStatus
from adapter.http2.request_head import RequestHead
from adapter.http2.verdicts import Caller, Plan
from adapter.instance.doors import Doors
from adapter.instance.naming import REMEMBERED_CHARS_MAX, REMEMBERED_MAX, Naming, Reading
from adapter.instance.runtime_watch import RuntimeWatch
from adapter.servers import model_runtime, peer
from adapter.wire.dataplane import V2_SERVICE, DataplaneConfig

_NOT_FOR_CLIENTS = frozenset({model_runtime.SERVICE, peer.PEER_SERVICE})
"""Whatever a runtime offers, these are never passed on to it."""

UNARY_METHODS: Final = frozenset(
    {
        *(f"{V2_SERVICE}/{method}" for method in ("ModelInfer", "ModelMetadata")),
        "tensorflow.serving.PredictionService/Predict",
        "org.pytorch.serve.grpc.inference.InferenceAPIsService/Predictions",
    }
)
"""Known to answer with one message."""


class Plans:
    """One plan for each method; another one where other instances forward its calls."""

    def __init__(
        self,
        *,
        dataplane: DataplaneConfig,
        watch: RuntimeWatch,
        doors: Doors,
        naming: Naming,
        has_peers: bool = False,
    ) -> None:
        """With `has_peers` a small answer is passed on whole: the instance that sends it may be killed."""
        self._whole = UNARY_METHODS if has_peers else frozenset()
        self._dataplane = dataplane
        self._watch = watch
        self._doors = doors
        self._naming = naming
        self._plans: dict[str, Plan] = {}
        self._forwarded: dict[str, Plan] = {}
        self._made_for: RuntimeStatus | None = None

    def use(self, dataplane: DataplaneConfig) -> None:
        """From now on the data plane is configured so; calls that have begun are not touched."""
        self._dataplane = dataplane
        self._forget()

    def plan(self, head: RequestHead, caller: Caller) -> Plan:
        """How this call is treated. Raises `MethodNotPermitted`, or `CallerNotAllowed`."""
        if self._made_for is not self._watch.status:
            self._forget()
            self._made_for = self._watch.status
        plans = self._forwarded if caller.from_peer else self._plans
        plan = plans.get(head.rpc)
        if plan is None:
            plan = self._made(head.rpc, forwarded=caller.from_peer)
            if len(plans) >= REMEMBERED_MAX:
                plans.clear()
            if len(head.rpc) <= REMEMBERED_CHARS_MAX:
                plans[head.rpc] = plan
        if plan.door is not None:
            self._doors.check(head.rpc, caller)
        elif len(head.ids) > 1 and not plan.message_first and self._names_several(head, caller):
            return replace(plan, message_first=True)
        return plan

    def _names_several(self, head: RequestHead, caller: Caller) -> bool:
        """Each of several models is sent the message, so that must be there first."""
        return not caller.from_peer and len(self._naming.in_headers(head.ids)) > 1

    def _made(self, rpc: str, *, forwarded: bool) -> Plan:
        door = self._doors.door_of(rpc, from_peer=forwarded)
        if door is not None:
            return Plan(door=door)
        runtime = self._watch.status
        offered = runtime.any_method or not runtime.methods or rpc in runtime.methods
        if not offered or not self._dataplane.permits(rpc) or rpc.partition("/")[0] in _NOT_FOR_CLIENTS:
            raise MethodNotPermitted(f"Method not found or not permitted: {rpc}")
        injection = tuple(runtime.methods.get(rpc, ()))
        extraction = self._dataplane.extraction(rpc)
        if extraction is None:
            reading = Reading(injection_path=injection, forwarded=forwarded)
            return Plan(message_first=bool(injection), reading=reading, unary=rpc in self._whole)
        reading = Reading(
            id_path=extraction.path,
            id_kind=extraction.kind,
            headers_first=extraction.headers_first,
            injection_path=injection,
            forwarded=forwarded,
        )
        return Plan(message_first=True, reading=reading, unary=rpc in self._whole)

    def _forget(self) -> None:
        self._plans.clear()
        self._forwarded.clear()
