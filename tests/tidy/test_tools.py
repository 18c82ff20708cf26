from pathlib import Path

import pytest

from tests.tools import get
from tests.tools.recipe import BuildFailed, Recipe, Workshop, cache_folder


class Kitchen:
    """Recipes whose builds are counted, and fail as they are told to."""

    def __init__(self) -> None:
        self.built: list[str] = []
        self.fails = False

    def recipe(self, name: str = "server", *, version: str = "1", lacking: str | None = None) -> Recipe:
        return Recipe(
            name=name,
            version=version,
            program=f"bin/{name}",
            takes="no time",
            missing=lambda: lacking,
            build=self._build,
        )

    def _build(self, workshop: Workshop) -> None:
        self.built.append(workshop.name)
        place = workshop.cache / "bin" / workshop.name
        place.parent.mkdir(exist_ok=True)
        place.write_text("half")
        workshop.run("sh", "-c", f"echo compiling; exit {int(self.fails)}")


@pytest.fixture
def kitchen() -> Kitchen:
    return Kitchen()


def test_a_second_run_builds_nothing(kitchen: Kitchen, tmp_path: Path) -> None:
    assert get.obtain(kitchen.recipe(), tmp_path)
    assert get.obtain(kitchen.recipe(), tmp_path)
    assert kitchen.built == ["server"]
    assert not (tmp_path / "staging" / "server").exists()


def test_another_version_is_built_anew(kitchen: Kitchen, tmp_path: Path) -> None:
    get.obtain(kitchen.recipe(), tmp_path)
    assert not kitchen.recipe(version="2").is_built(tmp_path)
    assert get.obtain(kitchen.recipe(version="2"), tmp_path)
    assert kitchen.built == ["server", "server"]


def test_a_half_done_build_is_not_taken_for_done(kitchen: Kitchen, tmp_path: Path) -> None:
    kitchen.fails = True
    with pytest.raises(BuildFailed, match=r"(?s)ended with status 1.*compiling"):
        kitchen.recipe().make(tmp_path)
    assert (tmp_path / "bin" / "server").exists()
    assert not kitchen.recipe().is_built(tmp_path)


def test_a_build_that_fails_is_told_and_is_missing(
    kitchen: Kitchen, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    kitchen.fails = True
    assert not get.obtain(kitchen.recipe(), tmp_path)
    assert "MISSING: the build failed" in capsys.readouterr().out


def test_a_program_that_is_gone_is_built_again(kitchen: Kitchen, tmp_path: Path) -> None:
    get.obtain(kitchen.recipe(), tmp_path)
    (tmp_path / "bin" / "server").unlink()
    assert get.obtain(kitchen.recipe(), tmp_path)
    assert kitchen.built == ["server", "server"]


@pytest.mark.parametrize(
    ("arguments", "status"),
    [
        pytest.param([], 0, id="lenient by hand"),
        pytest.param(["--strict"], 1, id="strict in CI"),
        pytest.param(["--strict", "there"], 0, id="only what is asked for counts"),
    ],
)
def test_what_is_missing_is_said_with_its_remedy_and_the_rest_goes_on(
    kitchen: Kitchen,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    arguments: list[str],
    status: int,
) -> None:
    known = {
        "lacks": kitchen.recipe("lacks", lacking="there is no Go: install it"),
        "there": kitchen.recipe("there"),
    }
    monkeypatch.setattr(get, "recipes", lambda: known)
    monkeypatch.setenv("REMESH_TOOLS", str(tmp_path))
    assert get.main(arguments) == status
    assert kitchen.built == ["there"]
    said = capsys.readouterr().out
    assert ("lacks: MISSING: there is no Go: install it" in said) is ("there" not in arguments)


def test_the_cache_is_outside_the_repository(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.delenv("REMESH_TOOLS", raising=False)
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    assert cache_folder() == tmp_path / "remesh" / "tools"


def test_every_recipe_can_be_read() -> None:
    assert set(get.recipes()) >= {"minio", "mlserver"}
    assert all(name == recipe.name for name, recipe in get.recipes().items())
