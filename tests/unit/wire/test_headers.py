import pytest

from adapter.domain.errors import InvalidRequest
from adapter.wire.headers import ModelRef, Pair, RefKind, model_ref, outbound


@pytest.mark.parametrize(
    ("metadata", "ref"),
    [
        pytest.param([("mm-model-id", "iris")], ModelRef(RefKind.MODEL, "iris"), id="a model"),
        pytest.param([("mm-vmodel-id", "iris")], ModelRef(RefKind.VMODEL, "iris"), id="an alias"),
        pytest.param(
            [("mm-model-id-bin", "größe".encode())], ModelRef(RefKind.MODEL, "größe"), id="in binary"
        ),
        pytest.param(
            [("mm-model-id-bin", b"b"), ("mm-model-id", "a")], ModelRef(RefKind.MODEL, "a"), id="text wins"
        ),
        pytest.param([("tas-model-id", "old")], ModelRef(RefKind.MODEL, "old"), id="the legacy key"),
        pytest.param(
            [("tas-model-id", "old"), ("mm-vmodel-id", "v")],
            ModelRef(RefKind.VMODEL, "v"),
            id="the legacy key comes last",
        ),
        pytest.param([("x", "y")], None, id="none"),
    ],
)
def test_the_metadata_name_a_model(metadata: list[Pair], ref: ModelRef | None) -> None:
    assert model_ref(metadata) == ref


@pytest.mark.parametrize(
    ("metadata", "text"),
    [
        pytest.param(
            [("mm-model-id", "a"), ("mm-vmodel-id-bin", b"b")],
            "must include only one of model id and vmodel id",
            id="both kinds",
        ),
        pytest.param(
            [("mm-model-id", "")], "provided model-id header must be non-empty", id="an empty model"
        ),
        pytest.param(
            [("mm-vmodel-id", "")], "provided vmodel-id header must be non-empty", id="an empty alias"
        ),
        pytest.param(
            [("mm-model-id", "a"), ("mm-model-id", "b")], "one call names one model", id="two models"
        ),
        pytest.param([("mm-model-id-bin", b"\xff")], "mm-model-id-bin must be UTF-8", id="not text"),
    ],
)
def test_metadata_that_name_no_model_clearly_are_refused(metadata: list[Pair], text: str) -> None:
    with pytest.raises(InvalidRequest, match=text):
        model_ref(metadata)


def test_what_is_reserved_stays_and_the_model_goes_on() -> None:
    metadata: list[Pair] = [
        ("mm-vmodel-id", "alias"),
        ("mm-balanced", "true"),
        ("grpc-timeout", "1S"),
        ("content-type", "application/grpc"),
        ("user-agent", "grpc-python"),
        ("tas-model-id", "old"),
        ("authorization", "Bearer x"),
        ("trace-bin", b"\x01"),
    ]
    assert outbound(metadata, "iris") == [
        ("authorization", "Bearer x"),
        ("trace-bin", b"\x01"),
        ("mm-model-id-bin", b"iris"),
        ("mm-model-id", "iris"),
    ]


def test_a_header_whose_name_begins_a_reserved_one_is_not_lost() -> None:
    metadata: list[Pair] = [("user", "a"), ("content", "b"), ("tas", "c")]
    assert outbound(metadata, None) == metadata


def test_a_name_that_is_not_plain_text_goes_on_in_binary_only() -> None:
    assert outbound([], "größe") == [("mm-model-id-bin", "größe".encode())]
