from typing import Any

import pytest

from adapter.cache.messages import LoadRequested
from adapter.domain.ids import ModelId


def asked(**given: Any) -> LoadRequested:
    return LoadRequested(**{"model": ModelId("a"), "type": "t", "waiting": False, "used_s": 1.0, **given})


@pytest.mark.parametrize(
    ("earlier", "later", "both"),
    [
        pytest.param(asked(waiting=True), asked(), asked(waiting=True), id="somebody waited before"),
        pytest.param(asked(), asked(waiting=True), asked(waiting=True), id="somebody waits now"),
        pytest.param(asked(used_s=2.0), asked(used_s=1.0), asked(used_s=2.0), id="the latest use"),
        pytest.param(asked(type="old"), asked(type="new"), asked(type="new"), id="the type of now"),
        pytest.param(None, asked(), asked(), id="nothing was asked before"),
    ],
)
def test_two_requests_are_one(
    earlier: LoadRequested | None, later: LoadRequested, both: LoadRequested
) -> None:
    assert later.joined(earlier) == both
