"""What is wrong with one model gets a status and a text of its own, and harms nobody else."""

from collections.abc import Iterator

import pytest

from adapter.domain.errors import Code
from adapter.domain.ids import ModelId
from adapter.domain.records import ModelInfo
from adapter.peers.mesh_client import MeshRefused
from tests.integration import examples, mesh
from tests.integration.conftest import MinioServer
from tests.integration.mesh import Instance

ROOM_BYTES = 1 << 20
SECRET = "a-secret-that-must-not-be-told"


@pytest.fixture(scope="module")
def served(minio: MinioServer, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Instance]:
    folder = tmp_path_factory.mktemp("bad-input")
    minio.put(examples.BUCKET, "good.joblib", examples.dumped(examples.constant_model(1)))
    minio.put(examples.BUCKET, "garbage.joblib", b"\x80\x05this is no pickle")
    minio.put(examples.BUCKET, "big.joblib", b"\0" * (2 * ROOM_BYTES))
    sound = minio.storage_key(examples.BUCKET)
    mesh.storage_key(folder, "localMinIO", **sound)
    mesh.storage_key(folder, "wrongSecret", **{**sound, "secret_access_key": SECRET})
    mesh.storage_key(folder, "nobodyThere", **{**sound, "endpoint_url": "http://127.0.0.1:9"})
    with (
        mesh.python_runtime(folder / "models", output=folder / "runtime.log") as (_, port),
        mesh.instance(
            folder,
            runtime="python",
            runtime_port=port,
            CONTAINER_MEM_REQ_BYTES=str(ROOM_BYTES),
            MEM_BUFFER_BYTES="0",
        ) as up,
    ):
        yield up


async def refused(served: Instance, name: str, info: ModelInfo) -> MeshRefused:
    """How an inference is refused; a sound model must still answer, and nothing be left behind."""
    async with served.client() as client:
        await client.register(ModelId(name), info)
        with pytest.raises(MeshRefused) as first:
            await client.infer(examples.request(name, examples.ONE_ROW))
        await client.register(ModelId("good"), examples.info("good.joblib"))
        answer = await client.infer(examples.request("good", examples.ONE_ROW))
        assert examples.answers(answer.response) == [1]
        told = await client.status(ModelId(name))
    assert (served.models_folder / name).exists() is False
    assert all(first.value.status.name in error for error in told.errors)
    assert SECRET not in served.process.said
    return first.value


@pytest.mark.parametrize(
    ("name", "info", "code", "said"),
    [
        pytest.param(
            "missing",
            examples.info("no/such.joblib"),
            Code.FAILED_PRECONDITION,
            ["s3://models/no/such.joblib", "localMinIO"],
            id="missing object",
        ),
        pytest.param(
            "no-bucket",
            examples.info("x", storage_params={"bucket": "nobody"}),
            Code.FAILED_PRECONDITION,
            ["nobody"],
            id="missing bucket",
        ),
        pytest.param(
            "wrong-key",
            examples.info("good.joblib", key="mispelt"),
            Code.INVALID_ARGUMENT,
            ["mispelt", "localMinIO"],
            id="no such storage key",
        ),
        pytest.param(
            "wrong-secret",
            examples.info("good.joblib", key="wrongSecret"),
            Code.PERMISSION_DENIED,
            ["wrongSecret"],
            id="wrong credentials",
        ),
        pytest.param(
            "unreachable",
            examples.info("good.joblib", key="nobodyThere"),
            Code.UNAVAILABLE,
            ["127.0.0.1:9", "nobodyThere"],
            id="unreachable endpoint",
        ),
        pytest.param(
            "corrupt", examples.info("garbage.joblib"), Code.DATA_LOSS, ["corrupt"], id="corrupt file"
        ),
        pytest.param(
            "other-format",
            examples.info("good.joblib", kind="tensorflow"),
            Code.UNIMPLEMENTED,
            ["other-format"],
            id="a format that the runtime cannot load",
        ),
        pytest.param(
            "not-onnx",
            examples.info("good.joblib", kind="onnx"),
            Code.UNIMPLEMENTED,
            ["not-onnx"],
            id="a model of another format",
        ),
        pytest.param(
            "too-big",
            examples.info("big.joblib"),
            Code.OUT_OF_RANGE,
            [str(ROOM_BYTES), "CONTAINER_MEM_REQ_BYTES"],
            id="too big for the cache",
        ),
        pytest.param(
            "bad-key", ModelInfo(type="sklearn", path="x", key="{"), Code.INVALID_ARGUMENT, [], id="no JSON"
        ),
    ],
)
async def test_a_bad_model_is_refused_by_its_cause(
    served: Instance, name: str, info: ModelInfo, code: Code, said: list[str]
) -> None:
    refusal = await refused(served, name, info)
    assert refusal.status is code
    assert all(part in str(refusal) for part in said), str(refusal)


async def test_an_unknown_model_is_named(served: Instance) -> None:
    async with served.client() as client:
        with pytest.raises(MeshRefused, match="nobody") as error:
            await client.infer(examples.request("nobody", examples.ONE_ROW))
    assert error.value.status is Code.NOT_FOUND


async def test_a_mended_key_is_used_once_the_model_is_registered_anew(
    served: Instance, minio: MinioServer
) -> None:
    model = ModelId("mended")
    async with served.client() as client:
        await client.register(model, examples.info("good.joblib", key="later"))
        with pytest.raises(MeshRefused):
            await client.infer(examples.request(model, examples.ONE_ROW))
        mesh.storage_key(served.folder, "later", **minio.storage_key(examples.BUCKET))
        await client.unregister(model)
        await client.register(model, examples.info("good.joblib", key="later"))
        answer = await client.infer(examples.request(model, examples.ONE_ROW))
    assert examples.answers(answer.response) == [1]
