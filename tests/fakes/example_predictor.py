"""The messages of ModelMesh's example predictor, `mmesh.ExamplePredictor` (reference: ModelMesh core 9.2).

Only tests speak it, so it is put together here instead of being one of our contracts in `protos/`.
"""

from typing import Any

from google.protobuf import descriptor_pb2, descriptor_pool, message_factory

PREDICT = "/mmesh.ExamplePredictor/predict"

_FIELD = descriptor_pb2.FieldDescriptorProto


def _messages() -> dict[str, Any]:
    file = descriptor_pb2.FileDescriptorProto(
        name="tests/example_predictor.proto", package="mmesh", syntax="proto3"
    )
    request = file.message_type.add(name="PredictRequest")
    request.field.add(name="modelName", number=1, type=_FIELD.TYPE_STRING, label=_FIELD.LABEL_OPTIONAL)
    request.field.add(name="text", number=2, type=_FIELD.TYPE_STRING, label=_FIELD.LABEL_OPTIONAL)
    result = file.message_type.add(name="CategoryAndConfidence")
    result.field.add(name="category", number=1, type=_FIELD.TYPE_STRING, label=_FIELD.LABEL_OPTIONAL)
    result.field.add(name="confidence", number=2, type=_FIELD.TYPE_FLOAT, label=_FIELD.LABEL_OPTIONAL)
    response = file.message_type.add(name="PredictResponse")
    response.field.add(
        name="results",
        number=1,
        type=_FIELD.TYPE_MESSAGE,
        type_name=".mmesh.CategoryAndConfidence",
        label=_FIELD.LABEL_REPEATED,
    )
    pool = descriptor_pool.DescriptorPool()
    pool.Add(file)
    return message_factory.GetMessageClassesForFiles([file.name], pool)


_CLASSES = _messages()
PredictRequest: Any = _CLASSES["mmesh.PredictRequest"]
PredictResponse: Any = _CLASSES["mmesh.PredictResponse"]
