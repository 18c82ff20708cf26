"""Unit tests run in virtual time: an hour of back-off passes in a millisecond, and nothing sleeps."""

import asyncio

import hypothesis
import pytest

# How long an example takes depends on what else the machine does. Some hundred properties are tried with each
# change: fewer examples each time find the same, a little later.
hypothesis.settings.register_profile("remesh", deadline=None, max_examples=50)
hypothesis.settings.load_profile("remesh")


def pytest_configure() -> None:
    # Else the first asynchronous test finds, and leaves behind, a loop that nobody closes.
    asyncio.set_event_loop(None)


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    for item in items:
        if "unit" in item.path.parts or "contracts" in item.path.parts:
            item.add_marker(pytest.mark.looptime)
