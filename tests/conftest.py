"""Unit tests run in virtual time: an hour of back-off passes in a millisecond, and nothing sleeps."""

import pytest


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    for item in items:
        if "unit" in item.path.parts or "contracts" in item.path.parts:
            item.add_marker(pytest.mark.looptime)
