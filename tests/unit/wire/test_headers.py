import pytest

from adapter.domain.errors import InvalidRequest
from adapter.wire.headers import (
    HOP_MARK,
    ModelRef,
    Pair,
    RefKind,
    all_required,
    forwarded,
    is_balanced,
    model_metadata,
    model_ref,
    model_refs,
)


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
            [("mm-model-id", "a"), ("mm-model-id", "b")],
            "names one model, and its headers name 2",
            id="two models where one can be",
        ),
        pytest.param(
            [("mm-vmodel-id", "a"), ("mm-vmodel-id", "")], "must be non-empty", id="one of two is empty"
        ),
        pytest.param([("mm-model-id-bin", b"\xff")], "mm-model-id-bin must be UTF-8", id="not text"),
    ],
)
def test_metadata_that_name_no_model_clearly_are_refused(metadata: list[Pair], text: str) -> None:
    with pytest.raises(InvalidRequest, match=text):
        model_ref(metadata)


@pytest.mark.parametrize(
    ("metadata", "refs"),
    [
        pytest.param(
            [("mm-model-id", "b"), ("x", "y"), ("mm-model-id", "a"), ("mm-model-id", "b")],
            [(RefKind.MODEL, "b"), (RefKind.MODEL, "a"), (RefKind.MODEL, "b")],
            id="in the order of the headers",
        ),
        pytest.param(
            [("mm-vmodel-id-bin", b"a"), ("mm-vmodel-id-bin", "ö".encode())],
            [(RefKind.VMODEL, "a"), (RefKind.VMODEL, "ö")],
            id="aliases in binary",
        ),
        pytest.param(
            [("mm-model-id-bin", b"b"), ("mm-model-id-bin", b"c"), ("mm-model-id", "a")],
            [(RefKind.MODEL, "a")],
            id="text wins",
        ),
        pytest.param(
            [("tas-model-id", "a"), ("tas-model-id", "b")],
            [(RefKind.MODEL, "a"), (RefKind.MODEL, "b")],
            id="the legacy key",
        ),
        pytest.param([], [], id="none"),
    ],
)
def test_a_repeated_id_names_several_models(metadata: list[Pair], refs: list[tuple[RefKind, str]]) -> None:
    assert model_refs(metadata) == tuple(ModelRef(*ref) for ref in refs)


@pytest.mark.parametrize(
    ("value", "required"),
    [("all", True), ("ALL", True), ("any", False), ("", False), (None, False)],
)
def test_a_call_may_ask_for_all_of_its_models(value: str | None, required: bool) -> None:
    assert all_required([("x", "all"), *([("mm-required", value)] if value is not None else [])]) is required


@pytest.mark.parametrize(("value", "balanced"), [("true", True), ("True", False), ("1", False)])
def test_a_caller_that_balances_says_so_exactly(value: str, balanced: bool) -> None:
    assert is_balanced([("mm-balanced", value)]) is balanced
    assert not is_balanced([])


def test_the_runtime_does_not_see_that_a_call_was_forwarded() -> None:
    assert forwarded([HOP_MARK]) == []


def test_what_is_reserved_stays() -> None:
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
    assert forwarded(metadata) == [("authorization", "Bearer x"), ("trace-bin", b"\x01")]


def test_the_runtime_is_told_the_model_in_both_forms() -> None:
    assert model_metadata("iris") == [("mm-model-id-bin", b"iris"), ("mm-model-id", "iris")]


def test_a_header_whose_name_begins_a_reserved_one_is_not_lost() -> None:
    metadata: list[Pair] = [("user", "a"), ("content", "b"), ("tas", "c")]
    assert forwarded(metadata) == metadata


def test_a_name_that_is_not_plain_text_goes_on_in_binary_only() -> None:
    assert model_metadata("größe") == [("mm-model-id-bin", "größe".encode())]
