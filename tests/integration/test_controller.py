"""`remesh controller` before a real control plane and a real mesh: what people declare, and what they see."""

from collections.abc import Iterator

import pytest

from tests.integration import control_plane
from tests.integration.controllers import (
    NAMESPACE,
    Managed,
    isvc,
    managed,
    reason_of,
    wait_until,
)
from tests.integration.declared_models import LOADED, RUNTIME, many, settled

pytestmark = pytest.mark.timeout(240)

TAKEN_OVER_S_MAX = 20.0
LEADING = "remesh_controller_leading"


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


def test_the_statuses_of_many_models_half_of_them_wrong(it: Managed) -> None:
    wanted = many("statuses")
    with it.running() as controller:
        it.apply(*(fate.manifest for fate in wanted.values()))
        took_s = settled(it, wanted, lambda: controller.said)
        print(f"{len(wanted)} statuses were right {took_s:.1f} s after the last apply")  # noqa: T201
        assert controller.figure("remesh_controller_models") == len(wanted)


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
