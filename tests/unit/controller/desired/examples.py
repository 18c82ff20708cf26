"""Plans for the tests of what is to be in the cluster."""

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any, Final

import yaml

from adapter.controller.config import (
    ControllerConfig,
    Image,
    MetricsConfig,
    RestConfig,
    ScaleToZero,
    TlsConfig,
)
from adapter.controller.manifests.runtimes import read_runtime
from adapter.controller.plans import Autoscaling, NamespacePlan, RuntimePlan
from adapter.domain.specs import RuntimeSpec

HERE: Final = Path(__file__).parent

RUNTIMES: Final[Mapping[str, RuntimeSpec]] = {
    runtime.name: runtime
    for runtime in map(read_runtime, yaml.safe_load_all((HERE / "runtimes.yaml").read_text()))
}

OWNER: Final = {"apiVersion": "v1", "kind": "Namespace", "name": "apples", "uid": "of-the-namespace"}

BARE: Final = ControllerConfig(
    service_name="bare",
    image=Image(name="example/remesh", digest="sha256:1111"),
    metrics=MetricsConfig(enabled=False),
    rest=RestConfig(enabled=False),
    headless_service=False,
    message_bytes_max=0,
)

FULL: Final = ControllerConfig(
    tls=TlsConfig(secret_name="mesh-tls", client_auth="require"),
    access_logging=True,
    service_account="mesh",
    payload_processors=("logger://*", "http://payloads.example/all"),
    pod_labels={"colour": "red", "team": "mesh"},
    pod_annotations={"team.example/contact": "mesh"},
    image_pull_secrets=({"name": "pull-all"},),
    instance_env={"BOOTSTRAP_CLEARANCE_PERIOD_MS": "0", "MM_KVSTORE_PREFIX": "overridden"},
)


def a_plan(runtime: str = "mlserver-1.x", **changes: Any) -> RuntimePlan:
    """Two instances of a runtime, with the defaults of everything."""
    told = RUNTIMES[runtime]
    known: dict[str, Any] = {
        "namespace": "apples",
        "runtime": told,
        "labels": (f"rt:{runtime}",),
        "replicas": 2,
    }
    return RuntimePlan(**(known | changes))


def unowned(plan: RuntimePlan) -> RuntimePlan:
    """The same of a runtime that no object declares: what has an owner that is not there is collected."""
    return replace(plan, runtime=replace(plan.runtime, identity=replace(plan.runtime.identity, uid="")))


def a_namespace(**changes: Any) -> NamespacePlan:
    """With one runtime, and the defaults of everything."""
    known: dict[str, Any] = {
        "namespace": "apples",
        "config": ControllerConfig(),
        "runtimes": (RUNTIMES["mlserver-1.x"],),
    }
    return NamespacePlan(**(known | changes))


RUNTIME_PLANS: Final[Mapping[str, RuntimePlan]] = {
    "driven": a_plan(
        labels=("mt:sklearn", "mt:sklearn:0", "pv:grpc-v2", "rt:mlserver-1.x"), claims=("models-pvc",)
    ),
    "foreign-adapter": a_plan(
        "triton-2.x",
        config=FULL,
        has_ca=True,
        stamp="5f2b",
        autoscaling=Autoscaling(metric="memory", target_percent=70, replicas_min=2, replicas_max=5),
    ),
    "sockets": a_plan("custom-sockets", config=FULL, replicas=3, claims=("models.of.all", "scratch")),
    "paths-as-they-are": a_plan(
        "custom-paths",
        config=BARE,
        etcd_secret="own-etcd",
        replicas=0,
        marks={"remesh.io/unneeded-since": "2026-01-01T00:00:00Z"},
    ),
}

NAMESPACE_PLANS: Final[Mapping[str, NamespacePlan]] = {
    "namespace": a_namespace(
        owner=OWNER,
        etcd_connection=b'{"endpoints":"https://etcd:2379","certificate_file":"ca.pem"}',
        etcd_files={"ca.pem": b"PEM"},
        has_service_monitor=True,
    ),
    "namespace-bare": a_namespace(config=BARE, has_service_monitor=True),
    "namespace-with-a-door": a_namespace(
        config=replace(FULL, scale_to_zero=ScaleToZero(idle_s=300.0)), door=True, has_ca=True, stamp="5f2b"
    ),
    "namespace-without-runtimes": a_namespace(runtimes=()),
}

CONSTRAINTS: Final[Mapping[str, bytes]] = {
    "type_constraints": b'{"_default":{"required":["_no_runtime"]}}',
    "dataplane_api_config": b'{"allowOtherRpcs":true}',
}
