import base64
import json
from dataclasses import replace

import pytest

from adapter.controller.config import ControllerConfig, MetricsConfig
from adapter.controller.desired.deployment import deployment
from adapter.controller.desired.namespace import (
    constraints_map,
    etcd_secret,
    has_monitor,
    is_headless,
    network_policy,
    service,
    service_monitor,
)
from adapter.controller.plans import NamespacePlan
from tests.unit.controller.desired.examples import BARE, RUNTIME_PLANS, a_namespace, a_plan


def test_a_service_is_headless_unless_told_otherwise() -> None:
    assert is_headless(service(a_namespace()))
    assert not is_headless(service(a_namespace(config=BARE)))
    assert not is_headless({"spec": {"clusterIP": "10.96.0.7"}})


def test_the_ports_of_the_service_are_ports_of_the_instance() -> None:
    template = deployment(a_plan())["spec"]["template"]
    (instance,) = [each for each in template["spec"]["containers"] if each["name"] == "mm"]
    told = service(a_namespace())["spec"]
    assert {each["targetPort"] for each in told["ports"]} == {each["name"] for each in instance["ports"]}
    assert template["metadata"]["labels"].items() >= told["selector"].items()


def test_nobody_reaches_a_runtime_but_its_own_instance() -> None:
    spec = network_policy(a_namespace())["spec"]
    open_to_all, to_peers = spec["ingress"]
    assert "from" not in open_to_all
    assert [each["port"] for each in open_to_all["ports"]] == [8033, 8008, 2112]
    assert [each["port"] for each in to_peers["ports"]] == [8033, 8080]
    assert to_peers["from"] == [{"podSelector": spec["podSelector"]}]
    for plan in RUNTIME_PLANS.values():
        labels = deployment(replace(plan, config=ControllerConfig()))["spec"]["template"]["metadata"][
            "labels"
        ]
        assert labels.items() >= spec["podSelector"]["matchLabels"].items()


@pytest.mark.parametrize(
    ("plan", "wanted"),
    [
        pytest.param(a_namespace(has_service_monitor=True), True, id="installed"),
        pytest.param(a_namespace(), False, id="not installed"),
        pytest.param(a_namespace(has_service_monitor=True, config=BARE), False, id="no metrics"),
        pytest.param(
            a_namespace(
                has_service_monitor=True,
                config=ControllerConfig(metrics=MetricsConfig(disable_prometheus_operator_support=True)),
            ),
            False,
            id="not wanted",
        ),
    ],
)
def test_the_operator_scrapes_where_it_can_and_may(plan: NamespacePlan, wanted: bool) -> None:
    assert has_monitor(plan) is wanted


def test_plain_metrics_need_no_certificate() -> None:
    config = ControllerConfig(metrics=MetricsConfig(scheme="http"))
    (endpoint,) = service_monitor(a_namespace(config=config))["spec"]["endpoints"]
    assert endpoint == {"port": "prometheus", "interval": "30s", "scheme": "http"}


def test_constraints_are_the_given_bytes() -> None:
    found = constraints_map(a_namespace(), {"type_constraints": b'{"a":1}'})
    assert base64.b64decode(found["binaryData"]["type_constraints"]) == b'{"a":1}'


def test_the_copy_of_the_secret_has_the_files_that_it_names() -> None:
    plan = a_namespace(etcd_secret="other", etcd_files={"ca.pem": b"PEM"})
    found = etcd_secret(plan, b'{"certificate_file":"ca.pem"}')
    data = {name: base64.b64decode(told) for name, told in found["data"].items()}
    assert json.loads(data["etcd_connection"])["certificate_file"] in data
    assert found["metadata"]["name"] == "other"
