"""What the pod runner gives to pods, and who reaches them; seen by `kubectl` and from inside the pods."""

from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread
from typing import Any

from tests.integration.control_plane import ControlPlane
from tests.integration.pods import (
    IMAGES,
    PodsOfTest,
    answers,
    mount,
    node,
    plane,
    pods,
    soon,
    volume,
)
from tests.kubelet.running import running_node

__all__ = ["node", "plane", "pods"]  # the fixtures

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
