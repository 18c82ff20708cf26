"""What is remembered of each runtime from one `remesh up` to the next, in one file."""

import json
import logging
from collections.abc import Mapping
from pathlib import Path

log = logging.getLogger(__name__)

_Runtime = tuple[str, str]


class Marks:
    """By namespace and runtime; written at each change."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._marks = _read(path)

    def of(self, runtime: _Runtime) -> Mapping[str, str]:
        return self._marks.get("/".join(runtime), {})

    def put(self, runtime: _Runtime, marks: Mapping[str, str]) -> None:
        """In place of what was remembered."""
        name = "/".join(runtime)
        if dict(marks) == self._marks.get(name, {}):
            return
        self._marks.pop(name, None)
        if marks:
            self._marks[name] = dict(marks)
        aside = self._path.with_name(f".{self._path.name}.new")
        aside.write_text(json.dumps(self._marks, indent=1))
        aside.replace(self._path)


def _read(path: Path) -> dict[str, dict[str, str]]:
    try:
        told = json.loads(path.read_bytes())
        return {str(name): {str(k): str(v) for k, v in marks.items()} for name, marks in told.items()}
    except FileNotFoundError:
        return {}
    except (OSError, ValueError, AttributeError) as error:
        log.warning("what was remembered of the runtimes is lost", extra={"error": type(error).__name__})
        return {}
