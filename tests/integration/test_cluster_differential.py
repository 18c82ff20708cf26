"""The cluster in memory does, step by step, what a real API server does, whatever two managers do."""

import itertools
from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from adapter.cluster.cluster import Cluster, ClusterRefused
from adapter.cluster.kubernetes import KubernetesCluster
from adapter.cluster.kubernetes_api import Account
from adapter.domain.kinds import NAMESPACE, Key, Kind
from tests.contracts.cluster import define
from tests.fakes.memory_cluster import MemoryCluster
from tests.integration.control_plane import ControlPlane

MANAGERS = ("one", "two")
NAMES = ("dolly", "shaun")
ROUNDS = (f"round-{number}" for number in itertools.count())

GOAT = Kind(group="tests.remesh.dev", version="v1", name="Goat", plural="goats")
"""A kind with a schema, as nearly all have: without, a server takes a map away with what others put in it."""

NUMBER = {"type": "integer"}
TAGS = {"type": "object", "additionalProperties": NUMBER}
PLACE = {"type": "object", "properties": {"p": NUMBER, "q": NUMBER, "tags": TAGS}}
FIELDS = {"n": NUMBER, "list": {"type": "array", "items": NUMBER}, "x": PLACE, "y": PLACE}
SPEC = {"type": "object", "properties": FIELDS}
SCHEMA = {"type": "object", "properties": {"spec": SPEC, "status": SPEC}}

# No map is left empty by what is applied no more: a real server makes null of it, and then refuses that.
NUMBERS = st.integers(0, 3)
TAGGED = st.fixed_dictionaries({"a": NUMBERS}, optional={"b": NUMBERS})
PLACED = st.fixed_dictionaries({"p": NUMBERS, "tags": TAGGED}, optional={"q": NUMBERS})
LISTS = st.lists(NUMBERS, max_size=2)
SPECS = st.fixed_dictionaries({"x": PLACED, "y": PLACED}, optional={"n": NUMBERS, "list": LISTS})
REPLACED = st.one_of(PLACED, st.just({"q": None}), st.just({"q": 2, "tags": {"b": None}}))
LABELS = st.dictionaries(st.sampled_from(["k", "l"]), st.sampled_from(["1", "2"]), max_size=2)
PATCHES = st.fixed_dictionaries(
    {}, optional={"n": st.one_of(st.none(), NUMBERS), "list": LISTS, "x": REPLACED, "y": REPLACED}
)
FINALIZERS = st.sampled_from([None, [], ["tests.remesh.dev/a"], ["tests.remesh.dev/b"]])

Step = Callable[[dict[str, Cluster], str], Awaitable[Any]]


def manifest(name: str, namespace: str, spec: Any, labels: Any) -> dict[str, Any]:
    metadata = {"name": name, "namespace": namespace}
    return {"metadata": metadata | ({"labels": labels} if labels else {}), "spec": spec}


@st.composite
def steps(draw: st.DrawFn) -> Step:
    """Something that somebody does; it is given the managers and the namespace."""
    who, name = draw(st.sampled_from(MANAGERS)), draw(st.sampled_from(NAMES))
    what = draw(
        st.sampled_from(["create", "apply", "apply", "apply", "patch", "status", "replace", "delete"])
    )
    spec, labels, patch = draw(SPECS), draw(LABELS), draw(PATCHES)
    finalizers = draw(FINALIZERS)

    async def step(managers: dict[str, Cluster], namespace: str) -> Any:
        cluster, key = managers[who], Key(kind=GOAT, name=name, namespace=namespace)
        whole = manifest(name, namespace, spec, labels)
        if what == "create":
            return await cluster.create(whole, GOAT)
        if what == "apply":
            return await cluster.apply(whole, GOAT)
        if what == "patch":
            held = {} if finalizers is None else {"metadata": {"finalizers": finalizers}}
            return await cluster.patch(key, {"spec": patch, **held})
        if what == "status":
            return await cluster.patch_status(key, {"status": patch})
        if what == "delete":
            return await cluster.delete(key)
        there = await cluster.get(key)
        return there and await cluster.replace({**there, "spec": spec}, GOAT)

    step.__name__ = f"{who} {what} {name} spec={spec} labels={labels} patch={patch} finalizers={finalizers}"
    return step


async def outcome(step: Step, managers: dict[str, Cluster], namespace: str) -> Any:
    """What it answers, or which error it is, without what differs from run to run."""
    try:
        told = await step(managers, namespace)
    except ClusterRefused as refused:
        return type(refused).__name__
    return comparable(told) if isinstance(told, dict) else told


def comparable(told: dict[str, Any]) -> dict[str, Any]:
    metadata = dict(told["metadata"])
    for name in ("uid", "resourceVersion", "creationTimestamp"):
        assert metadata.pop(name)
    deleted = bool(metadata.pop("deletionTimestamp", None))
    return {**told, "metadata": {**metadata, "deleted": deleted}}


@pytest.fixture
async def real(control_plane: ControlPlane) -> AsyncIterator[dict[str, Cluster]]:
    account = Account.found(kubeconfig=control_plane.kubeconfig())
    async with (
        KubernetesCluster.connected(account, manager=MANAGERS[0]) as one,
        KubernetesCluster.connected(account, manager=MANAGERS[1]) as two,
    ):
        await define(one, GOAT, schema=SCHEMA)
        yield dict(zip(MANAGERS, (one, two), strict=True))


@settings(
    max_examples=100,
    deadline=None,
    derandomize=True,
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)
@given(done=st.lists(steps(), min_size=3, max_size=12))
async def test_whatever_two_managers_do(real: dict[str, Cluster], done: list[Step]) -> None:
    namespace = next(ROUNDS)
    await real[MANAGERS[0]].apply({"metadata": {"name": namespace}}, NAMESPACE)
    memory = MemoryCluster(namespaces=[namespace], manager=MANAGERS[0])
    await define(memory, GOAT, schema=SCHEMA)
    fake = {MANAGERS[0]: memory, MANAGERS[1]: memory.another(MANAGERS[1])}
    story: list[str] = []
    for step in done:
        story.append(step.__name__)
        mine, theirs = await outcome(step, dict(fake), namespace), await outcome(step, real, namespace)
        assert mine == theirs, "\n".join(story)
