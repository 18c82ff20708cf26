"""The webhooks as a controller keeps them: over a cluster in memory, and asked by a real API server."""

import asyncio
import base64
import json
import ssl
import subprocess
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import Any

import pytest

from adapter.aio.clock import LoopClock
from adapter.cluster.cluster import Cluster
from adapter.cluster.kubernetes import KubernetesCluster
from adapter.cluster.kubernetes_api import Account
from adapter.controller.webhooks import serving
from adapter.controller.webhooks.certificates import RENEW_S, VALID_S
from adapter.controller.webhooks.configuration import CONFIGURATION
from adapter.controller.webhooks.decide import Facts
from adapter.controller.webhooks.serving import WebhookOptions, serve_webhooks
from adapter.domain.kinds import MUTATING_WEBHOOK, VALIDATING_WEBHOOK, Key
from adapter.servers.listening import bound, port_of
from tests.fakes.memory_cluster import MemoryCluster
from tests.integration.control_plane import ControlPlane
from tests.tidy.tree import ROOT
from tests.unit.controller.webhooks.words import a_runtime

NAMESPACE = "webhooks"
NO_CHECK_TIME = 0x200000
"""OpenSSL's X509_V_FLAG_NO_CHECK_TIME."""

VALIDATING = Key(kind=VALIDATING_WEBHOOK, name=CONFIGURATION)
MUTATING = Key(kind=MUTATING_WEBHOOK, name=CONFIGURATION)


class LaterClock(LoopClock):
    """Real, but for the date; pauses are as short as can be."""

    def __init__(self) -> None:
        super().__init__()
        self.later_s = 0.0

    def epoch_ms(self) -> int:
        return super().epoch_ms() + round(self.later_s * 1e3)

    async def sleep(self, seconds: float) -> None:
        await super().sleep(0.01 if seconds >= serving.RETRY_S else seconds)


@asynccontextmanager
async def kept(cluster: Cluster, clock: LoopClock | None = None) -> AsyncIterator[int]:
    """Webhooks are kept while inside; gives the port."""
    listener = bound("127.0.0.1", 0)
    port = port_of(listener)
    options = WebhookOptions(namespace=NAMESPACE, url=f"https://127.0.0.1:{port}")
    keeping = serve_webhooks(cluster, listener, Facts, options=options, clock=clock or LoopClock())
    async with asyncio.TaskGroup() as owner:
        task = owner.create_task(keeping)
        yield port
        task.cancel()


async def until(is_true: Callable[[], Any]) -> None:
    async with asyncio.timeout(20):
        while not is_true():
            await LoopClock().sleep(0.01)


def authorities(cluster: MemoryCluster) -> bytes:
    found: Any = cluster.now(VALIDATING)
    return base64.b64decode(found["webhooks"][0]["clientConfig"]["caBundle"]) if found else b""


async def shown(port: int, trusted: bytes) -> bytes:
    """The certificate that the door shows to who trusts these; a renewed one is not good today."""
    context = ssl.create_default_context(cadata=trusted.decode())
    context.verify_flags |= NO_CHECK_TIME
    _, writer = await asyncio.open_connection("127.0.0.1", port, ssl=context)
    certificate: bytes = writer.get_extra_info("ssl_object").getpeercert(binary_form=True)
    writer.close()
    await writer.wait_closed()
    return certificate


async def test_the_api_server_is_told_of_a_door_that_answers() -> None:
    cluster = MemoryCluster(namespaces=[NAMESPACE])
    async with kept(cluster) as port:
        await until(lambda: cluster.now(MUTATING))
        assert await shown(port, authorities(cluster))
    assert len(cluster.writes) == 3, "the certificate and two configurations, each once"


async def test_a_certificate_is_renewed_while_it_is_served() -> None:
    cluster, clock = MemoryCluster(namespaces=[NAMESPACE]), LaterClock()
    async with kept(cluster, clock) as port:
        await until(lambda: cluster.now(MUTATING))
        first = await shown(port, authorities(cluster))
        clock.later_s = VALID_S - RENEW_S + 1
        await until(lambda: authorities(cluster).count(b"BEGIN") == 2)
        async with asyncio.timeout(20):
            while await shown(port, authorities(cluster)) == first:
                await LoopClock().sleep(0.01)


async def test_while_the_cluster_is_away_it_is_tried_again(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level("WARNING")
    cluster = MemoryCluster(namespaces=[NAMESPACE])
    cluster.away = True
    async with kept(cluster, LaterClock()):
        await until(lambda: "webhooks are not as they should be" in caplog.text)
        await LoopClock().sleep(0.1)
        cluster.away = False
        await until(lambda: cluster.now(MUTATING))
    assert len(caplog.records) == 1, "it is said once, however often it is tried"


def manifest(runtime: dict[str, Any], **metadata: Any) -> str:
    metadata = {**runtime["metadata"], "namespace": NAMESPACE, **metadata}
    return json.dumps({**runtime, "metadata": metadata})


class Operator:
    """Types `kubectl`, without holding up the loop in which the webhook answers."""

    def __init__(self, plane: ControlPlane) -> None:
        self._plane = plane

    async def apply(self, text: str) -> subprocess.CompletedProcess[str]:
        return await asyncio.to_thread(self._plane.tried, "apply", "--filename", "-", stdin=text)

    async def done(self, *words: str) -> str:
        return await asyncio.to_thread(self._plane.kubectl, *words)


@pytest.fixture
async def operator(control_plane: ControlPlane) -> AsyncIterator[Operator]:
    operator = Operator(control_plane)
    await operator.done("apply", "--server-side", "--kustomize", str(ROOT / "deploy" / "crds"))
    await operator.done("create", "namespace", NAMESPACE)
    yield operator
    for kind in ("validatingwebhookconfiguration", "mutatingwebhookconfiguration"):
        await operator.done("delete", kind, CONFIGURATION, "--ignore-not-found")
    await operator.done("delete", "namespace", NAMESPACE)


async def test_a_real_api_server_asks(control_plane: ControlPlane, operator: Operator) -> None:
    account = Account.found(kubeconfig=control_plane.kubeconfig())
    async with KubernetesCluster.connected(account) as cluster:
        async with kept(cluster):
            await _until_asked(operator)
            await _says_no_where_it_should(operator)
        assert (await operator.apply(manifest(bad("while-away")))).returncode == 0, "nobody is asked"


def bad(name: str) -> dict[str, Any]:
    """What no schema can know: two priorities for one format."""
    formats = [
        {"name": "onnx", "version": version, "autoSelect": True, "priority": priority}
        for version, priority in (("1", 1), ("2", 2))
    ]
    return a_runtime(name, supportedModelFormats=formats)


async def _until_asked(operator: Operator) -> None:
    """The API server needs a moment to know of its webhooks."""
    async with asyncio.timeout(20):
        while (await operator.apply(manifest(bad("probe")))).returncode == 0:
            await operator.done("delete", "servingruntime", "probe", "--namespace", NAMESPACE)


async def _says_no_where_it_should(operator: Operator) -> None:
    scaled = {"serving.kserve.io/autoscalerClass": "x"}
    refused = await operator.apply(manifest(bad("bad"), annotations=scaled))
    assert 'The ServingRuntime "bad" is invalid' in refused.stderr
    assert "[x] is not a supported autoscaler class type." in refused.stderr
    assert "different priorities assigned for the model format onnx" in refused.stderr
    good = await operator.apply(manifest(a_runtime("good")))
    assert good.returncode == 0, good.stderr
    made = json.loads(
        await operator.done("get", "servingruntime", "good", "--namespace", NAMESPACE, "--output", "json")
    )
    assert made["spec"]["grpcEndpoint"] == "port:8085"
    kserves = bad("kserves")
    kserves["spec"]["multiModel"] = False
    assert (await operator.apply(manifest(kserves))).returncode == 0
    service = {
        "apiVersion": "serving.kserve.io/v1beta1",
        "kind": "InferenceService",
        "metadata": {"name": "bad"},
        "spec": {"predictor": {"model": {"modelFormat": {"name": "sklearn"}, "storageUri": "ftp://a/b"}}},
    }
    ours = {"serving.kserve.io/deploymentMode": "ModelMesh"}
    warned = await operator.apply(manifest(service, annotations=ours))
    assert warned.returncode == 0
    assert "Warning: " in warned.stderr
    assert "Warning: " not in (await operator.apply(manifest(service, name="kserves"))).stderr
