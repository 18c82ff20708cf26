import threading
from pathlib import Path
from typing import Any

import numpy as np
import onnxruntime
import pytest
from onnx import TensorProto, helper
from skl2onnx import to_onnx

from runtimes.python_runtime.errors import Corrupt, Unsupported
from runtimes.python_runtime.flavours import onnx as flavour


def a_model(*nodes: Any, inputs: dict[str, Any], outputs: dict[str, Any]) -> bytes:
    graph = helper.make_graph(
        nodes,
        "graph",
        [helper.make_tensor_value_info(name, *described) for name, described in inputs.items()],
        [helper.make_tensor_value_info(name, *described) for name, described in outputs.items()],
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)])
    model.ir_version = 8
    data: bytes = model.SerializeToString()
    return data


IDENTITY = helper.make_node("Identity", ["x"], ["y"])


@pytest.fixture
def load(tmp_path: Path, source: Any) -> Any:
    def make(data: bytes) -> flavour.OnnxModel:
        (tmp_path / "model.onnx").write_bytes(data)
        return flavour.load(source(tmp_path / "model.onnx"))

    return make


def test_it_answers_as_the_library_does(load: Any, classifier: Any, rows: np.ndarray) -> None:
    data = to_onnx(classifier, rows.astype("f4"), options={"zipmap": False}).SerializeToString()
    model, narrow = load(data), rows.astype("f4")
    session = onnxruntime.InferenceSession(data, providers=["CPUExecutionProvider"])
    expected = dict(zip(["label", "probabilities"], session.run(None, {"X": narrow}), strict=True))
    answer = model.run({"X": narrow}, ())
    for name, value in expected.items():
        np.testing.assert_array_equal(answer[name], value)
    assert list(model.run({"X": narrow}, ("label",))) == ["label"]


def test_names_types_and_shapes_are_the_sessions(load: Any) -> None:
    described = {"x": (TensorProto.FLOAT16, ["n", 3, None])}
    model = load(a_model(IDENTITY, inputs=described, outputs={"y": (TensorProto.FLOAT16, ["n", 3, None])}))
    assert str(model.signature.inputs[0]) == "'x' FP16 [-1, 3, -1]"
    assert str(model.signature.outputs[0]) == "'y' FP16 [-1, 3, -1]"


def test_text_goes_in_and_comes_out(load: Any) -> None:
    described = (TensorProto.STRING, [None])
    model = load(a_model(IDENTITY, inputs={"x": described}, outputs={"y": described}))
    assert model.run({"x": np.array(["ä".encode()], object)}, ())["y"].tolist() == ["ä"]


def test_maps_are_left_out(load: Any, classifier: Any, rows: np.ndarray) -> None:
    model = load(to_onnx(classifier, rows.astype("f4")).SerializeToString())
    assert [spec.name for spec in model.signature.outputs] == ["output_label"]
    assert list(model.run({"X": rows.astype("f4")}, ())) == ["output_label"]


def test_a_session_has_no_threads_of_its_own(load: Any) -> None:
    described = (TensorProto.FLOAT, [None])
    data = a_model(IDENTITY, inputs={"x": described}, outputs={"y": described})
    load(data)
    before = len(list(Path("/proc/self/task").iterdir()))
    kept = [load(data) for _ in range(20)]
    assert len(list(Path("/proc/self/task").iterdir())) == before
    assert threading.active_count() >= 1
    assert len(kept) == 20


def test_a_value_that_the_graph_refuses_is_the_callers(load: Any) -> None:
    node = helper.make_node("Reshape", ["x", "shape"], ["y"])
    data = a_model(
        node,
        inputs={"x": (TensorProto.FLOAT, [None]), "shape": (TensorProto.INT64, [1])},
        outputs={"y": (TensorProto.FLOAT, None)},
    )
    with pytest.raises(Exception, match=r"[Rr]eshape"):
        load(data).run({"x": np.zeros(4, "f4"), "shape": np.array([3])}, ())


@pytest.mark.parametrize(
    ("data", "error"),
    [
        pytest.param(b"", Corrupt, id="empty"),
        pytest.param(b"\x08\x08garbage", Corrupt, id="garbage"),
        pytest.param(
            a_model(
                helper.make_node("Nonsense", ["x"], ["y"], domain="nowhere"),
                inputs={"x": (TensorProto.FLOAT, [1])},
                outputs={"y": (TensorProto.FLOAT, [1])},
            ),
            (Corrupt, Unsupported),
            id="an operator that there is not",
        ),
    ],
)
def test_what_cannot_be_loaded_is_refused(load: Any, data: bytes, error: type[Exception]) -> None:
    with pytest.raises(error):
        load(data)
