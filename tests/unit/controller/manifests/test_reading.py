from typing import Annotated, Any, Literal

import pytest
from pydantic import Field

from adapter.controller.manifests.complaints import BadManifest, Complaint
from adapter.controller.manifests.reading import Shape, fitted, joined, kind_among, section
from adapter.controller.manifests.shapes import Port, Strings, Text
from adapter.domain.kinds import PREDICTOR, SERVING_RUNTIME


class _Port(Shape):
    container_port: Port


class _Example(Shape):
    name: Text = "x"
    ports: list[_Port] | None = None
    labels: Strings | None = None
    is_on: bool | None = None
    kind: Literal["a", "b"] | None = None
    few: Annotated[list[str], Field(min_length=1, max_length=2)] | None = None


def complaints_of(value: object) -> list[str]:
    complaints: list[Complaint] = []
    assert fitted(_Example, value, at="spec", complaints=complaints) is None
    return [*map(str, complaints)]


@pytest.mark.parametrize(
    ("value", "told"),
    [
        pytest.param(None, "spec: must be an object, not null", id="null"),
        pytest.param([1], "spec: must be an object, not a list", id="a list"),
        pytest.param(
            {"name": 3}, "spec.name: must be a string, not a number; put it in quotes", id="a number"
        ),
        pytest.param(
            {"name": True}, "spec.name: must be a string, not true or false; put it in quotes", id="yes"
        ),
        pytest.param({"name": ""}, "spec.name: must not be empty", id="empty"),
        pytest.param({"name": "\ud800"}, "spec.name: must be Unicode text", id="half a character"),
        pytest.param({"ports": {}}, "spec.ports: must be a list, not an object", id="no list"),
        pytest.param({"ports": [{}]}, "spec.ports[0].containerPort: is missing", id="missing"),
        pytest.param({"ports": [None]}, "spec.ports[0]: must be an object, not null", id="no object"),
        pytest.param(
            {"ports": [{"containerPort": 1}, {"containerPort": 70000}]},
            "spec.ports[1].containerPort: must be at most 65535",
            id="too much",
        ),
        pytest.param(
            {"ports": [{"containerPort": 0}]},
            "spec.ports[0].containerPort: must be at least 1",
            id="too little",
        ),
        pytest.param(
            {"ports": [{"containerPort": "80"}]},
            "spec.ports[0].containerPort: must be a whole number, not a string; leave the quotes out",
            id="a quoted number",
        ),
        pytest.param(
            {"labels": {"example.com/a": 1}},
            "spec.labels[example.com/a]: must be a string, not a number; put it in quotes",
            id="a label",
        ),
        pytest.param(
            {"labels": {1: "a"}},
            "spec.labels[1]: the key must be a string, not a number; put it in quotes",
            id="the key of a label",
        ),
        pytest.param({"labels": []}, "spec.labels: must be an object, not a list", id="no map"),
        pytest.param(
            {"isOn": "yes"},
            "spec.isOn: must be true or false, not a string; leave the quotes out",
            id="yes, quoted",
        ),
        pytest.param({"kind": "c"}, "spec.kind: must be 'a' or 'b'", id="another word"),
        pytest.param({"few": []}, "spec.few: must have an entry", id="too few"),
        pytest.param({"few": ["", "", ""]}, "spec.few: must have at most 2 of them", id="too many"),
    ],
)
def test_what_does_not_fit_is_told_with_its_field_and_the_cure(value: object, told: str) -> None:
    assert complaints_of(value) == [told]


def test_all_that_does_not_fit_is_told_at_once() -> None:
    assert len(complaints_of({"name": 1, "isOn": 2, "few": [1, None]})) == 4


def test_what_is_not_declared_is_passed_over_and_null_is_not_there() -> None:
    complaints: list[Complaint] = []
    read = fitted(_Example, {"labels": None, "more": [1]}, at="spec", complaints=complaints)
    assert read == _Example()
    assert not complaints


def test_a_number_for_a_key_in_a_path_is_an_index() -> None:
    assert joined("spec", "containers", 0, "name") == "spec.containers[0].name"
    assert joined("", "data", "a.b") == "data[a.b]"


@pytest.mark.parametrize(
    ("manifest", "told"),
    [
        pytest.param({}, "kind: must be Predictor or ServingRuntime", id="no kind"),
        pytest.param({"kind": ["Predictor"]}, "kind: must be Predictor or ServingRuntime", id="no word"),
        pytest.param(
            {"kind": "Predictor", "apiVersion": "v1"},
            "apiVersion: must be serving.kserve.io/v1alpha1 for a Predictor",
            id="another version",
        ),
    ],
)
def test_an_object_of_another_kind_is_told_so(manifest: dict[str, Any], told: str) -> None:
    with pytest.raises(BadManifest) as raised:
        kind_among(manifest, (PREDICTOR, SERVING_RUNTIME))
    assert str(raised.value) == told


def test_a_part_that_is_not_there_is_empty() -> None:
    assert section({"spec": None}, "spec") == section({}, "spec") == {}
