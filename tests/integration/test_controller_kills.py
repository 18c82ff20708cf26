"""The controller killed at any moment, and another that takes over; `tests/soak/controller.py` for long."""

import os
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from random import Random

import pytest

from tests.integration import control_plane
from tests.integration.controllers import NAMESPACE, Controller, Managed, isvc, managed, wait_until
from tests.integration.declared_models import FATES, LOADED, RUNTIME, Fate, good, many, settled

KILLS = int(os.environ.get("REMESH_SOAK_KILLS", "2"))
TAKEOVERS = int(os.environ.get("REMESH_SOAK_TAKEOVERS", "1"))
TAKEN_OVER_S_MAX = 20.0
LEADING = "remesh_controller_leading"
KILLED_EARLY = 0.2
"""So often it is killed while it starts; else after it was ready for up to `BUSY_S`."""
BUSY_S = 3.0
BATCH = 10
SEED = 6

pytestmark = pytest.mark.timeout(240 + 30 * KILLS + 60 * TAKEOVERS)


@pytest.fixture
def it(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Managed]:
    folder = tmp_path_factory.mktemp("kills")
    with control_plane.running(folder) as plane, managed(plane, folder) as it:
        it.apply(RUNTIME)
        yield it


@dataclass
class People:
    """They declare, change and take back, whether somebody looks after it or not."""

    it: Managed
    chance: Random
    wanted: dict[str, Fate] = field(default_factory=dict)
    _made: int = 0

    def declare(self, fates: dict[str, Fate]) -> None:
        self.wanted |= fates
        self.it.apply(*(fate.manifest for fate in fates.values()))

    def do_something(self) -> None:
        """Some go, some new ones come, some are changed, and those with errors are mended."""
        gone, changed = (self.chance.sample(sorted(self.wanted), BATCH) for _ in range(2))
        self.it.plane.kubectl("delete", "isvc", *gone, "--namespace", NAMESPACE, "--wait=false")
        for name in gone:
            del self.wanted[name]
        fates = {name: good(name, self._version()) for name in changed if name in self.wanted}
        for _ in range(BATCH):
            version = self._version()
            kind = self.chance.choice(sorted(FATES))
            fates[f"{kind}-{version}"] = FATES[kind](f"{kind}-{version}", version)
        self.declare(fates)

    def _version(self) -> str:
        self._made += 1
        return f"v{self._made}"


def test_killed_at_any_moment_it_comes_to_the_same_end(it: Managed) -> None:
    people, controller = People(it, Random(SEED)), it.controller()
    controller.start()
    try:
        people.declare(many("killed"))
        for _ in range(KILLS):
            people.do_something()
            if people.chance.random() > KILLED_EARLY:
                controller.wait_until_ready()
            # Whatever it is at then: a moment is what is tested here, not a state that one could wait for.
            time.sleep(people.chance.uniform(0, BUSY_S))
            controller.kill()
            controller.start()
        people.do_something()
        took_s = settled(it, people.wanted, lambda: controller.said)
        print(f"{KILLS} kills: {len(people.wanted)} statuses were right {took_s:.1f} s later")  # noqa: T201
        nothing_is_left_behind(it, people.wanted)
        assert "Traceback" not in controller.said
    finally:
        controller.kill()


def nothing_is_left_behind(it: Managed, wanted: dict[str, Fate]) -> None:
    """The mesh knows each model once, and no other; the runtime holds those that are loaded."""
    registered = {name for name, fate in wanted.items() if fate.is_registered}
    loaded = {name for name, fate in wanted.items() if fate.state == LOADED}

    def declared(models: set[str]) -> list[str]:
        return sorted(model.rpartition("__isvc-")[0] for model in models)

    def as_it_should_be() -> bool:
        [held] = it.mesh.held().values()
        return (
            it.registered("vmodels/") == registered
            and declared(it.registered("registry/")) == sorted(registered)
            and declared(held) == sorted(loaded)
        )

    def complaint() -> str:
        aliases, models = it.registered("vmodels/"), declared(it.registered("registry/"))
        [held] = it.mesh.held().values()
        return (
            f"aliases {aliases ^ registered}, models {set(models) ^ registered}, {len(models)} of "
            f"{len(registered)}; held {set(declared(held)) ^ loaded}, {len(held)} of {len(loaded)}"
        )

    wait_until(as_it_should_be, 30, complaint)


def test_one_leads_and_the_other_takes_over(it: Managed) -> None:
    leader, standby = (it.controller(name, "--enable-leader-election") for name in ("first", "second"))
    started(leader)
    try:
        wait_until(lambda: leader.figure(LEADING) == 1, TAKEN_OVER_S_MAX, lambda: leader.said)
        started(standby)
        for number in range(TAKEOVERS):
            it.apply(isvc(f"before-{number}", "SIZE_1000_0_0"))
            loaded(it, f"before-{number}", leader)
            assert (leader.figure(LEADING), standby.figure(LEADING)) == (1, 0)
            assert standby.figure("remesh_controller_looks_total") == 0
            leader.kill()
            it.apply(isvc(f"after-{number}", "SIZE_1000_0_0"))
            took_s = loaded(it, f"after-{number}", standby)
            print(f"taken over after {took_s:.1f} s")  # noqa: T201
            started(leader)
            leader, standby = standby, leader
    finally:
        leader.kill()
        standby.kill()


def started(controller: Controller) -> None:
    controller.start()
    controller.wait_until_ready()


def loaded(it: Managed, name: str, by: Controller) -> float:
    """Until it is; how long that took, in seconds."""
    return wait_until(
        lambda: it.states().get(name) == LOADED, TAKEN_OVER_S_MAX, lambda: f"{it.states()}\n{by.said}"
    )
