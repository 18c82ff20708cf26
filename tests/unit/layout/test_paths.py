from pathlib import PurePosixPath

import pytest
from hypothesis import given
from hypothesis import strategies as st

from adapter.layout.paths import joined_within


@pytest.mark.parametrize(
    ("folder", "parts", "joined"),
    [
        pytest.param("a", ("b/c.txt",), "a/b/c.txt", id="below"),
        pytest.param("a", ("../../b.txt",), "a/b.txt", id="up is clamped"),
        pytest.param("a", ("../../b", "c.txt"), "a/b/c.txt", id="each part goes on from the last"),
        pytest.param("a", ("./b.txt",), "a/b.txt", id="here"),
        pytest.param("a", ("/b",), "a/b", id="absolute"),
        pytest.param("/a/b", ("c.txt",), "/a/b/c.txt", id="below an absolute folder"),
        pytest.param("/a", ("x/../../y",), "/a/y", id="down and up"),
        pytest.param("/a", ("",), "/a", id="nothing"),
        pytest.param("/M", ("http://x/y",), "/M/http:/x/y", id="a URI is a path"),
    ],
)
def test_parts_are_joined_and_clamped(folder: str, parts: tuple[str, ...], joined: str) -> None:
    assert joined_within(PurePosixPath(folder), *parts) == PurePosixPath(joined)


@given(st.lists(st.text(alphabet="ab./\\\0é"), max_size=4))
def test_nothing_leaves_the_folder(parts: list[str]) -> None:
    joined = joined_within(PurePosixPath("/models/iris"), *parts)
    assert joined.is_relative_to("/models/iris")
    assert ".." not in joined.parts
