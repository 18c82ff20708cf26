import base64
from collections.abc import Mapping
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.kubelet.environment import NotThereYet, Place, environment, expand, field_of, quantity, resource_of

PLACE = Place(pod_ip="10.244.0.7", node_ip="10.244.0.1", node_name="node-1", allocatable={"cpu": "64"})
POD: dict[str, Any] = {
    "metadata": {"name": "p", "namespace": "n", "labels": {"b": "2", "a": 'x"y'}, "annotations": {}},
    "spec": {"containers": [{"name": "other", "resources": {"limits": {"memory": "1Gi"}}}]},
}


class Known:
    """A cluster with one secret and one config map, both named `known`."""

    def secret(self, namespace: str, name: str) -> Mapping[str, Any] | None:
        return {"data": {"word": base64.b64encode(b"hush").decode()}} if name == "known" else None

    def config_map(self, namespace: str, name: str) -> Mapping[str, Any] | None:
        return {"data": {"word": "said", "no-variable!": "x"}} if name == "known" else None


def made(*entries: dict[str, Any], **more: Any) -> dict[str, str]:
    return environment({"env": list(entries), **more}, POD, PLACE, Known())


@pytest.mark.parametrize(
    ("text", "meant"),
    [
        pytest.param("a $(KNOWN) b", "a value b", id="known"),
        pytest.param("$(OTHER)", "$(OTHER)", id="unknown stays"),
        pytest.param("$$(KNOWN)", "$(KNOWN)", id="kept from it"),
        pytest.param("$$$(KNOWN)", "$value", id="a dollar before it"),
        pytest.param("$KNOWN $ (KNOWN)", "$KNOWN $ (KNOWN)", id="the shell's own"),
    ],
)
def test_references_are_expanded(text: str, meant: str) -> None:
    assert expand(text, {"KNOWN": "value"}) == meant


@given(st.text())
def test_a_text_without_references_stays(text: str) -> None:
    assert expand(text.replace("$", ""), {"A": "b"}) == text.replace("$", "")


def test_a_variable_sees_those_before_it_only() -> None:
    env = made({"name": "A", "value": "$(B)"}, {"name": "B", "value": "b"}, {"name": "C", "value": "$(B)"})
    assert (env["A"], env["C"]) == ("$(B)", "b")


def test_all_of_a_config_map_with_a_prefix_but_what_is_no_name() -> None:
    env = made(envFrom=[{"prefix": "P_", "configMapRef": {"name": "known"}}])
    assert env == {"HOSTNAME": "p", "P_word": "said"}


def test_what_is_written_out_wins_over_what_is_taken_whole() -> None:
    env = made({"name": "word", "value": "own"}, envFrom=[{"secretRef": {"name": "known"}}])
    assert env["word"] == "own"


@pytest.mark.parametrize(
    ("source", "complaint"),
    [
        pytest.param(
            {"secretKeyRef": {"name": "gone", "key": "word"}}, 'secret "gone" not found', id="a secret"
        ),
        pytest.param(
            {"configMapKeyRef": {"name": "known", "key": "gone"}}, "key gone in configMap", id="a key"
        ),
        pytest.param({"fieldRef": {"fieldPath": "spec.nothing"}}, "spec.nothing", id="a field"),
    ],
)
def test_what_is_missing_is_waited_for(source: dict[str, Any], complaint: str) -> None:
    with pytest.raises(NotThereYet, match=complaint):
        made({"name": "A", "valueFrom": source})


def test_an_optional_one_is_left_out() -> None:
    source = {"secretKeyRef": {"name": "gone", "key": "word", "optional": True}}
    assert "A" not in made({"name": "A", "valueFrom": source})


@pytest.mark.parametrize(
    ("path", "value"),
    [
        pytest.param("metadata.name", "p", id="name"),
        pytest.param("status.podIP", "10.244.0.7", id="address"),
        pytest.param("metadata.labels['b']", "2", id="one label"),
        pytest.param("metadata.labels['c']", "", id="no such label"),
        pytest.param("metadata.labels", 'a="x\\"y"\nb="2"', id="all labels"),
    ],
)
def test_fields_are_told(path: str, value: str) -> None:
    assert field_of(POD, path, PLACE) == value


@pytest.mark.parametrize(
    ("reference", "value"),
    [
        pytest.param({"resource": "requests.memory"}, "1500", id="bytes"),
        pytest.param({"resource": "requests.memory", "divisor": "1Ki"}, "2", id="rounded up"),
        pytest.param({"resource": "limits.cpu"}, "64", id="without a limit the node's"),
        pytest.param({"resource": "requests.cpu", "divisor": "1m"}, "250", id="thousandths"),
        pytest.param({"resource": "limits.memory", "containerName": "other"}, "1073741824", id="another's"),
    ],
)
def test_resources_are_told(reference: dict[str, str], value: str) -> None:
    container = {"resources": {"requests": {"memory": "1500", "cpu": "250m"}}}
    assert resource_of(container, POD, reference, PLACE.allocatable) == value


@pytest.mark.parametrize(
    ("text", "value"),
    [
        pytest.param("2Gi", 2 * 1024**3, id="binary"),
        pytest.param("2G", 2 * 10**9, id="decimal"),
        pytest.param("1e3", 1000, id="exponent"),
        pytest.param("1E", 10**18, id="exa"),
        pytest.param("100m", Decimal("0.1"), id="milli"),
        pytest.param(3, 3, id="a number"),
    ],
)
def test_quantities_are_read(text: str, value: Decimal) -> None:
    assert quantity(text) == value


@given(st.text(max_size=8))
def test_what_is_no_quantity_is_an_error_of_one_kind(text: str) -> None:
    try:
        quantity(text)
    except ValueError:
        return
