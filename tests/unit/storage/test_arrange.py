from pathlib import Path, PurePath, PurePosixPath

import pytest

from adapter.domain.errors import DiskFull
from adapter.domain.ids import ModelId
from adapter.layout.plan import Copy, LayoutPlan, Link, Step, Write
from adapter.storage import arrange
from adapter.storage.arrange import Arranger
from adapter.storage.disk import ModelRoot

IRIS = ModelId("iris")


@pytest.fixture
def pulled(tmp_path: Path) -> PurePosixPath:
    (tmp_path / "iris/model").mkdir(parents=True)
    (tmp_path / "iris/model/weights").write_text("0.5")
    return PurePosixPath(tmp_path, "iris/model")


@pytest.fixture
def arranger(tmp_path: Path) -> Arranger:
    return Arranger(ModelRoot(tmp_path), "mlserver")


def a_plan(*steps: Step) -> LayoutPlan:
    return LayoutPlan(steps=steps)


def names(folder: PurePath) -> list[str]:
    return [path.name for path in Path(folder).iterdir()]


def settings(text: str) -> Write:
    return Write(at=PurePosixPath("model-settings.json"), content=text.encode())


async def test_clearing_takes_everything_shown_away_and_leaves_the_models(
    arranger: Arranger, pulled: PurePosixPath
) -> None:
    await arranger.prepare()
    await arranger.arrange(IRIS, a_plan(settings("{}")))
    await arranger.clear()
    assert names(arranger.folder(IRIS).parent) == []
    assert Path(pulled).exists()


async def test_a_plan_is_carried_out(arranger: Arranger, pulled: PurePosixPath, tmp_path: Path) -> None:
    folder = await arranger.arrange(
        IRIS,
        a_plan(
            Link(at=PurePosixPath("1/model"), to=pulled),
            Copy(at=PurePosixPath("2/model"), source=pulled),
            Copy(at=PurePosixPath("2/weights"), source=pulled / "weights"),
            settings("{}"),
        ),
    )
    assert folder == arranger.folder(IRIS) == tmp_path / "_mlserver_models/iris"
    assert (folder / "1/model").readlink() == Path(pulled)
    assert not (folder / "2/model").is_symlink()
    assert (folder / "2/model/weights").read_text() == (folder / "2/weights").read_text() == "0.5"
    assert (folder / "model-settings.json").read_text() == "{}"


async def test_a_folder_is_made_anew(arranger: Arranger, pulled: PurePosixPath) -> None:
    await arranger.arrange(IRIS, a_plan(Link(at=PurePosixPath("old"), to=pulled), settings("1")))
    folder = await arranger.arrange(IRIS, a_plan(settings("2")))
    assert [(path.name, path.read_text()) for path in folder.iterdir()] == [("model-settings.json", "2")]


async def test_discarding_leaves_what_was_linked(arranger: Arranger, pulled: PurePosixPath) -> None:
    folder = await arranger.arrange(IRIS, a_plan(Link(at=PurePosixPath("model"), to=pulled)))
    await arranger.discard(IRIS)
    await arranger.discard(IRIS)
    assert not folder.exists()
    assert names(pulled) == ["weights"]


async def test_a_failure_leaves_the_earlier_folder_and_nothing_else(
    arranger: Arranger, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(_step: Step, _at: Path) -> None:
        raise OSError(28, "No space left on device")

    folder = await arranger.arrange(IRIS, a_plan(settings("1")))
    monkeypatch.setattr(arrange, "_take", full)
    with pytest.raises(DiskFull):
        await arranger.arrange(IRIS, a_plan(settings("2")))
    assert (folder / "model-settings.json").read_text() == "1"
    assert list((tmp_path / ".staging").iterdir()) == []


async def test_a_plan_that_leaves_its_folder_is_not_begun(arranger: Arranger, tmp_path: Path) -> None:
    with pytest.raises(AssertionError, match="leaves the folder"):
        await arranger.arrange(IRIS, a_plan(Write(at=PurePosixPath("../x"), content=b"")))
    assert names(tmp_path) == []


async def test_the_area_can_be_there_before_the_first_model(arranger: Arranger, tmp_path: Path) -> None:
    await arranger.prepare()
    await arranger.prepare()
    assert (tmp_path / "_mlserver_models").is_dir()
