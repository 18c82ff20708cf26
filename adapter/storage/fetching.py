"""One target of a pull: what there is of it is listed, then fetched into a staging folder."""

import asyncio
from collections.abc import AsyncIterator, Iterable, Sequence
from contextlib import aclosing, asynccontextmanager
from pathlib import Path, PurePosixPath

from adapter.domain.errors import BadModelKey, ObjectMissing, StorageUnreachable
from adapter.storage.destinations import Destination, belongs_to, destinations, is_past
from adapter.storage.disk import disk_words
from adapter.storage.repository import Progress, PullTarget, RemoteObject, RepositoryClient

OBJECTS_MAX = 100_000
"""Of one model. Whoever means so many has probably named a folder of models."""

OBJECTS_AT_ONCE_MAX = 8
"""Transfers of one pull under way; the store's own bound is over all pulls."""


@asynccontextmanager
async def tasks() -> AsyncIterator[asyncio.TaskGroup]:
    """A task group whose first failure is raised as it is, not in a group."""
    try:
        async with asyncio.TaskGroup() as group:
            yield group
    except BaseExceptionGroup as failures:
        first = failures.exceptions[0]
        raise first from first.__cause__


async def find(client: RepositoryClient, target: PullTarget) -> tuple[Destination, ...]:
    """All objects of a target, and where they go. Raises `ObjectMissing` when there is none."""
    path, found = target.remote_path, list[RemoteObject]()
    if not path:
        raise ObjectMissing(
            f"the model's path is empty, and {client.described} needs one; set it in the manifest"
        )
    async with aclosing(client.objects(path)) as listing:
        async for remote in listing:
            if is_past(path, remote.key):
                break
            if belongs_to(path, remote):
                found.append(remote)
            if len(found) > OBJECTS_MAX:
                raise BadModelKey(
                    f"more than {OBJECTS_MAX} objects lie at {client.uri(path)}: name a single model"
                )
    if not found:
        slash = "; object keys do not begin with a slash" if path.startswith("/") else ""
        raise ObjectMissing(
            f"there is no object at {client.uri(path)} ({client.described}){slash}. "
            "Correct the path, or put the model there; objects of no length do not count"
        )
    return destinations(target, found)


async def fetch_all(
    client: RepositoryClient, wanted: Sequence[Destination], staged: Path, progress: Progress | None
) -> None:
    """Fetch into `staged`, some at a time. The first failure, or a cancel, stops all."""
    if len(wanted) == 1:
        await client.fetch(wanted[0].source, staged / wanted[0].at, progress=progress)
        return
    waiting = iter(wanted)

    async def work() -> None:
        for each in waiting:
            await client.fetch(each.source, staged / each.at, progress=progress)

    async with tasks() as group:
        for _ in range(min(OBJECTS_AT_ONCE_MAX, len(wanted))):
            group.create_task(work())


def folders_of(wanted: Iterable[Destination]) -> set[PurePosixPath]:
    """The folders that the files need below the staging folder, which is there already."""
    return {each.at.parent for each in wanted} - {PurePosixPath()}


def make_folders(staged: Path, folders: Iterable[PurePosixPath]) -> None:
    """So that a fetch only writes."""
    with disk_words(staged):
        for folder in folders:
            (staged / folder).mkdir(parents=True, exist_ok=True)


def check_sizes(client: RepositoryClient, wanted: Iterable[Destination], staged: Path) -> None:
    """Every file is as long as its object was listed; else `StorageUnreachable`."""
    with disk_words(staged):
        for each in wanted:
            size_bytes = (staged / each.at).lstat().st_size
            if size_bytes != each.source.size_bytes:
                raise StorageUnreachable(
                    f"{client.uri(each.source.key)} arrived with {size_bytes} bytes, and was listed with "
                    f"{each.source.size_bytes}: it was replaced, or the transfer is faulty"
                )
