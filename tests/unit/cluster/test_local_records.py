from pathlib import Path

import pytest

from adapter.aio.clock import LoopClock
from adapter.cluster.cluster import ClusterRefused, ObjectConflict
from adapter.cluster.local_objects import Record
from adapter.cluster.local_records import EVENTS_MAX, Records
from adapter.cluster.local_state import StateFolder
from adapter.domain.kinds import CONFIG_MAP, EVENT, Key, Kind


def key(name: str, kind: Kind = CONFIG_MAP) -> Key:
    return Key(kind=kind, name=name, namespace="default")


def made(records: Records, name: str, kind: Kind = CONFIG_MAP, **metadata: object) -> Record:
    manifest = {"metadata": {"name": name, "namespace": "default", **metadata}}
    records.make(key(name, kind), Record(manifest=manifest))
    found = records.get(key(name, kind))
    assert found is not None
    return found


@pytest.fixture
def records(tmp_path: Path) -> Records:
    records = Records(StateFolder(tmp_path), clock=LoopClock())
    records.load()
    return records


async def test_what_was_known_is_known_again(records: Records, tmp_path: Path) -> None:
    first = made(records, "a")
    again = Records(StateFolder(tmp_path), clock=LoopClock())
    again.load()
    assert again.get(key("a")) == first
    assert int(made(again, "b").manifest["metadata"]["resourceVersion"]) > int(
        first.manifest["metadata"]["resourceVersion"]
    )


async def test_a_follower_sees_each_object_once_however_often_it_changed(records: Records) -> None:
    follower = records.follow(CONFIG_MAP, "default")
    record = made(records, "a")
    records.change(key("a"), record, {**record.manifest, "data": {"v": "1"}})
    made(records, "b")
    assert await follower.taken() == [key("a"), key("b")]
    records.leave(CONFIG_MAP, follower)


async def test_what_is_to_go_gets_no_more_finalizers(records: Records) -> None:
    record = made(records, "a", finalizers=["f"])
    records.go(key("a"), record)
    held = records.get(key("a"))
    assert held is not None
    metadata = held.manifest["metadata"]
    with pytest.raises(ClusterRefused, match="no more finalizers"):
        records.change(key("a"), held, {**held.manifest, "metadata": {**metadata, "finalizers": ["f", "g"]}})
    records.change(key("a"), held, {**held.manifest, "metadata": {**metadata, "finalizers": []}})
    assert records.get(key("a")) is None


async def test_who_looked_too_early_is_told(records: Records) -> None:
    with pytest.raises(ObjectConflict, match="look again"):
        records.check_latest(key("a"), made(records, "a"), "0")


async def test_events_are_bounded(records: Records) -> None:
    for number in range(EVENTS_MAX + 2):
        made(records, f"e-{number}", EVENT)
    left = {record.manifest["metadata"]["name"] for record in records.within(EVENT, None)}
    assert len(left) == EVENTS_MAX
    assert not left & {"e-0", "e-1"}
