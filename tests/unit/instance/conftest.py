"""Instances for all tests here: one alone, or a mesh of three."""

from collections.abc import AsyncIterator

import pytest

from tests.unit.instance.meshed import AMesh, AnInstance, a_mesh, one_instance


@pytest.fixture
async def instance() -> AsyncIterator[AnInstance]:
    """A mesh of one."""
    async with one_instance() as one:
        yield one


@pytest.fixture
async def mesh() -> AsyncIterator[AMesh]:
    """A mesh of three: a, b and c, of which a leads."""
    async with a_mesh("a", "b", "c") as three:
        yield three
