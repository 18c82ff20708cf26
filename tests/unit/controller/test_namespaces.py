from typing import Any

import pytest

from adapter.controller.namespaces import is_enabled


def a_namespace(name: str = "team", *, label: str | None = None, **others: Any) -> dict[str, Any]:
    labels = {} if label is None else {"modelmesh-enabled": label}
    return {"metadata": {"name": name, "labels": labels}, **others}


@pytest.mark.parametrize(
    ("namespace", "enabled"),
    [
        pytest.param(a_namespace(), False, id="without the label"),
        pytest.param(a_namespace(label="true"), True, id="labelled"),
        pytest.param(a_namespace(label="false"), False, id="labelled not to be"),
        pytest.param(a_namespace(label="True"), False, id="only true is true"),
        pytest.param(a_namespace("own"), True, id="the controller's"),
        pytest.param(a_namespace("own", label="false"), False, id="the controller's, labelled not to be"),
        pytest.param(a_namespace(label="true", status={"phase": "Terminating"}), False, id="on its way out"),
        pytest.param(
            {"metadata": {"name": "t", "labels": {"modelmesh-enabled": "true"}, "deletionTimestamp": "now"}},
            False,
            id="deleted",
        ),
        pytest.param({"metadata": {"name": "own", "labels": None}}, True, id="no labels at all"),
        pytest.param({}, False, id="nothing"),
    ],
)
def test_a_namespace_has_a_mesh(namespace: dict[str, Any], enabled: bool) -> None:
    assert is_enabled(namespace, own="own") is enabled
