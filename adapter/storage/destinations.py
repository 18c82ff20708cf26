"""Which object becomes which file, and never outside the folder (reference: runtime adapter 2.5)."""

import hashlib
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import PurePosixPath

from adapter.domain.errors import BadModelKey, ModelCorrupt
from adapter.domain.ids import ModelId
from adapter.layout.paths import joined_within
from adapter.storage.repository import PullTarget, RemoteObject

NAME_BYTES_MAX = 255
"""The longest name that the usual file systems take."""

PATH_BYTES_MAX = 2048
"""The longest path below a model's folder; Linux takes 4096 with all that stands before it."""

_PLAIN = frozenset("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_.")
_QUOTED_MAX = 180
_MODEL_NAME, _SCHEMA_NAME = "_model", "_schema.json"


@dataclass(frozen=True, slots=True, kw_only=True)
class Destination:
    """One object, and where it goes below the model's folder."""

    source: RemoteObject
    at: PurePosixPath


def model_folder_name(model: ModelId) -> str:
    """The name of a model's folder: no two models share one, and none can be a path or an area of ours.

    Ids of letters, digits, `-`, `_` and `.` are their own folder's name. Other bytes are written as `%XX`,
    and so is a `.` or `_` at the beginning, because such names are the adapter's (`_mlserver_models`). A
    long id ends in a hash instead.
    """
    quoted = "".join(char if char in _PLAIN else _escaped(char) for char in model)
    if quoted[:1] in {".", "_"}:
        quoted = _escaped(quoted[0]) + quoted[1:]
    if len(quoted) <= _QUOTED_MAX:
        return quoted or "%"
    digest = hashlib.sha256(model.encode(errors="surrogatepass")).hexdigest()
    return f"{quoted[: _QUOTED_MAX - len(digest)]}%-{digest}"


def pull_targets(model_path: str, schema_path: str | None) -> tuple[PullTarget, ...]:
    """What is to be pulled, the model first; each under the last element of its path."""
    model_name = _base_name(model_path) or _MODEL_NAME
    targets = [PullTarget(remote_path=model_path, local_name=_checked("modelPath", model_name))]
    if schema_path is not None:
        schema_name = _base_name(schema_path) or _SCHEMA_NAME
        local_name = _SCHEMA_NAME if schema_name == model_name else schema_name
        if local_name == model_name:
            raise BadModelKey(
                f"schema_path: the model is called {_SCHEMA_NAME} already; rename one of the two"
            )
        targets.append(PullTarget(remote_path=schema_path, local_name=_checked("schema_path", local_name)))
    return tuple(targets)


def belongs_to(path: str, found: RemoteObject) -> bool:
    """Whether a listed object is part of what lies at `path`: the object itself, or one in the folder."""
    if found.size_bytes == 0 or found.key.endswith("/"):
        return False
    folder = path if path.endswith("/") else f"{path}/"
    return found.key == path or found.key.startswith(folder)


def is_past(path: str, key: str) -> bool:
    """Whether, in a listing in order, nothing after `key` can belong to `path`."""
    return key >= f"{path}0" and not path.endswith("/")  # "0" is the character after "/".


def destinations(target: PullTarget, objects: Iterable[RemoteObject]) -> tuple[Destination, ...]:
    """Where each object goes below the model's folder.

    `..` in a key leads up at most to the target's own name. Raises `ModelCorrupt` when a key cannot be a
    file's name, or when two keys need the same place.
    """
    placed = [Destination(source=found, at=_place(target, found.key)) for found in objects]
    _refuse_clashes(placed)
    return tuple(placed)


def _place(target: PullTarget, key: str) -> PurePosixPath:
    relative = key.removeprefix(target.remote_path)
    place = joined_within(PurePosixPath(), target.local_name)
    if not relative and (not target.local_name or target.local_name.endswith("/")):
        relative = key.rpartition("/")[2]
    place = joined_within(place, relative)
    problem = _name_problem(place)
    if problem:
        raise ModelCorrupt(f"the object key {key[:NAME_BYTES_MAX]!r} cannot be a file's name: {problem}")
    return place


def _refuse_clashes(placed: Iterable[Destination]) -> None:
    files: dict[PurePosixPath, str] = {}
    for each in placed:
        other = files.setdefault(each.at, each.source.key)
        if other is not each.source.key:
            raise _clash(other, each.source.key)
    for place, key in files.items():
        for parent in place.parents:
            if parent in files:
                raise _clash(files[parent], key)


def _clash(one: str, other: str) -> ModelCorrupt:
    return ModelCorrupt(f"the objects {one!r} and {other!r} need the same place on disk; rename one of them")


def _base_name(path: str) -> str:
    """The last element; nothing for a path that ends in no name, such as `a/..`."""
    last = path.rstrip("/").rpartition("/")[2]
    return "" if last in {".", ".."} else last


def _checked(field: str, name: str) -> str:
    problem = _name_problem(PurePosixPath(name))
    if problem:
        raise BadModelKey(f"{field}: its last element cannot be a file's name: {problem}")
    return name


def _name_problem(place: PurePosixPath) -> str | None:
    if not place.parts:
        return "it names nothing"
    try:
        names = [name.encode() for name in place.parts]
    except UnicodeEncodeError:
        return "it is not valid Unicode"
    if any(b"\0" in name for name in names):
        return "it holds a NUL"
    if max(map(len, names)) > NAME_BYTES_MAX:
        return f"an element is longer than {NAME_BYTES_MAX} bytes"
    if sum(map(len, names)) + len(names) > PATH_BYTES_MAX:
        return f"it is longer than {PATH_BYTES_MAX} bytes"
    return None


def _escaped(char: str) -> str:
    return "".join(f"%{byte:02X}" for byte in char.encode(errors="surrogatepass"))
