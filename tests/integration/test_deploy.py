"""`deploy/` on a real API server: what is right is kept, what is not is refused, and the rights are few."""

import json
from collections.abc import Iterator

import pytest
import yaml

from tests.integration import control_plane
from tests.integration.control_plane import ControlPlane
from tests.integration.deployed import DEPLOY, MESHES, Object, built

WEBHOOKS = "modelmesh-servingruntime.serving.kserve.io"
CONTROLLER = "system:serviceaccount:{namespace}:modelmesh-controller"


@pytest.fixture(scope="module")
def plane(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ControlPlane]:
    """A control plane with our kinds, and all that we deploy."""
    with control_plane.running(tmp_path_factory.mktemp("deployed")) as started:
        started.kubectl("apply", "--server-side", "-k", str(DEPLOY / "crds"))
        started.kubectl("wait", "--for=condition=Established", "crd", "--all", "--timeout=30s")
        for namespace in ("model-serving", "mine", "other"):
            started.kubectl("create", "namespace", namespace)
        started.kubectl("apply", "--server-side", "-k", str(DEPLOY / "quickstart"))
        started.kubectl("apply", "-k", str(DEPLOY / "cluster-scope"))
        started.kubectl("apply", "-k", str(DEPLOY / "user-namespace"), "--namespace", "mine")
        yield started


def test_the_schemas_are_structural(plane: ControlPlane) -> None:
    for each in plane.read("crd")["items"]:
        conditions = {condition["type"]: condition["status"] for condition in each["status"]["conditions"]}
        assert conditions == {"NamesAccepted": "True", "Established": "True"}


@pytest.mark.parametrize("name", ["quickstart", "cluster-scope", "crds"])
def test_what_was_applied_once_is_applied_again_unchanged(plane: ControlPlane, name: str) -> None:
    def revisions() -> list[str]:
        applied = plane.kubectl("kustomize", str(DEPLOY / name))
        found = json.loads(plane.kubectl("get", "-f", "-", "-o", "json", stdin=applied))["items"]
        # Of these the status changes by itself.
        still = [each for each in found if each["kind"] not in ("Deployment", "Job")]
        return [each["metadata"]["resourceVersion"] for each in still]

    words = ("apply", "--server-side", "-k", str(DEPLOY / name))
    plane.kubectl(*words, "--force-conflicts")
    before = revisions()
    plane.kubectl(*words)
    assert revisions() == before


@pytest.mark.parametrize("name", MESHES)
def test_a_mesh_by_itself_is_applied(plane: ControlPlane, name: str) -> None:
    built_text = plane.kubectl("kustomize", "--load-restrictor", "LoadRestrictionsNone", str(DEPLOY / name))
    plane.kubectl("apply", "--dry-run=server", "-f", "-", stdin=built_text)


@pytest.mark.parametrize("name", ["kserve", "modelmesh", "remesh"])
def test_runtimes_keep_every_field(plane: ControlPlane, name: str) -> None:
    folder = DEPLOY / "runtimes" / name
    plane.kubectl("apply", "-k", str(folder))
    for wanted in built(folder):
        found = plane.read("clusterservingruntime", wanted["metadata"]["name"])
        assert found["spec"] == wanted["spec"]


def test_examples_keep_every_field_and_begin_pending(plane: ControlPlane) -> None:
    for folder in ("isvcs", "predictors"):
        plane.kubectl("apply", "--namespace", "mine", "-f", str(DEPLOY / "examples" / folder))
    for path in (DEPLOY / "examples" / "isvcs").glob("*.yaml"):
        wanted = yaml.safe_load(path.read_text())
        found = plane.read("isvc", wanted["metadata"]["name"], "--namespace", "mine")
        assert found["spec"] == wanted["spec"]
        assert "status" not in found
    for found in plane.read("predictors", "--namespace", "mine")["items"]:
        assert found["status"] == {
            "available": False,
            "transitionStatus": "UpToDate",
            "activeModelState": "Pending",
            "targetModelState": "",
            "failedCopies": 0,
            "totalCopies": 0,
            "grpcEndpoint": "",
            "httpEndpoint": "",
        }


@pytest.mark.parametrize(
    ("what", "columns"),
    [
        ("servingruntimes", "NAME DISABLED MODELTYPE CONTAINERS AGE"),
        ("clusterservingruntimes", "NAME DISABLED MODELTYPE CONTAINERS AGE"),
        ("predictors", "NAME TYPE AVAILABLE ACTIVEMODEL TARGETMODEL TRANSITION AGE"),
        ("isvc", "NAME URL READY PREV LATEST PREVROLLEDOUTREVISION LATESTREADYREVISION AGE"),
    ],
)
def test_columns_are_modelmeshs(plane: ControlPlane, what: str, columns: str) -> None:
    for folder in ("isvcs", "predictors"):
        plane.kubectl("apply", "--namespace", "mine", "-f", str(DEPLOY / "examples" / folder))
    plane.kubectl("apply", "-k", str(DEPLOY / "runtimes" / "remesh"))
    namespace = "modelmesh-serving" if what == "servingruntimes" else "mine"
    first = plane.kubectl("get", what, "--namespace", namespace).splitlines()[0]
    assert first.split() == columns.split()


RUNTIME: Object = {
    "apiVersion": "serving.kserve.io/v1alpha1",
    "kind": "ServingRuntime",
    "metadata": {"name": "a", "namespace": "mine"},
    "spec": {"multiModel": True, "containers": [{"name": "server", "image": "a:1"}]},
}
MODEL: Object = {
    "apiVersion": "serving.kserve.io/v1alpha1",
    "kind": "Predictor",
    "metadata": {"name": "a", "namespace": "mine"},
    "spec": {"modelType": {"name": "sklearn"}},
}
SERVICE: Object = {
    "apiVersion": "serving.kserve.io/v1beta1",
    "kind": "InferenceService",
    "metadata": {"name": "a", "namespace": "mine"},
    "spec": {"predictor": {"model": {"modelFormat": {"name": "sklearn"}}}},
}


MALFORMED: dict[str, tuple[Object, Object, str]] = {
    "no containers": (RUNTIME, {"containers": None}, "spec.containers: Required value"),
    "an empty list of them": (RUNTIME, {"containers": []}, "should have at least 1 items"),
    "one without a name": (RUNTIME, {"containers": [{"image": "a:1"}]}, "spec.containers[0].name: Required"),
    "a reserved name": (RUNTIME, {"containers": [{"name": "mm"}]}, "spec.containers: Invalid value"),
    "a reserved beginning": (RUNTIME, {"containers": [{"name": "mm-x"}]}, "mm-... are reserved"),
    "an adapter for no container": (
        RUNTIME,
        {"builtInAdapter": {"serverType": "triton"}},
        "must include runtime container with name triton",
    ),
    "too many replicas": (RUNTIME, {"replicas": 65536}, "should be less than or equal to 65535"),
    "not a boolean": (RUNTIME, {"multiModel": "yes"}, "must be of type boolean"),
    "a format without a name": (
        RUNTIME,
        {"supportedModelFormats": [{"version": "1"}]},
        "supportedModelFormats[0].name: Required value",
    ),
    "a priority of nothing": (
        RUNTIME,
        {"supportedModelFormats": [{"name": "a", "priority": 0}]},
        "should be greater than or equal to 1",
    ),
    "no model type": (MODEL, {"modelType": None}, "spec.modelType: Required value"),
    "a type without a name": (MODEL, {"modelType": {}}, "spec.modelType.name: Required value"),
    "an unknown word": (MODEL, {"gpu": "maybe"}, 'supported values: "required", "preferred"'),
    "s3 without a key": (MODEL, {"storage": {"s3": {}}}, "spec.storage.s3.secretKey: Required value"),
    "no predictor": (SERVICE, {"predictor": None}, "spec.predictor: Required value"),
    "no model format": (
        SERVICE,
        {"predictor": {"model": {"storageUri": "s3://a"}}},
        "spec.predictor.model.modelFormat: Required value",
    ),
}


@pytest.mark.parametrize(("manifest", "spec", "complaint"), MALFORMED.values(), ids=MALFORMED)
def test_what_is_malformed_is_refused_with_its_field(
    plane: ControlPlane, manifest: Object, spec: Object, complaint: str
) -> None:
    wrong = manifest | {"spec": manifest["spec"] | spec}
    done = plane.tried("apply", "--dry-run=server", "-f", "-", stdin=json.dumps(wrong))
    assert done.returncode != 0
    assert complaint in done.stderr


@pytest.mark.parametrize(
    "manifest",
    [
        pytest.param(RUNTIME, id="a runtime"),
        pytest.param(
            RUNTIME | {"spec": {"containers": [{"name": "mm", "ports": [{"containerPort": 8080}]}]}},
            id="KServe's may be called as they like",
        ),
        pytest.param(
            MODEL | {"spec": {"modelType": {"name": "a"}, "path": "a", "storage": {"path": "b"}}},
            id="what contradicts itself is told by the status",
        ),
        pytest.param(
            SERVICE | {"spec": {"predictor": {"sklearn": {"storageUri": "s3://a/b"}}}}, id="the old schema"
        ),
        pytest.param(
            SERVICE
            | {"spec": {"predictor": {"minReplicas": 1}, "transformer": {"containers": [{"name": "x"}]}}},
            id="fields that only KServe knows",
        ),
    ],
)
def test_what_is_not_ours_to_refuse_is_kept(plane: ControlPlane, manifest: Object) -> None:
    said = plane.kubectl("apply", "--dry-run=server", "-o", "json", "-f", "-", stdin=json.dumps(manifest))
    assert json.loads(said)["spec"] == manifest["spec"]


# Rights.


def may(plane: ControlPlane, of: str, verb: str, what: str, namespace: str) -> bool:
    account = CONTROLLER.format(namespace=of)
    done = plane.tried("auth", "can-i", verb, what, "--namespace", namespace, "--as", account)
    assert done.stdout.strip() in ("yes", "no"), done.stderr
    return done.stdout.strip() == "yes"


@pytest.mark.parametrize(
    ("verb", "what", "namespace", "allowed"),
    [
        ("watch", "inferenceservices.serving.kserve.io", "other", True),
        ("patch", "predictors.serving.kserve.io/status", "other", True),
        ("watch", "namespaces", "", True),
        ("patch", "deployments.apps", "other", True),
        ("get", "pods/log", "other", True),
        ("delete", "pods", "other", False),
        ("create", "pods/exec", "other", False),
        ("patch", "configmaps/tc-config", "mine", True),
        ("patch", "configmaps/another", "mine", False),
        ("create", "leases.coordination.k8s.io", "model-serving", True),
        ("create", "leases.coordination.k8s.io", "mine", False),
        ("watch", "secrets", "model-serving", True),
        ("watch", "secrets", "mine", True),
        ("patch", "secrets/model-serving-etcd", "mine", True),
        ("patch", "secrets/storage-config", "mine", False),
        ("create", "secrets", "mine", False),
        ("get", "secrets", "other", False),
        ("create", "clusterrolebindings.rbac.authorization.k8s.io", "", False),
        ("patch", f"validatingwebhookconfigurations.admissionregistration.k8s.io/{WEBHOOKS}", "", True),
        ("patch", "validatingwebhookconfigurations.admissionregistration.k8s.io/another", "", False),
        ("create", "validatingwebhookconfigurations.admissionregistration.k8s.io", "", False),
    ],
)
def test_the_rights_in_cluster_scope(
    plane: ControlPlane, verb: str, what: str, namespace: str, *, allowed: bool
) -> None:
    assert may(plane, "model-serving", verb, what, namespace) is allowed


@pytest.mark.parametrize(
    ("verb", "what", "namespace", "allowed"),
    [
        ("watch", "inferenceservices.serving.kserve.io", "modelmesh-serving", True),
        ("watch", "secrets", "modelmesh-serving", True),
        ("watch", "inferenceservices.serving.kserve.io", "mine", False),
        ("get", "secrets", "mine", False),
        ("watch", "namespaces", "", False),
        ("watch", "clusterservingruntimes.serving.kserve.io", "", False),
    ],
)
def test_the_rights_in_namespace_scope(
    plane: ControlPlane, verb: str, what: str, namespace: str, *, allowed: bool
) -> None:
    assert may(plane, "modelmesh-serving", verb, what, namespace) is allowed


@pytest.mark.parametrize(
    ("kind", "name", "allowed"),
    [
        ("Secret", "model-serving-etcd", True),
        ("Secret", "another", False),
        ("ConfigMap", "tc-config", True),
        ("ConfigMap", "another", False),
    ],
)
def test_what_the_controller_makes_has_the_names_that_it_may_have(
    plane: ControlPlane, kind: str, name: str, *, allowed: bool
) -> None:
    manifest = {"apiVersion": "v1", "kind": kind, "metadata": {"name": name, "namespace": "mine"}}
    account = CONTROLLER.format(namespace="model-serving")
    done = plane.tried("apply", "--server-side", "--as", account, "-f", "-", stdin=json.dumps(manifest))
    assert (done.returncode == 0) is allowed, done.stderr


def test_people_who_may_edit_may_write_models(plane: ControlPlane) -> None:
    plane.kubectl("create", "rolebinding", "people", "--clusterrole=edit", "--user=ann", "--namespace=other")
    assert plane.kubectl("auth", "can-i", "create", "isvc", "--namespace=other", "--as=ann").strip() == "yes"
    assert (
        plane.tried("auth", "can-i", "create", "isvc", "--namespace=mine", "--as=ann").stdout.strip() == "no"
    )


def test_the_controllers_pods_are_admitted(plane: ControlPlane) -> None:
    """Nothing holds off what the Deployments of the quickstart make."""
    plane.kubectl(
        *("wait", "--for=create", "pod", "--selector=control-plane=modelmesh-controller"),
        *("--namespace", "modelmesh-serving", "--timeout=30s"),
    )
