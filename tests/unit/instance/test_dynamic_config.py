import asyncio
import logging
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from dataclasses import dataclass

import pytest

from adapter.aio.clock import LoopClock
from adapter.aio.groups import cancelled_at_the_end
from adapter.domain.errors import Refused
from adapter.instance.dynamic_config import DynamicConfig
from adapter.instance.observers import Observers
from adapter.mesh.copy_facts import ScalingRules
from adapter.mesh.demand import Demand
from adapter.servers.payload_processors import PayloadProcessors
from adapter.telemetry.metrics import Metrics
from adapter.telemetry.request_log import RequestLogHeaders
from tests.fakes.memory_registry import MemoryRegistry

CONFIG = "/mm/serving/config/"


@dataclass(slots=True, kw_only=True)
class Configured:
    """What a configuration has its effect on. Its settings: rpm 500, level warning, no line per call."""

    registry: MemoryRegistry
    config: DynamicConfig
    demand: Demand
    observers: Observers

    async def write(self, **values: str | bytes | None) -> None:
        """An operator writes, or deletes; what that brings about has happened."""
        encoded = {
            CONFIG + name: each.encode() if isinstance(each, str) else each for name, each in values.items()
        }
        await self.registry.commit(encoded, guards={})
        await asyncio.sleep(1)

    @property
    def effect(self) -> tuple[float, str, bool]:
        level = logging.getLevelName(logging.getLogger().level)
        return self.demand.rules.rpm_max, level, self.observers.log_each


@pytest.fixture(autouse=True)
def _level() -> Iterator[None]:
    level = logging.getLogger().level
    yield
    logging.getLogger().setLevel(level)


@pytest.fixture
def configured() -> Configured:
    registry, demand = MemoryRegistry(), Demand(0.0, rules=ScalingRules(rpm_max=500.0))
    observers = Observers(
        metrics=Metrics().requests,
        payloads=PayloadProcessors([], LoopClock()),
        log_headers=RequestLogHeaders(),
        log_each=False,
    )
    config = DynamicConfig(
        registry=registry, prefix="/mm/serving/", demand=demand, observers=observers, log_level="warning"
    )
    return Configured(registry=registry, config=config, demand=demand, observers=observers)


@asynccontextmanager
async def following(configured: Configured) -> AsyncIterator[None]:
    """While inside, it is followed."""
    async with cancelled_at_the_end() as owner:
        owner.create_task(configured.config.follow())
        await asyncio.sleep(1)
        yield


AS_SET = (500.0, "WARNING", False)


async def test_what_nobody_wrote_is_as_it_was_set(configured: Configured) -> None:
    async with following(configured):
        assert configured.effect == AS_SET


async def test_what_is_there_already_is_used_at_once(configured: Configured) -> None:
    await configured.write(logger_level="debug", log_each_invocation="true", scaleup_rpm_threshold="100")
    async with following(configured):
        assert configured.effect == (100.0, "DEBUG", True)


async def test_what_is_written_takes_effect_and_what_is_deleted_ends_it(configured: Configured) -> None:
    async with following(configured):
        await configured.write(scaleup_rpm_threshold=" 100\n")
        assert configured.effect == (100.0, "WARNING", False)
        await configured.write(logger_level="ERROR", log_each_invocation="TRUE")
        assert configured.effect == (100.0, "ERROR", True)
        await configured.write(logger_level=None, log_each_invocation=None, scaleup_rpm_threshold=None)
        assert configured.effect == AS_SET


async def test_what_was_deleted_unseen_has_no_effect_any_more(configured: Configured) -> None:
    async with following(configured):
        await configured.write(scaleup_rpm_threshold="100", log_each_invocation="true")
        configured.registry.wipe()
        await asyncio.sleep(1)
        assert configured.effect == AS_SET


@pytest.mark.parametrize(
    ("name", "value", "effect"),
    [
        pytest.param("scaleup_rpm_threshold", "3", (10.0, "WARNING", False), id="too few calls"),
        pytest.param("scaleup_rpm_threshold", "-1", AS_SET, id="no number"),
        pytest.param("scaleup_rpm_threshold", "9" * 5000, AS_SET, id="a number out of this world"),
        pytest.param("scaleup_rpm_threshold", b"\xff", AS_SET, id="no text"),
        pytest.param("logger_level", "loud", (500.0, "INFO", False), id="an unknown level"),
        pytest.param("log_each_invocation", "yes", AS_SET, id="neither true nor false"),
        pytest.param("send_destination_id", "true", AS_SET, id="without a meaning here"),
    ],
)
async def test_what_cannot_be_meant_does_no_harm(
    configured: Configured, name: str, value: str | bytes, effect: tuple[float, str, bool]
) -> None:
    async with following(configured):
        await configured.write(**{name: value})
        assert configured.effect == effect
        await configured.write(scaleup_rpm_threshold="100")
        assert configured.effect[0] == 100.0


@pytest.mark.parametrize("value", [None, "false", "false\n"])
async def test_an_instance_starts_unless_the_mesh_is_disabled(
    configured: Configured, value: str | None
) -> None:
    await configured.write(disable=value)
    await configured.config.check_enabled()


@pytest.mark.parametrize("value", ["true", "", "maintenance"])
async def test_no_instance_of_a_disabled_mesh_starts(configured: Configured, value: str) -> None:
    await configured.write(disable=value)
    with pytest.raises(Refused, match=f"disabled by {CONFIG}disable"):
        await configured.config.check_enabled()
