"""`MM_DATAPLANE_CONFIG_PATH`: the data plane's configuration in a file, and again when the file changes.

Reference: ModelMesh core 2.5: a missing file ends the start; later, what cannot be used changes nothing.
"""

import logging
from collections.abc import Callable
from pathlib import Path
from typing import Final

import aiofiles

from adapter.aio.file_changes import CHECK_S, keep_looking
from adapter.domain.errors import InvalidRequest
from adapter.wire.dataplane import BadDataplaneConfig, DataplaneConfig

log = logging.getLogger(__name__)

VARIABLE: Final = "MM_DATAPLANE_CONFIG_PATH"

CONFIG_BYTES_MAX: Final = 1 << 20
"""Kubernetes takes no larger ConfigMap."""


class DataplaneFile:
    """The file. Read it first, then follow it."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._text = b""
        self._complaint = ""
        """What was said last of the file, and is not said again."""

    def __repr__(self) -> str:
        return f"<DataplaneFile {self._path}>"

    async def read(self) -> DataplaneConfig:
        """The configuration. Raises `InvalidRequest` naming the variable, and every complaint."""
        self._text = await self._read()
        return self._parsed(self._text)

    async def follow(self, on_change: Callable[[DataplaneConfig], None], *, check_s: float = CHECK_S) -> None:
        """Hand over each new configuration that can be used; ends when cancelled.

        One that cannot be used is complained about in the log, once, and the old one stays.
        """

        async def look() -> None:
            try:
                config = await self._changed()
            except InvalidRequest as error:
                self._complain(str(error))
                return
            self._complaint = ""
            if config is not None:
                log.info("data plane changed", extra={"methods": len(config.methods)})
                on_change(config)

        await keep_looking([self._path], look, check_s=check_s)

    async def _changed(self) -> DataplaneConfig | None:
        before, text = self._text, await self._read()
        if text == before:
            return None
        self._text = text
        return self._parsed(text)

    def _complain(self, complaint: str) -> None:
        if complaint != self._complaint:
            log.error("data plane stays as it was", extra={"error": complaint})
        self._complaint = complaint

    async def _read(self) -> bytes:
        try:
            async with aiofiles.open(self._path, "rb") as file:
                text = await file.read(CONFIG_BYTES_MAX + 1)
        except OSError as error:
            raise InvalidRequest(f"{VARIABLE}: {self._path} cannot be read: {error.strerror}") from error
        if len(text) > CONFIG_BYTES_MAX:
            raise InvalidRequest(f"{VARIABLE}: {self._path} is larger than {CONFIG_BYTES_MAX} bytes")
        return text

    def _parsed(self, text: bytes) -> DataplaneConfig:
        try:
            return DataplaneConfig.parse(text.decode())
        except BadDataplaneConfig as error:
            raise InvalidRequest(f"{VARIABLE}: {self._path} {error}") from error
        except UnicodeDecodeError as error:
            raise InvalidRequest(f"{VARIABLE}: {self._path} is not UTF-8") from error
