"""From a registration to what the runtime is told to load: pulled, arranged, rewritten.

Four ways, and the program chooses one at start:

- `PassOn`: before a runtime with its own SPI and no `storage-config` folder, all is passed on as it is.
- `PullOn`: before such a runtime with the folder mounted, we pull, and rewrite the path and the key.
- `PullAndArrange`: before a built-in server, the files are also laid out as that server wants them.
- `Arrange`: likewise, but another puller has brought the files.
"""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import PurePosixPath
from typing import Protocol

from adapter.domain.ids import ModelId
from adapter.domain.records import ModelInfo
from adapter.layout.files import PulledFiles
from adapter.layout.plan import LayoutPlan
from adapter.storage.arrange import Arranger
from adapter.storage.local_files import read_local
from adapter.storage.puller import Puller

Layout = Callable[[ModelId, str, PulledFiles, PurePosixPath], LayoutPlan]
"""From a model, its type, its files and the folder that the runtime is shown, to a plan."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Provisioned:
    """A model that lies ready for its runtime."""

    info: ModelInfo
    """What the runtime is told: its type, local path and rewritten key."""
    disk_bytes: int | None
    """What the files hold; None: they are not ours to know."""


class Provisioner(Protocol):
    """Makes a model ready on disk, and takes it away again."""

    async def provide(self, model: ModelId, info: ModelInfo) -> Provisioned:
        """Everything that must be on disk before the runtime is told. Raises the storage errors."""
        ...

    async def discard(self, model: ModelId) -> None:
        """Whatever there is of the model on disk goes; nothing there is fine."""
        ...


class PassOn:
    """Nothing is pulled: the runtime knows what to make of the path and the key."""

    async def provide(self, model: ModelId, info: ModelInfo) -> Provisioned:  # noqa: ARG002 - the protocol's
        return Provisioned(info=info, disk_bytes=None)

    async def discard(self, model: ModelId) -> None:
        """There is nothing of ours."""


class PullOn:
    """Pulled, and passed on with a local path and a key without storage (reference: runtime adapter 2.6)."""

    def __init__(self, puller: Puller) -> None:
        self._puller = puller

    async def provide(self, model: ModelId, info: ModelInfo) -> Provisioned:
        pulled = await self._puller.pull(model, info)
        return Provisioned(info=pulled.info, disk_bytes=pulled.size_bytes)

    async def discard(self, model: ModelId) -> None:
        await self._puller.remove(model)


class PullAndArrange:
    """Pulled, and laid out as a built-in server wants it."""

    def __init__(self, *, puller: Puller, arranger: Arranger, layout: Layout) -> None:
        self._puller = puller
        self._arranger = arranger
        self._layout = layout

    async def provide(self, model: ModelId, info: ModelInfo) -> Provisioned:
        pulled = await self._puller.pull(model, info)
        try:
            folder = PurePosixPath(self._arranger.folder(model))
            # A built-in server knows the model by the name of its folder.
            plan = self._layout(ModelId(folder.name), pulled.model_type, pulled.files, folder)
            await self._arranger.arrange(model, plan)
        except BaseException:
            await self.discard(model)
            raise
        return Provisioned(info=pulled.info, disk_bytes=pulled.size_bytes)

    async def discard(self, model: ModelId) -> None:
        await self._arranger.discard(model)
        await self._puller.remove(model)


class Arrange:
    """Laid out as a built-in server wants it; the files are another puller's."""

    def __init__(self, *, arranger: Arranger, layout: Layout) -> None:
        self._arranger = arranger
        self._layout = layout

    async def provide(self, model: ModelId, info: ModelInfo) -> Provisioned:
        local = await read_local(info)
        folder = PurePosixPath(self._arranger.folder(model))
        plan = self._layout(ModelId(folder.name), local.model_type, local.files, folder)
        await self._arranger.arrange(model, plan)
        return Provisioned(info=info, disk_bytes=local.disk_bytes)

    async def discard(self, model: ModelId) -> None:
        await self._arranger.discard(model)
