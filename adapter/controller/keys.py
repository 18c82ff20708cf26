"""What is looked at one by one: a model, a runtime of a namespace, a namespace."""

from dataclasses import dataclass

from adapter.domain.kinds import INFERENCE_SERVICE, PREDICTOR, Key, Kind
from adapter.domain.specs import Source

KIND_OF: dict[Source, Kind] = {
    Source.PREDICTOR: PREDICTOR,
    Source.INFERENCE_SERVICE: INFERENCE_SERVICE,
}


@dataclass(frozen=True, slots=True)
class ModelKey:
    """One declared model; both kinds may declare one of the same name, and the first has it."""

    source: Source
    namespace: str
    name: str

    @property
    def object(self) -> Key:
        """What declares it."""
        return Key(kind=KIND_OF[self.source], name=self.name, namespace=self.namespace)

    def __str__(self) -> str:
        return f"{self.source.value}_{self.namespace}/{self.name}"


@dataclass(frozen=True, slots=True)
class RuntimeKey:
    """One runtime as it runs in one namespace; a `ClusterServingRuntime` runs in several."""

    namespace: str
    name: str

    def __str__(self) -> str:
        return f"runtime {self.namespace}/{self.name}"


@dataclass(frozen=True, slots=True)
class NamespaceKey:
    """What the runtimes of one namespace share."""

    namespace: str

    def __str__(self) -> str:
        return f"namespace {self.namespace}"


WorkKey = ModelKey | RuntimeKey | NamespaceKey
