from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from adapter.cluster.local_objects import Record, Stamp, applied_to, born, changed, deleted, merge_patched

STAMP = Stamp(revision=7, now="2026-01-02T03:04:05Z", uid="u")
MAPPINGS = st.recursive(
    st.integers() | st.lists(st.integers(), max_size=2),
    lambda inner: st.dictionaries(st.sampled_from("abc"), inner, max_size=3),
    max_leaves=8,
).filter(lambda value: isinstance(value, dict))


def an_object(**parts: Any) -> dict[str, Any]:
    return dict(born({"metadata": {"name": "a"}, "spec": {"x": 1}, **parts}, STAMP))


@pytest.mark.parametrize(
    ("target", "patch", "result"),
    [
        ({"a": "b"}, {"a": "c"}, {"a": "c"}),
        ({"a": "b"}, {"a": None}, {}),
        ({"a": ["b"]}, {"a": "c"}, {"a": "c"}),
        ({"a": {"b": "c"}}, {"a": {"b": "d", "c": None}}, {"a": {"b": "d"}}),
        ({"a": [{"b": "c"}]}, {"a": [1]}, {"a": [1]}),
        (["a", "b"], ["c", "d"], ["c", "d"]),
        ({"e": None}, {"a": 1}, {"e": None, "a": 1}),
        ([1, 2], {"a": "b", "c": None}, {"a": "b"}),
        ({}, {"a": {"bb": {"ccc": None}}}, {"a": {"bb": {}}}),
    ],
)
def test_patches_are_those_of_rfc_7386(target: object, patch: object, result: object) -> None:
    assert merge_patched(target, patch) == result


@pytest.mark.parametrize(
    ("live", "before", "wanted", "result"),
    [
        pytest.param({"a": 1, "b": 2}, {"a": 1}, {"a": 3}, {"a": 3, "b": 2}, id="others' fields stay"),
        pytest.param(
            {"a": 1, "b": 2}, {"a": 1, "b": 2}, {"a": 1}, {"a": 1}, id="what is wanted no more goes"
        ),
        pytest.param(
            {"m": {"a": 1, "x": 9}}, {"m": {"a": 1}}, {}, {"m": {"x": 9}}, id="but not what is beside it"
        ),
        pytest.param({"m": {"a": 1}}, {"m": {"a": 1}}, {}, {}, id="nor an empty shell"),
        pytest.param({"l": [1, 2]}, {"l": [1, 2]}, {"l": [2]}, {"l": [2]}, id="lists are whole"),
    ],
)
def test_what_is_applied(live: object, before: object, wanted: object, result: object) -> None:
    assert applied_to(live, before, wanted) == result


@given(MAPPINGS, MAPPINGS)
def test_to_apply_the_same_again_changes_nothing(live: dict[str, Any], wanted: dict[str, Any]) -> None:
    once = applied_to(live, {}, wanted)
    assert applied_to(once, wanted, wanted) == once


def test_a_change_of_the_wish_is_a_new_generation_and_one_of_the_status_is_none() -> None:
    before = an_object()
    status = changed(before, {**before, "status": {"a": 1}}, STAMP)
    assert status["metadata"]["generation"] == 1
    wish = changed(status, {**status, "spec": {"x": 2}}, STAMP)
    assert wish["metadata"]["generation"] == 2


def test_no_change_is_the_object_itself() -> None:
    before = an_object()
    assert changed(before, {**before, "metadata": {**before["metadata"], "uid": "forged"}}, STAMP) is before


def test_finalizers_hold_an_object() -> None:
    held = Record(manifest=an_object(metadata={"name": "a", "finalizers": ["f"]}))
    left = deleted(held, STAMP)
    assert left is not None
    assert left.manifest["metadata"]["deletionTimestamp"] == STAMP.now
    assert deleted(left, STAMP) is left
    assert deleted(Record(manifest=an_object()), STAMP) is None
