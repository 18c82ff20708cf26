import grpc
import pytest

from adapter.domain.errors import AdapterError, ModelCorrupt, RuntimeFailed, RuntimeUnavailable
from adapter.drivers.calls import our_words


def an_error(code: grpc.StatusCode, text: str = "too bad") -> grpc.aio.AioRpcError:
    return grpc.aio.AioRpcError(code, grpc.aio.Metadata(), grpc.aio.Metadata(), details=text)


@pytest.mark.parametrize(
    ("code", "error"),
    [
        pytest.param(grpc.StatusCode.UNAVAILABLE, RuntimeUnavailable, id="nobody listens"),
        pytest.param(grpc.StatusCode.CANCELLED, RuntimeUnavailable, id="the runtime shuts down"),
        pytest.param(grpc.StatusCode.DEADLINE_EXCEEDED, RuntimeUnavailable, id="it hangs"),
        pytest.param(grpc.StatusCode.INTERNAL, RuntimeFailed, id="it failed"),
        pytest.param(grpc.StatusCode.PERMISSION_DENIED, RuntimeFailed, id="it does not want to"),
    ],
)
def test_a_foreign_error_is_one_of_ours_that_keeps_its_cause(
    code: grpc.StatusCode, error: type[AdapterError]
) -> None:
    foreign = an_error(code)
    with pytest.raises(error, match=r"unloading iris.*too bad") as raised, our_words("unloading iris"):
        raise foreign
    assert raised.value.__cause__ is foreign


def test_what_nobody_can_name_keeps_the_runtimes_code() -> None:
    with pytest.raises(RuntimeFailed, match="ABORTED: too bad"), our_words("loading iris"):
        raise an_error(grpc.StatusCode.ABORTED)


def test_who_knows_the_runtime_says_what_its_codes_mean() -> None:
    def meaning(code: grpc.StatusCode, text: str) -> AdapterError | None:
        return ModelCorrupt(text) if code is grpc.StatusCode.DATA_LOSS else None

    with pytest.raises(ModelCorrupt, match=r"^too bad$"), our_words("loading iris", meaning):
        raise an_error(grpc.StatusCode.DATA_LOSS)
    with pytest.raises(RuntimeFailed), our_words("loading iris", meaning):
        raise an_error(grpc.StatusCode.INTERNAL)


def test_an_error_without_text_says_so() -> None:
    with pytest.raises(RuntimeFailed, match="INTERNAL: no reason given"), our_words("loading iris"):
        raise an_error(grpc.StatusCode.INTERNAL, text="")
