"""A model's own settings: `model-settings.json`, in MLServer's words.

Honoured: `implementation`, `parameters.uri`, `parameters.version`, `parameters.extra`, `inputs`, `outputs`,
`max_batch_size` and `max_batch_time`. Everything else in the file is for other servers, and is skipped.
"""

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, TypeVar

from runtimes.python_runtime.errors import Corrupt
from runtimes.python_runtime.signature import NUMPY_TYPES, TensorSpec

FILE_NAME = "model-settings.json"

ANY_LENGTH = -1
"""In a shape."""

T = TypeVar("T")


@dataclass(frozen=True, slots=True, kw_only=True)
class ModelSettings:
    """What the file says. Empty means that it says nothing."""

    implementation: str = ""
    uri: str = ""
    """The model's file or folder, absolute or relative to the folder of the settings."""
    version: str = ""
    inputs: tuple[TensorSpec, ...] = ()
    outputs: tuple[TensorSpec, ...] = ()
    max_batch_size: int = 0
    """How many requests may be answered by one call of the model; below 2 there is no batching."""
    max_batch_time_s: float = 0.0
    """How long the first request of a batch waits for others."""
    extra: Mapping[str, Any] = field(default_factory=dict)
    """`parameters.extra`: handed to a Python-function model as it is."""

    @property
    def batches(self) -> bool:
        return self.max_batch_size > 1 and self.max_batch_time_s > 0


NOTHING_SAID = ModelSettings()


def read_settings(text: bytes) -> ModelSettings:
    """The file's content; raises `Corrupt`, naming the field that is wrong."""
    try:
        document = json.loads(text)
    except ValueError as error:
        raise Corrupt(f"{FILE_NAME} is not JSON: {error}") from error
    root = _Fields(document, "the file")
    parameters = _Fields(root.fields("parameters"), "parameters")
    return ModelSettings(
        implementation=root.text("implementation"),
        uri=parameters.text("uri"),
        version=parameters.text("version"),
        inputs=root.specs("inputs"),
        outputs=root.specs("outputs"),
        max_batch_size=int(root.number("max_batch_size")),
        max_batch_time_s=root.number("max_batch_time"),
        extra=parameters.fields("extra"),
    )


class _Fields:
    """An object of the file, whose fields must have the types that we read them as. null is absent."""

    def __init__(self, fields: object, place: str) -> None:
        if not isinstance(fields, dict):
            raise Corrupt(f"{FILE_NAME}: {place} must be an object")
        self._fields = fields
        self._place = place

    def text(self, name: str) -> str:
        value = self._fields.get(name)
        return "" if value is None else self._of(str, name, value)

    def number(self, name: str) -> float:
        value = self._fields.get(name)
        if value is None:
            return 0
        return self._of(int, name, value) if isinstance(value, int) else self._of(float, name, value)

    def fields(self, name: str) -> dict[str, Any]:
        value = self._fields.get(name)
        return {} if value is None else self._of(dict, name, value)

    def specs(self, name: str) -> tuple[TensorSpec, ...]:
        value = self._fields.get(name)
        if not value:
            return ()
        items = enumerate(self._of(list, name, value))
        return tuple(_Fields(item, f"{name}[{place}]").spec() for place, item in items)

    def spec(self) -> TensorSpec:
        name, datatype, shape = self.text("name"), self.text("datatype"), self._fields.get("shape") or []
        if not name:
            raise self._wrong("name", name)
        if datatype not in NUMPY_TYPES and datatype != "BF16":
            raise self._wrong("datatype", datatype)
        if not isinstance(shape, list) or not all(type(n) is int and n >= ANY_LENGTH for n in shape):
            raise self._wrong("shape", shape)
        return TensorSpec(name=name, datatype=datatype, shape=tuple(shape))

    def _of(self, kind: type[T], name: str, value: object) -> T:
        if not isinstance(value, kind) or isinstance(value, bool):
            raise self._wrong(name, value)
        return value

    def _wrong(self, name: str, value: object) -> Corrupt:
        return Corrupt(f"{FILE_NAME}: {name} in {self._place} cannot be {json.dumps(value)[:80]}")
