import json

import pytest

from adapter.mesh.constraints import NO_CONSTRAINTS, BadTypeConstraints, TypeConstraints

CPU, GPU, BIG = ("cpu",), ("cpu", "gpu"), ("big", "cpu")
"""The labels of three instances."""


def constraints(**rules: object) -> TypeConstraints:
    return TypeConstraints.parse(json.dumps(rules))


@pytest.mark.parametrize(
    ("labels", "missing"),
    [
        pytest.param(("gpu", "pv:v2", "more"), (), id="all and more"),
        pytest.param(("pv:v2",), ("gpu",), id="one of two"),
        pytest.param((), ("gpu", "pv:v2"), id="none"),
    ],
)
def test_all_required_labels_must_be_there(labels: tuple[str, ...], missing: tuple[str, ...]) -> None:
    rules = constraints(triton={"required": ["gpu", "pv:v2"]})
    assert rules.missing("triton", labels) == missing


def test_the_default_is_for_types_that_are_not_listed() -> None:
    rules = constraints(triton={"required": ["gpu"]}, _default={"required": ["_no_runtime"]})
    assert rules.missing("other", GPU) == ("_no_runtime",)
    assert rules.missing("triton", GPU) == ()
    assert (rules.required("other"), rules.required("triton")) == (("_no_runtime",), ("gpu",))


@pytest.mark.parametrize(
    "rules",
    [
        pytest.param(NO_CONSTRAINTS, id="no constraints"),
        pytest.param(constraints(triton={"required": ["gpu"]}), id="no default"),
        pytest.param(constraints(other={}), id="an empty rule"),
        pytest.param(constraints(other=None), id="null"),
        pytest.param(constraints(other={"required": None}), id="null for labels"),
    ],
)
def test_without_a_requirement_any_instance_will_do(rules: TypeConstraints) -> None:
    assert rules.missing("other", ()) == ()
    assert rules.required("other") == ()


def test_there_may_be_none() -> None:
    assert not NO_CONSTRAINTS
    assert not constraints()
    assert constraints(a={})
    assert repr(constraints(a={}, b={})) == "<TypeConstraints of 2 types>"


@pytest.mark.parametrize(
    ("labels", "preferred"),
    [pytest.param(GPU, True, id="any of them"), pytest.param(CPU, False, id="none of them")],
)
def test_a_configured_preference_is_for_any_of_its_labels(labels: tuple[str, ...], preferred: bool) -> None:
    rules = constraints(triton={"preferred": ["gpu", "tpu"]}, other={"required": ["gpu"]})
    assert rules.prefers("triton", labels, [CPU, GPU]) is preferred


def test_without_constraints_nothing_is_preferred() -> None:
    assert not NO_CONSTRAINTS.prefers("any", CPU, [CPU, GPU])


def test_types_drift_to_what_particular_types_cannot_use() -> None:
    rules = constraints(triton={"required": ["gpu"]})
    assert rules.prefers("other", CPU, [CPU, GPU])
    assert not rules.prefers("other", GPU, [CPU, GPU])


def test_types_keep_off_what_others_prefer() -> None:
    rules = constraints(triton={"preferred": ["gpu"]})
    assert rules.prefers("other", CPU, [CPU, GPU])
    assert not rules.prefers("other", GPU, [CPU, GPU])


def test_a_type_that_cannot_use_it_counts_for_more_than_three_that_prefer_it() -> None:
    rules = constraints(
        x={"required": ["big"]}, **{f"y{n}": {"preferred": ["gpu"]} for n in range(3)}, other={}
    )
    # GPU: 4 - 3 = 1; BIG: 0
    assert rules.prefers("other", GPU, [GPU, BIG])
    assert not rules.prefers("other", BIG, [GPU, BIG])


def test_a_type_that_must_have_some_labels_drifts_among_those_that_have_them() -> None:
    rules = constraints(small={"required": ["cpu"]}, triton={"required": ["gpu"]})
    assert rules.prefers("small", CPU, [CPU, GPU])
    assert not rules.prefers("triton", GPU, [GPU])


def test_where_all_score_alike_nothing_is_preferred() -> None:
    rules = constraints(triton={"required": ["gpu"]})
    assert not rules.prefers("other", GPU, [GPU, ("gpu",)])
    assert not rules.prefers("other", GPU, [GPU])


def test_scores_are_remembered_up_to_a_bound() -> None:
    rules = constraints(triton={"required": ["gpu"]})
    for n in range(2_500):
        assert rules.prefers("other", (f"l{n}",), [(f"l{n}",), GPU])
    assert len(rules._scores) <= 1_000


@pytest.mark.parametrize(
    ("text", "complaint"),
    [
        pytest.param("", "is no JSON", id="nothing"),
        pytest.param("{", "is no JSON", id="no JSON"),
        pytest.param("[" * 100_000, "is no JSON", id="too deep"),
        pytest.param("[]", "must be a JSON object", id="a list"),
        pytest.param('{"t": ["gpu"]}', "t must be an object", id="labels alone"),
        pytest.param('{"t": {"require": ["gpu"]}}', "t.require is unknown", id="an unknown property"),
        pytest.param('{"t": {"required": "gpu"}}', "t.required must be a list of labels", id="no list"),
        pytest.param('{"t": {"preferred": [1]}}', "t.preferred must be a list of labels", id="a number"),
        pytest.param('{"t": {"preferred": [""]}}', "none of them empty", id="an empty label"),
    ],
)
def test_bad_constraints_are_refused(text: str, complaint: str) -> None:
    with pytest.raises(BadTypeConstraints, match=complaint):
        TypeConstraints.parse(text)


def test_every_complaint_is_made_at_once() -> None:
    with pytest.raises(BadTypeConstraints) as caught:
        constraints(a=1, b={"c": []}, d={"required": {}, "preferred": [None]})
    assert len(str(caught.value).split("; ")) == 4
