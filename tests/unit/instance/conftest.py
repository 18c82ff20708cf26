"""Instances for all tests here: one alone, or a mesh of three."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import nullcontext
from typing import Any

import pytest

from tests.unit.instance.meshed import AMesh, AnInstance, a_mesh


@pytest.fixture
async def _virtual_time() -> AsyncIterator[None]:
    """Let time be virtual from now on, and not only in the test: what is started here sleeps by one clock."""
    loop: Any = asyncio.get_running_loop()
    with loop.looptime_enabled():
        loop.looptime_enabled = nullcontext
        yield


@pytest.fixture
async def mesh(_virtual_time: None) -> AsyncIterator[AMesh]:
    """A mesh of three: a, b and c, of which a leads."""
    async with a_mesh("a", "b", "c") as three:
        yield three


@pytest.fixture
async def instance(_virtual_time: None) -> AsyncIterator[AnInstance]:
    """A mesh of one."""
    async with a_mesh("a") as one:
        yield one["a"]
