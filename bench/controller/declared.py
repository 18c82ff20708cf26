"""What people do and see: models declared by the API server, changed there, their statuses followed."""

import asyncio
import json
import time
from collections.abc import AsyncIterator, Callable, Iterable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any, Final, Self

from adapter.cluster.cluster import Cluster, Listed
from adapter.domain.kinds import INFERENCE_SERVICE, SERVING_RUNTIME, Key, Manifest
from bench.processes import Broken
from tests.integration.controllers import NAMESPACE, isvc
from tests.integration.declared_models import RUNTIME

AT_ONCE: Final = 16
"""Objects that are created at once."""
APPLIED: Final = "kubectl.kubernetes.io/last-applied-configuration"


def model(number: int) -> Manifest:
    """As `kubectl apply` would create it, with what that remembers of it."""
    manifest = isvc(named(number), path(number))
    manifest["metadata"]["annotations"][APPLIED] = json.dumps(manifest)
    return manifest


def named(number: int) -> str:
    """The name of this one."""
    return f"model-{number}"


def path(number: int, version: int = 0) -> str:
    """The stub takes no time for it; a model of another version is another model."""
    return f"SIZE_1000_0_0/{number}/{version}"


def is_settled(manifest: Manifest) -> bool:
    """Its status speaks of the latest spec, and says that it is loaded."""
    status = manifest.get("status") or {}
    told = status.get("modelStatus") or {}
    states: dict[str, str] = told.get("states") or {}
    return (
        status.get("observedGeneration") == manifest["metadata"]["generation"]
        and told.get("transitionStatus") == "UpToDate"
        and (states.get("activeModelState"), states.get("targetModelState")) == ("Loaded", "")
    )


@dataclass(slots=True, kw_only=True)
class Declared:
    """All models, as the API server tells of them."""

    cluster: Cluster
    settled: dict[str, int] = field(default_factory=dict)
    """The latest generation of each that was reconciled."""
    changed: asyncio.Condition = field(default_factory=asyncio.Condition)

    @classmethod
    @asynccontextmanager
    async def followed(cls, cluster: Cluster) -> AsyncIterator[Self]:
        """Within the block."""
        declared = cls(cluster=cluster)
        following = asyncio.create_task(declared._follow(), name="follow the models")
        try:
            yield declared
        finally:
            following.cancel()
            await asyncio.gather(following, return_exceptions=True)

    async def create(self, models: int) -> None:
        """So many of them, and the runtime that serves them."""
        await self.cluster.create(RUNTIME, SERVING_RUNTIME)
        numbers = iter(range(models))

        async def some() -> None:
            for number in numbers:
                await self.cluster.create(model(number), INFERENCE_SERVICE)

        async with asyncio.TaskGroup() as group:
            for _ in range(AT_ONCE):
                group.create_task(some())

    async def change(self, number: int, *, version: int, patience_s: float) -> float:
        """Another spec for one of them, until its status says so; in seconds. Raises `Broken`."""
        key = Key(kind=INFERENCE_SERVICE, namespace=NAMESPACE, name=named(number))
        patch: dict[str, Any] = {
            "spec": {"predictor": {"model": {"storage": {"path": path(number, version)}}}}
        }
        began_s = time.perf_counter()
        told = await self.cluster.patch(key, patch)
        if told is None:
            raise Broken(f"{key} is not there")
        generation = told["metadata"]["generation"]
        await self.wait_until(lambda: self.settled.get(key.name, 0) >= generation, patience_s, str(key))
        return time.perf_counter() - began_s

    async def wait_until_settled(self, models: int, *, patience_s: float) -> None:
        """All that were created. Raises `Broken`."""
        await self.wait_until(
            lambda: len(self.settled) >= models, patience_s, f"{models} models, {len(self.settled)} of them"
        )

    async def wait_until(self, true: Callable[[], bool], patience_s: float, what: str) -> None:
        """Raises `Broken`."""
        try:
            async with asyncio.timeout(patience_s), self.changed:
                await self.changed.wait_for(true)
        except TimeoutError:
            raise Broken(f"{what}: not reconciled within {patience_s:.0f} s") from None

    async def _follow(self) -> None:
        async for news in self.cluster.follow(INFERENCE_SERVICE, namespace=NAMESPACE):
            if isinstance(news, Listed):
                heard: Iterable[Manifest] = news.objects
            else:
                heard = () if news.manifest is None else (news.manifest,)
            async with self.changed:
                for manifest in filter(is_settled, heard):
                    metadata = manifest["metadata"]
                    self.settled[metadata["name"]] = metadata["generation"]
                self.changed.notify_all()
