"""One pull from beginning to end: key, storage, listing, transfer, check, and one rename.

What a pull brings appears at `<root>/<model>` complete or not at all; after a failure or a cancel
everything of it is gone. Who wants a model once for many callers sees to that before: two pulls of one
model at once both do the work, and the later one stays.
"""

from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

from adapter.domain.errors import AdapterError, BadModelKey, ModelCorrupt
from adapter.domain.ids import ModelId
from adapter.domain.records import ModelInfo
from adapter.layout.files import PulledFiles
from adapter.layout.model_settings import SETTINGS
from adapter.layout.model_type import layout_type
from adapter.storage.destinations import Destination, pull_targets
from adapter.storage.disk import ModelRoot, disk_words
from adapter.storage.fetching import check_sizes, fetch_all, find, folders_of, make_folders, tasks
from adapter.storage.linking import Sizes, link
from adapter.storage.model_key import ModelKey, parse_model_key, rewritten
from adapter.storage.providers import Providers, provider_for
from adapter.storage.repository import MountedFolder, Progress, PullCommand, RepositoryClient
from adapter.storage.secrets import SecretFolder
from adapter.storage.threads import in_thread

SMALL_FILE_BYTES_MAX = 1 << 20
"""Of a schema or of settings, which are read as a whole."""


@dataclass(frozen=True, slots=True, kw_only=True)
class PulledModel:
    """A model that lies on this machine."""

    model: ModelId
    info: ModelInfo
    """As the runtime gets it: type, local path, rewritten key (reference: runtime adapter 2.6)."""
    model_type: str
    """The name that layouts go by."""
    files: PulledFiles

    @property
    def size_bytes(self) -> int:
        """On disk, without the schema."""
        return self.files.size_bytes


@dataclass(slots=True, kw_only=True)
class _Staging:
    """Where one pull builds, and whether that has become the model's folder."""

    command: PullCommand
    place: Path
    published: bool = False


class Puller:
    """Brings models to this machine, and takes them away."""

    def __init__(self, *, root: ModelRoot, secrets: SecretFolder, providers: Providers) -> None:
        self._root = root
        self._secrets = secrets
        self._providers = providers

    async def pull(self, model: ModelId, info: ModelInfo, *, progress: Progress | None = None) -> PulledModel:
        """Pull what `info` names, in place of an earlier pull of this model.

        Raises `BadModelKey`, `StorageKeyUnknown`, `StorageAccessDenied`, `ObjectMissing`, `ModelCorrupt`,
        `StorageUnreachable` or `DiskFull`.
        """
        key = parse_model_key(info.key)
        targets = pull_targets(info.path, key.schema_path)
        storage = await self._secrets.resolve(key)
        client = await provider_for(storage, self._providers).client(storage)
        command = PullCommand(targets=targets, folder=self._root.folder(model))
        staging = _Staging(command=command, place=self._root.staging_place())
        try:
            if isinstance(client, MountedFolder):
                files = await in_thread(self._link, client, staging)
            else:
                files = await self._fetch(client, staging, progress)
        except BaseException:
            await in_thread(self._undo, staging)
            raise
        return PulledModel(
            model=model,
            info=ModelInfo(type=info.type, path=str(files.root), key=_key_for_runtime(key, command, files)),
            model_type=layout_type(key.model_type, info.type),
            files=files,
        )

    async def remove(self, model: ModelId) -> None:
        """Delete what was pulled for a model; nothing there is fine."""
        await in_thread(self._root.discard, self._root.folder(model))

    async def _fetch(
        self, client: RepositoryClient, staging: _Staging, progress: Progress | None
    ) -> PulledFiles:
        async with tasks() as group:
            # Beside the listing, so that the disk costs a pull no time of its own.
            room = group.create_task(in_thread(self._root.stage, staging.place))
            listings = [group.create_task(find(client, target)) for target in staging.command.targets]
        found = [listing.result() for listing in listings]
        _require_one_schema(staging.command, found[1:])
        wanted = [each for target in found for each in target]
        room.result().require(sum(each.source.size_bytes for each in wanted))
        if folders := folders_of(wanted):
            await in_thread(make_folders, staging.place, folders)
        await fetch_all(client, wanted, staging.place, progress)
        return await in_thread(self._finish, client, staging, found)

    def _finish(
        self, client: RepositoryClient, staging: _Staging, found: list[tuple[Destination, ...]]
    ) -> PulledFiles:
        for each in found:
            check_sizes(client, each, staging.place)
        name = staging.command.targets[0].local_name
        sizes = {each.at.relative_to(name): each.source.size_bytes for each in found[0]}
        return self._publish(staging, sizes)

    def _link(self, mounted: MountedFolder, staging: _Staging) -> PulledFiles:
        sizes, *schema = [link(mounted, target, staging.place) for target in staging.command.targets]
        if schema and set(schema[0]) != {PurePosixPath()}:
            raise _schema_is_no_file()
        if SETTINGS in sizes:
            # These are read here, where the secrets are too: a link out of the store must not lead to one.
            mounted.locate(f"{staging.command.targets[0].remote_path}/{SETTINGS}")
        return self._publish(staging, sizes)

    def _publish(self, staging: _Staging, sizes: Sizes) -> PulledFiles:
        """Read the small files that layouts want, then let the folder appear."""
        model, *schema = (staging.place / target.local_name for target in staging.command.targets)
        files = PulledFiles(
            root=PurePosixPath(staging.command.folder, model.name),
            sizes=sizes,
            contents={SETTINGS: small_file(model / SETTINGS)} if SETTINGS in sizes else {},
            schema=small_file(schema[0]) if schema else None,
        )
        self._root.publish(staging.place, staging.command.folder)
        staging.published = True
        return files

    def _undo(self, staging: _Staging) -> None:
        # The failure itself is what the caller must hear of; a rest is swept away at the next start.
        with suppress(AdapterError):
            self._root.discard(staging.place)
            if staging.published:
                self._root.discard(staging.command.folder)


def _key_for_runtime(key: ModelKey, command: PullCommand, files: PulledFiles) -> str:
    schema = [str(command.folder / target.local_name) for target in command.targets[1:]]
    return rewritten(key, disk_size_bytes=files.size_bytes, schema_path=schema[0] if schema else None)


def _require_one_schema(command: PullCommand, found: list[tuple[Destination, ...]]) -> None:
    for target, objects in zip(command.targets[1:], found, strict=True):
        if [each.at for each in objects] != [PurePosixPath(target.local_name)]:
            raise _schema_is_no_file()


def _schema_is_no_file() -> BadModelKey:
    return BadModelKey("schema_path names a folder: name the schema file in it")


def small_file(path: Path) -> bytes:
    """A file that is read as a whole. Raises `ModelCorrupt` if it is too large for that."""
    with disk_words(path), path.open("rb") as file:
        content = file.read(SMALL_FILE_BYTES_MAX + 1)
    if len(content) > SMALL_FILE_BYTES_MAX:
        raise ModelCorrupt(
            f"{path.name} is larger than {SMALL_FILE_BYTES_MAX} bytes, too large for what it should be"
        )
    return content
