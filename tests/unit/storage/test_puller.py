import asyncio
import json
from pathlib import Path, PurePosixPath

import pytest

from adapter.domain.errors import (
    AdapterError,
    BadModelKey,
    DiskFull,
    ModelCorrupt,
    ObjectMissing,
    StorageKeyUnknown,
    StorageUnreachable,
)
from adapter.domain.ids import ModelId
from adapter.domain.records import ModelInfo
from adapter.storage.disk import ModelRoot
from adapter.storage.providers import Providers
from adapter.storage.puller import PulledModel, Puller
from adapter.storage.pvc import ClaimProvider
from adapter.storage.secrets import SecretFolder
from tests.fakes.store import FakeStore

IRIS = ModelId("iris")
SCHEMA = b'{"inputs": []}'


class Pulling:
    """A puller with a store, a claim and a disk of its own."""

    def __init__(self, folder: Path) -> None:
        self.free_bytes = 1 << 30
        self.store = FakeStore({"models": {}})
        self.objects = self.store.buckets["models"]
        self.root = ModelRoot(folder / "models", free_bytes=lambda _: self.free_bytes)
        self.root.prepare()
        self.claim = folder / "mounts/claim"
        self.claim.mkdir(parents=True)
        secrets = folder / "storage-config"
        secrets.mkdir()
        (secrets / "store").write_text('{"type": "s3", "bucket": "models", "secret_access_key": "hush"}')
        (secrets / "claim").write_text('{"type": "pvc", "name": "claim"}')
        providers: Providers = {"s3": self.store, "pvc": ClaimProvider(folder / "mounts")}
        self.puller = Puller(root=self.root, secrets=SecretFolder(secrets), providers=providers)

    async def pull(self, path: str, **key: object) -> PulledModel:
        text = json.dumps({"storage_key": "store", **key})
        return await self.puller.pull(IRIS, ModelInfo(type="mt:sklearn", path=path, key=text))

    def on_disk(self) -> set[str]:
        every = (path.relative_to(self.root.path) for path in self.root.path.rglob("*") if not path.is_dir())
        return {str(path) for path in every if path.name != ".remesh"}


def content(path: str) -> bytes:
    return Path(path).read_bytes()


def linked_to(path: str) -> Path:
    return Path(path).readlink()


@pytest.fixture
def pulling(tmp_path: Path) -> Pulling:
    return Pulling(tmp_path)


async def test_a_single_object_becomes_a_file(pulling: Pulling) -> None:
    pulling.objects["dir/model.joblib"] = b"0123456789"
    pulled = await pulling.pull("dir/model.joblib", model_type={"name": "SKLearn", "version": "1"})
    assert pulled.info == ModelInfo(
        type="mt:sklearn",
        path=f"{pulling.root.path}/iris/model.joblib",
        key='{"model_type":{"name":"SKLearn","version":"1"},"disk_size_bytes":10}',
    )
    assert (pulled.model_type, pulled.size_bytes, pulled.files.is_file) == ("sklearn", 10, True)
    assert content(pulled.info.path) == b"0123456789"


async def test_a_prefix_becomes_a_folder_and_the_schema_lies_beside_it(pulling: Pulling) -> None:
    pulling.objects |= {
        "a/model/weights": b"1234",
        "a/model/model-settings.json": b"{}",
        "a/model-2/weights": b"other",
        "b/my_schema": SCHEMA,
    }
    pulled = await pulling.pull("a/model", schema_path="b/my_schema")
    assert pulling.on_disk() == {"iris/model/weights", "iris/model/model-settings.json", "iris/my_schema"}
    assert pulled.files.sizes == {PurePosixPath("weights"): 4, PurePosixPath("model-settings.json"): 2}
    assert pulled.files.contents == {PurePosixPath("model-settings.json"): b"{}"}
    assert pulled.files.schema == SCHEMA
    assert json.loads(pulled.info.key) == {
        "disk_size_bytes": 6,
        "schema_path": f"{pulling.root.path}/iris/my_schema",
    }


async def test_a_second_pull_replaces_the_first(pulling: Pulling) -> None:
    pulling.objects |= {"v1/model/old": b"1", "v2/model/new": b"22"}
    await pulling.pull("v1/model")
    await pulling.pull("v2/model")
    assert pulling.on_disk() == {"iris/model/new"}


async def test_two_pulls_of_one_model_at_once_both_succeed(pulling: Pulling) -> None:
    pulling.objects["model"] = b"1"
    await asyncio.gather(*(pulling.pull("model") for _ in range(8)))
    assert pulling.on_disk() == {"iris/model"}


async def test_a_removed_model_is_gone(pulling: Pulling) -> None:
    pulling.objects["model"] = b"1"
    await pulling.pull("model")
    await pulling.puller.remove(IRIS)
    await pulling.puller.remove(IRIS)
    assert pulling.on_disk() == set()


async def test_progress_is_told(pulling: Pulling) -> None:
    pulling.objects |= {"m/a": b"12345", "m/b": b"678"}
    arrived = list[int]()
    info = ModelInfo(type="", path="m", key='{"storage_key": "store"}')
    await pulling.puller.pull(IRIS, info, progress=arrived.append)
    assert sum(arrived) == 8


@pytest.mark.parametrize(
    ("path", "key", "error", "complaint"),
    [
        pytest.param("gone", {}, ObjectMissing, "s3://models/gone", id="nothing there"),
        pytest.param("m/a", {"schema_path": "gone"}, ObjectMissing, "s3://models/gone", id="no schema"),
        pytest.param(
            "m/a", {"schema_path": "m"}, BadModelKey, "schema_path names a folder", id="schema folder"
        ),
        pytest.param("m/a", {"storage_key": "no"}, StorageKeyUnknown, "'no'", id="no key"),
        pytest.param(
            "m/a", {"storage_params": {"type": "gcs"}}, StorageKeyUnknown, "from pvc, s3", id="no type"
        ),
        pytest.param(
            "m/a", {"storage_params": {"bucket": "x"}}, ObjectMissing, "no such bucket", id="no bucket"
        ),
        pytest.param("m", {}, StorageUnreachable, "b is ill", id="one of many fails"),
        pytest.param("twice", {}, ModelCorrupt, "same place", id="two objects at one place"),
        pytest.param("big", {}, ModelCorrupt, "larger than", id="settings too large"),
    ],
)
async def test_a_failure_leaves_nothing(
    pulling: Pulling, path: str, key: dict[str, object], error: type[AdapterError], complaint: str
) -> None:
    pulling.objects |= {"m/a": b"1", "m/b": b"2", "twice": b"1", "twice/x": b"2"}
    pulling.objects["big/model-settings.json"] = bytes((1 << 20) + 1)
    pulling.store.failing["m/b"] = StorageUnreachable("b is ill")
    with pytest.raises(error, match=complaint) as failure:
        await pulling.pull(path, **key)
    assert pulling.on_disk() == set()
    assert "hush" not in str(failure.value)


@pytest.mark.parametrize("key", ["", "{", "[]"])
async def test_a_key_that_cannot_be_read_is_refused(pulling: Pulling, key: str) -> None:
    with pytest.raises(BadModelKey, match="Invalid modelKey"):
        await pulling.puller.pull(IRIS, ModelInfo(type="", path="m", key=key))


async def test_a_failure_leaves_the_earlier_pull(pulling: Pulling) -> None:
    pulling.objects["model"] = b"1"
    await pulling.pull("model")
    with pytest.raises(ObjectMissing):
        await pulling.pull("gone")
    assert pulling.on_disk() == {"iris/model"}


async def test_too_little_room_is_said_before_anything_is_fetched(pulling: Pulling) -> None:
    pulling.objects["model"] = b"12345"
    pulling.free_bytes = 4
    with pytest.raises(DiskFull, match=r"needs 5 bytes .* has 4 free"):
        await pulling.pull("model")
    assert (pulling.on_disk(), pulling.store.under_way_most) == (set(), 0)


async def test_a_cancel_in_the_middle_leaves_nothing(pulling: Pulling) -> None:
    pulling.objects |= {f"m/{number}": b"12345678" for number in range(20)}
    pulling.store.gate.clear()
    async with asyncio.TaskGroup() as group:
        task = group.create_task(pulling.pull("m"))
        await pulling.store.stopped_at_gate.wait()
        assert pulling.on_disk() != set()
        task.cancel()
    assert task.cancelled()
    assert (pulling.on_disk(), pulling.store.under_way) == (set(), 0)


async def test_a_cancel_at_any_moment_leaves_all_or_nothing(pulling: Pulling) -> None:
    pulling.objects |= {f"m/{number}": b"12345678" for number in range(3)}
    complete = {f"iris/m/{number}" for number in range(3)}
    for turns in range(60):
        async with asyncio.TaskGroup() as group:
            task = group.create_task(pulling.pull("m"))
            for _ in range(turns):
                await asyncio.to_thread(lambda: None)
            task.cancel()
        assert pulling.on_disk() == (set() if task.cancelled() else complete)
        await pulling.puller.remove(IRIS)


async def test_a_claim_is_linked_with_its_schema(pulling: Pulling) -> None:
    (pulling.claim / "models").mkdir()
    (pulling.claim / "models/iris.bst").write_text("12345")
    (pulling.claim / "schema.json").write_bytes(SCHEMA)
    key = {"storage_key": "claim", "schema_path": "schema.json"}
    await pulling.pull("models/iris.bst", **key)
    pulled = await pulling.pull("models/iris.bst", **key)
    assert linked_to(pulled.info.path) == pulling.claim / "models/iris.bst"
    assert (pulled.size_bytes, pulled.files.schema) == (5, SCHEMA)
    schema_path = json.loads(pulled.info.key)["schema_path"]
    assert (schema_path, content(schema_path)) == (f"{pulling.root.path}/iris/schema.json", SCHEMA)


async def test_removing_a_linked_model_leaves_the_claim(pulling: Pulling) -> None:
    (pulling.claim / "model").write_text("12345")
    pulled = await pulling.pull("", storage_key="claim")
    assert pulled.info.path == f"{pulling.root.path}/iris/_model"
    await pulling.puller.remove(IRIS)
    assert (pulling.claim / "model").read_text() == "12345"


async def test_settings_on_a_claim_cannot_be_a_link_to_a_secret(pulling: Pulling, tmp_path: Path) -> None:
    (pulling.claim / "m").mkdir()
    (pulling.claim / "m/model-settings.json").symlink_to(tmp_path / "storage-config/store")
    with pytest.raises(ObjectMissing, match="leads out of"):
        await pulling.pull("m", storage_key="claim")
    assert pulling.on_disk() == set()


async def test_a_schema_on_a_claim_that_is_a_folder_is_refused(pulling: Pulling) -> None:
    (pulling.claim / "model").write_text("12345")
    with pytest.raises(BadModelKey, match="schema_path names a folder"):
        await pulling.pull("model", storage_key="claim", schema_path="/")
    assert pulling.on_disk() == set()


async def test_odd_ids_have_folders_of_their_own(pulling: Pulling) -> None:
    pulling.objects["model"] = b"1"
    info = ModelInfo(type="", path="model", key='{"storage_key": "store"}')
    for model in ("..", "_mlserver_models", "a/b", ""):
        await pulling.puller.pull(ModelId(model), info)
    assert pulling.on_disk() == {f"{name}/model" for name in ("%2E.", "%5Fmlserver_models", "a%2Fb", "%")}
