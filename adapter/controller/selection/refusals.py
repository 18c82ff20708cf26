"""Why a runtime does not serve a model, in words that follow its name: "triton-2.x is disabled".

Each says what would have to be changed, where a change would help.
"""

from typing import Final

from adapter.controller.selection.formats import matching, told, told_all
from adapter.domain.specs import ModelFormat, ModelSpec, RuntimeSpec

DISABLED: Final = "is disabled (spec.disabled)"
UNSPEAKABLE: Final = "has a comma in the name of what the model asks for, which MM_LABELS cannot say"


def other_name(model: ModelSpec) -> str:
    """The model names a runtime, and it is not this one."""
    return f"has another name than the one that the model asks for, {model.runtime}"


def wrong_mode(*, multi_model: bool) -> str:
    """The runtime is for one model, and many are to be served, or the other way round."""
    if multi_model:
        return "serves one model only (spec.multiModel is not true), and ModelMesh needs one for many"
    return "serves many models (spec.multiModel), and this model is to be served alone"


def wrong_nodes(runtime: RuntimeSpec) -> str:
    """One of the two is for several nodes, and the other is not."""
    if runtime.multi_node:
        return "runs on several nodes (spec.workerSpec), which the model does not ask for"
    return "has no spec.workerSpec, and the model asks for several nodes"


def wrong_format(runtime: RuntimeSpec, wanted: ModelFormat) -> str:
    """No entry of its formats that may be chosen so matches; empty: one does."""
    if matching(runtime, wanted):
        return ""
    name = told(wanted.name, wanted.version)
    if matching(runtime, wanted, automatic=False):
        return f"supports {name} without autoSelect: it must be named as the model's runtime"
    return f"does not support {name} {_instead(runtime, wanted)}"


def wrong_format_named(runtime: RuntimeSpec, wanted: ModelFormat) -> str:
    """The same for a runtime that the model names; `autoSelect` does not matter then."""
    if matching(runtime, wanted, automatic=False):
        return ""
    return f"does not support {told(wanted.name, wanted.version)} {_instead(runtime, wanted)}"


def _instead(runtime: RuntimeSpec, wanted: ModelFormat) -> str:
    """What it has that comes nearest."""
    same = [entry for entry in runtime.formats if entry.name == wanted.name]
    alike = [entry for entry in runtime.formats if entry.name.lower() == wanted.name.lower()]
    listed = told_all(same or alike or runtime.formats)
    return f"(it lists {listed})" if listed else "(it lists no formats)"


def wrong_protocol(runtime: RuntimeSpec, protocol: str, *, is_default: bool) -> str:
    """The runtime does not list it."""
    why = " (which counts where the model names none)" if is_default else ""
    listed = ", ".join(runtime.protocols)
    return f"does not list protocol {protocol}{why} " + (f"but {listed}" if listed else "or any other")


def outdone(priority: int | None, best: int) -> str:
    """Another runtime wants such models more."""
    own = "none" if priority is None else priority
    return f"has priority {own} for this format, and another has {best}"


def joined(reasons: list[str]) -> str:
    """Several reasons, as one."""
    return "; ".join(reasons)
