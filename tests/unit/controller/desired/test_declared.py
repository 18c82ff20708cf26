from typing import Any

import pytest

from adapter.controller.desired.declared import container_named, memory_request, resource
from tests.unit.controller.desired.examples import RUNTIMES


def test_a_container_is_found_by_its_name() -> None:
    assert container_named(RUNTIMES["mlserver-1.x"], "mlserver")["image"] == "seldonio/mlserver:1.3.2"
    assert container_named(RUNTIMES["mlserver-1.x"], "other") == {}


@pytest.mark.parametrize("container", [{}, {"resources": None}, {"resources": {"limits": None}}], ids=str)
def test_what_is_not_declared_is_none(container: dict[str, Any]) -> None:
    assert resource(container, "limits", "memory") is None
    assert memory_request(container) is None


def test_who_says_only_a_limit_asks_for_that() -> None:
    assert memory_request({"resources": {"limits": {"memory": "1Gi"}}}) == "1Gi"
    both = {"limits": {"memory": "2Gi"}, "requests": {"memory": "1Gi"}}
    assert memory_request({"resources": both}) == "1Gi"
