"""What a local cluster knows of its objects, in a folder: one JSON file for each, replaced as a whole.

```
<folder>/
  <plural>/<namespace or _>/<name>.json    the object, and who asked for what of it
  flaws.json                               what is wrong with the folder of manifests
```

The one controller writes it; commands read it at any time. It holds secrets: only its owner may read it.
"""

import json
import logging
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from adapter.cluster.local_folder import Flaw
from adapter.cluster.local_kinds import KINDS
from adapter.cluster.local_objects import Record
from adapter.domain.kinds import Key, Kind

log = logging.getLogger(__name__)

NOWHERE: Final = "_"
"""Stands for the namespace of what is in none; no namespace is called so."""


@dataclass(frozen=True, slots=True)
class StateFolder:
    """The folder; whoever writes calls `prepare` first."""

    path: Path

    def prepare(self) -> None:
        """Make it, for its owner alone."""
        self.path.mkdir(mode=0o700, parents=True, exist_ok=True)
        for kind in KINDS:
            self.of(kind).mkdir(exist_ok=True)

    def of(self, kind: Kind) -> Path:
        """Where the objects of a kind are."""
        return self.path / kind.plural

    def read(self, key: Key) -> Record | None:
        """None: there is none, or no usable one."""
        return _read(self._file(key))

    def all(self, kind: Kind, *, namespace: str | None = None) -> Iterator[Record]:
        """Those of a kind, by namespace and name."""
        for place in sorted(self.of(kind).glob(namespace or "*")):
            for path in sorted(place.glob("*.json")):
                if (record := _read(path)) is not None:
                    yield record

    def write(self, key: Key, record: Record) -> None:
        """Atomically: whoever reads sees the old one or the new one."""
        fields = {
            "manifest": record.manifest,
            "applied": record.applied,
            "source": record.source,
            "digest": record.digest,
        }
        path = self._file(key)
        path.parent.mkdir(exist_ok=True)
        _replace(path, fields)

    def remove(self, key: Key) -> None:
        """Nothing there is fine."""
        self._file(key).unlink(missing_ok=True)

    def tell_flaws(self, flaws: Sequence[Flaw]) -> None:
        """Commands show them."""
        _replace(
            self.path / "flaws.json",
            [{"source": flaw.source, "document": flaw.document, "text": flaw.text} for flaw in flaws],
        )

    def flaws(self) -> tuple[Flaw, ...]:
        """What was told last."""
        try:
            told = json.loads((self.path / "flaws.json").read_bytes())
            return tuple(Flaw(**each) for each in told)
        except (OSError, ValueError, TypeError):
            return ()

    def _file(self, key: Key) -> Path:
        return self.of(key.kind) / (key.namespace or NOWHERE) / f"{key.name}.json"


def _read(path: Path) -> Record | None:
    try:
        fields: dict[str, Any] = json.loads(path.read_bytes())
        record = Record(
            manifest=fields["manifest"],
            applied=fields["applied"],
            source=str(fields["source"]),
            digest=str(fields["digest"]),
        )
        _ = record.manifest["metadata"]["name"], record.manifest["metadata"]["generation"] + 1
    except FileNotFoundError:
        return None
    except (OSError, ValueError, KeyError, TypeError) as error:
        # It is made anew from the manifests.
        log.warning("no object is in this file", extra={"path": str(path), "error": type(error).__name__})
        return None
    return record


def _replace(path: Path, value: object) -> None:
    aside = path.with_name(f".{path.name}.new")
    aside.write_text(json.dumps(value, separators=(",", ":")), encoding="utf-8")
    aside.replace(path)
