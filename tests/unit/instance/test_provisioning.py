from pathlib import Path, PurePosixPath

import pytest

from adapter.domain.errors import FormatUnsupported
from adapter.domain.ids import ModelId
from adapter.domain.records import ModelInfo
from adapter.instance.provisioning import Arrange, PassOn, PullAndArrange, PullOn
from adapter.layout.files import PulledFiles
from adapter.layout.plan import LayoutPlan, Write
from adapter.storage.puller import PulledModel

IRIS = ModelId("team/iris")
REGISTERED = ModelInfo(type="sklearn", path="path/iris.joblib", key='{"storage_key": "k"}')
PULLED = ModelInfo(type="sklearn", path="/models/team%2Firis/iris.joblib", key='{"disk_size_bytes": 7}')


class FakePuller:
    """What lies on the disk."""

    def __init__(self) -> None:
        self.there: set[ModelId] = set()

    async def pull(self, model: ModelId, info: ModelInfo) -> PulledModel:
        self.there.add(model)
        files = PulledFiles(root=PurePosixPath(PULLED.path), sizes={PurePosixPath(): 7})
        return PulledModel(model=model, info=PULLED, model_type="sklearn", files=files)

    async def remove(self, model: ModelId) -> None:
        self.there.discard(model)


class FakeArranger:
    """What a runtime is shown."""

    def __init__(self) -> None:
        self.shown: dict[ModelId, LayoutPlan] = {}

    def folder(self, model: ModelId) -> Path:
        return Path("/models/_python_models") / model.replace("/", "%2F")

    async def arrange(self, model: ModelId, plan: LayoutPlan) -> None:
        self.shown[model] = plan

    async def discard(self, model: ModelId) -> None:
        self.shown.pop(model, None)


def a_layout(model: ModelId, model_type: str, files: PulledFiles, folder: PurePosixPath) -> LayoutPlan:
    content = f"{model} is {model_type} at {files.root} for {folder}".encode()
    return LayoutPlan(steps=(Write(at=PurePosixPath("settings"), content=content),))


def refuses(*_: object) -> LayoutPlan:
    raise FormatUnsupported("not here")


async def test_without_keys_everything_is_passed_on_as_it_is() -> None:
    provisioned = await PassOn().provide(IRIS, REGISTERED)
    assert (provisioned.info, provisioned.disk_bytes) == (REGISTERED, None)


async def test_before_a_runtime_with_its_own_spi_the_path_and_the_key_are_rewritten() -> None:
    puller = FakePuller()
    provisioner = PullOn(puller)  # type: ignore[arg-type]
    provisioned = await provisioner.provide(IRIS, REGISTERED)
    assert (provisioned.info, provisioned.disk_bytes) == (PULLED, 7)
    await provisioner.discard(IRIS)
    assert not puller.there


async def test_before_a_built_in_server_the_files_are_laid_out_under_the_folders_name() -> None:
    puller, arranger = FakePuller(), FakeArranger()
    provisioner = PullAndArrange(puller=puller, arranger=arranger, layout=a_layout)  # type: ignore[arg-type]
    await provisioner.provide(IRIS, REGISTERED)
    (settings,) = arranger.shown[IRIS].steps
    assert isinstance(settings, Write)
    assert settings.content == (
        b"team%2Firis is sklearn at /models/team%2Firis/iris.joblib for /models/_python_models/team%2Firis"
    )
    await provisioner.discard(IRIS)
    assert (puller.there, arranger.shown) == (set(), {})


async def test_what_cannot_be_laid_out_leaves_nothing() -> None:
    puller = FakePuller()
    provisioner = PullAndArrange(puller=puller, arranger=FakeArranger(), layout=refuses)  # type: ignore[arg-type]
    with pytest.raises(FormatUnsupported):
        await provisioner.provide(IRIS, REGISTERED)
    assert not puller.there


async def test_files_of_another_puller_are_laid_out_and_left_alone(tmp_path: Path) -> None:
    (tmp_path / "iris.joblib").write_bytes(b"1234567")
    arranger = FakeArranger()
    provisioner = Arrange(arranger=arranger, layout=a_layout)  # type: ignore[arg-type]
    info = ModelInfo(type="sklearn", path=str(tmp_path / "iris.joblib"), key='{"disk_size_bytes": 7}')
    provisioned = await provisioner.provide(IRIS, info)
    assert (provisioned.info, provisioned.disk_bytes) == (info, 7)
    assert IRIS in arranger.shown
    await provisioner.discard(IRIS)
    assert not arranger.shown
    assert (tmp_path / "iris.joblib").exists()
