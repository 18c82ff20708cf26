import json

import pytest

from adapter.stubs.inference.open_inference_pb2 import ModelInferRequest
from adapter.wire.dataplane import DEFAULT_DATAPLANE, BadDataplaneConfig, DataplaneConfig, Extraction
from adapter.wire.headers import Pair, RefKind

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
def test_without_a_path_the_message_is_not_asked(path: list[int] | None) -> None:
    assert a_config(idExtractionPath=path).extraction(INFER) is None


def test_without_a_configuration_the_v2_messages_are_asked_after_the_headers() -> None:
    assert DEFAULT_DATAPLANE.permits("any.Service/Method")
    assert DEFAULT_DATAPLANE.extraction(INFER) == Extraction(
        path=(1,), kind=RefKind.EITHER, headers_first=True
    )


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
