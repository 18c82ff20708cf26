"""Which file of a model's folder is the model, and which flavour loads it.

The settings go first (`implementation`, `parameters.uri`), then well-known names, then the endings of names,
then the first bytes of the only file. Nothing here is loaded.
"""

import os
import stat

from runtimes.python_runtime.errors import BadRequest, FilesMissing, Unsupported
from runtimes.python_runtime.files import read_file
from runtimes.python_runtime.flavours.model import ModelSource
from runtimes.python_runtime.flavours.table import (
    FLAVOURS,
    SNIFFED_BYTES,
    Flavour,
    content_of,
    flavour_of_content,
    flavour_of_file,
    flavour_of_implementation,
)
from runtimes.python_runtime.settings import FILE_NAME, NOTHING_SAID, ModelSettings, read_settings

NAME_BYTES_MAX = 255


def folder_of(models_dir: str, name: str) -> str:
    """The folder of the model of this name; raises `BadRequest` for a name that leads elsewhere."""
    if not name:
        raise BadRequest("the request names no model")
    if name in (".", "..") or "/" in name or "\0" in name or len(name.encode()) > NAME_BYTES_MAX:
        raise BadRequest(f"{name[:80]!r} cannot be the name of a model: it is no name of a folder")
    return f"{models_dir}/{name}"


def find_model(models_dir: str, name: str) -> tuple[Flavour, ModelSource]:
    """Flavour and files of the model. Raises `BadRequest`, `FilesMissing`, `Unsupported` or `Corrupt`."""
    folder = folder_of(models_dir, name)
    settings = _settings_of(folder)
    flavour = flavour_of_implementation(settings.implementation)
    path = os.path.join(folder, settings.uri) if settings.uri else folder
    if flavour is not None and flavour.name == "pyfunc":
        if not settings.uri or not _exists(path):
            path = folder
    elif _is_folder(path):
        flavour, path = _file_in(path, flavour)
    if flavour is None:
        flavour = flavour_of_file(os.path.basename(path)) or _sniffed(path)
    return flavour, ModelSource(name=name, folder=folder, path=path, settings=settings)


def _settings_of(folder: str) -> ModelSettings:
    try:
        return read_settings(read_file(f"{folder}/{FILE_NAME}"))
    except FileNotFoundError:
        return NOTHING_SAID


def _is_folder(path: str) -> bool:
    """Raises `FilesMissing`. This runs for each load, and pathlib alone would be a tenth of a small one."""
    try:
        return stat.S_ISDIR(os.stat(path).st_mode)
    except (FileNotFoundError, NotADirectoryError) as error:
        raise FilesMissing(f"{path} does not exist") from error


def _exists(path: str) -> bool:
    return os.path.exists(path)


def _file_in(folder: str, flavour: Flavour | None) -> tuple[Flavour, str]:
    """The model among the entries of a folder."""
    names = sorted(name for name in os.listdir(folder) if name != FILE_NAME and not name.startswith("."))
    for candidate in [flavour] if flavour else FLAVOURS.values():
        for name in names:
            known = name in candidate.files or name.endswith(candidate.suffixes)
            if known and (flavour or flavour_of_file(name)):
                return candidate, folder if candidate.name == "pyfunc" else f"{folder}/{name}"
    if len(names) != 1:
        raise FilesMissing(
            f"{folder} has no file of a name that tells what to load ({_file_names(flavour)}), and "
            f"parameters.uri in {FILE_NAME} names none; it has {names[:10] or 'nothing'}"
        )
    path = f"{folder}/{names[0]}"
    if _is_folder(path):
        return _file_in(path, flavour)
    return flavour or flavour_of_file(names[0]) or _sniffed(path), path


def _file_names(flavour: Flavour | None) -> str:
    flavours = [flavour] if flavour else FLAVOURS.values()
    return ", ".join(dict.fromkeys(name for flavour in flavours for name in flavour.files))


def _sniffed(path: str) -> Flavour:
    flavour = flavour_of_content(content_of(read_file(path, bytes_max=SNIFFED_BYTES)))
    if flavour is None:
        raise Unsupported(
            f"neither the name nor the first bytes of {path} tell its format; "
            f"say it by `implementation` in {FILE_NAME}"
        )
    return flavour


def explained(flavour: Flavour, path: str) -> str | None:
    """If the file begins as one of another format does: a sentence that says so. For loads that failed."""
    try:
        content = content_of(read_file(path, bytes_max=SNIFFED_BYTES))
    except OSError:
        return None
    if content is None or not flavour.contents or content in flavour.contents:
        return None
    return f"{path} begins as a model for {content} does, and was to be loaded as one for {flavour.name}"
