import pytest
from hypothesis import given
from hypothesis import strategies as st

from adapter.cluster.kubernetes_paths import (
    PAGE,
    apply_params,
    kind_path,
    list_params,
    log_params,
    object_path,
    watch_params,
)
from adapter.domain.kinds import CLUSTER_SERVING_RUNTIME, DEPLOYMENT, POD, PREDICTOR, Key, Kind


@pytest.mark.parametrize(
    ("kind", "namespace", "path"),
    [
        pytest.param(POD, "a", "/api/v1/namespaces/a/pods", id="of the core group"),
        pytest.param(POD, None, "/api/v1/pods", id="in every namespace"),
        pytest.param(DEPLOYMENT, "a", "/apis/apps/v1/namespaces/a/deployments", id="of another group"),
        pytest.param(
            CLUSTER_SERVING_RUNTIME,
            "a",
            "/apis/serving.kserve.io/v1alpha1/clusterservingruntimes",
            id="in no namespace",
        ),
    ],
)
def test_where_a_kind_is(kind: Kind, namespace: str | None, path: str) -> None:
    assert kind_path(kind, namespace) == path


def test_where_an_object_is() -> None:
    key = Key(kind=PREDICTOR, name="iris", namespace="models")
    path = "/apis/serving.kserve.io/v1alpha1/namespaces/models/predictors/iris"
    assert object_path(key) == path
    assert object_path(key, "status") == f"{path}/status"


@given(st.text(min_size=1), st.text(min_size=1))
def test_no_name_leads_elsewhere(namespace: str, name: str) -> None:
    path = object_path(Key(kind=POD, name=name, namespace=namespace))
    assert path.startswith("/api/v1/namespaces/")
    assert path.count("/") == 6
    assert not {"", ".", ".."} & set(path.split("/")[1:])
    assert not set("?#% ") & set(path.replace("%", "", path.count("%")))


def test_what_a_list_is_asked_with() -> None:
    assert list_params() == {"limit": str(PAGE)}
    assert list_params({"b": "2", "a": "1"}, page="next") == {
        "limit": str(PAGE),
        "labelSelector": "a=1,b=2",
        "continue": "next",
    }


def test_what_others_are_asked_with() -> None:
    assert watch_params("7", seconds=290)["resourceVersion"] == "7"
    assert apply_params("remesh") == {"fieldManager": "remesh", "force": "true"}
    asked = log_params(container="mm", lines=5, bytes_max=100, previous=True)
    assert asked == {"container": "mm", "tailLines": "5", "limitBytes": "100", "previous": "true"}
