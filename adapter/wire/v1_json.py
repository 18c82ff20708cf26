"""KServe V1 JSON to and from the V2 messages (reference: KServe 4.4).

A request is `{"instances": [...]}`, one entry for each row, or `{"inputs": ...}`, one entry for each input,
as TensorFlow Serving has it too. V1 names no datatypes: they are the model's own. A string that is not text
is `{"b64": "..."}`, in both directions.
"""

from collections.abc import Sequence

from adapter.stubs.inference.open_inference_pb2 import ModelInferRequest, ModelInferResponse
from adapter.wire.json_elements import element_from_base64, elements_from, flatten, nested_shape
from adapter.wire.json_fields import BadTensorJson, JsonObject, at_field, kind_name, parse_object
from adapter.wire.json_text import element_texts, json_string, nested_texts
from adapter.wire.v2_messages import InputTensor, add_inputs, output_values
from adapter.wire.v2_tensors import Datatype, Element, datatype_named

ModelInput = tuple[str, str, tuple[int, ...]]
"""Name, datatype and shape of an input, as the model's metadata have them."""


def v1_request(body: bytes, *, model_name: str, inputs: Sequence[ModelInput]) -> ModelInferRequest:
    """A body of `POST v1/models/{m}:predict` as a V2 message; raises `BadTensorJson`.

    The shapes sent are those of the data; whether the model takes them is the runtime's to say.
    """
    if not inputs:
        raise BadTensorJson("the model's metadata name no inputs, and V1 requests need them; use V2")
    fields = parse_object(body)
    names = [name for name, _, _ in inputs]
    if "instances" in fields:
        columns = _columns_of_rows(fields["instances"], names)
    elif "inputs" in fields:
        columns = _columns(fields["inputs"], names)
    else:
        raise BadTensorJson("is missing", field="instances")
    request = ModelInferRequest(model_name=model_name)
    tensors = [_tensor(name, datatype, columns[name]) for name, datatype, _ in inputs]
    add_inputs(request, tensors)
    return request


def _columns_of_rows(rows: object, names: list[str]) -> JsonObject:
    """Rows to one list for each input. The rows of a model with one input may be bare values."""
    if not isinstance(rows, list) or not rows:
        raise BadTensorJson("must be a list of one row or more", field="instances")
    if len(names) == 1 and not _names_an_input(rows[0], names):
        return {names[0]: rows}
    columns: dict[str, list[object]] = {name: [] for name in names}
    for place, row in enumerate(rows):
        with at_field(f"instances[{place}]"):
            for name, value in _named(row, names).items():
                columns[name].append(value)
    return {**columns}


def _columns(value: object, names: list[str]) -> JsonObject:
    """`inputs`: an object by input name, or the bare tensor of a model with one input."""
    if len(names) == 1 and not _names_an_input(value, names):
        return {names[0]: value}
    with at_field("inputs"):
        return _named(value, names)


def _names_an_input(value: object, names: list[str]) -> bool:
    return isinstance(value, dict) and names[0] in value


def _named(value: object, names: list[str]) -> JsonObject:
    """The object, if it has exactly the model's inputs."""
    if not isinstance(value, dict):
        raise BadTensorJson(f"must be an object by input name ({', '.join(names)}), not {kind_name(value)}")
    if value.keys() != set(names):
        raise BadTensorJson(f"must have the inputs {', '.join(names)}, and has {', '.join(value) or 'none'}")
    return value


def _tensor(name: str, datatype_name: str, data: object) -> InputTensor:
    with at_field(name):
        datatype = datatype_named(datatype_name)
        shape = nested_shape(data)
        if datatype.is_bytes and isinstance(data, list):
            values = _byte_values(flatten(data, shape), datatype)
        else:
            values = elements_from(data, datatype, shape)
    return InputTensor(name=name, datatype=datatype, shape=shape, values=values)


def _byte_values(values: list[object], datatype: Datatype) -> list[Element]:
    if dict not in set(map(type, values)):
        return elements_from(values, datatype, (len(values),))
    return [
        _from_object(value, at) if isinstance(value, dict) else elements_from([value], datatype, (1,))[0]
        for at, value in enumerate(values)
    ]


def _from_object(value: JsonObject, at: int) -> bytes:
    encoded = value.get("b64")
    if not isinstance(encoded, str) or len(value) != 1:
        raise BadTensorJson(f'has as element {at} an object that is not {{"b64": "..."}}')
    return element_from_base64(encoded, at)


def v1_response(response: ModelInferResponse) -> bytes:
    """`{"predictions": [...]}`, nested to the shape; rows are objects by output name if there are several."""
    columns: dict[str, list[str]] = {}
    for place, tensor in enumerate(response.outputs):
        with at_field(f"outputs[{place}]"):
            datatype = datatype_named(tensor.datatype)
            texts = element_texts(datatype, output_values(response, place, datatype))
            columns[tensor.name] = nested_texts(texts, tensor.shape)
    if len(columns) == 1:
        (rows,) = columns.values()
    else:
        rows = _rows_by_name(columns)
    return f'{{"predictions":[{",".join(rows)}]}}'.encode("ascii")


def _rows_by_name(columns: dict[str, list[str]]) -> list[str]:
    lengths = {name: len(texts) for name, texts in columns.items()}
    if len(set(lengths.values())) > 1:
        raise BadTensorJson(f"outputs have different numbers of rows, which V1 cannot say: {lengths}; use V2")
    keys = [json_string(name) for name in columns]
    return [
        "{" + ",".join(f"{key}:{text}" for key, text in zip(keys, row, strict=True)) + "}"
        for row in zip(*columns.values(), strict=True)
    ]
