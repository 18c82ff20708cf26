"""The quickstart as a person goes through it, with `kubectl`, on a control plane whose pods are processes.

The tests share one installation; the last one takes it away.
"""

import json
from collections.abc import Iterator

import httpx
import pytest

from tests.integration import quickstarts
from tests.integration.controllers import Object, wait_until
from tests.integration.deployed import DEPLOY
from tests.integration.quickstarts import GONE_S_MAX, NAMESPACE, OVERLAY, SERVICE, Quickstart

pytestmark = pytest.mark.timeout(300)

NAME = "example-sklearn-isvc"
RUNTIME = "remesh-python"
OLDER_SCHEMA = """
apiVersion: serving.kserve.io/v1beta1
kind: InferenceService
metadata:
  name: example-sklearn-isvc
  annotations:
    serving.kserve.io/deploymentMode: ModelMesh
    serving.kserve.io/secretKey: localMinIO
spec:
  predictor:
    sklearn:
      storageUri: s3://modelmesh-example-models/sklearn/mnist-svm.joblib
"""
"""As ModelMesh's guide has it."""
EXAMPLE = (DEPLOY / "examples" / "isvcs" / "example-sklearn-isvc.yaml").read_text()
COLUMNS = ["NAME", "URL", "READY", "PREV", "LATEST", "PREVROLLEDOUTREVISION", "LATESTREADYREVISION", "AGE"]

CRASHES = """
apiVersion: serving.kserve.io/v1alpha1
kind: ServingRuntime
metadata:
  name: fragile
spec:
  multiModel: true
  replicas: 1
  supportedModelFormats:
    - name: fragile
      autoSelect: true
  grpcEndpoint: port:8085
  grpcDataEndpoint: port:8001
  containers:
    - name: server
      image: remesh
      command: [sh, -c, "echo reads the licence; echo the licence has run out >&2; exit 3"]
---
apiVersion: serving.kserve.io/v1beta1
kind: InferenceService
metadata:
  name: fragile
  annotations:
    serving.kserve.io/deploymentMode: ModelMesh
spec:
  predictor:
    model:
      modelFormat:
        name: fragile
      storage:
        key: localMinIO
        path: sklearn/mnist-svm.joblib
"""


@pytest.fixture(scope="module")
def shared(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Quickstart]:
    with quickstarts.prepared(tmp_path_factory.mktemp("quickstart")) as it:
        it.install()
        yield it


@pytest.fixture
def it(shared: Quickstart) -> Iterator[Quickstart]:
    shared.configure("podsPerRuntime: 2\n")  # as the overlay has it
    yield shared
    shared.plane.tried("--namespace", NAMESPACE, "delete", "isvc", "--all", "--timeout=30s")


@pytest.mark.parametrize(
    "manifest", [pytest.param(OLDER_SCHEMA, id="older schema"), pytest.param(EXAMPLE, id="newer schema")]
)
def test_the_isvc_of_the_guide_is_served(it: Quickstart, manifest: str) -> None:
    it.apply(manifest)
    it.wait_for(f"isvc/{NAME}", "condition=Ready")
    head, row = it.kubectl("get", "isvc").splitlines()
    assert head.split() == COLUMNS
    assert row.split()[:3] == [NAME, f"grpc://{SERVICE}.{NAMESPACE}:8033", "True"]
    for address in it.pods().values():
        assert it.digits(address, NAME) == {"grpc": it.expected, "http": it.expected}
    rows = json.loads(it.rows.read_text())["rows"]
    tensor = {"name": "predict", "shape": [len(rows), 64], "datatype": "FP64", "data": rows}
    answer = httpx.post(f"http://{address}:8008/v2/models/{NAME}/infer", json={"inputs": [tensor]})
    assert answer.json()["outputs"][0]["data"] == it.expected


def test_applied_again_it_is_as_it_was(it: Quickstart) -> None:
    """Also what is empty there, and filled by the controller."""
    kinds = "deployments,services,validatingwebhookconfigurations,mutatingwebhookconfigurations"

    def found() -> dict[str, Object]:
        return {f"{each['kind']} {each['metadata']['name']}": each for each in it.read(kinds)["items"]}

    def filled() -> list[Object]:
        return [each for name, each in found().items() if "Webhook" in name and each.get("webhooks")]

    it.soon(lambda: len(filled()) == 2)
    before = found()
    it.plane.kubectl("apply", "--server-side", "-k", OVERLAY)
    after = found()
    for name, each in before.items():
        assert each.get("spec", each.get("webhooks")) == after[name].get("spec", after[name].get("webhooks"))


@pytest.mark.parametrize("change", ["restart", "runtime"])
def test_a_rolling_update_under_traffic_fails_no_request(it: Quickstart, change: str) -> None:
    """The client does what gRPC does by itself (`clients/balancing.py`), and tries nothing again."""
    it.apply(EXAMPLE)
    it.wait_for(f"isvc/{NAME}", "condition=Ready")
    before, since = it.pods(), ready_since(it)
    with it.traffic(NAME) as traffic:
        traffic.go_on(100, by=addresses(before))
        if change == "restart":
            it.kubectl("rollout", "restart", f"deployment/{SERVICE}-{RUNTIME}")
        else:
            env = [{"op": "add", "path": "/spec/containers/0/env", "value": [{"name": "A", "value": "b"}]}]
            it.kubectl("patch", "servingruntime", RUNTIME, "--type=json", "--patch", json.dumps(env))
        it.soon(lambda: len(it.pods()) == len(before) and not it.pods().keys() & before)
        it.wait_for(f"deployment/{SERVICE}-{RUNTIME}", "condition=Available")
        traffic.go_on(100, by=addresses(it.pods()))
        told = traffic.told()
    assert (told["failed"], told["wrong"]) == (0, 0), told
    assert set(told["asked"]) == {*addresses(before), *addresses(it.pods())}
    assert ready_since(it) == since, "it was not ready meanwhile"


def ready_since(it: Quickstart) -> str:
    """The moment when the isvc became Ready."""
    [ready] = [each for each in it.isvc(NAME)["status"]["conditions"] if each["type"] == "Ready"]
    assert ready["status"] == "True"
    return str(ready["lastTransitionTime"])


def addresses(pods: dict[str, str]) -> list[str]:
    return sorted(f"{address}:8033" for address in pods.values())


def test_a_runtime_without_models_stops_and_comes_back(it: Quickstart) -> None:
    it.apply(EXAMPLE)
    it.wait_for(f"isvc/{NAME}", "condition=Ready")
    assert {each: it.replicas(each) for each in ("mlserver-1.x", RUNTIME)} == {"mlserver-1.x": 0, RUNTIME: 2}
    it.configure("podsPerRuntime: 1\nscaleToZero: {gracePeriodSeconds: 2}\n")
    it.soon(lambda: it.replicas(RUNTIME) == 1)
    it.kubectl("delete", "isvc", NAME, "--timeout=30s")
    assert it.replicas(RUNTIME) == 1, "there is a grace period"
    it.soon(lambda: it.replicas(RUNTIME) == 0)
    it.soon(lambda: not it.pods(), seconds=GONE_S_MAX)
    it.apply(EXAMPLE)
    it.wait_for(f"isvc/{NAME}", "condition=Ready")
    assert len(it.pods()) == 1


def test_a_crash_loop_is_told_with_its_last_words(it: Quickstart) -> None:
    it.apply(CRASHES)
    it.soon(lambda: "the licence has run out" in it.kubectl("describe", "isvc", "fragile"))
    status = it.isvc("fragile")["status"]
    assert status["modelStatus"]["lastFailureInfo"]["reason"] == "RuntimeUnhealthy"
    [ready] = [each for each in status["conditions"] if each["type"] == "Ready"]
    assert (ready["status"], ready["reason"]) == ("False", "RuntimeUnhealthy")
    assert "container server" in ready["message"]
    assert "exit code 3" in ready["message"]
    it.soon(lambda: "the licence has run out" in it.kubectl("describe", "servingruntime", "fragile"))
    it.apply(EXAMPLE)
    it.wait_for(f"isvc/{NAME}", "condition=Ready")
    it.kubectl("delete", "isvc,servingruntime", "fragile", "--timeout=30s")
    it.soon(lambda: not [name for name in it.pods() if "fragile" in name], seconds=GONE_S_MAX)


def test_deletion_leaves_nothing(it: Quickstart) -> None:
    it.apply(EXAMPLE)
    it.wait_for(f"isvc/{NAME}", "condition=Ready")
    assert [key for key in it.etcd_keys() if NAME in key]
    it.kubectl("delete", "isvc", "--all", "--timeout=30s")
    it.soon(lambda: not [key for key in it.etcd_keys() if NAME in key])  # unloading takes a moment
    it.kubectl("delete", "servingruntimes", "--all", "--timeout=30s")
    it.soon(lambda: not it.pods(), seconds=GONE_S_MAX)
    assert not it.etcd_keys()
    for kind in ("deployments", "poddisruptionbudgets", "configmaps", "secrets"):
        left = [each["metadata"]["name"] for each in it.read(kind)["items"]]
        assert not [name for name in left if name.startswith(f"{SERVICE}-") or name == "tc-config"], kind
    it.plane.kubectl("delete", "--ignore-not-found", "--wait=false", "-k", OVERLAY)
    wait_until(lambda: not it.left_over(), GONE_S_MAX, lambda: f"still there: {it.left_over()}")
    assert not it.node.namespaces
