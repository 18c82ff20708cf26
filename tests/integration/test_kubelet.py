"""The pod runner does to pods what a kubelet does; seen through `kubectl` and from inside the pods."""

import json
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator, Mapping, Sequence
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread
from typing import Any

import pytest

from tests.integration import control_plane
from tests.integration.conftest import lacks
from tests.integration.control_plane import ControlPlane
from tests.kubelet.network import lacking
from tests.kubelet.running import RunningNode, running_node

SOON_S = 20.0
IMAGES: dict[str, dict[str, Any]] = {
    "shell": {"command": ["sh", "-c"]},
    "files": {"command": [sys.executable, "-m", "http.server", "8080", "--directory", "/files"]},
    "python": {"command": [sys.executable, "-c"]},
    "ordinary": {"command": ["sh", "-c"], "user": 1000},
}
FOREVER = "trap 'exit 0' TERM; while :; do sleep 0.05; done"
FOREVER_ALONE = ("sh", "-c", FOREVER)


@pytest.fixture(scope="module")
def plane(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ControlPlane]:
    if problem := lacking():
        lacks(problem)
    with control_plane.running(tmp_path_factory.mktemp("plane")) as plane:
        yield plane


@pytest.fixture(scope="module")
def node(plane: ControlPlane, tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningNode]:
    with running_node(plane.kubeconfig(), IMAGES, folder=tmp_path_factory.mktemp("node")) as node:
        yield node
        assert "Traceback" not in node.said


@pytest.fixture
def pods(plane: ControlPlane, node: RunningNode) -> Iterator["PodsOfTest"]:
    pods = PodsOfTest(plane, node)
    yield pods
    plane.kubectl("delete", "pod,service,secret,configmap", "--selector=test=this", "--grace-period=1")


class PodsOfTest:
    """Pods of one test, all of which are deleted after it."""

    def __init__(self, plane: ControlPlane, node: RunningNode) -> None:
        self.plane = plane
        self.node = node

    def run(
        self, name: str, image: str, *arguments: str, pod: Mapping[str, Any] | None = None, **more: Any
    ) -> None:
        """One container `main`; `more` are fields of it, `pod` of the pod."""
        container = {"name": "main", "image": image, **({"args": arguments} if arguments else {}), **more}
        spec = {"terminationGracePeriodSeconds": 5, "containers": [container], **(pod or {})}
        self.make("Pod", name, spec=spec, labels={"app": name})

    def make(self, kind: str, name: str, *, labels: Mapping[str, str] | None = None, **content: Any) -> None:
        metadata = {
            "name": name,
            "labels": {"test": "this", **(labels or {})},
            "annotations": {"told": "by the test"},
        }
        manifest = {"apiVersion": "v1", "kind": kind, "metadata": metadata, **content}
        self.plane.kubectl("apply", "-f", "-", stdin=json.dumps(manifest))

    def status(self, name: str) -> dict[str, Any]:
        return dict(self.plane.read("pod", name).get("status", {}))

    def main(self, name: str) -> dict[str, Any]:
        """The status of its only container."""
        told = self.status(name).get("containerStatuses") or [{"state": {}, "restartCount": 0}]
        return dict(told[0])

    def is_ready(self, name: str) -> bool:
        said = {each["type"]: each["status"] for each in self.status(name).get("conditions", [])}
        return said.get("Ready") == "True"

    def log(self, name: str, *words: str) -> str:
        return self.plane.kubectl("logs", name, *words)

    def ended(self, name: str) -> str:
        """What a pod that runs once has said."""
        soon(lambda: self.status(name).get("phase") in {"Succeeded", "Failed"})
        return self.log(name)

    def path(self, name: str) -> Path:
        """Of its network namespace."""
        slot, own = self.status(name)["podIP"].split(".")[2:]
        return Path(f"/run/netns/rmk{slot}-{own}")


def soon(holds: Callable[[], object]) -> None:
    """Until it holds."""
    ends_s = time.monotonic() + SOON_S
    while not holds():
        assert time.monotonic() < ends_s, "it does not come true"
        time.sleep(0.05)


def answers(url: str) -> str | None:
    """What a GET is answered with; None: nobody does."""
    try:
        with urllib.request.urlopen(url, timeout=2) as answer:
            return str(answer.read().decode())
    except (urllib.error.URLError, ConnectionError, TimeoutError):
        return None


def volume(name: str, **source: Any) -> dict[str, Any]:
    return {"name": name, **source}


def mount(name: str, path: str) -> dict[str, Any]:
    return {"name": name, "mountPath": path}


# What a container is given.


def test_the_environment_has_values_fields_and_resources(pods: PodsOfTest) -> None:
    pods.make("Secret", "keys", stringData={"word": "hush"})
    fields = {
        "NAME": "metadata.name",
        "IP": "status.podIP",
        "HOST": "status.hostIP",
        "TOLD": "metadata.annotations['told']",
    }
    env: list[dict[str, Any]] = [
        {"name": key, "valueFrom": {"fieldRef": {"fieldPath": path}}} for key, path in fields.items()
    ]
    env += [{"name": "BYTES", "valueFrom": {"resourceFieldRef": {"resource": "requests.memory"}}}]
    env += [{"name": "WORD", "valueFrom": {"secretKeyRef": {"name": "keys", "key": "word"}}}]
    env += [{"name": "JOINED", "value": "$(NAME)-$(WORD)-$(UNKNOWN)-$$(NAME)"}]
    pods.run(
        *("env", "shell", "echo '$(JOINED)'; env"),
        pod={"restartPolicy": "Never"},
        env=env,
        resources={"requests": {"memory": "2Mi"}},
    )
    said = pods.ended("env").splitlines()
    assert said[0] == "env-hush-$(UNKNOWN)-$(NAME)"
    assert {"NAME=env", "BYTES=2097152", "TOLD=by the test", "HOSTNAME=env"} <= set(said)
    assert f"IP={pods.status('env')['podIP']}" in said
    assert f"HOST={pods.node.node_ip}" in said
    assert not [line for line in said if line.startswith("PYTEST")]


def test_containers_of_a_pod_share_its_empty_folders_and_its_loopback(pods: PodsOfTest) -> None:
    write = {"name": "write", "image": "shell", "args": ["echo together > /a/shared/word; exec sleep 100"]}
    serve = {"name": "serve", "image": "files"}
    read = {"name": "read", "image": "python", "args": ["import time, urllib.request as r\n" + READ_WORD]}
    containers = [
        {**each, "volumeMounts": [mount("common", "/a/shared" if each is write else "/files")]}
        for each in (write, serve, read)
    ]
    spec = {
        "containers": containers,
        "volumes": [volume("common", emptyDir={})],
        "terminationGracePeriodSeconds": 1,
    }
    pods.make("Pod", "pair", spec=spec)
    soon(lambda: "together" in pods.plane.tried("logs", "pair", "-c", "read").stdout)
    assert not Path("/a/shared").exists()


READ_WORD = """
while True:
    try:
        print(r.urlopen("http://127.0.0.1:8080/word").read().decode(), flush=True)
    except OSError:
        time.sleep(0.05)
    else:
        time.sleep(100)
"""


def test_a_container_writes_where_it_may_and_is_nobody_else(pods: PodsOfTest) -> None:
    tries = "id -u; grep CapBnd /proc/self/status"
    tries += "; for f in /kept /scratch/kept; do touch $f && echo wrote $f; done"
    context = {
        "readOnlyRootFilesystem": True,
        "allowPrivilegeEscalation": False,
        "runAsNonRoot": True,
        "capabilities": {"drop": ["ALL"]},
    }
    pods.run(
        *("locked", "ordinary", f"{tries}; ps -e | wc -l"),
        pod={"restartPolicy": "Never", "volumes": [volume("scratch", emptyDir={})]},
        securityContext=context,
        volumeMounts=[mount("scratch", "/scratch")],
    )
    said = pods.ended("locked")
    assert said.splitlines()[0] == "1000"
    assert "CapBnd:\t0000000000000000" in said
    assert "wrote /scratch/kept" in said
    assert "wrote /kept" not in said
    assert int(said.split()[-1]) < 6, "it sees processes that are not its own"


def test_what_may_not_be_root_is_not_started_as_root(pods: PodsOfTest) -> None:
    pods.run("root", "shell", "id", securityContext={"runAsNonRoot": True})
    soon(lambda: "waiting" in pods.main("root")["state"] and "Config" in str(pods.main("root")["state"]))


def test_a_pod_asks_the_api_server_with_its_account(pods: PodsOfTest) -> None:
    pods.run("asks", "python", ASK_API, pod={"restartPolicy": "Never"})
    assert pods.ended("asks").strip() == "403 system:serviceaccount:default:default"


ASK_API = """
import json, os, ssl, urllib.error, urllib.request
place = "/var/run/secrets/kubernetes.io/serviceaccount"
url = f"https://{os.environ['KUBERNETES_SERVICE_HOST']}:{os.environ['KUBERNETES_SERVICE_PORT']}/api/v1/pods"
asked = urllib.request.Request(url, headers={"Authorization": "Bearer " + open(f"{place}/token").read()})
try:
    urllib.request.urlopen(asked, context=ssl.create_default_context(cafile=f"{place}/ca.crt"))
except urllib.error.HTTPError as error:
    print(error.code, json.load(error)["message"].split('"')[1])
"""


# Readiness, and what reaches a pod.


def test_volumes_follow_and_readiness_with_them(pods: PodsOfTest) -> None:
    pods.make("ConfigMap", "state", data={"other": "x"})
    pods.make(
        "Service", "web", spec={"selector": {"app": "web"}, "ports": [{"port": 80, "targetPort": "http"}]}
    )
    pods.run(
        *("web", "files"),
        pod={"volumes": [volume("state", configMap={"name": "state"})]},
        ports=[{"name": "http", "containerPort": 8080}],
        readinessProbe={"httpGet": {"path": "/ready", "port": "http"}, "periodSeconds": 1},
        volumeMounts=[mount("state", "/files")],
    )
    soon(lambda: "running" in pods.main("web").get("state", {}))
    assert not pods.is_ready("web")
    pods.make("ConfigMap", "state", data={"ready": "yes"})
    soon(lambda: pods.is_ready("web"))
    assert answers(f"http://{pods.status('web')['podIP']}:8080/ready") == "yes"
    address = pods.plane.read("service", "web")["spec"]["clusterIP"]
    soon(lambda: answers(f"http://{address}/ready") == "yes")
    once = {"restartPolicy": "Never"}
    get = "print([r.urlopen(f'http://{n}/ready').read() for n in ('web', 'web.default.svc')])"
    pods.run("client", "python", f"import urllib.request as r; {get}", pod=once)
    assert pods.ended("client").strip() == "[b'yes', b'yes']"
    pods.make("ConfigMap", "state", data={"other": "x"})
    soon(lambda: not pods.is_ready("web"))
    soon(lambda: answers(f"http://{address}/ready") is None)


def test_what_a_pod_refers_to_may_come_later(pods: PodsOfTest) -> None:
    pods.run(
        *("waits", "shell", "cat /keys/word"),
        pod={"restartPolicy": "Never", "volumes": [volume("keys", secret={"secretName": "late"})]},
        volumeMounts=[mount("keys", "/keys")],
    )
    soon(lambda: 'secret "late" not found' in str(pods.status("waits").get("conditions")))
    assert pods.main("waits")["state"]["waiting"]["reason"] == "ContainerCreating"
    pods.make("Secret", "late", stringData={"word": "there"})
    assert pods.ended("waits") == "there"


def test_an_image_that_nothing_stands_for_is_told(pods: PodsOfTest) -> None:
    pods.run("stranger", "quay.io/nobody/nothing:v1")
    soon(lambda: pods.main("stranger")["state"].get("waiting", {}).get("reason") == "ErrImagePull")


def test_a_log_is_followed_to_its_end(pods: PodsOfTest) -> None:
    pods.run("talks", "shell", "echo one; sleep 1; echo two", pod={"restartPolicy": "Never"})
    soon(lambda: "running" in pods.main("talks")["state"])
    assert pods.log("talks", "--follow") == "one\ntwo\n"


# Restarts.


def test_init_containers_run_first_and_in_order(pods: PodsOfTest) -> None:
    init = [
        {
            "name": name,
            "image": "shell",
            "args": [f"echo {name} >> /o/order"],
            "volumeMounts": [mount("o", "/o")],
        }
        for name in ("first", "second")
    ]
    more = {"initContainers": init, "volumes": [volume("o", emptyDir={})], "restartPolicy": "Never"}
    pods.run("ordered", "shell", "cat /o/order", pod=more, volumeMounts=[mount("o", "/o")])
    assert pods.ended("ordered") == "first\nsecond\n"


def test_a_crash_loop_is_told_with_its_last_words(pods: PodsOfTest) -> None:
    pods.run(
        "crashes", "shell", "echo no model fits; exit 3", terminationMessagePolicy="FallbackToLogsOnError"
    )
    soon(lambda: pods.main("crashes")["state"].get("waiting", {}).get("reason") == "CrashLoopBackOff")
    told = pods.main("crashes")
    assert told["restartCount"] >= 1
    assert told["lastState"]["terminated"]["exitCode"] == 3
    assert told["lastState"]["terminated"]["message"] == "no model fits\n"
    assert not pods.is_ready("crashes")
    assert pods.log("crashes", "--previous") == "no model fits\n"


def test_a_program_that_is_not_there_is_named(pods: PodsOfTest) -> None:
    pods.run("absent", "shell", command=["/opt/no/such"], pod={"restartPolicy": "Never"})
    soon(lambda: pods.status("absent").get("phase") == "Failed")
    ended = pods.main("absent")["state"]["terminated"]
    assert ended["reason"] == "StartError"
    assert 'exec: "/opt/no/such": no such file or directory' in ended["message"]


@pytest.mark.parametrize(
    "probe",
    [
        pytest.param({"exec": {"command": ["test", "-e", "/tmp/alive"]}}, id="a command"),
        pytest.param({"tcpSocket": {"port": 9}}, id="a port"),
        pytest.param({"grpc": {"port": 9}}, id="gRPC"),
    ],
)
def test_what_is_not_alive_is_restarted(pods: PodsOfTest, probe: dict[str, Any]) -> None:
    liveness = {**probe, "periodSeconds": 1, "failureThreshold": 1, "terminationGracePeriodSeconds": 1}
    pods.run("dead", "shell", FOREVER, livenessProbe=liveness)
    soon(lambda: pods.main("dead")["restartCount"] >= 1)


def test_nothing_else_is_probed_before_it_has_started(pods: PodsOfTest) -> None:
    probe = {"exec": {"command": ["test", "-e", "/up"]}, "periodSeconds": 1}
    pods.run(
        "slow",
        "shell",
        f"sleep 2; touch /up; {FOREVER}",
        startupProbe=probe,
        livenessProbe={**probe, "failureThreshold": 1},
    )
    soon(lambda: pods.is_ready("slow"))
    assert pods.main("slow")["restartCount"] == 0


# The end.


def test_the_hook_comes_first_then_the_signal(pods: PodsOfTest, tmp_path: Path) -> None:
    said = "trap 'echo told >> /said/order; exit 0' TERM; while :; do sleep 0.05; done"
    pods.run(
        *("polite", "shell", said),
        pod={"volumes": [volume("said", hostPath={"path": str(tmp_path)})]},
        lifecycle={"preStop": {"exec": {"command": ["sh", "-c", "sleep 0.3; echo hook >> /said/order"]}}},
        volumeMounts=[mount("said", "/said")],
    )
    soon(lambda: pods.is_ready("polite"))
    place = pods.path("polite")
    assert place.exists()
    pods.plane.kubectl("delete", "pod", "polite")
    assert (tmp_path / "order").read_text() == "hook\ntold\n"
    assert not place.exists()


def test_who_does_not_listen_is_killed_after_the_grace(pods: PodsOfTest) -> None:
    pods.run("deaf", "shell", "trap '' TERM; while :; do sleep 0.05; done")
    soon(lambda: pods.is_ready("deaf"))
    began_s = time.monotonic()
    pods.plane.kubectl("delete", "pod", "deaf", "--grace-period=2")
    assert 1.5 < time.monotonic() - began_s < 10


def test_a_deployment_is_replaced_and_leaves_nothing(pods: PodsOfTest) -> None:
    def names() -> set[str]:
        return {each["metadata"]["name"] for each in pods.plane.read("pods")["items"]}

    pods.plane.kubectl("create", "deployment", "many", "--image=shell", "--replicas=3", "--", *FOREVER_ALONE)
    pods.plane.kubectl("rollout", "status", "deployment/many", "--timeout=20s")
    before = names()
    pods.plane.kubectl("set", "env", "deployment/many", "NEW=1")
    pods.plane.kubectl("rollout", "status", "deployment/many", "--timeout=40s")
    soon(lambda: not before & names())
    pods.plane.kubectl("delete", "deployment", "many")
    soon(lambda: not names())
    assert not namespaces()


def test_a_killed_node_takes_its_pods_along_and_the_next_one_sweeps(
    plane: ControlPlane, tmp_path: Path
) -> None:
    word = f"only-in-{tmp_path.name}"
    with running_node(plane.kubeconfig(), IMAGES, folder=tmp_path, name="node-2") as node:
        here = {"nodeName": "node-2", "terminationGracePeriodSeconds": 1}
        pods = PodsOfTest(plane, node)
        pods.run("left", "shell", f": {word}; {FOREVER}", pod=here)
        soon(lambda: pods.is_ready("left"))
        place = pods.path("left")
        left = place.with_name(f"{place.name}00")  # of a pod that no successor has
        subprocess.run(["ip", "netns", "add", left.name], check=True)
        node.kill()
        soon(lambda: word not in processes())
        assert place.exists()
        with running_node(plane.kubeconfig(), IMAGES, folder=tmp_path, name="node-2"):
            soon(lambda: word in processes())
            assert not left.exists()
            plane.kubectl("delete", "pod", "left")
    assert not list(Path("/run/netns").glob(f"{place.name.partition('-')[0]}-*"))
    plane.kubectl("delete", "node", "node-2")


def test_pods_reach_what_is_exposed_of_this_machine(plane: ControlPlane, tmp_path: Path) -> None:
    with ThreadingHTTPServer(("127.0.0.1", 0), SimpleHTTPRequestHandler) as server:
        port = server.server_address[1]
        Thread(target=server.serve_forever, daemon=True).start()
        with running_node(plane.kubeconfig(), IMAGES, folder=tmp_path, name="node-3", expose=[port]) as node:
            pods = PodsOfTest(plane, node)
            ask = f"import urllib.request as r; print(r.urlopen('http://{node.node_ip}:{port}/').status)"
            pods.run("asks", "python", ask, pod={"nodeName": "node-3", "restartPolicy": "Never"})
            assert pods.ended("asks") == "200\n"
            plane.kubectl("delete", "pod/asks", "node/node-3")
        server.shutdown()


def processes() -> str:
    return subprocess.run(["ps", "-eo", "args"], capture_output=True, text=True, check=True).stdout


def namespaces() -> Sequence[Path]:
    return list(Path("/run/netns").glob("rmk*-*"))
