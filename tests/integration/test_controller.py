"""`remesh controller` before a real control plane and a real mesh: what people declare, and what they see."""

import time
from collections.abc import Callable, Iterator
from random import Random

import pytest

from tests.integration import control_plane
from tests.integration.controllers import (
    NAMESPACE,
    Managed,
    Object,
    isvc,
    managed,
    reason_of,
    state_of,
    wait_until,
)

pytestmark = pytest.mark.timeout(240)

LOADED = "Loaded//UpToDate"
FAILED = "FailedToLoad//UpToDate"
MANY = 200
KILLS = 2
"""`make soak NAME=controller` has twenty."""
SETTLED_S_MAX = 60.0
TAKEN_OVER_S_MAX = 20.0
LEADING = "remesh_controller_leading"

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


@pytest.fixture(scope="module")
def shared(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Managed]:
    folder = tmp_path_factory.mktemp("controller")
    with control_plane.running(folder) as plane, managed(plane, folder) as it:
        yield it


@pytest.fixture
def it(shared: Managed) -> Iterator[Managed]:
    shared.apply(RUNTIME)
    yield shared
    with shared.running():  # for the finalizers
        shared.clear()


def many(test: str) -> dict[str, tuple[Object, str, str]]:
    """By name: the object, the state that it comes to, and the reason of its failure.

    The stub fails only the first load of a path, so each test has paths of its own.
    """
    good = {f"good-{n}": (isvc(f"good-{n}", f"SIZE_1000_{n}_0"), LOADED, "") for n in range(MANY // 2)}
    bad: dict[str, tuple[Object, str, str]] = {}
    for n in range(MANY // 6):
        both = isvc(f"both-{n}", "p", storageUri="s3://b/p")
        bad[f"both-{n}"] = (both, "Pending//InvalidSpec", "InvalidPredictorSpec")
        unknown = isvc(f"unknown-{n}", "p", format_="nonsense")
        bad[f"unknown-{n}"] = (unknown, FAILED, "NoSupportingRuntime")
        failing = isvc(f"failing-{n}", f"FAIL_{test}_{n}")
        bad[f"failing-{n}"] = (failing, FAILED, "ModelLoadFailed")
    return good | bad


def settled(it: Managed, wanted: dict[str, tuple[Object, str, str]], said: Callable[[], str]) -> float:
    """Until all are as they should be; how long that took, in seconds."""

    def differing() -> dict[str, tuple[str, str]]:
        found = it.isvcs()
        told = {name: (state_of(found[name]), reason_of(found[name])) for name in wanted}
        return {name: told[name] for name, (_, *should) in wanted.items() if told[name] != tuple(should)}

    return wait_until(
        lambda: not differing(), SETTLED_S_MAX, lambda: f"{list(differing().items())[:8]}\n{said()[-3000:]}"
    )


def test_the_statuses_of_many_models_half_of_them_wrong(it: Managed) -> None:
    wanted = many("statuses")
    with it.running() as controller:
        it.apply(*(manifest for manifest, _, _ in wanted.values()))
        took_s = settled(it, wanted, lambda: controller.said)
        print(f"{len(wanted)} statuses were right {took_s:.1f} s after the last apply")  # noqa: T201
        assert controller.figure("remesh_controller_models") == len(wanted)


def test_killed_at_any_moment_it_comes_to_the_same_end(it: Managed) -> None:
    wanted, chance = many("killed"), Random(6)
    controller = it.controller()
    controller.start()
    try:
        it.apply(*(manifest for manifest, _, _ in wanted.values()))
        for _ in range(KILLS):
            # Whatever it is at then: a moment is what is tested here, not a state that one could wait for.
            time.sleep(chance.uniform(0.5, 3.0))
            controller.kill()
            controller.start()
        settled(it, wanted, lambda: controller.said)
        assert it.registered("vmodels/") == {name for name in wanted if not name.startswith("both-")}
    finally:
        controller.kill()


def test_one_leads_and_the_other_takes_over(it: Managed) -> None:
    first, second = (it.controller(name, "--enable-leader-election") for name in ("first", "second"))
    first.start()
    try:
        first.wait_until_ready()
        wait_until(lambda: first.figure(LEADING) == 1, TAKEN_OVER_S_MAX, lambda: first.said)
        second.start()
        second.wait_until_ready()
        it.apply(isvc("one", "SIZE_1000_0_0"))
        wait_until(lambda: it.states() == {"one": LOADED}, 20, lambda: f"{it.states()}\n{first.said}")
        assert (first.figure(LEADING), second.figure(LEADING)) == (1, 0)
        assert second.figure("remesh_controller_looks_total") == 0
        first.kill()
        it.apply(isvc("two", "SIZE_1000_0_0"))
        wait_until(
            lambda: it.states().get("two") == LOADED,
            TAKEN_OVER_S_MAX,
            lambda: f"{it.states()}\n{second.said}",
        )
    finally:
        first.kill()
        second.kill()


def test_who_ends_in_order_is_followed_at_once(it: Managed) -> None:
    first, second = (it.controller(name, "--enable-leader-election") for name in ("ends", "follows"))
    first.start()
    try:
        first.wait_until_ready()
        wait_until(lambda: first.figure(LEADING) == 1, TAKEN_OVER_S_MAX, lambda: first.said)
        second.start()
        second.wait_until_ready()
        assert first.stop() == 0, first.said
        wait_until(lambda: second.figure(LEADING) == 1, 6, lambda: second.said)
    finally:
        first.kill()
        second.kill()


def test_what_is_deleted_while_it_loads_leaves_nothing_behind(it: Managed) -> None:
    with it.running() as controller:
        it.apply(isvc("slow", "SIZE_1000_5000_0"))
        wait_until(lambda: it.states() == {"slow": "Loading//UpToDate"}, 10, lambda: controller.said)
        assert it.registered("vmodels/") == {"slow"}
        it.plane.kubectl("delete", "isvc", "slow", "--namespace", NAMESPACE, "--timeout=20s")
        assert not it.registered("vmodels/")
        wait_until(lambda: not it.registered("registry/"), 15, lambda: str(it.registered("")))
        wait_until(lambda: not any(it.mesh.held().values()), 15, lambda: str(it.mesh.held()))


def test_a_change_keeps_the_old_model_until_the_new_one_is_loaded(it: Managed) -> None:
    with it.running() as controller:
        it.apply(isvc("iris", "SIZE_1000_0_0"))
        wait_until(lambda: it.states() == {"iris": LOADED}, 10, lambda: controller.said)
        it.apply(isvc("iris", "SIZE_1000_2000_0"))
        wait_until(lambda: it.states() == {"iris": "Loaded/Loading/InProgress"}, 10, lambda: controller.said)
        wait_until(lambda: it.states() == {"iris": LOADED}, 10, lambda: controller.said)
        it.apply(isvc("iris", "FAIL_broken"))
        blocked = {"iris": "Loaded/FailedToLoad/BlockedByFailedLoad"}
        wait_until(lambda: it.states() == blocked, 10, lambda: f"{it.states()}\n{controller.said}")
        [found] = it.isvcs().values()
        assert reason_of(found) == "ModelLoadFailed"
        assert "broken" in found["status"]["modelStatus"]["lastFailureInfo"]["message"]


def test_kubectl_shows_what_people_know(it: Managed) -> None:
    with it.running() as controller:
        it.apply(isvc("iris", "SIZE_1000_0_0"))
        it.plane.kubectl(
            *("wait", "isvc", "iris", "--namespace", NAMESPACE, "--for=condition=Ready", "--timeout=20s")
        )
        told = it.plane.kubectl("get", "isvc", "--namespace", NAMESPACE).splitlines()
        assert told[0].split()[:3] == ["NAME", "URL", "READY"], told
        assert told[1].split()[:3] == ["iris", f"grpc://modelmesh-serving.{NAMESPACE}:8033", "True"], told
        it.apply(isvc("bad", "p", storageUri="s3://b/p"))
        wait_until(lambda: "InvalidSpec" in it.states().get("bad", ""), 10, lambda: controller.said)

        def described() -> str:
            return it.plane.kubectl("describe", "isvc", "bad", "--namespace", NAMESPACE)

        wait_until(lambda: "Warning" in described(), 10, described)
        assert "cannot have both the storageUri and the storage.path" in described()
