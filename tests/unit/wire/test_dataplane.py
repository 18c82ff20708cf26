import json

import pytest

from adapter.domain.errors import InvalidRequest
from adapter.stubs.inference.open_inference_pb2 import ModelInferRequest
from adapter.wire.dataplane import DEFAULT_DATAPLANE, BadDataplaneConfig, DataplaneConfig, Extraction
from adapter.wire.headers import ModelRef, Pair, RefKind

INFER = "inference.GRPCInferenceService/ModelInfer"
MESSAGE = ModelInferRequest(model_name="in-message", id="7").SerializeToString()
HEADERS: list[Pair] = [("mm-model-id", "in-headers")]


def a_config(**rpc: object) -> DataplaneConfig:
    return DataplaneConfig.parse(json.dumps({"rpcConfigs": {INFER: rpc}}))


def test_a_configuration_lists_the_methods() -> None:
    config = a_config(idExtractionPath=[1, 2], vModelId=True)
    assert config.permits(INFER)
    assert not config.permits("x.Y/Z")
    assert config.extraction(INFER) == Extraction(path=(1, 2), kind=RefKind.VMODEL)


def test_other_methods_can_be_allowed() -> None:
    config = DataplaneConfig.parse('{"allowOtherRpcs": true}')
    assert config.permits("x.Y/Z")
    assert config.extraction("x.Y/Z") is None


@pytest.mark.parametrize("path", [None, []], ids=["no path", "an empty path"])
def test_without_a_path_the_headers_name_the_model(path: list[int] | None) -> None:
    config = a_config(idExtractionPath=path)
    assert config.model_of(INFER, HEADERS, MESSAGE) == ModelRef(RefKind.MODEL, "in-headers")


def test_a_configured_path_comes_before_the_headers() -> None:
    config = a_config(idExtractionPath=[1])
    assert config.model_of(INFER, HEADERS, MESSAGE) == ModelRef(RefKind.MODEL, "in-message")
    assert config.model_of(INFER, HEADERS, b"") == ModelRef(RefKind.MODEL, "in-headers")


def test_an_empty_name_in_the_message_is_refused() -> None:
    with pytest.raises(InvalidRequest, match="non-empty"):
        a_config(idExtractionPath=[1]).model_of(INFER, HEADERS, b"\x0a\x00")


def test_without_a_configuration_the_headers_come_first_and_then_the_v2_message() -> None:
    assert DEFAULT_DATAPLANE.permits("any.Service/Method")
    assert DEFAULT_DATAPLANE.model_of(INFER, HEADERS, MESSAGE) == ModelRef(RefKind.MODEL, "in-headers")
    assert DEFAULT_DATAPLANE.model_of(INFER, [], MESSAGE) == ModelRef(RefKind.EITHER, "in-message")


@pytest.mark.parametrize(
    ("method", "message"),
    [
        pytest.param("x.Y/Z", MESSAGE, id="a method that we know nothing of"),
        pytest.param(INFER, b"", id="a message without a name"),
        pytest.param(INFER, None, id="no message"),
    ],
)
def test_a_call_can_name_no_model(method: str, message: bytes | None) -> None:
    assert DEFAULT_DATAPLANE.model_of(method, [], message) is None


@pytest.mark.parametrize(
    ("text", "complaint"),
    [
        pytest.param("{", "no JSON", id="no JSON"),
        pytest.param("[]", "must be a JSON object", id="no object"),
        pytest.param('{"rpcs": {}}', "rpcs is unknown", id="an unknown property"),
        pytest.param('{"allowOtherRpcs": "yes"}', "allowOtherRpcs must be true or false", id="no boolean"),
        pytest.param('{"rpcConfigs": []}', "rpcConfigs must be an object", id="a list of methods"),
        pytest.param('{"rpcConfigs": {"/a.B/C": {}}}', "without a leading slash", id="a leading slash"),
        pytest.param(
            '{"rpcConfigs": {"a.B/C": 1}}', "rpcConfigs.a.B/C must be an object", id="no object for it"
        ),
        pytest.param('{"rpcConfigs": {"a.B/C": {"x": 1}}}', "a.B/C.x is unknown", id="unknown inside"),
        pytest.param('{"rpcConfigs": {"a.B/C": {"idExtractionPath": [0]}}}', "field numbers", id="field 0"),
        pytest.param('{"rpcConfigs": {"a.B/C": {"idExtractionPath": 1}}}', "field numbers", id="no list"),
        pytest.param(
            '{"rpcConfigs": {"a.B/C": {"vModelId": 1}}}', "vModelId must be", id="a number for a boolean"
        ),
    ],
)
def test_a_bad_configuration_is_refused(text: str, complaint: str) -> None:
    with pytest.raises(BadDataplaneConfig, match=complaint):
        DataplaneConfig.parse(text)


def test_every_complaint_is_made_at_once() -> None:
    with pytest.raises(BadDataplaneConfig) as caught:
        DataplaneConfig.parse('{"a": 1, "allowOtherRpcs": 2, "rpcConfigs": {"b": 3}}')
    assert len(str(caught.value).split("; ")) == 4
