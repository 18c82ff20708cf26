import grpc
import pytest

from adapter.domain.errors import AdapterError, FormatUnsupported, ModelCorrupt, ObjectMissing
from adapter.domain.ids import ModelId
from adapter.domain.records import ModelInfo
from adapter.drivers.open_inference import LoadRefusal
from adapter.drivers.python_runtime import DIALECT


def refused(code: grpc.StatusCode) -> AdapterError | None:
    info = ModelInfo(type="sklearn")
    return DIALECT.refused(LoadRefusal(model=ModelId("iris"), info=info, code=code, text="too bad"))


@pytest.mark.parametrize(
    ("code", "meaning"),
    [
        pytest.param(grpc.StatusCode.NOT_FOUND, ObjectMissing, id="no file"),
        pytest.param(grpc.StatusCode.DATA_LOSS, ModelCorrupt, id="a damaged file"),
        pytest.param(grpc.StatusCode.UNIMPLEMENTED, FormatUnsupported, id="another format"),
    ],
)
def test_a_code_means(code: grpc.StatusCode, meaning: type[AdapterError]) -> None:
    error = refused(code)
    assert type(error) is meaning
    assert "iris: too bad" in str(error)


@pytest.mark.parametrize("code", [grpc.StatusCode.UNAVAILABLE, grpc.StatusCode.INTERNAL])
def test_other_codes_mean_nothing_special(code: grpc.StatusCode) -> None:
    assert refused(code) is None
