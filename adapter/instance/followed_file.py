"""A setting in a file, and again when the file changes (reference: ModelMesh core 2.5).

A missing file ends the start; later, what cannot be used changes nothing.
"""

import logging
from collections.abc import Callable
from pathlib import Path
from typing import Final, Generic, TypeVar

import aiofiles

from adapter.aio.file_changes import CHECK_S, keep_looking
from adapter.domain.errors import InvalidRequest

log = logging.getLogger(__name__)

T = TypeVar("T")

FILE_BYTES_MAX: Final = 1 << 20
"""Kubernetes takes no larger ConfigMap."""


class FollowedFile(Generic[T]):
    """The file. Read it first, then follow it."""

    def __init__(self, path: Path, *, variable: str, what: str, parse: Callable[[str], T]) -> None:
        """`parse` raises `ValueError` or `InvalidRequest` with every complaint; `what` is for the log."""
        self._path = path
        self._variable = variable
        self._what = what
        self._parse = parse
        self._text = b""
        self._complaint = ""
        """What was said last of the file, and is not said again."""

    def __repr__(self) -> str:
        return f"<FollowedFile {self._path}>"

    async def read(self) -> T:
        """What it says. Raises `InvalidRequest` naming the variable, and every complaint."""
        self._text = await self._read()
        return self._parsed(self._text)

    async def follow(self, on_change: Callable[[T], None], *, check_s: float = CHECK_S) -> None:
        """Hand over whatever it says anew, if it can be used; ends when cancelled.

        What cannot be used is complained about in the log, once, and the old one stays.
        """

        async def look() -> None:
            try:
                text = await self._read()
                changed = text != self._text
                self._text = text
                parsed = self._parsed(text) if changed else None
            except InvalidRequest as error:
                self._complain(str(error))
                return
            self._complaint = ""
            if parsed is not None:
                log.info("%s changed", self._what)
                on_change(parsed)

        await keep_looking([self._path], look, check_s=check_s)

    def _complain(self, complaint: str) -> None:
        if complaint != self._complaint:
            log.error("%s stays as it was", self._what, extra={"error": complaint})
        self._complaint = complaint

    async def _read(self) -> bytes:
        try:
            async with aiofiles.open(self._path, "rb") as file:
                text = await file.read(FILE_BYTES_MAX + 1)
        except OSError as error:
            raise InvalidRequest(
                f"{self._variable}: {self._path} cannot be read: {error.strerror}"
            ) from error
        if len(text) > FILE_BYTES_MAX:
            raise InvalidRequest(f"{self._variable}: {self._path} is larger than {FILE_BYTES_MAX} bytes")
        return text

    def _parsed(self, text: bytes) -> T:
        try:
            return self._parse(text.decode())
        except UnicodeDecodeError as error:
            raise InvalidRequest(f"{self._variable}: {self._path} is not UTF-8") from error
        except (ValueError, InvalidRequest) as error:
            raise InvalidRequest(f"{self._variable}: {self._path} {error}") from error
