"""Manifests named on a command line: files, folders, standard input."""

import sys
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

from adapter.cluster.local_folder import SUFFIXES
from adapter.cluster.local_kinds import NotAnObject, checked
from adapter.cluster.local_text import TEXT_BYTES_MAX, documents
from adapter.domain.errors import InvalidRequest
from adapter.domain.kinds import NAMESPACE, Key, Kind, Manifest

STDIN = Path("-")


@dataclass(frozen=True, slots=True, kw_only=True)
class Given:
    """One object of a file, or what is wrong with it."""

    source: str
    key: Key | None = None
    manifest: Manifest | None = None
    complaint: str = ""

    @property
    def kind(self) -> Kind:
        """Of an object without complaint."""
        assert self.key is not None, self.complaint
        return self.key.kind


def given(paths: Iterable[Path], *, namespace: str, must_match: bool = False) -> list[Given]:
    """Every object of these, namespaces first. Raises `InvalidRequest` for a path that cannot be read.

    `namespace` is that of what names none; with `must_match` others are complained about.
    """
    found = [each for path in paths for file in _files(path) for each in _in(file, namespace)]
    if must_match:
        found = [_matching(each, namespace) for each in found]
    return sorted(found, key=lambda each: each.key is None or each.kind != NAMESPACE)


def _files(path: Path) -> Iterator[Path]:
    if not path.is_dir():
        yield path
        return
    files = sorted(each for each in path.iterdir() if each.suffix in SUFFIXES and each.is_file())
    if not files:
        raise InvalidRequest(f"{path} has no file that ends with {', '.join(sorted(SUFFIXES))}")
    yield from files


def _in(path: Path, namespace: str) -> Iterator[Given]:
    text = _text(path)
    for document in documents(text, is_json=path.suffix == ".json"):
        source = f"{path}, document {document.number}"
        if document.complaint:
            yield Given(source=source, complaint=document.complaint)
        for manifest in document.manifests:
            try:
                key, whole = checked(manifest, namespace=namespace)
            except NotAnObject as error:
                yield Given(source=source, complaint=str(error))
            else:
                yield Given(source=source, key=key, manifest=whole)


def _text(path: Path) -> str:
    try:
        content = sys.stdin.buffer.read(TEXT_BYTES_MAX + 1) if path == STDIN else path.read_bytes()
        if len(content) > TEXT_BYTES_MAX:
            raise InvalidRequest(f"{path} is larger than {TEXT_BYTES_MAX >> 20} MiB")
        return content.decode("utf-8-sig")
    except OSError as error:
        raise InvalidRequest(f"{path} cannot be read: {error.strerror}") from error
    except UnicodeDecodeError as error:
        raise InvalidRequest(f"{path} is not UTF-8") from error


def _matching(each: Given, namespace: str) -> Given:
    if each.key is None or not each.key.namespace or each.key.namespace == namespace:
        return each
    complaint = (
        f"the namespace from the provided object {each.key.namespace!r} does not match the namespace "
        f"{namespace!r}; leave --namespace out"
    )
    return Given(source=each.source, complaint=complaint)
