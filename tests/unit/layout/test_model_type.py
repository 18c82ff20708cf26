import pytest

from adapter.layout.model_type import layout_type


@pytest.mark.parametrize(
    ("key_type", "request_type", "expected"),
    [
        pytest.param({"name": "sklearn", "version": "1"}, "mt:other", "sklearn", id="the key's name"),
        pytest.param("xgboost", "mt:other", "xgboost", id="the key's string"),
        pytest.param({"name": "tensorRT:2x"}, "", "tensorrt", id="lower case, cut at the colon"),
        pytest.param(None, "SKLearn", "sklearn", id="the request's"),
        pytest.param({"name": 5}, "onnx", "onnx", id="a name that is no string is passed over"),
        pytest.param(["sklearn"], "onnx", "onnx", id="a list is passed over"),
        pytest.param(None, "mt:tensorflow:1", "mt", id="ModelMesh's own types are unknown to layouts"),
        pytest.param("", "onnx", "", id="an empty string is a string"),
    ],
)
def test_the_type_is_the_keys_else_the_requests(key_type: object, request_type: str, expected: str) -> None:
    assert layout_type(key_type, request_type) == expected
