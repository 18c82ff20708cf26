from pathlib import Path

import numpy as np
import pytest

from adapter.demo.examples import Example
from adapter.demo.into import put
from adapter.domain.errors import Refused

EXAMPLE = Example(
    name="iris",
    format="onnx",
    library="onnxruntime",
    path="onnx/iris.onnx",
    content=b"model",
    rows=np.zeros((1, 4)),
    expected=np.zeros(1),
)


def test_models_lie_where_their_paths_say(tmp_path: Path) -> None:
    (placed,) = put([EXAMPLE], tmp_path)
    assert placed.path == "remesh-demo/onnx/iris.onnx"
    assert (tmp_path / placed.path).read_bytes() == b"model"


def test_a_model_that_is_being_read_is_not_changed(tmp_path: Path) -> None:
    (placed,) = put([EXAMPLE], tmp_path)
    with (tmp_path / placed.path).open("rb") as reader:
        put([EXAMPLE], tmp_path)
        assert (tmp_path / placed.path).stat().st_ino != Path(
            f"/proc/self/fd/{reader.fileno()}"
        ).stat().st_ino
    assert [path.name for path in (tmp_path / placed.path).parent.iterdir()] == ["iris.onnx"]


def test_a_folder_that_takes_no_files_is_told(tmp_path: Path) -> None:
    (tmp_path / "files").touch()
    with pytest.raises(Refused, match="cannot take the models: Not a directory"):
        put([EXAMPLE], tmp_path / "files")
