"""The meshes of a controller in memory: aliases, their targets, and which of them can be loaded."""

from collections.abc import Callable
from dataclasses import dataclass, field, replace

from adapter.controller.verdicts import MeshAnswer, MeshAway, NameTaken
from adapter.domain.errors import RegistryUnavailable
from adapter.domain.ids import InstanceId
from adapter.domain.records import VModelRecord
from adapter.domain.status import CopyStatus, ModelReport, ModelStatus
from adapter.mesh.vmodel_states import status_of
from adapter.mesh.vmodels import SetVModel, VModelReport

NOTHING = ModelReport(status=ModelStatus.NOT_FOUND)


@dataclass
class DeclaredMesh:
    """One client of the meshes of all namespaces.

    A model whose path begins with `invalid` cannot be loaded; all others are loaded at once, or stay LOADING
    while `slow`. Where nothing is `reached` there is no instance; while `broken`, every call fails.
    """

    vmodels: dict[tuple[str, str], VModelRecord] = field(default_factory=dict)
    models: dict[tuple[str, str], ModelStatus] = field(default_factory=dict)
    reached: Callable[[str], object] = lambda _namespace: True
    asked: list[tuple[str, SetVModel]] = field(default_factory=list)
    forgotten: list[tuple[str, str]] = field(default_factory=list)
    slow: bool = False
    broken: bool = False
    tell: Callable[[str, str], None] = lambda _namespace, _vmodel: None
    """As the registry tells the controller that something has happened to the model."""

    async def put(self, namespace: str, asked: SetVModel) -> MeshAnswer:
        self._answers()
        if not self.reached(namespace):
            return MeshAway(no_pods=True)
        self.asked.append((namespace, asked))
        there = self.vmodels.get((namespace, asked.vmodel))
        if there is not None and there.owner != asked.owner:
            return NameTaken()
        assert asked.info is not None
        status = self.models.get((namespace, asked.target))
        if status is None or (asked.load_now and status is not ModelStatus.LOADED):
            self.models[namespace, asked.target] = self._loaded(asked)
        record = there or VModelRecord(active=asked.target, target=asked.target, owner=asked.owner)
        self.vmodels[namespace, asked.vmodel] = self._moved(namespace, replace(record, target=asked.target))
        return self._report(namespace, asked.vmodel)

    async def report(self, namespace: str, vmodel: str, *, owner: str) -> MeshAnswer:
        self._answers()
        if not self.reached(namespace):
            return MeshAway(no_pods=True)
        there = self.vmodels.get((namespace, vmodel))
        return VModelReport() if there is None or there.owner != owner else self._report(namespace, vmodel)

    async def forget(self, namespace: str, vmodel: str, *, owner: str) -> bool:
        self._answers()
        if not self.reached(namespace):
            return False
        there = self.vmodels.get((namespace, vmodel))
        if there is not None and there.owner == owner:
            del self.vmodels[namespace, vmodel]
            self.forgotten.append((namespace, vmodel))
        return True

    async def drop(self, namespace: str) -> None:
        pass

    async def close(self) -> None:
        pass

    # What a test does to it.

    def finish(self, namespace: str, vmodel: str, status: ModelStatus = ModelStatus.LOADED) -> None:
        """The load of its target has ended so."""
        record = self.vmodels[namespace, vmodel]
        self.models[namespace, record.target] = status
        self.vmodels[namespace, vmodel] = self._moved(namespace, record)
        self.tell(namespace, vmodel)

    def lose_everything(self) -> None:
        """The store was emptied."""
        lost = list(self.vmodels)
        self.vmodels.clear()
        self.models.clear()
        for namespace, vmodel in lost:
            self.tell(namespace, vmodel)

    def _loaded(self, asked: SetVModel) -> ModelStatus:
        assert asked.info is not None
        if asked.info.path.startswith("invalid"):
            return ModelStatus.LOADING_FAILED
        return ModelStatus.LOADING if self.slow else ModelStatus.LOADED

    def _moved(self, namespace: str, record: VModelRecord) -> VModelRecord:
        status = self.models[namespace, record.target]
        if status is ModelStatus.LOADED:
            return replace(record, active=record.target, failed=False)
        return replace(record, failed=status is ModelStatus.LOADING_FAILED and record.active != record.target)

    def _report(self, namespace: str, vmodel: str) -> VModelReport:
        record = self.vmodels[namespace, vmodel]
        target = None
        if record.target != record.active:
            target = self._model(namespace, record.target)
        active = self._model(namespace, record.active)
        return VModelReport(record=record, status=status_of(record), active=active, target=target)

    def _model(self, namespace: str, model: str) -> ModelReport:
        status = self.models.get((namespace, model), ModelStatus.NOT_FOUND)
        failed = status is ModelStatus.LOADING_FAILED
        copy = CopyStatus(instance=InstanceId("a"), status=status, since_ms=1_767_225_600_000)
        return ModelReport(
            status=status, errors=("NOT_FOUND: nothing is there",) if failed else (), copies=(copy,)
        )

    def _answers(self) -> None:
        if self.broken:
            raise RegistryUnavailable("the registry does not answer")
