"""A runtime that holds no real models: ModelMesh's SPI, and an inference that echoes. In Go, below traffic/.

How a model behaves stands in its path, as with ModelMesh's example runtime (reference: ModelMesh core 9.2):
`SIZE_<bytes>_<loadMs>_<unloadMs>`, `LIE_<bytes>`, `FAIL_<text>` (its first load), `FAILS_<text>` (each load),
`CRASH` (the process ends in the load), `CRASHES_WHEN_ASKED`, `HANG`; several with a slash between them.
"""

import json
import urllib.parse
import urllib.request
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Final

from bench import harness
from bench.mesh.clients import program

CRASHED: Final = 70
"""The exit status after a model has crashed it."""
TELLING_S_MAX: Final = 10.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Figures:
    """What it tells of itself since it was started."""

    name: str
    pid: int
    held: int
    held_bytes: int
    """With what is being loaded, and what is not yet unloaded."""
    held_bytes_most: int
    loading: int
    loading_most: int
    loads: int
    loads_failed: int
    unloads: int
    purges: int
    served: int
    not_held: int
    """Calls for models that it did not hold."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Stub:
    """One such runtime, running or not; its ports stay the same over restarts."""

    name: str
    capacity_bytes: int = 1 << 40
    flags: Sequence[str] = ()
    """More, as `traffic stub -help` lists them."""
    port: int = field(default_factory=harness.free_port)
    tells_port: int = field(default_factory=harness.free_port)

    def command(self) -> list[str]:
        """What starts it."""
        return [
            *(program(), "stub", f"-name={self.name}", f"-capacity={self.capacity_bytes}"),
            *(f"-listen=127.0.0.1:{self.port}", f"-tell=127.0.0.1:{self.tells_port}"),
            *self.flags,
        ]

    def figures(self) -> Figures:
        """Raises `OSError` if it does not run."""
        return Figures(**json.loads(self._told("figures")))

    def models(self) -> list[str]:
        """What it holds, by name. Raises `OSError` likewise."""
        names: list[str] = json.loads(self._told("models"))
        return names

    def forget(self, *models: str) -> None:
        """It no longer holds these, or anything, and tells nobody."""
        self._told("forget", [("model", model) for model in models], method="POST")

    def behave(self, **takes: str) -> None:
        """From now on a `load`, an `unload` or an `inference` takes so long, as in `5ms`."""
        self._told("behave", list(takes.items()), method="POST")

    def _told(self, what: str, query: Sequence[tuple[str, str]] = (), *, method: str = "GET") -> bytes:
        url = f"http://127.0.0.1:{self.tells_port}/{what}?{urllib.parse.urlencode(query)}"
        with urllib.request.urlopen(
            urllib.request.Request(url, method=method), timeout=TELLING_S_MAX
        ) as answer:
            told: bytes = answer.read()
        return told
