"""The compiled core is the same core: its unit tests hold for it, and an instance serves with it."""

import json
import os
import subprocess
import sys
import tomllib
from pathlib import Path
from typing import Any, Final
from zipfile import ZipFile

import httpx
import pytest

from adapter.domain.ids import ModelId
from adapter.domain.records import ModelInfo
from adapter.stubs.inference import open_inference_pb2 as v2
from hatch_build import missing_compiler
from tests.fakes.model_runtime_server import ExampleRuntime
from tests.integration import mesh
from tests.integration.conftest import lacks
from tests.tools.compiled import ROOT, compiled_environment, compiled_folder

pytestmark = pytest.mark.timeout(900)
"""It compiles, unless that was done already."""

IRIS: Final = ModelId("iris")
HOOK: Final = tomllib.loads((ROOT / "pyproject.toml").read_text())["tool"]["hatch"]["build"]["targets"][
    "wheel"
]
PATTERNS: Final[list[str]] = HOOK["hooks"]["custom"]["modules"]

WHERE: Final = """
import importlib, json, sys
print(json.dumps({name: importlib.import_module(name).__file__ for name in sys.argv[1:]}))
"""


@pytest.fixture(scope="module")
def folder() -> Path:
    """The compiled build of what is checked out."""
    if complaint := missing_compiler():
        lacks(complaint)
    return compiled_folder()


def modules() -> list[Path]:
    """The sources that are compiled."""
    paths = {path for pattern in PATTERNS for path in ROOT.glob(pattern) if path.name != "__init__.py"}
    return sorted(path.relative_to(ROOT) for path in paths)


def unit_tests() -> list[str]:
    """The unit tests of the sources that are compiled."""
    below = [Path("tests/unit", *Path(pattern).parts[1:]) for pattern in PATTERNS]
    return [str(path.parent if path.stem == "*" else path.with_name(f"test_{path.name}")) for path in below]


def ran(folder: Path, *words: str) -> str:
    """What Python says to this, with the compiled packages before all others."""
    env = compiled_environment(folder)
    env["PYTHONPATH"] += f"{os.pathsep}{ROOT}"  # the tests themselves
    done = subprocess.run(
        [sys.executable, *words], env=os.environ | env, cwd=ROOT, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stdout[-8000:] + done.stderr[-2000:]
    return done.stdout


def test_every_module_of_the_list_is_compiled(folder: Path) -> None:
    names = [".".join(path.with_suffix("").parts) for path in modules()]
    assert "adapter.http2.relay" in names
    found = json.loads(ran(folder, "-c", WHERE, *names))
    assert [
        name
        for name, file in found.items()
        if not file.endswith(".so") or not Path(file).is_relative_to(folder)
    ] == []


def test_nothing_else_is(folder: Path) -> None:
    compiled = {
        path.relative_to(folder).with_name(path.name.partition(".")[0]) for path in folder.rglob("*.so")
    }
    assert compiled - {path.with_suffix("") for path in modules()} == {Path("adapter/pure__mypyc")}


def wheel(folder: Path, **env: str) -> subprocess.CompletedProcess[str]:
    """What comes of building a wheel of the checkout into this folder."""
    command = [sys.executable, "-m", "pip", "wheel", "--no-deps", "--no-build-isolation"]
    return subprocess.run(
        [*command, "--wheel-dir", folder, ROOT],
        env=os.environ | env,
        capture_output=True,
        text=True,
        check=False,
    )


def test_unless_it_is_asked_for_nothing_is_compiled(tmp_path: Path) -> None:
    assert wheel(tmp_path, REMESH_COMPILED="0", CC="no-compiler").returncode == 0
    (built,) = tmp_path.iterdir()
    assert built.name.endswith("-py3-none-any.whl")
    assert not [name for name in ZipFile(built).namelist() if name.endswith(".so")]


def test_without_a_compiler_it_says_what_to_do(tmp_path: Path) -> None:
    done = wheel(tmp_path, REMESH_COMPILED="1", CC="no-compiler")
    assert done.returncode != 0
    assert "no C compiler (`no-compiler` is not on the PATH): install one" in done.stdout + done.stderr


def test_its_sources_are_beside_it(folder: Path) -> None:
    """Tracebacks name their lines, and people can read them."""
    assert [path for path in modules() if not (folder / path).exists()] == []


def test_the_unit_tests_of_the_core_hold_for_it(folder: Path) -> None:
    said = ran(folder, "-m", "pytest", "-q", "-n", "2", "-p", "no:cacheprovider", *unit_tests())
    assert " passed" in said


async def test_an_instance_serves_with_it(folder: Path, tmp_path: Path) -> None:
    rest_port = mesh.free_port()
    env: dict[str, Any] = compiled_environment(folder) | {"REST_PROXY_LISTEN_PORT": str(rest_port)}
    runtime = ExampleRuntime(methods={"inference.GRPCInferenceService/ModelInfer": [1]})
    async with mesh.an_instance(tmp_path, runtime, **env) as up:
        async with up.client() as client:
            await client.register(IRIS, ModelInfo(type="rt:x", path="SIZE_1000_5_0"))
            answer = await client.infer(v2.ModelInferRequest(model_name="iris", id="7"))
        assert (answer.response.model_name, answer.response.id) == ("iris", "7")
        async with httpx.AsyncClient() as rest:
            body = {"inputs": [{"name": "x", "datatype": "FP32", "shape": [2], "data": [1.5, 2.0]}]}
            told = await rest.post(f"http://127.0.0.1:{rest_port}/v2/models/iris/infer", json=body)
        assert told.json()["outputs"][0]["data"] == [1.5, 2.0]
        (ready,) = up.process.lines("instance is ready")
        assert ready["compiled"] is True
