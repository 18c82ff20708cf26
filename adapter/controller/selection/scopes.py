"""Which runtimes a namespace sees: its own, and those of the cluster."""

from collections.abc import Iterable
from dataclasses import dataclass

from adapter.domain.specs import RuntimeSpec


@dataclass(frozen=True, slots=True, kw_only=True)
class Visible:
    """The runtimes of one namespace, and the cluster's."""

    own: tuple[RuntimeSpec, ...] = ()
    cluster: tuple[RuntimeSpec, ...] = ()

    @property
    def all(self) -> tuple[RuntimeSpec, ...]:
        """Its own first."""
        return self.own + self.cluster

    def named(self, name: str) -> RuntimeSpec | None:
        """Its own of this name, else the cluster's. A disabled one of its own hides the cluster's."""
        return next((runtime for runtime in self.all if runtime.name == name), None)

    def multi_model(self) -> tuple[RuntimeSpec, ...]:
        """Those that serve many models, by name, disabled ones among them: what ModelMesh chooses from.

        One of the namespace replaces the cluster's of the same name. One that is not multi-model is none of
        ModelMesh's business and hides nothing, which in ModelMesh it did (reference: serving controller 2.2).
        """
        several = {runtime.name: runtime for runtime in self.cluster if runtime.multi_model}
        several |= {runtime.name: runtime for runtime in self.own if runtime.multi_model}
        return tuple(several[name] for name in sorted(several))


def visible(runtimes: Iterable[RuntimeSpec], namespace: str) -> Visible:
    """Those of these runtimes that models of the namespace may use. One that is to go is not among them."""
    own, cluster = list[RuntimeSpec](), list[RuntimeSpec]()
    for runtime in runtimes:
        if runtime.identity.deleted:
            continue
        if runtime.is_cluster_scoped:
            cluster.append(runtime)
        elif runtime.identity.namespace == namespace:
            own.append(runtime)
    return Visible(own=tuple(own), cluster=tuple(cluster))
