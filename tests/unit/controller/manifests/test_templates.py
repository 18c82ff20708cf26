from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from adapter.controller.manifests.complaints import BadManifest
from adapter.controller.manifests.templates import TEXT_CHARS_MAX, fields_of, filled_in, is_template
from adapter.domain.specs import Identity, ModelFormat, ModelSpec, Source
from tests.unit.controller.manifests.written import complaints, json_values

MODEL = ModelSpec(
    identity=Identity(
        name="iris",
        namespace="models",
        uid="1-2",
        generation=3,
        created="2026-01-02T03:04:05Z",
        labels={"modelDir": "a&b", "own": "mine"},
        annotations={"example.com/flavour": "big"},
    ),
    source=Source.INFERENCE_SERVICE,
    format=ModelFormat(name="sklearn"),
)
FIELDS = fields_of(MODEL, labels={"modelClass": "A.B", "own": "given"})


def filled(text: str) -> Any:
    return filled_in({"args": [text]}, FIELDS)["args"][0]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        pytest.param("--model_name={{.Name}}", "--model_name=iris", id="the name"),
        pytest.param("{{ .Namespace }}/{{.UID}}", "models/1-2", id="two, with blanks"),
        pytest.param(
            "{{.Generation}} {{.CreationTimestamp}}", "3 2026-01-02T03:04:05Z", id="the server's own"
        ),
        pytest.param("{{.Labels.modelDir}}", "a&b", id="a label, as plain text"),
        pytest.param("{{.Labels.modelClass}}", "A.B", id="a label of the runtime's choice"),
        pytest.param("{{.Labels.own}}", "mine", id="the model's own label wins"),
        pytest.param(
            "--framework={{.Annotations.modelFormat}}", "--framework=sklearn", id="KServe's annotation"
        ),
        pytest.param('{{index .Annotations "example.com/flavour"}}', "big", id="an entry by its name"),
        pytest.param("a {{- .Name -}} b", "airisb", id="blanks taken away"),
        pytest.param('{{"{{"}}x{{"}}"}}', "{{x}}", id="braces"),
        pytest.param('{"a": {"b": 1}}', '{"a": {"b": 1}}', id="no template"),
    ],
)
def test_a_field_is_filled_in(text: str, expected: str) -> None:
    assert filled(text) == expected


def test_every_text_of_a_container_is_filled_in_and_the_rest_is_as_it_was() -> None:
    container = {
        "name": "kserve-container",
        "args": ["--name", "{{.Name}}"],
        "env": [{"name": "DIR", "value": "{{.Labels.modelDir}}"}],
        "ports": [{"containerPort": 8080}],
    }
    assert is_template(container)
    assert filled_in(container, FIELDS) == {
        "name": "kserve-container",
        "args": ["--name", "iris"],
        "env": [{"name": "DIR", "value": "a&b"}],
        "ports": [{"containerPort": 8080}],
    }
    assert not is_template({"args": ["{", "}}"]})


def test_every_place_that_cannot_be_filled_in_is_told() -> None:
    container = {"args": ["{{.Labels.none}}", "ok", "{{.Spec}}"], "env": [{"value": "{{.Name"}]}
    with pytest.raises(BadManifest) as raised:
        filled_in(container, FIELDS, at="spec.containers[0]")
    assert complaints(raised.value) == {
        "spec.containers[0].args[0]": (
            "cannot fill in {{.Labels.none}}: the model has none in metadata.labels; add it"
        ),
        "spec.containers[0].args[2]": (
            "cannot fill in {{.Spec}}: the fields are "
            "Name, Namespace, UID, Generation, CreationTimestamp, Labels, Annotations"
        ),
        "spec.containers[0].env[0].value": "has a {{ without its }}",
    }


@pytest.mark.parametrize(
    ("text", "told"),
    [
        pytest.param("{{.}}", "a template is a field such as", id="all of it"),
        pytest.param("{{}}", "a template is a field such as", id="nothing"),
        pytest.param("{{range .Labels}}", "a template is a field such as", id="a loop"),
        pytest.param("{{.Labels.my-team}}", "a template is a field such as", id="a dash"),
        pytest.param("{{.Labels}}", "name an entry of .Labels", id="a map"),
        pytest.param("{{.Name.first}}", "the fields are Name", id="an entry of a text"),
        pytest.param('{{"a}}', "has a {{ without", id="an open quote"),
    ],
)
def test_what_is_no_field_is_told(text: str, told: str) -> None:
    with pytest.raises(BadManifest) as raised:
        filled(text)
    assert told in str(raised.value)


def test_what_is_filled_in_is_bounded() -> None:
    fields = {"Name": "x" * 1000}
    text = "{{.Name}}" * (TEXT_CHARS_MAX // 1000 + 1)
    with pytest.raises(BadManifest, match="more than 1048576 characters"):
        filled_in({"args": [text]}, fields)


def test_a_container_that_is_nested_in_itself_is_refused() -> None:
    container: dict[str, Any] = {}
    container["again"] = [container]
    with pytest.raises(BadManifest, match="nested more than 64 deep"):
        filled_in(container, FIELDS)


def test_many_open_braces_take_no_time() -> None:
    with pytest.raises(BadManifest, match="without its"):
        filled("{{" * 100_000)


@given(json_values(["args", "env"]), st.from_regex(r"(\{\{[-. \"A-Za-z]*\}?\}?)*"))
def test_whatever_comes_is_filled_in_or_a_bad_manifest(value: Any, text: str) -> None:
    try:
        filled_in({"args": value, "text": text}, FIELDS)
    except BadManifest as error:
        assert str(error)  # noqa: PT017 - which of the two it is does not matter here
