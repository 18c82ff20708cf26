"""Instances for all tests here: one alone, or a mesh of three."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import AbstractContextManager
from typing import Any

import pytest

from tests.unit.instance.meshed import AMesh, AnInstance, a_mesh


def _in_virtual_time() -> AbstractContextManager[None]:
    """As the test itself is: what a fixture starts would else sleep by another clock."""
    loop: Any = asyncio.get_running_loop()
    enabled: AbstractContextManager[None] = loop.looptime_enabled()
    return enabled


@pytest.fixture
async def mesh() -> AsyncIterator[AMesh]:
    """A mesh of three: a, b and c, of which a leads."""
    making = a_mesh("a", "b", "c")
    with _in_virtual_time():
        three = await making.__aenter__()
    yield three
    with _in_virtual_time():
        await making.__aexit__(None, None, None)


@pytest.fixture
async def instance() -> AsyncIterator[AnInstance]:
    """A mesh of one."""
    making = a_mesh("a")
    with _in_virtual_time():
        one = await making.__aenter__()
    yield one["a"]
    with _in_virtual_time():
        await making.__aexit__(None, None, None)
