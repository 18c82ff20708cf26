"""What a child says, in a file that does not grow for ever."""

from pathlib import Path
from typing import Final, TextIO

LOG_BYTES_MAX: Final = 16 * 1024 * 1024
"""Of one file; there is one older beside it, with `.1` after its name."""


class LogFile:
    """Appends lines; each is there for readers at once."""

    def __init__(self, path: Path, *, bytes_max: int = LOG_BYTES_MAX) -> None:
        self.path: Final = path
        self._bytes_max = bytes_max
        self._file: TextIO = path.open("a", encoding="utf-8", buffering=1)

    def note(self, line: str) -> None:
        """Append this line."""
        if self._file.tell() >= self._bytes_max:
            self._file.close()
            self.path.replace(self.path.with_name(f"{self.path.name}.1"))
            self._file = self.path.open("a", encoding="utf-8", buffering=1)
        self._file.write(f"{line}\n")

    def close(self) -> None:
        self._file.close()
