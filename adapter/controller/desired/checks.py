"""What cannot run though it is declared soundly (`manifests.runtime_rules`), said before anything is made."""

from collections.abc import Iterator
from typing import Final

from adapter.controller.desired.declared import container_named, memory_request, resource
from adapter.controller.desired.names import LABEL_CHARS_MAX, MODELS_DISK_ANNOTATION
from adapter.controller.desired.ways import Way, way_of
from adapter.controller.manifests.annotations import annotation
from adapter.controller.manifests.complaints import BadManifest, Complaint
from adapter.controller.plans import RuntimePlan
from adapter.controller.quantities import parse_bytes
from adapter.domain.specs import BuiltInAdapter, RuntimeSpec

BUFFER_BYTES: Final = 268_435_456
"""What the instance keeps of a built-in server's memory unless told (`MEM_BUFFER_BYTES`)."""


def check(plan: RuntimePlan) -> None:
    """Raise `BadManifest` with every complaint at once."""
    complaints = [*complaints_of(plan)]
    if complaints:
        raise BadManifest(complaints)


def complaints_of(plan: RuntimePlan) -> Iterator[Complaint]:
    """What keeps this plan from running."""
    runtime = plan.runtime
    if len(plan.name) > LABEL_CHARS_MAX:
        chars = LABEL_CHARS_MAX - len(plan.config.service_name) - 1
        text = f"must have at most {chars} characters: pods carry the label name={plan.name}"
        yield Complaint("metadata.name", text)
    if not runtime.containers:
        yield Complaint("spec.containers", "must have at least one container")
    wrong = [*_quantity_complaints(runtime)]
    yield from wrong
    if not wrong and runtime.adapter is not None and way_of(runtime) is Way.DRIVEN:
        yield from _memory_complaints(runtime, runtime.adapter)


def _memory_complaints(runtime: RuntimeSpec, adapter: BuiltInAdapter) -> Iterator[Complaint]:
    asked = memory_request(container_named(runtime, adapter.server_type))
    kept = BUFFER_BYTES if adapter.buffer_bytes is None else adapter.buffer_bytes
    if asked is not None and parse_bytes(asked) <= kept:
        text = (
            f"keeps {kept} bytes of the {asked} that container {adapter.server_type} has, so no model has "
            "room; lower it, or give the container more memory"
        )
        yield Complaint("spec.builtInAdapter.memBufferBytes", text)


def _quantity_complaints(runtime: RuntimeSpec) -> Iterator[Complaint]:
    disk = runtime.identity.annotations.get(MODELS_DISK_ANNOTATION)
    told: list[tuple[str, object]] = [(annotation(MODELS_DISK_ANNOTATION), disk)]
    told += [
        (f"spec.containers[{index}].resources.{kind}.memory", resource(container, kind, "memory"))
        for index, container in enumerate(runtime.containers)
        for kind in ("requests", "limits")
    ]
    for field, amount in told:
        try:
            if amount is not None:
                parse_bytes(amount)
        except ValueError as error:
            yield Complaint(field, str(error))
