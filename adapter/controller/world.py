"""What is known of the cluster, and what follows from it: which runtimes there are, who may serve a model.

Nothing is asked and nothing is done here; `hear` takes note of what was heard, and answers what is to be
looked at because of it.
"""

from collections.abc import Iterator, Sequence
from contextlib import AbstractContextManager, suppress
from dataclasses import dataclass, field
from typing import Any, Final

from adapter.cluster.cluster import Changed, Listed
from adapter.controller.config import ControllerConfig
from adapter.controller.keys import KIND_OF, ModelKey, NamespaceKey, RuntimeKey, WorkKey
from adapter.controller.manifests.complaints import BadManifest
from adapter.controller.manifests.models import read_model
from adapter.controller.manifests.runtimes import read_runtime
from adapter.controller.namespaces import is_enabled
from adapter.controller.objects import Objects, Seen, Turn
from adapter.controller.one_model import for_model, is_for_one_model, with_one_of_its_own
from adapter.controller.selection import kserve
from adapter.controller.selection.constraints import required_labels
from adapter.controller.selection.labels import runtime_labels
from adapter.controller.selection.modelmesh import ModelMeshSelector
from adapter.controller.selection.scopes import Visible, visible
from adapter.controller.verdicts import Chosen, Selection
from adapter.domain.kinds import (
    CLAIM,
    CLUSTER_SERVING_RUNTIME,
    CONFIG_MAP,
    INFERENCE_SERVICE,
    NAMESPACE,
    PREDICTOR,
    SECRET,
    SERVING_RUNTIME,
    Key,
    Kind,
    Manifest,
)
from adapter.domain.specs import DeploymentMode, ModelSpec, RuntimeSpec, Source
from adapter.mesh.constraints import DEFAULT_TYPE

FOLLOWED: Final = frozenset(
    {INFERENCE_SERVICE, PREDICTOR, SERVING_RUNTIME, CLUSTER_SERVING_RUNTIME, SECRET, CLAIM, CONFIG_MAP}
)
"""Beside Namespaces, where there are several."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Scope:
    """What this controller looks after."""

    namespace: str
    """Its own."""
    cluster_wide: bool = True
    """Every enabled namespace; else its own only."""
    every_mode: bool = False
    """Also models that are not ModelMesh's: on the local cluster nobody else is there to serve them."""
    etcd_secret: str = "model-serving-etcd"  # noqa: S105 - a name
    """That says where etcd is; empty: there is none, since the registry is handed over."""
    kinds: frozenset[Kind] = FOLLOWED
    """Those that are followed."""


def _as_it_is(manifest: Manifest) -> Manifest:
    return manifest


@dataclass(slots=True)
class _Runtimes:
    """The runtimes of one namespace, found out once."""

    visible: Visible
    selector: ModelMeshSelector
    served: dict[str, RuntimeSpec] = field(default_factory=dict)
    """Those that run here, by name."""
    labels: dict[str, frozenset[str]] = field(default_factory=dict)
    """Of those."""
    required: dict[str, tuple[str, ...]] = field(default_factory=dict)
    """Labels that each type of models requires of an instance."""
    made_of: dict[str, str] = field(default_factory=dict)
    """Runtimes of one model, and the template that each is made of."""
    has_templates: bool = False


class World:
    """The objects as they were heard last."""

    def __init__(self, scope: Scope, config: ControllerConfig) -> None:
        self.scope = scope
        self.config = config
        self.models: dict[Source, Objects[ModelSpec]] = {
            source: Objects(KIND_OF[source], self._read_model) for source in Source
        }
        self.runtimes: Objects[RuntimeSpec] = Objects(SERVING_RUNTIME, read_runtime)
        self.cluster_runtimes: Objects[RuntimeSpec] = Objects(CLUSTER_SERVING_RUNTIME, read_runtime)
        self.namespaces: Objects[Manifest] = Objects(NAMESPACE, _as_it_is)
        self.secrets: Objects[Manifest] = Objects(SECRET, _as_it_is)
        self.config_maps: Objects[Manifest] = Objects(CONFIG_MAP, _as_it_is)
        self.claims: Objects[Manifest] = Objects(CLAIM, _as_it_is)
        followed: Sequence[Objects[Any]] = (
            *self.models.values(),
            self.runtimes,
            self.cluster_runtimes,
            self.namespaces,
            self.secrets,
            self.config_maps,
            self.claims,
        )
        self._objects = {objects.kind: objects for objects in followed}
        self._found: dict[str, _Runtimes] = {}
        self._listed: set[tuple[Kind, str]] = set()
        """Kinds of single namespaces."""

    def _read_model(self, manifest: Manifest) -> ModelSpec | None:
        return read_model(manifest, every_mode=self.scope.every_mode)

    # What there is.

    def is_enabled(self, namespace: str) -> bool:
        """Whether its models and runtimes are looked after (reference: serving controller 7.1)."""
        if not self.scope.cluster_wide:
            return namespace == self.scope.namespace
        seen = self.namespaces.get("", namespace)
        return seen is not None and is_enabled(seen.manifest, own=self.scope.namespace)

    def enabled(self) -> Iterator[str]:
        """The namespaces that are looked after."""
        if not self.scope.cluster_wide:
            yield self.scope.namespace
            return
        for seen in self.namespaces:
            if self.is_enabled(seen.key.name):
                yield seen.key.name

    def model(self, key: ModelKey) -> Seen[ModelSpec] | None:
        """As it was heard last."""
        return self.models[key.source].get(key.namespace, key.name)

    def models_in(self, namespace: str) -> Iterator[tuple[ModelKey, ModelSpec]]:
        """All that can be read, and are not to go."""
        for source, objects in self.models.items():
            for seen in objects.within(namespace):
                spec = seen.spec
                if spec is not None and not spec.identity.deleted:
                    yield ModelKey(source, namespace, seen.key.name), spec

    def runtime(self, key: RuntimeKey) -> RuntimeSpec | None:
        """That runs, or is to run, in this namespace; None: there is none, or it is not to."""
        return self._runtimes(key.namespace).served.get(key.name)

    def declared_as(self, key: RuntimeKey) -> str:
        """The name of the object that declares it: of a runtime of one model, that of its template."""
        return self._runtimes(key.namespace).made_of.get(key.name, key.name)

    def served(self, namespace: str) -> tuple[RuntimeSpec, ...]:
        """All that run, or are to run, in this namespace, by name."""
        return tuple(self._runtimes(namespace).served.values())

    def serves(self, runtime: RuntimeKey, type_: str) -> bool:
        """Whether its instances may serve models of this type."""
        found = self._runtimes(runtime.namespace)
        required = found.required.get(type_, found.required[DEFAULT_TYPE])
        return found.labels.get(runtime.name, frozenset()).issuperset(required)

    def select(self, model: ModelSpec) -> Selection:
        """Which runtimes may serve it."""
        found = self._runtimes(model.identity.namespace)
        if model.mode is DeploymentMode.MODELMESH:
            return found.selector.select(model)
        chosen = kserve.select(model, found.visible)
        if isinstance(chosen, Chosen):
            return with_one_of_its_own(chosen, model)
        if model.runtime:
            return chosen
        # Nobody else is here to serve it, so a runtime for many models may.
        among_many = found.selector.select(model)
        return among_many if isinstance(among_many, Chosen) else chosen

    def users(self, runtime: RuntimeKey) -> Iterator[ModelSpec]:
        """The models of the namespace that the runtime may serve."""
        for _, model in self.models_in(runtime.namespace):
            selection = self.select(model)
            if any(each.name == runtime.name for each in serving(selection, model)):
                yield model

    def affected(self, key: Key) -> Iterator[str]:
        """The namespaces to which a secret or a claim matters: the one with where etcd is, to each."""
        yield key.namespace
        if key.kind == SECRET and (key.namespace, key.name) == (self.scope.namespace, self.scope.etcd_secret):
            yield from (namespace for namespace in self.enabled() if namespace != key.namespace)

    def is_known(self, namespace: str) -> bool:
        """Whether all has been heard of that what runs there depends on; before that nothing is changed."""
        needed = [(SECRET, namespace), (SECRET, self.scope.namespace)]
        if self.config.allow_any_claim:
            needed.append((CLAIM, namespace))
        return all(each in self._listed for each in needed if each[0] in self.scope.kinds)

    def unknown(self, namespace: str) -> None:
        """What there is must be heard of anew."""
        self._listed -= {(SECRET, namespace), (CLAIM, namespace)}

    def knows_registry(self, namespace: str) -> bool:
        """Whether it is known where the registry of its mesh is; on the local cluster it always is."""
        name = self.scope.etcd_secret
        places = (namespace, self.scope.namespace)
        return not name or any(self.secret(place, name) is not None for place in places)

    def secret(self, namespace: str, name: str) -> Manifest | None:
        """None: there is none."""
        seen = self.secrets.get(namespace, name)
        return None if seen is None else seen.manifest

    def _runtimes(self, namespace: str) -> _Runtimes:
        found = self._found.get(namespace)
        if found is None:
            found = self._found[namespace] = self._find(namespace)
        return found

    def _find(self, namespace: str) -> _Runtimes:
        own = [seen.spec for seen in self.runtimes.within(namespace) if seen.spec is not None]
        cluster = [seen.spec for seen in self.cluster_runtimes if seen.spec is not None]
        sees = visible([*own, *cluster], namespace)
        several = sees.multi_model()
        single = [each for each in sees.all if not each.multi_model] if self.scope.every_mode else []
        able = [each for each in [*reversed(single), *several] if not (each.disabled or each.multi_node)]
        served, rest = {each.name: each for each in able}, self.config.rest.enabled
        own_ones = dict(self._runtimes_of_one_model(namespace, sees)) if self.scope.every_mode else {}
        if self.scope.every_mode:
            served = {name: each for name, each in served.items() if not is_for_one_model(each)}
        served |= {each.name: each for each in own_ones.values()}
        return _Runtimes(
            visible=sees,
            # Those for one model are refused, and say why, where no other has their name.
            selector=ModelMeshSelector(
                {each.name: each for each in (*sees.cluster, *sees.own, *several)}.values(),
                rest_enabled=rest,
            ),
            served={name: served[name] for name in sorted(served)},
            labels={
                name: frozenset(runtime_labels(each, rest_enabled=rest)) for name, each in served.items()
            },
            required=required_labels(served.values(), rest_enabled=rest),
            made_of={each.name: template for (template, _), each in own_ones.items()},
            has_templates=any(map(is_for_one_model, sees.all)),
        )

    def _runtimes_of_one_model(
        self, namespace: str, sees: Visible
    ) -> Iterator[tuple[tuple[str, str], RuntimeSpec]]:
        """By template and model: those that are made of templates."""
        if not any(map(is_for_one_model, sees.all)):
            return
        for key, model in self.models_in(namespace):
            if model.mode is DeploymentMode.MODELMESH:
                continue
            chosen = kserve.select(model, sees)
            if isinstance(chosen, Chosen) and is_for_one_model(template := chosen.runtimes[0]):
                with suppress(BadManifest):  # its status says so
                    yield (template.name, key.name), for_model(template, model)

    def configure(self, config: ControllerConfig) -> None:
        """The configuration is another one."""
        self.config = config
        self._found.clear()

    def secret_names(self) -> tuple[str, ...]:
        """Of each namespace: those that are looked at."""
        tls = self.config.tls.secret_name
        return tuple(filter(None, (self.config.storage_secret_name, self.scope.etcd_secret, tls)))

    # What is heard.

    def hear(
        self, kind: Kind, news: Listed | Changed, *, namespace: str | None = None
    ) -> Sequence[Turn[Any]]:
        """Take note; what has changed by it. A list is of this namespace, or of all."""
        turns = self._objects[kind].hear(news, namespace=namespace)
        if isinstance(news, Listed) and namespace is not None:
            self._listed.add((kind, namespace))
        if turns and kind in (SERVING_RUNTIME, CLUSTER_SERVING_RUNTIME):
            self._found.clear()
        elif turns and kind in KIND_OF.values() and self.scope.every_mode:
            for place in [place for place, found in self._found.items() if found.has_templates]:
                del self._found[place]
        return turns

    def writing(self, key: Key) -> AbstractContextManager[None]:
        """Inside, we change its status or the like, which is no news."""
        return self._objects[key.kind].writing(key)

    def written(self, seen: Seen[ModelSpec], answer: Manifest) -> Seen[ModelSpec] | None:
        """The answer to that; None: somebody else has changed it meanwhile, so look at it again."""
        return self._objects[seen.key.kind].written(seen, answer)

    @property
    def is_listed(self) -> bool:
        """Whether models and runtimes have all been heard of once; before that nothing is removed."""
        whole: list[Objects[Any]] = [self.runtimes, self.cluster_runtimes, *self.models.values()]
        waited_for = [objects for objects in whole if objects.kind in self.scope.kinds]
        if self.scope.cluster_wide:
            waited_for.append(self.namespaces)
        return all(objects.is_listed for objects in waited_for)


def serving(selection: Selection | None, model: ModelSpec) -> Sequence[RuntimeSpec]:
    """Who serves it: by KServe's rules the first, in a mesh any of them."""
    if not isinstance(selection, Chosen):
        return ()
    return selection.runtimes if model.mode is DeploymentMode.MODELMESH else selection.runtimes[:1]


def work_of(world: World, kind: Kind, turn: Turn[Any]) -> Iterator[WorkKey]:
    """What is to be looked at because of this change, when the world has it already."""
    if kind in KIND_OF.values():
        yield from _work_of_model(world, kind, turn)
    elif kind == SERVING_RUNTIME:
        yield from _work_of_runtime(turn.key.name, [turn.key.namespace])
    elif kind == CLUSTER_SERVING_RUNTIME:
        yield from _work_of_runtime(turn.key.name, list(world.enabled()))
    elif kind == NAMESPACE:
        yield from work_in(world, turn.key.name)
    elif kind in (SECRET, CLAIM):
        for namespace in world.affected(turn.key):
            yield from shared_work(world, namespace)


def work_in(world: World, namespace: str) -> Iterator[WorkKey]:
    """Everything of one namespace."""
    yield from shared_work(world, namespace)
    for source, objects in world.models.items():
        for seen in objects.within(namespace):
            yield ModelKey(source, namespace, seen.key.name)


def shared_work(world: World, namespace: str) -> Iterator[WorkKey]:
    """The namespace itself and all its runtimes."""
    yield NamespaceKey(namespace)
    for runtime in world.served(namespace):
        yield RuntimeKey(namespace, runtime.name)


def _work_of_model(world: World, kind: Kind, turn: Turn[Any]) -> Iterator[WorkKey]:
    source = next(source for source, each in KIND_OF.items() if each == kind)
    yield ModelKey(source, turn.key.namespace, turn.key.name)
    before = None if turn.before is None else turn.before.spec
    after = None if turn.after is None else turn.after.spec
    if before is after and before is not None:
        return
    for spec in (before, after):
        if isinstance(spec, ModelSpec) and isinstance(selection := world.select(spec), Chosen):
            # Those that it needs no more may scale down.
            for runtime in selection.runtimes:
                yield RuntimeKey(turn.key.namespace, runtime.name)


def _work_of_runtime(name: str, namespaces: Sequence[str]) -> Iterator[WorkKey]:
    for namespace in namespaces:
        yield RuntimeKey(namespace, name)
        yield NamespaceKey(namespace)
