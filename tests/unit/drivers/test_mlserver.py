import grpc
import pytest

from adapter.domain.errors import AdapterError, FormatUnsupported, ModelCorrupt, ObjectMissing
from adapter.domain.ids import ModelId
from adapter.domain.records import ModelInfo
from adapter.drivers.mlserver import DIALECT
from adapter.drivers.open_inference import LoadRefusal

SKLEARN = ModelInfo(type="rt:mlserver", key='{"model_type": {"name": "sklearn", "version": "1"}}')
ONNX = ModelInfo(type="rt:mlserver", key='{"model_type": "ONNX:1"}')
NO_KEY = ModelInfo(type="sklearn", key="")


def refused(code: grpc.StatusCode, *, text: str = "", info: ModelInfo = SKLEARN) -> AdapterError | None:
    return DIALECT.refused(LoadRefusal(model=ModelId("iris"), info=info, code=code, text=text))


@pytest.mark.parametrize(
    ("error", "says", "meaning"),
    [
        pytest.param(
            refused(grpc.StatusCode.NOT_FOUND, text="Model iris not found"),
            "no folder with usable settings for iris",
            ObjectMissing,
            id="no folder",
        ),
        pytest.param(
            refused(grpc.StatusCode.NOT_FOUND, info=NO_KEY),
            "no folder with usable settings for iris",
            ObjectMissing,
            id="no folder, and the type is the request's",
        ),
        pytest.param(
            refused(grpc.StatusCode.NOT_FOUND, info=ONNX),
            "whose type is 'onnx'; it loads lightgbm, mllib, sklearn, xgboost",
            FormatUnsupported,
            id="a type without an implementation",
        ),
        pytest.param(
            refused(grpc.StatusCode.FAILED_PRECONDITION, text="Invalid URI specified"),
            "does not find the files of iris: Invalid URI",
            ObjectMissing,
            id="no file",
        ),
        pytest.param(
            refused(grpc.StatusCode.INTERNAL, text="No module named 'mlserver_xgboost'"),
            "lacks what iris needs: No module named",
            FormatUnsupported,
            id="a library that is not installed",
        ),
        pytest.param(
            refused(grpc.StatusCode.INTERNAL, text="Memo value not found at index 101"),
            "cannot read iris; .*Memo value",
            ModelCorrupt,
            id="anything else that it fails at",
        ),
    ],
)
def test_a_code_means(error: AdapterError, says: str, meaning: type[AdapterError]) -> None:
    with pytest.raises(meaning, match=says):
        raise error


def test_other_codes_mean_nothing_special() -> None:
    assert refused(grpc.StatusCode.UNAVAILABLE) is None
    assert refused(grpc.StatusCode.INVALID_ARGUMENT) is None
