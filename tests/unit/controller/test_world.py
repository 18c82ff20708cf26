"""What is known of the cluster, by what was heard; in one namespace of a mesh, unless the test says more."""

from typing import Any

import pytest

from adapter.cluster.cluster import Changed, Listed
from adapter.controller.config import ControllerConfig, RestConfig, TlsConfig
from adapter.controller.keys import KIND_OF, ModelKey, NamespaceKey, RuntimeKey, WorkKey
from adapter.controller.verdicts import Chosen, NoRuntime
from adapter.controller.world import FOLLOWED, Scope, World, work_in, work_of
from adapter.domain.kinds import (
    CLAIM,
    CLUSTER_SERVING_RUNTIME,
    INFERENCE_SERVICE,
    NAMESPACE,
    PREDICTOR,
    SECRET,
    SERVING_RUNTIME,
    Key,
    Kind,
    Manifest,
    key_of,
)
from adapter.domain.specs import Source
from tests.unit.controller.managed import HOME, NS, isvc, predictor, runtime

IRIS = ModelKey(Source.INFERENCE_SERVICE, NS, "iris")
KINDS = {kind.name: kind for kind in (*FOLLOWED, NAMESPACE)}


def namespace(name: str, label: str | None = "true") -> dict[str, Any]:
    labels = {} if label is None else {"modelmesh-enabled": label}
    return {"kind": "Namespace", "metadata": {"name": name, "labels": labels}}


def cluster_runtime(name: str, format_: str = "sklearn", **spec: Any) -> dict[str, Any]:
    return {**runtime(name, format_, **spec), "kind": "ClusterServingRuntime", "metadata": {"name": name}}


def secret(name: str, where: str = NS) -> dict[str, Any]:
    return {"kind": "Secret", "metadata": {"name": name, "namespace": where}}


def standard(name: str, **spec: Any) -> dict[str, Any]:
    """One that KServe serves."""
    manifest = isvc(name, **spec)
    manifest["metadata"]["annotations"] = {"serving.kserve.io/deploymentMode": "Standard"}
    return manifest


def hear(world: World, manifest: Manifest) -> list[WorkKey]:
    """The world as it is with this object; what is to be looked at because of it."""
    kind = KINDS[manifest["kind"]]
    return heard(world, kind, Changed(key=key_of(manifest, kind), manifest=manifest))


def lose(world: World, kind: Kind, name: str) -> list[WorkKey]:
    return heard(world, kind, Changed(key=Key(kind=kind, name=name, namespace=NS), manifest=None))


def heard(world: World, kind: Kind, news: Listed | Changed) -> list[WorkKey]:
    return [key for turn in world.hear(kind, news) for key in work_of(world, kind, turn)]


def a_world(*objects: Manifest, config: ControllerConfig | None = None, **scope: Any) -> World:
    world = World(Scope(**{"namespace": HOME, **scope}), config or ControllerConfig())
    for manifest in (namespace(NS), *objects):
        hear(world, manifest)
    return world


def chosen(world: World, key: ModelKey = IRIS) -> list[str]:
    """The runtimes that may serve the model."""
    seen = world.model(key)
    assert seen is not None
    assert seen.spec is not None
    selection = world.select(seen.spec)
    return [each.name for each in selection.runtimes] if isinstance(selection, Chosen) else []


# Namespaces.


def test_those_with_the_label_are_looked_after_and_the_own_one_without_it() -> None:
    world = a_world(namespace(HOME, None), namespace("other", None), namespace("off", "false"))
    assert set(world.enabled()) == {NS, HOME}
    assert not world.is_enabled("not heard of")


def test_in_the_scope_of_a_namespace_only_that_is_looked_after() -> None:
    world = a_world(cluster_wide=False)
    assert list(world.enabled()) == [HOME]
    assert not world.is_enabled(NS)


# Runtimes.


def test_runtimes_of_the_namespace_replace_those_of_the_cluster() -> None:
    world = a_world(cluster_runtime("a", "onnx"), cluster_runtime("b"), runtime("a"))
    assert [each.name for each in world.served(NS)] == ["a", "b"]
    assert world.served(NS)[0].identity.namespace == NS
    assert world.served("other")[0].is_cluster_scoped


@pytest.mark.parametrize(
    "manifest",
    [
        pytest.param(runtime("a", disabled=True), id="disabled"),
        pytest.param(runtime("a", multiModel=False, grpcEndpoint=None), id="KServe's"),
        pytest.param(runtime("a", containers="none"), id="not readable"),
    ],
)
def test_what_cannot_run_is_not_served(manifest: dict[str, Any]) -> None:
    world = a_world(manifest, isvc("iris"))
    assert world.runtime(RuntimeKey(NS, "a")) is None
    assert chosen(world) == []


def test_where_nobody_else_serves_them_runtimes_for_one_model_run_too() -> None:
    single = runtime("a", multiModel=False, grpcEndpoint=None)
    assert [each.name for each in a_world(single, every_mode=True).served(NS)] == ["a"]


def test_a_change_of_a_runtime_is_seen_at_once() -> None:
    world = a_world(runtime("a"), isvc("iris"))
    assert chosen(world) == ["a"]
    hear(world, runtime("a", "onnx"))
    assert chosen(world) == []
    hear(world, cluster_runtime("b"))
    assert chosen(world) == ["b"]


def test_the_configuration_has_a_say_in_what_may_serve_a_model() -> None:
    world = a_world(runtime("a", protocolVersions=["grpc-v2"]), isvc("iris", protocolVersion="v2"))
    assert chosen(world) == ["a"]
    world.configure(ControllerConfig(rest=RestConfig(enabled=False)))
    assert chosen(world) == []


# Models.


def test_models_are_chosen_for_by_the_rules_of_their_mode() -> None:
    first, second = (
        cluster_runtime(
            name,
            multiModel=False,
            grpcEndpoint=None,
            protocolVersions=["v1"],
            supportedModelFormats=[{"name": "sklearn", "autoSelect": True, "priority": priority}],
        )
        for name, priority in (("first", 2), ("second", 1))
    )
    world = a_world(first, second, runtime("mesh"), standard("alone"), isvc("iris"), every_mode=True)
    assert chosen(world, ModelKey(Source.INFERENCE_SERVICE, NS, "alone")) == ["first", "second"]
    assert chosen(world) == ["mesh"]


def test_a_model_of_kserves_is_none_of_ours_where_kserve_serves_it() -> None:
    world = a_world(standard("alone"))
    seen = world.model(ModelKey(Source.INFERENCE_SERVICE, NS, "alone"))
    assert seen is not None
    assert seen.read is None


def test_only_models_that_can_be_read_and_are_to_stay_are_counted() -> None:
    going, bad = isvc("going"), isvc("bad")
    going["metadata"]["deletionTimestamp"] = "2026-01-01T00:00:00Z"
    bad["spec"] = {"predictor": {}}
    world = a_world(going, bad, isvc("iris"), predictor("rose"))
    assert {key for key, _ in world.models_in(NS)} == {IRIS, ModelKey(Source.PREDICTOR, NS, "rose")}


def test_a_runtime_of_the_mesh_is_used_by_every_model_that_it_may_serve() -> None:
    world = a_world(runtime("a"), runtime("b"), runtime("c", "onnx"), isvc("iris"), predictor("rose"))
    used = {name: [each.identity.name for each in world.users(RuntimeKey(NS, name))] for name in "abc"}
    assert {name: sorted(users) for name, users in used.items()} == {
        "a": ["iris", "rose"],
        "b": ["iris", "rose"],
        "c": [],
    }


def test_by_kserves_rules_only_the_first_runtime_is_used() -> None:
    names = ("first", "second")
    runtimes = [
        cluster_runtime(name, multiModel=False, grpcEndpoint=None, protocolVersions=["v1"]) for name in names
    ]
    world = a_world(*runtimes, standard("alone"), every_mode=True)
    key = ModelKey(Source.INFERENCE_SERVICE, NS, "alone")
    assert set(chosen(world, key)) == set(names)
    users = [name for name in names if any(world.users(RuntimeKey(NS, name)))]
    assert users == chosen(world, key)[:1]


def test_a_model_without_a_runtime_is_told_why() -> None:
    world = a_world(runtime("a", "onnx"), isvc("iris"))
    seen = world.model(IRIS)
    assert seen is not None
    assert seen.spec is not None
    selection = world.select(seen.spec)
    assert isinstance(selection, NoRuntime)
    assert [refusal.runtime for refusal in selection.refusals] == ["a"]


# Secrets.


def test_the_secrets_that_matter_are_those_that_are_named() -> None:
    assert a_world().secret_names() == ("storage-config", "model-serving-etcd")
    world = a_world(config=ControllerConfig(tls=TlsConfig(secret_name="tls")), etcd_secret="etcd")
    assert world.secret_names() == ("storage-config", "etcd", "tls")


def test_a_secret_is_of_its_namespace() -> None:
    world = a_world(secret("storage-config"))
    assert world.secret(NS, "storage-config") == secret("storage-config")
    assert world.secret(HOME, "storage-config") is None


def test_what_runs_waits_for_the_secrets_of_its_namespace_and_of_the_own_one() -> None:
    world = a_world()
    for kind, where in ((CLAIM, NS), (SECRET, NS), (SECRET, HOME)):
        assert not world.is_known(NS)
        world.hear(kind, Listed(objects=[]), namespace=where)
    assert world.is_known(NS) is world.is_known(HOME) is True
    assert not world.is_known("other")
    world.unknown(NS)
    assert (world.is_known(NS), world.is_known(HOME)) == (False, True)


def test_what_is_not_followed_is_not_waited_for() -> None:
    assert a_world(kinds=FOLLOWED - {SECRET}).is_known(NS)


def test_claims_are_waited_for_where_any_may_be_used() -> None:
    world = a_world(config=ControllerConfig(allow_any_claim=True))
    for where in (NS, HOME):
        world.hear(SECRET, Listed(objects=[]), namespace=where)
    assert not world.is_known(NS)
    world.hear(CLAIM, Listed(objects=[]), namespace=NS)
    assert world.is_known(NS)


# What is to be looked at.


def test_nothing_is_known_to_be_missing_before_everything_was_listed() -> None:
    world = World(Scope(namespace=HOME, kinds=FOLLOWED - {CLUSTER_SERVING_RUNTIME}), ControllerConfig())
    for kind in (SERVING_RUNTIME, *KIND_OF.values()):
        world.hear(kind, Listed(objects=[]))
        assert not world.is_listed
    world.hear(NAMESPACE, Listed(objects=[]))
    assert world.is_listed


def test_in_the_scope_of_a_namespace_namespaces_are_not_waited_for() -> None:
    world = World(Scope(namespace=HOME, cluster_wide=False), ControllerConfig())
    for kind in (SERVING_RUNTIME, CLUSTER_SERVING_RUNTIME, *KIND_OF.values()):
        assert not world.is_listed
        world.hear(kind, Listed(objects=[]))
    assert world.is_listed


def test_a_model_concerns_itself_and_the_runtimes_that_it_needs_now_or_needed() -> None:
    world = a_world(runtime("a"), runtime("b", "onnx"))
    assert hear(world, isvc("iris")) == [IRIS, RuntimeKey(NS, "a")]
    assert hear(world, isvc("iris", format_="onnx")) == [IRIS, RuntimeKey(NS, "a"), RuntimeKey(NS, "b")]
    assert lose(world, INFERENCE_SERVICE, "iris") == [IRIS, RuntimeKey(NS, "b")]


def test_a_status_concerns_nothing_but_its_model() -> None:
    world = a_world(runtime("a"), isvc("iris"))
    assert hear(world, {**isvc("iris"), "status": {"url": "grpc://iris"}}) == [IRIS]


def test_a_runtime_concerns_itself_and_what_its_namespace_shares() -> None:
    world = a_world()
    assert hear(world, runtime("a")) == [RuntimeKey(NS, "a"), NamespaceKey(NS)]
    assert lose(world, SERVING_RUNTIME, "a") == [RuntimeKey(NS, "a"), NamespaceKey(NS)]


def test_a_runtime_of_the_cluster_concerns_every_namespace_that_is_looked_after() -> None:
    world = a_world(namespace("two"), namespace("off", "false"))
    work = hear(world, cluster_runtime("a"))
    assert set(work) == {
        key for where in (NS, "two") for key in (RuntimeKey(where, "a"), NamespaceKey(where))
    }


def test_a_namespace_concerns_everything_in_it() -> None:
    world = a_world(runtime("a"), isvc("iris"), predictor("rose"))
    everything = {
        NamespaceKey(NS),
        RuntimeKey(NS, "a"),
        IRIS,
        ModelKey(Source.PREDICTOR, NS, "rose"),
    }
    assert set(hear(world, namespace(NS, "false"))) == everything
    assert set(work_in(world, NS)) == everything


@pytest.mark.parametrize(
    ("manifest", "concerned"),
    [
        pytest.param(secret("storage-config"), {NS}, id="a secret"),
        pytest.param({"kind": CLAIM.name, "metadata": {"name": "disk", "namespace": NS}}, {NS}, id="a claim"),
        pytest.param(secret("model-serving-etcd", HOME), {HOME, NS}, id="where etcd is"),
        pytest.param(secret("model-serving-etcd"), {NS}, id="where a namespace's own etcd is"),
    ],
)
def test_a_secret_concerns_the_runtimes_that_read_it(manifest: dict[str, Any], concerned: set[str]) -> None:
    world = a_world(namespace(HOME, None), cluster_runtime("a"))
    work = hear(world, manifest)
    assert set(work) == {key for where in concerned for key in (NamespaceKey(where), RuntimeKey(where, "a"))}


def test_what_is_heard_again_unchanged_concerns_nothing() -> None:
    world = a_world()
    manifest = runtime("a")
    manifest["metadata"]["resourceVersion"] = "7"
    assert hear(world, manifest)
    assert hear(world, manifest) == []
    assert heard(world, SERVING_RUNTIME, Listed(objects=[manifest])) == []
    assert heard(world, PREDICTOR, Listed(objects=[])) == []
    assert heard(world, SECRET, Listed(objects=[])) == []


def test_who_serves_a_type_is_known_as_the_instances_know_it() -> None:
    first = [{"name": "sklearn", "autoSelect": True, "priority": 2}]
    formats = [{"name": "sklearn", "autoSelect": True, "priority": 1}]
    world = a_world(
        runtime("a", supportedModelFormats=first),
        runtime("b", supportedModelFormats=formats),
        runtime("c", "onnx"),
    )

    def able(type_: str) -> list[str]:
        return [name for name in "abcd" if world.serves(RuntimeKey(NS, name), type_)]

    assert able("mt:sklearn") == ["a"], "only the highest priority is used"
    assert (able("rt:b"), able("mt:onnx"), able("mt:nobody's")) == (["b"], ["c"], [])
