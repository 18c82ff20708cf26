import asyncio
from pathlib import Path, PurePosixPath

import pytest

from adapter.domain.errors import BadModelKey, ObjectMissing, StorageUnreachable
from adapter.storage import fetching
from adapter.storage.destinations import Destination
from adapter.storage.fetching import (
    OBJECTS_AT_ONCE_MAX,
    check_sizes,
    fetch_all,
    find,
    folders_of,
    make_folders,
    tasks,
)
from adapter.storage.repository import PullTarget, RemoteObject
from tests.fakes.store import FakeClient, FakeStore


def a_client(**objects: bytes) -> FakeClient:
    return FakeClient(
        FakeStore({"b": {key.replace("__", "/"): content for key, content in objects.items()}}), "b"
    )


def a_target(path: str) -> PullTarget:
    return PullTarget(remote_path=path, local_name="model")


async def test_what_belongs_to_a_path_is_found() -> None:
    client = a_client(m1=b"", m1__a=b"1", m1__b__c=b"2", m10=b"3", m1_x=b"4")
    assert [str(each.at) for each in await find(client, a_target("m1"))] == ["model/a", "model/b/c"]


@pytest.mark.parametrize(
    ("path", "complaint"),
    [
        pytest.param("mnist", r"no object at s3://b/mnist \(a fake store\)\. Correct", id="nothing there"),
        pytest.param("/iris", "keys do not begin with a slash", id="a slash at the beginning"),
        pytest.param("", "path is empty", id="no path"),
        pytest.param("hollow", "no object at s3://b/hollow", id="no length"),
    ],
)
async def test_a_path_without_objects_is_an_error(path: str, complaint: str) -> None:
    with pytest.raises(ObjectMissing, match=complaint):
        await find(a_client(iris=b"1", hollow=b""), a_target(path))


async def test_too_many_objects_are_not_one_model(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(fetching, "OBJECTS_MAX", 2)
    with pytest.raises(BadModelKey, match="more than 2 objects lie at s3://b/m: name a single model"):
        await find(a_client(m__a=b"1", m__b=b"1", m__c=b"1"), a_target("m"))


async def test_many_objects_are_fetched_a_few_at_a_time(tmp_path: Path) -> None:
    client = a_client(**{f"m__{number}": b"12345678" for number in range(40)})
    wanted = await find(client, a_target("m"))
    make_folders(tmp_path / "staged", folders_of(wanted))
    await fetch_all(client, wanted, tmp_path / "staged", None)
    check_sizes(client, wanted, tmp_path / "staged")
    assert len(list((tmp_path / "staged/model").iterdir())) == 40
    assert client._store.under_way_most == OBJECTS_AT_ONCE_MAX


async def test_the_first_failure_stops_the_others_and_is_raised_as_it_is(tmp_path: Path) -> None:
    client = a_client(m__a=b"1", m__b=b"1", m__c=b"1")
    client._store.failing["m/b"] = StorageUnreachable("b is ill")
    client._store.gate.clear()
    wanted = await find(client, a_target("m"))
    make_folders(tmp_path / "staged", folders_of(wanted))
    with pytest.raises(StorageUnreachable, match=r"^b is ill$"):
        await fetch_all(client, wanted, tmp_path / "staged", None)
    assert client._store.under_way == 0


@pytest.mark.parametrize("content", ["short", "far too long"])
def test_a_file_of_another_length_is_an_error(tmp_path: Path, content: str) -> None:
    (tmp_path / "model").write_text(content)
    wanted = [Destination(source=RemoteObject(key="m", size_bytes=8), at=PurePosixPath("model"))]
    with pytest.raises(StorageUnreachable, match=f"s3://b/m arrived with {len(content)} bytes.* 8"):
        check_sizes(a_client(), wanted, tmp_path)


async def test_a_failure_is_raised_as_it_is_with_its_cause() -> None:
    async def fail() -> None:
        raise ObjectMissing("gone") from KeyError()

    async def work() -> None:
        async with tasks() as group:
            group.create_task(fail())

    with pytest.raises(ObjectMissing, match="gone") as failure:
        await work()
    assert isinstance(failure.value.__cause__, KeyError)


async def test_a_cancel_of_tasks_is_a_cancel() -> None:
    async def wait() -> None:
        async with tasks() as group:
            group.create_task(asyncio.Event().wait())

    async with asyncio.TaskGroup() as group:
        task = group.create_task(wait())
        await asyncio.sleep(1)
        task.cancel()
    assert task.cancelled()
