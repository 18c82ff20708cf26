"""A registry in memory: proven against `tests/contracts/registry.py`, as the real ones are."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from adapter.domain.errors import RegistryUnavailable
from adapter.registry.registry import Entry


@dataclass(slots=True)
class MemoryRegistry:
    """While `away` is set, every call raises `RegistryUnavailable`. `reads` counts the calls of `get`."""

    entries: dict[str, Entry] = field(default_factory=dict)
    revision: int = 1
    away: bool = False
    reads: int = 0

    async def get(self, key: str) -> Entry | None:
        self._answers()
        self.reads += 1
        return self.entries.get(key)

    async def scan(self, prefix: str, *, after: str = "", limit: int) -> Sequence[Entry]:
        self._answers()
        if limit < 1:
            raise ValueError(f"a scan needs a limit of at least 1, not {limit}")
        keys = sorted(key for key in self.entries if key.startswith(prefix) and key > after)
        return [self.entries[key] for key in keys[:limit]]

    async def commit(self, writes: Mapping[str, bytes | None], *, guards: Mapping[str, int]) -> int | None:
        self._answers()
        if any(self._mod_revision(key) != revision for key, revision in guards.items()):
            return None
        changes = {key: value for key, value in writes.items() if value is not None or key in self.entries}
        if changes:
            self.revision += 1
        for key, value in changes.items():
            if value is None:
                del self.entries[key]
            else:
                self.entries[key] = Entry(key=key, value=value, mod_revision=self.revision)
        return self.revision

    def _mod_revision(self, key: str) -> int:
        entry = self.entries.get(key)
        return 0 if entry is None else entry.mod_revision

    def _answers(self) -> None:
        if self.away:
            raise RegistryUnavailable("the registry does not answer")
