from pathlib import Path

import pytest

from adapter.cluster.local_folder import Flaw
from adapter.cluster.local_objects import Record, Stamp, born
from adapter.cluster.local_state import StateFolder
from adapter.domain.kinds import CLUSTER_SERVING_RUNTIME, INFERENCE_SERVICE, Key

STAMP = Stamp(revision=1, now="2026-01-02T03:04:05Z", uid="u")
A = Key(kind=INFERENCE_SERVICE, name="a", namespace="x")
B = Key(kind=INFERENCE_SERVICE, name="b", namespace="y")
R = Key(kind=CLUSTER_SERVING_RUNTIME, name="r")


def record(key: Key) -> Record:
    metadata = {"name": key.name, **({"namespace": key.namespace} if key.namespace else {})}
    return Record(
        manifest=born({"metadata": metadata}, STAMP), source="a.yaml", digest="d", applied={"m": {}}
    )


@pytest.fixture
def state(tmp_path: Path) -> StateFolder:
    state = StateFolder(tmp_path / "objects")
    state.prepare()
    for key in (A, B, R):
        state.write(key, record(key))
    return state


def names(state: StateFolder, **kwargs: str) -> list[str]:
    return [each.manifest["metadata"]["name"] for each in state.all(INFERENCE_SERVICE, **kwargs)]


def test_what_was_written_is_read(state: StateFolder) -> None:
    assert state.read(A) == record(A)
    assert state.read(R) == record(R)
    assert names(state) == ["a", "b"]
    assert names(state, namespace="y") == ["b"]


def test_what_was_removed_is_gone(state: StateFolder) -> None:
    for _ in range(2):
        state.remove(A)
    assert state.read(A) is None
    assert names(state) == ["b"]


@pytest.mark.parametrize(
    "text", ["", "{}", "[]", '{"manifest": {}, "applied": {}, "source": "", "digest": ""}']
)
def test_a_file_that_says_something_else_is_no_object(state: StateFolder, text: str) -> None:
    (state.path / "inferenceservices" / "x" / "a.json").write_text(text)
    assert state.read(A) is None
    assert names(state) == ["b"]


def test_only_its_owner_looks_into_it(state: StateFolder) -> None:
    assert state.path.stat().st_mode & 0o077 == 0


def test_flaws_are_told_to_others(state: StateFolder) -> None:
    assert StateFolder(state.path).flaws() == ()
    flaw = Flaw(source="a.yaml", document=2, text="bad")
    state.tell_flaws([flaw])
    assert StateFolder(state.path).flaws() == (flaw,)
