import base64
from dataclasses import replace
from typing import Any

import pytest

from adapter.controller.webhooks.configuration import Reach, hosts, mutating, validating
from adapter.controller.webhooks.decide import Facts, decisions

REACH = Reach(namespace="model-serving", authorities=b"authority")


def webhooks(reach: Reach = REACH) -> dict[str, Any]:
    both = [*validating(reach)["webhooks"], *mutating(reach)["webhooks"]]
    return {webhook["name"]: webhook for webhook in both}


def test_names_are_modelmeshs() -> None:
    assert validating(REACH)["metadata"]["name"] == "modelmesh-servingruntime.serving.kserve.io"
    webhook = webhooks()["servingruntime.modelmesh-webhook-server.default"]
    assert webhook["clientConfig"]["service"] == {
        "name": "modelmesh-webhook-server-service",
        "namespace": "model-serving",
        "path": "/validate-serving-modelmesh-io-v1alpha1-servingruntime",
        "port": 9443,
    }
    assert base64.b64decode(webhook["clientConfig"]["caBundle"]) == b"authority"
    assert webhook["rules"] == [
        {
            "apiGroups": ["serving.kserve.io"],
            "apiVersions": ["v1alpha1"],
            "operations": ["CREATE", "UPDATE"],
            "resources": ["servingruntimes", "clusterservingruntimes"],
            "scope": "*",
        }
    ]


@pytest.mark.parametrize("name", [*webhooks()])
def test_none_stands_in_anybodys_way(name: str) -> None:
    webhook = webhooks()[name]
    assert (webhook["failurePolicy"], webhook["sideEffects"]) == ("Ignore", "None")
    assert webhook["timeoutSeconds"] <= 10
    assert webhook["matchConditions"][0]["name"] == "is-not-leaving"


def test_each_is_answered_at_its_path() -> None:
    paths = {webhook["clientConfig"]["service"]["path"] for webhook in webhooks().values()}
    assert paths == set(decisions(Facts))


def test_an_address_takes_the_place_of_the_service() -> None:
    reach = replace(REACH, url="https://127.0.0.1:9443/")
    client = webhooks(reach)["predictor.modelmesh-webhook-server.default"]["clientConfig"]
    assert client["url"] == "https://127.0.0.1:9443/validate-serving-modelmesh-io-v1alpha1-predictor"
    assert "service" not in client


def test_where_one_namespace_is_looked_after_no_other_is_asked_about() -> None:
    webhook = webhooks(replace(REACH, namespace_scope=True))[
        "servingruntime.modelmesh-webhook-server.default"
    ]
    assert webhook["rules"][0]["resources"] == ["servingruntimes"]
    assert webhook["namespaceSelector"]["matchExpressions"] == [
        {"key": "kubernetes.io/metadata.name", "operator": "In", "values": ["model-serving"]}
    ]


@pytest.mark.parametrize(
    ("url", "first"),
    [
        pytest.param("", "modelmesh-webhook-server-service.ns.svc", id="service"),
        pytest.param("https://hooks.example:9443/", "hooks.example", id="name"),
        pytest.param("https://[::1]:9443", "::1", id="address"),
    ],
)
def test_the_certificate_is_for_what_the_api_server_calls(url: str, first: str) -> None:
    assert hosts("ns", url)[0] == first
