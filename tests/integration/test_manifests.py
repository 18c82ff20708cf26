"""`remesh up --manifests` as a person uses it, with the isvc of ModelMesh's guide, unchanged."""

import json
import os
import signal
import subprocess
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import pytest

from tests.integration import examples
from tests.integration.conftest import MinioServer
from tests.integration.local_meshes import REMESH, Up, up

READY_S_MAX = 90.0
BUCKET = "modelmesh-example-models"

OLD_SCHEMA = """
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
NEW_SCHEMA = """
apiVersion: serving.kserve.io/v1beta1
kind: InferenceService
metadata:
  name: example-new-isvc
  annotations:
    serving.kserve.io/deploymentMode: ModelMesh
spec:
  predictor:
    model:
      modelFormat:
        name: sklearn
      storage:
        key: localMinIO
        path: sklearn/mnist-svm.joblib
"""
BAD = """
apiVersion: serving.kserve.io/v1beta1
kind: InferenceService
metadata:
  name: bad
  annotations:
    serving.kserve.io/deploymentMode: ModelMesh
spec:
  predictor:
    model:
      modelFormat:
        name: telepathy
      storageUri: s3://modelmesh-example-models/x
"""
ELSEWHERE = """
apiVersion: serving.kserve.io/v1alpha1
kind: ServingRuntime
metadata:
  name: triton-2.x
spec:
  multiModel: true
  grpcEndpoint: port:8085
  supportedModelFormats:
    - name: keras
      autoSelect: true
  containers:
    - name: triton
      image: nvcr.io/nvidia/tritonserver:23.04-py3
  builtInAdapter:
    serverType: triton
    runtimeManagementPort: 8001
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class Declared:
    """A mesh that is up over a folder of manifests, and whose home its commands share."""

    mesh: Up
    home: Path
    manifests: Path

    def remesh(self, *words: str | Path, stdin: str = "") -> subprocess.CompletedProcess[str]:
        env = {**os.environ, "HOME": str(self.home)}
        return subprocess.run(
            [REMESH, *words], capture_output=True, text=True, input=stdin, timeout=110, check=False, env=env
        )

    def row(self, name: str) -> list[str]:
        """Of `remesh get isvc`."""
        lines = self.remesh("get", "isvc").stdout.splitlines()
        return next((line.split() for line in lines if line.startswith(f"{name} ")), [])

    def until(self, true: Callable[[], object]) -> None:
        ends_s = time.monotonic() + READY_S_MAX
        while not true():
            assert time.monotonic() < ends_s, self.mesh.said
            time.sleep(0.2)


@pytest.fixture(scope="module")
def declared(minio: MinioServer, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Declared]:
    folder = tmp_path_factory.mktemp("manifests")
    minio.put(BUCKET, "sklearn/mnist-svm.joblib", examples.dumped(examples.digits_model()))
    manifests, home = folder / "m", folder / "home"
    manifests.mkdir()
    home.mkdir()
    secret = {
        "apiVersion": "v1",
        "kind": "Secret",
        "metadata": {"name": "storage-config"},
        "stringData": {"localMinIO": json.dumps(minio.storage_key(BUCKET)), "broken": "["},
    }
    (manifests / "secret.json").write_text(json.dumps(secret))
    (manifests / "models.yaml").write_text(f"{OLD_SCHEMA}---{BAD}---\nkind: [\n---{ELSEWHERE}")
    with up(folder / "mesh", "--manifests", str(manifests), HOME=str(home)) as mesh:
        yield Declared(mesh=mesh, home=home, manifests=manifests)


@pytest.fixture(scope="module")
def ready(declared: Declared) -> Declared:
    declared.until(lambda: "True" in declared.row("example-sklearn-isvc"))
    return declared


def test_the_isvc_of_the_guide_becomes_ready_and_is_shown_in_modelmeshs_columns(ready: Declared) -> None:
    titles, *_ = ready.remesh("get", "isvc").stdout.splitlines()
    columns = "NAME URL READY PREV LATEST PREVROLLEDOUTREVISION LATESTREADYREVISION AGE"
    assert titles.split() == columns.split()
    name, url, is_ready, _age = ready.row("example-sklearn-isvc")
    assert (name, is_ready) == ("example-sklearn-isvc", "True")
    assert url.startswith("grpc://")


def test_its_model_answers(ready: Declared) -> None:
    said = ready.remesh("infer", "example-sklearn-isvc")
    assert said.returncode == 0, said.stderr
    assert json.loads(said.stdout)["outputs"][0]["shape"][0] == 1


def test_why_a_bad_one_is_not_served_is_told(ready: Declared) -> None:
    page = ready.remesh("describe", "isvc", "bad").stdout
    assert "Status:" in page
    assert "No ServingRuntime supports specified model type" in page
    assert "NoSupportingRuntime" in page
    assert "Events:" in page


def test_a_file_that_cannot_be_read_in_part_is_complained_about(ready: Declared) -> None:
    assert "models.yaml, document 3: it is not YAML" in ready.remesh("get", "isvc").stderr


def test_a_runtime_that_is_not_on_this_machine_counts_as_disabled_and_says_why(ready: Declared) -> None:
    lines = ready.remesh("get", "sr").stdout.splitlines()
    assert lines[1].split()[:4] == ["triton-2.x", "true", "keras", "triton"]
    assert (
        "the server type triton runs in containers only" in ready.remesh("describe", "sr/triton-2.x").stdout
    )


def test_objects_come_change_and_go_by_commands(ready: Declared) -> None:
    remesh, kind = ready.remesh, "inferenceservice.serving.kserve.io"
    said = remesh("apply", "-f", "-", stdin=NEW_SCHEMA)
    assert said.stdout == f"{kind}/example-new-isvc created\n", said.stderr
    ready.until(lambda: "True" in ready.row("example-new-isvc"))
    assert remesh("infer", "example-new-isvc").returncode == 0
    assert remesh("apply", "-f", "-", stdin=NEW_SCHEMA).stdout == f"{kind}/example-new-isvc unchanged\n"
    labelled = NEW_SCHEMA.replace("metadata:", "metadata:\n  labels: {a: b}")
    assert remesh("apply", "-f", "-", stdin=labelled).stdout == f"{kind}/example-new-isvc configured\n"
    assert remesh("get", "isvc", "-l", "a=b", "-o", "name").stdout == f"{kind}/example-new-isvc\n"
    said = remesh("delete", "isvc", "example-new-isvc", "nobody")
    assert said.stdout == f'{kind} "example-new-isvc" deleted\n'
    assert 'inferenceservices.serving.kserve.io "nobody" not found' in said.stderr
    assert said.returncode == 1
    assert ready.row("example-new-isvc") == []
    assert "example-new-isvc" not in remesh("get", "models").stdout
    assert not list(ready.manifests.glob("*example-new*"))


def test_one_bad_object_keeps_no_other_from_being_applied(ready: Declared) -> None:
    config = "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: some}\n"
    said = ready.remesh("apply", "-f", "-", stdin=f"{config}---\nkind: Pod\napiVersion: v1\n---\n[\n")
    assert said.returncode == 1
    assert said.stdout == "configmap/some created\n"
    assert [line.split(":")[0] for line in said.stderr.splitlines() if "error" in line] == ["error", "error"]
    assert ready.remesh("delete", "cm/some").returncode == 0


@pytest.mark.parametrize("form", ["json", "yaml"])
def test_objects_are_printed_for_programs(ready: Declared, form: str) -> None:
    said = ready.remesh("get", "isvc", "bad", "-o", form).stdout
    if form == "json":
        assert json.loads(said)["metadata"]["name"] == "bad"
    else:
        assert "  name: bad\n" in said


def test_what_changes_is_printed_as_it_does(ready: Declared) -> None:
    env = {**os.environ, "HOME": str(ready.home)}
    command = [str(REMESH), "get", "isvc", "-w", "-o", "name"]
    # Whoever runs the tests in the background has Ctrl-C ignored, and so would have what they start.
    heard = partial(signal.signal, signal.SIGINT, signal.SIG_DFL)
    with subprocess.Popen(
        command,
        stdout=subprocess.PIPE,
        text=True,
        env=env,
        preexec_fn=heard,  # noqa: PLW1509 - this process has no other threads
    ) as watching:
        assert watching.stdout is not None
        first = {watching.stdout.readline().rpartition("/")[2].strip() for _ in range(2)}
        assert first == {"bad", "example-sklearn-isvc"}
        ready.remesh("apply", "-f", "-", stdin=NEW_SCHEMA)
        assert watching.stdout.readline().rstrip().endswith("/example-new-isvc")
        watching.send_signal(signal.SIGINT)
        assert watching.wait(20) == 130
    ready.remesh("delete", "isvc", "example-new-isvc")


def test_nothing_of_the_kind_is_told(ready: Declared) -> None:
    said = ready.remesh("get", "predictors")
    assert (said.returncode, said.stdout, said.stderr.splitlines()[-1]) == (
        0,
        "",
        "No resources found in default namespace.",
    )
    assert "resource type" in ready.remesh("get", "pods").stderr


def test_what_was_declared_is_served_again_after_a_restart(ready: Declared) -> None:
    uid = json.loads(ready.remesh("get", "isvc", "example-sklearn-isvc", "-o", "json").stdout)["metadata"][
        "uid"
    ]
    assert ready.mesh.end(signal.SIGINT) == 0
    assert "no cluster" in ready.remesh("get", "isvc").stderr
    folder = ready.mesh.folder.path
    with up(folder, "--manifests", str(ready.manifests), HOME=str(ready.home)) as mesh:
        again = Declared(mesh=mesh, home=ready.home, manifests=ready.manifests)
        again.until(lambda: again.remesh("infer", "example-sklearn-isvc").returncode == 0)
        told = json.loads(again.remesh("get", "isvc", "example-sklearn-isvc", "-o", "json").stdout)
        assert told["metadata"]["uid"] == uid
