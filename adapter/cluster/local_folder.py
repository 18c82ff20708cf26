"""A folder of manifests: what its files declare, what is wrong with them, and changes to one declaration.

Files directly in it count that end with `.yaml`, `.yml` or `.json`, as for kubectl. A file is read again only
when it is another one than before.
"""

import json
import os
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field, replace
from hashlib import sha256
from pathlib import Path
from typing import Final

from adapter.cluster.local_kinds import KindUnknown, NotAnObject, checked
from adapter.cluster.local_text import TEXT_BYTES_MAX, Document, documents, written
from adapter.domain.errors import Refused
from adapter.domain.kinds import Key, Manifest

SUFFIXES: Final = frozenset({".yaml", ".yml", ".json"})
STEM_LENGTH_MAX: Final = 200
"""Of the name of a file that is made here; file systems have 255 bytes for a name."""

_Seal = tuple[int, int, int, int]


@dataclass(frozen=True, slots=True, kw_only=True)
class Found:
    """What a file declares."""

    manifest: Manifest
    source: str
    """The name of the file."""
    digest: str
    """Of the manifest: the same if, and only if, it says the same."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Flaw:
    """What is wrong with a file, or with one document of it."""

    source: str
    text: str
    document: int = 0
    """0: the whole file."""

    def __str__(self) -> str:
        where = f", document {self.document}" if self.document else ""
        return f"{self.source}{where}: {self.text}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Look:
    """What there was in the folder at one moment."""

    found: Mapping[Key, Found]
    flaws: tuple[Flaw, ...] = ()
    unreadable: Mapping[str, str | None] = field(default_factory=dict)
    """By file: the parts of it that cannot be read; None: all of it."""
    is_there: bool = True
    """False: the folder cannot be read, so that nothing is known."""

    def may_declare(self, source: str, name: str) -> bool:
        """Whether what cannot be read of this file may be what declared an object of this name."""
        if not self.is_there:
            return True
        text = self.unreadable.get(source, "")
        return text is None or name in text


@dataclass(frozen=True, slots=True)
class _File:
    seal: _Seal
    objects: tuple[tuple[Key, Found], ...] = ()
    flaws: tuple[Flaw, ...] = ()
    unreadable: str | None = ""

    def digest_of(self, key: Key) -> str:
        """Of the object as it is declared first in it."""
        return next((found.digest for each, found in self.objects if each == key), "")


@dataclass(slots=True)
class ManifestFolder:
    """The folder; it need not be there yet."""

    path: Path
    namespace: str
    """Of what names none."""
    _read: dict[str, _File] = field(default_factory=dict)

    def look(self) -> Look:
        """What is declared now. Files are read and parsed here: it may take seconds for thousands."""
        try:
            names = sorted(entry.name for entry in os.scandir(self.path) if _counts(entry))
        except OSError as error:
            why = f"{self.path} cannot be read: {error.strerror}"
            return Look(found={}, flaws=(Flaw(source=self.path.name, text=why),), is_there=False)
        files = {name: file for name in names if (file := self._file(name)) is not None}
        self._read = files
        found: dict[Key, Found] = {}
        flaws = [flaw for file in files.values() for flaw in file.flaws]
        for name, file in files.items():
            for key, each in file.objects:
                first = found.setdefault(key, each)
                if first is not each:
                    flaws.append(Flaw(source=name, text=f"{key} is declared in {first.source} already"))
        unreadable = {name: file.unreadable for name, file in files.items() if file.unreadable != ""}
        return Look(found=found, flaws=tuple(flaws), unreadable=unreadable)

    def put(self, manifest: Manifest) -> Found:
        """Declare this object: in place of its present declaration, or in a file of its own.

        Raises `NotAnObject`, or `Refused` for a file that cannot be changed.
        """
        key, found = found_in(manifest, "", namespace=self.namespace)
        for path, parts in self._declaring(key):
            if self._read[path.name].digest_of(key) != found.digest:
                self._rewrite(path, parts, key, found.manifest)
            return replace(found, source=path.name)
        path = self.path / _file_name(key)
        self._write(path, written(found.manifest))
        return replace(found, source=path.name)

    def remove(self, key: Key) -> bool:
        """Declare it no more; False: nothing did. Raises `Refused` for a file that cannot be changed."""
        declaring = list(self._declaring(key))
        for path, parts in declaring:
            self._rewrite(path, parts, key, None)
        return bool(declaring)

    def _declaring(self, key: Key) -> Iterator[tuple[Path, Sequence[Document]]]:
        """The files with this object, the one that counts first."""
        self.look()
        for name in [
            name for name, file in self._read.items() if any(key == each for each, _ in file.objects)
        ]:
            path = self.path / name
            text, _ = _text(path)
            yield path, list(documents(text, is_json=path.suffix == ".json"))

    def _rewrite(self, path: Path, parts: Sequence[Document], key: Key, manifest: Manifest | None) -> None:
        texts: list[str] = []
        for part in parts:
            mine = [each for each in part.manifests if self._names(each) == key]
            if not mine:
                texts.append(part.text)
                continue
            rest = [each for each in part.manifests if self._names(each) != key]
            kept = [*rest, *([manifest] if manifest is not None else [])]
            if kept:
                texts.append(f"---\n{written(kept[0] if len(kept) == 1 else _as_list(kept))}")
        whole = "".join(text if text.endswith("\n") else f"{text}\n" for text in texts)
        if not any(part.strip() for part in texts):
            path.unlink(missing_ok=True)
        elif path.suffix == ".json":
            # There is one document, and it was rewritten.
            self._write(path, json.dumps(next(iter(documents(whole))).manifests[0], indent=2) + "\n")
        else:
            self._write(path, whole)

    def _names(self, manifest: Manifest) -> Key | None:
        with suppress(NotAnObject):
            return checked(manifest, namespace=self.namespace)[0]
        return None

    def _write(self, path: Path, text: str) -> None:
        aside = path.with_name(f".{path.name}.new")
        try:
            self.path.mkdir(parents=True, exist_ok=True)
            # Secrets are declared here too.
            aside.touch(mode=0o600)
            aside.write_text(text, encoding="utf-8")
            if path.exists():
                aside.chmod(path.stat().st_mode & 0o777)
            aside.replace(path)
        except OSError as error:
            raise Refused(f"{path} cannot be written: {error.strerror}") from error

    def _file(self, name: str) -> _File | None:
        path, known = self.path / name, self._read.get(name)
        try:
            seal = _seal(path)
            if known is not None and known.seal == seal:
                return known
            text, seal = _text(path)
        except FileNotFoundError:
            return None
        except OSError as error:
            return _bad(name, f"cannot be read: {error.strerror}")
        except (UnicodeDecodeError, ValueError):
            return _bad(name, f"is not UTF-8, or larger than {TEXT_BYTES_MAX >> 20} MiB")
        return self._parsed(name, text, seal)

    def _parsed(self, name: str, text: str, seal: _Seal) -> _File:
        objects: list[tuple[Key, Found]] = []
        flaws: list[Flaw] = []
        unreadable: list[str] = []
        for document in documents(text, is_json=name.endswith(".json")):
            note = _noting(flaws, name, document.number)
            if document.complaint:
                note(document.complaint)
                unreadable.append(document.text)
            for manifest in document.manifests:
                try:
                    objects.append(found_in(manifest, name, namespace=self.namespace))
                except KindUnknown as error:
                    note(f"{error}; it is passed over")
                except NotAnObject as error:
                    note(str(error))
                    unreadable.append(document.text)
        return _File(seal, tuple(objects), tuple(flaws), "\n".join(unreadable))


def found_in(manifest: Manifest, source: str, *, namespace: str) -> tuple[Key, Found]:
    """One declaration. Raises `NotAnObject`."""
    key, whole = checked(manifest, namespace=namespace)
    digest = sha256(json.dumps(whole, sort_keys=True).encode()).hexdigest()
    return key, Found(manifest=whole, source=source, digest=digest)


def _noting(flaws: list[Flaw], source: str, document: int) -> Callable[[str], None]:
    return lambda text: flaws.append(Flaw(source=source, document=document, text=text))


def _counts(entry: os.DirEntry[str]) -> bool:
    return not entry.name.startswith(".") and Path(entry.name).suffix in SUFFIXES and entry.is_file()


def _seal(path: Path) -> _Seal:
    found = path.stat()
    return found.st_ino, found.st_size, found.st_mtime_ns, found.st_ctime_ns


def _text(path: Path) -> tuple[str, _Seal]:
    # The seal first: what is written in between is then read again.
    seal = _seal(path)
    with path.open("rb") as file:
        content = file.read(TEXT_BYTES_MAX + 1)
    if len(content) > TEXT_BYTES_MAX:
        raise ValueError(path)
    return content.decode("utf-8-sig"), seal


def _bad(name: str, why: str) -> _File:
    return _File((0, 0, 0, 0), flaws=(Flaw(source=name, text=why),), unreadable=None)


def _as_list(manifests: Sequence[Manifest]) -> Manifest:
    return {"apiVersion": "v1", "kind": "List", "items": list(manifests)}


def _file_name(key: Key) -> str:
    place = f"{key.namespace}." if key.namespace else ""
    stem = f"{key.kind.name.lower()}.{place}{key.name}"
    if len(stem) > STEM_LENGTH_MAX:
        stem = f"{key.kind.name.lower()}.{sha256(stem.encode()).hexdigest()}"
    return f"{stem}.yaml"
