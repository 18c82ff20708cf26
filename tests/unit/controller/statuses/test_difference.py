from collections.abc import Mapping
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from adapter.controller.statuses.difference import difference

leaves = st.none() | st.integers(0, 3) | st.lists(st.integers(0, 2), max_size=2)
patches = st.recursive(
    st.dictionaries(st.sampled_from("abc"), leaves, max_size=3),
    lambda inner: st.dictionaries(st.sampled_from("abc"), leaves | inner, max_size=3),
    max_leaves=8,
)


def patched(there: object, patch: object) -> Any:
    """RFC 7386, section 2."""
    if not isinstance(patch, Mapping):
        return patch
    result = dict(there) if isinstance(there, Mapping) else {}
    for name, value in patch.items():
        if value is None:
            result.pop(name, None)
        else:
            result[name] = patched(result.get(name), value)
    return result


def without_nulls(value: object) -> Any:
    return patched({}, value)


def without_empty(value: Any) -> Any:
    """An object that is made for nothing is as good as none."""
    if not isinstance(value, Mapping):
        return value
    kept = {name: without_empty(inner) for name, inner in value.items()}
    return {name: inner for name, inner in kept.items() if inner != {}}


@given(patches, patches)
def test_it_makes_of_an_object_what_the_whole_patch_would(there: Any, patch: Any) -> None:
    there = without_nulls(there)
    least = difference(there, patch)
    assert without_empty(patched(there, least)) == without_empty(patched(there, patch))


@given(patches, patches)
def test_once_it_is_done_there_is_nothing_left(there: Any, patch: Any) -> None:
    done = patched(without_nulls(there), patch)
    assert difference(done, patch) == {}


@pytest.mark.parametrize(
    ("there", "patch", "least"),
    [
        pytest.param({"a": 1, "b": 2}, {"a": 1, "b": 3}, {"b": 3}, id="what differs"),
        pytest.param({"a": 1}, {"a": None, "b": None}, {"a": None}, id="what is there goes"),
        pytest.param({}, {"a": {"b": None}}, {}, id="nothing is made for nothing"),
        pytest.param({"a": {"x": 1}}, {"a": {"b": 2}}, {"a": {"b": 2}}, id="others' fields are left alone"),
        pytest.param({"a": [1]}, {"a": [1, 2]}, {"a": [1, 2]}, id="a list is whole"),
        pytest.param(None, {"a": 1}, {"a": 1}, id="no status yet"),
        pytest.param({"a": 7}, {"a": {"b": None}}, {"a": {}}, id="what is no object becomes one"),
    ],
)
def test_only_what_changes_something_is_in_it(there: object, patch: Any, least: object) -> None:
    assert difference(there, patch) == least
