"""The commands that ask a mesh, as a person types them."""

import asyncio
import json
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from adapter.domain.ids import ModelId
from tests.integration import examples, mesh
from tests.integration.conftest import MinioServer
from tests.integration.mesh import Instance

REMESH = Path(sys.executable).with_name("remesh")


def remesh(*words: str, stdin: str = "") -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [REMESH, *words], capture_output=True, text=True, input=stdin, timeout=60, check=False
    )


@pytest.fixture(scope="module")
def served(minio: MinioServer, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Instance]:
    folder = tmp_path_factory.mktemp("commands")
    minio.put("commands", "three.joblib", examples.dumped(examples.constant_model(3)))
    mesh.storage_key(folder, "localMinIO", **minio.storage_key("commands"))
    with (
        mesh.python_runtime(folder / "models", output=folder / "runtime.log") as (_, port),
        mesh.instance(folder, runtime="python", runtime_port=port) as up,
    ):
        yield up


@pytest.fixture(scope="module")
def _registered(served: Instance) -> None:
    asyncio.run(_register(served))


async def _register(served: Instance) -> None:
    async with served.client() as client:
        await client.register(ModelId("three"), examples.info("three.joblib"))
        await client.register(ModelId("bad"), examples.info("nowhere.joblib"), load_now=True)


@pytest.mark.usefixtures("_registered")
def test_models_are_listed_with_their_states(served: Instance) -> None:
    said = remesh("get", "models", "--address", served.address)
    assert said.returncode == 0, said.stderr
    rows = {line.split()[0]: line for line in said.stdout.splitlines() if line.split()}
    assert "UNAVAILABLE" in rows["bad"]
    assert "failed" in rows["bad"]
    assert "three" in rows


@pytest.mark.usefixtures("_registered")
def test_one_request_from_rows_from_json_and_from_nothing(served: Instance) -> None:
    body = {"inputs": [{"name": "predict", "datatype": "FP64", "shape": [1, 4], "data": [1, 2, 3, 4]}]}
    for words, stdin in (
        (["--data", "[[1, 2, 3, 4]]"], ""),
        (["--json", "-"], json.dumps(body)),
        ([], ""),
    ):
        said = remesh("infer", "three", "--address", served.address, *words, stdin=stdin)
        assert said.returncode == 0, said.stderr
        assert json.loads(said.stdout)["outputs"][0]["data"] == [3]


def test_an_unknown_model_is_one_line_and_a_status(served: Instance) -> None:
    said = remesh("infer", "nobody", "--address", served.address)
    assert said.returncode == 1
    assert said.stderr.startswith("remesh: NOT_FOUND: ")
    assert "nobody" in said.stderr


def test_a_mesh_that_is_not_there_is_told_with_its_address() -> None:
    address = f"127.0.0.1:{mesh.free_port()}"
    said = remesh("get", "models", "--address", address)
    assert said.returncode == 1
    assert address in said.stderr
    assert "Traceback" not in said.stderr


def test_bad_settings_are_told_all_at_once() -> None:
    said = remesh("instance", "--port", "99999")
    assert said.returncode == 1
    assert "MM_SVC_GRPC_PORT" in said.stderr
    assert "MM_SERVICE_NAME" in said.stderr


@pytest.mark.parametrize(
    "words",
    [
        *([], ["instance"], ["registry"], ["up"], ["demo"], ["infer"], ["explain"], ["get", "models"]),
        *(["apply"], ["get"], ["describe"], ["delete"]),
    ],
    ids=" ".join,
)
def test_every_command_has_help_that_teaches(words: list[str]) -> None:
    said = remesh(*words, "--help")
    assert said.returncode == 0
    assert "Usage: remesh" in said.stdout
    assert len(said.stdout.splitlines()) > 8


def test_the_instances_help_lists_each_setting_with_its_default() -> None:
    said = remesh("instance", "--help").stdout
    assert "MM_SVC_GRPC_PORT  [8033]" in said
    assert "STORAGE_CONFIG_DIR  [/storage-config]" in said
