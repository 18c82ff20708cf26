"""JSON objects of the V2 and V1 protocols: their fields, and `parameters`.

Whatever is wrong is a `BadTensorJson` whose text begins with the field, as in `inputs[0].shape: ...`.
"""

import json
import math
from collections.abc import Mapping
from types import TracebackType
from typing import cast

import orjson

from adapter.stubs.inference.open_inference_pb2 import InferParameter

JsonObject = dict[str, object]

_INT64_MIN, _INT64_MAX, _UINT64_MAX = -(2**63), 2**63 - 1, 2**64 - 1


class BadTensorJson(ValueError):
    """The JSON, or the binary data behind it, is no V2 or V1 message; the text names the field."""

    def __init__(self, problem: str, *, field: str = "") -> None:
        super().__init__(f"{field}: {problem}" if field else problem)
        self.problem = problem
        self.field = field


class at_field:  # noqa: N801 - it reads as a word: `with at_field("shape"): ...`
    """While inside, what is wrong is wrong with this field: `with at_field("inputs[0]"): ...`."""

    __slots__ = ("_field",)

    def __init__(self, field: str) -> None:
        self._field = field

    def __enter__(self) -> None:
        return None

    def __exit__(
        self, _kind: type[BaseException] | None, error: BaseException | None, _trace: TracebackType | None
    ) -> None:
        if isinstance(error, BadTensorJson):
            inner = f"{self._field}.{error.field}" if error.field else self._field
            raise BadTensorJson(error.problem, field=inner) from error
        if isinstance(error, ValueError):
            raise BadTensorJson(str(error), field=self._field) from error


def parse_object(document: bytes) -> JsonObject:
    """The object that a body holds. NaN and the infinities are accepted; of a key twice, the last counts."""
    try:
        parsed = orjson.loads(document)
    except orjson.JSONDecodeError:
        parsed = _parse_leniently(document)
    if not isinstance(parsed, dict):
        raise BadTensorJson(f"the body must be a JSON object, not {kind_name(parsed)}")
    return parsed


def _parse_leniently(document: bytes) -> object:
    """What strict JSON has no word for (NaN, half of a surrogate pair, other encodings), or the complaint."""
    try:
        return json.loads(document)
    except (ValueError, RecursionError) as error:
        raise BadTensorJson(f"the body is no JSON: {error}") from error


def encode_json(value: object) -> bytes:
    """JSON without a blank, in UTF-8. A NaN must come as `json_number`; bare, it would become null."""
    return orjson.dumps(value)


def json_number(value: float) -> object:
    """A number for `encode_json`; NaN and the infinities are written as Python and Triton write them."""
    return value if math.isfinite(value) else orjson.Fragment(json.dumps(value))


def kind_name(value: object) -> str:
    """What a JSON value is, in words."""
    names: Mapping[type, str] = {
        dict: "an object",
        list: "a list",
        str: "a string",
        bool: "a boolean",
        type(None): "null",
    }
    return names.get(type(value), "a number")


def text_field(fields: JsonObject, key: str, *, required: bool = False) -> str:
    """A string; without one, the empty string."""
    value = fields.get(key)
    if value is None and not required:
        return ""
    if not isinstance(value, str):
        raise BadTensorJson(_instead(fields, key, "a string"), field=key)
    if not value and required:
        raise BadTensorJson("is empty", field=key)
    return value


def objects_field(fields: JsonObject, key: str, *, required: bool = False) -> list[JsonObject]:
    """A list of objects; without one, an empty list."""
    value = fields.get(key)
    if value is None and not required:
        return []
    if not isinstance(value, list):
        raise BadTensorJson(_instead(fields, key, "a list"), field=key)
    for place, item in enumerate(value):
        if not isinstance(item, dict):
            raise BadTensorJson(f"must be an object, not {kind_name(item)}", field=f"{key}[{place}]")
    return value


def shape_field(fields: JsonObject) -> tuple[int, ...]:
    """The `shape` of a tensor."""
    value = fields.get("shape")
    if not isinstance(value, list):
        raise BadTensorJson(_instead(fields, "shape", "a list of whole numbers"), field="shape")
    for length in value:
        if type(length) is not int or not 0 <= length <= _INT64_MAX:
            raise BadTensorJson("must be whole numbers from 0 up", field="shape")
    return tuple(value)


def object_field(fields: JsonObject, key: str) -> JsonObject:
    """An object; without one, an empty one."""
    value = fields.get(key)
    if value is None:
        return {}
    if not isinstance(value, dict):
        raise BadTensorJson(f"must be an object, not {kind_name(value)}", field=key)
    return cast("JsonObject", value)


def infer_parameters(values: JsonObject) -> dict[str, InferParameter]:
    """JSON parameters as messages; lists and objects have no form there, and are left out."""
    if not values:
        return {}
    return {
        name: _infer_parameter(name, value)
        for name, value in values.items()
        if not isinstance(value, list | dict)
    }


def _infer_parameter(name: str, value: object) -> InferParameter:
    match value:
        case bool():
            return InferParameter(bool_param=value)
        case int() if _INT64_MIN <= value <= _INT64_MAX:
            return InferParameter(int64_param=value)
        case int() if 0 <= value <= _UINT64_MAX:
            return InferParameter(uint64_param=value)
        case int():
            raise BadTensorJson("does not fit 64 bits", field=f"parameters.{name}")
        case float():
            return InferParameter(double_param=value)
        case str():
            return InferParameter(string_param=value)
        case _:
            return InferParameter()  # null: a parameter without a value


def json_parameters(parameters: Mapping[str, InferParameter]) -> JsonObject:
    """Parameters of a message as JSON, in the order of their names; one without a value is null."""
    found: JsonObject = {}
    for name in sorted(parameters):
        choice = parameters[name].WhichOneof("parameter_choice")
        if choice == "double_param":
            found[name] = json_number(parameters[name].double_param)
        else:
            found[name] = getattr(parameters[name], choice) if choice else None
    return found


def _instead(fields: JsonObject, key: str, wanted: str) -> str:
    return f"must be {wanted}, not {kind_name(fields[key])}" if key in fields else "is missing"
