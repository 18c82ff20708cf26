import json
from pathlib import Path

import pytest
import typer

from adapter.cli.infer import _from_metadata, _read
from adapter.stubs.inference import open_inference_pb2 as v2
from adapter.wire.v2_json import BadTensorJson


def metadata(*inputs: tuple[str, str, list[int]]) -> v2.ModelMetadataResponse:
    told = v2.ModelMetadataResponse(name="iris")
    for name, datatype, shape in inputs:
        told.inputs.add(name=name, datatype=datatype, shape=shape)
    return told


def test_without_data_a_row_of_zeros_is_asked_in_the_models_shape() -> None:
    request = _from_metadata(metadata(("x", "FP64", [-1, 3])), "iris", None)
    assert request.model_name == "iris"
    assert (list(request.inputs[0].shape), list(request.inputs[0].contents.fp64_contents)) == (
        [1, 3],
        [0] * 3,
    )


def test_texts_are_empty_instead() -> None:
    request = _from_metadata(metadata(("x", "BYTES", [-1])), "iris", None)
    assert list(request.inputs[0].contents.bytes_contents) == [b""]


def test_rows_are_sent_in_the_datatype_that_the_model_asks_for() -> None:
    request = _from_metadata(metadata(("x", "FP32", [-1, 2])), "iris", "[[1, 2], [3, 4]]")
    assert request.inputs[0].datatype == "FP32"
    assert list(request.inputs[0].contents.fp32_contents) == [1, 2, 3, 4]


@pytest.mark.parametrize(
    ("told", "data", "complaint"),
    [
        pytest.param(metadata(), None, "does not tell its inputs", id="no inputs"),
        pytest.param(metadata(("x", "FP32", [-1])), "[1, ", "JSON", id="no JSON"),
    ],
)
def test_what_cannot_be_sent_is_told(
    told: v2.ModelMetadataResponse, data: str | None, complaint: str
) -> None:
    with pytest.raises(BadTensorJson, match=complaint):
        _from_metadata(told, "iris", data)


def test_a_body_is_read_from_a_file(tmp_path: Path) -> None:
    body = tmp_path / "body.json"
    body.write_text(json.dumps({"inputs": []}))
    assert _read(body) == b'{"inputs": []}'


def test_a_file_that_is_not_there_is_told(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(typer.Exit):
        _read(tmp_path / "nothing")
    assert "cannot be read: No such file" in capsys.readouterr().err
