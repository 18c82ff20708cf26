"""Runtimes whose containers are templates: each model that chooses one has one of its own.

`{{.Name}}` and the like are filled in from one InferenceService (reference: KServe 2.2), and so such a
runtime cannot be shared. It is so on the local cluster, by KServe's rules; ModelMesh's runtimes serve many
models, and have no one InferenceService to take anything from.
"""

from dataclasses import replace

from adapter.controller.manifests.complaints import BadManifest
from adapter.controller.manifests.templates import fields_of, filled_in, is_template
from adapter.controller.selection.labels import runtime_label
from adapter.controller.verdicts import Chosen, NoRuntime, Selection
from adapter.domain.specs import FailureReason, ModelSpec, RuntimeSpec


def is_for_one_model(runtime: RuntimeSpec) -> bool:
    """Whether something in its containers is to be filled in."""
    return any(map(is_template, runtime.containers))


def for_model(runtime: RuntimeSpec, model: ModelSpec) -> RuntimeSpec:
    """The runtime of this model alone. Raises `BadManifest` for what cannot be filled in."""
    fields = fields_of(model)
    name = f"{runtime.name}--{model.identity.name}"
    return replace(
        runtime,
        identity=replace(runtime.identity, name=name, namespace=model.identity.namespace),
        containers=tuple(
            filled_in(container, fields, at=f"spec.containers[{index}]")
            for index, container in enumerate(runtime.containers)
        ),
    )


def with_one_of_its_own(chosen: Chosen, model: ModelSpec) -> Selection:
    """The same choice; of a template the model gets a runtime of its own, if it can be filled in."""
    first = chosen.runtimes[0]
    if not is_for_one_model(first):
        return chosen
    try:
        own = for_model(first, model)
    except BadManifest as error:
        return NoRuntime(
            type=chosen.type,
            reason=FailureReason.INVALID_PREDICTOR_SPEC,
            message=f"failed to replace placeholders in serving runtime {first.name}: {error}",
            refusals=chosen.refusals,
        )
    return replace(chosen, runtimes=(own,), type=runtime_label(own.name))
