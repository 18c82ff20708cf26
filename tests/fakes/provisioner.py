"""A provisioner for unit tests: it knows what lies on its disk, and fails as it is told to."""

import asyncio
from collections import Counter

from adapter.domain.errors import AdapterError, Broken
from adapter.domain.ids import ModelId
from adapter.domain.records import ModelInfo
from adapter.instance.provisioning import Provisioned


class FakeProvisioner:
    """Provider and disk in one. `on_disk` is the truth."""

    def __init__(self) -> None:
        self.on_disk: dict[ModelId, int] = {}
        """In bytes."""
        self.pulls: Counter[ModelId] = Counter()
        self.pull_s = self.discard_s = 0.0
        self.sizes: dict[ModelId, int] = {}
        self.refuses_to_discard = False
        self.failures: dict[ModelId, AdapterError] = {}

    async def provide(self, model: ModelId, info: ModelInfo) -> Provisioned:
        self.pulls[model] += 1
        await asyncio.sleep(self.pull_s)
        if failure := self.failures.get(model):
            raise type(failure)(*failure.args)
        self.on_disk[model] = self.sizes.get(model, 1000)
        return Provisioned(info=info, disk_bytes=self.on_disk[model])

    async def discard(self, model: ModelId) -> None:
        if self.refuses_to_discard:
            raise Broken("the disk refuses")
        await asyncio.sleep(self.discard_s)
        self.on_disk.pop(model, None)
