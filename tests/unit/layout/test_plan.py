from pathlib import PurePosixPath

import pytest

from adapter.layout.plan import LayoutPlan, Link, Write


def a_plan(*places: str) -> LayoutPlan:
    return LayoutPlan(steps=tuple(Write(at=PurePosixPath(place), content=b"") for place in places))


def test_a_plan_within_its_folder_is_sound() -> None:
    link = Link(at=PurePosixPath("1/model"), to=PurePosixPath("/models/iris/model"))
    LayoutPlan(steps=(link, *a_plan("settings").steps)).check()


@pytest.mark.parametrize(
    ("places", "complaint"),
    [
        pytest.param(["a", "a"], "two steps", id="two at one place"),
        pytest.param(["."], "needs a name", id="the folder itself"),
        pytest.param(["/etc/passwd"], "absolute", id="absolute"),
        pytest.param(["a/../../b"], "leaves", id="out of the folder"),
    ],
)
def test_a_plan_that_leaves_its_folder_is_not(places: list[str], complaint: str) -> None:
    with pytest.raises(AssertionError, match=complaint):
        a_plan(*places).check()
