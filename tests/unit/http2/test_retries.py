import pytest

from adapter.domain.errors import Code
from adapter.http2.retries import (
    COPY_LOST_MAX,
    PEER_TRIES_MAX,
    REFUSALS_MAX,
    Again,
    Retries,
    is_unknown_model,
)


@pytest.mark.parametrize(
    ("code", "text", "unknown"),
    [
        pytest.param(Code.NOT_FOUND, "", True, id="not found, whatever the text"),
        pytest.param(
            Code.UNAVAILABLE, "Request for unknown model: 'iris' is not found", True, id="Triton, not found"
        ),
        pytest.param(
            Code.UNAVAILABLE,
            "Request for unknown model: 'iris' has no available versions",
            True,
            id="Triton, no version",
        ),
        pytest.param(Code.UNAVAILABLE, "Socket closed", False, id="a broken connection"),
        pytest.param(Code.INVALID_ARGUMENT, "Model iris not found", True, id="MLServer"),
        pytest.param(
            Code.INVALID_ARGUMENT, "Model iris with version 2 not found", True, id="MLServer, a version"
        ),
        pytest.param(Code.INVALID_ARGUMENT, "input x not found", False, id="a bad request"),
        pytest.param(Code.INVALID_ARGUMENT, "Model iris: input x not found", False, id="another bad request"),
        pytest.param(Code.INTERNAL, "Model iris not found", False, id="another code"),
        pytest.param(Code.OK, "", False, id="no error"),
    ],
)
def test_runtimes_have_their_ways_to_say_that_a_model_is_not_there(
    code: Code, text: str, unknown: bool
) -> None:
    assert is_unknown_model(code, text) is unknown


def test_a_lost_copy_is_loaded_again_so_often_and_no_more() -> None:
    retries = Retries()
    said = [retries.after(Code.NOT_FOUND, "") for _ in range(COPY_LOST_MAX + 1)]
    assert said == [Again.COPY_LOST] * COPY_LOST_MAX + [Again.NO]


def test_a_broken_connection_is_tried_once_more() -> None:
    retries = Retries()
    assert retries.after(Code.UNAVAILABLE, "Socket closed") is Again.RECONNECT
    assert retries.after(Code.UNAVAILABLE, "Socket closed") is Again.NO


def test_a_runtime_that_restarted_costs_both() -> None:
    retries = Retries()
    assert retries.after(Code.UNAVAILABLE, "Socket closed") is Again.RECONNECT
    assert retries.after(Code.NOT_FOUND, "") is Again.COPY_LOST


@pytest.mark.parametrize("code", [Code.OK, Code.INTERNAL, Code.CANCELLED, Code.RESOURCE_EXHAUSTED])
def test_other_endings_are_the_answer(code: Code) -> None:
    assert Retries().after(code, "") is Again.NO


def test_a_refused_stream_is_tried_often_and_not_for_ever() -> None:
    retries = Retries()
    assert [retries.after_refusal() for _ in range(REFUSALS_MAX)] == [Again.RECONNECT] * REFUSALS_MAX
    assert retries.after_refusal() is Again.NO
    assert retries.after(Code.UNAVAILABLE, "") is Again.RECONNECT  # of another kind


def test_so_many_instances_are_tried_and_no_more() -> None:
    retries = Retries()
    assert [retries.after_peer() for _ in range(PEER_TRIES_MAX)] == [True] * (PEER_TRIES_MAX - 1) + [False]
    assert retries.after(Code.UNAVAILABLE, "") is Again.RECONNECT  # of another kind
