"""Carries out a `LayoutPlan`: the folder that a runtime is shown appears complete, in one go."""

import shutil
from collections.abc import Sequence
from pathlib import Path

from adapter.domain.ids import ModelId
from adapter.layout.plan import Copy, LayoutPlan, Link, Step, Write
from adapter.storage.destinations import model_folder_name
from adapter.storage.disk import ModelRoot, disk_words
from adapter.storage.threads import in_thread


class Arranger:
    """Shows models to one runtime, in `<root>/_<runtime>_models/<model>`."""

    def __init__(self, root: ModelRoot, runtime: str) -> None:
        self._root = root
        self._area = root.area(runtime)

    def __repr__(self) -> str:
        return f"<Arranger {self._area}>"

    def folder(self, model: ModelId) -> Path:
        """Where the runtime sees the model. Does not look at the disk."""
        return self._area / model_folder_name(model)

    async def prepare(self) -> None:
        """Make the area, for runtimes that want it to be there when they start."""

        def made() -> None:
            with disk_words(self._area):
                self._area.mkdir(parents=True, exist_ok=True)

        await in_thread(made)

    async def arrange(self, model: ModelId, plan: LayoutPlan) -> Path:
        """Make the model's folder as planned, in place of an earlier one. Raises `DiskFull`."""
        plan.check()
        folder = self.folder(model)
        await in_thread(self._arrange, plan.steps, folder)
        return folder

    async def clear(self) -> None:
        """Take every folder away: the runtime is shown nothing."""

        def cleared() -> None:
            with disk_words(self._area):
                shown = list(self._area.iterdir())
            for folder in shown:
                self._root.discard(folder)

        await in_thread(cleared)

    async def discard(self, model: ModelId) -> None:
        """Take the folder away. What it links to stays."""
        await in_thread(self._root.discard, self.folder(model))

    def _arrange(self, steps: Sequence[Step], folder: Path) -> None:
        staged = self._root.staging_place()
        try:
            self._root.stage(staged)
            with disk_words(folder):
                for step in steps:
                    _take(step, staged / step.at)
            self._root.publish(staged, folder)
        except BaseException:
            self._root.discard(staged)
            raise


def _take(step: Step, at: Path) -> None:
    at.parent.mkdir(parents=True, exist_ok=True)
    match step:
        case Link():
            at.symlink_to(step.to)
        case Write():
            at.write_bytes(step.content)
        case Copy() if Path(step.source).is_dir():
            shutil.copytree(step.source, at)
        case Copy():
            shutil.copyfile(step.source, at)
