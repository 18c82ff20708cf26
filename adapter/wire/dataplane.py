"""`MM_DATAPLANE_CONFIG`: which methods may be called, and where a call's message names its model.

Reference: ModelMesh core 2.5.

    {"rpcConfigs": {"package.Service/Method": {"idExtractionPath": [1], "vModelId": true}},
     "allowOtherRpcs": false}

With a configuration, the name in the message comes before the one in the headers, and other methods are
refused unless `allowOtherRpcs`. Without one every method may be called; the headers come first, and then
field 1 of the V2 messages, which names an alias or a model.
"""

import json
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field

from adapter.wire.headers import RefKind
from adapter.wire.splice import FIELD_NUMBER_MAX

_METHOD = re.compile(r"[A-Za-z_][\w.]*/[A-Za-z_]\w*")

V2_SERVICE = "inference.GRPCInferenceService"


class BadDataplaneConfig(ValueError):
    """The configuration cannot be used; the text lists every complaint."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Extraction:
    """Where a message names its model, and what kind of name that is."""

    path: tuple[int, ...]
    kind: RefKind = RefKind.MODEL
    headers_first: bool = False
    """The headers are asked before the message, not after it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class DataplaneConfig:
    """What the data plane offers."""

    methods: Mapping[str, Extraction | None] = field(default_factory=dict)
    """By full name, `package.Service/Method`; None: the headers alone name the model."""
    allow_other_methods: bool = False

    @classmethod
    def parse(cls, text: str) -> "DataplaneConfig":
        """Read the JSON; raises `BadDataplaneConfig` with every complaint at once."""
        try:
            document = json.loads(text)
        except (ValueError, RecursionError) as error:
            raise BadDataplaneConfig(f"is no JSON: {error}") from error
        complaints = list(_complaints(document))
        if complaints:
            raise BadDataplaneConfig("; ".join(complaints))
        methods = {name: _extraction(rpc) for name, rpc in (document.get("rpcConfigs") or {}).items()}
        return cls(methods=methods, allow_other_methods=document.get("allowOtherRpcs") or False)

    def permits(self, method: str) -> bool:
        return self.allow_other_methods or method in self.methods

    def extraction(self, method: str) -> Extraction | None:
        """Where this method's message names the model; None: nowhere."""
        return self.methods.get(method)


DEFAULT_DATAPLANE = DataplaneConfig(
    methods={
        f"{V2_SERVICE}/{method}": Extraction(path=(1,), kind=RefKind.EITHER, headers_first=True)
        for method in ("ModelInfer", "ModelMetadata", "ModelReady")
    },
    allow_other_methods=True,
)
"""What holds without a configuration."""


def _extraction(rpc: Mapping[str, object]) -> Extraction | None:
    path = rpc.get("idExtractionPath")
    if not isinstance(path, list) or not path:
        return None
    return Extraction(path=tuple(path), kind=RefKind.VMODEL if rpc.get("vModelId") else RefKind.MODEL)


def _complaints(document: object) -> Iterator[str]:
    """What is wrong with the document, all of it. Null stands for what is left out."""
    if not isinstance(document, dict):
        yield "must be a JSON object"
        return
    yield from _unknown_properties(document, "", known=("rpcConfigs", "allowOtherRpcs"))
    if not isinstance(document.get("allowOtherRpcs"), bool | None):
        yield "allowOtherRpcs must be true or false"
    rpcs = document.get("rpcConfigs")
    if not isinstance(rpcs, dict | None):
        yield "rpcConfigs must be an object"
        return
    for name, rpc in (rpcs or {}).items():
        yield from _rpc_complaints(name, rpc)


def _rpc_complaints(name: str, rpc: object) -> Iterator[str]:
    where = f"rpcConfigs.{name}"
    if not _METHOD.fullmatch(name):
        yield f"{where}: the name must be package.Service/Method, without a leading slash"
    if not isinstance(rpc, dict):
        yield f"{where} must be an object"
        return
    yield from _unknown_properties(rpc, where, known=("idExtractionPath", "vModelId"))
    if not isinstance(rpc.get("vModelId"), bool | None):
        yield f"{where}.vModelId must be true or false"
    path = rpc.get("idExtractionPath")
    if not isinstance(path, list | None) or not all(map(_is_field_number, path or ())):
        yield f"{where}.idExtractionPath must be a list of field numbers, as in [1]"


def _unknown_properties(found: Mapping[str, object], where: str, *, known: tuple[str, ...]) -> Iterator[str]:
    for name in found:
        if name not in known:
            yield f"{where}{'.' if where else ''}{name} is unknown (known are {', '.join(known)})"


def _is_field_number(number: object) -> bool:
    return type(number) is int and 0 < number <= FIELD_NUMBER_MAX
