import io
import pickle
from pathlib import Path
from typing import Any

import joblib
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from sklearn.ensemble import RandomForestClassifier

from runtimes.python_runtime.errors import Corrupt, Unsupported
from runtimes.python_runtime.flavours.pickles import load_pickle, loads


def dumped(value: object, **options: Any) -> bytes:
    file = io.BytesIO()
    joblib.dump(value, file, **options)
    return file.getvalue()


def same(one: Any, other: Any) -> bool:
    if isinstance(one, np.ndarray):
        layout = (one.flags.c_contiguous, one.flags.f_contiguous) == (
            other.flags.c_contiguous,
            other.flags.f_contiguous,
        )
        equal: bool = np.array_equal(one, other, equal_nan=one.dtype.kind in "fcM")
        return type(one) is type(other) and one.dtype == other.dtype and layout and equal
    if isinstance(one, dict):
        return one.keys() == other.keys() and all(same(one[key], other[key]) for key in one)
    if isinstance(one, (list, tuple)):
        return len(one) == len(other) and all(map(same, one, other))
    return bool(one == other)


ARRAYS = st.sampled_from(["f8", "f4", "i4", "?", "u1", "c16", "U3", "M8[s]"]).flatmap(
    lambda dtype: hnp.arrays(dtype, hnp.array_shapes(min_dims=0, min_side=0, max_side=4))
)


@given(
    value=st.recursive(
        st.one_of(ARRAYS, ARRAYS.map(np.asfortranarray), st.integers(), st.text(max_size=3)),
        lambda inner: st.one_of(
            st.lists(inner, max_size=4), st.dictionaries(st.text(max_size=3), inner, max_size=4)
        ),
        max_leaves=8,
    ),
    protocol=st.sampled_from([2, 3, 4, 5]),
)
def test_what_joblib_wrote_is_read_as_joblib_reads_it(value: Any, protocol: int) -> None:
    data = dumped(value, protocol=protocol)
    assert same(loads(data), joblib.load(io.BytesIO(data)))


@pytest.mark.parametrize(
    "value",
    [
        pytest.param(np.array([None, "a", 1], object), id="objects"),
        pytest.param([np.zeros(2), np.array([[1]], object), np.ones(3)], id="objects between numbers"),
        pytest.param(np.zeros(3, ">f8"), id="big-endian"),
        pytest.param(np.zeros(3, [("a", "i4"), ("b", "f8")]), id="records"),
        pytest.param(np.asmatrix(np.eye(2)), id="a subclass"),
    ],
)
def test_what_only_joblib_can_read_it_reads(value: Any) -> None:
    data = dumped(value)
    assert same(loads(data), joblib.load(io.BytesIO(data)))


def test_arrays_own_their_memory() -> None:
    array = loads(dumped(np.asfortranarray(np.eye(3))))
    assert array.base is None
    assert array.flags.writeable


@pytest.mark.parametrize("compress", [0, 3, ("gzip", 3), ("bz2", 3), ("xz", 3), ("lzma", 3)], ids=str)
def test_estimators_are_read(tmp_path: Path, source: Any, iris: Any, compress: Any) -> None:
    forest = RandomForestClassifier(3, random_state=0).fit(*iris)
    path = tmp_path / "model.joblib"
    joblib.dump(forest, path, compress=compress)
    np.testing.assert_array_equal(
        load_pickle(source(path)).predict_proba(iris[0]), forest.predict_proba(iris[0])
    )


def test_plain_pickles_are_read(tmp_path: Path, source: Any, classifier: Any, rows: Any) -> None:
    path = tmp_path / "model.pkl"
    path.write_bytes(pickle.dumps(classifier))
    np.testing.assert_array_equal(load_pickle(source(path)).predict(rows), classifier.predict(rows))


@given(cut=st.floats(0, 0.999))
def test_a_file_that_is_cut_off_is_an_error(cut: float) -> None:
    whole = dumped({"a": np.arange(100.0), "b": [np.eye(3), "text"]})
    with pytest.raises(Exception):  # noqa: B017  whatever the pickle machine says
        loads(whole[: int(len(whole) * cut)])


@pytest.mark.parametrize(
    ("data", "error", "text"),
    [
        pytest.param(b"", Corrupt, "neither a pickle", id="empty"),
        pytest.param(b"hello", Corrupt, "neither a pickle", id="text"),
        pytest.param(b'{"learner":{', Unsupported, "xgboost", id="another format"),
        pytest.param(dumped(np.arange(1000))[:-5], Corrupt, "cut off", id="cut off"),
        pytest.param(b"\x1f\x8b\x08broken", Corrupt, "cannot be read", id="broken gzip"),
        pytest.param(b"\x80\x04cnowhere.at.all\nX\n.", Unsupported, "module nowhere", id="a missing library"),
        pytest.param(b"\x80\x04cpickle\nNothing\n.", Unsupported, "other versions", id="a missing class"),
        pytest.param(b"\x80\x04]Q.", Corrupt, "outside of the file", id="a persistent id"),
    ],
)
def test_what_cannot_be_read_says_why(
    tmp_path: Path, source: Any, data: bytes, error: type[Exception], text: str
) -> None:
    path = tmp_path / "model.joblib"
    path.write_bytes(data)
    with pytest.raises(error, match=text):
        load_pickle(source(path))
