"""The volumes of one pod as folders of this machine; what shows an object of the cluster follows it."""

import shutil
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

from tests.kubelet.environment import NotThereYet, Objects, Place, entries, expand, field_of, resource_of

Manifest = Mapping[str, Any]

DATA = "..data"
"""The link that all files of a volume lead through, so that they change in one moment."""
FILE_MODE = 0o644


class Sources(Objects, Protocol):
    """Where what volumes show comes from."""

    async def token(self, pod: Manifest, source: Manifest) -> str:
        """For the pod's service account."""
        ...

    async def claim(self, namespace: str, name: str) -> Path:
        """The folder of a PersistentVolumeClaim. Raises `NotThereYet`."""
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class File:
    """One file of a volume."""

    content: bytes
    mode: int = FILE_MODE


class Volumes:
    """The volumes of a pod, below its folder."""

    def __init__(self, pod: Manifest, folder: Path, place: Place, sources: Sources) -> None:
        self._pod = pod
        self._folder = folder
        self._place = place
        self._sources = sources
        self._tokens: dict[str, str] = {}
        """By volume and path."""
        self._places: dict[str, Path] = {}
        self._written: dict[str, dict[str, File]] = {}

    @property
    def _volumes(self) -> list[dict[str, Any]]:
        return list(self._pod["spec"].get("volumes") or [])

    async def prepare(self) -> None:
        """Make them all. Raises `NotThereYet`."""
        for volume in self._volumes:
            try:
                self._places[volume["name"]] = await self._prepared(volume)
            except NotThereYet as why:
                text = f'MountVolume.SetUp failed for volume "{volume["name"]}" : {why}'
                raise NotThereYet(text) from why

    def refresh(self) -> None:
        """Write anew what has changed; what is gone meanwhile stays as it was."""
        for volume in self._volumes:
            if volume["name"] in self._written:
                try:
                    self._write(volume)
                except NotThereYet:
                    continue

    async def _prepared(self, volume: Manifest) -> Path:
        place = self._folder / str(volume["name"])
        if "emptyDir" in volume:
            place.mkdir(parents=True, exist_ok=True)
            place.chmod(0o777)
            return place
        if "hostPath" in volume:
            path = Path(str(volume["hostPath"]["path"]))
            if volume["hostPath"].get("type") == "DirectoryOrCreate":
                path.mkdir(parents=True, exist_ok=True)
            if not path.exists():
                raise NotThereYet(f"hostPath {path} does not exist")
            return path
        if claim := volume.get("persistentVolumeClaim"):
            return await self._sources.claim(self._pod["metadata"]["namespace"], claim["claimName"])
        for source in (volume.get("projected") or {}).get("sources") or []:
            if token := source.get("serviceAccountToken"):
                name = f"{volume['name']}/{token['path']}"
                self._tokens[name] = await self._sources.token(self._pod, token)
        self._write(volume)
        return place

    def _write(self, volume: Manifest) -> None:
        files = self._files(volume)
        if self._written.get(volume["name"]) != files:
            write_at_once(self._folder / volume["name"], files)
            self._written[volume["name"]] = files

    def _files(self, volume: Manifest) -> dict[str, File]:
        if "projected" not in volume:
            return self._of_source(volume, volume["name"], mode=FILE_MODE)
        mode = volume["projected"].get("defaultMode", FILE_MODE)
        files: dict[str, File] = {}
        for source in volume["projected"].get("sources") or []:
            files |= self._of_source(source, volume["name"], mode=mode)
        return files

    def _of_source(self, source: Manifest, volume: str, *, mode: int) -> dict[str, File]:
        """The files of one secret, config map, downward API or token; of a volume, or a part of one."""
        for kind, name in (("secret", "secretName"), ("configMap", "name")):
            if kind in source:
                told = {"name": source[kind].get(name) or source[kind].get("name"), **source[kind]}
                content = entries(kind, told, self._pod["metadata"]["namespace"], self._sources)
                return chosen(content, told, mode=told.get("defaultMode", mode))
        if "downwardAPI" in source:
            told = source["downwardAPI"]
            items = told.get("items") or []
            mode = told.get("defaultMode", mode)
            return {
                item["path"]: File(content=self._told(item).encode(), mode=item.get("mode", mode))
                for item in items
            }
        if token := source.get("serviceAccountToken"):
            return {
                token["path"]: File(content=self._tokens[f"{volume}/{token['path']}"].encode(), mode=mode)
            }
        raise NotThereYet(f"volumes of this kind are none here: {', '.join(set(source) - {'name'})}")

    def _told(self, item: Manifest) -> str:
        if "fieldRef" in item:
            return field_of(self._pod, item["fieldRef"]["fieldPath"], self._place)
        return resource_of({}, self._pod, item["resourceFieldRef"], self._place.allocatable)

    def mounts(self, container: Manifest, env: Mapping[str, str]) -> list[dict[str, Any]]:
        """What the sandbox shows in this container, outer folders first."""
        rows = [self._mount(each, env) for each in container.get("volumeMounts") or []]
        return sorted(rows, key=lambda row: str(row["target"]).count("/"))

    def _mount(self, told: Manifest, env: Mapping[str, str]) -> dict[str, Any]:
        source = self._places[told["name"]]
        if part := told.get("subPath") or expand(told.get("subPathExpr", ""), env):
            source = source / part
            if not source.exists():
                source.mkdir(parents=True)
        read_only = told.get("readOnly", False) or told["name"] in self._written
        return {
            "source": str(source.resolve()),
            "target": told["mountPath"].rstrip("/"),
            "read_only": read_only,
        }

    def remove(self) -> None:
        """Take away what was made here."""
        shutil.rmtree(self._folder, ignore_errors=True)


def chosen(content: Mapping[str, bytes], told: Manifest, *, mode: int) -> dict[str, File]:
    """The entries that `items` names, by their paths; without it all. Raises `NotThereYet`."""
    if not (items := told.get("items")):
        return {key: File(content=value, mode=mode) for key, value in content.items()}
    missing = [item["key"] for item in items if item["key"] not in content]
    if missing and not told.get("optional"):
        raise NotThereYet(f"references non-existent secret or config key: {missing[0]}")
    return {
        item["path"]: File(content=content[item["key"]], mode=item.get("mode", mode))
        for item in items
        if item["key"] in content
    }


def write_at_once(folder: Path, files: Mapping[str, File]) -> None:
    """Make these the folder's files; a reader sees all as they were or all as they are."""
    folder.mkdir(parents=True, exist_ok=True)
    link = folder / DATA
    before = link.readlink().name if link.is_symlink() else ""
    fresh = folder / f"..{int(before[2:] or 0) + 1}"
    for path, file in files.items():
        place = fresh / path
        place.parent.mkdir(parents=True, exist_ok=True)
        place.write_bytes(file.content)
        place.chmod(file.mode)
    fresh.mkdir(exist_ok=True)
    aside = folder / f"{DATA}.fresh"
    aside.symlink_to(fresh.name)
    aside.replace(link)
    wanted = {path.split("/")[0] for path in files}
    for name in wanted:
        if not (folder / name).is_symlink():
            (folder / name).symlink_to(f"{DATA}/{name}")
    for each in folder.iterdir():
        if not each.name.startswith("..") and each.name not in wanted:
            each.unlink()
    if before:
        shutil.rmtree(folder / before)
