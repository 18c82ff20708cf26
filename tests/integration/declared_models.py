"""Models of every fate, the runtime that they have in common, and how their statuses are to be in the end."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from math import ceil

from tests.integration.controllers import NAMESPACE, Managed, Object, isvc, reason_of, state_of, wait_until

LOADED = "Loaded//UpToDate"
FAILED = "FailedToLoad//UpToDate"
INVALID = "Pending//InvalidSpec"
MANY = 200
SETTLED_S_MAX = 60.0

RUNTIME: Object = {
    "apiVersion": "serving.kserve.io/v1alpha1",
    "kind": "ServingRuntime",
    "metadata": {"name": "stub", "namespace": NAMESPACE},
    "spec": {
        "multiModel": True,
        "grpcEndpoint": "port:8085",
        "grpcDataEndpoint": "port:8001",
        "supportedModelFormats": [{"name": "sklearn", "autoSelect": True}],
        "containers": [{"name": "stub", "image": "stub:1"}],
    },
}


@dataclass(frozen=True, slots=True)
class Fate:
    """A model, and what its status comes to."""

    manifest: Object
    state: str
    reason: str = ""

    @property
    def is_registered(self) -> bool:
        """The mesh is told of it."""
        return self.state != INVALID


def good(name: str, version: str = "") -> Fate:
    return Fate(isvc(name, f"SIZE_1000_{len(name)}_0/{version}"), LOADED)


def with_two_paths(name: str, _: str = "") -> Fate:
    return Fate(isvc(name, "p", storageUri="s3://b/p"), INVALID, "InvalidPredictorSpec")


def of_no_runtime(name: str, _: str = "") -> Fate:
    return Fate(isvc(name, "p", format_="nonsense"), FAILED, "NoSupportingRuntime")


def failing(name: str, version: str) -> Fate:
    """The stub fails only the first load of a path, so each test needs versions of its own."""
    return Fate(isvc(name, f"FAIL_{name}_{version}"), FAILED, "ModelLoadFailed")


FATES: Mapping[str, Callable[[str, str], Fate]] = {
    "good": good,
    "both": with_two_paths,
    "unknown": of_no_runtime,
    "failing": failing,
}


def many(test: str) -> dict[str, Fate]:
    """By name: half of them good, the others with errors of three kinds."""
    made = {f"good-{n}": good(f"good-{n}") for n in range(MANY // 2)}
    for kind in ("both", "unknown", "failing"):
        made |= {f"{kind}-{n}": FATES[kind](f"{kind}-{n}", test) for n in range(ceil(MANY / 6))}
    return made


def settled(it: Managed, wanted: Mapping[str, Fate], said: Callable[[], str]) -> float:
    """Until all are as they should be, and nothing else is there; how long that took, in seconds."""

    def differing() -> dict[str, object]:
        found = it.isvcs()
        told = {name: (state_of(each), reason_of(each)) for name, each in found.items()}
        should = {name: (fate.state, fate.reason) for name, fate in wanted.items()}
        return {name: told.get(name) for name in told | should if told.get(name) != should.get(name)}

    return wait_until(
        lambda: not differing(), SETTLED_S_MAX, lambda: f"{list(differing().items())[:8]}\n{said()[-3000:]}"
    )
